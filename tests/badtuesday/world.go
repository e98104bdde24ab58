package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/pacing"
	"kithline/campaigns/rosters"
	"kithline/campaigns/vault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The size of the day.
const (
	people    = 46
	atHome    = 30 // stand by and hold nothing
	helpers   = 15 // offered time
	meetings  = 31
	letGo     = 12 // people who cannot come
	awayFor   = 40 * time.Minute
	quietFrom = 20 * 60 // of mails, where nobody set anything
	quietTo   = 9 * 60
)

// ground is a database with the organisation and the addresses of everybody, made once and copied for each morning.
type ground struct {
	dir   string
	file  []byte
	n     atomic.Int64
	words *mailer.Renderer
	zone  *time.Location
	v     *vault.Vault
	boxes []uuid.UUID // of p0, p1, ...
	text  uuid.UUID   // of the consent of those who offered time
}

func newGround(ctx context.Context) (_ *ground, err error) {
	g := &ground{v: vault.New(vault.NewKey())}
	if g.words, err = mailer.NewRenderer(); err != nil {
		return nil, err
	}
	if g.zone, err = time.LoadLocation("America/New_York"); err != nil {
		return nil, err
	}
	if g.dir, err = os.MkdirTemp("", "badtuesday"); err != nil {
		return nil, err
	}
	file := filepath.Join(g.dir, "ground.db")
	db, err := database.Open(ctx, database.Options{URL: file, Building: true})
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(g.dir))
	}
	err = migrations.Up(ctx, db)
	if err == nil {
		err = g.settle(ctx, db)
	}
	err = errors.Join(err, db.Exec("PRAGMA wal_checkpoint(TRUNCATE)").Error, db.Close())
	if err == nil {
		g.file, err = os.ReadFile(file)
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(g.dir))
	}
	return g, nil
}

func (g *ground) close() { _ = os.RemoveAll(g.dir) }

// when is a time of the day, in minutes after midnight.
func (g *ground) when(minutes int) time.Time { return time.Date(2027, 3, 9, 0, minutes, 0, 0, g.zone) }

// settle writes down what is the same on every morning.
func (g *ground) settle(ctx context.Context, db *database.DB) error {
	now := clock.Trim(g.when(6 * 60))
	org := organisation.New(db, g.v, clock.NewFixed(now))
	if _, err := org.Ensure(ctx); err != nil {
		return err
	}
	err := org.Update(ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Coalition", ShortName: "WC", LegalName: "Wennick Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", FromAddress: "hello@act.example.org",
		TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	})
	if err != nil {
		return err
	}
	for i := range people + atHome + helpers {
		m, err := mailboxes.Ensure(ctx, db.DB, g.v, address(i), now)
		if err != nil {
			return err
		}
		g.boxes = append(g.boxes, m.ID)
	}
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeVolunteering, Locale: "en", Version: 1, Body: "You may ask me", CreatedAt: now}
	g.text = text.ID
	return db.Create(&text).Error
}

func address(i int) string { return fmt.Sprintf("p%d@example.org", i) }

// copy opens a database of one morning; end takes it away.
func (g *ground) copy(ctx context.Context) (db *database.DB, end func() error, err error) {
	file := filepath.Join(g.dir, fmt.Sprintf("%d.db", g.n.Add(1)))
	if err := os.WriteFile(file, g.file, 0o600); err != nil {
		return nil, nil, err
	}
	if db, err = database.Open(ctx, database.Options{URL: file, Building: true, Connections: 4}); err != nil {
		return nil, nil, err
	}
	readOnce(db)
	return db, func() error {
		err := db.Close()
		for _, end := range []string{"", "-wal", "-shm"} {
			_ = os.Remove(file + end)
		}
		return err
	}, nil
}

// person is somebody of the day.
type person struct {
	box      uuid.UUID
	plan     pacing.Plan
	askFrom  int // who stands by: from then on that day
	byPhone  bool
	out      time.Time // when they find that they cannot come; zero: they can
	bad      bool      // they say that they have a bad time; else they let go of each thing by the link of its mail
	holds    []int     // shifts, at the start
	standsBy []int
	helper   *models.Volunteer
}

// shift is one shift and what became of it.
type shift struct {
	models.Shift
	free []time.Time // when each place that is let go came free
}

