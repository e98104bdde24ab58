package divisions_test

import (
	"fmt"
	"testing"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/divisions"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// BenchmarkPlace gives 100,000 people the districts of 33,000 postal codes, of which one in five spans two: as an import of
// that data does.
func BenchmarkPlace(b *testing.B) {
	for _, on := range []struct {
		name string
		open func(testing.TB) *database.DB
	}{{"sqlite", testdb.SQLite}, {"postgres", testdb.Postgres}} {
		b.Run(on.name, func(b *testing.B) {
			db := on.open(b)
			const people, codes, districts = 100_000, 33_000, 435
			var list []models.Division
			var lies []models.PostalDivision
			for i := range districts {
				list = append(list, models.Division{ID: models.NewID(), OCDID: fmt.Sprint("ocd-division/country:us/x:", i), Country: "US", Kind: "cd", Version: "v", CreatedAt: now, UpdatedAt: now})
			}
			for i := range codes {
				for j := range 1 + (i%5)/4 {
					lies = append(lies, models.PostalDivision{Country: "US", PostalArea: fmt.Sprintf("%05d", i), DivisionID: list[(i/77+j)%districts].ID, Kind: "cd", Version: "v"})
				}
			}
			ids, rows := make([]uuid.UUID, people), make([]models.Supporter, people)
			for i := range people {
				ids[i] = models.NewID()
				rows[i] = models.Supporter{ID: ids[i], PostalArea: fmt.Sprintf("%05d", i*7%codes), Country: []string{"US", ""}[i%2], CreatedAt: now, UpdatedAt: now}
			}
			err := db.Tx(ctx, func(tx *gorm.DB) error {
				if err := tx.CreateInBatches(&list, 200).Error; err != nil {
					return err
				}
				if err := tx.CreateInBatches(&lies, 1000).Error; err != nil {
					return err
				}
				err := database.InsertAll(tx, rows, "")
				return err
			})
			if err != nil {
				b.Fatal(err)
			}
			if err := db.Exec("ANALYZE").Error; err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for start := 0; start < people; start += 2000 {
					if err := db.Tx(ctx, func(tx *gorm.DB) error { return divisions.Place(ctx, tx, ids[start:start+2000], now) }); err != nil {
						b.Fatal(err)
					}
				}
			}
			b.ReportMetric(float64(people)*float64(b.N)/b.Elapsed().Seconds(), "people/s")
		})
	}
}
