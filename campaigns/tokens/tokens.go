// Package tokens makes the signed links that go out by mail, the cookie that ties a form to its browser, and the short
// codes that can be typed instead of following a link.
//
// Nothing is stored: a link carries what it is for, whose it is and until when, and a signature over the three. What may
// be done only once is a matter of the row it points to.
//
// A token is 38 bytes, 51 characters of base64url (RFC 4648, section 5, no padding): version, kind, the id, the minute it
// ends (0 never), and the first 16 bytes of HMAC-SHA256 over all of these.
package tokens

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"hash"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
)

// Kind is what a token is for. A token of one kind is never good for another. The numbers stand in mails that were sent:
// never change one.
type Kind byte

// The kinds, and the id that each carries.
const (
	Confirm     Kind = 1  // confirm an action or an address: what waits at the mailbox
	Unsubscribe Kind = 2  // end a subscription: the delivery or mailbox; has no end
	Login       Kind = 3  // sign in by a mailed link: the user's login
	Setup       Kind = 4  // the first run: the setup
	Invite      Kind = 5  // take up an invitation: the invitation
	Me          Kind = 6  // see, correct, download, erase one's own data: the mailbox
	Preview     Kind = 7  // look at a draft without an account: the draft
	Message     Kind = 8  // the mark in a Message-ID or envelope sender: the delivery
	Browser     Kind = 9  // the cookie of the browser that acted, which a short code is bound to
	Download    Kind = 10 // download one's own data, and nothing else: the mailbox
	Erase       Kind = 11 // erase oneself, and nothing else: the mailbox
	Prefill     Kind = 12 // the cookie of a browser whose forms are filled in: the mailbox
	Signature   Kind = 20 // see, change and take back what one signed: the signature
	Link        Kind = 21 // follow a counted link of a mailing: the link; has no end
	Starter     Kind = 30 // go on with a petition that was begun without an account: the starter
	Typed       Kind = 31 // the cookie of the browser in which a petition was begun: the starter
	Proved      Kind = 32 // the cookie of a browser in which a starter proved their address: the mailbox
	Letter      Kind = 46 // see what became of one's letter, and do what is left to do: the letter
	LetterDraft Kind = 40 // go on with a letter that was begun, by mail or in the browser where it was: the letter
	Cant        Kind = 50 // "I can't today", and see what one holds: the assignment
	Offered     Kind = 51 // answer whether one takes a place that came free: the offer
	Coming      Kind = 52 // see, change and take back that one comes to an event: the registration
	Feed        Kind = 53 // a calendar of one's own, read by a calendar program: the mailbox; has no end
	Certificate Kind = 54 // read a certificate of hours: the certificate
	WebCopy     Kind = 45 // read a mailing as a page: the mailing; has no end
)

const (
	version  = 1
	bodySize = 1 + 1 + 16 + 4
	macSize  = 16

	// Length is how many characters a token has.
	Length = 51

	codeLength = 6
	// codeLetters has no vowels, so that no words arise, and nothing that looks like something else: of 6 and G only G
	// is here, and none of 0, O, 1, I, L, 2, Z, 5, S, 8, B, U, Y.
	codeLetters = "3479CDFGHJKMNPQRTVWX"
)

// encoding refuses stray bits at the end, so that a token has one spelling only.
var encoding = base64.RawURLEncoding.Strict()

// Signer makes and reads tokens. It is safe for concurrent use.
type Signer struct {
	links, codes sync.Pool // of hash.Hash
}

// New returns the signer of a vault: all nodes with the same key read each other's tokens.
func New(v *vault.Vault) *Signer {
	links, codes := v.Derive("tokens/links", sha256.Size), v.Derive("tokens/codes", sha256.Size)
	s := &Signer{}
	s.links.New = func() any { return hmac.New(sha256.New, links) }
	s.codes.New = func() any { return hmac.New(sha256.New, codes) }
	return s
}

// Make returns a token that is good until expires, rounded up to the full minute. The result can stand in a path, a query
// or a cookie as it is. For a token without an end take MakeForever.
func (s *Signer) Make(k Kind, id uuid.UUID, expires time.Time) string {
	m := expires.Add(time.Minute-1).Unix() / 60
	return s.make(k, id, uint32(min(max(m, 1), math.MaxUint32)))
}

