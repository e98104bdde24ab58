package deliveries

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/clock"
	"kithline/campaigns/mailboxes"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

// claim takes up to n due deliveries for this node, receipts first. Those of a mailing that is not being sent stay.
func (s *Service) claim(ctx context.Context, n int) ([]models.Delivery, error) {
	var rows []models.Delivery
	now := s.clk.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		rows = nil
		return tx.Raw(`UPDATE deliveries SET state = 'claimed', attempt = attempt + 1, node = ?, lease_until = `+database.NowPlus(tx)+`, updated_at = ?
			WHERE id IN (
				SELECT d.id FROM deliveries d
				WHERE d.state IN ('queued', 'deferred') AND d.not_before <= ?
					AND NOT EXISTS (SELECT 1 FROM mailings m WHERE m.id = d.mailing_id AND m.state <> 'sending')
				ORDER BY d.priority, d.not_before, d.id LIMIT ? `+database.SkipLocked(tx)+`)
			RETURNING *`, s.node, s.opt.Lease.Seconds(), now, now, n).Scan(&rows).Error
	})
	slices.SortFunc(rows, func(a, b models.Delivery) int {
		if a.Priority != b.Priority {
			return a.Priority - b.Priority
		}
		return a.NotBefore.Compare(b.NotBefore)
	})
	return rows, err
}

// ReplyPaused is the reply of a delivery that was suppressed because the person paused all mail.
const ReplyPaused = "paused"

// begin commits that the delivery goes on the wire now. An address that bounced or complained gets nothing. One that stands on a
// list as left, or was stopped by hand, still gets receipts: else nobody could ask for the link to their own data, or sign in.
// Suppression, consent and the mailing's state are asked in the same
// statement. It reports false when there is nothing to send: suppressed, paused, or taken over by another node.
func (s *Service) begin(ctx context.Context, d models.Delivery) (bool, error) {
	var rows []struct{ State models.DeliveryState }
	paused := `purpose <> 'receipt' AND EXISTS (SELECT 1 FROM mailboxes m WHERE m.id = deliveries.mailbox_id AND m.paused_until > ` + database.Now(s.db.DB) + `)`
	err := s.db.WithContext(ctx).Raw(`UPDATE deliveries SET updated_at = ?, lease_until = `+database.NowPlus(s.db.DB)+`,
			reply = CASE WHEN `+paused+` THEN '`+ReplyPaused+`' ELSE reply END, state = CASE
			WHEN expires_at IS NOT NULL AND expires_at <= ? THEN 'expired'
			WHEN EXISTS (SELECT 1 FROM mailboxes m WHERE m.id = deliveries.mailbox_id AND m.suppressed_at IS NOT NULL
				AND (purpose <> 'receipt' OR m.suppressed_reason NOT IN ('`+models.SuppressedImport+`', '`+models.SuppressedByHand+`'))) THEN 'suppressed'
			WHEN `+paused+` THEN 'suppressed'
			WHEN purpose <> 'receipt' AND NOT EXISTS (SELECT 1 FROM mailable c
				WHERE c.mailbox_id = deliveries.mailbox_id AND c.purpose = deliveries.purpose AND c.scope_id = deliveries.scope_id) THEN 'suppressed'
			WHEN EXISTS (SELECT 1 FROM mailings m WHERE m.id = deliveries.mailing_id AND m.state <> 'sending') THEN 'queued'
			ELSE 'sending' END
		WHERE id = ? AND attempt = ? AND node = ? AND state = 'claimed' RETURNING state`,
		s.clk.Now(), s.opt.Lease.Seconds(), s.clk.Now(), d.ID, d.Attempt, s.node).Scan(&rows).Error
	return len(rows) == 1 && rows[0].State == models.DeliverySending, err
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

// end is what becomes of a delivery after an outcome.
type end struct {
	state     models.DeliveryState
	notBefore time.Time
	deferrals int
	suppress  bool
	code      int
	reply     string
}

// after decides by the outcome of an attempt; it changes nothing.
func after(d models.Delivery, o mailer.Outcome, now time.Time) end {
	e := end{notBefore: d.NotBefore, deferrals: d.Deferrals, code: o.Code, reply: o.Reply}
	later := func() end {
		e.deferrals++
		e.notBefore = clock.Trim(now.Add(retryAfter(e.deferrals)))
		e.state = models.DeliveryDeferred
		if now.Sub(d.CreatedAt) > giveUpAfter {
			e.state = models.DeliveryFailed
		}
		return e
	}
	switch o.State {
	case mailer.Accepted:
		e.state = models.DeliverySent
	case mailer.Unknown:
		if d.OnUnknown == models.Resend {
			return later() // the same Message-ID again: whoever got it can tell
		}
		e.state = models.DeliveryUnknown
	case mailer.Rejected:
		if o.Phase == mailer.PhaseMail { // the server objects to us, not to the person
			return later()
		}
		e.state = models.DeliveryFailed
		e.suppress = o.Phase == mailer.PhaseRcpt && slices.Contains(hardBounce, o.Enhanced)
	case mailer.NotSent: // no word of the server's about this mail: soon again
		later()
		e.notBefore = now.Add(time.Duration(min(e.deferrals, 10)) * time.Minute)
	default:
		return later()
	}
	return e
}

// finish records how an attempt ended. A node that took the row for lost has made it unknown; the answer is then still the
// truth about this attempt, and is recorded.
func (s *Service) finish(ctx context.Context, d models.Delivery, e end) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		set := map[string]any{
			"state": e.state, "not_before": e.notBefore, "deferrals": e.deferrals, "reply_code": e.code, "reply": e.reply, "lease_until": nil, "updated_at": now,
		}
		if e.state == models.DeliverySent {
			set["sent_at"] = now
		}
		r := tx.Model(&models.Delivery{}).Where("id = ? AND attempt = ? AND state IN ('claimed', 'sending', 'unknown')", d.ID, d.Attempt).Updates(set)
		if r.Error != nil || r.RowsAffected == 0 || !e.suppress {
			return r.Error
		}
		return mailboxes.Suppress(ctx, tx, d.MailboxID, models.SuppressedBounce, now)
	})
}

