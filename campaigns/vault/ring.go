package vault

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"maps"
	"os"
	"path/filepath"
)

// CheckValue is what the database keeps of a key: its id and 16 bytes derived from it, which tell nothing else about it.
func (k *Key) CheckValue() []byte {
	return append(append(make([]byte, 0, idSize+checkSize), k.id[:]...), derive(k.master[:], "check", checkSize)...)
}

// Learn lets the vault open what was sealed with further keys. It goes on sealing with the one it has.
func (v *Vault) Learn(keys ...*Key) {
	for {
		old := v.ring.Load()
		next := &ring{id: old.id, keys: maps.Clone(old.keys)}
		for _, k := range keys {
			if next.keys[k.id] == nil {
				next.keys[k.id] = newSealing(k)
			}
		}
		if v.ring.CompareAndSwap(old, next) {
			return
		}
	}
}

// Use seals with a key that the vault has, named by its id, from now on. The error is ErrWrongKey where it has none of that
// id: nothing changes then.
func (v *Vault) Use(id string) error {
	want, err := hex.DecodeString(id)
	if err != nil || len(want) != idSize {
		return fmt.Errorf("%w: no key has the id %q", ErrWrongKey, id)
	}
	for {
		old := v.ring.Load()
		if old.keys[[idSize]byte(want)] == nil {
			return fmt.Errorf("%w: key %s is not here", ErrWrongKey, id)
		}
		if v.ring.CompareAndSwap(old, &ring{id: [idSize]byte(want), keys: old.keys}) {
			return nil
		}
	}
}

// Sealing names the key that seals now.
func (v *Vault) Sealing() string { id := v.ring.Load().id; return hex.EncodeToString(id[:]) }

// SealingMark are the bytes that stand behind the first one of every value that the current key sealed: what is sealed with
// another key is found by them.
func (v *Vault) SealingMark() []byte { id := v.ring.Load().id; return bytes.Clone(id[:]) }

// DeriveWith is Derive from the key of an id instead of the first one: for what is sealed outside of the database. The empty
// id is the first key. The error is ErrSealed where the vault does not have the key.
func (v *Vault) DeriveWith(id, label string, n int) ([]byte, error) {
	if id == "" {
		return v.Derive(label, n), nil
	}
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != idSize {
		return nil, ErrSealed
	}
	s := v.ring.Load().keys[[idSize]byte(b)]
	if s == nil {
		return nil, ErrSealed
	}
	return derive(s.key.master[:], "derive/"+label, n), nil
}

// Append puts a further key at the end of a key file. The file changes whole or not at all and stays readable for its owner
// alone (mode 0600); the keys that it holds are not touched.
func (k *Key) Append(path string) error {
	if _, err := ReadAll(path); err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	folder := filepath.Dir(path)
	f, err := os.CreateTemp(folder, ".key-*") // CreateTemp gives mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	if err := put(f, string(text)+k.Text()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return syncFolder(folder)
}
