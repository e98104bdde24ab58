package legislators

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
)

// errUnknown says that somebody is not there.
var errUnknown = fault.New(fault.NotFound, "error.legislator_unknown")

// change runs fn in a transaction about one legislator, whom it locks, and notes it.
func (s *Service) change(ctx context.Context, a actor.Actor, id uuid.UUID, action string, fn func(tx *gorm.DB, l models.Legislator, now time.Time) error) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var l models.Legislator
		err := tx.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Take(&l).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return errUnknown
		}
		now := s.Clock.Now()
		if err == nil {
			err = fn(tx.WithContext(ctx), l, now)
		}
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "legislators", id, nil)
	})
}

// history notes a change that an organizer made.
func history(tx *gorm.DB, a actor.Actor, id uuid.UUID, now time.Time, kind, before, after string) error {
	return tx.Create(&models.LegislatorChange{ID: models.NewID(), LegislatorID: id, Kind: kind, BeforeText: before, AfterText: after, CreatedBy: a.Account(), CreatedAt: now}).Error
}

// EndTerm says that a term is over, and no import begins it again. It needs the right actor.ManageLetters; the fault is NotFound,
// error.legislator_unknown, also for a term that is over.
func (s *Service) EndTerm(ctx context.Context, a actor.Actor, term uuid.UUID) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	var t models.Term
	err := s.DB.WithContext(ctx).Where("id = ? AND ended_at IS NULL", term).Take(&t).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return errUnknown
	}
	if err != nil {
		return err
	}
	return s.change(ctx, a, t.LegislatorID, "legislator.end_term", func(tx *gorm.DB, l models.Legislator, now time.Time) error {
		r := tx.Model(&models.Term{}).Where("id = ? AND ended_at IS NULL", term).Updates(map[string]any{"ended_at": now, "ended_by_hand": true, "updated_at": now})
		if r.Error != nil || r.RowsAffected == 0 {
			return errors.Join(r.Error, tooLate(r.Error))
		}
		var c models.Chamber
		if err := tx.Where("id = ?", t.ChamberID).Take(&c).Error; err != nil {
			return err
		}
		if err := history(tx, a, l.ID, now, "left", c.Name+" "+t.District, ""); err != nil {
			return err
		}
		return s.ended(ctx, tx, []uuid.UUID{l.ID})
	})
}

func tooLate(err error) error {
	if err != nil {
		return nil
	}
	return errUnknown
}

// PersonInput is somebody whom an organizer adds, or what they are called.
type PersonInput struct {
	Name, GivenName, FamilyName, Salutation string
	Title, Party                            string
	ChamberID                               uuid.UUID // of one that is there; uuid.Nil makes one of the next two
	Jurisdiction, Chamber                   string
	District, OCDID                         string
	Through                                 string // the last day; "" for open
	Email, Form, Phone                      string
	Street, City, Region, PostalCode        string
	Country                                 string
}

// Add writes a target by hand: a person with a seat, and how they are reached. It needs the right actor.ManageLetters; the faults are
// Invalid with the fields name, jurisdiction, division, through, email, form.
func (s *Service) Add(ctx context.Context, a actor.Actor, in PersonInput) (uuid.UUID, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return uuid.Nil, err
	}
	if err := in.clean(); err != nil {
		return uuid.Nil, err
	}
	id := models.NewID()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		tx = tx.WithContext(ctx)
		chamber, err := in.body(tx, now)
		if err != nil {
			return err
		}
		l := models.Legislator{
			ID: id, Source: string(models.SourceHand), ExternalID: id.String(), Name: in.Name, GivenName: in.GivenName, FamilyName: in.FamilyName, Salutation: in.Salutation, CreatedAt: now, UpdatedAt: now,
		}
		t := models.Term{
			ID: models.NewID(), LegislatorID: id, ChamberID: chamber.ID, OCDID: in.OCDID, District: in.District, Title: in.Title, Party: in.Party, ValidThrough: in.Through, Version: "hand " + day(now),
			CreatedAt: now, UpdatedAt: now,
		}
		var d []models.Division
		if err := tx.Where("ocd_id = ? AND ? <> ''", in.OCDID, in.OCDID).Find(&d).Error; err != nil {
			return err
		}
		if len(d) == 1 {
			t.DivisionID = &d[0].ID
		}
		for _, row := range []any{&l, &t} {
			if err := tx.Create(row).Error; err != nil {
				return err
			}
		}
		if err := in.reach(tx, id, now); err != nil {
			return err
		}
		if err := history(tx, a, id, now, "joined", "", chamber.Name+" "+in.District); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "legislator.add", "legislators", id, nil)
	})
	return id, err
}

