package admin_test

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// waitSubject returns the mails with a subject once there are n of them.
func waitSubject(t *testing.T, a *testapp.App, subject string, n int) []mailer.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for {
		var out []mailer.Message
		all := a.Mail.Messages()
		for _, m := range all {
			if m.Subject == subject {
				out = append(out, m)
			}
		}
		if len(out) >= n {
			return out
		}
		if _, err := a.Mail.Wait(ctx, len(all)+1); err != nil {
			t.Fatalf("%d mails %q, not %d", len(out), subject, n)
		}
	}
}

func TestComposeKeepsWhatWasTyped(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(3)
		people[2].Updates = false
		factory.Signed(t, a, p, people...)
		c := a.Owner(t)

		if empty := c.Post("/admin/mailings", url.Values{"to": {"nobody's"}}).Want(422); !strings.Contains(empty.Text("#summary"), "Choose a petition") {
			t.Errorf("an unknown petition: %s", empty.Text("#summary"))
		}
		compose := c.Get("/admin/mailings").Want(200).Submit("form[action='/admin/mailings']", nil).Want(200)
		if !strings.Contains(compose.Text("#to-hint"), "2 people would get it today") {
			t.Errorf("the hint says %s", compose.Text("#to-hint"))
		}
		if v := compose.Doc.Find("#body").Text(); !strings.Contains(v, "Hello {{given_name|friend}},") {
			t.Errorf("the text begins %q", v)
		}

		wrong := compose.Submit("button[value='save']", map[string]string{"subject": "Tuesday <9>", "body": "One\n\nHello {{first_name}} & {{goal"}).Want(422)
		if got := wrong.Text("#summary"); !strings.Contains(got, "Line 3: there is no field called “first_name”") || !strings.Contains(got, "near “goal”") {
			t.Errorf("the summary says %s", got)
		}
		if v, _ := wrong.Doc.Find("#subject").Attr("value"); v != "Tuesday <9>" || !strings.Contains(wrong.Doc.Find("#body").Text(), "{{first_name}} & {{goal") {
			t.Errorf("the form lost %q", v)
		}
		if got := wrong.Text("#body-error"); !strings.Contains(got, "first_name") {
			t.Errorf("beside the text: %s", got)
		}
		// Half typed, it is kept all the same.
		id := strings.TrimPrefix(compose.Path, "/admin/mailings/")
		auto := c.Post(compose.Path+"/draft", url.Values{
			"revision": {"1"}, "to": {p.ID.String()}, "subject": {"Tuesday"}, "body": {"Hello {{giv"},
		}).Want(200)
		if got := string(auto.Body); got != `{"fields":{"revision":2}}` {
			t.Errorf("autosave answers %s", got)
		}
		c.Post(compose.Path+"/draft", url.Values{"revision": {"1"}, "to": {p.ID.String()}, "subject": {"Other"}}).Want(409)
		if got := c.Get(compose.Path).Want(200).Doc.Find("#body").Text(); !strings.Contains(got, "Hello {{giv") {
			t.Errorf("the draft holds %q", got)
		}

		// Two windows: the second one is told, and keeps its words.
		clash := c.Post(compose.Path, url.Values{"revision": {"1"}, "to": {p.ID.String()}, "subject": {"Mine"}, "body": {"My words"}, "do": {"save"}}).Want(409)
		if !strings.Contains(clash.Text("#summary"), "Somebody else saved") || clash.Doc.Find("#body").Text() == "" {
			t.Errorf("the clash says %s", clash.Text("#summary"))
		}
		saved := clash.Submit("button[value='save']", nil).Want(200)
		if saved.Text("h1") != "Mine" {
			t.Errorf("saved as %s", saved.Text("h1"))
		}
		var m models.Mailing
		if err := a.DB.Take(&m, "id = ?", id).Error; err != nil || m.Body != "My words" || m.Revision != 3 {
			t.Errorf("%+v, %v", m, err)
		}

		// The test goes to whoever writes.
		saved.Submit("button[value='test']", nil).Want(200)
		mail := waitSubject(t, a, "[Test] Mine", 1)[0]
		if mail.To != testapp.OwnerEmail || !strings.HasPrefix(mail.Text, "My words") || !strings.Contains(mail.Text, "12 Ferry Street") {
			t.Errorf("to %s: %s", mail.To, mail.Text)
		}
	})
}

func TestPreviewIsShutIn(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Owner(t)
		page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}}).Want(200)
		page = page.Submit("button[value='save']", map[string]string{"subject": "S", "body": "Hello {{given_name}} <script>alert(1)</script> [x](javascript:alert(1)) **bold**"}).Want(200)
		for _, theme := range []string{"", "?theme=dark"} {
			doc := c.Get(page.Path + "/preview/mail" + theme).Want(200)
			csp := doc.Header.Get("Content-Security-Policy")
			if !strings.HasSuffix(csp, "; sandbox") || !strings.Contains(csp, "default-src 'none'") || strings.Contains(csp, "script-src") || doc.Header.Get("X-Frame-Options") != "SAMEORIGIN" {
				t.Errorf("policy %q, %q", csp, doc.Header.Get("X-Frame-Options"))
			}
			body := string(doc.Body)
			if strings.Contains(body, "<script") || strings.Contains(body, "javascript:") || !strings.Contains(body, "Hello Ilse") || !strings.Contains(body, "<strong>bold</strong>") {
				t.Errorf("the mail: %s", body)
			}
			if strings.Contains(body, "prefers-color-scheme") || strings.Contains(body, "@media not all") != (theme == "") {
				t.Errorf("theme %q is left to the device", theme)
			}
		}
		all := c.Get(page.Path + "/preview").Want(200)
		if n := all.Doc.Find("iframe[sandbox='']").Length(); n != 3 || !strings.Contains(all.Text("pre"), "Hello Ilse") {
			t.Errorf("%d frames, text %s", n, all.Text("pre"))
		}
		if csp := all.Header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; frame-src 'self'") {
			t.Errorf("policy %q", csp)
		}
		if csp := c.Get("/admin/mailings").Header.Get("Content-Security-Policy"); strings.Contains(csp, "frame-src") {
			t.Errorf("other pages may frame too: %q", csp)
		}
	})
}

