package divisions

import (
	"gorm.io/gorm"

	"kithline/models/database"
)

// planned runs fn with statements that PostgreSQL plans anew each time, for the rows that are there: it would go on with a plan
// that it made while the tables were empty, and read them whole. On SQLite it just runs fn.
func planned(tx *gorm.DB, fn func() error) error {
	if !database.IsPostgres(tx) {
		return fn()
	}
	if err := tx.Exec("SET LOCAL plan_cache_mode = force_custom_plan").Error; err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err // the transaction ends with it
	}
	return tx.Exec("SET LOCAL plan_cache_mode = auto").Error
}
