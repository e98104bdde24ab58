package deliveries

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// Limits of rate hold for every stretch of time as long as their window, whenever it begins, for all processes together, and over
// restarts: each count stands in the database and is written in the transaction that begins a delivery. A window is counted in slices;
// what the slices that touch it hold is never more than its Count. That gives an eleventh of the rate away, and leaves a slice of time
// for a mail to get from the commit to the wire. One that needed longer is counted once more before it goes.
const (
	slicesOfWindow = 20
	slicesTouched  = slicesOfWindow + 2 // by a stretch as long as the window that begins within one, and by a mail a slice late
)

// rate is one limit of rate.
type rate struct {
	key     string
	count   int
	slice   time.Duration
	since   time.Time // of a warm-up: counted from there, as one slice
	account bool      // of the whole account, not of a domain
}

// counts is what was begun, by slice. The keys count slices since 1970, so that all processes mean the same.
type counts map[int64]int

// taken is what the slices hold that count at slice now.
func (s counts) taken(now int64) (n int) {
	for at, k := range s {
		if at > now-slicesTouched {
			n += k
		}
	}
	return n
}

// free is the slice from which room more fit, once those before it are as they are now.
func (s counts) free(now int64, count, room int) int64 {
	left := s.taken(now)
	for _, at := range slices.Sorted(maps.Keys(s)) {
		if left+room <= count {
			break
		}
		if at > now-slicesTouched {
			left -= s[at]
			now = at + slicesTouched
		}
	}
	return now
}

// reserved is what is kept of a window of the account for mail that somebody waits for, so that a mailing never takes all of a day.
func reserved(count int) int {
	if count < 10 {
		return 0
	}
	return count / 10
}

// of are the limits of rate that a job is under.
func (e *engine) of(limits models.Limits, j *job, now time.Time) (out []rate) {
	for _, w := range limits.Account {
		r := rate{key: "account/" + w.Per.String(), count: w.Count, slice: w.Per / slicesOfWindow, account: true}
		if !j.urgent() {
			r.count -= reserved(w.Count)
		}
		out = append(out, r)
	}
	for _, w := range limits.For(j.domain).Windows {
		out = append(out, rate{key: "domain/" + j.domain + "/" + w.Per.String(), count: w.Count, slice: w.Per / slicesOfWindow})
	}
	if limits.WarmUp != nil && j.d.Purpose != models.PurposeReceipt {
		if n, since, limited := limits.WarmUp.Ceiling(now); limited {
			out = append(out, rate{key: "warmup/" + j.domain, count: n, slice: 24 * time.Hour, since: since})
		}
	}
	return out
}

// rated reports whether there is any limit of rate.
func (e *engine) rated() bool {
	limits := e.current()
	return len(limits.Account) > 0 || limits.WarmUp != nil || slices.ContainsFunc(limits.Domains, func(d models.DomainLimit) bool { return len(d.Windows) > 0 })
}

// permit takes from the limits of rate what the jobs of changes need. It returns the changes that may begin; the others wait: for the
// account in this process, until the time that stands in them; for a domain in the outbox, as the deliveries it returns. count writes what
// was taken, by those that were begun.
func (e *engine) permit(tx *gorm.DB, begin []*change) (may []*change, later []models.Delivery, count func() error, err error) {
	if len(begin) == 0 || !e.rated() {
		return begin, nil, func() error { return nil }, nil
	}
	limits := e.current()
	began := time.Now()
	now, err := databaseTime(tx)
	if err != nil {
		return nil, nil, nil, err
	}
	under, keys := make([][]rate, len(begin)), map[string]bool{}
	for i, c := range begin {
		under[i] = e.of(limits, c.begin, now)
		for _, r := range under[i] {
			keys[r.key] = true
		}
	}
	all, err := readRates(tx, slices.Sorted(maps.Keys(keys)), now)
	if err != nil {
		return nil, nil, nil, err
	}
	took := map[*change][]rate{}
	order := slices.Clone(begin)
	slices.SortStableFunc(order, func(a, b *change) int { return cmp.Compare(a.begin.d.Priority, b.begin.d.Priority) })
	for _, c := range order {
		rates := under[slices.Index(begin, c)]
		var until time.Time
		var full rate
		for _, r := range rates {
			at := r.at(now)
			if r.taken(all[r.key], at) < r.count {
				continue
			}
			free := r.start(all[r.key].free(at, r.count, 1))
			if !r.since.IsZero() {
				free = r.since.Add(24 * time.Hour)
			} else if !r.account {
				free = e.behind(r, free)
			}
			if free.After(until) {
				until, full = free, r
			}
		}
		switch {
		case until.IsZero():
			for _, r := range rates {
				all[r.key][r.at(now)]++
			}
			c.before, took[c] = began.Add(soonest(rates)), rates
			may = append(may, c)
		case full.account:
			c.until = time.Now().Add(until.Sub(now))
		default:
			d := c.begin.d
			d.State, d.NotBefore = models.DeliveryQueued, e.s.clk.Now().Add(until.Sub(now)).Truncate(time.Microsecond)
			later = append(later, d)
		}
	}
	return may, later, func() error {
		for c, rates := range took {
			for _, r := range rates {
				if !c.begun { // another process has it, or there is nothing to send
					all[r.key][r.at(now)]--
				}
			}
		}
		return writeRates(tx, all, now)
	}, nil
}

