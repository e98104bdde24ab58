package print

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-text/typesetting/harfbuzz"
	"github.com/go-text/typesetting/language"
	"github.com/go-text/typesetting/segmenter"
)

// setter sets texts. It keeps the fonts it uses and the room it works in, and is not safe for concurrent use.
type setter struct {
	faces    faces
	buffer   *harfbuzz.Buffer
	segments segmenter.Segmenter
	language language.Language
}

func newSetter(lang string) *setter {
	return &setter{faces: faces{}, buffer: harfbuzz.NewBuffer(), language: language.NewLanguage(lang)}
}

// item is a piece of a text in one direction, script and font.
type item struct {
	from, to int // in runes of the text
	level    int // of embedding: odd is right to left
	script   language.Script
	face     *face
}

// run is a shaped item, its glyphs from left to right.
type run struct {
	face   *face
	level  int
	glyphs []glyph
	width  float64 // of an em
}

// glyph is a drawn form. Its measures are in units of its font.
type glyph struct {
	id      uint16
	advance int32
	dx, dy  int32
	cluster int    // the first rune of the text that it stands for
	text    string // what it stands for; "" where a glyph beside it stands for the same
}

// limits of what is set: beyond them a text is no longer one that somebody reads.
const (
	maxMarks = 4    // on one letter
	maxItem  = 4096 // runes that are shaped at once
)

// clean makes a text safe to set: what is no character becomes a sign for it, control characters become spaces, and no
// letter carries more than maxMarks marks. Line feeds stay.
func clean(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	if plain(text) {
		return text
	}
	var b strings.Builder
	marks := 0
	for _, r := range text { // a byte that is not UTF-8 comes as U+FFFD
		switch {
		case r == '\n':
		case r == '\u2028' || r == '\u2029' || r == '\u0085':
			r = '\n'
		case unicode.Is(unicode.Cc, r):
			r = ' '
		}
		if unicode.Is(unicode.Mn, r) || unicode.Is(unicode.Me, r) {
			if marks++; marks > maxMarks {
				continue
			}
		} else {
			marks = 0
		}
		b.WriteRune(r)
	}
	return b.String()
}

// plain reports whether a text is of printable ASCII and line feeds.
func plain(text string) bool {
	for i := range len(text) {
		if c := text[i]; (c < ' ' || c > '~') && c != '\n' {
			return false
		}
	}
	return true
}

// items cuts a text of one paragraph into pieces, in the order of the text, and says whether it runs from right to left.
func (s *setter) items(text []rune, bold bool) (items []item, right bool) {
	if len(text) == 0 {
		return nil, false
	}
	if !slices.ContainsFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) && len(text) <= maxItem {
		return []item{{0, len(text), 0, language.Latin, s.faces.get("latin", bold)}}, false
	}
	of, base := levels(text)
	for i := 0; i < len(text); {
		from := i
		for i < len(text) && of[i] == of[from] {
			i++
		}
		items = s.split(items, text, from, i, int(of[from]), bold)
	}
	return items, base == 1
}

// split cuts a piece of one direction by script and font.
func (s *setter) split(items []item, text []rune, from, to, level int, bold bool) []item {
	current := item{from: from, level: level, script: language.Common}
	for i := from; i < to; i++ {
		script, f := scriptOf(text[i]), s.faces.choose(text[i], current.face, bold)
		if i > current.from && (f != current.face || script.Strong() && current.script.Strong() && script != current.script || i-current.from >= maxItem) {
			current.to = i
			items = append(items, current)
			current = item{from: i, level: level, script: language.Common}
		}
		current.face = f
		if script.Strong() {
			current.script = script
		}
	}
	current.to = to
	return append(items, current)
}

// scriptOf is the script of a character. Those of China, Japan and Korea, which a name mixes, count as one.
func scriptOf(r rune) language.Script {
	switch sc := language.LookupScript(r); sc {
	case language.Hiragana, language.Katakana, language.Bopomofo:
		return language.Han
	default:
		return sc
	}
}

// shape lets HarfBuzz choose and place the glyphs of text[from:to], which lies within an item. What stands around it is seen,
// so that a letter at the edge takes the form it has there.
func (s *setter) shape(text []rune, it item, from, to int) run {
	b := s.buffer
	b.Clear()
	b.ClusterLevel = harfbuzz.MonotoneCharacters
	b.Props = harfbuzz.SegmentProperties{Direction: harfbuzz.LeftToRight, Script: it.script, Language: s.language}
	if it.level%2 == 1 {
		b.Props.Direction = harfbuzz.RightToLeft
	}
	b.AddRunes(text, from, to-from)
	b.Shape(it.face.shaper, nil)
	out := run{face: it.face, level: it.level, glyphs: make([]glyph, len(b.Info))}
	total := int64(0)
	for i, info := range b.Info {
		p := b.Pos[i]
		out.glyphs[i] = glyph{id: uint16(info.Glyph), advance: p.XAdvance, dx: p.XOffset, dy: p.YOffset, cluster: info.Cluster}
		total += int64(p.XAdvance)
	}
	out.width = float64(total) / it.face.em
	tell(out.glyphs, text, to, it.level%2 == 1)
	return out
}

// tell says for each glyph which text it stands for: that from its cluster to the next one in the text, which ends at to. Of
// several glyphs with one cluster the first seen has the text.
func tell(glyphs []glyph, text []rune, to int, rightToLeft bool) {
	for i := 0; i < len(glyphs); {
		next := i + 1
		for next < len(glyphs) && glyphs[next].cluster == glyphs[i].cluster {
			next++
		}
		end := to
		switch {
		case rightToLeft && i > 0:
			end = glyphs[i-1].cluster
		case !rightToLeft && next < len(glyphs):
			end = glyphs[next].cluster
		}
		if c := glyphs[i].cluster; c < end && end <= len(text) {
			glyphs[i].text = string(text[c:end])
		}
		i = next
	}
}
