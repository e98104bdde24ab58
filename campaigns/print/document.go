package print

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"time"
)

// Meta is what a document says of itself.
type Meta struct {
	Title        string
	Organisation string
	Lang         string    // BCP 47, such as "en"
	At           time.Time // when it was made
	// Page words the number of a page in the reader's language: "page 2 of 7". Without it pages carry no number.
	Page   func(page, of int) string
	Accent Color // of bars and of the lines above sections; the zero value is pine
	Plain  bool  // pages without the organisation's name, the line of the house and a foot: somebody's own letter
}

// Document is a PDF that is filled from the top to the bottom and written at the end. It keeps packed pages in memory: about
// 5 KB for each that is full of text. It is not safe for concurrent use.
type Document struct {
	size   Size
	meta   Meta
	setter *setter
	fonts  *pdfFonts
	pages  [][]byte // their contents, packed
	page   *canvas  // the one that is being filled; nil before anything stands on it
	y      float64  // how far it is filled
	table  *Table   // whose header is repeated where a page begins
	images []pdfImage
}

// The page: margins, and what stands in them.
const (
	margin = 56.7 // 20 mm
	top    = 78.0
	bottom = 64.0
)

// The sizes of letters.
var (
	titleStyle   = style{22, true, ink}
	headingStyle = style{14.5, true, ink}
	leadStyle    = style{12.5, false, ink}
	bodyStyle    = style{10.5, false, ink}
	smallStyle   = style{9, false, soft}
	cellStyle    = style{9.5, false, ink}
	columnStyle  = style{9, true, soft}
)

// NewDocument begins a document.
func NewDocument(size Size, m Meta) *Document {
	if m.Accent == (Color{}) {
		m.Accent = pine
	}
	return &Document{size: size, meta: m, setter: newSetter(m.Lang), fonts: &pdfFonts{}}
}

// width is that of the text.
func (d *Document) width() float64 { return d.size.Width - 2*margin }

// floor is where the text of a page ends.
func (d *Document) floor() float64 { return d.size.Height - bottom }

// open makes sure that there is a page to draw on.
func (d *Document) open() {
	if d.page != nil {
		return
	}
	d.page = d.canvas()
	d.y = top
	if d.meta.Plain {
		return
	}
	if name := d.setter.shorten(d.meta.Organisation, smallStyle, d.width(), 1); len(name) > 0 {
		d.place(name[0], smallStyle, margin, margin-20, d.width())
	}
	d.hairline(margin)
	if d.table != nil {
		d.table.header()
	}
}

func (d *Document) canvas() *canvas { return &canvas{height: d.size.Height, fonts: d.fonts} }

// PageBreak ends the page, if anything stands on it.
func (d *Document) PageBreak() {
	d.table = nil
	d.turn()
}

// turn is PageBreak within a block.
func (d *Document) turn() {
	if d.page != nil {
		d.pages = append(d.pages, deflate(d.page.Bytes()))
		d.page = nil
	}
}

// block begins something that is no row of a table and needs at least height: on this page, or on a new one.
func (d *Document) block(height float64) {
	d.table = nil
	d.need(height)
}

func (d *Document) need(height float64) {
	if d.page != nil && d.y > top && d.y+height > d.floor() {
		d.turn()
	}
	d.open()
}

// hairline draws the line of the house: thin, its first part thick.
func (d *Document) hairline(y float64) {
	d.page.box(margin, y, d.width(), 0.5, rule)
	d.page.box(margin, y-1, 42, 2, d.meta.Accent)
}

// place draws a line with its upper edge at y, at the side where it begins.
func (d *Document) place(l line, st style, x, y, width float64) {
	if l.right {
		x += width - l.width
	}
	d.page.text(x, y+st.leading()*0.74, l, st)
}

// flow puts lines one below the other, over as many pages as it takes. No page begins or ends with a single line of several.
func (d *Document) flow(lines []line, st style, left, width float64) {
	for i, l := range lines {
		keep := 1
		if left := len(lines) - i; len(lines) > 1 && (i == 0 || left == 2) {
			keep = min(2, left)
		}
		d.need(float64(keep) * st.leading())
		d.place(l, st, margin+left, d.y, width)
		d.y += st.leading()
	}
}

// text is flow with the whole width, and room below.
func (d *Document) text(text string, st style, below float64) {
	d.block(0)
	lines := d.setter.lines(text, st, d.width())
	d.flow(lines, st, 0, d.width())
	d.y += below
}

// follow is the least height of what must stand below a heading on the same page: two lines of text, or the first of a table.
const follow = 44

// Title writes the name of the document, large.
func (d *Document) Title(text string) {
	lines := d.setter.lines(text, titleStyle, d.width())
	d.block(float64(len(lines))*titleStyle.leading() + follow)
	d.flow(lines, titleStyle, 0, d.width())
	d.y += 6
}

// Heading begins a section with the line of the house. It never stands at the foot of a page.
func (d *Document) Heading(text string) {
	lines := d.setter.lines(text, headingStyle, d.width())
	d.block(22 + float64(len(lines))*headingStyle.leading() + follow)
	if d.y > top {
		d.y += 14
		d.hairline(d.y)
		d.y += 8
	}
	d.flow(lines, headingStyle, 0, d.width())
	d.y += 4
}

// Lead writes a paragraph in larger letters: what matters most.
func (d *Document) Lead(text string) { d.text(text, leadStyle, 8) }

// Paragraph writes a paragraph. A line feed begins a new line.
func (d *Document) Paragraph(text string) { d.text(text, bodyStyle, 6) }

