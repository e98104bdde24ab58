package legislators

import (
	"archive/zip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"kithline/campaigns/fault"
)

// The limits of what is read, in files and bytes. openstates/people has some 26,000 files and 40 MB.
const (
	maxFiles = 100_000
	maxFile  = 64 << 20
	maxAll   = 1 << 30
)

// pack is a folder, a ZIP file or one file alone, that is read by name. It is safe for concurrent use.
type pack struct {
	label string   // what people call it
	names []string // with slashes, sorted
	alone bool     // one file that is no archive
	open  func(name string) (io.ReadCloser, error)
	end   func() error

	mu   sync.Mutex
	sums map[string][sha256.Size]byte // of what was read
}

// checksum is one of all that was read, in hex.
func (p *pack) checksum() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	h := sha256.New()
	for _, n := range slices.Sorted(maps.Keys(p.sums)) {
		sum := p.sums[n]
		fmt.Fprintf(h, "%s %x\n", n, sum)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// OpenPath opens a file, a ZIP file or a folder to be imported. Close what it returns.
func OpenPath(name string) (*Source, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		p, err := packOfFolder(name)
		return &Source{p}, err
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(fault.New(fault.Invalid, "error.legislators_no_file", "File", filepath.Base(name)), f.Close())
	}
	p, err := packOf(filepath.Base(name), f, info.Size(), f.Close)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &Source{p}, nil
}

// OpenText is a source of one file that lies in memory. Close it as any other.
func OpenText(name, content string) (*Source, error) {
	p, err := packOf(name, strings.NewReader(content), int64(len(content)), func() error { return nil })
	if err != nil {
		return nil, err
	}
	return &Source{p}, nil
}

// Source is what an import reads: made by OpenPath, OpenText or Fetch.
type Source struct{ pack *pack }

// Name is what the source is called: the file or folder, without what is above it.
func (s *Source) Name() string { return s.pack.label }

// Close gives it up.
func (s *Source) Close() error { return s.pack.end() }

func packOfFolder(root string) (*pack, error) {
	abs, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	fsys := os.DirFS(abs)
	p := &pack{label: filepath.Base(abs), open: func(name string) (io.ReadCloser, error) { return fsys.Open(name) }, end: func() error { return nil }}
	err = fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), ".") && name != ".":
			return fs.SkipDir
		case !d.Type().IsRegular():
			return nil
		}
		if p.names = append(p.names, name); len(p.names) > maxFiles {
			return fault.New(fault.Invalid, "error.legislators_many", "File", p.label, "Max", maxFiles)
		}
		return nil
	})
	slices.Sort(p.names)
	return p, err
}

// packOf opens a ZIP file, or takes the content as the one file that it is.
func packOf(label string, r io.ReaderAt, size int64, end func() error) (*pack, error) {
	p := &pack{label: label, end: end}
	var magic [4]byte
	n, err := r.ReadAt(magic[:], 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if string(magic[:n]) != "PK\x03\x04" {
		p.alone, p.names = true, []string{label}
		p.open = func(string) (io.ReadCloser, error) { return io.NopCloser(io.NewSectionReader(r, 0, size)), nil }
		return p, nil
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, fault.Because(err, fault.Invalid, "error.legislators_zip", "File", label)
	}
	if len(z.File) > maxFiles {
		return nil, fault.New(fault.Invalid, "error.legislators_many", "File", label, "Max", maxFiles)
	}
	files, all := map[string]*zip.File{}, uint64(0)
	for _, f := range z.File {
		if !f.Mode().IsRegular() || strings.HasPrefix(path.Base(f.Name), ".") {
			continue
		}
		if all += f.UncompressedSize64; all > maxAll {
			return nil, fault.New(fault.Invalid, "error.legislators_large", "File", label)
		}
		files[f.Name] = f
		p.names = append(p.names, f.Name)
	}
	slices.Sort(p.names)
	p.open = func(name string) (io.ReadCloser, error) { return files[name].Open() }
	return p, nil
}

// read returns a file of the pack.
func (p *pack) read(name string) (b []byte, err error) {
	r, err := p.open(name)
	if err != nil {
		return nil, p.broken(name, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	b, err = io.ReadAll(io.LimitReader(r, maxFile+1))
	switch {
	case err != nil:
		return nil, p.broken(name, err)
	case len(b) > maxFile:
		return nil, fault.New(fault.Invalid, "error.legislators_large", "File", p.where(name))
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sums == nil {
		p.sums = map[string][sha256.Size]byte{}
	}
	p.sums[name] = sha256.Sum256(b)
	return b, nil
}

// broken is an error of reading: what an archive cannot give whole is the file's fault.
func (p *pack) broken(name string, err error) error {
	if errors.Is(err, zip.ErrFormat) || errors.Is(err, zip.ErrChecksum) || errors.Is(err, zip.ErrAlgorithm) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fault.Because(err, fault.Invalid, "error.legislators_zip", "File", p.where(name))
	}
	return fmt.Errorf("%s: %w", name, err)
}

// where is how a file of the pack is named in a sentence.
func (p *pack) where(name string) string {
	if p.alone {
		return p.label
	}
	return name
}

// each reads files in the order of names, on a few processors at once, and hands each to fn with its place in names. It ends at the
// first error in that order.
func (p *pack) each(ctx context.Context, names []string, fn func(i int, b []byte) error) error {
	const hands = 4
	errs := make([]error, len(names))
	next := make(chan int)
	done := make(chan struct{}, hands)
	for range hands {
		go func() {
			defer func() { done <- struct{}{} }()
			for i := range next {
				b, err := p.read(names[i])
				if err == nil {
					err = fn(i, b)
				}
				errs[i] = err
			}
		}()
	}
	for i := range names {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	for range hands {
		<-done
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
