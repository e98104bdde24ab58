package print

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"unicode/utf16"
)

// pdfFont is a font as a PDF holds it: only the glyphs that were used, each under a number of its own for every text that it
// stands for, so that what is copied from the page is what was written.
type pdfFont struct {
	file    *fontFile
	name    string // of the resource
	numbers map[meaning]uint16
	list    []meaning
}

// meaning is a glyph and the text that it stands for.
type meaning struct {
	glyph uint16
	text  string
}

func newPDFFont(file *fontFile, name string) *pdfFont {
	none := meaning{}
	return &pdfFont{file: file, name: name, numbers: map[meaning]uint16{none: 0}, list: []meaning{none}}
}

// number is the CID of a glyph. A document that runs out of numbers loses what can be copied, not what is seen.
func (f *pdfFont) number(g glyph) uint16 {
	m := meaning{g.id, g.text}
	n, ok := f.numbers[m]
	if ok {
		return n
	}
	if len(f.list) >= math.MaxUint16-math.MaxUint8 {
		m.text = ""
		if n, ok = f.numbers[m]; ok || len(f.list) == math.MaxUint16 {
			return n
		}
	}
	n = uint16(len(f.list))
	f.numbers[m], f.list = n, append(f.list, m)
	return n
}

// width is the advance of a glyph as the PDF says it, in thousandths of an em.
func (f *pdfFont) width(glyph uint16) int {
	return int(math.Round(float64(f.advance(glyph)) * 1000 / float64(f.file.parsed.Upem())))
}

func (f *pdfFont) advance(glyph uint16) uint16 {
	long := int(binary.BigEndian.Uint16(f.file.tables["hhea"][34:]))
	return binary.BigEndian.Uint16(f.file.tables["hmtx"][4*min(int(glyph), long-1):])
}

// write writes the five objects of the font and returns the first.
func (f *pdfFont) write(w *pdfWriter) int {
	order, gids := f.subset()
	program := f.program(order, gids)
	base := fmt.Sprintf("KTHLNE+%s", f.name)

	file := w.stream(fmt.Sprintf("/Length1 %d", len(program)), program)
	head := f.file.tables["head"]
	box := func(at int) int {
		return int(math.Round(float64(int16(binary.BigEndian.Uint16(head[at:]))) * 1000 / float64(f.file.parsed.Upem())))
	}
	descriptor := w.object("<</Type/FontDescriptor/FontName/%s/Flags 4/ItalicAngle 0/Ascent %d/Descent %d/CapHeight 700/StemV 80/FontBBox[%d %d %d %d]/FontFile2 %d 0 R>>",
		base, int(f.file.ascent*1000), -int(f.file.descent*1000), box(36), box(38), box(40), box(42), file)

	places, widths := make([]byte, 2*len(f.list)), []byte{}
	for i, m := range f.list {
		binary.BigEndian.PutUint16(places[2*i:], gids[m.glyph])
		widths = fmt.Appendf(widths, "%d ", f.width(m.glyph))
	}
	toGID := w.stream("", places)
	descendant := w.object("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>/FontDescriptor %d 0 R/CIDToGIDMap %d 0 R/W[0[%s]]>>",
		base, descriptor, toGID, bytes.TrimSpace(widths))
	unicodes := w.stream("", f.toUnicode())
	return w.object("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", base, descendant, unicodes)
}

// toUnicode is the map from numbers to text, as UTF-16.
func (f *pdfFont) toUnicode() []byte {
	var b bytes.Buffer
	b.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo <</Registry (Adobe) /Ordering (UCS) /Supplement 0>> def\n" +
		"/CMapName /Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000> <FFFF>\nendcodespacerange\n")
	const most = 100 // lines of one block, says the format
	lines := []string{}
	flush := func() {
		if len(lines) > 0 {
			fmt.Fprintf(&b, "%d beginbfchar\n", len(lines))
			for _, l := range lines {
				b.WriteString(l)
			}
			b.WriteString("endbfchar\n")
		}
		lines = lines[:0]
	}
	for n, m := range f.list {
		if m.text == "" {
			continue
		}
		lines = append(lines, fmt.Sprintf("<%04X> <%s>\n", n, hex16(m.text)))
		if len(lines) == most {
			flush()
		}
	}
	flush()
	b.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend\n")
	return b.Bytes()
}

// hex16 writes a text as UTF-16, big end first, in hexadecimal digits.
func hex16(text string) string {
	var b []byte
	for _, u := range utf16.Encode([]rune(text)) {
		b = fmt.Appendf(b, "%04X", u)
	}
	return string(b)
}