// taken is what counts at a slice: of a warm-up, its day alone.
func (r rate) taken(c counts, at int64) int {
	if !r.since.IsZero() {
		return c[at]
	}
	return c.taken(at)
}

// soonest is the shortest slice of some limits: until then a mail is on the wire when it was counted.
func soonest(rates []rate) time.Duration {
	d := time.Minute
	for _, r := range rates {
		d = min(d, r.slice)
	}
	return d
}

// behind is when one more delivery to a domain is looked at again: after those that wait for the same limit already, so that none is
// looked at twice in vain.
func (e *engine) behind(r rate, free time.Time) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if last := e.waiting[r.key].Add(r.slice * slicesTouched / time.Duration(max(r.count, 1))); last.After(free) {
		free = last
	}
	e.waiting[r.key] = free
	return free
}

// at is the slice that a moment falls into, and start when a slice begins.
func (r rate) at(t time.Time) int64 {
	if !r.since.IsZero() {
		return r.since.UnixNano() / int64(r.slice)
	}
	return t.UnixNano() / int64(r.slice)
}

func (r rate) start(slice int64) time.Time { return time.Unix(0, slice*int64(r.slice)).UTC() }

// databaseTime is the time by which all processes count.
func databaseTime(tx *gorm.DB) (now time.Time, err error) {
	q := tx.Raw("SELECT " + database.Now(tx))
	if database.IsPostgres(tx) {
		return now, q.Scan(&now).Error
	}
	var text string
	if err := q.Scan(&text).Error; err != nil {
		return now, err
	}
	return time.Parse("2006-01-02 15:04:05.999999-07:00", text)
}

// readRates reads counts, and holds their rows until tx ends.
func readRates(tx *gorm.DB, keys []string, now time.Time) (map[string]counts, error) {
	fresh := make([]models.MailRate, len(keys))
	for i, k := range keys {
		fresh[i] = models.MailRate{Key: k, Slices: "{}", UpdatedAt: now}
	}
	if err := database.InsertAll(tx, fresh, "ON CONFLICT (key) DO NOTHING"); err != nil {
		return nil, err
	}
	out := make(map[string]counts, len(keys))
	var rows []models.MailRate
	lock := ""
	if database.IsPostgres(tx) {
		lock = " FOR UPDATE"
	}
	if err := tx.Raw("SELECT key, slices, updated_at FROM mail_rates WHERE key IN ? ORDER BY key"+lock, keys).Scan(&rows).Error; err != nil {
		return nil, err
	}
	for _, r := range rows {
		s := counts{}
		if err := json.Unmarshal([]byte(r.Slices), &s); err != nil {
			return nil, err
		}
		out[r.Key] = s
	}
	return out, nil
}

// ratesFor is how long a count is kept that nothing was added to: longer than any window that can be set.
const ratesFor = 40 * 24 * time.Hour

// sweepRates forgets the counts of domains that nothing goes to any more.
func sweepRates(tx *gorm.DB) error {
	now, err := databaseTime(tx)
	if err != nil {
		return err
	}
	return tx.Where("updated_at < ?", now.Add(-ratesFor)).Delete(&models.MailRate{}).Error
}

func writeRates(tx *gorm.DB, counts map[string]counts, now time.Time) error {
	rows := make([]models.MailRate, 0, len(counts))
	for key, s := range counts {
		latest := int64(0)
		for at := range s {
			latest = max(latest, at)
		}
		maps.DeleteFunc(s, func(at int64, _ int) bool { return at <= latest-slicesTouched })
		b, err := json.Marshal(s)
		if err != nil {
			return err
		}
		rows = append(rows, models.MailRate{Key: key, Slices: string(b), UpdatedAt: now})
	}
	return database.InsertAll(tx, rows, "ON CONFLICT (key) DO UPDATE SET slices = excluded.slices, updated_at = excluded.updated_at")
}

// current is the limits as they were last read.
func (e *engine) current() models.Limits {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.limits
}

