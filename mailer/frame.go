package mailer

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"html/template"
	"mime"
	"net/mail"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A mailing of many copies is encoded once. go-mail builds one message of it with marks in the place of whatever differs from
// person to person; a Frame is that message taken apart at the marks, and a copy is the parts with its own values between them.
// Each copy says the same as the message that go-mail would build of it: TestFrameSaysWhatGoMailSays compares them, part by part.

// Piece is a part of a text of a Form: words that all copies share, or the place of a value.
type Piece struct {
	Text  string
	Value int // from 1: the first of Copy.Values; 0 for words
}

// Form is the text of a mailing with the places of its values. Make one and keep it: it must not change.
type Form struct {
	Lang                     string
	Subject, Preheader, Text []Piece
	HTML                     []Piece // the words are sanitized and styled HTML, see Renderer.Style; values are escaped
	ListID                   string
	WebURL                   string // the same mail as a page of the site; may be empty
	Pause                    bool   // copies have a PauseURL
}

// Copy is what one copy of a Form has of its own.
type Copy struct {
	Values                   []string
	Reason                   string // why the person gets it, a sentence
	UnsubscribeURL, PauseURL string
	MessageID                string // without <>
	EnvelopeFrom             string // FromAddress when empty
	To, ToName               string
	Date                     time.Time
	Headers                  []Header // fields of this copy alone, in ASCII and short: see MarkHeaders
}

// Body is the copy as Bulk renders it.
func (f *Form) Body(c Copy) BulkBody {
	as := func(s string) string { return s }
	return BulkBody{
		Subject: fill(f.Subject, c.Values, as), Preheader: fill(f.Preheader, c.Values, as), Text: fill(f.Text, c.Values, as),
		HTML:   template.HTML(fill(f.HTML, c.Values, escapeText)), //nolint:gosec // sanitized, values escaped
		Reason: c.Reason, UnsubscribeURL: c.UnsubscribeURL, PauseURL: c.PauseURL, WebURL: f.WebURL, Lang: f.Lang,
	}
}

// fill puts values into a text, in one pass: a value that looks like anything else stays what it is.
func fill(pieces []Piece, values []string, escape func(string) string) string {
	if len(pieces) == 1 && pieces[0].Value == 0 {
		return pieces[0].Text
	}
	var b strings.Builder
	for _, p := range pieces {
		if p.Value == 0 {
			b.WriteString(p.Text)
		} else {
			b.WriteString(escape(values[p.Value-1]))
		}
	}
	return b.String()
}

// The places of what a copy has beside its values.
const (
	atSubject = -1 - iota
	atPreheader
	atReason
	atUnsubscribe
	atPause
)

// Frame is a Form in the letterhead of an organisation, encoded for the wire. It is safe for concurrent use.
type Frame struct {
	form     *Form
	from     Message // what all copies share
	head     []headPart
	text     []textLine
	html     []bodyPart
	between  []byte // from the end of the text to the beginning of the HTML
	end      []byte
	expected int // bytes
}

// headPart is header fields that all copies share, or one that each has of its own.
type headPart struct {
	shared []byte
	own    func(b []byte, v *values) []byte
}

// textLine is one line of the text part: encoded where all copies share it.
type textLine struct {
	shared []byte // with its line end; empty for a line without words
	pieces []Piece
}

// bodyPart is encoded HTML that all copies share, or the place of a value.
type bodyPart struct {
	shared []byte
	value  int
}

// values are a copy's, with what is made of them.
type values struct {
	Copy
	subject, preheader string
}

func (v *values) of(n int) string {
	switch n {
	case atSubject:
		return v.subject
	case atPreheader:
		return v.preheader
	case atReason:
		return v.Reason
	case atUnsubscribe:
		return v.UnsubscribeURL
	case atPause:
		return v.PauseURL
	}
	return v.Values[n-1]
}

