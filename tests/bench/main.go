// Command bench measures what Kithline promises about speed and size, and beside each figure, in the same run, what the
// machine would give at most and what the plain way of doing it gives. `make bench` runs it; the Makefile says how.
//
// Where KITHLINE_BENCH_LISTMONK names a folder with a built listmonk, mail is measured beside that too.
//
// It builds the program as it is shipped, starts it as it is run, and asks it over loopback as browsers do. Load, server and
// database share the machine, so figures are to be compared with their neighbours, not with other machines. Rounds of all
// contenders alternate, and the median of the rounds is shown.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// bench is one run.
type bench struct {
	dir    string        // everything is in here and goes at the end
	bin    string        // the program as it is shipped
	rounds int           // of each contender
	load   time.Duration // of each round
	starts int           // how often the start is timed
	rest   time.Duration // from the start until memory is read
	conns  int
	out    table
}

// part is what can be asked for by -only.
type part struct {
	name string
	run  func(*bench, context.Context) error
}

// parts are in the order in which they run.
var parts = []part{
	{"size", (*bench).size},
	{"start", (*bench).start},
	{"memory", (*bench).memory},
	{"view", (*bench).view},
	{"sign", (*bench).sign},
	{"storm", (*bench).storm},
	{"millions", (*bench).millions},
	{"segments", (*bench).segments},
	{"legislators", (*bench).legislators},
	{"places", (*bench).places},
	{"import", (*bench).imports},
	{"export", (*bench).exports},
	{"find", (*bench).find},
	{"now", (*bench).now},
	{"mail", (*bench).mail},
	{"pace", (*bench).pace},
	{"cover", (*bench).cover},
	{"rosters", (*bench).rosters},
}

func main() {
	if len(os.Args) > 2 && strings.HasPrefix(os.Args[1], "serve-") {
		exit(contender(os.Args[1], os.Args[2:]))
	}
	only := flag.String("only", "", "what to measure, separated by commas: size, start, memory, view, sign, storm, millions, segments, legislators, places, import, export, find, now, mail, pace, cover, rosters")
	short := flag.Bool("short", false, "a minute at most: fewer and shorter rounds")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(run(ctx, *only, *short))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func run(ctx context.Context, only string, short bool) (err error) {
	limit := 25 * time.Minute
	b := &bench{rounds: 3, load: 3 * time.Second, starts: 7, rest: 10 * time.Second, conns: 64}
	if short {
		limit = 3 * time.Minute
		b.rounds, b.load, b.starts = 1, 1500*time.Millisecond, 3
	}
	var wanted []string
	if only != "" {
		wanted = strings.Split(only, ",")
	}
	for _, w := range wanted {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == w }) {
			return fmt.Errorf("-only knows no %q", w)
		}
	}
	if b.dir, err = os.MkdirTemp("", "kithline-bench-"); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(b.dir) }()
	fmt.Println(machine(b.dir))
	if err := b.build(ctx); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, p := range parts {
		if wanted != nil && !slices.Contains(wanted, p.name) {
			continue
		}
		if err := p.run(b, ctx); err != nil {
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if b.out.missed > 0 {
		return fmt.Errorf("%d of the promises above were not kept", b.out.missed)
	}
	return nil
}
