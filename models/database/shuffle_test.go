package database_test

import (
	"math"
	"testing"

	"github.com/google/uuid"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// TestBothDatabasesShuffleAlike: a pick by chance is the same people after a move from one database to the other.
func TestBothDatabasesShuffleAlike(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		for _, id := range []uuid.UUID{uuid.Nil, uuid.Max, models.NewID(), models.NewID(), uuid.MustParse("0198c2a4-0102-7304-8506-0708090a0b0c")} {
			for _, seed := range []int64{0, 1, -1, math.MinInt64, math.MaxInt64, 0x5e5e5e5e5e5e5e5e} {
				if err := db.Exec("DELETE FROM supporters").Error; err != nil {
					t.Fatal(err)
				}
				if err := db.Create(&models.Supporter{ID: id, CreatedAt: at, UpdatedAt: at}).Error; err != nil {
					t.Fatal(err)
				}
				var got int64
				if err := db.Raw("SELECT uuid_hash_extended(id, CAST(? AS bigint)) FROM supporters", seed).Scan(&got).Error; err != nil {
					t.Fatal(err)
				}
				if want := database.Shuffle(id, seed); got != want {
					t.Errorf("%s with %d: the database says %d, Shuffle %d", id, seed, got, want)
				}
			}
		}
	})
}
