package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/rosters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promise about what can be done now.
const (
	nowShifts = 2000
	nowPeople = 5000
	nowLimit  = 50 * time.Millisecond
)

// now measures looking for what somebody can do, among many shifts that many people hold places of, on both databases.
func (b *bench) now(ctx context.Context) error {
	if err := b.nowOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "now.db")); err != nil {
		return err
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("now: PostgreSQL is not measured: %v", err)
		return nil
	}
	admin, err := sql.Open("pgx", pg)
	if err != nil {
		return err
	}
	defer admin.Close()
	name := fmt.Sprintf("kithline_bench_now_%d", time.Now().UnixMilli())
	u, err := url.Parse(pg)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	err = b.nowOn(ctx, "PostgreSQL", u.String())
	_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return errors.Join(err, e)
}

func (b *bench) nowOn(ctx context.Context, name, at string) (err error) {
	db, err := database.Open(ctx, database.Options{URL: at, Building: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	v, now := vault.New(vault.NewKey()), clock.System.Now()
	roster := models.Roster{
		ID: models.NewID(), Slug: "big", State: models.RosterPublished, Title: "Big day", Locale: "en", TimeZone: "America/New_York", PublishedAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	if err := db.Create(&roster).Error; err != nil {
		return err
	}
	shifts := make([]models.Shift, nowShifts)
	for i := range shifts {
		from := now.Add(time.Duration(i) * time.Hour / 10)
		until := from.Add(2 * time.Hour)
		shifts[i] = models.Shift{
			ID: models.NewID(), RosterID: roster.ID, Role: fmt.Sprint("Role ", i), Kind: []models.ShiftKind{models.ShiftFixed, models.ShiftWindow, models.ShiftTask}[i%3], StartsAt: &from, EndsAt: &until,
			Minutes: []int{2, 10, 30, 120}[i%4], Mode: []models.ShiftMode{models.ShiftHome, models.ShiftOnsite, models.ShiftPhone}[i%3], Minimum: 1, Places: 3, Standbys: 1, Energy: 1 + i%5,
			Demands: []string{"", "typing,screen", "standing,noise", "speaking"}[i%4], Handover: "Half a page.", Position: i, CreatedAt: now, UpdatedAt: now,
		}
	}
	boxes, held := make([]models.Mailbox, nowPeople), make([]models.Assignment, nowPeople)
	for i := range boxes {
		if boxes[i], err = mailboxes.NewRow(v, fmt.Sprintf("person%d@example.org", i), now); err != nil {
			return err
		}
		// Most of those that begin soon are full.
		held[i] = models.Assignment{ID: models.NewID(), ShiftID: shifts[i/3].ID, MailboxID: boxes[i].ID, AsWhat: models.AsPlace, State: models.AssignmentConfirmed, Locale: "en", CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now}
	}
	for from := 0; from < nowPeople; from += 500 {
		if from < nowShifts {
			err = db.Create(shifts[from : from+500]).Error
		}
		if err := errors.Join(err, db.Create(boxes[from:from+500]).Error, db.Create(held[from:from+500]).Error); err != nil {
			return err
		}
	}
	if err := db.Exec("ANALYZE").Error; err != nil {
		return err
	}
	s := rosters.New(rosters.Options{DB: db, Vault: v, Clock: clock.NewFixed(now)})
	for _, x := range []struct {
		what string
		can  rosters.Can
	}{
		{"10 minutes", rosters.Can{Minutes: 10}}, {"2 minutes lying down", rosters.Can{Minutes: 2, LyingDown: true}}, {"anything", rosters.Can{}}, {"nothing fits", rosters.Can{Minutes: 1}},
	} {
		rounds := 20 * b.rounds
		took := make([]time.Duration, 0, rounds)
		for range rounds {
			began := time.Now()
			fits, standby, err := s.Now(ctx, x.can)
			if err != nil {
				return err
			}
			if (len(fits)+len(standby) == 0) != (x.what == "nothing fits") {
				return fmt.Errorf("now: %s: %d, %d", x.what, len(fits), len(standby))
			}
			took = append(took, time.Since(began))
		}
		slowest := took[0]
		for _, t := range took {
			slowest = max(slowest, t)
		}
		b.out.add(line{
			what: fmt.Sprintf("what can be done now, %s, %s: %s shifts, %s people", x.what, name, number(nowShifts), number(nowPeople)), figure: ms(slowest) + " ms",
			beside: fmt.Sprintf("the slowest of %d; %s", rounds, b.out.promise(slowest < nowLimit, "below 50 ms")),
		})
	}
	return nil
}
