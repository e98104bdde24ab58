package duplicates

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Done is a merge that can still be taken back.
type Done struct {
	ID        uuid.UUID
	At, Until time.Time
	Kept      Side
}

// Merges lists the merges that can still be taken back, newest first. It needs the right actor.EditSupporters.
func (s *Service) Merges(ctx context.Context, a actor.Actor) ([]Done, error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return nil, err
	}
	var rows []models.Merge
	err := s.db.WithContext(ctx).Table("merges m").Select("m.id, m.supporter_id, m.created_at, m.undo_until").Joins("JOIN supporters ON supporters.id = m.supporter_id").
		Scopes(chapters.Scope(a, "supporters.chapter_id")).
		Where("m.before_sealed IS NOT NULL AND m.undone_at IS NULL AND m.undo_until > ?", s.clock.Now()).Order("m.created_at DESC, m.id DESC").Limit(paging.Size).Scan(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, m := range rows {
		ids[i] = m.SupporterID
	}
	sides, err := s.sides(ctx, ids)
	out := make([]Done, len(rows))
	for i, m := range rows {
		out[i] = Done{ID: m.ID, At: m.CreatedAt, Until: m.UndoUntil, Kept: sides[m.SupporterID]}
	}
	return out, err
}

// Undo takes a merge back: both records have what they had before, and what came later stays with the one that was kept. It returns the
// record that is there again. It needs the right actor.EditSupporters; the faults are NotFound, error.merge_nothing, Gone,
// error.merge_old, after thirty days or a second time, and Conflict, error.merge_later, while the record was merged again after it.
func (s *Service) Undo(ctx context.Context, a actor.Actor, id uuid.UUID) (back uuid.UUID, err error) {
	if err := a.Need(actor.EditSupporters); err != nil {
		return uuid.Nil, err
	}
	missing := fault.New(fault.NotFound, "error.merge_nothing")
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		var row models.Merge
		if err := tx.Where("id = ?", id).Take(&row).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return missing
		} else if err != nil {
			return err
		}
		people, err := hold(tx, row.SupporterID, row.GoneID)
		if err != nil {
			return err
		}
		row = models.Merge{} // somebody may have been faster
		if err := tx.Where("id = ?", id).Take(&row).Error; errors.Is(err, gorm.ErrRecordNotFound) {
			return missing
		} else if err != nil {
			return err
		}
		now := s.clock.Now()
		if len(people) == 0 || people[0].ID != row.SupporterID || !chapters.May(a, people[0].ChapterID) {
			return missing
		}
		if row.UndoneAt != nil || row.BeforeSealed == nil || !now.Before(row.UndoUntil) {
			return fault.New(fault.Gone, "error.merge_old")
		}
		before, err := s.vault.OpenBytes("merges", "before_sealed", row.ID[:], row.BeforeSealed)
		if err != nil {
			return err
		}
		var snap snapshot
		err = json.Unmarshal(before, &snap)
		clear(before)
		if err != nil {
			return err
		}
		var later int64
		err = tx.Model(&models.Merge{}).Where("supporter_id = ? AND undone_at IS NULL AND before_sealed IS NOT NULL AND (created_at, id) > (?, ?)", row.SupporterID, row.CreatedAt, row.ID).Count(&later).Error
		if err != nil {
			return err
		}
		switch {
		case snap.Kept.Row.ID != row.SupporterID || later > 0:
			return fault.New(fault.Conflict, "error.merge_later")
		case !chapters.May(a, snap.Gone.Row.ChapterID):
			return missing
		}
		m := merging{Service: s, tx: tx, kept: row.SupporterID, gone: row.GoneID, now: now}
		if err := m.restore(people[0], snap); err != nil {
			return err
		}
		if err := tx.Model(&models.Merge{}).Where("id = ?", id).Updates(map[string]any{"before_sealed": nil, "undone_at": now}).Error; err != nil {
			return err
		}
		back = row.GoneID
		return audit.Write(ctx, tx, a, now, "supporter.unmerge", "supporters", row.SupporterID, map[string]any{"back": back, "merge": id})
	})
	return back, err
}

// restore gives both records back what they had.
func (m *merging) restore(row models.Supporter, snap snapshot) error {
	is, err := m.open(row)
	if err != nil {
		return err
	}
	for _, col := range columns {
		if is.text(col) == snap.After.text(col) { // else it was changed meanwhile
			is.set(col, snap.Kept)
		}
	}
	is.Row.UpdatedAt = m.now
	kept := m.close(is, m.kept)
	if err := m.tx.Select("*").UpdateColumns(&kept).Error; err != nil {
		return err
	}
	gone := m.close(snap.Gone, m.gone)
	gone.UpdatedAt = m.now // whoever keeps names in memory goes by it
	if err := m.tx.Create(&gone).Error; err != nil {
		return err
	}
	for _, table := range tables {
		did, ok := snap.Tables[table]
		if !ok {
			continue // the table was made after the merge
		}
		if err := movers[table].undo(m, did); err != nil {
			return fmt.Errorf("duplicates: %s: %w", table, err)
		}
	}
	return nil
}
