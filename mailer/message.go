// Package mailer turns words into mail and mail into SMTP. It renders the built-in templates in two parts, text and HTML,
// builds every message with go-mail, and hands it to a transport: SMTP, a folder (demo and development) or memory (tests).
//
// It knows neither the database nor who may be written to: that is decided before, by the package that keeps the outbox.
// Nothing here logs; an outcome carries what happened with every address taken out.
package mailer

import (
	"bytes"
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gomail "github.com/wneessen/go-mail"
)

// Header is one more header field of a message. Name is an RFC 5322 field name; control characters in Value become spaces.
type Header struct{ Name, Value string }

// Message is one mail to one person, ready but for its encoding. The same Message always gives the same bytes, so that a
// second attempt is the same mail.
type Message struct {
	MessageID    string // without <>, the same on every attempt; see NewMessageID
	EnvelopeFrom string // where bounces go; FromAddress when empty
	FromName     string
	FromAddress  string
	ReplyTo      string // an address, may be empty
	AlsoReplyTo  string // a second one that answers go to, may be empty; the first is then FromAddress where it is empty
	To           string // an address
	ToName       string // may be empty
	Date         time.Time
	Subject      string
	Preheader    string // for whoever shows the message; it reaches the reader as a part of HTML
	Text         string // always there
	HTML         string // may be empty: a mail of one part

	Bulk                  bool   // sent to many: needs UnsubscribeURL; adds Precedence and Feedback-ID
	UnsubscribeURL        string // https, or http on a loopback host; one POST to it unsubscribes (RFC 8058)
	ListUnsubscribeMailto string // an address that unsubscribes whoever writes to it (RFC 2369), may be empty
	ListID                string // RFC 2919, without <>: "news.example.org"; may be empty
	FeedbackID            string // made of ListID and the sender's domain when empty

	AutoSubmitted bool // written by a machine on somebody's action (RFC 3834): nobody's absence note should answer it
	Headers       []Header
	Attachments   []Attachment

	raw  []byte // by Encode
	lent []byte // of a copy of a Frame: goes back by Release
}

// Attachment is a small file beside the words. Name is a file name of letters, digits, ".", "-" and "_"; Type is a media type, with
// parameters where it has some.
type Attachment struct {
	Name, Type string
	Data       []byte
}

// ErrMessage is what every error of Build is: the message itself is at fault, and no server will change that.
var ErrMessage = errors.New("mailer: message cannot be built")

func wrong(what string) error { return fmt.Errorf("%w: %s", ErrMessage, what) }

// NewMessageID makes a Message-ID at random (RFC 5322, section 3.6.4) for a mail that has no row to take one from.
func NewMessageID(domain string) string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b) + "@" + domain
}

// Encode makes the bytes of the message, which then go over the wire as they are, whatever its fields say later. A transport does
// it for a message that comes without. The error is ErrMessage.
func (m *Message) Encode() error {
	if m.raw != nil {
		return nil
	}
	msg, err := Build(*m)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	b.Grow(2048 + len(m.Text)*9/8 + len(m.HTML)*9/8)
	if _, err := msg.WriteTo(&b); err != nil {
		return fmt.Errorf("%w: %w", ErrMessage, err)
	}
	m.raw = b.Bytes()
	if len(m.Attachments) > 0 {
		m.raw = sameParts(m.raw, m.MessageID)
	}
	return nil
}

// sameParts gives the boundaries of nested parts, which go-mail draws at random, names that follow from the Message-ID. Nothing that
// somebody wrote looks like one: "=" is encoded in words, and stands at the end of a file only.
func sameParts(raw []byte, id string) []byte {
	for i, found := range boundary.FindAllSubmatch(raw, -1) {
		sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", i, id))
		raw = bytes.ReplaceAll(raw, found[1], []byte("part-"+hex.EncodeToString(sum[:15])))
	}
	return raw
}

// Bytes is the message as it goes over the wire, with CRLF line ends.
func Bytes(m Message) ([]byte, error) {
	err := m.Encode()
	return m.raw, err
}

