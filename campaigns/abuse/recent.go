package abuse

import (
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"

	"kithline/models/database"
)

// counts are how many signatures a device left under a petition, as far as limits ask.
type counts struct{ minute, five int }

// recent counts the signatures of devices before now. It reads no more index entries of each than the limits are high.
func (s *Service) recent(tx *gorm.DB, asked []key, now time.Time) (map[key]counts, error) {
	few := func(cast string) string {
		return `(SELECT COUNT(*) FROM (SELECT 1 FROM signatures s WHERE s.petition_id = k.p AND s.client_hash = k.c AND s.created_at > ` + cast + ` LIMIT `
	}
	minute, five := now.Add(-time.Minute), now.Add(-5*time.Minute)
	out := make(map[key]counts, len(asked))
	read := func(query string, args []any, part []key) error {
		rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var i int
			var c counts
			if err := rows.Scan(&i, &c.minute, &c.five); err != nil {
				return err
			}
			out[part[i]] = c
		}
		return rows.Err()
	}
	if database.IsPostgres(tx) {
		at, ids, hashes := make(pgtype.FlatArray[int64], len(asked)), make(pgtype.FlatArray[pgtype.UUID], len(asked)), make(pgtype.FlatArray[[]byte], len(asked))
		for i, k := range asked {
			at[i], ids[i], hashes[i] = int64(i), pgtype.UUID{Bytes: k.petition, Valid: true}, []byte(k.of)
		}
		return out, read(`SELECT k.i, `+few("$4::timestamptz")+`$5::bigint) AS m), `+few("$6::timestamptz")+`$7::bigint) AS f)
			FROM unnest($1::bigint[], $2::uuid[], $3::bytea[]) AS k (i, p, c)`,
			[]any{at, ids, hashes, minute, s.limit.PerMinute, five, s.limit.PerFiveMinutes}, asked)
	}
	const most = 250
	for from := 0; from < len(asked); from += most {
		part := asked[from:min(from+most, len(asked))]
		var args []any
		for i, k := range part {
			args = append(args, i, k.petition, []byte(k.of))
		}
		args = append(args, minute, s.limit.PerMinute, five, s.limit.PerFiveMinutes)
		err := read(`WITH k (i, p, c) AS (VALUES (?, ?, ?)`+strings.Repeat(", (?, ?, ?)", len(part)-1)+`) SELECT k.i, `+few("?")+`?) AS m), `+few("?")+`?) AS f) FROM k`, args, part)
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}
