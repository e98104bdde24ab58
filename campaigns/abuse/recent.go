package abuse

import (
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"

	"kithline/models/database"
)

// recent counts the signatures that devices left under petitions after a time, and of each no more than most. The order asks for the
// index of devices: without it, PostgreSQL takes any index of a petition while it knows nothing yet about a table that was empty a minute
// ago, and reads all signatures of the petition for each device.
func recent(tx *gorm.DB, asked []key, after time.Time, most int) (map[key]int, error) {
	count := func(after, most string) string {
		return "SELECT k.i, (SELECT COUNT(*) FROM (SELECT 1 FROM signatures s WHERE s.petition_id = k.p AND s.client_hash = k.c AND s.created_at > " +
			after + " ORDER BY s.created_at DESC LIMIT " + most + ") AS newest) FROM "
	}
	out := make(map[key]int, len(asked))
	if len(asked) == 0 {
		return out, nil
	}
	read := func(query string, args []any, part []key) error {
		rows, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, query, args...)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }()
		for rows.Next() {
			var i, n int
			if err := rows.Scan(&i, &n); err != nil {
				return err
			}
			out[part[i]] = n
		}
		return rows.Err()
	}
	if database.IsPostgres(tx) {
		at, ids, hashes := make(pgtype.FlatArray[int64], len(asked)), make(pgtype.FlatArray[pgtype.UUID], len(asked)), make(pgtype.FlatArray[[]byte], len(asked))
		for i, k := range asked {
			at[i], ids[i], hashes[i] = int64(i), pgtype.UUID{Bytes: k.petition, Valid: true}, []byte(k.of)
		}
		return out, read(count("$4::timestamptz", "$5::bigint")+"unnest($1::bigint[], $2::uuid[], $3::bytea[]) AS k (i, p, c)", []any{at, ids, hashes, after, most}, asked)
	}
	for part := range slices.Chunk(asked, 250) {
		var args []any
		for i, k := range part {
			args = append(args, i, k.petition, []byte(k.of))
		}
		query := "WITH k (i, p, c) AS (VALUES (?, ?, ?)" + strings.Repeat(", (?, ?, ?)", len(part)-1) + ") " + count("?", "?") + "k"
		if err := read(query, append(args, after, most), part); err != nil {
			return nil, err
		}
	}
	return out, nil
}
