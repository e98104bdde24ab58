package main

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
)

// The promises about finding people among a million of them.
const (
	findPeople      = 1_000_000
	findLimit       = 100 * time.Millisecond
	findMemoryLimit = 60 << 20
	findBatch       = 5000
	findEach        = 10 // one of so many has an address and a number: an index of more is as deep
)

// find measures finding one person among many: by part of the name, address, telephone number and tag, on both databases.
func (b *bench) find(ctx context.Context) error {
	people := findPeople
	if b.rounds == 1 {
		people /= 10
		b.out.note("find: -short makes a tenth of the people; the promises are about all of them")
	}
	if err := b.findOn(ctx, "SQLite", "sqlite:"+filepath.Join(b.dir, "find.db"), people); err != nil {
		return err
	}
	pg, err := durableServer()
	if err != nil {
		b.out.note("find: PostgreSQL is not measured: %v", err)
		return nil
	}
	admin, err := sql.Open("pgx", pg)
	if err != nil {
		return err
	}
	defer admin.Close()
	name := fmt.Sprintf("kithline_bench_find_%d", time.Now().UnixMilli())
	u, err := url.Parse(pg)
	if err != nil {
		return err
	}
	u.Path = "/" + name
	if _, err := admin.ExecContext(ctx, "CREATE DATABASE "+name); err != nil {
		return err
	}
	err = b.findOn(ctx, "PostgreSQL", u.String(), people)
	_, e := admin.ExecContext(context.WithoutCancel(ctx), "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
	return errors.Join(err, e)
}

// madeUpName makes up a name of one to three syllables each.
func madeUpName(r *rand.Rand) (given, family string) {
	parts := []string{"an", "be", "ca", "do", "el", "fi", "go", "ha", "is", "ju", "ka", "li", "ma", "ni", "or", "pa", "ri", "sa", "to", "ul", "va", "wen", "xi", "yo", "zar", "ne", "son", "ger", "man", "ová"}
	word := func() string {
		var b strings.Builder
		for range 2 + r.IntN(2) {
			b.WriteString(parts[r.IntN(len(parts))])
		}
		s := b.String()
		return strings.ToUpper(s[:1]) + s[1:]
	}
	return word(), word()
}

// findWorld fills a database with people who have a name and a chapter of ten, each tenth an address and a telephone number; the
// oldest third has the tag common, fifty of them the tag rare. It returns all names, a line each, as a plain scan would read them.
func findWorld(ctx context.Context, db *database.DB, v *vault.Vault, people int) (names []byte, chapter, common, rare uuid.UUID, err error) {
	now := clock.System.Now().AddDate(-1, 0, 0)
	r := rand.New(rand.NewPCG(3, 9))
	chapters, tags := make([]models.Chapter, 10), make([]models.Tag, 2)
	for i := range chapters {
		chapters[i] = models.Chapter{ID: models.NewID(), Slug: fmt.Sprint("c", i), Name: fmt.Sprint("Chapter ", i), CreatedAt: now, UpdatedAt: now}
	}
	for i := range tags {
		tags[i] = models.Tag{ID: models.NewID(), Name: fmt.Sprint("t", i), NameKey: fmt.Sprint("t", i), CreatedAt: now}
	}
	if err := errors.Join(db.Create(&chapters).Error, db.Create(&tags).Error); err != nil {
		return nil, uuid.Nil, uuid.Nil, uuid.Nil, err
	}
	chapter, common, rare = chapters[0].ID, tags[0].ID, tags[1].ID
	for from := 0; from < people; from += findBatch {
		rows := make([]models.Supporter, findBatch)
		var boxes []models.Mailbox
		var phones []models.Phone
		var all, few []uuid.UUID
		for i := range findBatch {
			n := from + i
			given, family := madeUpName(r)
			names = append(append(append(append(names, strings.ToLower(given)...), ' '), strings.ToLower(family)...), '\n')
			at := now.Add(time.Duration(n) * time.Second / 10)
			rows[i] = supporters.NewRow(v, models.NewID(), supporters.Facts{GivenName: given, FamilyName: family, PostalArea: "02139", Country: "US", Locale: "en", Source: supporters.SourceImport}, at)
			rows[i].ChapterID = &chapters[n%10].ID
			if n%findEach == 0 {
				box, err := mailboxes.NewRow(v, fmt.Sprintf("person%d@example.org", n), at)
				if err != nil {
					return nil, uuid.Nil, uuid.Nil, uuid.Nil, err
				}
				box.SupporterID = &rows[i].ID
				boxes = append(boxes, box)
				phones = append(phones, supporters.NewPhone(v, rows[i].ID, fmt.Sprintf("+1617%07d", 2_000_000+n), "US", at))
			}
			if n < people/3 {
				all = append(all, rows[i].ID)
				if n%(people/150) == 0 {
					few = append(few, rows[i].ID)
				}
			}
		}
		err = db.Tx(ctx, func(tx *gorm.DB) error {
			err1 := database.InsertAll(tx, rows, "")
			err2 := database.InsertAll(tx, boxes, "")
			err3 := database.InsertAll(tx, phones, "")
			return errors.Join(err1, err2, err3, supporters.Tag(ctx, tx, all, []uuid.UUID{common}, now), supporters.Tag(ctx, tx, few, []uuid.UUID{rare}, now))
		})
		if err != nil {
			return nil, uuid.Nil, uuid.Nil, uuid.Nil, err
		}
	}
	return names, chapter, common, rare, db.Exec("ANALYZE").Error
}

func (b *bench) findOn(ctx context.Context, name, at string, people int) (err error) {
	db, err := database.Open(ctx, database.Options{URL: at, Building: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := migrations.Up(ctx, db); err != nil {
		return err
	}
	v := vault.New(vault.NewKey())
	began := time.Now()
	names, chapter, common, rare, err := findWorld(ctx, db, v, people)
	if err != nil {
		return err
	}
	b.out.note("find: %s, %s supporters, each tenth with an address and a number, made in %.0f s", name, number(people), time.Since(began).Seconds())
	svc := supporters.New(db, v, clock.System)
	whole := actor.Actor{Kind: actor.User, Role: actor.Organizer}
	local := whole
	local.ChapterID = chapter

	began = time.Now()
	one := strings.Fields(string(names[:bytes.IndexByte(names, '\n')]))
	if _, err := svc.Find(ctx, whole, one[1]+" "+one[0]); err != nil {
		return err
	}
	read := time.Since(began)
	held, size := svc.Held()
	full := people == findPeople
	l := line{
		what: "find, " + name + ": reading all names, once a start", figure: ms(read) + " ms",
		beside: fmt.Sprintf("%s names/s; %s held, %d bytes a person", number(int(float64(held)/read.Seconds())), mb(size), size/max(held, 1)),
	}
	if full {
		l.beside = b.out.promise(size <= findMemoryLimit, "at most "+mb(findMemoryLimit)) + "; " + l.beside
	}
	b.out.add(l)

	search := func(a actor.Actor, q string, some bool) func() error {
		return func() error {
			f, err := svc.Find(ctx, a, q)
			if err == nil && len(f.Rows) == 0 || err != nil && some {
				return fmt.Errorf("%q found nobody: %w", q, err)
			}
			return nil
		}
	}
	list := func(a actor.Actor, tag uuid.UUID) func() error {
		return func() error {
			p, err := svc.List(ctx, a, supporters.Filter{Tag: tag}, paging.Cursor{})
			if err == nil && len(p.Rows) == 0 {
				err = errors.New("nobody has the tag")
			}
			return err
		}
	}
	for _, x := range []struct {
		what string
		scan string // what a plain scan looks for; "" = the rows are not names
		run  func() error
	}{
		{"by a whole name", one[1], search(whole, one[1]+" "+one[0], true)},
		{"by a part that fits a sixth of all", "an", search(whole, "an", true)},
		{"by two parts, in one chapter of ten", "son", search(local, "son ma", true)},
		{"by a part that fits nobody", "qqzq", search(whole, "qqzq", false)},
		{"by address", "", search(whole, fmt.Sprintf("person%d@example.org", people/2), true)},
		{"by number", "", search(whole, fmt.Sprintf("(617) %s-%s", fmt.Sprint(2_000_000 + people/2)[:3], fmt.Sprint(2_000_000 + people/2)[3:]), true)},
		{"by a tag that the oldest third has", "", list(whole, common)},
		{"by a tag that fifty have", "", list(whole, rare)},
		{"by a tag of a third, in one chapter of ten", "", list(local, common)},
	} {
		var took, plain []time.Duration
		for range 4 * (b.rounds + 2) {
			began := time.Now()
			if err := x.run(); err != nil {
				return err
			}
			took = append(took, time.Since(began))
			if x.scan == "" {
				continue
			}
			began = time.Now()
			scanned += scan(names, []byte(x.scan))
			plain = append(plain, time.Since(began))
		}
		t, slowest := median(took), took[0]
		for _, d := range took {
			slowest = max(slowest, d)
		}
		l := line{what: "find, " + name + ": " + x.what, figure: ms(t) + " ms", p50: t, p99: slowest}
		if full {
			l.beside = b.out.promise(t <= findLimit, "at most "+ms(findLimit)+" ms")
		}
		if x.scan != "" {
			p := median(plain)
			l.beside += fmt.Sprintf("; a plain scan for %q takes %s ms: %s times that", x.scan, ms(p), ratio(float64(t), float64(p)))
		}
		l.beside = strings.TrimPrefix(l.beside, "; ")
		b.out.add(l)
	}
	return nil
}

// scanned keeps the compiler from leaving the scans out.
var scanned uint64 //nolint:unused // written, and that is its use

// scan is the limit: every name that holds a word, in one pass over all of them.
func scan(names, word []byte) uint64 {
	var sum uint64
	for at := 0; ; {
		i := bytes.Index(names[at:], word)
		if i < 0 {
			return sum
		}
		end := bytes.IndexByte(names[at+i:], '\n')
		sum += uint64(binary.BigEndian.Uint16(word))
		at += i + end + 1
	}
}
