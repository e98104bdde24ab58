package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"
)

// PgxTx views the transaction behind tx as pgx does, for River. The view never commits or rolls back: GORM does. It
// returns an error outside of a transaction on PostgreSQL.
func PgxTx(tx *gorm.DB) (pgx.Tx, error) {
	t, ok := tx.Statement.ConnPool.(*pgTx)
	if !ok {
		return nil, fmt.Errorf("not in a PostgreSQL transaction: %T", tx.Statement.ConnPool)
	}
	if err := t.flush(tx.Statement.Context); err != nil {
		return nil, err
	}
	return &pgxView{c: t.pgx}, nil
}

// SQLTx is the transaction behind tx as database/sql has it, for River on SQLite.
func SQLTx(tx *gorm.DB) (*sql.Tx, error) {
	t, ok := tx.Statement.ConnPool.(*sql.Tx)
	if !ok {
		return nil, fmt.Errorf("not in a SQLite transaction: %T", tx.Statement.ConnPool)
	}
	return t, nil
}

type pgxView struct {
	c  *pgx.Conn
	sp string
	n  int
}

func (v *pgxView) Begin(ctx context.Context) (pgx.Tx, error) {
	v.n++
	sp := fmt.Sprintf("%sr%d", v.sp, v.n)
	if _, err := v.c.Exec(ctx, "SAVEPOINT "+sp); err != nil {
		return nil, err
	}
	return &pgxView{c: v.c, sp: sp}, nil
}

func (v *pgxView) Commit(ctx context.Context) error {
	if v.sp == "" {
		return errors.New("the GORM transaction commits, not River")
	}
	_, err := v.c.Exec(ctx, "RELEASE SAVEPOINT "+v.sp)
	return err
}

func (v *pgxView) Rollback(ctx context.Context) error {
	if v.sp == "" {
		return errors.New("the GORM transaction rolls back, not River")
	}
	_, err := v.c.Exec(ctx, "ROLLBACK TO SAVEPOINT "+v.sp)
	return err
}

func (v *pgxView) CopyFrom(ctx context.Context, t pgx.Identifier, c []string, s pgx.CopyFromSource) (int64, error) {
	return v.c.CopyFrom(ctx, t, c, s)
}

func (v *pgxView) SendBatch(ctx context.Context, b *pgx.Batch) pgx.BatchResults {
	return v.c.SendBatch(ctx, b)
}
func (v *pgxView) LargeObjects() pgx.LargeObjects { return pgx.LargeObjects{} }
func (v *pgxView) Prepare(ctx context.Context, n, s string) (*pgconn.StatementDescription, error) {
	return v.c.Prepare(ctx, n, s)
}

func (v *pgxView) Exec(ctx context.Context, s string, a ...any) (pgconn.CommandTag, error) {
	return v.c.Exec(ctx, s, a...)
}

func (v *pgxView) Query(ctx context.Context, s string, a ...any) (pgx.Rows, error) {
	return v.c.Query(ctx, s, a...)
}

func (v *pgxView) QueryRow(ctx context.Context, s string, a ...any) pgx.Row {
	return v.c.QueryRow(ctx, s, a...)
}
func (v *pgxView) Conn() *pgx.Conn { return v.c }
