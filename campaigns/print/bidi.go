package print

import (
	"slices"

	"golang.org/x/text/unicode/bidi"
)

// This file is the Unicode bidirectional algorithm (UAX 9, rules P2 to L1) for one paragraph. The libraries at hand give the
// direction of each piece but not its level, and without levels a number in Arabic text in an English line takes the wrong place.

// depth is the highest level of embedding: BD2.
const depth = 125

// levels returns the embedding level of each rune of a paragraph, and that of the paragraph: even is left to right, odd right
// to left.
func levels(text []rune) (of []int8, base int8) { return resolve(text, -1) }

// resolve is levels for a paragraph whose own level is given; -1 is that of the first strong character.
func resolve(text []rune, base int8) ([]int8, int8) {
	p := paragraph{text: text, class: make([]bidi.Class, len(text)), level: make([]int8, len(text)), match: make([]int, len(text))}
	for i, r := range text {
		props, _ := bidi.LookupRune(r)
		p.class[i] = props.Class()
	}
	p.matchIsolates()
	p.original = slices.Clone(p.class)
	switch {
	case base >= 0:
		p.base = base
	case p.leansRight(0, len(text)):
		p.base = 1
	}
	p.explicit()
	for _, s := range p.sequences() {
		s.weak()
		s.brackets()
		s.neutral()
		s.implicit()
	}
	p.finish()
	return p.level, p.base
}

// paragraph is the state of the algorithm.
type paragraph struct {
	text     []rune
	class    []bidi.Class // as the rules have changed them so far
	original []bidi.Class
	level    []int8
	match    []int // of an isolate initiator, its PDI or len(text); of a PDI, its initiator or -1
	base     int8
}

func initiator(c bidi.Class) bool { return c == bidi.LRI || c == bidi.RLI || c == bidi.FSI }

// removed reports whether rule X9 takes a character out.
func removed(c bidi.Class) bool {
	return c == bidi.BN || c == bidi.LRE || c == bidi.RLE || c == bidi.LRO || c == bidi.RLO || c == bidi.PDF
}

// matchIsolates finds the pairs of BD9.
func (p *paragraph) matchIsolates() {
	var open []int
	for i, c := range p.class {
		switch {
		case initiator(c):
			p.match[i] = len(p.text)
			open = append(open, i)
		case c == bidi.PDI:
			p.match[i] = -1
			if n := len(open); n > 0 {
				p.match[i], p.match[open[n-1]] = open[n-1], i
				open = open[:n-1]
			}
		}
	}
}

// leansRight finds the direction of the first strong character, over isolates: P2 and P3.
func (p *paragraph) leansRight(from, to int) bool {
	for i := from; i < to; i++ {
		switch c := p.original[i]; {
		case c == bidi.L:
			return false
		case c == bidi.R || c == bidi.AL:
			return true
		case initiator(c):
			i = p.match[i]
		}
	}
	return false
}

// explicit gives each character the level that embeddings, overrides and isolates say: X1 to X8.
func (p *paragraph) explicit() {
	type entry struct {
		level    int8
		override bidi.Class // ON is none
		isolate  bool
	}
	stack := []entry{{p.base, bidi.ON, false}}
	tooManyIsolates, tooManyEmbeddings, isolates := 0, 0, 0
	for i, c := range p.original {
		last := stack[len(stack)-1]
		next := func(right bool) int8 {
			if right {
				return (last.level + 1) | 1
			}
			return (last.level + 2) &^ 1
		}
		p.level[i] = last.level
		switch {
		case c == bidi.RLE || c == bidi.LRE || c == bidi.RLO || c == bidi.LRO:
			over := map[bidi.Class]bidi.Class{bidi.RLO: bidi.R, bidi.LRO: bidi.L, bidi.RLE: bidi.ON, bidi.LRE: bidi.ON}[c]
			if l := next(c == bidi.RLE || c == bidi.RLO); l <= depth && tooManyIsolates == 0 && tooManyEmbeddings == 0 {
				stack = append(stack, entry{l, over, false})
			} else if tooManyIsolates == 0 {
				tooManyEmbeddings++
			}
		case initiator(c):
			if last.override != bidi.ON {
				p.class[i] = last.override
			}
			right := c == bidi.RLI || c == bidi.FSI && p.leansRight(i+1, p.match[i])
			if l := next(right); l <= depth && tooManyIsolates == 0 && tooManyEmbeddings == 0 {
				isolates++
				stack = append(stack, entry{l, bidi.ON, true})
			} else {
				tooManyIsolates++
			}
		case c == bidi.PDI:
			switch {
			case tooManyIsolates > 0:
				tooManyIsolates--
			case isolates > 0:
				tooManyEmbeddings = 0
				for !stack[len(stack)-1].isolate {
					stack = stack[:len(stack)-1]
				}
				stack = stack[:len(stack)-1]
				isolates--
			}
			last = stack[len(stack)-1]
			p.level[i] = last.level
			if last.override != bidi.ON {
				p.class[i] = last.override
			}
		case c == bidi.PDF:
			switch {
			case tooManyIsolates > 0:
			case tooManyEmbeddings > 0:
				tooManyEmbeddings--
			case !last.isolate && len(stack) > 1:
				stack = stack[:len(stack)-1]
			}
		case c == bidi.B:
			p.level[i] = p.base
		case c != bidi.BN && last.override != bidi.ON:
			p.class[i] = last.override
		}
	}
}

