package confirmations

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models/database"
)

// CountTry is Try of a Source whose rows are in a table with the columns id, mailbox_id and code_tries. and narrows those that a code can be
// for: a condition without values, "" for all.
func CountTry(ctx context.Context, db *database.DB, table, and string, ids []uuid.UUID, most int) ([]Tried, error) {
	if and != "" {
		and = " AND " + and
	}
	var tried []Tried
	err := db.Tx(ctx, func(tx *gorm.DB) error {
		tried = nil
		return tx.Raw("UPDATE "+table+" SET code_tries = code_tries + 1 WHERE id IN ? AND code_tries < ?"+and+" RETURNING id, mailbox_id", ids, most).Scan(&tried).Error
	})
	return tried, err
}
