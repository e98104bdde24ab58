package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"kithline/campaigns/vault"
	"kithline/config"
	"kithline/models/database"
	"kithline/models/migrations"
)

// kithline runs a command line and returns the exit code and what was printed.
func kithline(environ []string, args ...string) (code int, out, errOut string) {
	var o, e bytes.Buffer
	code = Main(args, environ, strings.NewReader(""), &o, &e)
	return code, o.String(), e.String()
}

func TestExitCodes(t *testing.T) {
	for _, c := range []struct {
		args    string
		environ []string
		code    int
		says    string // on stdout for 0, else on stderr
	}{
		{args: "", code: 0, says: "kithline demo"},
		{args: "help", code: 0, says: "healthcheck"},
		{args: "config --help", code: 0, says: "secrets hidden"},
		{args: "--version", code: 0, says: "kithline "},
		{args: "version", code: 0, says: "go1."},
		{args: "config", code: 0, says: "KITHLINE_LISTEN"},
		{args: "confg", code: 2, says: "config"},
		{args: "config more", code: 2, says: "more"},
		{args: "config --colour", code: 2, says: "colour"},
		{args: "config --docs --json", code: 2, says: "docs json"},
		{args: "config", environ: []string{"KITHLINE_LISTEN=x"}, code: 2, says: "KITHLINE_LISTEN"},
		{args: "healthcheck", environ: []string{"KITHLINE_LOG_FORMAT=x"}, code: 2, says: "KITHLINE_LOG_FORMAT"},
	} {
		code, out, errOut := kithline(c.environ, strings.Fields(c.args)...)
		printed, silent := out, errOut
		if c.code != 0 {
			printed, silent = errOut, out
		}
		if code != c.code || !strings.Contains(printed, c.says) || silent != "" {
			t.Errorf("kithline %s with %v: exit %d, want %d and %q\nstdout: %s\nstderr: %s", c.args, c.environ, code, c.code, c.says, out, errOut)
		}
	}
}

func TestEveryProblemIsPrintedAtOnce(t *testing.T) {
	_, _, errOut := kithline([]string{"KITHLINE_LISTEN=x", "KITHLINE_LOG_FORMAT=x", "KITHLINE_LISTN=x"}, "config")
	for _, want := range []string{"3 problems", "KITHLINE_LISTEN is", "KITHLINE_LOG_FORMAT is", "Did you mean KITHLINE_LISTEN?", "Nothing was started"} {
		if !strings.Contains(errOut, want) {
			t.Errorf("%q is not said:\n%s", want, errOut)
		}
	}
}

func TestConfigHidesSecrets(t *testing.T) {
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte("the-token-of-the-metrics\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := []string{"KITHLINE_METRICS_TOKEN_FILE=" + file, "KITHLINE_SMTP_URL=smtp://u:pass-of-mail@mail"}
	for _, args := range [][]string{{"config"}, {"config", "--json"}} {
		code, out, _ := kithline(environ, args...)
		if code != 0 || strings.Contains(out, "the-token") || strings.Contains(out, "pass-of-mail") || !strings.Contains(out, "file "+file) {
			t.Errorf("%v: exit %d\n%s", args, code, out)
		}
	}
	var list []config.Setting
	_, out, _ := kithline(environ, "config", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list) < 10 {
		t.Errorf("--json gives %d settings, %v", len(list), err)
	}
}

func TestConfigDocs(t *testing.T) {
	if _, out, _ := kithline(nil, "config", "--docs"); out != config.Docs() {
		t.Errorf("--docs prints something else than config.Docs:\n%s", out)
	}
}

func TestHealthcheck(t *testing.T) {
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			status = http.StatusNotFound
		}
		w.WriteHeader(status)
	}))
	defer server.Close()
	listen := "KITHLINE_LISTEN=" + strings.TrimPrefix(server.URL, "http://")
	if code, _, errOut := kithline([]string{listen}, "healthcheck"); code != 0 {
		t.Errorf("a server that is well: exit %d, %s", code, errOut)
	}
	status = http.StatusServiceUnavailable
	if code, _, errOut := kithline([]string{listen}, "healthcheck"); code != 1 || !strings.Contains(errOut, "503") {
		t.Errorf("a server that is not: exit %d, %s", code, errOut)
	}
	server.Close()
	if code, _, errOut := kithline([]string{listen}, "healthcheck"); code != 1 || !strings.Contains(errOut, "Nothing answers") {
		t.Errorf("no server: exit %d, %s", code, errOut)
	}
}

func TestDialAddress(t *testing.T) {
	for listen, want := range map[string]string{
		":8080": "127.0.0.1:8080", "0.0.0.0:80": "127.0.0.1:80", "[::]:80": "[::1]:80", "192.0.2.7:80": "192.0.2.7:80", "localhost:80": "localhost:80",
	} {
		if got := dialAddress(listen); got != want {
			t.Errorf("%s is dialled as %s, want %s", listen, got, want)
		}
	}
}

// TestFailuresReadWell checks that what an operator can mend is told as what to do, with the real errors where they are
// easily had.
func TestFailuresReadWell(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	_, portTaken := net.Listen("tcp", taken.Addr().String())
	_, notMine := net.Listen("tcp", "192.0.2.1:80")
	_, noFile := os.Open(filepath.Join(t.TempDir(), "none.csv"))
	for name, c := range map[string]struct {
		err  error
		says string
	}{
		"port taken":         {portTaken, "is taken by another program"},
		"address not ours":   {notMine, "Set KITHLINE_LISTEN to an address of this machine"},
		"disk full":          {fmt.Errorf("write: %w", &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}), "The disk is full"},
		"SQLite disk full":   {errors.New("database or disk is full (13)"), "The disk is full"},
		"database":           {fmt.Errorf("open: %w: connection refused", database.ErrUnreachable), "It said: connection refused"},
		"key missing":        {fmt.Errorf("start: %w", &vault.KeyMissing{Path: "/k", KeyID: "abcd"}), "kithline keys recover"},
		"key of another":     {&vault.KeyWrong{Path: "/k", Found: "a", KeyID: "b"}, "Nothing was changed"},
		"newer database":     {fmt.Errorf("migrate: %w", migrations.ErrNewer), "kithline: The database belongs to a newer version"},
		"file missing":       {noFile, "none.csv does not exist"},
		"stopped":            {fmt.Errorf("import: %w", context.Canceled), "Stopped"},
		"told by a command":  {fmt.Errorf("x: %w", plain("Line %d is not a date.", 3)), "kithline: Line 3 is not a date.\n"},
		"nobody knows about": {errors.New("boom"), "boom"},
	} {
		var out bytes.Buffer
		code := (&cli{err: &out}).fail(c.err)
		if code != exitFailed || !strings.Contains(out.String(), c.says) || strings.Count(out.String(), "\n") != 1 {
			t.Errorf("%s: exit %d, want one line with %q: %s", name, code, c.says, out.String())
		}
	}
}
