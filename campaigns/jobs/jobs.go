// Package jobs wraps River, the queue that lives in the same database as the rows: a job is inserted in the transaction
// whose work it continues, so neither is there without the other. Arguments hold ids only, and every job may run twice.
//
// Mail does not go through jobs: a delivery is its own row with its own states, see campaigns/deliveries.
package jobs

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivertype"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models/database"
)

// Rescue is how long a job may run before another node takes it for lost. Long work enqueues itself again in steps.
const Rescue = time.Minute

// Client inserts jobs and works them.
type Client struct {
	db     *database.DB
	insert func(ctx context.Context, tx *gorm.DB, args river.JobArgs, o *river.InsertOpts) error
	start  func(context.Context) error
	stop   func(context.Context) error
	kill   func(context.Context) error
	list   func(ctx context.Context, p *river.JobListParams) (*river.JobListResult, error)
	retry  func(ctx context.Context, id int64) (*rivertype.JobRow, error)
	cancel func(ctx context.Context, id int64) (*rivertype.JobRow, error)
	events func(...river.EventKind) (<-chan *river.Event, func())
}

// Options say which workers there are and what runs by itself.
type Options struct {
	Workers *river.Workers
	Regular []Regular
	Log     *slog.Logger
	Poll    time.Duration // how often to look for jobs that nobody told of; 0 = one second
}

// Regular is housekeeping that runs by itself: once soon after the start and then every so often, on one node at a time.
type Regular struct {
	Name  string
	Every time.Duration
	Run   func(ctx context.Context) error // may run twice; ends within Rescue
}

type regularArgs struct {
	Name string `json:"name"`
}

func (regularArgs) Kind() string { return "regular" }

type regularWorker struct {
	river.WorkerDefaults[regularArgs]
	run map[string]func(context.Context) error
}

func (w *regularWorker) Work(ctx context.Context, j *river.Job[regularArgs]) error {
	run, ok := w.run[j.Args.Name]
	if !ok {
		return river.JobCancel(fmt.Errorf("jobs: nobody does %q any more", j.Args.Name))
	}
	return run(ctx)
}

// regular registers what runs by itself and returns River's schedule of it.
func regular(workers *river.Workers, rs []Regular) []*river.PeriodicJob {
	w := &regularWorker{run: map[string]func(context.Context) error{}}
	var out []*river.PeriodicJob
	for _, r := range rs {
		if _, twice := w.run[r.Name]; twice {
			panic("jobs: two regular jobs are called " + r.Name)
		}
		w.run[r.Name] = r.Run
		args := regularArgs{r.Name}
		out = append(out, river.NewPeriodicJob(river.PeriodicInterval(r.Every), func() (river.JobArgs, *river.InsertOpts) {
			return args, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
				rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
			}}}
		}, &river.PeriodicJobOpts{RunOnStart: true}))
	}
	river.AddWorker(workers, w)
	return out
}

// New makes a client on either database. Nothing runs before Start.
func New(db *database.DB, o Options) (*Client, error) {
	if o.Workers == nil {
		o.Workers = river.NewWorkers()
	}
	poll := o.Poll
	if poll == 0 {
		poll = time.Second
	}
	cfg := &river.Config{
		Workers: o.Workers, PeriodicJobs: regular(o.Workers, o.Regular), Logger: o.Log,
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		FetchCooldown:        50 * time.Millisecond,
		FetchPollInterval:    poll,
		JobTimeout:           Rescue - 10*time.Second,
		RescueStuckJobsAfter: Rescue,
	}
	c := &Client{db: db}
	var err error
	if db.Postgres() {
		err = bind(c, riverpgxv5.New(db.Pool), cfg, database.PgxTx)
	} else {
		err = bind(c, riversqlite.New(db.SQL), cfg, func(tx *gorm.DB) (*sql.Tx, error) { return database.SQLTx(tx) })
	}
	if err != nil {
		return nil, fmt.Errorf("jobs: %w", err)
	}
	return c, nil
}

// inserted is what River's listeners hear of a job that waits: its topic and its words.
var inserted = riverdriver.NotifyManyParams{Topic: "river_insert", Payload: []string{`{"queue": "` + river.QueueDefault + `"}`}}

