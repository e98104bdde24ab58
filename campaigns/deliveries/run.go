package deliveries

import (
	"context"
	"errors"
	"sync"
	"time"

	"kithline/campaigns/fault"
	"kithline/mailer"
	"kithline/models"
)

// wireTime is how long a graceful stop waits for a mail that is on the wire.
const wireTime = 15 * time.Second

// Run sends until ctx ends, then finishes what is on the wire, gives back what it had claimed, and returns. One call a
// process; several processes may run on one database.
func (s *Service) Run(ctx context.Context) error {
	work := context.WithoutCancel(ctx) // what is under way is ended properly
	wake := s.db.Listen(topic)
	poll := time.NewTicker(s.opt.Poll)
	defer poll.Stop()
	var beat sync.WaitGroup
	defer beat.Wait()
	alive, die := context.WithCancel(work)
	defer die()
	beat.Go(func() { s.heartbeat(alive) })

	pause := time.Duration(0) // grows while there is no way out
	var until time.Time
	for {
		if !time.Now().Before(until) {
			n, err := s.round(ctx, work)
			switch {
			case err != nil:
				pause = min(max(2*pause, s.opt.Poll), time.Minute)
				until = time.Now().Add(pause)
				s.opt.Log.Warn("mail waits", "error", err.Error(), "again_in", pause)
			case n > 0:
				pause = 0
				if ctx.Err() == nil {
					continue // there may be more
				}
			default:
				pause = 0
			}
		}
		select {
		case <-ctx.Done():
			s.closePool()
			return nil
		case <-wake:
		case <-poll.C:
		}
	}
}

// Drain sends whatever is due now and returns how many deliveries it handled: for the demo and for tests.
func (s *Service) Drain(ctx context.Context) (int, error) {
	total := 0
	for {
		n, err := s.round(ctx, ctx)
		total += n
		if err != nil || n == 0 {
			s.closePool()
			return total, err
		}
	}
}

func (s *Service) heartbeat(ctx context.Context) {
	t := time.NewTicker(s.opt.Lease / 3)
	defer t.Stop()
	for {
		if err := s.Recover(ctx); err != nil && ctx.Err() == nil {
			s.opt.Log.Error("recovering deliveries", "error", err.Error())
		}
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		if err := s.keep(ctx); err != nil && ctx.Err() == nil {
			s.opt.Log.Error("renewing leases", "error", err.Error())
		}
	}
}

// round claims a batch and sends it over all connections. It returns how many it claimed, and an error when there is no way
// out just now. stop ends the claiming; what is under way runs on under work.
func (s *Service) round(stop, work context.Context) (int, error) {
	from, err := s.opt.Sender(work)
	if err != nil {
		return 0, err
	}
	if from.Transport == nil {
		s.setHealth("mail.no_transport")
		return 0, nil
	}
	conns := max(from.Connections, 1)
	batch, err := s.claim(work, conns*20)
	if err != nil || len(batch) == 0 {
		return 0, err
	}
	defer s.hold(batch)()
	pool := s.poolOf(from.Transport, conns)
	next := make(chan models.Delivery, len(batch))
	for _, d := range batch {
		next <- d
	}
	close(next)
	var mu sync.Mutex
	var failed error
	var back []models.Delivery
	var wg sync.WaitGroup
	for range min(conns, len(batch)) {
		wg.Go(func() {
			for d := range next {
				mu.Lock()
				down := failed != nil || stop.Err() != nil
				if down {
					back = append(back, d)
				}
				mu.Unlock()
				if down {
					continue
				}
				if err := s.one(work, stop, pool, from, d); err != nil {
					mu.Lock()
					failed, back = err, append(back, d)
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if err := s.release(work, back...); err != nil {
		s.opt.Log.Error("giving deliveries back", "error", err.Error())
	}
	if failed == nil && len(back) == 0 {
		s.setHealth("")
	}
	return len(batch), failed
}

// one sends one delivery and records its end. The error says that there is no way out, or no database: the delivery was not
// tried, or its end is found out by recovery.
func (s *Service) one(work, stop context.Context, pool *mailer.Pool, from Sender, d models.Delivery) error {
	m, err := s.message(work, from, d)
	switch {
	case fault.Is(err, fault.Gone):
		return s.finish(work, d, end{state: models.DeliveryExpired, notBefore: d.NotBefore, deferrals: d.Deferrals})
	case errors.Is(err, mailer.ErrMessage):
		s.opt.Log.Error("a mail cannot be made", "delivery", d.ID, "kind", d.Kind, "error", err.Error())
		return s.finish(work, d, end{state: models.DeliveryFailed, notBefore: d.NotBefore, deferrals: d.Deferrals})
	case err != nil:
		s.opt.Log.Error("a mail cannot be made now", "delivery", d.ID, "kind", d.Kind, "error", err.Error())
		return s.finish(work, d, after(d, mailer.Outcome{State: mailer.NotSent}, s.clk.Now()))
	}
	conn, err := pool.Get(work)
	if err != nil {
		s.setHealth(healthKey(err))
		return err
	}
	ok, err := s.begin(work, d)
	if err != nil || !ok {
		pool.Put(conn, true)
		return err
	}
	wire, cancel := context.WithCancel(work)
	defer cancel()
	halt := context.AfterFunc(stop, func() { time.AfterFunc(wireTime, cancel) })
	defer halt()
	o := conn.Send(wire, m)
	pool.Put(conn, o.Healthy())
	if o.State != mailer.Accepted {
		s.opt.Log.Info("a mail was not taken", "delivery", d.ID, "kind", d.Kind, "outcome", string(o.State), "phase", o.Phase, "code", o.Code, "reply", o.Reply)
	}
	return s.record(work, d, after(d, o, s.clk.Now()))
}

// record is finish for an attempt that was on the wire: the answer is known now and worth some tries, for as long as the
// lease lasts.
func (s *Service) record(ctx context.Context, d models.Delivery, e end) error {
	give := time.Now().Add(s.opt.Lease)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := s.finish(ctx, d, e)
		if err == nil || time.Now().Add(wait).After(give) {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(wait):
		}
	}
}

func healthKey(err error) string {
	var f *mailer.Failure
	if errors.As(err, &f) {
		return f.Kind
	}
	return "smtp.unreachable"
}

func (s *Service) poolOf(t mailer.Transport, n int) *mailer.Pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.poolFor != t || s.poolN != n {
		if s.pool != nil {
			_ = s.pool.Close(context.Background())
		}
		s.pool, s.poolFor, s.poolN = mailer.NewPool(t, n), t, n
	}
	return s.pool
}

func (s *Service) closePool() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pool != nil {
		_ = s.pool.Close(context.Background())
		s.pool, s.poolFor = nil, nil
	}
}
