package chaos

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"kithline/models"
	"kithline/models/database"
	"kithline/tests/smtpsink"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// binary builds the program once for all tests of this package.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "kithline-chaos")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "kithline")
	out, err := exec.Command("go", "build", "-o", path, "kithline").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, out)
	}
	return path, nil
})

// server is one life of the real program in a process of its own.
type server struct {
	URL, SetupURL string
	cmd           *exec.Cmd
	ended         chan struct{}
}

func serve(t *testing.T, dir, dbURL, listen, smtp string) *server {
	t.Helper()
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	s := &server{ended: make(chan struct{})}
	s.cmd = exec.Command(bin, "serve")
	s.cmd.Env = append(os.Environ(),
		"KITHLINE_DATABASE_URL="+named(dbURL, sender), "KITHLINE_DATA_DIR="+filepath.Join(dir, "data"), "KITHLINE_KEY_FILE="+filepath.Join(dir, "kithline.key"),
		"KITHLINE_LISTEN="+listen, "KITHLINE_SMTP_URL=smtp://"+smtp+"?tls=none", "KITHLINE_LOG_LEVEL=error",
		"KITHLINE_SIGNING_PER_MINUTE=1000000", "KITHLINE_SIGNING_PER_FIVE_MINUTES=1000000", "KITHLINE_SIGNING_PROOF_FROM=1000000")
	s.cmd.Stderr = os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	t.Cleanup(s.kill)
	said := make(chan string)
	go func() {
		defer close(said)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			for _, w := range strings.Fields(lines.Text()) {
				if strings.HasPrefix(w, "http://") {
					said <- w
				}
			}
		}
	}()
	select {
	case w, ok := <-said:
		if !ok {
			t.Fatal("the server ended before it said where it is")
		}
		u, err := url.Parse(w)
		if err != nil {
			t.Fatal(err)
		}
		s.URL = u.Scheme + "://" + u.Host
		if strings.Contains(w, "/admin/setup/") {
			s.SetupURL = w
		}
	case <-time.After(testapp.Patience):
		t.Fatal("the server does not start")
	}
	return s
}

func (s *server) kill() {
	_ = s.cmd.Process.Signal(syscall.SIGKILL)
	<-s.ended
}

// setUp walks the setup pages of a new server and signs its owner in.
func setUp(t *testing.T, s *server) *testapp.Client {
	t.Helper()
	c := testapp.NewClient(t, s.URL)
	p := c.Get(s.SetupURL).Want(200).Submit("main form button.main", map[string]string{
		"name": "Wennick Chronic Pain Coalition", "short_name": "WCPC", "postal_address": "12 Ferry Street", "from_address": "hello@act.example.org",
	}).Want(200)
	p = p.Submit("main form button.main", nil).Want(200) // mail: the environment names the server
	p = p.Submit("main form button.main", nil).Want(200) // texts: ours
	p.Submit("main form button.main", map[string]string{"name": "Ilse Halvorsen", "email": testapp.OwnerEmail, "password": testapp.Password}).Want(200)
	return c
}

// launch drafts, submits and publishes a petition by its pages, and returns its path.
func launch(t *testing.T, c *testapp.Client) string {
	t.Helper()
	edit := c.Get("/admin/petitions/new").Want(200).Submit("main form button.main", map[string]string{"title": "Twenty visits"}).Want(200)
	check := edit.Submit("button[name='do'][value='check']", map[string]string{
		"summary_text": "We ask the House Health Committee to pass HB 412.", "body": "Most plans stop paying after six visits.", "decider": "Chair, House Health Committee",
		"why_now": "The hearing is on 16 March.", "system_change": "Plans cover twenty visits.", "goal": "5000",
	}).Want(200)
	review := check.Submit("form[action$='/submit'] button.main", nil).Want(200)
	review.Submit("form[action$='/publish'] button.main", nil).Want(200)
	return "/petitions/twenty-visits"
}

