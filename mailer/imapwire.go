package mailer

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
)

// imapWire is a conversation by IMAP (RFC 9051, and RFC 3501 before it), as much of it as reading a folder needs. One goroutine uses it.
type imapWire struct {
	conn net.Conn
	r    *bufio.Reader
	n    int             // of the last command
	caps map[string]bool // in capitals, as of the last CAPABILITY
}

// Limits of what a server may say: more is no IMAP.
const (
	longestLine     = 1 << 20
	longestLiteral  = maxReturned + 64<<10
	mostOfAResponse = 8 * longestLiteral // of literals, to one command
)

// imapNo is that the server said no to a command.
type imapNo struct{ said string }

func (e *imapNo) Error() string { return "imap: " + Scrub(e.said) }

var errIMAP = errors.New("imap: the server's answer cannot be read")

// imapLine is one response: its text, with "{}" where a literal stood.
type imapLine struct {
	text     string
	literals [][]byte
}

func newIMAPWire(conn net.Conn) *imapWire {
	return &imapWire{conn: conn, r: bufio.NewReaderSize(conn, 64<<10)}
}

// line reads one response with its literals.
func (w *imapWire) line() (l imapLine, err error) {
	var text strings.Builder
	for size := 0; ; {
		part, err := w.r.ReadSlice('\n')
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return l, err
		}
		if text.Len()+len(part) > longestLine {
			return l, errIMAP
		}
		text.Write(part)
		if err != nil {
			continue
		}
		s := strings.TrimRight(text.String(), "\r\n")
		at := literalEnd.FindStringSubmatchIndex(s)
		if at == nil {
			l.text = s
			return l, nil
		}
		n, err := strconv.Atoi(s[at[2]:at[3]])
		if size += n; err != nil || n > longestLiteral || size > mostOfAResponse {
			return l, errIMAP
		}
		b := make([]byte, n)
		if _, err := io.ReadFull(w.r, b); err != nil {
			return l, err
		}
		l.literals = append(l.literals, b)
		text.Reset()
		text.WriteString(s[:at[0]] + "{}")
	}
}

var literalEnd = regexp.MustCompile(`~?\{([0-9]{1,9})\+?\}$`)

// imapText is an argument that stands between quotation marks, or goes as a literal where it cannot.
type imapText string

// do sends a command and returns the responses before its end. Its parts are strings, written as they are, and imapTexts. An error
// that the server names is an *imapNo.
func (w *imapWire) do(parts ...any) (out []imapLine, err error) {
	w.n++
	tag := "k" + strconv.Itoa(w.n)
	var b strings.Builder
	b.WriteString(tag)
	for _, p := range parts {
		b.WriteByte(' ')
		switch p := p.(type) {
		case string:
			b.WriteString(p)
		case imapText:
			if !strings.ContainsFunc(string(p), func(r rune) bool { return r < ' ' || r > '~' }) {
				b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(string(p)) + `"`)
				continue
			}
			fmt.Fprintf(&b, "{%d}\r\n", len(p))
			if _, err := io.WriteString(w.conn, b.String()); err != nil {
				return nil, err
			}
			b.Reset()
			b.WriteString(string(p))
			for { // until the server asks for the literal
				l, err := w.line()
				if err != nil {
					return nil, err
				}
				if strings.HasPrefix(l.text, "+") {
					break
				}
				if rest, is := strings.CutPrefix(l.text, tag+" "); is {
					return nil, &imapNo{rest}
				}
			}
		}
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(w.conn, b.String()); err != nil {
		return nil, err
	}
	for kept := 0; ; {
		l, err := w.line()
		if err != nil {
			return nil, err
		}
		if rest, is := strings.CutPrefix(l.text, tag+" "); is {
			state, said, _ := strings.Cut(rest, " ")
			if strings.EqualFold(state, "OK") {
				return append(out, imapLine{text: rest}), nil
			}
			return nil, &imapNo{said}
		}
		if kept += len(l.text); kept > longestLine || len(out) > 10_000 {
			return nil, errIMAP
		}
		out = append(out, l)
	}
}

// greet reads the server's greeting.
func (w *imapWire) greet() error {
	l, err := w.line()
	if err != nil {
		return err
	}
	if !strings.HasPrefix(strings.ToUpper(l.text), "* OK") {
		return &imapNo{strings.TrimPrefix(l.text, "* ")}
	}
	return nil
}

// startTLS changes to TLS. What the server said ahead, in the clear, would be taken for said in TLS: that ends it.
func (w *imapWire) startTLS(ctx context.Context, conf *tls.Config) error {
	if _, err := w.do("STARTTLS"); err != nil {
		return err
	}
	if w.r.Buffered() > 0 {
		return errIMAP
	}
	t := tls.Client(w.conn, conf)
	if err := t.HandshakeContext(ctx); err != nil {
		return err
	}
	w.conn, w.r = t, bufio.NewReaderSize(t, 64<<10)
	return nil
}

// signIn signs in and asks what the server can do.
func (w *imapWire) signIn(user, password string) error {
	if _, err := w.do("LOGIN", imapText(user), imapText(password)); err != nil {
		return err
	}
	got, err := w.do("CAPABILITY")
	w.caps = map[string]bool{}
	for _, l := range got {
		if rest, is := strings.CutPrefix(strings.ToUpper(l.text), "* CAPABILITY "); is {
			for _, c := range strings.Fields(rest) {
				w.caps[c] = true
			}
		}
	}
	return err
}

// folder is what a server says of a folder that is opened.
type folder struct{ mails, next, validity uint32 }

