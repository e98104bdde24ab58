package petitions

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// submitted makes a petition that waits to be reviewed.
func (w *world) submitted(title string) models.Petition {
	w.t.Helper()
	p, err := w.Create(w.ctx, w.author, CreateInput{Draft: fullDraft(title)})
	if err != nil {
		w.t.Fatal(err)
	}
	if p, err = w.Submit(w.ctx, w.author, p.ID, p.Revision); err != nil {
		w.t.Fatal(err)
	}
	return p
}

// inHand is who has a petition in hand, by the queue of somebody.
func (w *world) inHand(a actor.Actor, id uuid.UUID) Waiting {
	w.t.Helper()
	page, err := w.ReviewQueue(w.ctx, a, "", paging.Cursor{})
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range page.Rows {
		if r.ID == id {
			return r
		}
	}
	w.t.Fatalf("%s is not in the queue", id)
	return Waiting{}
}

// named makes an account that has a name.
func (w *world) named(email string, role actor.Role, name string) actor.Actor {
	w.t.Helper()
	a, _ := w.user(email, role)
	if err := w.db.Model(&models.User{}).Where("id = ?", a.UserID).Update("name_sealed", w.vault.Seal("users", "name_sealed", a.UserID, name)).Error; err != nil {
		w.t.Fatal(err)
	}
	return a
}

// Of several who claim one petition at the same moment one has it; the others are told, and see who. It goes from hand to hand and
// back, and ends with the review.
func TestOneHasTheReview(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		people := []actor.Actor{w.named("a@example.org", actor.Organizer, "Ada"), w.named("b@example.org", actor.Organizer, "Ben"), w.named("c@example.org", actor.Organizer, "Cleo"), w.named("d@example.org", actor.Owner, "Dee")}
		p := w.submitted("Twenty visits")
		errs := make([]error, len(people))
		var all sync.WaitGroup
		start := make(chan struct{})
		for i, a := range people {
			all.Go(func() { <-start; errs[i] = w.Claim(w.ctx, a, p.ID) })
		}
		close(start)
		all.Wait()
		var winner, loser actor.Actor
		won := 0
		for i, err := range errs {
			switch {
			case err == nil:
				won++
				winner = people[i]
			case fault.Is(err, fault.Conflict) && strings.Contains(err.Error(), "review_claimed"):
				loser = people[i]
			default:
				t.Errorf("%d: %v", i, err)
			}
		}
		if won != 1 {
			t.Fatalf("%d have it", won)
		}
		if r := w.inHand(loser, p.ID); r.Mine || r.ClaimedBy == nil || *r.ClaimedBy != winner.UserID || r.By == "" || r.By == "?" {
			t.Errorf("who lost sees %+v", r)
		}
		if r := w.inHand(winner, p.ID); !r.Mine {
			t.Error("who won does not see that it is theirs")
		}
		if err := w.Claim(w.ctx, winner, p.ID); err != nil {
			t.Errorf("claimed twice: %v", err)
		}
		if n := w.rows(&models.AuditEntry{}, "action = 'petition.claim'"); n != 1 {
			t.Errorf("%d entries of claims", n)
		}
		mine, err := w.ReviewQueue(w.ctx, loser, ReviewUnclaimed, paging.Cursor{})
		if err != nil || len(mine.Rows) != 0 {
			t.Errorf("%d are unclaimed, %v", len(mine.Rows), err)
		}

		// Handed over, by whoever may review; not to somebody who may not, and not to somebody who is away.
		if err := w.HandTo(w.ctx, winner, p.ID, loser.UserID); err != nil || !w.inHand(loser, p.ID).Mine {
			t.Errorf("handed over: %v", err)
		}
		if err := w.HandTo(w.ctx, loser, p.ID, w.author.UserID); fields(err) != "to" {
			t.Errorf("handed to an advocate: %v", err)
		}
		until := w.clk.Now().Add(72 * time.Hour)
		if err := w.SetAway(w.ctx, winner, &until); err != nil {
			t.Fatal(err)
		}
		if err := w.HandTo(w.ctx, loser, p.ID, winner.UserID); fields(err) != "to" {
			t.Errorf("handed to somebody who is away: %v", err)
		}
		if err := w.Claim(w.ctx, winner, w.submitted("Forty visits").ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("claimed while away: %v", err)
		}
		// Who goes away has nothing in hand, from that moment; the time ends by itself.
		if err := w.SetAway(w.ctx, loser, &until); err != nil {
			t.Fatal(err)
		}
		if r := w.inHand(w.boss, p.ID); r.ClaimedBy != nil {
			t.Error("it stays with who is away")
		}
		past := w.clk.Now()
		if err := w.SetAway(w.ctx, loser, &past); fields(err) != "until" {
			t.Errorf("away until now: %v", err)
		}
		w.clk.Add(72*time.Hour - time.Second)
		if err := w.Claim(w.ctx, winner, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("a second too early: %v", err)
		}
		w.clk.Add(time.Second)
		if err := w.Claim(w.ctx, winner, p.ID); err != nil {
			t.Errorf("at the hour: %v", err)
		}
		if err := w.Release(w.ctx, loser, p.ID); err != nil || w.inHand(winner, p.ID).ClaimedBy != nil {
			t.Errorf("put back: %v", err)
		}
		for _, a := range []actor.Actor{w.author, {}, {Kind: actor.Person, MailboxID: w.authorBox}} {
			if err := w.Claim(w.ctx, a, p.ID); err == nil || fault.Is(err, fault.Conflict) {
				t.Errorf("%v claims: %v", a.Kind, err)
			}
		}
		if err := w.Claim(w.ctx, winner, p.ID); err != nil {
			t.Fatal(err)
		}
		done, err := w.Return(w.ctx, loser, p.ID, ReturnInput{Reason: "unclear", Revision: p.Revision}) // a claim stops nobody
		if err != nil || done.ClaimedBy != nil {
			t.Errorf("after the review: %v, %v", done.ClaimedBy, err)
		}
		if err := w.Claim(w.ctx, winner, p.ID); !fault.Is(err, fault.Conflict) {
			t.Errorf("claimed what came back: %v", err)
		}
	})
}

