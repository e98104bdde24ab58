package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/static"
	"kithline/campaigns/fault"
)

// Ages of a kept page. Below fresh it is served as it is; below stale it is served while one goroutine makes a new one;
// older, the reader waits for the new one. If a new one cannot be made because something of ours is down, the old one is
// served until it is too old, unless it was dropped: who took a name back does not see it again. With what browsers keep
// (keepFor) nothing is shown for more than five seconds after it changed, also where nobody dropped it.
const (
	fresh  = time.Second
	stale  = 3 * time.Second
	tooOld = 5 * time.Minute
)

// keepFor is what browsers and caches on the way are told.
const keepFor = "public, max-age=1, stale-while-revalidate=1"

// Build makes the data of a page that is the same for every reader. p is ready but for its title (set p.Title); it knows
// no actor and no flash. It must not touch the request: it may run after it.
type Build func(ctx context.Context, p Page) (page any, err error)

// rendered is a page as it goes out.
type rendered struct {
	plain, gzip, brotli []byte
	tag                 string
	at                  time.Time // when its data was read
	drops               int64     // the slot's count of drops when it was begun
}

// slot is the place of one page, by path, query, language and theme.
type slot struct {
	mu    sync.Mutex // held by who makes the page
	page  atomic.Pointer[rendered]
	busy  atomic.Bool  // a refresh is on its way
	drops atomic.Int64 // so that a page begun before a drop is not taken for a new one
	used  atomic.Int64 // for choosing which to forget
}

type pageCache struct {
	limit  int
	mu     sync.RWMutex
	slots  map[string]*slot // pages there are
	making map[string]*slot // pages being made for the first time: unknown addresses take nobody's room
	tick   atomic.Int64
}

func newPageCache(limit int) *pageCache {
	return &pageCache{limit: limit, slots: map[string]*slot{}, making: map[string]*slot{}}
}

// take returns the slot of key, an empty one if there is none yet.
func (pc *pageCache) take(key string) *slot {
	pc.mu.RLock()
	s := pc.slots[key]
	pc.mu.RUnlock()
	if s == nil {
		pc.mu.Lock()
		if s = pc.slots[key]; s == nil {
			if s = pc.making[key]; s == nil {
				s = &slot{}
				pc.making[key] = s
			}
		}
		pc.mu.Unlock()
	}
	s.used.Store(pc.tick.Add(1))
	return s
}

// keep moves a slot that got its first page among the others; the one longest unused makes room.
func (pc *pageCache) keep(key string, s *slot) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.making[key] == s {
		delete(pc.making, key)
	}
	if pc.slots[key] == s {
		return
	}
	for len(pc.slots) >= pc.limit {
		oldest, at := "", int64(0)
		for k, o := range pc.slots {
			if u := o.used.Load(); oldest == "" || u < at {
				oldest, at = k, u
			}
		}
		delete(pc.slots, oldest)
	}
	pc.slots[key] = s
}

// forget removes a slot: its page is not there any more, or could not be made.
func (pc *pageCache) forget(key string, s *slot) {
	pc.mu.Lock()
	defer pc.mu.Unlock()
	if pc.slots[key] == s {
		delete(pc.slots, key)
	}
	if pc.making[key] == s {
		delete(pc.making, key)
	}
}

// Drop makes every kept page whose path begins with prefix be made anew before it is next shown: after a change that its
// author must see at once. Not for counts: those follow within a second or two by themselves.
func (w *Web) Drop(prefix string) {
	w.cache.mu.RLock()
	defer w.cache.mu.RUnlock()
	for _, slots := range []map[string]*slot{w.cache.slots, w.cache.making} {
		for k, s := range slots {
			if strings.HasPrefix(k, prefix) {
				s.drops.Add(1)
			}
		}
	}
}

