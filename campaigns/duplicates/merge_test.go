package duplicates

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// Every table that leads to a supporter has a mover, and every column of a record is known.
func TestNothingIsForgotten(t *testing.T) {
	for _, table := range tables {
		if movers[table] == nil {
			t.Errorf("nobody moves the rows of %s", table)
		}
	}
	for table := range movers {
		if !slices.Contains(tables, table) {
			t.Errorf("%s is moved and not in the register", table)
		}
	}
	var p models.Supporter
	for _, col := range columns {
		_, sealed := sealedOf(&p)[col]
		_, clear := clearOf(&p)[col]
		if !sealed && !clear && col != "chapter_id" {
			t.Errorf("supporters.%s is personal and nobody chooses it", col)
		}
	}
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		q := `SELECT m.name AS tbl, f."from" AS col FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table' AND f."table" = 'supporters'
			UNION SELECT m.name, p.name FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' AND p.name LIKE '%supporter%id%'`
		if db.Postgres() {
			q = `SELECT k.table_name AS tbl, k.column_name AS col FROM information_schema.key_column_usage k JOIN information_schema.referential_constraints r USING (constraint_name)
				JOIN information_schema.table_constraints u ON u.constraint_name = r.unique_constraint_name WHERE u.table_name = 'supporters'
				UNION SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
				WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.column_name LIKE '%supporter%id%'`
		}
		var rows []struct{ Tbl, Col string }
		if err := db.Raw(q).Scan(&rows).Error; err != nil {
			t.Fatal(err)
		}
		if len(rows) < len(tables) {
			t.Fatalf("the schema tells of %d columns only", len(rows))
		}
		for _, r := range rows {
			if !slices.Contains(leads(), r.Tbl+"."+r.Col) {
				t.Errorf("%s.%s leads to a supporter and is not registered as such", r.Tbl, r.Col)
			}
		}
	})
}

// Whatever hangs on records, and however often they are made one: taking it back gives back every row of every table.
func TestMergeAndUndoIsAsBefore(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		for seed := range uint64(12) {
			r := rand.New(rand.NewPCG(seed, 1))
			w := newWorld(t, db)
			w.clk.Add(time.Duration(seed) * 24 * time.Hour)
			people := make([]uuid.UUID, 4)
			for i := range people {
				people[i] = models.NewID()
			}
			w.fill(r, people)
			var states [][]string
			var merges []uuid.UUID
			for range 3 {
				w.clk.Add(time.Minute)
				var open []models.Duplicate
				w.ok(db.Where("state = 'open' AND a_id IN ? AND b_id IN ?", people, people).Order("id").Find(&open).Error)
				if len(open) == 0 {
					break
				}
				pair := open[r.IntN(len(open))]
				states = append(states, w.dump())
				id, kept, err := w.Merge(ctx, w.organ, pair.ID, w.choices(r, pair.ID))
				w.ok(err)
				if kept != pair.AID {
					t.Errorf("%d: the younger record stayed", seed)
				}
				merges = append(merges, id)
				w.nothingPointsTo(pair.BID)
			}
			for i := len(merges) - 1; i >= 0; i-- {
				if i > 0 && w.sameRecord(merges[i], merges[i-1]) {
					if _, err := w.Undo(ctx, w.organ, merges[i-1]); !fault.Is(err, fault.Conflict) {
						t.Errorf("%d: an earlier merge was taken back first: %v", seed, err)
					}
				}
				w.clk.Add(time.Minute)
				if _, err := w.Undo(ctx, w.organ, merges[i]); err != nil {
					t.Fatal(seed, err)
				}
				if d := differ(states[i], w.dump()); len(d) > 0 {
					t.Fatalf("%d: after taking back merge %d:\n%s", seed, i, strings.Join(d, "\n"))
				}
				if _, err := w.Undo(ctx, w.organ, merges[i]); !fault.Is(err, fault.Gone) {
					t.Errorf("%d: taken back twice: %v", seed, err)
				}
			}
			w.empty()
		}
	})
}

