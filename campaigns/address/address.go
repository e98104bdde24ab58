// Package address says what an e-mail address is: strictly, before any other part sees it, and the same for a form, a file
// and an inbound mail. Whatever passes here can stand in a mail header and on an SMTP line as it is.
package address

import (
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	"kithline/campaigns/fault"
)

// The limits of RFC 5321, section 4.5.3.1, in bytes. 254 is what a path of 256 leaves without its angle brackets.
const (
	MaxLocal = 64
	MaxTotal = 254
)

// maxTyped is how much of a field is looked at, in bytes: an international domain may be longer as typed than as sent.
const maxTyped = 4 * MaxTotal

// The locale keys of the faults.
const (
	KeyMissing = "error.email_missing"
	KeyInvalid = "error.email_invalid"
)

var hosts = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.CheckHyphens(true), idna.CheckJoiners(true),
	idna.StrictDomainName(true), idna.VerifyDNSLength(true), idna.Transitional(false))

// CanonicalAddress brings an address to the one form it is compared, hashed and mailed in: trimmed, NFC, lower case, the
// domain in ASCII (RFC 5891). domain is the part after the @. Canonical addresses are their own canonical form.
//
// It refuses what RFC 5321 would allow but no provider hands out: quoted local parts, comments, address literals, domains
// without a dot. The error is an Invalid fault, error.email_missing for an empty text, else error.email_invalid; it never
// holds the address.
func CanonicalAddress(s string) (canonical, domain string, err error) {
	if len(s) > maxTyped || !utf8.ValidString(s) {
		return "", "", fault.New(fault.Invalid, KeyInvalid)
	}
	// Telephones wrap a copied address in invisible direction marks.
	s = strings.TrimFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) })
	if s == "" {
		return "", "", fault.New(fault.Invalid, KeyMissing)
	}
	local, host, ok := strings.Cut(norm.NFC.String(s), "@")
	if !ok || strings.Contains(host, "@") || !localOK(local) {
		return "", "", fault.New(fault.Invalid, KeyInvalid)
	}
	// Lower case may undo NFC and may make a text longer, so both are done again before the length is taken.
	local = norm.NFC.String(strings.ToLower(local))
	host, ok = hostOK(host)
	if !ok || !localOK(local) || local != norm.NFC.String(strings.ToLower(local)) || len(local)+1+len(host) > MaxTotal {
		return "", "", fault.New(fault.Invalid, KeyInvalid)
	}
	return local + "@" + host, host, nil
}

// Key returns the locale key of an error of CanonicalAddress, for the field list of a form; empty for nil.
func Key(err error) string {
	if err == nil {
		return ""
	}
	var f *fault.Error
	if errors.As(err, &f) {
		return f.Key
	}
	return KeyInvalid
}

// encodedWord begins what some mail servers decode (RFC 2047) although it may not stand in an address: it then is another
// address, or two.
var encodedWord = regexp.MustCompile(`(?i)=\?[^?]*\?[bq]\?`)

// localOK reports whether s is a dot-atom (RFC 5322, section 3.2.3) of at most MaxLocal bytes, with letters and digits of
// any script (RFC 6531), and holds no encoded word.
func localOK(s string) bool {
	if encodedWord.MatchString(s) {
		return false
	}
	if s == "" || len(s) > MaxLocal || s[0] == '.' || s[len(s)-1] == '.' || strings.Contains(s, "..") {
		return false
	}
	first, _ := utf8.DecodeRuneInString(s)
	if unicode.IsMark(first) {
		return false
	}
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '.':
		case r < utf8.RuneSelf && strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r):
		case r >= utf8.RuneSelf && (unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)):
		default:
			return false
		}
	}
	return true
}

// hostOK returns the domain in lower-case ASCII. It needs a dot and a last label that is not a number.
func hostOK(s string) (string, bool) {
	a, err := hosts.ToASCII(s)
	if err != nil || a != strings.ToLower(a) {
		return "", false
	}
	dot := strings.LastIndexByte(a, '.')
	if dot < 1 || dot == len(a)-1 {
		return "", false
	}
	if last := a[dot+1:]; strings.Trim(last, "0123456789") == "" || len(last) < 2 {
		return "", false
	}
	// The ASCII form read again gives itself; where it does not, two spellings would be one person and two hashes.
	if again, err := hosts.ToASCII(a); err != nil || again != a {
		return "", false
	}
	return a, true
}
