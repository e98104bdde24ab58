package imports

import (
	"archive/zip"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"kithline/campaigns/fault"
)

// book reads the first sheet of a workbook (Office Open XML, ECMA-376 part 1, 18), row by row, as it is unpacked. Only the
// table of shared texts is in memory, within limits. Nothing of it lies unpacked on a disk.
type book struct {
	columns []string
	bare    bool
	pending *Row
	texts   *texts
	dates   []bool // which styles are dates
	from    time.Time
	others  []string
	read    *atomic.Int64

	rc    io.Closer
	xml   *xml.Decoder
	pace  *tokenLimit
	line  int
	ended bool
}

// Limits of a workbook.
const (
	maxTexts = 96 << 20 // bytes of shared texts
	maxToken = 4 << 20  // bytes between two marks of XML
)

const bookFile = "xl/workbook.xml"

func isBook(z *zip.Reader) bool {
	return slices.ContainsFunc(z.File, func(f *zip.File) bool { return strings.EqualFold(f.Name, bookFile) })
}

func fileOf(z *zip.Reader, name string) *zip.File {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return strings.EqualFold(f.Name, name) })
	if i < 0 {
		return nil
	}
	return z.File[i]
}

// openBook opens the first sheet that people see. The faults are Invalid: error.import_archive, error.import_bomb,
// error.import_locked, error.import_book_large, error.import_empty, error.import_columns_many.
func openBook(z *zip.Reader, g *guard) (*book, error) {
	b := &book{from: time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)}
	sheet, strs, styles, err := b.parts(z, g)
	if err != nil {
		return nil, err
	}
	if b.texts, err = readTexts(fileOf(z, strs), g); err != nil {
		return nil, err
	}
	if err := b.styles(fileOf(z, styles), g); err != nil {
		return nil, err
	}
	f := fileOf(z, sheet)
	if f == nil {
		return nil, errDamaged
	}
	rc, err := g.open(f)
	if err != nil {
		return nil, err
	}
	b.rc = rc
	b.xml, b.pace = decoder(rc)
	first, err := b.row()
	for err == nil && first.Bad == nil && blank(first.Cells) {
		first, err = b.row()
	}
	switch {
	case errors.Is(err, io.EOF):
		return nil, fault.New(fault.Invalid, "error.import_empty")
	case err != nil:
		return nil, err
	case first.Bad != nil:
		return nil, fault.New(fault.Invalid, first.Bad.Key, first.Bad.Args...)
	}
	cells := trimEmpty(first.Cells, 1)
	if len(cells) > maxColumns {
		return nil, fault.New(fault.Invalid, "error.import_columns_many", "Columns", itoa(len(cells)), "Most", itoa(maxColumns))
	}
	if b.bare = slices.ContainsFunc(cells, isAddress); b.bare {
		first.Cells = cells
		b.pending = &first
	}
	for i, c := range cells {
		if b.bare {
			c = itoa(i + 1)
		}
		b.columns = append(b.columns, truncate(flat(c), 100))
	}
	return b, nil
}

// decoder reads XML whose pieces are not endless.
func decoder(r io.Reader) (*xml.Decoder, *tokenLimit) {
	l := &tokenLimit{r: r}
	return xml.NewDecoder(l), l
}

// tokenLimit ends a file in which nothing ends.
type tokenLimit struct {
	r io.Reader
	n int
}

func (l *tokenLimit) Read(p []byte) (int, error) {
	if l.n > maxToken {
		return 0, errBomb
	}
	n, err := l.r.Read(p)
	l.n += n
	return n, err
}

// walk calls fn for each mark of an XML file.
func walk(f *zip.File, g *guard, fn func(xml.Token) error) error {
	if f == nil {
		return nil
	}
	rc, err := g.open(f)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	d, l := decoder(rc)
	for {
		l.n = 0
		t, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return archiveError(err)
		}
		if err := fn(t); err != nil {
			return err
		}
	}
}

