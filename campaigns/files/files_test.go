package files

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// world is one database with one store, and a way around the store to what lies in it.
type world struct {
	*Service
	clock *clock.Fixed
	raw   func(key string) []byte
	set   func(key string, b []byte)
	keys  func() []string
	age   func(by time.Duration) // of everything in it
}

// each runs fn over both databases and both stores.
func each(t *testing.T, fn func(t *testing.T, w world)) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		for name, make := range map[string]func(*testing.T, *database.DB) world{"folder": folderWorld, "s3": s3World} {
			t.Run(name, func(t *testing.T) {
				if err := db.Exec("DELETE FROM files").Error; err != nil {
					t.Fatal(err)
				}
				fn(t, make(t, db))
			})
		}
	})
}

func folderWorld(t *testing.T, db *database.DB) world {
	t.Helper()
	d, err := NewFolder(filepath.Join(t.TempDir(), "files"))
	if err != nil {
		t.Fatal(err)
	}
	clk := clock.NewFixed(time.Now())
	path := func(key string) string { return filepath.Join(d.root, key[:2], key) }
	return world{
		Service: New(db, vault.New(vault.NewKey()), clk, d), clock: clk,
		raw: func(key string) []byte {
			b, err := os.ReadFile(path(key))
			if err != nil {
				t.Fatal(err)
			}
			return b
		},
		set: func(key string, b []byte) {
			if err := os.WriteFile(path(key), b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		keys: func() []string { return list(t, d) },
		age: func(by time.Duration) {
			at := time.Now().Add(-by)
			if err := filepath.WalkDir(d.root, func(path string, _ fs.DirEntry, err error) error { return errors.Join(err, os.Chtimes(path, at, at)) }); err != nil {
				t.Fatal(err)
			}
		},
	}
}

func s3World(t *testing.T, db *database.DB) world {
	t.Helper()
	f := startS3(t)
	b := f.store(t)
	clk := clock.NewFixed(time.Now())
	return world{
		Service: New(db, vault.New(vault.NewKey()), clk, b), clock: clk,
		raw:  func(key string) []byte { f.mu.Lock(); defer f.mu.Unlock(); return f.objects[key].data },
		set:  func(key string, b []byte) { f.mu.Lock(); defer f.mu.Unlock(); f.objects[key] = object{b, time.Now()} },
		keys: func() []string { return list(t, b) },
		age: func(by time.Duration) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for key, o := range f.objects {
				f.objects[key] = object{o.data, time.Now().Add(-by)}
			}
		},
	}
}

func list(t *testing.T, b Blobs) []string {
	t.Helper()
	var keys []string
	if err := b.List(t.Context(), func(b Blob) error { keys = append(keys, b.Key); return nil }); err != nil {
		t.Fatal(err)
	}
	return keys
}

// text is n bytes that can be found again.
func text(n int) []byte {
	return bytes.Repeat([]byte("Ana Ruiz lives with pain. "), n/26+1)[:n]
}

func (w world) put(t *testing.T, in PutInput, b []byte) models.File {
	t.Helper()
	if in.Kind == "" {
		in.Kind = models.FileExport
	}
	f, err := w.Put(t.Context(), nil, in, bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (w world) read(t *testing.T, id uuid.UUID) ([]byte, error) {
	t.Helper()
	r, _, err := w.Open(t.Context(), id)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(r)
	return b, errors.Join(err, r.Close())
}

func TestPutAndOpen(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		user := models.NewID()
		at := w.clock.Now().Add(time.Hour)
		for _, n := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, inMemory, inMemory + 1, partSize + inMemory} {
			b := text(n)
			f := w.put(t, PutInput{Kind: models.FilePack, Name: "Núria Öztürk.pdf", ContentType: "application/pdf", ExpiresAt: &at, By: &user}, b)
			got, err := w.read(t, f.ID)
			if err != nil || !bytes.Equal(got, b) {
				t.Fatalf("%d bytes: read %d, %v", n, len(got), err)
			}
			row, err := w.Get(t.Context(), f.ID)
			if err != nil {
				t.Fatal(err)
			}
			sum := sha256.Sum256(b)
			if row.Kind != models.FilePack || row.ContentType != "application/pdf" || row.Size != int64(n) || row.SHA256 != hex.EncodeToString(sum[:]) ||
				row.Public || row.State != models.FileStored || *row.CreatedBy != user || !row.CreatedAt.Equal(w.clock.Now()) || !row.ExpiresAt.Equal(at) {
				t.Fatalf("row %+v", row)
			}
			if name, err := w.Name(row); err != nil || name != "Núria Öztürk.pdf" {
				t.Fatalf("name %q, %v", name, err)
			}
			if bytes.Contains(row.NameSealed, []byte("Ruiz")) || n > 30 && bytes.Contains(w.raw(f.StoreKey), []byte("Ana Ruiz")) {
				t.Fatal("clear text in the store")
			}
		}
		one, two := w.put(t, PutInput{}, text(100)), w.put(t, PutInput{}, text(100))
		if one.StoreKey == two.StoreKey || bytes.Equal(w.raw(one.StoreKey), w.raw(two.StoreKey)) {
			t.Fatal("two files with one content are alike in the store")
		}
		if row, err := w.Get(t.Context(), one.ID); err != nil || row.NameSealed != nil || row.CreatedBy != nil || row.ExpiresAt != nil {
			t.Fatalf("row %+v, %v", row, err)
		}
		_, err := w.read(t, models.NewID())
		isFault(t, err, fault.NotFound, "error.file_unknown")
	})
}

