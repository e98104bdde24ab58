package petitions

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

func (w *world) box(email string) []uuid.UUID {
	w.t.Helper()
	m, err := mailboxes.Find(w.ctx, w.db.DB, w.vault, email)
	if err != nil {
		w.t.Fatal(err)
	}
	return []uuid.UUID{m.ID}
}

func (w *world) signature(p models.Petition, email string) models.Signature {
	w.t.Helper()
	var sig models.Signature
	if err := w.db.Take(&sig, "petition_id = ? AND mailbox_id IN ?", p.ID, w.box(email)).Error; err != nil {
		w.t.Fatal(err)
	}
	return sig
}

func TestWithdrawAndRestore(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.org")
		in.Comment = "It was not the same."
		w.confirmed(in)
		w.confirmed(form(p.Slug, "cal@example.org"))
		sig := w.signature(p, "june@example.org")
		if err := w.JudgeComment(w.ctx, w.boss, p.ID, sig.ID, true); err != nil {
			t.Fatal(err)
		}
		june, cal := w.box("june@example.org"), w.box("cal@example.org")

		for _, boxes := range [][]uuid.UUID{cal, {uuid.New()}, nil} { // somebody else's is unknown
			if _, err := w.Withdraw(w.ctx, boxes, sig.ID); !fault.Is(err, fault.NotFound) {
				t.Errorf("%v", err)
			}
		}
		if c := w.counts(p.ID); c != [2]int{0, 2} {
			t.Fatalf("%v", c)
		}
		for range 2 { // twice takes back once
			if slug, err := w.Withdraw(w.ctx, june, sig.ID); err != nil || slug != p.Slug {
				t.Fatalf("%q, %v", slug, err)
			}
			if c := w.counts(p.ID); c != [2]int{0, 1} {
				t.Errorf("withdrawn: %v", c)
			}
		}
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Signers) != 1 || len(v.Comments) != 0 {
			t.Errorf("the page still shows them: %+v, %+v, %v", v.Signers, v.Comments, err)
		}
		if rows, total, err := w.CommentQueue(w.ctx, w.boss, p.ID); err != nil || total != 0 || len(rows) != 0 {
			t.Errorf("the comment waits to be read: %d, %v", total, err)
		}
		if own, err := w.SignedFrom(w.ctx, june); err != nil || len(own) != 1 || own[0].State != models.SignatureWithdrawn || !own[0].Undo {
			t.Errorf("%+v, %v", own, err)
		}

		w.clk.Add(20 * time.Minute)
		for range 2 {
			if _, err := w.Restore(w.ctx, june, sig.ID); err != nil {
				t.Fatal(err)
			}
			if c := w.counts(p.ID); c != [2]int{0, 2} {
				t.Errorf("brought back: %v", c)
			}
		}
		if v, err = w.Public(w.ctx, p.Slug); err != nil || len(v.Signers) != 2 || len(v.Comments) != 0 {
			t.Errorf("%+v, %v", v.Signers, err)
		}
		if _, total, err := w.CommentQueue(w.ctx, w.boss, p.ID); err != nil || total != 1 {
			t.Errorf("the comment is not read again: %d, %v", total, err)
		}

		if _, err := w.Withdraw(w.ctx, june, sig.ID); err != nil {
			t.Fatal(err)
		}
		w.clk.Add(31 * time.Minute)
		if _, err := w.Restore(w.ctx, june, sig.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("too late: %v", err)
		}
		if _, err := w.Restore(w.ctx, cal, sig.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("somebody else's: %v", err)
		}
		if _, err := w.Expire(w.ctx); err != nil {
			t.Fatal(err)
		}
		if sig = w.signature(p, "june@example.org"); sig.GivenNameSealed != nil || sig.FamilyNameSealed != nil || sig.CommentSealed != nil || sig.DisplayName != "" {
			t.Errorf("the name is still there: %+v", sig)
		}
		if kept := w.signature(p, "cal@example.org"); kept.GivenNameSealed == nil {
			t.Error("somebody else's name went")
		}
		if wrong, err := w.Recount(w.ctx); err != nil || wrong != 0 {
			t.Errorf("%d counts were wrong, %v", wrong, err)
		}

		// Whoever took it back may sign anew, and counts again once it is confirmed.
		w.sign(form(p.Slug, "june@example.org"))
		if c := w.counts(p.ID); c != [2]int{1, 1} {
			t.Errorf("signed anew: %v", c)
		}
		if _, err := w.Withdraw(w.ctx, june, sig.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("what is gone: %v", err)
		}
		if n := w.mailed(KindConfirm); n != 3 {
			t.Errorf("%d mails to confirm by", n)
		}
		if _, err := w.door.Confirm(w.ctx, w.link("june@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		if c := w.counts(p.ID); c != [2]int{0, 2} {
			t.Errorf("confirmed anew: %v", c)
		}
		if n := w.rows(&models.Signature{}, "petition_id = ?", p.ID); n != 2 {
			t.Errorf("%d rows", n)
		}
	})
}

