package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/valyala/fasthttp"

	"kithline/app"
	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/vault"
	"kithline/config"
	"kithline/models"
	"kithline/models/database"
)

// The promises about a large roster.
const (
	rosterShifts  = 2_000
	rosterPeople  = 5_000
	rosterDays    = 10
	rosterPage    = 150 * time.Millisecond
	rosterRounds  = 40
	rosterInBatch = 500
)

// rosters measures what a large roster asks of the server: the organizer's page, as a browser that is signed in gets it.
func (b *bench) rosters(ctx context.Context) error {
	return b.eachDatabase(ctx, "rosters", func(name string, newDB func() (string, error)) error {
		u, err := newDB()
		if err != nil {
			return err
		}
		s, err := b.newSite(ctx, u, 20)
		if err != nil {
			return err
		}
		return b.rostersOn(ctx, name, s)
	})
}

// rosterWorld is a roster of many shifts, each with places held and standbys, and who offered time.
type rosterWorld struct {
	roster models.Roster
	shifts []models.Shift
	boxes  []uuid.UUID
}

// seedRosters fills a database in bulk: as many assignments as people, and every fourth shift one short of what it wants.
func seedRosters(ctx context.Context, db *database.DB, v *vault.Vault, now time.Time) (rosterWorld, error) {
	w := rosterWorld{roster: models.Roster{
		ID: models.NewID(), Slug: "large", State: models.RosterPublished, Title: "A large day", Locale: "en", TimeZone: "America/New_York", Revision: 1, PublishedAt: &now, CreatedAt: now, UpdatedAt: now,
	}}
	db = &database.DB{DB: db.WithContext(ctx)}
	if err := db.Create(&w.roster).Error; err != nil {
		return w, err
	}
	teams := make([]models.Team, 100)
	for i := range teams {
		teams[i] = models.Team{ID: models.NewID(), RosterID: w.roster.ID, Name: fmt.Sprintf("Team %d", i), Position: i, CreatedAt: now, UpdatedAt: now}
	}
	for i := range rosterShifts {
		day := time.Date(now.Year(), now.Month(), now.Day()+1+i%rosterDays, 13, 0, 0, 0, time.UTC)
		from := day.Add(time.Duration(i/rosterDays%16) * 30 * time.Minute)
		until := from.Add(45 * time.Minute)
		w.shifts = append(w.shifts, models.Shift{
			ID: models.NewID(), RosterID: w.roster.ID, TeamID: &teams[i%len(teams)].ID, Role: fmt.Sprintf("Role %d", i/rosterDays%40), RoleKind: models.RoleKinds[i%len(models.RoleKinds)], Kind: models.ShiftFixed,
			StartsAt: &from, EndsAt: &until, Minutes: 45, Mode: models.ShiftHome, Place: "Room", Minimum: 1, Places: 2, Standbys: 1, Energy: 2, Demands: "screen", Revision: 1, CreatedAt: now, UpdatedAt: now,
		})
	}
	var boxes []models.Mailbox
	var vs []models.Volunteer
	var as []models.Assignment
	for i := range rosterPeople {
		m, err := mailboxes.NewRow(v, fmt.Sprintf("volunteer%d@example.org", i), now)
		if err != nil {
			return w, err
		}
		boxes, w.boxes = append(boxes, m), append(w.boxes, m.ID)
		x := models.Volunteer{ID: models.NewID(), MailboxID: m.ID, State: models.VolunteerActive, Locale: "en", AskBy: models.AskByMail, AskUntil: 24 * 60, Modes: "home", CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now}
		x.GivenNameSealed = v.Seal("volunteers", "given_name_sealed", x.ID, "June")
		vs = append(vs, x)
		a := models.Assignment{ID: models.NewID(), ShiftID: w.shifts[i%rosterShifts].ID, MailboxID: m.ID, AsWhat: models.AsPlace, State: models.AssignmentConfirmed, Locale: "en", CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now}
		if n := i / rosterShifts; n == 2 || n == 1 && i%4 == 0 {
			a.AsWhat, a.State, a.AskBy = models.AsStandby, models.AssignmentHeld, models.AskByMail
		}
		a.GivenNameSealed, a.FamilyNameSealed = v.Seal("assignments", "given_name_sealed", a.ID, "June"), v.Seal("assignments", "family_name_sealed", a.ID, "Okafor")
		as = append(as, a)
	}
	for _, rows := range []any{teams, w.shifts, boxes, vs, as} {
		if err := db.CreateInBatches(rows, rosterInBatch).Error; err != nil {
			return w, err
		}
	}
	return w, db.Exec("ANALYZE").Error
}

