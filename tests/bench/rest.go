package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// The promises about size, start and memory.
const (
	sizeLimit      = 51 << 20
	startLimit     = time.Second
	demoStartLimit = 5 * time.Second
	memoryLimit    = 60 << 20
)

func mb(n int) string { return fmt.Sprintf("%.1f MB", float64(n)/(1<<20)) }

func (b *bench) size(context.Context) error {
	f, err := os.Stat(b.bin)
	if err != nil {
		return err
	}
	b.out.add(line{what: "size: the program, one static file", figure: mb(int(f.Size())), beside: b.out.promise(f.Size() <= sizeLimit, "at most "+mb(sizeLimit))})
	return nil
}

func (b *bench) start(ctx context.Context) error {
	s, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	var took []time.Duration
	for range b.starts {
		began := time.Now()
		p, err := b.serve(ctx, s)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if err := p.stop(); err != nil {
			return err
		}
	}
	m := median(took)
	b.out.add(line{
		what: "start: serve, SQLite that exists, to the first answer", figure: ms(m) + " ms",
		beside: fmt.Sprintf("%s; median of %d", b.out.promise(m <= startLimit, "at most 1 s"), len(took)),
	})
	if !b.hasDemo(ctx) {
		b.out.note("start: demo is not measured, the program has no such command")
		return nil
	}
	took = nil
	for range min(b.starts, 3) {
		began := time.Now()
		p, err := b.demo(ctx)
		if err != nil {
			return err
		}
		took = append(took, time.Since(began))
		if err := p.stop(); err != nil {
			return err
		}
	}
	m = median(took)
	b.out.add(line{
		what: "start: demo, from nothing to its ready file", figure: ms(m) + " ms",
		beside: fmt.Sprintf("%s; median of %d", b.out.promise(m <= demoStartLimit, "at most 5 s"), len(took)),
	})
	return nil
}

// memory starts everything first and then waits once.
func (b *bench) memory(ctx context.Context) error {
	s, err := b.newSite(ctx, "", 0)
	if err != nil {
		return err
	}
	type resting struct {
		what string
		*process
	}
	p, err := b.serve(ctx, s)
	if err != nil {
		return err
	}
	all := []resting{{"memory: serve at rest", p}}
	if b.hasDemo(ctx) {
		if p, err = b.demo(ctx); err != nil {
			return err
		}
		all = append(all, resting{"memory: demo at rest", p})
	}
	select {
	case <-time.After(b.rest):
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, r := range all {
		rss := r.memory("VmRSS")
		b.out.add(line{
			what: fmt.Sprintf("%s, %.0f s after its start", r.what, b.rest.Seconds()), figure: mb(rss),
			beside: fmt.Sprintf("%s; of it %s its own, %s the program file", b.out.promise(rss > 0 && rss <= memoryLimit, "at most "+mb(memoryLimit)), mb(r.memory("RssAnon")), mb(r.memory("RssFile"))),
		})
		if err := r.stop(); err != nil {
			return err
		}
	}
	return nil
}
