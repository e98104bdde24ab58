package volunteers

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/pacing"
	"kithline/models"
)

func unknown() error { return fault.New(fault.NotFound, "error.volunteer_unknown") }

// of reads the volunteer of somebody's mailboxes: the one who was there first. The fault is NotFound, error.volunteer_unknown.
func of(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID) (models.Volunteer, error) {
	var v models.Volunteer
	err := tx.WithContext(ctx).Where("mailbox_id IN ? AND state <> ?", boxes, models.VolunteerPending).Order("created_at, id").Take(&v).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	return v, err
}

// Own is what somebody said as a volunteer, for themselves.
type Own struct {
	Said
	There       bool // they are a volunteer
	Locale      string
	Since       time.Time
	Paused      bool
	PausedUntil *time.Time // nil with Paused: until they say
	Trainings   []string
	Agreed      []models.Purpose // volunteering and phone, as far as they are in force
}

// Mine reads what the person behind mailboxes said; There is false where they are no volunteer. The caller makes sure that the mailboxes are
// theirs, here and below.
func (s *Service) Mine(ctx context.Context, boxes []uuid.UUID) (Own, error) {
	v, err := of(ctx, s.DB.DB, boxes)
	if fault.Is(err, fault.NotFound) {
		return Own{}, nil
	}
	if err != nil {
		return Own{}, err
	}
	o := Own{There: true, Locale: v.Locale, Since: v.CreatedAt, Paused: v.State == models.VolunteerPaused, PausedUntil: v.PausedUntil, Trainings: split(v.Trainings)}
	if o.Said, err = s.said(v); err != nil {
		return o, err
	}
	o.Agreed, err = inForce(ctx, s.DB.DB, v.MailboxID)
	return o, err
}

// inForce lists which of the consents of the form a mailbox gave.
func inForce(ctx context.Context, tx *gorm.DB, box uuid.UUID) ([]models.Purpose, error) {
	var out []models.Purpose
	return out, tx.WithContext(ctx).Model(&models.Consent{}).
		Where("mailbox_id = ? AND purpose IN ? AND scope_id = ? AND withdrawn_at IS NULL", box, []models.Purpose{models.PurposeVolunteering, models.PurposePhone}, uuid.Nil).
		Order("purpose").Pluck("purpose", &out).Error
}

// OwnBoxes are the consents that somebody did not give yet, of those that the form asks for.
func (s *Service) OwnBoxes(ctx context.Context, o Own, lang string) ([]consents.Box, error) {
	boxes, err := s.Boxes(ctx, lang)
	return slices.DeleteFunc(boxes, func(b consents.Box) bool { return slices.Contains(o.Agreed, b.Purpose) }), err
}

// own runs a change of the person's own row in a transaction that holds it. The fault is NotFound, error.volunteer_unknown.
func (s *Service) own(ctx context.Context, boxes []uuid.UUID, fn func(tx *gorm.DB, v models.Volunteer, now time.Time) error) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := holdBoxes(ctx, tx, boxes); err != nil {
			return err
		}
		v, err := of(ctx, tx.Clauses(forUpdate), boxes)
		if err != nil {
			return err
		}
		return fn(tx.WithContext(ctx), v, now)
	})
}

// holdBoxes takes mailboxes for the rest of tx, in the order that everybody takes them in.
func holdBoxes(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID) error {
	var held []models.Mailbox
	return tx.WithContext(ctx).Clauses(forUpdate).Select("id").Where("id IN ?", boxes).Order("address_hash").Find(&held).Error
}

