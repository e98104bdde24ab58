package imports

import (
	"context"
	"errors"
	"io"
	"runtime"
	"slices"
	"sync"

	"github.com/google/uuid"

	"kithline/models"
)

// A file is read by one goroutine, in its order; rows are made ready by several, a chunk each, since hashing, sealing and
// telephone numbers take most of the time; one writer takes the chunks in the file's order. What waits between them is
// bounded in rows and in bytes, so memory does not grow with the file.
const (
	chunkRows  = 250
	chunkBytes = 256 << 10
	chunkQueue = 24
)

// chunk is some rows of a file, in order.
type chunk struct {
	rows   []Row
	ids    []uuid.UUID
	people []person
	bad    []BadRow
	err    error // of the file, behind these rows
	ready  chan struct{}
}

// feed makes batches of a file. Close it before the file.
type feed struct {
	out  chan *chunk
	stop context.CancelFunc
	wg   sync.WaitGroup
	rest *chunk // was taken, but belongs to the next batch
}

// newFeed begins to read. The rows of t that were read before are not in it.
func newFeed(ctx context.Context, t *table, r *recipe) *feed {
	ctx, stop := context.WithCancel(ctx)
	workers := min(runtime.GOMAXPROCS(0), 8)
	f := &feed{out: make(chan *chunk, chunkQueue), stop: stop}
	work := make(chan *chunk, workers)
	f.wg.Go(func() {
		defer close(f.out)
		defer close(work)
		for {
			c := cut(t)
			if len(c.rows) == 0 && c.err == nil {
				return
			}
			for _, to := range []chan *chunk{f.out, work} {
				select {
				case to <- c:
				case <-ctx.Done():
					return
				}
			}
			if c.err != nil {
				return
			}
		}
	})
	for range workers {
		f.wg.Go(func() {
			for c := range work {
				c.prepare(r)
				close(c.ready)
			}
		})
	}
	return f
}

// close ends the reading and waits until nobody touches the file any more.
func (f *feed) close() {
	f.stop()
	for range f.out { //nolint:revive // what was read ahead is given up
	}
	f.wg.Wait()
}

// cut reads the next chunk.
func cut(t *table) *chunk {
	c := &chunk{rows: make([]Row, 0, chunkRows), ready: make(chan struct{})}
	for size := 0; len(c.rows) < chunkRows && size < chunkBytes; {
		row, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			c.err = err
			break
		}
		for _, cell := range row.Cells {
			size += len(cell) + 16
		}
		c.rows, c.ids = append(c.rows, row), append(c.ids, models.NewID()) // ids follow the file's order, and so do lists
	}
	return c
}

func (c *chunk) prepare(r *recipe) {
	c.people = make([]person, 0, len(c.rows))
	good := make([]Row, 0, len(c.rows))
	for i, row := range c.rows {
		p, reason := r.read(row, c.ids[i])
		if reason != nil {
			c.bad = append(c.bad, BadRow{row, *reason})
			continue
		}
		c.people, good = append(c.people, p), append(good, row)
	}
	c.rows, c.ids = good, nil
}

// batch is some rows of a file, in order: people, each with its row, and what could not be read.
type batch struct {
	people []person
	from   []Row
	bad    []BadRow
}

func (b *batch) rows() int { return len(b.people) + len(b.bad) }

// refuse moves rows that the writer did not take to the bad ones.
func (b *batch) refuse(refused map[int]Reason) {
	for _, row := range b.from {
		if r, ok := refused[row.n]; ok {
			b.bad = append(b.bad, BadRow{row, r})
		}
	}
	slices.SortStableFunc(b.bad, func(x, y BadRow) int { return x.n - y.n })
}

// after splits off the rows up to the n-th.
func (b *batch) after(n int) (before, rest batch) {
	for i, p := range b.people {
		to := &rest
		if p.n <= n {
			to = &before
		}
		to.people, to.from = append(to.people, p), append(to.from, b.from[i])
	}
	for _, x := range b.bad {
		to := &rest
		if x.n <= n {
			to = &before
		}
		to.bad = append(to.bad, x)
	}
	return before, rest
}

// batchBytes is how much of a file one batch holds at most.
const batchBytes = 8 << 20

// next returns the next rows, about most of them, and none at the end of the file.
func (f *feed) next(ctx context.Context, most int) (batch, error) {
	var b batch
	for size := 0; b.rows() < most && size < batchBytes; {
		c := f.rest
		if f.rest = nil; c == nil {
			var ok bool
			if c, ok = <-f.out; !ok {
				break
			}
			select {
			case <-c.ready:
			case <-ctx.Done():
				return batch{}, ctx.Err()
			}
		}
		if c.err != nil && b.rows() > 0 { // what was read before it is written first
			f.rest = c
			break
		}
		if c.err != nil && len(c.people)+len(c.bad) == 0 {
			return batch{}, c.err
		}
		b.people, b.from, b.bad = append(b.people, c.people...), append(b.from, c.rows...), append(b.bad, c.bad...)
		for _, row := range c.rows {
			for _, cell := range row.Cells {
				size += len(cell)
			}
		}
		if c.err != nil {
			f.rest = &chunk{err: c.err}
		}
	}
	return b, ctx.Err()
}
