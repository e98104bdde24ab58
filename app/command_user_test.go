package app

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
)

func TestAccountsFromTheTerminal(t *testing.T) {
	dir := t.TempDir()
	environ := []string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")}
	for _, x := range []struct {
		args string
		code int
		says string
	}{
		{"user add ilse@example.org --name Ilse --role owner", 0, "http://127.0.0.1:8080/admin/login/"},
		{"user add ilse@example.org --name Ilse", 1, "There is an account with this address already."},
		{"user add nonsense --name Ilse --role king", 1, "role: Choose one of those on the page."},
		{"user add maren@example.org", 2, "name"},
		{"user link ILSE@example.org", 0, "http://127.0.0.1:8080/admin/login/"},
		{"user link nobody@example.org", 1, "There is no account with this address."},
		{"user link", 2, "arg"},
		{"user list", 0, "ilse@example.org  Ilse"},
		{"user", 2, "add, link, list"},
	} {
		code, out, errOut := kithline(environ, strings.Fields(x.args)...)
		printed := out
		if x.code != 0 {
			printed = errOut
		}
		if code != x.code || !strings.Contains(printed, x.says) {
			t.Errorf("kithline %s: exit %d, want %d and %q\nstdout: %s\nstderr: %s", x.args, code, x.code, x.says, out, errOut)
		}
	}
	_, out, _ := kithline(environ, "user", "list", "--json")
	var rows []map[string]any
	if err := json.Unmarshal([]byte(out), &rows); err != nil || len(rows) != 1 || rows[0]["email"] != "ilse@example.org" || rows[0]["role"] != "owner" {
		t.Errorf("%v: %s", err, out)
	}
}
