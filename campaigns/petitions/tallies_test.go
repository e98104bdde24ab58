package petitions

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// tallied are the tallies of a petition by one kind, as name: signed/confirmed.
func (w *world) tallied(p uuid.UUID, kind models.TallyKind) string {
	w.t.Helper()
	rows, err := Tallies(w.ctx, w.db.DB, p, kind)
	if err != nil {
		w.t.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		out = append(out, fmt.Sprintf("%s:%d/%d", r.Name, r.Signed, r.Confirmed))
	}
	return strings.Join(out, " ")
}

// tallies are all of them.
func (w *world) tallies(p uuid.UUID) string {
	w.t.Helper()
	var out []string
	for _, kind := range []models.TallyKind{models.TallyHour, models.TallySource, models.TallyPlace, models.TallyRole, models.TallyRecruited} {
		out = append(out, string(kind)+" "+w.tallied(p, kind))
	}
	return strings.Join(out, "; ")
}

func (w *world) sig(id uuid.UUID) models.Signature {
	w.t.Helper()
	var sig models.Signature
	if err := w.db.Take(&sig, "id = ?", id).Error; err != nil {
		w.t.Fatal(err)
	}
	return sig
}

func TestTallyFoldsAndSorts(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p, other := w.published("Twenty visits"), w.published("Thirty visits")
		move := func(moves ...tallyMove) {
			t.Helper()
			if err := w.db.Tx(w.ctx, func(tx *gorm.DB) error { return tally(w.ctx, tx, moves) }); err != nil {
				t.Fatal(err)
			}
		}
		move()
		move(tallyMove{p.ID, models.TallyPlace, "b", 1, 0}, tallyMove{other.ID, models.TallyPlace, "b", 1, 1}, tallyMove{p.ID, models.TallyPlace, "a", 1, 1}, tallyMove{p.ID, models.TallyPlace, "b", 1, 1}, tallyMove{p.ID, models.TallySource, "", 2, -3})
		move(tallyMove{p.ID, models.TallyPlace, "b", 0, -1}, tallyMove{p.ID, models.TallySource, "", 0, 4}, tallyMove{p.ID, models.TallyPlace, "c", 1, 0}, tallyMove{p.ID, models.TallyPlace, "c", -1, 0})
		var many []tallyMove
		for i := range 1201 { // more than one statement takes on SQLite
			many = append(many, tallyMove{other.ID, models.TallySource, fmt.Sprintf("s%04d", i), 1, i % 2})
		}
		move(many...)
		if got := w.tallied(p.ID, models.TallyPlace) + "; " + w.tallied(p.ID, models.TallySource); got != "a:1/1 b:2/0; :2/1" {
			t.Error(got)
		}
		if n := w.rows(&models.PetitionTally{}, "petition_id = ? AND kind = 'source' AND signed = 1", other.ID); n != 1201 {
			t.Error(n)
		}
	})
}

// TestTalliesFollowSignatures: each step of a signature's life moves what it should, and the recount finds nothing to repair.
func TestTalliesFollowSignatures(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.org")
		in.Source, in.Role = "qr", "pain"
		june := w.sign(in)
		by := w.signer.Share(june.ID)
		w.clk.Add(time.Hour)
		if _, err := w.Confirm(w.ctx, w.link("june@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		in = form(p.Slug, "cal@example.org")
		in.By, in.PostalCode = by, "00013"
		cal := w.sign(in)
		in = form(p.Slug, "ana@example.org")
		in.By = strings.ToUpper(by)
		w.sign(in)
		want := "hour 2027-02-23T10:1/0 2027-02-23T11:2/1; source :2/0 qr:1/1; place 00012:2/1 00013:1/0; role pain:0/1; recruited :1/0"
		if got := w.tallies(p.ID); got != want {
			t.Errorf("signed: %s", got)
		}
		if sig := w.sig(cal.ID); sig.RecruitedBy == nil || *sig.RecruitedBy != june.ID {
			t.Errorf("%+v", sig)
		}
		if _, err := w.Confirm(w.ctx, w.link("cal@example.org"), nil); err != nil {
			t.Fatal(err)
		}
		boxes := []uuid.UUID{w.sig(june.ID).MailboxID}
		if _, err := w.Withdraw(w.ctx, boxes, june.ID); err != nil {
			t.Fatal(err)
		}
		if got := w.tallies(p.ID); got != "hour 2027-02-23T10:1/0 2027-02-23T11:2/1; source :2/1 qr:1/0; place 00012:2/0 00013:1/1; role pain:0/0; recruited :1/1" {
			t.Errorf("withdrawn: %s", got)
		}
		if _, err := w.Restore(w.ctx, boxes, june.ID); err != nil {
			t.Fatal(err)
		}
		full := "hour 2027-02-23T10:1/0 2027-02-23T11:2/2; source :2/1 qr:1/1; place 00012:2/1 00013:1/1; role pain:0/1; recruited :1/1"
		if got := w.tallies(p.ID); got != full {
			t.Errorf("restored: %s", got)
		}
		w.clk.Add(8 * day)
		if n, err := w.Expire(w.ctx); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if got := w.tallies(p.ID); got != full {
			t.Errorf("a form that was never confirmed was taken all the same: %s", got)
		}
		if n, err := w.Recount(w.ctx); err != nil || n != 0 {
			t.Errorf("recount: %d, %v: %s", n, err, w.log)
		}
		err := w.db.Exec("UPDATE petition_tallies SET confirmed = confirmed + 7 WHERE kind <> 'role'").Error
		if err == nil {
			err = w.db.Exec("DELETE FROM petition_tallies WHERE name = '00013'").Error
		}
		if n, err2 := w.Recount(w.ctx); err != nil || err2 != nil || n != 1 || w.tallies(p.ID) != full || !strings.Contains(w.log.String(), "[hour place recruited source]") {
			t.Errorf("%d, %v: %s: %s", n, err2, w.tallies(p.ID), w.log)
		}
	})
}

