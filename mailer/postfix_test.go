package mailer

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"kithline/tests/skipped"
)

// postfix starts Debian's Postfix with a configuration of its own on loopback. It takes mail for anybody and throws it away, but for
// gone@ and grey@, and refuses whoever writes ahead of its answers without leave. log is its log.
func postfix(t *testing.T) (port int, log string) {
	t.Helper()
	const daemons = "/usr/lib/postfix/sbin"
	owner, err := user.Lookup("postfix")
	if err == nil {
		_, err = os.Stat(daemons + "/master")
	}
	if err != nil || os.Getuid() != 0 {
		skipped.For(t, "Postfix", "KITHLINE_TEST_POSTFIX", "Debian's postfix, and root to start it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	_ = l.Close()
	dir, err := os.MkdirTemp("", "kl-postfix-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	etc, log := filepath.Join(dir, "etc"), filepath.Join(dir, "log")
	uid, _ := strconv.Atoi(owner.Uid)
	for _, err := range []error{
		os.Chmod(dir, 0o755), os.Mkdir(etc, 0o755), os.Mkdir(filepath.Join(dir, "queue"), 0o755), os.Mkdir(filepath.Join(dir, "data"), 0o755), os.Chown(filepath.Join(dir, "data"), uid, -1), //nolint:gosec // its other processes read them
		os.WriteFile(filepath.Join(etc, "recipients"), []byte("/^gone@/ 550 5.1.1 no such user\n/^grey@/ 450 4.2.0 come again\n"), 0o644), //nolint:gosec // as above
		os.WriteFile(filepath.Join(etc, "main.cf"), []byte(strings.NewReplacer("DIR", dir, "DAEMONS", daemons).Replace(`compatibility_level = 3.6
queue_directory = DIR/queue
data_directory = DIR/data
daemon_directory = DAEMONS
maillog_file = DIR/log
maillog_file_prefixes = /
myhostname = mx.example.org
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
mydestination =
alias_maps =
default_transport = discard
smtpd_client_connection_count_limit = 0
smtpd_recipient_restrictions = check_recipient_access regexp:DIR/etc/recipients, permit_mynetworks, reject
smtpd_data_restrictions = reject_unauth_pipelining
`)), 0o644), //nolint:gosec // as above
		os.WriteFile(filepath.Join(etc, "master.cf"), fmt.Appendf(nil, `127.0.0.1:%d inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
proxymap unix - - n - - proxymap
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
discard unix - - n - - discard
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
`, port), 0o644), //nolint:gosec // as above
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	run := func(ctx context.Context, what string) error {
		out, err := exec.CommandContext(ctx, "postfix", "-c", etc, what).CombinedOutput()
		if err != nil {
			return fmt.Errorf("postfix %s: %w: %s", what, err, out)
		}
		return nil
	}
	if err := run(t.Context(), "start"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := run(context.Background(), "stop"); err != nil {
			t.Error(err)
		}
	})
	return port, log
}

// A real relay that offers PIPELINING, and refuses whoever makes more of it than it allows, takes everything that it should, over few
// connections, and says of the rest what it says.
func TestPostfix(t *testing.T) {
	port, log := postfix(t)
	cfg := quick(port)
	cfg.Timeout, cfg.DotTimeout = 20*time.Second, 20*time.Second
	s := newSMTP(t, cfg)
	pool := NewPool(s, 4)
	const n = 200
	var mu sync.Mutex
	got := map[string]int{}
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	var wg sync.WaitGroup
	take := func() (Message, bool) {
		i, ok := <-next
		m := sample()
		m.MessageID, m.To = NewMessageID("act.example.org"), fmt.Sprintf("reader%d@example.org", i)
		switch i % 10 {
		case 3:
			m.To = "gone@example.org"
		case 7:
			m.To = "grey@example.org"
		}
		m.Text += strings.Repeat("\n.\n.. a line of dots, and a long one "+strings.Repeat("x", 200), i%5)
		if err := m.Encode(); err != nil {
			t.Error(err)
		}
		return m, ok
	}
	for worker := range 4 {
		wg.Go(func() {
			var c Conn
			for m, ok := take(); ok; {
				if c == nil {
					var err error
					if c, err = pool.Get(t.Context()); err != nil {
						t.Error(err)
						return
					}
				}
				if pipelines := c.(*smtpConn).pipelines; !pipelines {
					t.Error("Postfix offers no PIPELINING")
				}
				then, more := take()
				send := c.Send
				if announces := worker%2 == 1; announces && more {
					send = func(ctx context.Context, m Message) Outcome { return c.(Pipelined).SendBefore(ctx, m, then) }
				}
				o := send(t.Context(), m)
				if !more || !o.Healthy() {
					pool.Put(c, o.Healthy())
					c = nil
				}
				mu.Lock()
				got[fmt.Sprint(o.State, " ", o.Phase, " ", o.Code, " ", o.Enhanced)]++
				mu.Unlock()
				m, ok = then, more
			}
		})
	}
	wg.Wait()
	if err := pool.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got["accepted  250 2.0.0"] != n*8/10 || got["rejected rcpt 550 5.1.1"] != n/10 || got["deferred rcpt 450 4.2.0"] != n/10 || len(got) != 3 {
		t.Errorf("%v", got)
	}
	b, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"improper command pipelining", "lost connection", "warning:", "reject: DATA"} {
		if strings.Contains(string(b), bad) {
			t.Errorf("Postfix says %q:\n%s", bad, b)
		}
	}
	if c := strings.Count(string(b), ": connect from"); c > 8 {
		t.Errorf("%d connections for %d mails", c, n)
	}
}
