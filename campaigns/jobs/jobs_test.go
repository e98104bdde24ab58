package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"testing"
	"time"

	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
	"kithline/models/database"
	"kithline/tests/testdb"
)

type greet struct {
	Name string `json:"name"`
}

func (greet) Kind() string { return "greet" }

type greeter struct {
	river.WorkerDefaults[greet]
	ran  chan string
	fail func(attempt int) error
}

func (g *greeter) Work(_ context.Context, j *river.Job[greet]) error {
	g.ran <- j.Args.Name
	if g.fail != nil {
		return g.fail(j.Attempt)
	}
	return nil
}

func (g *greeter) NextRetry(*river.Job[greet]) time.Time { return time.Now() }

func client(t *testing.T, db *database.DB, g *greeter, regular ...jobs.Regular) *jobs.Client {
	t.Helper()
	return polling(t, db, g, 50*time.Millisecond, regular...)
}

func polling(t *testing.T, db *database.DB, g *greeter, poll time.Duration, regular ...jobs.Regular) *jobs.Client {
	t.Helper()
	w := river.NewWorkers()
	river.AddWorker(w, g)
	c, err := jobs.New(db, jobs.Options{Workers: w, Regular: regular, Log: slog.New(slog.DiscardHandler), Poll: poll})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func start(t *testing.T, c *jobs.Client) {
	t.Helper()
	if err := c.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if err := c.Stop(ctx); err != nil {
			t.Error(err)
		}
	})
}

func take[T any](t *testing.T, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(20 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestAJobLivesAndDiesWithItsTransaction(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		g := &greeter{ran: make(chan string, 10)}
		c := client(t, db, g)
		boom := errors.New("boom")
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			if err := c.Enqueue(ctx, tx, greet{"never"}); err != nil {
				return err
			}
			return boom
		})
		if !errors.Is(err, boom) {
			t.Fatal(err)
		}
		if err := db.Tx(ctx, func(tx *gorm.DB) error { return c.Enqueue(ctx, tx, greet{"June"}) }); err != nil {
			t.Fatal(err)
		}
		if err := c.Enqueue(ctx, db.DB, greet{"outside"}); err == nil {
			t.Fatal("a job without a transaction was taken")
		}
		start(t, c)
		if got := take(t, g.ran); got != "June" {
			t.Fatalf("ran %q", got)
		}
		list, err := c.List(ctx, actor.TheSystem(), "")
		if err != nil || len(list) != 1 {
			t.Fatalf("%d jobs, %v", len(list), err)
		}
	})
}

// A job runs once it is committed and waits for no poll, also right after another one, and after one that was rolled back.
func TestNoJobWaitsForThePoll(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		g := &greeter{ran: make(chan string, 10)}
		c := polling(t, db, g, time.Hour)
		start(t, c)
		enqueue := func(name string, end error) {
			if err := db.Tx(ctx, func(tx *gorm.DB) error { return errors.Join(c.Enqueue(ctx, tx, greet{name}), end) }); !errors.Is(err, end) {
				t.Fatal(err)
			}
		}
		for _, name := range []string{"June", "Cal", "Ilse", "Hal", "Rosa"} {
			enqueue("nobody", errors.New("boom"))
			enqueue(name, nil)
			if got := take(t, g.ran); got != name {
				t.Fatalf("ran %q", got)
			}
		}
	})
}

func TestRetriedUntilItWorks(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		g := &greeter{ran: make(chan string, 10), fail: func(attempt int) error {
			if attempt == 1 {
				return errors.New("not today")
			}
			return nil
		}}
		c := client(t, db, g)
		done, cancel := c.Subscribe(river.EventKindJobCompleted)
		defer cancel()
		if err := db.Tx(ctx, func(tx *gorm.DB) error { return c.Enqueue(ctx, tx, greet{"June"}) }); err != nil {
			t.Fatal(err)
		}
		start(t, c)
		take(t, done)
		list, err := c.List(ctx, actor.TheSystem(), "completed")
		if err != nil || len(list) != 1 || list[0].Attempt != 2 || list[0].LastError != "not today" {
			t.Fatalf("%+v %v", list, err)
		}
	})
}

func TestPeriodicJobsRunByThemselves(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ran := make(chan struct{}, 10)
		start(t, client(t, db, &greeter{ran: make(chan string, 1)}, jobs.Regular{Name: "sweep", Every: time.Hour, Run: func(context.Context) error {
			ran <- struct{}{}
			return nil
		}}))
		take(t, ran)
	})
}

func TestThePageIsForOwners(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		c := client(t, db, &greeter{ran: make(chan string, 1)})
		organizer := actor.Actor{Kind: actor.User, Role: actor.Organizer}
		if _, err := c.List(ctx, organizer, ""); !fault.Is(err, fault.Forbidden) {
			t.Errorf("list: %v", err)
		}
		if err := c.Retry(ctx, organizer, 1); !fault.Is(err, fault.Forbidden) {
			t.Errorf("retry: %v", err)
		}
		if err := c.Cancel(ctx, organizer, 1); !fault.Is(err, fault.Forbidden) {
			t.Errorf("cancel: %v", err)
		}
		if err := c.Retry(ctx, actor.TheSystem(), 4711); !fault.Is(err, fault.NotFound) {
			t.Errorf("an unknown job: %v", err)
		}
	})
}
