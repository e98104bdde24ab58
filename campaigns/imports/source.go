package imports

import (
	"archive/zip"
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"sync/atomic"

	"kithline/campaigns/fault"
	"kithline/campaigns/files"
)

// rows is a file of people, whatever its form: a *Reader of text, a *book, a *bundle of either, an *expander around one.
type rows interface {
	Columns() []string
	Bare() bool
	Next() (Row, error)
	Offset() int64
	Encoding() string
	Delimiter() byte
}

// The forms of a file.
const (
	formText = "text"
	formBook = "book"
	formZIP  = "zip"
)

// table is an open file.
type table struct {
	rows
	form  string
	left  []string // what of it is not read: files of a ZIP, further sheets of a workbook
	count int
	end   func() error
}

// Next is the next row, with its number.
func (t *table) Next() (Row, error) {
	row, err := t.rows.Next()
	if err == nil {
		t.count++
		row.n = t.count
	}
	return row, err
}

func (t *table) Close() error {
	if t.end == nil {
		return nil
	}
	return t.end()
}

// reach gives a file that can be read in any order.
type reach func() (*files.At, error)

// openTable finds out what r is and opens it. A workbook or a ZIP is read through at; where that is nil, through a sealed copy
// of r. The faults are those of NewReader, and of a workbook or a ZIP that cannot be read.
func openTable(ctx context.Context, r io.Reader, at reach) (*table, error) {
	head := bufio.NewReaderSize(r, 32<<10)
	b, err := head.Peek(4)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	t := &table{form: formText}
	if !bytes.Equal(b, []byte("PK\x03\x04")) {
		if t.rows, err = NewReader(head); err != nil {
			return nil, err
		}
	} else if err := t.archive(ctx, head, at); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	if t.rows, err = expand(t.rows); err != nil {
		return nil, errors.Join(err, t.Close())
	}
	return t, nil
}

// archive opens what begins as ZIPs do.
func (t *table) archive(ctx context.Context, r io.Reader, at reach) error {
	if at == nil {
		at = func() (*files.At, error) { return files.Spool(ctx, r) }
	}
	f, err := at()
	if err != nil {
		return err
	}
	t.end = f.Close
	c := &counterAt{r: f}
	z, err := openZIP(c, f.Size)
	if err != nil {
		return err
	}
	g := &guard{}
	if isBook(z) {
		t.form = formBook
		b, err := openBook(z, g)
		if err != nil {
			return err
		}
		b.read = &c.n
		t.rows, t.left = b, b.others
		return nil
	}
	t.form = formZIP
	b, err := openBundle(ctx, z, g)
	if err != nil {
		return err
	}
	b.read = &c.n
	t.rows, t.left = b, b.others
	return nil
}

// counterAt counts what was read of an archive.
type counterAt struct {
	r io.ReaderAt
	n atomic.Int64
}

func (c *counterAt) ReadAt(p []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(p, off)
	c.n.Add(int64(n))
	return n, err
}

// Limits of archives. What was packed to trouble whoever unpacks it goes beyond them, what people save does not.
const (
	maxDirectory = 2 << 20  // bytes of a ZIP's directory
	maxUnpacked  = 16 << 30 // bytes of all that is read of one file
	maxRatio     = 200      // unpacked to packed, beyond freeRatio
	freeRatio    = 32 << 20 // bytes up to which nobody asks
)

var (
	errDamaged = fault.New(fault.Invalid, "error.import_archive")
	errBomb    = fault.New(fault.Invalid, "error.import_bomb")
)

// openZIP reads the directory of a ZIP, once it is certain that it is not endless.
func openZIP(r io.ReaderAt, size int64) (*zip.Reader, error) {
	start, err := directory(r, size)
	if err != nil {
		return nil, err
	}
	if size-start > maxDirectory+66<<10 {
		return nil, errBomb
	}
	z, err := zip.NewReader(r, size)
	if err != nil {
		return nil, archiveError(err)
	}
	return z, nil
}

// archiveError tells an archive that is not whole from a store that cannot be read.
func archiveError(err error) error {
	var e *fault.Error
	if errors.As(err, &e) || errors.Is(err, files.ErrDamaged) || errors.Is(err, context.Canceled) {
		return err
	}
	return fault.Because(err, fault.Invalid, "error.import_archive")
}

// directory is where the directory of a ZIP begins (APPNOTE 4.3.16, 4.3.14 and 4.3.15).
func directory(r io.ReaderAt, size int64) (int64, error) {
	tail := make([]byte, min(size, 66<<10))
	if n, err := r.ReadAt(tail, size-int64(len(tail))); n < len(tail) {
		return 0, archiveError(err)
	}
	at := bytes.LastIndex(tail, []byte("PK\x05\x06"))
	if at < 0 || at+20 > len(tail) {
		return 0, errDamaged
	}
	start := int64(binary.LittleEndian.Uint32(tail[at+16:]))
	if start != 0xffffffff {
		return start, nil
	}
	if at < 20 || !bytes.Equal(tail[at-20:at-16], []byte("PK\x06\x07")) {
		return 0, errDamaged
	}
	end := make([]byte, 56)
	where := int64(binary.LittleEndian.Uint64(tail[at-12:]))
	if where < 0 || where > size {
		return 0, errDamaged
	}
	if n, err := r.ReadAt(end, where); n < len(end) {
		return 0, archiveError(err)
	}
	if start = int64(binary.LittleEndian.Uint64(end[48:])); start < 0 || start > size {
		return 0, errDamaged
	}
	return start, nil
}

// guard bounds what is unpacked of one file altogether.
type guard struct{ total int64 }

// open unpacks one file of a ZIP within the limits. The fault, from Read, is error.import_bomb.
func (g *guard) open(f *zip.File) (io.ReadCloser, error) {
	if f.Flags&1 != 0 {
		return nil, fault.New(fault.Invalid, "error.import_locked")
	}
	rc, err := f.Open()
	if err != nil {
		return nil, archiveError(err)
	}
	return &guarded{rc: rc, g: g, packed: int64(f.CompressedSize64)}, nil
}

type guarded struct {
	rc     io.ReadCloser
	g      *guard
	packed int64
	n      int64
}

func (u *guarded) Read(p []byte) (int, error) {
	n, err := u.rc.Read(p)
	u.n += int64(n)
	u.g.total += int64(n)
	if u.g.total > maxUnpacked || u.n > freeRatio && u.n/maxRatio > u.packed {
		return 0, errBomb
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = archiveError(err)
	} else if err != nil {
		err = io.EOF
	}
	return n, err
}

func (u *guarded) Close() error { return u.rc.Close() }
