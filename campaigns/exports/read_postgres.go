package exports

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// pgSnapshot is two transactions that see the same moment. Values come in PostgreSQL's binary form, undecoded.
type pgSnapshot struct{ order, lookups pgx.Tx }

func openPostgres(ctx context.Context, pool *pgxpool.Pool) (_ snapshot, err error) {
	s := &pgSnapshot{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	begin := pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}
	if s.order, err = pool.BeginTx(ctx, begin); err != nil {
		return nil, err
	}
	var name string
	if err = s.order.QueryRow(ctx, "SELECT pg_export_snapshot()").Scan(&name); err != nil {
		return nil, err
	}
	if s.lookups, err = pool.BeginTx(ctx, begin); err != nil {
		return nil, err
	}
	if _, err = s.lookups.Exec(ctx, "SET TRANSACTION SNAPSHOT '"+strings.ReplaceAll(name, "'", "")+"'"); err != nil {
		return nil, err
	}
	// A chunk is a narrow range of every index. The server, which cannot know how narrow, would else read whole tables for each.
	for _, way := range []string{"enable_hashjoin", "enable_mergejoin", "jit"} {
		if _, err = s.lookups.Exec(ctx, "SET LOCAL "+way+" = off"); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *pgSnapshot) close() error {
	var err error
	for _, tx := range []pgx.Tx{s.order, s.lookups} {
		if tx != nil {
			err = errors.Join(err, tx.Rollback(context.Background()))
		}
	}
	return err
}

func (s *pgSnapshot) people(ctx context.Context, query string, args []any) (stream, error) {
	rows, err := s.order.Query(ctx, query, args...)
	return pgStream{rows}, err
}

type pgStream struct{ rows pgx.Rows }

func (s pgStream) next() bool       { return s.rows.Next() }
func (s pgStream) values() [][]byte { return s.rows.RawValues() }
func (s pgStream) err() error       { return s.rows.Err() }
func (s pgStream) close()           { s.rows.Close() }

// related sends all queries of a chunk at once: the server works on the next while the answer to one is read.
func (s *pgSnapshot) related(ctx context.Context, queries []lookup, ids span) (err error) {
	b := &pgx.Batch{}
	for _, q := range queries {
		args := []any{pgtype.UUID{Bytes: ids.first(), Valid: true}, pgtype.UUID{Bytes: ids.last(), Valid: true}}
		where := q.column + " BETWEEN $1 AND $2"
		if !ids.dense {
			list := make([]pgtype.UUID, len(ids.ids))
			for i, id := range ids.ids {
				list[i] = pgtype.UUID{Bytes: id, Valid: true}
			}
			args, where = []any{list}, q.column+" = ANY($1)"
		}
		text := strings.ReplaceAll(q.query, "{ids}", where)
		for _, a := range q.args {
			if id, ok := a.(uuid.UUID); ok {
				a = pgtype.UUID{Bytes: id, Valid: true}
			}
			args = append(args, a)
			text = strings.Replace(text, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		b.Queue(text, args...)
	}
	if b.Len() == 0 {
		return nil
	}
	results := s.lookups.SendBatch(ctx, b)
	defer func() { err = errors.Join(err, results.Close()) }()
	for _, q := range queries {
		rows, err := results.Query()
		if err != nil {
			return fmt.Errorf("exports: %s: %w", q.column, err)
		}
		for rows.Next() {
			q.row(rows.RawValues())
		}
		rows.Close()
		if err := rows.Err(); err != nil {
			return fmt.Errorf("exports: %s: %w", q.column, err)
		}
	}
	return nil
}

func (*pgSnapshot) id(v []byte) uuid.UUID { return uuid.UUID(v) }

// at reads microseconds since 2000 (PostgreSQL, timestamptz_send).
func (*pgSnapshot) at(v []byte) time.Time {
	return time.UnixMicro(int64(binary.BigEndian.Uint64(v)) + 946_684_800_000_000).UTC()
}

func (*pgSnapshot) text(v []byte) []byte { return v }
