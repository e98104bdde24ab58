package mailings

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// Plan is when and how a mailing goes out.
type Plan struct {
	At          time.Time     // zero: at once
	LocalHour   bool          // what the clock of the organisation shows at At holds by the clock of each person
	ExpiresAt   time.Time     // what has not gone out by then does not go; zero: nothing of the kind
	TestPercent int           // so many of a hundred get the different subjects first; 0: everybody gets the first subject
	TestFor     time.Duration // how long the rest waits for what they do
	TestByHand  bool          // an organizer chooses the subject of the rest
	TrackClicks bool          // clicks are counted for each link, never for a person
}

// Bounds of a plan.
const (
	planMost    = 366 * 24 * time.Hour // ahead
	testLeast   = 15 * time.Minute
	testMost    = 7 * 24 * time.Hour
	testShare   = 5 // percent, the least
	testShareTo = 90
)

// check notes what is wrong with a plan, on the fields of its form. subjects is how many there are to choose from.
func (p Plan) check(now time.Time, subjects int) error {
	var bad fault.Fields
	begins := now
	if !p.At.IsZero() {
		begins = p.At
		if !p.At.After(now) || p.At.After(now.Add(planMost)) {
			bad.Add("at", "error.send_at")
		}
	}
	if p.LocalHour && p.At.IsZero() {
		bad.Add("at", "error.send_at")
	}
	if !p.ExpiresAt.IsZero() && !p.ExpiresAt.After(begins) {
		bad.Add("expires", "error.send_expires")
	}
	if p.TestPercent != 0 {
		switch {
		case subjects < 2:
			bad.Add("test", "error.send_subjects")
		case p.TestPercent < testShare || p.TestPercent > testShareTo:
			bad.Add("share", "error.send_share", "Min", testShare, "Max", testShareTo)
		}
		if p.TestFor < testLeast || p.TestFor > testMost {
			bad.Add("wait", "error.send_wait")
		} else if !p.ExpiresAt.IsZero() && !p.ExpiresAt.After(begins.Add(p.TestFor)) {
			bad.Add("wait", "error.send_wait_expires")
		}
	}
	return bad.Err()
}

// subjects lists the subjects of a mailing in its first language, in the order of their variants; there is one at least.
func subjects(m models.Mailing) []string {
	out := []string{m.Subject}
	for _, l := range linesOf(m.Subject, m.Preheader, m.Variants)[1:] {
		out = append(out, l.Subject)
	}
	return out
}

// Start starts a mailing by a plan: its audience is frozen by a job when the time has come, then its mails go out. One that is
// scheduled already gets the new plan. revision is what the organizer looked at: words that were changed meanwhile are a Conflict
// fault, as is a mailing that is on its way. It needs the right actor.Send. What stops it is an Invalid fault with one entry for
// each check, what is wrong with the plan one with the fields at, expires, test, share and wait.
func (s *Service) Start(ctx context.Context, a actor.Actor, id uuid.UUID, revision int, p Plan) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	switch {
	case err != nil:
		return err
	case m.State != models.MailingDraft && m.State != models.MailingScheduled:
		return errMoved
	case m.Revision != revision:
		return fault.New(fault.Conflict, "error.mailing_changed")
	}
	now := s.Clock.Now()
	if err := p.check(now, len(subjects(m))); err != nil {
		return err
	}
	people, err := s.audience(ctx, m)
	if err != nil {
		return err
	}
	l, err := s.load(ctx, m)
	if err != nil {
		return err
	}
	list, err := s.checks(ctx, l, people)
	if err == nil {
		err = stops(list)
	}
	if err != nil {
		return err
	}
	parts, err := json.Marshal(people)
	if err != nil {
		return err
	}
	set := map[string]any{
		"state": models.MailingFreezing, "updated_at": now, "audience": string(parts), "send_at": orNil(p.At), "local_hour": p.LocalHour, "freeze_at": nil, "expires_at": orNil(p.ExpiresAt),
		"test_percent": p.TestPercent, "test_minutes": int(p.TestFor / time.Minute), "test_by_hand": p.TestByHand, "track_clicks": p.TrackClicks,
	}
	action := "mailing.send"
	if !p.At.IsZero() {
		m.SendAt, m.LocalHour = &p.At, p.LocalHour
		h, err := s.hours(ctx, s.DB.DB, m, now)
		if err != nil {
			return err
		}
		begins := p.At
		if h.earliest.Before(begins) {
			begins = h.earliest
		}
		if begins.After(now) {
			set["state"], set["freeze_at"], set["audience"], action = models.MailingScheduled, begins, "", "mailing.schedule"
		}
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state IN ? AND revision = ?", id, []models.MailingState{models.MailingDraft, models.MailingScheduled}, revision).Updates(set)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return errMoved
		}
		if err := audit.Write(ctx, tx, a, now, action, "mailings", id, map[string]any{"revision": revision, "people": people.People}); err != nil {
			return err
		}
		if set["state"] == models.MailingScheduled {
			return nil
		}
		return s.Enqueue(ctx, tx, FreezeArgs{MailingID: id})
	})
}

