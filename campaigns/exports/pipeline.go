package exports

import (
	"context"
	"errors"
	"io"
	"runtime"
	"sync/atomic"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// chunkSize is how many people are read, opened and written together.
const chunkSize = 2000

// chunk is some people on their way through: begun with their own rows, then
// given what belongs to them, then opened and formatted by one worker, then written in its turn. Its
// memory is used again for a later chunk.
type chunk struct {
	people []person
	arena  []byte // what was read
	ids    []uuid.UUID
	out    []byte
	rows   int
	done   chan error // the worker's
}

// keep copies a value out of the buffer of the driver.
func (c *chunk) keep(v []byte) []byte {
	if v == nil {
		return nil
	}
	at := len(c.arena)
	c.arena = append(c.arena, v...)
	return c.arena[at:len(c.arena):len(c.arena)]
}

func (c *chunk) reset() {
	c.arena, c.ids, c.out, c.rows = c.arena[:0], c.ids[:0], c.out[:0], 0
	for i := range c.people {
		p := &c.people[i]
		*p = person{boxes: p.boxes[:0], phones: p.phones[:0], tags: p.tags[:0], fields: p.fields[:0], places: p.places[:0], consents: p.consents[:0]}
	}
	c.people = c.people[:0]
}

// one makes room for one more person.
func (c *chunk) one() *person {
	if n := len(c.people); n < cap(c.people) {
		c.people = c.people[:n+1]
	} else {
		c.people = append(c.people, person{})
	}
	return &c.people[len(c.people)-1]
}

// write reads the people of a plan in order and writes them to w in a format. told hears, now and then, how many are
// written. It returns how many there were, and how many values were opened.
func (p *plan) write(ctx context.Context, w io.Writer, f format, told func(rows int)) (rows int, opened int64, err error) {
	head := f.head(nil, p.columns)
	if _, err := w.Write(head); err != nil {
		return 0, 0, err
	}
	g, ctx := errgroup.WithContext(ctx)
	workers := runtime.GOMAXPROCS(0)
	chunks := workers + 4
	free, begun, ordered, work := make(chan *chunk, chunks), make(chan *chunk, chunks), make(chan *chunk, chunks), make(chan *chunk, chunks)
	for range cap(free) {
		free <- &chunk{people: make([]person, 0, p.chunk), done: make(chan error, 1)}
	}
	g.Go(func() error {
		defer close(begun)
		return p.read(ctx, free, begun)
	})
	g.Go(func() error {
		defer close(ordered)
		defer close(work)
		for c := range begun {
			if err := p.snap.related(ctx, p.lookups(c), span{c.ids, p.dense}); err != nil {
				return err
			}
			ordered <- c
			work <- c
		}
		return nil
	})
	var sum atomic.Int64
	for range workers {
		g.Go(func() error {
			x := &opener{plan: p}
			defer func() { sum.Add(x.opened) }()
			for c := range work {
				err := x.format(c, f)
				c.done <- err
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	g.Go(func() error {
		for c := range ordered {
			select {
			case err := <-c.done:
				if err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			if _, err := w.Write(c.out); err != nil {
				return err
			}
			rows += c.rows
			told(rows)
			c.reset()
			free <- c
		}
		return nil
	})
	err = g.Wait()
	return rows, sum.Load(), err
}

// read fills chunks with people, in order.
func (p *plan) read(ctx context.Context, free <-chan *chunk, begun chan<- *chunk) (err error) {
	people, err := p.snap.people(ctx, p.query, p.args)
	if err != nil {
		return err
	}
	defer people.close()
	for {
		var c *chunk
		select {
		case c = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		for len(c.people) < p.chunk && people.next() {
			v := people.values()
			o := c.one()
			o.id = p.snap.id(v[atID])
			for i := 1; i < ownColumns; i++ {
				o.own[i] = c.keep(v[i])
			}
			c.ids = append(c.ids, o.id)
		}
		if err := people.err(); err != nil {
			return err
		}
		if len(c.people) == 0 {
			return nil
		}
		begun <- c
	}
}

// format opens and writes the people of a chunk into its out.
func (x *opener) format(c *chunk, f format) error {
	x.chunk = c
	cells := make([][][]byte, len(x.plan.columns))
	for i := range c.people {
		x.buf = x.buf[:0]
		x.values = x.values[:0]
		for k, col := range x.plan.columns {
			at := len(x.values)
			if err := col.put(x, &c.people[i]); err != nil {
				return errors.Join(err, errUnreadable{c.people[i].id})
			}
			cells[k] = x.values[at:len(x.values):len(x.values)]
		}
		c.out = f.row(c.out, x.plan.columns, cells)
		c.rows++
	}
	clear(x.buf[:cap(x.buf)])
	return nil
}

// errUnreadable names the record that did not open.
type errUnreadable struct{ id uuid.UUID }

func (e errUnreadable) Error() string {
	return "exports: the supporter " + e.id.String() + " does not open"
}
