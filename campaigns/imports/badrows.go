package imports

import (
	"encoding/csv"
	"io"
	"strings"
)

// Words translates a locale key, with name, value pairs for the message.
type Words func(lang, key string, args ...any) string

// BadRow is a row that was not taken, with all its cells, to be mended and imported again.
type BadRow struct {
	Row
	Reason Reason
}

// BadWriter writes rows that were not taken as CSV: the columns of the file, then the line and the reason. A cell that a
// spreadsheet would take for a formula gets an apostrophe in front, which the next import takes off again.
type BadWriter struct {
	csv  *csv.Writer
	tell func(Reason) string
	wide int
}

// NewBadWriter writes the headers; tell puts a reason into words.
func NewBadWriter(w io.Writer, columns []string, bareFile bool, tell func(Reason) string, line, reason string) (*BadWriter, error) {
	b := &BadWriter{csv: csv.NewWriter(w), tell: tell, wide: len(columns)}
	if bareFile { // no headers in, none out: the file can be imported again as it is
		return b, nil
	}
	return b, b.write(append(append([]string{}, columns...), line, reason))
}

// Write writes one row.
func (b *BadWriter) Write(r BadRow) error {
	cells := make([]string, b.wide, b.wide+2)
	over := r.Cells[min(copy(cells, r.Cells), len(r.Cells)):]
	line := itoa(r.Line)
	if r.File != "" {
		line = r.File + ": " + line
	}
	return b.write(append(append(cells, line, b.tell(r.Reason)), over...)) // what was too much stands behind the reason
}

// Flush writes what waits.
func (b *BadWriter) Flush() error {
	b.csv.Flush()
	return b.csv.Error()
}

func (b *BadWriter) write(cells []string) error {
	for i, c := range cells {
		cells[i] = inert(strings.ReplaceAll(c, "\x00", ""))
	}
	return b.csv.Write(cells)
}

const formula = "=+-@\t\r"

// inert keeps a spreadsheet from taking a cell for a formula.
func inert(s string) string {
	if s != "" && strings.IndexByte(formula, s[0]) >= 0 {
		return "'" + s
	}
	return s
}

// bare takes off what inert put on.
func bare(s string) string {
	if len(s) > 1 && s[0] == '\'' && strings.IndexByte(formula, s[1]) >= 0 {
		return s[1:]
	}
	return s
}
