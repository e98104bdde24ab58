// Package forms lets people join: by the page /join, which every organisation has, and by forms that an organizer makes.
//
// The rules:
//
//   - What somebody types waits, sealed, as a submission at the mailbox of the address, and changes nothing that exists. It
//     goes after 7 days.
//   - The person who reads the mailbox presses one button on a mailed page. Then, in one transaction, the mailbox is verified,
//     the record is found or made and what is empty in it filled, the tags are set, each yes is written down with its exact
//     words, and the form counts one more. Nothing that a record says is written over, but how often mail may come.
//   - The answer is the same for every address. One that is confirmed already gets the same mail, and nothing happens without
//     the press either. The mail holds nothing that was typed.
//   - Consents are boxes, unticked, each with its exact words. Were these changed while a form was open, it is shown again.
//   - A form asks for parts of the record and for custom fields. Where a postal code lies in several districts and the form
//     asks for the district, it is chosen from those.
//   - A form is a draft, open, or closed. Its address is fixed when it first opens. What was sent before it closed can still
//     be confirmed.
//   - A form of a chapter makes people of that chapter, unless they belong to another already.
//
// The operations are the methods of Service. Who may do what stands at each.
package forms

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options are what the service needs of its surroundings.
type Options struct {
	BaseURL string // of the site, without a slash at the end: for links in mails
	Log     *slog.Logger
}

// Service holds the operations on forms. It is safe for concurrent use.
type Service struct {
	db       *database.DB
	vault    *vault.Vault
	clk      clock.Clock
	signer   *tokens.Signer
	consents *consents.Service
	opt      Options
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, clk clock.Clock, signer *tokens.Signer, c *consents.Service, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Service{db: db, vault: v, clk: clk, signer: signer, consents: c, opt: o}
}

func unknown() error { return fault.New(fault.NotFound, "error.form_unknown") }

func take(ctx context.Context, tx *gorm.DB, where string, args ...any) (models.Form, error) {
	var f models.Form
	err := tx.WithContext(ctx).Where(where, args...).Take(&f).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	return f, err
}

// View is a form ready to show.
type View struct {
	Form      models.Form // the zero value: /join
	Open      bool
	Questions []Asked
	Boxes     []consents.Box
}

// Join reports whether it is the page /join.
func (v View) Join() bool { return v.Form.ID == uuid.Nil }

// Minutes is how long filling it in takes, for its effort label.
func (v View) Minutes() int { return 1 + (len(v.Questions)+len(v.Boxes))/6 }

// joinQuestions is what /join asks beside the address, the language and the topics.
var joinQuestions = []Question{{Key: GivenName}, {Key: FamilyName}, {Key: PostalCode}, {Key: HowOften}}

// Joining is the page /join, in a language.
func (s *Service) Joining(ctx context.Context, lang string) (View, error) {
	asks, err := consents.NewsletterAsks(ctx, s.db.DB)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, models.Form{}, joinQuestions, asks, lang)
}

// Public is a form for everybody, in a language. A draft is NotFound, error.form_unknown; one that is closed is not Open.
func (s *Service) Public(ctx context.Context, slug, lang string) (View, error) {
	f, err := take(ctx, s.db.DB, "slug = ? AND state <> ?", slug, models.FormDraft)
	if err != nil {
		return View{}, err
	}
	return s.of(ctx, f, lang)
}

func (s *Service) of(ctx context.Context, f models.Form, lang string) (View, error) {
	return s.view(ctx, f, QuestionsOf(f), AsksOf(f), lang)
}

func (s *Service) view(ctx context.Context, f models.Form, questions []Question, asks []consents.Ask, lang string) (v View, err error) {
	v = View{Form: f, Open: f.ID == uuid.Nil || f.State == models.FormOpen}
	if v.Questions, err = asked(ctx, s.db.DB, questions); err != nil {
		return v, err
	}
	v.Boxes, err = s.consents.Boxes(ctx, asks, lang)
	return v, err
}

// Hosts lists the sites that may show a form in a frame, as a Content-Security-Policy writes them.
func Hosts(f models.Form) []string { return strings.Fields(f.EmbedHosts) }

// Regular lists what runs by itself: see Expire.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{{Name: "forms_expire", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Expire(ctx); return err }}}
}

// expireBatch is how many submissions go in one transaction.
const expireBatch = 500

// Expire removes submissions that nobody confirmed in time, and forgets addresses that nothing waits for any more. It returns
// how many submissions went. It may run on several nodes at once, and again.
func (s *Service) Expire(ctx context.Context) (int, error) {
	now, total := s.clk.Now(), 0
	for {
		n := 0
		err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
			n, err = drop(ctx, tx, now, "id IN (SELECT id FROM submissions WHERE state = 'pending' AND expires_at <= ? ORDER BY expires_at, id LIMIT ?)", now, expireBatch)
			return err
		})
		total += n
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
	}
	_, err := mailboxes.Sweep(ctx, s.db, now)
	return total, err
}

// drop deletes the pending submissions that the condition picks, and ends their mails.
func drop(ctx context.Context, tx *gorm.DB, now time.Time, where string, args ...any) (int, error) {
	var gone []models.Submission
	if err := tx.WithContext(ctx).Raw("DELETE FROM submissions WHERE state = 'pending' AND "+where+" RETURNING id, mailbox_id", args...).Scan(&gone).Error; err != nil || len(gone) == 0 {
		return 0, err
	}
	var ids, boxes []uuid.UUID
	for _, g := range gone {
		ids = append(ids, g.ID)
		if !slices.Contains(boxes, g.MailboxID) {
			boxes = append(boxes, g.MailboxID)
		}
	}
	return len(gone), confirmations.Drop(ctx, tx, confirmations.JoinConfirm, boxes, ids, now)
}
