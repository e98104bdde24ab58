package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/valyala/fasthttp"
	"golang.org/x/sync/errgroup"
	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// The promises about imports: the share of the limit on PostgreSQL, and the memory that one takes at most.
const (
	importShare       = 0.4
	importMemoryLimit = 200 << 20
	importRows        = 1_000_000
	importRowsShort   = 100_000
)

// imports measures bringing in supporters with a telephone number and a consent each, from a file to the end of the program.
func (b *bench) imports(ctx context.Context) error {
	rows := importRows
	if b.rounds == 1 {
		rows = importRowsShort
	}
	file := filepath.Join(b.dir, "supporters.csv")
	if err := writeSupporters(file, rows); err != nil {
		return err
	}
	defer func() { _ = os.Remove(file) }()
	pg, err := durableServer()
	if err != nil {
		b.out.note("import: PostgreSQL is not measured: %v", err)
	} else if err := b.importPostgres(ctx, pg, file, rows); err != nil {
		return err
	}
	return b.importSQLite(ctx, file, rows)
}

// person is one row in clear. Names and numbers differ, as people's do.
type clearPerson struct{ email, given, family, phone, zip string }

func clearRow(i int) clearPerson {
	h := sha256.Sum256(fmt.Appendf(nil, "person %d", i))
	given := []string{"June", "Ilse", "Tomás", "Amara", "Noel", "Priya", "Wendell", "Zoë"}[h[0]%8]
	family := []string{"Okafor", "Halvorsen", "Ruiz", "Berg", "Lindqvist", "Patel", "Marsh", "O'Dell"}[h[1]%8] + fmt.Sprintf("%c%c", 'a'+h[2]%26, 'a'+h[3]%26)
	return clearPerson{
		email: fmt.Sprintf("%x.%d@mail%d.example.org", h[4:7], i, i%300), given: given, family: family,
		phone: fmt.Sprintf("(%d) 555-%04d", []int{617, 212, 415, 312, 206, 512, 303, 404}[h[7]%8], i%10000), zip: fmt.Sprintf("%05d", 501+int(h[8])*300+int(h[9])),
	}
}

func writeSupporters(file string, n int) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "email,first_name,last_name,phone,zip,country,opt_in_date")
	for i := range n {
		p := clearRow(i)
		fmt.Fprintf(w, "%s,%s,%s,%s,%s,US,2026-04-30 10:15:00\n", p.email, p.given, p.family, p.phone, p.zip)
	}
	return w.Flush()
}

// importRun is one import by the program as it is shipped.
type importRun struct {
	took time.Duration
	peak int
	user time.Duration // of all processors
}

func (b *bench) importFile(ctx context.Context, s *site, file string, want int) (importRun, error) {
	cmd := exec.CommandContext(ctx, b.bin, "import", "supporters", file, "--json", "--basis-purpose", "newsletter", "--basis-text", "Yes, send me the newsletter.", "--basis-source", "The bench")
	cmd.Env = s.env
	var said strings.Builder
	cmd.Stderr = &said
	began := time.Now()
	out, err := cmd.Output()
	r := importRun{took: time.Since(began)}
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, said.String())
	}
	if u, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.peak = int(u.Maxrss) << 10
	}
	r.user = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	var told struct{ New, Consents int }
	if err := json.Unmarshal(out, &told); err != nil {
		return r, err
	}
	if told.New != want || told.Consents != want {
		return r, fmt.Errorf("%d new and %d consents of %d rows", told.New, told.Consents, want)
	}
	return r, nil
}

func (b *bench) importPostgres(ctx context.Context, pg, file string, rows int) (err error) {
	admin, err := sql.Open("pgx", pg)
	if err != nil {
		return err
	}
	defer admin.Close()
	durable, err := durability(ctx, admin)
	if err != nil {
		return err
	}
	var made []string
	defer func() {
		for _, name := range made {
			_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
			err = errors.Join(err, e)
		}
	}()
	fresh := func() (*site, error) {
		name := fmt.Sprintf("kithline_bench_i_%d", time.Now().UnixMicro())
		u, err := url.Parse(pg)
		if err != nil {
			return nil, err
		}
		u.Path = "/" + name
		made = append(made, name)
		if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
			return nil, err
		}
		return b.newSite(ctx, u.String(), 0)
	}
	plain, err := fresh()
	if err != nil {
		return err
	}
	limit, err := copyInClear(ctx, plain.url, rows)
	if err != nil {
		return err
	}
	ours, err := fresh()
	if err != nil {
		return err
	}
	r, err := b.importFile(ctx, ours, file, rows)
	if err != nil {
		return err
	}
	b.tellImport("PostgreSQL", rows, r, limit, true)
	b.out.add(line{what: "  limit: COPY in clear into a temp table, INSERT ... SELECT", figure: perSecond(float64(rows) / limit.Seconds())})
	b.out.note("%s", durable)
	s, err := fresh()
	if err != nil {
		return err
	}
	return b.signBeside(ctx, "PostgreSQL", s, file)
}

