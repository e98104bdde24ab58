package deliverability_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/dnsserver"
	"kithline/tests/testdb"
)

var start = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)

// world is an organisation, its DNS, and who may do what.
type world struct {
	t         *testing.T
	ctx       context.Context
	db        *database.DB
	org       *organisation.Service
	clk       *clock.Fixed
	dns       *dnsserver.Server
	vault     *vault.Vault
	server    deliverability.Server
	captured  bool
	svc       *deliverability.Service
	owner     actor.Actor
	organizer actor.Actor
}

func newWorld(t *testing.T, db *database.DB, fixed ...deliverability.SigningKey) *world {
	w := &world{
		t: t, ctx: t.Context(), db: db, clk: clock.NewFixed(start), dns: dnsserver.New(t), vault: vault.New(vault.NewKey()),
		server: deliverability.Server{Host: "smtp.example.org", Safe: true},
		owner:  actor.Actor{Kind: actor.User, UserID: models.NewID(), Role: actor.Owner}, organizer: actor.Actor{Kind: actor.User, UserID: models.NewID(), Role: actor.Organizer},
	}
	w.org = organisation.New(db, w.vault, w.clk)
	if _, err := w.org.Ensure(w.ctx); err != nil {
		t.Fatal(err)
	}
	w.svc = w.node(fixed...)
	return w
}

// node is another process on the same database.
func (w *world) node(fixed ...deliverability.SigningKey) *deliverability.Service {
	return deliverability.New(deliverability.Options{
		DB: w.db, Vault: w.vault, Clock: w.clk, Organisation: w.org, Resolver: w.dns.Resolver(), Fixed: fixed, SiteURL: "https://act.example.org",
		Server: func(context.Context) (deliverability.Server, error) { return w.server, nil }, Captured: func(context.Context) bool { return w.captured },
	})
}

func (w *world) from(address string) {
	w.t.Helper()
	w.must(w.org.Update(w.ctx, actor.TheSystem(), organisation.Details{
		Name: "Wennick Coalition", FromAddress: address, ReplyTo: address, TimeZone: "UTC", Languages: []string{"en"}, Accent: "#7b2d52",
	}))
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) check() deliverability.Report {
	w.t.Helper()
	r, err := w.svc.Check(w.ctx, w.owner)
	w.must(err)
	return r
}

// found is what a check said: its keys without the common beginning, with their tones.
func found(r deliverability.Report, check string) string {
	var out []string
	for _, f := range r.Findings {
		if f.Check == check {
			out = append(out, strings.TrimPrefix(f.Key, "deliver.")+" "+string(f.Tone))
		}
	}
	return strings.Join(out, ", ")
}

func finding(t *testing.T, r deliverability.Report, check string) deliverability.Finding {
	t.Helper()
	for _, f := range r.Findings {
		if f.Check == check {
			return f
		}
	}
	t.Fatalf("no %s in %+v", check, r.Findings)
	return deliverability.Finding{}
}

func (w *world) audited(action string) int64 {
	var n int64
	w.must(w.db.Model(&models.AuditEntry{}).Where("action = ?", action).Count(&n).Error)
	return n
}

func (w *world) key(a models.MailKeyAlgorithm) models.MailKey {
	w.t.Helper()
	k, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: a})
	w.must(err)
	return k
}

func (w *world) signing(domain string) []string {
	w.t.Helper()
	list, err := w.svc.SigningKeys(w.ctx, domain)
	w.must(err)
	var out []string
	for _, k := range list {
		out = append(out, k.Selector)
	}
	return out
}

func (w *world) publish(k models.MailKey) {
	r := deliverability.KeyRecord(k)
	w.dns.TXT(r.Name, r.Value)
}

