package admin_test

import (
	"net/url"
	"strings"
	"testing"

	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// An organizer builds a rule without JavaScript: every button keeps what was typed, the count follows, wrong conditions are told
// beside the field.
func TestBuildASegment(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(5)
		factory.Signed(t, a, p, people...)
		c := a.Owner(t)

		page := c.Get("/admin/segments/new").Want(200)
		if got := page.Text("#counted"); !strings.Contains(got, "Everybody.") || !strings.Contains(got, "5 people") {
			t.Errorf("a new rule counts: %s", got)
		}
		add := func(kind, path string, more map[string]string) {
			t.Helper()
			fields := map[string]string{segments.FieldName(path, "add"): kind}
			for k, v := range more {
				fields[k] = v
			}
			page = page.Submit("button[value='add:"+path+"']", fields).Want(200)
		}
		add("signed", "r", map[string]string{"name": "Signed here", "about": "For Tuesday"})
		if v, _ := page.Doc.Find("#name").Attr("value"); v != "Signed here" {
			t.Errorf("the name is lost: %q", v)
		}
		page = page.Submit("button[value='group:r']", map[string]string{"r.0-petition": p.ID.String(), "r.0-when": "last", "r.0-days": "30"}).Want(200)
		add("postal", "r.1", nil)
		add("tag", "r.1", map[string]string{"r.1.0-begins": "002"})
		page = page.Submit("button[value='remove:r.1.1']", nil).Want(200)
		add("country", "r", nil)
		page = page.Submit("button[value='save']", map[string]string{"r.2-country": "Atlantis", "r.2-exclude": "yes"}).Want(422)
		if got := page.Text("#summary"); !strings.Contains(got, "two letters") {
			t.Errorf("the summary says %s", got)
		}
		if v, _ := page.Doc.Find("[id='r.1.0-begins']").Attr("value"); v != "002" {
			t.Errorf("what was typed is lost: %q", v)
		}
		page = page.Submit("button[value='save']", map[string]string{"r.2-country": "gb"}).Want(200)
		if got := page.Text("#counted"); !strings.Contains(got, "Everybody who signed “Twenty visits” in the last 30 days and lives where the postal code begins with 002, but not whoever lives in the country GB.") ||
			!strings.Contains(got, "5 people") || !strings.Contains(got, "June Okafor") {
			t.Errorf("saved: %s", got)
		}
		var m models.Segment
		if err := a.DB.Take(&m).Error; err != nil || m.Name != "Signed here" || m.Revision != 1 {
			t.Fatalf("%+v, %v", m, err)
		}

		// Somebody else saves meanwhile: this window is told, keeps its rule, and may save over it.
		other := a.Owner(t)
		other.Get(page.Path).Want(200).Submit("button[value='save']", map[string]string{"name": "Theirs"}).Want(200)
		clash := page.Submit("button[value='save']", map[string]string{"name": "Mine"}).Want(409)
		if !strings.Contains(clash.Text("#summary"), "Somebody else saved") {
			t.Errorf("the clash: %s", clash.Text("#summary"))
		}
		if page = clash.Submit("button[value='save']", nil).Want(200); page.Text("h1") != "Mine" {
			t.Errorf("saved as %s", page.Text("h1"))
		}

		// The live count says when the rule is not whole yet, and is no error.
		part := c.Post("/admin/segments/count", url.Values{"r-kind": {"group"}, "r-match": {"all"}, "r.0-kind": {"tag"}}).Want(200)
		if !strings.Contains(string(part.Body), "Finish the conditions") || strings.Contains(string(part.Body), "<html") {
			t.Errorf("half a rule: %s", part.Body)
		}

		frozen := page.Submit("form[action$='/freeze'] button", nil).Want(200)
		factory.Signed(t, a, p, factory.Person{Given: "Ann", Family: "Late", Email: "ann@example.org", Updates: true})
		if got := frozen.Text("main"); !strings.Contains(got, "Snapshot") || !strings.Contains(got, "5 people") {
			t.Errorf("frozen: %s", got)
		}
		if got := c.Get(page.Path).Want(200).Text(".count"); !strings.Contains(got, "5 people") {
			t.Errorf("somebody joined a snapshot: %s", got)
		}
		live := c.Get(page.Path).Want(200).Submit("form[action$='/thaw'] button", nil).Want(200)
		if got := live.Text(".count"); !strings.Contains(got, "6 people") {
			t.Errorf("live again: %s", got)
		}
		copied := live.Submit("form[action$='/copy'] button", nil).Want(200)
		if copied.Text("h1") != "Copy of Mine" || copied.Path == live.Path {
			t.Errorf("the copy is %s at %s", copied.Text("h1"), copied.Path)
		}
		copied.Submit("form[action$='/archive'] button", nil).Want(200)
		if got := c.Get("/admin/segments").Want(200).Text("tbody"); strings.Contains(got, "Copy of") {
			t.Errorf("archived, and in the list: %s", got)
		}
		if got := c.Get("/admin/segments?archived=yes").Want(200).Text("tbody"); !strings.Contains(got, "Copy of Mine") {
			t.Errorf("not among the archived: %s", got)
		}
	})
}
