package app

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gorm.io/gorm"

	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// Erased on the command line, without a server; restored from a backup of before, with the list of the store, with a copy of
// it where the store is lost, and with the folder it was in.
func TestEraseAndRestore(t *testing.T) {
	home, dir := place(t)
	ctx := context.Background()
	c := &cli{environ: home, err: os.Stderr}
	a, err := c.open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"june@example.org", "maren@example.org", "stays@example.org"} {
		if err := a.DB.Tx(ctx, func(tx *gorm.DB) error {
			m, err := mailboxes.Ensure(ctx, tx, a.Vault, address, a.Clock.Now())
			if err != nil {
				return err
			}
			s := models.Supporter{ID: models.NewID(), CreatedAt: m.CreatedAt, UpdatedAt: m.CreatedAt}
			if err := tx.Create(&s).Error; err != nil {
				return err
			}
			return tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Update("supporter_id", s.ID).Error
		}); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	run := func(in string, environ []string, args ...string) (int, string, string) {
		var out, errOut bytes.Buffer
		code := Main(args, environ, strings.NewReader(in), &out, &errOut)
		return code, out.String(), errOut.String()
	}
	backup, list := filepath.Join(dir, "old.kithline"), filepath.Join(dir, "erased.jsonl")
	if code, _, errOut := run("", home, "backup", backup); code != 0 {
		t.Fatal(errOut)
	}
	if code, out, errOut := run("june@example.org\n\n Maren@Example.org\nnobody@example.org\nnothing\n", home, "erase", "-"); code != 0 || out != "Erased: 2. Not known here: 1. No mail addresses: 1.\n" {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if code, out, errOut := run("", home, "erase", "--list", list); code != 0 || !strings.HasPrefix(out, "Wrote 2 lines") {
		t.Fatalf("exit %d\n%s%s", code, out, errOut)
	}
	if b, err := os.ReadFile(list); err != nil || strings.Contains(string(b), "june") || bytes.Count(b, []byte("\n")) != 2 {
		t.Errorf("the list: %s, %v", b, err)
	}
	key := "KITHLINE_KEY_FILE=" + filepath.Join(dir, "key", "kithline.key")
	for name, x := range map[string]struct {
		args    []string
		prepare func(dir string) error
		erased  int
	}{
		"without a list": {nil, func(string) error { return nil }, 0},
		"the list of the store": {nil, func(to string) error {
			return os.CopyFS(filepath.Join(to, "data", "erased"), os.DirFS(filepath.Join(dir, "data", "erased")))
		}, 2},
		"a copy, no store":     {[]string{"--erased", list}, func(string) error { return nil }, 2},
		"the folder, no store": {[]string{"--erased", filepath.Join(dir, "data", "erased")}, func(string) error { return nil }, 2},
		"the store and the copy": {[]string{"--erased", list}, func(to string) error {
			return os.CopyFS(filepath.Join(to, "data", "erased"), os.DirFS(filepath.Join(dir, "data", "erased")))
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			there, to := place(t, key)
			if err := x.prepare(to); err != nil {
				t.Fatal(err)
			}
			code, out, errOut := run("", there, append([]string{"restore", backup, "--json"}, x.args...)...)
			var sum restoreSummary
			if err := json.Unmarshal([]byte(out), &sum); err != nil || code != 0 || sum.Erased != x.erased || sum.Rows["supporters"] != 3 {
				t.Fatalf("exit %d, %v\n%s%s", code, err, out, errOut)
			}
			a, err := (&cli{environ: there, err: os.Stderr}).open(ctx)
			if err != nil {
				t.Fatal(err)
			}
			defer a.Close()
			var people, remembered int64
			a.DB.Model(&models.Supporter{}).Count(&people)
			a.DB.Model(&models.Erasure{}).Count(&remembered)
			if int(people) != 3-x.erased || int(remembered) != x.erased {
				t.Errorf("%d people, %d remembered", people, remembered)
			}
			if x.erased > 0 {
				if code, out, errOut := run("", there, "erase", "--list", "-"); code != 0 || strings.Count(out, "\n") != 2 {
					t.Errorf("the list goes on: exit %d\n%s%s", code, out, errOut)
				}
			}
		})
	}
	for _, x := range []struct {
		args string
		code int
		says string
	}{
		{"erase", 2, "name the addresses"},
		{"erase --list x y@example.org", 2, "erases nobody"},
		{"restore --erased " + backup + " " + backup, 1, "Line 1 of the list"},
		{"restore --erased " + filepath.Join(dir, "none") + " " + backup, 1, "does not exist"},
	} {
		there, _ := place(t)
		if code, out, errOut := run("", there, strings.Fields(x.args)...); code != x.code || !strings.Contains(errOut, x.says) {
			t.Errorf("kithline %s: exit %d\n%s%s", x.args, code, out, errOut)
		}
	}
	if code, out, errOut := run("", home, "retention", "--dry-run", "--json"); code != 0 || strings.TrimSpace(out) != "[]" {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
	if code, out, errOut := run("", home, "retention"); code != 0 || out != "Names went from 0 signatures. Gone: 0 answers and 0 records.\n" {
		t.Errorf("exit %d\n%s%s", code, out, errOut)
	}
}
