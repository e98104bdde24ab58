package abuse

import (
	"context"
	"net/netip"
	"sync"
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// lists are the rules and windows that hold, as they were a moment ago: a form is judged without asking the database for them.
type lists struct {
	keep time.Duration
	mu   sync.Mutex
	at   time.Time // by the machine's clock; zero: to be read
	now  *snapshot
}

type snapshot struct {
	domains   map[string][]string
	addresses map[string][]string // by hash
	ranges    []ranged
	windows   []models.SigningWindow
}

type ranged struct {
	prefix netip.Prefix
	effect string
}

func (l *lists) forget() {
	l.mu.Lock()
	l.at = time.Time{}
	l.mu.Unlock()
}

// current returns the lists, at most keep old. One request reads them for all that come meanwhile. A database that does not answer
// leaves the old ones in place.
func (s *Service) current(ctx context.Context) (*snapshot, error) {
	l := &s.lists
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.now != nil && time.Since(l.at) < l.keep {
		return l.now, nil
	}
	n, err := s.read(ctx)
	if err != nil {
		if l.now != nil && ctx.Err() == nil {
			return l.now, nil
		}
		return nil, err
	}
	l.now, l.at = n, time.Now()
	return n, nil
}

func (s *Service) read(ctx context.Context) (*snapshot, error) {
	db := s.db.WithContext(ctx)
	var rules []models.AbuseRule
	if err := db.Where("ended_at IS NULL").Find(&rules).Error; err != nil {
		return nil, err
	}
	n := &snapshot{domains: map[string][]string{}, addresses: map[string][]string{}}
	for _, r := range rules {
		switch r.Subject {
		case SubjectDomain:
			n.domains[r.Value] = append(n.domains[r.Value], r.Effect)
		case SubjectAddress:
			n.addresses[string(r.AddressHash)] = append(n.addresses[string(r.AddressHash)], r.Effect)
		case SubjectRange:
			if p, ok := parseRange(r.Value); ok {
				n.ranges = append(n.ranges, ranged{p, r.Effect})
			}
		}
	}
	err := db.Where("ended_at IS NULL AND until_at > ?", s.clk.Now()).Find(&n.windows).Error
	return n, err
}

// effects are those of every rule that is about an address, its domain or the device.
func (n *snapshot) effects(hash []byte, domain string, client netip.Addr) map[string]bool {
	out := map[string]bool{}
	add := func(effects []string) {
		for _, e := range effects {
			out[e] = true
		}
	}
	add(n.addresses[string(hash)])
	within(domain, func(d string) bool { add(n.domains[d]); return true })
	for _, r := range n.ranges {
		if client.IsValid() && r.prefix.Contains(client) {
			out[r.effect] = true
		}
	}
	return out
}

// rests reports whether a window lets the limits of a petition rest at a time.
func (n *snapshot) rests(petition uuid.UUID, at time.Time) bool {
	for _, w := range n.windows {
		if (w.PetitionID == nil || *w.PetitionID == petition) && !at.Before(w.FromAt) && at.Before(w.UntilAt) {
			return true
		}
	}
	return false
}
