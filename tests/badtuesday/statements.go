package main

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"

	"gorm.io/gorm"

	"kithline/models/database"
)

// statements is a pool that reads the text of each statement once: a third of what a morning takes would be reading the same texts again.
type statements struct {
	*sql.DB
	mu   sync.Mutex
	read map[string]*sql.Stmt
}

// readOnce has a database read each text once, until it is closed.
func readOnce(db *database.DB) {
	s := &statements{DB: db.SQL, read: map[string]*sql.Stmt{}}
	db.ConnPool, db.Statement.ConnPool = s, s
}

// of is the statement of a text, and what is left to be put in. A limit is put in here: SQLite plans by it, and would read the text again.
func (s *statements) of(ctx context.Context, query string, args []any) (*sql.Stmt, []any, error) {
	if head, ok := strings.CutSuffix(strings.TrimSpace(query), " LIMIT ?"); ok && len(args) > 0 {
		query, args = head+" LIMIT "+fmt.Sprint(args[len(args)-1]), args[:len(args)-1]
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if st, ok := s.read[query]; ok {
		return st, args, nil
	}
	st, err := s.PrepareContext(ctx, query)
	if err == nil {
		s.read[query] = st
	}
	return st, args, err
}

// GetDBConn gives GORM the pool below.
func (s *statements) GetDBConn() (*sql.DB, error) { return s.DB, nil }

func (s *statements) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, args, err := s.of(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return st.ExecContext(ctx, args...)
}

func (s *statements) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, args, err := s.of(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(ctx, args...)
}

func (s *statements) BeginTx(ctx context.Context, opts *sql.TxOptions) (gorm.ConnPool, error) {
	tx, err := s.DB.BeginTx(ctx, opts)
	return &statementsTx{tx, s}, err
}

// statementsTx is a transaction on it.
type statementsTx struct {
	*sql.Tx
	s *statements
}

func (t *statementsTx) ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error) {
	st, args, err := t.s.of(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return t.StmtContext(ctx, st).ExecContext(ctx, args...)
}

func (t *statementsTx) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	st, args, err := t.s.of(ctx, query, args)
	if err != nil {
		return nil, err
	}
	return t.StmtContext(ctx, st).QueryContext(ctx, args...)
}
