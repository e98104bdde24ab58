package inbound

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/mailboxes"
	"kithline/mailer"
	"kithline/models"
)

var locking = clause.Locking{Strength: "UPDATE"}

func contains(list []string, s string) bool { return slices.Contains(list, s) }

// A mailbox is suppressed after so many soft bounces of its last deliveries.
const (
	softBounces = 3
	softOf      = 5
)

// follow does what a report asks for, and writes down what that was.
func (s *Service) follow(ctx context.Context, tx *gorm.DB, d models.Delivery, r models.InboundReport, now time.Time) error {
	class := mailer.Class(r.Class)
	if _, err := deliveries.Reconcile(ctx, tx, d.ID, !class.Bounced(), r.Diagnostic, now); err != nil {
		return err
	}
	set := map[string]any{"state": models.ReportDone, "handled_at": now}
	if err := tx.WithContext(ctx).Model(&models.InboundReport{}).Where("id = ?", r.ID).Updates(set).Error; err != nil {
		return err
	}
	effect, err := s.consequence(ctx, tx, d, class, r, now)
	if err != nil {
		return err
	}
	h := s.handlers[d.Kind]
	if h == nil {
		h = s.handlers[""]
	}
	if h != nil {
		did, err := h(ctx, tx, d, r)
		if err != nil {
			return err
		}
		if did != "" {
			effect = did
		}
	}
	if effect == "" {
		return nil
	}
	return tx.WithContext(ctx).Model(&models.InboundReport{}).Where("id = ?", r.ID).Update("effect", effect).Error
}

// consequence does what follows for the mailbox and its domain, whatever feature sent the mail.
func (s *Service) consequence(ctx context.Context, tx *gorm.DB, d models.Delivery, class mailer.Class, r models.InboundReport, now time.Time) (string, error) {
	if d.MailboxID == uuid.Nil { // the person was erased
		return "", nil
	}
	suppress := func(reason string) (string, error) {
		changed, err := mailboxes.MailCameBack(ctx, tx, d.MailboxID, reason, now)
		if err != nil || !changed {
			return "", err
		}
		return models.EffectSuppressed, nil
	}
	switch class {
	case mailer.BounceHard:
		return suppress(models.SuppressedBounce)
	case mailer.BounceSoft:
		n, err := softly(ctx, tx, d.MailboxID)
		if err != nil || n < softBounces {
			return "", err
		}
		return suppress(models.SuppressedBounce)
	case mailer.Complaint:
		if _, err := suppress(models.SuppressedComplaint); err != nil {
			return "", err
		}
		_, err := mailboxes.WithdrawAll(ctx, tx, d.MailboxID, "complaint", now)
		return models.EffectWithdrawn, err
	case mailer.BouncePolicy:
		return models.EffectTrouble, s.trouble(ctx, tx, d.MailboxID, r, now)
	}
	return "", nil
}

// softly counts the soft bounces of the last deliveries to a mailbox. One that the server put off until we gave up is one too.
func softly(ctx context.Context, tx *gorm.DB, mailbox uuid.UUID) (n int, err error) {
	err = tx.WithContext(ctx).Raw(`SELECT count(*) FROM (
			SELECT id, state, reply_code FROM deliveries WHERE mailbox_id = ? AND state IN ('sent', 'failed') ORDER BY created_at DESC, id DESC LIMIT ?) d
		WHERE d.state = 'failed' AND d.reply_code BETWEEN 400 AND 499
			OR EXISTS (SELECT 1 FROM inbound_reports r WHERE r.delivery_id = d.id AND r.class = ? AND r.state = ?)`,
		mailbox, softOf, string(mailer.BounceSoft), models.ReportDone).Scan(&n).Error
	return n, err
}
