package abuse

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"net/netip"
	"strings"
	"testing"
	"time"

	altcha "github.com/altcha-org/altcha-lib-go"
	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)

var boss = actor.Actor{Kind: actor.System}

func each(t *testing.T, fn func(t *testing.T, s *Service, clk *clock.Fixed)) {
	t.Helper()
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		clk := clock.NewFixed(start)
		fn(t, New(db, vault.New(vault.NewKey()), clk, Limits{}), clk)
	})
}

func TestInbox(t *testing.T) {
	for typed, want := range map[string]string{
		"a.l.i.ce+news@gmail.com": "alice@gmail.com", "alice@googlemail.com": "alice@gmail.com", "...@gmail.com": "...@gmail.com", "+x@gmail.com": "+x@gmail.com",
		"a.b+c@outlook.com": "a.b@outlook.com", "a.b+c@hotmail.com": "a.b@hotmail.com", "a-b_c.d+e@pm.me": "abcd@proton.me", "x+y@fastmail.com": "x@fastmail.com",
		"a.b+c@me.com": "a.b@icloud.com", "x+y@ya.ru": "x@yandex.com",
	} {
		if got, many := Inbox(typed); got != want || !many {
			t.Errorf("%s: %s %v, want %s", typed, got, many, want)
		}
	}
	if got, many := Inbox("a.b+c@example.org"); got != "a.b+c@example.org" || many {
		t.Errorf("%s %v", got, many)
	}
}

func TestDisposable(t *testing.T) {
	if len(disposableList) > 150_000 {
		t.Errorf("the list has %d bytes", len(disposableList))
	}
	r, err := gzip.NewReader(bytes.NewReader(disposableList))
	if err != nil || !r.ModTime.IsZero() {
		t.Errorf("%v: the file says when it was made", err)
	}
	if n := len(disposable()); n < 5000 {
		t.Errorf("%d domains", n)
	}
	for domain, want := range map[string]bool{"mailinator.com": true, "x.mailinator.com": true, "example.org": false, "com": false, "": false} {
		if Disposable(domain) != want {
			t.Errorf("%q: %v", domain, !want)
		}
	}
	for domain := range providers {
		if Disposable(domain) {
			t.Errorf("%s is flagged", domain)
		}
	}
	for _, domain := range []string{"yahoo.com", "gmx.de", "web.de", "aol.com", "mail.ru", "qq.com", "simplelogin.com"} {
		if Disposable(domain) {
			t.Errorf("%s is flagged", domain)
		}
	}
}

func TestNet(t *testing.T) {
	same := func(a, b string) bool {
		return bytes.Equal(Net(netip.MustParseAddr(a)), Net(netip.MustParseAddr(b)))
	}
	if !same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9") || same("2001:db8:1:2::1", "2001:db8:1:3::1") || same("192.0.2.1", "192.0.2.2") || !same("192.0.2.1", "::ffff:192.0.2.1") {
		t.Error("IPv6 counts by its /64, IPv4 by itself")
	}
	if Net(netip.Addr{}) != nil {
		t.Error("nobody's address has a net")
	}
}

