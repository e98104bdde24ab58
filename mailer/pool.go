package mailer

import (
	"context"
	"errors"
	"sync"
	"time"
)

// IdleFor is how long an unused connection of a Pool stays open, and recheckAfter how long it may have been unused before it
// is asked whether it still listens.
const (
	IdleFor      = 30 * time.Second
	recheckAfter = 5 * time.Second
)

// ErrPoolClosed is returned by Get after Close.
var ErrPoolClosed = errors.New("mailer: pool is closed")

// Pool keeps up to n connections of a transport for reuse. It is safe for concurrent use.
type Pool struct {
	transport Transport
	slots     chan struct{} // one for each connection that is handed out
	done      chan struct{}

	mu      sync.Mutex
	idle    []*idleConn // the last one used at the end
	closed  bool
	closing sync.WaitGroup // goodbyes under way
}

type idleConn struct {
	conn  Conn
	since time.Time
	timer *time.Timer
}

// NewPool makes a pool of at most n connections, at least one. It opens none.
func NewPool(t Transport, n int) *Pool {
	return &Pool{transport: t, slots: make(chan struct{}, max(n, 1)), done: make(chan struct{})}
}

// Transport is what the connections are made of.
func (p *Pool) Transport() Transport { return p.transport }

// Get hands out a connection: an idle one that still listens, else a new one. With all n handed out it waits for a Put. It
// returns the error of ctx, ErrPoolClosed, or why no connection could be opened. Each connection must go back by Put.
func (p *Pool) Get(ctx context.Context) (Conn, error) {
	select {
	case <-p.done: // first: a closed pool with a free slot is closed
		return nil, ErrPoolClosed
	default:
	}
	select {
	case p.slots <- struct{}{}:
	case <-p.done:
		return nil, ErrPoolClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	for {
		c, since, closed := p.take()
		if closed {
			<-p.slots
			return nil, ErrPoolClosed
		}
		if c == nil {
			break
		}
		checker, ok := c.(interface{ Check(context.Context) error })
		if !ok || time.Since(since) < recheckAfter || checker.Check(ctx) == nil {
			return c, nil
		}
		_ = c.Close()
	}
	c, err := p.transport.Open(ctx)
	if err != nil {
		<-p.slots
		return nil, err
	}
	return c, nil
}

// take removes the idle connection that was used last.
func (p *Pool) take() (Conn, time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.idle)
	if p.closed || n == 0 {
		return nil, time.Time{}, p.closed
	}
	i := p.idle[n-1]
	p.idle = p.idle[:n-1]
	i.timer.Stop()
	return i.conn, i.since, false
}

// Put gives a connection back. healthy is Outcome.Healthy of the last message; a connection that is not is closed.
func (p *Pool) Put(c Conn, healthy bool) {
	if b, ok := c.(interface{ Broken() bool }); ok && b.Broken() {
		healthy = false
	}
	p.mu.Lock()
	keep := healthy && !p.closed
	if keep {
		i := &idleConn{conn: c, since: time.Now()}
		i.timer = time.AfterFunc(IdleFor, func() { p.expire(i) })
		p.idle = append(p.idle, i)
	}
	p.mu.Unlock()
	if !keep {
		_ = c.Close()
	}
	<-p.slots
}

// expire closes a connection that nobody wanted.
func (p *Pool) expire(i *idleConn) {
	p.mu.Lock()
	for n, x := range p.idle {
		if x == i {
			p.idle = append(p.idle[:n], p.idle[n+1:]...)
			p.closing.Add(1)
			p.mu.Unlock()
			_ = i.conn.Close()
			p.closing.Done()
			return
		}
	}
	p.mu.Unlock()
}

// Close refuses further Gets, waits until every connection that is handed out came back, and closes all. When ctx ends
// first it returns its error; what comes back later is closed then.
func (p *Pool) Close(ctx context.Context) error {
	p.mu.Lock()
	if !p.closed {
		p.closed = true
		close(p.done)
	}
	idle := p.idle
	p.idle = nil
	for _, i := range idle {
		i.timer.Stop()
		p.closing.Go(func() { _ = i.conn.Close() })
	}
	p.mu.Unlock()
	for n := range cap(p.slots) {
		select {
		case p.slots <- struct{}{}:
		case <-ctx.Done():
			for range n {
				<-p.slots
			}
			return ctx.Err()
		}
	}
	for range cap(p.slots) {
		<-p.slots
	}
	p.closing.Wait()
	return nil
}
