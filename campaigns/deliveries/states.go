package deliveries

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// lane is a part of the outbox that is read by itself.
type lane struct {
	where   string
	mailing uuid.UUID
}

// The lanes beside those of mailings: what somebody waits for, and the rest.
var (
	receipts = lane{where: fmt.Sprintf("d.mailing_id IS NULL AND d.priority < %d", models.PriorityBulk)}
	others   = lane{where: fmt.Sprintf("d.mailing_id IS NULL AND d.priority >= %d", models.PriorityBulk)}
)

// sending lists the mailings that are being sent.
func (s *Service) sending(ctx context.Context) (ids []uuid.UUID, err error) {
	err = s.db.WithContext(ctx).Model(&models.Mailing{}).Where("state = ?", models.MailingSending).Order("id").Pluck("id", &ids).Error
	return ids, err
}

// due is a delivery that is due, with what sending asks of its mailbox: nothing where that is gone.
type due struct {
	models.Delivery            `gorm:"embedded"`
	AddressHash, AddressSealed []byte
	Domain, TimeZone           string
}

// place is where a row stands in its lane; the zero place is before all of them.
type place struct {
	priority int
	at       time.Time
	id       uuid.UUID
}

// reading is one way through what waits of a mailing.
type reading struct {
	mailing       uuid.UUID
	members, rank int
}

// due reads up to n due deliveries of a lane that this process is not at work on; fewer are all there are, or all but what was given back
// since it began to read them. It takes them from nobody: whoever begins one first has it. So that processes seldom read the same, each
// reads its own part first, and of what is left only when that is done; what somebody waits for goes by whoever is there first.
func (e *engine) due(l lane, n int, part share) (rows []due, err error) {
	if l != receipts && part.members > 1 {
		if rows, err = e.dueOf(l, n, part); err != nil || len(rows) > 0 {
			return rows, err
		}
	}
	return e.dueOf(l, n, alone)
}

// dueOf goes on in a mailing where it ended the last time, past all that was sent since, and begins again from the start after the last one.
func (e *engine) dueOf(l lane, n int, part share) (rows []due, err error) {
	k := reading{l.mailing, part.members, part.rank}
	from, began := e.places[k]
	for len(rows) < n {
		most := n - len(rows)
		read, err := e.s.read(e.work, l, most, part, from)
		if err != nil {
			return nil, err
		}
		if len(read) == most {
			last := read[most-1]
			from = place{last.Priority, last.NotBefore, last.ID}
			if l.mailing != uuid.Nil {
				e.places[k] = from
			}
			rows = append(rows, e.s.free(read)...)
			continue
		}
		delete(e.places, k)
		if rows = append(rows, e.s.free(read)...); !began || len(rows) > 0 {
			break
		}
		from, began = place{}, false
	}
	return rows, nil
}

// read reads the next n due deliveries of a lane that stand after a place.
func (s *Service) read(ctx context.Context, l lane, n int, part share, from place) (rows []due, err error) {
	read := func(tx *gorm.DB) error {
		rows = nil
		q := tx.Table("deliveries AS d").Select("d.*, b.address_hash, b.address_sealed, b.domain, p.time_zone").
			Joins("LEFT JOIN mailboxes b ON b.id = d.mailbox_id").Joins("LEFT JOIN supporters p ON p.id = b.supporter_id").
			Where("d.ended = FALSE AND d.state IN ('queued', 'deferred') AND d.not_before <= ?", s.clk.Now()).Limit(n)
		if part.members > 1 {
			q = q.Where("get_byte(uuid_send(d.id), 15) % ? = ?", part.members, part.rank)
		}
		if l.mailing == uuid.Nil {
			if from != (place{}) {
				q = q.Where("(d.priority, d.not_before, d.id) > (?, ?, ?)", from.priority, from.at, from.id)
			}
			return q.Where(l.where).Order("d.priority, d.not_before, d.id").Find(&rows).Error
		}
		if from != (place{}) {
			q = q.Where("(d.not_before, d.id) > (?, ?)", from.at, from.id)
		}
		return q.Where("d.mailing_id = ?", l.mailing).Order("d.not_before, d.id").Find(&rows).Error
	}
	if !s.db.Postgres() {
		err = read(s.db.WithContext(ctx))
		return rows, err
	}
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := database.InOrder(tx); err != nil {
			return err
		}
		return read(tx)
	})
	return rows, err
}

// ReplyPaused is the reply of a delivery that was suppressed because the person paused all mail.
const ReplyPaused = "paused"

// change is what one connection has to commit: how an attempt ended, and that another one goes on the wire. Either may be missing.
type change struct {
	ended *job
	end   *end

	begin  *job
	begun  bool      // it may go on the wire now
	until  time.Time // it may not before that: a limit
	before time.Time // it must by then, to be where it was counted; the zero time where it was not
}

