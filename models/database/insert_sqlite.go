package database

import (
	"reflect"
	"strings"
)

// sqliteRows is how many rows one statement writes: SQLite takes 32,766 parameters.
const sqliteRows = 500

// sqlite hands over a statement for every few hundred rows, with a parameter for each value: SQLite takes that faster than
// JSON.
func (w columns) sqlite(rows reflect.Value, run func(values string, args []any) error) (err error) {
	row := "(?" + strings.Repeat(", ?", len(w.list)-1) + ")"
	for from := 0; from < rows.Len(); from += sqliteRows {
		n := min(sqliteRows, rows.Len()-from)
		args := make([]any, 0, n*len(w.list))
		for i := range n {
			for _, c := range w.list {
				if c.wrong != nil {
					return c.wrong
				}
				var value any
				if v, ok := c.of(rows.Index(from + i)); ok {
					value = v.Interface()
					switch c.kind {
					case isText:
						if value, err = c.textOf(v); err != nil {
							return err
						}
					case isInt:
						value = v.Int()
					case isBool:
						value = v.Bool()
					case isFloat:
						value = v.Float()
					}
				}
				args = append(args, value)
			}
		}
		if err := run("VALUES "+row+strings.Repeat(", "+row, n-1), args); err != nil {
			return err
		}
	}
	return nil
}
