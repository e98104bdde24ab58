package users

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var (
	ctx   = context.Background()
	start = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)
	home  = Visit{Client: netip.MustParsePrefix("192.0.2.7/32")}
)

const secret = "four words on a line"

// world is a service with its clock, of an organisation whose setup is not done.
type world struct {
	*Service
	t     *testing.T
	db    *database.DB
	clock *clock.Fixed
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	clk := clock.NewFixed(start)
	v := vault.New(vault.NewKey())
	org := organisation.New(db, v, clk)
	if _, err := org.Ensure(ctx); err != nil {
		t.Fatal(err)
	}
	err := org.Update(ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "Wennick", FromAddress: "news@example.org", TimeZone: "UTC",
		Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	})
	if err != nil {
		t.Fatal(err)
	}
	return &world{New(db, v, tokens.New(v), org, clk), t, db, clk}
}

func (w *world) owner() Session {
	w.t.Helper()
	s, err := w.CreateOwner(ctx, actor.TheSystem(), home, Person{Name: "Ilse Halvorsen", Email: "ilse@example.org", Password: secret, Locale: "en"})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

func (w *world) add(email string, role actor.Role) uuid.UUID {
	w.t.Helper()
	id, err := w.Add(ctx, actor.TheSystem(), NewUser{Name: "Maren Oyelaran", Email: email, Role: role, Locale: "es"})
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

// who authenticates a session and returns its actor.
func (w *world) who(s Session) actor.Actor {
	w.t.Helper()
	a, _, err := w.Authenticate(ctx, s.Token)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

func (w *world) ended(s Session) bool {
	_, _, err := w.Authenticate(ctx, s.Token)
	return fault.Is(err, fault.Unauthenticated)
}

func (w *world) mails(kind string) []models.Delivery {
	w.t.Helper()
	var rows []models.Delivery
	if err := w.db.Where("kind = ?", kind).Order("created_at, id").Find(&rows).Error; err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// link renders the newest mail of a kind and returns the path of its link.
func (w *world) link(kind string) string {
	w.t.Helper()
	rows := w.mails(kind)
	if len(rows) == 0 {
		w.t.Fatalf("no mail of kind %s", kind)
	}
	c, err := w.render(rows[len(rows)-1])
	if err != nil {
		w.t.Fatal(err)
	}
	text := fmt.Sprintf("%+v", c.Data)
	_, text, _ = strings.Cut(text, "https://act.example.org")
	return strings.FieldsFunc(text, func(r rune) bool { return r == ' ' || r == '}' })[0]
}

func (w *world) render(d models.Delivery) (deliveries.Content, error) {
	return w.Renderers(Words{
		URL:      func(path string) string { return "https://act.example.org" + path },
		Text:     func(lang, key string, _ ...any) string { return lang + ":" + key },
		DateTime: func(lang string, t time.Time) string { return lang + " " + t.Format(time.DateTime) },
	})[d.Kind](ctx, d)
}

func (w *world) actions() string {
	w.t.Helper()
	var out []string
	if err := w.db.Model(&models.AuditEntry{}).Where("action LIKE 'user.%'").Order("at, id").Pluck("action", &out).Error; err != nil {
		w.t.Fatal(err)
	}
	return strings.Join(out, " ")
}

func fields(err error) string {
	var f *fault.Error
	if !errors.As(err, &f) {
		return fmt.Sprint(err)
	}
	var out []string
	for _, x := range f.Fields {
		out = append(out, x.Name+" "+x.Key)
	}
	return strings.Join(out, ", ")
}

func wait(t *testing.T, err error) time.Duration {
	t.Helper()
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.TooMany {
		t.Fatalf("not throttled: %v", err)
	}
	for i := 0; i+1 < len(f.Args); i += 2 {
		if f.Args[i] == "RetryAfter" {
			return f.Args[i+1].(time.Duration)
		}
	}
	t.Fatal("no RetryAfter")
	return 0
}

func TestOfManySetupsOneMakesTheOwner(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		path, err := w.SetupPath(ctx)
		token, ok := strings.CutPrefix(path, "/admin/setup/")
		if err != nil || !ok {
			t.Fatalf("%q, %v", path, err)
		}
		if _, err := w.SetupActor(ctx, token[:len(token)-1]+"x", ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("a wrong token: %v", err)
		}
		if _, err := w.SetupActor(ctx, w.tokens.MakeForever(tokens.Setup, models.NewID()), ""); !fault.Is(err, fault.NotFound) {
			t.Errorf("a token for something else: %v", err)
		}
		var wg sync.WaitGroup
		var won, lost atomic.Int32
		for i := range 4 {
			wg.Go(func() {
				a, err := w.SetupActor(ctx, token, "r")
				if err == nil {
					_, err = w.CreateOwner(ctx, a, home, Person{Name: "N", Email: fmt.Sprintf("o%d@example.org", i), Password: secret})
				}
				switch {
				case err == nil:
					won.Add(1)
				case fault.Is(err, fault.Gone):
					lost.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var n int64
		if err := db.Model(&models.User{}).Count(&n).Error; err != nil || n != 1 || won.Load() != 1 || lost.Load() != 3 {
			t.Errorf("%d users, %d won, %d lost, %v", n, won.Load(), lost.Load(), err)
		}
		if _, err := w.SetupActor(ctx, token, ""); !fault.Is(err, fault.Gone) {
			t.Errorf("the link after setup: %v", err)
		}
		if path, err := w.SetupPath(ctx); path != "" || err != nil {
			t.Errorf("%q, %v", path, err)
		}
	})
}

func TestAnOwnerFromTheTerminalEndsTheSetup(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.add("viewer@example.org", actor.Viewer)
	if path, _ := w.SetupPath(ctx); path == "" {
		t.Error("a viewer ended the setup")
	}
	w.add("owner@example.org", actor.Owner)
	if path, _ := w.SetupPath(ctx); path != "" {
		t.Error("the setup is open although there is an owner")
	}
}

func TestTheSameAnswerForKnownAndUnknown(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.owner()
		w.add("nopassword@example.org", actor.Organizer)
		disabled := w.add("gone@example.org", actor.Viewer)
		if err := w.Disable(ctx, actor.TheSystem(), disabled, true); err != nil {
			t.Fatal(err)
		}
		for _, email := range []string{"ilse@example.org", "nobody@example.org", "nopassword@example.org", "gone@example.org", "not an address"} {
			_, err := w.Login(ctx, home, email, "wrong password")
			if want := "invalid: error.login_wrong"; err == nil || err.Error() != want {
				t.Errorf("%s: %v, want %s", email, err, want)
			}
		}
		if s, err := w.Login(ctx, home, " ILSE@Example.org ", secret); err != nil || w.who(s).Role != actor.Owner {
			t.Errorf("the right one: %v", err)
		}
		for _, email := range []string{"ilse@example.org", "nobody@example.org", "gone@example.org"} {
			if err := w.RequestLoginLink(ctx, home, email); err != nil {
				t.Errorf("%s: %v", email, err)
			}
		}
		if n := len(w.mails(KindLoginLink)); n != 1 {
			t.Errorf("%d mails with a link, want 1", n)
		}
		for _, email := range []string{"nobody@example.org", "gone@example.org"} { // as much is committed, so as long it takes
			var n int64
			if err := db.Model(&models.LoginFailure{}).Where("key_hash = ?", w.vault.Hash("users/link/unknown", w.typedHash(email))).Count(&n).Error; err != nil || n != 1 {
				t.Errorf("%s: %d rows, %v", email, n, err)
			}
		}
		if err := w.RequestLoginLink(ctx, home, "not an address"); fields(err) != "email error.email_invalid" {
			t.Errorf("%v", err)
		}
	})
}

func TestFiveWrongPasswordsThenAWait(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.owner()
		for _, email := range []string{"ilse@example.org", "nobody@example.org"} {
			v := Visit{Client: netip.MustParsePrefix("198.51.100.1/32")}
			for i := range 5 {
				if _, err := w.Login(ctx, v, email, "wrong password"); !fault.Is(err, fault.Invalid) {
					t.Fatalf("%s, try %d: %v", email, i+1, err)
				}
				w.clock.Add(time.Minute)
			}
			// The first of the five was 5 minutes ago: 10 are left, also for the right password and from elsewhere.
			for range 3 {
				_, err := w.Login(ctx, home, email, secret)
				if d := wait(t, err); d != 10*time.Minute {
					t.Errorf("%s: wait %v, want 10m", email, d)
				}
			}
			w.clock.Add(10 * time.Minute)
			_, err := w.Login(ctx, home, email, secret)
			if known := email == "ilse@example.org"; known && err != nil || !known && !fault.Is(err, fault.Invalid) {
				t.Errorf("%s after the wait: %v", email, err)
			}
			w.clock.Add(window)
		}
	})
}

func TestTheRightPasswordClearsTheAccount(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.owner()
	for range 3 {
		for range 4 {
			if _, err := w.Login(ctx, home, "ilse@example.org", "wrong password"); !fault.Is(err, fault.Invalid) {
				t.Fatal(err)
			}
		}
		if _, err := w.Login(ctx, home, "ilse@example.org", secret); err != nil {
			t.Fatal(err)
		}
	}
}

func TestTwentyTriesAClient(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	for i := range 20 {
		if _, err := w.Login(ctx, home, fmt.Sprintf("user%d@example.org", i), "wrong password"); !fault.Is(err, fault.Invalid) {
			t.Fatalf("try %d: %v", i+1, err)
		}
	}
	_, err := w.Login(ctx, home, "another@example.org", "wrong password")
	if d := wait(t, err); d != window {
		t.Errorf("wait %v", d)
	}
	other := Visit{Client: netip.MustParsePrefix("2001:db8:1:2::/64")}
	if _, err := w.Login(ctx, other, "another@example.org", "wrong password"); !fault.Is(err, fault.Invalid) {
		t.Errorf("another client: %v", err)
	}
}

func TestTriesAtTheSameMomentKeepTheLimit(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		var wg sync.WaitGroup
		var passed atomic.Int32
		for range 12 {
			wg.Go(func() {
				_, err := w.attempt(ctx, w.try(passwordsOfAccount, []byte("x")))
				switch {
				case err == nil:
					passed.Add(1)
				case !fault.Is(err, fault.TooMany):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := passed.Load(); n > 5 {
			t.Errorf("%d of 12 passed at once, limit 5", n)
		}
	})
}

func TestLinksAreFewAndWorkOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.owner()
		maren := w.add("maren@example.org", actor.Advocate)
		for range 3 {
			if err := w.RequestLoginLink(ctx, home, "maren@example.org"); err != nil {
				t.Fatal(err)
			}
		}
		wait(t, w.RequestLoginLink(ctx, home, "maren@example.org"))

		path := w.link(KindLoginLink)
		token := strings.TrimPrefix(path, "/admin/login/")
		for range 2 { // looking at the page uses nothing up
			if err := w.CheckLoginLink(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		var wg sync.WaitGroup
		var in atomic.Int32
		for range 3 {
			wg.Go(func() {
				s, err := w.UseLoginLink(ctx, home, token)
				switch {
				case err == nil:
					in.Add(1)
					if a := w.who(s); a.UserID != maren || a.Role != actor.Advocate || s.Locale != "es" {
						t.Errorf("signed in as %+v", a)
					}
				case !fault.Is(err, fault.Gone):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 {
			t.Errorf("the link signed in %d times", in.Load())
		}
		if _, err := w.render(w.mails(KindLoginLink)[2]); !fault.Is(err, fault.Gone) {
			t.Errorf("a used link would be mailed: %v", err)
		}
		first := w.mails(KindLoginLink)[0]
		c, err := w.render(first)
		if err != nil || c.Lang != "es" || c.ToName != "Maren Oyelaran" || first.ExpiresAt == nil || !first.ExpiresAt.Equal(start.Add(30*time.Minute)) {
			t.Errorf("%+v, %v, until %v", c, err, first.ExpiresAt)
		}
		old := w.tokens.Make(tokens.Login, first.SubjectID, *first.ExpiresAt)
		w.clock.Add(30 * time.Minute)
		if err := w.CheckLoginLink(ctx, old); !fault.Is(err, fault.Gone) {
			t.Errorf("after half an hour: %v", err)
		}
		if err := w.CheckLoginLink(ctx, "x"); !fault.Is(err, fault.NotFound) {
			t.Errorf("nonsense: %v", err)
		}
		var m models.Mailbox
		if err := db.Where("id = (SELECT mailbox_id FROM users WHERE id = ?)", maren).Take(&m).Error; err != nil || m.VerifiedAt == nil {
			t.Errorf("the mailbox is not verified: %v", err)
		}
	})
}

func TestALinkFromTheTerminal(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.owner()
	id := w.add("maren@example.org", actor.Organizer)
	for _, a := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Owner}} {
		if _, err := w.LoginLinkFor(ctx, a, id); !fault.Is(err, fault.Forbidden) {
			t.Errorf("%+v: %v", a, err)
		}
	}
	if _, err := w.LoginLinkFor(ctx, actor.TheSystem(), models.NewID()); !fault.Is(err, fault.NotFound) {
		t.Errorf("nobody's: %v", err)
	}
	token, err := w.LoginLinkFor(ctx, actor.TheSystem(), id)
	if err != nil {
		t.Fatal(err)
	}
	w.clock.Add(23 * time.Hour)
	if s, err := w.UseLoginLink(ctx, home, token); err != nil || w.who(s).UserID != id {
		t.Error(err)
	}
	if n := len(w.mails(KindLoginLink)); n != 0 {
		t.Errorf("%d mails", n)
	}
}

func TestASessionEndsAndChanges(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		first := w.owner()
		a, name, err := w.Authenticate(ctx, first.Token)
		if err != nil || name != "Ilse Halvorsen" || a.Role != actor.Owner {
			t.Fatalf("%+v %q %v", a, name, err)
		}
		var row models.Session
		if err := db.Take(&row).Error; err != nil || strings.Contains(string(row.TokenHash), first.Token) {
			t.Fatalf("%v", err)
		}
		v := home
		v.OldToken = first.Token
		second, err := w.Login(ctx, v, "ilse@example.org", secret)
		if err != nil || second.Token == first.Token || !w.ended(first) {
			t.Errorf("the old session outlived the sign-in: %v", err)
		}
		w.clock.Add(59 * time.Second)
		w.who(second)
		seen := func() time.Time {
			var row models.Session
			if err := db.Take(&row, "user_id = ?", a.UserID).Error; err != nil {
				t.Fatal(err)
			}
			return row.SeenAt
		}
		if got := seen(); !got.Equal(start) {
			t.Errorf("seen %v within the minute", got)
		}
		w.clock.Add(time.Second)
		w.who(second)
		if got := seen(); !got.Equal(start.Add(time.Minute)) {
			t.Errorf("seen %v after a minute", got)
		}
		third, err := w.Login(ctx, home, "ilse@example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := w.Sessions(ctx, a); n != 2 || err != nil {
			t.Errorf("%d sessions, %v", n, err)
		}
		if n, err := w.LogoutOthers(ctx, a, third.Token); n != 1 || err != nil || !w.ended(second) || w.ended(third) {
			t.Errorf("%d, %v", n, err)
		}
		if err := w.Logout(ctx, a, third.Token); err != nil || !w.ended(third) {
			t.Errorf("signed out: %v", err)
		}
		fourth, err := w.Login(ctx, home, "ilse@example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		w.clock.Set(fourth.Expires.Add(-time.Second))
		if w.ended(fourth) {
			t.Error("ended too early")
		}
		w.clock.Set(fourth.Expires)
		if !w.ended(fourth) {
			t.Error("open after its end")
		}
		if err := w.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		var n int64
		if err := db.Model(&models.Session{}).Count(&n).Error; err != nil || n != 0 {
			t.Errorf("%d sessions after the sweep, %v", n, err)
		}
		for _, junk := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 5000), first.Token + "="} {
			if !w.ended(Session{Token: junk}) {
				t.Errorf("%.20q is a session", junk)
			}
		}
	})
}

func TestAPasswordChangeEndsEverySession(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		phone := w.owner()
		desk, err := w.Login(ctx, home, "ilse@example.org", secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.RequestLoginLink(ctx, home, "ilse@example.org"); err != nil {
			t.Fatal(err)
		}
		link := strings.TrimPrefix(w.link(KindLoginLink), "/admin/login/")
		a := w.who(desk)
		if _, err := w.ChangePassword(ctx, a, home, "not that one", "a new one for spring"); fields(err) != "current error.password_wrong" {
			t.Errorf("%v", err)
		}
		if w.ended(phone) || w.ended(desk) || len(w.mails(KindPasswordChanged)) > 0 {
			t.Error("a refused change did something")
		}
		v := home
		v.OldToken = desk.Token
		fresh, err := w.ChangePassword(ctx, a, v, secret, "a new one for spring")
		if err != nil {
			t.Fatal(err)
		}
		if !w.ended(phone) || !w.ended(desk) || w.ended(fresh) {
			t.Error("want the two sessions ended and the fresh one open")
		}
		if err := w.CheckLoginLink(ctx, link); !fault.Is(err, fault.Gone) {
			t.Errorf("the link from before still works: %v", err)
		}
		if _, err := w.Login(ctx, home, "ilse@example.org", secret); !fault.Is(err, fault.Invalid) {
			t.Errorf("the old password: %v", err)
		}
		if _, err := w.Login(ctx, home, "ilse@example.org", "a new one for spring"); err != nil {
			t.Errorf("the new password: %v", err)
		}
		mails := w.mails(KindPasswordChanged)
		if len(mails) != 1 {
			t.Fatalf("%d mails", len(mails))
		}
		if c, err := w.render(mails[0]); err != nil || fmt.Sprint(c.Data) != "{en 2027-02-23 10:42:00 (UTC)}" {
			t.Errorf("%v, %v", c.Data, err)
		}
		if got := w.actions(); !strings.HasPrefix(got, "user.create user.login user.login user.password user.login") {
			t.Errorf("audit: %s", got)
		}
	})
}

func TestAFirstPasswordAsksForNone(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.owner()
	id := w.add("maren@example.org", actor.Advocate)
	token, err := w.LoginLinkFor(ctx, actor.TheSystem(), id)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.UseLoginLink(ctx, home, token)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangePassword(ctx, w.who(s), home, "", secret); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Login(ctx, home, "maren@example.org", secret); err != nil {
		t.Error(err)
	}
}

func TestASessionWithAnOldPasswordDoesNotOpen(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	desk := w.owner()
	var before models.User
	if err := w.db.Take(&before).Error; err != nil {
		t.Fatal(err)
	}
	if _, err := w.ChangePassword(ctx, w.who(desk), home, secret, "a new one for spring"); err != nil {
		t.Fatal(err)
	}
	// A sign-in that had compared the old password when the change came through.
	if _, err := w.open(ctx, w.db.DB, before, home, "password", w.clock.Now()); !fault.Is(err, fault.Conflict) {
		t.Errorf("%v", err)
	}
}

func TestPasswordsThatAreRefused(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	try := func(p string) string {
		_, err := w.CreateOwner(ctx, actor.TheSystem(), home, Person{Name: "I", Email: "ilse.halvorsen@example.org", Password: p})
		return fields(err)
	}
	for p, want := range map[string]string{
		"":                                 "password error.password_short",
		"ninechars":                        "password error.password_short",
		strings.Repeat("x", 201):           "password error.password_long",
		strings.Repeat("🂡", 9):             "password error.password_short",
		"ilse.halvorsen@example.org":       "password error.password_obvious",
		"Ilse Halvorsen 1":                 "password error.password_obvious",
		"example.org!!":                    "password error.password_obvious",
		"wennick chronic pain coalition 7": "password error.password_obvious",
		"Wennick2027":                      "password error.password_obvious",
		"ten chars\x00!":                   "password error.text_unreadable",
	} {
		if got := try(p); got != want {
			t.Errorf("%q: %s, want %s", p, got, want)
		}
	}
	for _, p := range []string{"##########", "it is wennick where I live", strings.Repeat("x", 200), "contraseña larga"} {
		var f fault.Fields
		checkPassword(&f, "password", p, "ilse@example.org", models.Organisation{Name: "Wennick"})
		if f != nil {
			t.Errorf("%q: %v", p, f)
		}
	}
	if got := fields(errOf(w.CreateOwner(ctx, actor.TheSystem(), home, Person{Password: secret}))); got != "name error.name_missing, email error.email_missing" {
		t.Error(got)
	}
}

func errOf(_ Session, err error) error { return err }

func TestHashes(t *testing.T) {
	h := newHasher()
	a, err := h.hash(ctx, "pa\u0301ssword of mine")
	if err != nil || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Fatalf("%s, %v", a, err)
	}
	if ok, err := h.matches(ctx, a, "p\u00e1ssword of mine"); !ok || err != nil {
		t.Errorf("the same characters from another keyboard: %v, %v", ok, err)
	}
	if ok, err := h.matches(ctx, a, "password of mine"); ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	b, _ := h.hash(ctx, "pa\u0301ssword of mine")
	if a == b {
		t.Error("two hashes with one salt")
	}
	if ok, err := h.matches(ctx, "", "anything"); ok || err != nil {
		t.Errorf("no password: %v, %v", ok, err)
	}
	old := "$argon2id$v=19$m=1024,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$fCoiZT/anlMJcTq3k5xL1Qgwjo2kBDjAbrm4xv2h52M" // with other settings
	if ok, err := h.matches(ctx, old, "correct horse battery"); !ok || err != nil {
		t.Errorf("a hash with other settings: %v, %v", ok, err)
	}
	for _, bad := range []string{"x", "$argon2i$v=19$m=19456,t=2,p=1$a$b", "$argon2id$v=19$m=999999999,t=2,p=1$c29tZXNhbHQ$" + strings.Repeat("A", 43)} {
		if ok, err := h.matches(ctx, bad, "x"); ok || err == nil {
			t.Errorf("%s: %v, %v", bad, ok, err)
		}
	}
	full := newHasher()
	for range argonAtOnce {
		full.turns <- struct{}{}
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := full.hash(late, "x"); !fault.Is(err, fault.Unavailable) {
		t.Errorf("no place free: %v", err)
	}
}

func TestInvitation(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		owner := w.who(w.owner())
		if _, err := w.Invite(ctx, owner, "ilse@example.org", actor.Viewer, uuid.Nil); fields(err) != "email error.user_exists" {
			t.Errorf("%v", err)
		}
		if _, err := w.Invite(ctx, owner, "x", "king", uuid.Nil); fields(err) != "email error.email_invalid, role error.value_unknown" {
			t.Errorf("%v", err)
		}
		if _, err := w.Invite(ctx, owner, "maren@example.org", actor.Viewer, uuid.Nil); err != nil {
			t.Fatal(err)
		}
		replaced := strings.TrimPrefix(w.link(KindInvitation), "/admin/invitation/")
		w.clock.Add(time.Minute)
		if _, err := w.Invite(ctx, owner, "Maren@example.org", actor.Advocate, uuid.Nil); err != nil {
			t.Fatal(err)
		}
		token := strings.TrimPrefix(w.link(KindInvitation), "/admin/invitation/")
		if _, err := w.Invitation(ctx, replaced); !fault.Is(err, fault.Gone) {
			t.Errorf("the replaced one: %v", err)
		}
		if list, err := w.Invitations(ctx, owner); err != nil || len(list) != 1 || list[0].Email != "maren@example.org" {
			t.Errorf("%+v, %v", list, err)
		}
		c, err := w.render(w.mails(KindInvitation)[1])
		if got := fmt.Sprintf("%+v", c.Data); err != nil || !strings.HasPrefix(got, "{Inviter:Ilse Halvorsen OrgName:Wennick Chronic Pain Coalition RoleName:en:role.advocate URL:https://act.") || !strings.HasSuffix(got, "Days:7}") {
			t.Errorf("%s, %v", got, err)
		}
		if inv, err := w.Invitation(ctx, token); err != nil || inv.Email != "maren@example.org" || inv.Role != actor.Advocate {
			t.Errorf("%+v, %v", inv, err)
		}
		if _, err := w.Accept(ctx, home, token, Person{Password: "maren@example.org"}); fields(err) != "name error.name_missing, password error.password_obvious" {
			t.Errorf("%v", err)
		}
		var wg sync.WaitGroup
		var in atomic.Int32
		for range 3 {
			wg.Go(func() {
				s, err := w.Accept(ctx, home, token, Person{Name: "Maren Oyelaran", Password: secret, Locale: "es"})
				switch {
				case err == nil:
					in.Add(1)
					if a := w.who(s); a.Role != actor.Advocate {
						t.Errorf("%+v", a)
					}
				case !fault.Is(err, fault.Gone):
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if in.Load() != 1 {
			t.Errorf("taken up %d times", in.Load())
		}
		if _, err := w.Login(ctx, home, "maren@example.org", secret); err != nil {
			t.Error(err)
		}
		if list, err := w.Invitations(ctx, owner); err != nil || len(list) != 0 {
			t.Errorf("%+v, %v", list, err)
		}

		id, err := w.Invite(ctx, owner, "june@example.org", actor.Viewer, uuid.Nil)
		if err != nil {
			t.Fatal(err)
		}
		june := strings.TrimPrefix(w.link(KindInvitation), "/admin/invitation/")
		if err := w.Revoke(ctx, owner, id); err != nil {
			t.Fatal(err)
		}
		if err := w.Revoke(ctx, owner, id); !fault.Is(err, fault.NotFound) {
			t.Errorf("twice: %v", err)
		}
		if _, err := w.Accept(ctx, home, june, Person{Name: "June", Password: secret}); !fault.Is(err, fault.Gone) {
			t.Errorf("revoked: %v", err)
		}
		if _, err := w.Invite(ctx, owner, "late@example.org", actor.Viewer, uuid.Nil); err != nil {
			t.Fatal(err)
		}
		late := strings.TrimPrefix(w.link(KindInvitation), "/admin/invitation/")
		w.clock.Add(inviteLife + time.Minute)
		if _, err := w.Accept(ctx, home, late, Person{Name: "Late", Password: secret}); !fault.Is(err, fault.Gone) {
			t.Errorf("after a week: %v", err)
		}
		if list, err := w.Invitations(ctx, owner); err != nil || len(list) != 1 || !list[0].Expired {
			t.Errorf("%+v, %v", list, err)
		}
	})
}

func TestThereIsAlwaysAnOwner(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		sys := actor.TheSystem()
		one := w.who(w.owner()).UserID
		if err := w.ChangeRole(ctx, sys, one, actor.Viewer, uuid.Nil); !fault.Is(err, fault.Conflict) {
			t.Errorf("demoted: %v", err)
		}
		if err := w.Disable(ctx, sys, one, true); !fault.Is(err, fault.Conflict) {
			t.Errorf("disabled: %v", err)
		}
		two := w.add("two@example.org", actor.Owner)
		// Each demotes the other at the same moment.
		var wg sync.WaitGroup
		var done atomic.Int32
		for i, id := range []uuid.UUID{one, two} {
			wg.Go(func() {
				var err error
				if i == 0 {
					err = w.ChangeRole(ctx, sys, id, actor.Organizer, uuid.Nil)
				} else {
					err = w.Disable(ctx, sys, id, true)
				}
				if err == nil {
					done.Add(1)
				} else if !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		var owners int64
		if err := db.Model(&models.User{}).Where("role = 'owner' AND disabled_at IS NULL").Count(&owners).Error; err != nil || owners != 1 || done.Load() != 1 {
			t.Errorf("%d owners, %d changes, %v", owners, done.Load(), err)
		}
	})
}

func TestRoleAndDisableWorkAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		owner := w.who(w.owner())
		id := w.add("maren@example.org", actor.Organizer)
		token, err := w.LoginLinkFor(ctx, actor.TheSystem(), id)
		if err != nil {
			t.Fatal(err)
		}
		s, err := w.UseLoginLink(ctx, home, token)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.ChangeRole(ctx, owner, id, actor.Viewer, uuid.Nil); err != nil || w.who(s).Role != actor.Viewer {
			t.Errorf("%v", err)
		}
		unused, err := w.LoginLinkFor(ctx, actor.TheSystem(), id)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Disable(ctx, owner, id, true); err != nil || !w.ended(s) {
			t.Errorf("%v", err)
		}
		if _, err := w.UseLoginLink(ctx, home, unused); !fault.Is(err, fault.Gone) {
			t.Errorf("a link of a closed account: %v", err)
		}
		if err := w.Disable(ctx, owner, id, false); err != nil || !w.ended(s) {
			t.Errorf("opened again: %v", err)
		}
		if err := w.ChangeRole(ctx, owner, models.NewID(), actor.Viewer, uuid.Nil); !fault.Is(err, fault.NotFound) {
			t.Errorf("nobody: %v", err)
		}
		list, err := w.List(ctx, owner)
		if err != nil || len(list) != 2 || list[0].Email != "ilse@example.org" || !list[0].HasPassword || list[1].Name != "Maren Oyelaran" || list[1].HasPassword {
			t.Errorf("%+v, %v", list, err)
		}
		if got, err := w.Find(ctx, owner, "MAREN@example.org "); err != nil || got.ID != id {
			t.Errorf("%+v, %v", got, err)
		}
		for _, email := range []string{"nobody@example.org", "", "not an address"} {
			if _, err := w.Find(ctx, owner, email); !fault.Is(err, fault.NotFound) {
				t.Errorf("%q: %v", email, err)
			}
		}
		names, err := w.Names(ctx, owner, []uuid.UUID{id, models.NewID()})
		if err != nil || len(names) != 1 || names[id] != "Maren Oyelaran" {
			t.Errorf("%v, %v", names, err)
		}
		if err := w.UpdateProfile(ctx, owner, "Ilse  H.", "es"); err != nil {
			t.Fatal(err)
		}
		if own, err := w.Own(ctx, owner); err != nil || own.Name != "Ilse H." || own.Locale != "es" {
			t.Errorf("%+v, %v", own, err)
		}
		if err := w.UpdateProfile(ctx, owner, " ", "fr"); fields(err) != "name error.name_missing, language error.value_unknown" {
			t.Errorf("%v", err)
		}
	})
}

func TestWhoMayDoWhat(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.owner()
	target := w.add("target@example.org", actor.Viewer)
	n := 0
	ops := map[string]func(a actor.Actor) error{
		"list":        func(a actor.Actor) error { _, err := w.List(ctx, a); return err },
		"find":        func(a actor.Actor) error { _, err := w.Find(ctx, a, "target@example.org"); return err },
		"invitations": func(a actor.Actor) error { _, err := w.Invitations(ctx, a); return err },
		"invite": func(a actor.Actor) error {
			n++
			_, err := w.Invite(ctx, a, fmt.Sprintf("i%d@example.org", n), actor.Viewer, uuid.Nil)
			return err
		},
		"revoke": func(a actor.Actor) error {
			id, err := w.Invite(ctx, actor.TheSystem(), "revoked@example.org", actor.Viewer, uuid.Nil)
			if err != nil {
				t.Fatal(err)
			}
			return w.Revoke(ctx, a, id)
		},
		"role":    func(a actor.Actor) error { return w.ChangeRole(ctx, a, target, actor.Advocate, uuid.Nil) },
		"disable": func(a actor.Actor) error { return w.Disable(ctx, a, target, true) },
		"add": func(a actor.Actor) error {
			n++
			_, err := w.Add(ctx, a, NewUser{Name: "N", Email: fmt.Sprintf("a%d@example.org", n), Role: actor.Viewer})
			return err
		},
	}
	for name, op := range ops {
		for _, nobody := range []actor.Actor{{}, {Kind: actor.Person, MailboxID: models.NewID()}} {
			if err := op(nobody); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s by %q: %v", name, nobody.Kind, err)
			}
		}
		for _, r := range actor.Roles {
			err := op(actor.Actor{Kind: actor.User, Role: r, UserID: target})
			if r == actor.Owner && err != nil || r != actor.Owner && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s by %s: %v", name, r, err)
			}
		}
	}
	for name, op := range map[string]func() error{
		"profile":  func() error { return w.UpdateProfile(ctx, actor.Actor{}, "N", "en") },
		"password": func() error { return errOf(w.ChangePassword(ctx, actor.Actor{}, home, "", secret)) },
		"own":      func() error { _, err := w.Own(ctx, actor.Actor{}); return err },
		"names":    func() error { _, err := w.Names(ctx, actor.Actor{}, nil); return err },
		"others":   func() error { _, err := w.LogoutOthers(ctx, actor.Actor{}, ""); return err },
	} {
		if err := op(); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s by nobody: %v", name, err)
		}
	}
}

func TestNothingPersonalIsReadable(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.owner()
	if _, err := w.Invite(ctx, actor.TheSystem(), "maren@example.org", actor.Advocate, uuid.Nil); err != nil {
		t.Fatal(err)
	}
	for _, table := range []string{"users", "mailboxes", "invitations", "sessions", "login_failures", "deliveries", "audit_entries"} {
		var rows []map[string]any
		if err := w.db.Table(table).Find(&rows).Error; err != nil {
			t.Fatal(err)
		}
		for _, r := range rows {
			for column, v := range r {
				if s := fmt.Sprintf("%s", v); strings.Contains(s, "ilse") || strings.Contains(s, "Halvorsen") || strings.Contains(s, "maren") {
					t.Errorf("%s.%s holds it in clear: %s", table, column, s)
				}
			}
		}
	}
}
