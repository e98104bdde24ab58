package letters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Carry is a part of a letter with all that its writer needs to bring it there.
type Carry struct {
	Part
	Letter        Mine
	Subject, Text string
	URL           string // of the office's form
	Phone, Hours  string
	Office        models.Office
	Fields        []Filled // of a form, in the order in which most ask for them
	Successor     *legislators.Member
	NewText       string // for the successor
	Other         bool   // there is another way to try
}

// Filled is a field of an office's form and what to put into it; Key is its words.
type Filled struct{ Key, Value string }

// Carry reads one part of the letter of a link, and changes nothing. The faults are those of Mine, and NotFound, error.letter_unknown.
func (s *Service) Carry(ctx context.Context, token string, dispatch uuid.UUID) (Carry, error) {
	l, err := s.letterOf(ctx, s.DB.DB, token)
	if err != nil {
		return Carry{}, err
	}
	return s.carry(ctx, s.DB.WithContext(ctx), l, dispatch)
}

func (s *Service) carry(ctx context.Context, tx *gorm.DB, l models.Letter, dispatch uuid.UUID) (c Carry, err error) {
	if c.Letter, err = s.mine(ctx, tx, l); err != nil {
		return c, err
	}
	i := slices.IndexFunc(c.Letter.Parts, func(p Part) bool { return p.ID == dispatch })
	if i < 0 {
		return c, unknownLetter()
	}
	c.Part = c.Letter.Parts[i]
	var d models.Dispatch
	if err := tx.Where("id = ?", dispatch).Take(&d).Error; err != nil {
		return c, err
	}
	if c.Subject, c.Text, err = s.words(d); err != nil {
		return c, err
	}
	now := s.Clock.Now()
	if d.State == models.DispatchRetarget {
		who, err := successors(ctx, tx, d, now)
		if err != nil || len(who) == 0 {
			return c, err
		}
		c.Successor, c.NewText = &who[0], s.readdressed(c.Text, who[0], l.Locale)
		return c, nil
	}
	if d.State != models.DispatchByHand {
		return c, nil
	}
	m, err := legislators.Sitting(ctx, tx, d.LegislatorID, now)
	if fault.Is(err, fault.NotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	for _, ch := range m.Channels {
		if d.ChannelID == nil || ch.ID != *d.ChannelID {
			continue
		}
		switch ch.Kind {
		case models.ChannelWebForm:
			c.URL = ch.Value
		case models.ChannelPhone:
			c.Phone = ch.Value
		}
		c.Office = postal(m, ch)
	}
	for _, o := range m.Offices {
		if d.OfficeID != nil && o.ID == *d.OfficeID {
			c.Office = o
		}
	}
	c.Hours = c.Office.Hours
	c.Other = len(m.Channels) > len(triedOf(d))+1
	w, err := s.writer(ctx, tx, l)
	if err != nil {
		return c, err
	}
	c.Fields = w.fields(c.Subject)
	return c, nil
}

// fields are what an office's form asks for.
func (w writer) fields(subject string) []Filled {
	out := []Filled{
		{"dispatch.field_given", w.given},
		{"dispatch.field_family", w.family},
		{"dispatch.field_street", w.street},
		{"dispatch.field_city", w.city},
		{"dispatch.field_region", w.region},
		{"dispatch.field_area", w.area},
		{"dispatch.field_email", w.email},
		{"dispatch.field_phone", w.phone},
		{"dispatch.field_subject", subject},
	}
	return slices.DeleteFunc(out, func(f Filled) bool { return f.Value == "" })
}

// Outcomes are those of a call. Of these, busy is none: the call is still to be made.
var Outcomes = []string{"reached", "voicemail", "busy"}

// Done says that the writer brought a part of the letter there. how is one of Outcomes for a call, "" for everything else. Done twice it is
// done once. The faults are those of Carry; Invalid with the field how; Conflict, error.letter_went, where it is in nobody's hands.
func (s *Service) Done(ctx context.Context, token string, dispatch uuid.UUID, how string) error {
	return s.carried(ctx, token, dispatch, func(tx *gorm.DB, d models.Dispatch, now time.Time) error {
		if (d.Channel == models.ByCall) != (how != "") || how != "" && !slices.Contains(Outcomes, how) {
			return fault.Fields{{Name: "how", Key: "error.letter_choose"}}.Err()
		}
		if how == "busy" {
			return set(tx, d.ID, now, map[string]any{"done_how": how, "remind_at": now.Add(24 * time.Hour)})
		}
		return set(tx, d.ID, now, map[string]any{"done_at": now, "done_how": how, "remind_at": nil})
	})
}

// remindMost is how many days a reminder may wait.
const remindMost = 30

// Remind has a mail come in some days. The faults are those of Done, and Invalid with the field days.
func (s *Service) Remind(ctx context.Context, token string, dispatch uuid.UUID, days int) error {
	if days < 1 || days > remindMost {
		return fault.Fields{{Name: "days", Key: "error.letter_days", Args: []any{"Most", remindMost}}}.Err()
	}
	return s.carried(ctx, token, dispatch, func(tx *gorm.DB, d models.Dispatch, now time.Time) error {
		return set(tx, d.ID, now, map[string]any{"remind_at": now.Add(time.Duration(days) * 24 * time.Hour)})
	})
}

// Decline closes a part of the letter that its writer does not want to carry. The faults are those of Done.
func (s *Service) Decline(ctx context.Context, token string, dispatch uuid.UUID) error {
	return s.carried(ctx, token, dispatch, func(tx *gorm.DB, d models.Dispatch, now time.Time) error {
		return closed(tx, d.ID, ClosedDeclined, now)
	})
}

// Another takes the next way to the office, where this one does not work. The faults are those of Done.
func (s *Service) Another(ctx context.Context, token string, dispatch uuid.UUID) error {
	return s.carried(ctx, token, dispatch, func(tx *gorm.DB, d models.Dispatch, now time.Time) error { return s.reroute(ctx, tx, d, now) })
}

// carried runs fn with a part of a letter that is in its writer's hands.
func (s *Service) carried(ctx context.Context, token string, dispatch uuid.UUID, fn func(tx *gorm.DB, d models.Dispatch, now time.Time) error) error {
	return s.own(ctx, token, func(tx *gorm.DB, l models.Letter, now time.Time) error {
		d, err := dispatchOf(tx, l, dispatch)
		switch {
		case err != nil:
			return err
		case d.State != models.DispatchByHand:
			return fault.New(fault.Conflict, "error.letter_went")
		case d.DoneAt != nil:
			return nil
		}
		return fn(tx, d, now)
	})
}