// Frame encodes a form. from has FromName, FromAddress, ReplyTo, ListUnsubscribeMailto, FeedbackID and Headers as all copies have
// them. It refuses what Bulk and Build refuse.
func (r *Renderer) Frame(lh Letterhead, form *Form, from Message) (*Frame, error) {
	m := newMarker()
	body := BulkBody{
		Subject: m.mark(atSubject), Preheader: m.mark(atPreheader), HTML: template.HTML(m.inOne(form.HTML)), Text: m.inOne(form.Text), //nolint:gosec // as in Body
		Reason: m.mark(atReason), UnsubscribeURL: m.mark(atUnsubscribe), WebURL: form.WebURL, Lang: form.Lang,
	}
	if form.Pause {
		body.PauseURL = m.mark(atPause)
	}
	if err := bulkWhole(lh, body); err != nil {
		return nil, err
	}
	page, err := r.execute(bulkTemplate, form.Lang, lh, body)
	if err != nil {
		return nil, err
	}
	f := &Frame{form: form, from: from}
	f.from.Bulk, f.from.ListID = true, form.ListID
	model := f.from
	text, html := m.prefix+"text", m.prefix+"html"
	model.MessageID, model.To, model.Date = NewMessageID("example.org"), "somebody@example.org", time.Unix(0, 0)
	model.Subject, model.Text, model.HTML, model.UnsubscribeURL = "x", text, html, "https://example.org/"
	raw, err := Bytes(model)
	if err != nil {
		return nil, err
	}
	head, rest, ok := bytes.Cut(raw, []byte("\r\n\r\n"))
	before, rest, ok1 := bytes.Cut(rest, []byte(text))
	between, end, ok2 := bytes.Cut(rest, []byte(html))
	if !ok || !ok1 || !ok2 {
		return nil, errors.New("mailer: a built message has not the form of a message")
	}
	f.header(head)
	f.share(append([]byte("\r\n"), before...))
	f.between, f.end = bytes.Clone(between), bytes.Clone(end)
	f.textLines(m.split(page.Text))
	for _, p := range m.split(crlf(page.HTML)) {
		if p.Value != 0 {
			f.html = append(f.html, bodyPart{value: p.Value})
			continue
		}
		f.html = append(f.html, bodyPart{shared: quoted(nil, p.Text)})
	}
	f.expected = len(raw) + 1024
	for _, l := range f.text {
		f.expected += len(l.shared) + 100*len(l.pieces)
	}
	for _, p := range f.html {
		f.expected += len(p.shared) + 60
	}
	return f, nil
}

// share adds bytes that all copies share to the head.
func (f *Frame) share(b []byte) {
	if n := len(f.head); n > 0 && f.head[n-1].own == nil {
		f.head[n-1].shared = append(f.head[n-1].shared, b...)
		return
	}
	f.head = append(f.head, headPart{shared: bytes.Clone(b)})
}

// header takes a header apart, and puts what a copy has of its own in the places where go-mail wrote the model's.
func (f *Frame) header(head []byte) {
	own := map[string]func(b []byte, v *values) []byte{
		"date":             func(b []byte, v *values) []byte { return appendField(b, "Date", v.Date.Format(time.RFC1123Z)) },
		"message-id":       func(b []byte, v *values) []byte { return appendField(b, "Message-ID", "<"+v.MessageID+">") },
		"list-unsubscribe": f.ways,
		"to": func(b []byte, v *values) []byte {
			return appendField(b, "To", (&mail.Address{Name: cleanName(v.ToName), Address: v.To}).String())
		},
		"subject": func(b []byte, v *values) []byte {
			return appendField(b, "Subject", mime.QEncoding.Encode("UTF-8", v.subject))
		},
	}
	for _, field := range fields(head) {
		name, _, _ := bytes.Cut(field, []byte(":"))
		if o := own[strings.ToLower(string(name))]; o != nil {
			f.head = append(f.head, headPart{own: o})
			continue
		}
		f.share(field)
	}
}

