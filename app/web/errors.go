package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
)

func asFault(err error) (*fault.Error, bool) {
	var e *fault.Error
	ok := errors.As(err, &e)
	return e, ok
}

var statuses = map[fault.Kind]int{
	fault.Internal: 500, fault.Invalid: 422, fault.NotFound: 404, fault.Forbidden: 403, fault.Unauthenticated: 401,
	fault.Conflict: 409, fault.Gone: 410, fault.TooMany: 429, fault.Unavailable: 503,
}

// answer is what an error becomes: a status and a locale key with its values.
type answer struct {
	status int
	key    string
	args   []any
	fields []fault.Field
	wait   time.Duration // Retry-After
}

func answerTo(err error) answer {
	var fe *fiber.Error
	e, ok := asFault(err)
	switch {
	case ok:
		a := answer{status: statuses[e.Kind], key: e.Key, args: e.Args, fields: e.Fields}
		if e.Kind == fault.Internal {
			a.key, a.args = "error.internal", nil
		}
		for i := 0; i+1 < len(e.Args); i += 2 {
			if d, ok := e.Args[i+1].(time.Duration); ok && e.Args[i] == "RetryAfter" {
				a.wait = d
			}
		}
		if a.wait == 0 && a.status == 503 {
			a.wait = 5 * time.Second
		}
		if a.wait == 0 && a.status == 429 {
			a.wait = time.Minute
		}
		return a
	case errors.As(err, &fe):
		switch fe.Code {
		case 404:
			return answer{status: 404, key: "error.not_found"}
		case 405:
			return answer{status: 405, key: "error.method"}
		case 408:
			return answer{status: 408, key: "error.too_slow"}
		case 413:
			return answer{status: 413, key: "error.too_large"}
		case 502: // how Fiber calls a connection that broke off
			return answer{status: 400, key: "error.form_unreadable"}
		case 503:
			return answer{status: 503, key: "error.unavailable", wait: 5 * time.Second}
		}
		if fe.Code >= 400 && fe.Code < 500 {
			return answer{status: fe.Code, key: "error.form_unreadable"}
		}
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return answer{status: 503, key: "error.unavailable", wait: 5 * time.Second}
	}
	return answer{status: 500, key: "error.internal"}
}

// ErrorPage is the page of an error.
type ErrorPage struct {
	Page
	Status int
	Text   string
	Next   []Link // what can be done now
	ID     string // shown with an error of ours only
}

// Fail answers an error: the one place that maps a kind to a status, a page or problem+json, and to the log. It is the
// app's ErrorHandler. Two values of a fault speak to it: "RetryAfter", a time.Duration, sets that header; "Next", a path,
// makes a button on the page, such as to where a new link can be asked for.
func (w *Web) Fail(c *fiber.Ctx, err error) error {
	if RequestID(c) == "" { // the server refused it before any handler: too large, too slow, no HTTP
		defer func(start time.Time) { w.access(c, start) }(time.Now())
		w.begin(c)
	}
	if w.opt.StoreDown != nil && w.opt.StoreDown(err) {
		err = fault.Because(err, fault.Unavailable, "error.store_down", "RetryAfter", 30*time.Second)
	}
	a := answerTo(err)
	if a.status >= 500 {
		level := slog.LevelError
		if a.status == 503 { // too much at once, or a part that is away: many of them, and no fault of the program
			level = slog.LevelWarn
		}
		w.opt.Logger.Log(c.UserContext(), level, "a request failed",
			"request_id", RequestID(c), "route", w.route(c), "status", a.status, "error", err)
	}
	// Nothing that the handler had begun to answer may stay.
	for _, h := range []string{
		fiber.HeaderContentType, fiber.HeaderContentEncoding, fiber.HeaderETag, fiber.HeaderContentDisposition,
	} {
		c.Response().Header.Del(h)
	}
	c.Response().ResetBody()
	c.Set(fiber.HeaderCacheControl, "no-store")
	if a.wait > 0 {
		c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int((a.wait+time.Second-1)/time.Second)))
	}
	if a.status == 401 && wantsJSON(c) {
		c.Set(fiber.HeaderWWWAuthenticate, "Bearer")
	}
	if c.Method() == fiber.MethodHead {
		c.Status(a.status)
		return nil
	}
	if wantsJSON(c) {
		return w.problem(c, a)
	}
	if a.status == 401 && c.Method() == fiber.MethodGet && !HTMX(c) {
		return c.Redirect(w.loginPath(c), fiber.StatusSeeOther)
	}
	return w.errorPage(c, a)
}

