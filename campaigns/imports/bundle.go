package imports

import (
	"archive/zip"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"sync/atomic"

	"kithline/campaigns/fault"
	"kithline/campaigns/files"
)

// bundle reads the files of a ZIP one after another, as one file with the columns of all of them. Files of people who left
// come first, so that nobody who stands in two of them is taken for a subscriber in between. A file that cannot be read
// costs one bad row that says so.
type bundle struct {
	ctx     context.Context
	guard   *guard
	members []*member
	columns []string
	others  []string
	read    *atomic.Int64
	at      int
	open    rows
	end     func() error
	wrote   []string // encodings
}

// member is one file of a ZIP.
type member struct {
	file  *zip.File
	name  string
	left  bool
	to    []int   // its columns among those of all
	wrong *Reason // why it cannot be read at all
}

// maxMembers is how many files of a ZIP are read.
const maxMembers = 200

// maxInner is the largest workbook in a ZIP, in bytes: its copy lies on the disk while it is read.
var maxInner int64 = 1 << 30

var readable = []string{".csv", ".tsv", ".tab", ".txt", ".xlsx"}

// leftWords are the words in a file's name that tell that its people left.
var leftWords = []string{"unsubscribed", "unsubscribes", "unsub", "cleaned", "bounced", "bounces", "suppressed", "suppression", "complaints", "optout", "optouts", "blocklisted"}

// peopleLeft reports whether the name of a file says so.
func peopleLeft(name string) bool {
	words := strings.Split(normal(strings.TrimSuffix(path.Base(name), path.Ext(name))), "_")
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(leftWords, w) }) ||
		strings.Contains(strings.Join(words, "_"), "opted_out") || strings.Contains(strings.Join(words, "_"), "opt_out")
}

// openBundle reads the headers of every file. The faults are Invalid: error.import_zip_empty, error.import_zip_many,
// error.import_columns_many.
func openBundle(ctx context.Context, z *zip.Reader, g *guard) (*bundle, error) {
	b := &bundle{ctx: ctx, guard: g}
	for _, f := range z.File {
		base := path.Base(f.Name)
		switch ext := strings.ToLower(path.Ext(f.Name)); {
		case f.FileInfo().IsDir(), strings.HasPrefix(f.Name, "__MACOSX/"), strings.HasPrefix(base, "."):
		case !slices.Contains(readable, ext):
			if len(b.others) < 100 {
				b.others = append(b.others, nameOf(f))
			}
		default:
			b.members = append(b.members, &member{file: f, name: nameOf(f), left: peopleLeft(f.Name)})
		}
	}
	if len(b.members) > maxMembers {
		return nil, fault.New(fault.Invalid, "error.import_zip_many", "Most", itoa(maxMembers))
	}
	slices.SortStableFunc(b.members, func(x, y *member) int {
		switch {
		case x.left == y.left:
			return strings.Compare(x.name, y.name)
		case x.left:
			return -1
		}
		return 1
	})
	known, good := map[string]int{}, false
	kept := b.members[:0]
	for _, m := range b.members {
		r, end, err := b.openMember(m)
		var e *fault.Error
		switch {
		case errors.As(err, &e) && e.Key == "error.import_empty":
			b.others = append(b.others, m.name)
			continue
		case errors.As(err, &e) && e.Kind == fault.Invalid:
			m.wrong = &Reason{Key: e.Key, Args: e.Args}
		case err != nil:
			return nil, err
		default:
			good = true
			b.join(m, r.Columns(), known)
			if err := end(); err != nil {
				return nil, err
			}
		}
		kept = append(kept, m)
	}
	if b.members = kept; !good {
		if len(kept) > 0 {
			return nil, fault.New(fault.Invalid, kept[0].wrong.Key, kept[0].wrong.Args...)
		}
		return nil, fault.New(fault.Invalid, "error.import_zip_empty")
	}
	if len(b.columns) > maxColumns {
		return nil, fault.New(fault.Invalid, "error.import_columns_many", "Columns", itoa(len(b.columns)), "Most", itoa(maxColumns))
	}
	return b, nil
}

// nameOf is a file's name as it may be shown.
func nameOf(f *zip.File) string {
	return truncate(flat(strings.ToValidUTF8(path.Base(strings.ReplaceAll(f.Name, "\\", "/")), "?")), 100)
}

