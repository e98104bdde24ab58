package backups

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

// querier is a connection or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// stored is a column as the database has it.
type stored struct {
	Column
	declared string // the type in the database's own words
}

// tables reads the tables of a database, with their columns in order, but for those of the machinery. A column of a type
// that a backup cannot hold is an error.
func tables(ctx context.Context, q querier, postgres bool) (map[string][]stored, error) {
	query := `SELECT m.name, p.name, lower(p.type) FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table' ORDER BY m.name, p.cid`
	if postgres {
		query = `SELECT c.table_name, c.column_name, c.data_type FROM information_schema.columns c
			JOIN information_schema.tables t USING (table_schema, table_name)
			WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position`
	}
	rows, err := q.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	out := map[string][]stored{}
	for rows.Next() {
		var table string
		var c stored
		if err := rows.Scan(&table, &c.Name, &c.declared); err != nil {
			return nil, err
		}
		if !machinery(table) {
			c.Kind = kinds[c.declared]
			out[table] = append(out[table], c)
		}
	}
	return out, rows.Err()
}

// machinery reports whether a table belongs to the database, the migrations or the queue.
func machinery(table string) bool {
	for _, prefix := range []string{"sqlite_", "goose_", "river_"} {
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
	"blob":    Bytes, "bytea": Bytes,
	"datetime": Time, "timestamp with time zone": Time,
}

// own are the tables of this program's version.
var own = sync.OnceValues(func() ([]string, error) {
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

// ordered brings tables into an order in which each comes after those it points to, by name where that leaves a choice.
func ordered(ctx context.Context, q querier, postgres bool, names []string) ([]string, error) {
	query := `SELECT m.name, f."table" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`
	if postgres {
		query = `SELECT c.conrelid::regclass::text, c.confrelid::regclass::text FROM pg_constraint c
			JOIN pg_namespace n ON n.oid = c.connamespace WHERE c.contype = 'f' AND n.nspname = current_schema()`
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
			return nil, fmt.Errorf("the tables %s point to each other in a circle: a backup has no order for them", strings.Join(left, ", "))
		}
		out = append(out, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return out, nil
}

// quote makes a name safe for SQL. Names in backups are checked for being plain.
func quote(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// list quotes the names of columns, with commas between.
func list(columns []Column) string {
	names := make([]string, len(columns))
	for i, c := range columns {
		names[i] = quote(c.Name)
	}
	return strings.Join(names, ", ")
}