func isFault(t *testing.T, err error, k fault.Kind, key string) {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != k || f.Key != key {
		t.Fatalf("error %v, want %v %s", err, k, key)
	}
}

func TestOpenPublic(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		public, private := w.put(t, PutInput{Public: true}, text(10)), w.put(t, PutInput{}, text(10))
		r, f, err := w.OpenPublic(t.Context(), public.ID)
		if err != nil || f.ID != public.ID {
			t.Fatal(err)
		}
		if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, text(10)) {
			t.Fatalf("%q, %v", b, err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		_, _, err = w.OpenPublic(t.Context(), private.ID)
		isFault(t, err, fault.NotFound, "error.file_unknown")
	})
}

// Content that was cut, changed or exchanged is never read to its end without an error.
func TestDamaged(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		const n = 200_000
		f, other := w.put(t, PutInput{}, text(n)), w.put(t, PutInput{}, text(n))
		sealed := bytes.Clone(w.raw(f.StoreKey))
		damaged := func(what string, id uuid.UUID) {
			t.Helper()
			if b, err := w.read(t, id); !errors.Is(err, ErrDamaged) {
				t.Fatalf("%s: %d bytes and %v", what, len(b), err)
			}
		}
		pack := (64 << 10) + 32
		for _, at := range []int{0, 1, 16, pack - 1, pack, pack + 1, 2 * pack, 3 * pack, len(sealed) - 1} {
			w.set(f.StoreKey, sealed[:at])
			damaged(fmt.Sprintf("cut to %d", at), f.ID)
			// Even where the row agrees with what is left.
			whole := at / pack * (64 << 10)
			size(t, w, f.ID, int64(whole))
			damaged(fmt.Sprintf("cut to %d with the row", at), f.ID)
			size(t, w, f.ID, n)
		}
		w.set(f.StoreKey, append(bytes.Clone(sealed), 0))
		damaged("a byte more", f.ID)
		for _, at := range []int{0, 5, 17, 100, pack + 5, len(sealed) - 1} {
			b := bytes.Clone(sealed)
			b[at] ^= 1
			w.set(f.StoreKey, b)
			damaged(fmt.Sprintf("byte %d changed", at), f.ID)
		}
		b := slices.Concat(sealed[pack:2*pack], sealed[:pack], sealed[2*pack:])
		w.set(f.StoreKey, b)
		damaged("two parts exchanged", f.ID)
		w.set(f.StoreKey, w.raw(other.StoreKey))
		damaged("another file's content", f.ID)
		w.set(f.StoreKey, sealed)
		if got, err := w.read(t, f.ID); err != nil || !bytes.Equal(got, text(n)) {
			t.Fatalf("the undamaged content: %v", err)
		}
		if err := w.blobs.Delete(t.Context(), f.StoreKey); err != nil {
			t.Fatal(err)
		}
		damaged("no content", f.ID)

		empty := w.put(t, PutInput{}, nil)
		size(t, w, empty.ID, 5)
		damaged("an empty content whose row says more", empty.ID)
	})
}

func size(t *testing.T, w world, id uuid.UUID, n int64) {
	t.Helper()
	if err := w.db.Model(&models.File{}).Where("id = ?", id).Update("size", n).Error; err != nil {
		t.Fatal(err)
	}
}

