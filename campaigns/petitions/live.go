package petitions

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Numbers are the counts of a petition's report that move while one looks at it.
type Numbers struct {
	Total     int // confirmed and on paper
	Confirmed int
	Paper     int
	Pending   int
	Suspect   int
	Recruited int
	LastHour  int // confirmed in the hour of now
	Goal      int
}

// watchEvery is how often the numbers are looked at while somebody watches.
const watchEvery = time.Second

// watched are the petitions that somebody looks at on this node: one reads for all who look at the same.
type watched struct {
	mu sync.Mutex
	of map[uuid.UUID]*watch
}

type watch struct {
	stop context.CancelFunc
	to   map[chan Numbers]bool
	last *Numbers
}

// Numbers returns the counts as they are now. The rights and faults are those of Get.
func (s *Service) Numbers(ctx context.Context, a actor.Actor, id uuid.UUID) (Numbers, error) {
	if _, err := s.Get(ctx, a, id); err != nil {
		return Numbers{}, err
	}
	return s.numbers(ctx, id)
}

// numbers reads one row of the petition and two of its tallies.
func (s *Service) numbers(ctx context.Context, id uuid.UUID) (Numbers, error) {
	p, err := take(ctx, s.db.DB, id)
	if err != nil {
		return Numbers{}, err
	}
	n := Numbers{Total: p.Total(), Confirmed: p.SignatureCount, Paper: p.PaperCount, Pending: p.PendingCount, Suspect: p.SuspectCount, Goal: p.Goal}
	var rows []models.PetitionTally
	err = s.db.WithContext(ctx).Where("petition_id = ? AND ((kind = ? AND name = '') OR (kind = ? AND name = ?))", id,
		models.TallyRecruited, models.TallyHour, s.clk.Now().UTC().Format(hourForm)).Find(&rows).Error
	for _, t := range rows {
		if t.Kind == models.TallyHour {
			n.LastHour = t.Confirmed
		} else {
			n.Recruited = t.Confirmed
		}
	}
	return n, err
}

// Watch returns a channel that gets the counts at once, and again when they changed, at most once a second; what nobody took is
// replaced by what is newer. end it when nobody looks any more. However many watch a petition on this node, it is read once.
// The rights and faults are those of Get, asked now: whoever watches long asks again.
func (s *Service) Watch(ctx context.Context, a actor.Actor, id uuid.UUID) (news <-chan Numbers, end func(), err error) {
	if _, err := s.Get(ctx, a, id); err != nil {
		return nil, nil, err
	}
	c := make(chan Numbers, 1)
	s.watched.mu.Lock()
	defer s.watched.mu.Unlock()
	w := s.watched.of[id]
	if w == nil {
		run, stop := context.WithCancel(context.WithoutCancel(ctx))
		w = &watch{stop: stop, to: map[chan Numbers]bool{}}
		if s.watched.of == nil {
			s.watched.of = map[uuid.UUID]*watch{}
		}
		s.watched.of[id] = w
		go s.watch(run, id, w)
	}
	w.to[c] = true
	if w.last != nil {
		c <- *w.last
	}
	return c, func() {
		s.watched.mu.Lock()
		defer s.watched.mu.Unlock()
		if delete(w.to, c); len(w.to) == 0 && s.watched.of[id] == w {
			delete(s.watched.of, id)
			w.stop()
		}
	}, nil
}

// watch reads for those who look until nobody does. A reading that fails is tried again: they see the last numbers meanwhile.
func (s *Service) watch(ctx context.Context, id uuid.UUID, w *watch) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		if n, err := s.numbers(ctx, id); err == nil {
			s.watched.mu.Lock()
			if w.last == nil || *w.last != n {
				w.last = &n
				for c := range w.to {
					select {
					case <-c: // nobody took the one before
					default:
					}
					c <- n
				}
			}
			s.watched.mu.Unlock()
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Watching is how many petitions are looked at on this node, and by how many in all.
func (s *Service) Watching() (petitions, people int) {
	s.watched.mu.Lock()
	defer s.watched.mu.Unlock()
	for _, w := range s.watched.of {
		people += len(w.to)
	}
	return len(s.watched.of), people
}