// late reports whether a delivery that was begun is not on the wire when it was counted.
func (c *change) late() bool { return !c.before.IsZero() && time.Now().After(c.before) }

// write commits changes of many connections together.
func (e *engine) write(ctx context.Context, tx *gorm.DB, batch []*change) error {
	now := e.s.clk.Now()
	rows := make([]models.Delivery, 0, 2*len(batch))
	var begin []*change
	for _, c := range batch {
		switch {
		case c.ended == nil:
		case c.end.suppress:
			if err := e.s.bounced(ctx, tx, *c.end, now); err != nil {
				return err
			}
		default:
			rows = append(rows, c.end.Delivery)
		}
		if c.begin != nil {
			c.begun, c.until, c.before = false, time.Time{}, time.Time{}
			begin = append(begin, c)
		}
	}
	begin, later, count, err := e.permit(tx, begin)
	if err != nil {
		return err
	}
	rows = append(rows, later...)
	of := make(map[uuid.UUID]*change, len(begin))
	for _, c := range begin {
		d := c.begin.d
		d.State = models.DeliverySending
		rows, of[d.ID] = append(rows, d), c
	}
	err = e.s.put(tx, rows, now, func(id uuid.UUID, state models.DeliveryState) {
		if c := of[id]; c != nil {
			c.begun = state == models.DeliverySending
		}
	})
	if err != nil {
		return err
	}
	return count()
}

// single reports whether write is one statement for a batch, which needs no transaction around it.
func (e *engine) single(batch []*change) bool {
	return e.s.db.Postgres() && !e.rated() && !slices.ContainsFunc(batch, func(c *change) bool { return c.ended != nil && c.end.suppress })
}

