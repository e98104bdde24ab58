package database_test

import (
	"context"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/models/database"
	"kithline/tests/testdb"
)

// heard collects what a node hears.
func heard(t *testing.T, db *database.DB) <-chan string {
	t.Helper()
	c := make(chan string, 100)
	db.Hear(func(topic string) { c <- topic })
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { defer close(ended); db.Follow(ctx, nil) }()
	t.Cleanup(func() { stop(); <-ended })
	return c
}

// await returns once the topic was heard, and what was heard before it.
func await(t *testing.T, c <-chan string, topic string) (before []string) {
	t.Helper()
	late := time.After(20 * time.Second)
	for {
		select {
		case got := <-c:
			if got == topic {
				return before
			}
			before = append(before, got)
		case <-late:
			t.Fatalf("%q was not heard, only %q", topic, before)
		}
	}
}

// What is announced on one node is heard on the other once it is committed, and never when it is rolled back; a connection that
// breaks is made anew, and everybody is told since something may have been missed.
func TestOtherNodesHear(t *testing.T) {
	url := testdb.PostgresURL(t)
	open := func() *database.DB {
		db, err := database.Open(t.Context(), database.Options{URL: url, Connections: 4})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		return db
	}
	a, b := open(), open()
	woken := b.Listen("petition:twenty")
	there := heard(t, b)
	await(t, there, "") // it listens
	<-woken             // "" is for everybody

	say := func(topic string, end error) error {
		return a.Tx(t.Context(), func(tx *gorm.DB) error {
			database.Announce(tx.WithContext(t.Context()), topic) // whatever context it has since
			database.AnnounceHere(tx, "only here")
			return end
		})
	}
	if err := say("rolled back", gorm.ErrInvalidValue); err == nil {
		t.Fatal("it was to be rolled back")
	}
	if err := say("petition:twenty", nil); err != nil {
		t.Fatal(err)
	}
	if before := await(t, there, "petition:twenty"); len(before) > 0 {
		t.Errorf("also heard: %q", before)
	}
	<-woken

	var gone int
	if err := a.Raw(`SELECT COUNT(*) FROM (SELECT pg_terminate_backend(pid) FROM pg_stat_activity
		WHERE datname = current_database() AND query = 'LISTEN kithline') AS ended`).Scan(&gone).Error; err != nil || gone != 1 {
		t.Fatalf("%d connections were ended, %v", gone, err)
	}
	await(t, there, "")
	if err := say("after", nil); err != nil {
		t.Fatal(err)
	}
	await(t, there, "after")
}

// On SQLite there is one node: it hears its own, and nothing is written for anybody else.
func TestOneNodeHearsItself(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		c := heard(t, db)
		if err := db.Tx(t.Context(), func(tx *gorm.DB) error {
			database.Announce(tx, "all")
			database.AnnounceHere(tx, "here")
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		await(t, c, "all")
		await(t, c, "here")
	})
}
