package backups

import (
	"archive/tar"
	"context"
	"crypto/sha256"
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

	"github.com/klauspost/compress/zstd"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models/migrations"
	"kithline/models/tables"
)

// memberSize is after how many bytes of rows a new member begins. That much is held in memory, since a tar stream says the
// size of a member before its content.
const memberSize = 1 << 20

// Backup writes a backup to w while everything else goes on, and returns what is in it. On an error what was written is cut
// short, which a restore notices. It needs the right actor.Administer. The faults are Conflict, error.backup_empty, and
// Unavailable, error.backup_files, where a content cannot be read; a content that is gone is noted and is no error.
func (s *Service) Backup(ctx context.Context, a actor.Actor, w io.Writer, p Progress) (Contents, error) {
	if err := a.Need(actor.Administer); err != nil {
		return Contents{}, err
	}
	zw, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20), zstd.WithEncoderCRC(true))
	if err != nil {
		return Contents{}, err
	}
	out := &writer{tar: tar.NewWriter(zw), progress: p}
	keys, err := s.snapshot(ctx, out)
	if err == nil {
		err = s.writeFiles(ctx, out, keys)
	}
	if err == nil {
		var b []byte
		if b, err = json.Marshal(out.Manifest); err == nil {
			err = out.member("manifest.json", b)
		}
	}
	if err != nil {
		return Contents{}, err // no end is written
	}
	return out.Contents, errors.Join(out.tar.Close(), zw.Close())
}

// writer writes members and remembers them.
type writer struct {
	Contents
	tar      *tar.Writer
	progress Progress
}

func (w *writer) member(name string, b []byte) error {
	sum := sha256.Sum256(b)
	if err := w.header(name, int64(len(b))); err != nil {
		return err
	}
	if _, err := w.tar.Write(b); err != nil {
		return err
	}
	w.Members = append(w.Members, Member{name, int64(len(b)), hex.EncodeToString(sum[:])})
	return nil
}

func (w *writer) header(name string, size int64) error {
	return w.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: w.MadeAt.Truncate(time.Second)})
}

// snapshot writes the head, the tables and the jobs, as they were at one moment, and returns the keys of the files that were
// stored then.
func (s *Service) snapshot(ctx context.Context, w *writer) (keys []string, err error) {
	postgres := s.db.Postgres()
	opts := &sql.TxOptions{ReadOnly: true} // on SQLite: one that reads only, and so does not wait for those that write
	if postgres {
		opts.Isolation = sql.LevelRepeatableRead
	}
	tx, err := s.db.SQL.BeginTx(ctx, opts)
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := tx.Rollback(); err == nil {
			err = e
		}
	}()
	if err := s.head(ctx, tx, w); err != nil {
		return nil, err
	}
	w.Rows = map[string]int64{}
	for _, t := range w.Tables {
		n, err := w.rows(ctx, tx, "tables/"+t.Name, t, "SELECT "+tables.Selected(t, postgres)+" FROM "+tables.Quote(t.Name))
		if err != nil {
			return nil, err
		}
		w.Rows[t.Name] = n
	}
	args := "json(args)"
	if postgres {
		args = "args::text"
	}
	if w.Jobs, err = w.rows(ctx, tx, "jobs", jobTable, `SELECT kind, `+args+`, queue, priority, max_attempts, scheduled_at FROM river_job
		WHERE state IN ('available', 'pending', 'retryable', 'running', 'scheduled') ORDER BY id`); err != nil {
		return nil, err
	}
	rows, err := tx.QueryContext(ctx, `SELECT store_key FROM files WHERE state = 'stored' ORDER BY id`)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	return keys, rows.Err()
}

