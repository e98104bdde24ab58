package mailer

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// fixtureMark stands in every mail of testdata/returned that is about a delivery.
const fixtureMark = "AQgBkzXk3mJ7cQ2nT5wY8rL4vB6hD9sF1gK0pAAAAAB-eU_ZqXw"

// fixture is a line of testdata/returned/classes.txt: a file, the class that it is of, and whether it holds no mark.
type fixture struct {
	name     string
	class    Class
	unmarked bool
	raw      []byte
}

func fixtures(t testing.TB) (out []fixture) {
	t.Helper()
	list, err := os.Open(filepath.Join("testdata", "returned", "classes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	for lines := bufio.NewScanner(list); lines.Scan(); {
		w := strings.Fields(lines.Text())
		raw, err := os.ReadFile(filepath.Join("testdata", "returned", w[0]))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, fixture{w[0], Class(w[1]), slices.Contains(w[2:], "unmarked"), raw})
	}
	return out
}

// TestReturnedMailIsToldApart: at least 99 of 100 are of the right class, no refusal by policy is taken for a mailbox that is not
// there, and what tells which delivery it is about is found where it may stand, and only there.
func TestReturnedMailIsToldApart(t *testing.T) {
	all := fixtures(t)
	real, wrong := 0, 0
	for _, f := range all {
		got := ReadReturned(f.raw)
		if !strings.HasPrefix(f.name, "own/") {
			real++
		}
		if got.Class != f.class {
			wrong++
			t.Logf("%s is %s, not %s (%s, %q)", f.name, got.Class, f.class, got.Status, got.Diagnostic)
		}
		if f.class == BouncePolicy && got.Class == BounceHard {
			t.Errorf("%s: a refusal by policy would suppress a person", f.name)
		}
		if marked := len(got.Marks) > 0 && got.Marks[0] == fixtureMark; marked == f.unmarked {
			t.Errorf("%s: marks %v", f.name, got.Marks)
		}
		if strings.Contains(got.Diagnostic, "@") {
			t.Errorf("%s: an address is left in %q", f.name, got.Diagnostic)
		}
	}
	if len(all)-real < 160 || real < 40 {
		t.Fatalf("%d of our own and %d of real servers", len(all)-real, real)
	}
	if wrong*100 > len(all) {
		t.Errorf("%d of %d are of the wrong class", wrong, len(all))
	}
}

func FuzzReadReturned(f *testing.F) {
	for _, x := range fixtures(f) {
		if strings.Contains(x.name, "0-") || strings.Contains(x.name, "-at-") { // a sample of all forms
			f.Add(x.raw)
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		got := ReadReturned(raw)
		if !slices.Contains(Classes, got.Class) {
			t.Errorf("class %q", got.Class)
		}
		if len([]rune(got.Diagnostic)) > maxReply || !utf8.ValidString(got.Diagnostic) || strings.ContainsAny(got.Diagnostic, "\r\n\x00") || len(got.Marks) > 20 {
			t.Errorf("%q, %d marks", got.Diagnostic, len(got.Marks))
		}
	})
}
