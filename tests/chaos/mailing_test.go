package chaos

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/models/migrations"
	"kithline/tests/skipped"
	"kithline/tests/smtpsink"
	"kithline/tests/testapp"
	"kithline/tests/testdb"
)

// Leases are short where a test waits for their end, and long where a slow machine must not let one end by itself.
const (
	shortLease = time.Second
	longLease  = time.Minute
	manyConns  = 20
)

// times is how often something is done to a mailing: what the check has time for, or as often as KITHLINE_CHAOS_TIMES says.
func times(usual int) int {
	if n, err := strconv.Atoi(os.Getenv("KITHLINE_CHAOS_TIMES")); err == nil && n > 0 {
		return n
	}
	return usual
}

// mailing is a mailing that is being sent while terrible things happen, with all that is known from outside of what became of it.
type mailing struct {
	t      *testing.T
	url    string
	db     *database.DB
	key    *vault.Key
	id     uuid.UUID
	people int
	lease  time.Duration
	sink   *smtpsink.Counter

	address map[string]uuid.UUID // of the mailbox
	mu      sync.Mutex
	ids     map[string]map[string]bool // Message-IDs by address
	begun   map[string]bool            // delivery and attempt
	names   map[*exec.Cmd]string       // by which PostgreSQL knows a process
	killed  int                        // deliveries that were "sending" when a process was killed, together
}

// newMailing makes people who agreed, and a delivery for each.
func newMailing(t *testing.T, url string, people int, onUnknown models.OnUnknown, delay time.Duration) *mailing {
	t.Helper()
	ctx := context.Background()
	db, err := database.Open(ctx, database.Options{URL: url})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	m := &mailing{t: t, url: url, db: db, key: vault.NewKey(), id: models.NewID(), people: people, lease: longLease, address: map[string]uuid.UUID{}, ids: map[string]map[string]bool{}, begun: map[string]bool{}, names: map[*exec.Cmd]string{}}
	if m.sink, err = smtpsink.Count(delay, m.took); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.sink.Close)
	v, now := vault.New(m.key), time.Now().UTC().Truncate(time.Microsecond)
	text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 900, Body: "Write to me", CreatedAt: now}
	m.must(db.Create(&text).Error)
	m.must(db.Create(&models.Mailing{ID: m.id, Purpose: models.PurposeNewsletter, State: models.MailingSending, AudienceCount: people, CreatedAt: now, UpdatedAt: now}).Error)
	for from := 0; from < people; from += 2000 {
		var boxes []models.Mailbox
		var yes []models.Consent
		var ds []models.Delivery
		for i := from; i < min(people, from+2000); i++ {
			to := fmt.Sprintf("p%d@example.org", i)
			box, err := mailboxes.NewRow(v, to, now)
			m.must(err)
			m.address[to] = box.ID
			boxes = append(boxes, box)
			yes = append(yes, models.Consent{ID: models.NewID(), MailboxID: box.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, Locale: "en", ShownAt: now, GivenAt: now, How: models.ConsentByMail})
			d := models.Delivery{ID: models.NewID(), Kind: "mailing", MailboxID: box.ID, SubjectID: m.id, MailingID: &m.id, Purpose: models.PurposeNewsletter, DedupeKey: to, Priority: models.PriorityBulk, State: models.DeliveryQueued}
			d.OnUnknown, d.NotBefore, d.CreatedAt, d.UpdatedAt = onUnknown, now, now, now
			ds = append(ds, d)
		}
		m.must(db.Tx(ctx, func(tx *gorm.DB) error {
			if err := database.InsertAll(tx, boxes, ""); err != nil {
				return err
			}
			if err := database.InsertAll(tx, yes, ""); err != nil {
				return err
			}
			return database.InsertAll(tx, ds, "")
		}))
	}
	return m
}

func (m *mailing) must(err error) {
	m.t.Helper()
	if err != nil {
		m.t.Fatal(err)
	}
}