// sameRecord reports whether two merges were kept by one record.
func (w *world) sameRecord(x, y uuid.UUID) bool {
	var rows []models.Merge
	w.ok(w.db.Where("id IN ?", []uuid.UUID{x, y}).Find(&rows).Error)
	return len(rows) == 2 && rows[0].SupporterID == rows[1].SupporterID
}

// empty deletes what fill made, so that the next round begins with nothing.
func (w *world) empty() {
	w.t.Helper()
	for _, table := range []string{
		"consents", "consent_texts", "phones", "taggings", "tags", "field_values", "custom_fields", "notes", "supporter_divisions", "duplicates", "merges", "segment_members", "segments",
		"series_people", "series", "postal_divisions", "divisions",
	} {
		if table == "consents" || table == "consent_texts" {
			continue // they are never deleted; the next round's are others
		}
		w.ok(w.db.Exec("DELETE FROM " + table).Error)
	}
	w.ok(w.db.Exec("UPDATE mailboxes SET supporter_id = NULL").Error)
	w.ok(w.db.Exec("DELETE FROM supporters").Error)
	w.ok(w.db.Exec("DELETE FROM chapters").Error)
}

func (w *world) nothingPointsTo(id uuid.UUID) {
	w.t.Helper()
	for _, l := range leads() {
		table, column, _ := strings.Cut(l, ".")
		var n int64
		w.ok(w.db.Table(table).Where(column+" = ?", id).Count(&n).Error)
		if n > 0 {
			w.t.Errorf("%d rows of %s still point to the record that is gone", n, l)
		}
	}
}

func TestMergeKeepsEverything(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor", PostalArea: "27601", Phone: "919 555 0101", Country: "US"}, "june@example.org", true)
		other := w.person(supporters.Facts{GivenName: "Junie", FamilyName: "Okafor", City: "Raleigh", PostalArea: "27601", Phone: "919-555-0101", Country: "US"}, "june@work.example", true)
		w.ok(supporters.AddPhone(ctx, db.DB, w.vault, other, "919 555 0102", "US", t0))
		w.ok(db.Model(&models.Supporter{}).Where("id = ?", other).Update("frequency", "monthly").Error)
		private := models.CustomField{ID: models.NewID(), Name: "f", Label: "Needs", Kind: models.FieldText, Private: true, SeenBy: "organizer", CreatedAt: t0, UpdatedAt: t0}
		w.ok(db.Create(&private).Error)
		w.ok(supporters.SetField(ctx, db.DB, w.vault, one, private, "a ramp", t0))
		w.ok(supporters.SetField(ctx, db.DB, w.vault, other, private, "captions", t0))
		pair := w.pairUp(one, other)

		c, err := w.Show(ctx, w.organ, pair)
		w.ok(err)
		var fields []string
		for _, f := range c.Fields {
			fields = append(fields, f.Name+" "+f.One+"/"+f.Other+" "+f.Chosen)
		}
		want := []string{"given_name_sealed June/Junie one", "frequency /monthly other", supporters.FieldInputName(private.ID) + " a ramp/captions one"}
		if !slices.Equal(fields, want) {
			t.Errorf("%q", fields)
		}
		_, kept, err := w.Merge(ctx, w.organ, pair, map[string]string{"given_name_sealed": ChooseOther, supporters.FieldInputName(private.ID): ChooseOther, "city_sealed": ChooseOne})
		w.ok(err)
		v, err := w.people.Show(ctx, w.organ, kept)
		w.ok(err)
		if kept != one || v.GivenName != "Junie" || v.FamilyName != "Okafor" || v.City != "Raleigh" || len(v.Mailboxes) != 2 || len(v.Phones) != 2 || v.Answers[0].Value != "captions" {
			t.Errorf("%+v", v)
		}
		var row models.Supporter
		w.ok(db.Take(&row, "id = ?", one).Error)
		if row.Frequency != models.Monthly {
			t.Errorf("mail comes more often than either wanted: %q", row.Frequency)
		}
		if _, err := w.people.Show(ctx, w.organ, other); !fault.Is(err, fault.NotFound) {
			t.Errorf("the other record is still there: %v", err)
		}
		var entries int64
		w.ok(db.Model(&models.AuditEntry{}).Where("action = 'supporter.merge' AND object_id = ?", one).Count(&entries).Error)
		if entries != 1 {
			t.Errorf("%d entries", entries)
		}
	})
}

