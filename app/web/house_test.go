package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/static"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
)

func TestErrorsBecomeStatusesAndPages(t *testing.T) {
	var log bytes.Buffer
	_, app := house(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	app.Get("/fail/:kind", func(c *fiber.Ctx) error {
		switch c.Params("kind") {
		case "plain":
			return errors.New("secret cause")
		case "panic":
			panic("secret panic")
		case "deadline":
			return fmt.Errorf("asking: %w", context.DeadlineExceeded)
		case "over":
			return fault.New(fault.Gone, "error.link_expired", "Next", "/petitions/x#sign")
		case "wait":
			return fault.New(fault.TooMany, "error.too_many", "RetryAfter", 90*time.Second)
		}
		for k := fault.Internal; k <= fault.Unavailable; k++ {
			if k.String() == c.Params("kind") {
				keys := map[fault.Kind]string{
					fault.Gone: "error.link_expired", fault.Forbidden: "error.forbidden", fault.NotFound: "error.link_unknown",
					fault.Conflict: "error.check_fields", fault.Invalid: "error.check_fields", fault.TooMany: "error.too_many",
					fault.Unavailable: "error.unavailable", fault.Unauthenticated: "error.login_needed",
				}
				return fault.Because(errors.New("secret cause"), k, keys[k])
			}
		}
		return nil
	})
	app.Post("/fail/unauthenticated", func(*fiber.Ctx) error { return fault.New(fault.Unauthenticated, "error.login_needed") })
	for _, c := range []struct {
		method, path string
		status       int
		text, retry  string
	}{
		{"GET", "/fail/plain", 500, "Something went wrong on our side", ""},
		{"GET", "/fail/panic", 500, "Something went wrong on our side", ""},
		{"GET", "/fail/internal", 500, "Something went wrong on our side", ""},
		{"GET", "/fail/invalid", 422, "We could not read that", ""},
		{"GET", "/fail/not_found", 404, "We do not know this link.", ""},
		{"GET", "/nowhere", 404, "We cannot find this page", ""},
		{"GET", "/static/css/kithline.css", 404, "We cannot find this page", ""},
		{"GET", "/fail/forbidden", 403, "This is not open to you", ""},
		{"GET", "/fail/conflict", 409, "Someone was faster", ""},
		{"GET", "/fail/gone", 410, "Ask for a new one", ""},
		{"GET", "/fail/over", 410, `<a class="button main" href="/petitions/x#sign">Ask for a new link</a>`, ""},
		{"GET", "/fail/too_many", 429, "Too many tries", "60"},
		{"GET", "/fail/wait", 429, "Too many tries", "90"},
		{"GET", "/fail/unavailable", 503, "We need a moment", "5"},
		{"GET", "/fail/deadline", 503, "We need a moment", "5"},
		{"POST", "/fail/unauthenticated", 401, `href="/admin/login"`, ""},
		{"POST", "/fail/gone", 405, "cannot be used in that way", ""},
	} {
		resp, body := do(t, app, c.method, c.path, "")
		if resp.StatusCode != c.status || !strings.Contains(body, c.text) || resp.Header.Get("Retry-After") != c.retry {
			t.Errorf("%s %s: %d, Retry-After %q, want %d %q %q\n%s", c.method, c.path, resp.StatusCode, resp.Header.Get("Retry-After"), c.status, c.text, c.retry, body)
		}
		if strings.Contains(body, "secret") {
			t.Errorf("%s shows the cause", c.path)
		}
		if !strings.Contains(body, "<h1>") || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html") || resp.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s: %v", c.path, resp.Header)
		}
		id := resp.Header.Get("X-Request-Id")
		if shown := strings.Contains(body, id); id == "" || shown != (c.status == 500 || c.status == 503) {
			t.Errorf("%s: request id %q, shown: %v", c.path, id, shown)
		}
	}
	if n := strings.Count(log.String(), "secret cause"); n != 3 { // 500, 500, 503
		t.Errorf("the causes of ours were logged %d times, want 3:\n%s", n, log.String())
	}

	resp, _ := do(t, app, "GET", "/fail/unauthenticated?x=1&y=//z", "")
	if resp.StatusCode != 303 || resp.Header.Get("Location") != "/admin/login?next=%2Ffail%2Funauthenticated%3Fx%3D1%26y%3D%2F%2Fz" {
		t.Errorf("%d to %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	resp, body := do(t, app, "HEAD", "/fail/gone", "")
	if resp.StatusCode != 410 || body != "" {
		t.Errorf("HEAD: %d %q", resp.StatusCode, body)
	}
}

func TestErrorsInJSON(t *testing.T) {
	_, app := house(t, nil)
	wrong := func(*fiber.Ctx) error {
		var f fault.Fields
		f.Add("email", "error.text_too_long", "Max", "254", "Over", "3")
		return f.Err()
	}
	app.Get("/x.json", wrong)
	app.Get("/x", wrong)
	for _, c := range []struct{ path, accept, kind string }{
		{"/x.json", "", "application/problem+json"},
		{"/x", "application/json", "application/problem+json"},
		{"/x", "application/problem+json", "application/problem+json"},
		{"/x", "text/html,application/xhtml+xml,*/*;q=0.8", "text/html; charset=utf-8"},
		{"/x", "*/*", "text/html; charset=utf-8"},
		{"/api/v1/nothing", "", "application/problem+json"},
	} {
		resp, body := do(t, app, "GET", c.path, "", "Accept", c.accept)
		if got := resp.Header.Get("Content-Type"); got != c.kind {
			t.Errorf("%s Accept %q: %q", c.path, c.accept, got)
		}
		if !strings.Contains(c.kind, "problem") || c.path == "/api/v1/nothing" {
			continue
		}
		var p Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatal(err)
		}
		if p.Status != 422 || p.Detail != "Please check what is marked." || len(p.Errors) != 1 || p.Errors[0].Name != "email" ||
			p.Errors[0].Detail != "This is too long by 3. At most 254 characters fit." {
			t.Errorf("%+v", p)
		}
	}
}

