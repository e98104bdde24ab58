// Package petitions asks one decider for one thing, in the name of everybody who signs.
//
// The rules, from the first sentence to the count:
//
//   - An advocate drafts in several sittings, looks at it as it would be, and submits. While it is a draft, or came back, its
//     author may change it; two open pages never overwrite each other unseen. Somebody who moderates publishes it, or returns
//     it with reasons. From then on its address is fixed. It can be paused, hidden and closed; its author can withdraw it.
//   - Who reviews it claims it, so that nobody does the work twice; a claim warns others and stops nobody. The queue has a clock of
//     passing hours, and who is away has nothing in hand.
//   - The words of a public petition may change: by its author while fewer than 100 signatures are confirmed, from then on by a
//     moderator, and then a change of the ask says why. What it said is kept and can be read on its page. Who started it without an
//     account asks for the change, and a moderator takes it or answers.
//   - The public number is confirmed signatures and those on paper, which are counted totals and never people. When it passes a
//     threshold, that does what it was set to do, once, in the transaction that moved the number; when it falls below again, the
//     goal is as it was, and a petition that closed waits for somebody to say whether it opens again.
//   - Signing needs no account. What a form says waits at the mailbox of the address, as a pending signature, and changes
//     nothing that exists: no supporter, no count that people see, no list. It goes after 7 days.
//   - The person who reads the mailbox presses one button on a mailed page. Then, in one transaction, the signature is
//     confirmed and gets its number, the counts move, the mailbox is verified, the supporter's record is found or made, and
//     the yes to updates is written down. Opening the page changes nothing. Pressing twice counts once.
//   - Two people may share a mailbox: a second name signs from it where the postal area is the same. A third does not.
//   - The form answers the same for every address. Who has signed already gets a mail that says so, at most one a day. An
//     address that was never confirmed gets one mail in 24 hours and three in a week, whatever is typed into forms, and the link to a
//     draft beside it; its page lists everything that waits. A confirmed address gets one mail an action, at most ten a day.
//   - The code in the mail works only in the browser that signed, for five tries; then only the link does.
//   - A confirmation after closing counts for 24 hours.
//   - A name shows as its owner chose, a place only where at least ten signed, a comment once somebody has read it. Comments
//     with words of self-harm stand first in that queue.
//   - Whoever starts a petition needs no account either: see starters.go.
//   - Two numbers are kept with the petition, pending and confirmed, moved in the transaction of what they count; a periodic
//     recount repairs them. Pages never count.
//
// The operations are the methods of Service. Who may do what stands at each.
package petitions

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/groupcommit"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Limits of what a petition says, in characters, and of its goal.
const (
	TitleMax        = 80
	SummaryMax      = 300
	BodyMax         = 10_000
	DeciderMax      = 200
	WhyNowMax       = 1000
	SystemChangeMax = 1000
	PlaceMax        = 100
	GoalMin         = 10
	GoalMax         = 10_000_000
	ReasonMax       = 2000
)

// Limits of signing.
const (
	NameMax    = 100                      // characters of each name
	CommentMax = 2000                     // characters
	pendingFor = confirmations.PendingFor // then a pending signature goes
	afterClose = 24 * time.Hour           // a confirmation still counts
	placeFrom  = 10                       // signers from which on a place or a role shows
)

// Options are what the service needs of its surroundings.
type Options struct {
	BaseURL string // of the site, without a slash at the end: for links in mails
	// Words translates a locale key, for the parts of mails that are chosen from a list.
	Words func(lang, key string, args ...any) string
	// Guard judges signatures and keeps the lists by which it does; nil judges nobody.
	Guard *abuse.Service
	// Breaker says when confirmation mails are held back.
	Breaker Breaker
	// Enqueue inserts a job in tx; nil: nothing works jobs, and long work waits for somebody to do it.
	Enqueue func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error
	// Judge looks at a form that was checked, before it is written; a fault refuses it. It is called for every form: what it asks
	// for, it keeps for a while. nil judges nobody.
	Judge func(ctx context.Context, p models.Petition, j Judged) (Verdict, error)
	// Busy is called once when this process took its first thousand signatures; nil: nobody asks.
	Busy func()
	// Number writes a whole number as a language does; nil: in digits alone.
	Number func(lang string, n int64) string
	// Preview makes the words of a mail without sending it, for whoever decides about it; nil: there is no preview.
	Preview func(ctx context.Context, c deliveries.Content) (subject, text string, err error)
	Log     *slog.Logger
}

