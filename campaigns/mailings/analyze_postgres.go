package mailings

import (
	"context"

	"kithline/models/database"
)

// analyze lets PostgreSQL count the tables that an audience is read from. It plans by the counts of its last look, which may
// be older than a large import; joined row by row, freezing 10,000 people then took 17 s instead of half a second. SQLite
// plans by its indexes alone.
func analyze(ctx context.Context, db *database.DB) error {
	if !db.Postgres() {
		return nil
	}
	return db.WithContext(ctx).Exec("ANALYZE signatures, consents, mailboxes, supporters").Error
}
