package letters

import (
	"context"
	"time"

	"gorm.io/gorm"

	"kithline/models"
)

// release lets a confirmed letter go: its dispatches wait for their turn from now on. Done twice it is done once. The caller holds the
// letter, in tx.
func (s *Service) release(ctx context.Context, tx *gorm.DB, letter models.Letter, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Model(&models.Letter{}).Where("id = ? AND state IN ?", letter.ID, []models.LetterState{models.LetterConfirmed, models.LetterHeld}).
		Updates(map[string]any{"state": models.LetterReleased, "released_at": now, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return tx.Model(&models.Dispatch{}).Where("letter_id = ? AND state = ?", letter.ID, models.DispatchDraft).
		Updates(map[string]any{"state": models.DispatchWaiting, "due_at": now, "updated_at": now}).Error
}

// reject keeps a letter from going, with a reason that its writer and the report read: a code. What was to go is closed. The caller holds
// the letter, in tx.
func (s *Service) reject(ctx context.Context, tx *gorm.DB, letter models.Letter, reason string, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Model(&models.Letter{}).Where("id = ? AND state IN ?", letter.ID, []models.LetterState{models.LetterConfirmed, models.LetterHeld}).
		Updates(map[string]any{"state": models.LetterRejected, "closed_at": now, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return tx.Model(&models.Dispatch{}).Where("letter_id = ? AND state = ?", letter.ID, models.DispatchDraft).
		Updates(map[string]any{"state": models.DispatchClosed, "closed_at": now, "closed_reason": reason, "updated_at": now}).Error
}
