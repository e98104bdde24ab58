package backups

import (
	"archive/tar"
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"

	"kithline/campaigns/fault"
	"kithline/models/tables"
)

// Limits for what is read into memory at once, in bytes. A row holds texts of the edge's limits; a manifest has some 150
// bytes for each stored file.
const (
	maxHead     = 1 << 20
	maxManifest = 256 << 20
	maxLine     = 64 << 20
)

// target takes what is read from a backup. head comes first; table, for each table and for the jobs, reads its rows to their
// end and returns how many they were; file reads one content.
type target interface {
	head(Head) error
	table(t Table, rows *lines) (int64, error)
	file(key string, size int64, r io.Reader) error
}

// read goes through a backup from begin to end and holds every member against the manifest. The faults are Invalid,
// error.backup_unknown, error.backup_damaged and error.backup_newer; errors of t come back as they are.
func read(ctx context.Context, r io.Reader, t target) (c Contents, err error) {
	zr, err := zstd.NewReader(&reading{ctx: ctx, r: r}, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(64<<20))
	if err != nil {
		return c, err
	}
	defer zr.Close()
	a := &archive{tar: tar.NewReader(zr), buffer: bufio.NewReaderSize(nil, 64<<10)}
	if err := a.first(&c.Head); err != nil {
		return c, err
	}
	if err := t.head(c.Head); err != nil {
		return c, err
	}
	rows := map[string]int64{}
	for _, table := range c.Tables {
		if rows[table.Name], err = a.rows(table, "tables/"+table.Name+"/", t); err != nil {
			return c, err
		}
	}
	jobs, err := a.rows(jobTable, "jobs/", t)
	if err != nil {
		return c, err
	}
	var files, fileBytes int64
	for a.open != nil && strings.HasPrefix(a.open.Name, "files/") {
		size := a.open.Size
		if err := t.file(strings.TrimPrefix(a.open.Name, "files/"), size, a.body); err != nil {
			return c, a.or(err)
		}
		files++
		fileBytes += size
		if err := a.next(); err != nil {
			return c, err
		}
	}
	before := slices.Clone(a.members)
	if err := a.json("manifest.json", maxManifest, &c.Manifest); err != nil {
		return c, err
	}
	m := c.Manifest
	switch {
	case a.open != nil:
		return c, damaged(fmt.Errorf("something comes after the manifest: %q", a.open.Name))
	case jobs != m.Jobs || files != m.Files || fileBytes != m.FileBytes || len(rows) != len(m.Rows):
		return c, damaged(errors.New("the counts are not those of the manifest"))
	case !slices.Equal(before, m.Members):
		return c, damaged(errors.New("the members are not those of the manifest"))
	}
	for name, n := range m.Rows {
		if rows[name] != n {
			return c, damaged(fmt.Errorf("the table %s has %d rows instead of %d", name, rows[name], n))
		}
	}
	switch n, err := io.Copy(io.Discard, zr); {
	case err != nil:
		return c, damaged(err)
	case n > 0:
		return c, damaged(errors.New("something comes after the end"))
	}
	return c, nil
}

// archive is a tar stream with one member open.
type archive struct {
	tar     *tar.Reader
	open    *tar.Header // nil at the end
	body    io.Reader   // of the open member; hashes
	hash    hash.Hash
	buffer  *bufio.Reader
	members []Member // those that were read
	err     error    // of the stream, once it had one
}

// next closes the open member and opens the one after it.
func (a *archive) next() error {
	if a.open != nil {
		if _, err := io.Copy(io.Discard, a.body); err != nil {
			return a.fail(err)
		}
		a.members = append(a.members, Member{a.open.Name, a.open.Size, hex.EncodeToString(a.hash.Sum(nil))})
	}
	h, err := a.tar.Next()
	switch {
	case errors.Is(err, io.EOF):
		a.open, a.body = nil, nil
		return nil
	case err != nil:
		return a.fail(err)
	case h.Typeflag != tar.TypeReg:
		return a.fail(fmt.Errorf("%q is not a file", h.Name))
	}
	a.open, a.hash = h, sha256.New()
	a.body = io.TeeReader(a.tar, a.hash)
	return nil
}

func (a *archive) fail(err error) error {
	a.err = damaged(err)
	return a.err
}

// or is the error of the stream where it has one: what a target made of it says less.
func (a *archive) or(err error) error {
	if a.err != nil {
		return a.err
	}
	return err
}