// sequence is an isolating run sequence: BD13. Its rules change the classes of the paragraph.
type sequence struct {
	*paragraph
	at       []int // places in the text
	level    int8
	sos, eos bidi.Class // the direction before and behind
}

// sequences cuts the paragraph: X10.
func (p *paragraph) sequences() []sequence {
	var order []int // what X9 leaves
	for i, c := range p.original {
		if !removed(c) {
			order = append(order, i)
		}
	}
	type levelRun struct{ from, to int } // in order
	var runs []levelRun
	runOf := map[int]int{} // by the place of a PDI that begins a run
	for i := 0; i < len(order); {
		from := i
		for i < len(order) && p.level[order[i]] == p.level[order[from]] {
			i++
		}
		if p.original[order[from]] == bidi.PDI {
			runOf[order[from]] = len(runs)
		}
		runs = append(runs, levelRun{from, i})
	}
	var out []sequence
	for _, r := range runs {
		first := order[r.from]
		if p.original[first] == bidi.PDI && p.match[first] >= 0 {
			continue // it goes on where its initiator stands
		}
		s := sequence{paragraph: p, level: p.level[first]}
		before, after := p.base, p.base
		if r.from > 0 {
			before = p.level[order[r.from-1]]
		}
		for {
			s.at = append(s.at, order[r.from:r.to]...)
			last := order[r.to-1]
			if !initiator(p.original[last]) {
				if r.to < len(order) {
					after = p.level[order[r.to]]
				}
				break
			}
			if p.match[last] == len(p.text) {
				break
			}
			r = runs[runOf[p.match[last]]]
		}
		s.sos, s.eos = direction(max(s.level, before)), direction(max(s.level, after))
		out = append(out, s)
	}
	return out
}

func direction(level int8) bidi.Class {
	if level%2 == 1 {
		return bidi.R
	}
	return bidi.L
}

// weak resolves numbers and what stands around them: W1 to W7.
func (s *sequence) weak() {
	c := s.class
	before := s.sos
	strong := s.sos
	for _, i := range s.at {
		if c[i] == bidi.NSM { // W1
			c[i] = before
			if initiator(before) || before == bidi.PDI {
				c[i] = bidi.ON
			}
		}
		before = c[i]
		switch c[i] {
		case bidi.L, bidi.R, bidi.AL:
			strong = c[i]
		case bidi.EN: // W2
			if strong == bidi.AL {
				c[i] = bidi.AN
			}
		}
	}
	for _, i := range s.at { // W3
		if c[i] == bidi.AL {
			c[i] = bidi.R
		}
	}
	for n := 1; n+1 < len(s.at); n++ { // W4
		i, prev, next := s.at[n], c[s.at[n-1]], c[s.at[n+1]]
		if prev == next && (c[i] == bidi.ES && prev == bidi.EN || c[i] == bidi.CS && (prev == bidi.EN || prev == bidi.AN)) {
			c[i] = prev
		}
	}
	for n := 0; n < len(s.at); n++ { // W5
		from := n
		for n < len(s.at) && c[s.at[n]] == bidi.ET {
			n++
		}
		if from < n && (from > 0 && c[s.at[from-1]] == bidi.EN || n < len(s.at) && c[s.at[n]] == bidi.EN) {
			for _, i := range s.at[from:n] {
				c[i] = bidi.EN
			}
		}
	}
	strong = s.sos
	for _, i := range s.at {
		switch c[i] {
		case bidi.ES, bidi.ET, bidi.CS: // W6
			c[i] = bidi.ON
		case bidi.L, bidi.R:
			strong = c[i]
		case bidi.EN: // W7
			if strong == bidi.L {
				c[i] = bidi.L
			}
		}
	}
}

// firm is the direction of a class for the rules of neutrals: numbers count as right to left; ON is none.
func firm(c bidi.Class) bidi.Class {
	switch c {
	case bidi.L:
		return bidi.L
	case bidi.R, bidi.EN, bidi.AN:
		return bidi.R
	}
	return bidi.ON
}

