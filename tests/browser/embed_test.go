package browser

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/storage"
	"github.com/chromedp/chromedp"

	"kithline/models"
)

// cookies are the names of all that this tab's window has of any site.
func (tab *Tab) cookies() (names []string) {
	tab.t.Helper()
	tab.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		r, err := cdp.Call(ctx, t, storage.GetCookies, storage.GetCookiesParams{})
		if err == nil {
			for _, c := range r.Cookies {
				names = append(names, c.Domain+" "+c.Name)
			}
		}
		return err
	}))
	return names
}

// hosts are the pages of other sites that show a petition by what they may paste: what stands in their policy, their style, their body.
var hosts = map[string]struct{ policy, style, body string }{
	"/script": {"", `body{background:#102030;color:#f0f0f0} a{color:#ffd34d}`, `{script}<p>{dark}</p>`},
	"/light":  {"", `body{background:#fff8f0;color:#333} a{color:#8a2be2}`, `<div style="max-width:22rem">{script}</div>`},
	"/pale":   {"", `body{background:#eeeeee;color:#dddddd} a{color:#f5f5f5}`, `{script}`},
	"/frame":  {"", ``, `{frame}`},
	"/iframe": {"default-src 'none'; style-src 'unsafe-inline'; frame-src {site}; img-src {site} data:", `body{background:#fff}`, `{coloured}<p>{badge}</p>`},
	"/listed": {"default-src 'none'; style-src 'unsafe-inline'; script-src {site}; frame-src {site}; img-src data:", `body{background:#102030;color:#f0f0f0} a{color:#ffd34d}`, `{script}`},
}