// Consents, suppression and pauses stay at their mailboxes: nobody may be written to who might not before.
func TestMergeWidensNoConsent(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor"}, "june@example.org", true)
		other := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor"}, "june@work.example", true)
		text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 1, Body: "Yes", CreatedAt: t0}
		w.ok(db.Create(&text).Error)
		var boxes []models.Mailbox
		w.ok(db.Where("supporter_id IS NOT NULL").Find(&boxes).Error)
		for _, m := range boxes {
			if *m.SupporterID == one {
				w.ok(db.Create(&models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, Locale: "en", ShownAt: t0, GivenAt: t0, Source: "x", How: models.ConsentByMail}).Error)
			} else {
				w.ok(mailboxes.Suppress(ctx, db.DB, m.ID, models.SuppressedComplaint, t0))
			}
		}
		mailable := func() (out []uuid.UUID) {
			w.ok(db.Table("mailable").Order("mailbox_id").Pluck("mailbox_id", &out).Error)
			return out
		}
		before := mailable()
		_, _, err := w.Merge(ctx, w.organ, w.pairUp(one, other), nil)
		w.ok(err)
		if after := mailable(); len(before) != 1 || !slices.Equal(before, after) {
			t.Errorf("%v, %v", before, after)
		}
	})
}

// What came after the merge stays with the record that was kept; what was taken off stays off.
func TestUndoKeepsWhatCameLater(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		one := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor", City: "Raleigh", Locale: "en"}, "june@example.org", true)
		other := w.person(supporters.Facts{GivenName: "Junie", FamilyName: "Okafor", Locale: "es", Phone: "919 555 0102", Country: "US"}, "june@work.example", true)
		tags := map[string]models.Tag{}
		for _, name := range []string{"both", "theirs", "later"} {
			tag, err := supporters.EnsureTag(ctx, db.DB, name, t0)
			w.ok(err)
			tags[name] = tag
		}
		w.ok(supporters.Tag(ctx, db.DB, []uuid.UUID{one, other}, []uuid.UUID{tags["both"].ID}, t0))
		w.ok(supporters.Tag(ctx, db.DB, []uuid.UUID{other}, []uuid.UUID{tags["theirs"].ID}, t0))
		id, _, err := w.Merge(ctx, w.organ, w.pairUp(one, other), map[string]string{"given_name_sealed": ChooseOther})
		w.ok(err)

		w.ok(supporters.Tag(ctx, db.DB, []uuid.UUID{one}, []uuid.UUID{tags["later"].ID}, t0))
		w.ok(db.Where("supporter_id = ? AND tag_id = ?", one, tags["both"].ID).Delete(&models.Tagging{}).Error)
		w.ok(db.Where("supporter_id = ?", one).Delete(&models.Phone{}).Error)
		w.mailbox(one, "june@third.example", true)
		w.ok(db.Model(&models.Supporter{}).Where("id = ?", one).Update("city_sealed", w.vault.Seal("supporters", "city_sealed", one, "Durham")).Error)
		w.clk.Add(29 * 24 * time.Hour)
		if list, err := w.Merges(ctx, w.organ); err != nil || len(list) != 1 || list[0].ID != id || list[0].Kept.ID != one {
			t.Errorf("%+v, %v", list, err)
		}
		w.ok(second(w.Undo(ctx, w.organ, id)))
		x, err1 := w.people.Show(ctx, w.organ, one)
		y, err2 := w.people.Show(ctx, w.organ, other)
		w.ok(errors.Join(err1, err2))
		if x.GivenName != "June" || x.City != "Durham" || x.Locale != "en" || len(x.Mailboxes) != 2 || len(x.Tags) != 1 || x.Tags[0].Name != "later" || len(x.Phones) != 0 {
			t.Errorf("kept: %+v", x)
		}
		if y.GivenName != "Junie" || y.City != "" || y.Locale != "es" || len(y.Mailboxes) != 1 || len(y.Tags) != 1 || y.Tags[0].Name != "theirs" || len(y.Phones) != 0 {
			t.Errorf("back: %+v", y)
		}
	})
}

