package backups

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/models/tables"
)

// Restored is what a restore did.
type Restored struct {
	Contents
	PausedMailings int64 `json:"paused_mailings"`
	Expired        int64 `json:"expired_deliveries"` // receipts that came too late to be wanted
	Unknown        int64 `json:"unknown_deliveries"` // mails of mailings that were on the wire
	Erased         int   `json:"erased"`             // addresses that were in the backup and erased since
}

// stale is how old a receipt that waits may be to be sent after a restore: nobody should get last week's confirmation.
const stale = 24 * time.Hour

// Restore puts a backup into the database and the store. The backup is read and checked to its end first; then the rows go in
// within one transaction, so that on any error nothing is changed, but that the empty database may have got its tables.
// What came over the wire of the backup's time is settled: mailings under way are paused, receipts older than a day expire.
// erased is the list of erasures that is kept apart from the database: who stands in it is erased again before anybody can
// see the rows. Only from a backup of older tables that is a transaction of its own; where that one fails, the error
// error.restore_erased says so, and the database has to be emptied and filled again.
// It needs the right actor.Administer. The faults, beside those of Check: Conflict, error.restore_not_empty where the database
// has rows, error.restore_tables_newer where its tables are of a later version than the backup.
func (s *Service) Restore(ctx context.Context, a actor.Actor, r io.ReadSeeker, p Progress, erased ...erasures.Entry) (done Restored, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return done, err
	}
	if done.Contents, err = s.check(ctx, r, p); err != nil {
		return done, err
	}
	if err := s.fits(ctx, done.Head); err != nil {
		return done, err
	}
	if err := migrations.UpTo(ctx, s.db, done.Schema); errors.Is(err, migrations.ErrNewer) {
		return done, fault.New(fault.Conflict, "error.restore_tables_newer", "Version", done.Version)
	} else if err != nil {
		return done, err
	}
	target, err := migrations.Target(s.db)
	if err != nil {
		return done, err
	}
	replay := func(tx *gorm.DB) error {
		r, err := erasures.Replay(ctx, tx, erased, s.clock.Now())
		done.Erased = r.Addresses
		return err
	}
	l := &loader{s: s, ctx: ctx, expect: done.Contents, progress: p, postgres: s.db.Postgres()}
	// Not DB.Tx: the database is empty and ours alone, and a stream is not read again.
	err = s.db.WithContext(ctx).Transaction(func(tx *gorm.DB) (err error) {
		l.tx = tx
		if _, err = r.Seek(0, io.SeekStart); err != nil {
			return err
		}
		if err = l.open(); err != nil {
			return err
		}
		c, err := read(ctx, r, l)
		if err != nil {
			return err
		}
		if !c.MadeAt.Equal(done.MadeAt) {
			return damaged(errors.New("the file changed while it was read"))
		}
		if err = l.in.Close(); err != nil {
			return err
		}
		now := s.clock.Now()
		if err = l.settle(now, &done); err != nil {
			return err
		}
		if done.Schema == target {
			if err = replay(tx); err != nil {
				return err
			}
		}
		err = audit.Write(ctx, tx, a, now, "backup.restore", "backups", uuid.Nil, map[string]any{
			"made_at": c.MadeAt, "version": c.Version, "database": c.Database, "schema": c.Schema, "rows": c.AllRows(), "files": c.Files, "jobs": c.Jobs,
		})
		l.whole = err == nil
		return err
	})
	if errors.Is(err, gorm.ErrForeignKeyViolated) { // SQLite says so at the commit
		err, l.whole = damaged(err), false
	}
	if err != nil {
		if !l.whole { // else the commit failed, and it may have been the answer that was lost: the rows may need their contents
			l.takeBack()
		}
		return done, err
	}
	if err := migrations.Up(ctx, s.db); err != nil || done.Schema == target {
		return done, err
	}
	if err := s.db.Tx(ctx, replay); err != nil {
		return done, fault.Because(err, fault.Conflict, "error.restore_erased")
	}
	return done, nil
}

// check is Check with progress.
func (s *Service) check(ctx context.Context, r io.ReadSeeker, p Progress) (Contents, error) {
	size, err := r.Seek(0, io.SeekEnd)
	if err != nil {
		return Contents{}, err
	}
	if _, err := r.Seek(0, io.SeekStart); err != nil {
		return Contents{}, err
	}
	return Check(ctx, &telling{r: r, tell: func(n int64) { p.tell("check", n, size) }})
}

// telling tells how much was read.
type telling struct {
	r    io.Reader
	n    int64
	tell func(int64)
}

func (t *telling) Read(b []byte) (int, error) {
	n, err := t.r.Read(b)
	t.n += int64(n)
	t.tell(t.n)
	return n, err
}

