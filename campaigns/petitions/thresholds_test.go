package petitions

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// together are presses on the buttons of many mails that come to one commit.
func (w *world) together(emails []string) []*confirmation {
	w.t.Helper()
	var out []*confirmation
	for _, email := range emails {
		out = append(out, &confirmation{box: w.box(email)[0]})
	}
	return out
}

// waiting lets n people sign who confirmed nothing yet, and returns their addresses.
func (w *world) waiting(p models.Petition, host string, n int) []string {
	w.t.Helper()
	out := make([]string, n)
	for i := range out {
		out[i] = fmt.Sprintf("p%d@%s", i, host)
		w.sign(form(p.Slug, out[i]))
	}
	return out
}

// thresholded is where a petition stands: its numbers, and what was reached, as "3 tell*".
func (w *world) thresholded(id uuid.UUID) string {
	w.t.Helper()
	p := w.petition(id)
	rows, err := thresholds(w.ctx, w.db.DB, id)
	w.must(err)
	out := []string{fmt.Sprintf("%d of %d %s", p.Total(), p.Goal, p.State)}
	for _, t := range rows {
		reached := ""
		if t.ReachedAt != nil {
			reached = "*"
		}
		out = append(out, fmt.Sprintf("%d %s%s", t.Count, t.Effect, reached))
	}
	return strings.Join(out, "; ")
}

// out takes signatures of a domain out of the count, as the job does.
func (w *world) out(p models.Petition, domain string) uuid.UUID {
	w.t.Helper()
	id, err := w.Invalidate(w.ctx, w.boss, p.ID, Condition{Domain: domain}, "A wave")
	w.must(err)
	w.step(id)
	return id
}

func (w *world) step(id uuid.UUID) {
	w.t.Helper()
	done, err := w.stepInvalidation(w.ctx, id, func() bool { return false })
	if w.must(err); !done {
		w.t.Fatal("it is not done")
	}
}

