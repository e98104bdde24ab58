package deliveries

import (
	"context"
	"sync"

	"github.com/google/uuid"

	"kithline/mailer"
	"kithline/models"
)

// brakes remember how the last attempts of each mailing ended, in this process.
type brakes struct {
	mu       sync.Mutex
	share    float64
	window   int
	mailings map[uuid.UUID]*outcomes
}

// outcomes is a ring of the last attempts of a mailing.
type outcomes struct {
	refused []bool
	next, n int
	bad     int
}

// note adds an attempt and reports whether more than share of the last window ones were refused.
func (o *outcomes) note(refused bool, share float64, window int) bool {
	if len(o.refused) != window {
		*o = outcomes{refused: make([]bool, window)}
	}
	if o.n == window && o.refused[o.next] {
		o.bad--
	}
	if o.refused[o.next] = refused; refused {
		o.bad++
	}
	o.next = (o.next + 1) % window
	o.n = min(o.n+1, window)
	return o.n == window && float64(o.bad) > share*float64(window)
}

// set says when the brake works; a share of 0 is never.
func (b *brakes) set(share float64, window int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.share, b.window = share, window
}

func (b *brakes) note(mailing uuid.UUID, refused bool) (stop bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.share <= 0 || b.window <= 0 {
		return false
	}
	if b.mailings == nil {
		b.mailings = map[uuid.UUID]*outcomes{}
	}
	o := b.mailings[mailing]
	if o == nil {
		if len(b.mailings) > 100 { // of mailings that ended long ago
			clear(b.mailings)
		}
		o = &outcomes{}
		b.mailings[mailing] = o
	}
	if stop = o.note(refused, b.share, b.window); stop {
		delete(b.mailings, mailing) // whoever lets it go on gets a whole window
	}
	return stop
}

// brake stops a mailing of which too many are refused for good: the list is old, or the server has come to think ill of it. Somebody
// looks, and lets it go on or not.
func (s *Service) brake(ctx context.Context, d models.Delivery, o mailer.Outcome) {
	if d.MailingID == nil || o.State == mailer.NotSent || o.State == mailer.Unknown || !s.brakes.note(*d.MailingID, o.State == mailer.Rejected) {
		return
	}
	now := s.clk.Now()
	r := s.db.WithContext(ctx).Model(&models.Mailing{}).Where("id = ? AND state = ?", *d.MailingID, models.MailingSending).
		Updates(map[string]any{"state": models.MailingStopped, "paused_at": now, "paused_reason": "mailings.stopped_by_brake", "updated_at": now})
	if r.Error != nil {
		s.opt.Log.Error("stopping a mailing of which too much is refused", "mailing", *d.MailingID, "error", r.Error.Error())
	} else if r.RowsAffected == 1 {
		s.opt.Log.Warn("a mailing is stopped: too much of it is refused", "mailing", *d.MailingID)
	}
}
