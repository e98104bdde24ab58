package mailer

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestPoolReuses runs in a bubble of its own time: what is waited for happens at once.
func TestPoolReuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		p := NewPool(m, 2)
		counts := func(what string, ever, now int) {
			t.Helper()
			if e, n := m.Opened(); e != ever || n != now {
				t.Fatalf("%s: %d opened, %d open, want %d and %d", what, e, n, ever, now)
			}
		}
		get := func() Conn {
			t.Helper()
			c, err := p.Get(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		a := get()
		p.Put(a, true)
		if get() != a {
			t.Fatal("the connection is not used again")
		}
		b := get()
		counts("two handed out", 2, 2)

		waited := make(chan Conn)
		go func() { waited <- get() }()
		synctest.Wait()
		select {
		case <-waited:
			t.Fatal("a third connection of two")
		default:
		}
		p.Put(b, true)
		if c := <-waited; c != b {
			t.Fatal("the one that waited got another connection")
		}
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := p.Get(short); !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		p.Put(a, false)
		counts("one was unhealthy", 2, 1)
		a = get()
		counts("opened anew", 3, 2)

		p.Put(a, true)
		p.Put(b, true)
		time.Sleep(IdleFor - time.Second)
		synctest.Wait()
		counts("idle for a while", 3, 2)
		b = get()
		p.Put(b, true)
		time.Sleep(2 * time.Second)
		synctest.Wait()
		counts("one idle for long", 3, 1)
		time.Sleep(IdleFor)
		synctest.Wait()
		counts("both idle for long", 3, 0)

		m.Refuse(errors.New("no server"))
		if _, err := p.Get(t.Context()); err == nil {
			t.Fatal("opened")
		}
		if _, err := p.Get(t.Context()); err == nil {
			t.Fatal("opened")
		}
		m.Refuse(nil)
		a, b = get(), get() // failed openings keep no place
		p.Put(b, true)

		closed := make(chan error)
		go func() { closed <- p.Close(t.Context()) }()
		synctest.Wait()
		counts("closing: the idle one is gone", 5, 1)
		if _, err := p.Get(t.Context()); !errors.Is(err, ErrPoolClosed) {
			t.Fatal(err)
		}
		p.Put(a, true)
		if err := <-closed; err != nil {
			t.Fatal(err)
		}
		counts("closed", 5, 0)
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPoolCloseGivesUp(t *testing.T) {
	m := NewMemory()
	p := NewPool(m, 2)
	c, err := p.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := p.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	p.Put(c, true)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, now := m.Opened(); now != 0 {
		t.Errorf("%d still open", now)
	}
}

// checked is a connection that can say whether it still works.
type checked struct {
	Conn
	checks atomic.Int32
	dead   atomic.Bool
}

func (c *checked) Check(context.Context) error {
	c.checks.Add(1)
	if c.dead.Load() {
		return errors.New("dead")
	}
	return nil
}

func (c *checked) Broken() bool { return false }

type checkedTransport struct{ *Memory }

func (t checkedTransport) Open(ctx context.Context) (Conn, error) {
	c, err := t.Memory.Open(ctx)
	return &checked{Conn: c}, err
}

func TestPoolAsksIdleConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := NewMemory()
		p := NewPool(checkedTransport{m}, 1)
		c, _ := p.Get(t.Context())
		first := c.(*checked)
		p.Put(c, true)
		if c, _ = p.Get(t.Context()); c != first || first.checks.Load() != 0 {
			t.Fatal("asked at once")
		}
		p.Put(c, true)
		time.Sleep(recheckAfter + time.Second)
		if c, _ = p.Get(t.Context()); c != first || first.checks.Load() != 1 {
			t.Fatal("not asked after a while")
		}
		first.dead.Store(true)
		p.Put(c, true)
		time.Sleep(recheckAfter + time.Second)
		if c, _ = p.Get(t.Context()); c == first {
			t.Fatal("a dead connection was handed out")
		}
		p.Put(c, true)
		if ever, now := m.Opened(); ever != 2 || now != 1 {
			t.Fatalf("%d, %d", ever, now)
		}
		if err := p.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}

func TestPoolOverSMTP(t *testing.T) {
	s := &server{}
	s.start(t, NoTLS, nil)
	p := NewPool(newSMTP(t, quick(s.addr.Port)), 4)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 10 {
				c, err := p.Get(t.Context())
				if err != nil {
					t.Error(err)
					return
				}
				o := c.Send(t.Context(), sample())
				if o.State != Accepted {
					t.Errorf("%+v", o)
				}
				p.Put(c, o.Healthy())
			}
		})
	}
	wg.Wait()
	if n := len(s.received()); n != 80 || s.conns > 4 {
		t.Errorf("%d messages over %d connections", n, s.conns)
	}
	// A real connection that is asked, alive and dead.
	c, err := p.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k := c.(*smtpConn)
	if err := k.Check(t.Context()); err != nil {
		t.Error(err)
	}
	_ = k.wire.Conn.Close()
	if err := k.Check(t.Context()); err == nil || !k.Broken() {
		t.Errorf("%v", err)
	}
	p.Put(c, true)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
}
