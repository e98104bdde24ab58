package mailer

import (
	"bytes"
	"errors"
	"mime"
	"net/mail"
	"net/textproto"
	"regexp"
	"strings"
	"testing"
	"time"
)

// sample is a message that is right in every field.
func sample() Message {
	return Message{
		MessageID: "d.AZHq3k0Y@example.org", EnvelopeFrom: "b+k7f3@bounce.example.org", FromName: "Wennick Coalition",
		FromAddress: "hello@example.org", ReplyTo: "office@example.org", To: "june@example.net", ToName: "June H.",
		Date: time.Date(2027, 3, 9, 14, 5, 0, 0, time.UTC), Subject: "One step left", Text: "Hello June,\n.\nbye\n",
		HTML: "<p>Hello June</p>\n",
	}
}

func bulk() Message {
	m := sample()
	m.Bulk, m.UnsubscribeURL, m.ListUnsubscribeMailto, m.ListID = true, "https://example.org/u/AZHq3k0Y?x=1", "stop@example.org", "news.example.org"
	return m
}

func parsed(t *testing.T, m Message) *mail.Message {
	t.Helper()
	b, err := Bytes(m)
	if err != nil {
		t.Fatal(err)
	}
	return parsedBytes(t, b)
}

func parsedBytes(t *testing.T, b []byte) *mail.Message {
	t.Helper()
	p, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("%v\n%s", err, b)
	}
	return p
}

// plainFields are the header fields of sample.
var plainFields = []string{"Content-Type", "Date", "From", "Message-Id", "Mime-Version", "Reply-To", "Subject", "To"}

// checkFields fails unless the header has these fields, once each, and no other.
func checkFields(t *testing.T, what string, h mail.Header, want ...string) {
	t.Helper()
	for _, f := range want {
		if n := len(h[textproto.CanonicalMIMEHeaderKey(f)]); n != 1 {
			t.Errorf("%s: %s is there %d times", what, f, n)
		}
	}
	if len(h) != len(want) {
		t.Errorf("%s: fields %v, want %v", what, h, want)
	}
}

