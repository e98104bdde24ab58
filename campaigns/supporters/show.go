package supporters

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// View is everything the page of one supporter shows.
type View struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	Street, City, Region  string
	PostalArea, Country   string
	Phones                []Phone
	Locale, TimeZone      string
	ChapterID             *uuid.UUID
	Chapter               string // its name
	Source                string
	CreatedAt             time.Time
	Mailboxes             []Mailbox
	Districts             []divisions.Home
	Tags                  []models.Tag
	Answers               []Answer // the fields that the actor sees, archived ones with a value among them
	Notes                 []Note   // newest first, at most mostNotes; none for who may not edit people
	Consents              []Consent
	Timeline              []Event // newest first, at most timelineSize
	Revision              string  // what Edit compares
}

// Phone is one telephone number of a supporter.
type Phone struct {
	ID     uuid.UUID
	Number string // as people read it; as it was typed where it is not Valid
	Valid  bool

	hash []byte
}

// Mailbox is one address of a supporter.
type Mailbox struct {
	ID               uuid.UUID
	Address          string
	VerifiedAt       *time.Time
	SuppressedAt     *time.Time
	SuppressedReason string // models.SuppressedBounce, ...
	PausedUntil      *time.Time
}

// Answer is a custom field with what a supporter answered, "" for nothing.
type Answer struct {
	Field models.CustomField
	Value string
}

// Note is what an organizer wrote down.
type Note struct {
	ID     uuid.UUID
	Body   string
	Author string // "" where the account is gone
	At     time.Time
}

// Consent is one yes with its proof.
type Consent struct {
	ID           uuid.UUID
	Purpose      models.Purpose
	Scope        string // what the campaign, topic or partner is called
	Words        string // exactly as they were shown
	Version      int    // of the words
	Locale       string
	GivenAt      time.Time
	Source       string
	How          models.ConsentHow
	WithdrawnAt  *time.Time
	WithdrawnHow string
	Address      string // which mailbox, where there are several
}

// mostNotes is how many notes a page shows.
const mostNotes = 100

// Show returns one supporter. It needs the right actor.SeeSupporters; the fault is NotFound, error.supporter_unknown, also
// for somebody of another chapter than the actor's.
func (s *Service) Show(ctx context.Context, a actor.Actor, id uuid.UUID) (View, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return View{}, err
	}
	db := s.db.WithContext(ctx)
	p, err := visible(ctx, db, a, id)
	if err != nil {
		return View{}, err
	}
	v, err := s.record(ctx, db, a, p)
	if err != nil {
		return View{}, err
	}
	var boxes []models.Mailbox
	if err := db.Where("supporter_id = ?", id).Order("created_at, id").Find(&boxes).Error; err != nil {
		return View{}, err
	}
	ids, addresses := make([]uuid.UUID, len(boxes)), map[uuid.UUID]string{}
	for i, m := range boxes {
		address, err := mailboxes.Address(s.vault, m)
		if err != nil {
			return View{}, err
		}
		ids[i], addresses[m.ID] = m.ID, address
		if address == "" { // it stands for somebody who has none
			continue
		}
		v.Mailboxes = append(v.Mailboxes, Mailbox{m.ID, address, m.VerifiedAt, m.SuppressedAt, m.SuppressedReason, m.PausedUntil})
	}
	if v.Districts, err = divisions.Of(ctx, db, id, s.clk.Now()); err != nil {
		return View{}, err
	}
	if err := db.Where("id IN (SELECT tag_id FROM taggings WHERE supporter_id = ?)", id).Order("name_key").Find(&v.Tags).Error; err != nil {
		return View{}, err
	}
	if a.May(actor.EditSupporters) { // notes are for those who write them
		if v.Notes, err = s.notes(ctx, id); err != nil {
			return View{}, err
		}
	}
	if v.Consents, err = s.consents(ctx, ids, addresses); err != nil {
		return View{}, err
	}
	v.Timeline, err = s.timeline(ctx, ids, id)
	return v, err
}

