package mailer

import (
	"bufio"
	"bytes"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
	"github.com/emersion/go-message/textproto"
	"golang.org/x/net/html"
)

// Class says what a mail that came back is.
type Class string

// The classes. The zero value is not one of them.
const (
	BounceHard   Class = "hard"       // there is no such mailbox: 5.1.1, 5.1.2, 5.1.3, 5.1.6, 5.1.10, 5.2.1
	BounceSoft   Class = "soft"       // not now, or nobody can say: 5.2.2, 4.x.x and whatever names no other class
	BouncePolicy Class = "policy"     // the server refuses us, not the person: 5.7.x, 5.1.7, 5.1.8
	BounceOurs   Class = "ours"       // our message is at fault: 5.2.3, 5.3.4, 5.6.x
	Delayed      Class = "delayed"    // not there yet, and still tried
	Delivered    Class = "delivered"  // a DSN of success
	Complaint    Class = "complaint"  // the reader's provider says that it was called spam (RFC 5965)
	AutoReply    Class = "auto_reply" // written by a machine (RFC 3834), among them receipts of reading (RFC 8098)
	StopReply    Class = "stop"       // a person's answer whose first line is "stop" and nothing else
	Reply        Class = "reply"      // a person's answer
	Unclear      Class = "unclear"    // none of these can be said
)

// Classes lists every class.
var Classes = []Class{BounceHard, BounceSoft, BouncePolicy, BounceOurs, Delayed, Delivered, Complaint, AutoReply, StopReply, Reply, Unclear}

// Bounced reports whether the mail did not arrive.
func (c Class) Bounced() bool {
	return c == BounceHard || c == BounceSoft || c == BouncePolicy || c == BounceOurs
}

// Returned is what a mail that came back says. It holds no address and no text of a person, and may be stored.
type Returned struct {
	Class      Class
	Status     string   // the enhanced status code (RFC 3463); "" where there is none
	Diagnostic string   // the server's words, addresses taken out, at most 300 characters; "" for what people write
	Marks      []string // what may be the mark of the delivery that it is about, the best first: see ReadReturned
}

// maxReturned is how many bytes of a mail are read; the rest is not looked at.
const maxReturned = 512 << 10

// ReadReturned reads a mail that came back: a delivery status notification (RFC 3464), a complaint (RFC 5965), the text bounces
// of older servers, an automatic reply, or what a person wrote. It never fails: what cannot be read is Unclear. It looks at 512 KiB.
//
// Marks are looked for where a mail server puts them and nowhere else: behind the plus sign of an address that the mail was
// delivered to or that the returned mail's envelope came from, and in the Message-ID of the returned mail or of the one that is
// answered ("d.MARK@example.org"). Text that somebody could have written into a body is no place for a mark.
func ReadReturned(raw []byte) Returned {
	r := reading{}
	e, err := message.ReadWithOptions(bytes.NewReader(raw[:min(len(raw), maxReturned)]), &message.ReadOptions{MaxHeaderBytes: maxReturned})
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return Returned{Class: Unclear}
	}
	if e.Header.Len() == 0 {
		return Returned{Class: Unclear}
	}
	r.top = mail.Header{Header: e.Header}
	r.walk(e, 0)
	out := r.class()
	out.Marks = r.marks()
	return out
}

// Answer is what a person wrote back: at most 64 KiB, with what it quotes.
type Answer struct{ Text string }

// ReadAnswer reads the words of a mail that ReadReturned calls an answer. Its text is somebody's own: it may be passed on, and is kept
// sealed until then.
func ReadAnswer(raw []byte) Answer {
	e, err := message.ReadWithOptions(bytes.NewReader(raw[:min(len(raw), maxReturned)]), &message.ReadOptions{MaxHeaderBytes: maxReturned})
	if e == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
		return Answer{}
	}
	r := reading{top: mail.Header{Header: e.Header}}
	r.walk(e, 0)
	return Answer{Text: strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(strings.ReplaceAll(r.text, "\r\n", "\n"), "\x00", ""), ""))}
}

// reading is what was found in one mail.
type reading struct {
	top      mail.Header
	parts    int
	status   []textproto.Header // message/delivery-status: the fields of the message, then of each recipient
	feedback *textproto.Header  // message/feedback-report
	receipt  bool               // message/disposition-notification
	returned *textproto.Header  // the head of the mail that came back
	text     string             // the first text for people
	fromHTML bool
}

// walk looks at a part and at those in it.
func (r *reading) walk(e *message.Entity, depth int) {
	if r.parts++; r.parts > 100 || depth > 6 {
		return
	}
	kind, _, err := e.Header.ContentType()
	if err != nil { // as RFC 2045, section 5.2, says
		kind = "text/plain"
	}
	if mr := e.MultipartReader(); mr != nil {
		for {
			part, err := mr.NextPart()
			if part == nil || err != nil && !message.IsUnknownCharset(err) && !message.IsUnknownEncoding(err) {
				return
			}
			r.walk(part, depth+1)
		}
	}
	switch strings.ToLower(kind) {
	case "message/delivery-status", "message/global-delivery-status":
		if r.status == nil {
			r.status = groups(e.Body)
		}
	case "message/feedback-report":
		if all := groups(e.Body); r.feedback == nil && len(all) > 0 {
			r.feedback = &all[0]
		}
	case "message/disposition-notification", "message/global-disposition-notification":
		r.receipt = true
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/rfc822-headers", "message/global-headers":
		if r.returned == nil {
			if h, err := textproto.ReadHeader(bufio.NewReader(io.MultiReader(e.Body, strings.NewReader("\r\n\r\n")))); err == nil {
				r.returned = &h
			}
		}
	case "text/plain":
		if r.text == "" || r.fromHTML {
			r.text, r.fromHTML = words(e.Body), false
		}
	case "text/html":
		if r.text == "" {
			r.text, r.fromHTML = words(strings.NewReader(visible(e.Body))), true
		}
	}
}