// MakeForever returns a token without an end, for what must work for as long as the mail exists: unsubscribing.
func (s *Signer) MakeForever(k Kind, id uuid.UUID) string { return s.make(k, id, 0) }

func (s *Signer) make(k Kind, id uuid.UUID, minute uint32) string {
	b := make([]byte, bodySize, bodySize+sha256.Size)
	b[0], b[1] = version, byte(k)
	copy(b[2:], id[:])
	binary.BigEndian.PutUint32(b[18:], minute)
	b = sum(&s.links, b, b)
	return encoding.EncodeToString(b[:bodySize+macSize])
}

// sum appends the HMAC of data to dst.
func sum(pool *sync.Pool, dst, data []byte) []byte {
	h := pool.Get().(hash.Hash)
	defer pool.Put(h)
	h.Reset()
	h.Write(data)
	return h.Sum(dst)
}

// Read returns the id that a token of kind k carries. For anything that Make did not write for this kind it returns a
// NotFound fault, error.link_unknown. A token that has ended gives a Gone fault, error.link_expired, and the id beside it,
// so that the page can offer a new one; do nothing else with that id.
func (s *Signer) Read(k Kind, token string, now time.Time) (uuid.UUID, error) {
	unknown := fault.New(fault.NotFound, "error.link_unknown")
	if len(token) != Length || strings.ContainsAny(token, "\r\n") { // the decoder would skip line ends
		return uuid.Nil, unknown
	}
	b, err := encoding.DecodeString(token)
	if err != nil || len(b) != bodySize+macSize {
		return uuid.Nil, unknown
	}
	want := sum(&s.links, nil, b[:bodySize])[:macSize]
	if subtle.ConstantTimeCompare(want, b[bodySize:]) != 1 || b[0] != version || Kind(b[1]) != k {
		return uuid.Nil, unknown
	}
	id := uuid.UUID(b[2:18])
	minute := binary.BigEndian.Uint32(b[18:bodySize])
	if minute != 0 && !now.Before(time.Unix(int64(minute)*60, 0)) {
		return id, fault.New(fault.Gone, "error.link_expired")
	}
	return id, nil
}

// Code is the short form of a token for typing: 6 characters, the same ones each time for a kind and an id. It has 64
// million values, so whoever accepts it binds it to the browser that acted and to few tries.
func (s *Signer) Code(k Kind, id uuid.UUID) string {
	var in [18]byte
	in[0], in[1] = version, byte(k)
	copy(in[2:], id[:])
	n := binary.BigEndian.Uint64(sum(&s.codes, nil, in[:]))
	var c [codeLength]byte
	for i := range c {
		c[i] = codeLetters[n%uint64(len(codeLetters))]
		n /= uint64(len(codeLetters))
	}
	return string(c[:])
}

// CodeMatches reports whether a person typed the code of a kind and an id. Case, spaces and hyphens make no difference.
func (s *Signer) CodeMatches(k Kind, id uuid.UUID, typed string) bool {
	if len(typed) > 64 {
		return false
	}
	typed = strings.Map(func(r rune) rune {
		if r <= ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, typed)
	return subtle.ConstantTimeCompare([]byte(strings.ToUpper(typed)), []byte(s.Code(k, id))) == 1
}

// shareSize is how many bytes of the HMAC a share code has: it gives no right, it only keeps people from making up ids.
const shareSize = 5

// Share is a short code, 28 characters that can stand in a query, by which a link says who passed it on. It has no end and is good
// for counting only.
func (s *Signer) Share(id uuid.UUID) string {
	b := make([]byte, 0, 16+sha256.Size)
	b = append(b, id[:]...)
	return encoding.EncodeToString(sum(&s.links, b, append([]byte("share/"), id[:]...))[:16+shareSize])
}

// ReadShare returns the id of a share code, and false for anything that Share did not write.
func (s *Signer) ReadShare(code string) (uuid.UUID, bool) {
	if len(code) != encoding.EncodedLen(16+shareSize) || strings.ContainsAny(code, "\r\n") {
		return uuid.Nil, false
	}
	b, err := encoding.DecodeString(code)
	if err != nil || len(b) != 16+shareSize {
		return uuid.Nil, false
	}
	id := uuid.UUID(b[:16])
	return id, subtle.ConstantTimeCompare([]byte(s.Share(id)), []byte(code)) == 1
}
