package public_test

import (
	"net/url"
	"strings"
	"testing"

	"kithline/tests/factory"
	"kithline/tests/testapp"
)

func TestRepresentatives(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		c := a.Client(t)
		if page := c.Get("/representatives").Want(200); page.Has("form[action='/representatives']") || !strings.Contains(page.Text("main"), "nobody to look up") {
			t.Errorf("nobody is there: %s", page.Text("main"))
		}
		if c.Get("/").Want(200).Has("a[href='/representatives']") {
			t.Error("the first page offers what there is not")
		}
		divisions := factory.Wennick(t, a)

		// One district: the answer, with the ways to the office.
		page := c.Get("/representatives").Want(200).Submit("form[action='/representatives']", map[string]string{"postal_code": "11"}).Want(200)
		if !strings.Contains(page.Text("main"), "do not know this postal code") || !page.Has("details[open] select[name=state]") {
			t.Errorf("unknown: %s", page.Text("main"))
		}
		page = c.Get("/representatives").Want(200).Submit("form[action='/representatives']", map[string]string{"postal_code": " 00011-0001 "}).Want(200)
		text := page.Text("main")
		for _, want := range []string{"Wennick: Senate", "Senator Sela Marsh", "Wennick: House", "Representative Ines Rowe", "House district 1", "4 Mill Lane", "Harrow Bay, WN 00011", "Nonpartisan"} {
			if !strings.Contains(text, want) {
				t.Errorf("%q is missing in %s", want, text)
			}
		}
		if !page.Has(`a[href="tel:5555550142"]`) || !page.Has(`a[href="https://office.example.org/write"][rel~=noreferrer]`) || strings.Contains(text, "ines.rowe@") || strings.Contains(text, "Tom Vale") {
			t.Errorf("ways to the office: %s", page.Body)
		}

		// Two districts: a question, and nobody of it is shown as the answer.
		page = c.Get("/representatives?country=US&postal_code=00014").Want(200)
		if page.Has("h2:contains(House)") || !strings.Contains(page.Text("fieldset"), "House district 1") || !strings.Contains(page.Text("fieldset"), "Tom Vale") || !strings.Contains(page.Text("main"), "Sela Marsh") {
			t.Errorf("two districts: %s", page.Text("main"))
		}
		none := page.Submit("form:has(fieldset)", nil).Want(422)
		if !none.Has("#summary a[href='#in_sldl']") || !none.Has("fieldset.wrong") {
			t.Errorf("nothing chosen: %s", none.Body)
		}
		chosen := page.Submit("form:has(fieldset)", map[string]string{"in_sldl": divisions["2"].ID.String()}).Want(200)
		if got := chosen.Text("main"); !strings.Contains(got, "Tom Vale") || strings.Contains(got, "Ines Rowe") || chosen.Has("fieldset") {
			t.Errorf("chosen: %s", got)
		}
		unknown := page.Submit("form:has(fieldset)", map[string]string{"in_sldl": "unsure"}).Want(200)
		if got := unknown.Text("main"); !strings.Contains(got, "Sela Marsh") || strings.Contains(got, "Tom Vale") || unknown.Has("fieldset") {
			t.Errorf("unsure: %s", got)
		}

		// An empty seat, a state, another country, nothing, too much.
		if got := c.Get("/representatives?postal_code=00127").Want(200).Text("main"); !strings.Contains(got, "This seat is empty right now") {
			t.Errorf("vacant: %s", got)
		}
		if got := c.Get("/representatives").Want(200).Submit("details form", map[string]string{"state": "WN"}).Want(200).Text("main"); !strings.Contains(got, "Sela Marsh") || strings.Contains(got, "Rowe") {
			t.Errorf("by state: %s", got)
		}
		if got := c.Get("/representatives?country=GB&postal_code=00011").Want(200).Text("main"); !strings.Contains(got, "no list for this country") || strings.Contains(got, "Rowe") {
			t.Errorf("abroad: %s", got)
		}
		if page := c.Get("/representatives?country=US&postal_code=").Want(422); !page.Has("#summary a[href='#postal_code']") {
			t.Errorf("nothing typed: %s", page.Text("main"))
		}
		c.Get("/representatives?postal_code=" + strings.Repeat("9", 41)).Want(422)
		es := a.Client(t)
		es.Lang = "es"
		if got := es.Get("/representatives?postal_code=00011").Want(200).Text("main"); !strings.Contains(got, "Ines Rowe") || !strings.Contains(got, "Oficina") {
			t.Errorf("in Spanish: %s", got)
		}
		if !es.Get("/").Want(200).Has("a[href='/representatives']") {
			t.Error("the first page does not lead there")
		}
		if strings.Contains(a.Logged(), "00011") || strings.Contains(a.Logged(), "00014") {
			t.Error("a postal code stands in the log")
		}
	})
}

// A point is looked up and forgotten: the address that comes back has districts alone.
func TestRepresentativesOfAPoint(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		divisions := factory.Wennick(t, a)
		c := a.Client(t)
		page := c.Get("/representatives").Want(200)
		if !page.Has("form[data-here][hidden][method=post]") || !strings.Contains(page.Header.Get("Permissions-Policy"), "geolocation=(self)") {
			t.Errorf("%s, %v", page.Body, page.Header)
		}
		if h := c.Get("/").Want(200).Header.Get("Permissions-Policy"); !strings.Contains(h, "geolocation=()") {
			t.Errorf("elsewhere: %s", h)
		}
		page = c.Post("/representatives/here", url.Values{"lat": {"5.1234"}, "lon": {"15.4321"}}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "Tom Vale") || !strings.Contains(got, "Sela Marsh") || strings.Contains(page.Path, "5.12") || !strings.Contains(page.Path, divisions["2"].ID.String()) {
			t.Errorf("%s: %s", page.Path, got)
		}
		page = c.Post("/representatives/here", url.Values{"lat": {"-60"}, "lon": {"15"}}).Want(200)
		if got := page.Text("main"); !strings.Contains(got, "do not know the districts at this place") || !page.Has("input[name=postal_code]") {
			t.Errorf("nowhere: %s", got)
		}
		c.Post("/representatives/here", url.Values{"lat": {"here"}, "lon": {"there"}}).Want(422)
		c.Post("/representatives/here", url.Values{"lat": {"NaN"}, "lon": {"Inf"}}).Want(200)
		if strings.Contains(a.Logged(), "15.4321") {
			t.Error("a point stands in the log")
		}
	})
}
