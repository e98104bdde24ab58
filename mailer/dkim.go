package mailer

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"regexp"
	"strings"
	"sync"
)

// DKIM signs mails for one domain with one key (RFC 6376; RFC 8463 for Ed25519). It is safe for concurrent use, and signing
// keeps nothing: sign each mail where it is sent, on as many goroutines as there are.
type DKIM struct {
	domain, selector string
	key              crypto.Signer
	hash             crypto.Hash // what the key is told of what it signs
	how, who         string      // the signature field up to its h=
}

// ErrKey is a key, domain or selector that no mail can be signed with.
var ErrKey = errors.New("mailer: no key to sign mail with")

// smallestRSA is the smallest RSA key that may sign, in bits. RFC 8301 lets verifiers refuse smaller ones; what is sent to the
// public takes 2048.
const smallestRSA = 1024

var dnsName = regexp.MustCompile(`^[a-z0-9_]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9])?)*$`)

// NewDKIM makes the signer for a domain. domain and selector are lower case, the domain in punycode; the key's public half stands
// in DNS at SELECTOR._domainkey.DOMAIN. The key is RSA of 1024 bits or more, or Ed25519; it must be safe for concurrent use, as
// those of the standard library are. The error is ErrKey.
func NewDKIM(domain, selector string, key crypto.Signer) (*DKIM, error) {
	if len(domain) > 253 || len(selector) > 63 || !dnsName.MatchString(domain) || !dnsName.MatchString(selector) {
		return nil, fmt.Errorf("%w: domain or selector is no name of DNS", ErrKey)
	}
	if key == nil {
		return nil, fmt.Errorf("%w: there is none", ErrKey)
	}
	d := &DKIM{domain: domain, selector: selector, key: key}
	algorithm := ""
	switch public := key.Public().(type) {
	case *rsa.PublicKey:
		if public.N.BitLen() < smallestRSA {
			return nil, fmt.Errorf("%w: an RSA key of %d bits is too small", ErrKey, public.N.BitLen())
		}
		algorithm, d.hash = "rsa-sha256", crypto.SHA256
	case ed25519.PublicKey:
		algorithm, d.hash = "ed25519-sha256", crypto.Hash(0)
	default:
		return nil, fmt.Errorf("%w: it is neither RSA nor Ed25519", ErrKey)
	}
	d.how, d.who = "v=1; a="+algorithm+"; c=relaxed/relaxed;", "d="+domain+"; s="+selector+";"
	return d, nil
}

// Domain is the domain that signs (d=).
func (d *DKIM) Domain() string { return d.domain }

// Selector says under which name the key stands in DNS (s=).
func (d *DKIM) Selector() string { return d.selector }

// Sign returns the DKIM-Signature field, ended by CRLF, to be put before raw: a whole message with CRLF line ends, that
// nothing changes afterwards.
func (d *DKIM) Sign(raw []byte) (header []byte, err error) { return SignAll(raw, d) }

