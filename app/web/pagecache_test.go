package web

import (
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/andybalholm/brotli"
	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
)

// cached is a site with one cached page that shows a number, and what the test turns.
type cached struct {
	w      *Web
	app    *fiber.App
	clock  *clock.Fixed
	number atomic.Int64
	builds atomic.Int64
	fail   atomic.Pointer[error]
	began  chan struct{} // where not nil, a build says that it has read the number
	gate   chan struct{} // where not nil, a build waits for it
}

func newCached(t *testing.T) *cached {
	s := &cached{}
	s.w, s.app = house(t, nil)
	s.clock = s.w.opt.Clock.(*clock.Fixed)
	s.app.Get("/p/:slug", func(c *fiber.Ctx) error {
		slug := c.Params("slug")
		return s.w.Cached(c, "public/base/error", "home", func(_ context.Context, p Page) (any, error) {
			n := s.number.Load()
			s.builds.Add(1)
			if s.began != nil {
				s.began <- struct{}{}
			}
			if s.gate != nil {
				<-s.gate
			}
			if e := s.fail.Load(); e != nil {
				return nil, *e
			}
			if slug == "broken" {
				panic("a mistake of ours")
			}
			if slug == "none" {
				return nil, fault.New(fault.NotFound, "error.not_found")
			}
			p.Title = "A page"
			return &ErrorPage{Page: p, Text: fmt.Sprintf("%s has %d %s", slug, n, p.Query("after"))}, nil
		}, "after")
	})
	return s
}

func (s *cached) get(t *testing.T, path string, headers ...string) (status int, body, tag string) {
	t.Helper()
	resp, body := do(t, s.app, "GET", path, "", headers...)
	switch resp.Header.Get("Content-Encoding") {
	case "gzip":
		z, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(z)
		if err != nil {
			t.Fatal(err)
		}
		body = "gzip " + string(b)
	case "br":
		b, err := io.ReadAll(brotli.NewReader(strings.NewReader(body)))
		if err != nil {
			t.Fatal(err)
		}
		body = "br " + string(b)
	}
	return resp.StatusCode, body, resp.Header.Get("ETag")
}

// shows asks for the page until it shows the text; a refresh runs beside the requests.
func (s *cached) shows(t *testing.T, path, text string) {
	t.Helper()
	for range 10_000 {
		if _, body, _ := s.get(t, path); strings.Contains(body, text) {
			return
		}
	}
	t.Fatalf("%s never shows %q", path, text)
}

func TestCachedPage(t *testing.T) {
	s := newCached(t)
	s.number.Store(1)
	status, body, tag := s.get(t, "/p/a")
	if status != 200 || !strings.Contains(body, "a has 1") || tag == "" {
		t.Fatalf("%d %q %s", status, tag, body)
	}
	s.number.Store(2)
	if _, body, _ = s.get(t, "/p/a?utm_source=x"); !strings.Contains(body, "a has 1") || s.builds.Load() != 1 {
		t.Errorf("within a second: %d builds\n%s", s.builds.Load(), body)
	}
	if status, body, _ = s.get(t, "/p/a", "If-None-Match", `"x", W/`+tag); status != 304 || body != "" {
		t.Errorf("If-None-Match: %d %q", status, body)
	}
	for accept, want := range map[string]string{"gzip": "gzip <!doctype", "gzip, br": "br <!doctype", "identity": "<!doctype"} {
		if _, body, _ := s.get(t, "/p/a", "Accept-Encoding", accept); !strings.HasPrefix(body, want) {
			t.Errorf("%s: %.40q", accept, body)
		}
	}
	// Stale: the old page at once, the new one soon.
	s.clock.Add(2 * time.Second)
	if _, body, _ = s.get(t, "/p/a"); !strings.Contains(body, "a has 1") {
		t.Errorf("a stale page was not served:\n%s", body)
	}
	s.shows(t, "/p/a", "a has 2")
	if n := s.builds.Load(); n != 2 {
		t.Errorf("%d builds, want 2", n)
	}
	// Old: nobody was here for a while; the reader waits for the truth.
	s.number.Store(3)
	s.clock.Add(time.Minute)
	if _, body, _ = s.get(t, "/p/a"); !strings.Contains(body, "a has 3") {
		t.Errorf("an old page was served:\n%s", body)
	}
	// Nothing changed: the same tag and the same bytes.
	_, _, before := s.get(t, "/p/a")
	s.clock.Add(time.Minute)
	if _, _, after := s.get(t, "/p/a"); after != before || s.builds.Load() != 4 {
		t.Errorf("tag %s then %s, %d builds", before, after, s.builds.Load())
	}
}

