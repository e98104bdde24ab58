package database

import (
	"context"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"
	"gorm.io/gorm"
)

// channel is what the nodes of one database tell each other on; the payload is a topic and nothing else.
const channel = "kithline"

// How often a silent connection is asked whether it still lives, and how long is waited before a new one is tried.
const (
	stillThere  = 15 * time.Second
	listenAgain = time.Second
)

// notify tells the other nodes with the commit of tx.
func (d *DB) notify(tx *gorm.DB, topics []string) error {
	if !d.Postgres() {
		return nil
	}
	for _, t := range topics {
		if err := tx.Exec("SELECT pg_notify(?, ?)", channel, t).Error; err != nil {
			return err
		}
	}
	return nil
}

// Follow hears what other nodes announce, until ctx ends. It keeps a connection of its own and makes a new one where that
// breaks; since announcements may have been missed meanwhile, everybody is told then. lost is told why a connection broke, once
// for each time; it may be nil. On SQLite there are no other nodes, and Follow only waits.
func (d *DB) Follow(ctx context.Context, lost func(error)) {
	for silent := false; ctx.Err() == nil; {
		var err error
		if d.Postgres() {
			if err = d.follow(ctx, func() { silent = false }); ctx.Err() != nil {
				return
			}
			if !silent && lost != nil {
				lost(err)
			}
			silent = true
		} else {
			<-ctx.Done()
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(listenAgain):
		}
	}
}

// follow listens on one connection until it breaks. It takes the connection out of the pool, so that nobody waits for it.
func (d *DB) follow(ctx context.Context, listening func()) (err error) {
	taken, err := d.Pool.Acquire(ctx)
	if err != nil {
		return err
	}
	c := taken.Hijack()
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		err = errors.Join(err, c.Close(end))
	}()
	if _, err := c.Exec(ctx, "LISTEN "+channel); err != nil {
		return err
	}
	listening()
	d.Tell("")
	for {
		topic, err := next(ctx, c)
		if err != nil {
			return err
		}
		if topic != "" {
			d.Tell(topic)
		}
	}
}

// next waits for an announcement; "" is for none in a while, and a connection that lives.
func next(ctx context.Context, c *pgx.Conn) (string, error) {
	wait, cancel := context.WithTimeout(ctx, stillThere)
	defer cancel()
	n, err := c.WaitForNotification(wait)
	switch {
	case err == nil:
		return n.Payload, nil
	case ctx.Err() != nil || wait.Err() == nil || c.IsClosed():
		return "", err
	}
	ask, cancelAsk := context.WithTimeout(ctx, stillThere)
	defer cancelAsk()
	return "", c.Ping(ask)
}
