package app

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kithline/tests/testdb"
)

// A list, and everything, leave a server by the command line and come into another, on the other kind of database, under
// another key. Files are for this user alone.
func TestExportCommands(t *testing.T) {
	pg, lite := testdb.EmptyPostgresURL(t), "sqlite:"+filepath.Join(t.TempDir(), "kithline.db")
	for name, urls := range map[string][2]string{"sqlite to postgres": {lite, pg}} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			env := func(url, data string) []string {
				return []string{"KITHLINE_DATABASE_URL=" + url, "KITHLINE_DATA_DIR=" + filepath.Join(dir, data), "KITHLINE_KEY_FILE=" + filepath.Join(dir, data+".key")}
			}
			run := func(want int, environ []string, in string, args ...string) (string, string) {
				t.Helper()
				var out, errOut bytes.Buffer
				if got := Main(args, environ, strings.NewReader(in), &out, &errOut); got != want {
					t.Fatalf("%v ended with %d, not %d: %s%s", args, got, want, out.String(), errOut.String())
				}
				return out.String(), errOut.String()
			}
			a, b := env(urls[0], "a"), env(urls[1], "b")
			run(0, a, "email,first_name,phone,tags\njune@example.org,=June,617 555 0123,\"one, two\"\nsam@example.org,Sam,,\n", "import", "supporters", "-", "--basis-purpose", "newsletter", "--basis-text", "Yes", "--basis-source", "A list")

			list, told := run(0, a, "", "export", "supporters", "--columns", "email,given_name,phone,tags")
			want := "email,given_name,phone,tags\r\njune@example.org,\"'=June\",\"'+16175550123\",\"one, two\"\r\nsam@example.org,Sam,,\r\n"
			if list != want || !strings.Contains(told, "2 rows") {
				t.Errorf("%q, %q; want %q", list, told, want)
			}
			file := filepath.Join(dir, "list.jsonl")
			run(0, a, "", "export", "supporters", "--purpose", "newsletter", "--out", file)
			text, err := os.ReadFile(file)
			if err != nil || strings.Count(string(text), "\n") != 2 || !strings.Contains(string(text), `"email":"june@example.org"`) {
				t.Errorf("%s, %v", text, err)
			}
			alone(t, file)
			if list, _ := run(0, a, "", "export", "supporters", "--purpose", "phone"); strings.Count(list, "\n") != 1 {
				t.Errorf("nobody agreed to be called: %s", list)
			}
			for _, wrong := range [][]string{
				{"supporters", "--format", "doc"}, {"supporters", "--purpose", "sale"}, {"supporters", "--scope", "x"}, {"everything"}, {"signatures"},
			} {
				run(2, a, "", append([]string{"export"}, wrong...)...)
			}
			for _, wrong := range [][]string{
				{"supporters", "--segment", "none"}, {"supporters", "--columns", "password"}, {"supporters", "--purpose", "share", "--scope", "nobody"}, {"signatures", "none"},
			} {
				run(1, a, "", append([]string{"export"}, wrong...)...)
			}

			zip := filepath.Join(dir, "all.zip")
			if said, _ := run(0, a, "", "export", "everything", "--out", zip); !strings.Contains(said, "clear text") {
				t.Errorf("no warning: %s", said)
			}
			alone(t, zip)
			run(0, a, "", "export", "everything", "--out", filepath.Join(dir, "folder"))
			run(1, b, "", "import", "everything", file)
			if said, _ := run(0, b, "", "import", "everything", zip); !strings.Contains(said, "rows") {
				t.Errorf("%s", said)
			}
			if again, _ := run(0, b, "", "export", "supporters", "--columns", "email,given_name,phone,tags"); again != want {
				t.Errorf("%q came over as %q", want, again)
			}
			if _, said := run(1, b, "", "import", "everything", filepath.Join(dir, "folder")); !strings.Contains(said, "supporters") && !strings.Contains(said, "empty") {
				t.Errorf("a second time: %s", said)
			}
		})
	}
}

func alone(t *testing.T, file string) {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: %v, %v", file, info.Mode(), err)
	}
}
