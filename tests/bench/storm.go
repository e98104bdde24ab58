package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// The promises about crowds: how long a view takes at most while one in ten signs, all but one in a hundred of them; and how soon after
// a flood signing is as fast as before.
const (
	stormSlowest = 250 * time.Millisecond
	floodConns   = 5120 // more than wait in the queue at once, and five times what a busy site has
	floodOver    = 10 * time.Second
	floodShare   = 0.8 // of the rate before: this is normal
)

// storm measures a petition that everybody looks at while many sign, and what is left standing of a flood.
func (b *bench) storm(ctx context.Context) error {
	return b.eachDatabase(ctx, "storm", func(name string, newDB func() (string, error)) error {
		u, err := newDB()
		if err != nil {
			return err
		}
		s, err := b.newSite(ctx, u, 20)
		if err != nil {
			return err
		}
		kept, err := b.stormOn(ctx, name, s)
		if err != nil {
			return err
		}
		more, err := b.flood(ctx, name, s)
		return errors.Join(err, b.check(ctx, s, append(kept, more...), "storm and flood"))
	})
}

func (b *bench) stormOn(ctx context.Context, name string, s *site) ([]string, error) {
	p, err := b.serve(ctx, s, "KITHLINE_MAIL=smtp")
	if err != nil {
		return nil, err
	}
	sign := s.signer("storm", &p.addr)
	mixed := func(conn, n int, req *fasthttp.Request) string {
		if n%10 == conn%10 {
			return sign(conn, n, req)
		}
		req.SetRequestURI("http://" + p.addr + "/petitions/" + s.petition.Slug)
		asBrowser(req)
		return ""
	}
	either := func(res *fasthttp.Response) error {
		if c := res.StatusCode(); c != fasthttp.StatusOK && c != fasthttp.StatusSeeOther {
			return fmt.Errorf("status %d", c)
		}
		return nil
	}
	var all rounds
	for range b.rounds {
		all = append(all, drive(ctx, p, crowd, b.load, mixed, either))
		sign = s.signer(fmt.Sprint("storm", len(all)), &p.addr)
	}
	var slowest []time.Duration
	for _, r := range all {
		slowest = append(slowest, round{times: r.views}.at(0.99))
	}
	views := median(slowest)
	b.out.add(all.line(fmt.Sprintf("storm: %s, %d connections, 9 views to a signature", name, crowd),
		fmt.Sprintf("views alone: p99 %s ms; %s", ms(views), b.out.promise(views <= stormSlowest, "at most "+ms(stormSlowest)+" ms"))))
	return all.kept(), p.stop()
}

// flood asks for more than can be done, and looks at what is answered, and at how it goes on.
func (b *bench) flood(ctx context.Context, name string, s *site) ([]string, error) {
	p, err := b.serve(ctx, s, "KITHLINE_MAIL=smtp")
	if err != nil {
		return nil, err
	}
	good := status(fasthttp.StatusSeeOther)
	before := drive(ctx, p, b.conns, b.load, s.signer("calm", &p.addr), good)
	// Not now, come back in so many seconds: nothing else may be said to those who are too many.
	refused := func(res *fasthttp.Response) error {
		after, err := strconv.Atoi(string(res.Header.Peek("Retry-After")))
		if res.StatusCode() == fasthttp.StatusServiceUnavailable && err == nil && after > 0 {
			return errors.New("503 with Retry-After")
		}
		return good(res)
	}
	during := drive(ctx, p, floodConns, b.load, s.signer("flood", &p.addr), refused)
	told := during.errors["503 with Retry-After"]
	other := 0
	for _, n := range during.errors {
		other += n
	}
	other -= told
	var again round
	began := time.Now()
	for n := 0; ; n++ {
		again = drive(ctx, p, b.conns, time.Second, s.signer(fmt.Sprint("after", n), &p.addr), good)
		during.kept = append(during.kept, again.kept...)
		if again.rate() >= floodShare*before.rate() || time.Since(began) > floodOver {
			break
		}
	}
	took := time.Since(began)
	b.out.add(rounds{before}.line("flood: "+name+", before, 64 connections", ""))
	during.errors = nil
	b.out.add(rounds{during}.line(fmt.Sprintf("  during: %d connections", floodConns), fmt.Sprintf("%s told 503 with Retry-After, %s anything else; %s",
		number(told), number(other), b.out.promise(told > 0 && other == 0, "who is too many is told when to come back"))))
	b.out.add(line{
		what: "  after: until the rate is what it was", figure: fmt.Sprintf("%.1f s", took.Seconds()), p50: again.at(0.5), p99: again.at(0.99),
		beside: b.out.promise(again.rate() >= floodShare*before.rate() && took <= floodOver, fmt.Sprintf("within %.0f s", floodOver.Seconds())),
	})
	return append(before.kept, during.kept...), p.stop()
}
