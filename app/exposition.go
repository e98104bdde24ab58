package app

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// exposition writes figures in the text format that Prometheus reads, version 0.0.4.
type exposition struct {
	w    *bytes.Buffer
	name string // of the family that samples belong to
}

// family begins the figures of one name; kind is counter, gauge, summary or histogram.
func (e *exposition) family(name, kind, help string) {
	e.name = name
	e.w.WriteString("# HELP " + name + " " + helpEscaper.Replace(help) + "\n# TYPE " + name + " " + kind + "\n")
}

// sample writes one figure of the family; suffix is "" or such as "_sum", labels are names and values in turn.
func (e *exposition) sample(value float64, suffix string, labels ...string) {
	e.w.WriteString(e.name + suffix)
	for i := 0; i+1 < len(labels); i += 2 {
		e.w.WriteByte("{,"[min(i, 1)])
		e.w.WriteString(labels[i] + `="` + labelEscaper.Replace(labels[i+1]) + `"`)
	}
	if len(labels) > 0 {
		e.w.WriteByte('}')
	}
	e.w.WriteString(" " + strconv.FormatFloat(value, 'g', -1, 64) + "\n")
}

// single writes a family of one figure without labels.
func (e *exposition) single(name, kind, help string, value float64) {
	e.family(name, kind, help)
	e.sample(value, "")
}

var (
	helpEscaper  = strings.NewReplacer(`\`, `\\`, "\n", `\n`)
	labelEscaper = strings.NewReplacer(`\`, `\\`, "\n", `\n`, `"`, `\"`)
)

// histogram counts how long things took, by labels. Many may observe at once.
type histogram struct {
	labels []string
	upTo   []float64 // seconds, ascending
	series sync.Map  // by the values of the labels, joined: *series
}

// series is what was counted under one set of labels.
type series struct {
	values []string
	counts []atomic.Uint64 // as many as upTo, and one for what took longer
	nanos  atomic.Int64
}

func newHistogram(upTo []float64, labels ...string) *histogram {
	return &histogram{labels: labels, upTo: upTo}
}

func (h *histogram) observe(took time.Duration, values ...string) {
	key := strings.Join(values, "\x00")
	found, ok := h.series.Load(key)
	if !ok {
		found, _ = h.series.LoadOrStore(strings.Clone(key), newSeries(values, len(h.upTo)))
	}
	s := found.(*series)
	place, _ := slices.BinarySearch(h.upTo, took.Seconds())
	s.counts[place].Add(1)
	s.nanos.Add(int64(took))
}

// newSeries keeps copies: a web server's texts change under us once its request is over.
func newSeries(values []string, buckets int) *series {
	s := &series{counts: make([]atomic.Uint64, buckets+1)}
	for _, v := range values {
		s.values = append(s.values, strings.Clone(v))
	}
	return s
}

// histogram writes a histogram, its series in the order of their labels.
func (e *exposition) histogram(name, help string, h *histogram) {
	all := []*series{}
	h.series.Range(func(_, s any) bool {
		all = append(all, s.(*series))
		return true
	})
	if len(all) == 0 {
		return
	}
	slices.SortFunc(all, func(a, b *series) int { return slices.Compare(a.values, b.values) })
	e.family(name, "histogram", help)
	for _, s := range all {
		labels := []string{}
		for i, v := range s.values {
			labels = append(labels, h.labels[i], v)
		}
		sum := 0.0
		for i := range s.counts {
			le := "+Inf"
			if i < len(h.upTo) {
				le = strconv.FormatFloat(h.upTo[i], 'g', -1, 64)
			}
			sum += float64(s.counts[i].Load())
			e.sample(sum, "_bucket", append(slices.Clone(labels), "le", le)...)
		}
		e.sample(time.Duration(s.nanos.Load()).Seconds(), "_sum", labels...)
		e.sample(sum, "_count", labels...)
	}
}
