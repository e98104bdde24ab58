package print

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is one line of a text, its runs in the order they are seen.
type line struct {
	runs  []run
	width float64 // in the unit of the size it was set in
	right bool    // it runs from right to left, and begins at the right edge
}

// lines breaks a text where the standard allows it so that no line is wider than width. A word that is wider by itself is
// broken between letters. An empty text has no line; an empty line within it stays.
func (s *setter) lines(text string, st style, width float64) []line {
	text = clean(text)
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var out []line
	for paragraph := range strings.SplitSeq(strings.TrimRight(text, "\n "), "\n") {
		out = append(out, s.paragraph([]rune(paragraph), st, width)...)
	}
	return out
}

// one sets a text in one line, however long it gets.
func (s *setter) one(text string, st style) line {
	runes := []rune(strings.ReplaceAll(clean(text), "\n", " "))
	items, right := s.items(runes, st.bold)
	return s.line(runes, items, 0, len(runes), right, st)
}

func (s *setter) paragraph(text []rune, st style, width float64) []line {
	items, right := s.items(text, st.bold)
	whole := s.line(text, items, 0, len(text), right, st)
	if whole.width <= width || len(text) < 2 {
		return []line{whole}
	}
	ends := s.measure(whole, len(text), st)
	var out []line
	from := 0
	for from < len(text) {
		to := s.fit(text, ends, from, width)
		out = append(out, s.line(text, items, from, to, right, st))
		from = to
	}
	return out
}

// measure returns, for each place between two runes, how wide the text before it is; len+1 places. Runes that share a glyph
// end where it ends.
func (s *setter) measure(whole line, n int, st style) []float64 {
	ends := make([]float64, n+1)
	for _, r := range whole.runs {
		for _, g := range r.glyphs {
			ends[g.cluster+1] += float64(g.advance) / r.face.em * st.size
		}
	}
	for i := range n {
		ends[i+1] += ends[i]
	}
	return ends
}

// fit finds where the line that begins at from ends: after as many whole words as fit, or else after as many letters.
func (s *setter) fit(text []rune, ends []float64, from int, width float64) int {
	best := from
	window := text[from:min(len(text), from+2*longLine)]
	s.segments.Init(window)
	for it := s.segments.LineIterator(); it.Next(); {
		l := it.Line()
		end := from + l.Offset + len(l.Text)
		seen := end
		for seen > from && unicode.IsSpace(text[seen-1]) {
			seen--
		}
		if ends[seen]-ends[from] > width {
			break
		}
		best = end
	}
	if best > from {
		return best
	}
	best = from + 1
	for best < len(text) && (ends[best+1]-ends[from] <= width || joined(text[best])) {
		best++
	}
	return best
}

// joined reports whether a rune belongs to the letter before it.
func joined(r rune) bool { return unicode.Is(unicode.M, r) || ignorable(r) }

// line sets text[from:to] as one line, without the spaces at its end.
func (s *setter) line(text []rune, items []item, from, to int, right bool, st style) line {
	for to > from && unicode.IsSpace(text[to-1]) {
		to--
	}
	out := line{right: right}
	for _, it := range items {
		if a, b := max(it.from, from), min(it.to, to); a < b {
			r := s.shape(text, it, a, b)
			out.width += r.width * st.size
			out.runs = append(out.runs, r)
		}
	}
	reorder(out.runs)
	return out
}

// reorder brings runs from the order of the text into that they are seen in: rule L2 of UAX 9.
func reorder(runs []run) {
	highest := 0
	for _, r := range runs {
		highest = max(highest, r.level)
	}
	for level := highest; level > 0; level-- {
		for i := 0; i < len(runs); i++ {
			from := i
			for i < len(runs) && runs[i].level >= level {
				i++
			}
			slices.Reverse(runs[from:i])
		}
	}
}

// fitting sets a text in as many lines as may stand, in the largest size that allows it; where not even the smallest does, the
// last line ends in an ellipsis.
func (s *setter) fitting(text string, st style, smallest, width float64, most int) ([]line, style) {
	for {
		lines := s.lines(text, st, width)
		if len(lines) <= most {
			return lines, st
		}
		if st.size <= smallest {
			return s.shorten(text, st, width, most), st
		}
		st.size = max(st.size*0.92, smallest)
	}
}

// longLine is more letters than stand in one line of anything.
const longLine = 400

// shorten sets a text in at most so many lines; what is left out is told by an ellipsis.
func (s *setter) shorten(text string, st style, width float64, most int) []line {
	if cut := most * longLine * utf8.UTFMax; len(text) > cut {
		text = text[:cut]
	}
	lines := s.lines(text, st, width)
	if len(lines) <= most {
		return lines
	}
	runes := []rune(clean(text))
	low, high := 0, min(len(runes), most*longLine)
	for low < high {
		mid := (low + high + 1) / 2
		if len(s.lines(strings.TrimRightFunc(string(runes[:mid]), unicode.IsSpace)+"…", st, width)) <= most {
			low = mid
		} else {
			high = mid - 1
		}
	}
	return s.lines(strings.TrimRightFunc(string(runes[:low]), unicode.IsSpace)+"…", st, width)
}