func (b *bench) tellImport(name string, rows int, r importRun, limit time.Duration, promised bool) {
	share := limit.Seconds() / r.took.Seconds()
	told := fmt.Sprintf("%.2f of the limit; its own processors %s us a row", share, number(int(r.user.Microseconds())/rows))
	if promised {
		told += "; " + b.out.promise(share >= importShare, fmt.Sprintf("at least %.1f", importShare))
	}
	b.out.add(line{what: fmt.Sprintf("import: %s, %s supporters, phones, consents", name, number(rows)), figure: perSecond(float64(rows) / r.took.Seconds()), beside: told})
	b.out.add(line{what: "  memory of the program, the most", figure: mb(r.peak), beside: b.out.promise(r.peak > 0 && r.peak <= importMemoryLimit, "at most "+mb(importMemoryLimit))})
}

// importText makes the words that the consents of the limit point to.
func importText(ctx context.Context, db *database.DB) (models.ConsentText, error) {
	t := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 1, Body: "Yes, send me the newsletter.", CreatedAt: time.Now().UTC()}
	return t, db.WithContext(ctx).Create(&t).Error
}

// copyInClear writes the same rows as PostgreSQL takes them fastest: nothing is looked up, sealed or parsed. The hash of an
// address stands for itself, since a table of mailboxes needs one.
func copyInClear(ctx context.Context, url string, n int) (time.Duration, error) {
	db, err := database.Open(ctx, database.Options{URL: url, Connections: 2})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	text, err := importText(ctx, db)
	if err != nil {
		return 0, err
	}
	now := time.Now().UTC()
	began := time.Now()
	err = pgx.BeginFunc(ctx, db.Pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `CREATE TEMP TABLE incoming (person uuid, box uuid, phone uuid, consent uuid, hash bytea, address bytea, given bytea, family bytea,
			number bytea, number_hash bytea, zip text) ON COMMIT DROP`); err != nil {
			return err
		}
		i := 0
		source := pgx.CopyFromFunc(func() ([]any, error) {
			if i == n {
				return nil, nil
			}
			p := clearRow(i)
			i++
			hash := sha256.Sum256([]byte(p.email))
			return []any{
				[16]byte(models.NewID()), [16]byte(models.NewID()), [16]byte(models.NewID()), [16]byte(models.NewID()), hash[:], []byte(p.email), []byte(p.given), []byte(p.family),
				[]byte(p.phone), hash[8:24], p.zip,
			}, nil
		})
		columns := []string{"person", "box", "phone", "consent", "hash", "address", "given", "family", "number", "number_hash", "zip"}
		if _, err := tx.CopyFrom(ctx, pgx.Identifier{"incoming"}, columns, source); err != nil {
			return err
		}
		for _, q := range []struct {
			sql  string
			args []any
		}{
			{`INSERT INTO supporters (id, given_name_sealed, family_name_sealed, postal_area, country, locale, source, created_at, updated_at)
				SELECT person, given, family, zip, 'US', '', 'import', $1, $1 FROM incoming`, []any{now}},
			{`INSERT INTO mailboxes (id, address_hash, address_sealed, domain, suppressed_reason, supporter_id, created_at, updated_at)
				SELECT box, hash, address, 'mail.example.org', '', person, $1, $1 FROM incoming ON CONFLICT (address_hash) DO NOTHING`, []any{now}},
			{`INSERT INTO phones (id, supporter_id, number_sealed, number_hash, valid, created_at) SELECT phone, person, number, number_hash, true, $1 FROM incoming`, []any{now}},
			{`INSERT INTO consents (id, mailbox_id, purpose, scope_id, text_id, locale, shown_at, given_at, source, how, withdrawn_how)
				SELECT consent, box, 'newsletter', $1, $2, 'en', $3, $3, 'The bench', 'import', '' FROM incoming`, []any{[16]byte{}, [16]byte(text.ID), now}},
		} {
			if _, err := tx.Exec(ctx, q.sql, q.args...); err != nil {
				return err
			}
		}
		return nil
	})
	return time.Since(began), err
}