func TestCachedPageByReader(t *testing.T) {
	s := newCached(t)
	for _, c := range []struct{ path, cookie, want string }{
		{"/p/a", "", `<html lang="en">`},
		{"/p/a", "theme=dark", `<html lang="en" data-theme="dark">`},
		{"/p/a", "theme=evil", `<html lang="en">`},
		{"/p/a?lang=es", "", `<html lang="es">`},
		{"/p/a", "lang=es; theme=light", `<html lang="es" data-theme="light">`},
		{"/p/a?after=x", "", "a has 0 x"},
		{"/p/b", "", "b has 0"},
		{"/p/a", "", "a has 0 <"},
	} {
		resp, body := do(t, s.app, "GET", c.path, "", "Cookie", c.cookie)
		if !strings.Contains(body, c.want) {
			t.Errorf("%s %s: no %q in\n%s", c.path, c.cookie, c.want, body)
		}
		if want := !strings.Contains(c.path, "lang="); strings.HasPrefix(resp.Header.Get("Cache-Control"), "public") != want {
			t.Errorf("%s: Cache-Control %q with cookies %v", c.path, resp.Header.Get("Cache-Control"), resp.Cookies())
		}
	}
	if n := s.builds.Load(); n != 6 {
		t.Errorf("%d builds, want 6", n)
	}
	// A signed-in reader gets the same page, without their name.
	if _, body := do(t, s.app, "GET", "/p/a", "", "Cookie", "__Host-kithline=owner"); strings.Contains(body, "Ilse") {
		t.Error("the page shows who reads it")
	}
	// A flash is shown to its reader and nobody else.
	var flash string
	s.app.Post("/set", func(c *fiber.Ctx) error { s.w.Flash(c, "good", "base.copied"); return nil })
	resp, _ := do(t, s.app, "POST", "/set", "")
	for _, k := range resp.Cookies() {
		flash = k.Value
	}
	resp, body := do(t, s.app, "GET", "/p/a", "", "Cookie", "flash="+flash)
	if !strings.Contains(body, "<p>Copied</p>") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("%q\n%s", resp.Header.Get("Cache-Control"), body)
	}
	if _, body, _ := s.get(t, "/p/a"); strings.Contains(body, "Copied") {
		t.Error("the flash is in the kept page")
	}
}

func TestDropShowsAChangeAtOnce(t *testing.T) {
	s := newCached(t)
	s.get(t, "/p/a")
	s.get(t, "/p/b")
	s.number.Store(7)
	s.w.Drop("/p/a")
	if _, body, _ := s.get(t, "/p/a"); !strings.Contains(body, "a has 7") {
		t.Errorf("after Drop:\n%s", body)
	}
	if _, body, _ := s.get(t, "/p/b"); !strings.Contains(body, "b has 0") {
		t.Errorf("another page was dropped too:\n%s", body)
	}
	// A page that was begun before the change and ends after it is not taken for a new one.
	s.gate, s.began = make(chan struct{}), make(chan struct{}, 10)
	s.number.Store(8)
	s.w.Drop("/p/a")
	done := make(chan struct{})
	go func() { defer close(done); s.get(t, "/p/a") }()
	<-s.began
	s.number.Store(9)
	s.w.Drop("/p/a")
	close(s.gate)
	<-done
	if _, body, _ := s.get(t, "/p/a"); !strings.Contains(body, "a has 9") {
		t.Errorf("a page from before the change is shown:\n%s", body)
	}
}

// Who took a name back does not see it again, whatever is down.
func TestDroppedPageIsNeverShownAgain(t *testing.T) {
	s := newCached(t)
	s.get(t, "/p/a")
	down := errors.New("database is away")
	s.fail.Store(&down)
	s.w.Drop("/p/a")
	if status, body, _ := s.get(t, "/p/a"); status != 500 || strings.Contains(body, "a has 0") {
		t.Errorf("a page that was dropped: %d\n%s", status, body)
	}
}

