package print

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"
)

// opened is a PDF as a reader sees it.
type opened struct {
	raw   []byte
	pages [][]string // what each line that was drawn on it says, as the maps of its fonts tell it
}

var meta = Meta{
	Title: "Twenty visits – 王小明", Organisation: "Wennick Coalition", Lang: "en", At: time.Date(2027, 3, 9, 12, 0, 0, 0, time.UTC),
	Page: func(page, of int) string { return fmt.Sprintf("page %d of %d", page, of) },
}

func write(t testing.TB, fill func(d *Document)) opened {
	t.Helper()
	d := NewDocument(A4, meta)
	fill(d)
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return open(t, b.Bytes())
}

var (
	objects  = regexp.MustCompile(`(?s)(\d+) 0 obj\n(.*?)\nendobj`)
	contents = regexp.MustCompile(`/Contents\[(\d+) 0 R (\d+) 0 R\]`)
	fontRefs = regexp.MustCompile(`/(F\d+) (\d+) 0 R`)
	mapRef   = regexp.MustCompile(`/ToUnicode (\d+) 0 R`)
	mapLine  = regexp.MustCompile(`<([0-9A-F]{4})> <([0-9A-F]+)>\n`)
	drawn    = regexp.MustCompile(`(?s)BT (.*?)ET\n`)
	parts1   = regexp.MustCompile(`/(F\d+) [\d.]+ Tf|<([0-9A-F]*)>`)
)

// open reads what this package writes: it follows the table of objects and the maps from glyphs to text.
func open(t testing.TB, raw []byte) opened {
	t.Helper()
	bodies := map[string]string{}
	for _, m := range objects.FindAllSubmatchIndex(raw, -1) {
		n := string(raw[m[2]:m[3]])
		bodies[n] = string(raw[m[4]:m[5]])
		if want := fmt.Sprintf("%010d 00000 n", m[0]); !bytes.Contains(raw, []byte(want)) {
			t.Fatalf("object %s is not where the table says", n)
		}
	}
	fonts := map[string]map[string]string{}
	for _, body := range bodies {
		if !strings.HasPrefix(body, "<</Font<<") {
			continue
		}
		for _, ref := range fontRefs.FindAllStringSubmatch(body, -1) {
			fonts[ref[1]] = map[string]string{}
			for _, l := range mapLine.FindAllStringSubmatch(inflate(t, bodies[mapRef.FindStringSubmatch(bodies[ref[2]])[1]]), -1) {
				fonts[ref[1]][l[1]] = fromHex16(l[2])
			}
		}
	}
	out := opened{raw: raw}
	for n := 1; n <= len(bodies); n++ {
		m := contents.FindStringSubmatch(bodies[strconv.Itoa(n)])
		if m == nil {
			continue
		}
		page := []string{}
		for _, block := range drawn.FindAllStringSubmatch(inflate(t, bodies[m[1]])+inflate(t, bodies[m[2]]), -1) {
			text, font := "", ""
			for _, p := range parts1.FindAllStringSubmatch(block[1], -1) {
				if p[1] != "" {
					font = p[1]
				}
				for i := 0; i+4 <= len(p[2]); i += 4 {
					text += fonts[font][p[2][i:i+4]]
				}
			}
			page = append(page, text)
		}
		out.pages = append(out.pages, page)
	}
	return out
}

