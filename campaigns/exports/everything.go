package exports

import (
	"archive/zip"
	"bufio"
	"context"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/tables"
)

// Everything is the file kithline.json of an export of everything: what is in it.
type Everything struct {
	Format    int       `json:"format"`
	Version   string    `json:"kithline"` // the program that made it
	MadeAt    time.Time `json:"made_at"`  // the moment it shows
	Schema    int64     `json:"schema"`   // version of the tables
	LookUp    string    `json:"look_up"`  // tells one look-up key from another, nothing else: erasures are good under the same one only
	Tables    []Listed  `json:"tables"`   // in an order in which each comes after those it points to
	Files     int       `json:"files"`
	FileBytes int64     `json:"file_bytes"`
	Missing   []string  `json:"missing"` // ids of files whose content was gone from the store
}

// Listed is one table.
type Listed struct {
	Name    string          `json:"name"`
	File    string          `json:"file"`
	Rows    int64           `json:"rows"`
	Columns []tables.Column `json:"columns"`
}

// AllRows is the number of rows of all tables.
func (e *Everything) AllRows() (n int64) {
	for _, t := range e.Tables {
		n += t.Rows
	}
	return n
}

// lookUpMark tells the look-up keys of two vaults apart.
func lookUpMark(v *vault.Vault) string {
	return hex.EncodeToString(v.Hash("exports/look-up", []byte("mark"))[:16])
}

// readme stands beside the files.
const readme = `This is everything that an organisation keeps in Kithline, in clear text: names, addresses, notes, what people agreed to.
Keep it where nobody else can read it, and delete it when it has done its work.

kithline.json says what is in it. tables/ has one file for each table, one JSON object a line. files/ has pictures and packs.
The page docs/exports.md of Kithline describes every column. "kithline import everything" reads it into an empty Kithline.
`

// archive is where an export of everything goes: a ZIP or a folder.
type archive interface {
	create(name string) (io.Writer, error) // the one before is done
	close() error
}

type zipArchive struct{ z *zip.Writer }

func (a zipArchive) create(name string) (io.Writer, error) {
	h := &zip.FileHeader{Name: name, Method: zip.Deflate}
	h.SetMode(0o600)
	return a.z.CreateHeader(h)
}
func (a zipArchive) close() error { return a.z.Close() }

type folderArchive struct {
	dir  string
	open *os.File
}

func (a *folderArchive) create(name string) (io.Writer, error) {
	if err := a.close(); err != nil {
		return nil, err
	}
	path := filepath.Join(a.dir, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	a.open = f
	return f, err
}

func (a *folderArchive) close() (err error) {
	if a.open != nil {
		err = errors.Join(a.open.Sync(), a.open.Close())
		a.open = nil
	}
	return err
}

// everything writes all into a ZIP.
func (s *Service) everything(ctx context.Context, w io.Writer, told func(int)) (*Everything, error) {
	return s.all(ctx, zipArchive{newZIP(w)}, told)
}

// WriteFolder makes an export of everything in a folder, for the command line. It needs the rights actor.Export and
// actor.Administer. The fault is Conflict, error.export_folder, where the folder has something in it.
func (s *Service) WriteFolder(ctx context.Context, a actor.Actor, dir string, told func(rows int)) (Done, error) {
	m, err := s.check(ctx, a, Input{Kind: KindEverything})
	if err != nil {
		return Done{}, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return Done{}, err
	}
	if list, err := os.ReadDir(dir); err != nil {
		return Done{}, err
	} else if len(list) > 0 {
		return Done{}, fault.New(fault.Conflict, "error.export_folder")
	}
	if err := s.audit(ctx, s.DB.DB, a, "export.ask", m.ID, about(m)); err != nil {
		return Done{}, err
	}
	if told == nil {
		told = func(int) {}
	}
	e, err := s.all(ctx, &folderArchive{dir: dir}, told)
	if err != nil {
		return Done{}, err
	}
	details := about(m)
	details["rows"] = e.AllRows()
	return Done{Rows: int(e.AllRows()), Report: e}, s.audit(ctx, s.DB.DB, a, "export.finish", m.ID, details)
}

// all writes every table as it was at one moment, then the files.
func (s *Service) all(ctx context.Context, to archive, told func(int)) (_ *Everything, err error) {
	e := &Everything{Format: everythingFormat, Version: s.Version, MadeAt: s.Clock.Now(), LookUp: lookUpMark(s.Vault), Tables: []Listed{}, Missing: []string{}}
	put := func(name, text string) error {
		w, err := to.create(name)
		if err == nil {
			_, err = io.WriteString(w, text)
		}
		return err
	}
	if err := put("README.txt", readme); err != nil {
		return nil, err
	}
	stored, err := s.tables(ctx, e, to, told)
	if err != nil {
		return nil, err
	}
	for _, id := range stored {
		if err := s.content(ctx, e, id, to); err != nil {
			return nil, err
		}
	}
	b, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := put("kithline.json", string(b)+"\n"); err != nil {
		return nil, err
	}
	return e, to.close()
}

// tables writes the rows, in one transaction that sees one moment, and returns the files whose content belongs to them.
func (s *Service) tables(ctx context.Context, e *Everything, to archive, told func(int)) (stored []uuid.UUID, err error) {
	opts := &sql.TxOptions{ReadOnly: true}
	if s.DB.Postgres() {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.DB.SQL.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, tx.Rollback()) }()
	if err := tx.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&e.Schema); err != nil {
		return nil, err
	}
	have, err := tables.Read(ctx, tx, s.DB.Postgres())
	if err != nil {
		return nil, err
	}
	names, err := tables.Own()
	if err != nil {
		return nil, err
	}
	names = slices.DeleteFunc(slices.Clone(names), func(n string) bool { _, out := LeftOutTables[n]; return out })
	if names, err = tables.Ordered(ctx, tx, s.DB.Postgres(), names); err != nil {
		return nil, err
	}
	sum := 0
	for _, name := range names {
		t := tables.Table{Name: name}
		for _, c := range have[name] {
			t.Columns = append(t.Columns, c.Column)
		}
		l := Listed{Name: name, File: "tables/" + name + ".jsonl", Columns: []tables.Column{}}
		for _, c := range carried(t) {
			l.Columns = append(l.Columns, tables.Column{Name: outName(c.Name), Kind: outKind(name, c)})
		}
		w, err := to.create(l.File)
		if err != nil {
			return nil, err
		}
		if l.Rows, err = s.table(ctx, tx, t, w, func(n int64) { told(sum + int(n)) }, &stored); err != nil {
			return nil, fmt.Errorf("table %s: %w", name, err)
		}
		sum += int(l.Rows)
		told(sum)
		e.Tables = append(e.Tables, l)
	}
	return stored, nil
}