// An upload that breaks on its way is never stored, wherever it breaks and however the reader says so.
func TestSourceFails(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		for _, cause := range []error{io.ErrUnexpectedEOF, errors.New("the line is dead"), context.Canceled} {
			for _, n := range []int{0, 1, 1000, 64 << 10, 64<<10 + 1, inMemory - 1, inMemory + 1000, partSize + inMemory} {
				if n > inMemory && cause != io.ErrUnexpectedEOF {
					continue // large ones once
				}
				f, err := w.Put(t.Context(), nil, PutInput{Kind: models.FileImport}, io.MultiReader(bytes.NewReader(text(n)), iotest.ErrReader(cause)))
				if !errors.Is(err, cause) {
					t.Fatalf("%v after %d bytes: stored %+v, %v", cause, n, f, err)
				}
				if fault.KindOf(err) != fault.Internal {
					t.Fatalf("the reader's error became %v", err)
				}
			}
		}
		for _, n := range []int{1000, inMemory + 1000} {
			_, err := w.Put(t.Context(), nil, PutInput{Kind: models.FileImport, MaxSize: int64(n) - 1}, bytes.NewReader(text(n)))
			isFault(t, err, fault.Invalid, "error.file_large")
		}
		w.put(t, PutInput{MaxSize: 1000}, text(1000))
		if keys := w.keys(); len(keys) != 1 {
			t.Fatalf("%d contents are stored, want 1", len(keys))
		}
		var rows int64
		if err := w.db.Model(&models.File{}).Count(&rows).Error; err != nil || rows != 1 {
			t.Fatalf("%d rows, %v", rows, err)
		}
	})
}

func TestExpiry(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		at := w.clock.Now().Add(time.Hour)
		f := w.put(t, PutInput{Name: "people.csv", ExpiresAt: &at}, text(100))
		stays := w.put(t, PutInput{}, text(100))
		w.clock.Add(time.Hour - time.Microsecond)
		if _, err := w.read(t, f.ID); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(time.Microsecond)
		_, err := w.read(t, f.ID)
		isFault(t, err, fault.Gone, "error.file_expired")
		if done, err := w.Sweep(t.Context()); err != nil || done != (Swept{Expired: 1, Removed: 1}) {
			t.Fatalf("%+v, %v", done, err)
		}
		row, err := w.Get(t.Context(), f.ID)
		if err != nil || row.State != models.FileExpired || row.NameSealed != nil || row.Size != 100 {
			t.Fatalf("%+v, %v", row, err)
		}
		if keys := w.keys(); !slices.Equal(keys, []string{stays.StoreKey}) {
			t.Fatalf("stored: %v", keys)
		}
		if done, err := w.Sweep(t.Context()); err != nil || done != (Swept{}) {
			t.Fatalf("a second sweep: %+v, %v", done, err)
		}
		if err := w.Expire(t.Context(), stays.ID); err != nil {
			t.Fatal(err)
		}
		_, err = w.read(t, stays.ID)
		isFault(t, err, fault.Gone, "error.file_expired")
		if keys := w.keys(); len(keys) != 0 {
			t.Fatalf("stored: %v", keys)
		}
		isFault(t, w.Expire(t.Context(), models.NewID()), fault.NotFound, "error.file_unknown")
	})
}

func TestSweep(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		kept := w.put(t, PutInput{}, text(10))
		boom := errors.New("boom")
		var lost models.File
		if err := w.db.Tx(t.Context(), func(tx *gorm.DB) (err error) {
			if lost, err = w.Put(t.Context(), tx, PutInput{Kind: models.FileImport}, bytes.NewReader(text(10))); err != nil {
				return err
			}
			return boom
		}); !errors.Is(err, boom) {
			t.Fatal(err)
		}
		marked := w.put(t, PutInput{}, text(10))
		if err := w.db.Tx(t.Context(), func(tx *gorm.DB) error { return w.MarkExpired(t.Context(), tx, marked.ID) }); err != nil {
			t.Fatal(err)
		}
		late, err := w.Write(t.Context(), PutInput{Kind: models.FilePack}, bytes.NewReader(text(10)))
		if err != nil {
			t.Fatal(err)
		}
		// Whatever else lies in the store stays.
		for _, key := range []string{"readme"} {
			if d, ok := w.blobs.(*Folder); ok {
				if err := os.WriteFile(filepath.Join(d.root, key), text(5), 0o600); err != nil {
					t.Fatal(err)
				}
			} else {
				w.set(key, text(5))
			}
		}
		w.clock.Add(365 * 24 * time.Hour)                                                 // the program's clock says nothing of when the store took it
		if done, err := w.Sweep(t.Context()); err != nil || done != (Swept{Removed: 1}) { // the marked one, at once
			t.Fatalf("%+v, %v", done, err)
		}
		if err := w.Insert(t.Context(), w.db.DB, late); err != nil {
			t.Fatal(err)
		}
		w.age(25 * time.Hour)
		if done, err := w.Sweep(t.Context()); err != nil || done != (Swept{Removed: 1}) { // the lost one, after a day
			t.Fatalf("%+v, %v", done, err)
		}
		for _, f := range []models.File{kept, late} {
			if b, err := w.read(t, f.ID); err != nil || !bytes.Equal(b, text(10)) {
				t.Fatalf("%v", err)
			}
		}
		if keys := w.keys(); len(keys) != 2 || slices.Contains(keys, lost.StoreKey) {
			t.Fatalf("stored: %v", keys)
		}
	})
}

