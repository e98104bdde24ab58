package erasures

import (
	"bytes"
	"context"
	"encoding/hex"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
	"kithline/models/database"
)

// Replayed counts what a replay did.
type Replayed struct {
	Addresses int // erased again
	Records   int
	Files     int // copies that were ended
}

// Replay brings rows that were restored from a backup up to a list of erasures, in tx. It needs no key: addresses are known by
// their hash. A mailbox that is younger than its erasure belongs to somebody who came back, and stays. A record goes with its
// mailboxes; where the list names some of them only, which takes a merge that was undone since, the others stay without a record.
func Replay(ctx context.Context, tx *gorm.DB, list []Entry, now time.Time) (Replayed, error) {
	var done Replayed
	tx = tx.WithContext(ctx)
	latest := map[string]models.Erasure{} // by hash
	for _, e := range list {
		hash, err := hex.DecodeString(e.Hash)
		if err != nil {
			return done, err
		}
		if old, ok := latest[string(hash)]; !ok || old.CreatedAt.Before(e.At) {
			latest[string(hash)] = models.Erasure{ID: e.ID, AddressHash: hash, How: ByRestore, CreatedAt: e.At}
		}
	}
	rows := make([]models.Erasure, 0, len(latest))
	for _, r := range latest {
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b models.Erasure) int { return bytes.Compare(a.AddressHash, b.AddressHash) })
	var boxes, records []uuid.UUID
	var remembered []models.Erasure
	for part := range slices.Chunk(rows, chunk) {
		hashes := make([][]byte, len(part))
		for i, r := range part {
			hashes[i] = r.AddressHash
		}
		var found []models.Mailbox
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("address_hash IN ?", hashes).Order("address_hash").Find(&found).Error; err != nil {
			return done, err
		}
		back := map[string]bool{}
		for _, m := range found {
			if m.CreatedAt.After(latest[string(m.AddressHash)].CreatedAt) {
				back[string(m.AddressHash)] = m.VerifiedAt != nil
				continue
			}
			boxes = append(boxes, m.ID)
			if m.SupporterID != nil && !slices.Contains(records, *m.SupporterID) {
				records = append(records, *m.SupporterID)
			}
		}
		for _, r := range part {
			if !back[string(r.AddressHash)] {
				remembered = append(remembered, r)
			}
		}
	}
	if _, err := Forget(ctx, tx, records, boxes, now); err != nil {
		return done, err
	}
	done.Addresses, done.Records = len(boxes), len(records)
	if err := database.InsertAll(tx, remembered, "ON CONFLICT DO NOTHING"); err != nil {
		return done, err
	}
	if len(boxes) == 0 {
		return done, nil
	}
	r := tx.Model(&models.File{}).Where("state = ? AND kind IN ?", models.FileStored, copyKinds).
		Updates(map[string]any{"state": models.FileExpired, "name_sealed": nil})
	done.Files = int(r.RowsAffected)
	return done, r.Error
}