// A key signs once its record is found, by every node; the next one takes its place, and the old one rests until somebody removes it.
func TestKeysAreTurnedOver(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		if _, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyRSA}); !fault.Is(err, fault.Conflict) {
			t.Errorf("without a sender: %v", err)
		}
		w.from("news@example.org")
		first := w.key(models.MailKeyEd25519)
		if first.Selector != "kl2027a" || first.Domain != "example.org" || first.State != models.MailKeyWaiting {
			t.Errorf("%+v", first)
		}
		if r := deliverability.KeyRecord(first); r.Type != "TXT" || r.Name != "kl2027a._domainkey.example.org" || r.Value != "v=DKIM1; k=ed25519; p="+first.PublicKey {
			t.Errorf("%+v", r)
		}
		if got := found(w.check(), deliverability.CheckDKIM); got != "dkim_waiting warn" {
			t.Errorf("before its record is there: %s", got)
		}
		if got := w.signing("example.org"); len(got) != 0 {
			t.Errorf("%v sign without a record", got)
		}
		w.publish(first)
		if got := found(w.check(), deliverability.CheckDKIM); got != "dkim_found good" {
			t.Errorf("once it is there: %s", got)
		}
		other := w.node()
		keys, err := other.SigningKeys(w.ctx, "example.org")
		w.must(err)
		if len(keys) != 1 || keys[0].Selector != "kl2027a" || keys[0].Domain != "example.org" {
			t.Fatalf("the other node signs with %+v", keys)
		}
		public, _ := base64.StdEncoding.DecodeString(first.PublicKey)
		signature, err := keys[0].Key.Sign(nil, []byte("x"), crypto.Hash(0))
		w.must(err)
		if !ed25519.Verify(public, []byte("x"), signature) {
			t.Error("the key that signs is not the one that is published")
		}

		rsaKey := w.key(models.MailKeyRSA) // of another kind: both sign
		w.publish(rsaKey)
		w.check()
		if got := w.signing("example.org"); !slices.Equal(got, []string{"kl2027b", "kl2027a"}) {
			t.Errorf("%v sign, not RSA and then the other", got)
		}
		if got := w.signing("News.Example.org"); len(got) != 2 { // the parent's keys speak for what lies below
			t.Errorf("%v sign for a subdomain", got)
		}
		for _, domain := range []string{"", "example.net", "notexample.org", "org"} {
			if got := w.signing(domain); len(got) != 0 {
				t.Errorf("%v sign for %q", got, domain)
			}
		}
		second, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyEd25519, Selector: " Next "})
		w.must(err)
		if got := found(w.check(), deliverability.CheckDKIM); got != "dkim_found good, dkim_found good, dkim_waiting warn" {
			t.Errorf("the next one waits: %s", got)
		}
		if got := w.signing("example.org"); !slices.Equal(got, []string{"kl2027b", "kl2027a"}) {
			t.Errorf("%v sign while the next one waits", got)
		}
		w.publish(second)
		w.must(w.svc.Regular().Run(w.ctx)) // nobody pressed anything
		if got := w.signing("example.org"); !slices.Equal(got, []string{"kl2027b", "next"}) {
			t.Errorf("%v sign after the change", got)
		}
		if got := found(w.check(), deliverability.CheckDKIM); got != "dkim_resting good, dkim_found good, dkim_found good" {
			t.Errorf("the old one rests: %s", got)
		}
		list, err := w.svc.Keys(w.ctx, w.owner)
		w.must(err)
		if len(list) != 3 || list[2].ID != first.ID || list[2].State != models.MailKeyResting || list[2].RestingAt == nil {
			t.Errorf("%+v", list)
		}
		w.must(w.svc.RemoveKey(w.ctx, w.owner, first.ID))
		w.must(w.svc.RemoveKey(w.ctx, w.owner, second.ID))
		if got := w.signing("example.org"); !slices.Equal(got, []string{"kl2027b"}) {
			t.Errorf("%v sign once one was removed", got)
		}
		if err := w.svc.RemoveKey(w.ctx, w.owner, first.ID); !fault.Is(err, fault.NotFound) {
			t.Errorf("removed twice: %v", err)
		}
		if w.audited("mail_key.make") != 3 || w.audited("mail_key.sign") != 3 || w.audited("mail_key.remove") != 2 {
			t.Error("the audit log does not hold it")
		}
		// What stands in the database opens for nobody else.
		var row models.MailKey
		w.must(db.Take(&row, "id = ?", rsaKey.ID).Error)
		if _, err := x509.ParsePKCS8PrivateKey(row.PrivateSealed); err == nil {
			t.Error("the key is stored in clear")
		}
		if _, err := vault.New(vault.NewKey()).OpenBytes("mail_keys", "private_sealed", row.ID[:], row.PrivateSealed); err == nil {
			t.Error("another vault opens it")
		}
		der, err := w.vault.OpenBytes("mail_keys", "private_sealed", row.ID[:], row.PrivateSealed)
		w.must(err)
		private, err := x509.ParsePKCS8PrivateKey(der)
		w.must(err)
		if r, is := private.(*rsa.PrivateKey); !is || r.N.BitLen() != 2048 {
			t.Errorf("the RSA key is %T", private)
		}
	})
}