func TestRules(t *testing.T) {
	each(t, func(t *testing.T, s *Service, clk *clock.Fixed) {
		ctx := context.Background()
		for in, field := range map[RuleInput]string{
			{Effect: "x", Subject: "domain", Value: "example.org", Note: "n"}:                          "effect",
			{Effect: "block", Subject: "x", Value: "example.org", Note: "n"}:                           "subject",
			{Effect: "block", Subject: "domain", Value: "org", Note: "n"}:                              "value",
			{Effect: "block", Subject: "domain", Value: " ", Note: "n"}:                                "value",
			{Effect: "block", Subject: "range", Value: "0.0.0.0/0", Note: "n"}:                         "value",
			{Effect: "block", Subject: "range", Value: "::/0", Note: "n"}:                              "value",
			{Effect: "block", Subject: "range", Value: "192.0.2.300", Note: "n"}:                       "value",
			{Effect: "block", Subject: "address", Value: "nobody", Note: "n"}:                          "value",
			{Effect: "block", Subject: "domain", Value: "example.org", Note: " "}:                      "note",
			{Effect: "block", Subject: "domain", Value: "example.org", Note: strings.Repeat("x", 301)}: "note",
		} {
			_, err := s.AddRule(ctx, boss, in)
			f, ok := err.(*fault.Error)
			if !ok || len(f.Fields) != 1 || f.Fields[0].Name != field {
				t.Errorf("%+v: %v", in, err)
			}
		}
		for _, a := range []actor.Actor{{}, {Kind: actor.User, Role: actor.Advocate}, {Kind: actor.User, Role: actor.Organizer, ChapterID: uuid.New()}} {
			if _, err := s.AddRule(ctx, a, RuleInput{Effect: "block", Subject: "domain", Value: "example.org", Note: "n"}); err == nil {
				t.Errorf("%+v may", a)
			}
		}
		p := models.Petition{ID: uuid.New()}
		verdict := func(email, client string) Verdict {
			t.Helper()
			v, err := s.Judge(ctx, Visit{Petition: p, Email: email, Client: netip.MustParseAddr(client)})
			if err != nil {
				t.Fatal(err)
			}
			return v
		}
		add := func(effect, subject, value string) models.AbuseRule {
			t.Helper()
			r, err := s.AddRule(ctx, boss, RuleInput{Effect: effect, Subject: subject, Value: value, Note: "A wave of the ninth"})
			if err != nil {
				t.Fatal(err)
			}
			clk.Add(time.Second)
			return r
		}
		add("block", "domain", "@Bad.Example")
		add("block", "range", "198.51.100.7/24")
		add("block", "range", "2001:db8:5::/48")
		one := add("block", "address", "A.lice+x@gmail.com")
		add("flag", "domain", "odd.example")
		for _, c := range []struct {
			email, client, reason, flag string
		}{
			{"x@good.example", "192.0.2.1", "", ""},
			{"x@bad.example", "192.0.2.1", ReasonBlock, ""},
			{"x@sub.bad.example", "192.0.2.1", ReasonBlock, ""},
			{"x@notbad.example", "192.0.2.1", "", ""},
			{"x@good.example", "198.51.100.200", ReasonBlock, ""},
			{"x@good.example", "::ffff:198.51.100.200", ReasonBlock, ""},
			{"x@good.example", "2001:db8:5:9::1", ReasonBlock, ""},
			{"al.ice+other@googlemail.com", "192.0.2.1", ReasonBlock, ""},
			{"bob@gmail.com", "192.0.2.1", "", ""},
			{"x@odd.example", "192.0.2.1", "", FlagRule},
			{"x@mailinator.com", "192.0.2.1", "", FlagDisposable},
		} {
			if v := verdict(c.email, c.client); v.Reason != c.reason || v.Flag != c.flag {
				t.Errorf("%+v: %+v", c, v)
			}
		}
		// Of an address only the domain is kept in clear.
		if one.Value != "gmail.com" || len(one.AddressHash) != 32 {
			t.Errorf("%+v", one)
		}
		// Allowed wins over everything.
		allow := add("allow", "address", "good@bad.example")
		if v := verdict("good@bad.example", "198.51.100.200"); v.Reason != "" || !v.Allowed {
			t.Errorf("%+v", v)
		}
		v, err := s.Judge(ctx, Visit{Petition: p, Email: "good@bad.example", Trap: "x"})
		if err != nil || v.Reason != "" {
			t.Errorf("%+v %v", v, err)
		}
		// Ended, not deleted; and once.
		for range 2 {
			if err := s.EndRule(ctx, boss, allow.ID); err != nil {
				t.Fatal(err)
			}
		}
		if v := verdict("good@bad.example", "192.0.2.1"); v.Reason != ReasonBlock {
			t.Errorf("%+v", v)
		}
		if err := s.EndRule(ctx, boss, uuid.New()); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		rows, err := s.Rules(ctx, boss, paging.Cursor{})
		if err != nil || len(rows.Rows) != 6 || rows.Rows[0].EndedAt == nil || rows.Rows[1].EndedAt != nil {
			t.Errorf("%+v %v", rows, err)
		}
		var n int64
		if err := s.db.Model(&models.AuditEntry{}).Where("action LIKE 'abuse.%'").Count(&n).Error; err != nil || n != 7 {
			t.Errorf("%d entries in the log, %v", n, err)
		}
	})
}

