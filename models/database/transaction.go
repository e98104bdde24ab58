package database

import (
	"context"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
)

// announcements are the topics of one transaction: those that every node hears, and those of this process alone.
type announcements struct{ all, here []string }

// running are the announcements of transactions that run, by what they run on: a *gorm.DB of one is changed freely, its context too,
// but all of them share that.
var running sync.Map // gorm.ConnPool to *announcements

func announcementsOf(tx *gorm.DB) *announcements {
	a, _ := running.Load(tx.Statement.ConnPool)
	of, _ := a.(*announcements)
	return of
}

// Tx runs fn in a transaction and commits when it returns nil. A deadlock or a serialisation failure runs it again, up to
// five times, so fn must have no effect outside of the transaction. What fn announced is told once it is committed; what every
// node is to hear goes out with the commit itself.
func (d *DB) Tx(ctx context.Context, fn func(tx *gorm.DB) error) error {
	for try := 0; ; try++ {
		a := &announcements{}
		err := d.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
			running.Store(tx.Statement.ConnPool, a)
			defer running.Delete(tx.Statement.ConnPool)
			if err := fn(tx); err != nil {
				return err
			}
			return d.notify(tx, a.all)
		})
		if err == nil {
			for _, t := range append(a.all, a.here...) {
				d.Tell(t)
			}
			return nil
		}
		if !Retryable(err) || try == 4 {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(time.Duration(1<<try) * 5 * time.Millisecond):
		}
	}
}

// Announce tells everybody who listens to the topic, on every node that shares the database, once tx is committed: at most
// 200 bytes, words of the program, no secret. Outside of DB.Tx it does nothing; listeners look by themselves now and then.
// PostgreSQL lets commits that announce pass one after another, so a hot path uses AnnounceHere.
func Announce(tx *gorm.DB, topic string) {
	if a := announcementsOf(tx); a != nil && !slices.Contains(a.all, topic) {
		a.all = append(a.all, topic)
	}
}

// AnnounceHere is Announce for this process alone.
func AnnounceHere(tx *gorm.DB, topic string) {
	if a := announcementsOf(tx); a != nil && !slices.Contains(a.here, topic) {
		a.here = append(a.here, topic)
	}
}

// Listen returns a channel that gets a token after each commit that announced the topic; tokens that nobody took are
// folded into one.
func (d *DB) Listen(topic string) <-chan struct{} {
	c := make(chan struct{}, 1)
	d.mu.Lock()
	d.waiters[topic] = append(d.waiters[topic], c)
	d.mu.Unlock()
	return c
}

// Hear calls fn with every topic that is announced from now on, here or on another node, as soon as it is known here; more
// than once for one announcement at times. The topic is "" where announcements may have been missed: anything may have changed.
// fn must be quick, and must not call Hear.
func (d *DB) Hear(fn func(topic string)) {
	d.mu.Lock()
	d.hearers = append(d.hearers, fn)
	d.mu.Unlock()
}

// Tell wakes the listeners of a topic in this process now; all of them for "".
func (d *DB) Tell(topic string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for t, waiting := range d.waiters {
		if t != topic && topic != "" {
			continue
		}
		for _, c := range waiting {
			select {
			case c <- struct{}{}:
			default:
			}
		}
	}
	for _, fn := range d.hearers {
		fn(topic)
	}
}
