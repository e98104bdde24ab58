package mailboxes

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// unusedFor is how long an address that nobody confirmed is kept once nothing waits for it.
const unusedFor = 7 * 24 * time.Hour

// Sweep forgets addresses that somebody typed and nobody confirmed: nothing points to the mailbox, in any of the tables that
// can, it is not suppressed, and no mail went there for a week. Its deliveries go with it. It returns how many went. Any node
// may run it at any time.
func Sweep(ctx context.Context, db *database.DB, now time.Time) (int, error) {
	n, last := 0, uuid.Nil
	for {
		var ids []uuid.UUID
		q := db.WithContext(ctx).Model(&models.Mailbox{}).
			Where("verified_at IS NULL AND suppressed_at IS NULL AND supporter_id IS NULL AND created_at < ? AND id > ?", now.Add(-unusedFor), last)
		for _, table := range models.Holding() {
			if table == "deliveries" {
				q = q.Where("NOT EXISTS (SELECT 1 FROM deliveries h WHERE h.mailbox_id = mailboxes.id AND h.created_at > ?)", now.Add(-unusedFor))
				continue
			}
			q = q.Where("NOT EXISTS (SELECT 1 FROM " + table + " h WHERE h.mailbox_id = mailboxes.id)")
		}
		if err := q.Order("id").Limit(200).Pluck("id", &ids).Error; err != nil || len(ids) == 0 {
			return n, err
		}
		for _, id := range ids {
			err := db.Tx(ctx, func(tx *gorm.DB) error {
				if err := tx.Where("mailbox_id = ? AND state NOT IN ?", id, []models.DeliveryState{models.DeliverySending}).Delete(&models.Delivery{}).Error; err != nil {
					return err
				}
				return tx.Where("id = ? AND verified_at IS NULL AND suppressed_at IS NULL", id).Delete(&models.Mailbox{}).Error
			})
			switch {
			case err == nil:
				n++
			case !errors.Is(err, gorm.ErrForeignKeyViolated): // something points to it: it stays
				return n, err
			}
		}
		last = ids[len(ids)-1]
	}
}
