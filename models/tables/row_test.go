package tables

import (
	"bytes"
	"database/sql"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

// text has what is hard to write: marks of JSON and CSV, other scripts, an emoji of several parts, line ends.
const text = "Núria \"O'Öztürk\" \\ <b>&amp;</b>\r\n\t\u0001\u007f 日本 עברית 👩‍🦽 \u2028 \u0000end"

var columns = []Column{{"t", Text}, {"i", Int}, {"b", Bool}, {"y", Bytes}, {"z", Time}, {"f", Float}}

// FuzzRow: whatever a row holds, its line is one line and reads as the same row.
func FuzzRow(f *testing.F) {
	f.Add(text, int64(-1), true, []byte{0, 255, '\n'}, int64(1_800_000_000_123_456), uint8(0), 1.5)
	f.Add("", int64(9223372036854775807), false, []byte{}, int64(-62_000_000_000_000_000), uint8(0), 1.5)
	f.Add("\\\"\u2028\xff", int64(-9223372036854775808), false, []byte(nil), int64(0), uint8(31), -1e300)
	f.Fuzz(func(t *testing.T, s string, i int64, b bool, y []byte, micros int64, nulls uint8, fl float64) {
		if math.IsNaN(fl) || math.IsInf(fl, 0) {
			t.Skip("no column holds it")
		}
		at := time.UnixMicro(micros % 60_000_000_000_000_000).UTC() // years of four digits
		r := NewRow(columns)
		in := []any{s, i, b, y, at, fl}
		want := []any{strings.ToValidUTF8(s, "\uFFFD"), i, b, append([]byte{}, y...), at, fl}
		for k := range in {
			if nulls&(1<<k) != 0 {
				in[k], want[k] = nil, nil
			}
			if bytes, ok := in[k].([]byte); ok && bytes == nil {
				want[k] = nil
			}
			if err := r.Values[k].(sql.Scanner).Scan(in[k]); err != nil {
				t.Fatal(err)
			}
		}
		line := r.AppendTo(nil)
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		got := make([]any, len(columns))
		if err := Parse(line[:len(line)-1], columns, got); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q reads as %q, want %q", line, got, want)
		}
	})
}

// FuzzParse: a line that somebody else wrote is read or refused, and never breaks the program.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		`["a",1,true,"AA==","2027-02-01T12:00:00.123456Z",1]`, `[null,null,null,null,null,null]`, `["\u0041\ud83d\udc69",-5,false,"","2027-02-01T12:00:00.000000Z",-2.5e3]`,
		``, `[`, `[]`, `["a`, `["a\`, `["a\"`, `["a",`, `["a",1.5,true,"",""]`, `["a",1,true,"AA==","2027-02-01T12:00:00.123456Z",1]]`, `["\ud800",--1,t,"?","x"]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		values := make([]any, len(columns))
		if err := Parse(line, columns, values); err != nil {
			return
		}
		r := NewRow(columns)
		for i, v := range values {
			if err := r.Values[i].(sql.Scanner).Scan(v); err != nil {
				t.Fatal(err)
			}
		}
		again := make([]any, len(columns))
		b := r.AppendTo(nil)
		if err := Parse(b[:len(b)-1], columns, again); err != nil || !reflect.DeepEqual(values, again) {
			t.Fatalf("%q: %q became %q, %v", line, values, again, err)
		}
	})
}
