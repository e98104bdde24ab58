package admin_test

import (
	"context"
	"net/url"
	"strings"
	"testing"

	"kithline/campaigns/series"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// An organizer makes a series from nothing, with forms alone, starts it, and a signer gets its mail.
func TestSeriesFromFormToMail(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		c := a.Owner(t)

		list := c.Get("/admin/series").Want(200)
		wrong := list.Submit("form[action='/admin/series']", map[string]string{"name": " "}).Want(422)
		if got := wrong.Text("#name-error"); !strings.Contains(got, "Give the series a name.") {
			t.Errorf("without a name: %s", got)
		}
		show := wrong.Submit("form[action='/admin/series']", map[string]string{"name": "After signing", "from": series.Empty, "to": p.ID.String()}).Want(200)
		if got := show.Text("main"); !strings.Contains(got, "Signed “Twenty visits”") || !strings.Contains(got, "No steps yet") || !strings.Contains(got, "From 20:00 until 09:00") {
			t.Errorf("the new series: %s", got)
		}
		stop := c.Get(show.Path + "/start").Want(200)
		if got := stop.Text(".notice"); !strings.Contains(got, "There is no mail in it yet.") || stop.Doc.Find("main form").Length() != 0 {
			t.Errorf("before the start: %s", got)
		}

		// A mail, with a field that does not exist, then right.
		mail := show.Submit("form:has(input[value='mail'])", nil).Want(200)
		bad := mail.Submit("button[value='save']", map[string]string{"subject": "Thanks <9>", "body": "Hello {{first_name}}"}).Want(422)
		if got := bad.Text("#body-error"); !strings.Contains(got, "first_name") || !strings.Contains(bad.Doc.Find("#body").Text(), "{{first_name}}") {
			t.Errorf("a wrong field: %s", got)
		}
		saved := bad.Submit("button[value='save']", map[string]string{"body": "Hello {{given_name|friend}}, {{petition_title}}."}).Want(200)
		if v := saved.Doc.Find("#subject").AttrOr("value", ""); v != "Thanks <9>" {
			t.Errorf("the subject is %q", v)
		}
		// Somebody else saves meanwhile: what was typed stays, and saving once more keeps it.
		saved.Submit("button[value='save']", map[string]string{"subject": "Theirs"}).Want(200)
		conflict := saved.Submit("button[value='save']", map[string]string{"subject": "Thanks"}).Want(409)
		if v := conflict.Doc.Find("#subject").AttrOr("value", ""); v != "Thanks" || !strings.Contains(conflict.Text("#summary"), "Somebody else changed this") {
			t.Errorf("a conflict shows %q: %s", v, conflict.Text("#summary"))
		}
		preview := conflict.Submit("button[value='preview']", nil).Want(200)
		if n := preview.Doc.Find("iframe[sandbox='']").Length(); n != 3 || !strings.Contains(preview.Text("pre"), "Twenty visits.") {
			t.Errorf("%d frames; text: %s", n, preview.Text("pre"))
		}
		frame := c.Get(preview.Doc.Find("iframe").Eq(1).AttrOr("src", "")).Want(200)
		if !strings.Contains(string(frame.Body), "Twenty visits.") || !strings.Contains(string(frame.Body), `content="dark"`) {
			t.Errorf("the dark frame: %s", frame.Body)
		}
		c.Get(saved.Path).Submit("button[value='test']", nil).Want(200)
		waitPart(t, a, "Thanks", 1)

		// In Spanish too: a link leads to the form for it.
		spanish := c.Get(strings.ReplaceAll(saved.Path, "text=en", "text=es")).Want(200)
		if v := spanish.Doc.Find("input[name='locale']").AttrOr("value", ""); v != "es" || !strings.Contains(spanish.Text("main nav"), "not written") {
			t.Errorf("the form is for %q", v)
		}
		spanish.Submit("button[value='save']", map[string]string{"subject": "Gracias", "body": "Hola"}).Want(200)

		// A wait with a wrong number, then right; a tag; then the wait goes first.
		show = c.Get(show.Path).Want(200)
		bad = show.Submit("form:has(input[value='wait'])", map[string]string{"amount": "soon"}).Want(422)
		if got := bad.Text("#amount-error"); !strings.Contains(got, "Write a whole number from 0 to 400.") || bad.Doc.Find("#amount").AttrOr("value", "") != "soon" {
			t.Errorf("a wrong wait: %s", got)
		}
		show = bad.Submit("form:has(input[value='wait'])", map[string]string{"amount": "2", "unit": "days", "weekday": "2", "hour": "09:30"}).Want(200)
		show = show.Submit("button[value='tag']", map[string]string{"tag": "Thanked"}).Want(200)
		show = show.Submit("button[value='untag']", map[string]string{"tag": "Thanked"}).Want(200)
		rows := func(p *testapp.Page) []string {
			var out []string
			for _, n := range p.Doc.Find("[aria-labelledby=steps] tbody th").EachIter() {
				out = append(out, strings.Join(strings.Fields(n.Text()), " "))
			}
			return out
		}
		if got := strings.Join(rows(show), " | "); got != "1. Mail: Thanks | 2. Wait 2 days, then until Tuesday, 09:30 | 3. Put on the tag “Thanked” | 4. Take off the tag “Thanked”" {
			t.Errorf("steps: %s", got)
		}
		show = show.Submit("[aria-labelledby=steps] tr:nth-child(3) button[value='up']", nil).Want(200)
		if got := strings.Join(rows(show), " | "); !strings.HasPrefix(got, "1. Mail: Thanks | 2. Put on the tag “Thanked” | 3. Wait") {
			t.Errorf("after moving: %s", got)
		}
		wait := c.Get(show.Doc.Find("[aria-labelledby=steps] tr:nth-child(3) th a").AttrOr("href", "")).Want(200)
		if d, h := wait.Doc.Find("#weekday option[selected]").Text(), wait.Doc.Find("#hour").AttrOr("value", ""); d != "Tuesday" || h != "09:30" {
			t.Errorf("the wait is until %q, %q", d, h)
		}
		show = wait.Submit("main form", map[string]string{"amount": "1", "weekday": "", "hour": ""}).Want(200)
		last := c.Get(show.Doc.Find("[aria-labelledby=steps] tr:nth-child(4) th a").AttrOr("href", "")).Want(200)
		remove := c.Get(last.Doc.Find("main a.stop").AttrOr("href", "")).Want(200)
		show = remove.Submit("main form", nil).Want(200)
		if got := rows(show); len(got) != 3 || got[2] != "3. Wait 1 day" {
			t.Errorf("after removing: %v", got)
		}

		// Settings: a wrong hour, then right.
		edit := c.Get(show.Path + "/edit").Want(200)
		bad = edit.Submit("main form", map[string]string{"quietfrom": "late"}).Want(422)
		if got := bad.Text("#quietfrom-error"); !strings.Contains(got, "Write a time such as 09:30.") {
			t.Errorf("a wrong hour: %s", got)
		}
		show = bad.Submit("main form", map[string]string{"quietfrom": "00:00", "quietuntil": "00:00", "acted": "yes", "again": "30"}).Want(200)
		if got := show.Text("section[aria-labelledby=settings]"); !strings.Contains(got, "Signed any petition since coming in") || !strings.Contains(got, "After 30 days") || !strings.Contains(got, "Quiet hoursNone") {
			t.Errorf("settings: %s", got)
		}

		// Live: somebody signs, and has the mail.
		show = c.Get(show.Path+"/start").Want(200).Submit("main form", nil).Want(200)
		if got := show.Text("main .tag.on"); got != "Live" {
			t.Errorf("state %q", got)
		}
		factory.Signed(t, a, p, factory.People(2)...)
		if err := a.Series.Work(context.Background()); err != nil {
			t.Fatal(err)
		}
		waitPart(t, a, "Thanks", 3)
		settledSeries(t, a)
		show = c.Get(show.Path).Want(200)
		if got := strings.Join(strings.Fields(show.Text("[aria-labelledby=steps] tbody tr:nth-child(1)")), " "); !strings.HasPrefix(got, "1. Mail: Thanks 0 2 0") {
			t.Errorf("figures of the first step: %s", got)
		}
		if got := show.Text("main .figures"); !strings.Contains(got, "Under way2") {
			t.Errorf("figures: %s", got)
		}
		show = show.Submit("form[action$='/pause']", nil).Want(200)
		show = show.Submit("form[action$='/resume']", nil).Want(200)
		end := c.Get(show.Path + "/end").Want(200)
		if !strings.Contains(end.Text("main"), "2 people leave it") {
			t.Errorf("before the end: %s", end.Text("main"))
		}
		show = end.Submit("main form", nil).Want(200)
		if got := show.Text("main"); !strings.Contains(got, "Ended") || !strings.Contains(got, "The series ended2") || show.Doc.Find("main form").Length() != 0 {
			t.Errorf("after the end: %s", got)
		}
		c.Post(show.Path+"/pause", url.Values{}).Want(409)
		c.Get("/admin/series/nothing").Want(404)
		c.Get(show.Path + "/steps/nothing").Want(404)
	})
}

// waitPart waits until n mails came whose subject has a part in it.
func waitPart(t *testing.T, a *testapp.App, part string, n int) {
	t.Helper()
	for {
		all := a.Mail.Messages()
		got := 0
		for _, m := range all {
			if strings.Contains(m.Subject, part) {
				got++
			}
		}
		if got >= n {
			return
		}
		if _, err := a.Mail.Wait(t.Context(), len(all)+1); err != nil {
			t.Fatalf("%d mails with %q, not %d", got, part, n)
		}
	}
}

// settledSeries returns once every mail of a series is recorded as sent.
func settledSeries(t *testing.T, a *testapp.App) {
	t.Helper()
	for t.Context().Err() == nil {
		var n int64
		if err := a.DB.Model(&models.Delivery{}).Where("kind = 'series' AND state <> 'sent'").Count(&n).Error; err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return
		}
	}
}
