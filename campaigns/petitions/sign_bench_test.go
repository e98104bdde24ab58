package petitions

import (
	"fmt"
	"sync/atomic"
	"testing"

	"kithline/models/database"
	"kithline/tests/testdb"
)

// BenchmarkSign is the way of a signature without the web around it, from 64 at once. KITHLINE_TEST_DURABLE=1 lets the
// database wait for the disk.
func BenchmarkSign(b *testing.B) {
	for _, db := range []*database.DB{testdb.SQLite(b), testdb.Postgres(b)} {
		b.Run(map[bool]string{true: "postgres", false: "sqlite"}[db.Postgres()], func(b *testing.B) {
			w := newWorld(b, db)
			p := w.published(b.Name() + fmt.Sprint(b.N))
			var n atomic.Int64
			b.SetParallelism(32)
			b.ReportAllocs()
			b.ResetTimer()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					in := form(p.Slug, fmt.Sprintf("s%d-%d@example.org", b.N, n.Add(1)))
					in.Updates, in.ConsentText = true, "Write to me"
					if _, err := w.Sign(w.ctx, in); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
