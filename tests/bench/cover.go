package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/campaigns/organisation"
	"kithline/campaigns/rosters"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promises about who is asked when a place comes free, and about many who say yes at once.
const (
	coverShifts     = 2000
	coverPeople     = 5000
	coverGaps       = 20 // places let go, one after the other
	coverFirst      = time.Second
	coverYes        = 200
	coverPlaces     = 50
	coverTogether   = 2 * time.Second
	coverOfferUntil = 48 * time.Hour
)

// cover lets places go in a large roster and waits for the first offer in the outbox, with the jobs as they run in the program; and has
// 200 people say yes to 50 places at once, on two nodes where the database is PostgreSQL.
func (b *bench) cover(ctx context.Context) error {
	pg, err := durableServer()
	if err != nil {
		b.out.note("cover: PostgreSQL is not measured: %v", err)
	} else {
		url, drop, err := b.database(ctx, pg, "cover")
		if err != nil {
			return err
		}
		err = b.coverOn(ctx, "PostgreSQL", url, 2)
		drop()
		if err != nil {
			return err
		}
	}
	return b.coverOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "cover.db"), 1)
}

// coverNode is one running program, as far as rosters need it.
type coverNode struct {
	db   *database.DB
	s    *rosters.Service
	jobs *jobs.Client
}

func newCoverNode(ctx context.Context, url string, v *vault.Vault) (n *coverNode, err error) {
	n = &coverNode{}
	if n.db, err = database.Open(ctx, database.Options{URL: url}); err != nil {
		return nil, err
	}
	if err := migrations.Up(ctx, n.db); err != nil {
		return nil, err
	}
	org := organisation.New(n.db, v, clock.System)
	if _, err := org.Ensure(ctx); err != nil {
		return nil, err
	}
	log := slog.New(slog.DiscardHandler)
	n.s = rosters.New(rosters.Options{
		DB: n.db, Vault: v, Clock: clock.System, Signer: tokens.New(v), Organisation: org, BaseURL: "https://act.example.org", Log: log,
		Words:   func(_, key string, _ ...any) string { return key },
		Enqueue: func(ctx context.Context, tx *gorm.DB, args river.JobArgs) error { return n.jobs.Enqueue(ctx, tx, args) },
	})
	workers := river.NewWorkers()
	n.s.AddWorkers(workers)
	n.jobs, err = jobs.New(n.db, jobs.Options{Workers: workers, Regular: n.s.CoverJobs(), Log: log})
	return n, err
}

func (b *bench) coverOn(ctx context.Context, name, url string, nodes int) (err error) {
	v := vault.New(vault.NewKey())
	var list []*coverNode
	defer func() {
		for _, n := range list {
			stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			err = errors.Join(err, n.jobs.Stop(stop), n.db.Close())
			cancel()
		}
	}()
	for range nodes {
		n, err := newCoverNode(ctx, url, v)
		if err != nil {
			return err
		}
		if err := n.jobs.Start(ctx); err != nil {
			return err
		}
		list = append(list, n)
	}
	holds, links, crowd, err := coverWorld(ctx, list[0], v)
	if err != nil {
		return err
	}
	var worst time.Duration
	var took []time.Duration
	for _, a := range holds {
		began := time.Now()
		if err := list[0].s.LetGoOf(ctx, a.ID); err != nil {
			return err
		}
		for n := int64(0); n == 0; {
			if err := list[0].db.WithContext(ctx).Raw("SELECT count(*) FROM offers o JOIN deliveries d ON d.subject_id = o.id WHERE o.shift_id = ? AND d.kind = ?", a.ShiftID, rosters.KindOffer).Scan(&n).Error; err != nil {
				return err
			}
			if time.Since(began) > time.Minute {
				return fmt.Errorf("cover: nobody is asked for a place that was let go a minute ago")
			}
		}
		took = append(took, time.Since(began))
		worst = max(worst, took[len(took)-1])
	}
	b.out.add(line{
		what: fmt.Sprintf("cover: %s, %s shifts, %s people, to the first offer", name, number(coverShifts), number(coverPeople)), figure: ms(worst) + " ms at most", p50: median(took),
		beside: b.out.promise(worst < coverFirst, "under 1 s"),
	})
	var wg sync.WaitGroup
	var mu sync.Mutex
	got, failed := 0, 0
	began := time.Now()
	for i, link := range links {
		wg.Go(func() {
			_, err := list[i%nodes].s.Accept(ctx, link, uuid.Nil)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err == nil:
				got++
			case !fault.Is(err, fault.Conflict):
				failed++
			}
		})
	}
	wg.Wait()
	together := time.Since(began)
	var filled int64
	if err := list[0].db.WithContext(ctx).Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place'", crowd).Count(&filled).Error; err != nil {
		return err
	}
	b.out.add(line{
		what: fmt.Sprintf("cover: %s, %d nodes, %d say yes to %d places at once", name, nodes, coverYes, coverPlaces), figure: ms(together) + " ms", errors: number(failed),
		beside: b.out.promise(together < coverTogether && filled == coverPlaces && got == coverPlaces && failed == 0, fmt.Sprintf("under 2 s, exactly %d filled; %d are", coverPlaces, filled)),
	})
	return nil
}

