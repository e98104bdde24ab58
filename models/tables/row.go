package tables

import (
	"bytes"
	"database/sql"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Stamp is how a time is written: RFC 3339, UTC, microseconds, always as long, so that lines are alike for the compressor.
const Stamp = "2006-01-02T15:04:05.000000Z"

// Row is one row to scan into and to write from. The values hold one of sql.Null* each.
type Row struct {
	Columns []Column
	Values  []any
}

// NewRow makes a row to scan columns into.
func NewRow(columns []Column) Row {
	r := Row{columns, make([]any, len(columns))}
	for i, c := range columns {
		switch c.Kind {
		case Text:
			r.Values[i] = new(sql.NullString)
		case Int:
			r.Values[i] = new(sql.NullInt64)
		case Float:
			r.Values[i] = new(sql.NullFloat64)
		case Bool:
			r.Values[i] = new(sql.NullBool)
		case Bytes:
			r.Values[i] = new(sql.Null[[]byte])
		case Time:
			r.Values[i] = new(sql.NullTime)
		}
	}
	return r
}

// AppendTo writes the row as a JSON array and a line end. Text that is not UTF-8 is made so: the edge lets none in, and
// nothing could keep it.
func (r Row) AppendTo(b []byte) []byte {
	b = append(b, '[')
	for i := range r.Values {
		if i > 0 {
			b = append(b, ',')
		}
		b = r.AppendValue(b, i)
	}
	return append(b, "]\n"...)
}

// AppendValue writes one value as JSON: bytes as base64, times in RFC 3339, UTC, with microseconds.
func (r Row) AppendValue(b []byte, i int) []byte {
	switch v := r.Values[i].(type) {
	case *sql.NullString:
		if v.Valid {
			return AppendText(b, v.String)
		}
	case *sql.NullInt64:
		if v.Valid {
			return strconv.AppendInt(b, v.Int64, 10)
		}
	case *sql.NullFloat64:
		if v.Valid {
			return strconv.AppendFloat(b, v.Float64, 'g', -1, 64)
		}
	case *sql.NullBool:
		if v.Valid {
			return strconv.AppendBool(b, v.Bool)
		}
	case *sql.Null[[]byte]:
		if v.Valid {
			return append(base64.StdEncoding.AppendEncode(append(b, '"'), v.V), '"')
		}
	case *sql.NullTime:
		if v.Valid {
			return append(v.Time.UTC().AppendFormat(append(b, '"'), Stamp), '"')
		}
	}
	return append(b, "null"...)
}

// AppendText writes a JSON string (RFC 8259, section 7).
func AppendText(b []byte, s string) []byte {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c < 0x20:
			b = fmt.Appendf(b, `\u%04x`, c)
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// ErrLine is a line that is not a row of its table.
var ErrLine = errors.New("a line is not a row of its table")

// Parse reads a line that AppendTo wrote into values, one for each column: nil, string, int64, float64, bool, []byte or
// time.Time. The error is ErrLine.
func Parse(line []byte, columns []Column, values []any) error {
	rest, ok := bytes.CutPrefix(line, []byte("["))
	if !ok {
		return ErrLine
	}
	for i, c := range columns {
		if i > 0 {
			if rest, ok = bytes.CutPrefix(rest, []byte(",")); !ok {
				return ErrLine
			}
		}
		var err error
		if values[i], rest, err = Value(rest, c.Kind); err != nil {
			return fmt.Errorf("%w: column %s", err, c.Name)
		}
	}
	if string(rest) != "]" {
		return ErrLine
	}
	return nil
}

// Value reads one value from the beginning of b and returns what follows it.
func Value(b []byte, k Kind) (v any, rest []byte, err error) {
	if rest, ok := bytes.CutPrefix(b, []byte("null")); ok {
		return nil, rest, nil
	}
	switch k {
	case Int:
		n := 0
		for n < len(b) && (b[n] == '-' || b[n] >= '0' && b[n] <= '9') {
			n++
		}
		i, err := strconv.ParseInt(string(b[:n]), 10, 64)
		if err != nil {
			return nil, nil, ErrLine
		}
		return i, b[n:], nil
	case Float:
		n := 0
		for n < len(b) && (b[n] >= '0' && b[n] <= '9' || strings.IndexByte("+-.eE", b[n]) >= 0) {
			n++
		}
		f, err := strconv.ParseFloat(string(b[:n]), 64)
		if err != nil {
			return nil, nil, ErrLine
		}
		return f, b[n:], nil
	case Bool:
		if rest, ok := bytes.CutPrefix(b, []byte("true")); ok {
			return true, rest, nil
		}
		if rest, ok := bytes.CutPrefix(b, []byte("false")); ok {
			return false, rest, nil
		}
		return nil, nil, ErrLine
	}
	s, rest, err := Str(b)
	if err != nil {
		return nil, nil, err
	}
	switch k {
	case Text:
		return s, rest, nil
	case Bytes:
		v, err = base64.StdEncoding.DecodeString(s)
	case Time:
		v, err = moment(s)
	default:
		err = ErrLine
	}
	if err != nil {
		return nil, nil, ErrLine
	}
	return v, rest, nil
}

// moment reads a time that was written by Stamp.
func moment(s string) (time.Time, error) {
	if len(s) != len(Stamp) || s[len(s)-1] != 'Z' {
		return time.Time{}, ErrLine
	}
	t, err := time.Parse(time.RFC3339Nano, s) // which Go reads faster than a layout of ours
	return t.UTC(), err
}

// Str reads a JSON string from the beginning of b.
func Str(b []byte) (s string, rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, ErrLine
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			if !utf8.Valid(b[1:i]) {
				return "", nil, ErrLine
			}
			return string(b[1:i]), b[i+1:], nil
		case '\\': // seldom: let encoding/json find the end and read it
			d := json.NewDecoder(bytes.NewReader(b))
			if err := d.Decode(&s); err != nil {
				return "", nil, ErrLine
			}
			return s, b[d.InputOffset():], nil
		}
	}
	return "", nil, ErrLine
}
