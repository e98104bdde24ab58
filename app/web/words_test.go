package web

import (
	"context"
	"fmt"
	"html/template"
	"net/url"
	"strings"
	"testing"
	"time"

	"kithline/app/locales"
)

func TestDatesAndNumbers(t *testing.T) {
	w, _ := house(t, nil)
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Skip("no time zones on this machine")
	}
	at := time.Date(2027, 3, 16, 1, 5, 0, 0, time.UTC) // still the 15th in the organisation's zone
	en, es := w.Blank(context.Background(), "en", "/"), w.Blank(context.Background(), "es", "/")
	en.Site.Zone, es.Site.Zone = zone, zone
	var none *time.Time
	for _, c := range []struct{ got, want string }{
		{en.Date(at), "15 March 2027"},
		{es.Date(&at), "15 de marzo de 2027"},
		{en.Weekday(at), "Monday 15 March 2027"},
		{es.Weekday(at), "lunes, 15 de marzo de 2027"},
		{en.DateTime(at), "15 March 2027, 21:05"},
		{en.Until(at), "15 March 2027, 21:05"},
		{en.Until(time.Date(2027, 3, 16, 4, 0, 0, 0, time.UTC)), "the end of 15 March 2027"},
		{es.Until(time.Date(2027, 3, 1, 5, 0, 0, 0, time.UTC)), "el final del 28 de febrero de 2027"},
		{en.Until(none), ""},
		{en.Time(at), "21:05"},
		{en.ISO(at), "2027-03-16T01:05:00Z"},
		{en.DayOf("2027-03-16"), "16 March 2027"},
		{es.DayOf("2027-03-01"), "1 de marzo de 2027"},
		{en.DayOf(""), ""},
		{en.DayOf("2027-03"), "2027-03"},
		{en.Date(none), ""},
		{en.Date(time.Time{}), ""},
		{en.Number(0), "0"},
		{en.Number(999), "999"},
		{en.Number(int64(1234567)), "1,234,567"},
		{en.Number(-1000), "-1,000"},
		{es.Number(1234), "1234"},
		{es.Number(12345), "12\u00a0345"},
		{en.Size(532), "532 B"},
		{en.Size(6_400), "6 KB"},
		{en.Size(12_600_000), "13 MB"},
		{en.Percent(3184, 5000), "63\u00a0%"},
		{en.Percent(1, 0), "0\u00a0%"},
		{en.Ago(testTime.Add(-30 * time.Second)), "just now"},
		{en.Ago(testTime.Add(-time.Minute)), "1 minute ago"},
		{en.Ago(testTime.Add(-20 * time.Minute)), "20 minutes ago"},
		{es.Ago(testTime.Add(-3 * time.Hour)), "hace 3 horas"},
		{en.Ago(testTime.Add(-50 * time.Hour)), "2 days ago"},
		{en.Ago(testTime.Add(-200 * time.Hour)), "14 February 2027"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
}

func TestShortDay(t *testing.T) {
	for m := time.January; m <= time.December; m++ {
		for lang, all := range map[string]string{"en": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", "es": "ene feb mar abr may jun jul ago sep oct nov dic", "xx": "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec"} {
			if got, want := shortDay(lang, time.Date(2027, m, 5, 0, 0, 0, 0, time.UTC)), "5 "+strings.Fields(all)[m-1]; got != want {
				t.Errorf("%s: %q, not %q", lang, got, want)
			}
		}
	}
}

func TestWords(t *testing.T) {
	w, _ := house(t, nil)
	en, es := w.Blank(context.Background(), "en", "/"), w.Blank(context.Background(), "es", "/")
	for _, c := range []struct{ got, want string }{
		{en.T("base.summary", "Count", 1), "Please check 1 thing"},
		{en.T("base.summary", "Count", 0), "Please check 0 things"},
		{en.T("base.summary", "Count", 12000), "Please check 12,000 things"},
		{es.T("base.summary", "Count", int64(1)), "Revise 1 cosa"},
		{es.T("base.summary", "Count", 1_000_000), "Revise 1\u00a0000\u00a0000 cosas"}, // a form of its own in Spanish
		{en.T("base.crisis", "Line", "<b>988</b>"), "In a crisis: <b>988</b>"},
		{string(en.HTML("base.crisis", "Line", "<b>988</b>")), "In a crisis: &lt;b&gt;988&lt;/b&gt;"},
		{string(en.HTML("base.crisis", "Line", template.HTML("<b>988</b>"))), "In a crisis: <b>988</b>"},
		{w.Text("es-MX", "base.summary", "Count", 1), "Revise 1 cosa"}, // of a petition, say
		{w.Text("ar", "base.summary", "Count", 1), "Please check 1 thing"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if got := en.T("base.nothing_such"); got != "base.nothing_such" {
		t.Errorf("%q", got)
	}
	if got := en.T("base.crisis"); got != "base.crisis" { // its value is missing
		t.Errorf("%q", got)
	}
	if got := fmt.Sprint(w.Missed()); got != "[en base.crisis en base.nothing_such]" {
		t.Errorf("%s", got)
	}
	w.missed.Clear()
}

func TestWith(t *testing.T) {
	w, _ := house(t, nil)
	p := w.Blank(context.Background(), "en", "/list")
	p.query = url.Values{"q": {"a b"}, "after": {"x"}}
	for _, c := range []struct{ got, want string }{
		{p.With(), "/list?q=a+b"},
		{p.With("q", ""), "/list"},
		{p.With("after", "y"), "/list?after=y&q=a+b"},
		{p.With("state", "draft"), "/list?q=a+b&state=draft"},
		{p.With("goal", 5), "/list?goal=5&q=a+b"},
	} {
		if c.got != c.want {
			t.Errorf("%q, want %q", c.got, c.want)
		}
	}
	if p.query.Get("after") != "x" || len(p.query) != 2 {
		t.Errorf("With changed the page's own query: %v", p.query)
	}
}

// Every key that code of this package names exists; webtest finds those of templates.
func TestErrorKeysExist(t *testing.T) {
	words, err := locales.Load()
	if err != nil {
		t.Fatal(err)
	}
	for status := range errorKinds {
		if key := fmt.Sprintf("base.error_%d", status); !words.Has("en", key) {
			t.Errorf("no %s", key)
		}
	}
	for _, g := range railGroups {
		for _, i := range g.items {
			if !words.Has("en", i.key) {
				t.Errorf("no %s", i.key)
			}
		}
	}
}

func TestAccentIsReadable(t *testing.T) {
	colours := []string{"#1c5c4d", "#7b2d52", "#ffffff", "#000000", "#ffff00", "#ff0000", "#00ff00", "#0000ff", "#888888", "#f0c", "#ffe4b5"}
	for r := 0; r < 256; r += 51 {
		for g := 0; g < 256; g += 51 {
			for b := 0; b < 256; b += 51 {
				colours = append(colours, RGB{uint8(r), uint8(g), uint8(b)}.String()) //nolint:gosec // below 256
			}
		}
	}
	for _, c := range colours {
		a, err := NewAccent(c)
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, x, y RGB) {
			if r := Contrast(x, y); r < 4.5 {
				t.Errorf("%s: %s: %s on %s has %.2f", c, what, x, y, r)
			}
		}
		for _, s := range lightSurfaces {
			check("light", a.Light, s)
			check("light, deep", a.LightDeep, s)
		}
		for _, s := range darkSurfaces {
			check("dark", a.Dark, s)
			check("dark, deep", a.DarkDeep, s)
		}
		check("button", a.LightOn, a.Light)
		check("button, deep", a.LightOn, a.LightDeep)
		check("button in dark", a.DarkOn, a.Dark)
		check("button in dark, deep", a.DarkOn, a.DarkDeep)
		check("wash", a.Light, a.LightWash)
		check("wash in dark", a.Dark, a.DarkWash)
		check("ink on wash", lightInk, a.LightWash)
		check("ink on wash in dark", darkInk, a.DarkWash)
	}
	for _, c := range []struct {
		colour  string
		changed bool
	}{{"#7b2d52", false}, {"#ffe4b5", true}} {
		if a, _ := NewAccent(c.colour); a.Changed != c.changed {
			t.Errorf("%s: changed is %v, light %s", c.colour, a.Changed, a.Light)
		}
	}
	if r := Contrast(black, white); r < 20.99 || r > 21.01 {
		t.Errorf("black on white has %f", r)
	}
	for _, bad := range []string{"", "red", "#12", "#12345g", "1c5c4d", "#1c5c4d;}", "#-12345"} {
		if _, err := NewAccent(bad); err == nil || ThemeCSS(bad) != "" {
			t.Errorf("%q is taken", bad)
		}
	}
}

func TestThemeCSS(t *testing.T) {
	accent := "#7b2d52"
	_, app := house(t, func(o *Options) {
		o.Site = func(context.Context) Site { return Site{Accent: accent, AccentVersion: "3"} }
	})
	resp, body := do(t, app, "GET", "/theme.css?v=3", "")
	if resp.StatusCode != 200 || strings.Count(body, "--accent-") != 8 || !strings.Contains(body, "--accent-l: #7b2d52;") ||
		resp.Header.Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(resp.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("%d %v\n%s", resp.StatusCode, resp.Header, body)
	}
	if resp, _ := do(t, app, "GET", "/theme.css", "", "If-None-Match", resp.Header.Get("ETag")); resp.StatusCode != 304 {
		t.Errorf("If-None-Match: %d", resp.StatusCode)
	}
	if _, body := do(t, app, "GET", "/display", ""); !strings.Contains(body, `href="/theme.css?v=3"`) {
		t.Error("the page does not load the theme")
	}
	accent = DefaultAccent
	if _, body := do(t, app, "GET", "/display", ""); strings.Contains(body, "theme.css") {
		t.Error("the page loads a theme for Kithline's own colour")
	}
}