// release gives claimed rows back, untried.
func (s *Service) release(ctx context.Context, ds ...models.Delivery) error {
	if len(ds) == 0 {
		return nil
	}
	ids := make([]uuid.UUID, len(ds))
	for i, d := range ds {
		ids[i] = d.ID
	}
	return s.db.WithContext(ctx).Model(&models.Delivery{}).Where("id IN ? AND node = ? AND state = 'claimed'", ids, s.node).
		Updates(map[string]any{"state": models.DeliveryQueued, "lease_until": nil, "updated_at": s.clk.Now()}).Error
}

// keep renews the leases of the rows that this process is at work on, and of no others: a row whose end could not be
// recorded must be found by recovery.
func (s *Service) keep(ctx context.Context) error {
	s.mu.RLock()
	ids := make([]uuid.UUID, 0, len(s.flight))
	for id := range s.flight {
		ids = append(ids, id)
	}
	s.mu.RUnlock()
	if len(ids) == 0 {
		return nil
	}
	return s.db.WithContext(ctx).Exec(`UPDATE deliveries SET lease_until = `+database.NowPlus(s.db.DB)+` WHERE id IN ? AND node = ? AND state IN ('claimed', 'sending')`,
		s.opt.Lease.Seconds(), ids, s.node).Error
}

// hold notes which rows this process is at work on, until the returned function is called.
func (s *Service) hold(ds []models.Delivery) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range ds {
		s.flight[d.ID] = struct{}{}
	}
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, d := range ds {
			delete(s.flight, d.ID)
		}
	}
}

// Recover takes the rows of nodes that died: claimed ones go back to the queue; sending ones are unknown, and of those the
// receipts go back to the queue under their Message-ID. It also ends what expired while it waited. Any node may run it at
// any time.
func (s *Service) Recover(ctx context.Context) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		lost := "lease_until < " + database.Now(tx)
		if err := tx.Exec(`UPDATE deliveries SET state = 'queued', lease_until = NULL, updated_at = ? WHERE state = 'claimed' AND `+lost, now).Error; err != nil {
			return err
		}
		if err := tx.Exec(`UPDATE deliveries SET state = CASE WHEN on_unknown = 'resend' THEN 'queued' ELSE 'unknown' END, lease_until = NULL, updated_at = ?
			WHERE state = 'sending' AND `+lost, now).Error; err != nil {
			return err
		}
		return tx.Exec(`UPDATE deliveries SET state = 'expired', updated_at = ? WHERE state IN ('queued', 'deferred') AND expires_at <= ?`, now, now).Error
	})
}

// Drop ends, in tx, what waits for mailboxes, because their people are erased or their time is over: what nobody has begun to
// send does not go. It returns how many mails that were. What is on the wire at this moment arrives.
func Drop(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID, now time.Time) (int, error) {
	n := 0
	for ids := range slices.Chunk(boxes, 500) {
		r := tx.WithContext(ctx).Model(&models.Delivery{}).
			Where("mailbox_id IN ? AND state IN ?", ids, []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred, models.DeliveryClaimed}).
			Updates(map[string]any{"state": models.DeliverySuppressed, "lease_until": nil, "node": "", "updated_at": now})
		if r.Error != nil {
			return n, r.Error
		}
		n += int(r.RowsAffected)
	}
	return n, nil
}
