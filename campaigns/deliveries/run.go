package deliveries

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kithline/campaigns/groupcommit"
	"kithline/mailer"
	"kithline/models"
)

// Run sends until ctx ends, then finishes what is on the wire, and returns. One call a
// process; several processes may run on one database.
func (s *Service) Run(ctx context.Context) error {
	work := context.WithoutCancel(ctx) // what is under way is ended properly
	alive, die := context.WithCancel(work)
	var beat sync.WaitGroup
	defer beat.Wait()
	defer die()
	beat.Go(func() { s.heartbeat(alive) })
	_, err := s.engine(ctx, work).run(false)
	return err
}

// Drain sends whatever is due now and returns how many deliveries it handled: for the demo and for tests.
func (s *Service) Drain(ctx context.Context) (int, error) { return s.engine(ctx, ctx).run(true) }

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

// engine is one run of the outbox in this process: it reads ahead of what the connections send.
type engine struct {
	s          *Service
	stop, work context.Context // stop ends the reading; what is under way runs on under work
	queue      *queue
	group      *groupcommit.Group[change]
	senders    sync.WaitGroup
	running    int               // senders
	turn       int               // of the mailings that are being sent, which is asked next
	places     map[reading]place // how far they were read
	refusals   atomic.Int64
	changing   atomic.Int64   // ways out whose connections are not closed yet
	closing    sync.WaitGroup // the same

	mu      sync.Mutex
	limits  models.Limits
	share   share
	waiting map[string]time.Time // by limit of a domain: when the last of those that wait for it is looked at
	way     *way
	down    error         // there is no way out, or no database, since the last fill
	pause   time.Duration // grows while that lasts
	until   time.Time
}

func (s *Service) engine(stop, work context.Context) *engine {
	e := &engine{s: s, stop: stop, work: work, share: alone, waiting: map[string]time.Time{}, places: map[reading]place{}}
	e.queue = newQueue(e.connectionsFor)
	e.group = groupcommit.NewSingle(s.db, e.write, e.single)
	return e
}

// batch is how many deliveries are held for so many connections: enough for the time of a read.
func batch(connections int) int { return min(max(connections*16, 64), 1024) }

// many is how many deliveries are read at once where mail goes out to many.
const many = 64

// run reads and sends until stop ends, or where it drains until nothing is due. It returns how many it read; while it drains also
// why there is no way out.
func (e *engine) run(drain bool) (total int, err error) {
	defer e.end()
	wake := e.s.db.Listen(topic)
	poll := time.NewTicker(e.s.opt.Poll)
	defer poll.Stop()
	look, more := true, false // look for work; there may be more than was read
	for {
		if e.stop.Err() != nil {
			return total, nil
		}
		if e.rested() && (look || more) {
			n, full, err := e.fill()
			if err != nil {
				e.trouble(err)
			}
			total, look, more = total+n, false, full
		}
		down := e.failing()
		if down != nil {
			e.giveAllBack()
			if drain {
				return total, down
			}
			more = true
		}
		if drain && e.queue.empty() {
			n, _, err := e.fill()
			if err != nil || n == 0 {
				return total, errors.Join(err, e.failing())
			}
			total += n
		}
		select {
		case <-e.stop.Done():
		case <-e.queue.low:
			look = look || drain
		case <-wake:
			look = true
		case <-poll.C:
			look = true
		}
	}
}

