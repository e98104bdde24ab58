package mailings

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/segments"
	"kithline/models"
)

// Chosen is whom a mailing goes to, beyond the petition or the newsletter that it was begun with.
type Chosen struct {
	In, Out   []uuid.UUID // segments: people of any of these, and of none of those
	Topics    []uuid.UUID // of a newsletter, uuid.Nil for the whole: whoever agreed to any of them
	Important bool        // it goes to those too who want only what matters most
}

// maxChosen is how many segments, and how many topics, one mailing takes.
const maxChosen = 20

// Choices is what can be chosen, and what is.
type Choices struct {
	Mailing  models.Mailing
	Segments []segments.Named // with those that are chosen and were archived since
	Topics   []models.Topic   // of a newsletter
	Chosen   Chosen
	Audience Audience // as it is saved
}

// Choices reads it. It needs the right actor.WriteMailing, and returns a NotFound fault for an unknown id.
func (s *Service) Choices(ctx context.Context, a actor.Actor, id uuid.UUID) (Choices, error) {
	m, err := s.Get(ctx, a, id)
	if err != nil {
		return Choices{}, err
	}
	c := Choices{Mailing: m}
	t, err := targetOf(ctx, s.DB.DB, m)
	if err != nil {
		return c, err
	}
	c.Chosen = Chosen{In: t.in, Out: t.out, Important: m.Important}
	if c.Segments, err = s.Segments(ctx, a); err != nil {
		return c, err
	}
	for _, used := range slices.Concat(t.in, t.out) {
		if slices.ContainsFunc(c.Segments, func(n segments.Named) bool { return n.ID == used }) {
			continue
		}
		if g, err := segments.Find(ctx, s.DB.DB, a, used); err == nil {
			c.Segments = append(c.Segments, segments.Named{ID: g.ID, Name: g.Name})
		} else if !fault.Is(err, fault.NotFound) {
			return c, err
		}
	}
	if m.Purpose == models.PurposeNewsletter {
		c.Chosen.Topics = t.scopes
		if c.Topics, err = s.Topics(ctx, a); err != nil {
			return c, err
		}
	}
	c.Audience, err = s.audience(ctx, m)
	return c, err
}

// SetAudience says whom a draft goes to, and returns its new revision. It needs the right actor.WriteMailing. A draft that somebody
// else saved meanwhile, or a mailing that is no draft, is a Conflict fault; a segment or topic that is not there is an Invalid one
// on the fields in, out and topics.
func (s *Service) SetAudience(ctx context.Context, a actor.Actor, id uuid.UUID, revision int, c Chosen) (int, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return 0, err
	}
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		t, err := targetOf(ctx, tx, m)
		if err != nil {
			return err
		}
		if err := c.check(ctx, tx, a, t); err != nil {
			return err
		}
		set := map[string]any{"revision": revision + 1, "updated_at": now, "important": c.Important, "segment_id": nil}
		if len(c.In) > 0 { // the first one stays the first as long as it is one
			set["segment_id"] = c.In[0]
			if m.SegmentID != nil && slices.Contains(c.In, *m.SegmentID) {
				set["segment_id"] = *m.SegmentID
			}
		}
		if m.Purpose == models.PurposeNewsletter {
			set["scope_id"] = c.Topics[0] // the whole newsletter, which is no topic, comes first
			if c.Topics[0] != uuid.Nil && slices.Contains(c.Topics, m.ScopeID) {
				set["scope_id"] = m.ScopeID
			}
		}
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ? AND revision = ?", id, models.MailingDraft, revision).Updates(set)
		if r.Error == nil && r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.mailing_changed")
		}
		for _, err := range []error{
			r.Error,
			tx.Where("mailing_id = ?", id).Delete(&models.MailingSegment{}).Error,
			tx.Where("mailing_id = ?", id).Delete(&models.MailingTopic{}).Error,
		} {
			if err != nil {
				return err
			}
		}
		for _, g := range c.In {
			if g != set["segment_id"] {
				err = errors.Join(err, tx.Create(&models.MailingSegment{MailingID: id, SegmentID: g}).Error)
			}
		}
		for _, g := range c.Out {
			err = errors.Join(err, tx.Create(&models.MailingSegment{MailingID: id, SegmentID: g, Excluded: true}).Error)
		}
		for _, topic := range c.Topics {
			if topic != set["scope_id"] && topic != uuid.Nil {
				err = errors.Join(err, tx.Create(&models.MailingTopic{MailingID: id, TopicID: topic}).Error)
			}
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "mailing.audience", "mailings", id, map[string]any{"segments": len(c.In), "left_out": len(c.Out), "topics": len(c.Topics)})
	})
	return revision + 1, err
}

