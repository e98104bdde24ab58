package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
)

func TestMain(m *testing.M) { os.Exit(Main(m)) }

// small is a site of a few bad pages.
func small(t *testing.T) *httptest.Server {
	t.Helper()
	page := func(main string) string {
		return `<!doctype html><html lang="en"><head><title>Small</title><meta name="viewport" content="width=device-width"><link rel="icon" href="/icon.svg"></head><body><main><h1>Small</h1>` + main + `</main></body></html>`
	}
	pages := map[string]string{
		"/good":    page(`<p>Nothing here.</p>`),
		"/axe":     page(`<p style="color:#999">Pale</p><input name="x">`),
		"/wide":    page(`<p id="wide">` + strings.Repeat("wide", 200) + `</p>`),
		"/headed":  page(`<h1>Again</h1>`),
		"/other":   page(`<img alt="A dot" src="http://localhost:1/x.png">`),
		"/inline":  page(`<p onclick="x()">Inline</p><script>kithlineAlarm('inline')</script>`),
		"/alarm":   page(`<script src="/alarm.js"></script>`),
		"/missing": page(`<script src="/missing.js"></script>`),
		"/console": page(`<script src="/console.js"></script>`),
		"/dialog":  page(`<script src="/dialog.js"></script>`),
		"/form":    page(`<form method="post" action="/answer"><label>Name <input id="name" name="name"></label> <button>Send</button></form><p id="js"></p><script src="/js.js"></script>`),
	}
	scripts := map[string]string{
		"/alarm.js": `kithlineAlarm('run')`, "/console.js": `console.error('oh'); throw new Error('no')`, "/dialog.js": `alert('hello')`,
		"/js.js": `document.getElementById('js').textContent = 'scripts run'`,
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if js, ok := scripts[r.URL.Path]; ok {
			w.Header().Set("Content-Type", "text/javascript")
			_, _ = fmt.Fprint(w, js)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.URL.Path != "/axe" && r.URL.Path != "/other" {
			w.Header().Set("Content-Security-Policy", "default-src 'self'")
		}
		if r.URL.Path == "/answer" {
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = fmt.Fprint(w, page(`<p id="name">`+r.FormValue("name")+`</p>`))
			return
		}
		if r.URL.Path == "/icon.svg" {
			w.Header().Set("Content-Type", "image/svg+xml")
			_, _ = fmt.Fprint(w, `<svg xmlns="http://www.w3.org/2000/svg"/>`)
			return
		}
		if p, ok := pages[r.URL.Path]; ok {
			_, _ = fmt.Fprint(w, p)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}))
	t.Cleanup(s.Close)
	return s
}

// told is a testing.TB that keeps what a check says instead of failing.
type told struct {
	testing.TB
	said []string
}

func (t *told) Helper()                   {}
func (t *told) Error(a ...any)            { t.said = append(t.said, fmt.Sprint(a...)) }
func (t *told) Errorf(f string, a ...any) { t.said = append(t.said, fmt.Sprintf(f, a...)) }
func (t *told) has(parts ...string) []string {
	missing := []string{}
	for _, p := range parts {
		if !strings.Contains(strings.Join(t.said, "\n"), p) {
			missing = append(missing, p)
		}
	}
	return missing
}

// TestTheChecksBite shows each check a page on which it must speak.
func TestTheChecksBite(t *testing.T) {
	t.Parallel()
	site := small(t)
	tab := New(t, site.URL)
	for _, c := range []struct {
		path string
		says []string
	}{
		{"/good", nil},
		{"/axe", []string{"color-contrast", "label ("}},
		{"/wide", []string{"sideways", "p \"widewide"}},
		{"/headed", []string{"2 headings"}},
		{"/other", []string{"asked another site: http://localhost:1/x.png"}},
		{"/inline", []string{"content security policy: script-src"}},
		{"/alarm", []string{"somebody's text ran: run"}},
		{"/missing", []string{"missing.js answered 404"}},
		{"/console", []string{"console.error: oh", "a script failed: Uncaught Error: no"}},
		{"/dialog", []string{"a dialog opened: hello"}},
	} {
		heard := &told{TB: t}
		tab.t = heard
		tab.Open(c.path)
		tab.Check(c.path)
		tab.t = t
		if missing := heard.has(c.says...); len(missing) > 0 || (c.says == nil) != (heard.said == nil) {
			t.Errorf("%s: missing %q in %q", c.path, missing, heard.said)
		}
	}
}

// A form is sent and checked in the same way with scripts and without, and without them none runs.
func TestScriptsOnAndOff(t *testing.T) {
	t.Parallel()
	site := small(t)
	tab := New(t, site.URL)
	for _, on := range []bool{true, false} {
		tab.Scripts(on)
		tab.Open("/form")
		if got := tab.Text("#js"); (got == "scripts run") != on {
			t.Errorf("scripts %t: the page's script wrote %q", on, got)
		}
		tab.Fill("#name", "June & <b>O.</b>")
		tab.Press("button")
		tab.Want(422, "/answer")
		tab.Check("answer")
		if got := tab.Text("#name"); got != "June & O." {
			t.Errorf("scripts %t: %q", on, got)
		}
	}
}

func TestWeigh(t *testing.T) {
	t.Parallel()
	site := small(t)
	tab := New(t, site.URL)
	light, _ := tab.Weigh("/good")
	heavy, asked := tab.Weigh("/wide")
	if light < 100 || heavy < light+700 || heavy > light+3000 || len(asked) < 1 || asked[0] != site.URL+"/wide" {
		t.Errorf("%d and %d bytes for %q", light, heavy, asked)
	}
}

// What the tests look for in other people's text is found where it does harm.
func TestShowBites(t *testing.T) {
	t.Parallel()
	tab := New(t, small(t).URL)
	heard := &told{TB: t}
	tab.t = heard
	tab.Show(`<p>Hello</p>` + attacks[0])
	tab.unharmed("shown")
	tab.t = t
	if missing := heard.has("somebody's text ran", "markup of somebody's text"); len(missing) > 0 {
		t.Errorf("missing %q in %q", missing, heard.said)
	}
}