// A petition that takes no confirmations any more takes nobody back either.
func TestRestoreAfterClosing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.confirmed(form(p.Slug, "june@example.org"))
		sig := w.signature(p, "june@example.org")
		if _, err := w.Steer(w.ctx, w.boss, p.ID, Close); err != nil {
			t.Fatal(err)
		}
		w.clk.Add(25 * time.Hour)
		if _, err := w.Withdraw(w.ctx, w.box("june@example.org"), sig.ID); err != nil {
			t.Fatalf("a closed petition lets go of nobody: %v", err)
		}
		if c := w.counts(p.ID); c != [2]int{0, 0} {
			t.Errorf("%v", c)
		}
		if _, err := w.Restore(w.ctx, w.box("june@example.org"), sig.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("%v", err)
		}
	})
}

// Some sign, some confirm, some take back and bring back, and the numbers are counted, all at once: they are right at the end.
func TestWithdrawAtTheSameTime(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		const people = 12
		p := w.published("Twenty visits")
		var boxes [people][]uuid.UUID
		var sigs [people]uuid.UUID
		var links [people]string
		for i := range people {
			email := fmt.Sprintf("p%d@example.org", i)
			w.sign(form(p.Slug, email))
			boxes[i], sigs[i], links[i] = w.box(email), w.signature(p, email).ID, w.link(email)
			if i%2 == 0 {
				if _, err := w.door.Confirm(w.ctx, links[i], nil); err != nil {
					t.Fatal(err)
				}
			}
		}
		var wg sync.WaitGroup
		do := func(fn func() error) {
			wg.Go(func() {
				if err := fn(); err != nil {
					t.Error(err)
				}
			})
		}
		for i := range people {
			if i%2 == 1 {
				do(func() error { _, err := w.door.Confirm(w.ctx, links[i], nil); return err })
				continue
			}
			for range 2 {
				do(func() error { _, err := w.Withdraw(w.ctx, boxes[i], sigs[i]); return err })
			}
			if i%4 == 0 {
				do(func() error { _, err := w.Restore(w.ctx, boxes[i], sigs[i]); return err })
			}
			do(func() error { _, err := w.Sign(w.ctx, form(p.Slug, fmt.Sprintf("new%d@example.org", i))); return err })
		}
		do(func() error { _, err := w.Recount(w.ctx); return err })
		wg.Wait()
		want := w.rows(&models.Signature{}, "petition_id = ? AND state = 'confirmed'", p.ID)
		if c := w.counts(p.ID); c[1] != want || c[0] != w.rows(&models.Signature{}, "petition_id = ? AND state = 'pending'", p.ID) {
			t.Errorf("%v, counted %d", c, want)
		}
		if gone := w.rows(&models.Signature{}, "state = 'withdrawn' AND (display_name <> '' OR comment_state <> '')"); gone != 0 {
			t.Errorf("%d withdrawn ones show", gone)
		}
		if wrong, err := w.Recount(w.ctx); err != nil || wrong != 0 {
			t.Errorf("%d counts were wrong, %v", wrong, err)
		}
	})
}
