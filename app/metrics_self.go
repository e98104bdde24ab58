package app

import (
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strconv"
	"strings"
	"time"
)

// writeRuntime tells what Go's runtime knows of itself, under the names that Prometheus' own Go client gives it, so that
// dashboards made for any Go program fit.
func writeRuntime(w *exposition) {
	gc := debug.GCStats{PauseQuantiles: make([]time.Duration, 5)}
	debug.ReadGCStats(&gc)
	w.family("go_gc_duration_seconds", "summary", "A summary of the wall-time pause (stop-the-world) duration in garbage collection cycles.")
	for i, q := range []string{"0", "0.25", "0.5", "0.75", "1"} {
		w.sample(gc.PauseQuantiles[i].Seconds(), "", "quantile", q)
	}
	w.sample(gc.PauseTotal.Seconds(), "_sum")
	w.sample(float64(gc.NumGC), "_count")

	set := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}, {Name: "/gc/gomemlimit:bytes"}}
	runtimemetrics.Read(set)
	w.single("go_gc_gogc_percent", "gauge", "Heap size target percentage configured by the user, otherwise 100. This value is set by the GOGC environment variable, and the runtime/debug.SetGCPercent function. Sourced from /gc/gogc:percent.", float64(set[0].Value.Uint64()))
	w.single("go_gc_gomemlimit_bytes", "gauge", "Go runtime memory limit configured by the user, otherwise math.MaxInt64. This value is set by the GOMEMLIMIT environment variable, and the runtime/debug.SetMemoryLimit function. Sourced from /gc/gomemlimit:bytes.", float64(set[1].Value.Uint64()))
	w.single("go_goroutines", "gauge", "Number of goroutines that currently exist.", float64(runtime.NumGoroutine()))
	w.family("go_info", "gauge", "Information about the Go environment.")
	w.sample(1, "", "version", runtime.Version())
	writeMemory(w)
	w.single("go_sched_gomaxprocs_threads", "gauge", "The current runtime.GOMAXPROCS setting, or the number of operating system threads that can execute user-level Go code simultaneously. Sourced from /sched/gomaxprocs:threads.", float64(runtime.GOMAXPROCS(0)))
	threads, _ := runtime.ThreadCreateProfile(nil)
	w.single("go_threads", "gauge", "Number of OS threads created.", float64(threads))
}

// writeMemory tells where the memory is.
func writeMemory(w *exposition) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	for _, f := range []struct {
		name, kind string
		value      float64
		help       string
	}{
		{"alloc_bytes", "gauge", float64(m.Alloc), "Number of bytes allocated in heap and currently in use. Equals to /memory/classes/heap/objects:bytes."},
		{"alloc_bytes_total", "counter", float64(m.TotalAlloc), "Total number of bytes allocated in heap until now, even if released already. Equals to /gc/heap/allocs:bytes."},
		{"buck_hash_sys_bytes", "gauge", float64(m.BuckHashSys), "Number of bytes used by the profiling bucket hash table. Equals to /memory/classes/profiling/buckets:bytes."},
		{"frees_total", "counter", float64(m.Frees), "Total number of heap objects frees. Equals to /gc/heap/frees:objects + /gc/heap/tiny/allocs:objects."},
		{"gc_sys_bytes", "gauge", float64(m.GCSys), "Number of bytes used for garbage collection system metadata. Equals to /memory/classes/metadata/other:bytes."},
		{"heap_alloc_bytes", "gauge", float64(m.HeapAlloc), "Number of heap bytes allocated and currently in use, same as go_memstats_alloc_bytes. Equals to /memory/classes/heap/objects:bytes."},
		{"heap_idle_bytes", "gauge", float64(m.HeapIdle), "Number of heap bytes waiting to be used. Equals to /memory/classes/heap/released:bytes + /memory/classes/heap/free:bytes."},
		{"heap_inuse_bytes", "gauge", float64(m.HeapInuse), "Number of heap bytes that are in use. Equals to /memory/classes/heap/objects:bytes + /memory/classes/heap/unused:bytes"},
		{"heap_objects", "gauge", float64(m.HeapObjects), "Number of currently allocated objects. Equals to /gc/heap/objects:objects."},
		{"heap_released_bytes", "gauge", float64(m.HeapReleased), "Number of heap bytes released to OS. Equals to /memory/classes/heap/released:bytes."},
		{"heap_sys_bytes", "gauge", float64(m.HeapSys), "Number of heap bytes obtained from system. Equals to /memory/classes/heap/objects:bytes + /memory/classes/heap/unused:bytes + /memory/classes/heap/released:bytes + /memory/classes/heap/free:bytes."},
		{"last_gc_time_seconds", "gauge", float64(m.LastGC) / 1e9, "Number of seconds since 1970 of last garbage collection."},
		{"mallocs_total", "counter", float64(m.Mallocs), "Total number of heap objects allocated, both live and gc-ed. Semantically a counter version for go_memstats_heap_objects gauge. Equals to /gc/heap/allocs:objects + /gc/heap/tiny/allocs:objects."},
		{"mcache_inuse_bytes", "gauge", float64(m.MCacheInuse), "Number of bytes in use by mcache structures. Equals to /memory/classes/metadata/mcache/inuse:bytes."},
		{"mcache_sys_bytes", "gauge", float64(m.MCacheSys), "Number of bytes used for mcache structures obtained from system. Equals to /memory/classes/metadata/mcache/inuse:bytes + /memory/classes/metadata/mcache/free:bytes."},
		{"mspan_inuse_bytes", "gauge", float64(m.MSpanInuse), "Number of bytes in use by mspan structures. Equals to /memory/classes/metadata/mspan/inuse:bytes."},
		{"mspan_sys_bytes", "gauge", float64(m.MSpanSys), "Number of bytes used for mspan structures obtained from system. Equals to /memory/classes/metadata/mspan/inuse:bytes + /memory/classes/metadata/mspan/free:bytes."},
		{"next_gc_bytes", "gauge", float64(m.NextGC), "Number of heap bytes when next garbage collection will take place. Equals to /gc/heap/goal:bytes."},
		{"other_sys_bytes", "gauge", float64(m.OtherSys), "Number of bytes used for other system allocations. Equals to /memory/classes/other:bytes."},
		{"stack_inuse_bytes", "gauge", float64(m.StackInuse), "Number of bytes obtained from system for stack allocator in non-CGO environments. Equals to /memory/classes/heap/stacks:bytes."},
		{"stack_sys_bytes", "gauge", float64(m.StackSys), "Number of bytes obtained from system for stack allocator. Equals to /memory/classes/heap/stacks:bytes + /memory/classes/os-stacks:bytes."},
		{"sys_bytes", "gauge", float64(m.Sys), "Number of bytes obtained from system. Equals to /memory/classes/total:byte."},
	} {
		w.single("go_memstats_"+f.name, f.kind, f.help, f.value)
	}
}

