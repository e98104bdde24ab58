package petitions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Breaker says when the confirmation mails of a petition to addresses that nobody ever confirmed are held back: somebody may be
// typing strangers' addresses. Zero is the default.
type Breaker struct {
	Mails     int // so many of them in an hour, of which
	Confirmed int // less than this part led to a press on the button, in percent
	Bounced   int // or, of at least a hundred, this part could not be delivered, in percent
}

func (b Breaker) orDefault() Breaker {
	for _, d := range []struct {
		at *int
		is int
	}{{&b.Mails, 1000}, {&b.Confirmed, 5}, {&b.Bounced, 20}} {
		if *d.at == 0 {
			*d.at = d.is
		}
	}
	return b
}

// The times of the breaker.
const (
	breakerSpan     = time.Hour
	breakerPatience = 5 * time.Minute // a person needs to find the mail: younger ones say nothing
	breakerLater    = time.Hour       // how far the mails are put off, again and again
	breakerGrace    = 6 * time.Hour   // after an organizer closed it, it stays closed
	breakerLeast    = 100             // mails from which on bounces say something
)

// breakerMails is what became of the mails of a petition to addresses that nobody had confirmed, in the last hour.
type breakerMails struct {
	Sent      int // long enough ago for an answer, and not answered
	Confirmed int // of as long ago, and answered
	Tried     int // sent at any time of the hour, or bounced
	Bounced   int // refused, or came back since
	Asked     int // signatures of the hour that wait
}

// trips reports whether the mails are held back.
func (b Breaker) trips(m breakerMails) bool {
	gone := m.Sent + m.Confirmed
	return gone >= b.Mails && m.Confirmed*100 < b.Confirmed*gone || m.Tried >= breakerLeast && m.Bounced*100 >= b.Bounced*m.Tried
}

// Breakers opens and closes the breakers of petitions, and puts off again the mails of those that are open. It may run on several nodes
// at once, and again.
//
// It runs each minute, and no batch of signatures does it earlier: what trips the breaker is not a form but what became of mails, and
// of those only they count that had five minutes to be answered, or came back. A batch knows nothing of that and would have to ask for
// it each time. Once the breaker is open, a batch sees it in the statement that it makes anyway (broken).
func (s *Service) Breakers(ctx context.Context) error {
	now := s.clk.Now()
	b := s.opt.Breaker.orDefault()
	var ids []uuid.UUID
	if err := s.db.WithContext(ctx).Model(&models.Petition{}).Where("breaker_at IS NOT NULL").Pluck("id", &ids).Error; err != nil {
		return err
	}
	var busy []uuid.UUID
	err := s.db.WithContext(ctx).Raw(`SELECT petition_id FROM signatures WHERE `+unconfirmed+` AND expires_at > ? GROUP BY petition_id HAVING COUNT(*) >= ?`,
		now.Add(pendingFor-day), min(b.Mails, breakerLeast)/2).Scan(&busy).Error
	if err != nil {
		return err
	}
	for _, id := range busy {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, id := range ids {
		if err := s.lookAtMails(ctx, id, b, now); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) lookAtMails(ctx context.Context, id uuid.UUID, b Breaker, now time.Time) error {
	p, err := take(ctx, s.db.DB, id)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	m, err := s.breakerMails(ctx, id, now)
	if err != nil {
		return err
	}
	switch {
	case p.BreakerAt == nil && b.trips(m):
		return s.openBreaker(ctx, id, m, now)
	case p.BreakerAt != nil && !now.Before(p.BreakerAt.Add(breakerSpan)) && m.Asked < max(b.Mails/2, 1):
		return s.db.Tx(ctx, func(tx *gorm.DB) error {
			return s.closeBreaker(ctx, tx, actor.TheSystem(), id, max(b.Mails/2, 1), now)
		})
	case p.BreakerAt != nil:
		return s.db.Tx(ctx, func(tx *gorm.DB) error { return s.putOff(ctx, tx, id, now) })
	}
	return nil
}

func (s *Service) breakerMails(ctx context.Context, id uuid.UUID, now time.Time) (breakerMails, error) {
	var m breakerMails
	db := s.db.WithContext(ctx)
	since, until := now.Add(-breakerSpan), now.Add(-breakerPatience)
	err := db.Raw(`SELECT COUNT(CASE WHEN d.state = 'sent' AND d.sent_at > ? AND d.sent_at <= ? THEN 1 END) AS sent,
			COUNT(CASE WHEN d.state = 'sent' AND d.sent_at > ? OR d.state IN ('failed', 'suppressed') AND d.updated_at > ? THEN 1 END) AS tried,
			COUNT(CASE WHEN d.state IN ('failed', 'suppressed') AND d.updated_at > ? OR d.state = 'sent' AND d.sent_at > ? AND b.suppressed_reason = '`+models.SuppressedBounce+`' THEN 1 END) AS bounced
		FROM signatures s JOIN mailboxes b ON b.id = s.mailbox_id AND b.verified_at IS NULL JOIN deliveries d ON d.mailbox_id = s.mailbox_id AND d.subject_id = s.id AND d.kind = ?
		WHERE s.petition_id = ? AND s.confirmed_at IS NULL AND s.state IN ('pending', 'suspect') AND s.expires_at > ?`,
		since, until, since, since, since, since, KindConfirm, id, now.Add(pendingFor-day)).Scan(&m).Error
	if err != nil {
		return m, err
	}
	if err := db.Raw(`SELECT COUNT(*) FROM signatures WHERE petition_id = ? AND `+unconfirmed+` AND expires_at > ?`, id, now.Add(pendingFor-breakerSpan)).Scan(&m.Asked).Error; err != nil {
		return m, err
	}
	for _, state := range []models.SignatureState{models.SignatureConfirmed, models.SignatureSuspect} {
		var n int
		err := db.Raw(`SELECT COUNT(*) FROM signatures s JOIN mailboxes b ON b.id = s.mailbox_id AND b.verified_at > ?
			JOIN deliveries d ON d.mailbox_id = s.mailbox_id AND d.subject_id = s.id AND d.kind = ? AND d.sent_at > ? AND d.sent_at <= ?
			WHERE s.petition_id = ? AND s.state = ? AND s.confirmed_at > ?`, since, KindConfirm, since, until, id, state, since).Scan(&n).Error
		if err != nil {
			return m, err
		}
		m.Confirmed += n
	}
	m.Tried += m.Confirmed
	return m, nil
}

func (s *Service) openBreaker(ctx context.Context, id uuid.UUID, m breakerMails, now time.Time) error {
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var closed int64
		err := tx.Model(&models.AuditEntry{}).Where("object_id = ? AND action = 'petition.breaker_close' AND actor_kind = ? AND at > ?", id, string(actor.User), now.Add(-breakerGrace)).Count(&closed).Error
		if err != nil || closed > 0 { // somebody looked, and let them go
			return err
		}
		r := tx.Model(&models.Petition{}).Where("id = ? AND breaker_at IS NULL", id).Update("breaker_at", now)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		details := map[string]any{"sent": m.Sent + m.Confirmed, "confirmed": m.Confirmed, "bounced": m.Bounced}
		if err := audit.Write(ctx, tx, actor.TheSystem(), now, "petition.breaker_open", "petitions", id, details); err != nil {
			return err
		}
		return s.putOff(ctx, tx, id, now)
	})
}

