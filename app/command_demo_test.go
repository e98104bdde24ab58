package app

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/organisation"
	"kithline/config"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/tests/testdb"
)

// few is how many signatures the worlds of these tests have.
const few = 150

// startDemo runs the command with a small world until the test ends or stop is called.
func startDemo(t *testing.T, dir string, environ ...string) (r readyFile, stop func()) {
	t.Helper()
	ready := filepath.Join(t.TempDir(), "ready.json")
	var out strings.Builder
	d := &demoRun{cli: &cli{environ: environ, out: &out, err: io.Discard}, addr: "127.0.0.1:0", dir: dir, ready: ready, signatures: few}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.run(ctx) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), r.URL) || !strings.Contains(out.String(), r.AdminLoginURL) || !strings.Contains(out.String(), r.OutboxURL) {
			t.Errorf("it printed %q", out.String())
		}
	}
	t.Cleanup(stop)
	for {
		if b, err := os.ReadFile(ready); err == nil {
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			return r, stop
		}
		select {
		case err := <-ended:
			stopped = true
			t.Fatal("the demo ended: ", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// refused runs the command and returns what it says instead of serving.
func refused(t *testing.T, dir string, environ ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := &demoRun{cli: &cli{environ: environ, out: io.Discard, err: io.Discard}, addr: "127.0.0.1:0", dir: dir, signatures: few}
	err := d.run(ctx)
	var told plainError
	if !errors.As(err, &told) {
		t.Fatalf("it was not refused in plain words: %v", err)
	}
	return told.text
}

func get(t *testing.T, c *http.Client, address string) (int, string) {
	t.Helper()
	r, err := c.Get(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

// showsTheWorld looks at what a newcomer is told to look at.
func showsTheWorld(t *testing.T, r readyFile) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	status, home := get(t, c, r.URL+"/")
	if status != http.StatusOK || !strings.Contains(home, "Twenty visits") {
		t.Fatalf("the site answers %d: %s", status, home)
	}
	_, rest, _ := strings.Cut(home, `"/petitions/`)
	slug, _, _ := strings.Cut(rest, `"`)
	_, figures := get(t, c, r.URL+"/petitions/"+slug+".json")
	var open struct {
		SignatureCount int `json:"signature_count"`
	}
	if err := json.Unmarshal([]byte(figures), &open); err != nil || open.SignatureCount != few {
		t.Errorf("open figures: %s", figures)
	}
	_, mails := get(t, c, r.URL+"/outbox/messages.json")
	var box []struct {
		To, Subject string
		Links       []string
	}
	if err := json.Unmarshal([]byte(mails), &box); err != nil || len(box) < 30 || len(box) > 400 {
		t.Fatalf("%d mails: %v", len(box), err)
	}
	bulk, letters := 0, 0
	for _, m := range box {
		if strings.HasSuffix(m.To, "@statehouse.example.org") {
			letters++
		} else if !strings.HasSuffix(m.To, "@example.org") {
			t.Errorf("a mail to %s", m.To)
		}
		if m.Subject == "The hearing has a date" {
			bulk++
		}
	}
	if bulk != keepBulk || letters < 6 {
		t.Errorf("%d copies of the mailing, %d letters to offices", bulk, letters)
	}
	if status, page := get(t, c, r.AdminLoginURL); status != http.StatusOK || strings.Count(page, "<button") < 1 {
		t.Fatalf("the login link answers %d", status)
	}
	u, err := url.Parse(r.AdminLoginURL)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequest(http.MethodPost, r.AdminLoginURL, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Origin", u.Scheme+"://"+u.Host)
	answer, err := c.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if status, page := get(t, c, r.URL+"/admin"); status != http.StatusOK || !strings.Contains(page, "Ilse Halvorsen") {
		t.Errorf("after signing in, the first page answers %d", status)
	}
	for path, want := range map[string]string{
		"/join": "HB 412 and the Statehouse", "/forms/lend-a-hand": "How would you like to help?", "/admin/segments": "Signed, in Harrow Bay", "/admin/forms": "Lend a hand",
		"/admin/supporters": "Tamarack Valley", "/admin/duplicates": "Confirmed addresses that look like one person", "/admin/divisions": "Wennick", "/admin/chapters": "Three Forks",
	} {
		if status, page := get(t, c, r.URL+path); status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%s answers %d, %q is not in it", path, status, want)
		}
	}
}

func TestDemoInAFolderIsMadeOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "world")
	if err := os.MkdirAll(filepath.Join(dir, building+"1", "data"), 0o700); err != nil { // as a kill in the middle leaves it
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, building+"1", "data", "kithline.db"), []byte("half a world"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"KITHLINE_SMTP_URL=smtp://mail.invalid:25?tls=none", "KITHLINE_MAIL=smtp", "KITHLINE_BASE_URL=https://act.example.org", "KITHLINE_DATA_DIR=" + filepath.Join(dir, "mine")}
	first, stop := startDemo(t, dir, env...)
	if first.Database != "sqlite" || first.PID != os.Getpid() || !strings.HasPrefix(first.URL, "http://127.0.0.1:") || first.OutboxURL != first.URL+"/outbox" {
		t.Errorf("%+v", first)
	}
	showsTheWorld(t, first)
	stop()
	made, err := os.Stat(filepath.Join(dir, "kithline.key"))
	if err != nil {
		t.Fatal(err)
	}
	again, stop := startDemo(t, dir, env...)
	showsTheWorld(t, again)
	stop()
	if again.AdminLoginURL == first.AdminLoginURL {
		t.Error("the login link is the old one")
	}
	if now, err := os.Stat(filepath.Join(dir, "kithline.key")); err != nil || !now.ModTime().Equal(made.ModTime()) {
		t.Error("the second start made another key")
	}
	// Ended between the two moves: the world is in its place, its key is not yet.
	if err := os.Rename(filepath.Join(dir, "data"), filepath.Join(dir, "moved")); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, dir); !strings.Contains(said, "--data") {
		t.Errorf("a key without its data: %q", said)
	}
	if err := errors.Join(os.Rename(filepath.Join(dir, "moved"), filepath.Join(dir, "data")), os.Mkdir(filepath.Join(dir, building+"2"), 0o700),
		os.Rename(filepath.Join(dir, "kithline.key"), filepath.Join(dir, building+"2", "kithline.key"))); err != nil {
		t.Fatal(err)
	}
	third, stop := startDemo(t, dir)
	showsTheWorld(t, third)
	stop()
}

func TestDemoWithoutAFolderLeavesNothing(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	_, stop := startDemo(t, "")
	if list, err := os.ReadDir(tmp); err != nil || len(list) == 0 {
		t.Errorf("no world in the folder for temporary files: %v", err)
	}
	stop()
	if list, err := filepath.Glob(filepath.Join(tmp, "kithline-demo-*")); err != nil || len(list) != 0 {
		t.Errorf("left behind: %v, %v", list, err)
	}
}

func TestDemoLeavesOthersAlone(t *testing.T) {
	dir := t.TempDir()
	cfg, err := config.Load([]string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Build(context.Background(), cfg, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	if said := refused(t, dir); !strings.Contains(said, "did not make") {
		t.Errorf("the data of a server: %q", said)
	}
	if err := os.RemoveAll(filepath.Join(dir, "data")); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(filepath.Join(dir, "kithline.key"))
	if err != nil {
		t.Fatal(err)
	}
	refused(t, dir)
	if after, err := os.ReadFile(filepath.Join(dir, "kithline.key")); err != nil || string(after) != string(before) {
		t.Errorf("the key of a server was touched: %v", err)
	}
}

func TestDemoInPostgres(t *testing.T) {
	address := testdb.EmptyPostgresURL(t)
	env := []string{"KITHLINE_DATABASE_URL=" + address}
	dir := t.TempDir()
	r, stop := startDemo(t, dir, env...)
	if r.Database != "postgres" {
		t.Errorf("%+v", r)
	}
	showsTheWorld(t, r)
	stop()
	again, stop := startDemo(t, dir, env...)
	showsTheWorld(t, again)
	stop()
	if said := refused(t, t.TempDir(), env...); !strings.Contains(said, "key") {
		t.Errorf("without the folder: %q", said)
	}
	if said := refused(t, dir, "KITHLINE_DATABASE_URL="+testdb.EmptyPostgresURL(t)); !strings.Contains(said, "another database") {
		t.Errorf("the folder of another database: %q", said)
	}
}

func TestDemoInAUsedDatabase(t *testing.T) {
	for name, action := range map[string]string{"broken off": "demo.begin", "in use": "petition.publish"} {
		t.Run(name, func(t *testing.T) {
			ctx := context.Background()
			address := testdb.EmptyPostgresURL(t)
			db, err := database.Open(ctx, database.Options{URL: address, Connections: 3})
			if err != nil {
				t.Fatal(err)
			}
			err = errors.Join(migrations.Up(ctx, db), db.Tx(ctx, func(tx *gorm.DB) error {
				return audit.Write(ctx, tx, actor.TheSystem(), time.Now(), action, "organisations", organisation.ID, nil)
			}), db.Close())
			if err != nil {
				t.Fatal(err)
			}
			dir := filepath.Join(t.TempDir(), "world")
			if said := refused(t, dir, "KITHLINE_DATABASE_URL="+address); !strings.Contains(said, name) {
				t.Errorf("it says %q", said)
			}
			if there(filepath.Join(dir, "kithline.key")) {
				t.Error("a key was made all the same")
			}
		})
	}
}

func TestDemoStaysOnThisMachine(t *testing.T) {
	for addr, host := range map[string]string{"0.0.0.0:0": "127.0.0.1", ":0": "127.0.0.1", "localhost:0": "localhost", "127.0.0.1:0": "127.0.0.1"} {
		d := &demoRun{cli: &cli{environ: []string{
			"KITHLINE_BASE_URL=https://act.example.org", "KITHLINE_SMTP_URL=smtp://kit@mail.invalid", "KITHLINE_SMTP_PASSWORD=x", "KITHLINE_DATABASE_URL=sqlite:/srv/mine.db",
			"KITHLINE_FILES_S3_URL=https://s3.example.net/mine", "KITHLINE_FILES_S3_ACCESS_KEY=a", "KITHLINE_FILES_S3_SECRET_KEY=b",
		}, err: io.Discard}, addr: addr, dir: t.TempDir()}
		cfg, l, err := d.listen(t.Context())
		if err != nil {
			t.Errorf("%s: %v", addr, err)
			continue
		}
		_, port, _ := strings.Cut(strings.TrimPrefix(l.Addr().String(), "[::]"), ":")
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if want := "http://" + host + ":" + port; cfg.Web.BaseURL != want {
			t.Errorf("%s: the site is %s, want %s", addr, cfg.Web.BaseURL, want)
		}
		path, lite := cfg.Database.SQLite()
		if !cfg.CaptureMail(true) || cfg.Mail.SMTP.Set() || cfg.Files.S3.Set() || !lite || !strings.HasPrefix(path, d.dir) {
			t.Errorf("%s: it would use what is not its own: mail %v, files %v, database %s", addr, cfg.Mail.SMTP.Host, cfg.Files.S3.Bucket, path)
		}
	}
}
