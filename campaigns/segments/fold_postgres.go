package segments

import (
	"gorm.io/gorm"

	"kithline/models/database"
)

// fold is the SQL that makes the letters A to Z of a text small, as lowerASCII does: SQLite's lower does just that, that of
// PostgreSQL depends on how the database was made.
func fold(tx *gorm.DB, sql string) string {
	if database.IsPostgres(tx) {
		return "translate(" + sql + ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"
	}
	return "lower(" + sql + ")"
}

// position is the SQL for where a text stands in another, from 1; 0 where it does not. The second text is bound.
func position(tx *gorm.DB, in string) string {
	if database.IsPostgres(tx) {
		return "strpos(" + in + ", ?)"
	}
	return "instr(" + in + ", ?)"
}

// tune sets the rest of a transaction up for a question over all people: planned for its own values, in memory enough to join
// them, and not compiled, which took longer than the question. On SQLite there is nothing to set.
func tune(tx *gorm.DB) error {
	if !database.IsPostgres(tx) {
		return nil
	}
	for _, s := range []string{"plan_cache_mode = force_custom_plan", "work_mem = '128MB'", "jit = off"} {
		if err := tx.Exec("SET LOCAL " + s).Error; err != nil {
			return err
		}
	}
	return nil
}