func TestKeysAreRefused(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.from("news@example.org")
		for what, c := range map[string]struct{ algorithm, selector, field string }{
			"no kind":      {"", "", "algorithm"},
			"another kind": {"dsa", "", "algorithm"},
			"a dot":        {"ed25519", "a.b", "selector"},
			"a blank":      {"ed25519", "a b", "selector"},
			"a hyphen":     {"ed25519", "-a", "selector"},
			"a long one":   {"ed25519", strings.Repeat("a", 64), "selector"},
		} {
			_, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyAlgorithm(c.algorithm), Selector: c.selector})
			if fields := fieldsOf(err); !slices.Equal(fields, []string{c.field}) {
				t.Errorf("%s: %v, fields %v", what, err, fields)
			}
		}
		w.key(models.MailKeyEd25519)
		if _, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyEd25519, Selector: "KL2027a"}); !slices.Equal(fieldsOf(err), []string{"selector"}) {
			t.Errorf("a name that is taken: %v", err)
		}
		for range 5 {
			w.key(models.MailKeyEd25519)
		}
		if _, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyEd25519}); !fault.Is(err, fault.Conflict) {
			t.Errorf("a seventh key: %v", err)
		}
		for what, do := range map[string]func(actor.Actor) error{
			"MakeKey":      func(a actor.Actor) error { _, err := w.svc.MakeKey(w.ctx, a, deliverability.NewKey{}); return err },
			"RemoveKey":    func(a actor.Actor) error { return w.svc.RemoveKey(w.ctx, a, uuid.New()) },
			"Keys":         func(a actor.Actor) error { _, err := w.svc.Keys(w.ctx, a); return err },
			"Check":        func(a actor.Actor) error { _, err := w.svc.Check(w.ctx, a); return err },
			"Last":         func(a actor.Actor) error { _, err := w.svc.Last(w.ctx, a); return err },
			"Requirements": func(a actor.Actor) error { _, err := w.svc.Requirements(w.ctx, a); return err },
			"LimitsFor":    func(a actor.Actor) error { _, err := w.svc.LimitsFor(w.ctx, a); return err },
			"SetLimits":    func(a actor.Actor) error { return w.svc.SetLimits(w.ctx, a, models.DefaultLimits()) },
			"SendsFrom":    func(a actor.Actor) error { _, err := w.svc.SendsFrom(w.ctx, a); return err },
			"SetSendsFrom": func(a actor.Actor) error { return w.svc.SetSendsFrom(w.ctx, a, "") },
		} {
			if err := do(w.organizer); !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s as an organizer: %v", what, err)
			}
			if err := do(actor.Actor{}); !fault.Is(err, fault.Unauthenticated) {
				t.Errorf("%s as nobody: %v", what, err)
			}
		}
		if n := len(w.dns.Asked()); n != 0 {
			t.Errorf("DNS was asked %d times", n)
		}
	})
}

// Keys of the server's own settings sign in the place of all others, for whatever domain mail comes from.
func TestKeysOfTheServersSettings(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db, deliverability.SigningKey{Selector: "env", Key: ed25519.NewKeyFromSeed(make([]byte, 32))})
		w.from("news@example.org")
		if _, err := w.svc.MakeKey(w.ctx, w.owner, deliverability.NewKey{Algorithm: models.MailKeyEd25519}); !fault.Is(err, fault.Conflict) {
			t.Errorf("another one is made: %v", err)
		}
		list, err := w.svc.SigningKeys(w.ctx, "Example.org")
		w.must(err)
		if len(list) != 1 || list[0].Selector != "env" || list[0].Domain != "example.org" {
			t.Errorf("%+v", list)
		}
		r := w.check()
		if got := found(r, deliverability.CheckDKIM); got != "dkim_missing bad" {
			t.Errorf("without its record: %s", got)
		}
		record := finding(t, r, deliverability.CheckDKIM).Record
		w.dns.TXT(record.Name, record.Value)
		if got := found(w.check(), deliverability.CheckDKIM); got != "dkim_found good" {
			t.Errorf("with its record: %s", got)
		}
	})
}

