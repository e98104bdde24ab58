package petitions

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.db, "signatures", "state IN ('pending', 'suspect', 'confirmed') AND mailbox_id IS NOT NULL", ids, most)
}

// Again is part of confirmations.Source.
func (c source) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.clk.Now()
	return c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		var sigs []models.Signature
		if err := tx.Where("id IN ? AND "+unconfirmed+" AND expires_at > ?", ids, now).Find(&sigs).Error; err != nil {
			return err
		}
		var boxIDs []uuid.UUID
		for _, sig := range sigs {
			boxIDs = append(boxIDs, sig.MailboxID)
		}
		if len(boxIDs) == 0 {
			return nil
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		var asked []request
		for _, sig := range sigs {
			asked = append(asked, request{Signature: sig})
		}
		petitions, err := petitionsOf(ctx, tx, sigs)
		if err != nil {
			return err
		}
		return mails(ctx, tx, asked, petitions, boxes, boxIDs, now)
	})
}
