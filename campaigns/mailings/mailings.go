// Package mailings is mail to many: an organizer writes to the confirmed signers of a petition who agreed to updates on its
// campaign, or to whoever agreed to the newsletter, as a whole or to one of its topics. A segment narrows either, and so does
// the chapter of whoever wrote it: a mailing of a chapter never reaches anybody else's people.
//
// Each person gets one copy, however many of their addresses agreed: at the address that was verified first. Who paused all
// mail is left out; newsletters leave out who wants them less often and got one lately.
//
// A mailing is a draft until it is sent, or scheduled for a time. Then its audience is frozen: one statement inserts a delivery for
// each person who may be mailed at that moment, at most one for a mailbox, and from then on the deliveries are the truth: nobody is
// added, unless an organizer sends it to those who came later, and who leaves the list before their mail is on the wire is suppressed. The trigger of the deliveries table refuses
// a row without consent, whatever this package does.
//
// The words are Markdown with blocks and merge fields, or HTML that the organisation brings, in one language or several; each
// person gets the version in their own language, or the first one. They are compiled once for each revision; for each person
// only values are put in, see texts.go, blocks.go, htmlin.go, merge.go and compile.go. What was saved is kept as revisions, and
// a text can be kept as a template. Before a mailing goes out it is looked at (checks.go), by a second person too where many
// would get it (approve.go). One that is public can be read on the site once it went out (archive.go).
//
// States: draft, scheduled, freezing, sending, paused, finished; cancelled when somebody stopped it for good. A mailing is finished once
// none of its deliveries is queued, sending or deferred. Deliveries whose fate is unknown after a crash are parked
// until an organizer decides about all of them at once.
package mailings

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// Words are what a mailing needs of the locale files: app/web has all three.
type Words struct {
	Text   func(lang, key string, args ...any) string
	Date   func(lang string, t time.Time) string
	Number func(lang string, n int64) string
}

// Options of a Service. All are needed but for the functions that say so.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	Mail         *mailer.Renderer
	Sender       func(context.Context) (deliveries.Sender, error)                 // the letterhead of previews, as the outbox asks for it
	Enqueue      func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // jobs.Client.Enqueue
	BaseURL      string                                                           // of the site, without a slash at the end
	Words        Words
	Files        *files.Service

	// Domain looks at what the sending domain shows to mail servers (DKIM, SPF, DMARC), as checks before sending. May be nil.
	Domain func(context.Context) []Check
	// ApproveAbove says how many people a mailing may reach without a second person's yes; 0 for any number. May be nil: any number.
	ApproveAbove func(context.Context) (int, error)
	// Quiet says from which minute of the day to which, where the person is, no mailing goes out; equal minutes, or nil: always.
	Quiet func(ctx context.Context) (from, to int, err error)
	// CountEvery is how old the numbers of a report may be: all who look share one count. 0 counts each time.
	CountEvery time.Duration
}

// Service writes, sends and reports mailings, and ends subscriptions. It is safe for concurrent use.
type Service struct {
	Options
	mu         sync.Mutex
	ready      map[uuid.UUID]*loaded
	headcounts map[uuid.UUID]headcount

	counts  kept[counted] // of deliveries
	results kept[results] // what came of mailings

	stoppers map[string]Stopper // by the kind of delivery
}

// New makes the service. Register its renderers, workers and periodic job before mail is sent.
func New(o Options) *Service {
	return &Service{Options: o, ready: map[uuid.UUID]*loaded{}, headcounts: map[uuid.UUID]headcount{}, stoppers: map[string]Stopper{}}
}

// Kinds of the deliveries of this package.
const (
	KindMailing = "mailing"      // one copy to one person
	KindTest    = "mailing_test" // to whoever writes it
)

// Register says how the mails of this package are made. At start only.
func (s *Service) Register(out *deliveries.Service) {
	out.HandleBatch(KindMailing, s.Render)
	out.Handle(KindTest, s.RenderTest)
}

var errUnknown = fault.New(fault.NotFound, "error.mailing_unknown")

