package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/valyala/fasthttp"
)

// warm is how long a round runs before its answers count.
const warm = 300 * time.Millisecond

// round is what one contender did in one round.
type round struct {
	good   int
	took   time.Duration
	times  []time.Duration // of good answers, sorted
	views  []time.Duration // those of them whose request had no name, sorted
	errors map[string]int
	kept   []string // what was acknowledged, also before the round counted
	all    int      // answers, also before the round counted
	cpu    processors
}

func (r round) rate() float64 { return float64(r.good) / r.took.Seconds() }

func (r round) at(share float64) time.Duration {
	if len(r.times) == 0 {
		return 0
	}
	return r.times[min(len(r.times)-1, int(share*float64(len(r.times))))]
}

// ask fills in the request of a connection's nth try and returns a name for it.
type ask func(conn, n int, req *fasthttp.Request) string

// drive asks a server over conns connections, one request after the other on each, for as long as d.
func drive(ctx context.Context, p *process, conns int, d time.Duration, next ask, good func(*fasthttp.Response) error) round {
	before := processorTime(p.cmd.Process.Pid)
	client := &fasthttp.HostClient{Addr: p.addr, MaxConns: conns, ReadTimeout: 20 * time.Second, WriteTimeout: 20 * time.Second, NoDefaultUserAgentHeader: true}
	defer client.CloseIdleConnections()
	begin := time.Now().Add(warm)
	end := begin.Add(d)
	all := make([]round, conns)
	var wg sync.WaitGroup
	for conn := range conns {
		wg.Go(func() {
			r := &all[conn]
			r.errors = map[string]int{}
			req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
			defer fasthttp.ReleaseRequest(req)
			defer fasthttp.ReleaseResponse(res)
			for n := 0; ctx.Err() == nil; n++ {
				req.Reset()
				name := next(conn, n, req)
				began := time.Now()
				if began.After(end) {
					return
				}
				err := client.Do(req, res)
				if err == nil {
					err = good(res)
				}
				now := time.Now()
				switch {
				case err != nil:
					r.errors[err.Error()]++
				case name != "":
					r.kept = append(r.kept, name)
				}
				r.all++
				if err == nil && now.After(begin) && now.Before(end) {
					r.times = append(r.times, now.Sub(began))
					if name == "" {
						r.views = append(r.views, now.Sub(began))
					}
				}
			}
		})
	}
	wg.Wait()
	sum := round{took: d, errors: map[string]int{}, cpu: processorTime(p.cmd.Process.Pid).since(before)}
	for _, r := range all {
		sum.all += r.all
		sum.times, sum.views = append(sum.times, r.times...), append(sum.views, r.views...)
		sum.kept = append(sum.kept, r.kept...)
		for k, n := range r.errors {
			sum.errors[k] += n
		}
	}
	sum.good = len(sum.times)
	slices.Sort(sum.times)
	slices.Sort(sum.views)
	return sum
}

// rounds is what one contender did in all.
type rounds []round

func (rs rounds) rate() float64 {
	v := make([]float64, len(rs))
	for i, r := range rs {
		v[i] = r.rate()
	}
	return median(v)
}

func (rs rounds) at(share float64) time.Duration {
	v := make([]time.Duration, len(rs))
	for i, r := range rs {
		v[i] = r.at(share)
	}
	return median(v)
}

func (rs rounds) kept() (all []string) {
	for _, r := range rs {
		all = append(all, r.kept...)
	}
	return all
}

// cpu is what an answer took of the machine, in words.
func (rs rounds) cpu() string {
	var sum processors
	n := 0
	for _, r := range rs {
		sum.load, sum.server, sum.database, n = sum.load+r.cpu.load, sum.server+r.cpu.server, sum.database+r.cpu.database, n+r.all
	}
	return sum.words(n)
}

// failures counts what went wrong; told names the first of it.
func (rs rounds) failures() (n int, told string) {
	seen := map[string]bool{}
	for _, r := range rs {
		for k, c := range r.errors {
			n += c
			seen[k] = true
		}
	}
	var names []string
	for k := range seen {
		names = append(names, k)
	}
	slices.Sort(names)
	return n, strings.Join(names[:min(len(names), 3)], "; ")
}

// line is the contender's line of the table.
func (rs rounds) line(what, beside string) line {
	n, told := rs.failures()
	if told != "" {
		told = "errors: " + told
	}
	beside = strings.Join(slices.DeleteFunc([]string{beside, rs.cpu(), told}, func(s string) bool { return s == "" }), "; ")
	return line{what: what, figure: perSecond(rs.rate()), p50: rs.at(0.5), p99: rs.at(0.99), errors: number(n), beside: beside}
}

// status wants an answer to have one status.
func status(want int) func(*fasthttp.Response) error {
	return func(res *fasthttp.Response) error {
		if got := res.StatusCode(); got != want {
			return fmt.Errorf("status %d", got)
		}
		return nil
	}
}
