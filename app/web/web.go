// Package web is the house that every page lives in: what a request may bring, who acts, what a page knows, how an error is
// answered. A handler binds, calls one operation and answers:
//
//	func (h *Petitions) sign(c *fiber.Ctx) error {
//		p := signPage{Page: h.web.Page(c, "petition.sign", "home")}
//		err := web.Bind(c, &p.Form)
//		if err == nil {
//			err = h.petitions.Sign(c.UserContext(), h.web.Actor(c), p.Form.Input())
//		}
//		if p.Failed(err) { // the same form, with its values and what is wrong
//			return h.web.RenderStatus(c, 422, "public/petitions/sign", &p)
//		} else if err != nil {
//			return err // the error handler answers: see errors.go
//		}
//		h.web.Flash(c, "good", "petition.sent_again")
//		return web.SeeOther(c, "/petitions/"+p.Slug+"/thanks")
//	}
package web

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/locales"
	"kithline/app/views"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
)

// Options is what New needs. Only BaseURL and Secret have no default.
type Options struct {
	BaseURL        string         // how readers reach the site, such as "https://act.example.org"; decides cookies and links
	TrustedProxies []netip.Prefix // whose X-Forwarded-For counts

	// Site returns the organisation. The caller caches it; it is asked for on every page.
	Site func(ctx context.Context) Site
	// Authenticate says whose session cookie it is. An Unauthenticated fault means nobody's; any other error is answered.
	Authenticate func(ctx context.Context, cookie string) (a actor.Actor, name string, err error)
	// Waiting returns how many things wait, by section of the rail ("petitions": 3). May be nil.
	Waiting func(ctx context.Context, a actor.Actor) map[string]int

	// OneClick lists routes that take a POST from anywhere, such as RFC 8058's "/u/:token". Nothing else belongs here.
	OneClick []string
	// TokenPrefixes lists addresses below which a path holds a secret: never logged, never a referrer.
	TokenPrefixes []string

	// StoreDown reports whether an error means that nothing can be stored just now: the disk is full, the database is away.
	// May be nil.
	StoreDown func(err error) bool
	// Observe is told of every request that was answered: its method, the pattern of its route, the status. May be nil.
	Observe func(method, route string, status int, took time.Duration)

	Logger *slog.Logger
	Clock  clock.Clock
	Secret []byte // key of the flash cookie's mark; at least 32 bytes
}

// Site is the organisation as pages show it.
type Site struct {
	Name, ShortName string
	Phone           string
	CrisisLine      string
	Accent          string // "#1c5c4d"; empty for Kithline's own
	AccentVersion   string // changes when Accent does
	Languages       []string
	Zone            *time.Location // UTC where nil
	Demo            bool           // mails are captured, the outbox is open
}

// Web makes pages and answers. It is safe for concurrent use.
type Web struct {
	opt   Options
	base  *url.URL
	views *views.Set
	words *locales.Bundle
	cache *pageCache

	live    context.Context // ends when the server stops
	stop    context.CancelFunc
	drain   context.Context // ends before that, for answers that would go on
	drains  context.CancelFunc
	streams *Holds   // live pages, by person
	wishes  wishes   // languages that browsers ask for
	missed  sync.Map // locale keys that were asked for and do not exist: logged once

	bodies   []bodyLimit
	bodyTime time.Duration // how long the body of a request may take; a test takes less
}

