package imports

import (
	"context"
	"time"

	"gorm.io/gorm"

	"kithline/models/database"
)

// rest lets others in between two batches. SQLite has one writer at a time, and whoever waits for it looks only now and then;
// on PostgreSQL nobody waits for an import but for the machine.
func rest(ctx context.Context, tx *gorm.DB, took time.Duration) {
	pause := min(took/3, 50*time.Millisecond)
	if database.IsPostgres(tx) {
		pause = min(took/20, 10*time.Millisecond)
	}
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// manyRows is from how many new people on PostgreSQL counts its tables anew.
const manyRows = 5000

// analyze lets PostgreSQL count what was written: it plans by its last look, which may be from before a large import.
func analyze(ctx context.Context, db *database.DB, fresh int) error {
	if fresh < manyRows || !db.Postgres() {
		return nil
	}
	return db.WithContext(ctx).Exec("ANALYZE supporters, mailboxes, phones, consents, taggings, field_values").Error
}
