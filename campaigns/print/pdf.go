package print

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"math"
	"slices"
	"strconv"
	"sync"
)

// pdfWriter writes objects of a PDF 1.7 (ISO 32000-1), one after the other.
type pdfWriter struct {
	w    *bufio.Writer
	sum  hash.Hash
	at   int64
	offs []int64 // where each object begins; object n is offs[n-1]
	err  error
}

func newPDFWriter(w io.Writer) *pdfWriter {
	p := &pdfWriter{w: bufio.NewWriterSize(w, 64<<10), sum: sha256.New()}
	p.write([]byte("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n"))
	return p
}

func (p *pdfWriter) write(b []byte) {
	if p.err != nil {
		return
	}
	_, p.err = p.w.Write(b)
	p.sum.Write(b)
	p.at += int64(len(b))
}

func (p *pdfWriter) printf(format string, args ...any) { p.write(fmt.Appendf(nil, format, args...)) }

// reserve takes a number for an object that is written later, with fill.
func (p *pdfWriter) reserve() int {
	p.offs = append(p.offs, 0)
	return len(p.offs)
}

func (p *pdfWriter) fill(n int, format string, args ...any) {
	p.offs[n-1] = p.at
	p.printf("%d 0 obj\n", n)
	p.printf(format, args...)
	p.printf("\nendobj\n")
}

// object writes an object and returns its number.
func (p *pdfWriter) object(format string, args ...any) int {
	n := p.reserve()
	p.fill(n, format, args...)
	return n
}

// stream writes a stream, packed; entries are of its dictionary.
func (p *pdfWriter) stream(entries string, data []byte) int {
	return p.raw(entries+"/Filter/FlateDecode", deflate(data))
}

// raw writes a stream as it is.
func (p *pdfWriter) raw(entries string, data []byte) int {
	n := p.reserve()
	p.offs[n-1] = p.at
	p.printf("%d 0 obj\n<<%s/Length %d>>stream\n", n, entries, len(data))
	p.write(data)
	p.printf("\nendstream\nendobj\n")
	return n
}

// end writes the table of objects and the trailer.
func (p *pdfWriter) end(catalog, info int) error {
	id := fmt.Sprintf("%X", p.sum.Sum(nil)[:16])
	start := p.at
	p.printf("xref\n0 %d\n0000000000 65535 f \n", len(p.offs)+1)
	for _, o := range p.offs {
		p.printf("%010d 00000 n \n", o)
	}
	p.printf("trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\nstartxref\n%d\n%%%%EOF\n", len(p.offs)+1, catalog, info, id, id, start)
	if p.err != nil {
		return p.err
	}
	return p.w.Flush()
}

// packers are used again: each has 800 KB of tables.
var packers = sync.Pool{New: func() any { return zlib.NewWriter(nil) }}

func deflate(data []byte) []byte {
	var b bytes.Buffer
	z := packers.Get().(*zlib.Writer)
	defer packers.Put(z)
	z.Reset(&b)
	_, _ = z.Write(data) // into memory
	_ = z.Close()
	return b.Bytes()
}

// pdfText is a text of the document's dictionary.
func pdfText(text string) string { return "<FEFF" + hex16(text) + ">" }

// canvas is what is drawn on a page. Its origin is the upper left corner; y grows downward.
type canvas struct {
	bytes.Buffer
	height float64
	fonts  *pdfFonts
}

// pdfFonts are the fonts of a document in the order they were first used.
type pdfFonts struct {
	list []*pdfFont
}

func (fs *pdfFonts) of(file *fontFile) *pdfFont {
	if i := slices.IndexFunc(fs.list, func(f *pdfFont) bool { return f.file == file }); i >= 0 {
		return fs.list[i]
	}
	f := newPDFFont(file, "F"+strconv.Itoa(len(fs.list)+1))
	fs.list = append(fs.list, f)
	return f
}

// num writes a number as short as it can be, with a blank after it.
func (c *canvas) num(values ...float64) {
	for _, v := range values {
		b := strconv.AppendFloat(c.AvailableBuffer(), math.Round(v*1000)/1000, 'f', -1, 64)
		c.Write(append(b, ' '))
	}
}

func (c *canvas) paint(color Color, operator string) {
	c.num(float64(color[0])/255, float64(color[1])/255, float64(color[2])/255)
	c.WriteString(operator + "\n")
}

// box fills a rectangle.
func (c *canvas) box(x, y, width, height float64, color Color) {
	c.paint(color, "rg")
	c.num(x, c.height-y-height, width, height)
	c.WriteString("re f\n")
}

// text draws a line with its base line at y.
func (c *canvas) text(x, y float64, l line, st style) {
	if len(l.runs) == 0 {
		return
	}
	c.WriteString("BT ")
	c.paint(st.color, "rg")
	for _, r := range l.runs {
		f := c.fonts.of(r.face.fontFile)
		if r.face.bolden {
			c.paint(st.color, "RG")
			c.num(st.size * 0.03)
			c.WriteString("w 2 Tr ")
		}
		c.WriteString("/" + f.name + " ")
		c.num(st.size)
		c.WriteString("Tf 1 0 0 1 ")
		c.num(x, c.height-y)
		c.WriteString("Tm ")
		c.run(f, r, st.size)
		if r.face.bolden {
			c.WriteString("0 Tr ")
		}
		x += r.width * st.size
	}
	c.WriteString("ET\n")
}

// run draws the glyphs of a run. Where one does not stand where the widths of those before it would put it, the difference is
// said in thousandths of an em; one above or below the base line is raised.
func (c *canvas) run(f *pdfFont, r run, size float64) {
	const digits = "0123456789ABCDEF"
	unit := 1000 / r.face.em
	pen, at, rise := 0.0, 0.0, int32(0)
	open := false // within < >
	c.WriteByte('[')
	closed := func() {
		if open {
			c.WriteByte('>')
			open = false
		}
	}
	for _, g := range r.glyphs {
		if g.dy != rise {
			closed()
			c.WriteString("]TJ ")
			c.num(float64(g.dy) / r.face.em * size)
			c.WriteString("Ts [")
			rise = g.dy
		}
		if off := at - (pen + float64(g.dx)*unit); math.Abs(off) >= 0.5 {
			closed()
			off = math.Round(off)
			c.num(off)
			at -= off
		}
		if !open {
			c.WriteByte('<')
			open = true
		}
		n := f.number(g)
		c.Write([]byte{digits[n>>12], digits[n>>8&15], digits[n>>4&15], digits[n&15]})
		at += float64(f.width(g.id))
		pen += float64(g.advance) * unit
	}
	closed()
	c.WriteString("]TJ ")
	if rise != 0 {
		c.WriteString("0 Ts ")
	}
}
