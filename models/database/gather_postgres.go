package database

import (
	"context"
	"database/sql"
	"database/sql/driver"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
)

// Gather lets the statements of fn in tx that return no rows travel together to PostgreSQL: at its end, or with the next that returns
// some. It is for hot paths, where the way to the server and back is a good part of the time. What such a statement has to say is
// known only then: its error is that of a later one or of Gather, and the number of rows that it touched is told as none. On SQLite,
// which is no way off, and outside of a transaction, it changes nothing.
func Gather(tx *gorm.DB, fn func() error) error {
	t, ok := tx.Statement.ConnPool.(*pgTx)
	if !ok || t.gathers {
		return fn()
	}
	t.gathers = true
	err := fn()
	t.gathers = false
	if err != nil {
		t.held = nil
		return err
	}
	return t.flush(tx.Statement.Context)
}

// flush sends what was held back.
func (t *pgTx) flush(ctx context.Context) error {
	if len(t.held) == 0 {
		return nil
	}
	b := &pgx.Batch{}
	for _, h := range t.held {
		b.Queue(h.query, h.args...)
	}
	t.held = nil
	results := t.pgx.SendBatch(ctx, b)
	for range b.Len() {
		if _, err := results.Exec(); err != nil {
			_ = results.Close() // says the same
			return err
		}
	}
	return results.Close()
}

// ExecContext is part of gorm.ConnPool.
func (t *pgTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	if t.gathers {
		t.held = append(t.held, heldStatement{query, args})
		return driver.RowsAffected(0), nil
	}
	return t.Tx.ExecContext(ctx, query, args...)
}

// QueryContext is part of gorm.ConnPool.
func (t *pgTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	if err := t.flush(ctx); err != nil {
		return nil, err
	}
	return t.Tx.QueryContext(ctx, query, args...)
}

// QueryRowContext is part of gorm.ConnPool. Where what was held back fails, so does this: PostgreSQL takes nothing more in a
// transaction that failed.
func (t *pgTx) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	_ = t.flush(ctx)
	return t.Tx.QueryRowContext(ctx, query, args...)
}
