package deliveries

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// Reconcile ends, in tx, what is not known about a delivery whose mail came back: a server had accepted it, or we would not hear of
// it. An unknown delivery, and a receipt that waits to be sent again since its answer was lost, is sent, or failed where the mail did
// not arrive; every other state stays as it is. reply is what the server said, addresses removed. It reports whether the state
// changed. campaigns/inbound calls it.
func Reconcile(ctx context.Context, tx *gorm.DB, id uuid.UUID, arrived bool, reply string, now time.Time) (bool, error) {
	set := map[string]any{"state": models.DeliverySent, "sent_at": gorm.Expr("COALESCE(sent_at, ?)", now), "lease_until": nil, "updated_at": now}
	if !arrived {
		set["state"], set["reply"] = models.DeliveryFailed, reply
		delete(set, "sent_at")
	}
	r := tx.WithContext(ctx).Model(&models.Delivery{}).
		Where("id = ? AND attempt > 0 AND state IN ?", id, []models.DeliveryState{models.DeliveryUnknown, models.DeliveryQueued, models.DeliveryDeferred}).Updates(set)
	return r.RowsAffected > 0, r.Error
}

// HoldDomain puts off, in tx, what waits to go to a mail domain, but for receipts: until a time, or where it was put off until a time,
// again to now. It returns how many mails that were.
func HoldDomain(ctx context.Context, tx *gorm.DB, domain string, from *time.Time, until time.Time) (int, error) {
	q := tx.WithContext(ctx).Model(&models.Delivery{}).
		Where("state IN ? AND purpose <> ? AND mailbox_id IN (SELECT id FROM mailboxes WHERE domain = ?)",
			[]models.DeliveryState{models.DeliveryQueued, models.DeliveryDeferred}, models.PurposeReceipt, domain)
	if from != nil {
		q = q.Where("not_before = ?", *from)
	} else {
		q = q.Where("not_before < ?", until)
	}
	r := q.Update("not_before", until)
	return int(r.RowsAffected), r.Error
}
