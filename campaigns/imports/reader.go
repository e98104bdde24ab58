package imports

import (
	"bytes"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"kithline/campaigns/fault"
)

// Limits of a file. They bound memory, whatever the file's size.
const (
	maxRecord  = 256 << 10 // bytes of one row
	maxCell    = 64 << 10  // bytes of one cell; a quote that is open for longer was not meant
	maxColumns = 1000
	maxBack    = 1000 // bytes of a line that could not be read, as it is handed back
)

// Reason is why a row was not taken: a locale key with its values.
type Reason struct {
	Key  string
	Args []any // name, value pairs
}

// Row is one row of a file. Cells has a value for each column, unless Bad says why not; then it holds what could be read,
// for the file of errors.
type Row struct {
	Line  int    // where it begins, from 1; in a workbook the number of the row
	File  string // which file of a ZIP it is from
	Cells []string
	Bad   *Reason

	n    int  // which row of all it is, from 1
	left bool // the file of the ZIP holds people who left
}

// Reader reads delimited text as people's programs write it: comma, semicolon, tab or bar; UTF-8 with or without a mark,
// UTF-16, Windows-1252; any line end. A row that cannot be read is returned as bad, and reading goes on at the next line:
// an open quote costs its own line, not the rest of the file. Memory does not grow with the file.
type Reader struct {
	src     io.Reader
	raw     *counter
	buf     []byte
	start   int
	end     int
	eof     bool
	err     error
	delim   byte
	eol     byte
	line    int
	utf16   string
	latin   bool
	columns []string
	pending *Row // the first row of a file without headers
	bare    bool

	scratch []byte
	ends    []int
}

// counter counts what was read of the file itself.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// NewReader reads the head of a file and finds its encoding, delimiter and columns. The faults are Invalid: error.import_empty,
// error.import_binary for what is no text (a workbook, a ZIP), error.import_header, error.import_columns_many. An error of r
// comes back as it is.
func NewReader(r io.Reader) (*Reader, error) {
	c := &counter{r: r}
	d := &Reader{raw: c, src: c, buf: make([]byte, 32<<10), delim: ',', eol: '\n', line: 1}
	if err := d.encoding(); err != nil {
		return nil, err
	}
	for d.end < len(d.buf) && !d.eof {
		d.fill()
	}
	if d.err != nil {
		return nil, d.err
	}
	if err := d.shape(); err != nil {
		return nil, err
	}
	return d, nil
}

// Columns are the headers as they stand in the file; for one without headers "1", "2" and so on.
func (d *Reader) Columns() []string { return d.columns }

// Bare reports whether the file has no headers: its first line holds an address.
func (d *Reader) Bare() bool { return d.bare }

// Offset is how many bytes of the file have been read.
func (d *Reader) Offset() int64 { return d.raw.n }

// Encoding names how the file is written, as far as it has been read.
func (d *Reader) Encoding() string {
	switch {
	case d.utf16 != "":
		return d.utf16
	case d.latin:
		return "Windows-1252"
	}
	return "UTF-8"
}

// Delimiter is what stands between two cells.
func (d *Reader) Delimiter() byte { return d.delim }

func (d *Reader) fill() {
	if d.eof {
		return
	}
	if d.start > 0 {
		copy(d.buf, d.buf[d.start:d.end])
		d.end, d.start = d.end-d.start, 0
	}
	if d.end == len(d.buf) {
		grown := make([]byte, min(2*len(d.buf), maxRecord+1))
		copy(grown, d.buf)
		d.buf = grown
	}
	for range 100 {
		n, err := d.src.Read(d.buf[d.end:])
		d.end += n
		if err != nil {
			d.eof = true
			if !errors.Is(err, io.EOF) {
				d.err = err
			}
			return
		}
		if n > 0 {
			return
		}
	}
	d.eof, d.err = true, io.ErrNoProgress
}

