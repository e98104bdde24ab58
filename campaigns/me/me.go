// Package me is the person's own page: what they did, what they are due to do, what they agreed to, what is kept about them,
// and what they can do about it.
//
// The rules:
//
//   - Nobody needs an account. Whoever reads a mailbox asks for a link to it; the link is good for two hours. The answer to
//     asking is the same for every address, and an address that nothing is kept about gets no mail.
//   - A link opens one person: the record that its mailbox belongs to, with all mailboxes of that record, or the mailbox
//     alone where there is no record yet. Two people of one household are two records, and never see each other here.
//   - Opening the page changes nothing. What its buttons change, they change for the whole record.
//   - Here, and only here, a person writes over what their record says: it is theirs.
//   - Taking everything away and taking everything home are asked for once more: a second mail brings a link that is good for
//     that one thing, for 15 minutes. The first link alone does neither.
//   - A yes that is given here is a new consent, in exactly the words that the page showed; ending one keeps the proof of both.
//   - Whoever ended something can take that back in one step for 30 minutes.
//   - A pause stops all mail but receipts, for every mailbox of the person, until a day or until they say.
//
// What other features know about a person they tell by a Source, registered in app/wire.go.
package me

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

const (
	linkLife    = 2 * time.Hour
	actLife     = 15 * time.Minute // of a link that downloads or erases
	undoFor     = 30 * time.Minute
	PrefillLife = time.Hour // how long forms of one browser are filled in
)

// Options are what the service works with.
type Options struct {
	DB            *database.DB
	Vault         *vault.Vault
	Clock         clock.Clock
	Signer        *tokens.Signer
	Organisation  *organisation.Service
	Petitions     *petitions.Service
	Confirmations *confirmations.Service
	Consents      *consents.Service
	Erasures      *erasures.Service
	BaseURL       string // of the site, without a slash at the end
	// Words translates a locale key: the files of a download are in words.
	Words func(lang, key string, args ...any) string
}

// Service holds the operations. It is safe for concurrent use once all sources are registered.
type Service struct {
	o       Options
	sources map[string]Source
	order   []string
}

// New makes the service. Signatures and forms are sources from the start.
func New(o Options) *Service {
	s := &Service{o: o, sources: map[string]Source{}}
	s.Register("signature", s.signatures())
	s.Register("form", s.submissions())
	return s
}

// Who is the person whose page it is.
type Who struct {
	Supporter uuid.UUID   // uuid.Nil where there is no record
	Mailbox   uuid.UUID   // the one whose link it is
	Mailboxes []uuid.UUID // all of them
	Lang      string      // that the page is read in; "" where nobody reads
}

// Item is one thing that a person did, or is due to do.
type Item struct {
	Kind     string // of the source, set by the service
	ID       uuid.UUID
	At       time.Time
	Key      string // locale key of the line; its arguments are Title and Date
	Note     string // locale key of a second line, "" for none; its arguments are Name and Date
	Title    string
	Lang     string // of Title
	Name     string
	URL      string // "" where it has no page
	Undo     string // locale key of the button that takes it back, "" for none
	Redo     string // locale key of the button that takes that back, "" for none
	More     []More // links to go on by
	Withdrew bool   // it was taken back
}

// More is a link to go on by from an item; Key is its words.
type More struct{ Key, URL string }

// Source is a feature that tells of its part. Any of its functions may be nil.
type Source struct {
	Did func(ctx context.Context, w Who) ([]Item, error) // newest first
	Due func(ctx context.Context, w Who) ([]Item, error) // soonest first
	// Undo takes one item back, or brings it back. It makes sure that the item is the person's. It returns the beginning of the
	// addresses whose kept pages changed, "" for none.
	Undo func(ctx context.Context, w Who, id uuid.UUID, back bool) (drop string, err error)
}

// Register adds a source, at start only. kind stands in forms: a word in lower case.
func (s *Service) Register(kind string, src Source) {
	if _, twice := s.sources[kind]; twice {
		panic("me: two sources are called " + kind)
	}
	s.sources[kind] = src
	s.order = append(s.order, kind)
}

// person is whom a link opens.
type person struct {
	Who
	box       models.Mailbox // whose link it is
	boxes     []models.Mailbox
	supporter *models.Supporter
}

func (p person) actor(ctx context.Context) actor.Actor {
	return actor.Actor{Kind: actor.Person, MailboxID: p.box.ID, RequestID: actor.From(ctx).RequestID}
}

