package exports

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
)

// liteSnapshot is one transaction that reads only, and so does not wait for those that write.
type liteSnapshot struct{ tx *sql.Tx }

func openSQLite(ctx context.Context, db *sql.DB) (snapshot, error) {
	tx, err := db.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	return &liteSnapshot{tx}, err
}

func (s *liteSnapshot) close() error {
	if err := s.tx.Rollback(); !errors.Is(err, sql.ErrTxDone) {
		return err
	}
	return nil
}

func (s *liteSnapshot) people(ctx context.Context, query string, args []any) (stream, error) {
	rows, err := s.tx.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return newLiteStream(rows)
}

type liteStream struct {
	rows *sql.Rows
	raw  []sql.RawBytes
	to   []any
	out  [][]byte
	bad  error
}

func newLiteStream(rows *sql.Rows) (*liteStream, error) {
	names, err := rows.Columns()
	if err != nil {
		return nil, errors.Join(err, rows.Close())
	}
	s := &liteStream{rows: rows, raw: make([]sql.RawBytes, len(names)), to: make([]any, len(names)), out: make([][]byte, len(names))}
	for i := range s.raw {
		s.to[i] = &s.raw[i]
	}
	return s, nil
}

func (s *liteStream) next() bool {
	if s.bad != nil || !s.rows.Next() {
		return false
	}
	s.bad = s.rows.Scan(s.to...)
	return s.bad == nil
}

func (s *liteStream) values() [][]byte {
	for i, r := range s.raw {
		s.out[i] = r
	}
	return s.out
}

func (s *liteStream) err() error { return errors.Join(s.bad, s.rows.Err()) }
func (s *liteStream) close()     { _ = s.rows.Close() } // what went wrong is in err

func (s *liteSnapshot) related(ctx context.Context, queries []lookup, ids span) error {
	for _, q := range queries {
		args := []any{ids.first().String(), ids.last().String()}
		where := q.column + " BETWEEN ? AND ?"
		if !ids.dense {
			list, err := json.Marshal(ids.ids)
			if err != nil {
				return err
			}
			args, where = []any{string(list)}, q.column+" IN (SELECT value FROM json_each(?))"
		}
		rows, err := s.tx.QueryContext(ctx, strings.ReplaceAll(q.query, "{ids}", where), append(args, q.args...)...)
		if err != nil {
			return fmt.Errorf("exports: %s: %w", q.column, err)
		}
		found, err := newLiteStream(rows)
		if err != nil {
			return err
		}
		for found.next() {
			q.row(found.values())
		}
		found.close()
		if err := found.err(); err != nil {
			return fmt.Errorf("exports: %s: %w", q.column, err)
		}
	}
	return nil
}

func (*liteSnapshot) id(v []byte) uuid.UUID {
	id, err := uuid.ParseBytes(v)
	if err != nil {
		return uuid.Nil // no row of ours has such an id
	}
	return id
}

// at reads what database/sql makes of the driver's time.
func (*liteSnapshot) at(v []byte) time.Time {
	t, err := time.Parse(time.RFC3339Nano, string(v))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

func (*liteSnapshot) text(v []byte) []byte { return v }
