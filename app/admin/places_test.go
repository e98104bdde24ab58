package admin_test

import (
	"context"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/tests/testapp"
)

// load imports real lists of districts.
func load(t *testing.T, a *testapp.App, files ...string) {
	t.Helper()
	for i := 0; i < len(files); i += 2 {
		f, err := os.Open("../../campaigns/divisions/testdata/" + files[i+1])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := a.Divisions.Import(context.Background(), actor.TheSystem(), f, divisions.Options{Kind: files[i], Version: files[i+1] + " 2026-06-20"}, nil); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// someone makes a record.
func someone(t *testing.T, a *testapp.App, f supporters.Facts, email string) uuid.UUID {
	t.Helper()
	ctx, now := context.Background(), a.Clock.Now()
	m, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, email, now)
	if err != nil {
		t.Fatal(err)
	}
	id, err := supporters.Attach(ctx, a.DB.DB, a.Vault, m, f, now)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDistrictsInTheBrowser(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		owner := a.Owner(t)
		if p := owner.Get("/admin/divisions").Want(200); !strings.Contains(p.Text("main"), "No districts yet.") {
			t.Error(p.Text("main"))
		}
		load(t, a, "ocd", "us_congressional_districts.csv", "zip", "zccd-vt-nc-ne-wy-dc-de.csv", "geo", "cd118_nebraska.geojson")
		id := someone(t, a, supporters.Facts{GivenName: "June", FamilyName: "Okafor", PostalArea: "68025", Country: "US", Source: "form"}, "june@example.org")

		page := owner.Get("/admin/divisions").Want(200)
		found := page.Submit("form[action='/admin/divisions']", map[string]string{"code": "27713", "country": "us"})
		if text := found.Want(200).Text("section.card"); !strings.Contains(text, "state:nc/cd:4") || !strings.Contains(text, "state:nc/cd:9") || !strings.Contains(text, "spans several") {
			t.Error(text)
		}
		if text := owner.Get("/admin/divisions?code=05401").Want(200).Text("section.card"); !strings.Contains(text, "vt/cd:at-large") || !strings.Contains(text, "one district") {
			t.Error(text)
		}
		if text := owner.Get("/admin/divisions?code=%3Cb%3E").Want(200).Text("section.card"); !strings.Contains(text, "Nothing is known about <b>") {
			t.Error(text)
		}
		if text := page.Text("main"); !strings.Contains(text, "us_congressional_districts.csv 2026-06-20") {
			t.Error(text)
		}
		if text := owner.Get("/admin/divisions/list?country=US&region=MT&kind=cd").Want(200).Text("table"); !strings.Contains(text, "until 2023-01-03 over") {
			t.Error(text)
		}
		owner.Get("/admin/divisions/list?country=US&region=XX&kind=cd").Want(404)

		here := "/admin/supporters/" + id.String() + "/districts"
		mine := owner.Get(here).Want(200)
		if text := mine.Text("main"); !strings.Contains(text, "No district is known.") || mine.Doc.Find("form[action$='/set']").Length() != 3 {
			t.Error(text)
		}
		mine.Submit("form[action$='/point']", map[string]string{"lat": "north", "lon": "1"}).Want(422)
		mine.Submit("form[action$='/point']", map[string]string{"lat": "0", "lon": "0"}).Want(422)
		got := mine.Submit("form[action$='/point']", map[string]string{"lat": "41.2565", "lon": "-95.9345"}).Want(200)
		if text := got.Text("main"); !strings.Contains(text, "from a point on the map") || !strings.Contains(text, "ne/cd:2") {
			t.Error(text)
		}
		if text := got.Submit("form[action$='/set']", nil).Want(200).Text("main"); !strings.Contains(text, "set by hand") {
			t.Error(text)
		}
		if text := owner.Get(here).Submit("form[action$='/unset']", nil).Want(200).Text("main"); !strings.Contains(text, "No district is known.") {
			t.Error(text)
		}
		owner.Post(here+"/set", url.Values{"division": {uuid.NewString()}}).Want(404)
		owner.Get("/admin/supporters/" + uuid.NewString() + "/districts").Want(404)
	})
}

func TestTwoRecordsOfOnePersonInTheBrowser(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, owner := context.Background(), a.Owner(t)
		facts := supporters.Facts{GivenName: "June", FamilyName: "Okafor", PostalArea: "27601", City: "Raleigh", Country: "US", Source: "form"}
		one := someone(t, a, facts, "june@example.org")
		facts.City, facts.Phone = "Durham", "919 555 0101"
		someone(t, a, facts, "june@work.example")
		facts.FamilyName, facts.GivenName, facts.PostalArea = "Lind", "Mo", "27602"
		someone(t, a, facts, "mo@example.org") // the same telephone: two people in one home
		if p := owner.Get("/admin/duplicates").Want(200); !strings.Contains(p.Text("main"), "No pairs are waiting.") {
			t.Error(p.Text("main"))
		}
		if err := a.Duplicates.Scan(ctx); err != nil {
			t.Fatal(err)
		}
		list := owner.Get("/admin/duplicates").Want(200)
		if n := list.Doc.Find("tbody tr").Length(); n != 2 {
			t.Fatalf("%d pairs: %s", n, list.Text("main"))
		}
		var links []string
		for i := range 2 {
			links = append(links, list.Doc.Find("tbody a").Eq(i).AttrOr("href", ""))
		}
		for _, link := range links {
			p := owner.Get(link).Want(200)
			if !strings.Contains(p.Text("main"), "Durham") {
				t.Error(p.Text("main"))
			}
			if strings.Contains(p.Text("main"), "Mo Lind") {
				p.Submit("form[action$='/different'] button", nil).Want(200)
				continue
			}
			if p.Doc.Find("input[name='city_sealed']").Length() != 2 {
				t.Fatal("nothing to choose: " + p.Text("main"))
			}
			kept := p.Submit("form[action$='/merge'] button", map[string]string{"city_sealed": "other"}).Want(200)
			if text := kept.Text("main"); kept.Path != "/admin/supporters/"+one.String() || !strings.Contains(text, "Durham") || strings.Contains(text, "Raleigh") || !strings.Contains(text, "june@work.example") {
				t.Errorf("%s: %s", kept.Path, text)
			}
			owner.Get(link).Want(404)
			owner.Post(link+"/merge", url.Values{}).Want(404)
		}
		list = owner.Get("/admin/duplicates").Want(200)
		if text := list.Submit("form[action$='/undo'] button", nil).Want(200).Text("main"); !strings.Contains(text, "June Okafor and June Okafor") {
			t.Error(text)
		}
		if text := owner.Get("/admin/supporters/" + one.String()).Want(200).Text("main"); !strings.Contains(text, "Raleigh") || strings.Contains(text, "june@work.example") {
			t.Error(text)
		}
		if text := owner.Get("/admin").Want(200).Text("main"); !strings.Contains(text, "1 pair of records that may be one person") {
			t.Error(text)
		}
		var n int64
		if err := a.DB.Model(&models.Supporter{}).Count(&n).Error; err != nil || n != 3 {
			t.Errorf("%d records, %v", n, err)
		}
	})
}
