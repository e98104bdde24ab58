package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/valyala/fasthttp"
	"gorm.io/gorm"

	"kithline/app"
	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/petitions"
	"kithline/config"
	"kithline/models"
	"kithline/models/database"
)

// The promise about a petition that millions signed: how long anything that is asked of it takes, when nothing is kept of an answer
// before.
const (
	millionsLimit     = 100 * time.Millisecond
	millionsRows      = 5_000_000
	millionsRowsShort = 100_000
	millionsAsks      = 30 // of each, the slowest of which counts
)

// millions measures what is asked of a petition with five million signatures: pages, open figures, the organizer's report, and an
// export's first rows. SQLite gets a fifth of that, for the sake of the time that filling it takes.
func (b *bench) millions(ctx context.Context) error {
	return b.eachDatabase(ctx, "millions", func(name string, newDB func() (string, error)) error {
		rows := millionsRows
		if name == "SQLite" {
			rows /= 5
		}
		if b.rounds == 1 {
			rows = millionsRowsShort
		}
		u, err := newDB()
		if err != nil {
			return err
		}
		s, err := b.newSite(ctx, u, 20)
		if err != nil {
			return err
		}
		return b.millionsOn(ctx, fmt.Sprintf("%s, %s signatures", name, number(rows)), s, rows)
	})
}

func (b *bench) millionsOn(ctx context.Context, name string, s *site, rows int) error {
	cfg, err := config.Load(s.env)
	if err != nil {
		return err
	}
	a, err := app.Build(ctx, cfg, app.Options{})
	if err != nil {
		return err
	}
	began := time.Now()
	if err := errors.Join(fillSignatures(ctx, a.DB, s.petition, rows), err); err != nil {
		return errors.Join(err, a.Close())
	}
	b.out.note("millions: %s were written in %.0f s", name, time.Since(began).Seconds())
	owner := actor.Actor{Kind: actor.System, Role: actor.Owner}
	slow := func(what string, ask func(i int) error) error {
		if err := ask(millionsAsks); err != nil { // what a program does only once is not the petition's
			return fmt.Errorf("%s: %w", what, err)
		}
		var worst time.Duration
		for i := range millionsAsks {
			began := time.Now()
			if err := ask(i); err != nil {
				return fmt.Errorf("%s: %w", what, err)
			}
			worst = max(worst, time.Since(began))
		}
		b.out.add(line{
			what: fmt.Sprintf("  %s, the slowest of %d", what, millionsAsks), figure: ms(worst) + " ms",
			beside: b.out.promise(worst <= millionsLimit, "at most "+ms(millionsLimit)+" ms"),
		})
		return nil
	}
	b.out.add(line{what: "millions: " + name, figure: ""})
	err = errors.Join(
		slow("the organizer's report", func(int) error {
			_, err := a.Petitions.Report(ctx, owner, s.petition.ID, time.UTC)
			return err
		}),
		slow("the list of petitions", func(int) error {
			_, err := a.Petitions.PublicList(ctx, petitions.Listing{})
			return err
		}),
		slow("open figures", func(int) error {
			_, err := a.Petitions.Figures(ctx, s.petition.Slug, time.UTC)
			return err
		}),
		slow("open figures by district", func(int) error {
			_, err := a.Petitions.DistrictFigures(ctx, s.petition.Slug)
			return err
		}),
		slow("an export's first thousand rows", func(int) error {
			w := &first{}
			_, err := a.Exports.Write(ctx, owner, exports.Input{Kind: exports.KindSignatures, Format: exports.CSV, PetitionID: s.petition.ID}, w, nil)
			if errors.Is(err, errEnough) {
				return nil
			}
			return errors.Join(err, errors.New("the export ended before its first rows"))
		}),
		a.Close(),
	)
	if err != nil {
		return err
	}
	p, err := b.serve(ctx, s, "KITHLINE_MAIL=smtp")
	if err != nil {
		return err
	}
	client := &fasthttp.HostClient{Addr: p.addr}
	err = slow("the petition's page, made anew", func(i int) error {
		req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
		defer fasthttp.ReleaseRequest(req)
		defer fasthttp.ReleaseResponse(res)
		req.SetRequestURI(fmt.Sprintf("http://%s/petitions/%s?source=s%d", p.addr, s.petition.Slug, i)) // each source is a page of its own
		asBrowser(req)
		if err := client.Do(req, res); err != nil {
			return err
		}
		return status(fasthttp.StatusOK)(res)
	})
	if err != nil {
		return err
	}
	return p.stop()
}

var errEnough = errors.New("bench: enough was read")

// first takes the head of a file and the first rows, and then no more.
type first struct{ writes int }

func (w *first) Write(b []byte) (int, error) {
	if w.writes++; w.writes > 1 {
		return 0, errEnough
	}
	return io.Discard.Write(b)
}

