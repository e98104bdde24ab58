package database

import (
	"encoding/binary"
	"reflect"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgtype"
)

// pgTypes are the types of the arrays that carry a column's values. What a column holds in fewer bits is converted by the
// assignment.
var pgTypes = map[kind]pgType{
	isText: {"text", pgtype.TextOID, pgtype.TextArrayOID}, isInt: {"bigint", pgtype.Int8OID, pgtype.Int8ArrayOID}, isBool: {"boolean", pgtype.BoolOID, pgtype.BoolArrayOID},
	isBytes: {"bytea", pgtype.ByteaOID, pgtype.ByteaArrayOID}, isTime: {"timestamptz", pgtype.TimestamptzOID, pgtype.TimestamptzArrayOID},
	isUUID: {"uuid", pgtype.UUIDOID, pgtype.UUIDArrayOID}, isFloat: {"float8", pgtype.Float8OID, pgtype.Float8ArrayOID},
}

type pgType struct {
	name       string
	one, array uint32 // OIDs
}

// postgres hands one statement over, with an array for each column.
func (w columns) postgres(rows reflect.Value, run func(values string, args []any) error) (err error) {
	var text strings.Builder
	args := make([]any, len(w.list))
	text.WriteString("SELECT * FROM unnest(")
	for i, c := range w.list {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("$" + strconv.Itoa(i+1) + "::" + pgTypes[c.kind].name + "[]")
		if args[i], err = c.array(rows); err != nil {
			return err
		}
	}
	text.WriteString(") AS u (")
	for i := range w.list {
		if i > 0 {
			text.WriteString(", ")
		}
		text.WriteString("column" + strconv.Itoa(i+1))
	}
	text.WriteString(")")
	return run(text.String(), args)
}

// pgArray is an array in PostgreSQL's binary form: dimensions, whether NULL may be in it, the type of its elements, their number, the
// index of the first, and the elements as COPY has them (array_recv of src/backend/utils/adt/arrayfuncs.c).
type pgArray []byte

// arrayHead appends what stands before the elements.
func arrayHead(b []byte, k kind, n int) []byte {
	for _, v := range []uint32{1, 1, pgTypes[k].one, uint32(n), 1} {
		b = binary.BigEndian.AppendUint32(b, v)
	}
	return b
}

// array gathers the column's values of all rows.
func (c column) array(rows reflect.Value) (pgArray, error) {
	if c.wrong != nil {
		return nil, c.wrong
	}
	n := rows.Len()
	b := arrayHead(make([]byte, 0, 20+n*24), c.kind, n)
	var err error
	for i := range n {
		if b, err = c.append(b, rows.Index(i)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

// pgArrays lets pgx send a pgArray as it is.
type pgArrays struct{ *pgtype.ArrayCodec }

// PlanEncode is part of pgtype.Codec.
func (a pgArrays) PlanEncode(m *pgtype.Map, oid uint32, format int16, value any) pgtype.EncodePlan {
	if _, ok := value.(pgArray); ok && format == pgtype.BinaryFormatCode {
		return a
	}
	return a.ArrayCodec.PlanEncode(m, oid, format, value)
}

// Encode is part of pgtype.EncodePlan.
func (pgArrays) Encode(value any, buf []byte) ([]byte, error) {
	return append(buf, value.(pgArray)...), nil
}

// registerArrays makes a connection know them.
func registerArrays(m *pgtype.Map) {
	for _, t := range pgTypes {
		if known, ok := m.TypeForOID(t.array); ok {
			if c, ok := known.Codec.(*pgtype.ArrayCodec); ok {
				m.RegisterType(&pgtype.Type{Name: known.Name, OID: t.array, Codec: pgArrays{c}})
			}
		}
	}
}