func TestHeaders(t *testing.T) {
	_, app := house(t, nil)
	app.Get("/confirm/:token", func(c *fiber.Ctx) error { return c.SendString("x") })
	resp, _ := do(t, app, "GET", "/display", "")
	for name, want := range map[string]string{
		"Content-Security-Policy":      csp,
		"X-Content-Type-Options":       "nosniff",
		"Referrer-Policy":              "same-origin",
		"Cross-Origin-Opener-Policy":   "same-origin",
		"Cross-Origin-Resource-Policy": "same-origin",
		"X-Frame-Options":              "DENY",
		"Strict-Transport-Security":    "max-age=31536000",
		"Cache-Control":                "no-store",
		"Server":                       "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	for _, part := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(csp, "unsafe") || strings.Contains(csp, "data:") || strings.Contains(csp, "*") {
		t.Errorf("the policy is too wide: %s", csp)
	}
	resp, _ = do(t, app, "GET", "/confirm/abc", "")
	if got := resp.Header.Get("Referrer-Policy"); got != "no-referrer" {
		t.Errorf("a page with a token in its address: %q", got)
	}
	_, app = house(t, func(o *Options) { o.BaseURL = "http://127.0.0.1:8080" })
	resp, _ = do(t, app, "GET", "/display", "")
	if got := resp.Header.Get("Strict-Transport-Security"); got != "" {
		t.Errorf("over http: %q", got)
	}
}

// lockedBuffer is a log that a server's goroutine writes while the test reads.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}
func (l *lockedBuffer) String() string { l.mu.Lock(); defer l.mu.Unlock(); return l.b.String() }

