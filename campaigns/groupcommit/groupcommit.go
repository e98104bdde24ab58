// Package groupcommit lets many requests share one durable commit. A request hands over its work and waits; one writer per
// process takes whatever queued up while the last commit ran, writes all of it in one transaction, and answers everybody.
// There is no timer: alone, a request waits for nobody; under load, the cost of a commit is divided.
package groupcommit

import (
	"context"
	"errors"
	"sync"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models/database"
)

// Limits of a group: how much one transaction takes, and how much may wait for the next.
const (
	MaxBatch = 256
	MaxQueue = 4096
)

// Write writes a batch in tx and notes in each item what became of it. It may be called again with the same items, whole
// or in parts: after a deadlock, after a lost connection whose commit may have gone through, and to find the one item that
// the database refuses. So it must give the same result when its rows are there already.
type Write[T any] func(ctx context.Context, tx *gorm.DB, batch []*T) error

// Group is the writer. Make it with New and end it with Close.
type Group[T any] struct {
	db     *database.DB
	write  Write[T]
	single func(batch []*T) bool

	mu     sync.RWMutex // against sending on a closed channel
	closed bool
	queue  chan *waiting[T]
	done   chan struct{}
}

type waiting[T any] struct {
	item *T
	err  error
	done chan struct{}
}

// ErrBusy is a fault of kind Unavailable, error.unavailable: the queue is full or the server is stopping. Nothing was written.
var ErrBusy = fault.New(fault.Unavailable, "error.unavailable", "RetryAfter", 2*time.Second)

// New starts a writer.
func New[T any](db *database.DB, write Write[T]) *Group[T] {
	return NewSingle(db, write, func([]*T) bool { return false })
}

// NewSingle is New for a write that needs no transaction around it where single says so of a batch, because it is one statement then:
// that spares two ways to the server and back.
func NewSingle[T any](db *database.DB, write Write[T], single func(batch []*T) bool) *Group[T] {
	g := &Group[T]{db: db, write: write, single: single, queue: make(chan *waiting[T], MaxQueue), done: make(chan struct{})}
	go g.run()
	return g
}

// Do hands the item over and returns once it is committed, or refused for a reason of its own, or ErrBusy. It does not
// return early when ctx ends: the item may be written already, and the answer is near.
func (g *Group[T]) Do(ctx context.Context, item *T) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return g.Start(item)()
}

// Start hands the item over as Do does and comes back at once; what it returns waits for the end, and must be called once.
func (g *Group[T]) Start(item *T) (wait func() error) {
	w := &waiting[T]{item: item, done: make(chan struct{})}
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return func() error { return ErrBusy }
	}
	select {
	case g.queue <- w:
	default:
		return func() error { return ErrBusy }
	}
	return func() error { <-w.done; return w.err }
}

// Close refuses new items, writes what waits, and returns when everybody is answered.
func (g *Group[T]) Close() {
	g.mu.Lock()
	if !g.closed {
		g.closed = true
		close(g.queue)
	}
	g.mu.Unlock()
	<-g.done
}

func (g *Group[T]) run() {
	defer close(g.done)
	batch := make([]*waiting[T], 0, MaxBatch)
	for first := range g.queue {
		batch = append(batch[:0], first)
	fill:
		for len(batch) < MaxBatch {
			select {
			case w, ok := <-g.queue:
				if !ok {
					break fill
				}
				batch = append(batch, w)
			default:
				break fill
			}
		}
		g.commit(batch)
		for _, w := range batch {
			close(w.done)
		}
	}
}

// commit writes a batch. One item that the database refuses must not fail the others: the batch is halved until it stands
// alone.
func (g *Group[T]) commit(batch []*waiting[T]) {
	err := g.try(batch)
	if database.Lost(err) {
		err = g.try(batch) // the commit may have gone through: the write finds its own rows
	}
	if err == nil || len(batch) == 1 || !refused(err) {
		for _, w := range batch {
			w.err = err
		}
		return
	}
	half := len(batch) / 2
	g.commit(batch[:half])
	g.commit(batch[half:])
}

func (g *Group[T]) try(batch []*waiting[T]) (err error) {
	items := make([]*T, len(batch))
	for i, w := range batch {
		items[i] = w.item
	}
	if g.single(items) {
		ctx := context.Background()
		if err := g.write(ctx, g.db.WithContext(ctx), items); !database.Retryable(err) {
			return err
		}
	}
	return g.db.Tx(context.Background(), func(tx *gorm.DB) error { return g.write(tx.Statement.Context, tx, items) })
}

// refused reports whether an error is about the data of one item, not about the database.
func refused(err error) bool {
	var f *fault.Error
	return database.Refused(err) || errors.As(err, &f)
}