// encoding looks at the first bytes. A file in UTF-16 is read through a decoder; everything else is taken as it is, and a
// row that is not UTF-8 is read as Windows-1252.
func (d *Reader) encoding() error {
	for d.end < 512 && !d.eof {
		d.fill()
	}
	if d.err != nil {
		return d.err
	}
	head := d.buf[:d.end]
	var order unicode.Endianness
	policy := unicode.IgnoreBOM
	switch {
	case bytes.HasPrefix(head, []byte("\xef\xbb\xbf")):
		d.start = 3
		return nil
	case bytes.HasPrefix(head, []byte("\xff\xfe")):
		d.utf16, order, policy = "UTF-16LE", unicode.LittleEndian, unicode.ExpectBOM
	case bytes.HasPrefix(head, []byte("\xfe\xff")):
		d.utf16, order, policy = "UTF-16BE", unicode.BigEndian, unicode.ExpectBOM
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")),
		bytes.HasPrefix(head, []byte("\xd0\xcf\x11\xe0")), bytes.HasPrefix(head, []byte("%PDF-")), bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return fault.New(fault.Invalid, "error.import_binary")
	default:
		var nul [2]int
		head = head[:min(len(head), 512)]
		for i, b := range head {
			if b == 0 {
				nul[i%2]++
			}
		}
		switch half := len(head) / 2; {
		case half >= 4 && nul[1]*10 > half*6 && nul[0] == 0:
			d.utf16, order = "UTF-16LE", unicode.LittleEndian
		case half >= 4 && nul[0]*10 > half*6 && nul[1] == 0:
			d.utf16, order = "UTF-16BE", unicode.BigEndian
		default:
			return nil
		}
	}
	read := bytes.Clone(d.buf[:d.end])
	rest := io.Reader(d.raw)
	if d.eof {
		rest = bytes.NewReader(nil)
	}
	d.src = transform.NewReader(io.MultiReader(bytes.NewReader(read), rest), unicode.UTF16(order, policy).NewDecoder())
	d.end, d.eof = 0, false
	return nil
}

// shape finds line end, delimiter and headers in the head.
func (d *Reader) shape() error {
	head := d.buf[d.start:d.end]
	if i := bytes.IndexAny(head, "\r\n"); i >= 0 && head[i] == '\r' && (i+1 >= len(head) || head[i+1] != '\n') {
		d.eol = '\r'
	}
	if first, _, _ := bytes.Cut(head, []byte{d.eol}); len(first) >= 5 && len(first) <= 7 && bytes.EqualFold(first[:4], []byte("sep=")) {
		d.delim = first[4] // Excel's own line
		d.take(min(len(first)+1, len(head)))
	} else {
		d.delim = d.sniff()
	}
	first, err := d.record()
	for err == nil && first.Bad == nil && blank(first.Cells) {
		first, err = d.record()
	}
	switch {
	case errors.Is(err, io.EOF):
		return fault.New(fault.Invalid, "error.import_empty")
	case err != nil:
		return err
	case first.Bad != nil:
		return fault.New(fault.Invalid, "error.import_header", "Line", itoa(first.Line))
	}
	cells := first.Cells
	for len(cells) > 1 && strings.TrimSpace(cells[len(cells)-1]) == "" { // a delimiter at the end of each line
		cells = cells[:len(cells)-1]
	}
	if len(cells) > maxColumns {
		return fault.New(fault.Invalid, "error.import_columns_many", "Columns", itoa(len(cells)), "Most", itoa(maxColumns))
	}
	if slices.ContainsFunc(cells, isAddress) {
		d.bare, d.pending = true, &first
		for i := range cells {
			d.columns = append(d.columns, itoa(i+1))
		}
		first.Cells = cells
		return nil
	}
	for _, c := range cells {
		d.columns = append(d.columns, truncate(flat(c), 100))
	}
	return nil
}