// A petition on pages of another site: it sets nothing, follows the colours around it, and its button leads to the form.
func TestPetitionOnAnotherSite(t *testing.T) {
	t.Parallel()
	w := empty(t)
	p := w.petition(draft, models.PetitionPublished)
	w.sign(p.Slug, signer{"June", "Okafor", "june@example.org", "", "name", false})
	spread := w.Client(t).Get("/petitions/" + p.Slug + "/spread").Want(200)
	paste := func(id string) string { return strings.TrimSpace(spread.Doc.Find("#" + id).Text()) }
	fill := strings.NewReplacer("{site}", w.URL, "{script}", paste("script"), "{frame}", paste("frame"), "{badge}", paste("badge"), "{dark}", strings.Replace(paste("badge"), "badge.svg", "badge.svg?theme=dark", 1),
		"{coloured}", strings.Replace(paste("frame"), "/embed", "/embed?background=ffffff&amp;text=222222&amp;accent=1c5c4d", 1))
	outer := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		h, ok := hosts[r.URL.Path]
		if !ok {
			rw.WriteHeader(http.StatusNoContent) // its icon
			return
		}
		rw.Header().Set("Content-Type", "text/html; charset=utf-8")
		if h.policy != "" {
			rw.Header().Set("Content-Security-Policy", fill.Replace(h.policy))
		}
		_, _ = fmt.Fprintf(rw, `<!doctype html><html lang="en"><head><title>Another site</title><meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>%s</style></head><body><main><h1>Ours</h1>%s</main></body></html>`, h.style, fill.Replace(h.body))
	}))
	defer outer.Close()
	origin := strings.Replace(outer.URL, "127.0.0.1", "localhost", 1) // another site than ours, to a browser
	tab := New(t, origin)
	looks := map[string][3]string{ // background, text, button; "" for our own
		"/script": {"rgb(16, 32, 48)", "rgb(240, 240, 240)", "rgb(255, 211, 77)"}, "/light": {"rgb(255, 248, 240)", "rgb(51, 51, 51)", "rgb(138, 43, 226)"},
		"/pale": {"rgb(238, 238, 238)", "rgb(0, 0, 0)", ""}, "/frame": {}, "/iframe": {"rgb(255, 255, 255)", "rgb(34, 34, 34)", "rgb(28, 92, 77)"},
		"/listed": {"rgb(16, 32, 48)", "rgb(240, 240, 240)", "rgb(255, 211, 77)"},
	}
	for _, path := range slices.Sorted(maps.Keys(looks)) { // the last one opens another page
		colours := looks[path]
		tab.Look(Phone, "light")
		tab.Open(path)
		tab.Until(`document.querySelector('iframe')`)
		if wide := tab.sideways(); wide != "" {
			t.Errorf("%s has to be scrolled sideways: %s", path, wide)
		}
		frame := tab.Frame(w.URL)
		frame.Until(`document.readyState === 'complete' && document.querySelector('main h1')`)
		if got := frame.Text("main"); !strings.Contains(got, p.Title) || !strings.Contains(got, "1 person has signed") {
			t.Errorf("%s shows %q", path, got)
		}
		got := Eval[[3]string](frame, `[getComputedStyle(document.documentElement).backgroundColor, getComputedStyle(document.body).color, getComputedStyle(document.querySelector('.button.main')).backgroundColor]`)
		for i, want := range colours {
			if want != "" && got[i] != want {
				t.Errorf("%s has the colours %q, not %q", path, got, colours)
				break
			}
		}
		if wide := Eval[string](frame, `document.scrollingElement.scrollWidth > innerWidth ? document.scrollingElement.scrollWidth + ' of ' + innerWidth : ''`); wide != "" {
			t.Errorf("the frame of %s has to be scrolled sideways: %s", path, wide)
		}
		if high := Eval[string](frame, `document.scrollingElement.scrollHeight > innerHeight ? document.scrollingElement.scrollHeight + ' of ' + innerHeight : ''`); high != "" {
			t.Errorf("the frame of %s is too low: %s", path, high)
		}
		for _, v := range frame.Axe() {
			t.Errorf("in the frame of %s: %s", path, v)
		}
		// Nothing is stored: not by the page, not by any answer, not in the browser.
		if c := Eval[string](frame, `document.cookie + Object.keys(localStorage) + Object.keys(sessionStorage)`) + Eval[string](tab, `document.cookie`); c != "" {
			t.Errorf("%s keeps %q", path, c)
		}
		asked := append(Eval[[]string](frame, `[location.href, ...performance.getEntriesByType('resource').map(e => e.name)]`), Eval[[]string](tab, `performance.getEntriesByType('resource').map(e => e.name)`)...)
		if len(asked) < 3 {
			t.Errorf("%s asked only for %q", path, asked)
		}
		for _, a := range asked {
			if !strings.HasPrefix(a, w.URL+"/") && !strings.HasPrefix(a, origin+"/") {
				t.Errorf("%s asked a third site: %s", path, a)
				continue
			}
			res, err := http.Get(a)
			w.must(err)
			if err := res.Body.Close(); err != nil || res.StatusCode >= 400 || len(res.Header["Set-Cookie"]) > 0 {
				t.Errorf("%s: %d %v", a, res.StatusCode, res.Header)
			}
		}
		if all := tab.cookies(); len(all) > 0 {
			t.Errorf("%s left cookies: %q", path, all)
		}
		if *screens != "" {
			w.must(os.MkdirAll(*screens, 0o755))
			for _, size := range []Size{Phone, Desk} {
				for _, scheme := range []string{"light", "dark"} {
					w.must(os.WriteFile(filepath.Join(*screens, "embed"+strings.ReplaceAll(path, "/", "-")+"-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644))
				}
			}
		}
		frame.Clean()
		for _, fault := range tab.watch.take() {
			if !strings.HasPrefix(fault, "asked another site: "+w.URL+"/") { // two sites are what this is about
				t.Errorf("%s: %s", path, fault)
			}
		}
		if path != "/script" {
			continue
		}
		// The button opens the petition beside the page, where its form says where they came from.
		frame.do(chromedp.Focus(chromedp.CSS(".button.main")))
		frame.Keys("\r")
		var at string
		for end := time.Now().Add(patience); at == "" && time.Now().Before(end); {
			pages, err := chromedp.Targets(tab.ctx)
			w.must(err)
			for _, p := range pages {
				if p.Type == "page" && strings.HasPrefix(p.URL, w.URL+"/petitions/") {
					at = p.URL
				}
			}
		}
		if want := w.URL + "/petitions/" + p.Slug + "?source=embed"; at != want {
			t.Fatalf("the button leads to %q, not %q", at, want)
		}
	}
	if page := w.Client(t).Get("/petitions/" + p.Slug + "?source=embed").Want(200); page.Doc.Find(`form[action$="/sign"] [name=source]`).AttrOr("value", "") != "embed" {
		t.Error("the form does not say where they came from")
	}
}
