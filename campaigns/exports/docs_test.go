package exports_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gorm.io/gorm/schema"

	"kithline/campaigns/exports"
	"kithline/models"
	"kithline/models/tables"
	"kithline/tests/testdb"
)

var update = flag.Bool("update", false, "write docs/exports.md anew")

const (
	page  = "../../docs/exports.md"
	begin = "<!-- from here on generated: make generate -->\n"
)

// TestDocsAreCurrent: docs/exports.md describes every file and every column, from the comments of the rows themselves.
func TestDocsAreCurrent(t *testing.T) {
	have, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, _, ok := strings.Cut(string(have), begin)
	if !ok {
		t.Fatalf("%s does not say where the generated part begins", page)
	}
	want := head + begin + describe(t)
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page to read
			t.Fatal(err)
		}
	} else if string(have) != want {
		t.Errorf("%s is not current: run make generate", page)
	}
	for _, c := range exports.Columns {
		if !strings.Contains(head, "`"+c+"`") {
			t.Errorf("%s does not tell of the column %s of a list", page, c)
		}
	}
}

// comment is what stands beside a field or above a type.
type comment struct {
	about  string
	fields map[string]string
}

// comments reads those of models, by type.
func comments(t *testing.T) map[string]comment {
	t.Helper()
	out := map[string]comment{}
	names, err := filepath.Glob("../../models/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok || g.Tok != token.TYPE {
				continue
			}
			for _, s := range g.Specs {
				ts := s.(*ast.TypeSpec)
				st, ok := ts.Type.(*ast.StructType)
				if !ok {
					continue
				}
				c := comment{about: flat(g.Doc.Text()), fields: map[string]string{}}
				for _, f := range st.Fields.List {
					for _, n := range f.Names {
						c.fields[n.Name] = flat(f.Comment.Text())
					}
				}
				out[ts.Name.Name] = c
			}
		}
	}
	return out
}

func flat(s string) string {
	return strings.ReplaceAll(strings.Join(strings.Fields(s), " "), "|", "\\|")
}

// plainly says what columns hold that need no words beside the code.
var plainly = map[string]string{
	"id": "the row's own id", "created_at": "when the row was made", "updated_at": "when it last changed", "locale": "language", "state": "see models", "position": "order on pages, small first",
	"slug": "the last part of its address", "body": "Markdown", "created_by": "the account", "version": "of the data", "kind": "see models",
}

func describe(t *testing.T) string {
	t.Helper()
	db := testdb.SQLite(t)
	stored, err := tables.Read(t.Context(), db.SQL, false)
	if err != nil {
		t.Fatal(err)
	}
	personal := map[string]bool{}
	for _, p := range models.PersonalColumns {
		personal[p.Table+"."+p.Column] = true
	}
	points := map[string]string{}
	var keys []struct{ Table, Column, To string }
	if err := db.Raw(`SELECT m.name AS "table", f."from" AS "column", f."table" AS "to" FROM sqlite_master m JOIN pragma_foreign_key_list(m.name) f WHERE m.type = 'table'`).Scan(&keys).Error; err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		points[k.Table+"."+k.Column] = k.To
	}
	said, b := comments(t), &strings.Builder{}
	fmt.Fprintf(b, "\n## What is not in an export of everything\n\nThe jobs of the queue, and:\n\n| Table or column | Why |\n|---|---|\n")
	for _, out := range []map[string]string{exports.LeftOutTables, exports.LeftOutColumns} {
		for _, name := range slices.Sorted(maps.Keys(out)) {
			fmt.Fprintf(b, "| `%s` | %s |\n", name, out[name])
		}
	}
	fmt.Fprintf(b, "\n## The files of an export of everything\n\nMarked with *: personal data.\n")
	byTable := map[string]*schema.Schema{}
	for _, m := range models.All() {
		s, err := schema.Parse(m, &cache, schema.NamingStrategy{})
		if err != nil {
			t.Fatal(err)
		}
		byTable[s.Table] = s
	}
	for _, name := range slices.Sorted(maps.Keys(byTable)) {
		s := byTable[name]
		if _, out := exports.LeftOutTables[name]; out {
			continue
		}
		fmt.Fprintf(b, "\n### tables/%s.jsonl\n\n%s\n\n| Column | Kind | About |\n|---|---|---|\n", name, said[s.Name].about)
		for _, c := range stored[name] {
			full := name + "." + c.Name
			if _, out := exports.LeftOutColumns[full]; out {
				continue
			}
			out, kind := exports.Out(name, c.Column)
			mark := ""
			if personal[full] {
				mark = "*"
			}
			about := said[s.Name].fields[s.FieldsByDBName[c.Name].Name]
			if to := points[full]; to != "" {
				about = strings.TrimSuffix("a row of `"+to+"`; "+about, "; ")
			} else if about == "" {
				about = plainly[c.Name]
			}
			fmt.Fprintf(b, "| `%s`%s | %s | %s |\n", out, mark, kind, about)
		}
	}
	return b.String()
}