// Build makes go-mail's form of the message. Its errors are ErrMessage and hold no address. Names, subject and header
// values are cleaned of line breaks and control characters, not refused: a mail must not fail over an odd name.
func Build(m Message) (*gomail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	switch {
	case strings.TrimSpace(m.Text) == "":
		return nil, wrong("it has no text part")
	case !utf8.ValidString(m.Text) || !utf8.ValidString(m.HTML):
		return nil, wrong("a part is not UTF-8")
	}
	sum := sha256.Sum256([]byte(m.MessageID))
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	if len(m.Attachments) == 0 { // else there are parts in parts, and go-mail would end both at one boundary
		msg.SetBoundary("part-" + hex.EncodeToString(sum[:15]))
	}
	msg.FromMailAddress(&mail.Address{Name: cleanName(m.FromName), Address: m.FromAddress})
	msg.ToMailAddress(&mail.Address{Name: cleanName(m.ToName), Address: m.To})
	if m.EnvelopeFrom != "" {
		msg.EnvelopeFromMailAddress(&mail.Address{Address: m.EnvelopeFrom})
	}
	switch {
	case m.AlsoReplyTo != "":
		msg.ReplyToMailAddress(&mail.Address{Address: cmp.Or(m.ReplyTo, m.FromAddress)}, &mail.Address{Address: m.AlsoReplyTo})
	case m.ReplyTo != "":
		msg.ReplyToMailAddress(&mail.Address{Address: m.ReplyTo})
	}
	msg.Subject(clean(m.Subject))
	msg.SetMessageIDWithValue(m.MessageID)
	msg.SetDateWithValue(m.Date)

	if err := listHeaders(msg, m); err != nil {
		return nil, err
	}
	if m.AutoSubmitted {
		msg.SetGenHeader("Auto-Submitted", "auto-generated")
	}
	if m.AutoSubmitted || m.Bulk {
		msg.SetGenHeader(gomail.HeaderXAutoResponseSuppress, "All")
	}
	for _, h := range m.Headers {
		if !fieldName.MatchString(h.Name) || ownField[strings.ToLower(h.Name)] {
			return nil, wrong("a header field may not be set by name")
		}
		msg.SetGenHeader(gomail.Header(h.Name), clean(h.Value))
	}

	msg.SetBodyString(gomail.TypeTextPlain, crlf(m.Text))
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, crlf(m.HTML))
	}
	for _, a := range m.Attachments {
		if !fileName.MatchString(a.Name) || !mediaType.MatchString(a.Type) {
			return nil, wrong("a file's name or type is malformed")
		}
		if err := msg.AttachReader(a.Name, bytes.NewReader(a.Data), gomail.WithFileContentType(gomail.ContentType(a.Type))); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrMessage, err)
		}
	}
	return msg, nil
}

// check looks at what stands in headers and on SMTP lines as it is.
func (m *Message) check() error {
	for _, a := range []struct {
		name, addr string
		may        bool // be empty
	}{
		{"sender", m.FromAddress, false},
		{"recipient", m.To, false},
		{"envelope sender", m.EnvelopeFrom, true},
		{"reply address", m.ReplyTo, true},
		{"second reply address", m.AlsoReplyTo, true},
		{"unsubscribe address", m.ListUnsubscribeMailto, true},
	} {
		if a.may && a.addr == "" {
			continue
		}
		if !safeAddress(a.addr) {
			return wrong("its " + a.name + " is no address")
		}
	}
	switch {
	case len(m.MessageID) > 250 || !messageID(m.MessageID):
		return wrong("its Message-ID is missing or malformed")
	case m.Date.IsZero():
		return wrong("it has no date")
	case m.Bulk && m.UnsubscribeURL == "":
		return wrong("bulk mail needs a way to unsubscribe")
	case m.UnsubscribeURL != "" && !oneClickURL(m.UnsubscribeURL):
		return wrong("its unsubscribe link is neither https nor on this machine")
	}
	return nil
}

// listHeaders adds what mail to many carries: List-Unsubscribe and List-Unsubscribe-Post (RFC 2369, RFC 8058), List-Id
// (RFC 2919), Precedence, Feedback-ID.
func listHeaders(msg *gomail.Msg, m Message) error {
	var ways []string
	if m.UnsubscribeURL != "" {
		ways = append(ways, "<"+m.UnsubscribeURL+">")
	}
	if m.ListUnsubscribeMailto != "" {
		ways = append(ways, mailto(m.ListUnsubscribeMailto))
	}
	if len(ways) > 0 {
		msg.SetGenHeader(gomail.HeaderListUnsubscribe, strings.Join(ways, ", "))
	}
	if m.UnsubscribeURL != "" {
		msg.SetGenHeader(gomail.HeaderListUnsubscribePost, "List-Unsubscribe=One-Click")
	}
	if m.ListID != "" {
		if !listID.MatchString(m.ListID) {
			return wrong("its list id is malformed")
		}
		msg.SetGenHeader("List-Id", "<"+m.ListID+">")
	}
	if !m.Bulk {
		return nil
	}
	msg.SetGenHeader(gomail.HeaderPrecedence, "bulk")
	feedback := clean(m.FeedbackID)
	if feedback == "" {
		_, domain, _ := strings.Cut(m.FromAddress, "@")
		list := m.ListID
		if list == "" {
			list = "bulk"
		}
		feedback = list + "::mail:" + domain
	}
	msg.SetGenHeader("Feedback-ID", feedback)
	return nil
}