func inflate(t testing.TB, body string) string {
	t.Helper()
	_, data, _ := strings.Cut(body, ">>stream\n")
	z, err := zlib.NewReader(strings.NewReader(strings.TrimSuffix(data, "\nendstream")))
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func fromHex16(s string) string {
	var units []uint16
	for i := 0; i+4 <= len(s); i += 4 {
		u, _ := strconv.ParseUint(s[i:i+4], 16, 16)
		units = append(units, uint16(u))
	}
	return string(utf16.Decode(units))
}

// TestTextCanBeCopied: what the maps of the fonts tell is what was written; right to left in the order it is seen.
func TestTextCanBeCopied(t *testing.T) {
	for name := range names {
		pdf := write(t, func(d *Document) { d.Paragraph(name) })
		s := newSetter("en")
		want := ""
		for _, r := range s.one(name, bodyStyle).runs {
			for _, g := range r.glyphs {
				want += g.text
			}
		}
		if got := pdf.pages[0][1]; got != want {
			t.Errorf("%s: the page says %q, want %q", name, got, want)
		}
	}
	pdf := write(t, func(d *Document) { d.Paragraph("Nguyễn, Жанна и 王小明: ﬁ 😀") })
	if got := pdf.pages[0]; !slices.Equal(got, []string{"Wennick Coalition", "Nguyễn, Жанна и 王小明: ﬁ 😀", "Twenty visits – 王小明", "page 1 of 1"}) {
		t.Errorf("%q", got)
	}
	for _, want := range []string{"/Title" + pdfText(meta.Title), "/Lang" + pdfText("en"), "/CreationDate(D:20270309120000Z)", "/FontFile2"} {
		if !bytes.Contains(pdf.raw, []byte(want)) {
			t.Errorf("no %s", want)
		}
	}
}

// everything uses every part once.
func everything(d *Document) {
	d.Title("3,184 people ask you to bring HB 412 to a vote")
	d.Lead("Each confirmed by mail, by code or by phone.")
	d.List(true, "Cover 20 visits", "", "Answer within 72 hours")
	d.List(false, "שרה")
	d.Heading("Where they live")
	table := d.Table(Column{Title: "District", Width: 2}, Column{Title: "Signed", Width: 1, Right: true}, Column{Width: 3, Bar: true})
	table.Share(1, "District 12", "225")
	table.Share(0.5, "محمد", "112", "not shown", "beyond")
	table.Row("District 13")
	d.Small("All 60 districts.")
	d.Quote("After visit six I did the exercises from a sheet of paper.", "June O.")
	d.Facts(Fact{"Handed over", "9 March"}, Fact{"שם", "ערך"})
	d.QR([][]bool{{true, false}, {false, true}}, 80, "act.example.org/twenty", "Or call.")
	d.Rule()
	d.Space(10)
	d.PageBreak()
	d.PageBreak()
	d.Paragraph("The end.")
}

func TestSameInputSameBytes(t *testing.T) {
	a, b := write(t, everything), write(t, everything)
	if !bytes.Equal(a.raw, b.raw) {
		t.Error("two documents of the same input differ")
	}
	if len(a.pages) != 2 {
		t.Errorf("%d pages", len(a.pages))
	}
	if all := strings.Join(a.pages[0], "\n"); strings.Contains(all, "not shown") || strings.Contains(all, "beyond") || !strings.Contains(all, "June O.") {
		t.Errorf("the first page says %s", all)
	}
	if strings.Contains(string(a.raw), "June") {
		t.Error("text lies in the file unpacked")
	}
}

func TestHeaderStandsOnEveryPage(t *testing.T) {
	pdf := write(t, func(d *Document) {
		table := d.Table(Column{Title: "Name", Width: 1}, Column{Title: "District", Width: 1})
		for i := range 120 {
			table.Row(fmt.Sprintf("Person %d", i), strings.Repeat("district ", i%30))
		}
		d.Paragraph("after")
		d.PageBreak()
		d.Paragraph("another page")
	})
	if len(pdf.pages) < 4 {
		t.Fatalf("%d pages", len(pdf.pages))
	}
	next := 0
	for i, page := range pdf.pages[:len(pdf.pages)-1] {
		if page[1] != "Name" || page[2] != "District" {
			t.Errorf("page %d begins with %q", i+1, page[:3])
		}
		for _, l := range page {
			if l == fmt.Sprintf("Person %d", next) {
				next++
			}
		}
		if want := fmt.Sprintf("page %d of %d", i+1, len(pdf.pages)); page[len(page)-1] != want {
			t.Errorf("%q, want %q", page[len(page)-1], want)
		}
	}
	if next != 120 {
		t.Errorf("the rows end with %d", next)
	}
	if last := pdf.pages[len(pdf.pages)-1]; last[1] != "another page" {
		t.Errorf("the last page says %q", last)
	}
}

// TestHeadingKeepsWithItsText: wherever the page ends, a heading stands above what it is about, and no line of a paragraph alone.
func TestHeadingKeepsWithItsText(t *testing.T) {
	for above := range 60 {
		pdf := write(t, func(d *Document) {
			for range above {
				d.Small("line")
			}
			d.Heading("Heading")
			d.Paragraph("one\ntwo\nthree\nfour")
		})
		for _, page := range pdf.pages {
			body := page[1 : len(page)-2]
			if body[len(body)-1] == "Heading" || body[len(body)-1] == "one" || body[0] == "four" {
				t.Errorf("%d lines above: %q", above, body)
			}
		}
	}
}

func TestImage(t *testing.T) {
	src := image.NewNRGBA(image.Rect(0, 0, 40, 20))
	src.Set(3, 3, color.NRGBA{255, 0, 0, 128})
	var file bytes.Buffer
	if err := png.Encode(&file, src); err != nil {
		t.Fatal(err)
	}
	pdf := write(t, func(d *Document) {
		if err := d.Image(file.Bytes(), 100); err != nil {
			t.Error(err)
		}
		if err := d.Image(file.Bytes(), 9000); err != nil {
			t.Error(err)
		}
		if err := d.Image([]byte("GIF89a"), 100); !errors.Is(err, ErrPicture) {
			t.Error(err)
		}
		if err := d.Image(file.Bytes()[:60], 100); !errors.Is(err, ErrPicture) {
			t.Error(err)
		}
	})
	if n := bytes.Count(pdf.raw, []byte("/Subtype/Image/Width 40/Height 20")); n != 2 {
		t.Errorf("%d pictures", n)
	}
}

// TestHundredThousandNames: a list of everybody stays in bounded memory.
func TestHundredThousandNames(t *testing.T) {
	if testing.Short() {
		t.Skip("some seconds")
	}
	list := []string{"Nguyễn Thị Hồng Ánh", "محمد بن عبد الله", "王小明", "Jane Porter", "O'Brien-Ñandú"}
	d := NewDocument(A4, meta)
	table := d.Table(Column{Title: "Name", Width: 3}, Column{Title: "District", Width: 2}, Column{Title: "Signed", Width: 1, Right: true})
	var m runtime.MemStats
	most := uint64(0)
	for i := range 100_000 {
		table.Row(fmt.Sprint(list[i%len(list)], " ", i), "House district 12", "12 January")
		if i%2000 == 0 {
			runtime.ReadMemStats(&m)
			most = max(most, m.HeapAlloc)
		}
	}
	count := &counter{}
	if err := d.Write(count); err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&m)
	if most = max(most, m.HeapAlloc); most > 150<<20 {
		t.Errorf("%d MB in use", most>>20)
	}
	if pages := len(d.pages); pages < 2000 || count.n > 8<<20 {
		t.Errorf("%d pages, %d bytes", pages, count.n)
	}
}

type counter struct{ n int }

func (c *counter) Write(b []byte) (int, error) {
	c.n += len(b)
	return len(b), nil
}

func TestWriteTellsErrors(t *testing.T) {
	d := NewDocument(Letter, Meta{})
	d.Paragraph("x")
	if err := d.Write(full{}); err == nil {
		t.Error("no error")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("full") }

// BenchmarkRow measures one row of three cells.
func BenchmarkRow(b *testing.B) {
	d := NewDocument(A4, meta)
	table := d.Table(Column{Title: "Name", Width: 3}, Column{Title: "District", Width: 2}, Column{Title: "Signed", Width: 1, Right: true})
	for b.Loop() {
		table.Row("Nguyễn Thị Hồng Ánh", "House district 12", "12 January")
	}
}
