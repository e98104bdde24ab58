package deliveries

import (
	"context"
	"errors"
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// wireTime is how long a graceful stop waits for a mail that is on the wire.
const wireTime = 15 * time.Second

// send takes jobs and sends them, one connection at a time, until the queue is closed.
func (e *engine) send() {
	for {
		j := e.queue.take(true)
		switch {
		case j == nil:
			return
		case e.stop.Err() != nil:
			e.giveBack(j)
		default:
			e.chain(j)
		}
	}
}

// chain sends a job and those after it over one connection, as long as there are any. While one is on the wire the next is committed
// as "sending", together with the answer to the one before: so two rows of a connection are "sending" at most, and the wire waits for
// no commit. The server hears of the next one with the text of the one before it, and gets its text only once that is committed; what
// cannot be begun after all costs the connection.
func (e *engine) chain(cur *job) {
	if !e.ready(cur) {
		return
	}
	conn, err := e.connect(cur)
	if err != nil {
		e.trouble(err)
		e.giveBack(cur)
		return
	}
	first := &change{begin: cur}
	for again := true; again; again = first.late() {
		if !e.commit(first) {
			cur.way.pool.Put(conn, true)
			return
		}
	}
	var last *change // whose end is not committed yet
	for cur != nil {
		var next *job
		if !e.limited() {
			next = e.next()
		}
		c, wait := &change{begin: next}, func() error { return nil }
		if last != nil {
			c.end, c.ended = last.end, last.ended
		}
		if next != nil || last != nil {
			wait = e.group.Start(c)
		}
		o := e.wire(conn, cur, next)
		if err := wait(); err != nil {
			e.failed(c, err)
			c.begun = false
		} else {
			e.settle(c)
		}
		last = e.outcome(cur, o)
		sent := cur
		if cur = nil; next != nil && c.begun {
			cur = next
		}
		if cur != nil && e.stop.Err() != nil { // begun, but not on the wire
			e.giveBack(cur)
			cur = nil
		}
		if cur != nil && o.Healthy() && !e.changed(sent) {
			cur.way = sent.way
			continue
		}
		sent.way.pool.Put(conn, o.Healthy())
		if cur != nil {
			if conn, err = e.connect(cur); err != nil {
				e.trouble(err)
				e.giveBack(cur)
				cur = nil
			}
		}
	}
	if last != nil {
		e.record(last)
	}
}

// next is one more job that is ready, nil where none is at hand.
func (e *engine) next() *job {
	for e.stop.Err() == nil {
		j := e.queue.take(false)
		if j == nil || e.ready(j) {
			return j
		}
	}
	return nil
}

// ready makes the message of a job. Where that cannot be, or it is night where the person lives, the delivery is ended or waits in the
// outbox, and it reports false.
func (e *engine) ready(j *job) bool {
	if until := e.quiet(j); !until.IsZero() && j.wrong == nil {
		later := &end{Delivery: j.d}
		later.State, later.NotBefore = models.DeliveryQueued, until
		e.record(&change{ended: j, end: later})
		return false
	}
	err := j.wrong
	if err == nil {
		err = e.s.make(j)
	}
	d := j.d
	var later NotYet
	switch {
	case err == nil:
		return true
	case errors.As(err, &later):
		d.State, d.NotBefore = models.DeliveryQueued, clock.Trim(later.Until)
	case fault.Is(err, fault.Gone):
		d.State = models.DeliveryExpired
	case errors.Is(err, mailer.ErrMessage):
		e.s.opt.Log.Error("a mail cannot be made", "delivery", d.ID, "kind", d.Kind, "error", err.Error())
		d.State = models.DeliveryFailed
	case database.Lost(err):
		e.trouble(err)
		e.giveBack(j)
		return false
	default:
		e.s.opt.Log.Error("a mail cannot be made now", "delivery", d.ID, "kind", d.Kind, "error", err.Error())
		e.record(&change{ended: j, end: after(d, mailer.Outcome{State: mailer.NotSent}, e.s.clk.Now())})
		return false
	}
	e.record(&change{ended: j, end: &end{Delivery: d}})
	return false
}

// wire hands a message over, and announces the next one that is to follow. A graceful stop waits for it a while.
func (e *engine) wire(conn mailer.Conn, j, next *job) mailer.Outcome {
	ctx, cancel := context.WithCancel(e.work)
	defer cancel()
	defer context.AfterFunc(e.stop, func() { time.AfterFunc(wireTime, cancel) })()
	if p, ok := conn.(mailer.Pipelined); ok && next != nil {
		return p.SendBefore(ctx, j.message, next.message)
	}
	return conn.Send(ctx, j.message)
}

// outcome is what the server's answer makes of a job.
func (e *engine) outcome(j *job, o mailer.Outcome) *change {
	j.message.Release()
	j.message = mailer.Message{}
	if o.State == mailer.Accepted {
		e.refusals.Store(0)
	} else {
		e.s.opt.Log.Info("a mail was not taken", "delivery", j.d.ID, "kind", j.d.Kind, "outcome", string(o.State), "phase", o.Phase, "code", o.Code, "reply", o.Reply)
		if o.Code == 421 && e.refusals.Add(1) >= int64(max(3, j.way.Connections)) {
			e.trouble(&mailer.Failure{Kind: mailer.Refused, Code: o.Code, Reply: o.Reply})
		}
	}
	e.s.brake(e.work, j.d, o)
	return &change{ended: j, end: after(j.d, o, e.s.clk.Now())}
}

// commit writes a change and tells whether its job was begun.
func (e *engine) commit(c *change) bool {
	if err := e.group.Do(e.work, c); err != nil {
		e.failed(c, err)
		return false
	}
	e.settle(c)
	return c.begun
}

// settle gives back or ends the jobs of a change that is committed.
func (e *engine) settle(c *change) {
	if c.ended != nil {
		e.over(c.ended)
	}
	switch {
	case c.begin == nil:
	case c.begun:
		c.begin.d.Attempt++
	case !c.until.IsZero():
		e.queue.again(c.begin, c.until)
	default:
		e.over(c.begin)
	}
}

// failed is settle for a change that could not be committed: what is begun in it was not put on the wire; what ended in it is tried
// again.
func (e *engine) failed(c *change, err error) {
	e.trouble(err)
	if c.begin != nil {
		e.giveBack(c.begin)
	}
	if c.ended != nil {
		e.record(&change{ended: c.ended, end: c.end})
	}
}

// record commits the end of an attempt: an answer that is known is worth some tries, for as long as the lease lasts. What is not
// recorded then is found by recovery.
func (e *engine) record(c *change) {
	give := time.Now().Add(e.s.opt.Lease)
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := e.group.Do(e.work, c)
		if err == nil {
			break
		}
		if time.Now().Add(wait).After(give) {
			e.trouble(err)
			break
		}
		select {
		case <-e.work.Done():
			e.over(c.ended)
			return
		case <-time.After(wait):
		}
	}
	e.over(c.ended)
}

// giveBack returns a job to the outbox that was not put on the wire.
func (e *engine) giveBack(j *job) {
	e.s.release(e.work, j.d)
	e.over(j)
}

// over says that this process is not at work on a job any more.
func (e *engine) over(j *job) {
	e.s.drop(j)
	e.queue.done(j)
}
