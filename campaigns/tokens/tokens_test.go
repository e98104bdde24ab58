package tokens

import (
	"encoding/base64"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
)

// A key of the test's own, so that corpus and golden values stay good. It seals nothing.
const testKey = "kithline-key-1 0001 G40Q R406 M305 E20H 918T 5GRS 38EM 1W8Y 1245 GK2R GAHR C5RZ R34J D1PG 70XD 3RFF NP17 P6D5 DZMC"

var (
	now = time.Date(2026, 3, 1, 12, 0, 30, 0, time.UTC)
	id  = uuid.MustParse("01890a5d-ac96-774b-bcce-b302099a8057")

	kinds = []Kind{Confirm, Unsubscribe, Login, Setup, Invite, Me, Preview, Message, Browser}
)

func signer(t testing.TB) *Signer {
	t.Helper()
	k, err := vault.ParseKey(testKey)
	if err != nil {
		t.Fatal(err)
	}
	return New(vault.New(k))
}

func TestMakeAndRead(t *testing.T) {
	s := signer(t)
	for _, k := range kinds {
		token := s.Make(k, id, now.Add(time.Hour))
		if len(token) != Length || !regexp.MustCompile(`^[A-Za-z0-9_-]+$`).MatchString(token) {
			t.Fatalf("token %q", token)
		}
		for _, other := range kinds {
			got, err := s.Read(other, token, now)
			if k == other && (err != nil || got != id) {
				t.Errorf("kind %d: %v, %v", k, got, err)
			}
			if k != other && (fault.KindOf(err) != fault.NotFound || got != uuid.Nil) {
				t.Errorf("kind %d read as %d: %v, %v", k, other, got, err)
			}
		}
	}
}

func TestEnd(t *testing.T) {
	s := signer(t)
	for _, end := range []time.Time{now, now.Add(30 * time.Second), now.Add(time.Nanosecond), now.Add(90 * time.Minute)} {
		token := s.Make(Confirm, id, end)
		if _, err := s.Read(Confirm, token, end.Add(-1)); err != nil {
			t.Errorf("ended before %v: %v", end, err)
		}
		got, err := s.Read(Confirm, token, end.Add(time.Minute))
		if fault.KindOf(err) != fault.Gone || !strings.Contains(err.Error(), "error.link_expired") || got != id {
			t.Errorf("a minute after %v: %v, %v", end, got, err)
		}
	}
	forever := s.MakeForever(Unsubscribe, id)
	if got, err := s.Read(Unsubscribe, forever, now.AddDate(200, 0, 0)); err != nil || got != id {
		t.Errorf("forever: %v, %v", got, err)
	}
	// A time before 1970, or none at all, must not turn into a token without an end.
	for _, end := range []time.Time{{}, time.Unix(0, 0), time.Unix(-1e6, 0)} {
		if _, err := s.Read(Login, s.Make(Login, id, end), now); fault.KindOf(err) != fault.Gone {
			t.Errorf("ends %v: %v", end, err)
		}
	}
	far := time.Unix(1<<40, 0)
	if _, err := s.Read(Login, s.Make(Login, id, far), now); err != nil {
		t.Errorf("a time too far to be written: %v", err)
	}
}

func TestForged(t *testing.T) {
	s := signer(t)
	token := s.Make(Login, id, now.Add(time.Hour))
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}
	for i := range raw {
		for bit := range 8 {
			raw[i] ^= 1 << bit
			refused(t, s, base64.RawURLEncoding.EncodeToString(raw))
			raw[i] ^= 1 << bit
		}
	}
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(letters, token[Length-1])
	for stray := 1; stray < 4; stray++ { // the last character has two bits that carry nothing
		refused(t, s, token[:Length-1]+string(letters[last^stray]))
	}
	for _, bad := range []string{"", "x", token[1:], token + "A", token + "=", token[:50] + "\n", token[:20] + "\r\n" + token[22:], token[:50] + "é", strings.Repeat("A", Length)} {
		refused(t, s, bad)
	}
	if _, err := New(vault.New(vault.NewKey())).Read(Login, token, now); fault.KindOf(err) != fault.NotFound {
		t.Errorf("another server's token: %v", err)
	}
}

func refused(t *testing.T, s *Signer, token string) {
	t.Helper()
	got, err := s.Read(Login, token, now)
	if fault.KindOf(err) != fault.NotFound || !strings.Contains(err.Error(), "error.link_unknown") || got != uuid.Nil {
		t.Errorf("Read(%q) = %v, %v", token, got, err)
	}
}

