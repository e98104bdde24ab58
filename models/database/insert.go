package database

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"
)

// InsertAll writes many rows of one model at once, all but those that onConflict, such as "ON CONFLICT (dedupe_key) DO NOTHING",
// passes over. It is for hot paths. On PostgreSQL it is one
// statement whose text does not depend on the number of rows, so the server reads it once for all batches, and takes an array
// for each column instead of a parameter for each value. Ids and times are those of the rows: nothing is filled in. Text that
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
	st := &gorm.Statement{DB: tx}
	if err := st.Parse(&rows); err != nil {
		return err
	}
	c := columnsOf(st.Schema)
	if IsPostgres(tx) {
		return c.postgres(reflect.ValueOf(rows), run)
	}
	return c.sqlite(reflect.ValueOf(rows), run)
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

// columns are all of a model. into is the beginning of every INSERT.
type columns struct {
	list []column
	into string
}

var columnsCache sync.Map // *schema.Schema to columns

func columnsOf(s *schema.Schema) columns {
	if c, ok := columnsCache.Load(s); ok {
		return c.(columns)
	}
	var c columns
	names := []string{}
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
		names = append(names, f.DBName)
	}
	c.into = "INSERT INTO " + s.Table + " (" + strings.Join(names, ", ") + ") "
	columnsCache.Store(s, c)
	return c
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
