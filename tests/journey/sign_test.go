// Package journey walks the main job as its people do: without JavaScript, over HTTP, by forms, links and mails, with the
// whole program running on both databases.
package journey

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

func sign(t *testing.T, c *testapp.Client, path string, fields map[string]string) *testapp.Page {
	t.Helper()
	all := map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "00209", "display": "initials"}
	for k, v := range fields {
		all[k] = v
	}
	return c.Get(path).Want(200).Submit("form[action$='/sign']", all)
}

func count(t *testing.T, a *testapp.App, path string) int {
	t.Helper()
	var figures struct {
		SignatureCount *int `json:"signature_count"`
	}
	a.Clock.Add(5 * time.Second) // figures are kept for a moment
	page := a.Client(t).Get(path + ".json").Want(200)
	if err := json.Unmarshal(page.Body, &figures); err != nil || figures.SignatureCount == nil {
		t.Fatalf("%v: %s", err, page.Body)
	}
	return *figures.SignatureCount
}

func TestSignConfirmCounted(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		path := "/petitions/" + factory.Petition(t, a, "Twenty visits").Slug
		june := a.Client(t)
		sign(t, june, path, map[string]string{"comment": "After visit six I did the exercises from a sheet.", "updates": "yes"}).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if n := count(t, a, path); n != 0 {
			t.Fatalf("%d counted before the address was confirmed", n)
		}
		if strings.Contains(mail.Subject+mail.FromName, "ain") {
			t.Errorf("a locked screen shows %q from %q", mail.Subject, mail.FromName)
		}

		// A mail scanner follows the link: nothing happens.
		link := testapp.Link(t, mail, "/confirm/")
		scanner := a.Client(t)
		scanner.Get(link).Want(200)
		scanner.Get(link).Want(200)
		if n := count(t, a, path); n != 0 {
			t.Fatal("a GET confirmed")
		}

		// Whoever presses the button stands for all of it, so the page shows all of it: the form may have been somebody else's.
		if page := a.Client(t).Get(link).Text("main"); !strings.Contains(page, "June O.") || !strings.Contains(page, "After visit six I did the exercises from a sheet.") {
			t.Errorf("the page before confirming: %s", page)
		}
		done := a.Client(t).Get(link).Want(200).Submit("main form button.main", nil).Want(200)
		if !strings.HasPrefix(done.Path, path+"/thanks") {
			t.Errorf("after confirming: %s", done.Path)
		}
		if n := count(t, a, path); n != 1 {
			t.Fatalf("%d counted after confirming", n)
		}
		a.Client(t).Get(link).Want(200) // again: nothing breaks, nothing counts twice
		if n := count(t, a, path); n != 1 {
			t.Fatal("counted twice")
		}
		var s models.Supporter
		if err := a.DB.Take(&s).Error; err != nil {
			t.Fatal("no supporter: ", err)
		}
		var c models.Consent
		if err := a.DB.Take(&c).Error; err != nil || c.Purpose != models.PurposeUpdates || c.How != models.ConsentByMail {
			t.Fatalf("consent %+v, %v", c, err)
		}
	})
}

// The short code works in the browser that signed, and in no other.
func TestCodeInTheBrowserThatSigned(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		path := "/petitions/" + factory.Petition(t, a, "Twenty visits").Slug
		june := a.Client(t)
		sent := sign(t, june, path, nil).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		var sig models.Signature
		if err := a.DB.Take(&sig).Error; err != nil {
			t.Fatal(err)
		}
		code := a.Signer.Code(tokens.Confirm, sig.ID)
		if !strings.Contains(strings.ReplaceAll(mail.Text, " ", ""), code) {
			t.Fatalf("the mail does not hold the code %s: %s", code, mail.Text)
		}
		stranger := a.Client(t)
		stranger.Get("/confirm").Want(200).Submit("form[action='/confirm']", map[string]string{"code": code})
		if n := count(t, a, path); n != 0 {
			t.Fatal("the code worked in another browser")
		}
		sent.Submit("form[action='/confirm']", map[string]string{"code": strings.ToLower(code[:3]) + " " + code[3:]}).Want(200)
		if n := count(t, a, path); n != 1 {
			t.Fatalf("%d counted after typing the code", n)
		}
	})
}

// The form answers the same for an address that has signed and for one that has not; and it changes nobody's record.
func TestNoOracle(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		path := "/petitions/" + factory.Petition(t, a, "Twenty visits").Slug
		sign(t, a.Client(t), path, nil).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		a.Client(t).Get(testapp.Link(t, mail, "/confirm/")).Submit("main form button.main", nil).Want(200)
		var before models.Supporter
		if err := a.DB.Take(&before).Error; err != nil {
			t.Fatal(err)
		}

		known := sign(t, a.Client(t), path, map[string]string{"given_name": "Mallory", "family_name": "Else"}).Want(200)
		unknown := sign(t, a.Client(t), path, map[string]string{"given_name": "Mallory", "family_name": "Else", "email": "new@example.org"}).Want(200)
		if known.Path != unknown.Path || known.Text("main") != unknown.Text("main") {
			t.Errorf("the answers differ:\n%s\n%s", known.Text("main"), unknown.Text("main"))
		}
		if got := a.WaitMail(t, "june@example.org", 2); strings.Contains(got[1].Text, "Mallory") {
			t.Errorf("what a stranger typed reached the mail of somebody else: %s", got[1].Text)
		}
		var after models.Supporter
		if err := a.DB.Take(&after).Error; err != nil || string(after.GivenNameSealed) != string(before.GivenNameSealed) || !after.UpdatedAt.Equal(before.UpdatedAt) {
			t.Errorf("the record changed: %+v %v", after, err)
		}
	})
}