// join finds the columns of a file among those of all. Headers that mean the same, "E-Mail" here and "email" there, are one
// column; what stands twice in one file is two.
func (b *bundle) join(m *member, columns []string, known map[string]int) {
	times, meant := map[string]int{}, map[Field]bool{}
	for _, c := range columns {
		n := normal(c)
		if f := fieldOf[n]; f != "" && !meant[f] {
			meant[f], n = true, "\x00"+string(f)
		}
		times[n]++
		key := n + "\x00" + itoa(times[n])
		at, ok := known[key]
		if !ok {
			at = len(b.columns)
			known[key], b.columns = at, append(b.columns, c)
		}
		m.to = append(m.to, at)
	}
}

// openMember opens one file. A workbook is taken into a sealed copy first, since it is read in any order.
func (b *bundle) openMember(m *member) (rows, func() error, error) {
	rc, err := b.guard.open(m.file)
	if err != nil {
		return nil, nil, err
	}
	if !strings.EqualFold(path.Ext(m.file.Name), ".xlsx") {
		r, err := NewReader(rc)
		if err != nil {
			return nil, nil, errors.Join(err, ended(rc))
		}
		return r, rc.Close, nil
	}
	at, err := files.Spool(b.ctx, io.LimitReader(rc, maxInner+1))
	_ = rc.Close() // read to its end
	if err != nil {
		return nil, nil, err
	}
	if at.Size > maxInner {
		return nil, nil, errors.Join(errBomb, at.Close())
	}
	z, err := openZIP(at, at.Size)
	if err == nil && !isBook(z) {
		err = errDamaged
	}
	if err != nil {
		return nil, nil, errors.Join(err, at.Close())
	}
	book, err := openBook(z, b.guard)
	if err != nil {
		return nil, nil, errors.Join(err, at.Close())
	}
	return book, at.Close, nil
}

// ended closes a file that is given up: what closing says of it does not matter any more.
func ended(c io.Closer) error {
	_ = c.Close()
	return nil
}

// Columns are those of all files.
func (b *bundle) Columns() []string { return b.columns }

// Bare is false: a file without headers has numbers for columns, like any other name.
func (b *bundle) Bare() bool { return false }

// Encoding names those of the files read so far.
func (b *bundle) Encoding() string {
	if b.open != nil {
		return strings.Join(b.with(b.open.Encoding()), ", ")
	}
	return strings.Join(b.wrote, ", ")
}

func (b *bundle) with(encoding string) []string {
	if slices.Contains(b.wrote, encoding) {
		return b.wrote
	}
	return append(slices.Clone(b.wrote), encoding)
}

// Delimiter is none: each file has its own.
func (b *bundle) Delimiter() byte { return 0 }

// Offset is how much of the archive was read.
func (b *bundle) Offset() int64 {
	if b.read == nil {
		return 0
	}
	return b.read.Load()
}

// Next returns the next row of any file.
func (b *bundle) Next() (Row, error) {
	for {
		if err := b.ctx.Err(); err != nil {
			return Row{}, err
		}
		if b.at == len(b.members) {
			return Row{}, io.EOF
		}
		m := b.members[b.at]
		if m.wrong != nil {
			b.at++
			return Row{Line: 1, File: m.name, Bad: m.wrong}, nil
		}
		var err error
		if b.open == nil {
			b.open, b.end, err = b.openMember(m)
		}
		var row Row
		if err == nil {
			row, err = b.open.Next()
		}
		var e *fault.Error
		switch {
		case err == nil:
			row.File, row.left = m.name, m.left
			if row.Bad == nil {
				cells := make([]string, len(b.columns))
				for i, c := range row.Cells {
					cells[m.to[i]] = c
				}
				row.Cells = cells
			}
			return row, nil
		case errors.Is(err, io.EOF):
			b.next()
		case errors.As(err, &e) && e.Kind == fault.Invalid: // damaged further on: what was before is taken
			b.next()
			return Row{Line: 1, File: m.name, Bad: &Reason{Key: e.Key, Args: e.Args}}, nil
		default:
			return Row{}, err
		}
	}
}

// next leaves the current file.
func (b *bundle) next() {
	if b.open != nil {
		b.wrote = b.with(b.open.Encoding())
		_ = b.end() // it was read, or given up
	}
	b.open, b.end = nil, nil
	b.at++
}
