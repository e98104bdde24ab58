package app

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"kithline/campaigns/actor"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/organisation"
	"kithline/config"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/dnsserver"
)

// From the press of "make a key" to a mail that a stranger finds well signed.
func TestMailIsSignedByTheKeysOfThePage(t *testing.T) {
	dir, dns, ctx := t.TempDir(), dnsserver.New(t), t.Context()
	cfg, err := config.Load([]string{"KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key")})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Build(ctx, cfg, Options{Resolver: dns.Resolver(), Transport: mailer.NewMemory()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(a.Organisation.Update(ctx, actor.TheSystem(), organisation.Details{Name: "Wennick", FromAddress: "news@example.org", TimeZone: "UTC", Languages: []string{"en"}, Accent: "#7b2d52"}))
	for _, algorithm := range []models.MailKeyAlgorithm{models.MailKeyRSA, models.MailKeyEd25519} {
		k, err := a.Deliverability.MakeKey(ctx, actor.TheSystem(), deliverability.NewKey{Algorithm: algorithm})
		must(err)
		r := deliverability.KeyRecord(k)
		dns.TXT(r.Name, r.Value)
	}
	from, err := a.mail.sender(ctx)
	must(err)
	if len(from.DKIM) != 0 {
		t.Fatalf("%d keys sign whose records nobody found", len(from.DKIM))
	}
	_, err = a.Deliverability.Check(ctx, actor.TheSystem())
	must(err)
	if from, err = a.mail.sender(ctx); err != nil || len(from.DKIM) != 2 {
		t.Fatalf("%d keys, %v", len(from.DKIM), err)
	}
	again, err := a.mail.sender(ctx)
	must(err)
	if again.DKIM[0] != from.DKIM[0] || again.DKIM[1] != from.DKIM[1] {
		t.Error("the signers are made anew for each batch")
	}
	raw, err := mailer.Bytes(mailer.Message{
		MessageID: mailer.NewMessageID("example.org"), FromName: from.FromName, FromAddress: from.FromAddress, To: "june@example.net", Date: a.Clock.Now(), Subject: "Tuesday", Text: "Hello",
		Bulk: true, UnsubscribeURL: "https://act.example.org/u/x",
	})
	must(err)
	head, err := mailer.SignAll(raw, from.DKIM...)
	must(err)
	found, err := dkim.VerifyWithOptions(bytes.NewReader(append(head, raw...)), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return dns.Resolver().LookupTXT(ctx, name)
	}})
	must(err)
	if len(found) != 2 {
		t.Fatalf("%d signatures", len(found))
	}
	for _, v := range found {
		if v.Err != nil || v.Domain != "example.org" {
			t.Errorf("%s: %v", v.Domain, v.Err)
		}
	}
	// Another sender is not signed for.
	must(a.Organisation.Update(ctx, actor.TheSystem(), organisation.Details{Name: "Wennick", FromAddress: "news@example.net", TimeZone: "UTC", Languages: []string{"en"}, Accent: "#7b2d52"}))
	if from, err = a.mail.sender(ctx); err != nil || len(from.DKIM) != 0 {
		t.Errorf("%d keys sign for another domain, %v", len(from.DKIM), err)
	}
}