// sniff chooses the delimiter by which the first line has the most columns that are known, then the most columns.
func (d *Reader) sniff() byte {
	best, score := byte(','), math.MinInt
	for _, delim := range []byte{',', ';', '\t', '|'} {
		d.delim = delim
		b := d.buf[d.start:d.end]
		for len(b) > 0 && (b[0] == '\n' || b[0] == '\r') {
			b = b[1:]
		}
		var cells []string
		if _, state := d.parse(b, true); state == whole {
			cells = d.cells()
		} else {
			line, _, _ := bytes.Cut(b, []byte{d.eol})
			cells = strings.Split(d.text(line), string(delim))
		}
		s := len(cells)
		for _, c := range cells {
			switch {
			case strings.Contains(c, `"`): // a quoted cell was cut through
				s -= 100
			case isKnown(c) || isAddress(c):
				s += 100
			}
		}
		if s > score {
			best, score = delim, s
		}
	}
	return best
}

// Next returns the next row, bad ones among them, or io.EOF. Rows of empty cells are left out. Any other error is one of
// the source and ends the reading.
func (d *Reader) Next() (Row, error) {
	if d.pending != nil {
		row := *d.pending
		d.pending = nil
		return d.fit(row), nil
	}
	for {
		row, err := d.record()
		if err != nil {
			return Row{}, err
		}
		if row.Bad == nil && blank(row.Cells) {
			continue
		}
		return d.fit(row), nil
	}
}

// fit gives a row a cell for each column.
func (d *Reader) fit(row Row) Row {
	want := len(d.columns)
	if row.Bad != nil {
		return row
	}
	for len(row.Cells) > want && strings.TrimSpace(row.Cells[len(row.Cells)-1]) == "" {
		row.Cells = row.Cells[:len(row.Cells)-1]
	}
	if len(row.Cells) != want {
		row.Bad = &Reason{Key: "error.import_columns", Args: []any{"Cells", itoa(len(row.Cells)), "Columns", itoa(want)}}
	}
	return row
}

type state int

const (
	whole  state = iota
	more         // the record goes on behind what was read
	broken       // a quote where none can be
	long         // a cell or a row beyond the limits
)

// record reads one record. A quote that never closes, or one that made a row of several lines with the wrong number of
// cells, is taken as a slip in its first line: that line is bad, and reading goes on behind it.
func (d *Reader) record() (Row, error) {
	for {
		if d.start == d.end {
			d.fill()
			if d.start == d.end && d.eof {
				if d.err != nil {
					return Row{}, d.err
				}
				return Row{}, io.EOF
			}
		}
		if d.buf[d.start] == d.eol { // an empty line, or a million of them
			d.start++
			d.line++
			continue
		}
		b := d.buf[d.start:d.end]
		n, state := d.parse(b, d.eof)
		if state == more {
			if len(b) < maxRecord {
				d.fill()
				continue
			}
			state = long
		}
		if d.err != nil { // half a row before an error of the source is no row
			return Row{}, d.err
		}
		row := Row{Line: d.line}
		if state == whole {
			row.Cells = d.cells()
			lines := bytes.Count(b[:n], []byte{d.eol})
			wrong := d.columns != nil && len(trimEmpty(row.Cells, len(d.columns))) != len(d.columns)
			if lines <= 1 || !wrong {
				if bytes.IndexByte(b[:n], 0) >= 0 {
					row.Bad = &Reason{Key: "error.import_nul"}
					for i := range row.Cells {
						row.Cells[i] = strings.ReplaceAll(row.Cells[i], "\x00", "")
					}
				}
				d.line += lines
				d.start += n
				return row, nil
			}
			state = broken
		}
		row.Bad = &Reason{Key: "error.import_quote"}
		if state == long {
			row.Bad = &Reason{Key: "error.import_long"}
		}
		row.Cells = []string{d.dropLine()}
		return row, d.err
	}
}

