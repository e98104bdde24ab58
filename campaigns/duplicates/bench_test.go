package duplicates

import (
	"flag"
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/address"
	"kithline/campaigns/clock"
	"kithline/campaigns/supporters"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var benchPeople = flag.Int("people", 1_000_000, "how many records BenchmarkScan compares")

// BenchmarkScan compares everybody with everybody: a record with a confirmed address each, one in a thousand twice.
func BenchmarkScan(b *testing.B) {
	for _, on := range []struct {
		name string
		open func(testing.TB) *database.DB
	}{{"sqlite", testdb.SQLite}, {"postgres", testdb.Postgres}} {
		b.Run(on.name, func(b *testing.B) {
			db, v := on.open(b), vault.New(vault.NewKey())
			s := New(db, v, clock.NewFixed(t0), supporters.New(db, v, clock.NewFixed(t0)))
			const batch = 5000
			for start := 0; start < *benchPeople; start += batch {
				people, boxes := make([]models.Supporter, batch), make([]models.Mailbox, batch)
				for i := range batch {
					n := start + i
					same := n
					if n%1000 == 1 {
						same = n - 1
					}
					people[i] = supporters.NewRow(v, models.NewID(), supporters.Facts{
						GivenName: fmt.Sprintf("Given%d", same%5000), FamilyName: fmt.Sprintf("Family%d", same/5000), PostalArea: fmt.Sprintf("%05d", same%40000), Country: "US", Source: "import",
					}, t0)
					canonical, domain, err := address.CanonicalAddress(fmt.Sprintf("person%d@example%d.org", n, n%100))
					if err != nil {
						b.Fatal(err)
					}
					hash := v.AddressHash(canonical)
					boxes[i] = models.Mailbox{
						ID: models.NewID(), AddressHash: hash, AddressSealed: v.SealBytes("mailboxes", "address_sealed", hash, []byte(canonical)), Domain: domain, VerifiedAt: &t0, SupporterID: &people[i].ID,
						CreatedAt: t0, UpdatedAt: t0,
					}
				}
				for _, err := range []error{insert(db, people), insert(db, boxes)} {
					if err != nil {
						b.Fatal(err)
					}
				}
			}
			if err := db.Exec("ANALYZE").Error; err != nil {
				b.Fatal(err)
			}
			runtime.GC()
			var most atomic.Uint64
			stop, done := make(chan struct{}), make(chan struct{})
			go func() {
				defer close(done)
				tick := time.NewTicker(20 * time.Millisecond)
				defer tick.Stop()
				for {
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					if in := m.Sys - m.HeapReleased; in > most.Load() {
						most.Store(in)
					}
					select {
					case <-stop:
						return
					case <-tick.C:
					}
				}
			}()
			for b.Loop() {
				if err := s.Scan(ctx); err != nil {
					b.Fatal(err)
				}
			}
			close(stop)
			<-done
			var pairs int64
			if err := db.Model(&models.Duplicate{}).Count(&pairs).Error; err != nil || int(pairs) != *benchPeople/1000 {
				b.Errorf("%d pairs, %v", pairs, err)
			}
			b.ReportMetric(float64(most.Load())/(1<<20), "MB-held")
		})
	}
}

func insert[T models.Supporter | models.Mailbox](db *database.DB, rows []T) error {
	return db.Tx(ctx, func(tx *gorm.DB) error {
		err := database.InsertAll(tx, rows, "ON CONFLICT DO NOTHING")
		return err
	})
}
