package database

import (
	"context"
	"reflect"

	"gorm.io/gorm"
)

// CopyAll writes many rows of one model at once, none of which can be there already: new ids, and nothing else that is unique.
// It is for hot paths. On PostgreSQL it is COPY in its binary form, on SQLite an INSERT of many rows. Ids and times are those
// of the rows: nothing is filled in. Text that one of the databases could not hold is refused by both, as by InsertAll. Call
// it in a transaction.
func CopyAll[T any](tx *gorm.DB, rows []T) error {
	if len(rows) == 0 {
		return nil
	}
	st := &gorm.Statement{DB: tx}
	if err := st.Parse(&rows); err != nil {
		return err
	}
	c := columnsOf(st.Schema)
	if IsPostgres(tx) {
		return c.copy(tx, st.Schema.Table, reflect.ValueOf(rows))
	}
	return c.sqlite(reflect.ValueOf(rows), func(insert string, args []any) error {
		_, err := tx.Statement.ConnPool.ExecContext(contextOf(tx), insert, args...)
		return err
	})
}

func contextOf(tx *gorm.DB) context.Context { return tx.Statement.Context }

// FindIn reads the rows whose column is one of keys, ids or bytes, into *dest: in one question on PostgreSQL, whatever their
// number, and in several on SQLite. What q asks beside it holds too. Rows come in the order of q within each question.
func FindIn[T, K any](q *gorm.DB, column string, keys []K, dest *[]T) error {
	if len(keys) == 0 {
		return nil
	}
	if IsPostgres(q) {
		return q.Session(&gorm.Session{}).Where(column+" = ANY(?)", arrayOf(keys)).Find(dest).Error
	}
	for from := 0; from < len(keys); from += sqliteRows {
		var part []T
		if err := q.Session(&gorm.Session{}).Where(column+" IN ?", keys[from:min(from+sqliteRows, len(keys))]).Find(&part).Error; err != nil {
			return err
		}
		*dest = append(*dest, part...)
	}
	return nil
}