// fits refuses what cannot be restored here, before anything is changed.
func (s *Service) fits(ctx context.Context, h Head) error {
	target, err := migrations.Target(s.db)
	if err != nil {
		return err
	}
	if h.Schema > target {
		return newer(h)
	}
	have, err := tables.Read(ctx, s.db.SQL, s.db.Postgres())
	if err != nil {
		return err
	}
	return empty(ctx, s.db.SQL, have, h)
}

// empty refuses a database that has rows in a table of ours or of the backup.
func empty(ctx context.Context, q tables.Querier, have map[string][]tables.Stored, h Head) error {
	names, err := tables.Own()
	if err != nil {
		return err
	}
	names = slices.Clone(names)
	for _, t := range h.Tables {
		names = append(names, t.Name)
	}
	for _, name := range names {
		if have[name] == nil {
			continue
		}
		var rows bool
		if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+tables.Quote(name)+")").Scan(&rows); err != nil {
			return err
		}
		if rows {
			return fault.New(fault.Conflict, "error.restore_not_empty", "Table", name)
		}
	}
	return nil
}

// loader is the target that puts rows into the database and contents into the store.
type loader struct {
	s        *Service
	ctx      context.Context
	tx       *gorm.DB
	postgres bool
	expect   Contents
	progress Progress
	in       *tables.Loader
	put      []string // contents that were not in the store before
	files    int64
	whole    bool // only the commit is left to do
}

// open makes way for the rows and makes sure that there are none.
func (l *loader) open() error {
	var names []string
	for _, t := range l.expect.Tables {
		names = append(names, t.Name)
	}
	var err error
	if l.in, err = tables.Open(l.ctx, l.tx, names); err != nil {
		return err
	}
	q, err := l.in.Querier()
	if err != nil {
		return err
	}
	return empty(l.ctx, q, l.in.Have, l.expect.Head)
}

func (l *loader) head(h Head) error { return nil }

// source turns lines into the values that the database takes, and counts them.
type source struct {
	rows     *lines
	columns  []Column
	convert  []func(any) any // nil: as it is
	values   []any
	n        int64
	progress func(n int64)
	err      error
}

// Next reads a row into values. It returns false at the end and on an error.
func (s *source) Next() bool {
	line, err := s.rows.next()
	if errors.Is(err, io.EOF) || s.err != nil {
		return false
	}
	if err == nil {
		err = tables.Parse(line, s.columns, s.values)
	}
	if err != nil {
		s.err = damaged(fmt.Errorf("row %d: %w", s.n+1, err))
		return false
	}
	for i, c := range s.convert {
		if c != nil && s.values[i] != nil {
			s.values[i] = c(s.values[i])
		}
	}
	if s.n++; s.n%10_000 == 0 {
		s.progress(s.n)
	}
	return true
}

// Values is the row that Next read.
func (s *source) Values() ([]any, error) { return s.values, nil }

// Err is what ended Next.
func (s *source) Err() error { return s.err }

func (l *loader) source(t Table, rows *lines) *source {
	total := l.expect.Rows[t.Name]
	return &source{
		rows: rows, columns: t.Columns, values: make([]any, len(t.Columns)), convert: make([]func(any) any, len(t.Columns)),
		progress: func(n int64) { l.progress.tell(t.Name, n, total) },
	}
}

func (l *loader) table(t Table, rows *lines) (n int64, err error) {
	src := l.source(t, rows)
	if t.Name == jobTable.Name {
		return l.jobs(src)
	}
	if src.convert, err = l.in.Converters(t, func(column string) {
		if src.err == nil {
			src.err = damaged(fmt.Errorf("row %d: %s is not an id", src.n+1, column))
		}
	}); err != nil {
		return 0, damaged(err)
	}
	err = l.in.Load(t, src)
	if src.err != nil {
		err = src.err
	}
	if err != nil {
		return src.n, refusedRow(t, err)
	}
	l.progress.tell(t.Name, src.n, l.expect.Rows[t.Name])
	return src.n, nil
}

// refusedRow tells rows that the database does not take from a database that takes nothing.
func refusedRow(t Table, err error) error {
	var known *fault.Error
	var pe *pgconn.PgError
	var se *sqlite.Error
	switch {
	case errors.As(err, &known):
		return err
	case errors.As(err, &pe) && (strings.HasPrefix(pe.Code, "22") || strings.HasPrefix(pe.Code, "23")),
		errors.As(err, &se) && se.Code()&0xff == lib.SQLITE_CONSTRAINT:
		return damaged(fmt.Errorf("table %s: %w", t.Name, err))
	}
	return fmt.Errorf("table %s: %w", t.Name, err)
}

// job is a job of a backup: its kind and arguments are only known to whoever works it.
type job struct {
	kind string
	args json.RawMessage
}