// brackets gives both of a pair one direction: N0.
func (s *sequence) brackets() {
	own := direction(s.level)
	for _, pair := range s.pairs() {
		found := bidi.ON
		for _, i := range s.at[pair[0]+1 : pair[1]] {
			if d := firm(s.class[i]); d == own {
				found = own
				break
			} else if d != bidi.ON {
				found = d
			}
		}
		if found == bidi.ON {
			continue
		}
		if found != own {
			before := s.sos
			for n := pair[0] - 1; n >= 0; n-- {
				if d := firm(s.class[s.at[n]]); d != bidi.ON {
					before = d
					break
				}
			}
			found = before // the opposite where it stands before too, and else the embedding's
		}
		for _, n := range pair {
			s.class[s.at[n]] = found
			for n++; n < len(s.at) && s.original[s.at[n]] == bidi.NSM; n++ {
				s.class[s.at[n]] = found
			}
		}
	}
}

// pairs finds brackets that belong together, by the place of the opening one: BD16.
func (s *sequence) pairs() [][2]int {
	const most = 63
	type open struct {
		mate rune
		at   int
	}
	var stack []open
	var out [][2]int
	for n, i := range s.at {
		if s.class[i] != bidi.ON {
			continue
		}
		r := canonical(s.text[i])
		props, _ := bidi.LookupRune(r)
		switch {
		case !props.IsBracket():
		case props.IsOpeningBracket():
			if len(stack) == most {
				slices.SortFunc(out, func(a, b [2]int) int { return a[0] - b[0] })
				return out
			}
			stack = append(stack, open{mate(r), n})
		default:
			for k := len(stack) - 1; k >= 0; k-- {
				if stack[k].mate == r {
					out = append(out, [2]int{stack[k].at, n})
					stack = stack[:k]
					break
				}
			}
		}
	}
	slices.SortFunc(out, func(a, b [2]int) int { return a[0] - b[0] })
	return out
}

// canonical is the bracket that another one is the same as.
func canonical(r rune) rune {
	switch r {
	case 0x2329:
		return 0x3008
	case 0x232a:
		return 0x3009
	}
	return r
}

// mate is the closing bracket of an opening one: the next character, with few exceptions.
func mate(r rune) rune {
	switch r {
	case '[', '{', '［', '｛':
		return r + 2
	case 0x298d:
		return 0x2990
	case 0x298f:
		return 0x298e
	}
	return r + 1
}

// neutral gives spaces and signs the direction of what stands on both sides, or the embedding's: N1 and N2.
func (s *sequence) neutral() {
	is := func(n int) bool {
		switch s.class[s.at[n]] {
		case bidi.B, bidi.S, bidi.WS, bidi.ON, bidi.LRI, bidi.RLI, bidi.FSI, bidi.PDI:
			return true
		}
		return false
	}
	for n := 0; n < len(s.at); n++ {
		from := n
		for n < len(s.at) && is(n) {
			n++
		}
		if from == n {
			continue
		}
		before, after := s.sos, s.eos
		if from > 0 {
			before = firm(s.class[s.at[from-1]])
		}
		if n < len(s.at) {
			after = firm(s.class[s.at[n]])
		}
		takes := direction(s.level)
		if before == after {
			takes = before
		}
		for _, i := range s.at[from:n] {
			s.class[i] = takes
		}
	}
}

// implicit raises levels to fit the directions: I1 and I2.
func (s *sequence) implicit() {
	for _, i := range s.at {
		switch c := s.class[i]; {
		case s.level%2 == 0 && c == bidi.R:
			s.paragraph.level[i]++
		case s.level%2 == 0 && (c == bidi.AN || c == bidi.EN):
			s.paragraph.level[i] += 2
		case s.level%2 == 1 && c != bidi.R:
			s.paragraph.level[i]++
		}
	}
}

// finish puts what X9 took out beside what stands before it, and spaces at the end and before separators at the paragraph's
// level: L1.
func (p *paragraph) finish() {
	before := p.base
	for i, c := range p.original {
		if removed(c) {
			p.level[i] = before
		}
		before = p.level[i]
	}
	trailing := true
	for i := len(p.original) - 1; i >= 0; i-- {
		c := p.original[i]
		switch {
		case c == bidi.B || c == bidi.S:
			p.level[i], trailing = p.base, true
		case c == bidi.WS || c == bidi.PDI || initiator(c) || removed(c):
			if trailing {
				p.level[i] = p.base
			}
		default:
			trailing = false
		}
	}
}
