package exports

import (
	"bytes"
	"context"
	"time"

	"github.com/google/uuid"
)

// snapshot is the database as it was at one moment, read over two connections where the database has several: one gives the
// people in order, the other looks up what belongs to them. read_postgres.go and read_sqlite.go are the two.
type snapshot interface {
	// people runs the query that the whole export follows, and calls each for every row until it says stop.
	people(ctx context.Context, query string, args []any) (stream, error)
	// related runs queries that each take the ids of one chunk, and calls row for every row of each.
	related(ctx context.Context, queries []lookup, ids span) error
	id(v []byte) uuid.UUID
	at(v []byte) time.Time
	text(v []byte) []byte // a number or a text as text
	close() error
}

// stream is rows that come one after the other. Values are good until the next call.
type stream interface {
	next() bool
	values() [][]byte
	err() error
	close()
}

// lookup asks for what belongs to some people. The query holds {ids} where the condition on column stands, and is ordered by
// the first column of its result, which is the person.
type lookup struct {
	query  string
	column string
	args   []any // come after the ids
	row    func(v [][]byte)
}

// span is the people of a chunk. Where nobody else stands between them, their rows are a range of the index.
type span struct {
	ids   []uuid.UUID // in order
	dense bool        // everybody from the first to the last
}

func (s span) first() uuid.UUID { return s.ids[0] }
func (s span) last() uuid.UUID  { return s.ids[len(s.ids)-1] }

// finder finds the person of each row of a lookup, which come in the order of the people.
type finder struct {
	people []person
	at     int
}

// find returns nil for a row of somebody who is not in the chunk.
func (f *finder) find(id uuid.UUID) *person {
	for f.at < len(f.people) {
		switch bytes.Compare(f.people[f.at].id[:], id[:]) {
		case 0:
			return &f.people[f.at]
		case 1:
			return nil
		}
		f.at++
	}
	return nil
}
