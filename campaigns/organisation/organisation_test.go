package organisation

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)

func service(t *testing.T, db *database.DB) (*Service, *clock.Fixed) {
	t.Helper()
	clk := clock.NewFixed(start)
	s := New(db, vault.New(vault.NewKey()), clk)
	if _, err := s.Ensure(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s, clk
}

func good() Details {
	return Details{
		Name: "Wennick Chronic Pain Coalition", ShortName: "Wennick Coalition", PostalAddress: "PO Box 12\r\nHarrow Bay",
		FromAddress: "News@Example.org", TimeZone: "America/Chicago", Languages: []string{"es", "en"}, Accent: "#7B2D52",
	}
}

func audited(t *testing.T, db *database.DB, action string) int64 {
	t.Helper()
	var n int64
	if err := db.Model(&models.AuditEntry{}).Where("action = ?", action).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTwoNodesThatStartTogetherMakeOneRow(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		v := vault.New(vault.NewKey())
		var wg sync.WaitGroup
		ids := make([]uuid.UUID, 6)
		for i := range ids {
			wg.Go(func() {
				o, err := New(db, v, clock.NewFixed(start)).Ensure(context.Background())
				if err != nil {
					t.Error(err)
				}
				ids[i] = o.ID
			})
		}
		wg.Wait()
		var n int64
		if err := db.Model(&models.Organisation{}).Count(&n).Error; err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
		if len(slices.Compact(ids)) != 1 {
			t.Errorf("the nodes see different rows: %v", ids)
		}
	})
}

func TestUpdateFillsWhatWasLeftOpenAndShowsAtOnce(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s, _ := service(t, db)
		ctx := context.Background()
		before, err := s.Current(ctx)
		if err != nil || Configured(before) || CanBulkMail(before) {
			t.Fatalf("%+v, %v", before, err)
		}
		if err := s.Update(ctx, actor.TheSystem(), good()); err != nil {
			t.Fatal(err)
		}
		o, err := s.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if o.LegalName != o.Name || o.FromName != "Wennick Coalition" || o.ReplyTo != "news@example.org" || o.Accent != "#7b2d52" ||
			o.PostalAddress != "PO Box 12\nHarrow Bay" || !CanBulkMail(o) {
			t.Errorf("%+v", o)
		}
		if got := Spoken(o); !slices.Equal(got, []string{"es", "en"}) || Language(o, "en") != "en" || Language(o, "fr") != "es" {
			t.Errorf("languages %v", got)
		}
		if Zone(o).String() != "America/Chicago" {
			t.Errorf("zone %v", Zone(o))
		}
		in := DetailsOf(o)
		in.PostalAddress = ""
		if err := s.Update(ctx, actor.TheSystem(), in); err != nil {
			t.Fatal(err)
		}
		if o, _ = s.Current(ctx); CanBulkMail(o) {
			t.Error("bulk mail may go without a postal address")
		}
		if n := audited(t, db, "organisation.update"); n != 2 {
			t.Errorf("%d audit entries", n)
		}
	})
}

func TestUpdateNamesEveryWrongField(t *testing.T) {
	s, _ := service(t, testdb.SQLite(t))
	in := Details{
		Name: "x", ShortName: strings.Repeat("s", 41), Phone: "55\x005", FromAddress: "nobody", ReplyTo: "a@b", TimeZone: "Mars/Olympus",
		Accent: "green", CrisisLine: "988\u2028", MinimumAge: strings.Repeat("m", 301),
	}
	var f *fault.Error
	if err := s.Update(context.Background(), actor.TheSystem(), in); !errors.As(err, &f) || f.Kind != fault.Invalid {
		t.Fatalf("%v", err)
	}
	var names []string
	for _, x := range f.Fields {
		names = append(names, x.Name)
	}
	want := []string{"name", "short_name", "phone", "from_address", "reply_to", "time_zone", "languages", "accent", "minimum_age"}
	if !slices.Equal(names, want) {
		t.Errorf("wrong fields %v\nwant %v", names, want)
	}
	for _, zone := range []string{"", "Local", "../../etc/passwd"} {
		in := good()
		in.TimeZone = zone
		if err := s.Update(context.Background(), actor.TheSystem(), in); !fault.Is(err, fault.Invalid) {
			t.Errorf("zone %q: %v", zone, err)
		}
	}
	header := good()
	header.FromName = "Coalition\r\nBcc: all@example.org"
	if err := s.Update(context.Background(), actor.TheSystem(), header); err != nil {
		t.Fatal(err)
	}
	if o, _ := s.Current(context.Background()); strings.ContainsAny(o.FromName, "\r\n") {
		t.Errorf("a line end in the sender's name: %q", o.FromName)
	}
}

