package vault

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/uuid"
)

func TestAnotherKeySeals(t *testing.T) {
	path := filepath.Join(t.TempDir(), "kithline.key")
	first, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	v, id := New(first), uuid.New()
	old, hash := v.Seal("t", "c", id, "June"), v.AddressHash("june@example.org")
	second := NewKey()
	if err := v.Use(second.ID()); !errors.Is(err, ErrWrongKey) || v.Sealing() != first.ID() {
		t.Fatalf("seals with a key that is not here: %v", err)
	}
	if err := second.Append(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	v.Learn(second)
	if v.Sealing() != first.ID() || !bytes.Equal(v.Seal("t", "c", id, "x")[1:5], first.id[:]) {
		t.Error("a key that was learnt seals at once")
	}
	if err := v.Use(second.ID()); err != nil {
		t.Fatal(err)
	}
	fresh := v.Seal("t", "c", id, "June")
	if !bytes.Equal(fresh[1:5], v.SealingMark()) || bytes.Equal(fresh[1:5], old[1:5]) {
		t.Error("the new key does not seal")
	}
	// A server that starts reads both, whichever stands first; look-ups stay as they were.
	for _, order := range [][]*Key{{first, second}, {second, first}} {
		if err := os.WriteFile(path, []byte(order[0].Text()+order[1].Text()), 0o600); err != nil {
			t.Fatal(err)
		}
		again, err := Load(path, v.CheckValue())
		if err != nil || again.KeyID() != first.ID() || !bytes.Equal(again.AddressHash("june@example.org"), hash) {
			t.Fatal(err)
		}
		for _, sealed := range [][]byte{old, fresh} {
			if got, err := again.Open("t", "c", id, sealed); err != nil || got != "June" {
				t.Errorf("%q, %v", got, err)
			}
		}
		a, err := again.DeriveWith(second.ID(), "files/x", 32)
		b := again.Derive("files/x", 32)
		if err != nil || bytes.Equal(a, b) {
			t.Errorf("a file of the new key opens with the old one: %v", err)
		}
	}
	// Without the new key the new values stay shut.
	if _, err := New(first).Open("t", "c", id, fresh); !errors.Is(err, ErrSealed) {
		t.Error(err)
	}
	if _, err := New(first).DeriveWith(second.ID(), "files/x", 32); !errors.Is(err, ErrSealed) {
		t.Error(err)
	}
}