// Small writes a note.
func (d *Document) Small(text string) { d.text(text, smallStyle, 5) }

// Space leaves room, in points; nothing at the top of a page.
func (d *Document) Space(points float64) {
	d.block(0)
	if d.y > top {
		d.y += points
	}
}

// Rule draws the line of the house.
func (d *Document) Rule() {
	d.block(14)
	d.y += 7
	d.hairline(d.y)
	d.y += 7
}

// Quote writes somebody's words, and whose they are; by may be empty.
func (d *Document) Quote(text, by string) {
	const indent = 12
	for _, part := range []struct {
		text string
		st   style
	}{{text, bodyStyle}, {by, smallStyle}} {
		lines := d.setter.lines(part.text, part.st, d.width()-indent)
		for i, l := range lines {
			d.block(part.st.leading() * float64(min(2, len(lines)-i)))
			x, edge := float64(margin+indent), float64(margin)
			if l.right {
				x, edge = margin, margin+d.width()-2
			}
			d.page.box(edge, d.y, 2, part.st.leading(), rule)
			d.place(l, part.st, x, d.y, d.width()-indent)
			d.y += part.st.leading()
		}
	}
	d.y += 9
}

// List writes points, numbered from 1 or with a dash before each.
func (d *Document) List(numbered bool, points ...string) {
	const indent = 18
	for i, p := range points {
		mark := "–"
		if numbered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		lines := d.setter.lines(p, bodyStyle, d.width()-indent)
		if len(lines) == 0 {
			continue
		}
		d.block(bodyStyle.leading() * float64(min(2, len(lines))))
		sign, x, left := d.setter.one(mark, bodyStyle), float64(margin), float64(indent)
		if lines[0].right {
			x, left = margin+d.width()-sign.width, 0
		}
		d.page.text(x, d.y+bodyStyle.leading()*0.74, sign, bodyStyle)
		d.flow(lines, bodyStyle, left, d.width()-indent)
		d.y += 2
	}
	d.y += 5
}

// Fact is a name and what it says.
type Fact struct{ Name, Value string }

// Facts writes facts below each other, names at the left.
func (d *Document) Facts(facts ...Fact) {
	names := d.width() * 0.28
	for _, f := range facts {
		name := d.setter.lines(f.Name, smallStyle, names-10)
		value := d.setter.lines(f.Value, bodyStyle, d.width()-names)
		d.block(max(smallStyle.leading()*float64(len(name)), bodyStyle.leading()*float64(min(2, len(value)))) + 6)
		from := d.y + 3
		for i, l := range name {
			d.place(l, smallStyle, margin, from+1+float64(i)*smallStyle.leading(), names-10)
		}
		page := len(d.pages)
		d.y = from
		d.flow(value, bodyStyle, names, d.width()-names)
		if page == len(d.pages) {
			d.y = max(d.y, from+smallStyle.leading()*float64(len(name)))
		}
		d.y += 3
		d.page.box(margin, d.y, d.width(), 0.4, rule)
	}
	d.y += 8
}

// Write writes the document. It can be called once.
func (d *Document) Write(w io.Writer) error {
	d.open()
	d.turn()
	feet := d.feet() // before the fonts, for their letters
	p := newPDFWriter(w)
	tree, resources := p.reserve(), p.reserve()
	kids := []byte{}
	for i, content := range d.pages {
		body := p.raw("/Filter/FlateDecode", content)
		foot := p.raw("/Filter/FlateDecode", feet[i])
		page := p.object("<</Type/Page/Parent %d 0 R/Resources %d 0 R/MediaBox[0 0 %g %g]/Contents[%d 0 R %d 0 R]>>",
			tree, resources, d.size.Width, d.size.Height, body, foot)
		kids = fmt.Appendf(kids, "%d 0 R ", page)
	}
	var fonts, images strings.Builder
	for _, f := range d.fonts.list {
		fmt.Fprintf(&fonts, "/%s %d 0 R", f.name, f.write(p))
	}
	for i, im := range d.images {
		fmt.Fprintf(&images, "/I%d %d 0 R", i, im.write(p))
	}
	p.fill(resources, "<</Font<<%s>>/XObject<<%s>>>>", fonts.String(), images.String())
	p.fill(tree, "<</Type/Pages/Count %d/Kids[%s]>>", len(d.pages), bytes.TrimSpace(kids))
	info := p.object("<</Title%s/Author%s/Producer(Kithline)/CreationDate(D:%s)>>", pdfText(d.meta.Title), pdfText(d.meta.Organisation), d.meta.At.UTC().Format("20060102150405Z"))
	catalog := p.object("<</Type/Catalog/Pages %d 0 R/Lang%s/ViewerPreferences<</DisplayDocTitle true>>>>", tree, pdfText(d.meta.Lang))
	return p.end(catalog, info)
}

// feet are the lower margins: the document's title, and which page it is of how many.
func (d *Document) feet() [][]byte {
	out := make([][]byte, len(d.pages))
	st := smallStyle
	st.size = 8
	title := d.setter.shorten(strings.ReplaceAll(clean(d.meta.Title), "\n", " "), st, d.width()*0.7, 1)
	for i := range d.pages {
		c := d.canvas()
		if d.meta.Plain {
			out[i] = deflate(c.Bytes())
			continue
		}
		y := d.size.Height - bottom + 26
		for _, l := range title {
			c.text(margin, y, l, st)
		}
		if d.meta.Page != nil {
			n := d.setter.one(d.meta.Page(i+1, len(d.pages)), st)
			c.text(margin+d.width()-n.width, y, n, st)
		}
		out[i] = deflate(c.Bytes())
	}
	return out
}