func TestMessage(t *testing.T) {
	p := parsed(t, sample())
	checkFields(t, "plain", p.Header, plainFields...)
	for k, want := range map[string]string{
		"Message-Id": "<d.AZHq3k0Y@example.org>", "From": `"Wennick Coalition" <hello@example.org>`, "To": `"June H." <june@example.net>`,
		"Reply-To": "<office@example.org>", "Date": "Tue, 09 Mar 2027 14:05:00 +0000", "Subject": "One step left",
	} {
		if got := p.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	kind, _, err := mime.ParseMediaType(p.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Errorf("content type %q, %v", kind, err)
	}
	a, _ := Bytes(sample())
	b, _ := Bytes(sample())
	if !bytes.Equal(a, b) {
		t.Error("two builds of one message differ")
	}
	if bytes.Contains(bytes.ReplaceAll(a, []byte("\r\n"), nil), []byte("\n")) {
		t.Error("a line ends without CR")
	}
	if bytes.Contains(bytes.ToLower(a), []byte("go-mail")) || bytes.Contains(bytes.ToLower(a), []byte("x-mailer")) {
		t.Error("the message tells what made it")
	}
	one := sample()
	one.HTML = ""
	if p := parsed(t, one); !strings.HasPrefix(p.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("one part: %q", p.Header.Get("Content-Type"))
	}
}

func TestBulkHeaders(t *testing.T) {
	p := parsed(t, bulk())
	checkFields(t, "bulk", p.Header, append([]string{
		"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence", "Feedback-ID", "X-Auto-Response-Suppress",
	}, plainFields...)...)
	for k, want := range map[string]string{
		"List-Unsubscribe":      "<https://example.org/u/AZHq3k0Y?x=1>, <mailto:stop@example.org?subject=unsubscribe>",
		"List-Unsubscribe-Post": "List-Unsubscribe=One-Click", "List-Id": "<news.example.org>", "Precedence": "bulk",
		"Feedback-Id": "news.example.org::mail:example.org",
	} {
		if got := p.Header.Get(k); got != want {
			t.Errorf("%s: %q, want %q", k, got, want)
		}
	}
	long := bulk()
	long.UnsubscribeURL = "https://example.org/u/" + strings.Repeat("x", 200)
	if got := parsed(t, long).Header.Get("List-Unsubscribe"); !strings.HasPrefix(got, "<"+long.UnsubscribeURL+">") {
		t.Errorf("a long link is broken: %q", got)
	}
	auto := sample()
	auto.AutoSubmitted = true
	auto.Headers = []Header{{"X-Note", "ábc\r\nBcc: x@example.org"}}
	p = parsed(t, auto)
	checkFields(t, "automatic", p.Header, append([]string{"Auto-Submitted", "X-Auto-Response-Suppress", "X-Note"}, plainFields...)...)
	if p.Header.Get("Auto-Submitted") != "auto-generated" {
		t.Errorf("Auto-Submitted: %q", p.Header.Get("Auto-Submitted"))
	}
	for _, u := range []string{"http://127.0.0.1:8080/u/x", "http://localhost:8080/u/x", "http://[::1]:8080/u/x"} {
		m := bulk()
		m.UnsubscribeURL = u
		if got := parsed(t, m).Header.Get("List-Unsubscribe"); !strings.HasPrefix(got, "<"+u+">") {
			t.Errorf("%s: %q", u, got)
		}
	}
}

func TestMessageRefused(t *testing.T) {
	for what, change := range map[string]func(*Message){
		"no recipient":             func(m *Message) { m.To = "" },
		"two recipients":           func(m *Message) { m.To = "a@example.org,b@example.org" },
		"line break in recipient":  func(m *Message) { m.To = "a@example.org\r\nBcc: b@example.org" },
		"line separator":           func(m *Message) { m.To = "a@exam\u2028ple.org" },
		"NUL in recipient":         func(m *Message) { m.To = "a\x00@example.org" },
		"name in recipient":        func(m *Message) { m.To = "Ann <a@example.org>" },
		"two @":                    func(m *Message) { m.To = "a@b@example.org" },
		"no @":                     func(m *Message) { m.To = "example.org" },
		"a path's end":             func(m *Message) { m.To = "a@example.org>" },
		"an SMTP parameter":        func(m *Message) { m.EnvelopeFrom = "a@example.org> SIZE=1" },
		"no sender":                func(m *Message) { m.FromAddress = "" },
		"line break in sender":     func(m *Message) { m.FromAddress = "a@example.org\n" },
		"line break in envelope":   func(m *Message) { m.EnvelopeFrom = "a@example.org\r\nRCPT TO:<b@example.org>" },
		"line break in reply-to":   func(m *Message) { m.ReplyTo = "a@example.org\rX: y" },
		"no message id":            func(m *Message) { m.MessageID = "" },
		"brackets in message id":   func(m *Message) { m.MessageID = "<a@example.org>" },
		"line break in message id": func(m *Message) { m.MessageID = "a@example.org\r\nX: y" },
		"no date":                  func(m *Message) { m.Date = time.Time{} },
		"no text":                  func(m *Message) { m.Text = " \n" },
		"text not UTF-8":           func(m *Message) { m.Text = "\xff" },
		"HTML not UTF-8":           func(m *Message) { m.HTML = "\xff" },
		"bulk without link":        func(m *Message) { m.Bulk = true },
		"http link":                func(m *Message) { m.UnsubscribeURL = "http://example.org/u/x" },
		"mailto link":              func(m *Message) { m.UnsubscribeURL = "mailto:a@example.org" },
		"link with line break":     func(m *Message) { m.UnsubscribeURL = "https://example.org/u/x\r\nX: y" },
		"link with bracket":        func(m *Message) { m.UnsubscribeURL = "https://example.org/u/x>, <https://bad.example" },
		"list id with line break":  func(m *Message) { m.ListID = "news.example.org>\r\nX: y" },
		"stop address":             func(m *Message) { m.ListUnsubscribeMailto = "a@example.org>\r\nX: y" },
		"field of ours":            func(m *Message) { m.Headers = []Header{{"bcc", "a@example.org"}} },
		"field name":               func(m *Message) { m.Headers = []Header{{"X: y\r\nZ", "a"}} },
	} {
		m := sample()
		change(&m)
		_, err := Bytes(m)
		if !errors.Is(err, ErrMessage) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "example.org") {
			t.Errorf("%s: the error holds an address: %v", what, err)
		}
	}
}