func (f *Frame) ways(b []byte, v *values) []byte {
	ways := "<" + v.UnsubscribeURL + ">"
	if to := f.from.ListUnsubscribeMailto; to != "" {
		ways += ", " + mailto(to)
	}
	return appendField(b, "List-Unsubscribe", ways)
}

// fields are the header fields of a head, each with its folded lines and line ends.
func fields(head []byte) (out [][]byte) {
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		line = append(bytes.Clone(line), "\r\n"...)
		if n := len(out); n > 0 && (line[0] == ' ' || line[0] == '\t') {
			out[n-1] = append(out[n-1], line...)
			continue
		}
		out = append(out, line)
	}
	return out
}

// appendField writes a header field, folded before a word that would stand past the 76th column (RFC 5322, section 2.2.3).
func appendField(b []byte, name, value string) []byte {
	b = append(append(b, name...), ':')
	col := len(name) + 1
	for word := range strings.FieldsSeq(value) {
		if col+1+len(word) > 76 {
			b, col = append(b, "\r\n"...), 0
		}
		b = append(append(b, ' '), word...)
		col += 1 + len(word)
	}
	return append(b, "\r\n"...)
}

// textLines takes a text apart into its lines.
func (f *Frame) textLines(pieces []Piece) {
	var line []Piece
	end := func() {
		l := textLine{pieces: line}
		if len(line) == 0 || len(line) == 1 && line[0].Value == 0 {
			words := ""
			if len(line) == 1 {
				words = strings.TrimRight(line[0].Text, " \t")
			}
			l = textLine{}
			if words != "" {
				l.shared = quoted(nil, crlf(wrapText(words)))
			}
		}
		f.text = append(f.text, l)
		line = nil
	}
	for _, p := range pieces {
		if p.Value != 0 {
			line = append(line, p)
			continue
		}
		words := strings.ReplaceAll(p.Text, "\r\n", "\n")
		for i := 0; ; i++ {
			part, rest, more := strings.Cut(words, "\n")
			if part != "" {
				line = append(line, Piece{Text: part})
			}
			if !more {
				break
			}
			end()
			words = rest
		}
	}
	if len(line) > 0 {
		end()
	}
}

// Message makes a copy, encoded. Its errors are ErrMessage and hold no address; a name or a value never fails it.
func (f *Frame) Message(c Copy) (Message, error) {
	m := f.from
	m.MessageID, m.EnvelopeFrom, m.To, m.ToName, m.Date, m.UnsubscribeURL = c.MessageID, c.EnvelopeFrom, c.To, c.ToName, c.Date, c.UnsubscribeURL
	if err := m.check(); err != nil {
		return m, err
	}
	v := values{Copy: c, subject: clean(fill(f.form.Subject, c.Values, func(s string) string { return s })), preheader: clean(fill(f.form.Preheader, c.Values, func(s string) string { return s }))}
	b := borrow(f.expected)
	for _, h := range c.Headers {
		b = append(append(append(append(b, h.Name...), ": "...), h.Value...), "\r\n"...)
	}
	for _, h := range f.head {
		if h.own != nil {
			b = h.own(b, &v)
		} else {
			b = append(b, h.shared...)
		}
	}
	b = f.appendText(b, &v)
	b = append(b, f.between...)
	for _, p := range f.html {
		if p.value == 0 {
			b = append(b, p.shared...)
			continue
		}
		b = softly(b)
		b = quoted(b, crlf(escapeText(v.of(p.value))))
		b = softly(b)
	}
	m.raw = append(b, f.end...)
	m.lent = m.raw
	return m, nil
}

// lent are the bytes of copies that went out: most of what a mailing would leave to be collected.
var lent sync.Pool

// Release gives back the bytes of a copy of a Frame, whose message, and every copy of it, is not to be used any more. What sends a message
// keeps none of its bytes, or its own of them. Other messages are left as they are.
func (m *Message) Release() {
	if m.lent != nil {
		b := m.lent[:0]
		m.raw, m.lent = nil, nil
		lent.Put(&b)
	}
}

