// Package inbound is mail that comes back: notices of servers, complaints of readers' providers, automatic replies, and what people
// answer. Whatever its source, it is read once, told apart (mailer.ReadReturned), and followed by what design and law ask for.
//
// Which delivery it is about is known by our own signed mark alone (tokens.Message), at the places where servers put it: in the
// address that it was sent back to, in the Message-ID of the mail that came back or is answered. Without one, nothing is done and
// nothing is kept: the mail stays where it is, for whoever reads that mailbox.
//
// What follows:
//
//   - There is no such mailbox (5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1): the mailbox is suppressed.
//   - Full, or not now (5.2.2, 4.x.x): suppressed after three of the last five deliveries to it.
//   - Our message is at fault (5.3.4, 5.6.x): the mailing is paused, with the reason on its page.
//   - The server refuses us (5.7.x): nobody is suppressed. The owner is told, and mail to many waits for a day at that domain, once
//     three mailboxes there say so, or all that were written to.
//   - A complaint: every consent of the person to mail is withdrawn, and the mailbox suppressed.
//   - The answer "stop": what the unsubscribe link of that mail does.
//   - Everything else is counted only. What people write is never kept; an answer to a letter that somebody wrote by us is passed on to them.
//
// A report proves that a server had accepted the mail: a delivery whose fate was unknown is sent, or failed. Of each class a delivery
// has one report at most, so that reading a mail twice does nothing. Above a number in an hour, reports are held until somebody
// looked: forging them is a way to silence people.
package inbound

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service.
type Options struct {
	DB      *database.DB
	Vault   *vault.Vault
	Clock   clock.Clock
	Signer  *tokens.Signer
	Log     *slog.Logger
	PerHour int           // reports with consequences that are believed in an hour
	Mailbox *MailboxInput // the mailbox that the server's environment names; nil where the settings page does
	HTTP    *http.Client  // fetches what proves a notification of Amazon; nil: one of our own
}

// Handler is what a feature does about a report on one of its deliveries, in the transaction of everything else that follows. It
// returns what it did, one of models.EffectSuppressed and so on, or "".
type Handler func(ctx context.Context, tx *gorm.DB, d models.Delivery, r models.InboundReport) (effect string, err error)

// Answer is what somebody wrote back to a mail that carried another person's words.
type Answer struct {
	Text      string // "" for a machine's
	Automatic bool
	Raw       []byte // the whole mail: what tells it from others
}

// Reader is what a feature does with an answer, in the transaction of everything else: it passes it on to whom it is for. It returns
// whether it did.
type Reader func(ctx context.Context, tx *gorm.DB, d models.Delivery, a Answer) (passed bool, err error)

// Service reads what comes back. It is safe for concurrent use once all handlers are registered.
type Service struct {
	Options
	handlers map[string]Handler
	readers  map[string]Reader
	proofs   proofs
}

// New makes the service.
func New(o Options) *Service {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.HTTP == nil {
		o.HTTP = outside()
	}
	return &Service{Options: o, handlers: map[string]Handler{}, readers: map[string]Reader{}}
}

// Register adds what a feature does about reports on a kind of delivery; the kind "" stands for all that nobody registered. At start
// only.
func (s *Service) Register(kind string, h Handler) {
	if _, twice := s.handlers[kind]; twice {
		panic("inbound: two handlers for " + kind)
	}
	s.handlers[kind] = h
}

// RegisterReader has answers to a kind of delivery read: they are for somebody else than the organisation. At start only.
func (s *Service) RegisterReader(kind string, r Reader) {
	if _, twice := s.readers[kind]; twice {
		panic("inbound: two readers for " + kind)
	}
	s.readers[kind] = r
}

// Result is what became of one mail.
type Result string

// The results.
const (
	Done      Result = "done"      // believed, and followed
	Twice     Result = "twice"     // known already
	Held      Result = "held"      // waits until somebody looked
	Passed    Result = "passed"    // an answer that was passed on to whom it is for
	Unmatched Result = "unmatched" // about none of our deliveries: nothing was kept
)

