package database

import "gorm.io/gorm"

// AsideTimes makes a table of times by a word that only this transaction sees: columns name and due. name is a word of the program.
// End it with PutAway; what is rolled back leaves nothing.
func AsideTimes(tx *gorm.DB, name string) error {
	if IsPostgres(tx) {
		return tx.Exec("CREATE TEMPORARY TABLE " + name + " (name text PRIMARY KEY, due timestamptz NOT NULL) ON COMMIT DROP").Error
	}
	return tx.Exec("CREATE TEMPORARY TABLE " + name + " (name text PRIMARY KEY, due datetime NOT NULL)").Error
}

// PutAway removes it before the transaction ends.
func PutAway(tx *gorm.DB, name string) error { return tx.Exec("DROP TABLE " + name).Error }
