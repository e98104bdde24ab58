package deliveries

import (
	"maps"
	"sync"
	"time"

	"kithline/mailer"
	"kithline/models"
)

// way is the way out as it was set when a batch was read.
type way struct {
	Sender
	pool  *mailer.Pool
	ready chan struct{} // closed once the connections of the way before are
}

// job is one delivery on its way through this process.
type job struct {
	d       models.Delivery
	way     *way
	maker   Maker
	to      string // the address, opened
	domain  string
	zone    *time.Location // of the person
	wrong   error          // instead of a maker and an address
	message mailer.Message
	counted bool // stands in queue.flying
}

func (j *job) urgent() bool { return j.d.Priority < models.PriorityBulk }

// queue holds what this process has read and not begun. What somebody waits for goes first; the rest keeps its order, but for
// domains that have as many mails on the wire as they may.
type queue struct {
	mu     sync.Mutex
	more   sync.Cond // something to take, or closed
	closed bool

	urgent, bulk  list
	shut, shutAll time.Time // until then the account takes nothing but what is urgent; and nothing at all
	ring          *time.Timer

	allowed func(domain string) int // connections for a domain; 0 = as many as there are, below 0 none now
	flying  map[string]int          // by domain
	held    map[string]*list        // bulk of domains that have all they may
	heldN   int

	out  int           // taken, and neither ended nor given back
	half int           // low is told when less than so much bulk waits
	low  chan struct{} // there is room, or all is done
}

// list is a queue of jobs that takes and gives at both ends.
type list struct {
	jobs []*job
	from int
}

func (l *list) len() int    { return len(l.jobs) - l.from }
func (l *list) push(j *job) { l.jobs = append(l.jobs, j) }
func (l *list) first(j *job) {
	if l.from > 0 {
		l.from--
		l.jobs[l.from] = j
		return
	}
	l.jobs = append([]*job{j}, l.jobs...)
}

func (l *list) pop() *job {
	j := l.jobs[l.from]
	l.jobs[l.from] = nil
	if l.from++; l.from > len(l.jobs)/2 { // what was taken is a part of the memory no longer
		n := copy(l.jobs, l.jobs[l.from:])
		clear(l.jobs[n:])
		l.jobs, l.from = l.jobs[:n], 0
	}
	return j
}

func newQueue(allowed func(string) int) *queue {
	q := &queue{allowed: allowed, flying: map[string]int{}, held: map[string]*list{}, low: make(chan struct{}, 1)}
	q.more.L = &q.mu
	return q
}

// add puts jobs at the end.
func (q *queue) add(jobs []*job) {
	q.mu.Lock()
	for _, j := range jobs {
		if j.urgent() {
			q.urgent.push(j)
		} else {
			q.bulk.push(j)
		}
	}
	q.mu.Unlock()
	q.more.Broadcast()
}

// room tells how many more urgent and bulk jobs it should hold, of limit each. From now on low is told when less than half of that
// is left.
func (q *queue) room(limit int) (urgent, bulk int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.half = limit / 2
	if time.Now().Before(q.shut) {
		return limit - q.urgent.len(), 0
	}
	return limit - q.urgent.len(), limit - q.bulk.len() - q.heldN
}

// take hands out the next job. Without one it waits where wait is set, until the queue is closed; else, and then, it returns nil.
func (q *queue) take(wait bool) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for {
		if q.closed {
			return nil
		}
		if j := q.next(); j != nil {
			q.out++
			if q.bulk.len() < q.half {
				q.tell()
			}
			return j
		}
		if !wait {
			return nil
		}
		q.more.Wait()
	}
}

func (q *queue) next() *job {
	switch now := time.Now(); {
	case q.urgent.len()+q.bulk.len() == 0:
		return nil
	case now.Before(q.shutAll):
		q.wake(q.shutAll)
		return nil
	case q.urgent.len() > 0:
		return q.urgent.pop()
	case now.Before(q.shut):
		q.wake(q.shut)
		return nil
	}
	for q.bulk.len() > 0 {
		j := q.bulk.pop()
		most := q.allowed(j.domain)
		if most == 0 {
			return j
		}
		if q.flying[j.domain] < most {
			q.flying[j.domain]++
			j.counted = true
			return j
		}
		if q.held[j.domain] == nil {
			q.held[j.domain] = &list{}
		}
		q.held[j.domain].push(j)
		q.heldN++
	}
	return nil
}

// wake has those who wait look again at a time.
func (q *queue) wake(at time.Time) {
	if q.ring == nil {
		q.ring = time.AfterFunc(time.Until(at), q.open)
	}
}

// reopen puts back what was held for its domain: it may have more connections now.
func (q *queue) reopen() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for domain, l := range q.held {
		for l.len() > 0 {
			q.bulk.push(l.pop())
		}
		delete(q.held, domain)
	}
	q.heldN = 0
	q.more.Broadcast()
}

// open is called when what was shut may go again.
func (q *queue) open() {
	q.mu.Lock()
	q.ring = nil
	q.mu.Unlock()
	q.more.Broadcast()
	q.tell()
}

// done says that a job is neither on the wire nor anybody's any more.
func (q *queue) done(j *job) {
	q.mu.Lock()
	q.land(j)
	if q.out == 0 {
		q.tell()
	}
	q.mu.Unlock()
}

// again puts a job back that must wait until the account may send again.
func (q *queue) again(j *job, until time.Time) {
	q.mu.Lock()
	q.land(j)
	if j.urgent() {
		q.urgent.first(j)
	} else {
		q.bulk.first(j)
	}
	switch {
	case j.urgent() && until.After(q.shutAll):
		q.shutAll = until
	case !j.urgent() && until.After(q.shut):
		q.shut = until
	}
	q.mu.Unlock()
	q.more.Broadcast()
}

func (q *queue) land(j *job) {
	q.out--
	if !j.counted {
		return
	}
	j.counted = false
	if q.flying[j.domain]--; q.flying[j.domain] == 0 {
		delete(q.flying, j.domain)
	}
	if h := q.held[j.domain]; h != nil {
		q.bulk.first(h.pop())
		if q.heldN--; h.len() == 0 {
			delete(q.held, j.domain)
		}
		q.more.Signal()
	}
}

// flush takes out everything that nobody took.
func (q *queue) flush() []*job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var out []*job
	for _, l := range []*list{&q.urgent, &q.bulk} {
		for l.len() > 0 {
			out = append(out, l.pop())
		}
	}
	for domain, l := range q.held {
		for l.len() > 0 {
			out = append(out, l.pop())
		}
		delete(q.held, domain)
	}
	q.heldN = 0
	return out
}

// empty reports whether nothing waits and nothing is out.
func (q *queue) empty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.urgent.len()+q.bulk.len()+q.heldN+q.out == 0
}

// inFlight is how many jobs are out, by domain, of those that are limited.
func (q *queue) inFlight() map[string]int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return maps.Clone(q.flying)
}

// close lets take return nil from now on.
func (q *queue) close() {
	q.mu.Lock()
	q.closed = true
	if q.ring != nil {
		q.ring.Stop()
	}
	q.mu.Unlock()
	q.more.Broadcast()
}

func (q *queue) tell() {
	select {
	case q.low <- struct{}{}:
	default:
	}
}
