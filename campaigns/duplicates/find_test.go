package duplicates

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var pagingFirst paging.Cursor

func TestWhoMayBeOnePerson(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		for _, way := range []string{"scan", "scan in parts", "scan in steps", "recent"} {
			w := newWorld(t, db)
			w.clk.Add(-time.Minute)
			names := map[uuid.UUID]string{}
			add := func(key, given, family, area, country, phone, address string, confirmed bool) {
				f := supporters.Facts{GivenName: given, FamilyName: family, PostalArea: area, Country: country, Phone: phone, Source: "form"}
				names[w.person(f, address, confirmed)] = key
			}
			add("a", "June", "Okafor", "27601", "US", "", "", false)
			add("b", "JUNE ", "Okáfor", "27601", "", "", "", false) // the same name in other letters
			add("c", "June", "Okafor", "27602", "US", "", "", false)
			add("d", "June", "Okafor", "27601", "GB", "", "", false) // another country, but b tells none
			add("e", "June", "", "27601", "US", "", "", false)       // half a name says nothing
			add("f", "Cal", "Reyes", "", "US", "919 555 0101", "", false)
			add("g", "Mo", "Lind", "", "", "+1 (919) 555-0101", "", false)
			add("h", "Cal", "Reyes", "", "", "n/a", "", false)
			add("i", "Mo", "Berg", "", "", "n/a", "", false) // no number at all
			add("j", "Ana", "Sol", "", "", "", "ana@example.org", true)
			add("k", "Bo", "Vik", "", "", "", "ana+news@example.org", true)
			add("l", "Ana", "Sol", "", "", "", "ana@work.example", true)
			add("m", "Ed", "Sol", "", "", "", "ana@third.example", true) // another name
			add("n", "Di", "Roy", "", "", "", "di@example.org", true)
			add("o", "Di", "Roy", "", "", "", "di@work.example", false) // not confirmed
			for i := range crowd + 1 {
				add("clinic", "Pat", strings.Repeat("x", i+1), "", "US", "919 555 0199", "", false)
			}
			want := []string{"a+b name", "b+d name", "f+g phone", "j+k address", "j+l address"}
			switch way {
			case "scan":
				w.ok(w.Scan(ctx))
			case "scan in parts":
				w.most = 5
				w.ok(w.Scan(ctx))
			case "scan in steps":
				n := 0
				for ; n == 0 || w.scan != nil; n++ {
					w.ok(w.scanFor(ctx, 0))
				}
				if n < 5 {
					t.Errorf("it was done in %d steps", n)
				}
				w.ok(w.scanFor(ctx, 0))
				if w.scan != nil {
					t.Error("it begins again at once")
				}
			case "recent":
				w.clk.Add(time.Minute)
				w.ok(w.Recent(ctx))
				want = []string{"a+b name", "b+d name", "f+g phone", "j+k address"} // the same name and local part has no index
			}
			if got := w.found(names); !slices.Equal(got, want) {
				t.Errorf("%s: %v, want %v", way, got, want)
			}
			if way != "recent" {
				before := w.dump()
				w.ok(w.Scan(ctx))
				if d := differ(before, w.dump()); len(d) > 0 {
					t.Errorf("%s again: %s", way, strings.Join(d, "\n"))
				}
			}
			w.empty()
		}
	})
}

func TestDecidedPairsStayDecided(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		names := map[uuid.UUID]string{}
		var ids []uuid.UUID
		for _, n := range []string{"a", "b", "c"} {
			ids = append(ids, w.person(supporters.Facts{GivenName: "June", FamilyName: "Okafor", PostalArea: "27601"}, "", false))
			names[ids[len(ids)-1]] = n
		}
		w.ok(w.Scan(ctx))
		page, err := w.List(ctx, w.organ, pagingFirst)
		w.ok(err)
		if len(page.Rows) != 3 || page.Rows[0].A.GivenName != "June" || page.Rows[0].Rules[0] != ByName {
			t.Fatalf("%+v", page)
		}
		var ab models.Duplicate
		two := pairOf(ids[0], ids[1])
		w.ok(db.Take(&ab, "a_id = ? AND b_id = ?", two.a, two.b).Error)
		w.ok(w.Different(ctx, w.organ, ab.ID))
		w.clk.Add(time.Hour)
		w.ok(supporters.AddPhone(ctx, db.DB, w.vault, ids[0], "919 555 0101", "US", t0))
		w.ok(supporters.AddPhone(ctx, db.DB, w.vault, ids[1], "919 555 0101", "US", t0))
		w.ok(supporters.AddPhone(ctx, db.DB, w.vault, ids[2], "919 555 0101", "US", t0))
		w.ok(w.Scan(ctx))
		if got := w.found(names); !slices.Equal(got, []string{"a+c name,phone", "b+c name,phone"}) {
			t.Errorf("%v", got)
		}
		// What spoke for a pair is gone: it is not asked about any more.
		w.ok(db.Model(&models.Supporter{}).Where("id = ?", ids[2]).Update("postal_area", "10001").Error)
		w.ok(db.Where("supporter_id = ?", ids[2]).Delete(&models.Phone{}).Error)
		w.ok(w.Scan(ctx))
		if got := w.found(names); len(got) != 0 {
			t.Errorf("%v", got)
		}
	})
}

func TestListOfPairsHasPages(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		const pairs = paging.Size + 5
		for i := range pairs {
			name := strings.Repeat("a", i+1)
			w.clk.Add(time.Duration(i%3) * time.Second)
			w.pairUp(w.person(supporters.Facts{GivenName: name, FamilyName: "x"}, "", false), w.person(supporters.Facts{GivenName: name, FamilyName: "x"}, "", false))
		}
		seen, c := map[uuid.UUID]bool{}, pagingFirst
		var last time.Time
		for {
			page, err := w.List(ctx, w.organ, c)
			w.ok(err)
			for _, p := range page.Rows {
				if seen[p.ID] || p.Since.Before(last) {
					t.Fatal("twice or in the wrong order")
				}
				seen[p.ID], last = true, p.Since
			}
			if page.Next == "" {
				break
			}
			c, err = paging.Parse(page.Next)
			w.ok(err)
		}
		if len(seen) != pairs {
			t.Errorf("%d of %d", len(seen), pairs)
		}
	})
}