func bind[T any](c *Client, driver riverdriver.Driver[T], cfg *river.Config, unwrap func(*gorm.DB) (T, error)) error {
	r, err := river.NewClient(driver, cfg)
	if err != nil {
		return err
	}
	c.insert = func(ctx context.Context, tx *gorm.DB, args river.JobArgs, o *river.InsertOpts) error {
		t, err := unwrap(tx)
		if err != nil {
			return err
		}
		if _, err = r.InsertTx(ctx, t, args, o); err != nil {
			return err
		}
		// River tells of one job within FetchCooldown and is silent about the next, which is committed later or instead of the first: each
		// is told of with its own commit, so that none waits for the poll.
		return driver.UnwrapExecutor(t).NotifyMany(ctx, &inserted)
	}
	c.start, c.stop, c.kill = r.Start, r.Stop, r.StopAndCancel
	c.list, c.retry, c.cancel = r.JobList, r.JobRetry, r.JobCancel
	c.events = r.Subscribe
	return nil
}

// Enqueue inserts a job in tx. It runs once tx is committed, and never if it is not.
func (c *Client) Enqueue(ctx context.Context, tx *gorm.DB, args river.JobArgs) error {
	return c.insert(ctx, tx, args, nil)
}

// Start begins to work jobs.
func (c *Client) Start(ctx context.Context) error { return c.start(ctx) }

// Stop takes no new jobs and waits for those that run; when ctx ends first, they are told to stop and will run again.
func (c *Client) Stop(ctx context.Context) error {
	if err := c.stop(ctx); err == nil || ctx.Err() == nil {
		return err
	}
	hard, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	return c.kill(hard)
}

// Subscribe tells of jobs that ended; call the returned function to stop. For tests and progress.
func (c *Client) Subscribe(k ...river.EventKind) (<-chan *river.Event, func()) { return c.events(k...) }

// Job is one row of the jobs page.
type Job struct {
	ID          int64
	Kind        string
	Args        string // JSON: ids and names of ours
	State       string
	Attempt     int
	MaxAttempts int
	CreatedAt   time.Time
	ScheduledAt time.Time
	FinishedAt  *time.Time
	LastError   string
}

// States lists the states of a job that the jobs page can filter by.
var States = []string{"available", "running", "retryable", "scheduled", "completed", "discarded", "cancelled"}

// List returns the newest jobs, at most 200, of one state or of all for "". It needs the right actor.Administer.
func (c *Client) List(ctx context.Context, a actor.Actor, state string) ([]Job, error) {
	if err := a.Need(actor.Administer); err != nil {
		return nil, err
	}
	p := river.NewJobListParams().First(200).OrderBy(river.JobListOrderByID, river.SortOrderDesc)
	if state != "" {
		p = p.States(rivertype.JobState(state))
	}
	res, err := c.list(ctx, p)
	if err != nil {
		return nil, err
	}
	out := make([]Job, 0, len(res.Jobs))
	for _, j := range res.Jobs {
		row := Job{
			ID: j.ID, Kind: j.Kind, Args: string(j.EncodedArgs), State: string(j.State), Attempt: j.Attempt, MaxAttempts: j.MaxAttempts,
			CreatedAt: j.CreatedAt, ScheduledAt: j.ScheduledAt, FinishedAt: j.FinalizedAt,
		}
		if n := len(j.Errors); n > 0 {
			row.LastError = j.Errors[n-1].Error
		}
		out = append(out, row)
	}
	return out, nil
}

// Retry runs a job again now. It needs the right actor.Administer, and returns a NotFound fault for an unknown id.
func (c *Client) Retry(ctx context.Context, a actor.Actor, id int64) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	_, err := c.retry(ctx, id)
	return notFound(err)
}

// Cancel ends a job for good. It needs the right actor.Administer, and returns a NotFound fault for an unknown id.
func (c *Client) Cancel(ctx context.Context, a actor.Actor, id int64) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	_, err := c.cancel(ctx, id)
	return notFound(err)
}

func notFound(err error) error {
	if errors.Is(err, river.ErrNotFound) {
		return fault.New(fault.NotFound, "error.not_found")
	}
	return err
}