func TestOnlyOwnersAndTheServerChangeTheOrganisation(t *testing.T) {
	s, _ := service(t, testdb.SQLite(t))
	ctx := context.Background()
	do := map[string]func(a actor.Actor) error{
		"update": func(a actor.Actor) error { return s.Update(ctx, a, good()) },
		"smtp":   func(a actor.Actor) error { return s.UpdateSMTP(ctx, a, SMTP{}) },
		"text":   func(a actor.Actor) error { return s.SetText(ctx, a, Privacy, "en", "ours") },
		"sheet": func(a actor.Actor) error {
			_, err := s.RecoverySheets(ctx, a, func() ([]Sheet, error) { return []Sheet{{KeyID: "k"}}, nil })
			return err
		},
		"kept": func(a actor.Actor) error { return s.KeepRecoverySheet(ctx, a) },
	}
	for name, op := range do {
		if err := op(actor.Actor{}); !fault.Is(err, fault.Unauthenticated) {
			t.Errorf("%s by nobody: %v", name, err)
		}
		for _, r := range actor.Roles {
			err := op(actor.Actor{Kind: actor.User, Role: r, UserID: models.NewID()})
			if r == actor.Owner && err != nil || r != actor.Owner && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s by %s: %v", name, r, err)
			}
		}
	}
}

func TestThePasswordStaysWithItsServer(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s, _ := service(t, db)
		ctx, sys := context.Background(), actor.TheSystem()
		in := SMTP{Host: "Mail.Example.org", TLS: TLSStart, Username: "kith", Password: " päss word "}
		if err := s.UpdateSMTP(ctx, sys, in); err != nil {
			t.Fatal(err)
		}
		o, err := s.Current(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if o.SMTPPort != 587 || strings.Contains(string(o.SMTPPasswordSealed), "word") {
			t.Errorf("port %d, sealed %q", o.SMTPPort, o.SMTPPasswordSealed)
		}
		in.Password = ""
		if err := s.UpdateSMTP(ctx, sys, in); err != nil {
			t.Fatal(err)
		}
		got, err := s.SMTP(ctx)
		want := SMTP{Host: "mail.example.org", Port: 587, TLS: TLSStart, Username: "kith", Password: " päss word "}
		if err != nil || got != want {
			t.Errorf("%#v, %v", got, err)
		}
		for _, other := range []SMTP{{Host: "evil.example.org", TLS: TLSStart, Username: "kith"}, {Host: "mail.example.org", TLS: TLSStart, Username: "other"}} {
			if err := s.UpdateSMTP(ctx, sys, other); !fault.Is(err, fault.Invalid) {
				t.Errorf("the password went along to %v: %v", other, err)
			}
		}
		if err := s.UpdateSMTP(ctx, sys, SMTP{Host: "mail.example.org", TLS: TLSNone, Username: "kith", Password: "x"}); !fault.Is(err, fault.Invalid) {
			t.Errorf("a password in the clear: %v", err)
		}
		if err := s.UpdateSMTP(ctx, sys, SMTP{Host: "127.0.0.1", TLS: TLSNone}); err != nil {
			t.Error(err)
		}
		if got, err = s.SMTP(ctx); err != nil || got.Password != "" || got.Port != 25 {
			t.Errorf("%#v, %v", got, err)
		}
	})
}