// put writes how attempts ended, and that others begin, in one statement on PostgreSQL: those whose state is to be "sending". It tells became what
// each is now. A node that took a row for lost has made it unknown; the answer is then still the truth about that attempt, and is recorded.
//
// An address that bounced or complained gets nothing. One that stands on a list as left, or was stopped by hand, still gets receipts:
// else nobody could ask for the link to their own data, or sign in. Suppression, consent and the mailing's state are asked row by row:
// PostgreSQL may answer an EXISTS from a table of everybody who agreed, which it makes anew for each batch. What there is nothing to
// send of does not begin: suppressed, paused, put off, or begun by another node. What was begun by this very change may be found so: when a
// commit went through whose answer was lost, it is written again.
//
// The statement sees consents as they were when it started. Who leaves after that moves what waits for them to its next attempt, in the
// same transaction and by a trigger (0017_who_leaves): it is then not begun here, but read and asked anew.
func (s *Service) put(tx *gorm.DB, rows []models.Delivery, now time.Time, became func(uuid.UUID, models.DeliveryState)) error {
	if len(rows) == 0 {
		return nil
	}
	for i := range rows {
		rows[i].UpdatedAt = now
	}
	lease := strings.Replace(database.NowPlus(tx), "?", strconv.FormatFloat(s.opt.Lease.Seconds(), 'f', 3, 64), 1)
	begun := `CASE
			WHEN not_before > v.column3 THEN 'queued'
			WHEN expires_at IS NOT NULL AND expires_at <= v.column3 THEN 'expired'
			WHEN mailing_id IS NOT NULL AND (SELECT m.state FROM mailings m WHERE m.id = deliveries.mailing_id) <> 'sending' THEN 'queued'
			WHEN purpose = 'receipt' THEN CASE WHEN (SELECT 1 FROM mailboxes m WHERE m.id = deliveries.mailbox_id AND m.suppressed_at IS NOT NULL
				AND m.suppressed_reason NOT IN ('` + models.SuppressedImport + `', '` + models.SuppressedByHand + `')) IS NOT NULL THEN 'suppressed' ELSE 'sending' END
			WHEN (SELECT 1 FROM mailable c
				WHERE c.mailbox_id = deliveries.mailbox_id AND c.purpose = deliveries.purpose AND c.scope_id = deliveries.scope_id LIMIT 1) IS NOT NULL THEN 'sending'
			ELSE 'suppressed' END `
	// What waits is begun under the next number of attempt; what this node has begun already stands under that number or, where it is begun
	// once more, under its own. What ends was begun under its number, and may wait again under it, or wait without having been begun.
	waits := "deliveries.attempt = v.column2 AND deliveries.state IN ('queued', 'deferred')"
	begins := waits + " OR deliveries.state = 'sending' AND node = '" + s.node + "' AND deliveries.attempt IN (v.column2, v.column2 + 1)"
	ends := "deliveries.attempt = v.column2 AND deliveries.state IN ('queued', 'deferred', 'sending', 'unknown')"
	key := []string{"id", "attempt", "updated_at"}
	whole := append(slices.Clone(key), "state", "not_before", "deferrals", "reply_code", "reply", "sent_at")
	update := func(set, values, where string) string {
		return "UPDATE deliveries SET updated_at = v.column3, " + set + " FROM (" + values + ") AS v WHERE deliveries.id = v.column1 AND (" + where + ")"
	}
	var stopped []uuid.UUID
	begin := func(rows []models.Delivery, columns []string, set, where string) error {
		return database.WithValues(tx, rows, columns, func(_, values string, args []any) error {
			changed, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, update(set, values, where)+" RETURNING deliveries.id, deliveries.state", args...)
			if err != nil {
				return err
			}
			defer func() { _ = changed.Close() }()
			for changed.Next() {
				var id uuid.UUID
				var state models.DeliveryState
				if err := changed.Scan(&id, &state); err != nil {
					return err
				}
				if became(id, state); state == models.DeliverySuppressed {
					stopped = append(stopped, id)
				}
			}
			return changed.Err()
		})
	}
	var err error
	if database.IsPostgres(tx) {
		const starts = "v.column4 = 'sending'"
		keep := func(name, value string) string {
			return name + " = CASE WHEN " + starts + " THEN " + name + " ELSE " + value + " END, "
		}
		err = begin(rows, whole, keep("not_before", "v.column5")+keep("deferrals", "v.column6")+keep("reply_code", "v.column7")+keep("reply", "v.column8")+keep("sent_at", "v.column9")+
			"attempt = CASE WHEN "+starts+" THEN v.column2 + 1 ELSE v.column2 END, node = CASE WHEN "+starts+" THEN '"+s.node+"' ELSE node END, "+
			"lease_until = CASE WHEN "+starts+" THEN "+lease+" END, state = CASE WHEN "+starts+" THEN "+begun+" ELSE v.column4 END",
			starts+" AND ("+begins+") OR NOT "+starts+" AND "+ends)
	} else { // SQLite writes each index anew that has a column of the list in it, whether its value changes or not, and pays for each row that comes back
		starts := func(d models.Delivery) bool { return d.State == models.DeliverySending }
		if over := slices.DeleteFunc(slices.Clone(rows), starts); len(over) > 0 {
			err = database.WithValues(tx, over, whole, func(_, values string, args []any) error {
				_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, update(`not_before = v.column5, deferrals = v.column6, reply_code = v.column7, reply = v.column8,
					sent_at = v.column9, lease_until = NULL, state = v.column4`, values, ends), args...)
				return err
			})
		}
		if next := slices.DeleteFunc(slices.Clone(rows), func(d models.Delivery) bool { return !starts(d) }); err == nil && len(next) > 0 {
			err = begin(next, key, "attempt = v.column2 + 1, node = '"+s.node+"', lease_until = "+lease+", state = "+begun, begins)
		}
	}
	if err != nil || len(stopped) == 0 {
		return err
	}
	return tx.Exec(`UPDATE deliveries SET reply = '`+ReplyPaused+`' WHERE id IN ? AND purpose <> 'receipt' AND EXISTS (
		SELECT 1 FROM mailboxes m WHERE m.id = deliveries.mailbox_id AND m.suppressed_at IS NULL AND m.paused_until > `+database.Now(tx)+`)`, stopped).Error
}

// retryAfter is how long to wait after the n-th time that a server said: later.
func retryAfter(n int) time.Duration {
	steps := []time.Duration{5 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour}
	if n <= len(steps) {
		return steps[max(n, 1)-1]
	}
	return time.Duration(float64(4*time.Hour) * (0.8 + 0.4*rand.Float64()))
}

// giveUpAfter is how long a server may say "later".
const giveUpAfter = 5 * 24 * time.Hour

