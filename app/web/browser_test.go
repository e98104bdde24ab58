package web

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/gofiber/fiber/v2"

	"kithline/app/views"
	"kithline/tests/skipped"
)

// browser starts the machine's Chromium, or skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("not in short runs: it starts a browser")
	}
	path := os.Getenv("KITHLINE_TEST_CHROMIUM")
	for _, n := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(n); err == nil && path == "" {
			path = p
		}
	}
	if path == "" {
		skipped.For(t, "Chromium", "KITHLINE_TEST_BROWSER", "not on this machine")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU,
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-sync", true),
		chromedp.Flag("disable-component-update", true), chromedp.UserDataDir(t.TempDir()))
	all, stop := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(stop)
	ctx, stop2 := chromedp.NewContext(all)
	t.Cleanup(stop2)
	ctx, stop3 := context.WithTimeout(ctx, 90*time.Second)
	t.Cleanup(stop3)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return ctx
}

// What is typed is kept: in the browser while the server cannot, on the server once it can, and no longer in the browser
// once the server says so.
func TestAutosave(t *testing.T) {
	ctx := browser(t)
	w, app := house(t, func(o *Options) { o.BaseURL = "http://127.0.0.1" })
	set, p := sample(t, w, "en")
	p.Errors = nil
	p.Form.Comment, p.Form.Email = "", ""
	w.views = set
	var mu sync.Mutex
	down := true
	came := make(chan url.Values, 20)
	app.Get("/draft", func(c *fiber.Ctx) error {
		q := *p
		q.Page = w.Page(c, "", "")
		q.Title = "Draft"
		return w.RenderStatus(c, 200, "public/sample/draft", &q)
	})
	app.Post("/save", func(c *fiber.Ctx) error {
		mu.Lock()
		defer mu.Unlock()
		if down {
			came <- nil
			return fiber.ErrServiceUnavailable
		}
		v, err := formValues(c)
		if err != nil {
			return err
		}
		came <- v
		return c.JSON(fiber.Map{"fields": fiber.Map{"version": "2"}, "address": "/draft?id=7"})
	})
	app.Get("/kept", func(c *fiber.Ctx) error { return w.Render(c, "public/sample/kept", p) })
	addDrafts(t, w)
	site := "http://" + listen(t, app)
	do := func(actions ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(ctx, actions...); err != nil {
			t.Fatal(err)
		}
	}
	js := func(expr string) string {
		t.Helper()
		s, err := chromedp.Run(ctx, chromedp.Evaluate[string](expr, chromedp.EvalAwaitPromise))
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	arrives := func() url.Values {
		t.Helper()
		select {
		case v := <-came:
			return v
		case <-time.After(20 * time.Second):
			t.Fatal("nothing was posted")
			return nil
		}
	}
	says := func(want string) {
		t.Helper()
		js(`new Promise(function (done) {
			(function look() {
				document.querySelector('[data-autosave-status]').textContent.indexOf("` + want + `") >= 0 ? done('') : setTimeout(look, 20);
			})();
		})`)
	}
	do(chromedp.Navigate(site+"/draft"), chromedp.SendKeys("#comment", "After visit six"))
	if arrives() != nil {
		t.Fatal("the server was down")
	}
	says("Not saved yet")
	// The page is lost; what was typed is not.
	do(chromedp.Navigate(site+"/display"), chromedp.Navigate(site+"/draft"))
	if got := js(`document.querySelector('#comment').value`); got != "After visit six" {
		t.Errorf("after coming back: %q", got)
	}
	mu.Lock()
	down = false
	mu.Unlock()
	var v url.Values
	for v == nil {
		v = arrives()
	}
	if v.Get("comment") != "After visit six" || v.Get("version") != "1" || v.Has("password") {
		t.Errorf("%v", v)
	}
	says("Saved ")
	if got := js(`document.querySelector('[name=version]').value + ' ' + location.pathname + location.search + ' ' + localStorage.length`); got != "2 /draft?id=7 0" {
		t.Errorf("after saving: %q", got)
	}
	// A form that the server does not keep stays in the browser until a page says otherwise.
	do(chromedp.SendKeys("#email", "june@example.org"), chromedp.SendKeys("#password", "secret"))
	if got := js(`localStorage.getItem('kithline:own') || ''`); !strings.Contains(got, "june@example.org") || strings.Contains(got, "secret") {
		t.Errorf("kept in the browser: %q", got)
	}
	do(chromedp.Navigate(site + "/kept"))
	if got := js(`localStorage.getItem('kithline:own') || 'nothing'`); got != "nothing" {
		t.Errorf("after the page that says it is kept: %q", got)
	}
}

// addDrafts gives the site the two pages of TestAutosave.
func addDrafts(t *testing.T, w *Web) {
	t.Helper()
	var err error
	w.views, err = views.With(pages(map[string]string{
		"public/sample/draft": `{{define "main"}}<h1>Draft</h1>
<form method="post" data-autosave="/save"><input type="hidden" name="version" value="1">
{{template "field" (field $ "comment" "base.effort" .Form.Comment "rows" 3)}}{{template "autosave" .}}</form>
<form method="post" data-keep="own">{{template "field" (field $ "email" "base.steps" "" "type" "email")}}
{{template "field" (field $ "password" "base.pages" "" "type" "password")}}</form>{{end}}`,
		"public/sample/kept": `{{define "main"}}<h1>Kept</h1><p data-kept="own">Done</p>{{template "autosave" .}}{{end}}`,
	}))
	if err != nil {
		t.Fatal(err)
	}
}