func TestTheLogHoldsNoPathNoQueryNoAddress(t *testing.T) {
	var log lockedBuffer
	_, app := house(t, func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
	app.Get("/confirm/:token", func(c *fiber.Ctx) error { return c.SendString("x") })
	do(t, app, "GET", "/confirm/TOKEN1?email=june@example.org", "", "X-Forwarded-For", "203.0.113.9")
	do(t, app, "GET", "/unknown/TOKEN2", "")
	conn, err := net.Dial("tcp", listen(t, app))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := fmt.Fprintf(conn, "POST /confirm/TOKEN3 HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", bodyMax+1); err != nil {
		t.Fatal(err)
	}
	if _, err := http.ReadResponse(bufio.NewReader(conn), nil); err != nil { // refused before any handler
		t.Fatal(err)
	}
	s := log.String()
	for _, bad := range []string{"TOKEN", "june", "203.0.113.9", "0.0.0.0"} {
		if strings.Contains(s, bad) {
			t.Errorf("the log holds %q:\n%s", bad, s)
		}
	}
	for _, want := range []string{"method=GET route=/confirm/:token status=200", "route=(none) status=404", "method=POST route=(none) status=413"} {
		if !strings.Contains(s, want) {
			t.Errorf("the log lacks %q:\n%s", want, s)
		}
	}
}

// Every value of Sec-Fetch-Site with every kind of Origin.
func TestRequestsFromOtherSitesAreRefused(t *testing.T) {
	_, app := house(t, nil)
	answer := func(c *fiber.Ctx) error { return c.SendString("done") }
	for _, path := range []string{"/admin/x", "/u/:token", "/u/:token/more", "/confirm/:token"} {
		app.All(path, answer)
	}
	own, host := "https://act.example.org", "act.example.org"
	type row struct {
		site, origin string
		plain, token bool // allowed on an ordinary page, on a page with a token
	}
	rows := []row{
		{"", "", true, true}, // not a browser
		{"", own, true, true},
		{"", "http://act.example.org", true, true}, // a proxy took off the https
		{"", "https://act.example.org:444", false, false},
		{"", "https://evil.example", false, false},
		{"", "null", false, true},
		{"", "https://act.example.org.evil.example", false, false},
		{"", "garbage", false, false},
		{"same-origin", "", true, true},
		{"same-origin", own, true, true},
		{"same-origin", "null", true, true},
		{"none", "", true, true},
		{"none", "https://evil.example", true, true},
		{"same-site", "", false, false},
		{"same-site", "https://other.example.org", false, false},
		{"same-site", own, true, true},
		{"cross-site", "", false, false},
		{"cross-site", "null", false, false},
		{"cross-site", "https://evil.example", false, false},
		{"something-new", "https://evil.example", false, false},
	}
	for _, r := range rows {
		headers := []string{"Host", host}
		if r.site != "" {
			headers = append(headers, "Sec-Fetch-Site", r.site)
		}
		if r.origin != "" {
			headers = append(headers, "Origin", r.origin)
		}
		for _, method := range []string{"POST", "PUT", "PATCH", "DELETE"} {
			for path, allowed := range map[string]bool{
				"/admin/x": r.plain, "/confirm/abc": r.token, "/u/abc/more": r.token,
				"/u/abc": r.token || method == "POST",
			} {
				resp, body := do(t, app, method, path, "", headers...)
				if (resp.StatusCode == 200) != allowed {
					t.Errorf("%s %s from %q %q: %d", method, path, r.site, r.origin, resp.StatusCode)
				}
				if !allowed && (resp.StatusCode != 403 || !strings.Contains(body, "seems to come from another site")) {
					t.Errorf("%s %s: %d\n%s", method, path, resp.StatusCode, body)
				}
			}
		}
		if resp, _ := do(t, app, "GET", "/admin/x", "", headers...); resp.StatusCode != 200 {
			t.Errorf("GET from %q %q: %d", r.site, r.origin, resp.StatusCode)
		}
	}
}

func TestSessionCookies(t *testing.T) {
	start := func(w *Web) fiber.Handler {
		return func(c *fiber.Ctx) error {
			if err := w.StartSession(c, "token", testTime.Add(time.Hour)); err != nil {
				return err
			}
			return c.SendString("in")
		}
	}
	for _, c := range []struct{ base, host, name string }{
		{"https://act.example.org", "act.example.org", "__Host-kithline"},
		{"http://127.0.0.1:8080", "127.0.0.1:8080", "kithline"},
		{"http://localhost:8080", "localhost:8080", "kithline"},
		{"http://[::1]:8080", "[::1]:8080", "kithline"},
		{"http://127.0.0.1:8080", "192.168.1.5:8080", ""},
		{"http://act.example.org", "act.example.org", ""},
		{"http://act.example.org", "127.0.0.1", ""},
	} {
		w, app := house(t, func(o *Options) { o.BaseURL = c.base })
		app.Post("/in", start(w))
		resp, body := do(t, app, "POST", "/in", "", "Host", c.host)
		if c.name == "" {
			if resp.StatusCode != 403 || len(resp.Cookies()) > 0 || !strings.Contains(body, "plain http is not safe") {
				t.Errorf("%s by %s: %d %v", c.base, c.host, resp.StatusCode, resp.Cookies())
			}
			continue
		}
		if len(resp.Cookies()) != 1 {
			t.Fatalf("%s: %d %v", c.base, resp.StatusCode, resp.Cookies())
		}
		k := resp.Cookies()[0]
		secure := strings.HasPrefix(c.base, "https")
		if k.Name != c.name || k.Value != "token" || !k.HttpOnly || k.Secure != secure || k.SameSite != http.SameSiteLaxMode ||
			k.Path != "/" || k.Domain != "" {
			t.Errorf("%s: %+v", c.base, k)
		}
	}
}

func TestWhoActs(t *testing.T) {
	down := false
	w, app := house(t, func(o *Options) {
		inner := o.Authenticate
		o.Authenticate = func(ctx context.Context, cookie string) (actor.Actor, string, error) {
			if down {
				return actor.Actor{}, "", errors.New("database is away")
			}
			return inner(ctx, cookie)
		}
	})
	app.Group("/admin", w.Signed).Get("/who", func(c *fiber.Ctx) error {
		p := ErrorPage{Page: w.Page(c, "base.rail_today", "today"), Text: string(w.Actor(c).Role)}
		return w.Render(c, "admin/base/error", &p)
	})
	if resp, _ := do(t, app, "GET", "/admin/who", ""); resp.StatusCode != 303 {
		t.Errorf("nobody: %d", resp.StatusCode)
	}
	if resp, _ := do(t, app, "GET", "/admin/who", "", "Cookie", "__Host-kithline=old"); resp.StatusCode != 303 {
		t.Errorf("an old cookie: %d", resp.StatusCode)
	}
	resp, body := do(t, app, "GET", "/admin/who", "", "Cookie", "__Host-kithline=owner")
	if resp.StatusCode != 200 || !strings.Contains(body, "Ilse Halvorsen") || !strings.Contains(body, `<a href="/admin/settings">`) ||
		!strings.Contains(body, `action="/admin/logout"`) {
		t.Errorf("the owner: %d\n%s", resp.StatusCode, body)
	}
	down = true
	if resp, _ := do(t, app, "GET", "/admin/who", "", "Cookie", "__Host-kithline=owner"); resp.StatusCode != 500 {
		t.Errorf("without the database: %d", resp.StatusCode)
	}
}

func TestTheMenuFollowsRights(t *testing.T) {
	w, _ := house(t, nil)
	count := func(r actor.Role) string {
		p := w.Blank(context.Background(), "en", "/admin/petitions")
		p.Actor = actor.Actor{Kind: actor.User, Role: r}
		var out []string
		for _, g := range p.Menu(map[string]int{"petitions": 2}) {
			for _, l := range g.Links {
				s := l.Label
				if l.Waiting > 0 {
					s += fmt.Sprint(l.Waiting)
				}
				out = append(out, s+l.Current)
			}
		}
		return strings.Join(out, " ")
	}
	for role, want := range map[actor.Role]string{
		actor.Viewer:    "Today Petitions2page Letters Advocacy log Segments Districts Legislators Account",
		actor.Advocate:  "Today Petitions2page Letters Advocacy log Segments Districts Legislators Account",
		actor.Organizer: "Today Petitions2page Block and allow Letters Meetings Advocacy log Events Mailings Series Rosters Supporters Volunteers Segments Duplicates Forms Districts Legislators Import Export Who gets no mail Consents Custom fields Tags Account",
		actor.Owner: "Today Petitions2page Block and allow Letters Meetings Advocacy log Events Mailings Series Rosters Supporters Volunteers Segments Duplicates Forms Districts Legislators Import Export Who gets no mail Erased people How long names stay " +
			"Consents Custom fields Tags Settings Users Chapters Jobs Audit log Account",
	} {
		if got := count(role); got != want {
			t.Errorf("%s: %q, want %q", role, got, want)
		}
	}
}

func TestFlashIsShownOnceAndCannotBeForged(t *testing.T) {
	w, app := house(t, nil)
	app.Post("/set", func(c *fiber.Ctx) error {
		w.Flash(c, "good", "base.ago_minutes", "Count", 1234)
		return SeeOther(c, "/display")
	})
	resp, _ := do(t, app, "POST", "/set", "")
	value := ""
	for _, k := range resp.Cookies() {
		if k.Name == "flash" && k.HttpOnly && k.Secure {
			value = k.Value
		}
	}
	if resp.StatusCode != 303 || value == "" {
		t.Fatalf("%d %v", resp.StatusCode, resp.Cookies())
	}
	resp, body := do(t, app, "GET", "/display", "", "Cookie", "flash="+value)
	if !strings.Contains(body, `<div class="notice good" role="status"><p>1,234 minutes ago</p>`) {
		t.Errorf("not shown:\n%s", body)
	}
	if k := resp.Cookies(); len(k) != 1 || k[0].Value != "" || k[0].Expires.After(time.Now()) {
		t.Errorf("not cleared: %v", k)
	}
	for _, forged := range []string{"x" + value, value + "x", strings.ToUpper(value), "x", strings.SplitN(value, ".", 2)[0] + "."} {
		if _, body := do(t, app, "GET", "/display", "", "Cookie", "flash="+forged); strings.Contains(body, `role="status"`) {
			t.Errorf("shown: %q", forged)
		}
	}
	w.opt.Clock.(*clock.Fixed).Add(flashLife + time.Second)
	if _, body := do(t, app, "GET", "/display", "", "Cookie", "flash="+value); strings.Contains(body, `role="status"`) {
		t.Error("shown when it was old")
	}
}

func TestClientAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		trusted bool
		lines   []string
		want    string
	}{
		{false, []string{"203.0.113.9"}, "0.0.0.0/32"}, // nobody is trusted: the claim is nothing (the test's peer is 0.0.0.0)
		{true, nil, "0.0.0.0/32"},
		{true, []string{"203.0.113.9"}, "203.0.113.9/32"},
		{true, []string{"198.51.100.1, 203.0.113.9"}, "203.0.113.9/32"},
		{true, []string{"198.51.100.1, 203.0.113.9, 10.1.1.1"}, "203.0.113.9/32"},
		{true, []string{"198.51.100.1", "203.0.113.9", "10.1.1.1"}, "203.0.113.9/32"},
		{true, []string{"203.0.113.9, nonsense, 10.1.1.1"}, "10.1.1.1/32"},
		{true, []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		{true, []string{"[2001:db8:1:2:3:4:5:6]:443, fd00::1"}, "2001:db8:1:2::/64"},
		{true, []string{"::ffff:203.0.113.9"}, "203.0.113.9/32"},
	} {
		w, app := house(t, func(o *Options) {
			if c.trusted {
				o.TrustedProxies = proxies
			}
		})
		app.Get("/who", func(x *fiber.Ctx) error { return x.SendString(w.ClientNet(x).String()) })
		var headers []string
		for _, l := range c.lines {
			headers = append(headers, "X-Forwarded-For", l)
		}
		if _, got := do(t, app, "GET", "/who", "", headers...); got != c.want {
			t.Errorf("%v %v: %s, want %s", c.trusted, c.lines, got, c.want)
		}
	}
}