// Links that were mailed must stay good: the form never changes under a version.
func TestGolden(t *testing.T) {
	s := signer(t)
	if got := s.Make(Confirm, id, now); got != goldenToken {
		t.Errorf("token is %q, want %q", got, goldenToken)
	}
	if got := s.MakeForever(Unsubscribe, id); got != goldenForever {
		t.Errorf("token without an end is %q, want %q", got, goldenForever)
	}
	if got := s.Code(Confirm, id); got != goldenCode {
		t.Errorf("code is %q, want %q", got, goldenCode)
	}
}

const (
	goldenToken   = "AQEBiQpdrJZ3S7zOswIJmoBXAcK8cXFYD1G7WlezhQpD_c2Ob9s"
	goldenForever = "AQIBiQpdrJZ3S7zOswIJmoBXAAAAADtzkvrUefhlxTmlmKALhDQ"
	goldenCode    = "JX3VRK"
)

func TestCode(t *testing.T) {
	s := signer(t)
	seen := map[string]bool{}
	letters := map[rune]bool{}
	for range 3000 {
		u := uuid.New()
		c := s.Code(Confirm, u)
		if len(c) != codeLength || strings.Trim(c, codeLetters) != "" || strings.ContainsAny(c, "0O1ILAEUY") {
			t.Fatalf("code %q", c)
		}
		for _, r := range c {
			letters[r] = true
		}
		seen[c] = true
		for _, typed := range []string{c, strings.ToLower(c), c[:3] + " " + c[3:], " " + c[:3] + "-" + c[3:] + "\n", c[:3] + "\u00a0" + c[3:]} {
			if !s.CodeMatches(Confirm, u, typed) {
				t.Fatalf("%q is not taken for %q", typed, c)
			}
		}
		other := "3"
		if c[0] == '3' {
			other = "4"
		}
		for _, typed := range []string{"", " ", c[:5], c + c[:1], other + c[1:], strings.Repeat(" ", 100) + c} {
			if s.CodeMatches(Confirm, u, typed) {
				t.Fatalf("%q is taken for %q", typed, c)
			}
		}
		if s.CodeMatches(Login, u, c) {
			t.Fatal("a code is good for another kind")
		}
	}
	if len(seen) < 2990 || len(letters) != len(codeLetters) {
		t.Fatalf("%d codes of 3,000 differ, %d letters of %d used", len(seen), len(letters), len(codeLetters))
	}
}

func FuzzRead(f *testing.F) {
	s := signer(f)
	f.Add(byte(Login), s.Make(Login, id, now.Add(time.Hour)))
	f.Add(byte(Unsubscribe), s.MakeForever(Unsubscribe, id))
	f.Add(byte(Confirm), "")
	f.Fuzz(func(t *testing.T, kind byte, token string) {
		got, err := s.Read(Kind(kind), token, now)
		switch fault.KindOf(err) {
		case fault.NotFound:
			if got != uuid.Nil {
				t.Fatalf("an id beside %v", err)
			}
			return
		case fault.Gone:
		default:
			if err != nil {
				t.Fatalf("Read(%d, %q): %v", kind, token, err)
			}
		}
		// What was taken is exactly what Make writes for this id, kind and end.
		b, e := base64.RawURLEncoding.DecodeString(token)
		if e != nil || len(b) != bodySize+macSize {
			t.Fatalf("Read(%d, %q) took what is not a token", kind, token)
		}
		minute := uint32(b[18])<<24 | uint32(b[19])<<16 | uint32(b[20])<<8 | uint32(b[21])
		if s.make(Kind(kind), got, minute) != token {
			t.Fatalf("Read(%d, %q) took a second spelling", kind, token)
		}
	})
}

func BenchmarkMake(b *testing.B) {
	s := signer(b)
	b.ReportAllocs()
	for b.Loop() {
		s.Make(Confirm, id, now)
	}
}

func BenchmarkRead(b *testing.B) {
	s := signer(b)
	token := s.Make(Confirm, id, now.Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := s.Read(Confirm, token, now); err != nil {
			b.Fatal(err)
		}
	}
}

func TestShare(t *testing.T) {
	s, other := signer(t), New(vault.New(vault.NewKey()))
	code := s.Share(id)
	if !regexp.MustCompile(`^[A-Za-z0-9_-]{28}$`).MatchString(code) {
		t.Errorf("%q", code)
	}
	if got, ok := s.ReadShare(code); !ok || got != id {
		t.Errorf("%v, %v", got, ok)
	}
	wrong := []string{"", code[:27], code + "A", strings.ToLower(code), strings.Repeat("A", 28), code[:26] + "\r\n", s.Make(Confirm, id, now)[:28], other.Share(id)}
	for i := range code {
		b := []byte(code)
		b[i] ^= 1
		wrong = append(wrong, string(b))
	}
	for _, c := range wrong {
		if got, ok := s.ReadShare(c); ok && c != code {
			t.Errorf("%q is taken for %v", c, got)
		}
	}
}