func TestList(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := folderWorld(t, db)
		const n = paging.Size + 7
		for i := range n {
			w.put(t, PutInput{Kind: models.FileExport}, text(i))
			if i%3 == 0 { // some share their time
				w.clock.Add(time.Second)
			}
		}
		w.put(t, PutInput{Kind: models.FilePack}, text(1))
		var sizes []int64
		after := paging.Cursor{}
		for {
			p, err := w.List(t.Context(), models.FileExport, after)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range p.Rows {
				sizes = append(sizes, f.Size)
			}
			if p.Next == "" {
				break
			}
			if after, err = paging.Parse(p.Next); err != nil {
				t.Fatal(err)
			}
		}
		if len(sizes) != n {
			t.Fatalf("%d files listed, want %d", len(sizes), n)
		}
		for i, size := range sizes {
			if size != int64(n-1-i) {
				t.Fatalf("place %d has the file of %d bytes", i, size)
			}
		}
		if p, err := w.List(t.Context(), "", paging.Cursor{}); err != nil || p.Rows[0].Kind != models.FilePack {
			t.Fatalf("every kind: %v", err)
		}
	})
}

func TestFolder(t *testing.T) {
	w := folderWorld(t, testdb.SQLite(t))
	d := w.blobs.(*Folder)
	f := w.put(t, PutInput{}, text(50_000))
	if err := filepath.WalkDir(d.root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[e.IsDir()]; st.Mode().Perm() != want {
			t.Errorf("%s has mode %v, want %v", path, st.Mode().Perm(), want)
		}
		if b, err := os.ReadFile(path); err == nil && bytes.Contains(b, []byte("Ruiz")) {
			t.Errorf("%s holds clear text", path)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(d.root, unfinished, "put-123") // as a crash leaves it
	if err := os.WriteFile(left, text(10), 0o600); err != nil {
		t.Fatal(err)
	}
	w.clock.Add(365 * 24 * time.Hour)
	if done, err := w.Sweep(t.Context()); err != nil || done.Removed != 0 {
		t.Fatalf("what is being written was removed: %+v, %v", done, err)
	}
	w.age(25 * time.Hour)
	if done, err := w.Sweep(t.Context()); err != nil || done.Removed != 1 {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Fatal("what a crash left is still there")
	}
	for _, key := range []string{"", "..", "../../etc/passwd", "tmp/../../x", "tmp/put-1/../../../x", strings.Repeat("g", 32), strings.Repeat("a", 31), "tmp/other"} {
		if err := d.Put(t.Context(), key, strings.NewReader("x"), 1); err == nil {
			t.Errorf("Put took the key %q", key)
		}
		if _, _, err := d.Get(t.Context(), key); err == nil {
			t.Errorf("Get took the key %q", key)
		}
		if err := d.Delete(t.Context(), key); err == nil {
			t.Errorf("Delete took the key %q", key)
		}
	}
	// Another store on the same folder, as after a restart.
	again, err := NewFolder(d.root)
	if err != nil {
		t.Fatal(err)
	}
	if keys := list(t, again); !slices.Equal(keys, []string{f.StoreKey}) {
		t.Fatalf("stored: %v", keys)
	}
	if err := os.RemoveAll(d.root); err != nil {
		t.Fatal(err)
	}
	_, err = w.Put(t.Context(), nil, PutInput{Kind: models.FilePack}, bytes.NewReader(text(5)))
	isFault(t, err, fault.Unavailable, "error.files_unavailable")
}

// full is a store whose disk is full.
type full struct{ Blobs }

func (full) Put(context.Context, string, io.Reader, int64) error {
	return &fs.PathError{Op: "write", Path: "tmp/put-1", Err: syscall.ENOSPC}
}

func TestDiskFull(t *testing.T) {
	w := folderWorld(t, testdb.SQLite(t))
	w.blobs = full{w.blobs}
	_, err := w.Put(t.Context(), nil, PutInput{Kind: models.FilePack}, bytes.NewReader(text(5)))
	isFault(t, err, fault.Unavailable, "error.files_full")
}

func TestS3(t *testing.T) {
	f := startS3(t)
	b := f.store(t)
	if err := b.Check(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := world{Service: New(testdb.SQLite(t), vault.New(vault.NewKey()), clock.NewFixed(time.Now()), b)}

	// What is small goes in one request, what is large in parts.
	f.requests = nil
	w.put(t, PutInput{}, text(1000))
	if !slices.Equal(f.requests, []string{"PUT "}) {
		t.Fatalf("requests: %v", f.requests)
	}
	big := w.put(t, PutInput{}, text(2*partSize+5))
	if n := len(f.requests); f.requests[1] != "POST uploads" || f.requests[n-1] != "POST uploadId" || n != 6 {
		t.Fatalf("requests: %v", f.requests)
	}
	if len(f.uploads) != 0 {
		t.Fatal("an upload is left open")
	}

	// A connection that breaks in the middle of an answer is not the end of the file.
	f.before = func(rw http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodGet {
			return false
		}
		data := f.objects[big.StoreKey].data
		rw.Header().Set("Content-Length", fmt.Sprint(len(data)))
		rw.Header().Set("ETag", etag(data))
		rw.Header().Set("Last-Modified", time.Now().UTC().Format(http.TimeFormat))
		rw.Write(data[:len(data)/2])
		panic(http.ErrAbortHandler)
	}
	if got, err := w.read(t, big.ID); !errors.Is(err, ErrDamaged) {
		t.Fatalf("half an answer: %d bytes, %v", len(got), err)
	}

	// A server that fails once is asked again.
	failed := false
	f.before = func(rw http.ResponseWriter, _ *http.Request) bool {
		if failed {
			return false
		}
		failed = true
		refuse(rw, http.StatusServiceUnavailable, "SlowDown")
		return true
	}
	w.put(t, PutInput{}, text(1000))
	if !failed {
		t.Fatal("the server was not asked")
	}
	f.before = nil

	// A bucket that went away is not a file that is damaged.
	b.bucket = "gone"
	_, err := w.read(t, big.ID)
	isFault(t, err, fault.Unavailable, "error.files_unavailable")
	if err := b.Check(t.Context()); err == nil || !strings.Contains(err.Error(), "there is no bucket gone") {
		t.Fatalf("Check: %v", err)
	}
	b.bucket = f.bucket
	stranger, err := NewS3(S3Options{Endpoint: strings.TrimPrefix(f.url, "http://"), Bucket: f.bucket, AccessKey: "wrong", SecretKey: "secret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := stranger.Check(t.Context()); err == nil || strings.Contains(err.Error(), "secret") {
		t.Fatalf("Check with a wrong key: %v", err)
	}
	for _, key := range []string{"", "x", "../x"} {
		if err := b.Put(t.Context(), key, strings.NewReader("x"), 1); err == nil {
			t.Errorf("Put took the key %q", key)
		}
	}
	_, err = NewS3(S3Options{Endpoint: "http://with a scheme", Bucket: "b"})
	if err == nil {
		t.Fatal("a wrong endpoint was taken")
	}
}

// Several write at once, and each reads what it wrote.
func TestConcurrent(t *testing.T) {
	each(t, func(t *testing.T, w world) {
		done := make(chan error)
		for i := range 8 {
			go func() {
				b := make([]byte, 10_000+i)
				r := rand.New(rand.NewPCG(uint64(i), 0))
				for j := range b {
					b[j] = byte(r.Uint32())
				}
				f, err := w.Put(context.Background(), nil, PutInput{Kind: models.FilePack}, bytes.NewReader(b))
				if err == nil {
					var rc io.ReadCloser
					if rc, _, err = w.Open(context.Background(), f.ID); err == nil {
						var got []byte
						got, err = io.ReadAll(rc)
						if !bytes.Equal(got, b) {
							err = errors.Join(err, errors.New("read something else"))
						}
						err = errors.Join(err, rc.Close())
					}
				}
				done <- err
			}()
		}
		for range 8 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
}
