package app

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kithline/tests/testdb"
)

// place is the environment of a server in a folder of its own.
func place(t *testing.T, more ...string) (environ []string, dir string) {
	t.Helper()
	dir = t.TempDir()
	return append([]string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")}, more...), dir
}

// A server's data goes to another place by one file: to SQLite, to PostgreSQL, and back. The key goes its own way.
func TestBackupAndRestore(t *testing.T) {
	home, dir := place(t)
	if code, _, errOut := kithline(home, "user", "add", "ilse@example.org", "--name", "Ilse", "--role", "owner"); code != 0 {
		t.Fatal(errOut)
	}
	key, err := os.ReadFile(filepath.Join(dir, "key", "kithline.key"))
	if err != nil {
		t.Fatal(err)
	}
	base, file := dir, filepath.Join(dir, "one.kithline")
	code, out, errOut := kithline(home, "backup", file)
	if code != 0 || errOut != "" || !strings.Contains(out, "which is not in it") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	for _, to := range []string{"postgres", "sqlite"} { // by way of PostgreSQL where there is one
		t.Run("to "+to, func(t *testing.T) {
			var more []string
			if to == "postgres" {
				more = append(more, "KITHLINE_DATABASE_URL="+testdb.EmptyPostgresURL(t))
			}
			there, dir := place(t, more...)
			code, out, errOut := kithline(there, "restore", file)
			if code != 0 || errOut != "" || !strings.Contains(out, "Before you start kithline, put key ") || !strings.Contains(out, "Restored ") {
				t.Fatalf("exit %d\n%s%s", code, out, errOut)
			}
			if code, _, errOut := kithline(there, "user", "list"); code != 1 || !strings.Contains(errOut, "kithline keys recover") {
				t.Errorf("without the key: exit %d, %s", code, errOut)
			}
			if err := os.MkdirAll(filepath.Join(dir, "key"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(dir, "key", "kithline.key"), key, 0o600); err != nil {
				t.Fatal(err)
			}
			if code, out, errOut := kithline(there, "user", "list"); code != 0 || !strings.Contains(out, "ilse@example.org  Ilse") {
				t.Errorf("with the key: exit %d, %s%s", code, out, errOut)
			}
			if code, _, errOut := kithline(there, "restore", file); code != 1 || !strings.Contains(errOut, "into an empty database only") || strings.Count(errOut, "\n") != 1 {
				t.Errorf("a second time: exit %d, %s", code, errOut)
			}
			next := filepath.Join(base, "after-"+to+".kithline")
			code, out, errOut = kithline(there, "backup", next, "--json")
			var sum backupSummary
			if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 || sum.Rows["users"] != 1 || sum.File != next || sum.Bytes < 1000 || sum.KeyID == "" || sum.Database != to {
				t.Fatalf("exit %d, %v, %s%s", code, err, out, errOut)
			}
			file = next
		})
	}

	// Through a pipe; the words go the other way, and the key is already there.
	code, out, errOut = kithline(home, "backup", "-", "--json")
	var sum backupSummary
	if err := json.Unmarshal([]byte(errOut), &sum); err != nil || code != 0 || int(sum.Bytes) != len(out) {
		t.Fatalf("exit %d, %v: %s", code, err, errOut)
	}
	piped := filepath.Join(dir, "piped")
	if err := os.WriteFile(piped, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	there, _ := place(t, "KITHLINE_KEY_FILE="+filepath.Join(dir, "key", "kithline.key"))
	code, out, errOut = kithline(there, "restore", piped, "--json")
	var got restoreSummary
	if err := json.Unmarshal([]byte(out), &got); err != nil || code != 0 || got.Key != "in place" || got.Rows["users"] != 1 {
		t.Errorf("exit %d, %v: %s%s", code, err, out, errOut)
	}
}

func TestBackupRefusals(t *testing.T) {
	home, dir := place(t)
	none := filepath.Join(dir, "none.kithline")
	for _, x := range []struct {
		args string
		code int
		says string
	}{
		{"backup", 2, "arg"},
		{"restore", 2, "arg"},
		{"restore -", 2, "save it to a file first"},
		{"backup " + none, 1, "There is no database at "},
		{"backup " + dir, 1, "is a folder"},
		{"restore " + none, 1, none + " does not exist."},
		{"restore " + dir, 1, "is not a file"},
	} {
		code, out, errOut := kithline(home, strings.Fields(x.args)...)
		if code != x.code || !strings.Contains(errOut, x.says) || out != "" {
			t.Errorf("kithline %s: exit %d, want %d and %q\n%s%s", x.args, code, x.code, x.says, out, errOut)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "data")); !os.IsNotExist(err) {
		t.Errorf("the data folder was made: %v", err)
	}

	if code, _, errOut := kithline(home, "user", "add", "ilse@example.org", "--name", "Ilse", "--role", "owner"); code != 0 {
		t.Fatal(errOut)
	}
	good := filepath.Join(dir, "good.kithline")
	if code, _, errOut := kithline(home, "backup", good); code != 0 {
		t.Fatal(errOut)
	}
	b, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	there, _ := place(t)
	for says, data := range map[string][]byte{"is not a backup of Kithline": []byte("given_name\nIlse\n"), "is damaged or was cut short": b[:len(b)-100]} {
		bad := filepath.Join(dir, "bad.kithline")
		if err := os.WriteFile(bad, data, 0o600); err != nil {
			t.Fatal(err)
		}
		code, out, errOut := kithline(there, "restore", bad)
		if code != 1 || !strings.Contains(errOut, says) || strings.Count(errOut, "\n") != 1 || out != "" {
			t.Errorf("exit %d, want %q: %s", code, says, errOut)
		}
	}
	if code, _, errOut := kithline(home, "backup", filepath.Join(dir, "nowhere", "x")); code != 1 || !strings.Contains(errOut, "does not exist") {
		t.Errorf("a folder that is not there: exit %d, %s", code, errOut)
	}
	if after, err := os.ReadFile(good); err != nil || !bytes.Equal(after, b) {
		t.Errorf("the good backup changed: %v", err)
	}
	if code, _, errOut := kithline(there, "restore", good); code != 0 {
		t.Errorf("the good one: %s", errOut)
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 bytes", 999: "999 bytes", 1000: "1.0 kB", 99_499: "99.5 kB", 999_499: "999 kB", 999_600: "1.0 MB", 12_345_678: "12.3 MB", 5e15: "5000 TB"} {
		if got := size(n); got != want {
			t.Errorf("%d bytes are %q, want %q", n, got, want)
		}
	}
}
