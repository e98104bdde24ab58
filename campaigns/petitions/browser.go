package petitions

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/confirmations"
	"kithline/models"
)

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	var tried []confirmations.Tried
	err := c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		tried = nil
		return tx.Raw(`UPDATE signatures SET code_tries = code_tries + 1 WHERE id IN ? AND state IN ('pending', 'suspect', 'confirmed') AND code_tries < ?
			AND mailbox_id IS NOT NULL RETURNING id, mailbox_id`, ids, most).Scan(&tried).Error
	})
	return tried, err
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
		var rows []models.Mailbox
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id IN ?", boxIDs).Order("address_hash").Find(&rows).Error; err != nil {
			return err
		}
		boxes := map[uuid.UUID]models.Mailbox{}
		for _, b := range rows {
			boxes[b.ID] = b
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