func TestTextsAreTheOrganisationsOwnOrTheBuiltIn(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s, _ := service(t, db)
		ctx, sys := context.Background(), actor.TheSystem()
		d := good()
		d.Name, d.ReplyTo = "The *Star* Group", "hello_you@example.org"
		if err := s.Update(ctx, sys, d); err != nil {
			t.Fatal(err)
		}
		for _, name := range TextNames {
			for _, lang := range Languages {
				body, err := s.Text(ctx, name, lang)
				if err != nil || len(body) < 1500 || strings.ContainsAny(body, "{}") {
					t.Errorf("%s %s: %v, %d bytes\n%s", name, lang, err, len(body), body)
				}
				if !strings.Contains(body, `mailto:hello\_you@example.org`) || strings.Contains(body, "\n- Or call") {
					t.Errorf("%s %s: its places are filled wrongly\n%s", name, lang, body)
				}
			}
		}
		if body, _ := s.Text(ctx, Privacy, "en"); !strings.HasPrefix(body, `We are The \*Star\* Group.`) {
			t.Errorf("the name is read as markup: %.60q", body)
		}
		owner := actor.Actor{Kind: actor.User, Role: actor.Owner, UserID: models.NewID()}
		for _, body := range []string{"Ours, {phone}", "Ours is **short**.\r\n"} {
			if err := s.SetText(ctx, owner, Privacy, "es", body); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := s.RawText(ctx, Privacy, "es"); err != nil || got != "Ours is **short**.\n" {
			t.Errorf("%q, %v", got, err)
		}
		if got, _ := s.RawText(ctx, Privacy, "en"); !strings.Contains(got, "{organisation}") {
			t.Errorf("another language changed too: %.40q", got)
		}
		if err := s.SetText(ctx, owner, Privacy, "es", "Ours is **short**."); err != nil {
			t.Fatal(err)
		}
		if n := audited(t, db, "organisation.text"); n != 2 {
			t.Errorf("%d audit entries: a text that stays the same was written", n)
		}
		if err := s.SetText(ctx, owner, Privacy, "es", " "); err != nil {
			t.Fatal(err)
		}
		def, _ := DefaultText(Privacy, "es")
		if got, err := s.RawText(ctx, Privacy, "es"); err != nil || got != def {
			t.Errorf("not the built-in text again: %.40q, %v", got, err)
		}
		for _, x := range [][2]string{{"imprint", "en"}, {Privacy, "fr"}, {"../update.go", "en"}} {
			if err := s.SetText(ctx, owner, x[0], x[1], "x"); !fault.Is(err, fault.NotFound) {
				t.Errorf("%v: %v", x, err)
			}
		}
		if err := s.SetText(ctx, owner, Privacy, "en", strings.Repeat("x", maxText+1)); !fault.Is(err, fault.Invalid) {
			t.Errorf("too long: %v", err)
		}
	})
}

func TestTodayAsksForWhatSetupLeftOpen(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		s, clk := service(t, db)
		ctx := context.Background()
		owner := actor.Actor{Kind: actor.User, Role: actor.Owner, UserID: models.NewID()}
		keys := func() string {
			q, err := s.Today(ctx, owner)
			if err != nil {
				t.Fatal(err)
			}
			var out []string
			for _, x := range q {
				out = append(out, x.Key)
			}
			return strings.Join(out, " ")
		}
		if got := keys(); got != "" {
			t.Errorf("before setup: %s", got)
		}
		if done, err := FinishSetup(ctx, db.DB, clk.Now()); !done || err != nil {
			t.Fatalf("%v, %v", done, err)
		}
		if done, err := FinishSetup(ctx, db.DB, clk.Now()); done || err != nil {
			t.Fatalf("done twice: %v, %v", done, err)
		}
		s.Drop()
		if got := keys(); got != "today.recovery today.postal_address" {
			t.Errorf("after setup: %s", got)
		}
		if err := s.KeepRecoverySheet(ctx, owner); err != nil {
			t.Fatal(err)
		}
		if err := s.Update(ctx, owner, good()); err != nil {
			t.Fatal(err)
		}
		if got := keys(); got != "" {
			t.Errorf("all done: %s", got)
		}
		if q, err := s.Today(ctx, actor.Actor{Kind: actor.User, Role: actor.Organizer}); len(q) > 0 || err != nil {
			t.Errorf("an organizer: %v, %v", q, err)
		}
	})
}