// The report of a domain in good order, and what each fault of it becomes.
func TestReport(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		if _, err := w.svc.Check(w.ctx, w.owner); !fault.Is(err, fault.Conflict) {
			t.Errorf("without a sender: %v", err)
		}
		w.from("news@example.org")
		r, err := w.svc.Last(w.ctx, w.owner)
		w.must(err)
		if r.Domain != "example.org" || !r.CheckedAt.IsZero() || len(r.Findings) != 0 {
			t.Errorf("before anybody looked: %+v", r)
		}
		waits := func(a actor.Actor) int {
			t.Helper()
			n := 0
			list, err := w.svc.Today(w.ctx, a)
			w.must(err)
			for _, q := range list {
				n += q.Count
			}
			return n
		}
		if n := waits(w.owner); n != 0 {
			t.Errorf("before anybody looked, %d things wait", n)
		}
		// Nothing is there.
		r = w.check()
		if n, other := waits(w.owner), waits(w.organizer); n != 4 || other != 0 {
			t.Errorf("%d things wait for the owner, %d for an organizer", n, other)
		}
		for check, want := range map[string]string{
			"spf": "spf_none bad", "dkim": "dkim_none warn", "dmarc": "dmarc_missing bad", "alignment": "alignment_none bad", "mx": "mx_none bad", "reverse": "reverse_untold warn",
			"freemail": "freemail_no good",
		} {
			if got := found(r, check); got != want {
				t.Errorf("%s: %q, want %q", check, got, want)
			}
		}
		if f := finding(t, r, "dmarc"); f.Record.Name != "_dmarc.example.org" || f.Record.Value != "v=DMARC1; p=none; rua=mailto:news@example.org" {
			t.Errorf("%+v", f.Record)
		}
		if f := finding(t, r, "spf"); f.Record.Name != "example.org" || f.Record.Value != "v=spf1 mx ~all" {
			t.Errorf("%+v", f.Record)
		}
		// All is there.
		k := w.key(models.MailKeyRSA)
		w.publish(k)
		w.dns.Address("smtp.example.org", "198.51.100.7")
		w.dns.Reverse("198.51.100.7", "smtp.example.org")
		w.dns.MX("example.org", "smtp.example.org")
		w.dns.TXT("example.org", "v=spf1 mx -all")
		w.dns.TXT("_dmarc.example.org", "v=DMARC1; p=none")
		r = w.check()
		for check, want := range map[string]string{
			"spf": "spf_fine good", "dkim": "dkim_found good", "dmarc": "dmarc_policy_none good", "alignment": "alignment_both good", "mx": "mx_fine good", "reverse": "reverse_fine good",
		} {
			if got := found(r, check); got != want {
				t.Errorf("all there, %s: %q, want %q", check, got, want)
			}
		}
		if n := waits(w.owner); n != 0 {
			t.Errorf("all is there, and %d things wait", n)
		}
		last, err := w.node().Last(w.ctx, w.owner)
		w.must(err)
		if !last.CheckedAt.Equal(start) || len(last.Findings) != len(r.Findings) || found(last, "spf") != "spf_fine good" {
			t.Errorf("another node sees %+v", last)
		}
		rules := map[string]deliverability.Tone{}
		list, err := w.svc.Requirements(w.ctx, w.owner)
		w.must(err)
		for _, q := range list {
			rules[q.Name] = q.Tone
		}
		for _, name := range []string{"spf", "dkim", "dmarc", "alignment", "one_click", "two_days", "reverse", "tls", "freemail", "answers"} {
			if rules[name] != deliverability.Fine {
				t.Errorf("the rule %s is %q", name, rules[name])
			}
		}
		if rules["complaints"] != deliverability.Think {
			t.Errorf("without mails, complaints say %q", rules["complaints"])
		}

		// One thing at a time is wrong.
		for _, c := range []struct {
			what, check, want string
			change            func()
		}{
			{"the server is not named", "spf", "spf_perhaps warn", func() { w.dns.TXT("example.org", "v=spf1 ip4:192.0.2.1 -all") }},
			{"then SPF does not count", "alignment", "alignment_dkim good", func() {}},
			{"and its address was told", "spf", "spf_not_ours bad", func() { w.must(w.svc.SetSendsFrom(w.ctx, w.owner, "198.51.100.7")) }},
			{"everybody may send", "spf", "spf_open bad", func() { w.dns.TXT("example.org", "v=spf1 mx +all") }},
			{"two records", "spf", "spf_many bad", func() { w.dns.TXT("example.org", "v=spf1 mx -all", "v=spf1 -all") }},
			{"SPF is well again", "spf", "spf_fine good", func() { w.dns.TXT("example.org", "v=spf1 mx -all") }},
			{"no name for the address", "reverse", "reverse_none bad", func() { w.dns.Reverse("198.51.100.7", "") }},
			{"a name that leads elsewhere", "reverse", "reverse_one_way bad", func() { w.dns.Reverse("198.51.100.7", "elsewhere.example.net") }},
			{"a policy of its own kind", "dmarc", "dmarc_policy_reject good", func() { w.dns.TXT("_dmarc.example.org", "v=DMARC1; p=reject") }},
			{"a broken policy", "dmarc", "dmarc_broken bad", func() { w.dns.TXT("_dmarc.example.org", "v=DMARC1; p=maybe") }},
			{"a key that is cut off", "dkim", "dkim_another bad", func() {
				w.dns.TXT("kl2027a._domainkey.example.org", deliverability.KeyRecord(k).Value[:255])
			}},
			{"a key that is taken back", "dkim", "dkim_revoked bad", func() { w.dns.TXT("kl2027a._domainkey.example.org", "v=DKIM1; k=rsa; p=") }},
			{"of another kind", "dkim", "dkim_another bad", func() {
				w.dns.TXT("kl2027a._domainkey.example.org", "v=DKIM1; k=ed25519; p="+k.PublicKey)
			}},
			{"a key in pieces", "dkim", "dkim_found good", func() {
				w.dns.TXT("kl2027a._domainkey.example.org", "k=rsa; t=s; p="+k.PublicKey[:100]+" "+k.PublicKey[100:])
			}},
			{"a test only", "dkim", "dkim_testing warn", func() { w.dns.TXT("kl2027a._domainkey.example.org", "v=DKIM1; t=s:y; p="+k.PublicKey) }},
			{"no key", "dkim", "dkim_missing bad", func() { w.dns.TXT("kl2027a._domainkey.example.org") }},
			{"and so SPF alone", "alignment", "alignment_spf warn", func() {}},
			{"no mail is taken", "mx", "mx_null bad", func() { w.dns.MX("example.org", ".") }},
			{"a dead server", "mx", "mx_dead bad", func() { w.dns.MX("example.org", "gone.example.org") }},
			{"an address alone", "mx", "mx_address_only warn", func() { w.dns.MX("example.org"); w.dns.Address("example.org", "198.51.100.9") }},
			{"DNS fails for one", "dmarc", "dns_silent warn", func() { w.dns.Break("_dmarc.example.org") }},
		} {
			c.change()
			if got := found(w.check(), c.check); got != c.want {
				t.Errorf("%s: %q, want %q", c.what, got, c.want)
			}
		}
		w.dns.Break("")
		for _, f := range w.check().Findings {
			if f.Check != "freemail" && f.Check != "alignment" && f.Key != "deliver.dns_silent" && f.Key != "deliver.dns_silent_for" {
				t.Errorf("without DNS: %+v", f)
			}
		}
		w.from("somebody@gmail.com")
		if got := found(w.check(), "freemail"); got != "freemail_yes bad" {
			t.Errorf("a free mail service: %s", got)
		}
	})
}

