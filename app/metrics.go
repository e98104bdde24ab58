package app

import (
	"bytes"
	"context"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// metrics is what /metrics tells: requests by route and status, mail by state, the way out, the program itself. No label
// holds a person, an address or a path.
type metrics struct {
	out      *deliveries.Service
	requests *histogram
}

func newMetrics(out *deliveries.Service) *metrics {
	return &metrics{out, newHistogram([]float64{.001, .005, .02, .1, .5, 2, 10}, "method", "route", "status")}
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.observe(took, method, route, strconv.Itoa(status))
}

// write tells everything, by name. The outbox is counted when it is asked, not before.
func (m *metrics) write(ctx context.Context, w *exposition) error {
	counts, err := m.out.Counts(ctx)
	if err != nil {
		return err
	}
	writeRuntime(w)
	w.family("kithline_deliveries", "gauge", "Mails in the outbox, by state.")
	for _, s := range models.DeliveryStates {
		w.sample(float64(counts[s]), "", "state", string(s))
	}
	down := 0.0
	if m.out.Health().Key != "" {
		down = 1
	}
	w.single("kithline_mail_down", "gauge", "1 while this node has no way to send mail.", down)
	w.histogram("kithline_request_seconds", "Requests answered, in seconds.", m.requests)
	writeProcess(w, "/proc")
	return nil
}

// mountMetrics puts /metrics in place: for whoever brings the token, or without one for this machine only.
func mountMetrics(r fiber.Router, a *App) {
	token := a.Config.Metrics.Token.Reveal()
	r.Get("/metrics", func(c *fiber.Ctx) error {
		given, _ := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
		switch {
		case token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1:
		case token == "" && a.web.Local(c):
		default:
			return fault.New(fault.NotFound, "error.not_found")
		}
		ctx, cancel := context.WithTimeout(c.UserContext(), 5*time.Second)
		defer cancel()
		var page bytes.Buffer
		if err := a.metrics.write(ctx, &exposition{w: &page}); err != nil {
			return err
		}
		c.Set(fiber.HeaderContentType, "text/plain; version=0.0.4; charset=utf-8")
		return c.Send(page.Bytes())
	})
}
