package journey

import (
	"context"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/rosters"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// ids are what differs by chance between two worlds in which the same happened.
var ids = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|name="pick_at" value="[0-9a-f]{16}"`)

// lettingGo is a world in which June holds a place, and in one of two held another that she let go. It returns each page of the organizer's
// side that can be reached, right after and once both shifts are forgotten. Right after, those of the roster are left out: there a
// place came free, and nobody's name is at it.
func lettingGo(t *testing.T, url string, lets bool) (after, forgotten map[string]string) {
	a := testapp.New(t, url)
	a.SetUp()
	ctx, owner := context.Background(), factory.Owner(t, a)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	r, err := a.Rosters.Create(ctx, owner, rosters.Draft{Title: "Help at the day", Summary: "Two things.", Locale: "en", Zone: "America/New_York"})
	must(err)
	day := a.Clock.Now().AddDate(0, 0, 30).Format(time.DateOnly)
	var shifts []models.Shift
	for _, role := range []string{"Welcome table", "Quiet room"} {
		made, err := a.Rosters.AddShifts(ctx, owner, r.ID, rosters.ShiftInput{
			Role: role, Kind: models.ShiftFixed, Mode: models.ShiftOnsite, Place: "Lobby", Minimum: 1, Places: 1, Standbys: 1, Energy: 2, Demands: []string{"sitting"},
			Starts: rosters.Local{Day: day, Clock: "10:00"}, Ends: rosters.Local{Day: day, Clock: "10:45"},
		})
		must(err)
		shifts = append(shifts, made...)
	}
	_, err = a.Rosters.SetState(ctx, owner, r.ID, models.RosterPublished)
	must(err)
	box, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, "june@example.org", a.Clock.Now())
	must(err)
	must(mailboxes.Verify(ctx, a.DB.DB, box.ID, a.Clock.Now()))
	take := func(sh models.Shift) rosters.Took {
		t.Helper()
		took, err := a.Rosters.Take(ctx, rosters.TakeInput{
			Shift: sh.ID, As: models.AsPlace, Email: "june@example.org", GivenName: "June", FamilyName: "Okafor", Locale: "en", Lang: "en", Meets: true, Proved: "june@example.org",
		})
		must(err)
		if !took.Confirmed {
			t.Fatalf("%+v", took)
		}
		return took
	}
	if lets {
		var held models.Assignment
		must(a.DB.Take(&held, "id = ?", take(shifts[1]).ID).Error)
		settled(t, a)
		_, err := a.Rosters.LetGo(ctx, a.Rosters.CantToken(held), "en", false)
		must(err)
	}
	take(shifts[0])
	settled(t, a)
	pages := func(without ...string) map[string]string {
		c, out := a.Owner(t), map[string]string{}
		for next := []string{"/admin"}; len(next) > 0; next = next[1:] {
			path := next[0]
			name := ids.ReplaceAllString(path, "ID")
			if _, seen := out[name]; seen || slices.ContainsFunc(without, func(p string) bool { return strings.HasPrefix(path, p) }) {
				continue
			}
			p := c.Get(path)
			out[name] = ids.ReplaceAllString(string(p.Body), "ID")
			if p.Doc == nil { // a file
				continue
			}
			for _, href := range p.Doc.Find("a[href^='/admin']").EachIter() {
				link, _ := href.Attr("href")
				link, _, _ = strings.Cut(link, "#")
				next = append(next, link)
			}
		}
		return out
	}
	after = pages("/admin/rosters", "/admin/jobs")
	a.Clock.Set(a.Clock.Now().AddDate(0, 0, 45))
	n, err := a.Rosters.Settle(ctx)
	must(err)
	if n > 2 {
		t.Fatalf("%d shifts were settled", n)
	}
	return after, pages("/admin/jobs")
}

// Nobody can be told by having let go: two worlds that differ only in that look the same to who works here, on every page.
func TestNobodyIsToldByHavingLetGo(t *testing.T) {
	for name, url := range map[string]func(testing.TB) string{"sqlite": testdb.SQLiteURL, "postgres": testdb.PostgresURL} {
		t.Run(name, func(t *testing.T) {
			after, forgotten := lettingGo(t, url(t), false)
			afterLet, forgottenLet := lettingGo(t, url(t), true)
			for _, x := range []struct {
				when       string
				never, let map[string]string
			}{{"right after", after, afterLet}, {"once it is forgotten", forgotten, forgottenLet}} {
				if len(x.never) < 30 {
					t.Errorf("%s: %d pages only", x.when, len(x.never))
				}
				for path, page := range x.never {
					if page != x.let[path] {
						t.Errorf("%s, %s differs: %s", x.when, path, difference(page, x.let[path]))
					}
				}
				for path := range x.let {
					if _, ok := x.never[path]; !ok {
						t.Errorf("%s, %s is there only where somebody let go", x.when, path)
					}
				}
			}
		})
	}
}

// difference is where two texts differ first.
func difference(a, b string) string {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	from := max(0, i-60)
	return "…" + a[from:min(len(a), i+60)] + "… and …" + b[min(from, len(b)):min(len(b), i+60)] + "…"
}