// record is what can be edited of a supporter, with the revision by which an edit tells whether it changed meanwhile.
func (s *Service) record(ctx context.Context, tx *gorm.DB, a actor.Actor, p models.Supporter) (v View, err error) {
	v = View{
		ID: p.ID, Region: p.Region, PostalArea: p.PostalArea, Country: p.Country, Locale: p.Locale, TimeZone: p.TimeZone, ChapterID: p.ChapterID,
		Source: p.Source, CreatedAt: p.CreatedAt,
	}
	if v.GivenName, v.FamilyName, err = s.namesOf(p); err != nil {
		return v, err
	}
	if v.Street, err = s.vault.Open("supporters", "street_sealed", p.ID, p.StreetSealed); err != nil {
		return v, err
	}
	if v.City, err = s.vault.Open("supporters", "city_sealed", p.ID, p.CitySealed); err != nil {
		return v, err
	}
	if p.ChapterID != nil {
		if err := tx.Model(&models.Chapter{}).Where("id = ?", *p.ChapterID).Limit(1).Pluck("name", &v.Chapter).Error; err != nil {
			return v, err
		}
	}
	if v.Phones, err = s.phones(tx, p.ID); err != nil {
		return v, err
	}
	var values []models.FieldValue
	if err := tx.Where("supporter_id = ?", p.ID).Order("field_id").Find(&values).Error; err != nil {
		return v, err
	}
	if v.Answers, err = s.answers(ctx, tx, a, values); err != nil {
		return v, err
	}
	h := sha256.New()
	at := func(t time.Time) { h.Write(binary.BigEndian.AppendUint64(nil, uint64(t.UnixMicro()))) }
	at(p.UpdatedAt)
	for _, x := range v.Phones {
		h.Write(x.ID[:])
	}
	for _, x := range values {
		h.Write(x.FieldID[:])
		at(x.UpdatedAt)
	}
	v.Revision = base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
	return v, nil
}

func (s *Service) phones(tx *gorm.DB, id uuid.UUID) ([]Phone, error) {
	var rows []models.Phone
	if err := tx.Where("supporter_id = ?", id).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Phone, len(rows))
	for i, r := range rows {
		number, err := openPhone(s.vault, r)
		if err != nil {
			return nil, err
		}
		out[i] = Phone{ID: r.ID, Number: shownPhone(number, r.Valid), Valid: r.Valid, hash: r.NumberHash}
	}
	return out, nil
}

// answers are the fields that the actor sees, in their order.
func (s *Service) answers(ctx context.Context, tx *gorm.DB, a actor.Actor, values []models.FieldValue) ([]Answer, error) {
	fields, err := fieldsFor(ctx, tx, a)
	if err != nil {
		return nil, err
	}
	var out []Answer
	for _, f := range fields {
		x := Answer{Field: f}
		for _, r := range values {
			if r.FieldID == f.ID {
				if x.Value, err = FieldValue(s.vault, r); err != nil {
					return nil, err
				}
			}
		}
		if f.ArchivedAt == nil || x.Value != "" {
			out = append(out, x)
		}
	}
	return out, nil
}

func (s *Service) notes(ctx context.Context, id uuid.UUID) ([]Note, error) {
	var rows []models.Note
	if err := s.db.WithContext(ctx).Where("supporter_id = ?", id).Order("created_at DESC, id DESC").Limit(mostNotes).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	var ids []uuid.UUID
	for _, r := range rows {
		if r.AuthorID != nil {
			ids = append(ids, *r.AuthorID)
		}
	}
	var users []models.User
	if err := s.db.WithContext(ctx).Select("id", "name_sealed").Where("id IN ?", ids).Find(&users).Error; err != nil {
		return nil, err
	}
	authors := map[uuid.UUID]string{}
	for _, u := range users {
		name, err := s.vault.Open("users", "name_sealed", u.ID, u.NameSealed)
		if err != nil {
			return nil, err
		}
		authors[u.ID] = name
	}
	out := make([]Note, len(rows))
	for i, r := range rows {
		body, err := s.vault.Open("notes", "body_sealed", r.ID, r.BodySealed)
		if err != nil {
			return nil, err
		}
		out[i] = Note{ID: r.ID, Body: body, At: r.CreatedAt}
		if r.AuthorID != nil {
			out[i].Author = authors[*r.AuthorID]
		}
	}
	return out, nil
}

func (s *Service) consents(ctx context.Context, boxes []uuid.UUID, addresses map[uuid.UUID]string) ([]Consent, error) {
	var rows []models.Consent
	if err := s.db.WithContext(ctx).Where("mailbox_id IN ?", boxes).Order("given_at DESC, id DESC").Find(&rows).Error; err != nil {
		return nil, err
	}
	scopes, err := s.scopes(ctx, rows)
	if err != nil {
		return nil, err
	}
	textIDs := make([]uuid.UUID, len(rows))
	for i, c := range rows {
		textIDs[i] = c.TextID
	}
	var texts []models.ConsentText
	if err := s.db.WithContext(ctx).Where("id IN ?", textIDs).Find(&texts).Error; err != nil {
		return nil, err
	}
	words := map[uuid.UUID]models.ConsentText{}
	for _, t := range texts {
		words[t.ID] = t
	}
	out := make([]Consent, len(rows))
	for i, c := range rows {
		out[i] = Consent{
			ID: c.ID, Purpose: c.Purpose, Scope: scopes[c.ScopeID], Words: words[c.TextID].Body, Version: words[c.TextID].Version, Locale: c.Locale,
			GivenAt: c.GivenAt, Source: c.Source, How: c.How, WithdrawnAt: c.WithdrawnAt, WithdrawnHow: c.WithdrawnHow,
		}
		if len(boxes) > 1 {
			out[i].Address = addresses[c.MailboxID]
		}
	}
	return out, nil
}