func attr(e xml.StartElement, name string) string {
	for _, a := range e.Attr {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// parts finds where in the archive the first sheet, the shared texts and the styles lie.
func (b *book) parts(z *zip.Reader, g *guard) (sheet, strs, styles string, err error) {
	var id string
	err = walk(fileOf(z, bookFile), g, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		switch {
		case ok && e.Name.Local == "workbookPr":
			if v := attr(e, "date1904"); v == "1" || v == "true" {
				b.from = time.Date(1904, 1, 1, 0, 0, 0, 0, time.UTC)
			}
		case ok && e.Name.Local == "sheet" && len(b.others) < 100:
			hidden := attr(e, "state") != "" && attr(e, "state") != "visible"
			if id == "" && !hidden {
				for _, a := range e.Attr {
					if a.Name.Local == "id" {
						id = a.Value
					}
				}
				return nil
			}
			b.others = append(b.others, truncate(flat(attr(e, "name")), 60))
		}
		return nil
	})
	if err != nil {
		return "", "", "", err
	}
	err = walk(fileOf(z, "xl/_rels/workbook.xml.rels"), g, func(t xml.Token) error {
		e, ok := t.(xml.StartElement)
		if !ok || e.Name.Local != "Relationship" {
			return nil
		}
		target := attr(e, "Target")
		if strings.HasPrefix(target, "/") {
			target = strings.TrimPrefix(target, "/")
		} else {
			target = path.Join("xl", target)
		}
		switch kind := path.Base(attr(e, "Type")); {
		case attr(e, "Id") == id:
			sheet = target
		case kind == "sharedStrings":
			strs = target
		case kind == "styles":
			styles = target
		}
		return nil
	})
	if err == nil && sheet == "" {
		err = errDamaged
	}
	return sheet, strs, styles, err
}

// styles notes which styles show a number as a date: those of the format's own list, and those whose code has a day, month or
// year in it.
func (b *book) styles(f *zip.File, g *guard) error {
	custom, inCells := map[int]bool{}, false
	return walk(f, g, func(t xml.Token) error {
		switch e := t.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "numFmt":
				if id, err := strconv.Atoi(attr(e, "numFmtId")); err == nil && len(custom) < 10_000 {
					custom[id] = isDateCode(attr(e, "formatCode"))
				}
			case "cellXfs":
				inCells = true
			case "xf":
				if inCells && len(b.dates) < 100_000 {
					id, err := strconv.Atoi(attr(e, "numFmtId"))
					b.dates = append(b.dates, err == nil && (custom[id] || id >= 14 && id <= 17 || id == 22 || id >= 27 && id <= 36 || id >= 50 && id <= 58))
				}
			}
		case xml.EndElement:
			if e.Name.Local == "cellXfs" {
				inCells = false
			}
		}
		return nil
	})
}

func isDateCode(code string) bool {
	quoted, bracket := false, false
	for _, r := range strings.ToLower(code) {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '[':
			bracket = true
		case r == ']':
			bracket = false
		case bracket:
		case r == 'y' || r == 'd':
			return true
		}
	}
	return false
}

// texts is the table of shared texts: one after another in pieces, and where each begins.
type texts struct {
	pieces [][]byte
	starts []uint32 // piece in the upper 12 bits, place in the lower 20
	sizes  []uint32
	total  int
}

const pieceSize = 1 << 20

func (x *texts) add(s []byte) error {
	if x.total += len(s) + 8; x.total > maxTexts {
		return fault.New(fault.Invalid, "error.import_book_large")
	}
	last := len(x.pieces) - 1
	if last < 0 || len(x.pieces[last])+len(s) > pieceSize {
		x.pieces = append(x.pieces, make([]byte, 0, pieceSize))
		last++
	}
	x.starts = append(x.starts, uint32(last)<<20|uint32(len(x.pieces[last])))
	x.sizes = append(x.sizes, uint32(len(s)))
	x.pieces[last] = append(x.pieces[last], s...)
	return nil
}

func (x *texts) get(i int) string {
	if i < 0 || i >= len(x.starts) {
		return ""
	}
	at := x.starts[i]
	p := at & (pieceSize - 1)
	return string(x.pieces[at>>20][p : p+x.sizes[i]])
}

// readTexts reads the table. A text beyond the limit of a cell is kept just long enough to be refused with its row.
func readTexts(f *zip.File, g *guard) (*texts, error) {
	x := &texts{}
	var text []byte
	in, sound := false, 0
	return x, walk(f, g, func(t xml.Token) error {
		switch e := t.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "si":
				text = text[:0]
			case "t":
				in = sound == 0
			case "rPh": // how it is said, not what it is
				sound++
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "si":
				return x.add(text)
			case "t":
				in = false
			case "rPh":
				sound--
			}
		case xml.CharData:
			if in && len(text) <= maxCell {
				text = append(text, e[:min(len(e), maxCell+1-len(text))]...)
			}
		}
		return nil
	})
}

// Columns are the headers, or numbers.
func (b *book) Columns() []string { return b.columns }

// Bare reports whether there are no headers.
func (b *book) Bare() bool { return b.bare }

// Encoding is that of every workbook.
func (b *book) Encoding() string { return "XLSX" }

// Delimiter is none.
func (b *book) Delimiter() byte { return 0 }

// Offset is how much of the archive was read.
func (b *book) Offset() int64 {
	if b.read == nil {
		return 0
	}
	return b.read.Load()
}

