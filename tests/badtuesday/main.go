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
	"slices"
	"sync"
	"time"
)

func main() {
	seeds := flag.Int("seeds", 1000, "how many mornings")
	first := flag.Int64("first", 1, "the seed of the first")
	side := flag.Int("parallel", runtime.NumCPU(), "how many at once")
	flag.Parse()
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
	if err != nil {
		return err
	}
	sum.print(os.Stdout, time.Since(start))
	if len(sum.violations) > 0 || sum.share() < 0.9 {
		return fmt.Errorf("the promise does not hold")
	}
	return nil
}

// mornings plays a number of mornings, some at once.
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
				r, err := morning(ctx, g, seed)
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
	seed       int64
	released   int             // places let go
	possible   int             // of those, how many standbys who were willing and could be asked could have filled at once
	filled     int             // places filled without a call
	byStandby  int             // of those, by who stood by
	counted    int             // filled by who stood by, but no more than possible
	listed     int             // places on the phone list at 09:45
	asked      int             // mails that asked somebody
	swaps      int             // places taken instead of another
	waits      []time.Duration // from a release to the yes that filled it
	violations []string
}

// total adds mornings up.
type total struct {
	result
	mornings int
}

func (t *total) add(r result) {
	t.mornings++
	t.released, t.possible, t.filled, t.byStandby = t.released+r.released, t.possible+r.possible, t.filled+r.filled, t.byStandby+r.byStandby
	t.counted, t.listed, t.asked, t.swaps = t.counted+r.counted, t.listed+r.listed, t.asked+r.asked, t.swaps+r.swaps
	t.waits, t.violations = append(t.waits, r.waits...), append(t.violations, r.violations...)
}

func (t *total) share() float64 {
	if t.possible == 0 {
		return 0
	}
	return float64(t.counted) / float64(t.possible)
}

func (t *total) print(to *os.File, took time.Duration) {
	p := func(format string, args ...any) { _, _ = fmt.Fprintf(to, format+"\n", args...) }
	p("Bad Tuesday: %d mornings in %s", t.mornings, took.Round(time.Second))
	p("  46 people, 31 meetings; 12 people let go of all they hold between 06:00 and 09:30; no mail server for 40 minutes")
	p("")
	p("  places let go                                                     %7d", t.released)
	p("  willing standbys could have filled, at best                       %7d", t.possible)
	p("  of those filled by standbys without a call                        %7d   %.1f %% (promised: 90 %%)", t.counted, 100*t.share())
	p("  places filled without a call, in all                              %7d", t.filled)
	p("    by those who stood by                                           %7d", t.byStandby)
	p("    instead of another place that kept its minimum                  %7d", t.swaps)
	p("  places on the phone list at 09:45                                 %7d", t.listed)
	p("  mails that asked somebody                                         %7d   %.1f for each place filled", t.asked, float64(t.asked)/float64(max(t.filled, 1)))
	if len(t.waits) > 0 {
		slices.Sort(t.waits)
		p("  from letting go to a yes: half within %s, nine of ten within %s", t.waits[len(t.waits)/2].Round(time.Minute), t.waits[len(t.waits)*9/10].Round(time.Minute))
	}
	p("")
	p("  violations                                                        %7d   (promised: 0)", len(t.violations))
	for _, v := range t.violations[:min(len(t.violations), 20)] {
		p("    %s", v)
	}
}
