package journey

import (
	"net/http"
	"strings"
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/testapp"
)

// A mail comes back by Postmark's call: the mailbox is on the list, the organizer sees why, and lets mail go there again.
func TestMailComesBackAndIsLetGoAgain(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		owner := a.Owner(t)
		owner.Get("/admin/settings/inbound").Want(200).Submit("form[action='/admin/settings/inbound/postmark']", map[string]string{"on": "yes"}).Want(200)
		page := owner.Get("/admin/settings/inbound").Want(200)
		hook := strings.TrimPrefix(page.Text("#postmark ~ p code"), a.URL)
		if !strings.HasPrefix(hook, "/callbacks/postmark/") {
			t.Fatalf("the page shows %q", hook)
		}
		june, err := mailboxes.Ensure(t.Context(), a.DB.DB, a.Vault, "june@example.org", a.Clock.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := mailboxes.Verify(t.Context(), a.DB.DB, june.ID, a.Clock.Now()); err != nil {
			t.Fatal(err)
		}
		ask := func() {
			t.Helper()
			a.Client(t).Get("/me").Want(200).Submit("main form", map[string]string{"email": "june@example.org"}).Want(200)
		}
		ask()
		sent := a.WaitMail(t, "june@example.org", 1)[0]
		mark, _, _ := strings.Cut(strings.TrimPrefix(sent.MessageID, "d."), "@")
		if _, err := a.Signer.Read(tokens.Message, mark, a.Clock.Now()); err != nil {
			t.Fatalf("%s: %v", sent.MessageID, err)
		}
		call := func(path, body string) int {
			t.Helper()
			req, err := http.NewRequest(http.MethodPost, a.URL+path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			return a.Client(t).Do(req).Status
		}
		bounce := `{"RecordType":"Bounce","Type":"HardBounce","Email":"june@example.org","Details":"smtp;550 5.1.1 no such user","Metadata":{"kithline":"` + mark + `"}}`
		if got := call(hook+"x", bounce); got != 404 {
			t.Errorf("a wrong secret answers %d", got)
		}
		for range 2 {
			if got := call(hook, bounce); got != 200 {
				t.Fatalf("the call answers %d", got)
			}
		}

		page = owner.Get("/admin/suppressions").Want(200)
		if row := page.Text("tbody tr"); !strings.Contains(row, "june@example.org") || !strings.Contains(row, "5.1.1") {
			t.Errorf("the list says %q", row)
		}
		one := page.Submit("form[action='/admin/suppressions/find']", map[string]string{"q": " June@Example.org"}).Want(200)
		if !strings.Contains(one.Text("main"), "no such user") || !strings.Contains(owner.Get("/admin/inbound").Want(200).Text("tbody"), "example.org") {
			t.Errorf("the page says %q", one.Text("main"))
		}
		one.Submit("form[action$='/lift']", map[string]string{"note": ""}).Want(422)
		one = one.Submit("form[action$='/lift']", map[string]string{"note": "She wrote from another address."}).Want(200)
		if one.Has("form[action$='/lift']") || !strings.Contains(one.Text("main"), "She wrote from another address.") {
			t.Errorf("after it was lifted: %q", one.Text("main"))
		}
		var box models.Mailbox
		if err := a.DB.Take(&box, "id = ?", june.ID).Error; err != nil || box.SuppressedAt != nil {
			t.Errorf("%v, %v", box.SuppressedAt, err)
		}

		// Adding a list, counted first; then a file of it.
		page = owner.Get("/admin/suppressions/add").Want(200)
		page = page.Submit("main form button[value=look]", map[string]string{"addresses": "one@example.org\nTwo@example.org\n", "note": "From the old list"}).Want(200)
		if !strings.Contains(page.Text("#looked"), "2") {
			t.Errorf("counted: %q", page.Text("#looked"))
		}
		page.Submit("main form button[value=add]", nil).Want(200)
		asked := owner.Get("/admin/suppressions?reason=import").Want(200)
		if rows := asked.Doc.Find("tbody tr").Length(); rows != 2 {
			t.Errorf("%d rows", rows)
		}
		asked.Submit("form[action='/admin/suppressions/export']", nil).Want(200)
		var made models.Export
		if err := a.DB.Take(&made, "kind = ?", "suppressions").Error; err != nil {
			t.Fatal(err)
		}
		var file strings.Builder
		if _, err := a.Exports.Write(t.Context(), actor.TheSystem(), exports.Input{Kind: exports.KindSuppressions, Format: exports.CSV}, &file, nil); err != nil {
			t.Fatal(err)
		}
		if want := "email,subscription_status,reason,suppressed_on\r\n"; !strings.HasPrefix(file.String(), want) || strings.Count(file.String(), "unsubscribed,import,2027-02-01\r\n") != 2 {
			t.Errorf("the file is %q", file.String())
		}
	})
}