// limited reports whether a mail must go on the wire as soon as it is begun: what waits behind another one would come later than it
// was counted.
func (e *engine) limited() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.limits.Account) > 0 || len(e.limits.Domains) > 0
}

// readLimits reads the limits as they are set now, and lets the way out have as many connections as this process may open.
func (e *engine) readLimits(from *Sender) error {
	if e.s.opt.Limits == nil {
		return nil
	}
	l, err := e.s.opt.Limits(e.work)
	if err != nil {
		return err
	}
	e.s.brakes.set(l.BrakeShare, l.BrakeWindow)
	e.mu.Lock()
	e.limits = l
	e.mu.Unlock()
	if l.Connections > 0 || slices.ContainsFunc(l.Domains, func(d models.DomainLimit) bool { return d.Connections > 0 }) {
		if err := e.meet(e.work); err != nil {
			return err
		}
	}
	if l.Connections > 0 {
		from.Connections = min(from.Connections, e.shareOf(l.Connections))
	}
	e.queue.reopen() // domains may have more now
	return nil
}

// connectionsFor is how many mails to a domain may be on the wire at once from this process; 0 = no limit, below 0 none.
func (e *engine) connectionsFor(domain string) int {
	if n := e.current().For(domain).Connections; n > 0 {
		if s := e.shareOf(n); s > 0 {
			return s
		}
		return -1
	}
	return 0
}

// share is this process's part of what all of them have: it is one of so many, in a fixed order.
type share struct {
	members, rank int
	known         bool // to all the others: they have made room
	met           time.Time
}

var alone = share{members: 1, known: true}

// part is this process's part of what is read of a mailing; on SQLite there is no other process.
func (e *engine) part() (share, error) {
	if !e.s.db.Postgres() {
		return alone, nil
	}
	if err := e.meet(e.work); err != nil {
		return alone, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.share, nil
}

// shareOf is this process's part of a number of connections.
func (e *engine) shareOf(n int) int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.share.of(n)
}

func (s share) of(n int) int {
	if !s.known {
		return 0
	}
	part := n / s.members
	if s.rank < n%s.members {
		part++
	}
	return part
}

// Processes that share connections look who else there is so often in the time of a lease, and one that does not is one no more after so
// long a part of it.
const (
	meetings = 30
	memberOf = 6
)

// meet says that this process is there and looks who else is. Who comes new opens no connection before all the others said that they
// count with it, and they say so once they have no more on the wire than their new part.
func (e *engine) meet(ctx context.Context) error {
	e.mu.Lock()
	was := e.share
	e.mu.Unlock()
	if time.Since(was.met) < e.s.opt.Lease/meetings {
		return nil
	}
	return e.s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Exec("DELETE FROM mail_nodes WHERE lease_until < " + database.Now(tx)).Error; err != nil {
			return err
		}
		err := tx.Exec("INSERT INTO mail_nodes (node, lease_until, members) VALUES (?, "+database.NowPlus(tx)+", 0) ON CONFLICT (node) DO UPDATE SET lease_until = excluded.lease_until",
			e.s.node, (e.s.opt.Lease / memberOf).Seconds()).Error
		if err != nil {
			return err
		}
		var all []models.MailNode
		if err := tx.Order("node").Find(&all).Error; err != nil {
			return err
		}
		now := share{members: len(all), known: true, met: time.Now()}
		for i, n := range all {
			if n.Node == e.s.node {
				now.rank = i
			} else {
				now.known = now.known && n.Members >= len(all)
			}
		}
		e.mu.Lock()
		e.share = now
		e.mu.Unlock()
		if !e.within() {
			return nil // it has more on the wire yet than its part, and says so another time
		}
		return tx.Exec("UPDATE mail_nodes SET members = ? WHERE node = ?", now.members, e.s.node).Error
	})
}

// within reports whether no more is on the wire than this process's part.
func (e *engine) within() bool {
	if e.changing.Load() > 0 {
		return false
	}
	limits, mine := e.current(), 0
	e.mu.Lock()
	if e.way != nil {
		mine = e.way.Connections
	}
	part := e.share
	e.mu.Unlock()
	if limits.Connections > 0 && mine > part.of(limits.Connections) {
		return false
	}
	for d, n := range e.queue.inFlight() {
		if most := limits.For(d).Connections; most > 0 && n > part.of(most) {
			return false
		}
	}
	return true
}

// leave takes this process out of those that share connections.
func (e *engine) leave() {
	e.mu.Lock()
	met := !e.share.met.IsZero()
	e.mu.Unlock()
	if !met {
		return
	}
	if err := e.s.db.WithContext(e.work).Exec("DELETE FROM mail_nodes WHERE node = ?", e.s.node).Error; err != nil {
		e.s.opt.Log.Error("leaving the senders", "error", err.Error())
	}
}
