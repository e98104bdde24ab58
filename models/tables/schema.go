// Package tables reads and writes whole tables, whatever is in them: for backups and exports of everything, which have to hold
// every row and know no feature. Columns and their order come from the database itself.
package tables

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"sync"

	"gorm.io/gorm/schema"

	"kithline/models"
)

// Kind is how a value is written.
type Kind string

// The kinds of values. NULL is null in each.
const (
	Text  Kind = "text" // ids too
	Int   Kind = "int"
	Float Kind = "float"
	Bool  Kind = "bool"
	Bytes Kind = "bytes"
	Time  Kind = "time"
)

// Column is one column of a table.
type Column struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
}

// Table is a table as rows are read and written.
type Table struct {
	Name    string   `json:"name"`
	Columns []Column `json:"columns"`
}

// Querier is a connection or a transaction.
type Querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// Stored is a column as the database has it.
type Stored struct {
	Column
	Declared string // the type in the database's own words
}

// Read reads the tables of a database, with their columns in order, but for those of the machinery and those that are computed. A column of a type
// that has no form here gets no Kind, which its reader must look at.
func Read(ctx context.Context, q Querier, postgres bool) (map[string][]Stored, error) {
	query := `SELECT m.name, p.name, lower(p.type) FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.name, p.cid`
	if postgres {
		query = `SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
			JOIN information_schema.tables t USING (table_schema, table_name)
			WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER' ORDER BY c.table_name, c.ordinal_position`
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[string][]Stored{}
	for rows.Next() {
		var table string
		var c Stored
		if err := rows.Scan(&table, &c.Name, &c.Declared); err != nil {
			return nil, err
		}
		if !Machinery(table) {
			c.Kind = kinds[c.Declared]
			out[table] = append(out[table], c)
		}
	}
	return out, rows.Err()
}

// Machinery reports whether a table belongs to the database, the migrations, the queue, or an index of words that is made of other tables.
func Machinery(table string) bool {
	for _, prefix := range []string{"sqlite_", "goose_", "river_", "petition_words"} {
		if strings.HasPrefix(table, prefix) {
			return true
		}
	}
	return false
}

// kinds says how a column of a type is written. A migration that brings a new type adds it here, for both databases.
var kinds = map[string]Kind{
	"text": Text, "uuid": Text,
	"integer": Int, "bigint": Int, "smallint": Int,
	"boolean": Bool,
	"real":    Float, "double precision": Float,
	"blob": Bytes, "bytea": Bytes,
	"datetime": Time, "timestamp with time zone": Time,
}

// Own are the tables of this program's version.
var Own = sync.OnceValues(func() ([]string, error) {
	var names []string
	var cache sync.Map
	for _, m := range models.All() {
		s, err := schema.Parse(m, &cache, schema.NamingStrategy{})
		if err != nil {
			return nil, err
		}
		names = append(names, s.Table)
	}
	return names, nil
})

// Ordered brings tables into an order in which each comes after those it points to, by name where that leaves a choice.
func Ordered(ctx context.Context, q Querier, postgres bool, names []string) ([]string, error) {
	query := `SELECT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if postgres {
		query = `SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint c
			JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contype = 'f' AND n.nspname = current_schema()
			UNION ALL VALUES ('deliveries', 'mailboxes'), ('deliveries', 'mailings')` // which triggers hold instead
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	needs := map[string][]string{}
	for rows.Next() {
		var from, to string
		if err := rows.Scan(&from, &to); err != nil {
			return nil, err
		}
		if from != to && slices.Contains(names, to) {
			needs[from] = append(needs[from], to)
		}
	}
	if err := rows.Err(); err != nil {
		return nil, err
	}
	left := slices.Sorted(slices.Values(names))
	var out []string
	for len(left) > 0 {
		i := slices.IndexFunc(left, func(name string) bool {
			return !slices.ContainsFunc(needs[name], func(n string) bool { return !slices.Contains(out, n) })
		})
		if i < 0 {
			return nil, fmt.Errorf("the tables %s point to each other in a circle: there is no order for them", strings.Join(left, ", "))
		}
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out, nil
}

// Quote makes a name safe for SQL. Names out of files are checked for being plain.
func Quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// List quotes the names of columns, with commas between.
func List(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = Quote(c.Name)
	}
	return strings.Join(names, ", ")
}

// Selected lists the columns of a table as Row scans them.
func Selected(t Table, postgres bool) string {
	if !postgres {
		return List(t.Columns)
	}
	var b []byte
	for i, c := range t.Columns {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = append(b, Quote(c.Name)...)
		if c.Kind == Text {
			b = append(b, "::text"...) // an id too
		}
	}
	return string(b)
}
