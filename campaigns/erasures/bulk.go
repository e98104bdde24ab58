package erasures

import (
	"context"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/models"
)

// bulk is how many addresses are erased in one transaction.
const bulk = 50

// Bulk is what became of a list of addresses. It names none of them.
type Bulk struct {
	Erased   int // addresses, those of the same records that the list did not name among them
	Unknown  int // nothing is known here about these, or it is not for the actor to see
	Wrong    int // no mail addresses
	Accounts int // of the erased: they stay for the account of somebody who works here
}

// EraseAddresses erases the people behind addresses, as a person typed them: each with their record and all its mailboxes. It
// needs the right actor.Delete. Somebody of a chapter erases that chapter's people only. After an error those before it are
// erased; it may be called again with the same list.
func (s *Service) EraseAddresses(ctx context.Context, a actor.Actor, typed []string) (out Bulk, err error) {
	if err := a.Need(actor.Delete); err != nil {
		return out, err
	}
	var hashes [][]byte
	seen := map[string]bool{}
	for _, t := range typed {
		canonical, _, err := address.CanonicalAddress(t)
		if err != nil {
			out.Wrong++
			continue
		}
		if h := s.o.Vault.AddressHash(canonical); !seen[string(h)] {
			seen[string(h)] = true
			hashes = append(hashes, h)
		}
	}
	defer func() {
		if out.Erased > 0 {
			s.o.Forgotten()
		}
	}()
	for part := range slices.Chunk(hashes, bulk) {
		var done Bulk
		if err := s.tx(ctx, func(tx *gorm.DB) (err error) {
			done, err = s.eraseHashes(ctx, tx, a, part)
			return err
		}); err != nil {
			return out, err
		}
		out.Erased, out.Unknown, out.Accounts = out.Erased+done.Erased, out.Unknown+done.Unknown, out.Accounts+done.Accounts
	}
	return out, nil
}

func (s *Service) eraseHashes(ctx context.Context, tx *gorm.DB, a actor.Actor, hashes [][]byte) (out Bulk, err error) {
	now := s.o.Clock.Now()
	var found []struct {
		ID          uuid.UUID
		SupporterID *uuid.UUID
		ChapterID   *uuid.UUID
	}
	err = tx.Raw(`SELECT m.id, m.supporter_id, s.chapter_id FROM mailboxes m LEFT JOIN supporters s ON s.id = m.supporter_id
		WHERE m.address_hash IN ? ORDER BY m.address_hash`, hashes).Scan(&found).Error
	if err != nil {
		return out, err
	}
	out.Unknown = len(hashes) - len(found)
	done := map[uuid.UUID]bool{}
	for _, f := range found {
		if !chapters.May(a, f.ChapterID) {
			out.Unknown++
			continue
		}
		w := whomOf(models.Mailbox{ID: f.ID, SupporterID: f.SupporterID})
		if f.SupporterID != nil && done[*f.SupporterID] {
			continue // with the address before
		}
		receipt, err := s.EraseIn(ctx, tx, a, w, ByOrganizer, now)
		if err != nil {
			return out, err
		}
		if f.SupporterID != nil {
			done[*f.SupporterID] = true
		}
		out.Erased += receipt.Addresses
		if receipt.Account {
			out.Accounts++
		}
	}
	return out, nil
}

// Since returns the list of everybody who was erased, oldest first, to be kept apart from this server and given to a restore:
// what the store outside of the database holds, and what the database remembers. It needs the right actor.Delete and is
// written into the audit log.
func (s *Service) Since(ctx context.Context, a actor.Actor) ([]Entry, error) {
	if err := a.Need(actor.Delete); err != nil {
		return nil, err
	}
	list, err := s.o.Ledger.All(ctx)
	if err != nil {
		return nil, err
	}
	var rows []models.Erasure
	if err := s.o.DB.WithContext(ctx).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	have := make(map[uuid.UUID]bool, len(list))
	for _, e := range list {
		have[e.ID] = true
	}
	for _, e := range entries(rows) {
		if !have[e.ID] {
			list = append(list, e)
		}
	}
	sort(list)
	return list, s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, a, s.o.Clock.Now(), "erasures.list", "erasures", uuid.Nil, map[string]any{"entries": len(list)})
	})
}