// clean brings the input into shape, or says what is wrong with it.
func (in *PersonInput) clean() error {
	for _, v := range []*string{
		&in.Name, &in.GivenName, &in.FamilyName, &in.Salutation, &in.Title, &in.Party, &in.Jurisdiction, &in.Chamber, &in.District, &in.Phone, &in.Street, &in.City, &in.Region, &in.PostalCode, &in.Country,
		&in.Through, &in.OCDID,
	} {
		*v = flat(*v, maxName)
	}
	var bad fault.Fields
	if in.Name == "" {
		bad.Add("name", "error.legislator_name")
	}
	if in.ChamberID == uuid.Nil && code(in.Jurisdiction) == "" {
		bad.Add("jurisdiction", "error.legislator_jurisdiction")
	}
	if in.OCDID != "" && !divisions.IsOCD(in.OCDID) {
		bad.Add("division", "error.legislator_division")
	}
	if in.Through != "" && !isDay(in.Through) {
		bad.Add("through", "error.legislator_day")
	}
	if in.Email != "" {
		if in.Email = mail(in.Email); in.Email == "" {
			bad.Add("email", "error.email_invalid")
		}
	}
	if in.Form != "" {
		if in.Form = link(in.Form); in.Form == "" {
			bad.Add("form", "error.legislator_link")
		}
	}
	if in.FamilyName == "" {
		in.FamilyName = lastWord(in.Name)
	}
	return bad.Err()
}

// body finds the chamber of the input, or makes it.
func (in *PersonInput) body(tx *gorm.DB, now time.Time) (models.Chamber, error) {
	var c models.Chamber
	if in.ChamberID != uuid.Nil {
		err := tx.Where("id = ?", in.ChamberID).Take(&c).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			err = fault.New(fault.Invalid, "error.legislator_jurisdiction")
		}
		return c, err
	}
	var j models.Jurisdiction
	err := tx.Where("code = ?", code(in.Jurisdiction)).Take(&j).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		j = models.Jurisdiction{ID: models.NewID(), Code: code(in.Jurisdiction), Name: in.Jurisdiction, CreatedAt: now, UpdatedAt: now}
		err = tx.Create(&j).Error
	}
	if err != nil {
		return c, err
	}
	word, name := code(in.Chamber), in.Chamber
	if word == "" {
		word, name = "members", j.Name
	}
	err = tx.Where("jurisdiction_id = ? AND code = ?", j.ID, word).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		c = models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: word, Name: name, MemberTitle: in.Title, CreatedAt: now, UpdatedAt: now}
		if in.OCDID != "" {
			c.DivisionKind = kindOf(in.OCDID)
		}
		err = tx.Create(&c).Error
	}
	return c, err
}

// reach writes the office and the channels of the input.
func (in *PersonInput) reach(tx *gorm.DB, id uuid.UUID, now time.Time) error {
	var offices []place
	keys := map[string]*uuid.UUID{}
	if in.Street+in.Phone != "" {
		f := place{key: byHand + "1", kind: "capitol", street: in.Street, city: in.City, region: in.Region, postal: in.PostalCode, country: in.Country, phone: in.Phone}
		o := f.office(models.Office{ID: models.NewID(), LegislatorID: id, SourceKey: f.key, Version: "hand " + day(now), CreatedAt: now, UpdatedAt: now})
		if err := tx.Create(&o).Error; err != nil {
			return err
		}
		offices, keys[f.key] = append(offices, f), &o.ID
	}
	for i, w := range ways(in.Email, in.Form, offices) {
		c := models.Channel{
			ID: models.NewID(), LegislatorID: id, OfficeID: keys[w.office], Kind: w.kind, Value: w.value, Position: i + 1, Source: string(models.SourceHand), CreatedAt: now, UpdatedAt: now,
		}
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
	}
	return nil
}

// SetSalutation says how a letter to somebody begins; "" makes it from title and family name again. It needs the right actor.ManageLetters;
// the fault is NotFound, error.legislator_unknown.
func (s *Service) SetSalutation(ctx context.Context, a actor.Actor, id uuid.UUID, salutation string) error {
	return s.change(ctx, a, id, "legislator.salutation", func(tx *gorm.DB, l models.Legislator, now time.Time) error {
		next := flat(salutation, maxName)
		if next == l.Salutation {
			return nil
		}
		if err := history(tx, a, id, now, "name", l.Salutation, next); err != nil {
			return err
		}
		return tx.Model(&l).Updates(map[string]any{"salutation": next, "updated_at": now}).Error
	})
}

