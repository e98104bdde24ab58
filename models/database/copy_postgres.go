package database

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"
	"gorm.io/gorm"
)

// arrayOf is one parameter that holds all keys. GORM would make a parameter of each element of a slice, but leaves a pointer
// as it is.
func arrayOf[K any](keys []K) any {
	if ids, ok := any(keys).([]uuid.UUID); ok { // pgx would write each as text and read that
		b := arrayHead(make([]byte, 0, 20+20*len(ids)), isUUID, len(ids))
		for _, id := range ids {
			b = append(binary.BigEndian.AppendUint32(b, 16), id[:]...)
		}
		a := pgArray(b)
		return &a
	}
	a := pgtype.FlatArray[K](keys)
	return &a
}

// The binary form of COPY (PostgreSQL's manual, "COPY", file formats).
var (
	copyHead = []byte("PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	copyEnd  = []byte{0xff, 0xff}
)

// pgEpoch is where PostgreSQL counts its microseconds from.
var pgEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

// copy hands rows over as the bytes that the table's columns hold.
func (w columns) copy(tx *gorm.DB, rows reflect.Value) error {
	for _, c := range w.list {
		if c.wrong != nil {
			return c.wrong
		}
	}
	pg, err := PgxTx(tx)
	if err != nil {
		return err
	}
	b := make([]byte, 0, 64<<10)
	b = append(b, copyHead...)
	for i := range rows.Len() {
		b = binary.BigEndian.AppendUint16(b, uint16(len(w.list)))
		row := rows.Index(i)
		for _, c := range w.list {
			if b, err = c.append(b, row); err != nil {
				return err
			}
		}
	}
	b = append(b, copyEnd...)
	_, err = pg.Conn().PgConn().CopyFrom(tx.Statement.Context, bytes.NewReader(b), "COPY "+w.table+" ("+strings.Join(w.names, ", ")+") FROM STDIN BINARY")
	return err
}

// append adds the column's value of a row: its length, then its bytes. A whole number has eight.
func (c column) append(b []byte, row reflect.Value) ([]byte, error) {
	v, ok := c.of(row)
	if !ok || c.kind == isBytes && v.IsNil() {
		return binary.BigEndian.AppendUint32(b, math.MaxUint32), nil // NULL
	}
	size := func(n int) { b = binary.BigEndian.AppendUint32(b, uint32(n)) }
	switch c.kind {
	case isBytes:
		size(v.Len())
		b = append(b, v.Bytes()...)
	case isBool:
		size(1)
		if v.Bool() {
			return append(b, 1), nil
		}
		b = append(b, 0)
	case isInt:
		size(8)
		b = binary.BigEndian.AppendUint64(b, uint64(v.Int()))
	case isFloat:
		size(8)
		b = binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
	case isTime:
		size(8)
		b = binary.BigEndian.AppendUint64(b, uint64(v.Interface().(time.Time).UnixMicro()-pgEpoch))
	case isUUID:
		id := v.Interface().(uuid.UUID)
		size(len(id))
		b = append(b, id[:]...)
	default:
		s, err := c.textOf(v)
		if err != nil {
			return nil, err
		}
		size(len(s))
		b = append(b, s...)
	}
	return b, nil
}
