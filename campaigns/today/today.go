// Package today gathers what waits for a person: every queue of the site in one list, so that whoever signs in sees what
// needs them and how long it takes. Features register their queues in app/wire.go; the list knows none of them.
package today

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"kithline/campaigns/actor"
)

// Queue is one kind of thing that waits.
type Queue struct {
	Key     string      // locale key with Count: "petition.queue_review"
	Name    string      // what it is about, where a queue is of one thing; for the words of Key
	Path    string      // the page where it is worked off
	Count   int         // how many wait; a queue of 0 is not listed
	Oldest  time.Time   // since when the oldest waits; zero where time says nothing
	Minutes int         // how long each takes, in minutes; 0 where it cannot be said
	Right   actor.Right // who sees it; "" for every account
}

// Provider reads the queues of a feature for an actor. It is asked on every page of the organizer's side, so it counts by
// an index and does nothing else.
type Provider func(ctx context.Context, a actor.Actor) ([]Queue, error)

// keep is how long the numbers beside the menu may be old.
const keep = 3 * time.Second

// Service asks the registered providers. It is safe for concurrent use once all are registered.
type Service struct {
	names     []string
	providers []Provider

	mu    sync.Mutex
	marks map[actor.Actor]marks
}

type marks struct {
	at     time.Time
	counts map[string]int
}

// New makes an empty list.
func New() *Service { return &Service{marks: map[actor.Actor]marks{}} }

// Register adds a provider. name is the section of the menu that its numbers stand beside ("petitions"). It is called at
// start only.
func (s *Service) Register(name string, p Provider) {
	s.names, s.providers = append(s.names, name), append(s.providers, p)
}

// List returns what waits for the actor, oldest first, queues without an age last. A provider that fails leaves the others
// standing: its error comes back beside their queues.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Queue, error) {
	var out []Queue
	var failed []error
	for i, p := range s.providers {
		queues, err := ask(ctx, a, p)
		if err != nil {
			failed = append(failed, fmt.Errorf("today: %s: %w", s.names[i], err))
		}
		out = append(out, queues...)
	}
	slices.SortStableFunc(out, func(x, y Queue) int {
		switch {
		case x.Oldest.IsZero() && y.Oldest.IsZero():
			return 0
		case x.Oldest.IsZero():
			return 1
		case y.Oldest.IsZero():
			return -1
		}
		return x.Oldest.Compare(y.Oldest)
	})
	return out, errors.Join(failed...)
}

// ask returns the queues of one provider that the actor may see and that are not empty.
func ask(ctx context.Context, a actor.Actor, p Provider) ([]Queue, error) {
	queues, err := p(ctx, a)
	var out []Queue // the provider's own slice stays as it is
	for _, q := range queues {
		if q.Count > 0 && (q.Right == "" || a.May(q.Right)) {
			out = append(out, q)
		}
	}
	return out, err
}

// Waiting counts what waits for the actor by section of the menu. The numbers are at most 3 seconds old; what cannot be
// read is left out.
func (s *Service) Waiting(ctx context.Context, a actor.Actor) map[string]int {
	a.RequestID = ""
	s.mu.Lock()
	m, ok := s.marks[a]
	s.mu.Unlock()
	if ok && time.Since(m.at) < keep {
		return m.counts
	}
	m = marks{at: time.Now(), counts: map[string]int{}}
	for i, p := range s.providers {
		queues, err := ask(ctx, a, p)
		if err != nil {
			continue
		}
		for _, q := range queues {
			m.counts[s.names[i]] += q.Count
		}
	}
	s.mu.Lock()
	if len(s.marks) >= 1000 {
		clear(s.marks)
	}
	s.marks[a] = m
	s.mu.Unlock()
	return m.counts
}