// kept are the files whose content is worth keeping: not the copies of people's data that were made on the way.
var kept = []models.FileKind{models.FilePicture, models.FilePack}

// table writes one table, what was sealed in clear.
func (s *Service) table(ctx context.Context, tx *sql.Tx, t tables.Table, w io.Writer, told func(int64), stored *[]uuid.UUID) (n int64, err error) {
	rows, err := tx.QueryContext(ctx, "SELECT "+tables.Selected(t, s.DB.Postgres())+" FROM "+tables.Quote(t.Name))
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	r := tables.NewRow(t.Columns)
	at := func(name string) int {
		return slices.IndexFunc(t.Columns, func(c tables.Column) bool { return c.Name == name })
	}
	out := bufio.NewWriterSize(w, 64<<10)
	var b, plain []byte
	for rows.Next() {
		if err := rows.Scan(r.Values...); err != nil {
			return n, err
		}
		if t.Name == "files" {
			if fileStays(r, at) {
				id, err := uuid.Parse(text(r, at("id")))
				if err != nil {
					return n, err
				}
				*stored = append(*stored, id)
			} else {
				*r.Values[at("state")].(*sql.NullString) = sql.NullString{String: string(models.FileExpired), Valid: true}
				*r.Values[at("name_sealed")].(*sql.Null[[]byte]) = sql.Null[[]byte]{}
			}
		}
		b = append(b[:0], '{')
		first := true
		for i, c := range t.Columns {
			full := t.Name + "." + c.Name
			if _, out := LeftOutColumns[full]; out {
				continue
			}
			if !first {
				b = append(b, ',')
			}
			first = false
			b = append(append(append(b, '"'), outName(c.Name)...), `":`...)
			key := sealedBy[full]
			if key == nil {
				b = r.AppendValue(b, i)
				continue
			}
			sealed := r.Values[i].(*sql.Null[[]byte])
			if !sealed.Valid {
				b = append(b, "null"...)
				continue
			}
			if plain, err = s.Vault.AppendOpened(plain[:0], t.Name, c.Name, rowKey(r, at, key), sealed.V); err != nil {
				return n, fmt.Errorf("row %d: %s: %w", n+1, c.Name, err)
			}
			b = tables.AppendText(b, string(plain))
		}
		if _, err := out.Write(append(b, "}\n"...)); err != nil {
			return n, err
		}
		if n++; n%5000 == 0 {
			told(n)
		}
	}
	clear(plain[:cap(plain)])
	return n, errors.Join(rows.Err(), out.Flush())
}

func text(r tables.Row, i int) string { return r.Values[i].(*sql.NullString).String }

// rowKey is what a sealed value is bound to: ids as bytes, hashes as they are.
func rowKey(r tables.Row, at func(string) int, columns []string) (key []byte) {
	for _, c := range columns {
		switch v := r.Values[at(c)].(type) {
		case *sql.NullString:
			id, _ := uuid.Parse(v.String) // another id opens nothing
			key = append(key, id[:]...)
		case *sql.Null[[]byte]:
			key = append(key, v.V...)
		}
	}
	return key
}

func fileStays(r tables.Row, at func(string) int) bool {
	return text(r, at("state")) == string(models.FileStored) && slices.Contains(kept, models.FileKind(text(r, at("kind"))))
}

// content writes the content of a file in clear. One that is gone or damaged is noted and left out.
func (s *Service) content(ctx context.Context, e *Everything, id uuid.UUID, to archive) error {
	rc, f, err := s.Files.Open(ctx, id)
	switch {
	case errors.Is(err, files.ErrDamaged), fault.Is(err, fault.Gone), errors.Is(err, fs.ErrNotExist):
		e.Missing = append(e.Missing, id.String())
		return nil
	case err != nil:
		return err
	}
	defer func() { _ = rc.Close() }()
	w, err := to.create("files/" + id.String())
	if err != nil {
		return err
	}
	n, err := io.Copy(w, rc)
	if errors.Is(err, files.ErrDamaged) {
		e.Missing = append(e.Missing, id.String())
		return nil
	}
	if err != nil {
		return err
	}
	if n != f.Size {
		return fmt.Errorf("file %s: %d bytes instead of %d", id, n, f.Size)
	}
	e.Files++
	e.FileBytes += n
	return nil
}
