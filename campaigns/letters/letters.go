// Package letters asks constituents to write to those who decide about them, in their own words, and carries what they wrote to the right
// office.
//
// The rules:
//
//   - A letter campaign has one clear ask, rules that say who is written to, and points that a letter may make. An advocate proposes one, an
//     organizer publishes it.
//   - A letter is its writer's own: points they tick, in an order by chance, and a box for their own words. Nothing is generated, nothing is
//     reworded, and nobody judges how words were made.
//   - No letter leaves with more than one candidate for a seat: the writer says which district is theirs, or writes to those alone whom
//     the whole state elects.
//   - The confirmation mail has the full letter to each recipient. What its button confirms is exactly what goes out; a change needs a new
//     confirmation. One letter a person, campaign and recipient.
//   - Letters whose own words are nearly those of another wait for a person, and are never dropped in silence; after three days the writer
//     is told.
//   - How a letter travels is chosen when it goes, from the term in force (dispatch.go). A letter that needs its writer's hand is never called
//     sent. To whom has left, nothing goes without a new yes.
//   - A letter is an opinion with a home address: it is sealed, and what it says goes 28 days after it was closed, unless the writer keeps it.
//
// The operations are the methods of Service. Who may do what stands at each.
package letters

import (
	"context"
	"log/slog"

	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/abuse"
	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models/database"
)

// Options of a Service. All are needed but Guard.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	BaseURL      string                                                           // of the site, without a slash at the end: for links in mails
	Words        func(lang, key string, args ...any) string                       // translates a locale key
	Enqueue      func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error // inserts a job in tx
	Log          *slog.Logger
	Guard        *abuse.Service // judges what strangers send; nil judges nobody
}

// Service holds the operations on letter campaigns, letters and dispatches. It is safe for concurrent use.
type Service struct {
	Options
}

// New makes the service. Register its renderers, jobs and sources before it is used.
func New(o Options) *Service { return &Service{Options: o} }