func (b *bench) rostersOn(ctx context.Context, name string, s *site) error {
	cfg, err := config.Load(s.env)
	if err != nil {
		return err
	}
	a, err := app.Build(ctx, cfg, app.Options{})
	if err != nil {
		return err
	}
	w, err := seedRosters(ctx, a.DB, a.Vault, clock.System.Now())
	if err := errors.Join(err, a.Close()); err != nil {
		return err
	}
	p, err := b.serve(ctx, s, "KITHLINE_MAIL=smtp")
	if err != nil {
		return err
	}
	client := &fasthttp.HostClient{Addr: p.addr}
	cookie, err := signIn(client, p.addr)
	if err != nil {
		return err
	}
	err = b.slowest("coverage of "+number(rosterShifts)+" shifts and "+number(rosterPeople)+" people, "+name, rosterPage, func(i int) error {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(fmt.Sprintf("http://%s/admin/rosters/%s?day=%s", p.addr, w.roster.ID, w.shifts[i%rosterDays].StartsAt.Format(time.DateOnly)))
		asBrowser(req)
		req.Header.Set("Accept-Encoding", "identity")
		req.Header.Set("Cookie", cookie)
		if err := client.Do(req, res); err != nil {
			return err
		}
		if n := bytes.Count(res.Body(), []byte("June O.")); res.StatusCode() != fasthttp.StatusOK || n < rosterShifts/rosterDays {
			return fmt.Errorf("the page answers %d with %d names", res.StatusCode(), n)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return p.stop()
}

// slowest shows the slowest of some askings, after one that does not count.
func (b *bench) slowest(what string, limit time.Duration, ask func(i int) error) error {
	if err := ask(0); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	took := make([]time.Duration, rosterRounds)
	for i := range took {
		began := time.Now()
		if err := ask(i); err != nil {
			return fmt.Errorf("%s: %w", what, err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	b.out.add(line{
		what: what, figure: ms(took[rosterRounds-1]) + " ms", p50: took[rosterRounds/2], p99: took[rosterRounds-1],
		beside: b.out.promise(took[rosterRounds-1] <= limit, "the slowest of "+number(rosterRounds)+" at most "+ms(limit)+" ms"),
	})
	return nil
}

// signIn signs the owner of a site in, and returns the cookie of the session.
func signIn(client *fasthttp.HostClient, addr string) (string, error) {
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.SetRequestURI("http://" + addr + "/admin/login")
	asBrowser(req)
	req.Header.SetMethod(fasthttp.MethodPost)
	req.Header.Set("Origin", "http://"+addr)
	req.Header.SetContentType("application/x-www-form-urlencoded")
	req.SetBodyString("email=ilse%40example.org&password=a+calm+afternoon")
	if err := client.Do(req, res); err != nil {
		return "", err
	}
	var out string
	res.Header.VisitAllCookie(func(_, value []byte) {
		var c fasthttp.Cookie
		if c.ParseBytes(value) == nil && len(c.Value()) > 0 {
			out += string(c.Key()) + "=" + string(c.Value()) + "; "
		}
	})
	if res.StatusCode() != fasthttp.StatusSeeOther || out == "" {
		return "", fmt.Errorf("signing in answers %d", res.StatusCode())
	}
	return out, nil
}
