package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/tests/testdb"
)

// A content read in any order is what was stored, wherever it is read, and one that was changed is refused.
func TestContentInAnyOrder(t *testing.T) {
	ctx := context.Background()
	folder, err := NewFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewFixed(time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC))
	s := New(testdb.SQLite(t), vault.New(vault.NewKey()), clk, folder)
	random := rand.New(rand.NewPCG(1, 2))
	content := make([]byte, 5<<20+12345)
	for i := range content {
		content[i] = byte(random.Uint32())
	}
	until := clk.Now().Add(time.Hour)
	f, err := s.Write(ctx, PutInput{Kind: models.FileImport, ExpiresAt: &until}, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	stored, err := s.OpenRowAt(ctx, f)
	if err != nil {
		t.Fatal(err)
	}
	spooled, err := Spool(ctx, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	for name, at := range map[string]*At{"stored": stored, "spooled": spooled, "plain": PlainAt(bytes.NewReader(content), int64(len(content)))} {
		if at.Size != int64(len(content)) {
			t.Errorf("%s: %d bytes", name, at.Size)
		}
		for range 300 {
			from, n := random.IntN(len(content)), random.IntN(600_000)
			got := make([]byte, n)
			read, err := at.ReadAt(got, int64(from))
			want := content[from:min(len(content), from+n)]
			if !bytes.Equal(got[:read], want) || (read < n) != errors.Is(err, io.EOF) {
				t.Fatalf("%s: %d bytes at %d: %d, %v", name, n, from, read, err)
			}
		}
		if whole, err := io.ReadAll(io.NewSectionReader(at, 0, at.Size)); err != nil || !bytes.Equal(whole, content) {
			t.Errorf("%s: %d bytes, %v", name, len(whole), err)
		}
		if err := at.Close(); err != nil {
			t.Error(err)
		}
	}
	other := f
	other.ID = models.NewID() // another file's key does not open it
	at, err := s.OpenRowAt(ctx, other)
	if err == nil {
		_, err = at.ReadAt(make([]byte, 10), 0)
		_ = at.Close()
	}
	if !errors.Is(err, ErrDamaged) {
		t.Errorf("another key: %v", err)
	}
	clk.Add(2 * time.Hour)
	if _, err := s.OpenRowAt(ctx, f); !fault.Is(err, fault.Gone) {
		t.Errorf("expired: %v", err)
	}
	if err := s.Discard(ctx, f); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := folder.List(ctx, func(Blob) error { n++; return nil }); err != nil || n != 0 {
		t.Errorf("%d contents are left, %v", n, err)
	}
}