var plainName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,62}$`)

// first reads the head.
func (a *archive) first(h *Head) error {
	unknown := func(cause error) error { return fault.Because(cause, fault.Invalid, "error.backup_unknown") }
	switch hdr, err := a.tar.Next(); {
	case errors.Is(err, io.EOF), errors.Is(err, zstd.ErrMagicMismatch), errors.Is(err, tar.ErrHeader):
		return unknown(err)
	case err != nil:
		return a.fail(err)
	case hdr.Name != "head.json" || hdr.Typeflag != tar.TypeReg || hdr.Size > maxHead:
		return unknown(fmt.Errorf("it begins with %q", hdr.Name))
	default:
		a.open, a.hash = hdr, sha256.New()
		a.body = io.TeeReader(a.tar, a.hash)
	}
	if err := a.json("head.json", maxHead, h); err != nil {
		return err
	}
	if h.Format > format {
		return newer(*h)
	}
	if h.Format < 1 || h.Schema < 1 {
		return damaged(errors.New("the head has no version"))
	}
	seen := map[string]bool{}
	for _, t := range h.Tables {
		if !plainName.MatchString(t.Name) || seen[t.Name] || tables.Machinery(t.Name) || len(t.Columns) == 0 {
			return damaged(fmt.Errorf("the head names the table %q", t.Name))
		}
		seen[t.Name] = true
		for _, c := range t.Columns {
			if !plainName.MatchString(c.Name) || seen[t.Name+"."+c.Name] || !slices.Contains([]tables.Kind{tables.Text, tables.Int, tables.Float, tables.Bool, tables.Bytes, tables.Time}, c.Kind) {
				return damaged(fmt.Errorf("the head names the column %q of the kind %q", c.Name, c.Kind))
			}
			seen[t.Name+"."+c.Name] = true
		}
	}
	return nil
}

func newer(h Head) error {
	return fault.New(fault.Invalid, "error.backup_newer", "Version", h.Version)
}

// json reads the open member, which must have the name, into v and opens the next one.
func (a *archive) json(name string, limit int64, v any) error {
	if a.open == nil {
		return damaged(fmt.Errorf("it ends without %s", name))
	}
	if a.open.Name != name || a.open.Size > limit {
		return damaged(fmt.Errorf("%q stands where %s belongs", a.open.Name, name))
	}
	b, err := io.ReadAll(a.body)
	if err != nil {
		return a.fail(err)
	}
	if err := json.Unmarshal(b, v); err != nil {
		return damaged(fmt.Errorf("%s: %w", name, err))
	}
	return a.next()
}

// rows lets t read the rows of a table, which are the members of one folder.
func (a *archive) rows(table Table, folder string, t target) (int64, error) {
	src := &lines{a: a, folder: folder}
	src.enter()
	n, err := t.table(table, src)
	if err == nil && src.inside {
		err = fmt.Errorf("table %s was not read to its end", table.Name)
	}
	return n, a.or(err)
}

// lines are the rows of one table, over as many members as it has.
type lines struct {
	a      *archive
	folder string
	inside bool // a member of the folder is open
	long   []byte
}

// enter looks whether the open member is of this table.
func (l *lines) enter() {
	if l.inside = l.a.open != nil && strings.HasPrefix(l.a.open.Name, l.folder); l.inside {
		l.a.buffer.Reset(l.a.body)
	}
}

// next returns the next line without its end, which is good until the one after it; io.EOF after the last.
func (l *lines) next() ([]byte, error) {
	for l.inside {
		line, err := l.a.buffer.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			l.long = l.long[:0]
			for errors.Is(err, bufio.ErrBufferFull) && len(l.long) < maxLine {
				l.long = append(l.long, line...)
				line, err = l.a.buffer.ReadSlice('\n')
			}
			l.long = append(l.long, line...)
			line = l.long
		}
		switch {
		case err == nil:
			return line[:len(line)-1], nil
		case err != io.EOF || len(line) > 0:
			return nil, l.a.fail(fmt.Errorf("%s: %w", l.a.open.Name, errors.Join(tables.ErrLine, err)))
		}
		if err := l.a.next(); err != nil {
			return nil, err
		}
		l.enter()
	}
	return nil, io.EOF
}

// check is the target that only looks: it counts lines and reads contents to nowhere. What is in a line shows when it is
// loaded; that it is the line which was written, the sums show.
type check struct{}

func (check) head(Head) error { return nil }

func (check) table(_ Table, rows *lines) (n int64, err error) {
	for {
		if _, err := rows.next(); errors.Is(err, io.EOF) {
			return n, nil
		} else if err != nil {
			return n, err
		}
		n++
	}
}

func (check) file(key string, _ int64, r io.Reader) error {
	if !plainKey.MatchString(key) {
		return damaged(fmt.Errorf("%q is not the key of a file", key))
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return damaged(err)
	}
	return nil
}

// plainKey is how the store names contents.
var plainKey = regexp.MustCompile(`^[0-9a-f]{32}$`)

// Check reads a backup to its end and tells what is in it, or which of the faults of read it has. It touches no database.
func Check(ctx context.Context, r io.Reader) (Contents, error) { return read(ctx, r, check{}) }