// fillSignatures puts confirmed signatures under a petition, in a hundred districts, as statements of the database, with everything
// that is counted of them.
func fillSignatures(ctx context.Context, db *database.DB, p models.Petition, n int) error {
	now := time.Now().UTC().Truncate(time.Second)
	series, id := "generate_series(1, %d) AS g (i)", "('01900000-0000-7%s-8000-' || lpad(to_hex(g.i), 12, '0'))::uuid"
	hash, area, at := "sha256(g.i::text::bytea)", "lpad((g.i % 100)::text, 5, '0')", "$1::timestamptz - (%d - g.i) * interval '1 second'"
	if !db.Postgres() {
		series = "(WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) SELECT i FROM c) AS g"
		id = "'01900000-0000-7%s-8000-' || printf('%%012x', g.i)"
		hash, area, at = "randomblob(32)", "printf('%05d', g.i % 100)", "strftime('%%Y-%%m-%%d %%H:%%M:%%S+00:00', $1, '-' || (%d - g.i) || ' seconds')"
	}
	from, when := fmt.Sprintf(series, n), fmt.Sprintf(at, n)
	box, sig := fmt.Sprintf(id, "001"), fmt.Sprintf(id, "002")
	var start any = now
	if !db.Postgres() {
		start = now.Format(time.DateTime)
	}
	err := db.Tx(ctx, func(tx *gorm.DB) error {
		if db.Postgres() {
			// Nothing of what is written here can be wrong: its references need no looking up, row by row.
			if err := tx.Exec("SET LOCAL session_replication_role = replica").Error; err != nil {
				return err
			}
		}
		for _, q := range []string{
			`INSERT INTO mailboxes (id, address_hash, domain, suppressed_reason, verified_at, created_at, updated_at) SELECT ` + box + `, ` + hash + `, 'example.org', '', ` + when + `, ` + when + `, ` + when + ` FROM ` + from,
			`INSERT INTO signatures (id, petition_id, mailbox_id, state, postal_area, display, display_name, comment_state, comment_shown, wants_updates, locale, source, code_tries, number, created_at, confirmed_at, expires_at)
				SELECT ` + sig + `, '` + p.ID.String() + `', ` + box + `, 'confirmed', ` + area + `, CASE WHEN g.i % 3 = 0 THEN 'anonymous' ELSE 'initials' END, CASE WHEN g.i % 3 = 0 THEN '' ELSE 'June O.' END,
				'', '', g.i % 2 = 0, 'en', '', 0, g.i, ` + when + `, ` + when + `, ` + when + ` FROM ` + from,
		} {
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, q, start); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = db.Tx(ctx, func(tx *gorm.DB) error {
		var tallies []models.PetitionTally
		var areas []models.PostalDivision
		var districts []models.Division
		for i := range 100 {
			d := models.Division{
				ID: models.NewID(), OCDID: fmt.Sprintf("ocd-division/country:us/state:wn/cd:%d", i), Name: fmt.Sprintf("Wennick %d", i), Country: "US", Region: "WN",
				Kind: models.DivisionCongress, Version: "bench", CreatedAt: now, UpdatedAt: now,
			}
			districts = append(districts, d)
			areas = append(areas, models.PostalDivision{Country: "US", PostalArea: fmt.Sprintf("%05d", i), DivisionID: d.ID, Kind: d.Kind, Version: "bench"})
			tallies = append(tallies, models.PetitionTally{PetitionID: p.ID, Kind: models.TallyPlace, Name: fmt.Sprintf("%05d", i), Signed: n / 100, Confirmed: n / 100})
		}
		for left, hour := n, now.Truncate(time.Hour); left > 0; left, hour = left-3600, hour.Add(-time.Hour) {
			tallies = append(tallies, models.PetitionTally{PetitionID: p.ID, Kind: models.TallyHour, Name: hour.Add(-time.Hour).Format("2006-01-02T15"), Signed: min(left, 3600), Confirmed: min(left, 3600)})
		}
		if err := tx.Exec("DELETE FROM petition_tallies WHERE petition_id = ?", p.ID).Error; err != nil {
			return err
		}
		return errors.Join(tx.CreateInBatches(&districts, 100).Error, tx.CreateInBatches(&areas, 100).Error, tx.CreateInBatches(&tallies, 500).Error,
			tx.Exec("UPDATE petitions SET signature_count = ?, district_kind = ? WHERE id = ?", n, models.DivisionCongress, p.ID).Error)
	})
	if err != nil {
		return err
	}
	if db.Postgres() {
		return db.WithContext(ctx).Exec("VACUUM ANALYZE").Error
	}
	return db.WithContext(ctx).Exec("ANALYZE").Error
}
