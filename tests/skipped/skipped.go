// Package skipped says what a test run left out for want of a program. go test shows nothing of a package that passes, so
// the sentence goes to the place where go test itself writes, once a run.
package skipped

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// For skips the test because something is missing on this machine, or fails it where the environment variable says that it
// is required. what names the missing thing as in "PostgreSQL", why says where it was looked for.
func For(t testing.TB, what, variable, why string) {
	t.Helper()
	if os.Getenv(variable) == "required" {
		t.Fatalf("%s is required here (%s) and missing: %s", what, variable, why)
	}
	tell(what, why)
	t.Skipf("skipped for want of %s: %s", what, why)
}

func tell(what, why string) {
	run := os.Getppid() // go test starts every test binary itself
	mark := filepath.Join(os.TempDir(), fmt.Sprintf("kithline-skipped-%d-%s", run, strings.ToLower(what)))
	f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return // another package of this run has said it
	}
	_ = f.Close()
	out, err := os.OpenFile(fmt.Sprintf("/proc/%d/fd/2", run), os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		if out, err = os.OpenFile("/dev/tty", os.O_WRONLY, 0); err != nil {
			return
		}
	}
	defer func() { _ = out.Close() }()
	fmt.Fprintf(out, "-- no %s: its tests are skipped (%s)\n", what, why)
}
