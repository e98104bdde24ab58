package web

import (
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
)

// Limiter counts per key in a window, in this process's memory. It is safe for concurrent use.
type Limiter struct {
	max   int
	per   time.Duration
	clock clock.Clock

	mu    sync.Mutex
	seen  map[string]window
	sweep time.Time
}

type window struct {
	ends time.Time
	n    int
}

// limiterKeys bounds what a limiter remembers; beyond it, it forgets the windows that ended, then all of them.
const limiterKeys = 100_000

// NewLimiter lets each key pass limit times in a window of per.
func (w *Web) NewLimiter(limit int, per time.Duration) *Limiter {
	return &Limiter{max: limit, per: per, clock: w.opt.Clock, seen: map[string]window{}}
}

// Take counts one try of key. It returns a TooMany fault, error.too_many, when the window is full.
func (l *Limiter) Take(key string) error {
	now := l.clock.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) >= limiterKeys || now.After(l.sweep) {
		for k, v := range l.seen {
			if !now.Before(v.ends) {
				delete(l.seen, k)
			}
		}
		if len(l.seen) >= limiterKeys {
			clear(l.seen)
		}
		l.sweep = now.Add(l.per)
	}
	v := l.seen[key]
	if !now.Before(v.ends) {
		v = window{ends: now.Add(l.per)}
	}
	if v.n >= l.max {
		return fault.New(fault.TooMany, "error.too_many", "RetryAfter", v.ends.Sub(now))
	}
	v.n++
	l.seen[key] = v
	return nil
}

// Limit is a handler that lets each client pass limit times in a window of per: app.Post("/admin/login",
// w.Limit(20, 15*time.Minute), h.login).
func (w *Web) Limit(limit int, per time.Duration) fiber.Handler {
	l := w.NewLimiter(limit, per)
	return func(c *fiber.Ctx) error {
		if err := l.Take(w.ClientNet(c).String()); err != nil {
			return err
		}
		return c.Next()
	}
}

// Holds counts what each key has open at once, such as streams, in this process's memory. It is safe for concurrent use.
type Holds struct {
	max int

	mu   sync.Mutex
	open map[string]int
}

// NewHolds lets each key have limit open at once.
func NewHolds(limit int) *Holds { return &Holds{max: limit, open: map[string]int{}} }

// Take opens one for key; call release once, when it ends. It returns a TooMany fault, error.too_many, when key has as many as it may.
func (h *Holds) Take(key string) (release func(), err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.open[key] >= h.max {
		return nil, fault.New(fault.TooMany, "error.too_many", "RetryAfter", time.Minute)
	}
	h.open[key]++
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.open[key]--; h.open[key] <= 0 {
			delete(h.open, key)
		}
	}, nil
}