func (m *mailing) took(to string, message []byte) {
	_, rest, _ := bytes.Cut(message, []byte("Message-ID:"))
	id, _, _ := bytes.Cut(bytes.TrimLeft(rest, "\r\n <"), []byte(">"))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ids[to] == nil {
		m.ids[to] = map[string]bool{}
	}
	m.ids[to][string(id)] = true
}

// sender is how PostgreSQL knows the connections of a process that sends, where there is one at a time.
const sender = "sender"

// named is a database's address by which PostgreSQL knows a process.
func named(url, as string) string {
	switch {
	case !strings.HasPrefix(url, "postgres"):
		return url
	case strings.Contains(url, "?"):
		return url + "&application_name=" + as
	}
	return url + "?application_name=" + as
}

// process starts one more process that sends.
func (m *mailing) process(ctx context.Context) *exec.Cmd {
	m.t.Helper()
	as := sender + strconv.Itoa(len(m.names))
	c := child(ctx, m.t, childURL+"="+named(m.url, as), childKey+"="+m.key.Text(), childSMTP+"="+m.sink.Addr, childMany+"="+strconv.Itoa(manyConns), childLease+"="+m.lease.String())
	m.names[c] = as
	return c
}

// child starts this test binary as a process that sends, with an environment.
func child(ctx context.Context, t *testing.T, env ...string) *exec.Cmd {
	t.Helper()
	c := exec.CommandContext(ctx, os.Args[0], "-test.run=^$")
	c.Env = append(os.Environ(), env...)
	c.Stderr = os.Stderr
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c
}

// stilled waits until PostgreSQL has done what it was asked last by who is dead: the connections of that process are gone.
func stilled(t *testing.T, db *database.DB, as string) {
	t.Helper()
	for end, left := time.Now().Add(testapp.Patience), int64(1); left > 0 && db.Postgres(); {
		if err := db.Raw("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = ?", as).Scan(&left).Error; err != nil {
			t.Fatal(err)
		}
		if time.Now().After(end) {
			t.Fatalf("%d connections of the dead do not end", left)
		}
	}
}

// kill ends a process at once, the only one, notes how much it had begun, and lets its leases end.
func (m *mailing) kill(c *exec.Cmd) {
	m.t.Helper()
	m.must(c.Process.Signal(syscall.SIGKILL))
	_ = c.Wait()
	stilled(m.t, m.db, m.names[c])
	var begun []struct {
		ID      uuid.UUID
		Attempt int
	}
	m.must(m.db.Model(&models.Delivery{}).Select("id, attempt").Where("state = 'sending'").Scan(&begun).Error)
	n := 0
	for _, d := range begun { // those of processes before may not be found yet
		if key := fmt.Sprint(d.ID, d.Attempt); !m.begun[key] {
			m.begun[key] = true
			n++
		}
	}
	if m.killed += n; n > 2*manyConns {
		m.t.Errorf("%d deliveries were begun by %d connections", n, manyConns)
	}
	m.must(m.db.Exec("UPDATE deliveries SET lease_until = '2020-01-01 00:00:00+00:00' WHERE state = 'sending'").Error)
}

func (m *mailing) count(where string) int {
	m.t.Helper()
	var n int64
	m.must(m.db.Model(&models.Delivery{}).Where("mailing_id = ? AND "+where, m.id).Count(&n).Error)
	return int(n)
}

// more waits until so many more mails came, or all of it is done.
func (m *mailing) more(ctx context.Context, n int64) {
	m.t.Helper()
	from := m.sink.Mails.Load()
	for m.sink.Mails.Load() < from+n && m.count("state IN ('queued', 'sending', 'deferred')") > 0 {
		select {
		case <-ctx.Done():
			m.t.Fatalf("%d mails came of %d more", m.sink.Mails.Load()-from, n)
		case <-time.After(2 * time.Millisecond): // another process does it: nothing tells
		}
	}
}