// dropLine leaves the current line and returns its beginning.
func (d *Reader) dropLine() string {
	var back []byte
	for {
		b := d.buf[d.start:d.end]
		i := bytes.IndexByte(b, d.eol)
		n := i
		if i < 0 {
			n = len(b)
		}
		if room := maxBack - len(back); room > 0 {
			back = append(back, b[:min(n, room)]...)
		}
		d.start += n
		if i >= 0 {
			d.start++
			d.line++
			break
		}
		if d.eof {
			break
		}
		d.fill()
	}
	return strings.ReplaceAll(strings.TrimRight(d.text(back), "\r"), "\x00", "")
}

func (d *Reader) take(n int) {
	d.line += bytes.Count(d.buf[d.start:d.start+n], []byte{d.eol})
	d.start += n
}

// parse finds the first record in b: n bytes with its line end. Its cells are left in scratch and ends. eof says that
// nothing follows b.
func (d *Reader) parse(b []byte, eof bool) (n int, _ state) {
	d.scratch, d.ends = d.scratch[:0], d.ends[:0]
	i := 0
	for {
		begin := len(d.scratch)
		at := i
		for at < len(b) && b[at] == ' ' { // spaces before a quote
			at++
		}
		if at < len(b) && b[at] == '"' {
			i = at + 1
			for {
				j := bytes.IndexByte(b[i:], '"')
				if j < 0 || len(d.scratch)-begin+j > maxCell {
					if j >= 0 || len(b)-i > maxCell || eof {
						return 0, broken
					}
					return 0, more
				}
				d.scratch = append(d.scratch, b[i:i+j]...)
				i += j + 1
				if i == len(b) && !eof {
					return 0, more
				}
				if i == len(b) || b[i] != '"' {
					break
				}
				d.scratch = append(d.scratch, '"')
				i++
			}
			for i < len(b) && b[i] == ' ' { // and after it
				i++
			}
			if i == len(b) && !eof {
				return 0, more
			}
			if d.eol == '\n' && i < len(b) && b[i] == '\r' {
				if i+1 == len(b) && !eof {
					return 0, more
				}
				if i+1 == len(b) || b[i+1] == '\n' {
					i++
				}
			}
			if i < len(b) && b[i] != d.delim && b[i] != d.eol {
				return 0, broken
			}
		} else {
			j := i
			for j < len(b) && b[j] != d.delim && b[j] != d.eol {
				j++
			}
			if j-i > maxCell {
				return 0, long
			}
			if j == len(b) && !eof {
				return 0, more
			}
			cell := b[i:j]
			if d.eol == '\n' && (j == len(b) || b[j] == '\n') {
				cell = bytes.TrimSuffix(cell, []byte{'\r'})
			}
			d.scratch = append(d.scratch, cell...)
			i = j
		}
		d.ends = append(d.ends, len(d.scratch))
		if i >= len(b) {
			return len(b), whole
		}
		i++
		if b[i-1] == d.eol {
			return i, whole
		}
		if len(d.ends) > 4*maxColumns {
			return 0, long
		}
	}
}

// cells are the cells that parse found.
func (d *Reader) cells() []string {
	out := make([]string, len(d.ends))
	if utf8.Valid(d.scratch) {
		s, from := string(d.scratch), 0
		for i, to := range d.ends {
			out[i], from = s[from:to], to
		}
		return out
	}
	from := 0
	for i, to := range d.ends {
		out[i], from = d.text(d.scratch[from:to]), to
	}
	return out
}

// text reads bytes as UTF-8, and as Windows-1252 where they are none.
func (d *Reader) text(b []byte) string {
	if utf8.Valid(b) {
		return string(b)
	}
	d.latin = true
	s, err := charmap.Windows1252.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\ufffd")
	}
	return string(s)
}

// trimEmpty leaves out empty cells behind the n-th.
func trimEmpty(cells []string, n int) []string {
	for len(cells) > n && strings.TrimSpace(cells[len(cells)-1]) == "" {
		cells = cells[:len(cells)-1]
	}
	return cells
}

func blank(cells []string) bool {
	for _, c := range cells {
		if strings.TrimSpace(c) != "" {
			return false
		}
	}
	return true
}
