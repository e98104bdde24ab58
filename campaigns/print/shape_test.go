package print

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// names are names that must come out right, each with the font it is set in.
var names = map[string]string{
	"Nguyễn Thị Hồng Ánh": "latin", "O'Brien-Ñandú": "latin", "Жанна Ёлкина": "latin", "Ωμέγα": "latin", "Łukasz Żółć": "latin",
	"محمد بن عبد الله": "arabic", "پروین اعتصامی": "arabic", "שרה כהן": "hebrew", "שָׂרָה": "hebrew",
	"王小明": "cjk", "欧阳娜娜": "cjk", "김민준": "cjk", "山田太郎": "cjk", "ひらがな・カタカナ": "cjk", "㐀㑇": "cjk-rare",
	"अनिल क्षत्रिय": "devanagari", "বিশ্বজিৎ": "bengali", "தமிழ்ச்செல்வன்": "tamil", "తెలుగు": "telugu", "ಕನ್ನಡ": "kannada", "മലയാളം": "malayalam",
	"ગુજરાતી": "gujarati", "ਗੁਰਮੁਖੀ": "gurmukhi", "සිංහල": "sinhala", "สมชาย ใจดี": "thai", "ລາວ": "lao", "ភាសាខ្មែរ": "khmer", "မြန်မာ": "myanmar",
	"ኃይለ ሥላሴ": "ethiopic", "Հայկ": "armenian", "გიორგი": "georgian",
}

func glyphs(l line) (ids []uint16) {
	for _, r := range l.runs {
		for _, g := range r.glyphs {
			ids = append(ids, g.id)
		}
	}
	return ids
}

func TestEveryFontOpens(t *testing.T) {
	used := map[string]bool{"latin-bold": true}
	for _, name := range names {
		used[name] = true
	}
	for name, open := range files {
		if !used[name] {
			t.Errorf("no name is set in %s", name)
		}
		if f := open(); f.ascent < 0.5 || f.ascent > 1.5 || f.descent < 0.1 || f.descent > 1 {
			t.Errorf("%s: ascent %g, descent %g", name, f.ascent, f.descent)
		}
	}
}

// TestNamesHaveTheirLetters: every name is one run of its font, with no empty box, and its glyphs tell all of its text.
func TestNamesHaveTheirLetters(t *testing.T) {
	s := newSetter("en")
	for name, file := range names {
		for _, bold := range []bool{false, true} {
			l := s.one(name, style{10, bold, ink})
			for _, r := range l.runs {
				if got := strings.TrimSuffix(r.face.name, "-bold"); got != file {
					t.Errorf("%s: set in %s", name, got)
				}
				if r.face.bolden != (bold && file != "latin") {
					t.Errorf("%s: bold %v, drawn thicker %v", name, bold, r.face.bolden)
				}
			}
			if ids := glyphs(l); len(ids) == 0 || slices.Contains(ids, 0) || l.width <= 0 {
				t.Errorf("%s: glyphs %v, %g wide", name, ids, l.width)
			}
			if got := told(l); got != name {
				t.Errorf("the glyphs of %q tell %q", name, got)
			}
		}
	}
}

// told is the text that the glyphs of a line stand for, in the order it is read.
func told(l line) string {
	var parts []glyph
	for _, r := range l.runs {
		parts = append(parts, r.glyphs...)
	}
	slices.SortStableFunc(parts, func(a, b glyph) int { return a.cluster - b.cluster })
	var b strings.Builder
	for _, g := range parts {
		b.WriteString(g.text)
	}
	return b.String()
}

func TestArabicIsJoined(t *testing.T) {
	s := newSetter("ar")
	word := glyphs(s.one("محمد", bodyStyle))
	var alone []uint16
	for _, r := range "دمحم" { // the same letters in the order they are seen
		alone = append(alone, glyphs(s.one(string(r), bodyStyle))...)
	}
	if len(word) != 4 || word[0] == alone[0] || word[1] == alone[1] || word[2] == alone[2] || word[3] == alone[3] {
		t.Errorf("joined %v, alone %v", word, alone)
	}
	l := s.one("محمد", bodyStyle)
	if first := l.runs[0].glyphs[0]; first.cluster != 3 || first.text != "د" || !l.right {
		t.Errorf("the last letter is not seen first: %+v, right %v", first, l.right)
	}
	if lam := s.one("لا", bodyStyle); told(lam) != "لا" {
		t.Errorf("lam-alef tells %q", told(lam))
	}
}

// TestOrderOfMixedLines: what is seen from left to right, run by run.
func TestOrderOfMixedLines(t *testing.T) {
	s := newSetter("en")
	for text, want := range map[string]string{
		"Anna (محمد 123) Bob":         "Anna (|123|محمد |) Bob",
		"محمد (Anna) 2027, ok":        "2027, ok|) |Anna|(|محمد ",
		"שרה 12 ו-Bob":                "Bob|ו-| |12|שרה ",
		"HB 412":                      "HB 412",
		"Signed: \u2067שרה!\u2069, x": "Signed: \u2067|!|שרה|\u2069, x",
	} {
		var seen []string
		for _, r := range s.one(text, bodyStyle).runs {
			seen = append(seen, told(line{runs: []run{r}}))
		}
		if got := strings.Join(seen, "|"); got != want {
			t.Errorf("%s\n got %q\nwant %q", text, got, want)
		}
	}
}

