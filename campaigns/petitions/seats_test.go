package petitions

import (
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// person is a form of somebody at an address.
func person(slug, given, family, email, postal string) SignInput {
	in := form(slug, email)
	in.GivenName, in.FamilyName, in.PostalCode = given, family, postal
	return in
}

// TestTwoPeopleInOneMailbox: a second name of the same postal area signs, the same name and a third person do not; all are answered
// alike.
func TestTwoPeopleInOneMailbox(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		const home = "home@example.org"
		at := func(in SignInput) SignResult { t.Helper(); return w.sign(in) }
		june := at(person(p.Slug, "June", "Okafor", home, "00012"))
		at(person(p.Slug, " JÜNE ", "Oka for", home, "00012")) // the same name
		at(person(p.Slug, "Rob", "Okafor", home, "00013"))     // from elsewhere
		rob := at(person(p.Slug, "Rob", "Okafor", home, "00012"))
		at(person(p.Slug, "Cal", "Okafor", home, "00012")) // a third
		at(person(p.Slug, "Rob", "Okafor", home, "00012")) // once more
		if n := w.rows(&models.Signature{}, "petition_id = ?", p.ID); n != 2 || w.sig(june.ID).Seat != 0 || w.sig(rob.ID).Seat != 1 || w.counts(p.ID) != [2]int{2, 0} {
			t.Fatalf("%d rows, %v", n, w.counts(p.ID))
		}
		if got := w.tallied(p.ID, models.TallyPlace); got != "00012:2/0" {
			t.Error(got)
		}
		if w.mailed(KindConfirm) != 1 {
			t.Errorf("an address that nobody confirmed got %d mails", w.mailed(KindConfirm))
		}
		waiting, err := w.door.Waiting(w.ctx, w.link(home))
		if err != nil || len(waiting.Items) != 2 || waiting.Items[0].Person != "June Okafor" || waiting.Items[1].Person != "Rob Okafor" {
			t.Fatalf("%+v, %v", waiting, err)
		}
		if _, err := w.Confirm(w.ctx, w.link(home), nil); fields(err) != "signature" {
			t.Errorf("neither was named: %v", err)
		}
		for i, id := range []uuid.UUID{rob.ID, june.ID} {
			done, err := w.Confirm(w.ctx, w.link(home), []uuid.UUID{id})
			if err != nil || done.Already || len(done.Counted) != 1 || done.Counted[0].Number != i+1 {
				t.Errorf("%+v, %v", done, err)
			}
		}
		if w.counts(p.ID) != [2]int{0, 2} || w.rows(&models.Supporter{}, "1 = 1") != 1 {
			t.Errorf("%v", w.counts(p.ID))
		}
		w.clk.Add(25 * time.Hour)
		at(person(p.Slug, "Cal", "Okafor", home, "00012"))
		at(person(p.Slug, "Cal", "Okafor", home, "00019"))
		if w.mailed(KindAlready) != 1 || w.counts(p.ID) != [2]int{0, 2} {
			t.Errorf("a third person: %d mails, %v", w.mailed(KindAlready), w.counts(p.ID))
		}
		// Rob takes his back: Cal may have the seat, and then it is too late for Rob.
		box := []uuid.UUID{w.sig(rob.ID).MailboxID}
		if _, err := w.Withdraw(w.ctx, box, rob.ID); err != nil {
			t.Fatal(err)
		}
		cal := at(person(p.Slug, "Cal", "Okafor", home, "00012"))
		if w.sig(cal.ID).Seat != 1 || w.counts(p.ID) != [2]int{1, 1} || w.rows(&models.Signature{}, "id = ?", rob.ID) != 0 {
			t.Errorf("%+v, %v", w.sig(cal.ID), w.counts(p.ID))
		}
		if _, err := w.Restore(w.ctx, box, rob.ID); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if own, err := w.SignedFrom(w.ctx, box); err != nil || len(own) != 1 || own[0].ID != june.ID {
			t.Errorf("%+v, %v", own, err)
		}
		// June takes hers back and signs anew: her seat, not another one.
		if _, err := w.Withdraw(w.ctx, box, june.ID); err != nil {
			t.Fatal(err)
		}
		anew := at(person(p.Slug, "june", "okafor", home, "00020"))
		if n := w.rows(&models.Signature{}, "petition_id = ?", p.ID); n != 2 || w.rows(&models.Signature{}, "id = ?", anew.ID) != 0 {
			t.Errorf("a new postal area beside one that waits: %d", n)
		}
		anew = at(person(p.Slug, "june", "okafor", home, "00012"))
		if w.rows(&models.Signature{}, "id = ?", june.ID) != 0 || w.sig(anew.ID).Seat != 0 {
			t.Errorf("%+v", w.sig(anew.ID))
		}
		if n, err := w.Recount(w.ctx); err != nil || n != 0 {
			t.Errorf("%d, %v: %s", n, err, w.log)
		}
	})
}

