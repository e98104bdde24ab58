package database

import (
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
)

// pgTypes are the types of the arrays that carry a column's values. What a column holds in fewer bits is converted by the
// assignment.
var pgTypes = map[kind]string{isText: "text", isInt: "bigint", isBool: "boolean", isBytes: "bytea", isTime: "timestamptz", isUUID: "uuid", isFloat: "float8"}

// postgres hands one statement over, with an array for each column.
func (w columns) postgres(rows reflect.Value, run func(values string, args []any) error) (err error) {
	arrays, names, args := make([]string, len(w.list)), make([]string, len(w.list)), make([]any, len(w.list))
	for i, c := range w.list {
		arrays[i], names[i] = fmt.Sprintf("$%d::%s[]", i+1, pgTypes[c.kind]), fmt.Sprintf("column%d", i+1)
		if args[i], err = c.array(rows); err != nil {
			return err
		}
	}
	return run("SELECT * FROM unnest("+strings.Join(arrays, ", ")+") AS u ("+strings.Join(names, ", ")+")", args)
}

// array gathers the column's values of all rows.
func (c column) array(rows reflect.Value) (any, error) {
	if c.wrong != nil {
		return nil, c.wrong
	}
	n := rows.Len()
	switch c.kind {
	case isBytes:
		return gather(c, rows, n, func(v reflect.Value, ok bool) ([]byte, error) {
			if !ok {
				return nil, nil
			}
			return v.Bytes(), nil
		})
	case isInt:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.Int8, err error) {
			if x.Valid = ok; ok {
				x.Int64 = v.Int()
			}
			return x, nil
		})
	case isFloat:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.Float8, err error) {
			if x.Valid = ok; ok {
				x.Float64 = v.Float()
			}
			return x, nil
		})
	case isBool:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.Bool, err error) {
			if x.Valid = ok; ok {
				x.Bool = v.Bool()
			}
			return x, nil
		})
	case isTime:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.Timestamptz, err error) {
			if x.Valid = ok; ok {
				x.Time = v.Interface().(time.Time)
			}
			return x, nil
		})
	case isUUID:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.UUID, err error) {
			if x.Valid = ok; ok {
				x.Bytes = v.Interface().(uuid.UUID)
			}
			return x, nil
		})
	default:
		return gather(c, rows, n, func(v reflect.Value, ok bool) (x pgtype.Text, err error) {
			if x.Valid = ok; ok {
				x.String, err = c.textOf(v)
			}
			return x, err
		})
	}
}

func gather[T any](c column, rows reflect.Value, n int, read func(v reflect.Value, ok bool) (T, error)) (pgtype.FlatArray[T], error) {
	out := make(pgtype.FlatArray[T], n)
	for i := range n {
		v, ok := c.of(rows.Index(i))
		var err error
		if out[i], err = read(v, ok); err != nil {
			return nil, err
		}
	}
	return out, nil
}
