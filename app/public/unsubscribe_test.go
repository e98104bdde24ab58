package public_test

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/mailings"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"

	"gorm.io/gorm"
)

// mailed signs a person up and puts a mail of a mailing into their hands: the path of its way out.
func mailed(t *testing.T, a *testapp.App) (way string, m models.Mailing, box models.Mailbox) {
	t.Helper()
	p := factory.Petition(t, a, "Twenty visits")
	factory.Signed(t, a, p, factory.People(1)...)
	id, err := a.Mailings.Create(t.Context(), factory.Owner(t, a), p.ID)
	if err != nil {
		t.Fatal(err)
	}
	if err := a.DB.Take(&m, "id = ?", id).Error; err != nil {
		t.Fatal(err)
	}
	if err := a.DB.Take(&box, "id IN (SELECT mailbox_id FROM signatures WHERE petition_id = ?)", p.ID).Error; err != nil {
		t.Fatal(err)
	}
	d := deliveries.New{
		ID: models.NewID(), Kind: mailings.KindMailing, MailboxID: box.ID, SubjectID: id, MailingID: &id, Purpose: m.Purpose, ScopeID: m.ScopeID,
		DedupeKey: "test/" + id.String(), Priority: models.PriorityBulk, OnUnknown: models.Park,
	}
	if err := a.DB.Tx(t.Context(), func(tx *gorm.DB) error { _, err := deliveries.Insert(t.Context(), tx, d, a.Clock.Now()); return err }); err != nil {
		t.Fatal(err)
	}
	return "/u/" + a.Signer.MakeForever(tokens.Unsubscribe, d.ID), m, box
}

func subscribed(t *testing.T, a *testapp.App, box models.Mailbox) bool {
	t.Helper()
	var n int64
	if err := a.DB.Table("mailable").Where("mailbox_id = ?", box.ID).Count(&n).Error; err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// raw sends a request as a mail program does: no cookies, no redirects followed.
func raw(t *testing.T, method, address, contentType, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	for i := 0; i+1 < len(headers) && headers[i] != ""; i += 2 {
		req.Header.Set(headers[i], headers[i+1])
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, string(b)
}

// RFC 8058: whatever form the request has, it gets 200 and the subscription has ended.
func TestOneClick(t *testing.T) {
	multi := "--b\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b--\r\n"
	form := "application/x-www-form-urlencoded"
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		way, m, box := mailed(t, a)
		for _, c := range []struct{ name, kind, body, header, value string }{
			{"urlencoded", form, "List-Unsubscribe=One-Click", "", ""},
			{"urlencoded with charset", form + "; charset=utf-8", "List-Unsubscribe=One-Click", "", ""},
			{"multipart", "multipart/form-data; boundary=b", multi, "", ""},
			{"broken multipart", "multipart/form-data; boundary=b", "--b\r\nno", "", ""},
			{"multipart without boundary", "multipart/form-data", multi, "", ""},
			{"no body", "", "", "", ""},
			{"no type", "", "List-Unsubscribe=One-Click", "", ""},
			{"another type", "text/plain", "List-Unsubscribe=One-Click", "", ""},
			{"from another site", form, "List-Unsubscribe=One-Click", "Origin", "https://mail.example.org"},
			{"from another site's page", form, "List-Unsubscribe=One-Click", "Sec-Fetch-Site", "cross-site"},
			{"asking for JSON", form, "List-Unsubscribe=One-Click", "Accept", "application/json"},
		} {
			again := &models.Consent{}
			if err := a.DB.Where("mailbox_id = ?", box.ID).Order("given_at DESC, id DESC").Take(again).Error; err != nil {
				t.Fatal(err)
			}
			if again.WithdrawnAt != nil { // a new yes for each case
				again.ID, again.WithdrawnAt, again.WithdrawnHow = models.NewID(), nil, ""
				if err := a.DB.Create(again).Error; err != nil {
					t.Fatal(err)
				}
			}
			if !subscribed(t, a, box) {
				t.Fatal("nothing to end")
			}
			for range 3 {
				res, body := raw(t, "POST", a.URL+way, c.kind, c.body, c.header, c.value)
				if res.StatusCode != 200 || res.Header.Get("Location") != "" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") || len(body) > 100 {
					t.Errorf("%s: %d, %s, %q", c.name, res.StatusCode, res.Header.Get("Content-Type"), body)
				}
				if len(res.Cookies()) > 0 {
					t.Errorf("%s: it sets cookies", c.name)
				}
			}
			if subscribed(t, a, box) {
				t.Errorf("%s: still subscribed", c.name)
			}
		}
		var d models.Delivery
		if err := a.DB.Take(&d, "mailing_id = ?", m.ID).Error; err != nil || d.State != models.DeliverySuppressed {
			t.Errorf("what was queued is %s, %v", d.State, err)
		}
		// Erased since: the same answer. Never made here: none of it.
		erased := "/u/" + a.Signer.MakeForever(tokens.Unsubscribe, models.NewID())
		_, want := raw(t, "POST", a.URL+way, form, "List-Unsubscribe=One-Click")
		if res, body := raw(t, "POST", a.URL+erased, form, "List-Unsubscribe=One-Click"); res.StatusCode != 200 || body != want {
			t.Errorf("erased: %d %q", res.StatusCode, body)
		}
		for _, bad := range []string{"/u/x", way + "x", way[:len(way)-1]} {
			if res, _ := raw(t, "POST", a.URL+bad, form, "List-Unsubscribe=One-Click"); res.StatusCode != 404 {
				t.Errorf("%s: %d", bad, res.StatusCode)
			}
		}
	})
}

