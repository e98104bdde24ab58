package letters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/jobs"
	"kithline/models"
)

// heldToldAfter is how long a letter waits for a person before its writer is told.
const heldToldAfter = 3 * 24 * time.Hour

// writerBatch is how many letters go in one transaction.
const writerBatch = 200

// WriterJobs is the housekeeping of what writers began: see ExpireLetters and TellHeld.
func (s *Service) WriterJobs() []jobs.Regular {
	return []jobs.Regular{
		{Name: "letters_expire", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.ExpireLetters(ctx); return err }},
		{Name: "letters_held", Every: time.Hour, Run: func(ctx context.Context) error { _, err := s.TellHeld(ctx); return err }},
	}
}

// ExpireLetters deletes drafts that nobody touched for 30 days and letters that nobody confirmed in 7, and returns how many went. It may
// run on several nodes at once, and again.
func (s *Service) ExpireLetters(ctx context.Context) (int, error) {
	now := s.Clock.Now()
	return s.inBatches(ctx, func(tx *gorm.DB) (int, error) {
		var ids []uuid.UUID
		err := tx.Model(&models.Letter{}).Where("state IN ('draft', 'awaiting_confirmation') AND expires_at <= ?", now).Order("expires_at, id").Limit(writerBatch).Pluck("id", &ids).Error
		if err != nil || len(ids) == 0 {
			return 0, err
		}
		return len(ids), s.dropLetters(ctx, tx, ids, now)
	})
}

// TellHeld tells writers whose letters wait for a person for more than three days, once each, and returns how many were told. It may run
// on several nodes at once, and again.
func (s *Service) TellHeld(ctx context.Context) (int, error) {
	now := s.Clock.Now()
	return s.inBatches(ctx, func(tx *gorm.DB) (int, error) {
		var rows []models.Letter
		err := tx.Raw(`UPDATE letters SET hold_told_at = ? WHERE id IN (SELECT id FROM letters WHERE state = 'held' AND held_at <= ? AND hold_told_at IS NULL ORDER BY held_at, id LIMIT ?)
			AND hold_told_at IS NULL RETURNING *`, now, now.Add(-heldToldAfter), writerBatch).Scan(&rows).Error
		if err != nil {
			return 0, err
		}
		for _, l := range rows {
			if l.MailboxID == uuid.Nil { // erased since
				continue
			}
			if err := s.receipt(ctx, tx, KindHeld, l, now); err != nil {
				return 0, err
			}
		}
		return len(rows), nil
	})
}

// inBatches runs a step in a transaction each until it finds nothing.
func (s *Service) inBatches(ctx context.Context, step func(tx *gorm.DB) (int, error)) (int, error) {
	total := 0
	for {
		n := 0
		err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) { n, err = step(tx.WithContext(ctx)); return err })
		total += n
		if err != nil || n == 0 {
			return total, err
		}
	}
}