// A window of another server holds here after a moment; the lists are read again once they are old.
func TestListsGrowOld(t *testing.T) {
	db := testdb.SQLite(t)
	v, clk := vault.New(vault.NewKey()), clock.NewFixed(start)
	here, there := New(db, v, clk, Limits{}), New(db, v, clk, Limits{})
	here.lists.keep = 0
	visit := Visit{Petition: models.Petition{ID: uuid.New()}, Email: "x@bad.example"}
	if got, err := here.Judge(t.Context(), visit); err != nil || got.Reason != "" {
		t.Fatalf("%+v %v", got, err)
	}
	if _, err := there.AddRule(t.Context(), boss, RuleInput{Effect: "block", Subject: "domain", Value: "bad.example", Note: "n"}); err != nil {
		t.Fatal(err)
	}
	if got, err := here.Judge(t.Context(), visit); err != nil || got.Reason != ReasonBlock {
		t.Errorf("%+v %v", got, err)
	}
}

func TestWindows(t *testing.T) {
	each(t, func(t *testing.T, s *Service, clk *clock.Fixed) {
		ctx := context.Background()
		for in, field := range map[WindowInput]string{
			{Note: "", From: start, Until: start.Add(time.Hour)}:                       "note",
			{Note: "n", Until: start.Add(time.Hour)}:                                   "from",
			{Note: "n", From: start}:                                                   "until",
			{Note: "n", From: start, Until: start}:                                     "until",
			{Note: "n", From: start.Add(-2 * time.Hour), Until: start.Add(-time.Hour)}: "until",
			{Note: "n", From: start, Until: start.Add(15 * 24 * time.Hour)}:            "until",
		} {
			_, err := s.OpenWindow(ctx, boss, in)
			f, ok := err.(*fault.Error)
			if !ok || len(f.Fields) != 1 || f.Fields[0].Name != field {
				t.Errorf("%+v: %v", in, err)
			}
		}
		if _, err := s.OpenWindow(ctx, boss, WindowInput{PetitionID: uuid.New(), Note: "n", From: start, Until: start.Add(time.Hour)}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		w, err := s.OpenWindow(ctx, boss, WindowInput{Note: "A stand at the market", From: start.Add(time.Hour), Until: start.Add(2 * time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		rests := func() bool {
			t.Helper()
			v, err := s.Judge(ctx, Visit{Petition: models.Petition{ID: uuid.New()}, Email: "x@example.org"})
			if err != nil {
				t.Fatal(err)
			}
			return v.Rests
		}
		if rests() {
			t.Error("before it opens")
		}
		if clk.Add(time.Hour); !rests() {
			t.Error("while it is open")
		}
		if err := s.CloseWindow(ctx, boss, w.ID); err != nil || rests() {
			t.Error("after it was closed", err)
		}
		if _, err := s.OpenWindow(ctx, boss, WindowInput{Note: "Again", From: clk.Now(), Until: clk.Now().Add(time.Minute)}); err != nil || !rests() {
			t.Error("a second one", err)
		}
		if clk.Add(time.Minute); rests() {
			t.Error("after its end")
		}
	})
}

// solve does what the script on the page does.
func solve(t *testing.T, c Challenge) string {
	t.Helper()
	s, err := altcha.SolveChallenge(c.Challenge, c.Salt, altcha.Algorithm(c.Algorithm), int(c.MaxNumber), 0, nil)
	if err != nil || s == nil {
		t.Fatal(s, err)
	}
	b, err := json.Marshal(altcha.Payload{Algorithm: c.Algorithm, Challenge: c.Challenge, Number: int64(s.Number), Salt: c.Salt, Signature: c.Signature})
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b)
}

func TestProof(t *testing.T) {
	clk := clock.NewFixed(start)
	s := New(testdb.SQLite(t), vault.New(vault.NewKey()), clk, Limits{})
	petition := uuid.New()
	c, err := s.Challenge(petition)
	if err != nil {
		t.Fatal(err)
	}
	payload := solve(t, c)
	name, ok := s.solved(petition, payload, start)
	if !ok || len(name) != 16 {
		t.Fatal("a solution is not taken")
	}
	if _, ok := s.solved(uuid.New(), payload, start); ok {
		t.Error("it is taken for another petition")
	}
	if _, ok := s.solved(petition, payload, start.Add(proofFor+time.Second)); ok {
		t.Error("it is taken after its end")
	}
	other := New(s.db, vault.New(vault.NewKey()), clk, Limits{})
	if _, ok := other.solved(petition, payload, start); ok {
		t.Error("it is taken by another key")
	}
	// No digit crosses from the number into the time: the mark at the end of the salt holds it.
	raw, _ := base64.StdEncoding.DecodeString(payload)
	var p altcha.Payload
	if err := json.Unmarshal(raw, &p); err != nil {
		t.Fatal(err)
	}
	for _, salt := range []string{strings.TrimSuffix(p.Salt, "&"), p.Salt + "1", strings.Replace(p.Salt, "expires=", "expires=9", 1), "?" + p.Salt} {
		q := p
		q.Salt = salt
		b, _ := json.Marshal(q)
		if _, ok := s.solved(petition, base64.StdEncoding.EncodeToString(b), start); ok {
			t.Errorf("the salt %q is taken", salt)
		}
	}
	for _, bad := range []string{"", "x", strings.Repeat("A", 2000), base64.StdEncoding.EncodeToString([]byte("{}")), base64.StdEncoding.EncodeToString([]byte("null"))} {
		if _, ok := s.solved(petition, bad, start); ok {
			t.Errorf("%q is taken", bad)
		}
	}
}

func FuzzRule(f *testing.F) {
	for _, s := range Subjects {
		for _, v := range []string{"example.org", "@Ex.org", "192.0.2.0/24", "::1/64", "::ffff:1.2.3.4/100", "a@b.example", "fe80::1%eth0", "\x00", "1.2.3.4/33", "münchen.example", "x@[1.2.3.4]"} {
			f.Add(s, v)
		}
	}
	s := &Service{vault: vault.New(vault.NewKey())}
	f.Fuzz(func(t *testing.T, subject, value string) {
		r, err := s.row(RuleInput{Effect: EffectBlock, Subject: subject, Value: value, Note: "n"})
		if err != nil {
			return
		}
		switch subject {
		case SubjectRange:
			p, ok := parseRange(r.Value)
			if !ok || p.String() != r.Value || p != p.Masked() {
				t.Errorf("%q became %q, which reads as %v", value, r.Value, p)
			}
		case SubjectDomain, SubjectAddress:
			if d, ok := parseDomain(r.Value); !ok || d != r.Value {
				t.Errorf("%q became %q, which reads as %q", value, r.Value, d)
			}
		default:
			t.Errorf("the subject %q is taken", subject)
		}
		if (subject == SubjectAddress) != (len(r.AddressHash) == 32) {
			t.Errorf("%q: %x", value, r.AddressHash)
		}
	})
}
