package vault

import (
	"bytes"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// The text form of a key: a word that names the form, then 20 groups of 4 characters of Crockford's base 32. A group is
// 3 characters of content and 1 check character. The content, 300 bits, is the 32 bytes of the key, the 4 bytes of its id
// and 12 bits of a hash over both.
const (
	keyForm     = "kithline-key-1"
	masterSize  = 32
	idSize      = 4
	groups      = 20
	groupSize   = 4
	groupData   = groupSize - 1
	keyFileSize = 4096 // no key file is longer
)

// crockford is Douglas Crockford's base 32 alphabet: no I, L, O, U. See https://www.crockford.com/base32.html.
const crockford = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// Key is the secret that everything sealed depends on. It is made once, at setup, and lives in a file apart from the data.
type Key struct {
	master [masterSize]byte
	id     [idSize]byte
}

// NewKey makes a key out of the system's randomness. It writes nothing; see Create.
func NewKey() *Key {
	var k Key
	rand.Read(k.master[:]) // never fails: the program ends where there is no randomness
	k.id = idOf(k.master)
	return &k
}

// idOf names a key by something that tells nothing about it.
func idOf(master [masterSize]byte) (id [idSize]byte) {
	copy(id[:], derive(master[:], "key id", idSize))
	return id
}

// derive is HKDF-SHA256 (RFC 5869) with the project's own info strings.
func derive(secret []byte, label string, n int) []byte {
	b, err := hkdf.Key(sha256.New, secret, nil, "kithline/1/"+label, n)
	if err != nil {
		panic("vault: " + err.Error()) // n is more than 8,160 bytes: a mistake of the caller's
	}
	return b
}

// ID names the key in 8 hexadecimal digits. It is not secret: it stands on the recovery sheet and in messages, so that a
// person can see which sheet belongs to which server.
func (k *Key) ID() string { return hex.EncodeToString(k.id[:]) }

// Sheet returns the 20 groups of 4 characters that stand on the printed recovery sheet. Typed back in this order they
// give the key; ParseKey says which of them was mistyped.
func (k *Key) Sheet() []string {
	var five [groups * groupData]byte // values of 0 to 31
	sum := checksum(k)
	content := make([]byte, 0, masterSize+idSize+2)
	content = append(content, k.master[:]...)
	content = append(content, k.id[:]...)
	content = append(content, byte(sum>>4), byte(sum<<4))
	for i := range five {
		for bit := range 5 {
			at := i*5 + bit
			five[i] = five[i]<<1 | content[at/8]>>(7-at%8)&1
		}
	}
	sheet := make([]string, groups)
	for g := range sheet {
		d := five[g*groupData : (g+1)*groupData]
		sheet[g] = string([]byte{crockford[d[0]], crockford[d[1]], crockford[d[2]], crockford[groupCheck(g, d)]})
	}
	return sheet
}

// Text is the key as it stands in the key file, one line with its line end.
func (k *Key) Text() string { return keyForm + " " + strings.Join(k.Sheet(), " ") + "\n" }

// String keeps a key out of logs: it gives the id only.
func (k *Key) String() string { return "key " + k.ID() }

// GoString is String: %#v shows no secret either.
func (k *Key) GoString() string { return k.String() }

// checksum is 12 bits over the whole key.
func checksum(k *Key) uint16 {
	h := sha256.New()
	io.WriteString(h, keyForm)
	h.Write(k.master[:])
	h.Write(k.id[:])
	s := h.Sum(nil)
	return uint16(s[0])<<4 | uint16(s[1])>>4
}

// groupCheck is the check character of group g (from 0): a weighted sum in the field of 32 elements, with the group's
// place added. It changes with every single wrong character, with two neighbours exchanged, the check character among
// them, and with a group that stands in another one's place.
func groupCheck(g int, d []byte) byte {
	return times(2, d[0]) ^ times(4, d[1]) ^ times(8, d[2]) ^ byte(g+1)
}

// times multiplies in the field of 32 elements, modulo x^5 + x^2 + 1.
func times(a, b byte) byte {
	var p byte
	for ; b > 0; b >>= 1 {
		if b&1 == 1 {
			p ^= a
		}
		if a <<= 1; a&32 != 0 {
			a ^= 0b100101
		}
	}
	return p
}

// TypedError is a key that was typed or copied wrongly. Its text is for the person at the terminal.
type TypedError struct {
	Groups []int  // the groups that are wrong, from 1; empty where it cannot be told
	Reason string // a sentence
}

func (e *TypedError) Error() string { return e.Reason }

// ParseKey reads a key from a key file's line or from the groups of a recovery sheet as a person types them: upper or
// lower case, with spaces, hyphens, line ends or nothing between the groups, the letters I and L for 1 and O for 0. It
// returns a *TypedError that says which groups are wrong.
func ParseKey(text string) (*Key, error) {
	text = strings.TrimPrefix(strings.TrimSpace(text), keyForm)
	typed := strings.FieldsFunc(text, func(r rune) bool { return r <= ' ' || r == '-' || r == '\u00a0' })
	if len(typed) != groups { // typed in other pieces: count the characters instead
		all := strings.Join(typed, "")
		if len(all) != groups*groupSize {
			return nil, &TypedError{Reason: fmt.Sprintf("A key has %d groups of %d characters, %d in all. These are %d characters in %d groups.",
				groups, groupSize, groups*groupSize, len([]rune(all)), len(typed))}
		}
		typed = typed[:0]
		for i := 0; i < len(all); i += groupSize {
			typed = append(typed, all[i:i+groupSize])
		}
	}
	var five [groups * groupData]byte
	var wrong []int
	for g, s := range typed {
		var v [groupSize]byte
		ok := len(s) == groupSize
		for i := 0; ok && i < groupSize; i++ {
			v[i], ok = digit(s[i])
		}
		if !ok || groupCheck(g, v[:groupData]) != v[groupData] {
			wrong = append(wrong, g+1)
			continue
		}
		copy(five[g*groupData:], v[:groupData])
	}
	if len(wrong) > 0 {
		return nil, &TypedError{Groups: wrong, Reason: wrongGroups(wrong)}
	}
	var content [(groups*groupData*5 + 7) / 8]byte
	for i := range five {
		for bit := range 5 {
			at := i*5 + bit
			content[at/8] |= five[i] >> (4 - bit) & 1 << (7 - at%8)
		}
	}
	var k Key
	copy(k.master[:], content[:])
	copy(k.id[:], content[masterSize:])
	sum := uint16(content[masterSize+idSize])<<4 | uint16(content[masterSize+idSize+1])>>4
	if sum != checksum(&k) || k.id != idOf(k.master) {
		return nil, &TypedError{Reason: "Every group looks right by itself, but together they are not a key. Two or more characters of one group may be wrong, or the groups may be of two sheets."}
	}
	return &k, nil
}

func wrongGroups(wrong []int) string {
	if len(wrong) == 1 {
		return fmt.Sprintf("Group %d is not as on the sheet. Please compare its characters.", wrong[0])
	}
	var b strings.Builder
	b.WriteString("Groups ")
	for i, g := range wrong {
		switch {
		case i == len(wrong)-1:
			b.WriteString(" and ")
		case i > 0:
			b.WriteString(", ")
		}
		fmt.Fprint(&b, g)
	}
	b.WriteString(" are not as on the sheet. Please compare their characters.")
	return b.String()
}

// digit is the value of a character, as Crockford's base 32 reads it.
func digit(c byte) (byte, bool) {
	if 'a' <= c && c <= 'z' {
		c -= 'a' - 'A'
	}
	switch c {
	case 'O':
		c = '0'
	case 'I', 'L':
		c = '1'
	}
	i := strings.IndexByte(crockford, c)
	return byte(i), i >= 0
}

// Create makes a new key and writes it to path. See Write for the errors.
func Create(path string) (*Key, error) {
	k := NewKey()
	if err := k.Write(path); err != nil {
		return nil, err
	}
	return k, nil
}

// Write puts the key into a new file that its owner alone can read (mode 0600), makes the folder (0700) where there is
// none, and returns once both are on disk. The file appears whole or not at all, and one that exists is never touched:
// the error is then fs.ErrExist.
func (k *Key) Write(path string) error {
	folder := filepath.Dir(path)
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(folder, ".key-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := put(f, k.Text()); err != nil {
		return err
	}
	err = os.Link(f.Name(), path)
	if err != nil && !errors.Is(err, fs.ErrExist) { // a file system without hard links
		var g *os.File
		if g, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			if err = put(g, k.Text()); err != nil {
				os.Remove(path)
			}
		}
	}
	if err != nil {
		return err
	}
	return syncFolder(folder)
}