// Next returns the next row that is not empty. A sheet that is damaged further on ends with a bad row that says so.
func (b *book) Next() (Row, error) {
	if b.pending != nil {
		row := *b.pending
		b.pending = nil
		return b.fit(row), nil
	}
	for {
		row, err := b.row()
		var e *fault.Error
		if errors.As(err, &e) && e.Kind == fault.Invalid {
			b.ended = true
			return Row{Line: b.line + 1, Bad: &Reason{Key: e.Key, Args: e.Args}}, nil
		}
		if err != nil {
			return Row{}, err
		}
		if row.Bad != nil || !blank(row.Cells) {
			return b.fit(row), nil
		}
	}
}

// fit gives a row a cell for each column: cells at its end that are empty are not in the file.
func (b *book) fit(row Row) Row {
	if row.Bad != nil {
		return row
	}
	row.Cells = trimEmpty(row.Cells, len(b.columns))
	if n := len(row.Cells); n > len(b.columns) {
		row.Bad = &Reason{Key: "error.import_columns", Args: []any{"Cells", itoa(n), "Columns", itoa(len(b.columns))}}
	}
	for len(row.Cells) < len(b.columns) {
		row.Cells = append(row.Cells, "")
	}
	return row
}

// row reads on to the end of the next row.
func (b *book) row() (Row, error) {
	if b.ended {
		return Row{}, io.EOF
	}
	var (
		row       Row
		in        bool // a row
		text      []byte
		kind      string
		style, at int
		value     bool // within what a cell holds
		size      int
	)
	for {
		b.pace.n = 0
		t, err := b.xml.RawToken()
		if errors.Is(err, io.EOF) {
			b.ended = true
			_ = b.rc.Close() // it was read
			return Row{}, io.EOF
		}
		if err != nil {
			return Row{}, archiveError(err)
		}
		switch e := t.(type) {
		case xml.StartElement:
			switch e.Name.Local {
			case "row":
				in, at, size, row = true, -1, 0, Row{}
				b.line++
				if n, err := strconv.Atoi(attr(e, "r")); err == nil && n >= b.line {
					b.line = n
				}
				row.Line = b.line
			case "c":
				at++
				if n, ok := columnOf(attr(e, "r")); ok {
					at = n
				}
				kind, text, style = attr(e, "t"), text[:0], -1
				if n, err := strconv.Atoi(attr(e, "s")); err == nil {
					style = n
				}
			case "v", "t":
				value = in
			case "rPh", "f":
				value = false
			}
		case xml.EndElement:
			switch e.Name.Local {
			case "v", "t":
				value = false
			case "c":
				s := b.value(kind, style, text)
				if s == "" || !in || at < 0 {
					continue
				}
				if size += len(s); len(s) > maxCell || size > maxRecord || at >= 4*maxColumns {
					row.Bad = &Reason{Key: "error.import_long"}
					continue
				}
				for len(row.Cells) <= at {
					row.Cells = append(row.Cells, "")
				}
				row.Cells[at] = strings.ReplaceAll(s, "\x00", "")
			case "row":
				if in {
					return row, nil
				}
			}
		case xml.CharData:
			if value && len(text) <= maxCell {
				text = append(text, e[:min(len(e), maxCell+1-len(text))]...)
			}
		}
	}
}

// columnOf is the number of a column, from 0, by the name of a cell: "B12" is 1.
func columnOf(ref string) (int, bool) {
	n := 0
	for i := range len(ref) {
		c := ref[i] | 0x20
		if c < 'a' || c > 'z' {
			break
		}
		if n = n*26 + int(c-'a') + 1; n > 1<<15 {
			return 0, false
		}
	}
	return n - 1, n > 0
}

// value is what a cell shows, as a list in text would have it.
func (b *book) value(kind string, style int, text []byte) string {
	switch kind {
	case "s":
		i, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			return ""
		}
		return b.texts.get(i)
	case "inlineStr", "str", "d":
		return string(text)
	case "e": // an error of a formula
		return ""
	case "b":
		if string(text) == "1" {
			return "true"
		}
		return "false"
	}
	s := strings.TrimSpace(string(text))
	f, err := strconv.ParseFloat(s, 64)
	if s == "" || err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return s
	}
	if style >= 0 && style < len(b.dates) && b.dates[style] && f > 0 && f < 2_958_466 { // the year 9999
		t := b.from.Add(time.Duration(math.Round(f*86400)) * time.Second)
		if t.Hour() == 0 && t.Minute() == 0 && t.Second() == 0 {
			return t.Format(time.DateOnly)
		}
		return t.Format(time.DateTime)
	}
	if strings.ContainsAny(s, ".eE") && math.Abs(f) < 1e15 { // 15 digits is what the program shows
		if f, err = strconv.ParseFloat(strconv.FormatFloat(f, 'g', 15, 64), 64); err == nil {
			return strconv.FormatFloat(f, 'f', -1, 64)
		}
	}
	return s
}
