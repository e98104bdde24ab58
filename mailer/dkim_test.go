package mailer

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"maps"
	mathrand "math/rand/v2"
	"net/mail"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"kithline/tests/skipped"
)

// The keys of the tests, and what stands of them in DNS.
var (
	keyRSA1024 = sync.OnceValue(func() crypto.Signer { return rsaKey(1024) })
	keyRSA2048 = sync.OnceValue(func() crypto.Signer { return rsaKey(2048) })
	keyEd25519 = sync.OnceValue(func() crypto.Signer {
		return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	})
)

func rsaKey(bits int) crypto.Signer {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

const signingDomain = "example.org"

func signer(t testing.TB, selector string, key crypto.Signer) *DKIM {
	t.Helper()
	d, err := NewDKIM(signingDomain, selector, key)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// zone is DNS as far as the verifiers ask it.
func zone(t testing.TB, keys ...*DKIM) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, k := range keys {
		kind, public := "rsa", []byte(nil)
		switch p := k.key.Public().(type) {
		case *rsa.PublicKey:
			var err error
			if public, err = x509.MarshalPKIXPublicKey(p); err != nil {
				t.Fatal(err)
			}
		case ed25519.PublicKey:
			kind, public = "ed25519", p
		}
		out[k.Selector()+"._domainkey."+k.Domain()] = "v=DKIM1; k=" + kind + "; p=" + base64.StdEncoding.EncodeToString(public)
	}
	return out
}

// passes reports how many signatures of a mail there are and how many hold, by the verifier of go-msgauth.
func passes(t testing.TB, raw []byte, dns map[string]string) (all, good int) {
	t.Helper()
	list, err := dkim.VerifyWithOptions(bytes.NewReader(raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		if s, ok := dns[strings.TrimSuffix(name, ".")]; ok {
			return []string{s}, nil
		}
		return nil, errors.New("no such name")
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range list {
		if v.Err == nil {
			good++
		}
	}
	return len(list), good
}

// second is a second verifier, in another language and by other people: dkimpy. It answers for each mail, in order, with a
// character for each signature: y or n.
type second struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

const secondVariable = "KITHLINE_TEST_DKIMPY"

const secondScript = `
import sys, struct, dkim, logging
zone = {}
read = sys.stdin.buffer.read
for _ in range(struct.unpack('>I', read(4))[0]):
    name = read(struct.unpack('>I', read(4))[0]); zone[name + b'.'] = read(struct.unpack('>I', read(4))[0])
def dns(name, timeout=5):
    return zone.get(name if isinstance(name, bytes) else name.encode())
logger = logging.getLogger('x'); logger.addHandler(logging.NullHandler()); logger.propagate = False
while True:
    head = read(4)
    if len(head) < 4: break
    raw = read(struct.unpack('>I', head)[0])
    out = ''
    d = dkim.DKIM(raw, logger=logger)
    for i in range(sum(1 for h, v in d.headers if h.lower() == b'dkim-signature')):
        try: out += 'y' if d.verify(idx=i, dnsfunc=dns) else 'n'
        except dkim.DKIMException: out += 'n'
    sys.stdout.write(out + '\n'); sys.stdout.flush()
`

func newSecond(t testing.TB, dns map[string]string) *second {
	t.Helper()
	const python = "/usr/bin/python3" // the system's, which the package is for
	if err := exec.Command(python, "-c", "import dkim, nacl").Run(); err != nil {
		skipped.For(t, "dkimpy", secondVariable, python+" does not find the modules dkim and nacl (Debian: python3-dkim, python3-nacl)")
	}
	s := &second{cmd: exec.Command(python, "-c", secondScript)}
	var err error
	if s.in, err = s.cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := &bytes.Buffer{}
	s.out, s.cmd.Stderr = bufio.NewReader(out), said
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = s.in.Close()
		if err := s.cmd.Wait(); err != nil {
			t.Errorf("the second verifier: %v: %s", err, said)
		}
	})
	s.number(t, len(dns))
	for _, name := range slices.Sorted(maps.Keys(dns)) {
		s.text(t, []byte(name))
		s.text(t, []byte(dns[name]))
	}
	return s
}

func (s *second) number(t testing.TB, n int) {
	if err := binary.Write(s.in, binary.BigEndian, uint32(n)); err != nil {
		t.Fatal(err)
	}
}

func (s *second) text(t testing.TB, b []byte) {
	s.number(t, len(b))
	if _, err := s.in.Write(b); err != nil {
		t.Fatal(err)
	}
}

func (s *second) ask(t testing.TB, raw []byte) string {
	s.text(t, raw)
	line, err := s.out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(line)
}

func signedMail(t testing.TB, m Message, keys ...*DKIM) []byte {
	t.Helper()
	raw, err := Bytes(m)
	if err != nil {
		t.Fatal(err)
	}
	head, err := SignAll(raw, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return append(head, raw...)
}

// anyMail makes a mail to many of odd pieces: names and subjects in any script, long and short, bodies with runs of blanks, blank
// ends of lines and empty lines at the end.
func anyMail(r *mathrand.Rand, n int) Message {
	words := []string{
		"Žofia", "María José", "山田", "Юлия", "عمر", "O'Neil", "Anne-Marie", "Nguyễn", "=?utf-8?q?x?=", `a\b`, "(J.)", "😀", "van  der", "\t", "Łukasz", "\u202eevil",
		"x", "The clinic hours for the whole of the north", "Wednesday", "  ", "A\r\nBcc: y@example.org", strings.Repeat("long", 30),
	}
	pick := func(n int) string {
		var out []string
		for range r.IntN(n + 1) {
			out = append(out, words[r.IntN(len(words))])
		}
		return strings.Join(out, " ")
	}
	m := bulk()
	m.MessageID = fmt.Sprintf("d.%d.%d@example.org", n, r.Uint64())
	m.To = fmt.Sprintf("person%d+%x@mail%d.example.net", n, r.Uint32(), r.IntN(50))
	m.ToName, m.FromName, m.Subject = pick(4), pick(3)+"W", pick(12)+"S"
	m.UnsubscribeURL = "https://example.org/u/" + strings.Repeat("x", 20+r.IntN(200)) + "?x=1"
	m.Date = m.Date.Add(time.Duration(r.IntN(1e6)) * time.Second)
	ends := []string{"\n", " \n", "\t\n", "  \n\n", "\r\n", "\n.\n", "", "\n\n\n\n", " ", "\t"}
	m.Text = "Hello " + pick(30) + ends[r.IntN(len(ends))] + pick(30) + ends[r.IntN(len(ends))]
	m.HTML = "<p>Hello\t " + pick(60) + "</p>" + ends[r.IntN(len(ends))]
	switch r.IntN(10) {
	case 0:
		m.HTML = ""
	case 1:
		m.ReplyTo = ""
	case 2: // a receipt
		m.Bulk, m.UnsubscribeURL, m.ListUnsubscribeMailto, m.ListID, m.AutoSubmitted = false, "", "", "", true
	}
	return m
}

// Ten thousand mails to as many people, each signed twice. Every one of them is read by a mail parser of its own and passes
// go-msgauth; dkimpy reads each tenth where it may be left out, and all of them where it is required. Both unsubscribe fields are
// there once and signed.
func TestDKIMOfManyMails(t *testing.T) {
	a, b := signer(t, "r1", keyRSA1024()), signer(t, "e1", keyEd25519())
	dns := zone(t, a, b)
	const workers = 2
	mails, every := 10_000, 10
	switch {
	case testing.Short():
		mails = 500
	case os.Getenv(secondVariable) == "required":
		every = 1
	}
	var wg sync.WaitGroup
	for k := range workers {
		other := newSecond(t, dns)
		wg.Go(func() {
			r := mathrand.New(mathrand.NewPCG(1, uint64(k)))
			for n := range mails / workers {
				m := anyMail(r, n)
				raw := signedMail(t, m, a, b)
				if all, good := passes(t, raw, dns); all != 2 || good != 2 {
					t.Errorf("go-msgauth: %d of %d signatures hold:\n%s", good, all, raw)
					return
				}
				if n%every == 0 {
					if got := other.ask(t, raw); got != "yy" {
						t.Errorf("dkimpy says %q:\n%s", got, raw)
						return
					}
				}
				p, err := mail.ReadMessage(bytes.NewReader(raw))
				if err != nil {
					t.Errorf("%v\n%s", err, raw)
					return
				}
				if to, err := p.Header.AddressList("To"); err != nil || len(to) != 1 || to[0].Address != m.To || len(p.Header["Bcc"]) != 0 {
					t.Errorf("to %v, %v, and a Bcc: %v", to, err, p.Header["Bcc"])
					return
				}
				want := 1
				if !m.Bulk {
					want = 0
				}
				for _, name := range []string{"List-Unsubscribe", "List-Unsubscribe-Post"} {
					if len(p.Header[name]) != want {
						t.Errorf("%s is there %d times", name, len(p.Header[name]))
						return
					}
				}
			}
		})
	}
	wg.Wait()
}

// Every signed field, and the body, are under the seal: whoever changes one, takes it away or adds another breaks both signatures.
func TestDKIMIsBrokenByChanges(t *testing.T) {
	a, b := signer(t, "r2", keyRSA2048()), signer(t, "e1", keyEd25519())
	dns := zone(t, a, b)
	other := newSecond(t, dns)
	m := bulk()
	m.Subject = "Ein langer Betreff mit Umlauten – äöü – der über mehr als nur eine einzige Zeile geht, und weiter"
	raw := signedMail(t, m, a, b)
	if all, good := passes(t, raw, dns); all != 2 || good != 2 || other.ask(t, raw) != "yy" {
		t.Fatalf("%d of %d signatures hold:\n%s", good, all, raw)
	}
	head, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	broken := func(what string, raw []byte) {
		t.Helper()
		if _, good := passes(t, raw, dns); good != 0 {
			t.Errorf("%s: %d signatures hold for go-msgauth", what, good)
		}
		if got := other.ask(t, raw); strings.Contains(got, "y") {
			t.Errorf("%s: %q for dkimpy", what, got)
		}
	}
	whole := func(head []byte) []byte { return slices.Concat(head, []byte("\r\n\r\n"), body) }
	for _, name := range []string{"From", "To", "Subject", "Date", "Message-ID", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post", "MIME-Version", "Content-Type"} {
		i := bytes.Index(head, []byte("\r\n"+name+":"))
		if i < 0 {
			t.Fatalf("no %s in\n%s", name, head)
		}
		value := i + len("\r\n"+name+":")
		changed := slices.Clone(head)
		changed[value+bytes.IndexFunc(changed[value:], func(r rune) bool { return r >= 'A' })] ^= 1
		broken(name+" changed", whole(changed))
		end := value + bytes.Index(head[value:], []byte("\r\n"))
		for head[end+2] == ' ' || head[end+2] == '\t' {
			end += 2 + bytes.Index(head[end+2:], []byte("\r\n"))
		}
		broken(name+" taken away", whole(append(slices.Clone(head[:i]), head[end:]...)))
	}
	for _, name := range []string{"From", "To", "Subject", "Reply-To", "List-Unsubscribe", "List-Unsubscribe-Post"} {
		broken(name+" added", slices.Concat([]byte(name+": <x@example.net>\r\n"), raw))
		broken(name+" added below", slices.Concat(head, []byte("\r\n"+name+": <x@example.net>\r\n\r\n"), body))
	}
	changed := slices.Clone(raw)
	changed[len(head)+20] ^= 1
	broken("body changed", changed)
	broken("body longer", append(slices.Clone(raw), "more\r\n"...))
	broken("body shorter", raw[:len(raw)-10])

	// What a relay does on the way breaks nothing: fields put above, other folds, empty lines at the end.
	relayed := slices.Concat([]byte("Received: from a by b\r\n"), raw, []byte("\r\n\r\n"))
	relayed = bytes.Replace(relayed, []byte("\r\nTo: "), []byte("\r\nTO:\t \r\n "), 1)
	if _, good := passes(t, relayed, dns); good != 2 || other.ask(t, relayed) != "yy" {
		t.Errorf("%d signatures survive a relay:\n%s", good, relayed)
	}
}

func TestDKIMField(t *testing.T) {
	a, b := signer(t, "kl2026a", keyRSA2048()), signer(t, "e1", keyEd25519())
	raw, err := Bytes(bulk())
	if err != nil {
		t.Fatal(err)
	}
	field, err := SignAll(raw, a, b)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.SplitSeq(string(field), "\r\n") {
		if len(line) > 78 {
			t.Errorf("a line of %d characters: %s", len(line), line)
		}
	}
	p, err := mail.ReadMessage(bytes.NewReader(append(field, raw...)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range p.Header["Dkim-Signature"] {
		h := strings.ReplaceAll(strings.SplitN(strings.SplitN(f, "h=", 2)[1], ";", 2)[0], " ", "")
		want := "from:from:to:to:subject:subject:date:message-id:reply-to:reply-to:list-unsubscribe:list-unsubscribe:list-unsubscribe-post:list-unsubscribe-post:mime-version:content-type"
		if h != want {
			t.Errorf("h=%s", h)
		}
		if !strings.Contains(f, "c=relaxed/relaxed; d=example.org; s=") || strings.Contains(f, "l=") {
			t.Errorf("field %s", f)
		}
	}
	if n := len(p.Header["Dkim-Signature"]); n != 2 {
		t.Errorf("%d signatures", n)
	}
	// Ed25519 gives the same signature each time: a second attempt is the same mail.
	one, err := b.Sign(raw)
	if err != nil {
		t.Fatal(err)
	}
	two, _ := b.Sign(raw)
	if !bytes.Equal(one, two) || !bytes.HasSuffix(field, one) {
		t.Error("two signatures of one mail differ")
	}
	if none, err := SignAll(raw); none != nil || err != nil {
		t.Errorf("without keys: %q, %v", none, err)
	}
	// A body that is empty, and one without a line end, are hashed as RFC 6376 says.
	dns := zone(t, b)
	for _, raw := range []string{"From: a@example.org\r\n\r\n", "From: a@example.org\r\n\r\n\r\n\r\n", "From: a@example.org\r\nSubject:\r\n\r\nx", "From: a@example.org\r\n\r\n \t\r\n \t"} {
		f, err := b.Sign([]byte(raw))
		if err != nil {
			t.Fatal(err)
		}
		if _, good := passes(t, append(f, raw...), dns); good != 1 {
			t.Errorf("%q does not hold", raw)
		}
	}
}

func TestDKIMRefuses(t *testing.T) {
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		domain, selector string
		key              crypto.Signer
	}{
		"no domain":            {"", "a", keyEd25519()},
		"a tag in the domain":  {"example.org; l=0", "a", keyEd25519()},
		"a line in the domain": {"example.org\r\nBcc: x", "a", keyEd25519()},
		"capitals":             {"Example.org", "a", keyEd25519()},
		"no selector":          {"example.org", "", keyEd25519()},
		"a blank selector":     {"example.org", "a b", keyEd25519()},
		"a selector's hyphen":  {"example.org", "a-", keyEd25519()},
		"no key":               {"example.org", "a", nil},
		"a curve":              {"example.org", "a", curve},
	} {
		if d, err := NewDKIM(c.domain, c.selector, c.key); !errors.Is(err, ErrKey) || d != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	d := signer(t, "e1", keyEd25519())
	for _, raw := range []string{"", "\r\n", "From: a@example.org", "Subject: x\r\n\r\nno sender", " folded: x\r\n\r\n", "no colon\r\n\r\n", "From: a@example.org\n\nbare line ends"} {
		if f, err := d.Sign([]byte(raw)); err == nil {
			t.Errorf("%q is signed: %s", raw, f)
		}
	}
	broken, err := NewDKIM("example.org", "a", unwilling{keyEd25519()})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := broken.Sign([]byte("From: a@example.org\r\n\r\n")); err == nil {
		t.Error("a key that does not sign")
	}
}

// unwilling is a key that cannot sign now.
type unwilling struct{ crypto.Signer }

func (unwilling) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, errors.New("out of order")
}

func BenchmarkDKIM(b *testing.B) {
	m := bulk()
	m.Text, m.HTML = strings.Repeat("A line of the text, as people write it, and a little more.\n", 45), strings.Repeat("<p>A line of the page,  with a <a href=\"https://example.org/\">link</a>.</p>\n", 80)
	raw, err := Bytes(m)
	if err != nil {
		b.Fatal(err)
	}
	for name, keys := range map[string][]*DKIM{
		"ed25519": {signer(b, "e1", keyEd25519())}, "rsa2048": {signer(b, "r2", keyRSA2048())}, "both": {signer(b, "r2", keyRSA2048()), signer(b, "e1", keyEd25519())},
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(raw)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := SignAll(raw, keys...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("ed25519 alone", func(b *testing.B) {
		sum := make([]byte, 32)
		for b.Loop() {
			_, _ = keyEd25519().Sign(nil, sum, crypto.Hash(0))
		}
	})
}
