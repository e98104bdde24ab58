package main

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"kithline/app"
	"kithline/campaigns/vault"
	"kithline/config"
	"kithline/models"
	"kithline/models/database"
)

// The promises about exports: rows a second, or the share of what opening the sealed values alone allows, and memory beyond
// what the program takes for an empty list.
const (
	exportRate        = 300_000
	exportShare       = 0.5
	exportMemoryLimit = 60 << 20
	exportRows        = 1_000_000
	exportRowsShort   = 100_000
)

// exportColumns are those of a list as it is usually wanted: four sealed values a row.
const exportColumns = "email,given_name,family_name,phone,postal_area,country,created_at"

// exports measures a list of all supporters, from the command to its end, beside the same columns in clear and beside opening
// the same values in memory.
func (b *bench) exports(ctx context.Context) error {
	rows := exportRows
	if b.rounds == 1 {
		rows = exportRowsShort
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("export: PostgreSQL is not measured: %v", err)
	} else if err := b.exportPostgres(ctx, pg, rows); err != nil {
		return err
	}
	s, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	return b.export(ctx, "SQLite", s, rows)
}

func (b *bench) exportPostgres(ctx context.Context, pg string, rows int) (err error) {
	admin, err := sql.Open("pgx", pg)
	if err != nil {
		return err
	}
	defer admin.Close()
	name := fmt.Sprintf("kithline_bench_e_%d", time.Now().UnixMicro())
	u, err := url.Parse(pg)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	defer func() {
		_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
		err = errors.Join(err, e)
	}()
	s, err := b.newSite(ctx, u.String(), 0)
	if err != nil {
		return err
	}
	return b.export(ctx, "PostgreSQL", s, rows)
}

// exported is what one run of the program told.
type exported struct {
	rate float64 // rows a second, without the start of the program
	peak int
	cpu  time.Duration
	rows int
	open int64
}

func (b *bench) exportRun(ctx context.Context, s *site, args ...string) (exported, error) {
	cmd := exec.CommandContext(ctx, b.bin, append([]string{"export"}, append(args, "--json")...)...)
	var said strings.Builder
	cmd.Env, cmd.Stderr = s.env, &said // the list goes nowhere
	if err := cmd.Run(); err != nil {
		return exported{}, fmt.Errorf("%w: %s", err, said.String())
	}
	var told struct {
		Rows    int
		Opened  int64   `json:"opened_values"`
		Seconds float64 `json:"seconds"`
	}
	if err := json.Unmarshal([]byte(said.String()), &told); err != nil {
		return exported{}, fmt.Errorf("%w: %s", err, said.String())
	}
	r := exported{rate: float64(told.Rows) / told.Seconds, rows: told.Rows, open: told.Opened, cpu: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = int(u.Maxrss) << 10
	}
	return r, nil
}

func (b *bench) export(ctx context.Context, name string, s *site, rows int) error {
	v, err := fillSupporters(ctx, s, rows)
	if err != nil {
		return err
	}
	base, err := b.exportRun(ctx, s, "signatures", s.petition.Slug)
	if err != nil {
		return err
	}
	var ours, whole, clear, opens []float64
	var peak, cpu int
	for range b.rounds {
		r, err := b.exportRun(ctx, s, "supporters", "--columns", exportColumns)
		if err != nil {
			return err
		}
		if r.rows != rows || r.open != int64(4*rows) {
			return fmt.Errorf("%d rows and %d opened values of %d people", r.rows, r.open, rows)
		}
		ours, peak, cpu = append(ours, r.rate), max(peak, r.peak), int(r.cpu.Microseconds())
		if r, err = b.exportRun(ctx, s, "supporters", "--columns", exportColumns+",street,city,tags,consents,subscription_status"); err != nil {
			return err
		}
		whole, peak = append(whole, r.rate), max(peak, r.peak)
		took, err := clearExport(ctx, s.url)
		if err != nil {
			return err
		}
		clear = append(clear, float64(rows)/took.Seconds())
		opens = append(opens, float64(rows)/openOnly(v, rows).Seconds())
	}
	rate, limit, open := median(ours), median(clear), median(opens)
	told := fmt.Sprintf("%s of the same columns in clear; opening takes %.0f %% of it; its own processors %.1f us a row", ratio(rate, limit), 100*rate/open, float64(cpu)/float64(rows))
	if name == "PostgreSQL" {
		told += "; " + b.out.promise(rate >= exportRate || rate >= exportShare*min(limit, open), "300,000/s, or half of what the same columns in clear or opening alone allow")
	}
	b.out.add(line{what: fmt.Sprintf("export: %s, %s supporters, %d columns, CSV", name, number(rows), 1+strings.Count(exportColumns, ",")), figure: perSecond(rate), beside: told})
	b.out.add(line{what: "  the same with addresses, tags, consents and status", figure: perSecond(median(whole))})
	b.out.add(line{what: "  limit: the same columns in clear by rows and csv", figure: perSecond(limit)})
	b.out.add(line{what: "  limit: opening four values a row, all processors", figure: perSecond(open)})
	b.out.add(line{what: "  memory beyond that of an empty list", figure: mb(peak - base.peak), beside: b.out.promise(peak > 0 && peak-base.peak <= exportMemoryLimit, "at most "+mb(exportMemoryLimit)) + fmt.Sprintf("; in all %s", mb(peak))})
	return nil
}