var (
	saysMails    = regexp.MustCompile(`(?i)^\* ([0-9]+) EXISTS`)
	saysNext     = regexp.MustCompile(`(?i)\[UIDNEXT ([0-9]+)\]`)
	saysValidity = regexp.MustCompile(`(?i)\[UIDVALIDITY ([0-9]+)\]`)
	saysMessages = regexp.MustCompile(`(?i)^\* STATUS .*MESSAGES ([0-9]+)`)
	saysUID      = regexp.MustCompile(`(?i)\bUID ([0-9]+)`)
	saysBody     = regexp.MustCompile(`(?i)BODY\[\](?:<[0-9]+>)? "((?:[^"\\]|\\.)*)"`)
)

// number reads a number that a response holds.
func number(re *regexp.Regexp, text string, into *uint32) bool {
	m := re.FindStringSubmatch(text)
	if m == nil {
		return false
	}
	n, err := strconv.ParseUint(m[1], 10, 32)
	*into = uint32(n)
	return err == nil
}

// open selects a folder.
func (w *imapWire) open(name string) (f folder, err error) {
	got, err := w.do("SELECT", imapText(folderName(name)))
	for _, l := range got {
		number(saysMails, l.text, &f.mails)
		number(saysNext, l.text, &f.next)
		number(saysValidity, l.text, &f.validity)
	}
	return f, err
}

// has reports whether there is a folder.
func (w *imapWire) has(name string) (bool, error) {
	got, err := w.do("STATUS", imapText(folderName(name)), "(MESSAGES)")
	var n uint32
	for _, l := range got {
		if number(saysMessages, strings.ReplaceAll(l.text, "{}", "x"), &n) {
			return true, err
		}
	}
	return false, err
}

// since lists the UIDs from one on.
func (w *imapWire) since(uid uint32) (out []uint32, err error) {
	got, err := w.do("UID SEARCH UID", fmt.Sprintf("%d:*", uid))
	for _, l := range got {
		rest, is := strings.CutPrefix(strings.ToUpper(l.text), "* SEARCH")
		if !is {
			continue
		}
		for _, s := range strings.Fields(rest) {
			n, err := strconv.ParseUint(s, 10, 32)
			if err != nil {
				return nil, errIMAP
			}
			if uint32(n) >= uid { // "n:*" always names the last one
				out = append(out, uint32(n))
			}
		}
	}
	return out, err
}

// fetch reads mails, each up to maxReturned bytes, without marking them as seen.
func (w *imapWire) fetch(uids []uint32) (map[uint32][]byte, error) {
	got, err := w.do("UID FETCH", uidSet(uids), fmt.Sprintf("(UID BODY.PEEK[]<0.%d>)", maxReturned))
	out := map[uint32][]byte{}
	for _, l := range got {
		var uid uint32
		if !strings.Contains(strings.ToUpper(l.text), " FETCH ") || !number(saysUID, l.text, &uid) {
			continue
		}
		if len(l.literals) > 0 {
			out[uid] = l.literals[0]
		} else if m := saysBody.FindStringSubmatch(l.text); m != nil {
			out[uid] = []byte(escaped.ReplaceAllString(m[1], "$1"))
		}
	}
	return out, err
}

var escaped = regexp.MustCompile(`\\(.)`)

func uidSet(uids []uint32) string {
	s := make([]string, len(uids))
	for i, u := range uids {
		s[i] = strconv.FormatUint(uint64(u), 10)
	}
	return strings.Join(s, ",")
}

// flag adds flags to mails.
func (w *imapWire) flag(uids []uint32, flags string) error {
	_, err := w.do("UID STORE", uidSet(uids), "+FLAGS.SILENT", "("+flags+")")
	return err
}

// move puts mails into another folder (RFC 6851), or copies and deletes them where the server cannot move.
func (w *imapWire) move(uids []uint32, to string) error {
	if w.caps["MOVE"] || w.caps["IMAP4REV2"] {
		_, err := w.do("UID MOVE", uidSet(uids), imapText(folderName(to)))
		return err
	}
	if _, err := w.do("UID COPY", uidSet(uids), imapText(folderName(to))); err != nil {
		return err
	}
	return w.remove(uids)
}

// remove deletes mails. Where the server cannot expunge just these (RFC 4315) they stay, marked as deleted: other people's would go
// with them.
func (w *imapWire) remove(uids []uint32) error {
	if err := w.flag(uids, `\Deleted \Seen`); err != nil {
		return err
	}
	if !w.caps["UIDPLUS"] && !w.caps["IMAP4REV2"] {
		return nil
	}
	_, err := w.do("UID EXPUNGE", uidSet(uids))
	return err
}

// folderName is the name of a folder as IMAP writes it: modified UTF-7 (RFC 3501, section 5.1.3).
func folderName(name string) string {
	var b strings.Builder
	var odd []rune
	flush := func() {
		if len(odd) == 0 {
			return
		}
		raw := make([]byte, 0, 2*len(odd))
		for _, u := range utf16.Encode(odd) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + strings.ReplaceAll(base64.RawStdEncoding.EncodeToString(raw), "/", ",") + "-")
		odd = odd[:0]
	}
	for _, r := range name {
		if r < ' ' || r > '~' {
			odd = append(odd, r)
			continue
		}
		flush()
		if b.WriteRune(r); r == '&' {
			b.WriteByte('-')
		}
	}
	flush()
	return b.String()
}

// answering gives each answer of a server its own time.
type answering struct {
	net.Conn
	timeout time.Duration
}

// Read is part of net.Conn.
func (a *answering) Read(p []byte) (int, error) {
	if err := a.SetReadDeadline(time.Now().Add(a.timeout)); err != nil {
		return 0, err
	}
	return a.Conn.Read(p)
}

// Write is part of net.Conn.
func (a *answering) Write(p []byte) (int, error) {
	if err := a.SetWriteDeadline(time.Now().Add(a.timeout)); err != nil {
		return 0, err
	}
	return a.Conn.Write(p)
}