// ChannelInput is a way to somebody that an organizer knows of.
type ChannelInput struct {
	Kind  models.ChannelKind
	Value string
}

// AddChannel adds a way to somebody, after the others; no import takes it away. It needs the right actor.ManageLetters; the faults are
// NotFound, error.legislator_unknown, and Invalid with the fields kind and value.
func (s *Service) AddChannel(ctx context.Context, a actor.Actor, id uuid.UUID, in ChannelInput) error {
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	var bad fault.Fields
	switch in.Kind {
	case models.ChannelEmail:
		if in.Value = mail(in.Value); in.Value == "" {
			bad.Add("value", "error.email_invalid")
		}
	case models.ChannelWebForm:
		if in.Value = link(in.Value); in.Value == "" {
			bad.Add("value", "error.legislator_link")
		}
	case models.ChannelPhone:
		if in.Value = flat(in.Value, 40); in.Value == "" {
			bad.Add("value", "error.legislator_phone")
		}
	default:
		bad.Add("kind", "error.legislator_channel")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	return s.change(ctx, a, id, "legislator.add_channel", func(tx *gorm.DB, _ models.Legislator, now time.Time) error {
		var list []models.Channel
		if err := tx.Where("legislator_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&list).Error; err != nil {
			return err
		}
		last := 0
		for _, c := range list {
			if c.Kind == in.Kind && c.Value == in.Value {
				return nil // it is there
			}
			last = max(last, c.Position)
		}
		c := models.Channel{ID: models.NewID(), LegislatorID: id, Kind: in.Kind, Value: in.Value, Position: last + 1, Source: string(models.SourceHand), CreatedAt: now, UpdatedAt: now}
		if err := tx.Create(&c).Error; err != nil {
			return err
		}
		return history(tx, a, id, now, "channel", "", string(c.Kind)+" "+c.Value)
	})
}

// channel runs fn about one channel of somebody.
func (s *Service) channel(ctx context.Context, a actor.Actor, id, channel uuid.UUID, action string, fn func(tx *gorm.DB, list []models.Channel, i int, now time.Time) error) error {
	return s.change(ctx, a, id, action, func(tx *gorm.DB, _ models.Legislator, now time.Time) error {
		var list []models.Channel
		if err := tx.Where("legislator_id = ? AND removed_at IS NULL", id).Order("position, id").Find(&list).Error; err != nil {
			return err
		}
		i := slices.IndexFunc(list, func(c models.Channel) bool { return c.ID == channel })
		if i < 0 {
			return fault.New(fault.NotFound, "error.channel_unknown")
		}
		return fn(tx, list, i, now)
	})
}

// RemoveChannel takes a way to somebody away; no import brings it back. It needs the right actor.ManageLetters; the faults are NotFound,
// error.legislator_unknown and error.channel_unknown.
func (s *Service) RemoveChannel(ctx context.Context, a actor.Actor, id, channel uuid.UUID) error {
	return s.channel(ctx, a, id, channel, "legislator.remove_channel", func(tx *gorm.DB, list []models.Channel, i int, now time.Time) error {
		c := list[i]
		if err := tx.Model(&c).Updates(map[string]any{"source": models.SourceHand, "removed_at": now, "updated_at": now}).Error; err != nil {
			return err
		}
		return history(tx, a, id, now, "channel", string(c.Kind)+" "+c.Value, "")
	})
}

// RaiseChannel makes a way to somebody be tried one place earlier. It needs the right actor.ManageLetters; the faults are those of
// RemoveChannel.
func (s *Service) RaiseChannel(ctx context.Context, a actor.Actor, id, channel uuid.UUID) error {
	return s.channel(ctx, a, id, channel, "legislator.order_channels", func(tx *gorm.DB, list []models.Channel, i int, now time.Time) error {
		if i > 0 {
			list[i-1], list[i] = list[i], list[i-1]
		}
		for n, c := range list {
			if c.Position == n+1 {
				continue
			}
			if err := tx.Model(&c).Updates(map[string]any{"position": n + 1, "updated_at": now}).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// TrustChannel says that mail to a way that came back may be tried again. It needs the right actor.ManageLetters; the faults are those of
// RemoveChannel.
func (s *Service) TrustChannel(ctx context.Context, a actor.Actor, id, channel uuid.UUID) error {
	return s.channel(ctx, a, id, channel, "legislator.trust_channel", func(tx *gorm.DB, list []models.Channel, i int, now time.Time) error {
		return tx.Model(&list[i]).Updates(map[string]any{"bounced_at": nil, "updated_at": now}).Error
	})
}