// The clock counts hours that pass: the nights on which the clocks of the wall are changed give nobody an hour more or less, and a
// weekend is time as well.
func TestTheClockOfAReview(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if err := w.db.Create(&models.Organisation{ID: models.NewID(), Name: "C", ShortName: "C", FromAddress: "a@example.org", TimeZone: "America/New_York", Languages: "en", ReviewNearHours: 72, ReviewDueHours: 120, CreatedAt: start, UpdatedAt: start}).Error; err != nil {
			t.Fatal(err)
		}
		zone, err := time.LoadLocation("America/New_York")
		if err != nil {
			t.Fatal(err)
		}
		for name, from := range map[string]time.Time{
			"in winter":       time.Date(2027, 2, 23, 10, 0, 0, 0, zone),
			"an hour is lost": time.Date(2027, 3, 12, 1, 30, 0, 0, zone), // a Friday; on Sunday at two it is three
			"an hour is won":  time.Date(2027, 11, 5, 1, 30, 0, 0, zone), // a Friday; on Sunday at two it is one
			"a weekend":       time.Date(2027, 6, 4, 17, 0, 0, 0, zone),
		} {
			w.clk.Set(from)
			p := w.submitted(name)
			last := from
			for _, c := range []struct {
				after time.Duration
				pace  Pace
			}{{0, InTime}, {72*time.Hour - time.Second, InTime}, {72 * time.Hour, Near}, {120*time.Hour - time.Second, Near}, {120 * time.Hour, Overdue}, {1000 * time.Hour, Overdue}} {
				w.clk.Add(from.Add(c.after).Sub(last))
				last = from.Add(c.after)
				r := w.inHand(w.boss, p.ID)
				if r.Pace != c.pace || !r.DueAt.Equal(from.Add(120*time.Hour)) {
					t.Errorf("%s, after %v: %s, due %s", name, c.after, r.Pace, r.DueAt.In(zone))
				}
				late, err := w.ReviewQueue(w.ctx, w.boss, ReviewOverdue, paging.Cursor{})
				if err != nil || (len(late.Rows) == 1) != (c.pace == Overdue) {
					t.Errorf("%s, after %v: %d overdue, %v", name, c.after, len(late.Rows), err)
				}
				queues, err := w.Queues(w.ctx, w.boss)
				if err != nil || len(queues) == 0 || (queues[0].Key == "moderate.queue_overdue") != (c.pace == Overdue) {
					t.Errorf("%s, after %v: %+v, %v", name, c.after, queues, err)
				}
			}
			if _, err := w.Return(w.ctx, w.boss, p.ID, ReturnInput{Reason: "unclear", Revision: p.Revision}); err != nil {
				t.Fatal(err)
			}
			// Submitted again, its hours begin anew.
			if p, err = w.Submit(w.ctx, w.author, p.ID, p.Revision); err != nil {
				t.Fatal(err)
			}
			if r := w.inHand(w.boss, p.ID); r.Pace != InTime {
				t.Errorf("%s, submitted again: %s", name, r.Pace)
			}
			if _, err := w.Publish(w.ctx, w.boss, p.ID, p.Revision); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Up to 99 signatures an author changes their words alone; from the hundredth on a moderator does, and says why where it is the ask.
// What it said is kept, and told on its page.
func TestTheHundredthSignature(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for _, c := range []struct {
			signed  int
			guarded bool
		}{{0, false}, {99, false}, {100, true}, {101, true}} {
			p := w.published("Twenty visits")
			if err := w.db.Model(&models.Petition{}).Where("id = ?", p.ID).Update("signature_count", c.signed).Error; err != nil {
				t.Fatal(err)
			}
			in := EditInput{Draft: fullDraft("Thirty visits"), Revision: p.Revision}
			_, err := w.Edit(w.ctx, w.author, p.ID, in)
			if c.guarded != fault.Is(err, fault.Forbidden) || !c.guarded && err != nil {
				t.Errorf("%d: the author: %v", c.signed, err)
			}
			p, err = take(w.ctx, w.db.DB, p.ID)
			if err != nil {
				t.Fatal(err)
			}
			// What is not the ask needs no reason.
			in.Draft, in.Revision = draftOf(p), p.Revision
			in.WhyNow = "The hearing is on 18 March."
			if p, err = w.Edit(w.ctx, w.boss, p.ID, in); err != nil {
				t.Errorf("%d: a moderator changes the day: %v", c.signed, err)
			}
			before := p.Title
			in.Title, in.Revision = "Forty visits", p.Revision
			_, err = w.Edit(w.ctx, w.boss, p.ID, in)
			if c.guarded != (fields(err) == "reason") || !c.guarded && err != nil {
				t.Errorf("%d: a moderator without a reason: %v", c.signed, err)
			}
			told := ""
			if c.guarded {
				in.Reason = "The bill says forty."
				if _, err := w.Edit(w.ctx, w.boss, p.ID, in); err != nil {
					t.Errorf("%d: with a reason: %v", c.signed, err)
				}
				told = in.Reason
			}
			v, err := w.Public(w.ctx, p.Slug)
			if err != nil || len(v.Edits) == 0 {
				t.Fatalf("%d: %d changes told, %v", c.signed, len(v.Edits), err)
			}
			e := v.Edits[0]
			if v.Petition.Title != "Forty visits" || v.Petition.Slug != p.Slug || e.Reason != told || e.Signatures != c.signed || len(e.Before) != 1 || e.Before[0] != (EditedField{"title", before}) {
				t.Errorf("%d: the page says %q, %+v", c.signed, v.Petition.Title, e)
			}
		}
	})
}