// several reports whether the person has more than one mailbox, so that lists must tell which.
func (p person) several() bool { return len(p.boxes) > 1 }

// open reads whose link a token is. The faults are those of tokens.Signer.Read, and Gone, error.me_nothing, where nothing is
// kept about the address any more.
func (s *Service) open(ctx context.Context, tx *gorm.DB, k tokens.Kind, token string) (person, error) {
	var p person
	id, err := s.o.Signer.Read(k, token, s.o.Clock.Now())
	if err != nil {
		return p, err
	}
	tx = tx.WithContext(ctx)
	err = tx.Where("id = ?", id).Take(&p.box).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && p.box.AddressSealed == nil {
		return person{}, fault.New(fault.Gone, "error.me_nothing")
	}
	if err != nil {
		return person{}, err
	}
	p.Mailbox = p.box.ID
	if p.box.SupporterID == nil {
		p.boxes, p.Mailboxes = []models.Mailbox{p.box}, []uuid.UUID{p.box.ID}
		return p, nil
	}
	p.Supporter, p.supporter = *p.box.SupporterID, &models.Supporter{}
	if err := tx.Where("id = ?", p.Supporter).Take(p.supporter).Error; err != nil {
		return person{}, err
	}
	if err := tx.Where("supporter_id = ?", p.Supporter).Order("created_at, id").Find(&p.boxes).Error; err != nil {
		return person{}, err
	}
	for _, m := range p.boxes {
		p.Mailboxes = append(p.Mailboxes, m.ID)
	}
	return p, nil
}

// Good reports whether a token opens the page of somebody now.
func (s *Service) Good(ctx context.Context, token string) bool {
	_, err := s.open(ctx, s.o.DB.DB, tokens.Me, token)
	return err == nil
}

// Person says whose page a token opens, for features with pages of their own below it. The faults are those of Show.
func (s *Service) Person(ctx context.Context, token string) (Who, error) {
	p, err := s.open(ctx, s.o.DB.DB, tokens.Me, token)
	return p.Who, err
}

// hold takes the mailboxes and the record of a person for the rest of tx, in the order that everybody takes them in, and reads
// them once more: they may belong to another record by now.
func (s *Service) hold(ctx context.Context, tx *gorm.DB, k tokens.Kind, token string) (person, error) {
	p, err := s.open(ctx, tx, k, token)
	if err != nil {
		return p, err
	}
	tx = tx.WithContext(ctx)
	var held []models.Mailbox
	if err := tx.Clauses(forUpdate).Select("id").Where("id IN ?", p.Mailboxes).Order("address_hash").Find(&held).Error; err != nil {
		return p, err
	}
	if p.supporter != nil {
		var row []models.Supporter
		if err := tx.Clauses(forUpdate).Select("id").Where("id = ?", p.Supporter).Find(&row).Error; err != nil {
			return p, err
		}
	}
	return s.open(ctx, tx, k, token)
}

// address is the mail address behind a link.
func (s *Service) address(m models.Mailbox) (string, error) { return mailboxes.Address(s.o.Vault, m) }

// Mask hides an address from whoever looks over the shoulder, or reads one mailbox of several: "j…@example.org".
func Mask(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return ""
	}
	for _, r := range local {
		return string(r) + "…@" + domain
	}
	return "…@" + domain
}

// language is the person's own, as far as anything tells; "" where nothing does.
func (s *Service) language(ctx context.Context, tx *gorm.DB, p person) (string, error) {
	if p.supporter != nil && p.supporter.Locale != "" {
		return p.supporter.Locale, nil
	}
	for _, table := range []string{"signatures", "submissions", "consents"} {
		at := "created_at"
		if table == "consents" {
			at = "given_at"
		}
		var locales []string
		err := tx.WithContext(ctx).Table(table).Where("mailbox_id IN ? AND locale <> ''", p.Mailboxes).Order(at+" DESC").Limit(1).Pluck("locale", &locales).Error
		if err != nil || len(locales) > 0 {
			return strings.Join(locales, ""), err
		}
	}
	return "", nil
}

// invalid returns err as a fault if it says that the input is wrong.
func invalid(err error) (*fault.Error, bool) {
	var f *fault.Error
	ok := errors.As(err, &f) && f.Kind == fault.Invalid
	return f, ok
}
