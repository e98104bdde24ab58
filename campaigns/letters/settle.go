package letters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/campaigns/legislators"
	"kithline/models"
	"kithline/models/database"
)

// What follows after a letter was handed over, and when it is over.
const (
	presumedAfter = 2 * 24 * time.Hour  // without a word of a mail server
	askAfter      = 14 * 24 * time.Hour // whether it was answered
	askAgainAfter = 7 * 24 * time.Hour
	overAfter     = 7 * 24 * time.Hour  // after the last question
	openFor       = 60 * 24 * time.Hour // then a letter is closed, whatever is open
	forgetAfter   = 28 * 24 * time.Hour // after it was closed
	settleMost    = 500                 // rows in one transaction
)

// DispatchJobs are the jobs of dispatches.
func (s *Service) DispatchJobs() []jobs.Regular {
	return []jobs.Regular{
		{Name: "letters_pace", Every: paceEvery, Run: s.Pace},
		{Name: "letters_settle", Every: 5 * time.Minute, Run: func(ctx context.Context) error { return s.settle(ctx, time.Hour) }},
		{Name: "letters_day", Every: time.Hour, Run: s.Daily},
	}
}

// settle reads what became of the mails that carry letters, of those handed over within a while: what did not get through goes on to the
// next channel.
func (s *Service) settle(ctx context.Context, within time.Duration) error {
	now := s.Clock.Now()
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Raw(`SELECT x.id FROM dispatches x JOIN deliveries d ON d.id = x.delivery_id
		WHERE x.state = 'handed' AND x.handed_at > ? AND d.state IN ('failed', 'suppressed', 'expired') ORDER BY x.handed_at LIMIT ?`, now.Add(-within), settleMost).Scan(&ids).Error
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.settleOne(ctx, tx, id, now) }); err != nil {
			return err
		}
	}
	return nil
}

// settleOne sends one dispatch on whose mail did not go.
func (s *Service) settleOne(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	var list []models.Dispatch
	if err := tx.Clauses(forUpdate).Where("id = ? AND state = ?", id, models.DispatchHanded).Find(&list).Error; err != nil || len(list) == 0 {
		return err
	}
	d := list[0]
	var mail []models.Delivery
	if err := tx.Where("id = ?", d.DeliveryID).Find(&mail).Error; err != nil || len(mail) == 0 {
		return err
	}
	switch mail[0].State {
	case models.DeliveryExpired: // its renderer would not have it
		if _, err := legislators.Sitting(ctx, tx, d.LegislatorID, now); fault.Is(err, fault.NotFound) {
			return s.retarget(ctx, tx, list, now)
		}
		reason, err := s.whyNot(tx, d)
		if err != nil {
			return err
		}
		return closed(tx, d.ID, reason, now)
	case models.DeliverySuppressed, models.DeliveryFailed:
		return s.reroute(ctx, tx, d, now)
	}
	return nil
}

// whyNot says why the text of a dispatch did not go.
func (s *Service) whyNot(tx *gorm.DB, d models.Dispatch) (string, error) {
	var l models.Letter
	if err := tx.Where("id = ?", d.LetterID).Take(&l).Error; err != nil {
		return "", err
	}
	if l.MailboxID == uuid.Nil || d.TextSealed == nil {
		return ClosedErased, nil
	}
	return ClosedChanged, nil
}