// fillSupporters puts people with an address, a telephone number and a consent into a site, sealed, and the same columns in
// clear into a table beside them.
func fillSupporters(ctx context.Context, s *site, n int) (_ *vault.Vault, err error) {
	cfg, err := config.Load(s.env)
	if err != nil {
		return nil, err
	}
	a, err := app.Build(ctx, cfg, app.Options{})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.Close()) }()
	text, err := importText(ctx, a.DB)
	if err != nil {
		return nil, err
	}
	if err := a.DB.WithContext(ctx).Exec("CREATE TABLE bench_clear (id text PRIMARY KEY, email text, given text, family text, phone text, zip text, country text, at text)").Error; err != nil {
		return nil, err
	}
	now, v := time.Now().UTC().Truncate(time.Microsecond), a.Vault
	type clearSupporter struct{ ID, Email, Given, Family, Phone, Zip, Country, At string }
	for from := 0; from < n; from += 5000 {
		var people []models.Supporter
		var boxes []models.Mailbox
		var phones []models.Phone
		var consents []models.Consent
		var plain []clearSupporter
		for i := from; i < min(n, from+5000); i++ {
			p, id := clearRow(i), models.NewID()
			hash := v.AddressHash(p.email)
			people = append(people, models.Supporter{
				ID: id, GivenNameSealed: v.Seal("supporters", "given_name_sealed", id, p.given), FamilyNameSealed: v.Seal("supporters", "family_name_sealed", id, p.family),
				PostalArea: p.zip, Country: "US", Source: "import", CreatedAt: now, UpdatedAt: now,
			})
			boxes = append(boxes, models.Mailbox{
				ID: models.NewID(), AddressHash: hash, AddressSealed: v.SealBytes("mailboxes", "address_sealed", hash, []byte(p.email)), Domain: "mail.example.org", SupporterID: &id,
				CreatedAt: now, UpdatedAt: now,
			})
			phone := models.Phone{ID: models.NewID(), SupporterID: id, NumberHash: hash[:16], Valid: true, CreatedAt: now}
			phone.NumberSealed = v.Seal("phones", "number_sealed", phone.ID, p.phone)
			phones = append(phones, phone)
			consents = append(consents, models.Consent{
				ID: models.NewID(), MailboxID: boxes[len(boxes)-1].ID, Purpose: models.PurposeNewsletter, ScopeID: uuid.Nil, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now,
				Source: "The bench", How: models.ConsentByImport,
			})
			plain = append(plain, clearSupporter{id.String(), p.email, p.given, p.family, p.phone, p.zip, "US", now.Format(time.RFC3339)})
		}
		err := a.DB.Tx(ctx, func(tx *gorm.DB) error {
			err := errors.Join(database.CopyAll(tx, people), database.CopyAll(tx, boxes), database.CopyAll(tx, phones), database.CopyAll(tx, consents))
			for part := 0; part < len(plain) && err == nil; part += 1000 {
				err = tx.Table("bench_clear").Create(plain[part:min(len(plain), part+1000)]).Error
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return v, a.DB.WithContext(ctx).Exec("ANALYZE").Error
}

// clearExport writes the same columns as database/sql and encoding/csv do it.
func clearExport(ctx context.Context, address string) (time.Duration, error) {
	db, err := database.Open(ctx, database.Options{URL: address, Connections: 2})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	began := time.Now()
	rows, err := db.SQL.QueryContext(ctx, "SELECT email, given, family, phone, zip, country, at FROM bench_clear ORDER BY id")
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	out := csv.NewWriter(bufio.NewWriterSize(io.Discard, 256<<10))
	cells, to := make([]string, 7), make([]any, 7)
	for i := range cells {
		to[i] = &cells[i]
	}
	for rows.Next() {
		if err := rows.Scan(to...); err != nil {
			return 0, err
		}
		if err := out.Write(cells); err != nil {
			return 0, err
		}
	}
	out.Flush()
	return time.Since(began), errors.Join(rows.Err(), out.Error())
}

// openOnly opens as many values as the list has, on all processors, out of memory.
func openOnly(v *vault.Vault, rows int) time.Duration {
	const some = 1000
	ids, sealed := make([]uuid.UUID, some), make([][4][]byte, some)
	for i := range ids {
		ids[i] = models.NewID()
		p := clearRow(i)
		for k, text := range []string{p.email, p.given, p.family, p.phone} {
			sealed[i][k] = v.Seal("supporters", "given_name_sealed", ids[i], text)
		}
	}
	began := time.Now()
	var g errgroup.Group
	workers := runtime.GOMAXPROCS(0)
	for w := range workers {
		g.Go(func() (err error) {
			var b []byte
			for i := w; i < rows && err == nil; i += workers {
				for _, s := range sealed[i%some] {
					b, err = v.AppendOpened(b[:0], "supporters", "given_name_sealed", ids[i%some][:], s)
				}
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
	}
	return time.Since(began)
}
