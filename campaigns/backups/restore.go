package backups

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"gorm.io/gorm"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models/database"
	"kithline/models/migrations"
)

// Restored is what a restore did.
type Restored struct {
	Contents
	PausedMailings int64 `json:"paused_mailings"`
	Expired        int64 `json:"expired_deliveries"` // receipts that came too late to be wanted
	Unknown        int64 `json:"unknown_deliveries"` // mails of mailings that were on the wire
}

// stale is how old a receipt that waits may be to be sent after a restore: nobody should get last week's confirmation.
const stale = 24 * time.Hour

// Restore puts a backup into the database and the store. The backup is read and checked to its end first; then the rows go in
// within one transaction, so that on any error nothing is changed, but that the empty database may have got its tables.
// What came over the wire of the backup's time is settled: mailings under way are paused, receipts older than a day expire.
// It needs the right actor.Administer. The faults, beside those of Check: Conflict, error.restore_not_empty where the database
// has rows, error.restore_tables_newer where its tables are of a later version than the backup.
func (s *Service) Restore(ctx context.Context, a actor.Actor, r io.ReadSeeker, p Progress) (done Restored, err error) {
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
		if err = l.close(); err != nil {
			return err
		}
		now := s.clock.Now()
		if err = l.settle(now, &done); err != nil {
			return err
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
	return done, migrations.Up(ctx, s.db)
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
	have, err := tables(ctx, s.db.SQL, s.db.Postgres())
	if err != nil {
		return err
	}
	return empty(ctx, s.db.SQL, have, h)
}

// empty refuses a database that has rows in a table of ours or of the backup.
func empty(ctx context.Context, q querier, have map[string][]stored, h Head) error {
	names, err := own()
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
		if err := q.QueryRowContext(ctx, "SELECT EXISTS (SELECT 1 FROM "+quote(name)+")").Scan(&rows); err != nil {
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
	have     map[string][]stored
	triggers []string // of SQLite: made again at the end
	put      []string // contents that were not in the store before
	files    int64
	whole    bool // only the commit is left to do
}

// open takes the triggers away, which guard new rows and would refuse old ones: the consent behind a delivery may have been
// withdrawn since. On PostgreSQL that also keeps everybody else from writing. Then it makes sure that there are no rows.
func (l *loader) open() error {
	tx, err := l.conn()
	if err != nil {
		return err
	}
	if l.have, err = tables(l.ctx, tx, l.postgres); err != nil {
		return err
	}
	if l.postgres {
		for _, t := range l.expect.Tables {
			if l.have[t.Name] == nil {
				continue // refused when its rows come
			}
			if err := l.tx.Exec("ALTER TABLE " + quote(t.Name) + " DISABLE TRIGGER USER").Error; err != nil {
				return err
			}
		}
		return empty(l.ctx, tx, l.have, l.expect.Head)
	}
	var triggers []struct{ Name, SQL string }
	if err := l.tx.Raw("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name NOT LIKE 'river_%' ORDER BY name").Scan(&triggers).Error; err != nil {
		return err
	}
	for _, t := range triggers {
		l.triggers = append(l.triggers, t.SQL)
		if err := l.tx.Exec("DROP TRIGGER " + quote(t.Name)).Error; err != nil {
			return err
		}
	}
	if err := l.tx.Exec("PRAGMA defer_foreign_keys = 1").Error; err != nil { // until the end of the transaction
		return err
	}
	return empty(l.ctx, tx, l.have, l.expect.Head)
}

// close brings the triggers back.
func (l *loader) close() error {
	if l.postgres {
		for _, t := range l.expect.Tables {
			if err := l.tx.Exec("ALTER TABLE " + quote(t.Name) + " ENABLE TRIGGER USER").Error; err != nil {
				return err
			}
		}
	}
	for _, q := range l.triggers {
		if err := l.tx.Exec(q).Error; err != nil {
			return err
		}
	}
	return nil
}

// conn is the transaction for plain queries.
func (l *loader) conn() (querier, error) {
	if !l.postgres {
		return database.SQLTx(l.tx)
	}
	q, ok := l.tx.Statement.ConnPool.(querier)
	if !ok {
		return nil, fmt.Errorf("not a transaction: %T", l.tx.Statement.ConnPool)
	}
	return q, nil
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
		err = parse(line, s.columns, s.values)
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
	for i, c := range t.Columns {
		at := slices.IndexFunc(l.have[t.Name], func(s stored) bool { return s.Name == c.Name })
		if at < 0 || l.have[t.Name][at].Kind != c.Kind {
			return 0, damaged(fmt.Errorf("there is no column %s of the kind %s in the table %s of version %d", c.Name, c.Kind, t.Name, l.expect.Schema))
		}
		switch l.have[t.Name][at].declared {
		case "uuid":
			src.convert[i] = func(v any) any {
				id, err := uuid.Parse(v.(string))
				if err != nil && src.err == nil {
					src.err = damaged(fmt.Errorf("row %d: %s is not an id", src.n+1, c.Name))
				}
				return pgtype.UUID{Bytes: id, Valid: true}
			}
		case "text":
			if l.postgres { // which keeps no zero byte in a text
				src.convert[i] = func(v any) any { return strings.ReplaceAll(v.(string), "\x00", "\uFFFD") }
			}
		}
	}
	if l.postgres {
		err = l.copy(t, src)
	} else {
		err = l.insert(t, src)
	}
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

func (l *loader) copy(t Table, src *source) error {
	tx, err := database.PgxTx(l.tx)
	if err != nil {
		return err
	}
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	_, err = tx.CopyFrom(l.ctx, pgx.Identifier{t.Name}, names, src)
	return err
}

// batch is how many rows one statement inserts on SQLite, which takes 32,766 values at most.
const batch = 100

func (l *loader) insert(t Table, src *source) (err error) {
	tx, err := database.SQLTx(l.tx)
	if err != nil {
		return err
	}
	statement := func(rows int) (*sql.Stmt, error) {
		one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ") + ")"
		return tx.PrepareContext(l.ctx, "INSERT INTO "+quote(t.Name)+" ("+list(t.Columns)+") VALUES "+one+strings.Repeat(", "+one, rows-1))
	}
	many, err := statement(batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.Close()) }()
	values := make([]any, 0, batch*len(t.Columns))
	for src.Next() {
		if values = append(values, src.values...); len(values) == cap(values) {
			if _, err := many.ExecContext(l.ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if len(values) == 0 || src.err != nil {
		return src.err
	}
	rest, err := statement(len(values) / len(t.Columns))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rest.Close()) }()
	_, err = rest.ExecContext(l.ctx, values...)
	return err
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