// rest waits until nothing is left to send, and looks at what came of it: every delivery is there, in a state that ends; what is sent
// came; who did not get it is listed; and what came twice was on the wire when a process was killed.
func (m *mailing) rest(ctx context.Context, parked bool) {
	m.t.Helper()
	for m.count("state IN ('queued', 'sending', 'deferred')") > 0 {
		select {
		case <-ctx.Done():
			var left []string
			m.must(m.db.Raw("SELECT state || ', ' || deferrals || ' times deferred: ' || count(*) FROM deliveries WHERE mailing_id = ? GROUP BY state, deferrals", m.id).Scan(&left).Error)
			m.t.Fatalf("it does not end: %q", left)
		case <-time.After(20 * time.Millisecond): // as above
		}
	}
	seen := m.sink.Seen()
	var rows []struct {
		MailboxID uuid.UUID
		State     models.DeliveryState
	}
	m.must(m.db.Model(&models.Delivery{}).Select("mailbox_id, state").Where("mailing_id = ?", m.id).Scan(&rows).Error)
	if len(rows) != m.people {
		m.t.Errorf("%d deliveries are left of %d", len(rows), m.people)
	}
	state := map[uuid.UUID]models.DeliveryState{}
	for _, r := range rows {
		state[r.MailboxID] = r.State
	}
	doubles, lost, unknown := 0, 0, 0
	for to, box := range m.address {
		n := seen[to]
		doubles += max(0, n-1)
		if len(m.ids[to]) > 1 {
			m.t.Errorf("%s got %d different Message-IDs", to, len(m.ids[to]))
		}
		switch {
		case state[box] == models.DeliverySent && n == 0:
			m.t.Errorf("%s is sent, and never came", to)
		case state[box] == models.DeliveryUnknown:
			unknown++
		}
		if n == 0 && state[box] != models.DeliverySuppressed {
			lost++
		}
	}
	for _, to := range slices.Sorted(maps.Keys(seen)) {
		if _, ok := m.address[to]; !ok {
			m.t.Errorf("%s got a mail and is nobody's address", to)
		}
	}
	switch {
	case parked && doubles > 0:
		m.t.Errorf("%d doubles, though what is unknown is parked", doubles)
	case parked && lost > unknown:
		m.t.Errorf("%d lost, of which %d are listed as unknown", lost, unknown)
	case !parked && lost > 0:
		m.t.Errorf("%d lost, though what is unknown is sent again", lost)
	case !parked && doubles > m.killed:
		m.t.Errorf("%d doubles, %d deliveries were begun when processes were killed", doubles, m.killed)
	}
	m.t.Logf("%d people: %d mails, %d doubles of at most %d, %d unknown, %d lost", m.people, m.sink.Mails.Load(), doubles, m.killed, unknown, lost)
}

// The process that sends is killed again and again, at any moment. Nobody gets a mailing twice, whoever did not get it is listed, and
// mail that is sent again may come twice, but is never lost.
func TestMailingSurvivesKills(t *testing.T) {
	for _, c := range []struct {
		name      string
		onUnknown models.OnUnknown
	}{{"parked", models.Park}, {"resent", models.Resend}} {
		t.Run(c.name, func(t *testing.T) {
			testdb.EachMigratedURL(t, func(t *testing.T, url string) {
				ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
				defer cancel()
				kills := times(5)
				m := newMailing(t, url, 400*kills, c.onUnknown, 5*time.Millisecond)
				for range kills {
					p := m.process(ctx)
					m.more(ctx, 1+rand.Int64N(300))
					m.kill(p)
				}
				p := m.process(ctx)
				m.rest(ctx, c.onUnknown == models.Park)
				m.kill(p)
			})
		})
	}
}

