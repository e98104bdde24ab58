package mailings

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// errMoved says that a mailing is no longer where its page showed it.
var errMoved = fault.New(fault.Conflict, "error.mailing_moved")

// Send starts a mailing at once: Start without a plan.
func (s *Service) Send(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) error {
	return s.Start(ctx, a, id, revision, Plan{})
}

// Pause holds a mailing: nothing more of it goes out but what is on the wire. It needs the right actor.Send; a mailing that is
// not being sent is a Conflict fault.
func (s *Service) Pause(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.move(ctx, a, id, "mailing.pause", []models.MailingState{models.MailingSending}, func(tx *gorm.DB) (map[string]any, error) {
		return map[string]any{"state": models.MailingPaused, "paused_at": s.Clock.Now(), "paused_reason": "mailings.paused_by_hand"}, nil
	})
}

// Resume lets a mailing go on that is paused, or that the brake stopped. One that has no audience yet, as after a restore, gets it first.
// It needs the right actor.Send; any other mailing is a Conflict fault.
func (s *Service) Resume(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.move(ctx, a, id, "mailing.resume", []models.MailingState{models.MailingPaused, models.MailingStopped}, func(tx *gorm.DB) (map[string]any, error) {
		m, err := find(ctx, tx, id)
		if err != nil {
			return nil, err
		}
		set := map[string]any{"state": models.MailingSending, "paused_at": nil, "paused_reason": ""}
		if m.FrozenAt == nil {
			set["state"] = models.MailingFreezing
			return set, s.Enqueue(ctx, tx, FreezeArgs{MailingID: id})
		}
		deliveries.Wake(tx)
		return set, nil
	})
}

// Stop ends a mailing for good: what has not gone out never will. A draft is thrown away in the same way. It needs the right
// actor.Send; a mailing that has ended is a Conflict fault.
func (s *Service) Stop(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	from := []models.MailingState{models.MailingDraft, models.MailingScheduled, models.MailingFreezing, models.MailingSending, models.MailingPaused, models.MailingStopped}
	return s.move(ctx, a, id, "mailing.stop", from, func(tx *gorm.DB) (map[string]any, error) {
		return map[string]any{"state": models.MailingCancelled, "finished_at": s.Clock.Now()}, nil
	})
}

// stopped is the reply of a delivery that did not go out because its mailing was stopped.
const stopped = "stopped"

// expireStopped ends the deliveries of mailings that were stopped, those too that a process has read: it asks for their state before they
// go on the wire. Asked for one mailing at a time, PostgreSQL reads what waits of it, and not all that waits.
func expireStopped(tx *gorm.DB, now any, mailings ...uuid.UUID) error {
	for _, id := range mailings {
		err := tx.Exec("UPDATE deliveries SET state = 'expired', reply = ?, lease_until = NULL, updated_at = ? WHERE mailing_id = ? AND ended = FALSE AND state IN ('queued', 'deferred')",
			stopped, now, id).Error
		if err != nil {
			return err
		}
	}
	return nil
}

// move changes the state of a mailing where it is in one of some states.
func (s *Service) move(ctx context.Context, a actor.Actor, id uuid.UUID, action string, from []models.MailingState, set func(tx *gorm.DB) (map[string]any, error)) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		columns, err := set(tx)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		columns["updated_at"] = now
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state IN ?", id, from).Updates(columns)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errMoved
		}
		if columns["state"] == models.MailingCancelled {
			if err := expireStopped(tx, now, id); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, action, "mailings", id, map[string]any{"from": string(m.State)})
	})
}

// left is the reply of a delivery whose fate is unknown and which somebody decided to leave so.
const left = "left"

// Settle decides about the deliveries of a mailing whose fate is unknown, all at once: they are sent again under the same
// Message-ID, or left as they are. It returns how many there were. It needs the right actor.Send; a mailing that was stopped
// is a Conflict fault where they are to be sent again.
func (s *Service) Settle(ctx context.Context, a actor.Actor, id uuid.UUID, again bool) (int, error) {
	if err := a.Need(actor.Send); err != nil {
		return 0, err
	}
	n := 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		m, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		set, action := `reply = 'left'`, "mailing.leave_unknown"
		if again {
			set, action = `state = 'queued', reply = '', reply_code = 0, not_before = updated_at`, "mailing.resend_unknown"
			if m.State != models.MailingSending && m.State != models.MailingPaused && m.State != models.MailingStopped && m.State != models.MailingFinished {
				return errMoved
			}
		}
		r := tx.Exec(`UPDATE deliveries SET `+set+`, updated_at = ? WHERE mailing_id = ? AND state = 'unknown' AND reply <> ?`, now, id, left)
		if r.Error != nil {
			return r.Error
		}
		if n = int(r.RowsAffected); n == 0 {
			return nil
		}
		if again {
			if err := tx.Exec(`UPDATE mailings SET state = 'sending', finished_at = NULL, updated_at = ? WHERE id = ? AND state = 'finished'`, now, id).Error; err != nil {
				return err
			}
			deliveries.Wake(tx)
		}
		return audit.Write(ctx, tx, a, now, action, "mailings", id, map[string]any{"deliveries": n})
	})
	return n, err
}
