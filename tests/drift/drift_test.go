// Package drift holds three things together that are written apart: the migrations of both databases, the row structs, and
// the register of personal columns.
package drift

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"kithline/models"
	"kithline/models/database"
	"kithline/models/tables"
	"kithline/tests/testdb"
)

// columns reads every column of our own tables from the database itself.
func columns(t *testing.T, db *database.DB) map[string][]string {
	t.Helper()
	q := `SELECT m.name AS tbl, p.name AS col FROM sqlite_master m JOIN pragma_table_info(m.name) p WHERE m.type = 'table'`
	if db.Postgres() {
		q = `SELECT c.table_name AS tbl, c.column_name AS col FROM information_schema.columns c
			JOIN information_schema.tables t USING (table_schema, table_name) WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE' AND c.is_generated = 'NEVER'`
	}
	var rows []struct{ Tbl, Col string }
	if err := db.Raw(q).Scan(&rows).Error; err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for _, r := range rows {
		if tables.Machinery(r.Tbl) {
			continue
		}
		out[r.Tbl] = append(out[r.Tbl], r.Col)
	}
	for _, c := range out {
		slices.Sort(c)
	}
	return out
}

func TestStructsMatchTheSchema(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		have := columns(t, db)
		var cache sync.Map
		want := map[string][]string{}
		for _, m := range models.All() {
			s, err := schema.Parse(m, &cache, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			names := slices.Clone(s.DBNames)
			slices.Sort(names)
			want[s.Table] = names
		}
		for _, table := range slices.Sorted(maps.Keys(have)) {
			if !slices.Equal(have[table], want[table]) {
				t.Errorf("%s: the schema has %v, the struct %v", table, have[table], want[table])
			}
		}
		for table := range want {
			if have[table] == nil {
				t.Errorf("%s has a struct and no table", table)
			}
		}
	})
}

func TestEveryColumnIsClassified(t *testing.T) {
	personal := map[string]models.Personal{}
	for _, p := range models.PersonalColumns {
		key := p.Table + "." + p.Column
		if _, twice := personal[key]; twice {
			t.Errorf("%s is registered twice", key)
		}
		personal[key] = p
		if strings.HasSuffix(p.Column, "_sealed") != (p.Form == models.Sealed) {
			t.Errorf("%s is registered as %s", key, p.Form)
		}
	}
	have := columns(t, testdb.SQLite(t))
	for table, cols := range have {
		for _, c := range cols {
			_, is := personal[table+"."+c]
			not := slices.Contains(models.NotPersonal[table], c)
			if is == not {
				t.Errorf("%s.%s must stand in exactly one of PersonalColumns and NotPersonal", table, c)
			}
		}
	}
	for _, p := range models.PersonalColumns {
		if !slices.Contains(have[p.Table], p.Column) {
			t.Errorf("%s.%s is registered and does not exist", p.Table, p.Column)
		}
		if !slices.Contains(have[p.Table], p.Owner) {
			t.Errorf("%s.%s: its owner column %s does not exist", p.Table, p.Column, p.Owner)
		}
	}
	for table, cols := range models.NotPersonal {
		for _, c := range cols {
			if !slices.Contains(have[table], c) {
				t.Errorf("%s.%s is listed and does not exist", table, c)
			}
		}
	}
}
