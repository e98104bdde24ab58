package database_test

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/models/database"
	"kithline/tests/testdb"
)

// TestRowIDs: both databases lay out the ids of many rows alike, in the order of their numbers, none twice.
func TestRowIDs(t *testing.T) {
	moment := time.Date(2027, 2, 1, 12, 0, 0, 345_000_000, time.UTC)
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		var last string
		seen := map[uuid.UUID]bool{}
		for _, n := range []int64{0, 1, 16383, 16384, 1_000_000, 1<<26 - 1} {
			for range 3 {
				var row struct{ ID uuid.UUID }
				if err := db.Raw("SELECT "+database.RowID(db.DB, moment, "q.n")+" AS id FROM (SELECT CAST(? AS bigint) AS n) q", n).Scan(&row).Error; err != nil {
					t.Fatal(err)
				}
				id := row.ID
				sec, nsec := id.Time().UnixTime()
				if id.Version() != 7 || id.Variant() != uuid.RFC4122 || !time.Unix(sec, nsec).Equal(moment) {
					t.Errorf("%d: %s is of version %d, %v", n, id, id.Version(), time.Unix(sec, nsec).UTC())
				}
				if got := int64(id[6]&0xf)<<22 | int64(id[7])<<14 | int64(id[8]&0x3f)<<8 | int64(id[9]); got != n {
					t.Errorf("%s carries the number %d, not %d", id, got, n)
				}
				if seen[id] {
					t.Errorf("%s twice", id)
				}
				seen[id] = true
				if head := id.String()[:23]; head < last {
					t.Errorf("%s comes after %s", head, last)
				} else {
					last = head
				}
			}
		}
	})
}