func TestUnsubscribeByThePage(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		way, _, box := mailed(t, a)
		c := a.Client(t)
		// Scanners follow links: looking changes nothing.
		for range 2 {
			page := c.Get(way).Want(200)
			if !page.Has("form[action='"+way+"']") || page.Header.Get("Referrer-Policy") != "no-referrer" {
				t.Fatalf("%s", page.Text("main"))
			}
		}
		if res, _ := raw(t, "HEAD", a.URL+way, "", ""); res.StatusCode != 200 || !subscribed(t, a, box) {
			t.Fatal("looking ended the subscription")
		}
		left := c.Get(way).Submit("main form", nil).Want(200)
		if left.Path != way || !strings.Contains(left.Text("main"), "You will get no more mails about") || subscribed(t, a, box) {
			t.Fatalf("%s: %s", left.Path, left.Text("main"))
		}
		var cs models.Consent
		if err := a.DB.Take(&cs, "mailbox_id = ?", box.ID).Error; err != nil || cs.WithdrawnHow != "page" {
			t.Errorf("%+v, %v", cs, err)
		}
		// From another site, nobody is put back on a list.
		if res, _ := raw(t, "POST", a.URL+way+"/undo", "", "", "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 || subscribed(t, a, box) {
			t.Errorf("undone from elsewhere: %d", res.StatusCode)
		}
		back := left.Submit("form[action$='/undo']", nil).Want(200)
		if !strings.Contains(back.Text("main"), "You get mails about") || !subscribed(t, a, box) {
			t.Fatalf("undo: %s", back.Text("main"))
		}
		left = c.Get(way).Submit("main form", nil).Want(200)
		a.Clock.Add(31 * time.Minute)
		late := left.Submit("form[action$='/undo']", nil).Want(200)
		if !strings.Contains(late.Text("main"), "more than half an hour") || subscribed(t, a, box) {
			t.Fatalf("a late undo: %s", late.Text("main"))
		}
		if c.Get(way).Want(200).Has("form[action$='/undo'], form[action='" + way + "']") {
			t.Error("there is still a button")
		}
		bad := c.Get("/u/unknown").Want(404)
		if got := bad.Text("main"); !strings.Contains(got, "newest mail") || !strings.Contains(got, "555-0142") {
			t.Errorf("an unknown link: %s", got)
		}
		gone := c.Get("/u/" + a.Signer.MakeForever(tokens.Unsubscribe, models.NewID())).Want(200)
		if !strings.Contains(gone.Text("main"), "keep nothing about this mail") {
			t.Errorf("an erased mail: %s", gone.Text("main"))
		}
	})
}

