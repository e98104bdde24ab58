package backups

import (
	"bytes"
	"database/sql"
	"reflect"
	"strings"
	"testing"
	"time"
)

var columns = []Column{{"t", Text}, {"i", Int}, {"b", Bool}, {"y", Bytes}, {"z", Time}}

// FuzzRow: whatever a row holds, its line is one line and reads as the same row.
func FuzzRow(f *testing.F) {
	f.Add(text, int64(-1), true, []byte{0, 255, '\n'}, int64(1_800_000_000_123_456), uint8(0))
	f.Add("", int64(9223372036854775807), false, []byte{}, int64(-62_000_000_000_000_000), uint8(0))
	f.Add("\\\"\u2028\xff", int64(-9223372036854775808), false, []byte(nil), int64(0), uint8(31))
	f.Fuzz(func(t *testing.T, s string, i int64, b bool, y []byte, micros int64, nulls uint8) {
		at := time.UnixMicro(micros % 60_000_000_000_000_000).UTC() // years of four digits
		r := newRow(columns)
		in := []any{s, i, b, y, at}
		want := []any{strings.ToValidUTF8(s, "\uFFFD"), i, b, append([]byte{}, y...), at}
		for k := range in {
			if nulls&(1<<k) != 0 {
				in[k], want[k] = nil, nil
			}
			if bytes, ok := in[k].([]byte); ok && bytes == nil {
				want[k] = nil
			}
			if err := r.values[k].(sql.Scanner).Scan(in[k]); err != nil {
				t.Fatal(err)
			}
		}
		line := r.appendTo(nil)
		if bytes.Count(line, []byte("\n")) != 1 || line[len(line)-1] != '\n' {
			t.Fatalf("not one line: %q", line)
		}
		got := make([]any, len(columns))
		if err := parse(line[:len(line)-1], columns, got); err != nil {
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
		`["a",1,true,"AA==","2027-02-01T12:00:00.123456Z"]`, `[null,null,null,null,null]`, `["\u0041\ud83d\udc69",-5,false,"","2027-02-01T12:00:00.000000Z"]`,
		``, `[`, `[]`, `["a`, `["a\`, `["a\"`, `["a",`, `["a",1.5,true,"",""]`, `["a",1,true,"AA==","2027-02-01T12:00:00.123456Z"]]`, `["\ud800",--1,t,"?","x"]`,
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		values := make([]any, len(columns))
		if err := parse(line, columns, values); err != nil {
			return
		}
		r := newRow(columns)
		for i, v := range values {
			if err := r.values[i].(sql.Scanner).Scan(v); err != nil {
				t.Fatal(err)
			}
		}
		again := make([]any, len(columns))
		b := r.appendTo(nil)
		if err := parse(b[:len(b)-1], columns, again); err != nil || !reflect.DeepEqual(values, again) {
			t.Fatalf("%q: %q became %q, %v", line, values, again, err)
		}
	})
}
