package imports

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/imports/importstest"
	"kithline/campaigns/vault"
	"kithline/models"
)

// FuzzTable reads anything as text, workbook or ZIP, as far as rows become people: it ends, says what is wrong, and what it
// gives fits the columns.
func FuzzTable(f *testing.F) {
	for _, b := range [][]byte{
		importstest.ActionNetwork(), importstest.NationBuilder(), importstest.Mailchimp(), importstest.Listmonk(), importstest.Change(), importstest.EFF(),
		importstest.Workbook([]string{"email", "phone"}, []string{"a@example.org", "1"}),
		importstest.ZIP(importstest.Named{Name: "a.xlsx", Content: importstest.Workbook([]string{"email"}, []string{"a@example.org"})}),
		[]byte("email,attributes\na@example.org,\"{\"\"tags\"\":[\"\"x\"\"]}\"\n"),
	} {
		f.Add(b)
	}
	v := vault.New(vault.NewKey())
	now := time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, file []byte) {
		table, err := openTable(context.Background(), bytes.NewReader(file), func() (*files.At, error) { return files.PlainAt(bytes.NewReader(file), int64(len(file))), nil })
		if err != nil {
			if !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
			return
		}
		defer func() { _ = table.Close() }()
		m := Map(table.Columns())
		if _, ok := m.at(Email); !ok && len(table.Columns()) > 0 {
			m[0] = Email
		}
		m, wrong := m.check(len(table.Columns()))
		if wrong != nil {
			t.Fatalf("the guess is refused: %v", wrong)
		}
		r := recipeOf(m, lookups{}, v, now, complete)
		for n := 0; ; n++ {
			row, err := table.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if row.Bad == nil && len(row.Cells) != len(table.Columns()) {
				t.Fatalf("row %d: %d cells, %d columns", row.n, len(row.Cells), len(table.Columns()))
			}
			for _, c := range row.Cells {
				if !utf8.ValidString(c) || strings.Contains(c, "\x00") {
					t.Fatalf("row %d: %q", row.n, c)
				}
			}
			p, reason := r.read(row, models.NewID())
			if reason == nil && (p.address == "" || len(p.hash) != 32) {
				t.Fatalf("row %d is nobody: %+v", row.n, p)
			}
			if n > 2_000_000 {
				t.Fatal("it does not end")
			}
		}
	})
}