// Cached answers a GET with a page that is the same for every reader with the same language and theme, rendered and
// compressed at most once a second. vary lists the query values that change the page; all others are ignored. A reader
// with a flash waiting gets a page of their own.
func (w *Web) Cached(c *fiber.Ctx, name, section string, build Build, vary ...string) error {
	p := w.page(c, section)
	query := url.Values{}
	for _, v := range vary {
		if s := p.query.Get(v); s != "" {
			query.Set(v, s)
		}
	}
	p.query = query
	if c.Cookies(flashCookie) != "" && c.Method() == fiber.MethodGet {
		p.Flash = w.takeFlash(c, p)
		data, err := build(c.UserContext(), p)
		if err != nil {
			return err
		}
		return w.Render(c, name, data)
	}
	key := strings.Join([]string{p.Path, query.Encode(), p.Lang, p.Theme, name}, "\x00")
	r, err := w.kept(c.UserContext(), key, func(ctx context.Context) (*rendered, error) {
		data, err := build(ctx, p)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := w.views.Execute(&b, name, data); err != nil {
			return nil, err
		}
		return &rendered{plain: []byte(b.String())}, nil
	})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderVary, "Accept-Encoding, Accept-Language, Cookie")
	return answerKept(c, r, fiber.MIMETextHTMLCharsetUTF8)
}

// CachedFrame is Cached for a page in a frame of another site: the reader's theme and cookies do not count. style is the address
// of a stylesheet of this site that comes last; "" for none. It is no part of what is kept, since anybody may ask for any. vary is
// as for KeptContent.
func (w *Web) CachedFrame(c *fiber.Ctx, name, style string, build Build, vary ...string) error {
	p := w.page(c, "")
	p.Theme, p.query = "", url.Values{}
	key := strings.Join(append([]string{p.Path, "", p.Lang, "", name}, vary...), "\x00")
	r, err := w.kept(c.UserContext(), key, func(ctx context.Context) (*rendered, error) {
		data, err := build(ctx, p)
		if err != nil {
			return nil, err
		}
		var b strings.Builder
		if err := w.views.Execute(&b, name, data); err != nil {
			return nil, err
		}
		return &rendered{plain: []byte(b.String())}, nil
	})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderVary, "Accept-Encoding, Accept-Language, Cookie")
	if style != "" {
		link := []byte(`<link rel="stylesheet" href="` + html.EscapeString(style) + `">` + "\n</head>")
		sum := sha256.Sum256([]byte(r.tag + style))
		tag := `"` + hex.EncodeToString(sum[:10]) + `"`
		r = &rendered{plain: bytes.Replace(r.plain, []byte("</head>"), link, 1), tag: tag}
	}
	return answerKept(c, r, fiber.MIMETextHTMLCharsetUTF8)
}

// KeptContent answers a GET with what is the same for every reader and no page: made, compressed and dropped as the pages of
// Cached are. vary lists what it depends on beside the path: at most a few hundred forms in all. build must not touch the
// request: it may run after it.
func (w *Web) KeptContent(c *fiber.Ctx, contentType string, build func(ctx context.Context) ([]byte, error), vary ...string) error {
	key := c.Path() + "\x00" + strings.Join(vary, "\x00") + "\x00" + contentType
	r, err := w.kept(c.UserContext(), key, func(ctx context.Context) (*rendered, error) {
		b, err := build(ctx)
		return &rendered{plain: b}, err
	})
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderVary, fiber.HeaderAcceptEncoding)
	return answerKept(c, r, contentType)
}

func answerKept(c *fiber.Ctx, r *rendered, contentType string) error {
	c.Set(fiber.HeaderETag, r.tag)
	c.Set(fiber.HeaderCacheControl, keepFor)
	if len(c.Response().Header.PeekCookie(langCookie)) > 0 {
		c.Set(fiber.HeaderCacheControl, "private, no-cache")
	}
	if matchesTag(c, r.tag) {
		return c.SendStatus(fiber.StatusNotModified)
	}
	c.Set(fiber.HeaderContentType, contentType)
	switch how := coding(c); {
	case how == "br" && r.brotli != nil:
		c.Set(fiber.HeaderContentEncoding, "br")
		c.Response().SetBodyRaw(r.brotli)
	case how == "gzip" && r.gzip != nil:
		c.Set(fiber.HeaderContentEncoding, "gzip")
		c.Response().SetBodyRaw(r.gzip)
	default:
		c.Response().SetBodyRaw(r.plain)
	}
	return nil
}

