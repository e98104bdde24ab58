package mailer

import (
	"bytes"
	"encoding/base64"
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"strings"
	"testing"
)

// A file beside the words: the parts nest, every attempt has the same bytes, and no name or type brings a field of its own.
func TestAttachment(t *testing.T) {
	m := sample()
	file := "BEGIN:VCALENDAR\r\nboundary=" + strings.Repeat("ab", 30) + "\r\nEND:VCALENDAR\r\n"
	m.Attachments = []Attachment{{Name: "place.ics", Type: "text/calendar; method=PUBLISH; charset=UTF-8", Data: []byte(file)}}
	m.Text += "boundary=" + strings.Repeat("0f", 30) + "\n"
	first, err := Bytes(m)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Bytes(m)
	if err != nil || !bytes.Equal(first, second) {
		t.Fatalf("a second attempt is another mail: %v\n%s\n%s", err, first, second)
	}
	top := parsedBytes(t, first)
	kind, args, err := mime.ParseMediaType(top.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/mixed" {
		t.Fatalf("%s: %v", kind, err)
	}
	mixed := multipart.NewReader(top.Body, args["boundary"])
	words, err := mixed.NextPart()
	if err != nil {
		t.Fatal(err)
	}
	kind, inner, err := mime.ParseMediaType(words.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" || inner["boundary"] == args["boundary"] {
		t.Fatalf("%s: %v, %v", kind, inner, err)
	}
	var kinds []string
	for alternative := multipart.NewReader(words, inner["boundary"]); ; {
		p, err := alternative.NextPart()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(p)
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, p.Header.Get("Content-Type"))
		if len(kinds) == 1 && !strings.Contains(string(text), "boundary="+strings.Repeat("0f", 30)) {
			t.Errorf("the text reads %q", text)
		}
	}
	if strings.Join(kinds, ", ") != "text/plain; charset=UTF-8, text/html; charset=UTF-8" {
		t.Errorf("the words are %v", kinds)
	}
	p, err := mixed.NextRawPart()
	if err != nil {
		t.Fatal(err)
	}
	if p.FileName() != "place.ics" || !strings.HasPrefix(p.Header.Get("Content-Type"), "text/calendar; method=PUBLISH; charset=UTF-8") {
		t.Errorf("%v", p.Header)
	}
	body, err := io.ReadAll(p)
	if err != nil {
		t.Fatal(err)
	}
	if got := decode64(t, string(body)); got != file {
		t.Errorf("the file reads %q", got)
	}
	if _, err := mixed.NextPart(); !errors.Is(err, io.EOF) {
		t.Errorf("there is more: %v", err)
	}
	for _, a := range []Attachment{
		{Name: "x\r\nBcc: eve@example.org", Type: "text/calendar"},
		{Name: `x"; y="`, Type: "text/calendar"},
		{Name: "../x", Type: "text/calendar"},
		{Name: ".x", Type: "text/calendar"},
		{Name: "", Type: "text/calendar"},
		{Name: "x.ics", Type: "text/calendar\r\nBcc: eve@example.org"},
		{Name: "x.ics", Type: "text"},
		{Name: "x.ics", Type: "text/calendar; method=a b"},
	} {
		m := sample()
		m.Attachments = []Attachment{a}
		if _, err := Bytes(m); !errors.Is(err, ErrMessage) {
			t.Errorf("%+v: %v", a, err)
		}
	}
}

func decode64(t *testing.T, body string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