// hardBounce lists the enhanced status codes (RFC 3463) by which a server says that there is no such mailbox.
var hardBounce = []string{"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}

// end is what becomes of a delivery after an attempt: its new state, and all that goes with it.
type end struct {
	models.Delivery
	suppress bool // there is no such mailbox
}

// after decides by the outcome of an attempt; it changes nothing.
func after(d models.Delivery, o mailer.Outcome, now time.Time) *end {
	e := &end{Delivery: d}
	e.ReplyCode, e.Reply = o.Code, o.Reply
	later := func() *end {
		e.Deferrals++
		e.NotBefore = clock.Trim(now.Add(retryAfter(e.Deferrals)))
		e.State = models.DeliveryDeferred
		if now.Sub(d.CreatedAt) > giveUpAfter {
			e.State = models.DeliveryFailed
		}
		return e
	}
	switch o.State {
	case mailer.Accepted:
		e.State, e.SentAt = models.DeliverySent, &now
	case mailer.Unknown:
		if d.OnUnknown == models.Resend {
			return later() // the same Message-ID again: whoever got it can tell
		}
		e.State = models.DeliveryUnknown
	case mailer.Rejected:
		if o.Phase == mailer.PhaseMail { // the server objects to us, not to the person
			return later()
		}
		e.State = models.DeliveryFailed
		e.suppress = o.Phase == mailer.PhaseRcpt && slices.Contains(hardBounce, o.Enhanced)
	case mailer.NotSent: // no word of the server's about this mail: soon again
		later()
		e.NotBefore = clock.Trim(now.Add(time.Duration(min(e.Deferrals, 10)) * time.Minute))
	default:
		return later()
	}
	return e
}

// bounced is put for a delivery whose server says that there is no such mailbox: it gets nothing more.
func (s *Service) bounced(ctx context.Context, tx *gorm.DB, e end, now time.Time) error {
	r := tx.Model(&models.Delivery{}).Where("id = ? AND attempt = ? AND state IN ('queued', 'deferred', 'sending', 'unknown')", e.ID, e.Attempt).
		Updates(map[string]any{"state": e.State, "reply_code": e.ReplyCode, "reply": e.Reply, "lease_until": nil, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return mailboxes.Suppress(ctx, tx, e.MailboxID, models.SuppressedBounce, now)
}

// release gives a row back that was begun, or may have been, and is not on the wire. What cannot be given back is found by recovery.
func (s *Service) release(ctx context.Context, d models.Delivery) {
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		return tx.Model(&models.Delivery{}).Where("id = ? AND state = 'sending' AND node = ? AND attempt IN ?", d.ID, s.node, []int{d.Attempt, d.Attempt + 1}).
			Updates(map[string]any{"state": models.DeliveryQueued, "lease_until": nil, "updated_at": s.clk.Now()}).Error
	})
	if err != nil && !database.Lost(err) {
		s.opt.Log.Error("giving a delivery back", "error", err.Error())
	}
}

// keep renews the leases of the rows that this process is at work on, and of no others: a row whose end could not be
// recorded must be found by recovery.
func (s *Service) keep(ctx context.Context) error {
	ids := s.held()
	if len(ids) == 0 {
		return nil
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		return tx.Exec(`UPDATE deliveries SET lease_until = `+database.NowPlus(tx)+` WHERE id IN ? AND node = ? AND state = 'sending'`,
			s.opt.Lease.Seconds(), ids, s.node).Error
	})
}

// held are the rows that this process is at work on.
func (s *Service) held() []uuid.UUID {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.Collect(maps.Keys(s.flight))
}

// free are those of rows that this process is not at work on.
func (s *Service) free(rows []due) []due {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return slices.DeleteFunc(rows, func(d due) bool { _, held := s.flight[d.ID]; return held })
}

// hold notes which rows this process is at work on, until drop.
func (s *Service) hold(jobs []*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		s.flight[j.d.ID] = struct{}{}
	}
}

func (s *Service) drop(jobs ...*job) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, j := range jobs {
		delete(s.flight, j.d.ID)
	}
}

// Recover takes the rows of nodes that died, on whose wire they may have been: they are unknown, and of those the receipts go back to the
// queue under their Message-ID. It also ends what expired while it waited, and forgets counts of limits that
// no window asks for any more. Any node may run it at any time.
func (s *Service) Recover(ctx context.Context) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		// What somebody holds just now is left for the next time: a process that stands still in the midst of a commit must not hold up
		// the others, who would wait here with rows of their own.
		these := func(where string) string {
			return "WHERE " + database.InRows(tx, "id", "SELECT id FROM deliveries WHERE "+where+" "+database.SkipLocked(tx))
		}
		if err := tx.Exec(`UPDATE deliveries SET state = CASE WHEN on_unknown = 'resend' THEN 'queued' ELSE 'unknown' END, lease_until = NULL, updated_at = ? `+
			these("ended = FALSE AND state = 'sending' AND lease_until < "+database.Now(tx)), now).Error; err != nil {
			return err
		}
		if err := tx.Exec(`UPDATE deliveries SET state = 'expired', updated_at = ? `+these("ended = FALSE AND state IN ('queued', 'deferred') AND expires_at <= ?"), now, now).Error; err != nil {
			return err
		}
		return sweepRates(tx)
	})
}

// Drop ends, in tx, what waits for mailboxes, because their people are erased or their time is over: what nobody has begun to
// send does not go. It returns how many mails that were. What is on the wire at this moment arrives.
func Drop(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID, now time.Time) (int, error) {
	n := 0
	for ids := range slices.Chunk(boxes, 500) {
		r := tx.WithContext(ctx).Model(&models.Delivery{}).
			Where("mailbox_id IN ? AND state IN ?", ids, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
			Updates(map[string]any{"state": models.DeliverySuppressed, "lease_until": nil, "node": "", "updated_at": now})
		if r.Error != nil {
			return n, r.Error
		}
		n += int(r.RowsAffected)
	}
	return n, nil
}