// head reads what the database is and writes the first member.
func (s *Service) head(ctx context.Context, tx *sql.Tx, w *writer) error {
	postgres := s.db.Postgres()
	w.Head = Head{Format: format, Version: s.version, MadeAt: s.clock.Now(), Database: "sqlite", LeftOut: []string{}}
	if postgres {
		w.Database = "postgres"
	}
	all, err := tables.Read(ctx, tx, postgres)
	if err != nil {
		return err
	}
	if len(all["vault_checks"]) == 0 {
		return fault.New(fault.Conflict, "error.backup_empty")
	}
	if err := tx.QueryRowContext(ctx, "SELECT max(version_id) FROM goose_db_version WHERE is_applied").Scan(&w.Schema); err != nil {
		return err
	}
	if err := tx.QueryRowContext(ctx, "SELECT coalesce(max(version), 0) FROM river_migration").Scan(&w.River); err != nil {
		return err
	}
	err = tx.QueryRowContext(ctx, "SELECT key_id, check_value FROM vault_checks").Scan(&w.KeyID, &w.KeyCheck)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	known, err := tables.Own()
	if err != nil {
		return err
	}
	target, err := migrations.Target(s.db)
	if err != nil {
		return err
	}
	var names []string
	for name := range all {
		// A table that this program does not know is another program's, unless the tables are of another version than it.
		if slices.Contains(leftOut, name) || w.Schema == target && !slices.Contains(known, name) {
			w.LeftOut = append(w.LeftOut, name)
		} else {
			names = append(names, name)
		}
	}
	slices.Sort(w.LeftOut)
	if names, err = tables.Ordered(ctx, tx, postgres, names); err != nil {
		return err
	}
	for _, name := range names {
		t := Table{Name: name}
		for _, c := range all[name] {
			if c.Kind == "" {
				return fmt.Errorf("the column %s of the table %s is of the type %s, for which a backup has no form", c.Name, name, c.Declared)
			}
			t.Columns = append(t.Columns, c.Column)
		}
		w.Tables = append(w.Tables, t)
	}
	b, err := json.MarshalIndent(w.Head, "", "  ")
	if err != nil {
		return err
	}
	return w.member("head.json", b)
}

// rows writes what a query gives, as members of one folder, and returns how many rows there were.
func (w *writer) rows(ctx context.Context, tx *sql.Tx, folder string, t Table, query string) (n int64, err error) {
	rows, err := tx.QueryContext(ctx, query)
	if err != nil {
		return 0, err
	}
	defer func() {
		if e := rows.Close(); err == nil {
			err = e
		}
	}()
	r, members := tables.NewRow(t.Columns), 0
	b := make([]byte, 0, memberSize+memberSize/8)
	flush := func() error {
		members++
		err := w.member(fmt.Sprintf("%s/%05d.jsonl", folder, members), b)
		b = b[:0]
		w.progress.tell(t.Name, n, 0)
		return err
	}
	for rows.Next() {
		if err := rows.Scan(r.Values...); err != nil {
			return n, fmt.Errorf("table %s: %w", t.Name, err)
		}
		n++
		if b = r.AppendTo(b); len(b) >= memberSize {
			if err := flush(); err != nil {
				return n, err
			}
		}
	}
	if err := rows.Err(); err != nil {
		return n, err
	}
	if len(b) > 0 {
		return n, flush()
	}
	return n, nil
}

// writeFiles copies the stored contents. Those are never changed, so it does not matter that time has passed.
func (s *Service) writeFiles(ctx context.Context, w *writer, keys []string) error {
	w.Missing = []string{}
	for i, key := range keys {
		size, err := s.writeFile(ctx, w, key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			w.Missing = append(w.Missing, key)
		case err != nil:
			return err
		default:
			w.Files++
			w.FileBytes += size
		}
		w.progress.tell("files", int64(i+1), int64(len(keys)))
	}
	return nil
}

func (s *Service) writeFile(ctx context.Context, w *writer, key string) (size int64, err error) {
	unreadable := func(err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fault.Because(err, fault.Unavailable, "error.backup_files")
	}
	r, size, err := s.blobs.Get(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err != nil {
		return 0, unreadable(err)
	}
	defer func() { _ = r.Close() }()
	name := "files/" + key
	if err := w.header(name, size); err != nil {
		return 0, err
	}
	from, sum := &reading{ctx: ctx, r: r}, sha256.New()
	n, err := io.Copy(io.MultiWriter(w.tar, sum), io.LimitReader(from, size))
	switch {
	case from.err != nil:
		return 0, unreadable(from.err)
	case err != nil:
		return 0, err
	case n != size:
		return 0, unreadable(fmt.Errorf("%s: %d bytes came instead of %d", key, n, size))
	}
	w.Members = append(w.Members, Member{name, size, hex.EncodeToString(sum.Sum(nil))})
	return size, nil
}

// reading ends with its context and tells its own errors from those of the other side.
type reading struct {
	ctx context.Context
	r   io.Reader
	n   int64
	err error
}

func (r *reading) Read(b []byte) (int, error) {
	if r.err = r.ctx.Err(); r.err != nil {
		return 0, r.err
	}
	n, err := r.r.Read(b)
	r.n += int64(n)
	if err != nil && err != io.EOF {
		r.err = err
	}
	return n, err
}

// ToFile calls write with a file that gets its name once it is whole: what was there before stays until then, and an
// interrupted write leaves nothing. The file is for this user only.
func ToFile(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