// fill reads as much as there is room for. full says that the outbox has more that is due.
func (e *engine) fill() (n int, full bool, err error) {
	from, err := e.s.opt.Sender(e.work)
	if err != nil {
		return 0, false, err
	}
	if from.Transport == nil {
		e.s.setHealth("mail.no_transport")
		return 0, false, nil
	}
	from.Connections = max(from.Connections, 1)
	if err := e.readLimits(&from); err != nil {
		return 0, false, err
	}
	if from.Connections < 1 {
		return 0, true, nil // other processes have them all
	}
	w := e.through(from)
	limit := batch(from.Connections)
	e.start(from.Connections)
	urgent, bulk := e.queue.room(limit)
	take := func(room int, read func(n int) ([]due, error)) error {
		if room <= 0 {
			full = true
			return nil
		}
		ds, err := read(room)
		if err != nil || len(ds) == 0 {
			return err
		}
		full = full || len(ds) == room
		if len(ds) >= many && e.s.opt.Busy != nil {
			e.s.opt.Busy()
		}
		jobs := e.s.jobs(e.work, w, ds)
		e.s.hold(jobs)
		e.queue.add(jobs)
		n += len(ds)
		return nil
	}
	if err := take(urgent, func(n int) ([]due, error) { return e.due(receipts, n, alone) }); err != nil {
		return n, full, err
	}
	if bulk < limit/2 {
		return n, true, nil
	}
	mailings, err := e.s.sending(e.work)
	if err != nil {
		return n, full, err
	}
	maps.DeleteFunc(e.places, func(k reading, _ place) bool { return !slices.Contains(mailings, k.mailing) })
	part := alone
	if len(mailings) > 0 {
		if part, err = e.part(); err != nil {
			return n, full, err
		}
	}
	for i := range len(mailings) + 1 {
		if _, bulk = e.queue.room(limit); bulk <= 0 {
			return n, true, nil
		}
		what := others
		if at := (e.turn + i) % (len(mailings) + 1); at > 0 {
			what = lane{mailing: mailings[at-1]}
		}
		if err := take(bulk, func(n int) ([]due, error) { return e.due(what, n, part) }); err != nil {
			return n, full, err
		}
	}
	e.turn++
	return n, full, nil
}

// through is the way out for a batch: the last one's connections where nothing was changed since. Otherwise those are closed as soon as
// they are free, and only then are new ones opened.
func (e *engine) through(from Sender) *way {
	e.mu.Lock()
	defer e.mu.Unlock()
	w := &way{Sender: from}
	switch was := e.way; {
	case was == nil:
		w.pool, w.ready = mailer.NewPool(from.Transport, from.Connections), make(chan struct{})
		close(w.ready)
	case was.Transport != from.Transport || was.Connections != from.Connections:
		w.pool, w.ready = mailer.NewPool(from.Transport, from.Connections), make(chan struct{})
		e.changing.Add(1)
		e.closing.Go(func() {
			<-was.ready
			_ = was.pool.Close(context.Background())
			close(w.ready)
			e.changing.Add(-1)
		})
	default:
		w.pool, w.ready = was.pool, was.ready
	}
	e.way = w
	return w
}

// start has n senders run.
func (e *engine) start(n int) {
	for ; e.running < n; e.running++ {
		e.senders.Go(e.send)
	}
}

// end finishes what is on the wire and gives back the rest.
func (e *engine) end() {
	e.queue.close()
	e.senders.Wait()
	e.giveAllBack()
	e.group.Close()
	e.closing.Wait()
	if e.way != nil {
		_ = e.way.pool.Close(context.Background())
	}
	e.leave()
}

// giveAllBack lets go of everything that nobody began.
func (e *engine) giveAllBack() {
	e.s.drop(e.queue.flush()...)
	clear(e.places)
}

// trouble notes that there is no way out, or no database. Nothing is read for a while then, longer each time.
func (e *engine) trouble(err error) {
	var f *mailer.Failure
	if errors.As(err, &f) {
		e.s.setHealth(f.Kind)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.down = err
	if now := time.Now(); !now.Before(e.until) { // others find out about the same trouble
		e.pause = min(max(2*e.pause, e.s.opt.Poll), time.Minute)
		e.until = now.Add(e.pause)
		e.s.opt.Log.Warn("mail waits", "error", err.Error(), "again_in", e.pause)
	}
	e.queue.tell()
}

// failing returns the trouble since it was last asked, once.
func (e *engine) failing() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	err := e.down
	e.down = nil
	return err
}

// rested reports whether the time of the last trouble is over.
func (e *engine) rested() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return !time.Now().Before(e.until)
}

// connect gives a connection for a job, by the way out as it is now.
func (e *engine) connect(j *job) (mailer.Conn, error) {
	for {
		e.mu.Lock()
		j.way = e.way
		e.mu.Unlock()
		<-j.way.ready
		conn, err := j.way.pool.Get(e.work)
		if errors.Is(err, mailer.ErrPoolClosed) {
			continue // it was changed meanwhile
		}
		if err != nil {
			return nil, err
		}
		e.s.setHealth("")
		e.mu.Lock()
		e.pause = 0
		e.mu.Unlock()
		return conn, nil
	}
}

// changed reports whether the connections of a job's way are not to be used any more.
func (e *engine) changed(j *job) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return j.way.pool != e.way.pool
}