// borrow gives room for so many bytes.
func borrow(n int) []byte {
	if b, ok := lent.Get().(*[]byte); ok && cap(*b) >= n {
		return *b
	}
	return make([]byte, 0, n)
}

// appendText writes the text part as wrapText wraps it.
func (f *Frame) appendText(b []byte, v *values) []byte {
	empty, begun := 0, false
	var line strings.Builder
	for _, l := range f.text {
		words := ""
		if l.pieces != nil {
			line.Reset()
			for _, p := range l.pieces {
				if p.Value == 0 {
					line.WriteString(p.Text)
				} else {
					line.WriteString(v.of(p.Value))
				}
			}
			words = strings.TrimRight(line.String(), " \t")
		}
		if l.shared == nil && words == "" {
			empty++
			continue
		}
		if empty > 0 && begun {
			b = append(b, "\r\n"...)
		}
		empty, begun = 0, true
		if l.shared != nil {
			b = append(b, l.shared...)
			continue
		}
		b = quoted(b, crlf(wrapText(words)))
	}
	return b
}

// softly begins a new line of encoded text without one in the text, unless one begins here anyway.
func softly(b []byte) []byte {
	if bytes.HasSuffix(b, []byte("\r\n")) {
		return b
	}
	return append(b, "=\r\n"...)
}

const hexDigits = "0123456789ABCDEF"

// quoted appends text in the quoted-printable encoding (RFC 2045, section 6.7). What it is appended to must end with a line, as what
// is appended to the result must begin with softly, where the text does not end with a line end.
func quoted(b []byte, s string) []byte {
	col := 0
	room := func(n int) { // for n more characters, and the mark of a line that goes on
		if col+n > 75 {
			b, col = append(b, "=\r\n"...), 0
		}
		col += n
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
			b, col = append(b, "\r\n"...), 0
			i++
		case (c == ' ' || c == '\t') && (i+1 == len(s) || s[i+1] == '\r' || s[i+1] == '\n'), c < ' ' && c != '\t', c > '~', c == '=':
			room(3)
			b = append(b, '=', hexDigits[c>>4], hexDigits[c&15])
		default:
			room(1)
			b = append(b, c)
		}
	}
	return b
}

// escapeText makes text fit for HTML, as html/template does.
var escapeText = func() func(string) string {
	r := strings.NewReplacer("\x00", "\uFFFD", `"`, "&#34;", "&", "&amp;", "'", "&#39;", "+", "&#43;", "<", "&lt;", ">", "&gt;")
	return func(s string) string {
		if !strings.ContainsAny(s, "\x00\"&'+<>") {
			return s
		}
		return r.Replace(s)
	}
}()

// marker makes the marks that stand for values on their way through templates and encoders: letters and digits, and no word of any
// text.
type marker struct{ prefix string }

func newMarker() marker {
	b := make([]byte, 8)
	_, _ = rand.Read(b) // never fails
	return marker{"mk" + hex.EncodeToString(b) + "y"}
}

func (m marker) mark(n int) string { return m.prefix + strconv.Itoa(n+10) + "x" }

// inOne is a text with marks in the places of its values.
func (m marker) inOne(pieces []Piece) string {
	var b strings.Builder
	for _, p := range pieces {
		if p.Value == 0 {
			b.WriteString(p.Text)
		} else {
			b.WriteString(m.mark(p.Value))
		}
	}
	return b.String()
}

// split takes a text apart at its marks.
func (m marker) split(s string) (out []Piece) {
	for {
		before, rest, ok := strings.Cut(s, m.prefix)
		if before != "" {
			out = append(out, Piece{Text: before})
		}
		if !ok {
			return out
		}
		digits, after, _ := strings.Cut(rest, "x")
		n, _ := strconv.Atoi(digits)
		out = append(out, Piece{Value: n - 10})
		s = after
	}
}