// maxWords is how many bytes of a text are looked at.
const maxWords = 64 << 10

// words reads a text; what is no UTF-8 is taken for Latin-1.
func words(r io.Reader) string {
	b, _ := io.ReadAll(io.LimitReader(r, maxWords)) // what was read before an error is what there is
	if !utf8.Valid(b) {
		runes := make([]rune, len(b))
		for i, c := range b {
			runes[i] = rune(c)
		}
		return string(runes)
	}
	return string(b)
}

// visible is the text of a page of HTML, each block on lines of its own. Quoted text (blockquote) is left out.
func visible(r io.Reader) string {
	z := html.NewTokenizer(io.LimitReader(r, 4*maxWords))
	var b strings.Builder
	quoted, hidden := 0, 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return b.String()
		case html.TextToken:
			if quoted == 0 && hidden == 0 {
				b.WriteString(strings.Join(strings.Fields(html.UnescapeString(string(z.Raw()))), " "))
			}
		case html.StartTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "blockquote":
				quoted++
			case "style", "script", "head", "title":
				hidden++
			case "br", "p", "div", "tr", "li", "hr", "pre", "table", "h1", "h2", "h3":
				b.WriteByte('\n')
			default:
				b.WriteByte(' ')
			}
		case html.SelfClosingTagToken:
			b.WriteByte('\n')
		case html.EndTagToken:
			switch name, _ := z.TagName(); string(name) {
			case "blockquote":
				quoted = max(quoted-1, 0)
			case "style", "script", "head", "title":
				hidden = max(hidden-1, 0)
			case "p", "div", "tr", "li", "pre", "table", "h1", "h2", "h3":
				b.WriteByte('\n')
			}
		}
	}
}

// groups reads blocks of header fields with empty lines between them. Lines that are none are left out.
func groups(r io.Reader) (out []textproto.Header) {
	b, _ := io.ReadAll(io.LimitReader(r, maxWords))
	var block strings.Builder
	flush := func() {
		if block.Len() == 0 {
			return
		}
		if h, err := textproto.ReadHeader(bufio.NewReader(strings.NewReader(block.String() + "\r\n"))); err == nil && h.Len() > 0 {
			out = append(out, h)
		}
		block.Reset()
	}
	for line := range strings.Lines(string(b)) {
		line = strings.TrimRight(line, "\r\n")
		switch {
		case strings.TrimSpace(line) == "":
			flush()
		case block.Len() > 0 && (line[0] == ' ' || line[0] == '\t'), headerLine.MatchString(line):
			block.WriteString(line + "\r\n")
		}
	}
	flush()
	return out
}

var headerLine = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*[ \t]*:`)

// mark is how a token looks: base64url (RFC 4648, section 5).
const mark = `[A-Za-z0-9_-]{20,100}`

var (
	markedAddress = regexp.MustCompile(`[A-Za-z0-9._-]+\+(` + mark + `)@[A-Za-z0-9.-]+`)
	markedID      = regexp.MustCompile(`<?d\.(` + mark + `)@[A-Za-z0-9.-]+`)
)

// marks lists what may be the mark of the delivery.
func (r *reading) marks() (out []string) {
	add := func(re *regexp.Regexp, h *textproto.Header, names ...string) {
		for _, name := range names {
			for f := h.FieldsByKey(name); f.Next(); {
				for _, m := range re.FindAllStringSubmatch(f.Value(), 10) {
					if !slices.Contains(out, m[1]) && len(out) < 20 {
						out = append(out, m[1])
					}
				}
			}
		}
	}
	add(markedAddress, &r.top.Header.Header, "Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "X-Delivered-To", "X-RCPT-To", "To", "Cc")
	if r.returned != nil {
		add(markedAddress, r.returned, "Return-Path", "X-Envelope-From")
		add(markedID, r.returned, "Message-ID")
	}
	if r.feedback != nil {
		add(markedAddress, r.feedback, "Original-Mail-From")
	}
	add(markedID, &r.top.Header.Header, "In-Reply-To", "References", "Original-Message-ID", "X-Original-Message-ID")
	return out
}

// MarksOf lists what may be a mark in the envelope sender of one of our mails and in its Message-ID, for what providers say about
// mails in a form of their own.
func MarksOf(envelopeFrom, messageID string) (out []string) {
	for _, m := range [][]string{markedAddress.FindStringSubmatch(envelopeFrom), markedID.FindStringSubmatch(messageID)} {
		if m != nil {
			out = append(out, m[1])
		}
	}
	return out
}
