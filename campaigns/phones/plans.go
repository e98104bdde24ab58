package phones

import (
	"bytes"
	_ "embed"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/andybalholm/brotli"
)

// The numbering plans, packed with Brotli; see VENDORED.md. Each line has cells between tabs. The first says what it is:
//
//	C  calling code, its regions between commas, the main one first
//	R  region, calling code, what is dialled to leave, national prefix, its replacement, leading digits, word before an
//	   extension, lengths, lengths of local numbers, pattern of all numbers
//	K  a kind of numbers of the region above: lengths, pattern
//	F  a format of the region above: pattern, leading digits, format
//
//go:embed plans.txt.br
var packed []byte

// plan is the numbering plan of a region.
type plan struct {
	calling               string
	idd                   string
	prefix, transform     string
	leading               string
	extension             string
	lengths, localLengths []int
	general               string
	all                   kind
	kinds                 []kind
	formats               []format
}

type kind struct {
	lengths []int
	pattern string
}

type format struct{ pattern, leading, format string }

type book struct {
	regions   []string
	byRegion  map[string]*plan
	byCalling map[string][]*plan
	main      map[string]*plan // by calling code
}

// noRegion is where calling codes of no country are kept.
const noRegion = "001"

// plans unpacks the plans when a number is first read.
var plans = sync.OnceValue(func() *book {
	text, err := io.ReadAll(brotli.NewReader(bytes.NewReader(packed)))
	if err != nil {
		panic(err) // embedded, and read by a test
	}
	b := &book{byRegion: map[string]*plan{}, byCalling: map[string][]*plan{}, main: map[string]*plan{}}
	elsewhere := map[string]*plan{}
	var last *plan
	regions := [][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		switch cells[0] {
		case "C":
			regions = append(regions, cells[1:])
		case "R":
			last = &plan{
				calling: cells[2], idd: cells[3], prefix: cells[4], transform: cells[5], leading: cells[6], extension: cells[7],
				lengths: numbers(cells[8]), localLengths: numbers(cells[9]), general: cells[10], all: kind{numbers(cells[8]), cells[10]},
			}
			if cells[1] == noRegion {
				elsewhere[cells[2]] = last
			} else {
				b.byRegion[cells[1]] = last
				b.regions = append(b.regions, cells[1])
			}
		case "K":
			last.kinds = append(last.kinds, kind{numbers(cells[1]), cells[2]})
		case "F":
			last.formats = append(last.formats, format{cells[1], cells[2], cells[3]})
		}
	}
	for _, r := range regions {
		for id := range strings.SplitSeq(r[1], ",") {
			p := b.byRegion[id]
			if id == noRegion {
				p = elsewhere[r[0]]
			}
			b.byCalling[r[0]] = append(b.byCalling[r[0]], p)
		}
		b.main[r[0]] = b.byCalling[r[0]][0]
	}
	slices.Sort(b.regions)
	return b
})

func numbers(cell string) (out []int) {
	for s := range strings.SplitSeq(cell, ",") {
		if n, err := strconv.Atoi(s); err == nil {
			out = append(out, n)
		}
	}
	return out
}

var compiled sync.Map // by text: *regexp.Regexp

// pattern compiles an expression once.
func pattern(text string) *regexp.Regexp {
	if m, ok := compiled.Load(text); ok {
		return m.(*regexp.Regexp)
	}
	m, _ := compiled.LoadOrStore(text, regexp.MustCompile(text))
	return m.(*regexp.Regexp)
}

// whole is a pattern that must match all of a number.
func whole(text string) *regexp.Regexp { return pattern(`^(?:` + text + `)$`) }