// build makes the people of a morning and what runs the program for them.
func (d *day) build() error {
	org := organisation.New(d.db, d.v, d.clk)
	d.s = rosters.New(rosters.Options{
		DB: d.db, Vault: d.v, Clock: d.clk, Signer: d.signer, Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, args ...any) string { return fmt.Sprint(append([]any{key}, args...)...) },
		Day:   func(_ string, t time.Time) string { return t.Format(time.DateOnly) },
		Enqueue: func(_ context.Context, _ *gorm.DB, job river.JobArgs) error {
			if c, ok := job.(rosters.CoverArgs); ok && !slices.Contains(d.jobs, c.ShiftID) {
				d.jobs = append(d.jobs, c.ShiftID)
			}
			return nil
		},
	})
	d.out = deliveries.NewService(d.db, d.v, d.clk, d.signer, d.words, deliveries.Options{Sender: func(context.Context) (deliveries.Sender, error) {
		return deliveries.Sender{
			Transport: d.mail, Connections: 1, FromName: "WC", FromAddress: "hello@act.example.org", Zone: d.zone, Letterhead: mailer.Letterhead{OrgName: "WC", PostalAddress: "12 Ferry Street"},
		}, nil
	}})
	for kind, r := range d.s.OfferMails() {
		d.out.Handle(kind, r)
	}
	d.cast()
	return d.db.Tx(d.ctx, d.store)
}

// cast says who comes, what they planned, who does what, who stands by, and who cannot come after all.
func (d *day) cast() {
	r := d.r
	for i := range people + atHome + helpers {
		p := person{box: d.boxes[i], askFrom: 6*60 + 30 + 15*r.IntN(10), byPhone: i < people+atHome && r.IntN(8) == 0}
		if r.IntN(2) == 0 {
			p.plan.Weekly = 4 + r.IntN(7)
		}
		if r.IntN(4) == 0 {
			p.plan.QuietFrom, p.plan.QuietUntil = 21*60, 7*60+30*r.IntN(5)
		}
		if r.IntN(6) == 0 {
			p.plan.Avoid = []string{"typing"}
		}
		d.people = append(d.people, p)
	}
	now := d.clk.Now()
	for m := range meetings {
		from := d.when(10*60 + 45*(m%8))
		until := from.Add(30 * time.Minute)
		for _, role := range []struct {
			kind    models.RoleKind
			energy  int
			demands string
			places  int
		}{
			{models.RoleLeader, 3, "speaking", 1},
			{models.RoleStoryteller, 2, "speaking", 1 + r.IntN(2)},
			{models.RoleNotes, 1, "typing", 1},
		} {
			d.shifts = append(d.shifts, shift{Shift: models.Shift{
				ID: models.NewID(), Role: fmt.Sprintf("%s %d", role.kind, m), RoleKind: role.kind, Kind: models.ShiftFixed, StartsAt: &from, EndsAt: &until, Minutes: 30, Mode: models.ShiftHome,
				Minimum: 1, Places: role.places, Energy: role.energy, Demands: role.demands, Revision: 1, CreatedAt: now, UpdatedAt: now,
			}})
		}
	}
	for i := range d.shifts {
		d.at[d.shifts[i].ID] = i
		for range d.shifts[i].Places {
			if who, ok := d.least(i, 0, people); ok {
				d.people[who].holds = append(d.people[who].holds, i)
			}
		}
		for range 1 + r.IntN(3) {
			who := r.IntN(people + atHome)
			if p := &d.people[who]; !slices.Contains(p.holds, i) && !slices.Contains(p.standsBy, i) {
				p.standsBy = append(p.standsBy, i)
			}
		}
	}
	for _, who := range r.Perm(people)[:letGo] {
		d.people[who].out, d.people[who].bad = d.when(6*60+r.IntN(3*60+31)), r.IntN(3) == 0
		for _, i := range d.people[who].holds {
			d.shifts[i].free = append(d.shifts[i].free, d.people[who].out)
		}
	}
	d.away[0] = d.when(6*60 + r.IntN(3*60))
	d.away[1] = d.away[0].Add(awayFor)
}

// least is who holds fewest shifts of those whom one more fits.
func (d *day) least(sh, from, until int) (int, bool) {
	best := -1
	for _, who := range d.r.Perm(until - from) {
		if who += from; d.fits(who, sh, d.people[who].holds) && (best < 0 || len(d.people[who].holds) < len(d.people[best].holds)) {
			best = who
		}
	}
	return best, best >= 0
}