// Daily closes what is over, asks what is due to be asked, and takes away what a letter says when its time has come. Any node may run it
// at any time; a job calls it every hour.
func (s *Service) Daily(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		func(ctx context.Context) error { return s.settle(ctx, 10*24*time.Hour) }, s.presume, s.remind, s.ask, s.passedOn, s.close, s.forget,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// presume takes letters for delivered that a mail server took, and about which no word came for two days.
func (s *Service) presume(ctx context.Context) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE dispatches SET state = 'presumed_delivered', updated_at = ? WHERE state = 'handed' AND handed_at < ?
			AND EXISTS (SELECT 1 FROM deliveries d WHERE d.id = dispatches.delivery_id AND d.state = 'sent' AND d.sent_at < ?)`, now, now.Add(-presumedAfter), now.Add(-presumedAfter)).Error
	})
}

// remind mails those who asked to be reminded of what they carry themselves.
func (s *Service) remind(ctx context.Context) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var list []models.Dispatch
		if err := tx.Where("remind_at <= ?", now).Order("remind_at").Limit(settleMost).Find(&list).Error; err != nil {
			return err
		}
		for _, d := range list {
			if err := set(tx, d.ID, now, map[string]any{"remind_at": nil}); err != nil {
				return err
			}
			if d.State != models.DispatchByHand || d.DoneAt != nil {
				continue
			}
			if err := s.tell(ctx, tx, KindByHand, d.MailboxID, d.LetterID, now.UTC().Format(time.DateOnly), now); err != nil {
				return err
			}
		}
		return nil
	})
}

// arrived picks the dispatches of letters that count as sent: by a mail server's word, or by the writer's.
const arrived = "(d.state = 'presumed_delivered' OR d.state = 'by_hand' AND d.done_at IS NOT NULL)"

// ask asks writers whether they were answered: once after 14 days, and once more after 7. One mail is about all of a letter.
func (s *Service) ask(ctx context.Context) error {
	now := s.Clock.Now()
	for _, round := range []struct{ column, occasion, where string }{
		{"asked_at", "1", "d.asked_at IS NULL AND COALESCE(d.done_at, d.handed_at) < ?"},
		{"asked_again_at", "2", "d.asked_again_at IS NULL AND d.asked_at < ?"},
	} {
		before := now.Add(-askAfter)
		if round.column == "asked_again_at" {
			before = now.Add(-askAgainAfter)
		}
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			var list []models.Dispatch
			err := tx.Raw(`SELECT d.id, d.letter_id, d.mailbox_id FROM dispatches d JOIN letter_campaigns c ON c.id = d.letter_campaign_id
				WHERE `+arrived+` AND c.ask_answers AND d.mailbox_id IS NOT NULL AND d.answered_at IS NULL AND `+round.where+` ORDER BY d.letter_id LIMIT ?`, before, settleMost).Scan(&list).Error
			if err != nil {
				return err
			}
			for _, d := range list {
				if err := set(tx, d.ID, now, map[string]any{round.column: now}); err != nil {
					return err
				}
				if err := s.tell(ctx, tx, KindQuestion, d.MailboxID, d.LetterID, round.occasion, now); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// close closes the letters of which nothing is open any more, and those whose time is over.
func (s *Service) close(ctx context.Context) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var ids []uuid.UUID
		err := tx.Raw(`SELECT l.id FROM letters l WHERE l.state = 'released' AND (l.released_at < ? OR NOT EXISTS (SELECT 1 FROM dispatches d
			JOIN letter_campaigns c ON c.id = d.letter_campaign_id WHERE d.letter_id = l.id AND NOT (
				d.state IN ('answered', 'closed', 'failed') OR `+arrived+` AND (NOT c.ask_answers AND COALESCE(d.done_at, d.handed_at) < ? OR d.asked_again_at IS NOT NULL AND d.asked_again_at < ?)))) ORDER BY l.id LIMIT ?`,
			now.Add(-openFor), now.Add(-askAfter), now.Add(-overAfter), settleMost).Scan(&ids).Error
		if err != nil || len(ids) == 0 {
			return err
		}
		return closeLetters(tx, ids, ClosedTime, now)
	})
}

// closeLetters closes letters, and what is open of them with a reason.
func closeLetters(tx *gorm.DB, ids []uuid.UUID, reason string, now time.Time) error {
	err := database.WhereIn(tx.Model(&models.Dispatch{}), "letter_id", ids).
		Where("state IN ?", []models.DispatchState{models.DispatchWaiting, models.DispatchHanded, models.DispatchByHand, models.DispatchRetarget, models.DispatchBounced}).
		Where("done_at IS NULL").Updates(map[string]any{"state": models.DispatchClosed, "closed_at": now, "closed_reason": reason, "remind_at": nil, "updated_at": now}).Error
	if err != nil {
		return err
	}
	return database.WhereIn(tx.Model(&models.Letter{}), "id", ids).Where("state = ?", models.LetterReleased).
		Updates(map[string]any{"state": models.LetterClosed, "closed_at": now, "updated_at": now}).Error
}

// forget takes away what closed letters say, where they live, and whose they are, 28 days after they were closed, unless their writers
// keep them. The counts stay.
func (s *Service) forget(ctx context.Context) error {
	now := s.Clock.Now()
	for {
		n := 0
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			var ids []uuid.UUID
			err := tx.Model(&models.Letter{}).Where("state IN ? AND closed_at < ? AND NOT keeps AND mailbox_id IS NOT NULL", []models.LetterState{models.LetterClosed, models.LetterRejected}, now.Add(-forgetAfter)).
				Order("id").Limit(settleMost).Pluck("id", &ids).Error
			if n = len(ids); err != nil || n == 0 {
				return err
			}
			return s.anonymise(ctx, tx, ids, now)
		})
		if err != nil || n < settleMost {
			return err
		}
	}
}

// anonymise does to letters what erasing their writers would do.
func (s *Service) anonymise(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	if err := tx.Exec("DELETE FROM letter_replies WHERE dispatch_id IN (SELECT id FROM dispatches WHERE letter_id IN ?)", ids).Error; err != nil {
		return err
	}
	if err := tx.Exec("DELETE FROM letter_sketches WHERE letter_id IN ?", ids).Error; err != nil {
		return err
	}
	if _, err := erasures.Strip(ctx, tx, "dispatches", nil, "letter_id IN ?", ids); err != nil {
		return err
	}
	if _, err := erasures.Strip(ctx, tx, "letters", nil, "id IN ?", ids); err != nil {
		return err
	}
	return tx.Model(&models.Letter{}).Where("id IN ?", ids).Updates(map[string]any{"state": models.LetterAnonymised, "updated_at": now}).Error
}
