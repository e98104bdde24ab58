// Command badtuesday plays the morning of an advocacy day on which a quarter of the people cannot come and the mail server is away for 40
// minutes, over and over with other people, and looks whether anybody was asked who should not have been and whether the day still works.
//
// What happens goes through the operations of the program, by a clock of its own: letting go, the search for somebody, mail with its text and
// links, and what people answer on the page. `make bad-tuesday` plays 1,000 mornings and prints a report.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"
)

func main() {
	seeds := flag.Int("seeds", 1000, "how many mornings")
	first := flag.Int64("first", 1, "the seed of the first")
	side := flag.Int("parallel", runtime.NumCPU(), "how many at once")
	flag.Parse()
	debug.SetGCPercent(400) // mornings are short, and leave much behind
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := play(ctx, *first, *seeds, *side); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func play(ctx context.Context, first int64, seeds, side int) error {
	start := time.Now()
	ground, err := newGround(ctx)
	if err != nil {
		return err
	}
	defer ground.close()
	sum, err := mornings(ctx, ground, first, seeds, side)
	if err != nil && ctx.Err() == nil {
		return err
	}
	sum.print(os.Stdout, time.Since(start))
	if err != nil {
		return fmt.Errorf("%d mornings were not played: %w", seeds-sum.mornings, err)
	}
	if len(sum.violations) > 0 || sum.share() < 0.9 {
		return fmt.Errorf("the promise does not hold")
	}
	return nil
}

// mornings plays a number of mornings, some at once. Where ctx ends, what was begun is played to its end.
func mornings(ctx context.Context, g *ground, first int64, seeds, side int) (total, error) {
	var (
		mu   sync.Mutex
		sum  total
		errs []error
		wg   sync.WaitGroup
		next = first
	)
	for range side {
		wg.Go(func() {
			for {
				mu.Lock()
				seed := next
				if next++; seed >= first+int64(seeds) || len(errs) > 0 || ctx.Err() != nil {
					mu.Unlock()
					return
				}
				mu.Unlock()
				r, err := morning(context.WithoutCancel(ctx), g, seed)
				mu.Lock()
				if err != nil {
					errs = append(errs, fmt.Errorf("seed %d: %w", seed, err))
				} else {
					sum.add(r)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	if len(errs) > 0 {
		return sum, errs[0]
	}
	return sum, ctx.Err()
}

// result is what became of one morning.
type result struct {
	seed          int64
	released      int             // places let go
	possible      int             // of those, how many standbys could have filled at once, everybody taking one
	done          int             // of those, how many such standbys did fill, everybody counted once
	anybody       int             // places let go for which at least one standby was willing, wherever else they are needed
	anybodyFilled int             // of those filled without a call, whoever did
	filled        int             // places let go that were filled without a call
	byStandby     int             // of those, by who stood by
	listed        int             // shifts on the phone list at 09:45
	asked         int             // mails that asked somebody
	swaps         int             // places taken instead of another
	waits         []time.Duration // from a release to a yes
	violations    []string
}

// total adds mornings up.
type total struct {
	result
	mornings int
	worst    float64 // of the mornings, what was done of what was possible
}

func (t *total) add(r result) {
	if share := r.share(); t.mornings == 0 || share < t.worst {
		t.worst = share
	}
	t.mornings++
	t.released, t.possible, t.done = t.released+r.released, t.possible+r.possible, t.done+r.done
	t.anybody, t.anybodyFilled, t.filled, t.byStandby = t.anybody+r.anybody, t.anybodyFilled+r.anybodyFilled, t.filled+r.filled, t.byStandby+r.byStandby
	t.listed, t.asked, t.swaps = t.listed+r.listed, t.asked+r.asked, t.swaps+r.swaps
	t.waits, t.violations = append(t.waits, r.waits...), append(t.violations, r.violations...)
}

// share is what was done of what was possible.
func (r *result) share() float64 { return part(r.done, r.possible) }

func part(n, of int) float64 {
	if of == 0 {
		return 1
	}
	return float64(n) / float64(of)
}

func (t *total) print(to *os.File, took time.Duration) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(to, format+"\n", args...) }
	row := func(what string, n int, then string) { p("  %-66s %7d   %s", what, n, then) }
	p("Bad Tuesday: %d mornings in %s", t.mornings, took.Round(time.Second))
	p("  46 people, 31 meetings; 12 people let go of all they hold between 06:00 and 09:30; no mail server for 40 minutes")
	p("")
	row("places let go", t.released, "")
	row("standbys could fill at best, everybody taking one", t.possible, "")
	row("  filled by such standbys without a call, everybody counted once", t.done, fmt.Sprintf("%.1f %% (promised: 90 %%), on the worst morning %.0f %%", 100*t.share(), 100*t.worst))
	row("had a willing standby at all, who may be needed elsewhere too", t.anybody, "")
	row("  filled without a call, by anybody", t.anybodyFilled, fmt.Sprintf("%.1f %%", 100*part(t.anybodyFilled, t.anybody)))
	row("places filled without a call, in all", t.filled, fmt.Sprintf("%.1f %%", 100*part(t.filled, t.released)))
	row("  by those who stood by", t.byStandby, "")
	row("yes to a place instead of another that kept its minimum", t.swaps, "")
	row("shifts on the phone list at 09:45", t.listed, "")
	row("mails that asked somebody", t.asked, fmt.Sprintf("%.1f for each place filled", float64(t.asked)/float64(max(t.filled, 1))))
	if len(t.waits) > 0 {
		slices.Sort(t.waits)
		p("  from letting go to a yes: half within %s, nine of ten within %s", t.waits[len(t.waits)/2].Round(time.Minute), t.waits[len(t.waits)*9/10].Round(time.Minute))
	}
	p("")
	p("  Willing is who would say yes in time, asked by mail in their hours as soon as the place is free, and whom it fits by what they hold and plan.")
	p("")
	row("violations", len(t.violations), "(promised: 0)")
	for _, v := range t.violations[:min(len(t.violations), 20)] {
		p("    %s", v)
	}
}
