package exports

import (
	"bytes"
	"unicode/utf8"

	"kithline/models/tables"
)

// format writes the rows of a list. head and row append to b. row is called by several workers at once.
type format interface {
	head(b []byte, columns []column) []byte
	row(b []byte, columns []column, cells [][][]byte) []byte
}

func formatOf(name string) format {
	switch name {
	case JSONL:
		return jsonLines{}
	case XLSX:
		return sheetRows{}
	}
	return commas{}
}

// commas is CSV (RFC 4180) in UTF-8, a header first. A cell that a spreadsheet would take for a formula begins with an
// apostrophe, which an import takes off again. A list stands in one cell, with commas between.
type commas struct{}

func (commas) head(b []byte, columns []column) []byte {
	for i, c := range columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, []byte(c.name))
	}
	return append(b, "\r\n"...)
}

func (commas) row(b []byte, columns []column, cells [][][]byte) []byte {
	for i, values := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		switch len(values) {
		case 0:
		case 1:
			if columns[i].many {
				b = appendCell(b, appendItems(nil, values))
			} else {
				b = appendCell(b, values[0])
			}
		default:
			b = appendCell(b, appendItems(nil, values))
		}
	}
	return append(b, "\r\n"...)
}

// AppendRow appends one row of CSV, as lists are written: no cell is a formula.
func AppendRow(b []byte, cells ...string) []byte {
	for i, c := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendCell(b, []byte(c))
	}
	return append(b, "\r\n"...)
}

// formulas are the characters by which a spreadsheet knows a formula.
const formulas = "=+-@\t\r"

// appendCell writes one cell, quoted where it has to be. No cell holds a zero byte.
func appendCell(b, v []byte) []byte {
	inert := len(v) > 0 && bytes.IndexByte([]byte(formulas), v[0]) >= 0
	if !inert && !bytes.ContainsAny(v, "\",\r\n\x00") && (len(v) == 0 || v[0] != ' ') {
		return append(b, v...)
	}
	b = append(b, '"')
	if inert {
		b = append(b, '\'')
	}
	for _, c := range v {
		switch c {
		case 0:
		case '"':
			b = append(b, '"', '"')
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendItems writes a list into one text: commas between, an item with a comma or a quotation mark in quotation marks.
func appendItems(b []byte, values [][]byte) []byte {
	for i, v := range values {
		if i > 0 {
			b = append(b, ", "...)
		}
		if !bytes.ContainsAny(v, ",\"") {
			b = append(b, v...)
			continue
		}
		b = append(b, '"')
		for _, c := range v {
			if c == '"' {
				b = append(b, '"')
			}
			b = append(b, c)
		}
		b = append(b, '"')
	}
	return b
}

// jsonLines is one JSON object a line (RFC 8259), every column in it: a text, null where there is none, or a list of texts.
type jsonLines struct{}

func (jsonLines) head(b []byte, _ []column) []byte { return b }

func (jsonLines) row(b []byte, columns []column, cells [][][]byte) []byte {
	b = append(b, '{')
	for i, values := range cells {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), columns[i].name...), `":`...)
		switch {
		case columns[i].many:
			b = append(b, '[')
			for k, v := range values {
				if k > 0 {
					b = append(b, ',')
				}
				b = appendJSON(b, v)
			}
			b = append(b, ']')
		case len(values) == 0:
			b = append(b, "null"...)
		default:
			b = appendJSON(b, values[0])
		}
	}
	return append(b, "}\n"...)
}

func appendJSON(b, v []byte) []byte {
	for _, c := range v {
		if c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			return tables.AppendText(b, string(v))
		}
	}
	return append(append(append(b, '"'), v...), '"')
}