func TestLimits(t *testing.T) {
	w, app := house(t, func(o *Options) { o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")} })
	app.Post("/login", w.Limit(2, 15*time.Minute), func(c *fiber.Ctx) error { return c.SendString("ok") })
	try := func(from string) (int, string) {
		resp, _ := do(t, app, "POST", "/login", "", "X-Forwarded-For", from)
		return resp.StatusCode, resp.Header.Get("Retry-After")
	}
	for i, want := range []int{200, 200, 429, 429} {
		if got, _ := try("2001:db8::1"); got != want {
			t.Errorf("try %d: %d", i+1, got)
		}
	}
	if got, after := try("2001:db8::ffff"); got != 429 || after != "900" {
		t.Errorf("a neighbour in the same /64: %d, Retry-After %s", got, after)
	}
	if got, _ := try("2001:db8:1::1"); got != 200 {
		t.Errorf("another net: %d", got)
	}
	w.opt.Clock.(*clock.Fixed).Add(15 * time.Minute)
	if got, _ := try("2001:db8::1"); got != 200 {
		t.Errorf("after the window: %d", got)
	}
}

func TestALimiterForgets(t *testing.T) {
	w, _ := house(t, nil)
	l := w.NewLimiter(1, time.Minute)
	for i := range limiterKeys + 10 {
		if err := l.Take(fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(l.seen); n > limiterKeys {
		t.Errorf("it holds %d keys", n)
	}
	w.opt.Clock.(*clock.Fixed).Add(2 * time.Minute)
	if err := l.Take("x"); err != nil || len(l.seen) != 1 {
		t.Errorf("%v, %d keys", err, len(l.seen))
	}
}

func TestLanguage(t *testing.T) {
	for _, c := range []struct{ query, cookie, accept, only, want string }{
		{"", "", "", "", "en"},
		{"", "", "es-MX,es;q=0.9,en;q=0.8", "", "es"},
		{"", "", "de,es;q=0.5", "", "es"},
		{"", "", "de;q=x,,", "", "en"},
		{"", "es", "en", "", "es"},
		{"es", "en", "en", "", "es"},
		{"fr", "es", "en", "", "es"},
		{"es", "es", "es", "en", "en"}, // the organisation has one language
		{"", "", "en", "es", "es"},
	} {
		w, app := house(t, func(o *Options) {
			o.Site = func(context.Context) Site { return Site{Languages: strings.Fields(c.only)} }
		})
		app.Get("/l", func(x *fiber.Ctx) error { return x.SendString(w.Page(x, "", "").Lang) })
		resp, got := do(t, app, "GET", "/l?lang="+c.query, "", "Cookie", "lang="+c.cookie, "Accept-Language", c.accept)
		if got != c.want {
			t.Errorf("%+v: %s", c, got)
		}
		kept := ""
		for _, k := range resp.Cookies() {
			kept = k.Value
		}
		if want := c.query == "es" && c.cookie == "en"; (kept == "es") != want {
			t.Errorf("%+v: cookie %q", c, kept)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	_, app := house(t, nil)
	for _, name := range static.Names() {
		address, err := static.URL(name)
		if err != nil {
			t.Fatal(err)
		}
		a := static.Find(address)
		for _, enc := range []string{"", "gzip", "br, gzip", "gzip, br;q=0"} {
			resp, body := do(t, app, "GET", address, "", "Accept-Encoding", enc)
			want := map[string]string{"": "", "gzip": "gzip", "br, gzip": "br", "gzip, br;q=0": "gzip"}[enc]
			if resp.StatusCode != 200 || resp.Header.Get("Content-Encoding") != want || resp.Header.Get("Content-Type") != a.Type ||
				!strings.Contains(resp.Header.Get("Cache-Control"), "immutable") || resp.Header.Get("Vary") != "Accept-Encoding" {
				t.Errorf("%s by %q: %d %v", address, enc, resp.StatusCode, resp.Header)
			}
			if want == "gzip" {
				z, err := gzip.NewReader(strings.NewReader(body))
				if err != nil {
					t.Fatal(err)
				}
				plain, err := io.ReadAll(z)
				if err != nil || !bytes.Equal(plain, a.Plain) {
					t.Errorf("%s: %v", address, err)
				}
			}
		}
	}
	if _, err := static.URL("css/none.css"); err == nil {
		t.Error("a name that is not there has an address")
	}
}

// listen serves app on a socket, as the real server does: app.Test goes around parts of it.
func listen(t *testing.T, app *fiber.App) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- app.Listener(l) }()
	t.Cleanup(func() {
		if err := app.ShutdownWithTimeout(5 * time.Second); err != nil {
			t.Error(err)
		}
		<-done
	})
	return l.Addr().String()
}

func TestBodyLimits(t *testing.T) {
	var reached atomic.Int64
	w, app := house(t, nil)
	w.AllowBody("/admin/imports/:id", 3<<20)
	take := func(c *fiber.Ctx) error { reached.Add(1); return c.SendString(fmt.Sprint(len(c.Request().Body()))) }
	app.Post("/admin/imports/:id", take)
	w.AllowBodyWith("/drafts/:id", 2<<20, "starter", func(value string) bool { return value == "ours" })
	app.Post("/drafts/:id", take)
	app.Get("/hand", func(c *fiber.Ctx) error {
		w.SetCookie(c, "starter", c.Query("value"), time.Hour)
		return nil
	})
	app.Post("/other", take)
	addr := listen(t, app)
	post := func(path, session string, size int, expect bool) (status int, headers http.Header, body string) {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		extra := ""
		if expect {
			extra = "Expect: 100-continue\r\n"
		}
		go func() { // the server may close before it took everything
			_, _ = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: act.example.org\r\nCookie: __Host-kithline=%s\r\nContent-Length: %d\r\n%s\r\n", path, session, size, extra)
			_, _ = conn.Write(bytes.Repeat([]byte("x"), size))
		}()
		r := bufio.NewReader(conn)
		resp, err := http.ReadResponse(r, nil)
		for err == nil && resp.StatusCode == http.StatusContinue {
			resp, err = http.ReadResponse(r, nil)
		}
		if err != nil {
			t.Fatalf("%s with %d bytes: %v", path, size, err)
		}
		b, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, resp.Header, string(b)
	}
	for _, c := range []struct {
		path         string
		size, status int
		expect       bool
	}{
		{"/other", bodyMax, 200, false},
		{"/other", bodyMax + 1, 413, false},
		{"/other", bodyMax + 1, 413, true},
		{"/other?/admin/imports/1", 2 << 20, 413, false},
		{"/admin/imports/1", 3 << 20, 200, false},
		{"/admin/imports/1?x=1", 3 << 20, 200, true},
		{"/admin/imports/1", 3<<20 + 1, 413, false},
		{"/admin/imports/1/x", 2 << 20, 413, false},
	} {
		before := reached.Load()
		status, h, body := post(c.path, "owner", c.size, c.expect)
		if status != c.status || (status == 200) != (reached.Load() > before) {
			t.Errorf("%s with %d bytes: %d, handler called: %v", c.path, c.size, status, reached.Load() > before)
		}
		if status == 413 && (h.Get("Content-Security-Policy") != csp || !strings.Contains(body, "That is too much at once")) {
			t.Errorf("%s: %v\n%s", c.path, h, body)
		}
	}
	for _, session := range []string{"", "old"} { // who is nobody fills no memory
		if status, _, _ := post("/admin/imports/1", session, bodyMax+1, false); status != 413 {
			t.Errorf("a large body with the session %q: %d", session, status)
		}
		if status, _, _ := post("/admin/imports/1", session, bodyMax, false); status != 200 {
			t.Errorf("a small body with the session %q: %d", session, status)
		}
	}
	// A cookie of ours that says what it must lets more in, on its route; one that says other things, or has another name, does not.
	given := func(value string) string {
		resp, _ := do(t, app, "GET", "/hand?value="+value, "")
		for _, c := range resp.Cookies() {
			return c.Name + "=" + c.Value
		}
		t.Fatal("no cookie")
		return ""
	}
	ours := given("ours")
	for _, c := range []struct {
		name, path, cookie string
		size, status       int
	}{
		{"ours", "/drafts/1", ours, 2 << 20, 200},
		{"ours, too much", "/drafts/1", ours, 2<<20 + 1, 413},
		{"ours, on another route", "/admin/imports/1", ours, bodyMax + 1, 413},
		{"of ours, and says other things", "/drafts/1", given("theirs"), bodyMax + 1, 413},
		{"set by a neighbor of the site", "/drafts/1", "starter=ours", bodyMax + 1, 413},
		{"none", "/drafts/1", "x=y", bodyMax + 1, 413},
		{"none, and little", "/drafts/1", "x=y", bodyMax, 200},
	} {
		if status, _, _ := post(c.path, "; "+c.cookie, c.size, false); status != c.status {
			t.Errorf("a cookie %s: %d, not %d", c.name, status, c.status)
		}
	}
	resp, _ := do(t, app, "POST", "/other", "x", "Content-Encoding", "gzip")
	if resp.StatusCode != 415 {
		t.Errorf("a compressed body: %d", resp.StatusCode)
	}
}

// What is for this machine alone is not for the visitors of a proxy that nobody listed, nor for a page elsewhere whose name
// leads here.
func TestLocalIsThisMachineForCertain(t *testing.T) {
	proxy := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	for _, c := range []struct {
		base    string
		proxies []netip.Prefix
		headers []string
		local   bool
	}{
		{"http://127.0.0.1:8080", nil, []string{"Host", "127.0.0.1:8080"}, true},
		{"http://127.0.0.1:8080", nil, []string{"Host", "localhost"}, true},
		{"http://127.0.0.1:8080", nil, []string{"Host", "rebound.example"}, false},
		{"https://act.example.org", nil, []string{"Host", "127.0.0.1:8080"}, false}, // who knows which proxy asks
		{"https://act.example.org", nil, []string{"Host", "127.0.0.1:8080", "X-Forwarded-For", "127.0.0.1"}, false},
		{"https://act.example.org", proxy, []string{"Host", "127.0.0.1:8080"}, true},
		{"https://act.example.org", proxy, []string{"Host", "act.example.org"}, false},
		{"https://act.example.org", proxy, []string{"Host", "127.0.0.1:8080", "X-Forwarded-For", "203.0.113.9"}, false},
		{"https://act.example.org", proxy, []string{"Host", "127.0.0.1:8080", "X-Forwarded-For", "127.0.0.1, 203.0.113.9"}, false},
	} {
		w, app := house(t, func(o *Options) { o.BaseURL, o.TrustedProxies = c.base, c.proxies })
		app.Get("/local", func(x *fiber.Ctx) error { return x.SendString(fmt.Sprint(w.Local(x))) })
		req, err := http.NewRequest(http.MethodGet, "http://"+listen(t, app)+"/local", nil)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(c.headers); i += 2 {
			if c.headers[i] == "Host" {
				req.Host = c.headers[i+1]
				continue
			}
			req.Header.Add(c.headers[i], c.headers[i+1])
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		b, _ := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if string(b) != fmt.Sprint(c.local) {
			t.Errorf("%s, %v, proxies %v: local is %s", c.base, c.headers, c.proxies, b)
		}
	}
}

func TestStreamsOutliveTheirHandlerAndEndWithTheServer(t *testing.T) {
	w, app := house(t, nil)
	ended := make(chan error, 1)
	app.Get("/rows", func(c *fiber.Ctx) error {
		return w.Stream(c, "text/csv", func(_ context.Context, out *bufio.Writer) error {
			for i := range 100_000 {
				if _, err := fmt.Fprintf(out, "%d,row\r\n", i); err != nil {
					return err
				}
			}
			return nil
		})
	})
	app.Get("/live", func(c *fiber.Ctx) error {
		return w.Stream(c, "text/event-stream", func(ctx context.Context, out *bufio.Writer) error {
			_, _ = out.WriteString("data: 1\n\n")
			if err := out.Flush(); err != nil {
				return err
			}
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		})
	})
	app.Get("/broken", func(c *fiber.Ctx) error {
		return w.Stream(c, "text/csv", func(_ context.Context, out *bufio.Writer) error {
			_, _ = out.WriteString("one row\r\n")
			_ = out.Flush()
			panic("half way")
		})
	})
	addr := listen(t, app)
	resp, err := http.Get("http://" + addr + "/rows")
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(resp.Body)
	_ = resp.Body.Close()
	if err != nil || bytes.Count(b, []byte("\n")) != 100_000 {
		t.Errorf("%d rows, %v", bytes.Count(b, []byte("\n")), err)
	}
	if resp, err = http.Get("http://" + addr + "/broken"); err == nil { // it may break off before its first byte
		if b, err = io.ReadAll(resp.Body); err == nil {
			t.Errorf("a broken answer looks whole: %q", b)
		}
		_ = resp.Body.Close()
	}
	resp, err = http.Get("http://" + addr + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	line, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || line != "data: 1\n" {
		t.Fatalf("%q %v", line, err)
	}
	w.Stop()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the stream did not end with the server")
	}
}

func TestSafePath(t *testing.T) {
	for in, want := range map[string]string{
		"/admin?x=1": "/admin?x=1", "/": "/", "": "/", "//evil.example": "/", "https://evil.example": "/", "/\\evil.example": "/",
		"/\t/evil.example": "/", "admin": "/", "/a\r\nSet-Cookie: x": "/", "javascript:alert(1)": "/", "/a//b": "/a//b",
		"/%2f/evil.example": "/",
	} {
		if got := SafePath(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestOptionsAreChecked(t *testing.T) {
	for _, o := range []Options{
		{BaseURL: "act.example.org", Secret: make([]byte, 32)},
		{BaseURL: "ftp://x", Secret: make([]byte, 32)},
		{BaseURL: "https://x/path", Secret: make([]byte, 32)},
		{BaseURL: "https://x", Secret: make([]byte, 31)},
	} {
		if _, err := New(o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}

func TestAHandlersContextEnds(t *testing.T) {
	w, app := house(t, nil)
	var after context.Context
	app.Get("/wait", func(c *fiber.Ctx) error {
		after = c.UserContext()
		if d, ok := after.Deadline(); !ok || time.Until(d) > requestTimeout {
			t.Errorf("deadline %v %v", d, ok)
		}
		if RequestIDFrom(after) != RequestID(c) || actor.From(after).RequestID != RequestID(c) {
			t.Error("the context does not know its request")
		}
		w.Stop() // the server's time is over
		<-after.Done()
		return after.Err()
	})
	resp, _ := do(t, app, "GET", "/wait", "")
	if resp.StatusCode != 503 || after.Err() == nil {
		t.Errorf("%d %v", resp.StatusCode, after.Err())
	}
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		if _, err := New(Options{BaseURL: "http://127.0.0.1", Secret: make([]byte, 32)}); err != nil {
			b.Fatal(err)
		}
	}
}