func TestWhatIsKeptEnds(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		pair := func(name string) (uuid.UUID, uuid.UUID, uuid.UUID) {
			a := w.person(supporters.Facts{GivenName: name, FamilyName: "Okafor"}, name+"@example.org", true)
			b := w.person(supporters.Facts{GivenName: name, FamilyName: "Okafor"}, name+"@work.example", true)
			id, _, err := w.Merge(ctx, w.organ, w.pairUp(a, b), nil)
			w.ok(err)
			return id, a, b
		}
		old, _, _ := pair("june")
		w.clk.Add(Keep - time.Hour)
		young, kept, _ := pair("cal")
		w.ok(w.Sweep(ctx))
		sealed := func(id uuid.UUID) bool {
			var m models.Merge
			w.ok(db.Take(&m, "id = ?", id).Error)
			return m.BeforeSealed != nil
		}
		if !sealed(old) || !sealed(young) {
			t.Error("emptied too early")
		}
		w.clk.Add(time.Hour)
		if _, err := w.Undo(ctx, w.organ, old); !fault.Is(err, fault.Gone) {
			t.Errorf("after thirty days: %v", err)
		}
		w.ok(w.Sweep(ctx))
		if sealed(old) || !sealed(young) {
			t.Error("thirty days are over for one of them")
		}
		// Erasing the person takes the copy along, and there is nothing to take back.
		w.ok(db.Tx(ctx, func(tx *gorm.DB) error {
			var boxes []uuid.UUID
			if err := tx.Model(&models.Mailbox{}).Where("supporter_id = ?", kept).Pluck("id", &boxes).Error; err != nil {
				return err
			}
			_, err := erasures.Forget(ctx, tx, []uuid.UUID{kept}, boxes, w.clk.Now())
			return err
		}))
		if _, err := w.Undo(ctx, w.organ, young); !fault.Is(err, fault.NotFound) {
			t.Errorf("of an erased person: %v", err)
		}
	})
}

func TestWhoMayMerge(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		var ids [3]uuid.UUID
		chapters := [2]models.Chapter{}
		for i := range chapters {
			chapters[i] = models.Chapter{ID: models.NewID(), Slug: string(rune('a' + i)), Name: string(rune('A' + i)), CreatedAt: t0, UpdatedAt: t0}
			w.ok(db.Create(&chapters[i]).Error)
		}
		for i := range ids {
			ids[i] = w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor", PostalArea: "27601"}, "", false)
		}
		w.ok(db.Model(&models.Supporter{}).Where("id IN ?", ids[:2]).Update("chapter_id", chapters[0].ID).Error)
		w.ok(db.Model(&models.Supporter{}).Where("id = ?", ids[2]).Update("chapter_id", chapters[1].ID).Error)
		w.ok(w.Scan(ctx))
		theirs := w.organ
		theirs.ChapterID = chapters[0].ID
		elsewhere := w.organ
		elsewhere.ChapterID = chapters[1].ID
		for _, x := range []struct {
			a    actor.Actor
			want int
		}{{w.organ, 3}, {theirs, 1}, {elsewhere, 0}} {
			list, err := w.List(ctx, x.a, pagingFirst)
			if err != nil || len(list.Rows) != x.want {
				t.Errorf("%d pairs, %v, want %d", len(list.Rows), err, x.want)
			}
			queues, err := w.Today(ctx, x.a)
			n := 0
			if len(queues) > 0 {
				n = queues[0].Count
			}
			if err != nil || n != x.want {
				t.Errorf("%+v, %v, want %d", queues, err, x.want)
			}
		}
		var across, inside models.Duplicate
		t1, t2 := pairOf(ids[0], ids[2]), pairOf(ids[0], ids[1])
		w.ok(db.Take(&across, "a_id = ? AND b_id = ?", t1.a, t1.b).Error)
		w.ok(db.Take(&inside, "a_id = ? AND b_id = ?", t2.a, t2.b).Error)
		for _, err := range []error{
			second(w.Show(ctx, theirs, across.ID)), w.Different(ctx, theirs, across.ID), merged(w.Merge(ctx, theirs, across.ID, nil)), merged(w.Merge(ctx, elsewhere, inside.ID, nil)),
		} {
			if !fault.Is(err, fault.NotFound) {
				t.Errorf("across chapters: %v", err)
			}
		}
		for _, a := range []actor.Actor{{Kind: actor.User, Role: actor.Coordinator}, {Kind: actor.User, Role: actor.Viewer}, {}} {
			for _, err := range []error{
				second(w.List(ctx, a, pagingFirst)), second(w.Show(ctx, a, inside.ID)), w.Different(ctx, a, inside.ID), merged(w.Merge(ctx, a, inside.ID, nil)), second(w.Undo(ctx, a, inside.ID)), second(w.Merges(ctx, a)),
			} {
				if !fault.Is(err, fault.Forbidden) && !fault.Is(err, fault.Unauthenticated) {
					t.Errorf("%s: %v", a.Role, err)
				}
			}
		}
		id, _, err := w.Merge(ctx, theirs, inside.ID, nil)
		w.ok(err)
		if _, err := w.Undo(ctx, elsewhere, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("another chapter takes it back: %v", err)
		}
		w.ok(second(w.Undo(ctx, theirs, id)))
	})
}

