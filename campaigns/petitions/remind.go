package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/models"
)

// remindAfter says how long a signature waits before its mailbox is asked once more, and before it is asked a last time. The first is
// the day for which campaigns/confirmations lets one open mail lie.
var remindAfter = []time.Duration{day, 4 * day}

// remindBatch is how many signatures are reminded of in one transaction.
const remindBatch = 200

// Remind queues a mail for signatures that wait to be confirmed: one after a day, one after four, within the limits of
// campaigns/confirmations, and none more. None goes for a petition that takes no signatures, and none for a suspect one while the
// confirmation mails of its petition are held back. It returns how many signatures were looked at for the last time of their round.
// It may run on several nodes at once, and again.
func (s *Service) Remind(ctx context.Context) (int, error) {
	now, total := s.clk.Now(), 0
	for round, after := range remindAfter {
		for {
			var ids []uuid.UUID
			// A signature waits for a fixed time, so when it was made follows from when it goes: that has an index.
			err := s.db.WithContext(ctx).Raw(`SELECT s.id FROM signatures s JOIN petitions p ON p.id = s.petition_id
				WHERE s.confirmed_at IS NULL AND s.state IN ('pending', 'suspect') AND s.expires_at > ? AND s.expires_at <= ? AND s.reminders <= ? AND s.mailbox_id IS NOT NULL
					AND p.state = 'published' AND p.paused_at IS NULL AND (p.deadline_at IS NULL OR p.deadline_at > ?) AND (s.state = 'pending' OR p.breaker_at IS NULL)
				ORDER BY s.expires_at LIMIT ?`, now, now.Add(pendingFor-after), round, now, remindBatch).Scan(&ids).Error
			if err != nil {
				return total, err
			}
			if len(ids) == 0 {
				break
			}
			done := 0
			err = s.db.Tx(ctx, func(tx *gorm.DB) (err error) { done, err = s.remind(ctx, tx, ids, round, now); return err })
			if total += done; err != nil {
				return total, err
			}
		}
	}
	return total, nil
}

// remind is one batch of a round. The rows are held, so that of several nodes one asks.
func (s *Service) remind(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, round int, now time.Time) (int, error) {
	sigs, err := holdAll(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	var asked []confirmations.Request
	var done, boxIDs []uuid.UUID
	for _, sig := range sigs {
		if !waits(sig) || sig.Reminders > round {
			continue
		}
		done, boxIDs = append(done, sig.ID), append(boxIDs, sig.MailboxID)
		asked = append(asked, confirmations.Request{
			Kind: KindReminder, MailboxID: sig.MailboxID, Subject: sig.ID, DedupeKey: KindReminder + "/" + sig.ID.String() + "/" + string(rune('1'+round)), Ends: sig.ExpiresAt,
		})
	}
	if len(done) == 0 {
		return 0, nil
	}
	var rows []models.Mailbox
	if err := tx.Where("id IN ?", boxIDs).Find(&rows).Error; err != nil {
		return 0, err
	}
	boxes := make(map[uuid.UUID]models.Mailbox, len(rows))
	for _, m := range rows {
		boxes[m.ID] = m
	}
	if err := confirmations.Queue(ctx, tx, asked, boxes, boxIDs, now); err != nil {
		return 0, err
	}
	// What the limits left out is not asked for again either: the page behind the last mail lists it.
	return len(done), tx.Model(&models.Signature{}).Where("id IN ?", done).Updates(map[string]any{"reminders": round + 1, "reminded_at": now}).Error
}

// clientsKept is how long the hash of a device address is kept.
const clientsKept = 14 * day

// ForgetClients drops the hashes of device addresses of signatures that are older than 14 days. It may run on several nodes at once.
func (s *Service) ForgetClients(ctx context.Context) error {
	before := s.clk.Now().Add(-clientsKept)
	for {
		r := s.db.WithContext(ctx).Exec(`UPDATE signatures SET client_hash = NULL WHERE id IN (SELECT id FROM signatures WHERE client_hash IS NOT NULL AND created_at < ? LIMIT ?)`, before, expireBatch)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
	}
}