// TestOneBatchOfOneMailbox: what comes in one batch is what would have come one after another.
func TestOneBatchOfOneMailbox(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.published("Twenty visits"), w.published("Thirty visits")
		ins := []SignInput{
			person(p.Slug, "June", "Okafor", "home@example.org", "00012"), person(p.Slug, "June", "Okafor", "home@example.org", "00012"), // twice the same
			person(p.Slug, "Rob", "Okafor", "home@example.org", "00012"), person(p.Slug, "Cal", "Okafor", "home@example.org", "00012"),
			person(other.Slug, "Rob", "Okafor", "home@example.org", "00012"), person(p.Slug, "Rob", "Okafor", "rob@example.org", "00012"),
		}
		rows := make([]newSignature, len(ins))
		for i, in := range ins {
			on := p
			if in.Slug == other.Slug {
				on = other
			}
			var err error
			if rows[i], err = w.prepare(on, in, start); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 { // a commit whose answer was lost is written again
			if err := w.db.Tx(w.ctx, func(tx *gorm.DB) error { return w.insert(w.ctx, tx, rows) }); err != nil {
				t.Fatal(err)
			}
			for i, want := range []int{1, 0, 1, 0, 1, 1} {
				if n := w.rows(&models.Signature{}, "id = ?", rows[i].Signature.ID); n != want {
					t.Errorf("%d of form %d", n, i)
				}
			}
			if w.counts(p.ID) != [2]int{3, 0} || w.counts(other.ID) != [2]int{1, 0} || w.tallied(p.ID, models.TallySource) != ":3/0" || w.mailed(KindConfirm) != 2 {
				t.Errorf("%v, %v, %s, %d mails", w.counts(p.ID), w.counts(other.ID), w.tallied(p.ID, models.TallySource), w.mailed(KindConfirm))
			}
		}
		// The same at the same moment, from two batches.
		var wg sync.WaitGroup
		for _, name := range []string{"Ana", "Bo", "Ana", "Bo", "Cy"} {
			wg.Go(func() {
				if _, err := w.Sign(w.ctx, person(p.Slug, name, "Vale", "vale@example.org", "00012")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := w.rows(&models.Signature{}, "mailbox_id = (SELECT mailbox_id FROM signatures WHERE id = ?)", rows[5].Signature.ID); n != 1 {
			t.Error(n)
		}
		box, err := w.signer.Read(tokens.Confirm, w.link("vale@example.org"), w.clk.Now())
		if n := w.rows(&models.Signature{}, "mailbox_id = ?", box); err != nil || n != 2 {
			t.Errorf("%d, %v", n, err)
		}
	})
}

func TestFoldName(t *testing.T) {
	for _, same := range [][2]string{{"Zoë|Ångström", "zoe|ANGSTRÖM"}, {"Jean Luc|O’Neil", "jean-luc|oneil"}, {"Weiß|Groß", "WEISS|gross"}, {"محمد|علي", "محمّد|علي"}} {
		var got [2]string
		for i, n := range same {
			for k := range n {
				if n[k] == '|' {
					got[i] = foldName(n[:k], n[k+1:])
				}
			}
		}
		if got[0] != got[1] || got[0] == "" {
			t.Errorf("%q and %q: %q", same[0], same[1], got)
		}
	}
	if foldName("June", "Okafor") == foldName("Jane", "Okafor") {
		t.Error("June is Jane")
	}
}