// SignAll is Sign by several keys at once: one field for each, in their order. The message is read once, however many there are.
// Without keys it returns nil.
func SignAll(raw []byte, keys ...*DKIM) (header []byte, err error) {
	if len(keys) == 0 {
		return nil, nil
	}
	w := works.Get().(*work)
	defer w.done()
	if err := w.read(raw); err != nil {
		return nil, err
	}
	out := make([]byte, 0, len(keys)*fieldSize)
	for _, k := range keys {
		if out, err = w.sign(out, k); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Sign encodes the message and puts a signature field before it for each key, as SignAll does. It is called once, when nothing of the
// message changes any more; without keys it does nothing. The error is ErrMessage where the message cannot be encoded, else
// the key's.
func (m *Message) Sign(keys ...*DKIM) error {
	if len(keys) == 0 {
		return nil
	}
	if err := m.Encode(); err != nil {
		return err
	}
	head, err := SignAll(m.raw, keys...)
	if err != nil {
		return err
	}
	m.raw = append(head, m.raw...)
	return nil
}

// fieldSize is about how long a signature field is: by RSA-2048, in bytes.
const fieldSize = 900

// signed are the fields that a signature covers where the message has them, by lower-case name. sealed ones are listed once
// more than they are there, so that the signature breaks when one is added (RFC 6376, section 8.15): another sender, another
// subject, another place to unsubscribe.
//
// What relays may change, add or take away is not covered, nor what a mail provider writes itself.
var signed = []struct {
	name   string
	sealed bool
}{
	{"from", true},
	{"to", true},
	{"subject", true},
	{"date", false},
	{"message-id", false},
	{"reply-to", true},
	{"list-unsubscribe", true},
	{"list-unsubscribe-post", true},
	{"mime-version", false},
	{"content-type", false},
}

// work is the scratch space of signing one message.
type work struct {
	fields []field
	canon  []byte // the signed fields as they are hashed, each ended by CRLF
	list   []byte // h=, a blank where the field is folded
	body   []byte
	sum    []byte
	whole  hash.Hash
	of     [sha256.Size]byte // the body's hash
}

// field is one field of the header as it stands, its line end left out.
type field struct{ name, value []byte }

var works = sync.Pool{New: func() any { return &work{whole: sha256.New()} }}

func (w *work) done() {
	clear(w.fields) // they are pieces of the message
	works.Put(w)
}

var errMalformed = errors.New("mailer: not signed: the header of the message is malformed")

// read takes a message apart and hashes what all signatures have in common.
func (w *work) read(raw []byte) error {
	rest := raw
	w.fields = w.fields[:0]
	for {
		line, after, found := bytes.Cut(rest, crlfBytes)
		if !found {
			return errMalformed
		}
		if rest = after; len(line) == 0 {
			break
		}
		if line[0] == ' ' || line[0] == '\t' { // goes on
			n := len(w.fields)
			if n == 0 {
				return errMalformed
			}
			f := &w.fields[n-1] // the next line lies right behind it, two bytes on
			f.value = f.value[:len(f.value)+2+len(line)]
			continue
		}
		name, value, found := bytes.Cut(line, colon)
		if !found {
			return errMalformed
		}
		w.fields = append(w.fields, field{bytes.TrimRight(name, " \t"), value})
	}

	w.canon, w.list = w.canon[:0], w.list[:0]
	line := 0
	for _, s := range signed {
		n := 0
		for i := len(w.fields) - 1; i >= 0; i-- { // from the last to the first (RFC 6376, section 5.4.2)
			if f := w.fields[i]; len(f.name) == len(s.name) && strings.EqualFold(string(f.name), s.name) {
				w.canon = append(append(w.canon, s.name...), ':')
				w.canon = append(appendFolded(w.canon, f.value), "\r\n"...)
				n++
			}
		}
		if s.name == "from" && n == 0 {
			return errMalformed // a signature without From is none
		}
		if s.sealed {
			n++
		}
		for range n {
			if len(w.list) > 0 {
				w.list = append(w.list, ':')
				if line += len(s.name) + 1; line > lineSize {
					w.list, line = append(w.list, ' '), len(s.name) // here it is folded
				}
			}
			w.list = append(w.list, s.name...)
		}
	}
	w.hashBody(rest)
	return nil
}

var (
	crlfBytes = []byte("\r\n")
	colon     = []byte(":")
	oneBlank  = []byte(" ")
	twoBlanks = []byte("  ")
	blankEnd  = []byte(" \r\n")
)

// appendFolded appends a field's value as "relaxed" hashes it: on one line, each run of blanks one space, none at the ends
// (RFC 6376, section 3.4.2).
func appendFolded(b, value []byte) []byte {
	from, blank := len(b), false
	for _, c := range value {
		switch c {
		case ' ', '\t', '\r', '\n':
			blank = true
			continue
		}
		if blank && len(b) > from {
			b = append(b, ' ')
		}
		blank = false
		b = append(b, c)
	}
	return b
}

// hashBody hashes a body as "relaxed" does: no blanks at the end of a line, each run of them one space, no empty lines at the end,
// and a line end at the end of a body that is not empty (RFC 6376, section 3.4.4).
func (w *work) hashBody(body []byte) {
	if bytes.IndexByte(body, '\t') >= 0 || bytes.Contains(body, twoBlanks) || bytes.Contains(body, blankEnd) || bytes.HasSuffix(body, oneBlank) {
		w.body = appendRelaxed(w.body[:0], body)
		body = w.body
		if cap(w.body) > maxBody {
			w.body = nil
		}
	}
	for bytes.HasSuffix(body, crlfBytes) {
		body = body[:len(body)-2]
	}
	w.whole.Reset()
	if len(body) > 0 {
		w.whole.Write(body)
		w.whole.Write(crlfBytes)
	}
	w.whole.Sum(w.of[:0])
}

// maxBody is the largest body whose space is kept for the next one, in bytes.
const maxBody = 1 << 20

// appendRelaxed is quick where blanks come in twos now and then. Tabs, and blanks at the end of a line, stand in no body that is
// written as quoted-printable.
func appendRelaxed(b, body []byte) []byte {
	if bytes.IndexByte(body, '\t') >= 0 {
		body = bytes.ReplaceAll(body, []byte("\t"), oneBlank)
	}
	body = bytes.TrimRight(body, " ")
	from := len(b)
	for {
		i := bytes.Index(body, twoBlanks)
		if i < 0 {
			break
		}
		b = append(b, body[:i+1]...)
		body = bytes.TrimLeft(body[i+2:], " ")
	}
	b = append(b, body...)
	if bytes.Contains(b[from:], blankEnd) {
		b = append(b[:from], bytes.ReplaceAll(b[from:], blankEnd, crlfBytes)...)
	}
	return b
}

// sign appends the field of one signature. What is hashed of the field itself is its value without folds and with an empty
// b=, and no line end.
func (w *work) sign(out []byte, d *DKIM) ([]byte, error) {
	w.whole.Reset()
	w.whole.Write(w.canon)
	canon := append(w.body[:0], "dkim-signature:"...)
	canon = append(append(append(append(canon, d.how...), ' '), d.who...), " h="...)
	canon = append(append(canon, w.list...), "; bh="...)
	canon = append(base64.StdEncoding.AppendEncode(canon, w.of[:]), "; b="...)
	w.whole.Write(canon)
	w.body = canon
	w.sum = w.whole.Sum(w.sum[:0])
	signature, err := d.key.Sign(rand.Reader, w.sum, d.hash)
	if err != nil {
		return nil, fmt.Errorf("mailer: not signed: %w", err)
	}
	out = append(append(append(out, "DKIM-Signature: "...), d.how...), "\r\n\t"...)
	out = append(append(out, d.who...), "\r\n\th="...)
	for line := range bytes.SplitSeq(w.list, oneBlank) {
		out = append(append(out, line...), "\r\n\t"...)
	}
	out = append(out[:len(out)-3], ";\r\n\tbh="...)
	out = append(base64.StdEncoding.AppendEncode(out, w.of[:]), ";\r\n\tb="...)
	line := base64.StdEncoding.AppendEncode(nil, signature)
	for len(line) > lineSize {
		out = append(append(out, line[:lineSize]...), "\r\n\t"...)
		line = line[lineSize:]
	}
	return append(append(out, line...), "\r\n"...), nil
}

// lineSize is about how many characters stand on one line of a signature field.
const lineSize = 72
