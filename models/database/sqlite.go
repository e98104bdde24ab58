package database

import (
	"context"
	"database/sql"
	"errors"
	"net/url"
	"os"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/migrator"
	"gorm.io/gorm/schema"
	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"
)

// sqliteDSN opens a file with what durability and several connections need: write-ahead log, a full sync at every commit,
// transactions that write from their begin, UTC times in a form that sorts as text.
func sqliteDSN(path string, building bool) string {
	q := url.Values{}
	sync := "synchronous(FULL)"
	if building { // see Options.Building
		sync = "synchronous(OFF)"
	}
	// What is deleted or emptied is overwritten in the file: it must not be found there by whoever gets hold of it.
	// 4 MB of pages for each connection: what is read more often than that lies in the system's cache anyway.
	for _, p := range []string{"busy_timeout(10000)", "journal_mode(WAL)", sync, "foreign_keys(1)", "secure_delete(1)", "cache_size(-4096)", "temp_store(MEMORY)"} {
		q.Add("_pragma", p)
	}
	q.Set("_txlock", "immediate")
	q.Set("_timezone", "UTC")
	q.Set("_time_format", "sqlite")
	return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode()
}

// Dialector is GORM's dialect for modernc.org/sqlite, the SQLite that is pure Go. The schema comes from versioned SQL, so
// the migrator is GORM's general one.
type Dialector struct{ DB *sql.DB }

// Name is the dialect's name.
func (Dialector) Name() string { return "sqlite" }

// Initialize registers GORM's callbacks and the clauses that SQLite words differently.
func (d Dialector) Initialize(db *gorm.DB) error {
	db.ConnPool = d.DB
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses: []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses: []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses: []string{"DELETE", "FROM", "WHERE", "RETURNING"},
	})
	db.ClauseBuilders["FOR"] = func(clause.Clause, clause.Builder) {} // a transaction that writes is alone already
	db.ClauseBuilders["LIMIT"] = func(c clause.Clause, b clause.Builder) {
		if l, ok := c.Expression.(clause.Limit); ok {
			if l.Limit == nil && l.Offset > 0 { // OFFSET needs a LIMIT
				n := -1
				l.Limit = &n
			}
			l.Build(b)
		}
	}
	return nil
}

// DefaultValueOf is NULL: no row relies on the database for a value.
func (Dialector) DefaultValueOf(*schema.Field) clause.Expression { return clause.Expr{SQL: "NULL"} }

// Migrator is GORM's general migrator, used to read the schema only.
func (d Dialector) Migrator(db *gorm.DB) gorm.Migrator {
	return migrator.Migrator{Config: migrator.Config{DB: db, Dialector: d, CreateIndexAfterCreateTable: true}}
}

// BindVarTo writes the place of a parameter.
func (Dialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo writes a quoted name, part by part.
func (Dialector) QuoteTo(w clause.Writer, s string) {
	for i, p := range strings.Split(s, ".") {
		if i > 0 {
			_ = w.WriteByte('.')
		}
		if p == "*" {
			_, _ = w.WriteString(p)
			continue
		}
		_, _ = w.WriteString(`"` + strings.ReplaceAll(strings.Trim(p, "`\""), `"`, `""`) + `"`)
	}
}

// Explain is a statement with its values put in, for messages only.
func (Dialector) Explain(s string, vars ...any) string {
	return logger.ExplainSQL(s, nil, `'`, vars...)
}

// DataTypeOf names the column type of a field.
func (Dialector) DataTypeOf(f *schema.Field) string {
	switch f.DataType {
	case schema.Bool:
		return "boolean"
	case schema.Int, schema.Uint:
		return "integer"
	case schema.Float:
		return "real"
	case schema.Time:
		return "datetime"
	case schema.Bytes:
		return "blob"
	}
	return "text"
}

// SavePoint begins a nested transaction.
func (Dialector) SavePoint(tx *gorm.DB, n string) error { return tx.Exec("SAVEPOINT " + n).Error }

// RollbackTo undoes a nested transaction.
func (Dialector) RollbackTo(tx *gorm.DB, n string) error {
	return tx.Exec("ROLLBACK TO SAVEPOINT " + n).Error
}

// Translate turns SQLite's constraint errors into GORM's.
func (Dialector) Translate(err error) error {
	var e *sqlite.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case lib.SQLITE_CONSTRAINT_UNIQUE, lib.SQLITE_CONSTRAINT_PRIMARYKEY:
			return gorm.ErrDuplicatedKey
		case lib.SQLITE_CONSTRAINT_FOREIGNKEY:
			return gorm.ErrForeignKeyViolated
		case lib.SQLITE_CONSTRAINT_CHECK:
			return gorm.ErrCheckConstraintViolated
		}
	}
	return err
}

// scrubMost is the size in bytes up to which Scrub writes the whole file anew: about two seconds of writing, in which others wait.
const scrubMost = 256 << 20

// Scrub takes what was deleted out of SQLite's file and write-ahead log. Deleted cells are overwritten as they go (secure_delete), but
// a page whose cells move to another keeps copies of them in its gap, so the file is written anew; one larger than scrubMost is
// not, see docs/operations.md. Older versions of rows lie in the log until others are written over them, so it is emptied. done is
// false where somebody reads or writes just now: it has to be called again. It waits for others for a fifth of a second at most.
// PostgreSQL looks after that by its vacuum.
func (d *DB) Scrub(ctx context.Context) (done bool, err error) {
	if d.Postgres() {
		return true, nil
	}
	c, err := d.SQL.Conn(ctx)
	if err != nil {
		return false, err
	}
	defer func() {
		_, again := c.ExecContext(context.WithoutCancel(ctx), "PRAGMA busy_timeout = 10000")
		err = errors.Join(err, again, c.Close())
	}()
	if _, err := c.ExecContext(ctx, "PRAGMA busy_timeout = 200"); err != nil {
		return false, err
	}
	busyOnly := func(err error) error {
		var e *sqlite.Error
		if errors.As(err, &e) && e.Code()&0xff == lib.SQLITE_BUSY {
			return nil
		}
		return err
	}
	if f, err := os.Stat(d.path); err != nil {
		return false, err
	} else if f.Size() <= scrubMost {
		if _, err := c.ExecContext(ctx, "VACUUM"); err != nil {
			return false, busyOnly(err)
		}
	}
	var busy, pages, moved int
	if err := c.QueryRowContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		return false, busyOnly(err)
	}
	return busy == 0, nil
}
