package public_test

import (
	"context"
	"strings"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/organisation"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

func TestTheOrganisationsTexts(t *testing.T) {
	a := testapp.New(t, testdb.SQLiteURL(t))
	a.SetUp()
	for _, p := range []string{"/privacy", "/accessibility"} {
		for _, lang := range organisation.Languages {
			c := a.Client(t)
			c.Lang = lang
			page := c.Get(p).Want(200)
			if page.Doc.Find("h1").Length() != 1 || page.Doc.Find("main h2").Length() < 3 || page.Has("main h3, main h4") {
				t.Errorf("%s in %s: its headings skip a step", p, lang)
			}
			if got := page.Text("main"); strings.ContainsAny(got, "{}\\") || strings.Contains(got, "##") {
				t.Errorf("%s in %s shows its markup: %s", p, lang, got)
			}
			if !page.Has(`main a[href="mailto:hello@act.example.org"]`) {
				t.Errorf("%s in %s names nobody to ask", p, lang)
			}
		}
	}
	owner := a.Owner(t)
	texts := owner.Get("/admin/settings/texts").Want(200)
	texts.Submit(`form[action="/admin/settings/texts"]`, map[string]string{"privacy_en": "# Ours\n\n### Deep\n\n[Mail us](mailto:{email}), [not](javascript:alert(1)) <img src=x onerror=alert(1)>"}).Want(200)
	page := a.Client(t).Get("/privacy").Want(200)
	if page.Text("main h2") != "Ours" || page.Text("main h3") != "Deep" || page.Has("main img") || page.Has(`main a[href^="javascript"]`) {
		t.Errorf("%s", page.Body)
	}
	if err := a.Organisation.SetText(context.Background(), actor.TheSystem(), organisation.Privacy, "en", ""); err != nil {
		t.Fatal(err)
	}
}
