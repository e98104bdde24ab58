package main

import (
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"kithline/app/web"
)

// table prints a line as soon as its figure is known.
type table struct {
	head   bool
	missed int // promises
}

// line is one figure. Empty parts print as nothing.
type line struct {
	what, figure string
	p50, p99     time.Duration
	errors       string
	beside       string // what the figure is to be compared with
}

func (t *table) add(l line) {
	if !t.head {
		fmt.Printf("\n%-58s %14s %9s %9s %9s  %s\n", "what", "figure", "p50 ms", "p99 ms", "errors", "beside")
		t.head = true
	}
	fmt.Printf("%-58s %14s %9s %9s %9s  %s\n", l.what, l.figure, ms(l.p50), ms(l.p99), l.errors, l.beside)
}

// note prints a sentence below the lines.
func (t *table) note(format string, args ...any) { fmt.Printf("  "+format+"\n", args...) }

// promise words what was promised, such as "at most 1 s", and counts it where it was not kept.
func (t *table) promise(kept bool, what string) string {
	if kept {
		return "kept: " + what
	}
	t.missed++
	return "NOT KEPT: " + what
}

func ms(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(d.Microseconds())/1000)
}

func perSecond(f float64) string { return number(int(f)) + "/s" }

func number(n int) string { return web.Number("en", int64(n)) }

func ratio(a, b float64) string { return fmt.Sprintf("%.2f", a/b) }

func median[T int | int64 | float64 | time.Duration](v []T) T {
	v = slices.Clone(v)
	slices.Sort(v)
	if len(v) == 0 {
		return 0
	}
	return v[len(v)/2]
}

// machine is the line that every figure depends on.
func machine(dir string) string {
	cpu := field("/proc/cpuinfo", "model name")
	if cpu == "" {
		cpu = runtime.GOARCH
	}
	load, _, _ := strings.Cut(read("/proc/loadavg"), " ")
	if load == "" {
		load = "unknown"
	}
	return fmt.Sprintf("%s, %d cores, %s memory, %s, %s; load before %s; a write and sync of 4 KiB takes %s ms",
		cpu, runtime.NumCPU(), field("/proc/meminfo", "MemTotal"), runtime.GOOS, runtime.Version(), load, ms(syncTime(dir)))
}

// syncTime is how long the disk takes to keep a small write, the median of 50.
func syncTime(dir string) time.Duration {
	f, err := os.CreateTemp(dir, "sync")
	if err != nil {
		return 0
	}
	defer f.Close()
	page, took := make([]byte, 4096), make([]time.Duration, 50)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(page); err != nil {
			return 0
		}
		if err := f.Sync(); err != nil {
			return 0
		}
		took[i] = time.Since(began)
	}
	return median(took)
}

// field reads "name : value" of a file of the kernel.
func field(file, name string) string {
	for l := range strings.Lines(read(file)) {
		if k, v, ok := strings.Cut(l, ":"); ok && strings.TrimSpace(k) == name {
			return strings.Join(strings.Fields(v), " ")
		}
	}
	return ""
}

func read(file string) string {
	b, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	return string(b)
}
