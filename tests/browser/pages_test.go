package browser

import (
	"math"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"kithline/tests/testapp"
)

// Every page that can be reached by links is looked at: 320 and 1280 pixels wide, light and dark.

// most is how many pages a walk looks at before it says that something is endless.
const most = 140

// alike is how many pages of one kind are looked at. A petition's and a mailing's page differ by their state.
func alike(kind string) int {
	switch kind {
	case "/admin/petitions/:id?", "/admin/mailings/:id?", "/admin/series/:id?", "/admin/series/:id/steps/:id?":
		return 6
	case "/petitions/:slug/?":
		return 3
	}
	return 1
}

var (
	ids    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}|[A-Za-z0-9_-]{51}`)
	noPage = regexp.MustCompile(`\.(csv|json|ics|png|svg|eml|txt|zip|pdf)$|/logout$|/static/`)
)

// kind is what pages made by one template share: the path without its ids, and which query names it has.
func kind(u *url.URL) string {
	names := []string{}
	for name := range u.Query() {
		names = append(names, name)
	}
	slices.Sort(names)
	p := ids.ReplaceAllString(u.Path, ":id")
	for _, prefix := range []string{"/petitions/", "/campaigns/", "/forms/", "/letters/", "/rosters/"} {
		if rest, ok := strings.CutPrefix(p, prefix); ok && rest != "new" {
			_, tail, _ := strings.Cut(rest, "/")
			p = prefix + ":slug/" + tail
		}
	}
	return p + "?" + strings.Join(names, "&")
}

// walk opens the pages in start and whatever they link to, as long as wanted says so, and looks at each. reader is somebody
// without a browser who has the same rights: it finds out what is a page and what is a file. It returns one page of each
// kind.
func (w *world) walk(t *testing.T, tab *Tab, reader *testapp.Client, look func(name string), wanted func(path string) bool, start ...string) (pages []string) {
	t.Helper()
	seen, kinds := map[string]bool{}, map[string]int{}
	looked := 0
	for todo := start; len(todo) > 0; todo = todo[1:] {
		here, err := url.Parse(todo[0])
		if err != nil {
			t.Fatal(err)
		}
		if key := here.RequestURI(); seen[key] || kinds[kind(here)] >= alike(kind(here)) {
			continue
		} else {
			seen[key] = true
			kinds[kind(here)]++
		}
		// Asked without a browser first: a file would not open in a tab, and a dead link is told with where it stood.
		page := reader.Get(here.RequestURI())
		if page.Status != 200 {
			t.Errorf("%s answers %d", here.RequestURI(), page.Status)
			continue
		}
		if page.Doc == nil {
			continue
		}
		if looked++; looked > most {
			t.Fatalf("more than %d pages; the last is %s", most, here)
		}
		tab.Open(here.RequestURI())
		look("page")
		if kinds[kind(here)] == 1 {
			pages = append(pages, here.RequestURI())
		}
		for _, href := range Eval[[]string](tab, `[...document.querySelectorAll('a[href]:not([download])')].map(a => a.href)`) {
			link, err := url.Parse(href)
			if err != nil {
				t.Errorf("%s links to %q: %v", here.RequestURI(), href, err)
				continue
			}
			if strings.HasPrefix(href, tab.origin+"/") && !noPage.MatchString(link.Path) && wanted(link.Path) && !link.Query().Has("lang") {
				todo = append(todo, link.RequestURI())
			}
		}
	}
	t.Logf("looked at %d pages", looked)
	if looked < len(start) {
		t.Errorf("only %d pages of %d to start with", looked, len(start))
	}
	return pages
}

// inSpanish glances at pages in Spanish, where the words are longer.
func inSpanish(t *testing.T, tab *Tab, pages []string) {
	t.Helper()
	if len(pages) == 0 {
		t.Fatal("no pages")
	}
	tab.Open(pages[0] + "?lang=es")
	for _, p := range pages {
		tab.Open(p)
		tab.Glance("page in Spanish")
		if lang := tab.Attr("html", "lang"); lang != "es" {
			t.Errorf("%s is in %q, not in Spanish", p, lang)
		}
	}
	tab.Open(pages[0] + "?lang=en")
}

func public(path string) bool { return !strings.HasPrefix(path, "/admin") }

func organizers(path string) bool {
	return strings.HasPrefix(path, "/admin") && !strings.HasPrefix(path, "/admin/login")
}

var (
	publicStart     = []string{"/", "/archive", "/display", "/privacy", "/accessibility"}
	organizersStart = []string{
		"/admin", "/admin/petitions", "/admin/mailings", "/admin/series", "/admin/supporters", "/admin/fields", "/admin/tags", "/admin/duplicates", "/admin/abuse", "/admin/divisions", "/admin/imports", "/admin/suppressions", "/admin/suppressions/add", "/admin/inbound", "/admin/settings/inbound", "/admin/erasures", "/admin/retention", "/admin/settings", "/admin/settings/limits", "/admin/deliverability", "/admin/users", "/admin/jobs", "/admin/audit", "/admin/account",
	}
)

// TestPages looks at every page of one site, and changes nothing in it.
func TestPages(t *testing.T) {
	t.Parallel()
	w := full(t)
	// The organizers' pages in two halves, to look at both at once.
	for name, look := range map[string]func(*testing.T, *world){"public": publicPages, "campaigns": campaignPages, "people": peoplePages, "weight": weight} {
		t.Run(name, func(t *testing.T) { t.Parallel(); look(t, w) })
	}
}

func publicPages(t *testing.T, w *world) {
	tab := New(t, w.URL)
	inSpanish(t, tab, w.walk(t, tab, w.Client(t), tab.Check, public, append([]string{"/petitions/" + w.slug, "/petitions/" + w.closed, "/petitions/" + w.pressed, "/admin/login", "/admin/login/link"}, publicStart...)...))
	for path, size := range map[string][2]float64{"/poster": {210, 297}, "/card": {105, 148}} { // millimetres
		tab.Open("/petitions/" + w.slug + path)
		pages := regexp.MustCompile(`/MediaBox \[0 0 ([0-9.]+) ([0-9.]+)\]`).FindAllStringSubmatch(tab.Print(), -1)
		if len(pages) != 1 {
			t.Errorf("%s is printed on %d pages", path, len(pages))
			continue
		}
		for i := range size {
			if points, err := strconv.ParseFloat(pages[0][i+1], 64); err != nil || math.Abs(points/72*25.4-size[i]) > 1 {
				t.Errorf("%s is printed on a page of %s by %s points", path, pages[0][1], pages[0][2])
			}
		}
	}
	// Pages of things that are not there, or not any more.
	for path, status := range map[string]int{
		"/nothing": 404, "/petitions/nothing": 404, "/confirm/" + strings.Repeat("x", 51): 404, "/u/" + strings.Repeat("x", 51): 404,
		"/admin/login/" + strings.Repeat("x", 51): 404,
	} {
		if got := tab.Open(path); got != status {
			t.Errorf("%s answers %d, not %d", path, got, status)
		}
		tab.Check("error page")
	}
}

func ofCampaigns(path string) bool {
	return strings.HasPrefix(path, "/admin/petitions") || strings.HasPrefix(path, "/admin/mailings") || strings.HasPrefix(path, "/admin/series")
}

func campaignPages(t *testing.T, w *world) {
	tab := New(t, w.URL)
	w.signIn(tab)
	trust := "/admin/petitions/" + w.trouble.String() + "/trust"
	inSpanish(t, tab, w.walk(t, tab, w.Owner(t), tab.Check, ofCampaigns, trust, trust+"/out?domain=wave.example&do=count", "/admin/petitions", "/admin/petitions/comments", "/admin/mailings", "/admin/series"))
}

func peoplePages(t *testing.T, w *world) {
	tab := New(t, w.URL)
	w.signIn(tab)
	rest := slices.DeleteFunc(slices.Clone(organizersStart), ofCampaigns)
	inSpanish(t, tab, w.walk(t, tab, w.Owner(t), tab.Check, func(path string) bool { return organizers(path) && !ofCampaigns(path) }, rest...))
	tab.Open("/admin/nothing")
	tab.Want(404, "/admin/nothing")
	tab.Check("error page")
}

// A petition's page is small enough for a bad connection: under 60 kB over the wire with everything it loads.
func weight(t *testing.T, w *world) {
	const limit = 60_000
	tab := New(t, w.URL) // it keeps nothing yet
	bytes, asked := tab.Weigh("/petitions/" + w.slug)
	t.Logf("%d bytes for %q", bytes, asked)
	if bytes > limit || bytes < 5000 {
		t.Errorf("%d bytes: more than %d, or too few to be true", bytes, limit)
	}
}

// The pages of the first run, from the link that the server prints.
func TestSetupPages(t *testing.T) {
	t.Parallel()
	need(t)
	a := testapp.New(t, databaseURL(t))
	a.Clock.Set(time.Now())
	tab := New(t, a.URL)
	link, err := a.SetupURL(t.Context())
	if err != nil || link == "" {
		t.Fatalf("%q, %v", link, err)
	}
	tab.Open(link)
	tab.Want(200, "/admin/setup/")
	tab.Check("the organisation")
	next, skip := `main form button.main`, `main form button[value=skip]`
	tab.Press(next)
	tab.Want(422, "/admin/setup/")
	tab.Check("the organisation, with errors")
	tab.Fill(`[name=name]`, "Wennick Chronic Pain Coalition")
	tab.Fill(`[name=postal_address]`, "12 Ferry Street")
	tab.Fill(`[name=from_address]`, "hello@act.example.org")
	tab.Press(next)
	tab.Want(200, tab.Path())
	tab.Check("the mail server")
	tab.Fill(`[name=smtp_host]`, "not a host")
	tab.Press(next)
	tab.Want(422, tab.Path())
	tab.Check("the mail server, with errors")
	tab.Press(skip)
	tab.Want(200, tab.Path())
	tab.Check("the texts")
	tab.Press(next)
	tab.Want(200, tab.Path())
	tab.Check("the owner")
	tab.Press(next)
	tab.Want(422, tab.Path())
	tab.Check("the owner, with errors")
	tab.Fill(`[name=name]`, "Ilse Halvorsen")
	tab.Fill(`[name=email]`, testapp.OwnerEmail)
	tab.Fill(`[name=password]`, testapp.Password)
	tab.Press(next)
	tab.Want(200, "/admin/recovery")
	tab.Press(`form[action="/admin/recovery/sheet"] button`)
	tab.Want(200, "/admin/recovery/sheet")
	tab.Check("the recovery sheet")
	tab.Press(`form[action="/admin/recovery/kept"] button`)
	tab.Check("after the setup")
	tab.Open(link)
	tab.Want(410, "/admin/setup/")
	tab.Check("the setup link, used")
}
