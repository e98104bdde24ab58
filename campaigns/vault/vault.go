// Package vault seals what is personal and hides what is looked up by.
//
// A sealed column holds AES-256-GCM under a key that lives in a file apart from the data. Table, column and the row's own
// key are bound to the sealed value, so that a value copied to another place does not open there. Whoever steals the
// database gets dates, districts and counts, and names nobody.
//
// Look-ups by address go through a keyed hash. Sealing keys may change one day; the look-up key never does, since a hash
// cannot be made again without the address.
//
// The form of a sealed value, which stays readable for good:
//
//	1 byte   version, 1
//	4 bytes  id of the sealing key
//	12 bytes nonce, random
//	n bytes  ciphertext
//	16 bytes tag
//
// Additional data: version and key id, then table, column and row key, each behind its length in one byte.
package vault

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

const (
	version   = 1
	headSize  = 1 + idSize
	nonceSize = 12
	tagSize   = 16

	// Overhead is how many bytes a sealed value is longer than its plain text.
	Overhead = headSize + nonceSize + tagSize

	checkSize = 16
)

// ErrSealed is a value that does not open: it was changed, belongs to another row, column or table, or was sealed with a
// key that is not here. It says nothing about the content.
var ErrSealed = errors.New("vault: the sealed value does not open here")

// Vault seals, opens and hashes. It is made once at start and is safe for concurrent use.
type Vault struct {
	root    [idSize]byte           // the first key there ever was
	master  [masterSize]byte       // its secret: look-ups and derived keys
	ring    atomic.Pointer[ring]   // the keys that seal and open
	lookup  sync.Pool              // of *mac
	days    [masterSize]byte       // gives the daily keys
	today   atomic.Pointer[dayKey] // the daily key last asked for
	scratch sync.Pool              // of *[]byte, for additional data and opened text
}

// ring is the sealing keys at one moment; it is never changed, only replaced.
type ring struct {
	id   [idSize]byte              // seals with this key
	keys map[[idSize]byte]*sealing // opens with these
}

// sealing is one sealing key.
type sealing struct {
	aead  cipher.AEAD
	check [checkSize]byte
	key   *Key
}

// New returns the vault of a key: the first one there ever was. It seals with it until Use says otherwise.
func New(k *Key) *Vault {
	v := &Vault{root: k.id, master: k.master}
	v.ring.Store(&ring{id: k.id, keys: map[[idSize]byte]*sealing{k.id: newSealing(k)}})
	key := derive(k.master[:], "look-up", sha256.Size)
	v.lookup.New = func() any { return &mac{hash: hmac.New(sha256.New, key)} }
	copy(v.days[:], derive(k.master[:], "days", sha256.Size))
	v.scratch.New = func() any { b := make([]byte, 0, 256); return &b }
	return v
}

func newSealing(k *Key) *sealing {
	block, err := aes.NewCipher(derive(k.master[:], "seal", 32))
	if err != nil {
		panic("vault: " + err.Error()) // the size of the key is right
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic("vault: " + err.Error()) // the block size is AES's
	}
	s := &sealing{aead: aead, key: k}
	copy(s.check[:], derive(k.master[:], "check", checkSize))
	return s
}

// KeyID names the first key, by which look-ups are made, as Key.ID does.
func (v *Vault) KeyID() string { return hex.EncodeToString(v.root[:]) }

// Seal seals a text for one column of one row. An empty text is nil: that a field was left empty is not hidden.
func (v *Vault) Seal(table, column string, key uuid.UUID, plain string) []byte {
	return seal(v, table, column, key[:], plain)
}

// Open is the reverse of Seal: nil is the empty text. The error is ErrSealed.
func (v *Vault) Open(table, column string, key uuid.UUID, sealed []byte) (string, error) {
	if len(sealed) == 0 {
		return "", nil
	}
	buf := v.scratch.Get().(*[]byte)
	defer v.scratch.Put(buf)
	plain, err := v.open((*buf)[:0], table, column, key[:], sealed)
	if err != nil {
		return "", err
	}
	text := string(plain)
	clear(plain)
	if cap(plain) <= maxScratch {
		*buf = plain[:0]
	}
	return text, nil
}

// SealBytes is Seal for bytes and for rows whose key is not an id: a mailbox is bound to its address hash. The row key has
// at most 255 bytes.
func (v *Vault) SealBytes(table, column string, key []byte, b []byte) []byte {
	return seal(v, table, column, key, b)
}

// OpenBytes is the reverse of SealBytes: nil gives nil. The error is ErrSealed.
func (v *Vault) OpenBytes(table, column string, key []byte, sealed []byte) ([]byte, error) {
	if len(sealed) == 0 {
		return nil, nil
	}
	return v.open(nil, table, column, key, sealed)
}