// find reads a mailing. The error is a NotFound fault for an unknown id.
func find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Mailing, error) {
	var m models.Mailing
	err := tx.WithContext(ctx).Take(&m, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return m, errUnknown
	}
	return m, err
}

// seen is find for an actor: a mailing of another chapter is as unknown as one that does not exist.
func seen(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Mailing, error) {
	m, err := find(ctx, tx, id)
	if err == nil && !chapters.May(a, m.ChapterID) {
		return models.Mailing{}, errUnknown
	}
	return m, err
}

// Get returns a mailing. It needs the right actor.WriteMailing, and returns a NotFound fault for an unknown id.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Mailing, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return models.Mailing{}, err
	}
	return seen(ctx, s.DB.DB, a, id)
}

// Row is a mailing in the list.
type Row struct {
	models.Mailing
	Petition string // its title; "" for a newsletter
	Topic    string // of a newsletter; "" for the whole
	Segment  string // its name; "" for none
	Sent     int
}

// List returns the mailings, newest first. It needs the right actor.WriteMailing.
func (s *Service) List(ctx context.Context, a actor.Actor, c paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return paging.Page[Row]{}, err
	}
	q := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !c.First() {
		q = q.Where("(created_at, id) < (?, ?)", c.At, c.ID)
	}
	var found []models.Mailing
	if err := q.Find(&found).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	ids := make([]uuid.UUID, len(found))
	for i, m := range found {
		ids[i] = m.ID
	}
	titles, err := s.named(ctx, "petitions", "title", found, func(m models.Mailing) *uuid.UUID { return m.PetitionID })
	if err != nil {
		return paging.Page[Row]{}, err
	}
	topics, err := s.named(ctx, "topics", "name", found, topicOf)
	if err != nil {
		return paging.Page[Row]{}, err
	}
	narrower, err := s.named(ctx, "segments", "name", found, func(m models.Mailing) *uuid.UUID { return m.SegmentID })
	if err != nil {
		return paging.Page[Row]{}, err
	}
	var sent []struct {
		MailingID uuid.UUID
		N         int
	}
	if err := s.DB.WithContext(ctx).Model(&models.Delivery{}).Select("mailing_id, count(*) AS n").
		Where("mailing_id IN ? AND state = ?", ids, models.DeliverySent).Group("mailing_id").Scan(&sent).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	rows := make([]Row, len(found))
	for i, m := range found {
		rows[i] = Row{Mailing: m, Petition: titles[m.ID], Topic: topics[m.ID], Segment: narrower[m.ID]}
		for _, n := range sent {
			if n.MailingID == m.ID {
				rows[i].Sent = n.N
			}
		}
	}
	return paging.Cut(rows, paging.Size, func(r Row) paging.Cursor { return paging.Cursor{At: r.CreatedAt, ID: r.ID} }), nil
}

// topicOf is the topic that a newsletter is about, nil for the whole and for everything else.
func topicOf(m models.Mailing) *uuid.UUID {
	if m.Purpose != models.PurposeNewsletter || m.ScopeID == uuid.Nil {
		return nil
	}
	return &m.ScopeID
}

// named reads what the rows are called that mailings point to, by the mailing's id.
func (s *Service) named(ctx context.Context, table, column string, list []models.Mailing, of func(models.Mailing) *uuid.UUID) (map[uuid.UUID]string, error) {
	var ids []uuid.UUID
	for _, m := range list {
		if id := of(m); id != nil {
			ids = append(ids, *id)
		}
	}
	out := map[uuid.UUID]string{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []struct {
		ID   uuid.UUID
		Name string
	}
	if err := s.DB.WithContext(ctx).Table(table).Select("id, "+column+" AS name").Where("id IN ?", ids).Scan(&rows).Error; err != nil {
		return nil, err
	}
	for _, m := range list {
		for _, r := range rows {
			if id := of(m); id != nil && *id == r.ID {
				out[m.ID] = r.Name
			}
		}
	}
	return out, nil
}