func TestCachedPageWhenSomethingIsDown(t *testing.T) {
	s := newCached(t)
	s.get(t, "/p/a")
	down := errors.New("database is away")
	s.fail.Store(&down)
	s.clock.Add(time.Minute)
	if status, body, _ := s.get(t, "/p/a"); status != 200 || !strings.Contains(body, "a has 0") {
		t.Errorf("the old page is not shown: %d", status)
	}
	if status, _, _ := s.get(t, "/p/b"); status != 500 {
		t.Errorf("a page that never was: %d", status)
	}
	s.clock.Add(tooOld)
	if status, _, _ := s.get(t, "/p/a"); status != 500 {
		t.Errorf("a page older than %s is shown: %d", tooOld, status)
	}
	s.fail.Store(nil)
	if status, _, _ := s.get(t, "/p/a"); status != 200 {
		t.Errorf("after it came back: %d", status)
	}
	// An answer is not trouble: a page that is gone is gone.
	gone := error(fault.New(fault.Gone, "error.link_expired"))
	s.fail.Store(&gone)
	s.clock.Add(time.Minute)
	if status, _, _ := s.get(t, "/p/a"); status != 410 {
		t.Errorf("a page that is gone: %d", status)
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	s := newCached(t)
	s.w.cache.limit = 5
	s.get(t, "/p/kept")
	for i := range 50 {
		s.get(t, fmt.Sprintf("/p/%d", i))
		s.get(t, "/p/kept")
		if status, _, _ := s.get(t, fmt.Sprintf("/p/none?after=%d", i)); status != 404 {
			t.Fatal(status)
		}
	}
	if n, m := len(s.w.cache.slots), len(s.w.cache.making); n != 5 || m != 0 {
		t.Errorf("%d pages kept and %d being made", n, m)
	}
	builds := s.builds.Load()
	s.get(t, "/p/kept")
	if s.builds.Load() != builds {
		t.Error("the page in use was forgotten")
	}
}

// A page that cannot be made, in whichever way, takes nobody's room.
func TestAPanicKeepsNoSlot(t *testing.T) {
	s := newCached(t)
	for _, path := range []string{"/p/broken?after=1", "/p/broken?after=2", "/p/none"} {
		if resp, _ := do(t, s.app, "GET", path, ""); resp.StatusCode != 500 && resp.StatusCode != 404 {
			t.Errorf("%s: %d", path, resp.StatusCode)
		}
	}
	if n, m := len(s.w.cache.slots), len(s.w.cache.making); n+m != 0 {
		t.Errorf("%d pages are kept, %d are being made", n, m)
	}
}

// Many readers at once: one build for all that wait, none of them gets an empty or a mixed page.
func TestCachedPageUnderLoad(t *testing.T) {
	s := newCached(t)
	s.gate = make(chan struct{}, 1000)
	for range 1000 {
		s.gate <- struct{}{}
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range 40 {
				slug := fmt.Sprintf("/p/%d", i%3)
				if status, body, _ := s.get(t, slug, "Accept-Encoding", "br"); status != 200 || !strings.Contains(body, slug[3:]+" has ") {
					t.Errorf("%s: %d %.80q", slug, status, body)
				}
				switch i % 10 {
				case 3:
					s.number.Add(1)
					s.clock.Add(1100 * time.Millisecond)
				case 7:
					s.w.Drop("/p/1")
				case 9:
					s.clock.Add(time.Minute)
				}
			}
		})
	}
	wg.Wait()
	if n := s.builds.Load(); n >= 320 {
		t.Errorf("%d builds for 320 requests", n)
	}
	if m := len(s.w.cache.making); m != 0 {
		t.Errorf("%d pages are still being made", m)
	}
}

func BenchmarkCachedPage(b *testing.B) {
	w, err := New(Options{BaseURL: "http://127.0.0.1", Secret: make([]byte, 32)})
	if err != nil {
		b.Fatal(err)
	}
	p := w.Blank(context.Background(), "en", "/")
	build := func(context.Context) (*rendered, error) {
		var s strings.Builder
		p.Title = "A page"
		return &rendered{plain: []byte(s.String())}, w.views.Execute(&s, "public/base/error", &ErrorPage{Page: p})
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := w.kept(context.Background(), "key", build); err != nil {
			b.Fatal(err)
		}
	}
}
