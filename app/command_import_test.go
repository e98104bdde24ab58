package app

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kithline/campaigns/imports/importstest"
)

func writeFile(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSupportersFromTheTerminal(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")}
	list, bad := filepath.Join(dir, "list.csv"), filepath.Join(dir, "bad.csv")
	if err := os.WriteFile(list, []byte("First name;E-Mail;Shoe size;Status\nJune;june@example.org;38;\n=Sam;not an address;;\nLee;lee@example.org;;bounced\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(code int, says string, args ...string) string {
		t.Helper()
		got, out, errOut := kithline(environ, args...)
		if got != code || !strings.Contains(out+errOut, says) {
			t.Errorf("kithline %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", strings.Join(args, " "), got, code, says, out, errOut)
		}
		return out
	}
	basis := []string{"--basis-purpose", "newsletter", "--basis-text", "Yes, the newsletter.", "--basis-source", "Spring meeting"}
	base := []string{"import", "supporters", list}
	with := func(more ...string) []string { return append(append([]string{}, base...), more...) }

	run(0, "Dry run: nothing was written.", with("--dry-run")...)
	run(0, "  line 3: This is not an e-mail address.", with("--dry-run")...)
	run(0, "Columns not used: Shoe size", with("--dry-run")...)
	if out := run(0, "", with(append(basis, "--errors", bad, "--json")...)...); true {
		var r struct {
			Rows, New, Suppressed, Skipped, Consents int
			DryRun                                   bool              `json:"dry_run"`
			Mapping                                  map[string]string `json:"mapping"`
			Errors                                   []struct {
				Line   int
				Reason string
			}
		}
		if err := json.Unmarshal([]byte(out), &r); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if r.Rows != 3 || r.New != 1 || r.Suppressed != 1 || r.Skipped != 1 || r.Consents != 1 || r.DryRun || r.Mapping["E-Mail"] != "email" || len(r.Errors) != 1 || r.Errors[0].Line != 3 {
			t.Errorf("%s", out)
		}
	}
	b, err := os.ReadFile(bad)
	if err != nil || string(b) != "First name,E-Mail,Shoe size,Status,line,reason\n'=Sam,not an address,,,3,This is not an e-mail address.\n" {
		t.Errorf("%q, %v", b, err)
	}
	if st, err := os.Stat(bad); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("others may read the rows: %v, %v", st.Mode(), err)
	}
	run(0, "2 unchanged", with(basis...)...)

	pack := filepath.Join(dir, "mailchimp.zip")
	if err := os.WriteFile(pack, importstest.Mailchimp(), 0o600); err != nil {
		t.Fatal(err)
	}
	run(0, "Read as an export of Mailchimp.", "import", "supporters", pack, "--dry-run")
	run(0, "subscribed_email_audience_export_1a2b3c.csv, line 4: This is not an e-mail address.", "import", "supporters", pack, "--dry-run")
	run(0, "2 new", append([]string{"import", "supporters", pack, "--tag", "Spring"}, basis...)...)
	run(1, "no e-mail address", "import", "supporters", writeFile(t, dir, "change.csv", importstest.Change()))

	run(1, "does not exist", "import", "supporters", filepath.Join(dir, "none.csv"))
	run(1, "is a folder", "import", "supporters", dir)
	run(1, "This file has no rows.", "import", "supporters", "-")
	run(1, "Choose a campaign that is there.", with("--basis-purpose", "updates", "--basis-campaign", "none", "--basis-text", "x", "--basis-source", "y")...)
	run(2, "--basis-purpose needs", with("--basis-purpose", "newsletter")...)
	run(2, "need --basis-purpose", with("--basis-text", "x")...)
	run(2, "updates or newsletter", with("--basis-purpose", "receipt")...)
	run(2, "--basis-campaign goes with", with("--basis-purpose", "updates", "--basis-text", "x", "--basis-source", "y")...)
	run(2, "--lang is en or es", with("--lang", "fr")...)
	run(2, "needs one of: everything, supporters", "import")
	run(2, "arg", "import", "supporters")
}
