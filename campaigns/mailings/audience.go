package mailings

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// Audience says who would get a mailing now, and why the others would not. The four numbers belong together: Confirmed =
// People + WithoutConsent + Suppressed.
type Audience struct {
	Confirmed      int // confirmed signers of the petition
	People         int // would get it
	WithoutConsent int // never agreed to updates, or left the list
	Suppressed     int // their address takes no mail, or was erased
}

// audience counts.
func audience(ctx context.Context, tx *gorm.DB, m models.Mailing) (Audience, error) {
	var a Audience
	err := tx.WithContext(ctx).Raw(`SELECT count(*) AS confirmed,
			COALESCE(sum(CASE WHEN EXISTS (SELECT 1 FROM mailable c WHERE c.mailbox_id = s.mailbox_id AND c.purpose = ? AND c.scope_id = ?)
				THEN 1 ELSE 0 END), 0) AS people,
			COALESCE(sum(CASE WHEN b.suppressed_at IS NOT NULL OR b.address_sealed IS NULL THEN 1 ELSE 0 END), 0) AS suppressed
		FROM signatures s JOIN mailboxes b ON b.id = s.mailbox_id
		WHERE s.petition_id = ? AND s.state = ?`, m.Purpose, m.ScopeID, m.PetitionID, models.SignatureConfirmed).Scan(&a).Error
	a.WithoutConsent = a.Confirmed - a.People - a.Suppressed
	return a, err
}

// nextPeople returns up to n mailboxes of those who get the mailing, in the order of their ids, after one of them.
func nextPeople(ctx context.Context, tx *gorm.DB, m models.Mailing, after uuid.UUID, n int) ([]uuid.UUID, error) {
	var rows []struct{ MailboxID uuid.UUID }
	err := tx.WithContext(ctx).Raw(`SELECT s.mailbox_id FROM signatures s
		JOIN mailable c ON c.mailbox_id = s.mailbox_id AND c.purpose = ? AND c.scope_id = ?
		WHERE s.petition_id = ? AND s.state = ? AND s.mailbox_id > ?
		ORDER BY s.mailbox_id LIMIT ?`, m.Purpose, m.ScopeID, m.PetitionID, models.SignatureConfirmed, after, n).Scan(&rows).Error
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.MailboxID
	}
	return ids, err
}
