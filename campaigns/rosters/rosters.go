// Package rosters is places that people take, and what happens when somebody cannot come.
//
// The rules:
//
//   - A roster holds shifts: one thing to do in one role, with a minimum without which it cannot go ahead and places that are wanted. Each
//     says what it takes: minutes, energy, demands. Shifts of a team stand or fall together.
//   - Whoever takes a place needs no account. A place of an address that is not confirmed is kept for 30 minutes.
//   - Whoever holds a place can let it go until it begins, in two presses, without a reason. That deletes their assignment: the shift keeps
//     that a place came free, not whose. When a shift is settled all its assignments are deleted, so nobody can be told by having let go.
//   - When a place comes free somebody is asked by itself: the understudy, the standbys in their order, then people who offered time; only in
//     hours that they agreed to, for what fits what they planned, and nobody twice for one shift. The first yes wins. Nobody is ever put on
//     a shift without a yes of their own.
//   - What nobody took stands on a list for a person with a telephone.
//
// The operations are the methods of Service. Who may do what stands at each.
package rosters

import (
	"context"
	"log/slog"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed but Enqueue, Limits, Guard, Consents and Answers.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	BaseURL      string                                                           // of the site, without a slash at the end: for links in mails
	Words        func(lang, key string, args ...any) string                       // translates a locale key
	Day          func(lang string, t time.Time) string                            // writes a day with its weekday, in the zone of t
	Enqueue      func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // inserts a job in tx; nil: what is to be done at once waits for the next sweep
	Limits       func(ctx context.Context) (models.Limits, error)                 // of mails, for the quiet hours; nil: models.DefaultLimits
	Answers      func(ctx context.Context) (string, error)                        // the address at which answers are read, "" for none; nil: none is
	Log          *slog.Logger
	Guard        *abuse.Service    // judges what strangers send; nil judges nobody
	Consents     *consents.Service // the words of what people may agree to beside; nil: nothing
	// Dates adds to a mailbox's own calendar what its people come to beside; nil: nothing.
	Dates func(ctx context.Context, box uuid.UUID, c *ics.Calendar) error
}

// Service holds the operations on rosters, shifts and who takes them. It is safe for concurrent use.
type Service struct {
	Options
}

// New makes the service. Register its renderers, jobs and sources before it is used.
func New(o Options) *Service { return &Service{Options: o} }