// New parses the pages and the words. Its errors are mistakes of the program or of Options: they stop the start.
func New(o Options) (*Web, error) {
	base, err := url.Parse(o.BaseURL)
	if err != nil || (base.Scheme != "http" && base.Scheme != "https") || base.Host == "" || strings.Trim(base.Path, "/") != "" {
		return nil, fmt.Errorf("web: %q is not the address of a site, such as https://act.example.org", o.BaseURL)
	}
	if len(o.Secret) < 32 {
		return nil, errors.New("web: the secret is shorter than 32 bytes")
	}
	base.Path = ""
	w := &Web{opt: o, base: base}
	if w.opt.Logger == nil {
		w.opt.Logger = slog.Default()
	}
	if w.opt.Clock == nil {
		w.opt.Clock = clock.System
	}
	if w.opt.Site == nil {
		w.opt.Site = func(context.Context) Site { return Site{Name: "Kithline"} }
	}
	if w.opt.TokenPrefixes == nil {
		w.opt.TokenPrefixes = []string{
			"/confirm/", "/me/", "/cant/", "/places/", "/coming/", "/feeds/", "/u/", "/admin/setup/", "/admin/login/", "/admin/invitation/",
			"/by-hand/", "/meetings/", "/offers/", "/petitions/drafts/", "/petitions/draft/", "/drafts/", "/callbacks/ses/", "/callbacks/postmark/",
		}
	}
	if w.opt.OneClick == nil {
		w.opt.OneClick = []string{"/u/:token"}
	}
	if w.views, err = views.Parse(); err != nil {
		return nil, err
	}
	if w.words, err = locales.Load(); err != nil {
		return nil, err
	}
	w.cache, w.streams = newPageCache(300), NewHolds(liveMost)
	w.live, w.stop = context.WithCancel(context.Background())
	w.drain, w.drains = context.WithCancel(w.live)
	w.bodyTime = readTimeout
	return w, nil
}

// Drain ends answers that would go on by themselves, such as server-sent events. Call it when a graceful stop begins, which would
// wait for them.
func (w *Web) Drain() { w.drains() }

// Draining is closed once Drain or Stop was called.
func (w *Web) Draining() <-chan struct{} { return w.drain.Done() }

// Stop ends the context of every request that still runs. Call it when the time for a graceful stop is over.
func (w *Web) Stop() { w.stop() }

// URL returns a path as a full address, for mails, feeds and QR codes.
func (w *Web) URL(path string) string { return w.base.String() + path }

// secure reports whether readers reach the site over https.
func (w *Web) secure() bool { return w.base.Scheme == "https" }

// Render answers 200 with a page. page is a struct, or a pointer to one, that embeds Page. It is never cached by anybody:
// see Cached for pages that are the same for every reader.
func (w *Web) Render(c *fiber.Ctx, name string, page any) error {
	return w.RenderStatus(c, fiber.StatusOK, name, page)
}

// RenderStatus is Render with another status: 422 for a form with its errors.
func (w *Web) RenderStatus(c *fiber.Ctx, status int, name string, page any) error {
	return w.send(c, status, func(b *strings.Builder) error { return w.views.Execute(b, name, page) })
}

// RenderPart answers with one template that the page defines, without the layout: what htmx swaps in.
func (w *Web) RenderPart(c *fiber.Ctx, name, part string, page any) error {
	return w.send(c, fiber.StatusOK, func(b *strings.Builder) error { return w.views.Part(b, name, part, page) })
}

func (w *Web) send(c *fiber.Ctx, status int, execute func(*strings.Builder) error) error {
	var b strings.Builder
	if err := execute(&b); err != nil {
		return err
	}
	if len(c.Response().Header.Peek(fiber.HeaderCacheControl)) == 0 {
		c.Set(fiber.HeaderCacheControl, "no-store")
	}
	c.Set(fiber.HeaderContentType, fiber.MIMETextHTMLCharsetUTF8)
	return c.Status(status).SendString(b.String())
}

// SeeOther answers a POST that went well: 303 to a path of this site.
func SeeOther(c *fiber.Ctx, path string) error {
	return c.Redirect(SafePath(path), fiber.StatusSeeOther)
}

// HTMX reports whether htmx asks for a part of the page.
func HTMX(c *fiber.Ctx) bool { return c.Get("HX-Request") == "true" }

// SafePath returns path if it is an address on this site ("/admin?x=1"), else "/". Use it on every address that came with
// a request, such as next=.
func SafePath(path string) string {
	if !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t\x00") {
		return "/"
	}
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(u.Path, "//") {
		return "/"
	}
	return path
}