func TestReportOfMailServices(t *testing.T) {
	w := newWorld(t, testdb.SQLite(t))
	w.from("news@example.org")
	w.server.Host = "email-smtp.eu-west-1.amazonaws.com"
	w.dns.TXT("example.org", "v=spf1 include:_spf.example.net -all")
	w.dns.TXT("_spf.example.net", "v=spf1 ip4:192.0.2.1 -all")
	r := w.check()
	if f := finding(t, r, "spf"); f.Key != "deliver.spf_service" || f.Record.Value != "v=spf1 include:_spf.example.net include:amazonses.com -all" {
		t.Errorf("%+v", f)
	}
	if got := found(r, "reverse"); got != "reverse_service good" {
		t.Error(got)
	}
	w.dns.TXT("example.org", "v=spf1 include:amazonses.com -all")
	w.dns.TXT("amazonses.com", "v=spf1 ip4:192.0.2.1 -all")
	if got := found(w.check(), "spf"); got != "spf_fine good" {
		t.Error(got)
	}
	w.publish(w.key(models.MailKeyEd25519))
	if got := found(w.check(), "dkim"); got != "dkim_rewritten bad, dkim_found good" {
		t.Errorf("a service that changes mails: %s", got)
	}
	// A mail server on this machine is seen under the site's address.
	w.server.Host = "localhost"
	w.dns.Address("act.example.org", "203.0.113.9", "10.0.0.1")
	r = w.check()
	if f := finding(t, r, "spf"); f.Key != "deliver.spf_perhaps" || f.Record.Value != "v=spf1 include:amazonses.com ip4:203.0.113.9 -all" {
		t.Errorf("%+v", f)
	}
	w.server.Host = ""
	if got := found(w.check(), "spf"); got != "spf_untold warn" {
		t.Error(got)
	}
	if w.server.Safe = false; w.server.Host == "" {
		w.server.Host = "smtp.example.org"
	}
	list, err := w.svc.Requirements(w.ctx, w.owner)
	w.must(err)
	for _, q := range list {
		if q.Name == "tls" && q.Tone != deliverability.Stop {
			t.Errorf("a connection in clear: %+v", q)
		}
	}
}

// The checks of a mailing ask nobody while a report is fresh, then look themselves, once an hour; nothing in them stops a mailing.
func TestChecksOfAMailing(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		checks := func() []deliverability.Finding {
			t.Helper()
			list, err := w.svc.Checks(w.ctx)
			w.must(err)
			return list
		}
		if list := checks(); len(list) != 0 {
			t.Errorf("without a sender: %+v", list)
		}
		w.from("news@example.org")
		w.captured = true
		if list := checks(); len(list) != 0 || len(w.dns.Asked()) != 0 {
			t.Errorf("where mail is kept: %+v", list)
		}
		w.must(w.svc.Regular().Run(w.ctx))
		if len(w.dns.Asked()) != 0 {
			t.Error("where mail is kept, DNS is asked each hour")
		}
		w.captured = false
		list := checks()
		asked := len(w.dns.Asked())
		if len(list) == 0 || asked == 0 {
			t.Fatal("nobody looked")
		}
		for _, f := range list {
			if f.Tone == deliverability.Stop {
				t.Errorf("%s stops a mailing", f.Key)
			}
		}
		checks()
		if n := len(w.dns.Asked()); n != asked {
			t.Errorf("asked again: %d, %d", asked, n)
		}
		var rows int64
		w.must(db.Model(&models.DomainCheck{}).Count(&rows).Error)
		if rows != 0 {
			t.Error("what is only looked at is written down")
		}
		w.check()
		asked = len(w.dns.Asked())
		w.clk.Add(59 * time.Minute)
		checks()
		if n := len(w.dns.Asked()); n != asked {
			t.Error("a fresh report is not taken")
		}
		w.clk.Add(time.Minute)
		checks()
		if n := len(w.dns.Asked()); n == asked {
			t.Error("an old report is taken")
		}
		w.dns.Break("_dmarc.example.org")
		w.check()
		asked = len(w.dns.Asked())
		w.clk.Add(59 * time.Second)
		checks()
		if n := len(w.dns.Asked()); n != asked {
			t.Error("where DNS gave no answer, it is asked all the time")
		}
		w.clk.Add(time.Second)
		checks()
		if n := len(w.dns.Asked()); n == asked {
			t.Error("where DNS gave no answer, it is asked again after an hour only")
		}
	})
}

