package rosters

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/models"
)

// seat puts an assignment on a shift in tx; the caller holds the shift and asked refusal. Whoever stood by and takes a place stands by no
// more. The faults are Conflict: error.shift_full where it would fill a place and none is left, error.shift_twice where the mailbox has
// the same already.
func (s *Service) seat(ctx context.Context, tx *gorm.DB, sh models.Shift, a models.Assignment, now time.Time) (models.Assignment, error) {
	tx = tx.WithContext(ctx)
	// What waited too long for its address to be confirmed is gone, whether a job took it away yet or not.
	if err := tx.Where("shift_id = ? AND state = ? AND expires_at <= ?", sh.ID, models.AssignmentPending, now).Delete(&models.Assignment{}).Error; err != nil {
		return a, err
	}
	var before []models.Assignment
	if err := tx.Where("shift_id = ? AND mailbox_id = ?", sh.ID, a.MailboxID).Find(&before).Error; err != nil {
		return a, err
	}
	if a.Fills() && (len(before) == 0 || !before[0].Fills()) {
		counts, err := placesOf(ctx, tx, []uuid.UUID{sh.ID}, now)
		if err != nil {
			return a, err
		}
		if counts[sh.ID].Held() >= sh.Places {
			return a, fault.New(fault.Conflict, "error.shift_full")
		}
	}
	a.ShiftID, a.UpdatedAt = sh.ID, now
	if len(before) > 0 {
		b := before[0]
		if b.AsWhat == a.AsWhat && (b.State == a.State || b.State == models.AssignmentConfirmed) {
			return b, fault.New(fault.Conflict, "error.shift_twice")
		}
		b.AsWhat, b.State, b.UpdatedAt, b.ExpiresAt, b.StartsAt = a.AsWhat, a.State, now, a.ExpiresAt, a.StartsAt
		b.AskBy, b.AskFrom = a.AskBy, a.AskFrom
		if a.State != models.AssignmentPending && b.ConfirmedAt == nil {
			b.ConfirmedAt = &now
		}
		a = b
		if err := tx.Select("*").Updates(&a).Error; err != nil {
			return a, err
		}
	} else {
		if a.ID == uuid.Nil {
			a.ID = models.NewID()
		}
		a.CreatedAt = now
		if a.State != models.AssignmentPending {
			a.ConfirmedAt = &now
		}
		if err := tx.Create(&a).Error; err != nil {
			return a, err
		}
	}
	if a.State == models.AssignmentPending { // somebody else may have typed the address
		return a, nil
	}
	if err := s.mark(tx, sh.ID, a.MailboxID); err != nil {
		return a, err
	}
	switch {
	case a.Fills() && a.State == models.AssignmentConfirmed:
		return a, note(tx, sh.ID, models.PlaceTaken, now)
	case a.Standby(): // somebody may be looked for just now
		return a, s.again(ctx, tx, sh.ID, now)
	}
	return a, nil
}

// letGo deletes an assignment in tx, whose shift the caller holds, and begins to look for somebody else where it filled a place. The mails
// about it are deleted with it, so that they do not tell; one that is on its way goes when it arrived.
func (s *Service) letGo(ctx context.Context, tx *gorm.DB, sh models.Shift, a models.Assignment, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Where("id = ?", a.ID).Delete(&models.Assignment{})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	if err := takeUnsent(tx, a.MailboxID, a.ID); err != nil {
		return err
	}
	if a.Standby() { // an offer to somebody who stands by no more is nobody's
		err := tx.Model(&models.Offer{}).Where("shift_id = ? AND mailbox_id = ? AND state = ?", sh.ID, a.MailboxID, models.OfferOpen).
			Updates(map[string]any{"state": models.OfferFilled, "closed_at": now}).Error
		if err != nil {
			return err
		}
	}
	if !a.Fills() {
		return nil
	}
	if a.State == models.AssignmentConfirmed {
		if err := note(tx, sh.ID, models.PlaceReleased, now); err != nil {
			return err
		}
	}
	if over(sh, now) || sh.CancelledAt != nil {
		return nil
	}
	return s.gap(ctx, tx, sh.ID, now)
}

// people reads what is known of those who may take places, at their mailboxes: what they said as volunteers, what they hold and what they
// planned. Who has said nothing has the zero values and the organisation's zone.
func (s *Service) people(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID, now time.Time) (map[uuid.UUID]Person, error) {
	tx = tx.WithContext(ctx)
	// Read in tx: a transaction that waits for a second connection waits for those that wait for its rows.
	var org models.Organisation
	if err := tx.Select("time_zone").Where("id = ?", organisation.ID).Take(&org).Error; err != nil {
		return nil, err
	}
	home, err := time.LoadLocation(org.TimeZone)
	if err != nil {
		return nil, err
	}
	out := make(map[uuid.UUID]Person, len(boxes))
	for _, b := range boxes {
		out[b] = Person{Mailbox: b, Zone: home}
	}
	if len(boxes) == 0 {
		return out, nil
	}
	var vs []models.Volunteer
	if err := tx.Where("mailbox_id IN ? AND state <> 'pending'", boxes).Find(&vs).Error; err != nil {
		return nil, err
	}
	for _, v := range vs {
		p := out[v.MailboxID]
		p.Languages, p.Trainings, p.PostalArea = words(v.Languages), words(v.Trainings), v.PostalArea
		if v.TimeZone != "" {
			if p.Zone, err = time.LoadLocation(v.TimeZone); err != nil {
				return nil, err
			}
		}
		out[v.MailboxID] = p
	}
	var held []struct {
		MailboxID uuid.UUID
		models.Shift
	}
	err = tx.Table("shifts").Select("a.mailbox_id, shifts.*").Joins("JOIN assignments a ON a.shift_id = shifts.id").
		Where("a.mailbox_id IN ? AND a.as_what = ? AND (a.state = ? OR a.state = ? AND a.expires_at > ?) AND shifts.cancelled_at IS NULL", boxes, models.AsPlace, models.AssignmentConfirmed, models.AssignmentPending, now).
		Order("shifts.starts_at, shifts.id").Scan(&held).Error
	if err != nil {
		return nil, err
	}
	for _, h := range held {
		p := out[h.MailboxID]
		p.Held = append(p.Held, h.Shift)
		out[h.MailboxID] = p
	}
	plans, err := pacing.Of(ctx, tx, s.Vault, boxes)
	if err != nil {
		return nil, err
	}
	for b, plan := range plans {
		p := out[b]
		p.Plan = plan
		out[b] = p
	}
	return out, nil
}

// words splits a list with commas.
func words(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
