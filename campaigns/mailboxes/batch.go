package mailboxes

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// NewRow makes the row of an address as it would be if it were new, without asking the database: for EnsureAll. The error
// is that of Ensure.
func NewRow(v *vault.Vault, typed string, now time.Time) (models.Mailbox, error) {
	canonical, domain, err := address.CanonicalAddress(typed)
	if err != nil {
		return models.Mailbox{}, err
	}
	hash := v.AddressHash(canonical)
	return models.Mailbox{
		ID: models.NewID(), AddressHash: hash, AddressSealed: v.SealBytes("mailboxes", "address_sealed", hash, []byte(canonical)),
		Domain: domain, CreatedAt: now, UpdatedAt: now,
	}, nil
}

// EnsureAll is Ensure for many rows at once. It returns the mailboxes as they are in the database, by address hash, and holds
// them until tx ends. fresh are the ids of those that this call made: nothing can point to them yet.
func EnsureAll(ctx context.Context, tx *gorm.DB, rows []models.Mailbox) (boxes map[string]models.Mailbox, fresh map[uuid.UUID]bool, err error) {
	// The same order in every transaction, so that two of them never wait for each other.
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b models.Mailbox) int { return bytes.Compare(a.AddressHash, b.AddressHash) })
	rows = slices.CompactFunc(rows, func(a, b models.Mailbox) bool { return bytes.Equal(a.AddressHash, b.AddressHash) })
	tx = tx.WithContext(ctx)
	boxes, fresh = make(map[string]models.Mailbox, len(rows)), make(map[uuid.UUID]bool, len(rows))
	// A row that stands in the way may be erased before it can be held: then its address is new, and is written again.
	for left := rows; len(left) > 0; {
		made, err := database.InsertNew(tx, left, "ON CONFLICT (address_hash) DO NOTHING")
		if err != nil {
			return nil, nil, err
		}
		var there [][]byte
		for _, r := range left {
			if made[r.ID] {
				boxes[string(r.AddressHash)], fresh[r.ID] = r, true
				continue
			}
			there = append(there, r.AddressHash)
		}
		for part := range slices.Chunk(there, 500) {
			var found []models.Mailbox
			// Held until the end: what is decided by the mails a mailbox got so far is decided for one form at a time.
			hold := clause.Locking{Strength: "UPDATE"}
			if err := database.WhereIn(tx.Clauses(hold), "address_hash", part).Order("address_hash").Find(&found).Error; err != nil {
				return nil, nil, err
			}
			for _, m := range found {
				boxes[string(m.AddressHash)] = m
			}
		}
		left = slices.DeleteFunc(slices.Clone(left), func(r models.Mailbox) bool { _, ok := boxes[string(r.AddressHash)]; return ok })
	}
	return boxes, fresh, nil
}

// SuppressAll is Suppress for many mailboxes at once.
func SuppressAll(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, reason string, now time.Time) error {
	for part := range slices.Chunk(ids, 500) {
		err := tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id IN ? AND suppressed_at IS NULL", part).
			Updates(map[string]any{"suppressed_at": now, "suppressed_reason": reason, "updated_at": now}).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// Hold takes mailboxes for the rest of tx, in the order in which everybody takes them, and returns them by id. One that is gone is left out.
func Hold(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) (map[uuid.UUID]models.Mailbox, error) {
	var rows []models.Mailbox
	if err := database.WhereIn(tx.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}), "id", ids).Order("address_hash").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]models.Mailbox, len(rows))
	for _, m := range rows {
		out[m.ID] = m
	}
	return out, nil
}