func fieldsOf(err error) []string {
	e, ok := err.(*fault.Error)
	if !ok || e.Kind != fault.Invalid {
		return nil
	}
	var out []string
	for _, f := range e.Fields {
		out = append(out, f.Name)
	}
	return out
}

func TestLimits(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		get := func(s *deliverability.Service) models.Limits {
			t.Helper()
			l, err := s.Limits(w.ctx)
			w.must(err)
			return l
		}
		if l := get(w.svc); l.QuietFrom != 20*60 || l.QuietTo != 9*60 || l.ApproveAbove != 5000 || l.BrakeShare != 0.1 || l.BrakeWindow != 200 || l.Account != nil || l.WarmUp != nil {
			t.Errorf("what holds at first: %+v", l)
		}
		w.must(w.svc.SetSendsFrom(w.ctx, w.owner, " 192.0.2.1, 2001:DB8::1\n192.0.2.1 "))
		if text, err := w.svc.SendsFrom(w.ctx, w.owner); err != nil || text != "192.0.2.1 2001:db8::1" {
			t.Errorf("%q, %v", text, err)
		}
		if l := get(w.svc); l.ApproveAbove != 5000 {
			t.Errorf("the defaults are gone: %+v", l)
		}
		want := models.Limits{
			Account: []models.Window{{Count: 14, Per: time.Second}, {Count: 50_000, Per: 24 * time.Hour}}, Connections: 8,
			Domains: []models.DomainLimit{{Connections: 3}, {Domain: "gmail.com", Connections: 5, Windows: []models.Window{{Count: 20, Per: time.Minute}}}, {Domain: "xn--bcher-kva.example"}},
			WarmUp:  &models.WarmUp{Starts: start, FirstDay: 50, Growth: 1.5, Until: 20_000}, BrakeShare: 0.05, BrakeWindow: 300, QuietFrom: 0, QuietTo: 23*60 + 59, ApproveAbove: 0,
		}
		typed := want
		typed.Account = []models.Window{want.Account[1], want.Account[0]}
		typed.Domains = slices.Clone(want.Domains)
		typed.Domains[1].Domain, typed.Domains[2].Domain = " Gmail.COM. ", "Bücher.example"
		w.must(w.svc.SetLimits(w.ctx, w.owner, typed))
		for _, s := range []*deliverability.Service{w.svc, w.node()} {
			got := get(s)
			if !equal(got, want) {
				t.Errorf("%+v (%+v) is not %+v", got, got.WarmUp, want)
			}
		}
		if text, _ := w.svc.SendsFrom(w.ctx, w.owner); text != "192.0.2.1 2001:db8::1" {
			t.Errorf("the addresses became %q", text)
		}
		if w.audited("sending.limits") != 1 || w.audited("sending.sends_from") != 1 {
			t.Error("the audit log does not hold it")
		}
		// Each mistake is told at its field, and changes nothing.
		window := func(n int, per time.Duration) []models.Window { return []models.Window{{Count: n, Per: per}} }
		for what, c := range map[string]struct {
			change func(*models.Limits)
			field  string
		}{
			"no mails":           {func(l *models.Limits) { l.Account = window(0, time.Second) }, "account"},
			"too many":           {func(l *models.Limits) { l.Account = window(deliverability.MaxRate+1, time.Hour) }, "account"},
			"no time":            {func(l *models.Limits) { l.Account = window(1, 0) }, "account"},
			"one time twice":     {func(l *models.Limits) { l.Account = append(window(1, time.Second), window(2, time.Second)...) }, "account"},
			"less in more":       {func(l *models.Limits) { l.Account = append(window(10, time.Second), window(5, time.Minute)...) }, "account"},
			"connections":        {func(l *models.Limits) { l.Connections = -1 }, "connections"},
			"no domain":          {func(l *models.Limits) { l.Domains = []models.DomainLimit{{Domain: "x@gmail.com"}} }, "domains.0"},
			"a word":             {func(l *models.Limits) { l.Domains = []models.DomainLimit{{}, {Domain: "gmail"}} }, "domains.1"},
			"a domain twice":     {func(l *models.Limits) { l.Domains = []models.DomainLimit{{Domain: "gmail.com"}, {Domain: "GMAIL.com"}} }, "domains.1"},
			"its connections":    {func(l *models.Limits) { l.Domains = []models.DomainLimit{{Connections: 1001}} }, "domains.0"},
			"its rate":           {func(l *models.Limits) { l.Domains = []models.DomainLimit{{Windows: window(-1, time.Second)}} }, "domains.0"},
			"many domains":       {func(l *models.Limits) { l.Domains = manyDomains(deliverability.MaxDomains + 2) }, "domains"},
			"a plan from zero":   {func(l *models.Limits) { l.WarmUp = &models.WarmUp{Growth: 2, Until: 10} }, "warmup_first"},
			"that does not grow": {func(l *models.Limits) { l.WarmUp = &models.WarmUp{FirstDay: 5, Growth: 1, Until: 10} }, "warmup_growth"},
			"or is no number":    {func(l *models.Limits) { l.WarmUp = &models.WarmUp{FirstDay: 5, Growth: math.NaN(), Until: 10} }, "warmup_growth"},
			"or has no end":      {func(l *models.Limits) { l.WarmUp = &models.WarmUp{FirstDay: 50, Growth: 2, Until: 50} }, "warmup_until"},
			"a share above all":  {func(l *models.Limits) { l.BrakeShare = 1.01 }, "brake_share"},
			"of too few":         {func(l *models.Limits) { l.BrakeWindow = 9 }, "brake_window"},
			"a time of no day":   {func(l *models.Limits) { l.QuietTo = 24 * 60 }, "quiet"},
			"less than nobody":   {func(l *models.Limits) { l.ApproveAbove = -1 }, "approve_above"},
		} {
			l := models.DefaultLimits()
			c.change(&l)
			if got := fieldsOf(w.svc.SetLimits(w.ctx, w.owner, l)); !slices.Equal(got, []string{c.field}) {
				t.Errorf("%s: fields %v", what, got)
			}
		}
		off := want
		off.BrakeShare, off.BrakeWindow, off.WarmUp, off.Domains = 0, 0, nil, manyDomains(deliverability.MaxDomains+1)
		w.must(w.svc.SetLimits(w.ctx, w.owner, off))
		for _, text := range []string{"localhost", "192.0.2.1/24", "10.0.0.1", "127.0.0.1", "100.64.1.1", "fe80::1", "fe80::1%eth0", "0.0.0.0", strings.Repeat("x", 10)} {
			if got := fieldsOf(w.svc.SetSendsFrom(w.ctx, w.owner, text)); !slices.Equal(got, []string{"sends_from"}) {
				t.Errorf("%q: fields %v", text, got)
			}
		}
		all := ""
		for i := range 21 {
			all += " 192.0.2." + strconv.Itoa(i)
		}
		if got := fieldsOf(w.svc.SetSendsFrom(w.ctx, w.owner, all)); !slices.Equal(got, []string{"sends_from"}) {
			t.Errorf("21 addresses: %v", got)
		}
		w.must(db.Exec("UPDATE sending_limits SET limits = 'x'").Error)
		if _, err := w.node().Limits(w.ctx); err == nil || fault.KindOf(err) != fault.Internal {
			t.Errorf("what cannot be read: %v", err)
		}
	})
}

