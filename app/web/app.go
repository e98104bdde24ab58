package web

import (
	"bufio"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/static"
)

// Limits of a request where nothing else is said.
const (
	bodyMax        = 1 << 20 // bytes
	readTimeout    = 15 * time.Second
	writeTimeout   = 60 * time.Second
	idleTimeout    = 60 * time.Second
	requestTimeout = 30 * time.Second // of a handler's UserContext
)

type bodyLimit struct {
	pattern string
	bytes   int
	time    time.Duration
	stream  bool
	cookie  string // who may: "" whoever has a session, else whoever holds this cookie
	holds   func(value string) bool
}

// AllowBody lets a route take a larger body than 1 MiB from whoever is signed in: w.AllowBody("/admin/imports", 50<<20). Call
// it before the server listens. The limit holds while the body is read: every other route, and everybody else, is refused with
// 413 before a handler runs, so that nobody fills the memory with what will not be taken.
func (w *Web) AllowBody(pattern string, bytes int) {
	w.bodies = append(w.bodies, bodyLimit{pattern: pattern, bytes: bytes, time: 5 * time.Minute})
}

// AllowBodyWith is AllowBody for whoever holds a cookie that SetCookie wrote, and that holds says is one of ours: it is asked
// before there is a request, so it asks no database.
func (w *Web) AllowBodyWith(pattern string, bytes int, cookie string, holds func(value string) bool) {
	w.bodies = append(w.bodies, bodyLimit{pattern: pattern, bytes: bytes, time: 5 * time.Minute, cookie: cookie, holds: holds})
}

// NewFiber makes the app with everything around the handlers: limits, request id, log, panics, headers, session, same-site
// check, errors; and mounts the pages of the house itself: /static, /theme.css, /display.
func NewFiber(w *Web) *fiber.App {
	app := fiber.New(fiber.Config{
		AppName: "Kithline", DisableStartupMessage: true, Immutable: true, ErrorHandler: w.Fail, BodyLimit: bodyMax,
		ReadTimeout: w.bodyTime, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout, ReadBufferSize: 16 << 10,
		// c.IP() and its kind are not used: see Client. With this and no proxy listed they tell the peer, not a claim.
		EnableTrustedProxyCheck: true,
		// A multipart body stays in memory, below its limit: nothing of a person lies in a temporary file.
		DisablePreParseMultipartForm: true,
		StrictRouting:                false, CaseSensitive: true,
	})
	w.guardBodies(app.Server())
	app.Use(w.around)
	app.Get(static.Prefix+"*", w.serveStatic)
	app.Get("/theme.css", w.themeCSS)
	app.Use(w.inside)
	app.Get("/display", w.displayPage)
	app.Post("/display", w.display)
	return app
}

type begunKey struct{}

// around is the outermost handler.
func (w *Web) around(c *fiber.Ctx) (err error) {
	start := time.Now()
	limit := requestTimeout
	if _, ok := c.Locals(streamKey{}).(*bodyStream); ok {
		limit = streamTimeout
	}
	ctx, cancel := context.WithTimeout(context.WithValue(w.live, requestIDKey{}, w.begin(c)), limit)
	defer cancel()
	c.SetUserContext(ctx)
	defer func() { w.access(c, start) }()
	c.Locals(begunKey{}, true)
	err = func() (err error) {
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("panic: %v\n%s", r, debug.Stack())
			}
		}()
		return c.Next()
	}()
	if err != nil {
		return w.Fail(c, err)
	}
	return nil
}

// begin names the request and sets the headers that every answer has.
func (w *Web) begin(c *fiber.Ctx) string {
	id := rand.Text()[:16]
	c.Locals(requestIDKey{}, id)
	c.Set("X-Request-Id", id)
	w.headers(c)
	return id
}

