package imports

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
)

// expander shows what a JSON object in a cell holds as columns of their own: "attributes: city". listmonk writes such a
// column. Which columns there are is told by the rows at the beginning of a file.
type expander struct {
	rows
	at    int
	keys  []string
	names []string
	ahead []Row
	err   error // what ended the looking ahead
}

const (
	expanded   = ": "
	expandRows = 500     // rows that are looked at
	expandSize = 4 << 20 // bytes of them
	expandKeys = 100
)

// expand puts an expander around a file that has a column of attributes, and returns any other as it is.
func expand(r rows) (rows, error) {
	at := slices.IndexFunc(r.Columns(), func(c string) bool { n := normal(c); return n == "attributes" || n == "attribs" })
	if at < 0 || r.Bare() {
		return r, nil
	}
	x := &expander{rows: r, at: at}
	size := 0
	for len(x.ahead) < expandRows && size < expandSize {
		row, err := r.Next()
		if errors.Is(err, io.EOF) {
			x.err = err
			break
		}
		if err != nil {
			return nil, err
		}
		x.ahead = append(x.ahead, row)
		if row.Bad != nil {
			continue
		}
		size += len(row.Cells[at])
		values, ok := object(row.Cells[at])
		if !ok {
			continue
		}
		for k := range values {
			if !slices.Contains(x.keys, k) && len(k) <= 80 && flat(k) != "" {
				x.keys = append(x.keys, k)
			}
		}
		if len(x.keys) > expandKeys {
			break
		}
	}
	slices.Sort(x.keys)
	x.keys = x.keys[:min(len(x.keys), expandKeys, maxColumns-len(r.Columns()))]
	x.names = slices.Clone(r.Columns())
	for _, k := range x.keys {
		x.names = append(x.names, r.Columns()[at]+expanded+flat(k))
	}
	return x, nil
}

// object reads a JSON object; ok is false where the cell holds none.
func object(cell string) (values map[string]any, ok bool) {
	cell = strings.TrimSpace(cell)
	if !strings.HasPrefix(cell, "{") {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader([]byte(cell)))
	d.UseNumber()
	return values, d.Decode(&values) == nil
}

// Columns are those of the file, then those of the objects.
func (x *expander) Columns() []string { return x.names }

// Next returns the next row with what its object holds.
func (x *expander) Next() (row Row, err error) {
	switch {
	case len(x.ahead) > 0:
		row, x.ahead = x.ahead[0], x.ahead[1:]
	case x.err != nil:
		return Row{}, x.err
	default:
		if row, err = x.rows.Next(); err != nil {
			return Row{}, err
		}
	}
	if row.Bad != nil {
		return row, nil
	}
	cell := row.Cells[x.at]
	values, ok := object(cell)
	if !ok && strings.TrimSpace(cell) != "" {
		row.Bad = &Reason{Key: "error.import_json"}
	}
	cells := make([]string, len(row.Cells), len(x.names))
	copy(cells, row.Cells)
	for _, k := range x.keys {
		cells = append(cells, strings.ReplaceAll(said(values[k]), "\x00", ""))
	}
	row.Cells = cells
	return row, nil
}

// said is a JSON value as a cell would hold it: an array as a quoted list.
func said(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = said(e)
		}
		var b strings.Builder
		w := csv.NewWriter(&b)
		_ = w.Write(parts) // into memory
		w.Flush()
		return strings.TrimRight(b.String(), "\n")
	}
	b, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(b)
}
