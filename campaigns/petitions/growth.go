package petitions

import (
	"context"
	"sync"
	"sync/atomic"
)

// growth counts what this process wrote. PostgreSQL plans by what it last learned about a table, and learns anew about once a minute:
// on the first busy minute of a new site it would read every signature where an index leads to one. So it is told to learn when the
// first thousand is there, and at each tenfold of that.
type growth struct {
	rows    atomic.Int64
	running sync.WaitGroup
}

// grew notes that a signature was written.
func (s *Service) grew() {
	switch s.growth.rows.Add(1) {
	case 1000:
		if s.opt.Busy != nil {
			s.opt.Busy()
		}
	case 10_000, 100_000:
	default:
		return
	}
	if !s.db.Postgres() {
		return
	}
	s.growth.running.Go(func() {
		if err := s.db.WithContext(context.Background()).Exec("ANALYZE mailboxes, signatures, deliveries").Error; err != nil {
			s.opt.Log.Warn("PostgreSQL did not look at the tables that grew", "error", err)
		}
	})
}