// TestThresholds: what is set to happen at a number happens once when it is passed, two of them in one batch too, is undone when the
// number falls, however it falls, and writes nobody twice.
func TestThresholds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.must(w.db.Exec("UPDATE petitions SET goal = 10 WHERE id = ?", p.ID).Error)
		for _, in := range []ThresholdInput{{3, models.EffectTell, 0}, {4, models.EffectGoal, 20}, {6, models.EffectTell, 99}, {8, models.EffectGoal, 50}} {
			w.must(w.AddThreshold(w.ctx, w.boss, p.ID, in))
		}
		for what, in := range map[string]ThresholdInput{"count": {0, models.EffectTell, 0}, "count effect": {-1, "x", 0}, "next_goal": {9, models.EffectGoal, 9}, " count": {3, models.EffectTell, 0}} {
			if err := w.AddThreshold(w.ctx, w.boss, p.ID, in); fields(err) != strings.TrimSpace(what) {
				t.Errorf("%+v: %v", in, err)
			}
		}
		if err := w.AddThreshold(w.ctx, w.author, p.ID, ThresholdInput{30, models.EffectTell, 0}); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		is := func(when, want string, mails int) {
			t.Helper()
			if got := w.thresholded(p.ID); got != want || w.mailed(KindThreshold) != mails {
				t.Errorf("%s: %s, %d mails; want %s, %d", when, got, w.mailed(KindThreshold), want, mails)
			}
			w.exact(p, when)
		}
		presses := w.together(w.waiting(p, "example.org", 2))
		presses = append(presses, w.together(w.waiting(p, "wave.example", 7))...)

		// Nine at once jump over all four. The first try dies before it is written: nothing of it is there.
		died := errors.New("the server died")
		if err := w.db.Tx(w.ctx, func(tx *gorm.DB) error { return errors.Join(w.confirmBatch(w.ctx, tx, presses), died) }); !errors.Is(err, died) {
			t.Fatal(err)
		}
		is("after a crash", "0 of 10 published; 3 tell; 4 goal; 6 tell; 8 goal", 0)
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.confirmBatch(w.ctx, tx, presses) }))
		is("nine at once", "9 of 50 published; 3 tell*; 4 goal*; 6 tell*; 8 goal*", 1)
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.confirmBatch(w.ctx, tx, presses) })) // pressed again
		is("pressed again", "9 of 50 published; 3 tell*; 4 goal*; 6 tell*; 8 goal*", 1)
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Milestones) != 4 || v.Milestones[0] != (Milestone{3, start}) {
			t.Errorf("%+v, %v", v.Milestones, err)
		}
		if err := w.RemoveThreshold(w.ctx, w.boss, p.ID, w.thresholdAt(p, 4)); !fault.Is(err, fault.Conflict) {
			t.Errorf("removed what happened: %v", err)
		}

		// Seven taken out together, and put back.
		w.clk.Add(day)
		id := w.out(p, "wave.example")
		is("taken out", "2 of 10 published; 3 tell; 4 goal; 6 tell; 8 goal", 1)
		if v, err := w.Public(w.ctx, p.Slug); err != nil || len(v.Milestones) != 0 {
			t.Errorf("milestones that are gone: %+v, %v", v.Milestones, err)
		}
		var d models.Delivery
		w.must(w.db.Where("kind = ?", KindThreshold).Order("created_at").Take(&d).Error)
		if _, err := w.Renderers()[KindThreshold](w.ctx, d); !fault.Is(err, fault.Gone) {
			t.Errorf("a mail about a number that is gone: %v", err)
		}
		w.must(w.Revert(w.ctx, w.boss, p.ID, id))
		w.step(id)
		is("put back", "9 of 50 published; 3 tell*; 4 goal*; 6 tell*; 8 goal*", 1)

		// Two take theirs back, one changes their mind; a goal that somebody set by hand stays.
		one, two := "p0@wave.example", "p1@wave.example"
		for _, email := range []string{one, two} {
			_, err := w.Withdraw(w.ctx, w.box(email), w.of(email).ID)
			w.must(err)
		}
		is("two withdrawn", "7 of 20 published; 3 tell*; 4 goal*; 6 tell*; 8 goal", 1)
		_, err = w.Restore(w.ctx, w.box(one), w.of(one).ID)
		w.must(err)
		is("one came back", "8 of 50 published; 3 tell*; 4 goal*; 6 tell*; 8 goal*", 1)
		w.must(w.db.Exec("UPDATE petitions SET goal = 77 WHERE id = ?", p.ID).Error)
		w.out(p, "wave.example")
		is("taken out again", "2 of 77 published; 3 tell; 4 goal; 6 tell; 8 goal", 1)

		// Paper counts too. A month later the mail is news again.
		w.clk.Add(31 * day)
		paper := PaperInput{Count: 4, CollectedAt: w.clk.Now()}
		_, err = w.AddPaper(w.ctx, w.boss, p.ID, paper)
		w.must(err)
		is("paper", "6 of 77 published; 3 tell*; 4 goal*; 6 tell*; 8 goal", 2)
		list, err := w.Paper(w.ctx, w.boss, p.ID, paging.Cursor{})
		w.must(err)
		for range 2 {
			_, err = w.RemovePaper(w.ctx, w.boss, p.ID, list.Rows[0].ID)
			w.must(err)
		}
		is("paper taken out", "2 of 77 published; 3 tell; 4 goal; 6 tell; 8 goal", 2)

		// Who is erased stays in the number, without a name.
		w.confirmed(form(p.Slug, "last@example.org"))
		is("a third", "3 of 77 published; 3 tell*; 4 goal; 6 tell; 8 goal", 2)
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error {
			_, err := erasures.Forget(w.ctx, tx, nil, w.box("last@example.org"), w.clk.Now())
			return err
		}))
		is("erased", "3 of 77 published; 3 tell*; 4 goal; 6 tell; 8 goal", 2)
	})
}

// thresholdAt is the id of a threshold.
func (w *world) thresholdAt(p models.Petition, count int) uuid.UUID {
	w.t.Helper()
	var row models.PetitionThreshold
	w.must(w.db.Take(&row, "petition_id = ? AND count = ?", p.ID, count).Error)
	return row.ID
}

