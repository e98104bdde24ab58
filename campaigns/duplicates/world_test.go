package duplicates

import (
	"context"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

var (
	ctx = context.Background()
	t0  = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)
)

// world is a database with people in it.
type world struct {
	*Service
	t     *testing.T
	clk   *clock.Fixed
	organ actor.Actor
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	v, c := vault.New(vault.NewKey()), clock.NewFixed(t0)
	w := &world{Service: New(db, v, c, supporters.New(db, v, c)), t: t, clk: c}
	m := w.must(mailboxes.Ensure(ctx, db.DB, v, "organizer@example.org", t0))
	u := models.User{ID: models.NewID(), MailboxID: m.ID, Role: string(actor.Organizer), CreatedAt: t0, UpdatedAt: t0}
	w.ok(db.Create(&u).Error)
	w.organ = actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Organizer}
	return w
}

func (w *world) ok(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) must(m models.Mailbox, err error) models.Mailbox { w.t.Helper(); w.ok(err); return m }

// person makes a record; the address may be empty.
func (w *world) person(f supporters.Facts, address string, confirmed bool) uuid.UUID {
	w.t.Helper()
	s := supporters.NewRow(w.vault, models.NewID(), f.Trim(), w.clk.Now())
	w.ok(w.db.Create(&s).Error)
	if address != "" {
		w.mailbox(s.ID, address, confirmed)
	}
	if f.Phone != "" {
		w.ok(supporters.AddPhone(ctx, w.db.DB, w.vault, s.ID, f.Phone, f.Country, w.clk.Now()))
	}
	return s.ID
}

func (w *world) mailbox(of uuid.UUID, address string, confirmed bool) uuid.UUID {
	w.t.Helper()
	m := w.must(mailboxes.Ensure(ctx, w.db.DB, w.vault, address, w.clk.Now()))
	w.ok(supporters.SetMailbox(ctx, w.db.DB, m.ID, of, w.clk.Now()))
	if confirmed {
		w.ok(mailboxes.Verify(ctx, w.db.DB, m.ID, w.clk.Now()))
	}
	return m.ID
}

// pairUp writes an open pair and returns its id.
func (w *world) pairUp(x, y uuid.UUID) uuid.UUID {
	w.t.Helper()
	t := pairOf(x, y)
	d := models.Duplicate{ID: models.NewID(), AID: t.a, BID: t.b, Rules: "name", State: models.DuplicateOpen, CreatedAt: w.clk.Now(), UpdatedAt: w.clk.Now()}
	w.ok(w.db.Create(&d).Error)
	return d.ID
}

// open pairs as "rules a b" with the given names of people.
func (w *world) found(names map[uuid.UUID]string) []string {
	w.t.Helper()
	var rows []models.Duplicate
	w.ok(w.db.Where("state = 'open'").Find(&rows).Error)
	var out []string
	for _, d := range rows {
		pair := []string{names[d.AID], names[d.BID]}
		slices.Sort(pair)
		out = append(out, strings.Join(pair, "+")+" "+d.Rules)
	}
	slices.Sort(out)
	return out
}

// dump is every row of every table as text, with what is sealed about people opened: the same text is the same data. Left out are
// the log, and of records the time of change, by which names in memory are kept up to date.
func (w *world) dump() []string {
	w.t.Helper()
	var out []string
	for _, m := range models.All() {
		switch m.(type) {
		case *models.AuditEntry, *models.VaultCheck:
			continue
		}
		rows := reflect.New(reflect.SliceOf(reflect.TypeOf(m).Elem()))
		w.ok(w.db.Find(rows.Interface()).Error)
		for i := range rows.Elem().Len() {
			if line := w.line(rows.Elem().Index(i).Addr().Interface()); line != "" {
				out = append(out, line)
			}
		}
	}
	slices.Sort(out)
	return out
}