// mailto is the way out by mail, as it stands in List-Unsubscribe.
func mailto(address string) string {
	return "<mailto:" + (&url.URL{Path: address}).EscapedPath() + "?subject=unsubscribe>"
}

// messageID reports whether s may stand between < and > (RFC 5322, section 3.6.4).
func messageID(s string) bool {
	left, right, ok := strings.Cut(s, "@")
	return ok && word(left, atomText) && word(right, hostText)
}

// word reports whether s is some characters, all of them of a set.
func word(s string, set *[256]bool) bool {
	for i := range len(s) {
		if !set[s[i]] {
			return false
		}
	}
	return s != ""
}

func setOf(more string) *[256]bool {
	var set [256]bool
	for c := range 256 {
		set[c] = c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c < 128 && strings.IndexByte(more, byte(c)) >= 0
	}
	return &set
}

var (
	atomText = setOf("!#$%&'*+/=?^_{|}~.-") // atext of RFC 5322, section 3.2.3, but for the backtick, and the dot
	hostText = setOf(".-")
)

var (
	listID      = regexp.MustCompile(`^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)+$`)
	fieldName   = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9-]*$`)
	fileName    = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9._-]{0,79}$`)
	mediaType   = regexp.MustCompile(`^[a-z]+/[a-z0-9.+-]+(; [a-z]+=[A-Za-z0-9-]+)*$`)
	boundary    = regexp.MustCompile(`boundary=([0-9a-f]{60})`)
	encodedWord = regexp.MustCompile(`=\?([^?\s]*\?[^?\s]*\?)`)

	// ownField are the fields that Build writes itself, each at most once.
	ownField = map[string]bool{
		"from": true, "to": true, "cc": true, "bcc": true, "sender": true, "reply-to": true, "return-path": true,
		"subject": true, "date": true, "message-id": true, "mime-version": true, "content-type": true,
		"content-transfer-encoding": true, "list-unsubscribe": true, "list-unsubscribe-post": true, "list-id": true,
		"precedence": true, "feedback-id": true, "auto-submitted": true, "x-auto-response-suppress": true,
		"user-agent": true, "x-mailer": true, "received": true, "dkim-signature": true,
	}
)

// safeAddress is the last check before an address stands in a header and on an SMTP line. It is not the check of what
// people type: that one is stricter and was made long before.
func safeAddress(s string) bool {
	if left, right, ok := strings.Cut(s, "@"); ok && len(s) <= 254 && word(left, atomText) && word(right, hostText) && !strings.Contains(s, "..") &&
		left[0] != '.' && left[len(left)-1] != '.' && right[0] != '.' && right[len(right)-1] != '.' {
		return true // nearly all of them
	}
	if len(s) > 254 || strings.Count(s, "@") != 1 || !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune(`"<>(),:;\[]`, r) {
			return false
		}
	}
	a, err := mail.ParseAddress(s)
	return err == nil && a.Name == "" && a.Address == s
}

// oneClickURL reports whether s may stand in List-Unsubscribe: https, or http to this machine, plain ASCII.
func oneClickURL(s string) bool {
	if strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`<>,"\`, r) }) {
		return false
	}
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.User != nil {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname())
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// clean makes a header value one line of visible text: control characters, line separators and what is not UTF-8 become
// single spaces, direction marks go, and text that only looks like an encoded word (RFC 2047) will not be decoded as one.
func clean(s string) string {
	s = strings.ToValidUTF8(s, " ")
	var b strings.Builder
	space := false
	for _, r := range s {
		switch {
		case unicode.IsControl(r), unicode.IsSpace(r), r == '\u2028', r == '\u2029':
			space = b.Len() > 0
			continue
		case r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069', r == '\ufeff':
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(r)
	}
	return encodedWord.ReplaceAllString(b.String(), "= ?$1")
}

// cleanName is clean for a display name. net/mail leaves a backslash bare in an encoded word, where RFC 2047, section 5,
// allows none, and readers then find no address.
func cleanName(s string) string { return strings.ReplaceAll(clean(s), `\`, "/") }

// crlf gives a body the line ends of RFC 5322 and drops NUL, which no body may hold.
func crlf(s string) string {
	s = strings.ReplaceAll(s, "\r\n", "\n")
	s = strings.ReplaceAll(s, "\r", "\n")
	s = strings.ReplaceAll(s, "\x00", "")
	return strings.ReplaceAll(s, "\n", "\r\n")
}
