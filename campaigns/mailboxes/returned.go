package mailboxes

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// MailCameBack stops all mail to a mailbox because mail to it came back (models.SuppressedBounce) or was called spam
// (models.SuppressedComplaint). Unlike Suppress it takes the place of a reason that lets receipts through, and a complaint that of a
// bounce. It reports whether anything changed.
func MailCameBack(ctx context.Context, tx *gorm.DB, id uuid.UUID, reason string, now time.Time) (bool, error) {
	weaker := []string{models.SuppressedImport, models.SuppressedByHand}
	if reason == models.SuppressedComplaint {
		weaker = append(weaker, models.SuppressedBounce)
	}
	r := tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ? AND (suppressed_at IS NULL OR suppressed_reason IN ?)", id, weaker).
		Updates(map[string]any{"suppressed_at": now, "suppressed_reason": reason, "updated_at": now})
	return r.RowsAffected > 0, r.Error
}

// WithdrawAll ends every consent of a mailbox, and of the other mailboxes of the same person, that lets mail go there. how is a word
// for the record: "complaint". It returns how many there were.
func WithdrawAll(ctx context.Context, tx *gorm.DB, id uuid.UUID, how string, now time.Time) (int, error) {
	r := tx.WithContext(ctx).Model(&models.Consent{}).
		Where("withdrawn_at IS NULL AND purpose IN ? AND mailbox_id IN (SELECT m.id FROM mailboxes m WHERE m.id = ? OR m.supporter_id = (SELECT b.supporter_id FROM mailboxes b WHERE b.id = ?))",
			[]models.Purpose{models.PurposeUpdates, models.PurposeNewsletter, models.PurposeVolunteering}, id, id).
		Updates(map[string]any{"withdrawn_at": now, "withdrawn_how": how})
	return int(r.RowsAffected), r.Error
}