// check notes what is wrong with a choice. What was chosen before may be archived since.
func (c *Chosen) check(ctx context.Context, tx *gorm.DB, a actor.Actor, t target) error {
	var bad fault.Fields
	once := func(list []uuid.UUID) []uuid.UUID {
		slices.SortFunc(list, func(x, y uuid.UUID) int { return slices.Compare(x[:], y[:]) })
		return slices.Compact(list)
	}
	c.In, c.Out, c.Topics = once(c.In), once(c.Out), once(c.Topics)
	for _, side := range []struct {
		field      string
		chosen, by []uuid.UUID
	}{{"in", c.In, t.in}, {"out", c.Out, t.out}} {
		if len(side.chosen) > maxChosen {
			bad.Add(side.field, "error.audience_many", "Max", maxChosen)
			continue
		}
		for _, id := range side.chosen {
			g, err := segments.Find(ctx, tx, a, id)
			switch {
			case fault.Is(err, fault.NotFound), err == nil && g.ArchivedAt != nil && !slices.Contains(side.by, id):
				bad.Add(side.field, "error.mailing_segment")
			case err != nil:
				return err
			case side.field == "out" && slices.Contains(c.In, id):
				bad.Add(side.field, "error.audience_both", "Name", g.Name)
			}
		}
	}
	if t.m.Purpose != models.PurposeNewsletter {
		c.Topics = nil
		return bad.Err()
	}
	switch {
	case len(c.Topics) == 0:
		bad.Add("topics", "error.audience_topics")
	case len(c.Topics) > maxChosen:
		bad.Add("topics", "error.audience_many", "Max", maxChosen)
	}
	for _, id := range c.Topics {
		if id == uuid.Nil || slices.Contains(t.scopes, id) {
			continue
		}
		var n int64
		if err := tx.Model(&models.Topic{}).Where("id = ? AND archived_at IS NULL", id).Count(&n).Error; err != nil {
			return err
		}
		if n == 0 {
			bad.Add("topics", "error.mailing_topic")
		}
	}
	return bad.Err()
}

// Cap is how many mailings a person gets at most, in how many days; 0 mailings is no limit.
type Cap struct{ Most, Days int }

// Cap reads it. It needs the right actor.WriteMailing.
func (s *Service) Cap(ctx context.Context, a actor.Actor) (Cap, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return Cap{}, err
	}
	o, err := s.Organisation.Current(ctx)
	return Cap{o.MailingsMost, o.MailingsDays}, err
}

// SetCap sets it for the organisation. It needs the right actor.Administer; what is out of bounds is an Invalid fault on most or days.
func (s *Service) SetCap(ctx context.Context, a actor.Actor, c Cap) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	var bad fault.Fields
	if c.Most < 0 || c.Most > 100 {
		bad.Add("most", "error.cap_most")
	}
	if c.Days < 1 || c.Days > 90 {
		bad.Add("days", "error.cap_days")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Model(&models.Organisation{}).Where("1 = 1").Updates(map[string]any{"mailings_most": c.Most, "mailings_days": c.Days, "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "settings.mailings_cap", "organisations", uuid.Nil, map[string]any{"most": c.Most, "days": c.Days})
	})
	s.Organisation.Drop()
	return err
}
