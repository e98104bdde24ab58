package backups

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

// stamp is how a time is written: RFC 3339, UTC, microseconds, always as long, so that lines are alike for the compressor.
const stamp = "2006-01-02T15:04:05.000000Z"

// row is one row to scan into and to write from. The values hold one of sql.Null* each.
type row struct {
	columns []Column
	values  []any
}

func newRow(columns []Column) row {
	r := row{columns, make([]any, len(columns))}
	for i, c := range columns {
		switch c.Kind {
		case Text:
			r.values[i] = new(sql.NullString)
		case Int:
			r.values[i] = new(sql.NullInt64)
		case Bool:
			r.values[i] = new(sql.NullBool)
		case Bytes:
			r.values[i] = new(sql.Null[[]byte])
		case Time:
			r.values[i] = new(sql.NullTime)
		}
	}
	return r
}

// appendTo writes the row as a line. Text that is not UTF-8 is made so: the edge lets none in, and nothing could keep it.
func (r row) appendTo(b []byte) []byte {
	b = append(b, '[')
	for i, v := range r.values {
		if i > 0 {
			b = append(b, ',')
		}
		switch v := v.(type) {
		case *sql.NullString:
			if v.Valid {
				b = appendText(b, v.String)
				continue
			}
		case *sql.NullInt64:
			if v.Valid {
				b = strconv.AppendInt(b, v.Int64, 10)
				continue
			}
		case *sql.NullBool:
			if v.Valid {
				b = strconv.AppendBool(b, v.Bool)
				continue
			}
		case *sql.Null[[]byte]:
			if v.Valid {
				b = append(base64.StdEncoding.AppendEncode(append(b, '"'), v.V), '"')
				continue
			}
		case *sql.NullTime:
			if v.Valid {
				b = append(v.Time.UTC().AppendFormat(append(b, '"'), stamp), '"')
				continue
			}
		}
		b = append(b, "null"...)
	}
	return append(b, "]\n"...)
}

// appendText writes a JSON string (RFC 8259, section 7).
func appendText(b []byte, s string) []byte {
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

var errLine = errors.New("a line is not a row of its table")

// parse reads a line into values, one for each column: nil, string, int64, bool, []byte or time.Time.
func parse(line []byte, columns []Column, values []any) error {
	rest, ok := bytes.CutPrefix(line, []byte("["))
	if !ok {
		return errLine
	}
	for i, c := range columns {
		if i > 0 {
			if rest, ok = bytes.CutPrefix(rest, []byte(",")); !ok {
				return errLine
			}
		}
		var err error
		if values[i], rest, err = value(rest, c.Kind); err != nil {
			return fmt.Errorf("%w: column %s", err, c.Name)
		}
	}
	if string(rest) != "]" {
		return errLine
	}
	return nil
}

// value reads one value from the beginning of b and returns what follows it.
func value(b []byte, k Kind) (v any, rest []byte, err error) {
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
			return nil, nil, errLine
		}
		return i, b[n:], nil
	case Bool:
		if rest, ok := bytes.CutPrefix(b, []byte("true")); ok {
			return true, rest, nil
		}
		if rest, ok := bytes.CutPrefix(b, []byte("false")); ok {
			return false, rest, nil
		}
		return nil, nil, errLine
	}
	s, rest, err := str(b)
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
		err = errLine
	}
	if err != nil {
		return nil, nil, errLine
	}
	return v, rest, nil
}

// moment reads a time that was written by stamp.
func moment(s string) (time.Time, error) {
	if len(s) != len(stamp) || s[len(s)-1] != 'Z' {
		return time.Time{}, errLine
	}
	t, err := time.Parse(time.RFC3339Nano, s) // which Go reads faster than a layout of ours
	return t.UTC(), err
}

// str reads a JSON string from the beginning of b.
func str(b []byte) (s string, rest []byte, err error) {
	if len(b) == 0 || b[0] != '"' {
		return "", nil, errLine
	}
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '"':
			if !utf8.Valid(b[1:i]) {
				return "", nil, errLine
			}
			return string(b[1:i]), b[i+1:], nil
		case '\\': // seldom: let encoding/json find the end and read it
			d := json.NewDecoder(bytes.NewReader(b))
			if err := d.Decode(&s); err != nil {
				return "", nil, errLine
			}
			return s, b[d.InputOffset():], nil
		}
	}
	return "", nil, errLine
}