// coverWorld makes a roster with people, places that will be let go, and a shift for which many are being asked.
func coverWorld(ctx context.Context, n *coverNode, v *vault.Vault) (holds []models.Assignment, links []string, crowd uuid.UUID, err error) {
	now := clock.System.Now()
	r := models.Roster{ID: models.NewID(), Slug: "cover", State: models.RosterPublished, Title: "Cover", Locale: "en", TimeZone: "UTC", Revision: 1, CreatedAt: now, UpdatedAt: now}
	boxes := make([]models.Mailbox, coverPeople)
	volunteers := make([]models.Volunteer, coverPeople)
	for i := range boxes {
		id := models.NewID()
		boxes[i] = models.Mailbox{ID: id, AddressHash: id[:], AddressSealed: []byte{1}, Domain: "example.org", CreatedAt: now, UpdatedAt: now}
		volunteers[i] = models.Volunteer{ID: models.NewID(), MailboxID: id, State: models.VolunteerActive, Locale: "en", AskBy: models.AskByMail, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now}
	}
	shifts := make([]models.Shift, coverShifts)
	assignments := make([]models.Assignment, 0, 3*coverShifts)
	noon := time.Date(now.Year(), now.Month(), now.Day()+3, 12, 0, 0, 0, time.UTC)
	assign := func(sh, box int, as models.PlaceAs) models.Assignment {
		a := models.Assignment{ID: models.NewID(), ShiftID: shifts[sh].ID, MailboxID: boxes[box%coverPeople].ID, AsWhat: as, State: models.AssignmentConfirmed, Locale: "en", AskBy: models.AskByMail, CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now}
		if as == models.AsStandby {
			a.State = models.AssignmentHeld
			zone := fmt.Sprintf("Etc/GMT%+d", now.Hour()-12) // it is about noon where they live, whenever this runs
			a.TimeZone = zone
		}
		assignments = append(assignments, a)
		return a
	}
	for i := range shifts {
		from := noon.Add(time.Duration(i%40) * 15 * time.Minute)
		until := from.Add(15 * time.Minute)
		shifts[i] = models.Shift{
			ID: models.NewID(), RosterID: r.ID, Role: "Cover", Kind: models.ShiftFixed, StartsAt: &from, EndsAt: &until, Minutes: 15, Mode: models.ShiftHome, Minimum: 1, Places: 1, Energy: 1, Revision: 1, CreatedAt: now, UpdatedAt: now,
		}
		if i == coverShifts-1 {
			shifts[i].Minimum, shifts[i].Places, crowd = 0, coverPlaces, shifts[i].ID
			break
		}
		a := assign(i, i, models.AsPlace)
		assign(i, i+coverShifts, models.AsStandby)
		if i%100 == 0 && len(holds) < coverGaps {
			holds = append(holds, a)
		}
	}
	var offers []models.Offer
	signer := tokens.New(v)
	for i := range coverYes {
		a := assign(coverShifts-1, coverPeople-1-i, models.AsStandby)
		o := models.Offer{ID: models.NewID(), ShiftID: crowd, MailboxID: a.MailboxID, AssignmentID: &a.ID, State: models.OfferOpen, ByWhat: models.AskByMail, SentAt: &now, ExpiresAt: now.Add(coverOfferUntil), CreatedAt: now}
		offers, links = append(offers, o), append(links, signer.Make(tokens.Offered, o.ID, now.Add(coverOfferUntil)))
	}
	err = n.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		return errors.Join(database.InsertAll(tx, boxes, ""), database.InsertAll(tx, volunteers, ""), database.InsertAll(tx, shifts, ""), database.InsertAll(tx, assignments, ""), database.InsertAll(tx, offers, ""))
	})
	return holds, links, crowd, err
}
