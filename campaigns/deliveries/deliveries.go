// Package deliveries is the outbox: every mail that Kithline sends is first a row here, inserted in the transaction of what
// it tells about, and sent afterwards by whichever node is up. Nothing that was accepted for sending is lost by a crash, and
// what may arrive twice is bounded:
//
//   - A node reads what is due and takes it from nobody. A row is committed as "sending", for the length of a lease that the node keeps
//     renewing, before its first byte is on the wire, two rows a connection at most; the server's answer is recorded right after. Of
//     two nodes that have read a row, the one that commits that first has it.
//   - A sending row whose node died is "unknown": nobody recorded the answer. Receipts are then sent again under the same Message-ID,
//     everything else is parked until somebody decides.
//   - Every change of state names the attempt it belongs to, so a node that stood still past its lease changes nothing that
//     another node has taken over. Leases are measured by the database's clock.
//   - A delivery that is not a receipt needs a consent for its purpose: a trigger refuses the row, and the same question is
//     asked again in the statement that puts it on the wire.
//
// A row holds no address, text or token. The address is opened and the text rendered when the mail goes.
package deliveries

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// topic is announced by every transaction that leaves something to send.
const topic = "deliveries"

// New is a mail to be sent.
type New struct {
	ID        uuid.UUID // made when it is zero
	Kind      string    // which Renderer or Batch makes it
	MailboxID uuid.UUID
	SubjectID uuid.UUID // what it is about
	Purpose   models.Purpose
	ScopeID   uuid.UUID
	MailingID *uuid.UUID
	DedupeKey string // the same key is never sent twice
	Priority  int
	OnUnknown models.OnUnknown
	NotBefore time.Time // zero = now
	ExpiresAt *time.Time
}

// Row is the row of a new delivery: for code that inserts many at once. Everybody else calls Insert.
func (n New) Row(now time.Time) models.Delivery {
	d := models.Delivery{
		ID: n.ID, Kind: n.Kind, MailboxID: n.MailboxID, SubjectID: n.SubjectID, MailingID: n.MailingID, Purpose: n.Purpose, ScopeID: n.ScopeID,
		DedupeKey: n.DedupeKey, Priority: n.Priority, State: models.DeliveryQueued, OnUnknown: n.OnUnknown, NotBefore: n.NotBefore,
		ExpiresAt: n.ExpiresAt, CreatedAt: now, UpdatedAt: now,
	}
	if d.ID == uuid.Nil {
		d.ID = models.NewID()
	}
	if d.NotBefore.IsZero() {
		d.NotBefore = now
	}
	return d
}

// Insert queues a mail in tx. It reports false when the dedupe key was used before. Without a consent for the purpose it
// returns a Forbidden fault, error.no_consent; on PostgreSQL the transaction is then lost.
func Insert(ctx context.Context, tx *gorm.DB, n New, now time.Time) (inserted bool, err error) {
	d := n.Row(now)
	r := tx.WithContext(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "dedupe_key"}}, DoNothing: true}).Create(&d)
	if database.NoConsent(r.Error) {
		return false, fault.Because(r.Error, fault.Forbidden, "error.no_consent")
	}
	if r.Error != nil {
		return false, r.Error
	}
	Wake(tx)
	return r.RowsAffected == 1, nil
}

// Wake tells the senders of this process, once tx is committed, that there is something to do.
func Wake(tx *gorm.DB) { database.AnnounceHere(tx, topic) }

// Sender is the way out as it is set just now.
type Sender struct {
	Transport   mailer.Transport // nil: no way out is set; mail waits in its rows
	Connections int
	Letterhead  mailer.Letterhead
	FromName    string
	FromAddress string
	ReplyTo     string
	ListDomain  string // of List-Id
	// BounceAddress is where mail servers send what cannot be delivered, "" for FromAddress: "bounces@example.org" becomes
	// "bounces+TOKEN@example.org", so that what comes back tells which delivery it is about.
	BounceAddress string
	Zone          *time.Location // of whoever has none of their own, for quiet hours; nil = UTC
	DKIM          []*mailer.DKIM // what signs each mail, in this order; none = nothing does
	Offices       Offices
}

