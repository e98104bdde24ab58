// Package demo makes the sample world: an invented coalition whose petition has been running for six weeks, so that a
// newcomer finds a site that is alive.
//
// The rules: everything is done by the operations that the pages call, in the order of its time, with the clock standing
// where it happened; not one row is written past them. Everybody is invented, every address is at example.org. The same
// seed makes the same world, moved so that it ends at the given moment: the hearing that people speak of is always some
// weeks ahead.
//
// What is shortened: nobody sits there for six weeks, so most confirmation mails of the past are never made. Whoever
// confirms does so by the same link that the mail would have held, right after signing; the mail is then not wanted any
// more and ends as expired. Those of the newest signers and of everybody who has not confirmed yet are made and delivered.
//
// A database tells by its audit log whether a sample world was begun and finished in it: see Look.
package demo

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/divisions"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/events"
	"kithline/campaigns/forms"
	"kithline/campaigns/imports"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/campaigns/mailings"
	"kithline/campaigns/meetings"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/campaigns/rosters"
	"kithline/campaigns/segments"
	"kithline/campaigns/supporters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/users"
	"kithline/campaigns/volunteers"
	"kithline/models"
	"kithline/models/database"
)

// Services are the operations by which the world is made. All are needed, and all must tell the time by the clock that
// Build moves. Nothing else may work on the database meanwhile.
type Services struct {
	DB           *database.DB
	Signer       *tokens.Signer
	Organisation *organisation.Service
	Users        *users.Service
	Petitions    *petitions.Service
	Posts        *posts.Service
	Imports      *imports.Service
	Mailings     *mailings.Service
	Deliveries   *deliveries.Service
	Chapters     *chapters.Service
	Divisions    *divisions.Service
	Legislators  *legislators.Service
	Supporters   *supporters.Service
	Consents     *consents.Service
	Forms        *forms.Service
	Waiting      *confirmations.Service
	Segments     *segments.Service
	Duplicates   *duplicates.Service
	Letters      *letters.Service
	Rosters      *rosters.Service
	Volunteers   *volunteers.Service
	Events       *events.Service
	Meetings     *meetings.Service

	Deliverability *deliverability.Service
}

// What the audit log says of a sample world.
const (
	begun    = "demo.begin"
	finished = "demo.finish"
)

// Standing is what a database is to the demo.
type Standing int

// The standings.
const (
	Empty      Standing = iota // nobody set anything up: a world can be made here
	Finished                   // holds a whole sample world
	Unfinished                 // the making of one was broken off
	Foreign                    // was set up by somebody: not ours to touch
)

// Look tells what a database with a schema is to the demo. It changes nothing.
func Look(ctx context.Context, db *database.DB) (Standing, error) {
	var actions []string
	err := db.WithContext(ctx).Model(&models.AuditEntry{}).Where("action IN ?", []string{begun, finished}).Distinct().Pluck("action", &actions).Error
	switch {
	case err != nil:
		return Foreign, err
	case slices.Contains(actions, finished):
		return Finished, nil
	case len(actions) > 0:
		return Unfinished, nil
	}
	var used int64
	for _, row := range []any{&models.User{}, &models.Petition{}, &models.Mailbox{}, &models.AuditEntry{}} {
		if err := db.WithContext(ctx).Model(row).Limit(1).Count(&used).Error; err != nil || used > 0 {
			return Foreign, err
		}
	}
	return Empty, nil
}

// Owner returns the account that sees everything in a finished world.
func Owner(ctx context.Context, s *users.Service) (uuid.UUID, error) {
	list, err := s.List(ctx, actor.TheSystem())
	if err != nil {
		return uuid.Nil, err
	}
	for _, u := range list {
		if u.Role == actor.Owner && u.DisabledAt == nil {
			return u.ID, nil
		}
	}
	return uuid.Nil, fmt.Errorf("demo: the world has no owner")
}

// Build makes the world in an empty database, so that it ends at now, where clk then stands. Mails go out by the way that
// Deliveries was given: one that keeps them. progress, which may be nil, is told how many of the signatures there are. An
// error leaves the database unfinished.
func Build(ctx context.Context, s Services, w World, clk *clock.Fixed, now time.Time, progress func(done, total int)) error {
	standing, err := Look(ctx, s.DB)
	if err != nil {
		return err
	}
	if standing != Empty {
		return fmt.Errorf("demo: the database is not empty")
	}
	b := &builder{
		Services: s, w: w, clk: clk, now: clock.Trim(now), rnd: rand.New(rand.NewPCG(w.Seed, w.Seed)), progress: progress, actors: map[string]actor.Actor{},
		chapters: map[string]uuid.UUID{}, fields: map[string]uuid.UUID{}, segments: map[string]uuid.UUID{},
	}
	if err := b.plan(); err != nil {
		return err
	}
	slices.SortStableFunc(b.diary, func(x, y entry) int { return x.at.Compare(y.at) })
	for _, e := range b.diary {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.forward(e.at)
		if err := e.do(ctx); err != nil {
			return fmt.Errorf("demo: %s: %w", e.what, err)
		}
	}
	b.forward(b.now)
	return b.mark(ctx, finished)
}

// builder holds what was made so far.
type builder struct {
	Services
	w        World
	clk      *clock.Fixed
	now      time.Time
	zone     *time.Location
	start    time.Time // midnight of the day the petition opened, in zone
	facts    dates
	rnd      *rand.Rand
	progress func(done, total int)

	diary  []entry
	actors map[string]actor.Actor // by the id of a person in the story

	petition models.Petition
	letters  letters.Campaign
	mailing  uuid.UUID // the one that was sent
	twice    *person   // who signed and joins once more, with another address
	form     models.Form
	chapters map[string]uuid.UUID // by slug
	fields   map[string]uuid.UUID // by name
	segments map[string]uuid.UUID // by the key in the story
	topics   []uuid.UUID
	partner  uuid.UUID
	done     int
	judge    []judgement // comments that nobody has read yet
}

// entry is one thing that happened.
type entry struct {
	at   time.Time
	what string
	do   func(context.Context) error
}

// note puts something into the diary. What would lie ahead of the end of the world does not happen.
func (b *builder) note(at time.Time, what string, do func(context.Context) error) {
	if !at.After(b.now) {
		b.diary = append(b.diary, entry{clock.Trim(at), what, do})
	}
}

// forward moves the clock; it never goes back.
func (b *builder) forward(to time.Time) {
	if to.After(b.clk.Now()) {
		b.clk.Set(to)
	}
}

func (b *builder) mark(ctx context.Context, action string) error {
	return b.DB.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, actor.TheSystem(), b.clk.Now(), action, "organisations", organisation.ID, map[string]any{"signatures": b.done})
	})
}

// day is a time of a day in the coalition's own zone; day 0 is the one on which the petition opened.
func (b *builder) day(n, hour, minute int) time.Time {
	y, m, d := b.start.Date()
	return time.Date(y, m, d+n, hour, minute, 0, 0, b.zone)
}

// deliver lets go what is due.
func (b *builder) deliver(ctx context.Context) error {
	_, err := b.Deliveries.Drain(ctx)
	return err
}

// atOnce is how many people do something at the same moment: enough that they share a commit.
const atOnce = 64

// together runs do for each number below n, several at once, and returns the first error.
func together(n int, do func(i int) error) error {
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(n, atOnce) {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					once.Do(func() { first = err })
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}