func (w *world) line(row any) string {
	plain := map[string]string{}
	keep := func(name string, b []byte, err error) { w.ok(err); plain[name] = string(b) }
	switch r := row.(type) {
	case *models.Supporter:
		opened, err := w.open(*r)
		w.ok(err)
		plain, r.UpdatedAt = opened.Plain, time.Time{}
	case *models.Phone:
		s, err := w.vault.Open("phones", "number_sealed", r.ID, r.NumberSealed)
		keep("number_sealed", []byte(s), err)
	case *models.Note:
		s, err := w.vault.Open("notes", "body_sealed", r.ID, r.BodySealed)
		keep("body_sealed", []byte(s), err)
	case *models.FieldValue:
		b, err := w.vault.OpenBytes("field_values", "value_sealed", valueKey(r.SupporterID, r.FieldID), r.ValueSealed)
		keep("value_sealed", b, err)
	case *models.Merge:
		if r.UndoneAt != nil {
			return "" // of what was taken back only this row stays
		}
	}
	v := reflect.ValueOf(row).Elem()
	var b strings.Builder
	fmt.Fprint(&b, v.Type().Name())
	for i := range v.NumField() {
		f := v.Field(i)
		if name := v.Type().Field(i).Name; strings.HasSuffix(name, "Sealed") && len(plain) > 0 {
			continue
		} else {
			fmt.Fprintf(&b, " %s=", name)
		}
		if f.Kind() == reflect.Pointer {
			if f.IsNil() {
				b.WriteString("nil")
				continue
			}
			f = f.Elem()
		}
		if at, ok := f.Interface().(time.Time); ok {
			b.WriteString(at.UTC().Format(time.RFC3339Nano))
		} else {
			fmt.Fprint(&b, f.Interface())
		}
	}
	for _, k := range slices.Sorted(func(yield func(string) bool) {
		for k := range plain {
			if !yield(k) {
				return
			}
		}
	}) {
		fmt.Fprintf(&b, " %s=%q", k, plain[k])
	}
	return b.String()
}

