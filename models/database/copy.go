package database

import (
	"reflect"
	"slices"

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
	if !IsPostgres(tx) {
		return InsertAll(tx, rows, "")
	}
	c, err := columnsFor(tx, rows)
	if err != nil {
		return err
	}
	// A column of whole numbers may have either of two widths, which COPY's binary form asks for and only the table knows.
	if slices.ContainsFunc(c.list, func(x column) bool { return x.kind == isInt }) {
		return InsertAll(tx, rows, "")
	}
	return c.copy(tx, reflect.ValueOf(rows))
}

// WhereIn asks q for the rows whose column is one of keys, ids or bytes, at most some hundred: on PostgreSQL by one parameter, so that
// the text of the statement does not depend on their number, and the server reads it once.
func WhereIn[K any](q *gorm.DB, column string, keys []K) *gorm.DB {
	q = q.Session(&gorm.Session{})
	if IsPostgres(q) {
		return q.Where(column+" = ANY(?)", arrayOf(keys))
	}
	return q.Where(column+" IN ?", keys)
}

// FindIn reads the rows whose column is one of keys, ids or bytes, into *dest: in one question on PostgreSQL, whatever their
// number, and in several on SQLite. What q asks beside it holds too. Rows come in the order of q within each question.
func FindIn[T, K any](q *gorm.DB, column string, keys []K, dest *[]T) error {
	if len(keys) == 0 {
		return nil
	}
	if IsPostgres(q) {
		return WhereIn(q, column, keys).Find(dest).Error
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
