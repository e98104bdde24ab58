package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"slices"
	"sync"
	"time"
)

// busyGC is how much garbage a busy server may make for each byte that it keeps, in percent: the collector then takes less of what a
// signature or a mail costs than at Go's own 100, for some memory more. One at rest keeps to 100.
const busyGC = 200

// busy makes the collector run less often, unless GOGC says how often it is to run.
func busy() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(busyGC)
	}
}

// What this process should take at most, in bytes as Go counts them, while what it keeps leaves room for that; and how much of it there is
// for each byte that it keeps, where it keeps more. The names that organizers search by grow with the people, and must not be paid for two
// or three times.
const (
	roomy     = 92 << 20
	roomyEach = 1.3
)

// frugal has the collector run more often where memory would grow past what it should take, until ctx ends, unless GOMEMLIMIT says how much
// that is.
func frugal(ctx context.Context) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	look := time.NewTicker(time.Second)
	defer look.Stop()
	// What is kept of the heap, then what is no heap and cannot be collected: else a server with many connections would do nothing else.
	of := []runtimemetrics.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/heap/stacks:bytes"},
		{Name: "/memory/classes/metadata/mcache/inuse:bytes"},
		{Name: "/memory/classes/metadata/mspan/inuse:bytes"},
		{Name: "/memory/classes/metadata/other:bytes"},
		{Name: "/memory/classes/os-stacks:bytes"},
		{Name: "/memory/classes/other:bytes"},
	}
	for {
		runtimemetrics.Read(of)
		limit := int64(roomyEach * float64(of[0].Value.Uint64()))
		for _, o := range of[1:] {
			limit += int64(o.Value.Uint64()) //nolint:gosec // bytes of memory
		}
		debug.SetMemoryLimit(max(roomy, limit))
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
	}
}

// Run serves on l until ctx ends or something essential fails, then stops everything that it started: requests under way
// are answered, jobs end or are left for later, mail on the wire is finished. ready is called once requests are accepted;
// it may be nil. Run closes l, not the App.
func (a *App) Run(ctx context.Context, l net.Listener, ready func()) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	errs := make(chan error, 4)
	fail := func(what string, err error) {
		if err != nil {
			errs <- fmt.Errorf("%s: %w", what, err)
		}
		stop()
	}
	if err := a.Jobs.Start(context.WithoutCancel(ctx)); err != nil {
		return errors.Join(fmt.Errorf("jobs: %w", err), l.Close())
	}
	mail, stopMail := context.WithCancel(context.WithoutCancel(ctx))
	defer stopMail()
	wg.Go(func() { frugal(ctx) })
	wg.Go(func() { fail("mail", a.Deliveries.Run(mail)) })
	wg.Go(func() {
		a.Supporters.Run(ctx, func(err error) { a.Log.Error("names cannot be read for searching", "error", err) })
	})
	wg.Go(func() { fail("keys", a.Keys.Run(ctx)) })
	wg.Go(func() {
		a.DB.Follow(ctx, func(err error) {
			a.Log.Warn("other nodes are not heard; pages follow by themselves in a few seconds", "error", err)
		})
	})
	wg.Go(func() { fail("server", a.fiber.Listener(l)) })
	if ready != nil {
		go ready()
	}
	debug.FreeOSMemory() // what building took, and making a sample world
	a.Log.Info("started", "listen", l.Addr().String(), "site", a.Config.Web.BaseURL, "version", build().Version)

	<-ctx.Done()
	began := time.Now()
	limit, cancel := context.WithTimeout(context.Background(), a.Config.ShutdownTimeout())
	defer cancel()
	a.web.Drain()
	err := a.fiber.ShutdownWithContext(limit)
	_ = l.Close() // mostly closed by that, but not where the end came before the server had begun: it would then wait for ever
	a.web.Stop()
	err = errors.Join(err, a.Jobs.Stop(limit))
	stopMail()
	wg.Wait()
	close(errs)
	for e := range errs {
		err = errors.Join(err, e)
	}
	a.Log.Info("stopped", "took", time.Since(began).Round(time.Millisecond))
	return err
}

// Route is a method and the pattern of a path, such as /petitions/:slug.
type Route struct{ Method, Path string }

// Routes lists what the program answers, each once: for the test that tries them all. HEAD is left out, since it answers like
// GET.
func (a *App) Routes() []Route {
	var out []Route
	for _, r := range a.fiber.GetRoutes(true) {
		if one := (Route{r.Method, r.Path}); r.Method != http.MethodHead && !slices.Contains(out, one) {
			out = append(out, one)
		}
	}
	return out
}