// fits reports whether somebody who holds some shifts could do one more by what they planned: said here anew, to be held against what the
// program does.
func (d *day) fits(who, sh int, holds []int) bool {
	p, more := d.people[who], d.shifts[sh]
	sum := more.Energy
	for _, h := range holds {
		if h == sh || d.shifts[h].StartsAt.Before(*more.EndsAt) && more.StartsAt.Before(*d.shifts[h].EndsAt) {
			return false
		}
		sum += d.shifts[h].Energy
	}
	return (p.plan.Weekly == 0 || sum <= p.plan.Weekly) && !slices.Contains(p.plan.Avoid, more.Demands)
}

// mayAsk reports whether somebody agreed to be asked at a moment of the day.
func (d *day) mayAsk(who int, at time.Time) bool {
	p, local := d.people[who], at.In(d.zone)
	minute := local.Hour()*60 + local.Minute()
	if p.plan.QuietUntil > 0 && (minute < p.plan.QuietUntil || minute >= p.plan.QuietFrom) {
		return false
	}
	if p.helper != nil {
		return minute >= max(p.helper.AskFrom, quietTo) && minute < min(p.helper.AskUntil, quietFrom)
	}
	return minute >= p.askFrom
}

// willing says what somebody answers when they are asked for a shift, and after how long: the same whenever they are asked.
func (d *day) willing(who, sh int) (yes, says bool, after time.Duration) {
	r := rand.New(rand.NewPCG(uint64(d.res.seed), uint64(who*1000+sh)))
	what := r.Float64()
	after = time.Minute + time.Duration(min(r.ExpFloat64()*4, 20)*float64(time.Minute))
	return what < 0.65, what < 0.8, after
}

// store writes the day down as if it had been arranged before.
func (d *day) store(tx *gorm.DB) error {
	now := d.clk.Now()
	d.roster = models.NewID()
	roster := models.Roster{ID: d.roster, Slug: "day", State: models.RosterPublished, Title: "The day", Locale: "en", TimeZone: "America/New_York", Revision: 1, CreatedAt: now, UpdatedAt: now}
	if err := tx.Create(&roster).Error; err != nil {
		return err
	}
	var shifts []models.Shift
	for i := range d.shifts {
		d.shifts[i].RosterID = d.roster
		shifts = append(shifts, d.shifts[i].Shift)
	}
	if err := tx.CreateInBatches(shifts, 50).Error; err != nil {
		return err
	}
	var assignments []models.Assignment
	for i := range d.people {
		p := &d.people[i]
		if err := pacing.Save(d.ctx, tx, d.v, p.box, p.plan, now); err != nil {
			return err
		}
		if i >= people+atHome {
			if err := d.help(tx, p, now); err != nil {
				return err
			}
		}
		d.who[p.box] = i
		add := func(sh int, as models.PlaceAs, state models.AssignmentState) {
			a := models.Assignment{
				ID: models.NewID(), ShiftID: d.shifts[sh].ID, MailboxID: p.box, AsWhat: as, State: state, Locale: "en", AskBy: models.AskByMail, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
			}
			if as == models.AsStandby {
				if a.AskFrom = &p.askFrom; p.byPhone {
					a.AskBy = models.AskByPhone
				}
			}
			assignments = append(assignments, a)
		}
		for _, sh := range p.holds {
			add(sh, models.AsPlace, models.AssignmentConfirmed)
		}
		for _, sh := range p.standsBy {
			add(sh, models.AsStandby, models.AssignmentHeld)
		}
	}
	return tx.CreateInBatches(assignments, 50).Error
}

func (d *day) help(tx *gorm.DB, p *person, now time.Time) error {
	p.helper = &models.Volunteer{
		ID: models.NewID(), MailboxID: p.box, State: models.VolunteerActive, Locale: "en", AskBy: models.AskByMail, AskFrom: 8*60 + 30*d.r.IntN(4), AskUntil: 18 * 60,
		CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now,
	}
	if err := tx.Create(p.helper).Error; err != nil {
		return err
	}
	return tx.Create(&models.Consent{ID: models.NewID(), MailboxID: p.box, Purpose: models.PurposeVolunteering, TextID: d.text, Locale: "en", ShownAt: now, GivenAt: now, Source: "/volunteer", How: models.ConsentByMail}).Error
}
