package consents

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// InForce is the question "whose consent to a purpose and scope is in force" for lists that are no mail: a SELECT of the one
// column supporter_id, to stand in IN (...) or in a join. It reads the view agreed, so whoever took a yes back, never
// confirmed the address, or was erased is not in it. For a purpose without a scope scopeID is uuid.Nil. Mail asks the view
// mailable, which a trigger of the deliveries table asks too.
func InForce(purpose models.Purpose, scopeID uuid.UUID) (sql string, args []any) {
	return "SELECT agreed.supporter_id FROM agreed WHERE agreed.purpose = ? AND agreed.scope_id = ?", []any{purpose, scopeID}
}

// NotTooSoon is a condition on supporters, named alias in the query, for mail that goes to many at a time: it leaves out
// who wants it at most once a week or once a month and got some within 7 or 30 days. What waits to be sent counts as got;
// what failed, expired or was suppressed does not. Who wants only what matters most is left out always: a mailing that does
// asks for them besides.
func NotTooSoon(alias string, now time.Time) (sql string, args []any) {
	sql = `(` + alias + `.frequency = '' OR ` + alias + `.frequency <> 'important' AND NOT EXISTS (
		SELECT 1 FROM deliveries soon JOIN mailboxes soon_box ON soon_box.id = soon.mailbox_id
		WHERE soon_box.supporter_id = ` + alias + `.id AND (soon.mailing_id IS NOT NULL OR soon.kind = 'series')
			AND soon.state NOT IN ('failed', 'expired', 'suppressed')
			AND (` + alias + `.frequency = 'weekly' AND soon.created_at > ? OR ` + alias + `.frequency = 'monthly' AND soon.created_at > ?)))`
	// Two hours less than the whole time: a newsletter that goes out each Monday is not late by having been early.
	const ease = 2 * time.Hour
	return sql, []any{now.Add(ease - 7*24*time.Hour), now.Add(ease - 30*24*time.Hour)}
}
