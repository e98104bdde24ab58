package mailer

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// aForm has values in each of its texts, at the beginnings and ends of lines and words, twice in one, and in a link.
func aForm() *Form {
	long := "The bill on the table says one thing: whoever is sent to a clinic is seen within eight weeks, and that is decided on Tuesday = 16 March — ¿sí? "
	return &Form{
		Lang: "en", ListID: "newsletter-0a1b2c.act.example.org", Pause: true, WebURL: "https://act.example.org/m/x?version=es&a=1",
		Subject:   []Piece{{Text: "Tuesday, "}, {Value: 1}, {Text: ": "}, {Value: 2}},
		Preheader: []Piece{{Value: 2}, {Text: " – five minutes"}},
		Text: []Piece{
			{Text: "Hello "},
			{Value: 1},
			{Text: ",\n\n\n" + long + "  \n\n- "},
			{Value: 2},
			{Text: " " + long},
			{Value: 1},
			{Text: "\n"},
			{Value: 3},
			{Text: "\n\n"},
			{Value: 1},
			{Text: "\n.\n.. dots\n" + strings.Repeat("x", 90) + "\nend"},
		},
		HTML: []Piece{
			{Text: "<p style=\"margin:0 0 16px\">Hello "},
			{Value: 1},
			{Text: ",</p>\n<p>" + long + "</p>\n<p>"},
			{Value: 2},
			{Text: `</p><p><a href="`},
			{Value: 3},
			{Text: `">read</a> ` + strings.Repeat("ñ", 40) + "</p>\n.<p>"},
			{Value: 1},
			{Value: 2},
			{Text: "</p> \n"},
		},
	}
}

// words of many scripts, and what breaks things: quotes, markup, encoded words, headers in a name, dots, equals signs, trailing spaces.
var oddWords = []string{
	"June", "José", "Ñandú", "李小龍", "Мария Ивановна", "محمد", "שָׁלוֹם", "देवनागरी", "ไทย", "🙂🙂", "Zoë \"Z\" O'Hara", `back\slash`, "<script>alert(1)</script>", "&amp; +1", "=?utf-8?q?x?=",
	"a\r\nBcc: x@example.org", "tab\there", "\u2028line", "\u202eright", "", " ", "x ", ". .", "=", "==3D", strings.Repeat("long", 40), strings.Repeat("ü", 80), "{{given_name}}", "A. B., Jr.", "a@b", "(comment)",
	"e\u0301", "\u200d", "\u00a0", "100 %", "#1", "two  spaces",
}

func TestFrameSaysWhatGoMailSays(t *testing.T) {
	r := renderer(t)
	lh := letterhead
	lh.PostalAddress = "12 Ferry Street, Harrow Bay"
	from := Message{
		FromName: "Coalition für Alle", FromAddress: "hello@act.example.org", ReplyTo: "office@act.example.org", ListUnsubscribeMailto: "stop@act.example.org",
		Headers: []Header{{"X-Kind", "mailing"}},
	}
	form := aForm()
	f, err := r.Frame(lh, form, from)
	if err != nil {
		t.Fatal(err)
	}
	rnd := rand.New(rand.NewPCG(7, 11))
	some := func() string {
		var w []string
		for range rnd.IntN(4) {
			w = append(w, oddWords[rnd.IntN(len(oddWords))])
		}
		return strings.Join(w, " ")
	}
	n := 10_000
	if testing.Short() {
		n = 500
	}
	for i := range n {
		line := func(s string) string { return clean(s) } // the values of a mailing are one line each
		c := Copy{
			Values:         []string{line(some()), line(some()), "https://example.org/" + strings.Repeat("p", rnd.IntN(120))},
			Reason:         "You said yes on " + line(some()) + ".",
			UnsubscribeURL: "https://act.example.org/u/" + strings.Repeat("t", 1+rnd.IntN(90)), PauseURL: "https://act.example.org/pause",
			MessageID: NewMessageID("act.example.org"), To: fmt.Sprintf("reader%d@mail.example.org", i), ToName: some(),
			Date: time.Unix(1_800_000_000+rnd.Int64N(1e8), 0).In(time.FixedZone("", 3600*rnd.IntN(12))),
		}
		if rnd.IntN(2) == 0 {
			c.EnvelopeFrom = "bounces+x@act.example.org"
		}
		if rnd.IntN(4) == 0 {
			c.Headers = MarkHeaders("smtp.postmarkapp.com", "d."+fixtureMark+"@act.example.org")
		}
		ours, err := f.Message(c)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := r.Bulk(lh, form.Body(c))
		if err != nil {
			t.Fatal(err)
		}
		theirs := from
		theirs.Headers = slices.Concat(from.Headers, c.Headers)
		theirs.Bulk, theirs.ListID, theirs.UnsubscribeURL = true, form.ListID, c.UnsubscribeURL
		theirs.MessageID, theirs.EnvelopeFrom, theirs.To, theirs.ToName, theirs.Date = c.MessageID, c.EnvelopeFrom, c.To, c.ToName, c.Date
		theirs.Subject, theirs.Preheader, theirs.Text, theirs.HTML = whole.Subject, whole.Preheader, whole.Text, whole.HTML
		want, err := Bytes(theirs)
		if err != nil {
			t.Fatal(err)
		}
		a, b := asRead(t, ours.raw), asRead(t, want)
		if !reflect.DeepEqual(a, b) {
			t.Fatalf("copy %d, of %+v:\n%+v\n-- go-mail says --\n%+v\n-- ours --\n%s\n-- go-mail's --\n%s", i, c, a, b, ours.raw, want)
		}
		if ours.EnvelopeFrom != c.EnvelopeFrom || ours.To != c.To {
			t.Fatalf("the envelope is from %q to %q", ours.EnvelopeFrom, ours.To)
		}
		for l := range bytes.SplitSeq(ours.raw, []byte("\r\n")) {
			if len(l) > 998 || bytes.ContainsAny(l, "\r\n\x00") {
				t.Fatalf("a line of %d bytes: %q", len(l), l)
			}
		}
	}
}