// Service holds the operations on petitions and signatures.
type Service struct {
	db     *database.DB
	vault  *vault.Vault
	clk    clock.Clock
	signer *tokens.Signer
	files  *files.Service
	opt    Options

	watched    watched
	pictures   pictures
	reading    together
	recent     recent
	words      *consents.Words
	growth     growth
	signing    *groupcommit.Group[newSignature]
	confirming *groupcommit.Group[confirmation]
	counting   []func(ctx context.Context, tx *gorm.DB, petitions []uuid.UUID) error // see onCount
}

// New makes the service. End it with Close.
func New(db *database.DB, v *vault.Vault, clk clock.Clock, signer *tokens.Signer, store *files.Service, o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	s := &Service{db: db, vault: v, clk: clk, signer: signer, files: store, opt: o, words: consents.NewWords(db)}
	if s.opt.Judge == nil && s.opt.Guard != nil {
		s.opt.Judge = s.judge
	}
	s.reading.fetch = func(ctx context.Context, slug string) (p models.Petition, err error) {
		err = s.db.WithContext(ctx).Where("slug = ?", slug).Take(&p).Error
		return p, err
	}
	s.signing = groupcommit.New(db, func(ctx context.Context, tx *gorm.DB, batch []*newSignature) error {
		rows := make([]newSignature, len(batch))
		for i, r := range batch {
			rows[i] = *r
		}
		err := s.insert(ctx, tx, rows)
		for i, r := range batch {
			r.Refused = rows[i].Refused
		}
		return err
	})
	s.confirming = groupcommit.New(db, s.confirmBatch)
	s.onCount(s.reachAll)
	return s
}

// Close refuses new signatures and confirmations, and returns when those that came in are written and answered.
func (s *Service) Close() {
	s.signing.Close()
	s.confirming.Close()
	s.growth.running.Wait()
}

func unknown() error { return fault.New(fault.NotFound, "error.petition_unknown") }

// take reads a petition by id.
func take(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Petition, error) {
	var p models.Petition
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	return p, err
}

// mine reads a petition that the actor may work on: their own, or any with actor.ModeratePetition. Anybody else's is
// unknown to them. See started for who has no account.
func mine(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	if a.Kind == actor.Person {
		return started(ctx, tx, a, id)
	}
	if err := a.Need(actor.DraftPetition); err != nil {
		return models.Petition{}, err
	}
	p, err := take(ctx, tx, id)
	if err == nil && !a.Is(p.AuthorID) && !a.May(actor.ModeratePetition) {
		err = unknown()
	}
	return p, err
}

// openAt reports whether the petition takes signatures at a time: a deadline that passed closes it, also before the job
// that notes it ran.
func openAt(p models.Petition, now time.Time) bool {
	return p.Open() && (p.DeadlineAt == nil || now.Before(*p.DeadlineAt))
}

// signable says why a petition cannot be signed at a time: what visible says, or Conflict, error.petition_paused or
// error.petition_closed.
func signable(p models.Petition, now time.Time) error {
	if err := visible(p); err != nil || openAt(p, now) {
		return err
	}
	if p.State == models.PetitionPublished && p.PausedAt != nil {
		return fault.New(fault.Conflict, "error.petition_paused")
	}
	return fault.New(fault.Conflict, "error.petition_closed")
}

// confirmableAt reports whether a signature made in time still counts when it is confirmed at a time.
func confirmableAt(p models.Petition, now time.Time) bool {
	switch {
	case p.State == models.PetitionPublished:
		return p.DeadlineAt == nil || now.Before(p.DeadlineAt.Add(afterClose))
	case p.State.Public() && p.ClosedAt != nil: // also when it was handed over or answered soon after
		return now.Before(p.ClosedAt.Add(afterClose))
	}
	return false
}
