package mailings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/jobs"
	"kithline/models"
	"kithline/models/database"
)

// freezeBatch is how many deliveries one statement inserts: 22 columns each, below SQLite's 32,766 and PostgreSQL's 65,535
// parameters.
const freezeBatch = 1000

// Freeze makes the deliveries of a mailing that is to be sent, in one transaction: all of its audience, or nothing. It may run
// any number of times, on several nodes at once: a mailing that is not freezing stays as it is.
func (s *Service) Freeze(ctx context.Context, id uuid.UUID) error {
	err := analyze(ctx, s.DB)
	if err != nil {
		return err
	}
	for range 5 { // somebody may leave the list between being counted and being inserted: the trigger then refuses all
		if err = s.freeze(ctx, id); !database.NoConsent(err) {
			return err
		}
	}
	return err
}

func (s *Service) freeze(ctx context.Context, id uuid.UUID) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		// The row's lock: a second run waits here and then finds the mailing sending.
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ?", id, models.MailingFreezing).Update("updated_at", now)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		m, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := gather(ctx, tx, m, now); err != nil {
			return err
		}
		after := uuid.Nil
		for {
			boxes, err := nextPeople(ctx, tx, after, freezeBatch)
			if err != nil {
				return err
			}
			if len(boxes) == 0 {
				break
			}
			after = boxes[len(boxes)-1]
			rows := make([]models.Delivery, len(boxes))
			for i, box := range boxes {
				rows[i] = deliveries.New{
					Kind: KindMailing, MailboxID: box, SubjectID: m.ID, MailingID: &m.ID, Purpose: m.Purpose, ScopeID: m.ScopeID,
					DedupeKey: "mailing/" + m.ID.String() + "/" + box.String(), Priority: models.PriorityBulk, OnUnknown: models.Park,
				}.Row(now)
			}
			err = tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "dedupe_key"}}, DoNothing: true}).Create(&rows).Error
			if err != nil {
				return err
			}
		}
		if err := database.PutAway(tx, people); err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&models.Delivery{}).Where("mailing_id = ?", id).Count(&n).Error; err != nil {
			return err
		}
		deliveries.Wake(tx)
		return tx.Model(&models.Mailing{}).Where("id = ?", id).
			Updates(map[string]any{"state": models.MailingSending, "frozen_at": now, "audience_count": n, "updated_at": now}).Error
	})
}

// stuckAfter is how long a mailing may wait for its freezing before the periodic job does it.
const stuckAfter = 2 * time.Minute

// Tidy ends mailings that have nothing more to send, expires what came back to a stopped one, and freezes one whose job was
// lost. It may run at any time, on several nodes at once.
func (s *Service) Tidy(ctx context.Context) error {
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := expireStopped(tx, now, "SELECT id FROM mailings WHERE state = 'cancelled' AND finished_at > ?", now.Add(-7*24*time.Hour)); err != nil {
			return err
		}
		return tx.Exec(`UPDATE mailings SET state = 'finished', finished_at = ?, updated_at = ? WHERE state = 'sending' AND NOT EXISTS (
			SELECT 1 FROM deliveries d WHERE d.mailing_id = mailings.id AND d.state IN ('queued', 'claimed', 'sending', 'deferred'))`, now, now).Error
	})
	if err != nil {
		return err
	}
	var stuck []models.Mailing
	err = s.DB.WithContext(ctx).Select("id").Where("state = ? AND updated_at < ?", models.MailingFreezing, now.Add(-stuckAfter)).Find(&stuck).Error
	for _, m := range stuck {
		if err == nil {
			err = s.Freeze(ctx, m.ID)
		}
	}
	return err
}

// FreezeArgs is the job that freezes a mailing.
type FreezeArgs struct {
	MailingID uuid.UUID `json:"mailing_id"`
}

// Kind names the job.
func (FreezeArgs) Kind() string { return "mailings_freeze" }

type freezer struct {
	river.WorkerDefaults[FreezeArgs]
	s *Service
}

func (w *freezer) Work(ctx context.Context, j *river.Job[FreezeArgs]) error {
	return w.s.Freeze(ctx, j.Args.MailingID)
}

// Timeout is longer than that of other jobs: a large audience is one transaction. A second run waits for the first.
func (w *freezer) Timeout(*river.Job[FreezeArgs]) time.Duration { return 10 * time.Minute }

// AddWorkers registers the job of this package.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &freezer{s: s}) }

// Regular is what runs by itself.
func (s *Service) Regular() jobs.Regular {
	return jobs.Regular{Name: "mailings_tidy", Every: 15 * time.Second, Run: s.Tidy}
}