// Take reads one mail as it came, from a source (models.SourceIMAP, ...). Nobody's right is asked for: the mark is the proof.
func (s *Service) Take(ctx context.Context, source string, raw []byte) (Result, error) {
	return s.take(ctx, source, mailer.ReadReturned(raw), raw)
}

// acting are the classes that have consequences: these are counted by the hour.
var acting = []string{
	string(mailer.BounceHard), string(mailer.BounceSoft), string(mailer.BouncePolicy), string(mailer.BounceOurs), string(mailer.Complaint), string(mailer.StopReply),
}

// take is Take for what was read already. raw is nil where there is no mail, but a call that speaks of one.
func (s *Service) take(ctx context.Context, source string, back mailer.Returned, raw []byte) (Result, error) {
	id := uuid.Nil
	for _, mark := range back.Marks {
		if found, err := s.Signer.Read(tokens.Message, mark, s.Clock.Now()); err == nil {
			id = found
			break
		}
	}
	if id == uuid.Nil {
		return Unmatched, nil
	}
	out := Unmatched
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		out = Unmatched
		now := s.Clock.Now()
		d, err := held(ctx, tx, id)
		if err != nil || d.ID == uuid.Nil || d.Attempt == 0 {
			return err
		}
		r := models.InboundReport{
			ID: models.NewID(), DeliveryID: d.ID, Class: string(back.Class), Status: back.Status, Diagnostic: back.Diagnostic, Source: source, State: models.ReportHeld,
			ReceivedAt: now,
		}
		if d.MailboxID != uuid.Nil {
			r.MailboxID = &d.MailboxID
		} else {
			r.Diagnostic = "" // of somebody who was erased nothing is kept
		}
		n, err := lately(ctx, tx, now)
		if err != nil {
			return err
		}
		written, err := database.InsertNew(tx, []models.InboundReport{r}, "ON CONFLICT (delivery_id, class) DO NOTHING")
		if err != nil || !written[r.ID] {
			out = Twice
			if err == nil {
				err = s.pass(ctx, tx, d, back.Class, raw, &out) // somebody may answer more than once
			}
			return err
		}
		if contains(acting, r.Class) && n >= s.PerHour {
			out = Held
			return nil
		}
		out = Done
		if err := s.follow(ctx, tx, d, r, now); err != nil {
			return err
		}
		return s.pass(ctx, tx, d, back.Class, raw, &out)
	})
	return out, err
}

// pass gives an answer to who reads those of a kind of delivery.
func (s *Service) pass(ctx context.Context, tx *gorm.DB, d models.Delivery, class mailer.Class, raw []byte, out *Result) error {
	read := s.readers[d.Kind]
	if read == nil || raw == nil || class != mailer.Reply && class != mailer.StopReply && class != mailer.AutoReply {
		return nil
	}
	a := Answer{Automatic: class == mailer.AutoReply, Raw: raw}
	if !a.Automatic {
		a.Text = mailer.ReadAnswer(raw).Text
	}
	passed, err := read(ctx, tx, d, a)
	if passed {
		*out = Passed
	}
	return err
}

// held reads a delivery and holds it until tx ends; none is no error.
func held(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Delivery, error) {
	var list []models.Delivery
	err := tx.WithContext(ctx).Clauses(locking).Where("id = ?", id).Find(&list).Error
	if err != nil || len(list) == 0 {
		return models.Delivery{}, err
	}
	return list[0], nil
}

// lately counts the reports with consequences of the last hour.
func lately(ctx context.Context, tx *gorm.DB, now time.Time) (int, error) {
	var n int64
	err := tx.WithContext(ctx).Model(&models.InboundReport{}).Where("received_at > ? AND class IN ? AND state <> ?", now.Add(-time.Hour), acting, models.ReportDropped).Count(&n).Error
	return int(n), err
}