// On a bad day one press is enough: mail rests for a month, for three, until a day or until the person says, and comes again, without
// signing in, and what else stands on the page stays as it is.
func TestRestFromMail(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		way, _, box := mailed(t, a)
		c := a.Client(t)
		until := func() *time.Time {
			t.Helper()
			var m models.Mailbox
			if err := a.DB.Take(&m, "id = ?", box.ID).Error; err != nil {
				t.Fatal(err)
			}
			return m.PausedUntil
		}
		if !c.Get(way).Want(200).Has("button[value='month']") || until() != nil {
			t.Fatal("it rests by being looked at")
		}
		for _, step := range []struct{ button, want, say string }{
			{"month", "2027-03-01T05:00:00Z", "Mail rests until"},
			{"quarter", "2027-05-01T04:00:00Z", "Mail rests until"}, // summer time by then
			{"told", "9999-12-31T00:00:00Z", "Mail rests until you say"},
		} {
			page := c.Get(way).Submit("button[value='"+step.button+"']", nil).Want(200)
			if got := until(); got == nil || got.UTC().Format(time.RFC3339) != step.want || !strings.Contains(page.Text("main"), step.say) {
				t.Errorf("%s: until %v: %s", step.button, got, page.Text("main"))
			}
		}
		// Choosing something else leaves a pause without an end as it is.
		saved := c.Get(way).Submit("form[action$='/preferences'] button", map[string]string{"frequency": "important"}).Want(200)
		if got := until(); got == nil || got.Year() != 9999 {
			t.Errorf("the pause ended by another choice: %v, %s", got, saved.Text("main"))
		}
		var frequency string
		if err := a.DB.Raw("SELECT frequency FROM supporters WHERE id = (SELECT supporter_id FROM mailboxes WHERE id = ?)", box.ID).Scan(&frequency).Error; err != nil || frequency != "important" {
			t.Errorf("how often: %q, %v", frequency, err)
		}
		wrong := c.Post(way+"/rest", url.Values{"do": {"day"}, "until": {"2020-01-01"}}).Want(422)
		if !strings.Contains(wrong.Text("#until-error"), "day") || wrong.Doc.Find("#until").AttrOr("value", "") != "2020-01-01" {
			t.Errorf("a day that is over: %s", wrong.Text("main"))
		}
		c.Post(way+"/rest", url.Values{"do": {"perhaps"}}).Want(422)
		c.Post(way+"/rest", url.Values{"do": {"day"}, "until": {"2027-02-10"}}).Want(200)
		if got := until(); got == nil || got.UTC().Format(time.RFC3339) != "2027-02-10T05:00:00Z" {
			t.Errorf("until a day: %v", got)
		}
		if page := c.Get(way).Submit("button[value='end']", nil).Want(200); until() != nil || !strings.Contains(page.Text("main"), "Mail comes again") {
			t.Errorf("not ended: %s", page.Text("main"))
		}
		c.Post("/u/"+a.Signer.MakeForever(tokens.Unsubscribe, models.NewID())+"/rest", url.Values{"do": {"month"}}).Want(200) // erased since: nothing to say
		c.Post("/u/nonsense/rest", url.Values{"do": {"month"}}).Want(404)
		if res, _ := raw(t, "POST", a.URL+way+"/rest", "application/x-www-form-urlencoded", "do=month", "Sec-Fetch-Site", "cross-site"); res.StatusCode != 403 || until() != nil {
			t.Errorf("from another site: %d", res.StatusCode)
		}
	})
}

// A counted link leads where it stood for, counts one for each who follows it, and says nothing of them.
func TestCountedLinks(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		_, m, _ := mailed(t, a)
		link := models.MailingLink{ID: models.NewID(), MailingID: m.ID, Number: 1, URL: "https://example.org/report?a=1&b=2"}
		if err := a.DB.Create(&link).Error; err != nil {
			t.Fatal(err)
		}
		at := a.URL + "/r/" + a.Signer.MakeForever(tokens.Link, link.ID)
		count := func() (n int) {
			t.Helper()
			if err := a.DB.Raw("SELECT COALESCE(sum(clicks), 0) FROM mailing_clicks WHERE link_id = ?", link.ID).Scan(&n).Error; err != nil {
				t.Fatal(err)
			}
			return n
		}
		for i, c := range []struct{ method, header, value string }{
			{"GET", "", ""}, {"HEAD", "", ""}, {"GET", "Sec-Purpose", "prefetch;prerender"}, {"GET", "Referer", "https://mail.example.org/"},
		} {
			res, _ := raw(t, c.method, at, "", "", c.header, c.value)
			if res.StatusCode != 302 || res.Header.Get("Location") != link.URL || res.Header.Get("Cache-Control") != "no-store" || res.Header.Get("Referrer-Policy") != "no-referrer" || len(res.Cookies()) > 0 {
				t.Errorf("%d: %d to %q, %v", i, res.StatusCode, res.Header.Get("Location"), res.Header)
			}
		}
		if n := count(); n != 2 {
			t.Errorf("%d clicks", n)
		}
		for _, bad := range []string{"/r/nonsense?url=https://example.net/", "/r/" + a.Signer.MakeForever(tokens.Unsubscribe, link.ID), "/r/" + a.Signer.MakeForever(tokens.Link, m.ID)} {
			if res, _ := raw(t, "GET", a.URL+bad, "", ""); res.StatusCode != 404 || res.Header.Get("Location") != "" {
				t.Errorf("%s: %d to %q", bad, res.StatusCode, res.Header.Get("Location"))
			}
		}
		if res, _ := raw(t, "GET", at+"?url=https://example.net/", "", ""); res.Header.Get("Location") != link.URL {
			t.Errorf("it leads to %q", res.Header.Get("Location"))
		}
	})
}
