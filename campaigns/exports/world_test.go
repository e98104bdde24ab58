package exports_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/clock"
	"kithline/campaigns/exports"
	"kithline/campaigns/files"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

// world is one Kithline without its web side.
type world struct {
	t     *testing.T
	db    *database.DB
	vault *vault.Vault
	clk   *clock.Fixed
	files *files.Service
	svc   *exports.Service
	jobs  []exports.RunArgs // asked for
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	folder, err := files.NewFolder(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, db: db, vault: vault.New(vault.NewKey()), clk: clock.NewFixed(start)}
	w.files = files.New(db, w.vault, w.clk, folder)
	w.svc = exports.New(exports.Options{
		DB: db, Vault: w.vault, Clock: w.clk, Files: w.files, Version: "1.2.3",
		Enqueue: func(_ context.Context, _ *gorm.DB, args river.JobArgs) error {
			w.jobs = append(w.jobs, args.(exports.RunArgs))
			return nil
		},
	})
	return w
}

func each(t *testing.T, fn func(t *testing.T, w *world)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) { fn(t, newWorld(t, db)) })
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) create(rows ...any) {
	w.t.Helper()
	for _, r := range rows {
		if err := w.db.Create(r).Error; err != nil {
			w.t.Fatalf("%T: %v", r, err)
		}
	}
}

// somebody is a supporter as a test says it.
type somebody struct {
	given, family, street, city, postal string
	emails, phones, tags                []string
	chapter                             *uuid.UUID
	fields                              map[*models.CustomField]string
	suppressed                          string // the reason, of the first address
}

func (w *world) add(s somebody) models.Supporter {
	w.t.Helper()
	now := w.clk.Now()
	p := models.Supporter{ID: models.NewID(), PostalArea: s.postal, Country: "US", Locale: "en", Source: "form", ChapterID: s.chapter, CreatedAt: now, UpdatedAt: now}
	p.GivenNameSealed = w.vault.Seal("supporters", "given_name_sealed", p.ID, s.given)
	p.FamilyNameSealed = w.vault.Seal("supporters", "family_name_sealed", p.ID, s.family)
	p.StreetSealed = w.vault.Seal("supporters", "street_sealed", p.ID, s.street)
	p.CitySealed = w.vault.Seal("supporters", "city_sealed", p.ID, s.city)
	w.create(&p)
	for i, e := range s.emails {
		m := w.box(e, &p.ID)
		if i == 0 && s.suppressed != "" {
			w.must(w.db.Model(&m).Updates(map[string]any{"suppressed_at": now, "suppressed_reason": s.suppressed}).Error)
		}
	}
	for i, n := range s.phones {
		w.must(supporters.AddPhone(w.t.Context(), w.db.DB, w.vault, p.ID, n, "US", now.Add(time.Duration(i)*time.Microsecond)))
	}
	for _, name := range s.tags {
		tag, err := supporters.EnsureTag(w.t.Context(), w.db.DB, name, now)
		w.must(err)
		w.must(supporters.Tag(w.t.Context(), w.db.DB, []uuid.UUID{p.ID}, []uuid.UUID{tag.ID}, now))
	}
	for f, v := range s.fields {
		w.must(supporters.SetField(w.t.Context(), w.db.DB, w.vault, p.ID, *f, v, now))
	}
	return p
}

func (w *world) box(email string, supporter *uuid.UUID) models.Mailbox {
	w.t.Helper()
	canonical, domain, err := address.CanonicalAddress(email)
	w.must(err)
	now := w.clk.Now()
	hash := w.vault.AddressHash(canonical)
	m := models.Mailbox{
		ID: models.NewID(), AddressHash: hash, AddressSealed: w.vault.SealBytes("mailboxes", "address_sealed", hash, []byte(canonical)), Domain: domain, VerifiedAt: &now,
		SupporterID: supporter, CreatedAt: now, UpdatedAt: now,
	}
	w.create(&m)
	return m
}

// agree records a consent for an address.
func (w *world) agree(email string, p models.Purpose, scope uuid.UUID) models.Consent {
	w.t.Helper()
	canonical, _, err := address.CanonicalAddress(email)
	w.must(err)
	var m models.Mailbox
	w.must(w.db.Take(&m, "address_hash = ?", w.vault.AddressHash(canonical)).Error)
	var text models.ConsentText
	if err := w.db.Take(&text, "purpose = ?", p).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		text = models.ConsentText{ID: models.NewID(), Purpose: p, Locale: "en", Version: 1, Body: "Yes, for " + string(p), CreatedAt: start}
		w.create(&text)
	} else {
		w.must(err)
	}
	c := models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: p, ScopeID: scope, TextID: text.ID, Locale: "en", ShownAt: start, GivenAt: w.clk.Now(), Source: "/join", How: models.ConsentByMail}
	w.create(&c)
	return c
}

func (w *world) field(name string, kind models.FieldKind, private bool, seenBy string) *models.CustomField {
	w.t.Helper()
	f := &models.CustomField{ID: models.NewID(), Name: name, Label: name, Kind: kind, Private: private, SeenBy: seenBy, CreatedAt: start, UpdatedAt: start}
	w.create(f)
	return f
}

func (w *world) chapter(slug string) *uuid.UUID {
	w.t.Helper()
	c := models.Chapter{ID: models.NewID(), Slug: slug, Name: "Chapter " + slug, CreatedAt: start, UpdatedAt: start}
	w.create(&c)
	return &c.ID
}

// user makes an account and returns it as an actor.
func (w *world) user(role actor.Role, chapter *uuid.UUID) actor.Actor {
	w.t.Helper()
	m := w.box(fmt.Sprintf("%s-%d@staff.example", role, w.count("users")), nil)
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(role), Locale: "en", ChapterID: chapter, CreatedAt: start, UpdatedAt: start}
	w.create(&u)
	a := actor.Actor{Kind: actor.User, UserID: u.ID, Role: role}
	if chapter != nil {
		a.ChapterID = *chapter
	}
	return a
}

func (w *world) count(table string) (n int64) {
	w.t.Helper()
	w.must(w.db.Table(table).Count(&n).Error)
	return n
}

// write exports at once and returns the bytes.
func (w *world) write(a actor.Actor, in exports.Input) []byte {
	w.t.Helper()
	var b bytes.Buffer
	if _, err := w.svc.Write(w.t.Context(), a, in, &b, nil); err != nil {
		w.t.Fatal(err)
	}
	return b.Bytes()
}

// people are the lines of a list in JSON.
func (w *world) people(a actor.Actor, in exports.Input) (out []map[string]any) {
	w.t.Helper()
	in.Kind, in.Format = exports.KindSupporters, exports.JSONL
	for line := range bytes.Lines(w.write(a, in)) {
		var m map[string]any
		if err := json.Unmarshal(line, &m); err != nil {
			w.t.Fatalf("%q: %v", line, err)
		}
		out = append(out, m)
	}
	return out
}

// names are the given names of a list, in its order.
func names(list []map[string]any) []string {
	out := []string{}
	for _, m := range list {
		s, _ := m["given_name"].(string)
		out = append(out, s)
	}
	return out
}
