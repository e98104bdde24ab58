package journey

import (
	"context"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// write composes a mailing to the signers of the one petition by its pages, sends it, and waits until it is over.
func write(t *testing.T, a *testapp.App, owner *testapp.Client, subject, body string) models.Mailing {
	t.Helper()
	list := owner.Get("/admin/mailings").Want(200)
	compose := list.Submit("form[action='/admin/mailings'] button", nil).Want(200)
	sent := compose.Submit("button[name='do'][value='next']", map[string]string{"subject": subject, "body": body}).Want(200)
	sent.Submit("form[action$='/send'] button.main", nil).Want(200)
	var m models.Mailing
	if err := a.DB.Take(&m, "subject = ?", subject).Error; err != nil {
		t.Fatal(err)
	}
	return m
}

func to(messages []mailer.Message, subject string) map[string]mailer.Message {
	out := map[string]mailer.Message{}
	for _, m := range messages {
		if m.Subject == subject {
			out[m.To] = m
		}
	}
	return out
}

func waitFor(t *testing.T, a *testapp.App, subject string, n int) map[string]mailer.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testapp.Patience)
	defer cancel()
	for {
		all := a.Mail.Messages()
		if got := to(all, subject); len(got) >= n {
			return got
		}
		if _, err := a.Mail.Wait(ctx, len(all)+1); err != nil {
			t.Fatalf("%d of %d mails of %q went out", len(to(a.Mail.Messages(), subject)), n, subject)
		}
	}
}

// An organizer writes to the signers; only who agreed gets it; one leaves by one press of the mail program; the next mailing
// skips them.
func TestWriteToTheSigners(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		people := factory.People(5)
		people[4].Updates = false
		factory.Signed(t, a, p, people...)
		owner := a.Owner(t)

		write(t, a, owner, "Tuesday: three ways in", "# The hearing has a date\n\nHello {{given_name|friend}}, [read on]({{petition_url}}).")
		got := waitFor(t, a, "Tuesday: three ways in", 4)
		if _, ok := got[people[4].Email]; ok || len(got) != 4 {
			t.Fatalf("%d got it", len(got))
		}
		m := got[people[0].Email]
		if !strings.Contains(m.Text, "Hello June") || !strings.Contains(m.HTML, "Hello June") || !strings.Contains(m.Text, a.URL+"/petitions/"+p.Slug) {
			t.Errorf("the text: %s", m.Text)
		}
		for _, need := range []string{"12 Ferry Street", "/u/"} {
			if !strings.Contains(m.Text, need) {
				t.Errorf("the text lacks %q: %s", need, m.Text)
			}
		}

		// RFC 8058: the mail program posts by itself, without cookies, from anywhere.
		raw, err := mailer.Bytes(m)
		if err != nil {
			t.Fatal(err)
		}
		header := regexp.MustCompile(`(?m)^List-Unsubscribe: <([^>]+)>`).FindSubmatch([]byte(strings.ReplaceAll(string(raw), "\r\n ", " ")))
		if header == nil || !strings.Contains(string(raw), "List-Unsubscribe-Post: List-Unsubscribe=One-Click") {
			t.Fatalf("no one-click header: %s", raw)
		}
		for range 2 {
			res, err := http.Post(string(header[1]), "application/x-www-form-urlencoded", strings.NewReader("List-Unsubscribe=One-Click"))
			if err != nil {
				t.Fatal(err)
			}
			_ = res.Body.Close()
			if res.StatusCode != 200 || res.Request.Method != http.MethodPost {
				t.Fatalf("one click: %s %d", res.Request.Method, res.StatusCode)
			}
		}
		write(t, a, owner, "Thank you", "It is done.")
		got = waitFor(t, a, "Thank you", 3)
		if _, ok := got[people[0].Email]; ok || len(got) != 3 {
			t.Fatalf("%d got the second one", len(got))
		}
	})
}