// injections are what somebody might type into a name or a subject.
var injections = []string{
	"x\r\nBcc: victim@example.org", "x\nBcc: victim@example.org", "x\rBcc: victim@example.org", "x\x00\r\n\r\nbody", "x\u2028Bcc: victim@example.org",
	"x\u2029Bcc: victim@example.org", "x\u0085Bcc: victim@example.org", "x\x0bBcc: victim@example.org", "=?utf-8?q?x=0D=0ABcc:_victim@example.org?=",
	"=?utf-8?B?eA0KQmNjOiB2aWN0aW1AZXhhbXBsZS5vcmc=?=", `"<victim@example.org>, "`, "x <victim@example.org>, y", "é\r\nBcc: victim@example.org",
	"x" + strings.Repeat(" long", 100) + "\r\nBcc: victim@example.org", "\r\n\r\n<script>", "\u202egro.elpmaxe", "\xff\r\nBcc: x@example.org",
	strings.Repeat("é", 400), "",
}

func TestInjectionIntoBytes(t *testing.T) {
	for _, s := range injections {
		m := bulk()
		m.FromName, m.ToName, m.Subject, m.FeedbackID, m.Headers = s, s, s, s, []Header{{"X-Note", s}}
		checkInjected(t, s, parsed(t, m))
	}
}

func FuzzMessage(f *testing.F) {
	for _, s := range injections {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m := bulk()
		m.FromName, m.ToName, m.Subject, m.FeedbackID, m.Headers = s, s, s, s, []Header{{"X-Note", s}}
		checkInjected(t, s, parsed(t, m))
		m.To = s
		if b, err := Bytes(m); err == nil {
			list, err := parsedBytes(t, b).Header.AddressList("To")
			if err != nil || len(list) != 1 || list[0].Address != s {
				t.Errorf("%q as the recipient reads %v, %v", s, list, err)
			}
		}
	})
}

// checkInjected looks at the header of a message whose every free text was s, as the receiving side reads it.
func checkInjected(t *testing.T, s string, p *mail.Message) {
	t.Helper()
	checkFields(t, s, p.Header, append([]string{
		"List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence", "Feedback-ID", "X-Auto-Response-Suppress", "X-Note",
	}, plainFields...)...)
	for field, want := range map[string]string{"From": "hello@example.org", "To": "june@example.net"} {
		list, err := p.Header.AddressList(field)
		if err != nil || len(list) != 1 || list[0].Address != want || strings.ContainsAny(list[0].Name, "\r\n\x00\u2028\u202e") {
			t.Errorf("%q: %s is %v, %v", s, field, list, err)
		}
	}
	subject, err := new(mime.WordDecoder).DecodeHeader(p.Header.Get("Subject"))
	if err != nil || strings.ContainsAny(subject, "\r\n\x00\u2028\u2029\u202e") {
		t.Errorf("%q: subject %q, %v", s, subject, err)
	}
}

func TestNewMessageID(t *testing.T) {
	a, b := NewMessageID("example.org"), NewMessageID("example.org")
	if a == b || !regexp.MustCompile(`^[0-9a-f]{32}@example\.org$`).MatchString(a) || !messageID(a) {
		t.Errorf("%q, %q", a, b)
	}
}

func TestScrub(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"550 5.1.1 <June.Hale@Example.net>: user unknown", "550 5.1.1 <<address>>: user unknown"},
		{"mailbox june.hale is full", "mailbox <address> is full"},
		{"see b+june.hale=example.net@bounce.example.org", "see <address>"},
		{"sent to june.hale=example.net", "sent to <address>"},
		{"other@example.com and\r\n third@example.com", "<address> and <address>"},
		{"xjune.halex stays", "xjune.halex stays"},
		{"try later", "try later"},
	} {
		if got := Scrub(c.in, "june.hale@example.net"); got != c.want {
			t.Errorf("%q: %q, want %q", c.in, got, c.want)
		}
	}
	if got := Scrub(strings.Repeat("ñ", 500)); len([]rune(got)) != 300 {
		t.Errorf("%d characters", len([]rune(got)))
	}
	if got := Scrub("a\u2028b"); got != "a b" {
		t.Errorf("%q", got)
	}
}

func BenchmarkBytes(b *testing.B) {
	r := renderer(b)
	out, err := r.Render("petition_confirm", "en", letterhead, samples[0].data)
	if err != nil {
		b.Fatal(err)
	}
	m := sample()
	m.Text, m.HTML = out.Text, out.HTML
	for b.Loop() {
		if _, err := Bytes(m); err != nil {
			b.Fatal(err)
		}
	}
}