// unverifiedMails picks the confirmation mails of a petition that wait to be sent to addresses that nobody confirmed. The values are
// the kind, the petition.
const unverifiedMails = `SELECT d.id FROM signatures s JOIN mailboxes b ON b.id = s.mailbox_id AND b.verified_at IS NULL
	JOIN deliveries d ON d.mailbox_id = s.mailbox_id AND d.subject_id = s.id AND d.kind = ?
	WHERE s.petition_id = ? AND s.confirmed_at IS NULL AND s.state IN ('pending', 'suspect') AND d.state IN ('queued', 'deferred')`

// putOff holds back for another hour the mails that would go within half of one.
func (s *Service) putOff(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Exec(`UPDATE deliveries SET not_before = ?, updated_at = ? WHERE state IN ('queued', 'deferred') AND not_before < ? AND id IN (`+unverifiedMails+`)`,
		now.Add(breakerLater), now, now.Add(breakerLater/2), KindConfirm, id).Error
}

// heldMails are the mails that are held back, the oldest first.
func (s *Service) heldMails(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) ([]uuid.UUID, error) {
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Raw(unverifiedMails+" AND d.not_before > ? ORDER BY d.created_at, d.id", KindConfirm, id, now).Scan(&ids).Error
	return ids, err
}

// closeBreaker lets the mails go: all at once, or hourly so many that they would not open it again.
func (s *Service) closeBreaker(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID, hourly int, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Model(&models.Petition{}).Where("id = ? AND breaker_at IS NOT NULL", id).Update("breaker_at", nil)
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	held, err := s.heldMails(ctx, tx, id, now)
	if err != nil {
		return err
	}
	for i := 0; i < len(held); i += 500 {
		at := now
		if hourly > 0 {
			at = now.Add(time.Duration(i/hourly) * time.Hour)
		}
		err := tx.Model(&models.Delivery{}).Where("id IN ? AND state IN ?", held[i:min(i+500, len(held))], []models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}).
			Updates(map[string]any{"not_before": at, "updated_at": now}).Error
		if err != nil {
			return err
		}
	}
	deliveries.Wake(tx)
	return audit.Write(ctx, tx, a, now, "petition.breaker_close", "petitions", id, map[string]any{"mails": len(held)})
}

// CloseBreaker lets the confirmation mails of a petition go that are held back, and keeps them from being held back again for six
// hours. Done twice it does so once. It needs actor.ModeratePetition. The fault is NotFound.
func (s *Service) CloseBreaker(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := take(ctx, tx, id); err != nil {
			return err
		}
		return s.closeBreaker(ctx, tx, a, id, 0, now)
	})
}
