package app

import (
	"bytes"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"kithline/config"
)

// TestMetrics: names, kinds and helps are what dashboards and alarms were built on.
func TestMetrics(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the list is that of Linux")
	}
	dir := t.TempDir()
	cfg, err := config.Load([]string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Build(t.Context(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	a.metrics.observe(http.MethodGet, "/", http.StatusOK, 30*time.Millisecond)
	var page bytes.Buffer
	if err := a.metrics.write(t.Context(), &exposition{w: &page}); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("testdata/metrics.txt")
	if err != nil {
		t.Fatal(err)
	}
	var heads, samples []string
	for line := range strings.Lines(page.String()) {
		if strings.HasPrefix(line, "#") {
			heads = append(heads, line)
		} else {
			samples = append(samples, line)
		}
	}
	if got := strings.Join(heads, ""); got != string(want) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, s := range samples {
		name, value, ok := strings.Cut(s, " ")
		for _, never0 := range []string{"go_goroutines", "go_memstats_sys_bytes", "process_cpu", "process_max_fds", "process_open_fds", "process_resident", "process_start", "process_virtual"} {
			if !ok || strings.HasPrefix(name, never0) && value == "0\n" {
				t.Errorf("%q", s)
			}
		}
	}
	for _, s := range []string{
		`kithline_deliveries{state="queued"} 0`, `kithline_request_seconds_bucket{method="GET",route="/",status="200",le="0.02"} 0`,
		`kithline_request_seconds_bucket{method="GET",route="/",status="200",le="0.1"} 1`, `kithline_request_seconds_bucket{method="GET",route="/",status="200",le="+Inf"} 1`,
		`kithline_request_seconds_sum{method="GET",route="/",status="200"} 0.03`, `kithline_request_seconds_count{method="GET",route="/",status="200"} 1`,
	} {
		if !strings.Contains(page.String(), s+"\n") {
			t.Errorf("no %s in\n%s", s, page.String())
		}
	}
}

// TestExposition holds the form of the text: https://prometheus.io/docs/instrumenting/exposition_formats/
func TestExposition(t *testing.T) {
	var page bytes.Buffer
	w := &exposition{w: &page}
	w.single("a_total", "counter", "A\n\\ line.", 1e21)
	w.family("b", "gauge", `A "b".`)
	w.sample(0.25, "", "x", "a\"b\\c\nd", "y", "")
	h := newHistogram([]float64{.1, 1}, "route")
	w.histogram("none", "Nothing yet.", h)
	for _, ms := range []int{50, 100, 101, 5000} {
		h.observe(time.Duration(ms)*time.Millisecond, "/b")
	}
	h.observe(time.Second, "/a")
	w.histogram("h", "H.", h)
	want := `# HELP a_total A\n\\ line.
# TYPE a_total counter
a_total 1e+21
# HELP b A "b".
# TYPE b gauge
b{x="a\"b\\c\nd",y=""} 0.25
# HELP h H.
# TYPE h histogram
h_bucket{route="/a",le="0.1"} 0
h_bucket{route="/a",le="1"} 1
h_bucket{route="/a",le="+Inf"} 1
h_sum{route="/a"} 1
h_count{route="/a"} 1
h_bucket{route="/b",le="0.1"} 2
h_bucket{route="/b",le="1"} 3
h_bucket{route="/b",le="+Inf"} 4
h_sum{route="/b"} 5.251
h_count{route="/b"} 4
`
	if page.String() != want {
		t.Errorf("got\n%s\nwant\n%s", page.String(), want)
	}
}
