package petitions

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"kithline/models"
)

// TestAThousandSign: PostgreSQL looks at the tables that grew, the program is told that it is busy, once, and the words of a consent are
// written down once, however many say yes to them at a time.
func TestAThousandSign(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		var told atomic.Int64
		w.opt.Busy = func() { told.Add(1) }
		p := w.published("Twenty visits")
		known := func() (rows float64) {
			t.Helper()
			if err := w.db.Raw("SELECT reltuples FROM pg_class WHERE oid = 'signatures'::regclass").Scan(&rows).Error; err != nil {
				t.Fatal(err)
			}
			return rows
		}
		sign := func(from, to int) {
			t.Helper()
			var all sync.WaitGroup
			for i := from; i < to; i++ {
				all.Go(func() {
					in := form(p.Slug, fmt.Sprintf("p%d@example.org", i))
					in.Updates, in.ConsentText = true, "Write to me"
					if _, err := w.Sign(w.ctx, in); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			w.growth.running.Wait()
		}
		sign(0, 999)
		if told.Load() != 0 {
			t.Error("busy before the thousandth")
		}
		sign(999, 1010)
		if told.Load() != 1 {
			t.Errorf("told %d times that it is busy", told.Load())
		}
		if w.db.Postgres() && known() < 900 {
			t.Errorf("PostgreSQL knows of %g signatures", known())
		}
		if texts, without := w.rows(&models.ConsentText{}, "1 = 1"), w.rows(&models.Signature{}, "consent_text_id IS NULL"); texts != 1 || without != 0 {
			t.Errorf("%d wordings, %d signatures without theirs", texts, without)
		}
	})
}