// TestSuspect: a form that a rule holds back goes the same way to its signer, and counts once somebody lets it through.
func TestSuspect(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		var judged []Judged
		w.opt.Judge = func(_ context.Context, _ models.Petition, j Judged) (Verdict, error) {
			judged = append(judged, j)
			if strings.HasSuffix(j.Domain, "example.net") {
				return Verdict{Suspect: "domain", Flag: "rare"}, nil
			}
			return Verdict{}, nil
		}
		var moved [][]uuid.UUID
		w.onCount(func(_ context.Context, _ *gorm.DB, ids []uuid.UUID) error { moved = append(moved, ids); return nil })
		p := w.published("Twenty visits")
		in := form(p.Slug, "june@example.net")
		in.Role, in.Comment, in.ClientIP, in.Display = "family", "Please.", "192.0.2.7", "name"
		r := w.sign(in)
		if len(judged) != 1 || judged[0].ClientIP != "192.0.2.7" || len(judged[0].ClientHash) != 32 || judged[0].Form.GivenName != "June" {
			t.Fatalf("%+v", judged)
		}
		sig := w.sig(r.ID)
		if sig.State != models.SignatureSuspect || sig.SuspectReason != "domain" || sig.Flag != "rare" || w.counts(p.ID) != [2]int{1, 0} || w.mailed(KindConfirm) != 1 {
			t.Fatalf("%+v, %v", sig, w.counts(p.ID))
		}
		again, err := w.Confirm(w.ctx, w.link("june@example.net"), nil)
		if err != nil || again.Already || len(again.Counted) != 1 {
			t.Fatalf("%+v, %v", again, err)
		}
		if again, err = w.Confirm(w.ctx, w.link("june@example.net"), nil); err != nil || !again.Already || len(again.Counted) != 1 {
			t.Errorf("pressed twice: %+v, %v", again, err)
		}
		is := func(what string, state models.SignatureState, pending, confirmed, suspect, number int, name string, comment models.CommentState, tallied string) {
			t.Helper()
			sig := w.sig(r.ID)
			var p2 models.Petition
			if err := db.Take(&p2, "id = ?", p.ID).Error; err != nil {
				t.Fatal(err)
			}
			if sig.State != state || p2.PendingCount != pending || p2.SignatureCount != confirmed || p2.SuspectCount != suspect || sig.Number != number || sig.DisplayName != name || sig.CommentState != comment {
				t.Errorf("%s: %+v; %d, %d, %d", what, sig, p2.PendingCount, p2.SignatureCount, p2.SuspectCount)
			}
			if got := w.tallied(p.ID, models.TallyRole) + " " + w.tallied(p.ID, models.TallyPlace); got != tallied {
				t.Errorf("%s: %s", what, got)
			}
			if n, err := w.Recount(w.ctx); err != nil || n != 0 {
				t.Errorf("%s: recount: %d, %v: %s", what, n, err, w.log)
			}
		}
		turn := func(fn func(tx *gorm.DB, sigs []models.Signature) error) {
			t.Helper()
			err := db.Tx(w.ctx, func(tx *gorm.DB) error {
				sigs, err := holdAll(w.ctx, tx, []uuid.UUID{r.ID})
				if err == nil {
					err = fn(tx, sigs)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		is("confirmed, held back", models.SignatureSuspect, 0, 0, 1, 0, "", "", " 00012:1/0")
		box := []uuid.UUID{sig.MailboxID}
		if _, err := w.Withdraw(w.ctx, box, r.ID); err != nil {
			t.Fatal(err)
		}
		is("withdrawn", models.SignatureWithdrawn, 0, 0, 0, 0, "", "", " 00012:1/0")
		if _, err := w.Restore(w.ctx, box, r.ID); err != nil {
			t.Fatal(err)
		}
		inv := models.Invalidation{ID: models.NewID(), PetitionID: p.ID, Condition: "{}", Reason: "x", State: "running", CreatedAt: start, UpdatedAt: start}
		if err := db.Create(&inv).Error; err != nil {
			t.Fatal(err)
		}
		invalidate := func(tx *gorm.DB, sigs []models.Signature) error {
			_, err := w.invalidate(w.ctx, tx, sigs, inv.ID)
			return err
		}
		revalidate := func(tx *gorm.DB, sigs []models.Signature) error {
			_, err := w.revalidate(w.ctx, tx, sigs, inv.ID)
			return err
		}
		turn(invalidate)
		is("held back, invalidated", models.SignatureInvalidated, 0, 0, 0, 0, "", "", " 00012:1/0")
		turn(revalidate)
		is("held back again", models.SignatureSuspect, 0, 0, 1, 0, "", "", " 00012:1/0")
		if len(moved) != 0 {
			t.Errorf("the public number did not move: %v", moved)
		}
		turn(func(tx *gorm.DB, sigs []models.Signature) error { return w.clear(w.ctx, tx, sigs) })
		is("let through", models.SignatureConfirmed, 0, 1, 0, 1, "June Okafor", models.CommentWaiting, "family:0/1 00012:1/1")
		turn(invalidate)
		turn(invalidate)
		is("invalidated", models.SignatureInvalidated, 0, 0, 0, 1, "", "", "family:0/0 00012:1/0")
		turn(revalidate)
		turn(revalidate)
		is("and back", models.SignatureConfirmed, 0, 1, 0, 1, "June Okafor", models.CommentWaiting, "family:0/1 00012:1/1")
		if len(moved) != 3 || moved[0][0] != p.ID {
			t.Errorf("%v", moved)
		}
		// One that waits is let through before its mail is answered, another goes by itself.
		r = w.sign(form(p.Slug, "cal@example.net"))
		turn(func(tx *gorm.DB, sigs []models.Signature) error { return w.clear(w.ctx, tx, sigs) })
		is("waits, let through", models.SignaturePending, 1, 1, 0, 0, "", "", "family:0/1 00012:2/1")
		w.sign(form(p.Slug, "ana@example.net"))
		w.clk.Add(8 * day)
		if n, err := w.Expire(w.ctx); err != nil || n != 2 || w.counts(p.ID) != [2]int{0, 1} {
			t.Errorf("%d, %v, %v", n, err, w.counts(p.ID))
		}
		w.opt.Judge = func(context.Context, models.Petition, Judged) (Verdict, error) {
			return Verdict{}, fault.New(fault.TooMany, "error.too_many")
		}
		if _, err := w.Sign(w.ctx, form(p.Slug, "bo@example.org")); !fault.Is(err, fault.TooMany) {
			t.Error(err)
		}
	})
}

// TestARoleIsOnlyCounted: what a signer says of themselves shows as a count of at least ten, and nowhere else.
func TestARoleIsOnlyCounted(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		for i := range 11 {
			in := person(p.Slug, "June", fmt.Sprintf("Okafor%c", 'a'+i), fmt.Sprintf("p%d@example.org", i), "00012")
			in.Display, in.Comment, in.Role = "name", "Please.", "family"
			if i > 1 {
				in.Role = "pain"
			}
			w.confirmed(in)
			v, err := w.Public(w.ctx, p.Slug)
			if err != nil || len(v.Roles) != 0 {
				t.Fatalf("after %d: %+v, %v", i, v.Roles, err)
			}
		}
		in := person(p.Slug, "June", "Vale", "vale@example.org", "00012")
		in.Role = "pain"
		w.confirmed(in)
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || len(v.Roles) != 1 || v.Roles[0] != (RoleCount{Role: models.RolePain, N: 10}) {
			t.Errorf("%+v, %v", v.Roles, err)
		}
		var sigs []models.Signature
		if err := w.db.Find(&sigs).Error; err != nil {
			t.Fatal(err)
		}
		for _, sig := range sigs {
			if string(sig.RoleSealed) == "pain" || len(sig.RoleSealed) == 0 {
				t.Errorf("%q is not sealed", sig.RoleSealed)
			}
		}
		if in.Role = "x"; true {
			if _, err := w.Sign(w.ctx, in); fields(err) != "role" {
				t.Errorf("a role of no list: %v", err)
			}
		}
	})
}