func manyDomains(n int) []models.DomainLimit {
	out := []models.DomainLimit{{Connections: 1}}
	for i := range n - 1 {
		out = append(out, models.DomainLimit{Domain: "d" + strconv.Itoa(i) + ".example", Connections: 1})
	}
	return out
}

func equal(a, b models.Limits) bool {
	windows := func(a, b []models.Window) bool { return slices.Equal(a, b) }
	same := func(a, b models.DomainLimit) bool {
		return a.Domain == b.Domain && a.Connections == b.Connections && windows(a.Windows, b.Windows)
	}
	return windows(a.Account, b.Account) && a.Connections == b.Connections && slices.EqualFunc(a.Domains, b.Domains, same) && (a.WarmUp == nil) == (b.WarmUp == nil) &&
		(a.WarmUp == nil || *a.WarmUp == *b.WarmUp) && a.BrakeShare == b.BrakeShare && a.BrakeWindow == b.BrakeWindow && a.QuietFrom == b.QuietFrom && a.QuietTo == b.QuietTo &&
		a.ApproveAbove == b.ApproveAbove
}

func TestFigures(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		text := models.ConsentText{ID: models.NewID(), Purpose: models.PurposeNewsletter, Locale: "en", Version: 1, Body: "x", CreatedAt: start}
		w.must(db.Create(&text).Error)
		box := func(domain string) models.Mailbox {
			id := models.NewID()
			sum := sha256.Sum256(id[:])
			m := models.Mailbox{ID: id, AddressHash: sum[:], AddressSealed: []byte{1}, Domain: domain, CreatedAt: start, UpdatedAt: start}
			w.must(db.Create(&m).Error)
			return m
		}
		agreed := func(m models.Mailbox, given time.Time) models.Consent {
			c := models.Consent{ID: models.NewID(), MailboxID: m.ID, Purpose: models.PurposeNewsletter, TextID: text.ID, ShownAt: given, GivenAt: given}
			w.must(db.Create(&c).Error)
			return c
		}
		var batch []models.Delivery
		mail := func(m models.Mailbox, purpose models.Purpose, state models.DeliveryState, deferrals int, at time.Time) {
			d := models.Delivery{
				ID: models.NewID(), Kind: "mailing", MailboxID: m.ID, Purpose: purpose, DedupeKey: uuid.NewString(), State: state, OnUnknown: models.Park, Deferrals: deferrals,
				NotBefore: at, CreatedAt: at, UpdatedAt: at,
			}
			if state == models.DeliverySent {
				d.SentAt = &at
			}
			batch = append(batch, d)
		}
		send := func() { w.t.Helper(); w.must(db.CreateInBatches(batch, 200).Error); batch = nil }
		gmail, other := box("gmail.com"), box("example.org")
		agreed(gmail, start.AddDate(-1, 0, 0))
		gone := agreed(other, start.AddDate(-1, 0, 0))
		for i := range 1000 {
			mail(gmail, models.PurposeReceipt, models.DeliverySent, map[bool]int{i < 3: 1}[true], start.Add(-time.Duration(i%10)*24*time.Hour))
		}
		mail(gmail, models.PurposeReceipt, models.DeliverySent, 0, start.AddDate(0, 0, -31)) // too long ago
		mail(gmail, models.PurposeReceipt, models.DeliveryQueued, 0, start)
		mail(gmail, models.PurposeReceipt, models.DeliveryFailed, 0, start)
		mail(other, models.PurposeReceipt, models.DeliveryDeferred, 2, start)
		mail(other, models.PurposeNewsletter, models.DeliverySent, 0, start.AddDate(0, 0, -6)) // before they said no
		mail(other, models.PurposeNewsletter, models.DeliverySent, 0, start.AddDate(0, 0, -4)) // within two days of it
		mail(other, models.PurposeNewsletter, models.DeliverySent, 0, start.AddDate(0, 0, -2)) // and after them
		send()
		w.must(db.Exec("UPDATE consents SET withdrawn_at = ?, withdrawn_how = 'link' WHERE id = ?", start.AddDate(0, 0, -5), gone.ID).Error)
		for range 3 {
			m := box("gmail.com")
			w.must(db.Model(&m).Updates(map[string]any{"suppressed_at": start.AddDate(0, 0, -1), "suppressed_reason": models.SuppressedComplaint}).Error)
		}
		w.from("news@example.org")
		if r, err := w.svc.Last(w.ctx, w.owner); err != nil || !r.Figures.CountedAt.IsZero() {
			t.Errorf("counted by a look at the page: %+v, %v", r.Figures, err)
		}
		w.check()
		last, err := w.node().Last(w.ctx, w.owner)
		w.must(err)
		f := last.Figures
		if !f.CountedAt.Equal(start) || len(f.Domains) != 2 || f.Domains[0] != (deliverability.DomainFigures{Domain: "gmail.com", Sent: 1000, Later: 3, Failed: 1, Complaints: 3}) ||
			f.Domains[1] != (deliverability.DomainFigures{Domain: "example.org", Sent: 3, Later: 1}) {
			t.Errorf("%+v", f.Domains)
		}
		if f.Total.Sent != 1003 || f.Total.Later != 4 || f.Total.Failed != 1 || f.Total.Complaints != 3 || f.Largest != 100 || f.Late != 1 {
			t.Errorf("%+v, largest %d, late %d", f.Total, f.Largest, f.Late)
		}
		rules := func() map[string]deliverability.Requirement {
			out := map[string]deliverability.Requirement{}
			list, err := w.svc.Requirements(w.ctx, w.owner)
			w.must(err)
			for _, q := range list {
				out[q.Name] = q
			}
			return out
		}
		if q := rules()["two_days"]; q.Tone != deliverability.Stop || !slices.Equal(q.Args, []string{"Mails", "1"}) {
			t.Errorf("%+v", q)
		}
		if q := rules()["complaints"]; q.Tone != deliverability.Think || q.Args[1] != "0.30" {
			t.Errorf("3 of 1003 is a little below 0.3 %%: %+v", q)
		}
		// Who comes back and agrees again is written to rightly; and small domains are shown together.
		agreed(other, start.AddDate(0, 0, -3))
		for i := range 25 {
			mail(box("d"+strconv.Itoa(i)+".example"), models.PurposeReceipt, models.DeliverySent, 0, start)
		}
		send()
		m := box("gmail.com")
		w.must(db.Model(&m).Updates(map[string]any{"suppressed_at": start.AddDate(0, 0, -1), "suppressed_reason": models.SuppressedComplaint}).Error)
		if f = w.check().Figures; f.Late != 0 {
			t.Errorf("late %d", f.Late)
		}
		if n := len(f.Domains); n != 21 || f.Domains[20].Others != 7 || f.Domains[20].Sent != 7 {
			t.Errorf("%d rows, the last %+v", n, f.Domains[n-1])
		}
		if q := rules()["complaints"]; q.Tone != deliverability.Stop {
			t.Errorf("4 of 1028: %+v", q)
		}
	})
}
