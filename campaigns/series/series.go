// Package series takes people through steps, each in their own time: a mail on the day they joined, another three days later,
// a tag at the end.
//
// The rules:
//
//   - A series is for a purpose and scope, as a mailing is, and takes only people who agreed to exactly that; a series of a chapter
//     takes that chapter's people only. Whoever takes the yes back, bounces, or moves to another chapter leaves it, and so does who reached a goal; it is noticed when their next step
//     is due.
//   - A trigger brings people in: they signed, joined, filled in a form, got a tag, or a day came. Only those come in whom the trigger
//     met after the series went live, or so many days before as the organizer said. Signing knows nothing of series: what happened is
//     read from the rows that are there anyway, from where the last look ended; the last minutes are always read again, since a
//     transaction may commit late, and now and then everything is compared.
//   - A person is in a series once: one row, which names the step that comes next. Moving on is one change of that row, in the transaction
//     that writes the mail or the tag; so a crash neither repeats a step nor loses anybody. After leaving they come again only
//     where the series says after how many days.
//   - The steps are a line: wait, mail, put a tag on, take one off. A row names its step by id, so steps can be added, moved and removed
//     while people are under way: they stay where they are. Whoever stood at a step that is removed goes on with the next; nobody gets a
//     step twice that they had.
//   - Waits count from the moment the step before was done, in the person's time zone; days keep the time of day over a change of
//     the clocks. No mail goes in the quiet hours of that zone. Who paused their mail waits; who wants newsletters less often
//     gets these less often too.
//   - A paused series stands still, and all waits with it: after going on, everybody has as long to wait as they had. Ending is for good.
//   - The mails are rows in deliveries, which ask for the consent once more on the wire. One that could not leave for five days does not
//     leave any more.
//
// Any number of nodes may do the work at once.
package series

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/paging"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed.
type Options struct {
	DB           *database.DB
	Clock        clock.Clock
	Organisation *organisation.Service
	Mailings     *mailings.Service                                                       // checks, compiles and fills in the mails
	Open         func(table, column string, id uuid.UUID, sealed []byte) (string, error) // vault.Vault.Open
}

// Service writes series, moves people through them and reports. It is safe for concurrent use once all triggers are offered.
type Service struct {
	Options
	offered []models.SeriesTrigger
}

// New makes the service. Register its renderers and periodic job before it is used.
func New(o Options) *Service {
	return &Service{Options: o, offered: []models.SeriesTrigger{
		models.TriggerSigned, models.TriggerJoined, models.TriggerForm, models.TriggerTagged, models.TriggerDate, models.TriggerAnniversary,
	}}
}

// Kinds of the deliveries of this package.
const (
	KindSeries = "series"      // the mail of a step; the subject is the step
	KindTest   = "series_test" // to whoever writes it; the subject is the text
)

// Register says how the mails of this package are made. At start only.
func (s *Service) Register(out *deliveries.Service) {
	out.HandleBatch(KindSeries, s.Render)
	out.Handle(KindTest, s.RenderTest)
}

// Offer adds a trigger that a feature brings, at start only: series can then begin with it, and the feature calls Fire when it happens.
func (s *Service) Offer(t models.SeriesTrigger) { s.offered = append(s.offered, t) }

// Offers reports whether series can begin with a trigger.
func (s *Service) Offers(t models.SeriesTrigger) bool { return slices.Contains(s.offered, t) }

var (
	errUnknown = fault.New(fault.NotFound, "error.series_unknown")
	errStep    = fault.New(fault.NotFound, "error.series_step_unknown")
	errMoved   = fault.New(fault.Conflict, "error.series_moved")
	errChanged = fault.New(fault.Conflict, "error.series_changed")
)

// seen reads a series for an actor: one of another chapter is as unknown as one that does not exist.
func seen(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Series, error) {
	var sr models.Series
	err := tx.WithContext(ctx).Take(&sr, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) || err == nil && !chapters.May(a, sr.ChapterID) {
		return models.Series{}, errUnknown
	}
	return sr, err
}

// Get returns a series. It needs the right actor.WriteMailing, and returns a NotFound fault for an unknown id.
func (s *Service) Get(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Series, error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return models.Series{}, err
	}
	return seen(ctx, s.DB.DB, a, id)
}

// Row is a series in the list.
type Row struct {
	models.Series
	Active int // people under way
	Came   int // who ever came in
}

// List returns the series, newest first. It needs the right actor.WriteMailing.
func (s *Service) List(ctx context.Context, a actor.Actor, c paging.Cursor) (paging.Page[Row], error) {
	if err := a.Need(actor.WriteMailing); err != nil {
		return paging.Page[Row]{}, err
	}
	q := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Order("created_at DESC, id DESC").Limit(paging.Size + 1)
	if !c.First() {
		q = q.Where("(created_at, id) < (?, ?)", c.At, c.ID)
	}
	var found []models.Series
	if err := q.Find(&found).Error; err != nil {
		return paging.Page[Row]{}, err
	}
	ids, rows := make([]uuid.UUID, len(found)), make([]Row, len(found))
	for i, sr := range found {
		ids[i], rows[i] = sr.ID, Row{Series: sr}
	}
	var counts []struct {
		SeriesID uuid.UUID
		State    models.SeriesPersonState
		N        int
	}
	err := s.DB.WithContext(ctx).Model(&models.SeriesPerson{}).Select("series_id, state, count(*) AS n").Where("series_id IN ?", ids).
		Group("series_id, state").Scan(&counts).Error
	if err != nil {
		return paging.Page[Row]{}, err
	}
	for _, n := range counts {
		r := &rows[slices.Index(ids, n.SeriesID)]
		r.Came += n.N
		if n.State == models.SeriesActive {
			r.Active += n.N
		}
	}
	return paging.Cut(rows, paging.Size, func(r Row) paging.Cursor { return paging.Cursor{At: r.CreatedAt, ID: r.ID} }), nil
}