// SaveMine writes what the person says now, over what they said. Boxes that they tick are consents given on their own page. The faults are
// NotFound, error.volunteer_unknown; Invalid with the fields of SignUp.
func (s *Service) SaveMine(ctx context.Context, boxes []uuid.UUID, d Said, ticked []string, lang string) error {
	o, err := s.Mine(ctx, boxes)
	if err != nil {
		return err
	}
	offered, err := s.OwnBoxes(ctx, o, lang)
	if err != nil {
		return err
	}
	var bad fault.Fields
	d = d.check(&bad)
	yes := agreed(&bad, d, offered, ticked, o.Agreed)
	if err := bad.Err(); err != nil {
		return err
	}
	return s.own(ctx, boxes, func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		s.write(&v, d)
		v.UpdatedAt = now
		if err := tx.Select("*").Updates(&v).Error; err != nil {
			return err
		}
		for _, b := range yes {
			t, err := consents.Text(ctx, tx, b.Purpose, b.Locale, b.Words, now)
			if err != nil {
				return err
			}
			err = consents.Give(ctx, tx, consents.Given{MailboxID: v.MailboxID, Purpose: b.Purpose, TextID: t.ID, Locale: b.Locale, ShownAt: now, Source: "/me", How: models.ConsentByPerson}, now)
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// longestPause is how far away the day may be, in days.
const longestPause = 3 * 366

// Pause lets nobody ask the person for help until a moment, or until they say where it is nil. Mails about what they took go on. The faults
// are NotFound, error.volunteer_unknown; Invalid with the field day.
func (s *Service) Pause(ctx context.Context, boxes []uuid.UUID, until *time.Time) error {
	now := s.Clock.Now()
	if until != nil {
		switch {
		case !until.After(now):
			return fault.Fields{{Name: "day", Key: "error.me_pause_past"}}.Err()
		case until.After(now.AddDate(0, 0, longestPause)):
			return fault.Fields{{Name: "day", Key: "error.me_pause_far"}}.Err()
		}
	}
	return s.own(ctx, boxes, func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		return tx.Model(&models.Volunteer{}).Where("id = ?", v.ID).Updates(map[string]any{"state": models.VolunteerPaused, "paused_until": until, "updated_at": now}).Error
	})
}

// Resume ends a pause. The fault is NotFound, error.volunteer_unknown.
func (s *Service) Resume(ctx context.Context, boxes []uuid.UUID) error {
	return s.own(ctx, boxes, func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		return tx.Model(&models.Volunteer{}).Where("id = ?", v.ID).Updates(map[string]any{"state": models.VolunteerActive, "paused_until": nil, "updated_at": now}).Error
	})
}

// Stop deletes what the person said as a volunteer, with the steps they did, and ends their consent to be asked for help. The places they
// hold are theirs as before. Done twice it does nothing.
func (s *Service) Stop(ctx context.Context, boxes []uuid.UUID) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := holdBoxes(ctx, tx, boxes); err != nil {
			return err
		}
		if _, err := drop(ctx, tx, now, "mailbox_id IN ?", boxes); err != nil {
			return err
		}
		tx = tx.WithContext(ctx)
		for _, row := range []any{&models.Volunteer{}, &models.OnboardingMark{}} {
			if err := tx.Where("mailbox_id IN ?", boxes).Delete(row).Error; err != nil {
				return err
			}
		}
		for _, b := range boxes {
			if err := consents.End(ctx, tx, b, models.PurposeVolunteering, uuid.Nil, "page", now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Plan reads what somebody planned with their energy: for them alone. ours is that of the first of their mailboxes that has one.
func (s *Service) Plan(ctx context.Context, boxes []uuid.UUID) (pacing.Plan, error) {
	return planOf(ctx, s.DB.DB, s, boxes)
}

func planOf(ctx context.Context, tx *gorm.DB, s *Service, boxes []uuid.UUID) (pacing.Plan, error) {
	plans, err := pacing.Of(ctx, tx, s.Vault, boxes)
	if err != nil {
		return pacing.Plan{}, err
	}
	for _, b := range boxes {
		if p, ok := plans[b]; ok {
			return p, nil
		}
	}
	return pacing.Plan{}, nil
}

// SavePlan writes it for each of the person's mailboxes. A bad time stays as it is: see BadTime. The faults are those of pacing.Save.
func (s *Service) SavePlan(ctx context.Context, boxes []uuid.UUID, p pacing.Plan) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := holdBoxes(ctx, tx, boxes); err != nil {
			return err
		}
		before, err := planOf(ctx, tx, s, boxes)
		if err != nil {
			return err
		}
		p.Flare, p.FlareUntil = before.InFlare(now), before.FlareUntil
		for _, b := range boxes {
			if err := pacing.Save(ctx, tx, s.Vault, b, p, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// CanFlare reports whether a bad time can be said on the page.
func (s *Service) CanFlare() bool { return s.Flare != nil && s.EndFlare != nil }

// BadTime says that the person has a bad time until a moment, or until they say where it is nil: places they hold are offered to others, and
// all mail but receipts rests. The fault is Invalid with the field flare_until.
func (s *Service) BadTime(ctx context.Context, boxes []uuid.UUID, until *time.Time) error {
	now := s.Clock.Now()
	if until != nil && (!until.After(now) || until.After(now.AddDate(0, 0, longestPause))) {
		return fault.Fields{{Name: "flare_until", Key: "error.pacing_past"}}.Err()
	}
	if !s.CanFlare() {
		return fault.New(fault.Unavailable, "error.unavailable")
	}
	for _, b := range boxes {
		if err := s.Flare(ctx, b, until); err != nil {
			return err
		}
	}
	return nil
}

// BetterTime ends a bad time.
func (s *Service) BetterTime(ctx context.Context, boxes []uuid.UUID) error {
	if !s.CanFlare() {
		return fault.New(fault.Unavailable, "error.unavailable")
	}
	for _, b := range boxes {
		if err := s.EndFlare(ctx, b); err != nil {
			return err
		}
	}
	return nil
}
