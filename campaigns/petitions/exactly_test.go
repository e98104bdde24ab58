package petitions

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"kithline/models"
)

// TestExactly: a thousand forms, 40 of them a second time and 10 that nobody confirms, are 950 wherever they are counted.
func TestExactly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		p := w.published("Twenty visits")
		ins := make([]SignInput, 1000)
		for i := range ins {
			n := i
			if i >= 960 {
				n = i - 960 // a duplicate, typed in another way
			}
			in := person(p.Slug, "June", fmt.Sprintf("Okafor%c%c", 'a'+n%26, 'a'+n/26%26), fmt.Sprintf("p%d@example.org", n), fmt.Sprintf("000%02d", 10+n%8))
			in.Source = []string{"", "qr", "mail"}[n%3]
			if i >= 960 {
				in.Email, in.GivenName = fmt.Sprintf(" P%d@EXAMPLE.org ", n), "JUNE"
			}
			ins[i] = in
		}
		each := func(n int, do func(i int) error) {
			t.Helper()
			next := make(chan int)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for i := range next {
						if err := do(i); err != nil {
							t.Error(err)
						}
					}
				})
			}
			for i := range n {
				next <- i
			}
			close(next)
			wg.Wait()
		}
		each(1000, func(i int) error { _, err := w.Sign(w.ctx, ins[i]); return err })
		if w.counts(p.ID) != [2]int{960, 0} {
			t.Fatalf("%v", w.counts(p.ID))
		}
		links := make([]string, 950)
		for i := range links {
			links[i] = w.link(ins[i].Email)
		}
		each(950, func(i int) error { _, err := w.Confirm(w.ctx, links[i], nil); return err })

		f, err := w.Figures(w.ctx, p.Slug, time.UTC)
		if err != nil || f.SignatureCount != 950 || w.counts(p.ID) != [2]int{10, 950} || w.rows(&models.Signature{}, "petition_id = ? AND state = 'confirmed'", p.ID) != 950 ||
			w.rows(&models.Signature{}, "petition_id = ?", p.ID) != 960 {
			t.Errorf("%+v, %v, %v", f, err, w.counts(p.ID))
		}
		var numbers int64
		if err := w.db.Raw("SELECT COUNT(DISTINCT number) FROM signatures WHERE number BETWEEN 1 AND 950").Scan(&numbers).Error; err != nil || numbers != 950 {
			t.Errorf("%d numbers, %v", numbers, err)
		}
		for _, kind := range []models.TallyKind{models.TallyHour, models.TallySource, models.TallyPlace} {
			rows, err := Tallies(w.ctx, w.db.DB, p.ID, kind)
			signed, confirmed := 0, 0
			for _, r := range rows {
				signed, confirmed = signed+r.Signed, confirmed+r.Confirmed
			}
			if err != nil || signed != 960 || confirmed != 950 {
				t.Errorf("%s: %d, %d, %v", kind, signed, confirmed, err)
			}
		}
		if w.mailed(KindReceipt) != 950 || w.mailed(KindConfirm) != 960 {
			t.Errorf("%d receipts, %d confirmations", w.mailed(KindReceipt), w.mailed(KindConfirm))
		}
		v, err := w.Public(w.ctx, p.Slug)
		if err != nil || v.Petition.Total() != 950 || len(v.Roles) != 0 {
			t.Errorf("%+v, %v", v, err)
		}
		if n, err := w.Recount(w.ctx); err != nil || n != 0 {
			t.Errorf("%d, %v: %s", n, err, w.log)
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