func TestSendAndReport(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Owner(t)
		page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}}).Want(200)
		before := page.Submit("button[value='next']", map[string]string{"subject": "S", "body": "Hello {{given_name|you}}"}).Want(200)
		if before.Has("form[action$='/send']") || !strings.Contains(before.Text("main"), "Nobody would get it") {
			t.Fatalf("nobody to send to: %s", before.Text("main"))
		}
		c.Post(page.Path+"/send", url.Values{"revision": {"2"}}).Want(422)

		people := factory.People(4)
		people[3].Updates = false
		factory.Signed(t, a, p, people...)
		before = c.Get(page.Path + "/send").Want(200)
		if got := before.Text(".count"); got != "3 people get it" || !strings.Contains(before.Text("table"), "or left the list− 1") {
			t.Errorf("%s; %s", got, before.Text("table"))
		}
		report := before.Submit("form[action$='/send']", nil).Want(200)
		for _, m := range waitSubject(t, a, "S", 3) {
			if m.To == people[3].Email || !strings.HasPrefix(m.Text, "Hello June") {
				t.Errorf("%s got %s", m.To, m.Text)
			}
		}
		c.Post(page.Path+"/send", url.Values{"revision": {"2"}}).Want(409)
		if report.Path != page.Path || !report.Has("progress") {
			t.Errorf("%s shows %s", report.Path, report.Text("main"))
		}
		for end := time.Now().Add(20 * time.Second); ; { // the last answer is written down after the mail is there
			report = c.Get(page.Path).Want(200)
			if got := report.Text(".figures"); strings.Contains(got, "Handed over3") {
				break
			} else if time.Now().After(end) {
				t.Fatalf("the report says %s", got)
			}
		}
		req, err := http.NewRequest(http.MethodGet, a.URL+page.Path+"/progress", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("HX-Request", "true")
		if part := c.Do(req).Want(200); strings.Contains(string(part.Body), "<html") || !strings.Contains(string(part.Body), `id="moving"`) {
			t.Errorf("the part is %s", part.Body)
		}
		if rows := c.Get("/admin/mailings").Want(200); !strings.Contains(rows.Text("tbody"), "S Twenty visits") {
			t.Errorf("the list says %s", rows.Text("tbody"))
		}
	})
}

func TestPauseGoOnAndStopByPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Owner(t)
		page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}}).Want(200)
		c.Post(page.Path+"/pause", nil).Want(409)
		c.Get(page.Path+"/stop").Want(200).Submit("form[action$='/stop']", nil).Want(200)
		if got := c.Get(page.Path).Want(200).Text("main"); !strings.Contains(got, "stopped for good") {
			t.Errorf("thrown away: %s", got)
		}
		// One that is on its way, set there by hand: nothing goes out meanwhile.
		for _, state := range []string{"paused", "sending"} {
			if err := a.DB.Exec("UPDATE mailings SET state = ?, frozen_at = created_at", state).Error; err != nil {
				t.Fatal(err)
			}
		}
		if err := a.DB.Exec("UPDATE mailings SET state = 'paused', paused_at = created_at").Error; err != nil {
			t.Fatal(err)
		}
		if today := c.Get("/admin").Want(200); !strings.Contains(today.Text("main"), "1 paused mailing") {
			t.Errorf("today says %s", today.Text("main"))
		}
		on := c.Get(page.Path).Want(200).Submit("form[action$='/resume']", nil).Want(200)
		if !strings.Contains(on.Text("main"), "It goes on.") {
			t.Errorf("resumed: %s", on.Text("main"))
		}
		c.Post(page.Path+"/unknown", url.Values{"do": {"perhaps"}}).Want(422)
		if got := c.Post(page.Path+"/unknown", url.Values{"do": {"leave"}}).Want(200); !strings.Contains(got.Text("main"), "0 mails are left") {
			t.Errorf("settled: %s", got.Text("main"))
		}
	})
}

func TestMailingPagesAreForThoseWithTheRight(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Owner(t)
		page := c.Post("/admin/mailings", url.Values{"to": {p.ID.String()}}).Want(200)
		nobody := a.Client(t)
		for _, path := range []string{"/admin/mailings", page.Path, page.Path + "/preview", page.Path + "/preview/mail", page.Path + "/send", page.Path + "/stop"} {
			if got := nobody.Get(path).Want(200); !strings.HasPrefix(got.Path, "/admin/login") {
				t.Errorf("%s led to %s", path, got.Path)
			}
		}
		for _, path := range []string{"", "/draft", "/send", "/pause", "/resume", "/stop", "/unknown"} {
			nobody.Post(page.Path+path, url.Values{"do": {"leave"}}).Want(401)
		}
		for _, id := range []string{"x", "00000000-0000-7000-8000-000000000009"} {
			for _, path := range []string{"", "/preview", "/preview/mail", "/send", "/stop"} {
				c.Get("/admin/mailings/" + id + path).Want(404)
			}
			for _, path := range []string{"/pause", "/resume", "/stop", "/send"} {
				c.Post("/admin/mailings/"+id+path, nil).Want(404)
			}
		}
	})
}
