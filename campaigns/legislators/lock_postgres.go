package legislators

import (
	"gorm.io/gorm"

	"kithline/models/database"
)

// one lets one import at a time compare and write, until its transaction ends. SQLite has one writer anyway.
func one(tx *gorm.DB) error {
	if !database.IsPostgres(tx) {
		return nil
	}
	return tx.Exec("LOCK TABLE legislator_imports IN SHARE ROW EXCLUSIVE MODE").Error
}