// put writes a text, brings it to the disk and closes the file.
func put(f *os.File, text string) error {
	_, err := f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	return err
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// Read reads the first key of a key file: see ReadAll.
func Read(path string) (*Key, error) {
	keys, err := ReadAll(path)
	if err != nil {
		return nil, err
	}
	return keys[0], nil
}

// ReadAll reads the keys of a key file, one a line, the oldest first. A missing file gives fs.ErrNotExist, one that holds no
// key a *TypedError. Lines that begin with # are skipped, so that an owner can note what the file is.
func ReadAll(path string) ([]*Key, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, keyFileSize))
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range bytes.Lines(b) {
		if s := strings.TrimSpace(string(line)); s != "" && s[0] != '#' {
			lines = append(lines, s)
		}
	}
	var keys []*Key
	for _, line := range lines {
		if !strings.HasPrefix(line, keyForm+" ") {
			keys = nil
			break
		}
		k, err := ParseKey(line)
		if err != nil {
			return nil, err
		}
		for _, other := range keys {
			if other.id == k.id {
				return nil, &TypedError{Reason: "Key " + k.ID() + " stands in the key file twice. Take one of the two lines out."}
			}
		}
		keys = append(keys, k)
	}
	if len(keys) == 0 {
		return nil, &TypedError{Reason: "Each line of a key file begins with \"" + keyForm + "\"; in this one that is not so."}
	}
	return keys, nil
}