func (j job) Kind() string                 { return j.kind }
func (j job) MarshalJSON() ([]byte, error) { return j.args, nil }

// jobs lets the queue insert the unfinished jobs as new ones.
func (l *loader) jobs(src *source) (int64, error) {
	insert, err := l.queue()
	if err != nil {
		return 0, err
	}
	now := l.s.clock.Now()
	var params []river.InsertManyParams
	flush := func() error {
		if len(params) == 0 {
			return nil
		}
		err := insert(params)
		params = params[:0]
		return err
	}
	for src.Next() {
		if slices.Contains(src.values, nil) || !json.Valid([]byte(src.values[1].(string))) {
			return src.n, damaged(fmt.Errorf("job %d is not whole", src.n))
		}
		v := src.values
		o := &river.InsertOpts{Queue: v[2].(string), Priority: int(v[3].(int64)), MaxAttempts: int(v[4].(int64))}
		if at := v[5].(time.Time); at.After(now) {
			o.ScheduledAt = at
		}
		params = append(params, river.InsertManyParams{Args: job{v[0].(string), json.RawMessage(v[1].(string))}, InsertOpts: o})
		if len(params) == 500 {
			if err := flush(); err != nil {
				return src.n, err
			}
		}
	}
	if src.err != nil {
		return src.n, src.err
	}
	return src.n, flush()
}

// queue gives a function that inserts jobs within the transaction. Nothing works them here.
func (l *loader) queue() (func([]river.InsertManyParams) error, error) {
	cfg := &river.Config{}
	if l.postgres {
		tx, err := database.PgxTx(l.tx)
		if err != nil {
			return nil, err
		}
		c, err := river.NewClient(riverpgxv5.New(l.s.db.Pool), cfg)
		return func(p []river.InsertManyParams) error { _, err := c.InsertManyTx(l.ctx, tx, p); return err }, err
	}
	tx, err := database.SQLTx(l.tx)
	if err != nil {
		return nil, err
	}
	c, err := river.NewClient(riversqlite.New(l.s.db.SQL), cfg)
	return func(p []river.InsertManyParams) error { _, err := c.InsertManyTx(l.ctx, tx, p); return err }, err
}

// file puts a content into the store, before the row that names it is committed. What is there under the key already is
// the same content, perhaps damaged.
func (l *loader) file(key string, size int64, r io.Reader) error {
	if !plainKey.MatchString(key) {
		return damaged(fmt.Errorf("%q is not the key of a file", key))
	}
	there, _, err := l.s.blobs.Get(l.ctx, key)
	switch {
	case err == nil:
		err = there.Close()
	case errors.Is(err, fs.ErrNotExist):
		err = nil
		l.put = append(l.put, key)
	}
	if err == nil {
		err = l.s.blobs.Put(l.ctx, key, r, size)
	}
	if err != nil {
		if l.ctx.Err() != nil {
			return l.ctx.Err()
		}
		return fault.Because(err, fault.Unavailable, "error.restore_files")
	}
	l.files++
	l.progress.tell("files", l.files, l.expect.Files)
	return nil
}

// takeBack removes the contents of a restore that failed. One that cannot be removed now is swept by the server, a day later.
func (l *loader) takeBack() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(l.ctx), time.Minute)
	defer cancel()
	for _, key := range l.put {
		if l.s.blobs.Delete(ctx, key) != nil {
			return
		}
	}
}

// settle brings what was under way when the backup was made to where a person can decide. What was sent after the backup
// is not known here.
func (l *loader) settle(now time.Time, done *Restored) error {
	for _, step := range []struct {
		count *int64
		query string
		args  []any
	}{
		{&done.PausedMailings, `UPDATE mailings SET state = 'paused', paused_at = ?, paused_reason = 'mailing.paused_restore', updated_at = ?
			WHERE state IN ('scheduled', 'freezing', 'sending')`, []any{now, now}},
		// As after a crash: a receipt whose answer nobody knows goes again under its Message-ID, everything else waits for a decision.
		{nil, `UPDATE deliveries SET state = 'queued', lease_until = NULL, node = '', updated_at = ?
			WHERE state = 'claimed' OR state = 'sending' AND on_unknown = 'resend'`, []any{now}},
		{&done.Unknown, `UPDATE deliveries SET state = 'unknown', lease_until = NULL, node = '', updated_at = ? WHERE state = 'sending'`, []any{now}},
		{&done.Expired, `UPDATE deliveries SET state = 'expired', updated_at = ?
			WHERE purpose = 'receipt' AND state IN ('queued', 'deferred') AND created_at < ?`, []any{now, now.Add(-stale)}},
	} {
		r := l.tx.Exec(step.query, step.args...)
		if r.Error != nil {
			return r.Error
		}
		if step.count != nil {
			*step.count = r.RowsAffected
		}
	}
	return nil
}
