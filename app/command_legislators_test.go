package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLegislatorsFromTheTerminal(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")}
	data := "../campaigns/legislators/testdata/"
	run := func(code int, says string, args ...string) string {
		t.Helper()
		got, out, errOut := kithline(environ, append([]string{"legislators"}, args...)...)
		if got != code || !strings.Contains(out+errOut, says) {
			t.Errorf("kithline legislators %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, says, out, errOut)
		}
		return out
	}
	run(2, "needs one of: import")
	run(2, "KIND is congress, openstates, csv", "import", "osdi", data+"states.zip")
	run(1, "does not exist", "import", "congress", filepath.Join(dir, "none.json"))
	run(1, "has no folder called legislature", "import", "openstates", data+"congress.zip")
	run(1, "begin with https://", "import", "csv", "http://example.org/list.csv")
	run(0, "Dry run: nothing was written.", "import", "openstates", data+"states.zip", "--dry-run")
	run(0, "399 joined", "import", "openstates", data+"states.zip", "--dry-run")
	run(0, "399 joined", "import", "openstates", data+"states.zip")
	run(0, "399 as before", "import", "openstates", data+"states.zip")

	list := filepath.Join(dir, "council.csv")
	write := func(content string) {
		t.Helper()
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	head := "id,name,jurisdiction,chamber,end,email\n"
	write(head + "1,Ada Sorn,Portsend,Council,,ada@example.org\n2,Bo Lind,Portsend,Council,,bo@example.org\n3,Ivo Ferro,Portsend,Council,,\n4,Núria Okafor,Portsend,Council,,\n5,Old Hand,Portsend,Council,2020-01-01,\n")
	run(0, "The term of Old Hand ended on 2020-01-01", "import", "csv", list)
	write(head + "1,Ada Sorn,Portsend,Council,,ada@example.org\n")
	run(1, "3 of 4 people in Portsend would leave", "import", "csv", list)
	run(0, "without --allow-leaving this file is refused", "import", "csv", list, "--dry-run")
	out := run(0, "", "import", "csv", list, "--allow-leaving", "--json", "--version", "spring")
	var r struct {
		Kind, Version string
		DryRun        bool `json:"dry_run"`
		Counts        map[string]int
		Changes       []struct{ Kind, Name, Before string }
		Notes         []any
		Jurisdictions []struct{ Name string }
	}
	if err := json.Unmarshal([]byte(out), &r); err != nil || r.Kind != "csv" || r.Version != "spring" || r.Counts["left"] != 3 || len(r.Changes) != 3 || r.Changes[0].Name != "Bo Lind" || r.Notes == nil || len(r.Jurisdictions) != 1 {
		t.Errorf("%s, %v", out, err)
	}
	write(head + "1,Ada Sorn,Portsend,Council,soon,\n")
	run(1, "line 2, end: soon is no day", "import", "csv", list)
	write(head + "1\n")
	run(1, "line 2 has 1 value, the first line has 6.", "import", "csv", list)
}