// subset numbers the glyphs that are used, and those that they are composed of, from 0. order lists the old numbers.
func (f *pdfFont) subset() (order []uint16, gids map[uint16]uint16) {
	used := map[uint16]bool{0: true}
	for _, m := range f.list {
		used[m.glyph] = true
	}
	order = slices.Sorted(maps.Keys(used))
	for i := 0; i < len(order); i++ {
		parts(f.outline(order[i]), func(at []byte) {
			if part := binary.BigEndian.Uint16(at); !used[part] {
				used[part] = true
				order = append(order, part)
			}
		})
	}
	gids = map[uint16]uint16{}
	for i, g := range order {
		gids[g] = uint16(i)
	}
	return order, gids
}

// outline is the entry of a glyph in the table glyf.
func (f *pdfFont) outline(glyph uint16) []byte {
	loca, glyf := f.file.tables["loca"], f.file.tables["glyf"]
	at := func(i int) int {
		if binary.BigEndian.Uint16(f.file.tables["head"][50:]) == 0 {
			return 2 * int(binary.BigEndian.Uint16(loca[2*i:]))
		}
		return int(binary.BigEndian.Uint32(loca[4*i:]))
	}
	return glyf[at(int(glyph)):at(int(glyph)+1)]
}

// parts calls fn with the place of each glyph number in a composite outline: OpenType, table glyf.
func parts(outline []byte, fn func(at []byte)) {
	if len(outline) < 10 || int16(binary.BigEndian.Uint16(outline)) >= 0 {
		return
	}
	const wordArguments, scale, more, twoScales, matrix = 1, 1 << 3, 1 << 5, 1 << 6, 1 << 7
	for rest := outline[10:]; len(rest) >= 4; {
		flags := binary.BigEndian.Uint16(rest)
		fn(rest[2:4])
		skip := 6
		if flags&wordArguments != 0 {
			skip += 2
		}
		switch {
		case flags&scale != 0:
			skip += 2
		case flags&twoScales != 0:
			skip += 4
		case flags&matrix != 0:
			skip += 8
		}
		if flags&more == 0 || skip > len(rest) {
			return
		}
		rest = rest[skip:]
	}
}

// program is a TrueType font of the glyphs in order.
func (f *pdfFont) program(order []uint16, gids map[uint16]uint16) []byte {
	var glyf, loca, hmtx []byte
	for _, g := range order {
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
		outline := slices.Clone(f.outline(g))
		parts(outline, func(at []byte) { binary.BigEndian.PutUint16(at, gids[binary.BigEndian.Uint16(at)]) })
		glyf = append(glyf, outline...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		bearing := uint16(0)
		if len(outline) >= 10 {
			bearing = binary.BigEndian.Uint16(outline[2:]) // xMin
		}
		hmtx = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(hmtx, f.advance(g)), bearing)
	}
	loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	head, hhea, maxp := slices.Clone(f.file.tables["head"]), slices.Clone(f.file.tables["hhea"]), slices.Clone(f.file.tables["maxp"])
	binary.BigEndian.PutUint32(head[8:], 0)  // the sum of the whole file, which nobody asks for in a PDF
	binary.BigEndian.PutUint16(head[50:], 1) // loca is of 32 bits
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(order)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(order)))

	tables := []struct {
		tag  string
		data []byte
	}{{"glyf", glyf}, {"head", head}, {"hhea", hhea}, {"hmtx", hmtx}, {"loca", loca}, {"maxp", maxp}}
	n := len(tables)
	out := []byte{0, 1, 0, 0, 0, byte(n), 0, 64, 0, 2, 0, byte(n*16 - 64)}
	at := len(out) + 16*n
	for _, t := range tables {
		out = append(out, t.tag...)
		out = binary.BigEndian.AppendUint32(out, checksum(t.data))
		out = binary.BigEndian.AppendUint32(out, uint32(at))
		out = binary.BigEndian.AppendUint32(out, uint32(len(t.data)))
		at += (len(t.data) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t.data...)
		for len(out)%4 != 0 {
			out = append(out, 0)
		}
	}
	return out
}

func checksum(b []byte) uint32 {
	sum := uint32(0)
	for len(b) >= 4 {
		sum += binary.BigEndian.Uint32(b)
		b = b[4:]
	}
	var last [4]byte
	copy(last[:], b)
	return sum + binary.BigEndian.Uint32(last[:])
}
