package supporters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// View is everything the page of one supporter shows.
type View struct {
	ID                    uuid.UUID
	GivenName, FamilyName string
	Phones                []Phone
	PostalArea, Country   string
	Locale, Source        string
	CreatedAt             time.Time
	Mailboxes             []Mailbox
	Consents              []Consent // newest first, withdrawn ones among them
	Timeline              []Event   // newest first, at most timelineSize
}

// Phone is one telephone number of a supporter.
type Phone struct {
	ID     uuid.UUID
	Number string // E.164, with ";ext=" where it has an extension; as it was typed where it is not Valid
	Valid  bool
}

// Mailbox is one address of a supporter.
type Mailbox struct {
	Address          string // "" once erased
	VerifiedAt       *time.Time
	SuppressedAt     *time.Time
	SuppressedReason string // models.SuppressedBounce, ...
}

// Consent is one yes with its proof.
type Consent struct {
	Purpose     models.Purpose
	Campaign    string
	Words       string // exactly as they were shown
	GivenAt     time.Time
	Source      string
	How         models.ConsentHow
	WithdrawnAt *time.Time
	Address     string // which mailbox, where there are several
}

// Event is something that happened with a supporter. Kind is "signed" or "sent"; What is the petition's title or the
// mailing's subject; MailKind is the delivery's.
type Event struct {
	Kind     string
	At       time.Time
	What     string
	MailKind string
}

// timelineSize is how many events a page shows.
const timelineSize = 50

// Show returns one supporter. It needs the right actor.SeeSupporters; the fault is NotFound, error.supporter_unknown.
func (s *Service) Show(ctx context.Context, a actor.Actor, id uuid.UUID) (View, error) {
	if err := a.Need(actor.SeeSupporters); err != nil {
		return View{}, err
	}
	db := s.db.WithContext(ctx)
	var p models.Supporter
	err := db.Where("id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return View{}, fault.New(fault.NotFound, "error.supporter_unknown")
	}
	if err != nil {
		return View{}, err
	}
	v := View{ID: id, PostalArea: p.PostalArea, Country: p.Country, Locale: p.Locale, Source: p.Source, CreatedAt: p.CreatedAt}
	if v.GivenName, v.FamilyName, err = s.namesOf(p); err != nil {
		return View{}, err
	}
	if v.Phones, err = s.phones(ctx, id); err != nil {
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
		v.Mailboxes = append(v.Mailboxes, Mailbox{address, m.VerifiedAt, m.SuppressedAt, m.SuppressedReason})
	}
	if v.Consents, err = s.consents(ctx, ids, addresses); err != nil {
		return View{}, err
	}
	v.Timeline, err = s.timeline(ctx, ids)
	return v, err
}

func (s *Service) phones(ctx context.Context, id uuid.UUID) ([]Phone, error) {
	var rows []models.Phone
	if err := s.db.WithContext(ctx).Where("supporter_id = ?", id).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	out := make([]Phone, len(rows))
	for i, r := range rows {
		number, err := openPhone(s.vault, r)
		if err != nil {
			return nil, err
		}
		out[i] = Phone{ID: r.ID, Number: number, Valid: r.Valid}
	}
	return out, nil
}

func (s *Service) consents(ctx context.Context, boxes []uuid.UUID, addresses map[uuid.UUID]string) ([]Consent, error) {
	var rows []models.Consent
	if err := s.db.WithContext(ctx).Where("mailbox_id IN ?", boxes).Order("given_at DESC, id DESC").Find(&rows).Error; err != nil {
		return nil, err
	}
	titles, err := s.campaigns(ctx, rows)
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
	words := map[uuid.UUID]string{}
	for _, t := range texts {
		words[t.ID] = t.Body
	}
	out := make([]Consent, len(rows))
	for i, c := range rows {
		out[i] = Consent{
			Purpose: c.Purpose, Campaign: titles[c.ScopeID], Words: words[c.TextID], GivenAt: c.GivenAt, Source: c.Source, How: c.How, WithdrawnAt: c.WithdrawnAt,
		}
		if len(boxes) > 1 {
			out[i].Address = addresses[c.MailboxID]
		}
	}
	return out, nil
}

func (s *Service) timeline(ctx context.Context, boxes []uuid.UUID) ([]Event, error) {
	db := s.db.WithContext(ctx)
	var signed []struct {
		ConfirmedAt time.Time
		Title       string
	}
	err := db.Table("signatures s").Select("s.confirmed_at, p.title").Joins("JOIN petitions p ON p.id = s.petition_id").
		Where("s.mailbox_id IN ? AND s.state = ? AND s.confirmed_at IS NOT NULL", boxes, models.SignatureConfirmed).
		Order("s.confirmed_at DESC").Limit(timelineSize).Scan(&signed).Error
	if err != nil {
		return nil, err
	}
	var sent []struct {
		SentAt  time.Time
		Kind    string
		Subject *string
	}
	err = db.Table("deliveries d").Select("d.sent_at, d.kind, m.subject").Joins("LEFT JOIN mailings m ON m.id = d.mailing_id").
		Where("d.mailbox_id IN ? AND d.state = ? AND d.sent_at IS NOT NULL", boxes, models.DeliverySent).
		Order("d.sent_at DESC").Limit(timelineSize).Scan(&sent).Error
	if err != nil {
		return nil, err
	}
	out := make([]Event, 0, len(signed)+len(sent))
	for _, r := range signed {
		out = append(out, Event{Kind: "signed", At: r.ConfirmedAt, What: r.Title})
	}
	for _, r := range sent {
		e := Event{Kind: "sent", At: r.SentAt, MailKind: r.Kind}
		if r.Subject != nil {
			e.What = *r.Subject
		}
		out = append(out, e)
	}
	slices.SortStableFunc(out, func(a, b Event) int { return b.At.Compare(a.At) })
	return out[:min(len(out), timelineSize)], nil
}