func (w *Web) loginPath(c *fiber.Ctx) string {
	if c.Method() != fiber.MethodGet || c.Path() == "/admin" {
		return "/admin/login"
	}
	return "/admin/login?next=" + url.QueryEscape(SafePath(c.OriginalURL()))
}

func wantsJSON(c *fiber.Ctx) bool {
	if strings.HasSuffix(c.Path(), ".json") || strings.HasPrefix(c.Path(), "/api/") {
		return true
	}
	if c.Get(fiber.HeaderAccept) == "" || HTMX(c) {
		return false
	}
	return c.Accepts(fiber.MIMETextHTML, fiber.MIMEApplicationJSON, "application/problem+json") != fiber.MIMETextHTML &&
		c.Accepts(fiber.MIMEApplicationJSON, "application/problem+json") != ""
}

// Problem is an error in JSON (RFC 9457).
type Problem struct {
	Type      string         `json:"type"`
	Title     string         `json:"title"`
	Status    int            `json:"status"`
	Detail    string         `json:"detail,omitempty"`
	RequestID string         `json:"request_id,omitempty"`
	Errors    []ProblemField `json:"errors,omitempty"`
}

// ProblemField is what is wrong with one field.
type ProblemField struct {
	Name   string `json:"name"`
	Detail string `json:"detail"`
}

func (w *Web) problem(c *fiber.Ctx, a answer) error {
	lang := w.Lang(c, w.opt.Site(c.UserContext()))
	p := Problem{
		Type: "about:blank", Title: http.StatusText(a.status), Status: a.status, Detail: w.Text(lang, a.key, a.args...),
		RequestID: RequestID(c),
	}
	for _, f := range a.fields {
		p.Errors = append(p.Errors, ProblemField{f.Name, w.Text(lang, f.Key, f.Args...)})
	}
	b, err := json.Marshal(p)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/problem+json")
	return c.Status(a.status).Send(b)
}

// nextWords is what the button says that an error's own "Next" leads to: for a link that is over, or else.
var nextWords = map[bool]string{true: "base.new_link", false: "base.go_on"}

// errorKinds are the statuses that have a heading of their own: base.error_404.
var errorKinds = map[int]bool{
	401: true, 403: true, 404: true, 409: true, 410: true, 413: true, 422: true, 429: true, 500: true, 503: true,
}

func (w *Web) errorPage(c *fiber.Ctx, a answer) error {
	p := ErrorPage{Page: w.Page(c, "", ""), Status: a.status}
	head := a.status
	if !errorKinds[head] {
		head = 422
	}
	if a.status >= 500 && a.status != 503 {
		head = 500
	}
	p.Title = p.T("base.error_" + strconv.Itoa(head))
	p.Text = p.T(a.key, a.args...)
	if a.status >= 500 {
		p.ID = p.RequestID
	}
	name := "public/base/error"
	if p.Actor.Kind == actor.User && strings.HasPrefix(p.Path, "/admin") {
		name = "admin/base/error"
		p.Next = append(p.Next, Link{URL: "/admin", Label: p.T("base.rail_today")})
	} else {
		p.Next = append(p.Next, Link{URL: "/", Label: p.T("base.nav_home")})
	}
	for i := 0; i+1 < len(a.args); i += 2 {
		if to, ok := a.args[i+1].(string); ok && a.args[i] == "Next" {
			p.Next = append([]Link{{URL: SafePath(to), Label: p.T(nextWords[a.status == 410])}}, p.Next...)
		}
	}
	if a.status == 401 {
		p.Next = append([]Link{{URL: w.loginPath(c), Label: p.T("base.sign_in")}}, p.Next...)
	}
	if err := w.RenderStatus(c, a.status, name, &p); err != nil {
		w.opt.Logger.Error("the error page failed", "request_id", p.RequestID, "error", err)
		c.Set(fiber.HeaderContentType, fiber.MIMETextPlainCharsetUTF8)
		return c.Status(a.status).SendString(p.Title + "\n" + p.Text)
	}
	return nil
}
