package petitions

import (
	"context"
	"sync"
	"time"

	"kithline/models"
)

// togetherTime is how long one reading may take: it is done for everybody who waits, so nobody's own request ends it.
const togetherTime = 10 * time.Second

// together lets requests that ask for the same petition at the same time share one reading. Each gets what was read after it
// asked, never anything older: so nothing is kept, and a petition that was paused a moment ago is paused for the next signer.
// Alone, a request waits for nobody.
type together struct {
	fetch func(ctx context.Context, slug string) (models.Petition, error)

	mu    sync.Mutex
	slugs map[string]*readings
}

// readings are those of one petition: one runs, and who comes meanwhile waits for the next.
type readings struct{ next *reading }

type reading struct {
	done     chan struct{}
	petition models.Petition
	err      error
}

// read returns what fetch returns, called after now. An error is shared too.
func (t *together) read(ctx context.Context, slug string) (models.Petition, error) {
	t.mu.Lock()
	if t.slugs == nil {
		t.slugs = map[string]*readings{}
	}
	r, runs := t.slugs[slug]
	if !runs {
		r = &readings{}
		t.slugs[slug] = r
	}
	if r.next == nil {
		r.next = &reading{done: make(chan struct{})}
	}
	mine := r.next
	if !runs {
		r.next = nil
		go t.run(context.WithoutCancel(ctx), slug, r, mine)
	}
	t.mu.Unlock()
	select {
	case <-mine.done:
		return mine.petition, mine.err
	case <-ctx.Done():
		return models.Petition{}, ctx.Err()
	}
}

// run reads for those who wait, until nobody does.
func (t *together) run(ctx context.Context, slug string, r *readings, now *reading) {
	for now != nil {
		limit, cancel := context.WithTimeout(ctx, togetherTime)
		now.petition, now.err = t.fetch(limit, slug)
		cancel()
		close(now.done)
		t.mu.Lock()
		now, r.next = r.next, nil
		if now == nil {
			delete(t.slugs, slug)
		}
		t.mu.Unlock()
	}
}