// The server is killed while people sign and mail goes out, twice, and started again. Whoever was told "nearly done" has one
// signature and gets the mail for it.
func TestKilledWhilePeopleSign(t *testing.T) {
	testdb.EachURL(t, func(t *testing.T, dbURL string) {
		dir, sink := t.TempDir(), smtpsink.New(t)
		s := serve(t, dir, dbURL, "127.0.0.1:0", sink.Addr)
		owner := setUp(t, s)
		path := launch(t, owner)

		told := map[string]bool{}
		var mu sync.Mutex
		var next atomic.Int64
		for range 2 {
			var wg sync.WaitGroup
			stop, over := context.WithCancel(context.Background())
			enough := make(chan struct{}, 1000)
			for range 16 {
				wg.Go(func() {
					client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: testapp.Patience}
					for stop.Err() == nil {
						address := fmt.Sprintf("p%d@example.org", next.Add(1))
						res, err := client.PostForm(s.URL+path+"/sign", url.Values{
							"given_name": {"June"}, "family_name": {"Okafor"}, "email": {address}, "postal_code": {"00209"}, "display": {"initials"},
						})
						if err != nil {
							continue // nobody was told anything
						}
						_ = res.Body.Close()
						if res.StatusCode == http.StatusSeeOther {
							mu.Lock()
							told[address] = true
							mu.Unlock()
							enough <- struct{}{}
						} else if stop.Err() == nil {
							t.Errorf("signing answered %d", res.StatusCode)
						}
					}
				})
			}
			for range 150 {
				select {
				case <-enough:
				case <-time.After(testapp.Patience):
					t.Fatal("nobody can sign")
				}
			}
			s.kill()
			over()
			wg.Wait()
			s = serve(t, dir, dbURL, "127.0.0.1:0", sink.Addr)
		}

		db, err := database.Open(context.Background(), database.Options{URL: dbURL})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = db.Close() }()
		var rows, mails, pending int64
		for _, q := range []struct {
			to  *int64
			sql string
		}{
			{&rows, "SELECT count(*) FROM signatures WHERE state = 'pending'"},
			{&mails, "SELECT count(*) FROM deliveries WHERE kind = 'petition_confirm' AND subject_id IN (SELECT id FROM signatures)"},
			{&pending, "SELECT pending_count FROM petitions"},
		} {
			if err := db.Raw(q.sql).Scan(q.to).Error; err != nil {
				t.Fatal(err)
			}
		}
		if rows < int64(len(told)) || mails != rows || pending != rows {
			t.Fatalf("%d were told, %d signatures, %d mails, count %d", len(told), rows, mails, pending)
		}
		s.kill()               // first: while it lives it makes its leases longer
		stilled(t, db, sender) // mails that the dead claim now would wait for the end of their lease
		// What the dead processes had begun comes back when their leases end; nobody waits for the minute here.
		if err := db.Exec("UPDATE deliveries SET lease_until = '2020-01-01 00:00:00+00:00' WHERE state = 'sending'").Error; err != nil {
			t.Fatal(err)
		}
		serve(t, dir, dbURL, "127.0.0.1:0", sink.Addr)
		ctx, cancel := context.WithTimeout(context.Background(), 2*testapp.Patience)
		defer cancel()
		for n := len(told); ; n++ {
			got := map[string]string{}
			all := sink.Wait(ctx, t, n)
			for _, m := range all {
				if !told[m.To] {
					continue
				}
				if id := got[m.To]; id != "" && id != m.Header("Message-ID") {
					t.Fatalf("two different mails to %s", m.To)
				}
				got[m.To] = m.Header("Message-ID")
			}
			missing := 0
			for address := range told {
				if got[address] == "" {
					missing++
				}
			}
			if missing == 0 {
				break
			}
			n = max(n, len(all))
		}
		var left []models.Delivery
		if err := db.Where("state IN ('failed', 'unknown', 'expired', 'suppressed')").Find(&left).Error; err != nil || len(left) > 0 {
			t.Fatalf("%d mails were given up, %v", len(left), err)
		}
	})
}

// What the log of a server says must be readable by a program when that is asked for, and hold nobody's address.
func TestTheLogHoldsNoAddress(t *testing.T) {
	bin, err := binary()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	cmd := exec.Command(bin, "user", "add", "canary@example.org", "--name", "Canary Birdsong", "--role", "owner")
	cmd.Env = append(os.Environ(), "KITHLINE_DATA_DIR="+filepath.Join(dir, "data"), "KITHLINE_KEY_FILE="+filepath.Join(dir, "key"), "KITHLINE_LOG_FORMAT=json", "KITHLINE_LOG_LEVEL=debug")
	var log strings.Builder
	cmd.Stderr = &log
	if err := cmd.Run(); err != nil {
		t.Fatal(err, log.String())
	}
	for line := range strings.Lines(log.String()) {
		var v map[string]any
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Errorf("not JSON: %s", line)
		}
		if strings.Contains(strings.ToLower(line), "canary") {
			t.Errorf("the log names somebody: %s", line)
		}
	}
}