// Two processes send. One stands still past its lease and goes on, again and again: what it had begun was taken from it.
func TestMailingSurvivesAStandstill(t *testing.T) {
	url := testdb.PostgresURL(t) // several processes share PostgreSQL only
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	n := times(2)
	m := newMailing(t, url, 4000*n, models.Park, 10*time.Millisecond)
	m.lease = shortLease
	a, b := m.process(ctx), m.process(ctx)
	for range n {
		m.more(ctx, 200)
		m.must(a.Process.Signal(syscall.SIGSTOP))
		// Taken from it is all but what it stands still in the midst of committing.
		for left := int64(-1); left != 0; {
			select {
			case <-ctx.Done():
				t.Fatalf("%d are held by a process that stands still", left)
			case <-time.After(shortLease): // the lease is over then
			}
			m.must(m.db.Raw("SELECT count(*) FROM (SELECT 1 FROM deliveries WHERE state = 'sending' AND lease_until < clock_timestamp() FOR UPDATE SKIP LOCKED) d").Scan(&left).Error)
		}
		m.must(a.Process.Signal(syscall.SIGCONT))
	}
	m.rest(ctx, true)
	m.kill(a)
	m.kill(b)
}

// Whoever leaves the list gets nothing after that but what was on the wire; a mailing that is paused, and goes on, doubles nothing.
func TestMailingHearsWhoLeaves(t *testing.T) {
	testdb.EachMigratedURL(t, func(t *testing.T, url string) {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
		defer cancel()
		m := newMailing(t, url, 2000, models.Park, 5*time.Millisecond)
		p := m.process(ctx)
		gone := map[string]bool{} // may not get it any more
		for i := 0; i < m.people && m.count("state = 'queued'") > 0; i += 7 {
			to := fmt.Sprintf("p%d@example.org", m.people-1-i)
			var state models.DeliveryState
			m.must(m.db.Tx(ctx, func(tx *gorm.DB) error {
				if err := tx.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'one_click' WHERE mailbox_id = ?", time.Now().UTC(), m.address[to]).Error; err != nil {
					return err
				}
				lock := ""
				if database.IsPostgres(tx) {
					lock = " FOR UPDATE"
				}
				return tx.Raw("SELECT state FROM deliveries WHERE mailbox_id = ?"+lock, m.address[to]).Scan(&state).Error
			}))
			if state == models.DeliveryQueued {
				gone[to] = true
			}
			if i%70 == 0 {
				m.must(m.db.Exec("UPDATE mailings SET state = 'paused' WHERE id = ?", m.id).Error)
				m.must(m.db.Exec("UPDATE mailings SET state = 'sending' WHERE id = ?", m.id).Error)
			}
		}
		m.rest(ctx, true)
		m.kill(p)
		seen := m.sink.Seen()
		for to := range gone {
			if seen[to] > 0 {
				t.Errorf("%s left, and got it all the same", to)
			}
		}
		if len(gone) < 20 || m.sink.Doubles() != 0 {
			t.Errorf("%d left in time, %d doubles", len(gone), m.sink.Doubles())
		}
	})
}

// The database stops as if it had crashed, and starts again, while a mailing is sent.
func TestMailingSurvivesTheDatabase(t *testing.T) {
	s, err := testdb.Stoppable()
	if err != nil {
		skipped.For(t, "PostgreSQL", "KITHLINE_TEST_POSTGRES", err.Error())
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	stops := times(3)
	db, err := database.Open(ctx, database.Options{URL: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(migrations.Up(ctx, db), db.Close()); err != nil {
		t.Fatal(err)
	}
	m := newMailing(t, s.URL, 600*stops, models.Park, 5*time.Millisecond)
	m.lease = shortLease
	p := m.process(ctx)
	for range stops {
		m.more(ctx, 1+rand.Int64N(300))
		m.must(s.StopNow())
		m.must(s.Start())
		for m.db.Exec("SELECT 1").Error != nil {
			time.Sleep(20 * time.Millisecond) // it says when it answers
		}
	}
	m.rest(ctx, true)
	m.kill(p)
}
