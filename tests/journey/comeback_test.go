package journey

import (
	"strings"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/consents"
	"kithline/campaigns/imports"
	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/tests/testapp"
)

// Who left elsewhere stands here as stopped: no mail for many, whatever they agreed to before. They still get the link to their own
// data, and may come back by themselves; then counts what they say now.
func TestWhoLeftElsewhereMayComeBack(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx := t.Context()
		old, now := topic(t, a, "Research"), topic(t, a, "Visits to the House")
		m, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, "june@example.org", a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		words, err := consents.Text(ctx, a.DB.DB, models.PurposeNewsletter, "en", "Mail about research.", a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		err = consents.Give(ctx, a.DB.DB, consents.Given{
			MailboxID: m.ID, Purpose: models.PurposeNewsletter, ScopeID: old, TextID: words.ID, Locale: "en", ShownAt: a.Clock.Now(), Source: "/join", How: models.ConsentByMail,
		}, a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		list := strings.NewReader("email,status\njune@example.org,unsubscribed\n")
		if _, err := a.Imports.Run(ctx, actor.TheSystem(), list, imports.RunOptions{Locale: "en"}, nil); err != nil {
			t.Fatal(err)
		}
		mailable := func() (scopes []string) {
			t.Helper()
			if err := a.DB.Table("mailable").Where("mailbox_id = ?", m.ID).Pluck("scope_id", &scopes).Error; err != nil {
				t.Fatal(err)
			}
			return scopes
		}
		if got := mailable(); len(got) != 0 {
			t.Fatalf("mailable after the list: %v", got)
		}

		june := a.Client(t)
		june.Get("/me").Want(200).Submit("main form", map[string]string{"email": "june@example.org"}).Want(200)
		own := a.WaitMail(t, "june@example.org", 1)[0]
		if link := testapp.Link(t, own, "/me/"); june.Get(link).Status != 200 {
			t.Error("the link to their own data does not open")
		}
		page := june.Get("/join").Want(200)
		page.Submit("form[action='/join']", map[string]string{"email": "june@example.org", "consent": box(t, page, "Mail about Visits to the House from Wennick Chronic Pain Coalition.")}).Want(200)
		if got := mailable(); len(got) != 0 {
			t.Fatalf("mailable before the press: %v", got)
		}
		june.Get(testapp.Link(t, a.WaitMail(t, "june@example.org", 2)[1], "/confirm/")).Want(200).Submit("main form button.main", nil).Want(200)
		if got := mailable(); len(got) != 1 || got[0] != now.String() {
			t.Errorf("mailable after coming back: %v, not %s alone", got, now)
		}

		// An address that bounced gets nothing, the link neither.
		b, err := mailboxes.Ensure(ctx, a.DB.DB, a.Vault, "maren@example.org", a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := mailboxes.Suppress(ctx, a.DB.DB, b.ID, models.SuppressedBounce, a.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		june.Get("/me").Want(200).Submit("main form", map[string]string{"email": "maren@example.org"}).Want(200)
		settled(t, a)
		for _, sent := range a.Mail.Messages() {
			if sent.To == "maren@example.org" {
				t.Errorf("a mail to an address that bounced: %s", sent.Subject)
			}
		}
	})
}