// access writes the request's line in the log: no address of the reader, no path, no query.
func (w *Web) access(c *fiber.Ctx, start time.Time) {
	took := time.Since(start)
	if w.opt.Observe != nil {
		w.opt.Observe(c.Method(), w.route(c), c.Response().StatusCode(), took)
	}
	level := slog.LevelInfo
	if strings.HasPrefix(c.Path(), static.Prefix) || c.Path() == "/healthz" || c.Path() == "/readyz" {
		level = slog.LevelDebug
	}
	w.opt.Logger.Log(c.UserContext(), level, "request", "request_id", RequestID(c), "method", c.Method(), "route", w.route(c),
		"status", c.Response().StatusCode(), "ms", took.Milliseconds())
}

// inside runs before every handler of a page.
func (w *Web) inside(c *fiber.Ctx) error {
	// Fiber and fasthttp unpack a compressed body without a limit. Browsers never send one.
	if e := c.Get(fiber.HeaderContentEncoding); e != "" && !strings.EqualFold(e, "identity") {
		return fiber.ErrUnsupportedMediaType
	}
	if err := w.sameSite(c); err != nil {
		return err
	}
	if err := w.authenticate(c); err != nil {
		return err
	}
	w.keepLang(c)
	return c.Next()
}

// route is the pattern of the route that answered, never the path: paths hold tokens.
func (w *Web) route(c *fiber.Ctx) string {
	if c.Locals(begunKey{}) == nil {
		return "(none)" // refused before a route was looked for; Fiber would tell the path
	}
	if r := c.Route(); r.Path != "" && (r.Path != "/" || c.Path() == "/") {
		return r.Path
	}
	return "(none)"
}

const csp = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; manifest-src 'self'; frame-ancestors 'none'; base-uri 'none'"

func (w *Web) headers(c *fiber.Ctx) {
	c.Set(fiber.HeaderContentSecurityPolicy, csp)
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderReferrerPolicy, "same-origin")
	if w.secretPath(c.Path()) {
		c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
		c.Set("X-Robots-Tag", "noindex, nofollow")
	}
	c.Set(fiber.HeaderPermissionsPolicy, "camera=(), microphone=(), geolocation=(), payment=(), usb=(), interest-cohort=()")
	c.Set("Cross-Origin-Opener-Policy", "same-origin")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	if w.secure() {
		c.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}
}

// Stream answers with a body that is written as it is made: exports, server-sent events. write gets a context that ends
// when the server stops, not with the handler; it must not touch c. Each chunk that is written gives the reader another
// minute, so a long answer does not run into the write timeout.
func (w *Web) Stream(c *fiber.Ctx, contentType string, write func(ctx context.Context, out *bufio.Writer) error) error {
	id, route, conn := RequestID(c), w.route(c), c.Context().Conn()
	ctx := context.WithValue(w.live, requestIDKey{}, id)
	c.Set(fiber.HeaderContentType, contentType)
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Accel-Buffering", "no")
	c.Context().SetBodyStreamWriter(func(out *bufio.Writer) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		defer func() {
			if r := recover(); r != nil {
				w.opt.Logger.Error("a stream failed", "request_id", id, "route", route,
					"error", fmt.Errorf("panic: %v\n%s", r, debug.Stack()))
				_ = conn.Close()
			}
		}()
		longer := bufio.NewWriterSize(flusher{out, func() { _ = conn.SetWriteDeadline(time.Now().Add(writeTimeout)) }}, 32<<10)
		err := write(ctx, longer)
		if err == nil {
			err = longer.Flush()
		}
		if err != nil {
			w.opt.Logger.Warn("a stream ended early", "request_id", id, "route", route, "error", err)
			_ = conn.Close() // a cut answer must not look whole
		}
	})
	return nil
}

type flusher struct {
	out    *bufio.Writer
	before func()
}

func (f flusher) Write(b []byte) (int, error) {
	f.before()
	n, err := f.out.Write(b)
	if err == nil {
		err = f.out.Flush()
	}
	return n, err
}
