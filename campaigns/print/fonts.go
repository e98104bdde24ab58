package print

import (
	"bytes"
	"embed"
	"fmt"
	"io"
	"sync"
	"unicode"

	"github.com/andybalholm/brotli"
	"github.com/go-text/typesetting/font"
	"github.com/go-text/typesetting/font/opentype"
	"github.com/go-text/typesetting/harfbuzz"
	"github.com/go-text/typesetting/language"
)

// What these files are and where they come from stands in fonts/VENDORED.md.
//
//go:embed fonts/*.br
var packed embed.FS

// fontFile is an unpacked font. It is safe for concurrent use.
type fontFile struct {
	name    string
	parsed  *font.Font
	tables  map[string][]byte
	ascent  float64 // above the base line, of an em
	descent float64 // below it, positive
}

// files unpacks each font once, when it is first asked for.
var files = func() map[string]func() *fontFile {
	all := map[string]func() *fontFile{}
	entries, err := packed.ReadDir("fonts")
	if err != nil {
		panic(err) // embedded
	}
	for _, e := range entries {
		name := e.Name()[:len(e.Name())-len(".ttf.br")]
		all[name] = sync.OnceValue(func() *fontFile {
			f, err := openFont(name)
			if err != nil {
				panic(err) // embedded, and every one is opened by a test
			}
			return f
		})
	}
	return all
}()

func openFont(name string) (*fontFile, error) {
	file, err := packed.Open("fonts/" + name + ".ttf.br")
	if err != nil {
		return nil, err
	}
	defer file.Close()
	raw, err := io.ReadAll(brotli.NewReader(file))
	if err != nil {
		return nil, fmt.Errorf("print: font %s: %w", name, err)
	}
	loader, err := opentype.NewLoader(bytes.NewReader(raw))
	if err != nil {
		return nil, fmt.Errorf("print: font %s: %w", name, err)
	}
	f := &fontFile{name: name, tables: map[string][]byte{}}
	for _, tag := range []string{"glyf", "loca", "head", "hhea", "hmtx", "maxp"} {
		if f.tables[tag], err = loader.RawTable(opentype.MustNewTag(tag)); err != nil {
			return nil, fmt.Errorf("print: font %s: %s: %w", name, tag, err)
		}
	}
	if f.parsed, err = font.NewFont(loader); err != nil {
		return nil, fmt.Errorf("print: font %s: %w", name, err)
	}
	if e, ok := font.NewFace(f.parsed).FontHExtents(); ok {
		em := float64(f.parsed.Upem())
		f.ascent, f.descent = float64(e.Ascender)/em, -float64(e.Descender)/em
	}
	return f, nil
}

// byScript says which font has a script; Latin, Greek and Cyrillic have the first.
var byScript = map[language.Script]string{
	language.Arabic: "arabic", language.Hebrew: "hebrew",
	language.Devanagari: "devanagari", language.Bengali: "bengali", language.Gujarati: "gujarati", language.Gurmukhi: "gurmukhi", language.Tamil: "tamil",
	language.Telugu: "telugu", language.Kannada: "kannada", language.Malayalam: "malayalam", language.Sinhala: "sinhala",
	language.Thai: "thai", language.Lao: "lao", language.Khmer: "khmer", language.Myanmar: "myanmar",
	language.Ethiopic: "ethiopic", language.Armenian: "armenian", language.Georgian: "georgian",
	language.Han: "cjk", language.Hiragana: "cjk", language.Katakana: "cjk", language.Bopomofo: "cjk", language.Hangul: "cjk",
}

// faces are the fonts that one document or picture uses. They are not safe for concurrent use.
type faces map[string]*face

// face is a font in use.
type face struct {
	*fontFile
	cached *font.Face
	shaper *harfbuzz.Font
	bolden bool // it has no bold letters of its own, so they are drawn thicker
	em     float64
}

func (fs faces) get(name string, bold bool) *face {
	key := name
	if bold {
		key += "-bold"
	}
	if f := fs[key]; f != nil {
		return f
	}
	open, own := files[key]
	if !own {
		open = files[name]
	}
	file := open()
	f := &face{fontFile: file, cached: font.NewFace(file.parsed), bolden: bold && !own}
	f.shaper = harfbuzz.NewFont(f.cached)
	f.em = float64(file.parsed.Upem())
	fs[key] = f
	return f
}

// has reports whether the font draws a character.
func (f *face) has(r rune) bool {
	_, ok := f.cached.NominalGlyph(r)
	return ok
}

// choose picks the font of a character. What belongs to no script, such as a space, a digit or a mark, stays in the font of
// what stands before it. A character that no font has is shown as the empty box of the first.
func (fs faces) choose(r rune, before *face, bold bool) *face {
	script := language.LookupScript(r)
	if before != nil && (ignorable(r) || !script.Strong() && before.has(r)) {
		return before
	}
	names := []string{"latin", "cjk"}
	switch name, ok := byScript[script]; {
	case r >= 0x3400 && r <= 0x4dbf:
		names = []string{"cjk-rare", "cjk"}
	case ok:
		names = []string{name, "latin"}
	case script.Strong(), r < 0x2e80:
		names = names[:1]
	}
	for _, n := range names {
		if f := fs.get(n, bold); f.has(r) {
			return f
		}
	}
	return fs.get("latin", bold)
}

// ignorable reports whether a character is not seen: joiners, selectors of variants, marks of direction.
func ignorable(r rune) bool {
	return unicode.Is(unicode.Cf, r) || r >= 0xfe00 && r <= 0xfe0f
}
