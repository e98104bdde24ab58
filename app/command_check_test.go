package app

import (
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kithline/campaigns/vault"
)

// TestCheckSaysWhatIsWrongAndChangesNothing runs it before the first start, beside data that fits, and with each thing
// spoiled.
func TestCheckSaysWhatIsWrongAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	data, key := filepath.Join(dir, "data"), filepath.Join(dir, "kithline.key")
	environ := []string{"KITHLINE_DATA_DIR=" + data, "KITHLINE_KEY_FILE=" + key}

	check := func(code int, says string, more ...string) {
		t.Helper()
		got, out, errOut := kithline(append(environ[:len(environ):len(environ)], more...), "check")
		if got != code || !strings.Contains(out, says) || (code == exitOK) != (errOut == "") {
			t.Errorf("%v: exit %d, want %d and %q\n%s%s", more, got, code, says, out, errOut)
		}
	}
	check(exitOK, "made at the first start")
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Fatalf("check made %v, %v", left, err)
	}

	if code, _, errOut := kithline(environ, "user", "list"); code != exitOK { // makes the tables and the key
		t.Fatal(errOut)
	}
	check(exitOK, "fits the database")
	check(exitOK, "none is sent")

	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	check(exitFailed, "There is no connection to 127.0.0.1", "KITHLINE_SMTP_URL=smtp://"+l.Addr().String()+"?tls=none")
	check(exitFailed, "The database cannot be reached", "KITHLINE_DATABASE_URL=postgres://nobody@"+l.Addr().String()+"/none")
	check(exitFailed, "The key file is missing", "KITHLINE_KEY_FILE="+filepath.Join(dir, "other.key"))
	if _, err := vault.Create(filepath.Join(dir, "wrong.key")); err != nil {
		t.Fatal(err)
	}
	check(exitFailed, "but this database is sealed with key", "KITHLINE_KEY_FILE="+filepath.Join(dir, "wrong.key"))
	if code, _, _ := kithline([]string{"KITHLINE_LISTEN=x"}, "check"); code != exitWrong {
		t.Errorf("wrong settings: exit %d", code)
	}

	if code, _, errOut := kithline(environ, "user", "add", "ilse@example.org", "--name", "Ilse", "--role", "owner"); code != exitOK { // ends the first run
		t.Fatal(errOut)
	}
	check(exitFailed, "No sender is named")

	var found []finding
	_, out, _ := kithline(environ, "check", "--json")
	if err := json.Unmarshal([]byte(out), &found); err != nil || len(found) < 5 {
		t.Errorf("--json: %v\n%s", err, out)
	}
}
