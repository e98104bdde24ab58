package database

import (
	"database/sql/driver"
	"encoding/binary"
	"math/bits"

	"github.com/google/uuid"
	"modernc.org/sqlite"
)

// SQLite gets one function of PostgreSQL's: an order by chance, which stays as long as its seed.
func init() {
	sqlite.MustRegisterDeterministicScalarFunction("uuid_hash_extended", 2, func(_ *sqlite.FunctionContext, args []driver.Value) (driver.Value, error) {
		s, text := args[0].(string)
		seed, number := args[1].(int64)
		id, err := uuid.Parse(s)
		if !text || !number || err != nil {
			return nil, nil //nolint:nilerr // NULL, as for any other function of SQL
		}
		return Shuffle(id, seed), nil
	})
}

// Shuffle is the place of an id, of all 64 bits, in an order by chance; each seed makes another order. In SQL both databases call
// it uuid_hash_extended(id, seed). It is the hash by which PostgreSQL spreads ids over partitions, and so stays as it is: Bob
// Jenkins' lookup3 (https://burtleburtle.net/bob/c/lookup3.c, in the public domain) over the 16 bytes.
func Shuffle(id uuid.UUID, seed int64) int64 {
	const start = 0x9e3779b9 + 16 + 3923095
	a, b, c := uint32(start), uint32(start), uint32(start)
	mix := func() {
		a -= c
		a ^= bits.RotateLeft32(c, 4)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 6)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 8)
		b += a
		a -= c
		a ^= bits.RotateLeft32(c, 16)
		c += b
		b -= a
		b ^= bits.RotateLeft32(a, 19)
		a += c
		c -= b
		c ^= bits.RotateLeft32(b, 4)
		b += a
	}
	if seed != 0 {
		a += uint32(uint64(seed) >> 32) //nolint:gosec // the upper half of the bits
		b += uint32(seed)               //nolint:gosec // the lower half
		mix()
	}
	a += binary.LittleEndian.Uint32(id[0:])
	b += binary.LittleEndian.Uint32(id[4:])
	c += binary.LittleEndian.Uint32(id[8:])
	mix()
	a += binary.LittleEndian.Uint32(id[12:])

	c ^= b
	c -= bits.RotateLeft32(b, 14)
	a ^= c
	a -= bits.RotateLeft32(c, 11)
	b ^= a
	b -= bits.RotateLeft32(a, 25)
	c ^= b
	c -= bits.RotateLeft32(b, 16)
	a ^= c
	a -= bits.RotateLeft32(c, 4)
	b ^= a
	b -= bits.RotateLeft32(a, 14)
	c ^= b
	c -= bits.RotateLeft32(b, 24)
	return int64(uint64(b)<<32 | uint64(c)) //nolint:gosec // all 64 bits are meant
}
