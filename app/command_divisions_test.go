package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDivisionsFromTheTerminal(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")}
	data := "../campaigns/divisions/testdata/"
	run := func(code int, says string, args ...string) string {
		t.Helper()
		got, out, errOut := kithline(environ, append([]string{"divisions"}, args...)...)
		if got != code || !strings.Contains(out+errOut, says) {
			t.Errorf("kithline divisions %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, says, out, errOut)
		}
		return out
	}
	run(2, "needs one of: import")
	run(2, "KIND is ocd, zip, postal, geo", "import", "shapes", data+"us_sldu.csv")
	run(2, "arg", "import", "ocd")
	run(2, "--max-gone", "import", "ocd", data+"us_sldu.csv", "--max-gone", "0")
	run(1, "does not exist", "import", "ocd", filepath.Join(dir, "none.csv"))
	run(1, "The file is empty.", "import", "ocd", "-")
	run(1, "No line of the file could be taken", "import", "zip", data+"zccd-vt-nc-ne-wy-dc-de.csv")
	run(1, "import that list first", "import", "zip", data+"zccd-vt-nc-ne-wy-dc-de.csv")

	run(0, "Dry run: nothing was written.", "import", "ocd", data+"us_congressional_districts.csv", "--dry-run")
	run(0, "461 new", "import", "ocd", data+"us_congressional_districts.csv", "--dry-run")
	run(0, "461 new", "import", "ocd", data+"us_congressional_districts.csv")
	run(0, "461 as before", "import", "ocd", data+"us_congressional_districts.csv")
	run(0, "2387 new", "import", "zip", data+"zccd-vt-nc-ne-wy-dc-de.csv")
	out := run(0, "", "import", "geo", data+"cd118_nebraska.geojson", "--json", "--version", "Census 2022")
	var r struct {
		Kind, Version   string
		New, Gone, Kept int
		DryRun          bool `json:"dry_run"`
		Samples, Errors []any
		Placed          map[string]int
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Kind != "geo" || r.Version != "Census 2022" || r.New != 3 || r.Gone+r.Kept != 0 || len(r.Samples) != 3 || r.Errors == nil || len(r.Errors) != 0 {
		t.Errorf("%s, %v", out, err)
	}
	half := filepath.Join(dir, "half.csv")
	if err := os.WriteFile(half, []byte("state_fips,state_abbr,zcta,cd\n50,VT,05401,0\n50,VT,x,0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run(1, "Nothing was written. Look at it with --dry-run", "import", "zip", half)
	run(0, "line 3: x is not a ZIP code of five digits", "import", "zip", half, "--dry-run")
	run(0, "264 gone", "import", "zip", half, "--dry-run")
	run(0, "0 gone", "import", "zip", half, "--part")
}
