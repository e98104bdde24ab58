package database

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// InsertAll writes many rows of one model at once, all but those that onConflict, such as "ON CONFLICT (dedupe_key) DO NOTHING",
// passes over. It is for hot paths. On PostgreSQL it is one statement whose text does not depend on the number of rows, so the server
// reads it once for all batches, and takes an array for each column instead of a parameter for each value. Ids and times are those of the rows: nothing is filled in. Text that
// one of the databases could not hold (a NUL byte, invalid UTF-8) is refused by both, with an error that Refused tells.
func InsertAll[T any](tx *gorm.DB, rows []T, onConflict string) error {
	return insertAll(tx, rows, func(insert string, args []any) error {
		_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, insert+" "+onConflict, args...)
		return err
	})
}

// InsertNew is InsertAll that returns the ids of the rows that it wrote.
func InsertNew[T any](tx *gorm.DB, rows []T, onConflict string) (written map[uuid.UUID]bool, err error) {
	written = make(map[uuid.UUID]bool, len(rows))
	end := " " + onConflict + " RETURNING id"
	err = insertAll(tx, rows, func(insert string, args []any) error {
		found, err := tx.Statement.ConnPool.QueryContext(tx.Statement.Context, insert+end, args...)
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var id uuid.UUID
			if err := found.Scan(&id); err != nil {
				return err
			}
			written[id] = true
		}
		return found.Err()
	})
	return written, err
}

func insertAll[T any](tx *gorm.DB, rows []T, run func(insert string, args []any) error) error {
	if len(rows) == 0 {
		return nil
	}
	all, err := columnsFor(tx, rows)
	if err != nil {
		return err
	}
	c := all.said(reflect.ValueOf(rows))
	return c.each(tx, reflect.ValueOf(rows), func(values string, args []any) error {
		return run("INSERT INTO "+c.table+" ("+strings.Join(c.names, ", ")+") "+values, args)
	})
}

// UpdateAll sets the named columns of rows of one model, which are found by their ids, to what rows hold: InsertAll for rows that
// are there. A row that is not there is passed over.
func UpdateAll[T any](tx *gorm.DB, rows []T, names ...string) error {
	if len(rows) == 0 {
		return nil
	}
	set := make([]string, len(names))
	for i, n := range names {
		set[i] = fmt.Sprintf("%s = v.column%d", n, i+2)
	}
	return WithValues(tx, rows, append([]string{"id"}, names...), func(table, values string, args []any) error {
		_, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context,
			"UPDATE "+table+" SET "+strings.Join(set, ", ")+" FROM ("+values+") AS v WHERE "+table+".id = v.column1", args...)
		return err
	})
}

// WithValues calls run with the named columns of rows of one model as a SELECT whose columns are column1 and so on, in the order of
// names, with its arguments: to be joined in a statement of a hot path that is the statement pool's own, without other arguments. It
// calls once for all rows on PostgreSQL, and for every few hundred on SQLite.
func WithValues[T any](tx *gorm.DB, rows []T, names []string, run func(table, values string, args []any) error) error {
	all, err := columnsFor(tx, rows)
	if err != nil {
		return err
	}
	c, err := all.only(names)
	if err != nil {
		return err
	}
	return c.each(tx, reflect.ValueOf(rows), func(values string, args []any) error { return run(c.table, values, args) })
}

// kind is how a column's values travel.
type kind int

const (
	isText kind = iota
	isInt
	isBool
	isBytes
	isTime
	isUUID
	isFloat
)

// column is one column of a model.
type column struct {
	name  string
	index []int // of the struct's field
	kind  kind
	null  bool // the field is a pointer
	wrong error
}

// columns are those of a model.
type columns struct {
	table string
	names []string
	list  []column
}

var columnsCache sync.Map // *schema.Schema to columns

func columnsOf(s *schema.Schema) columns {
	if c, ok := columnsCache.Load(s); ok {
		return c.(columns)
	}
	c := columns{table: s.Table}
	for _, f := range s.Fields {
		if f.DBName == "" {
			continue
		}
		x := column{name: f.DBName, index: f.StructField.Index}
		t := f.FieldType
		if x.null = t.Kind() == reflect.Pointer; x.null {
			t = t.Elem()
		}
		switch {
		case t == reflect.TypeFor[uuid.UUID]():
			x.kind = isUUID
		case t == reflect.TypeFor[time.Time]():
			x.kind = isTime
		case t == reflect.TypeFor[[]byte]():
			x.kind = isBytes
		case t.Kind() == reflect.String:
			x.kind = isText
		case t.Kind() == reflect.Bool:
			x.kind = isBool
		case t.Kind() == reflect.Int || t.Kind() == reflect.Int32 || t.Kind() == reflect.Int64:
			x.kind = isInt
		case t.Kind() == reflect.Float64:
			x.kind = isFloat
		default:
			x.wrong = fmt.Errorf("database: InsertAll knows no %s, the type of %s.%s", f.FieldType, s.Table, f.DBName)
		}
		c.list = append(c.list, x)
		c.names = append(c.names, f.DBName)
	}
	columnsCache.Store(s, c)
	return c
}

func columnsFor[T any](tx *gorm.DB, rows []T) (columns, error) {
	st := &gorm.Statement{DB: tx}
	if err := st.Parse(&rows); err != nil {
		return columns{}, err
	}
	return columnsOf(st.Schema), nil
}

// only are the named ones, in the order of names.
func (w columns) only(names []string) (columns, error) {
	c := columns{table: w.table, names: names}
	for _, n := range names {
		i := slices.Index(w.names, n)
		if i < 0 {
			return c, fmt.Errorf("database: %s has no column %q", w.table, n)
		}
		c.list = append(c.list, w.list[i])
	}
	return c, nil
}

// said leaves out the columns that are NULL in all rows: that is what a row has of its own, without a value.
func (w columns) said(rows reflect.Value) columns {
	c := columns{table: w.table, names: make([]string, 0, len(w.list)), list: make([]column, 0, len(w.list))}
	for i, x := range w.list {
		if (x.null || x.kind == isBytes) && x.wrong == nil && x.empty(rows) {
			continue
		}
		c.names, c.list = append(c.names, w.names[i]), append(c.list, x)
	}
	return c
}

// empty reports whether the column is NULL in all rows.
func (c column) empty(rows reflect.Value) bool {
	for i := range rows.Len() {
		if v, ok := c.of(rows.Index(i)); ok && (c.kind != isBytes || !v.IsNil()) {
			return false
		}
	}
	return true
}

// each calls run with the text and the arguments of statements that give the values of rows, in columns that are called column1
// and so on.
func (w columns) each(tx *gorm.DB, rows reflect.Value, run func(values string, args []any) error) error {
	if IsPostgres(tx) {
		return w.postgres(rows, run)
	}
	return w.sqlite(rows, run)
}

// of reads the column's field of a row; ok is false for a nil pointer.
func (c column) of(row reflect.Value) (v reflect.Value, ok bool) {
	v = row.FieldByIndex(c.index)
	if !c.null {
		return v, true
	}
	return v.Elem(), !v.IsNil()
}

// textOf reads a text that both databases can hold.
func (c column) textOf(v reflect.Value) (string, error) {
	s := v.String()
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		return "", fmt.Errorf("%w: text of %s", gorm.ErrInvalidValue, c.name)
	}
	return s, nil
}
