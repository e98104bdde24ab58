// Package testapp runs the whole program for a test: the real wiring on a real database, with a clock that the test moves
// and a transport that keeps mail in memory. client.go is the browser.
package testapp

import (
	"context"
	"net"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kithline/app"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/campaigns/users"
	"kithline/config"
	"kithline/mailer"
	"kithline/tests/testdb"
)

// Patience is how long a test waits for what must come.
const Patience = 30 * time.Second

// Start is where a test's clock stands at first.
var Start = time.Date(2027, 2, 1, 15, 0, 0, 0, time.UTC)

// App is a program that runs.
type App struct {
	*app.App
	URL   string
	Clock *clock.Fixed
	Mail  *mailer.Memory
	log   *logTo
	t     testing.TB
}

// Each runs fn on both databases, each time with a program that is set up and has an owner.
func Each(t *testing.T, fn func(t *testing.T, a *App)) {
	t.Helper()
	testdb.EachMigratedURL(t, func(t *testing.T, url string) { a := New(t, url); a.SetUp(); fn(t, a) })
}

// TwoStep among the settings of New makes the widest rights wait for a second step of signing in, as a server does.
const TwoStep = "two steps"

// New starts a program on the database at url. It is not set up. It ends with the test.
func New(t testing.TB, url string, env ...string) *App {
	t.Helper()
	return start(t, url, nobody, env)
}

func start(t testing.TB, url string, dns *net.Resolver, env []string) *App {
	t.Helper()
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	oneStep := !slices.Contains(env, TwoStep)
	env = slices.DeleteFunc(slices.Clone(env), func(s string) bool { return s == TwoStep })
	cfg, err := config.Load(append([]string{
		"KITHLINE_DATABASE_URL=" + url, "KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key"),
		"KITHLINE_LISTEN=" + l.Addr().String(), "KITHLINE_SHUTDOWN_SECONDS=5",
		// Every visitor of a test comes from one address, while the clock stands.
		"KITHLINE_SIGNING_PER_MINUTE=1000000", "KITHLINE_SIGNING_PER_FIVE_MINUTES=1000000", "KITHLINE_SIGNING_PROOF_FROM=1000000",
	}, env...))
	if err != nil {
		t.Fatal(err)
	}
	a := &App{Clock: clock.NewFixed(Start), Mail: mailer.NewMemory(), log: &logTo{t: t}, t: t, URL: cfg.Web.BaseURL}
	ctx, stop := context.WithCancel(context.Background())
	if a.App, err = app.Build(ctx, cfg, app.Options{LogTo: a.log, Clock: a.Clock, Transport: a.Mail, Resolver: dns, OneStep: oneStep}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx, l, nil) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// Logged is all that the program has written to its log. KITHLINE_LOG_LEVEL=debug makes it say the most.
func (a *App) Logged() string {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return a.log.all.String()
}

// logTo keeps the program's log, and puts its warnings and errors into the test's own.
type logTo struct {
	t   testing.TB
	mu  sync.Mutex
	all strings.Builder
}

func (l *logTo) Write(p []byte) (int, error) {
	l.mu.Lock()
	l.all.Write(p)
	l.mu.Unlock()
	if s := string(p); strings.Contains(s, "level=WARN") || strings.Contains(s, "level=ERROR") {
		l.t.Log(strings.TrimSpace(s))
	}
	return len(p), nil
}

// The people of a test.
const (
	OwnerEmail = "ilse@example.org"
	Password   = "a calm afternoon"
)

// SetUp gives the program an organisation and an owner, by the operations of the setup pages.
func (a *App) SetUp() {
	a.t.Helper()
	ctx := context.Background()
	if err := a.Organisation.Update(ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", LegalName: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street\nHarrow Bay", Phone: "555-0142",
		FromAddress: "hello@act.example.org", ReplyTo: "hello@act.example.org", TimeZone: "America/New_York", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
		CrisisLine: "If you might hurt yourself, call your local emergency number.", MinimumAge: "You must be 16 or older to sign.",
	}); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.Users.CreateOwner(ctx, actor.TheSystem(), users.Visit{}, users.Person{Name: "Ilse Halvorsen", Email: OwnerEmail, Password: Password, Locale: "en"}); err != nil {
		a.t.Fatal(err)
	}
}

// Owner returns a browser in which the owner is signed in.
func (a *App) Owner(t testing.TB) *Client {
	t.Helper()
	c := a.Client(t)
	c.Get("/admin/login").Want(200).Submit("form[action='/admin/login']", map[string]string{"email": OwnerEmail, "password": Password}).Want(200)
	return c
}

// WaitMail returns the mails to an address once there are n of them.
func (a *App) WaitMail(t testing.TB, to string, n int) []mailer.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	defer cancel()
	for {
		var mine []mailer.Message
		all := a.Mail.All()
		for _, m := range all {
			if m.Message.To == to && (m.Outcome.State == mailer.Accepted || m.Outcome.State == mailer.Unknown) {
				mine = append(mine, m.Message)
			}
		}
		if len(mine) >= n {
			return mine
		}
		if _, err := a.Mail.Wait(ctx, len(all)+1); err != nil {
			t.Fatalf("%d mails to %s, not %d", len(mine), to, n)
		}
	}
}

var links = regexp.MustCompile(`https?://\S+`)

// Link returns the first link of a mail's text that contains part.
func Link(t testing.TB, m mailer.Message, part string) string {
	t.Helper()
	for _, l := range links.FindAllString(m.Text, -1) {
		if strings.Contains(l, part) {
			return l
		}
	}
	t.Fatalf("no link with %q in: %s", part, m.Text)
	return ""
}
