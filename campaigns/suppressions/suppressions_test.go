package suppressions_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/paging"
	"kithline/campaigns/suppressions"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 1, 12, 0, 0, 0, time.UTC)

type world struct {
	t     *testing.T
	ctx   context.Context
	db    *database.DB
	vault *vault.Vault
	clk   *clock.Fixed
	svc   *suppressions.Service
	boss  actor.Actor
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	w := &world{t: t, ctx: context.Background(), db: db, vault: vault.New(vault.NewKey()), clk: clock.NewFixed(start)}
	w.svc = suppressions.New(db, w.vault, w.clk)
	w.boss = actor.Actor{Kind: actor.User, UserID: models.NewID(), Role: actor.Organizer}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// box is a mailbox of a person, of a chapter or of none, whose owner agreed to the newsletter.
func (w *world) box(address string, chapter *uuid.UUID) models.Mailbox {
	w.t.Helper()
	var m models.Mailbox
	w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) (err error) {
		if m, err = mailboxes.Ensure(w.ctx, tx, w.vault, address, start); err != nil {
			return err
		}
		p := models.Supporter{ID: models.NewID(), ChapterID: chapter, CreatedAt: start, UpdatedAt: start}
		if err := tx.Create(&p).Error; err != nil {
			return err
		}
		if err := tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", p.ID).Error; err != nil {
			return err
		}
		text, err := consents.Text(w.ctx, tx, models.PurposeNewsletter, "en", "Yes", start)
		if err != nil {
			return err
		}
		return consents.Give(w.ctx, tx, consents.Given{MailboxID: m.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, Locale: "en", ShownAt: start, Source: "x", How: models.ConsentByMail}, start)
	}))
	return m
}

func (w *world) suppress(m models.Mailbox, reason string) {
	w.t.Helper()
	w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error { return mailboxes.Suppress(w.ctx, tx, m.ID, reason, w.clk.Add(time.Second)) }))
}

func (w *world) now(m models.Mailbox) (reason string, agreed bool) {
	w.t.Helper()
	var box models.Mailbox
	w.must(w.db.Take(&box, "id = ?", m.ID).Error)
	var n int64
	w.must(w.db.Model(&models.Consent{}).Where("mailbox_id = ? AND withdrawn_at IS NULL", m.ID).Count(&n).Error)
	return box.SuppressedReason, n > 0
}

// on is the key of the fault on a field.
func on(err error, field string) string {
	var e *fault.Error
	if ok := fault.Is(err, fault.Invalid); !ok {
		return ""
	}
	e, _ = err.(*fault.Error)
	for _, f := range e.Fields {
		if f.Name == field {
			return f.Key
		}
	}
	return ""
}

func TestWhatLiftingBringsBack(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		for _, c := range []struct {
			reason string
			asked  bool
			agreed bool // what was agreed to counts again
		}{
			{models.SuppressedBounce, false, true}, {models.SuppressedImport, false, false}, {models.SuppressedByHand, false, false}, {models.SuppressedComplaint, true, false},
		} {
			m := w.box(c.reason+"@example.net", nil)
			w.suppress(m, c.reason)
			if got := on(w.svc.Lift(w.ctx, w.boss, m.ID, " ", true), "note"); got != "error.suppression_note" {
				t.Errorf("%s without a note: %q", c.reason, got)
			}
			if c.asked {
				if got := on(w.svc.Lift(w.ctx, w.boss, m.ID, "Because", false), "asked"); got != "error.suppression_asked" {
					t.Errorf("%s without the person's wish: %q", c.reason, got)
				}
			}
			if reason, agreed := w.now(m); reason != c.reason || !agreed {
				t.Fatalf("%s: a refused lift changed something: %q %v", c.reason, reason, agreed)
			}
			w.must(w.svc.Lift(w.ctx, w.boss, m.ID, "She wrote to us", c.asked))
			if reason, agreed := w.now(m); reason != "" || agreed != c.agreed {
				t.Errorf("%s: lifted to %q, agreed %v", c.reason, reason, agreed)
			}
			if err := w.svc.Lift(w.ctx, w.boss, m.ID, "Again", true); !fault.Is(err, fault.Conflict) {
				t.Errorf("lifted twice: %v", err)
			}
			shown, err := w.svc.Get(w.ctx, w.boss, m.ID)
			w.must(err)
			if shown.Suppressed || len(shown.Events) != 1 || shown.Events[0].Kind != "lifted" || shown.Events[0].Note != "She wrote to us" || shown.Events[0].Reason != c.reason {
				t.Errorf("%+v", shown)
			}
		}
		var notes []models.SuppressionChange
		w.must(w.db.Find(&notes).Error)
		for _, n := range notes {
			if strings.Contains(string(n.NoteSealed), "wrote") {
				t.Error("a note lies in the clear")
			}
		}
		var log []models.AuditEntry
		w.must(w.db.Where("action = ?", "suppression.lift").Find(&log).Error)
		if len(log) != 4 {
			t.Errorf("%d entries in the log", len(log))
		}
	})
}