// differ lists what is in one dump and not in the other.
func differ(before, after []string) []string {
	var out []string
	for _, l := range before {
		if !slices.Contains(after, l) {
			out = append(out, "- "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			out = append(out, "+ "+l)
		}
	}
	return out
}

// fill gives people something of everything that can hang on a record, by chance.
func (w *world) fill(r *rand.Rand, people []uuid.UUID) {
	w.t.Helper()
	chance := func(n int) bool { return r.IntN(n) == 0 }
	pick := func(list ...string) string { return list[r.IntN(len(list))] }
	now := w.clk.Now()
	var tags, fields, segments, places []uuid.UUID
	for i := range 3 {
		tag, err := supporters.EnsureTag(ctx, w.db.DB, fmt.Sprintf("tag %d", i), now)
		w.ok(err)
		seg := models.Segment{ID: models.NewID(), Name: fmt.Sprint("s", i), Rule: "{}", CreatedAt: now, UpdatedAt: now}
		w.ok(w.db.Create(&seg).Error)
		tags, segments = append(tags, tag.ID), append(segments, seg.ID)
	}
	var courses []uuid.UUID
	for range 2 {
		sr := models.Series{ID: models.NewID(), Purpose: models.PurposeNewsletter, TriggerKind: models.TriggerJoined, State: models.SeriesLive, CreatedAt: now, UpdatedAt: now}
		w.ok(w.db.Create(&sr).Error)
		courses = append(courses, sr.ID)
	}
	had := []string{models.NewID().String() + " ", models.NewID().String() + " ", models.NewID().String() + " "}
	var list []models.CustomField
	for i := range 4 {
		f := models.CustomField{ID: models.NewID(), Name: fmt.Sprint("f", i), Label: fmt.Sprint("F", i), Kind: models.FieldText, Private: i%2 == 0, SeenBy: "organizer", CreatedAt: now, UpdatedAt: now}
		if i == 3 {
			f.Kind = models.FieldNumber
		}
		w.ok(w.db.Create(&f).Error)
		fields, list = append(fields, f.ID), append(list, f)
	}
	for i, kind := range []models.DivisionKind{"cd", "cd", "sldu"} {
		d := models.Division{ID: models.NewID(), OCDID: fmt.Sprint("ocd-division/country:us/x:", i), Country: "US", Region: "NC", Kind: kind, Version: "v", CreatedAt: now, UpdatedAt: now}
		w.ok(w.db.Create(&d).Error)
		places = append(places, d.ID)
	}
	w.ok(w.db.Create(&models.PostalDivision{Country: "US", PostalArea: "27601", DivisionID: places[0], Kind: "cd", Version: "z"}).Error)
	chapter := models.Chapter{ID: models.NewID(), Slug: "c", Name: "C", CreatedAt: now, UpdatedAt: now}
	w.ok(w.db.Create(&chapter).Error)
	var texts int64
	w.ok(w.db.Model(&models.ConsentText{}).Count(&texts).Error)
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: int(texts) + 1, Body: "Yes", CreatedAt: now}
	w.ok(w.db.Create(&text).Error)
	for n, id := range people {
		f := supporters.Facts{
			GivenName: pick("June", "Jun", ""), FamilyName: pick("Okafor", "Okafor-Lee"), Street: pick("", "1 Elm"), City: pick("Raleigh", ""), Region: pick("NC", ""),
			PostalArea: pick("27601", "27713", ""), Country: pick("US", ""), Locale: pick("en", "es"), TimeZone: pick("", "America/New_York"), Source: pick("form", "import"),
		}.Trim()
		row := supporters.NewRow(w.vault, id, f, now)
		row.Frequency = models.Frequency(pick("", "weekly", "monthly"))
		if chance(2) {
			row.ChapterID = &chapter.ID
		}
		w.ok(w.db.Create(&row).Error)
		for i := range r.IntN(3) {
			m := w.mailbox(id, fmt.Sprintf("p%d-%d-%d@example.org", texts, n, i), chance(2))
			if chance(2) {
				w.ok(w.db.Create(&models.Consent{ID: models.NewID(), MailboxID: m, Purpose: models.PurposeNewsletter, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now, Source: "x", How: models.ConsentByMail}).Error)
			}
		}
		for _, number := range []string{"919 555 0101", "919 555 0102", "919 555 0103"} {
			if chance(2) {
				w.ok(supporters.AddPhone(ctx, w.db.DB, w.vault, id, number, "US", now))
			}
		}
		for i := range tags {
			if chance(2) {
				w.ok(w.db.Create(&models.Tagging{SupporterID: id, TagID: tags[i], CreatedAt: now.Add(time.Duration(n) * time.Hour)}).Error)
			}
			if chance(2) {
				w.ok(w.db.Create(&models.SegmentMember{SegmentID: segments[i], SupporterID: id}).Error)
			}
		}
		for _, course := range courses {
			if chance(2) {
				continue
			}
			p := models.SeriesPerson{ID: models.NewID(), SeriesID: course, SupporterID: id, State: models.SeriesActive, Round: 1, DueAt: now, EnteredAt: now, UpdatedAt: now}
			for _, step := range had {
				if chance(2) {
					p.Done += step
				}
			}
			w.ok(w.db.Create(&p).Error)
		}
		for i, field := range list {
			if chance(2) {
				value := pick("red", "blue")
				if field.Kind == models.FieldNumber {
					value = pick("7", "8.5")
				}
				w.ok(supporters.SetField(ctx, w.db.DB, w.vault, id, list[i], value, now))
			}
		}
		if chance(2) {
			note := models.Note{ID: models.NewID(), SupporterID: id, AuthorID: &w.organ.UserID, CreatedAt: now}
			note.BodySealed = w.vault.Seal("notes", "body_sealed", note.ID, "Call after noon.")
			w.ok(w.db.Create(&note).Error)
		}
		if chance(2) {
			how := []models.DivisionHow{models.ByPoint, models.ByPerson, models.ByHand}[r.IntN(3)]
			w.ok(w.db.Create(&models.SupporterDivision{SupporterID: id, Kind: "cd", DivisionID: places[r.IntN(2)], How: how, Version: "v", UpdatedAt: now}).Error)
		} else if f.PostalArea == "27601" {
			w.ok(w.db.Create(&models.SupporterDivision{SupporterID: id, Kind: "cd", DivisionID: places[0], How: models.ByPostal, Version: "z", UpdatedAt: now}).Error)
		}
		if chance(2) {
			w.ok(w.db.Create(&models.SupporterDivision{SupporterID: id, Kind: "sldu", DivisionID: places[2], How: models.ByHand, Version: "v", UpdatedAt: now}).Error)
		}
	}
	_ = fields
	for i, x := range people {
		for _, y := range people[:i] {
			state := []models.DuplicateState{models.DuplicateOpen, models.DuplicateOpen, models.DuplicateDifferent}[r.IntN(3)]
			if chance(3) {
				continue
			}
			t := pairOf(x, y)
			d := models.Duplicate{ID: models.NewID(), AID: t.a, BID: t.b, Rules: "name", State: state, CreatedAt: now, UpdatedAt: now}
			if state == models.DuplicateDifferent {
				d.DecidedBy = &w.organ.UserID
			}
			w.ok(w.db.Create(&d).Error)
		}
	}
}

// choices are made by chance.
func (w *world) choices(r *rand.Rand, pair uuid.UUID) map[string]string {
	w.t.Helper()
	c, err := w.Show(ctx, w.organ, pair)
	w.ok(err)
	out := map[string]string{}
	for _, f := range c.Fields {
		if r.IntN(2) == 0 {
			out[f.Name] = ChooseOther
		}
	}
	return out
}

func second[T any](_ T, err error) error { return err }
