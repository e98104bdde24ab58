package app

import (
	"context"
	"crypto/subtle"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// metrics is what /metrics tells: requests by route and status, mail by state, the way out, the program itself. No label
// holds a person, an address or a path.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.HistogramVec
}

func newMetrics(out *deliveries.Service) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kithline_request_seconds", Help: "Requests answered, in seconds.", Buckets: []float64{.001, .005, .02, .1, .5, 2, 10},
		}, []string{"method", "route", "status"}),
	}
	m.registry.MustRegister(m.requests, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), &mailCollector{
		out:   out,
		count: prometheus.NewDesc("kithline_deliveries", "Mails in the outbox, by state.", []string{"state"}, nil),
		down:  prometheus.NewDesc("kithline_mail_down", "1 while this node has no way to send mail.", nil, nil),
	})
	return m
}

func (m *metrics) observe(method, route string, status int, took time.Duration) {
	m.requests.WithLabelValues(method, route, strconv.Itoa(status)).Observe(took.Seconds())
}

// mailCollector counts the outbox when it is asked, not before.
type mailCollector struct {
	out         *deliveries.Service
	count, down *prometheus.Desc
}

// Describe is part of prometheus.Collector.
func (c *mailCollector) Describe(ch chan<- *prometheus.Desc) { ch <- c.count; ch <- c.down }

// Collect is part of prometheus.Collector.
func (c *mailCollector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	counts, err := c.out.Counts(ctx)
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.count, err)
		return
	}
	for _, s := range models.DeliveryStates {
		ch <- prometheus.MustNewConstMetric(c.count, prometheus.GaugeValue, float64(counts[s]), string(s))
	}
	down := 0.0
	if c.out.Health().Key != "" {
		down = 1
	}
	ch <- prometheus.MustNewConstMetric(c.down, prometheus.GaugeValue, down)
}

// mountMetrics puts /metrics in place: for whoever brings the token, or without one for this machine only.
func mountMetrics(r fiber.Router, a *App) {
	h := adaptor.HTTPHandler(promhttp.HandlerFor(a.metrics.registry, promhttp.HandlerOpts{}))
	token := a.Config.Metrics.Token.Reveal()
	r.Get("/metrics", func(c *fiber.Ctx) error {
		given, _ := strings.CutPrefix(c.Get(fiber.HeaderAuthorization), "Bearer ")
		switch {
		case token != "" && subtle.ConstantTimeCompare([]byte(given), []byte(token)) == 1:
		case token == "" && a.web.Local(c):
		default:
			return fault.New(fault.NotFound, "error.not_found")
		}
		return h(c)
	})
}
