package database

import "gorm.io/gorm"

// Aside makes a table of ids that only this transaction sees, for what is found once and read in parts. name is a word of the
// program. End it with PutAway; what is rolled back leaves nothing.
func Aside(tx *gorm.DB, name string) error {
	if IsPostgres(tx) {
		return tx.Exec("CREATE TEMPORARY TABLE " + name + " (id uuid PRIMARY KEY) ON COMMIT DROP").Error
	}
	return tx.Exec("CREATE TEMPORARY TABLE " + name + " (id text PRIMARY KEY)").Error
}

// PutAway removes it before the transaction ends.
func PutAway(tx *gorm.DB, name string) error { return tx.Exec("DROP TABLE " + name).Error }
