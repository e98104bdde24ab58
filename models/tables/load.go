package tables

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"

	"kithline/models/database"
)

// Source gives the rows of one table. pgx.CopyFromSource is the same.
type Source interface {
	Next() bool             // reads a row; false at the end and on an error
	Values() ([]any, error) // of the row, in the order of the table's columns; good until Next
	Err() error             // what ended Next
}

// Loader writes whole tables within one transaction.
type Loader struct {
	Have map[string][]Stored // the tables of the database

	ctx      context.Context
	tx       *gorm.DB
	postgres bool
	names    []string // of the tables that will be loaded
	triggers []string // of SQLite: made again at the end
}

// Open takes the triggers of the named tables away, which guard new rows and would refuse old ones: the consent behind a
// delivery may have been withdrawn since. On PostgreSQL that also keeps everybody else from writing to them. Load comes next,
// and Close at the end.
func Open(ctx context.Context, tx *gorm.DB, names []string) (*Loader, error) {
	l := &Loader{ctx: ctx, tx: tx, postgres: database.IsPostgres(tx)}
	q, err := l.Querier()
	if err != nil {
		return nil, err
	}
	if l.Have, err = Read(ctx, q, l.postgres); err != nil {
		return nil, err
	}
	if l.postgres {
		for _, name := range names {
			if l.Have[name] == nil {
				continue // refused when its rows come
			}
			l.names = append(l.names, name)
			if err := tx.Exec("ALTER TABLE " + Quote(name) + " DISABLE TRIGGER USER").Error; err != nil {
				return nil, err
			}
		}
		return l, nil
	}
	var triggers []struct{ Name, SQL string }
	if err := tx.Raw("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name NOT LIKE 'river_%' ORDER BY name").Scan(&triggers).Error; err != nil {
		return nil, err
	}
	for _, t := range triggers {
		l.triggers = append(l.triggers, t.SQL)
		if err := tx.Exec("DROP TRIGGER " + Quote(t.Name)).Error; err != nil {
			return nil, err
		}
	}
	return l, tx.Exec("PRAGMA defer_foreign_keys = 1").Error // until the end of the transaction
}

// Close brings the triggers back, and the index of words that they keep up.
func (l *Loader) Close() error {
	for _, name := range l.names {
		if err := l.tx.Exec("ALTER TABLE " + Quote(name) + " ENABLE TRIGGER USER").Error; err != nil {
			return err
		}
	}
	words := false
	for _, q := range l.triggers {
		if err := l.tx.Exec(q).Error; err != nil {
			return err
		}
		words = words || strings.Contains(q, "petition_words")
	}
	if !words { // PostgreSQL, or a schema from before there was one
		return nil
	}
	if err := l.tx.Exec("DELETE FROM petition_words").Error; err != nil { // no trigger filled it
		return err
	}
	return l.tx.Exec("INSERT INTO petition_words (id, title, summary, decider, place) SELECT id, title, summary, decider, place FROM petitions").Error
}

// Querier is the transaction for plain queries.
func (l *Loader) Querier() (Querier, error) {
	if !l.postgres {
		return database.SQLTx(l.tx)
	}
	q, ok := l.tx.Statement.ConnPool.(Querier)
	if !ok {
		return nil, fmt.Errorf("not a transaction: %T", l.tx.Statement.ConnPool)
	}
	return q, nil
}

// Converters give, for each column of a table, what makes a value of Parse one that the database takes; nil: as it is. An
// id that is none is told to wrong. A column that the database does not have, or has of another kind, is an error.
func (l *Loader) Converters(t Table, wrong func(column string)) ([]func(any) any, error) {
	out := make([]func(any) any, len(t.Columns))
	for i, c := range t.Columns {
		at := slices.IndexFunc(l.Have[t.Name], func(s Stored) bool { return s.Name == c.Name })
		if at < 0 || l.Have[t.Name][at].Kind != c.Kind {
			return nil, fmt.Errorf("there is no column %s of the kind %s in the table %s", c.Name, c.Kind, t.Name)
		}
		switch l.Have[t.Name][at].Declared {
		case "uuid":
			out[i] = func(v any) any {
				id, err := uuid.Parse(v.(string))
				if err != nil {
					wrong(c.Name)
				}
				return pgtype.UUID{Bytes: id, Valid: true}
			}
		case "text":
			if l.postgres { // which keeps no zero byte in a text
				out[i] = func(v any) any { return strings.ReplaceAll(v.(string), "\x00", "\uFFFD") }
			}
		}
	}
	return out, nil
}

// Load writes the rows of a table.
func (l *Loader) Load(t Table, src Source) error {
	if l.postgres {
		return l.copy(t, src)
	}
	return l.insert(t, src)
}

func (l *Loader) copy(t Table, src Source) error {
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

func (l *Loader) insert(t Table, src Source) (err error) {
	tx, err := database.SQLTx(l.tx)
	if err != nil {
		return err
	}
	statement := func(rows int) (*sql.Stmt, error) {
		one := "(" + strings.TrimSuffix(strings.Repeat("?, ", len(t.Columns)), ", ") + ")"
		return tx.PrepareContext(l.ctx, "INSERT INTO "+Quote(t.Name)+" ("+List(t.Columns)+") VALUES "+one+strings.Repeat(", "+one, rows-1))
	}
	many, err := statement(batch)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, many.Close()) }()
	values := make([]any, 0, batch*len(t.Columns))
	for src.Next() {
		row, err := src.Values()
		if err != nil {
			return err
		}
		if values = append(values, row...); len(values) == cap(values) {
			if _, err := many.ExecContext(l.ctx, values...); err != nil {
				return err
			}
			values = values[:0]
		}
	}
	if len(values) == 0 || src.Err() != nil {
		return src.Err()
	}
	rest, err := statement(len(values) / len(t.Columns))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rest.Close()) }()
	_, err = rest.ExecContext(l.ctx, values...)
	return err
}