func seal[T string | []byte](v *Vault, table, column string, key []byte, plain T) []byte {
	if len(plain) == 0 {
		return nil
	}
	out := make([]byte, headSize+nonceSize+len(plain), Overhead+len(plain))
	out[0] = version
	r := v.ring.Load()
	copy(out[1:], r.id[:])
	nonce := out[headSize : headSize+nonceSize]
	rand.Read(nonce)
	text := out[headSize+nonceSize:]
	copy(text, plain)
	buf := v.scratch.Get().(*[]byte)
	*buf = bind((*buf)[:0], out[:headSize], table, column, key)
	out = r.keys[r.id].aead.Seal(out[:headSize+nonceSize], nonce, text, *buf)
	v.scratch.Put(buf)
	return out
}

// open appends the plain text to dst.
func (v *Vault) open(dst []byte, table, column string, key, sealed []byte) ([]byte, error) {
	if len(sealed) <= Overhead || sealed[0] != version {
		return nil, ErrSealed
	}
	s := v.ring.Load().keys[[idSize]byte(sealed[1:headSize])]
	if s == nil {
		return nil, ErrSealed
	}
	buf := v.scratch.Get().(*[]byte)
	*buf = bind((*buf)[:0], sealed[:headSize], table, column, key)
	plain, err := s.aead.Open(dst, sealed[headSize:headSize+nonceSize], sealed[headSize+nonceSize:], *buf)
	v.scratch.Put(buf)
	if err != nil {
		return nil, ErrSealed
	}
	return plain, nil
}

// maxScratch is the largest buffer that is kept for the next value, in bytes.
const maxScratch = 16 << 10

// bind appends the additional data that ties a sealed value to its place.
func bind(b, head []byte, table, column string, key []byte) []byte {
	if len(table) > 255 || len(column) > 255 || len(key) > 255 {
		panic("vault: table, column or row key of more than 255 bytes")
	}
	b = append(b, head...)
	b = append(append(b, byte(len(table))), table...)
	b = append(append(b, byte(len(column))), column...)
	return append(append(b, byte(len(key))), key...)
}

// mac is an HMAC with its scratch space.
type mac struct {
	hash hash.Hash
	buf  []byte
}

// sum hashes a purpose and parts, each behind its length in four bytes, so that no two lists of parts give the same input.
func (m *mac) sum(purpose string, data [][]byte) []byte {
	m.hash.Reset()
	m.buf = binary.BigEndian.AppendUint32(m.buf[:0], uint32(len(purpose)))
	m.buf = append(m.buf, purpose...)
	for _, d := range data {
		m.buf = binary.BigEndian.AppendUint32(m.buf, uint32(len(d)))
		m.buf = append(m.buf, d...)
	}
	m.hash.Write(m.buf)
	clear(m.buf)
	if cap(m.buf) > maxScratch {
		m.buf = nil
	}
	return m.hash.Sum(make([]byte, 0, sha256.Size))
}

// Hash is a keyed hash (HMAC-SHA256, 32 bytes) for looking up what is not stored in clear. Hashes of different purposes
// cannot be compared with each other. The key behind it is never rotated.
func (v *Vault) Hash(purpose string, data ...[]byte) []byte {
	m := v.lookup.Get().(*mac)
	sum := m.sum(purpose, data)
	v.lookup.Put(m)
	return sum
}

// AddressHash is how a mailbox is found: the keyed hash of a canonical e-mail address.
func (v *Vault) AddressHash(canonical string) []byte { return v.Hash("address", []byte(canonical)) }

type dayKey struct {
	day string
	key []byte
}

// DayHash hashes data, an IP address as a rule, with the key of the day (UTC) that day falls on: the same address gives
// another hash tomorrow, so that hashes kept for two weeks follow nobody through them. 32 bytes.
func (v *Vault) DayHash(day time.Time, data []byte) []byte {
	name := day.UTC().Format(time.DateOnly)
	k := v.today.Load()
	if k == nil || k.day != name {
		k = &dayKey{day: name, key: derive(v.days[:], "day/"+name, sha256.Size)}
		v.today.Store(k)
	}
	h := hmac.New(sha256.New, k.key)
	h.Write(data)
	return h.Sum(nil)
}

// Derive gives a key of n bytes for one purpose, the same one each time. The label begins with the name of the package that
// asks, so that no two share a key. n is at most 8,160. Keep the result: each call derives anew.
func (v *Vault) Derive(label string, n int) []byte { return derive(v.master[:], "derive/"+label, n) }

// CheckValue is what the database keeps (table vault_checks) to tell at start whether the key is the right one: that of the
// first key.
func (v *Vault) CheckValue() []byte { return v.ring.Load().keys[v.root].key.CheckValue() }

// Verify compares a check value from the database with the keys of the vault. The error is ErrWrongKey.
func (v *Vault) Verify(check []byte) error {
	if len(check) != idSize+checkSize {
		return ErrWrongKey
	}
	s := v.ring.Load().keys[[idSize]byte(check[:idSize])]
	if s == nil || subtle.ConstantTimeCompare(s.check[:], check[idSize:]) != 1 {
		return ErrWrongKey
	}
	return nil
}
