package users

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// The length of a password, in characters.
const (
	MinPassword = 10
	MaxPassword = 200
)

// What argon2id costs (RFC 9106; the smaller of OWASP's recommended settings): 19 MiB, two passes, one lane.
const (
	argonMemory = 19 * 1024 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonKey    = 32

	// argonAtOnce bounds the memory that sign-ins take together: the others wait their turn.
	argonAtOnce = 2
)

// hasher makes and checks password hashes, a few at once.
type hasher struct{ turns chan struct{} }

func newHasher() hasher { return hasher{make(chan struct{}, argonAtOnce)} }

// turn waits for a place. It returns an Unavailable fault when ctx ends first.
func (h hasher) turn(ctx context.Context) (done func(), err error) {
	select {
	case h.turns <- struct{}{}:
		return func() { <-h.turns }, nil
	case <-ctx.Done():
		return nil, fault.Because(ctx.Err(), fault.Unavailable, "error.unavailable")
	}
}

// hash returns a password's hash in PHC form: $argon2id$v=19$m=19456,t=2,p=1$salt$key.
func (h hasher) hash(ctx context.Context, password string) (string, error) {
	done, err := h.turn(ctx)
	if err != nil {
		return "", err
	}
	defer done()
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails
	key := argon2.IDKey(normal(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	b := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes,
		b.EncodeToString(salt), b.EncodeToString(key)), nil
}

// dummy is what the password of an account that does not exist, or has none, is compared with: the same work, and no.
const dummy = "$argon2id$v=19$m=19456,t=2,p=1$a2l0aGxpbmUtbm9ib2R5cw$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

// matches reports whether a password belongs to a hash; never for "".
func (h hasher) matches(ctx context.Context, phc, password string) (bool, error) {
	known := phc != ""
	if !known {
		phc = dummy
	}
	var version, memory, passes, lanes int
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" {
		return false, errors.New("users: a password hash of unknown form")
	}
	_, err1 := fmt.Sscanf(parts[2], "v=%d", &version)
	_, err2 := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &memory, &passes, &lanes)
	salt, err3 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err4 := base64.RawStdEncoding.DecodeString(parts[5])
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return false, fmt.Errorf("users: a password hash of unknown form: %w", err)
	}
	if version != argon2.Version || memory < 8 || memory > 1<<18 || passes < 1 || passes > 16 || lanes < 1 || lanes > 16 ||
		len(want) < 16 || len(want) > 64 {
		return false, errors.New("users: a password hash with settings out of range")
	}
	done, err := h.turn(ctx)
	if err != nil {
		return false, err
	}
	defer done()
	got := argon2.IDKey(normal(password), salt, uint32(passes), uint32(memory), uint8(lanes), uint32(len(want))) //nolint:gosec // bounds checked above
	return subtle.ConstantTimeCompare(got, want) == 1 && known, nil
}

// normal is a password as bytes, the same for every keyboard that shows the same characters (NFKC, as NIST SP 800-63B
// asks).
func normal(password string) []byte { return norm.NFKC.Bytes([]byte(password)) }

// checkPassword notes what is wrong with a new password. There is no rule about kinds of characters: length is what
// counts. Refused is what stands beside it: the person's own address and the organisation's names, alone or with a few
// characters added.
func checkPassword(f *fault.Fields, field, password, email string, o models.Organisation) {
	if !utf8.ValidString(password) || strings.ContainsRune(password, 0) {
		f.Add(field, "error.text_unreadable")
		return
	}
	switch n := utf8.RuneCount(normal(password)); {
	case n < MinPassword:
		f.Add(field, "error.password_short", "Min", MinPassword)
		return
	case n > MaxPassword:
		f.Add(field, "error.password_long", "Max", MaxPassword)
		return
	}
	local, domain, _ := strings.Cut(email, "@")
	all := letters(password)
	rest := all
	for _, word := range []string{email, local, domain, o.LegalName, o.Name, o.ShortName} {
		if w := letters(word); utf8.RuneCountInString(w) >= 3 {
			rest = strings.ReplaceAll(rest, w, "")
		}
	}
	if rest != all && utf8.RuneCountInString(rest) < 5 {
		f.Add(field, "error.password_obvious")
	}
}

// letters keeps the letters and digits of a text, in lower case.
func letters(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, norm.NFKC.String(s))
}
