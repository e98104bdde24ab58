package database

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"modernc.org/sqlite"
)

// RowID is the SQL expression for the id of a row that a statement over many rows makes: a UUIDv7 (RFC 9562) of the moment at,
// of the row's number, which is an integer expression, and of 48 bits of chance, on PostgreSQL of the statement's, mixed with the number: chance
// for each row costs a second for each million. Ids in the order of the numbers are in order too, as long as there are fewer than
// 67 million; see docs/adr/0010-ids-of-a-frozen-audience.md.
func RowID(tx *gorm.DB, at time.Time, number string) string {
	if !IsPostgres(tx) {
		return "uuid_of_row(" + strconv.FormatInt(at.UnixMilli(), 10) + ", " + number + ")"
	}
	chance := uuid.New()
	// Three words of hexadecimal digits: the moment, which is the same for all; 7 and the upper bits of the number, 8 and the lower; chance.
	return fmt.Sprintf("CAST('%012x' || to_hex((28672 | ((%[2]s >> 14) & 4095)) << 16 | 32768 | (%[2]s & 16383)) || right(to_hex(%[3]d | (%[4]d # (%[2]s * 2654435761))), 12) AS uuid)",
		at.UnixMilli(), number, int64(1)<<48, binary.BigEndian.Uint64(chance[8:])&(1<<48-1))
}

// Digits is the SQL expression for the 32 digits of an id in a column.
func Digits(tx *gorm.DB, column string) string {
	if IsPostgres(tx) {
		return "encode(uuid_send(" + column + "), 'hex')"
	}
	return "replace(" + column + ", '-', '')"
}

// SQLite gets a function for it.
func init() {
	sqlite.MustRegisterScalarFunction("uuid_of_row", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		ms, ok := args[0].(int64)
		n, number := args[1].(int64)
		if !ok || !number {
			return nil, nil //nolint:nilnil // NULL, as for any other function of SQL
		}
		return idOfRow(ms, n, uuid.New()).String(), nil
	})
}

// idOfRow lays out what RowID says; the last 48 bits are those of chance.
func idOfRow(ms, n int64, chance uuid.UUID) uuid.UUID {
	id := chance
	binary.BigEndian.PutUint64(id[:8], uint64(ms)<<16|0x7000|uint64(n)>>14&0xfff) //nolint:gosec // numbers of rows, never below zero
	binary.BigEndian.PutUint16(id[8:10], uint16(0x8000|n&0x3fff))                 //nolint:gosec // 14 bits
	return id
}
