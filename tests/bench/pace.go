package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	post "kithline/campaigns/letters"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promise about the pace of letters: what handing them over takes of a core while it lasts, and that no office gets more than its cap
// in any 60 minutes.
const (
	paceLetters = 100_000
	paceOffices = 500
	paceCap     = 10
	paceLimit   = 0.01
	paceStep    = 30 * time.Second // as the job runs
)

// pace hands letters over to offices by a clock of its own, with the operation that the job calls, and looks at every 60 minutes of every
// office. What the mails cost that carry them is measured by mail: here each is said to have gone as soon as it is handed over.
func (b *bench) pace(ctx context.Context) error {
	n := paceLetters
	if b.rounds == 1 {
		n /= 20
		b.out.note("pace: -short hands over a twentieth; the promise is about all")
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("pace: PostgreSQL is not measured: %v", err)
	} else {
		url, drop, err := b.database(ctx, pg, "pace")
		if err != nil {
			return err
		}
		err = b.paceOn(ctx, "PostgreSQL", url, n)
		drop()
		if err != nil {
			return err
		}
	}
	return b.paceOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "pace.db"), n/5) // who writes to 500 offices has PostgreSQL
}

func (b *bench) paceOn(ctx context.Context, name, url string, n int) (err error) {
	db, err := database.Open(ctx, database.Options{URL: url})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	clk := clock.NewFixed(time.Date(2027, 2, 1, 14, 0, 0, 0, time.UTC)) // a Monday, nine in the morning in New York
	v := vault.New(vault.NewKey())
	org := organisation.New(db, v, clk)
	if _, err := org.Ensure(ctx); err != nil {
		return err
	}
	s := post.New(post.Options{
		DB: db, Vault: v, Clock: clk, Signer: tokens.New(v), Organisation: org, BaseURL: "https://act.example.org", Log: slog.New(slog.DiscardHandler),
		Words: func(_, key string, _ ...any) string { return key },
	})
	if err := paceWorld(ctx, db, v, clk.Now(), n); err != nil {
		return err
	}
	began, handed := clk.Now(), int64(0)
	before, wall := processorTime(os.Getpid()), time.Now()
	for handed < int64(n) {
		if err := s.Pace(ctx); err != nil {
			return err
		}
		// This stands in for the outbox, and is counted with the rest.
		r := db.WithContext(ctx).Exec("UPDATE deliveries SET state = 'sent', sent_at = ?, updated_at = ? WHERE mailing_id IS NULL AND ended = FALSE AND kind = 'letter' AND priority = 50", clk.Now(), clk.Now())
		if r.Error != nil {
			return r.Error
		}
		handed += r.RowsAffected
		if clk.Add(paceStep).Sub(began) > 60*24*time.Hour {
			return fmt.Errorf("pace: %d of %d letters were handed over in 60 days", handed, n)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	took := processorTime(os.Getpid())
	cpu := took.load + took.server + took.database - before.load - before.server - before.database
	lasted := clk.Now().Sub(began)
	share := cpu.Seconds() / lasted.Seconds()
	worst, outside, err := paceWindows(ctx, db)
	if err != nil {
		return err
	}
	b.out.add(line{what: fmt.Sprintf("%s: %s letters over %d offices, of a core", name, number(n), paceOffices), figure: fmt.Sprintf("%.3f %%", 100*share), beside: b.out.promise(share < paceLimit, "under 1 %")})
	b.out.add(line{what: name + ": most letters to an office in any 60 minutes", figure: number(worst), beside: b.out.promise(worst <= paceCap && outside == 0, fmt.Sprintf("at most %d, none outside office hours", paceCap))})
	b.out.note("%s: %s of processor time for %s, %s on the wall; %.1f days by the clock", name, cpu.Round(time.Millisecond), number(n), time.Since(wall).Round(time.Second), lasted.Hours()/24)
	return nil
}

// paceWorld makes offices, a letter campaign and letters that wait.
func paceWorld(ctx context.Context, db *database.DB, v *vault.Vault, now time.Time, n int) error {
	state := models.Jurisdiction{ID: models.NewID(), Code: "wk", Name: "Wennick", Country: "US", Region: "NY", CreatedAt: now, UpdatedAt: now}
	senate := models.Chamber{ID: models.NewID(), JurisdictionID: state.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", CreatedAt: now, UpdatedAt: now}
	campaign := models.Campaign{ID: models.NewID(), Slug: "pace", Title: "Pace", State: models.CampaignPublished, CreatedAt: now, UpdatedAt: now}
	ask := models.LetterCampaign{
		ID: models.NewID(), CampaignID: campaign.ID, Slug: "pace", State: models.LettersPublished, Title: "Pace", Ask: "x", Position: models.StanceSupport, Locale: "en", HourlyCap: paceCap, CreatedAt: now, UpdatedAt: now,
	}
	var people []models.Legislator
	var terms []models.Term
	var offices []models.Office
	var channels []models.Channel
	var paces []models.LetterPace
	for i := range paceOffices {
		g := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: fmt.Sprint(i), Name: fmt.Sprintf("Ada Quill %d", i), FamilyName: "Quill", CreatedAt: now, UpdatedAt: now}
		o := models.Office{ID: models.NewID(), LegislatorID: g.ID, Kind: "capitol", Street: "1 Capitol Way", City: "Three Forks", Region: "NY", Country: "US", CreatedAt: now, UpdatedAt: now}
		people, offices = append(people, g), append(offices, o)
		terms = append(terms, models.Term{ID: models.NewID(), LegislatorID: g.ID, ChamberID: senate.ID, OCDID: fmt.Sprintf("ocd-division/country:us/state:ny/sldu:%d", i), District: fmt.Sprint(i), CreatedAt: now, UpdatedAt: now})
		channels = append(channels, models.Channel{ID: models.NewID(), LegislatorID: g.ID, OfficeID: &o.ID, Kind: models.ChannelEmail, Value: fmt.Sprintf("office%d@senate.example.org", i), Position: 1, CreatedAt: now, UpdatedAt: now})
		paces = append(paces, models.LetterPace{LegislatorID: g.ID, NextAt: &now, UpdatedAt: now})
	}
	box := models.Mailbox{ID: models.NewID(), AddressHash: []byte("pace"), AddressSealed: []byte{1}, Domain: "example.org", CreatedAt: now, UpdatedAt: now}
	return db.Tx(ctx, func(tx *gorm.DB) error {
		for _, row := range []any{&state, &senate, &campaign, &ask, &box} {
			if err := tx.Create(row).Error; err != nil {
				return err
			}
		}
		if err := errors.Join(database.InsertAll(tx, people, ""), database.InsertAll(tx, offices, ""), database.InsertAll(tx, terms, ""), database.InsertAll(tx, channels, "")); err != nil {
			return err
		}
		for from := 0; from < n; from += 1000 {
			var written []models.Letter
			var list []models.Dispatch
			var boxes []models.Mailbox
			for i := from; i < min(n, from+1000); i++ {
				id := models.NewID()
				m := models.Mailbox{ID: models.NewID(), AddressHash: id[:], AddressSealed: []byte{1}, Domain: "example.org", CreatedAt: now, UpdatedAt: now}
				l := models.Letter{ID: id, LetterCampaignID: ask.ID, MailboxID: m.ID, State: models.LetterReleased, Locale: "en", CreatedAt: now, UpdatedAt: now, ReleasedAt: &now, ExpiresAt: now}
				d := models.Dispatch{ID: models.NewID(), LetterID: id, LetterCampaignID: ask.ID, MailboxID: m.ID, LegislatorID: people[i%paceOffices].ID, TermID: terms[i%paceOffices].ID, State: models.DispatchWaiting, DueAt: now, CreatedAt: now, UpdatedAt: now}
				d.TextSealed = v.Seal("dispatches", "text_sealed", d.ID, "Dear Senator Quill,")
				boxes, written, list = append(boxes, m), append(written, l), append(list, d)
			}
			if err := errors.Join(database.InsertAll(tx, boxes, ""), database.InsertAll(tx, written, ""), database.InsertAll(tx, list, "")); err != nil {
				return err
			}
		}
		return database.InsertAll(tx, paces, "")
	})
}

// paceWindows is the most that any office got in any 60 minutes, and how many letters went while their office was closed.
func paceWindows(ctx context.Context, db *database.DB) (worst, outside int, err error) {
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		return 0, 0, err
	}
	var sent []struct {
		MailboxID uuid.UUID
		SentAt    time.Time
	}
	if err := db.WithContext(ctx).Raw("SELECT mailbox_id, sent_at FROM deliveries WHERE kind = 'letter'").Scan(&sent).Error; err != nil {
		return 0, 0, err
	}
	of := map[uuid.UUID][]time.Time{}
	for _, s := range sent {
		of[s.MailboxID] = append(of[s.MailboxID], s.SentAt)
		if l := s.SentAt.In(zone); l.Hour() < 8 || l.Hour() >= 18 || l.Weekday() == time.Saturday || l.Weekday() == time.Sunday {
			outside++
		}
	}
	for _, times := range of {
		slices.SortFunc(times, time.Time.Compare)
		from := 0
		for i, t := range times {
			for t.Sub(times[from]) >= time.Hour {
				from++
			}
			worst = max(worst, i-from+1)
		}
	}
	return worst, outside, nil
}