func TestAListIsCountedThenAdded(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.suppress(w.box("old@example.net", nil), models.SuppressedBounce)
		known := w.box("known@example.net", nil)
		pasted := "name,email,status\nJune,\"NEW@Example.net\",x\n;old@example.net; known@example.net\tnew@example.net\nbad@@example\n"
		list := suppressions.Addresses(pasted)
		want := suppressions.Counted{New: 2, Already: 1, Wrong: 1}
		got, err := w.svc.Add(w.ctx, w.boss, list, "From the old system", true)
		w.must(err)
		if reason, _ := w.now(known); got != want || reason != "" {
			t.Fatalf("counting: %+v, %q", got, reason)
		}
		var boxes int64
		w.must(w.db.Model(&models.Mailbox{}).Count(&boxes).Error)
		if boxes != 2 {
			t.Errorf("counting made mailboxes: %d", boxes)
		}
		got, err = w.svc.Add(w.ctx, w.boss, list, "From the old system", false)
		w.must(err)
		counts, err := w.svc.Counts(w.ctx, w.boss)
		w.must(err)
		if got != want || counts[models.SuppressedImport] != 2 || counts[models.SuppressedBounce] != 1 {
			t.Errorf("%+v, %v", got, counts)
		}
		if got, err = w.svc.Add(w.ctx, w.boss, list, "", false); err != nil || got != (suppressions.Counted{Already: 3, Wrong: 1}) {
			t.Errorf("again: %+v, %v", got, err)
		}
		if got, err = w.svc.Add(w.ctx, w.boss, []string{"one@example.net"}, "", false); err != nil || got.New != 1 {
			t.Errorf("one by hand: %+v, %v", got, err)
		}
		if _, err = w.svc.Add(w.ctx, w.boss, []string{"bad@@example"}, "", false); on(err, "addresses") == "" {
			t.Errorf("one that is none: %v", err)
		}
		if _, err = w.svc.Add(w.ctx, w.boss, nil, strings.Repeat("x", 501), false); on(err, "addresses") != "error.email_missing" || on(err, "note") != "error.text_too_long" {
			t.Errorf("%v", err)
		}
		page, err := w.svc.List(w.ctx, w.boss, models.SuppressedByHand, paging.Cursor{})
		w.must(err)
		if len(page.Rows) != 1 || page.Rows[0].Address != "one@example.net" {
			t.Errorf("%+v", page.Rows)
		}
	})
}

func TestTheListGoesPageByPage(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		var all []string
		for i := range paging.Size + 3 {
			all = append(all, "june"+string(rune('a'+i%26))+string(rune('a'+i/26))+"@example.net")
		}
		_, err := w.svc.Add(w.ctx, w.boss, all, "", false)
		w.must(err)
		seen := map[string]bool{}
		first, err := w.svc.List(w.ctx, w.boss, "", paging.Cursor{})
		w.must(err)
		after, err := paging.Parse(first.Next)
		w.must(err)
		second, err := w.svc.List(w.ctx, w.boss, "", after)
		w.must(err)
		for _, r := range append(first.Rows, second.Rows...) {
			seen[r.Address] = true
		}
		if len(seen) != len(all) || len(second.Rows) != 3 || second.Next != "" {
			t.Errorf("%d seen of %d, %d on the second page", len(seen), len(all), len(second.Rows))
		}
	})
}

func TestAChapterSeesItsPeopleOnly(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		mine := models.Chapter{ID: models.NewID(), Slug: "north", Name: "North", CreatedAt: start, UpdatedAt: start}
		w.must(w.db.Create(&mine).Error)
		ours, theirs := w.box("ours@example.net", &mine.ID), w.box("theirs@example.net", nil)
		w.suppress(ours, models.SuppressedBounce)
		w.suppress(theirs, models.SuppressedBounce)
		a := w.boss
		a.ChapterID = mine.ID
		page, err := w.svc.List(w.ctx, a, "", paging.Cursor{})
		w.must(err)
		counts, err := w.svc.Counts(w.ctx, a)
		w.must(err)
		if len(page.Rows) != 1 || page.Rows[0].ID != ours.ID || counts[models.SuppressedBounce] != 1 {
			t.Errorf("%+v, %v", page.Rows, counts)
		}
		_, unknown := w.svc.Find(w.ctx, a, "nobody@example.net")
		_, hidden := w.svc.Find(w.ctx, a, "theirs@example.net")
		if on(hidden, "q") != "error.suppression_none" || on(hidden, "q") != on(unknown, "q") {
			t.Errorf("%v, %v", hidden, unknown)
		}
		if id, err := w.svc.Find(w.ctx, a, " Ours@example.net"); err != nil || id != ours.ID {
			t.Errorf("%v, %v", id, err)
		}
		if _, err := w.svc.Get(w.ctx, a, theirs.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		if err := w.svc.Lift(w.ctx, a, theirs.ID, "Because", true); !fault.Is(err, fault.NotFound) {
			t.Errorf("%v", err)
		}
		free := w.box("free@example.net", nil)
		got, err := w.svc.Add(w.ctx, a, []string{"free@example.net", "new@example.net", "ours@example.net"}, "", false)
		w.must(err)
		if reason, _ := w.now(free); reason != "" || got != (suppressions.Counted{Already: 1, Elsewhere: 2}) {
			t.Errorf("%+v, %q", got, reason)
		}
		for _, role := range []actor.Role{actor.Viewer, actor.Advocate} {
			if _, err := w.svc.List(w.ctx, actor.Actor{Kind: actor.User, Role: role}, "", paging.Cursor{}); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", role, err)
			}
		}
		if _, err := w.svc.Add(w.ctx, actor.Actor{Kind: actor.User, Role: actor.Coordinator}, []string{"x@example.net"}, "", false); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%v", err)
		}
	})
}