// TestThresholdThatCloses: a petition that closed at its number stays closed when it falls below, until somebody says; a confirmation
// after that counts for a day, and closes nothing a second time unless it was opened again.
func TestThresholdThatCloses(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.must(w.AddThreshold(w.ctx, w.boss, p.ID, ThresholdInput{5, models.EffectClose, 0}))
		w.must(w.AddThreshold(w.ctx, w.boss, p.ID, ThresholdInput{5, models.EffectTell, 0}))
		late := w.waiting(p, "example.net", 2)
		presses := w.together(append(w.waiting(p, "example.org", 2), w.waiting(p, "wave.example", 4)...))
		w.must(w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.confirmBatch(w.ctx, tx, presses) }))
		is := func(when, want string, fallen int) {
			t.Helper()
			list, err := w.Fallen(w.ctx, w.boss)
			w.must(err)
			at, err := w.ClosedByThreshold(w.ctx, p.ID)
			w.must(err)
			if got := w.thresholded(p.ID); got != want || at != fallen || (len(list) == 1) != (fallen > 0) || w.mailed(KindThreshold) != 1 {
				t.Errorf("%s: %s, %d, %d fallen, %d mails; want %s, %d", when, got, at, len(list), w.mailed(KindThreshold), want, fallen)
			}
		}
		is("six of five", "6 of 5000 closed; 5 close*; 5 tell*", 0)
		if _, err := w.Sign(w.ctx, form(p.Slug, "x@example.org")); !fault.Is(err, fault.Conflict) {
			t.Errorf("signed what closed: %v", err)
		}
		if _, err := w.Reopen(w.ctx, w.boss, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("reopened what has its number: %v", err)
		}
		id := w.out(p, "wave.example")
		is("taken out", "2 of 5000 closed; 5 close; 5 tell", 5)
		w.must(w.Revert(w.ctx, w.boss, p.ID, id))
		w.step(id)
		is("put back", "6 of 5000 closed; 5 close*; 5 tell*", 0)
		w.out(p, "wave.example")
		is("taken out again", "2 of 5000 closed; 5 close; 5 tell", 5)
		w.clk.Add(23 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link(late[0]), nil); err != nil {
			t.Errorf("within a day: %v", err)
		}
		w.clk.Add(2 * time.Hour)
		if _, err := w.Confirm(w.ctx, w.link(late[1]), nil); !fault.Is(err, fault.Gone) {
			t.Errorf("after a day: %v", err)
		}
		is("one more", "3 of 5000 closed; 5 close; 5 tell", 5)
		if _, err := w.Reopen(w.ctx, w.author, p.ID); !fault.Is(err, fault.Forbidden) {
			t.Errorf("an advocate: %v", err)
		}
		if _, err := w.Reopen(w.ctx, w.boss, p.ID); err != nil {
			t.Fatal(err)
		}
		is("opened again", "3 of 5000 published; 5 close; 5 tell", 0)
		w.confirmed(form(p.Slug, "a@example.org"))
		w.confirmed(form(p.Slug, "b@example.org"))
		is("closed again", "5 of 5000 closed; 5 close*; 5 tell*", 0)
		_, err := w.Withdraw(w.ctx, w.box("a@example.org"), w.of("a@example.org").ID)
		w.must(err)
		is("one taken back", "4 of 5000 closed; 5 close; 5 tell", 5)
		if _, err := w.LeaveClosed(w.ctx, w.boss, p.ID); err != nil {
			t.Fatal(err)
		}
		is("left closed", "4 of 5000 closed; 5 close; 5 tell", 0)
	})
}

// TestRaiseByItself: a goal that is behind becomes the next round number, over several at once.
func TestRaiseByItself(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		w.must(w.db.Exec("UPDATE petitions SET goal = 10 WHERE id = ?", p.ID).Error)
		_, err := w.AddPaper(w.ctx, w.boss, p.ID, PaperInput{Count: 260, CollectedAt: start})
		w.must(err)
		w.must(w.RaiseByItself(w.ctx, w.boss, p.ID, true))
		if q := w.petition(p.ID); q.Goal != 500 {
			t.Errorf("%d", q.Goal)
		}
		rows, err := w.Thresholds(w.ctx, w.boss, p.ID)
		if err != nil || !RaisesByItself(w.petition(p.ID), rows) || len(Milestones(rows)) != 3 {
			t.Errorf("%+v, %v", rows, err)
		}
		w.must(w.RaiseByItself(w.ctx, w.boss, p.ID, false))
		if rows, err = w.Thresholds(w.ctx, w.boss, p.ID); err != nil || RaisesByItself(w.petition(p.ID), rows) || len(rows) != 3 {
			t.Errorf("%+v, %v", rows, err)
		}
		if w.mailed(KindThreshold) != 0 {
			t.Error("a goal that is raised writes mails")
		}
	})
}