// kept returns the page of key, making it where it must.
func (w *Web) kept(ctx context.Context, key string, build func(context.Context) (*rendered, error)) (*rendered, error) {
	s := w.cache.take(key)
	r := s.page.Load()
	age := w.age(s, r)
	switch {
	case age < fresh:
		return r, nil
	case age < stale:
		if s.busy.CompareAndSwap(false, true) {
			go w.refresh(key, s, build)
		}
		return r, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.page.Load(); w.age(s, r) < fresh { // made while this reader waited
		return r, nil
	}
	n, err := w.make(ctx, key, s, build)
	if err != nil && r != nil && ours(err) && r.drops == s.drops.Load() && w.opt.Clock.Now().Sub(r.at) < tooOld {
		w.opt.Logger.Warn("an old page is shown: a new one could not be made", "request_id", RequestIDFrom(ctx), "error", err)
		return r, nil
	}
	return n, err
}

// refresh makes a page anew while the old one is shown.
func (w *Web) refresh(key string, s *slot, build func(context.Context) (*rendered, error)) {
	defer s.busy.Store(false)
	defer func() {
		if r := recover(); r != nil {
			w.opt.Logger.Error("a kept page could not be made anew", "error", fmt.Errorf("panic: %v", r))
		}
	}()
	ctx, cancel := context.WithTimeout(w.live, requestTimeout)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := w.make(ctx, key, s, build); err != nil {
		w.opt.Logger.Warn("a kept page could not be made anew", "error", err)
	}
}

// make builds, compresses and keeps a page. The caller holds s.mu. What was compressed before is used again when the page
// came out the same.
func (w *Web) make(ctx context.Context, key string, s *slot, build func(context.Context) (*rendered, error)) (*rendered, error) {
	drops, at := s.drops.Load(), w.opt.Clock.Now()
	built := false
	defer func() { // a page that panics takes nobody's room
		if !built {
			w.cache.forget(key, s)
		}
	}()
	n, err := build(ctx)
	built = true
	if err != nil {
		if s.page.Load() == nil || !ours(err) {
			w.cache.forget(key, s)
		}
		return nil, err
	}
	sum := sha256.Sum256(n.plain)
	n.tag = `"` + hex.EncodeToString(sum[:10]) + `"`
	if old := s.page.Load(); old != nil && old.tag == n.tag {
		n.plain, n.gzip, n.brotli = old.plain, old.gzip, old.brotli
	} else {
		n.gzip, n.brotli = static.Gzip(n.plain, 6), static.Brotli(n.plain, 5)
	}
	n.at, n.drops = at, drops
	s.page.Store(n)
	w.cache.keep(key, s)
	return n, nil
}

// age is how old a page is; one that is not there or was dropped is as old as tooOld.
func (w *Web) age(s *slot, r *rendered) time.Duration {
	if r == nil || r.drops != s.drops.Load() {
		return tooOld
	}
	return w.opt.Clock.Now().Sub(r.at)
}

// ours reports whether an error is the server's trouble, rather than an answer such as "not found".
func ours(err error) bool {
	k := fault.KindOf(err)
	return k == fault.Internal || k == fault.Unavailable
}

// matchesTag reports whether the reader already has this version (If-None-Match, RFC 9110, section 13.1.2).
func matchesTag(c *fiber.Ctx, tag string) bool {
	for t := range strings.SplitSeq(c.Get(fiber.HeaderIfNoneMatch), ",") {
		if t = strings.TrimPrefix(strings.TrimSpace(t), "W/"); t == tag || t == "*" {
			return true
		}
	}
	return false
}