func merged(_, _ uuid.UUID, err error) error { return err }

// Two organizers at once: one of them merges, nothing is lost.
func TestMergesAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for round := range 6 {
			var ids [3]uuid.UUID
			for i := range ids {
				ids[i] = w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor"}, string(rune('a'+round))+string(rune('a'+i))+"@example.org", true)
			}
			pairs := []uuid.UUID{w.pairUp(ids[0], ids[1]), w.pairUp(ids[1], ids[2]), w.pairUp(ids[0], ids[2])}
			pairs = append(pairs, pairs[0], pairs[1])
			errs := make([]error, len(pairs))
			var wg sync.WaitGroup
			for i, p := range pairs {
				wg.Go(func() { errs[i] = merged(w.Merge(ctx, w.organ, p, nil)) })
			}
			wg.Wait()
			done := 0
			for _, err := range errs {
				switch {
				case err == nil:
					done++
				case !fault.Is(err, fault.Conflict) && !fault.Is(err, fault.NotFound):
					t.Errorf("%v", err)
				}
			}
			var people, boxes int64
			w.ok(db.Model(&models.Supporter{}).Where("id IN ?", ids[:]).Count(&people).Error)
			w.ok(db.Model(&models.Mailbox{}).Where("supporter_id IN ?", ids[:]).Count(&boxes).Error)
			if done < 1 || done > 2 || people != int64(3-done) || boxes != 3 {
				t.Errorf("%d merges, %d records, %d mailboxes", done, people, boxes)
			}
		}
	})
}

// Somebody confirms while their record is merged: what they said reaches the record that stays.
func TestMergeWhileSomebodyConfirms(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for round := range 8 {
			name := string(rune('a' + round))
			one := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor"}, name+"@example.org", true)
			other := w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor"}, "", false)
			box := w.mailbox(other, name+"@work.example", true)
			pair := w.pairUp(one, other)
			var wg sync.WaitGroup
			var mergeErr, confirmErr error
			wg.Go(func() { _, _, mergeErr = w.Merge(ctx, w.organ, pair, nil) })
			wg.Go(func() {
				confirmErr = db.Tx(ctx, func(tx *gorm.DB) error {
					// As features do: the mailbox is held and read, then the record behind it gets what the form said.
					var m models.Mailbox
					if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Take(&m, "id = ?", box).Error; err != nil {
						return err
					}
					_, err := supporters.Attach(ctx, tx, w.vault, m, supporters.Facts{City: "Raleigh", Phone: "919 555 0101", Country: "US"}, t0)
					return err
				})
			})
			wg.Wait()
			w.ok(errors.Join(mergeErr, confirmErr))
			v, err := w.people.Show(ctx, w.organ, one)
			w.ok(err)
			if v.City != "Raleigh" || len(v.Phones) != 1 || len(v.Mailboxes) != 2 {
				t.Errorf("%+v", v)
			}
		}
	})
}