func (b *bench) importSQLite(ctx context.Context, file string, rows int) error {
	plain, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	limit, err := insertInClear(ctx, plain.url, rows)
	if err != nil {
		return err
	}
	ours, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	r, err := b.importFile(ctx, ours, file, rows)
	if err != nil {
		return err
	}
	b.tellImport("SQLite", rows, r, limit, false)
	b.out.add(line{what: "  limit: the same rows in clear, 500 a statement, 5,000 a commit", figure: perSecond(float64(rows) / limit.Seconds())})
	s, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	return b.signBeside(ctx, "SQLite", s, file)
}

// insertInClear is copyInClear for SQLite.
func insertInClear(ctx context.Context, url string, n int) (time.Duration, error) {
	db, err := database.Open(ctx, database.Options{URL: url})
	if err != nil {
		return 0, err
	}
	defer db.Close()
	text, err := importText(ctx, db)
	if err != nil {
		return 0, err
	}
	now := time.Now().UTC()
	began := time.Now()
	for from := 0; from < n; from += 5000 {
		var people []models.Supporter
		var boxes []models.Mailbox
		var phones []models.Phone
		var consents []models.Consent
		for i := from; i < min(n, from+5000); i++ {
			p, id := clearRow(i), models.NewID()
			hash := sha256.Sum256([]byte(p.email))
			people = append(people, models.Supporter{
				ID: id, GivenNameSealed: []byte(p.given), FamilyNameSealed: []byte(p.family), PostalArea: p.zip, Country: "US", Source: "import", CreatedAt: now, UpdatedAt: now,
			})
			boxes = append(boxes, models.Mailbox{
				ID: models.NewID(), AddressHash: hash[:], AddressSealed: []byte(p.email), Domain: "mail.example.org", SupporterID: &id, CreatedAt: now, UpdatedAt: now,
			})
			phones = append(phones, models.Phone{ID: models.NewID(), SupporterID: id, NumberSealed: []byte(p.phone), NumberHash: hash[8:24], Valid: true, CreatedAt: now})
			consents = append(consents, models.Consent{
				ID: models.NewID(), MailboxID: boxes[len(boxes)-1].ID, Purpose: models.PurposeNewsletter, ScopeID: uuid.Nil, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now,
				Source: "The bench", How: models.ConsentByImport,
			})
		}
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			return errors.Join(database.CopyAll(tx, people), database.CopyAll(tx, boxes), database.CopyAll(tx, phones), database.CopyAll(tx, consents))
		})
		if err != nil {
			return 0, err
		}
	}
	return time.Since(began), nil
}

// signBeside measures what signing is like while a file is imported into the same database.
func (b *bench) signBeside(ctx context.Context, name string, s *site, file string) error {
	p, err := b.serve(ctx, s, "KITHLINE_MAIL=capture")
	if err != nil {
		return err
	}
	const few = 4
	alone := drive(ctx, p, few, b.load, s.signer("alone", &p.addr), status(fasthttp.StatusSeeOther))
	importing, stop := context.WithCancel(ctx)
	defer stop()
	g := errgroup.Group{}
	g.Go(func() error {
		cmd := exec.CommandContext(importing, b.bin, "import", "supporters", file)
		cmd.Env = s.env
		out, err := cmd.CombinedOutput()
		if err != nil && importing.Err() == nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	})
	// It is under way once it wrote somebody.
	db, err := database.Open(ctx, database.Options{URL: s.url, Connections: 1})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := p.until(ctx, func() bool {
		var n int64
		return db.WithContext(ctx).Table("(SELECT 1 FROM supporters WHERE source = 'import' LIMIT 1) AS x").Count(&n).Error == nil && n > 0
	}); err != nil {
		return err
	}
	beside := drive(ctx, p, few, b.load, s.signer("beside", &p.addr), status(fasthttp.StatusSeeOther))
	stop()
	if err := errors.Join(g.Wait(), p.stop()); err != nil {
		return err
	}
	b.out.add(rounds{alone}.line(fmt.Sprintf("  %s: %d sign, nothing else", name, few), ""))
	b.out.add(rounds{beside}.line(fmt.Sprintf("  %s: %d sign beside an import", name, few), ""))
	return nil
}
