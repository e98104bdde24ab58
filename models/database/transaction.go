package database

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"
)

type announcements struct{ topics []string }

type announceKey struct{}

// Tx runs fn in a transaction and commits when it returns nil. A deadlock or a serialisation failure runs it again, up to
// five times, so fn must have no effect outside of the transaction. What fn announced is told once it is committed.
func (d *DB) Tx(ctx context.Context, fn func(tx *gorm.DB) error) error {
	for try := 0; ; try++ {
		a := &announcements{}
		err := d.WithContext(context.WithValue(ctx, announceKey{}, a)).Transaction(fn)
		if err == nil {
			for _, t := range a.topics {
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

// Announce tells everybody in this process who listens to the topic, once tx is committed. Outside of DB.Tx it does
// nothing; listeners look by themselves now and then.
func Announce(tx *gorm.DB, topic string) {
	if a, ok := tx.Statement.Context.Value(announceKey{}).(*announcements); ok && !slices.Contains(a.topics, topic) {
		a.topics = append(a.topics, topic)
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

// Tell wakes the listeners of a topic now.
func (d *DB) Tell(topic string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, c := range d.waiters[topic] {
		select {
		case c <- struct{}{}:
		default:
		}
	}
}
