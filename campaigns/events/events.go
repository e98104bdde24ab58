// Package events is what people can come to: once, or again and again by a rule.
//
// The rules:
//
//   - An event is a draft, published, cancelled or closed. It says what is known of access, point by point; what nobody knows is said to be
//     not known. It is published once that was looked at, and once it says how to join from home or by telephone, or why nobody can.
//   - Its times are those of a clock on its wall: an event at 18:30 is at 18:30 on both sides of a clock change. A rule of RFC 5545 says when
//     it comes again; single dates can be moved, be off, or be added.
//   - Whoever comes needs no account. What a form says waits until the address is confirmed. The answer is the same for every address.
//   - How to join is for those alone who are registered.
//   - Where places are limited, those of a hybrid event are the ones in the room. A form that is not confirmed keeps a place for 30 minutes.
//     Whoever finds no place may wait. When one comes free it is kept for some hours for who waits longest, who gets a mail.
//   - Whoever cannot come says so in one press. That deletes their registration, and nothing is counted or kept of it. 30 days after a date
//     every registration for it goes too.
//   - What somebody needs to take part is sealed, read by the event's access contact alone, by the place only with the person's yes for that
//     note, and gone with the registration.
//
// The operations are the methods of Service. Who may do what stands at each.
package events

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/abuse"
	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed but Guard.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	BaseURL      string                                           // of the site, without a slash at the end: for links in mails and calendars
	Words        func(lang, key string, args ...any) string       // translates a locale key
	Day          func(lang string, t time.Time) string            // a day in words, with its day of the week, where t has its zone
	Limits       func(ctx context.Context) (models.Limits, error) // when it is quiet
	Log          *slog.Logger
	Guard        *abuse.Service             // judges what strangers send; nil judges nobody
	FeedURL      func(box uuid.UUID) string // the calendar of what a mailbox's people come to and hold; nil: there is none
}

// Service holds the operations on events and who comes to them. It is safe for concurrent use.
type Service struct{ Options }

// New makes the service. Register its renderers, jobs and sources before it is used.
func New(o Options) *Service { return &Service{o} }

// Topic is announced when what public pages say of events changed.
const Topic = "events"

const (
	purposeNeeds models.Purpose = "access" // what the words beside the box for needs are about
	keepFor                     = 30 * 24 * time.Hour
)

// Kinds and Venues list what an event can be and where.
var (
	Kinds  = []models.EventKind{models.EventSupportGroup, models.EventAdvocacyDay, models.EventClass, models.EventCourse, models.EventQA, models.EventSocial}
	Venues = []models.EventVenue{models.VenueOnline, models.VenueHybrid, models.VenueOnsite, models.VenuePhone}
)

func unknown() error { return fault.New(fault.NotFound, "error.event_unknown") }

func take(ctx context.Context, tx *gorm.DB, where string, args ...any) (models.Event, error) {
	var e models.Event
	err := tx.WithContext(ctx).Where(where, args...).Take(&e).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	return e, err
}

var forUpdate = clause.Locking{Strength: "UPDATE"}

// hold takes an event for the rest of tx: whoever takes one of its places or lets one go waits here.
func hold(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Event, error) {
	return take(ctx, tx.Clauses(forUpdate), "id = ?", id)
}

// mine is an event that an actor works on. It needs actor.ManageRosters; one of another chapter is unknown.
func mine(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Event, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return models.Event{}, err
	}
	e, err := take(ctx, tx, "id = ?", id)
	if err == nil && !chapters.May(a, e.ChapterID) {
		err = unknown()
	}
	return e, err
}

// datesOf reads what is different about the dates of events.
func datesOf(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) (map[uuid.UUID][]models.EventDate, error) {
	out := map[uuid.UUID][]models.EventDate{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []models.EventDate
	if err := database.FindIn(tx.WithContext(ctx).Order("original_at, id"), "event_id", ids, &rows); err != nil {
		return nil, err
	}
	for _, r := range rows {
		out[r.EventID] = append(out[r.EventID], r)
	}
	return out, nil
}

// Zone is the time zone of an event.
func Zone(e models.Event) *time.Location {
	z, err := time.LoadLocation(e.TimeZone)
	if err != nil {
		return time.UTC
	}
	return z
}