// writeProcess tells what the system knows of this process; a system without a proc folder of Linux's form tells nothing.
func writeProcess(w *exposition, proc string) {
	read := func(path ...string) string {
		b, err := os.ReadFile(filepath.Join(append([]string{proc}, path...)...))
		if err != nil {
			return ""
		}
		return string(b)
	}
	_, after, ok := strings.Cut(read("self", "stat"), ") ") // the name before it may hold anything
	stat := strings.Fields(after)                           // begins with the third field of proc(5)
	if !ok || len(stat) < 22 {
		return
	}
	number := func(s string) float64 {
		if s == "unlimited" {
			return 1 << 64
		}
		n, _ := strconv.ParseFloat(s, 64)
		return n
	}
	const ticks = 100 // a second; Linux says so to every program
	w.single("process_cpu_seconds_total", "counter", "Total user and system CPU time spent in seconds.", (number(stat[11])+number(stat[12]))/ticks)
	limits := read("self", "limits")
	w.single("process_max_fds", "gauge", "Maximum number of open file descriptors.", number(firstField(limits, "Max open files")))
	received, sent := traffic(read("self", "net", "netstat"))
	w.single("process_network_receive_bytes_total", "counter", "Number of bytes received by the process over the network.", number(received))
	w.single("process_network_transmit_bytes_total", "counter", "Number of bytes sent by the process over the network.", number(sent))
	if open, err := os.ReadDir(filepath.Join(proc, "self", "fd")); err == nil {
		w.single("process_open_fds", "gauge", "Number of open file descriptors.", float64(len(open)))
	}
	w.single("process_resident_memory_bytes", "gauge", "Resident memory size in bytes.", number(stat[21])*float64(os.Getpagesize()))
	w.single("process_start_time_seconds", "gauge", "Start time of the process since unix epoch in seconds.", number(firstField(read("stat"), "btime"))+number(stat[19])/ticks)
	w.single("process_virtual_memory_bytes", "gauge", "Virtual memory size in bytes.", number(stat[20]))
	w.single("process_virtual_memory_max_bytes", "gauge", "Maximum amount of virtual memory available in bytes.", number(firstField(limits, "Max address space")))
}

// firstField is what stands first after a name, on the line that begins with it.
func firstField(text, name string) string {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			if f := strings.Fields(rest); len(f) > 0 {
				return f[0]
			}
		}
	}
	return ""
}

// traffic finds the bytes in and out in the two lines IpExt of netstat: names, then numbers.
func traffic(netstat string) (received, sent string) {
	var names []string
	for line := range strings.Lines(netstat) {
		f := strings.Fields(line)
		if len(f) == 0 || f[0] != "IpExt:" {
			continue
		}
		if names == nil {
			names = f
			continue
		}
		for i, n := range names[:min(len(names), len(f))] {
			switch n {
			case "InOctets":
				received = f[i]
			case "OutOctets":
				sent = f[i]
			}
		}
	}
	return received, sent
}
