package segments

import (
	"context"

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

// uuidType is what the database calls the type of an id.
func uuidType(tx *gorm.DB) string {
	if database.IsPostgres(tx) {
		return "uuid"
	}
	return "text"
}

// Tuned runs fn in a transaction that is set up for questions over all people. It reads only: on SQLite it is none, so that
// nobody who writes waits for it.
func Tuned(ctx context.Context, db *database.DB, fn func(tx *gorm.DB) error) error {
	if !db.Postgres() {
		return fn(db.WithContext(ctx))
	}
	return db.Tx(ctx, func(tx *gorm.DB) error {
		if err := Tune(tx); err != nil {
			return err
		}
		return fn(tx)
	})
}

// Tune sets the rest of a transaction up for a question over all people: planned for its own values, in memory enough to join
// them, and not compiled, which took longer than the question. On SQLite there is nothing to set.
func Tune(tx *gorm.DB) error {
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
