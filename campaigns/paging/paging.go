// Package paging is keyset paging: a page is asked for by where the last one ended, never by a number of rows to skip, so
// the thousandth page costs what the first did.
package paging

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
)

// Size is the number of rows of a page where nothing else is said.
const Size = 50

// Cursor is the last row of the page before, by date and id, newest first. The zero value asks for the first page.
type Cursor struct {
	At time.Time
	ID uuid.UUID
}

// First reports whether the cursor asks for the first page.
func (c Cursor) First() bool { return c.At.IsZero() }

// String is the cursor as it stands in an address; empty for the first page.
func (c Cursor) String() string {
	if c.First() {
		return ""
	}
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.At.UnixMicro(), 36) + "." + c.ID.String()))
}

// Parse reads a cursor from an address. It returns an Invalid fault for anything that String did not write.
func Parse(s string) (Cursor, error) {
	if s == "" {
		return Cursor{}, nil
	}
	bad := fault.New(fault.Invalid, "error.page_unknown")
	b, err := base64.RawURLEncoding.DecodeString(s)
	if err != nil {
		return Cursor{}, bad
	}
	at, id, ok := strings.Cut(string(b), ".")
	us, err := strconv.ParseInt(at, 36, 64)
	if !ok || err != nil {
		return Cursor{}, bad
	}
	u, err := uuid.Parse(id)
	if err != nil {
		return Cursor{}, bad
	}
	return Cursor{At: time.UnixMicro(us).UTC(), ID: u}, nil
}

// Page is one page of rows and where the next begins; Next is empty on the last page.
type Page[T any] struct {
	Rows []T
	Next string
}

// Cut makes a page of size from up to size+1 rows; key gives the cursor of a row.
func Cut[T any](rows []T, size int, key func(T) Cursor) Page[T] {
	if len(rows) <= size {
		return Page[T]{Rows: rows}
	}
	return Page[T]{Rows: rows[:size], Next: key(rows[size-1]).String()}
}