// whole is a message as a reader's program sees it.
type whole struct {
	names  []string // of the header, sorted: nothing is there twice that should not be
	header map[string][]string
	parts  []string // type and decoded text of each
}

func asRead(t *testing.T, raw []byte) whole {
	t.Helper()
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v\n%s", err, raw)
	}
	w := whole{header: map[string][]string{}}
	dec := &mime.WordDecoder{}
	for name, values := range m.Header {
		for _, v := range values {
			w.names = append(w.names, name)
			if name == "Content-Type" {
				continue // the boundary is anybody's
			}
			v, err := dec.DecodeHeader(v)
			if err != nil {
				t.Fatal(err)
			}
			w.header[name] = append(w.header[name], v)
		}
	}
	slices.Sort(w.names)
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil || kind != "multipart/alternative" {
		t.Fatalf("%s, %v", kind, err)
	}
	for p := multipart.NewReader(m.Body, params["boundary"]); ; {
		part, err := p.NextRawPart()
		if err == io.EOF {
			return w
		}
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(quotedprintable.NewReader(part))
		if err != nil {
			t.Fatalf("%v\n%s", err, raw)
		}
		w.parts = append(w.parts, fmt.Sprint(part.Header)+"\n"+string(text))
	}
}

// A copy that could say something it should not is refused, as Build refuses it.
func TestFrameRefuses(t *testing.T) {
	r := renderer(t)
	lh := letterhead
	lh.PostalAddress = "12 Ferry Street"
	good := Copy{
		Values: []string{"a", "b", "https://example.org"}, Reason: "Because.", UnsubscribeURL: "https://act.example.org/u/x", PauseURL: "https://act.example.org/p",
		MessageID: "d.x@act.example.org", To: "a@example.org", Date: time.Now(),
	}
	f, err := r.Frame(lh, aForm(), Message{FromAddress: "hello@act.example.org"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Message(good); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Copy){
		"a line in the address":   func(c *Copy) { c.To = "a@example.org\r\nDATA" },
		"two addresses":           func(c *Copy) { c.To = "a@example.org,b@example.org" },
		"a line in the envelope":  func(c *Copy) { c.EnvelopeFrom = "a@example.org> X" },
		"a line in the id":        func(c *Copy) { c.MessageID = "a b@example.org" },
		"no date":                 func(c *Copy) { c.Date = time.Time{} },
		"no way out":              func(c *Copy) { c.UnsubscribeURL = "" },
		"a way out without TLS":   func(c *Copy) { c.UnsubscribeURL = "http://act.example.org/u/x" },
		"a way out with a header": func(c *Copy) { c.UnsubscribeURL = "https://act.example.org/u/x>\r\nX: y" },
	} {
		c := good
		spoil(&c)
		if _, err := f.Message(c); err == nil {
			t.Errorf("%s passes", name)
		}
	}
	lh.PostalAddress = ""
	if _, err := r.Frame(lh, aForm(), Message{FromAddress: "hello@act.example.org"}); err == nil {
		t.Error("a mailing without a postal address passes")
	}
}

func BenchmarkFrame(b *testing.B) {
	r := renderer(b)
	lh := letterhead
	lh.PostalAddress = "12 Ferry Street"
	f, err := r.Frame(lh, aForm(), Message{FromName: "Coalition", FromAddress: "hello@act.example.org"})
	if err != nil {
		b.Fatal(err)
	}
	c := Copy{
		Values: []string{"June", "Tuesday", "https://example.org"}, Reason: "Because.", UnsubscribeURL: "https://act.example.org/u/x", PauseURL: "https://act.example.org/p",
		MessageID: "d.x@act.example.org", To: "a@example.org", ToName: "June", Date: time.Now(),
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Message(c); err != nil {
			b.Fatal(err)
		}
	}
}