// TestMarksStandOnLetters: letters and marks written apart look like the letter that has them, or the mark is placed.
func TestMarksStandOnLetters(t *testing.T) {
	s := newSetter("vi")
	if apart, whole := glyphs(s.one("Nguye\u0302\u0303n", bodyStyle)), glyphs(s.one("Nguyễn", bodyStyle)); !slices.Equal(apart, whole) {
		t.Errorf("apart %v, whole %v", apart, whole)
	}
	for _, text := range []string{"x\u0303", "ש\u05b8"} { // no letter of its own has these
		l := s.one(text, bodyStyle)
		placed := false
		for _, g := range l.runs[0].glyphs {
			placed = placed || g.dx != 0 || g.dy != 0
		}
		if !placed {
			t.Errorf("%q: the mark is not placed: %+v", text, l.runs[0].glyphs)
		}
	}
}

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"a\x00b\tc": "a b c", "a\r\nb\rc\u2028d": "a\nb\nc\nd", "\xed\xa0\x80x\xff": "\ufffd\ufffd\ufffdx\ufffd",
		"Z" + strings.Repeat("\u0301", 40) + "e": "Z" + strings.Repeat("\u0301", maxMarks) + "e", "plain text~": "plain text~",
	} {
		if got := clean(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestLinesFit(t *testing.T) {
	s := newSetter("en")
	for _, c := range []struct {
		text  string
		width float64
		least int
	}{
		{strings.Repeat("A campaign is words that people can join. ", 8), 200, 8},
		{strings.Repeat("在大多数健康计划中，", 20), 100, 15},
		{strings.Repeat("بعد الزيارة السادسة قمت بالتمارين ", 8), 150, 6},
		{strings.Repeat("x", 300), 60, 20},
		{strings.Repeat("محمد", 100), 60, 20},
		{strings.Repeat("สวัสดี", 50), 80, 10},
		{"one\ntwo\n\nthree", 500, 4},
	} {
		lines := s.lines(c.text, bodyStyle, c.width)
		if len(lines) < c.least {
			t.Errorf("%.20q: %d lines", c.text, len(lines))
		}
		text := ""
		for i, l := range lines {
			if l.width > c.width+3 { // a letter takes another form where a word is broken
				t.Errorf("%.20q: line %d is %g wide", c.text, i, l.width)
			}
			text += told(l)
		}
		if squeeze(text) != squeeze(c.text) {
			t.Errorf("%.20q: lines tell %q", c.text, text)
		}
	}
	if lines := s.lines(strings.Repeat("很长的句子。", 30), bodyStyle, 100); strings.HasPrefix(told(lines[1]), "。") {
		t.Error("a line begins with a full stop")
	}
	if got := s.lines(" \n ", bodyStyle, 100); got != nil {
		t.Errorf("nothing is set as %d lines", len(got))
	}
}

func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

func TestShorten(t *testing.T) {
	s := newSetter("en")
	long := strings.Repeat("many words ", 10_000)
	lines := s.shorten(long, bodyStyle, 200, 2)
	if last := told(lines[len(lines)-1]); len(lines) != 2 || !strings.HasSuffix(last, "…") {
		t.Errorf("%d lines, the last %q", len(lines), last)
	}
	if lines, st := s.fitting("A title that is too long for one line", titleStyle, 8, 200, 1); len(lines) != 1 || st.size >= titleStyle.size || strings.Contains(told(lines[0]), "…") {
		t.Errorf("%d lines of %g", len(lines), st.size)
	}
}

// FuzzText: nothing that somebody can write stops a document or a picture.
func FuzzText(f *testing.F) {
	for name := range names {
		f.Add(name)
	}
	f.Add("\x00\xed\xa0\x80\xff\u202e\u2066\u2067\u2068\u2069\u202c\u200d\ufe0f\U0010ffff")
	f.Add(strings.Repeat("\u202b(", 200) + "a[ש{1}]" + strings.Repeat("\u2069", 3))
	f.Add("👩‍👩‍👧‍👦 🇩🇪 e" + strings.Repeat("\u0336\u0489\u20dd", 300))
	random := rand.New(rand.NewPCG(1, 2))
	for range 20 {
		var b strings.Builder
		for range 60 {
			b.WriteRune(rune(random.IntN(utf8.MaxRune)))
		}
		f.Add(b.String())
	}
	f.Fuzz(func(t *testing.T, text string) {
		write(t, func(d *Document) {
			d.Title(text)
			d.Heading(text)
			d.Paragraph(text)
			d.Quote(text, text)
			d.List(true, text, text)
			d.Facts(Fact{text, text})
			d.Table(Column{Title: text, Width: 1}, Column{Title: text, Width: 0.01, Right: true}).Row(text, text, text)
			d.QR([][]bool{{true}}, 40, text, text)
		})
		if err := (Picture{Organisation: text, Title: text, Number: text, Caption: text, Share: 2, Lang: text}).Write(discard{}); err != nil {
			t.Fatal(err)
		}
	})
}

type discard struct{}

func (discard) Write(b []byte) (int, error) { return len(b), nil }

// TestOneVeryLongWord: a megabyte without a space is set in bounded time.
func TestOneVeryLongWord(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 1<<20), strings.Repeat("中", 1<<18), strings.Repeat("م", 1<<19)} {
		pdf := write(t, func(d *Document) {
			d.Paragraph(text)
			d.Table(Column{Width: 1}).Row(text)
			d.QR(nil, 50, text)
		})
		if pages := len(pdf.pages); pages < 50 {
			t.Errorf("%d pages", pages)
		}
	}
}