// stops is an Invalid fault with what stops a mailing, nil where nothing does.
func stops(checks Checks) error {
	var stop fault.Fields
	for _, c := range checks {
		if c.Tone == Stop {
			stop.Add("", c.Key, c.Args...)
		}
	}
	return stop.Err()
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// Unschedule makes a draft of a scheduled mailing again, with its plan as it was. It needs the right actor.Send; a mailing that is
// not scheduled is a Conflict fault.
func (s *Service) Unschedule(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.move(ctx, a, id, "mailing.unschedule", []models.MailingState{models.MailingScheduled}, func(*gorm.DB) (map[string]any, error) {
		return map[string]any{"state": models.MailingDraft, "freeze_at": nil}, nil
	})
}

// due freezes what is scheduled for now, on whichever node comes first. What cannot go out any more, because a petition was hidden
// since or there is no postal address, is paused for somebody to look at.
func (s *Service) due(ctx context.Context) error {
	now := s.Clock.Now()
	var list []models.Mailing
	if err := s.DB.WithContext(ctx).Where("state = ? AND freeze_at <= ?", models.MailingScheduled, now).Order("freeze_at, id").Find(&list).Error; err != nil {
		return err
	}
	var errs []error
	for _, m := range list {
		l, err := s.load(ctx, m)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		checks, err := s.checks(ctx, l, Audience{People: 1}) // an audience that is empty by now is frozen empty
		if err != nil {
			errs = append(errs, err)
			continue
		}
		set := map[string]any{"state": models.MailingFreezing, "updated_at": now}
		stopped := stops(checks) != nil
		if stopped {
			set["state"], set["paused_at"], set["paused_reason"] = models.MailingPaused, now, "mailings.paused_by_check"
		}
		r := s.DB.WithContext(ctx).Model(&models.Mailing{}).Where("id = ? AND state = ? AND freeze_at <= ?", m.ID, models.MailingScheduled, now).Updates(set)
		if err = r.Error; err == nil && r.RowsAffected == 1 && !stopped {
			err = s.Freeze(ctx, m.ID)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// When is when a mailing goes out, for its pages.
type When struct {
	Zone      *time.Location // the organisation's
	QuietFrom int            // minutes of the day; equal to QuietTo: no quiet hours
	QuietTo   int
}

// When reads it. It needs the right actor.WriteMailing.
func (s *Service) When(ctx context.Context, a actor.Actor) (When, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return When{}, err
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return When{}, err
	}
	w := When{Zone: organisation.Zone(org)}
	if s.Quiet != nil {
		w.QuietFrom, w.QuietTo, err = s.Quiet(ctx)
	}
	return w, err
}

// Before is what a plan can be made of: the subjects, and how many segments let people in. It needs the right actor.WriteMailing.
func (s *Service) Before(ctx context.Context, a actor.Actor, id uuid.UUID) (tried []string, segments int, err error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return nil, 0, err
	}
	t, err := targetOf(ctx, s.DB.DB, m)
	return subjects(m), len(t.in), err
}