// Offices says where letters to offices go: nobody in office gets one from a server that is only tried out. The zero value sends none.
type Offices struct {
	Live     bool   // to the offices
	Redirect string // else to this address; "": they wait
}

// Options of a Service.
type Options struct {
	Sender func(context.Context) (Sender, error) // asked for every batch: settings may change while the program runs
	Log    *slog.Logger
	Lease  time.Duration                                // 0 = one minute
	Poll   time.Duration                                // how often to look for the rows of other nodes; 0 = one second
	Limits func(context.Context) (models.Limits, error) // asked for every batch too; nil = none
	Busy   func()                                       // called when mail to many begins to go out, may be nil
}

// Service sends what is in the outbox.
type Service struct {
	db     *database.DB
	vault  *vault.Vault
	clk    clock.Clock
	signer *tokens.Signer
	words  *mailer.Renderer
	opt    Options
	node   string // of this process: a new one at every start, so that nobody mistakes the rows of its last life for its own
	mu     sync.RWMutex
	render map[string]Batch
	flight map[uuid.UUID]struct{} // rows this process is at work on
	frames map[frameKey]*mailer.Frame
	brakes brakes
	health atomic.Pointer[Health]
}

// Health is how the way out is doing, for the organizer's first page and for monitoring.
type Health struct {
	Key   string // what is wrong: the kind of a mailer.Failure, or mail.no_transport; "" = nothing
	Since time.Time
}

// NewService makes the outbox. Nothing is sent before Run.
func NewService(db *database.DB, v *vault.Vault, clk clock.Clock, signer *tokens.Signer, words *mailer.Renderer, o Options) *Service {
	if o.Lease == 0 {
		o.Lease = time.Minute
	}
	if o.Poll == 0 {
		o.Poll = time.Second
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	s := &Service{db: db, vault: v, clk: clk, signer: signer, words: words, opt: o, node: hex.EncodeToString(b), render: map[string]Batch{}, flight: map[uuid.UUID]struct{}{}, frames: map[frameKey]*mailer.Frame{}}
	s.health.Store(&Health{})
	return s
}

// Health says how the way out is doing on this node.
func (s *Service) Health() Health { return *s.health.Load() }

func (s *Service) setHealth(key string) {
	if s.Health().Key != key {
		s.health.Store(&Health{Key: key, Since: s.clk.Now()})
	}
}

// Waiting counts the mails that are to go out now or later, and tells since when the oldest of those that are due waits.
func (s *Service) Waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var count int64
	var first []time.Time
	for _, part := range []string{
		"mailing_id IS NULL AND ended = FALSE", "mailing_id IS NOT NULL AND ended = FALSE",
	} { // each is answered by an index
		var k int64
		q := s.db.WithContext(ctx).Model(&models.Delivery{}).Where(part)
		if err := q.Count(&k).Error; err != nil {
			return 0, oldest, err
		}
		if count += k; k == 0 {
			continue
		}
		var at []time.Time
		if err := s.db.WithContext(ctx).Model(&models.Delivery{}).Where(part).Order("not_before").Limit(1).Pluck("not_before", &at).Error; err != nil {
			return 0, oldest, err
		}
		first = append(first, at...)
	}
	if len(first) > 0 {
		oldest = slices.MinFunc(first, time.Time.Compare)
	}
	return int(count), oldest, nil
}

// Outbox is the folder of captured mails, in demo and development.
type Outbox = mailer.Capture

// Counts tells how many deliveries are in each state.
func (s *Service) Counts(ctx context.Context) (map[models.DeliveryState]int64, error) {
	var rows []struct {
		State models.DeliveryState
		N     int64
	}
	err := s.db.WithContext(ctx).Model(&models.Delivery{}).Select("state, count(*) AS n").Group("state").Scan(&rows).Error
	out := map[models.DeliveryState]int64{}
	for _, r := range rows {
		out[r.State] = r.N
	}
	return out, err
}
