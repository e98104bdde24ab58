package public_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/testapp"
)

// published makes a public petition by the operations of the pages.
func published(t *testing.T, a *testapp.App, title string) models.Petition {
	t.Helper()
	ctx, system := context.Background(), actor.TheSystem()
	p, err := a.Petitions.Create(ctx, system, petitions.CreateInput{Draft: petitions.Draft{
		Title: title, Summary: "We ask the Committee to pass HB 412.", Body: "Most plans **stop** after six visits.\n\n<script>alert(1)</script>",
		Decider: "House Health Committee", WhyNow: "The hearing is on 16 March.", SystemChange: "Twenty visits a year.", Goal: 500, Locale: "en",
	}})
	if err != nil {
		t.Fatal(err)
	}
	if p, err = a.Petitions.Submit(ctx, system, p.ID, p.Revision); err != nil {
		t.Fatal(err)
	}
	if p, err = a.Petitions.Publish(ctx, system, p.ID, p.Revision); err != nil {
		t.Fatal(err)
	}
	return p
}

func june(email string) map[string]string {
	return map[string]string{"given_name": "June", "family_name": "Okafor", "email": email, "postal_code": "00012", "display": "initials"}
}

const signForm = "form[action$='/sign']"

func figures(t *testing.T, a *testapp.App, c *testapp.Client, slug string) petitions.Figures {
	t.Helper()
	a.Clock.Add(5 * time.Second) // figures are kept for a moment
	page := c.Get("/petitions/" + slug + ".json").Want(200)
	var f petitions.Figures
	if err := json.Unmarshal(page.Body, &f); err != nil {
		t.Fatal(err)
	}
	if page.Header.Get("Access-Control-Allow-Origin") != "*" {
		t.Error("the figures are not open to other sites")
	}
	return f
}

func TestSignConfirmCounted(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		c := a.Client(t)
		home := c.Get("/").Want(200)
		if !home.Has("a[href='/petitions/twenty-visits']") {
			t.Error("the first page does not list the petition")
		}
		page := c.Get("/petitions/twenty-visits?source=poster").Want(200)
		if page.Has("main script") || !strings.Contains(page.Text("main"), "Most plans stop after six visits.") {
			t.Error(page.Text("main"))
		}
		if page.Header.Get("Set-Cookie") != "" {
			t.Errorf("a page for everybody sets a cookie: %s", page.Header.Get("Set-Cookie"))
		}
		fields := june("june@example.org")
		fields["comment"], fields["updates"] = "It was <b>not</b> the same.", "yes"
		sent := page.Submit(signForm, fields).Want(200)
		if sent.Path != "/petitions/twenty-visits/sent" || strings.Contains(string(sent.Body), "june@example.org") {
			t.Errorf("%s: %s", sent.Path, sent.Text("main"))
		}
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		link := testapp.Link(t, mail, "/confirm/")
		if f := figures(t, a, c, p.Slug); f.SignatureCount != 0 {
			t.Errorf("%d are counted before the confirmation", f.SignatureCount)
		}
		reader := a.Client(t) // another device
		confirm := reader.Get(link).Want(200)
		for range 3 {
			reader.Get(link).Want(200)
		}
		if f := figures(t, a, c, p.Slug); f.SignatureCount != 0 {
			t.Errorf("reading the page counted: %d", f.SignatureCount)
		}
		if confirm.Header.Get("Referrer-Policy") != "no-referrer" || confirm.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%v", confirm.Header)
		}
		if text := confirm.Text("main"); !strings.Contains(text, "Twenty visits") || !strings.Contains(text, "As June O.") || !strings.Contains(text, "with mails about it") {
			t.Error(text)
		}
		thanks := confirm.Submit("form button.main", nil).Want(200)
		if thanks.Path != "/petitions/twenty-visits/thanks" || !strings.Contains(thanks.Text("main"), "It is number 1.") {
			t.Errorf("%s: %s", thanks.Path, thanks.Text("main"))
		}
		own := thanks.Follow("main a[href*='/mine/']").Want(200)
		if text := own.Text("main"); !strings.Contains(text, "June Okafor") || !strings.Contains(text, "June O.") || !strings.Contains(text, "It was <b>not</b> the same.") || own.Header.Get("Referrer-Policy") != "no-referrer" {
			t.Errorf("%s: %v", text, own.Header)
		}
		if f := figures(t, a, c, p.Slug); f.SignatureCount != 1 || f.Goal != 500 || f.State != "published" || f.Title != "Twenty visits" {
			t.Errorf("%+v", f)
		}
		again := confirm.Submit("form button.main", nil).Want(200)
		if !strings.Contains(again.Text("main"), "confirmed already") || figures(t, a, c, p.Slug).SignatureCount != 1 {
			t.Errorf("twice: %s", again.Text("main"))
		}
		if text := reader.Get(link).Want(200).Text("main"); !strings.Contains(text, "This is confirmed already") {
			t.Error(text)
		}
		svg := c.Get("/petitions/twenty-visits/qr.svg").Want(200)
		if svg.Header.Get("Content-Type") != "image/svg+xml" || !bytes.HasPrefix(svg.Body, []byte("<svg")) {
			t.Errorf("%s %.80s", svg.Header.Get("Content-Type"), svg.Body)
		}
		a.Clock.Add(time.Minute) // the kept page is made anew
		if text := c.Get("/petitions/twenty-visits").Want(200).Text("main"); !strings.Contains(text, "June O.") || strings.Contains(text, "not the same") || !strings.Contains(text, "1 person has signed") {
			t.Error(text)
		}
		c.Get("/campaigns/twenty-visits").Want(200)
		c.Get("/petitions/twenty-visits/share").Want(200)
	})
}

func TestTheFormKeepsWhatWasTyped(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		c := a.Client(t)
		form := c.Get("/petitions/" + p.Slug).Want(200)
		fields := june("june.example.org")
		fields["postal_code"], fields["comment"], fields["display"], fields["updates"] = "", "a \"quoted\" <b>word</b>", "anonymous", "yes"
		page := form.Submit(signForm, fields).Want(422)
		if title := page.Text("title"); !strings.HasPrefix(title, "Error:") {
			t.Errorf("title %q", title)
		}
		if !page.Has("#summary[autofocus] a[href='#email']") || !page.Has("#summary a[href='#postal_code']") || page.Doc.Find("#summary li").Length() != 2 {
			t.Error(page.Text("#summary"))
		}
		for selector, want := range map[string]string{"#given_name": "June", "#family_name": "Okafor", "#email": "june.example.org"} {
			if got := page.Doc.Find(selector).AttrOr("value", ""); got != want {
				t.Errorf("%s holds %q", selector, got)
			}
		}
		if got := page.Text("#comment"); got != fields["comment"] {
			t.Errorf("comment: %q", got)
		}
		if !page.Has("#email[aria-invalid='true']") || !page.Has("input[value='anonymous'][checked]") || !page.Has("#updates[checked]") || page.Has("#comment b") {
			t.Error(string(page.Body))
		}
		for name, v := range map[string]string{
			"given_name": "J%00une", "family_name": "Oka%FFfor", "email": "a@example.org%0D%0ABcc:+x@example.org", "comment": strings.Repeat("x", 2001),
		} {
			values := "given_name=June&family_name=Okafor&email=j@example.org&postal_code=00012"
			req, err := http.NewRequest(http.MethodPost, a.URL+"/petitions/"+p.Slug+"/sign", strings.NewReader(values+"&"+name+"="+v))
			if name != "comment" {
				req, err = http.NewRequest(http.MethodPost, a.URL+"/petitions/"+p.Slug+"/sign", strings.NewReader(name+"="+v+"&"+values))
			}
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			if page := c.Do(req).Want(422); !page.Has("#"+name+"[aria-invalid='true']") || page.Doc.Find("#postal_code").AttrOr("value", "") != "00012" {
				t.Errorf("%s: %s", name, page.Text("main"))
			}
		}
		if status := announce(t, a, "/petitions/"+p.Slug+"/sign", 5<<20); !strings.Contains(status, " 413 ") {
			t.Errorf("5 MB: %s", status)
		}
		if _, err := a.Petitions.Steer(context.Background(), actor.TheSystem(), p.ID, petitions.Close); err != nil {
			t.Fatal(err)
		}
		closed := form.Submit(signForm, june("june@example.org")).Want(409)
		if !strings.Contains(closed.Text("#summary"), "closed while you were writing") || closed.Doc.Find("#given_name").AttrOr("value", "") != "June" {
			t.Error(closed.Text("main"))
		}
		a.Clock.Add(time.Minute)
		if page := c.Get("/petitions/" + p.Slug).Want(200); page.Has(signForm) || !strings.Contains(page.Text("main"), "This petition is closed") {
			t.Error(page.Text("main"))
		}
		other := http.Header{}
		other.Set("Origin", "https://elsewhere.example")
		req, err := http.NewRequest(http.MethodPost, a.URL+"/petitions/"+p.Slug+"/sign", strings.NewReader("email=x"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header = other
		if page := c.Do(req); page.Status != 403 {
			t.Errorf("from another site: %d", page.Status)
		}
		c.Get("/petitions/unknown").Want(404)
		c.Get("/petitions/unknown.json").Want(404)
		c.Get("/petitions/unknown/sent").Want(404)
		c.Post("/petitions/unknown/sign", url.Values{}).Want(404)
	})
}

// announce begins a form of so many bytes and returns the first line of the answer, which comes before the form is sent.
func announce(t *testing.T, a *testapp.App, path string, size int) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(a.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	_, err = fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: %d\r\n\r\ncomment=", path, conn.RemoteAddr(), size)
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// Who signed before gets the same page, the same address and a cookie of the same kind as who did not.
func TestTheSamePageForKnownAndUnknown(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		sign := func(email string) (string, int) {
			c := a.Client(t)
			page := c.Get("/petitions/"+p.Slug).Want(200).Submit(signForm, june(email)).Want(200)
			cookies := 0
			for range page.Header["Set-Cookie"] {
				cookies++
			}
			return page.Path + page.Text("main"), cookies
		}
		first, n := sign("june@example.org")
		a.Client(t).Get(testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")).Submit("form button.main", nil).Want(200)
		for _, email := range []string{"june@example.org", "june@example.org", "cal@example.org", "cal@example.org"} {
			if again, m := sign(email); again != first || m != n {
				t.Errorf("%s: another answer: %s", email, again)
			}
		}
		// The confirmation, the receipt and the note; whichever of the two last goes first.
		if mails := a.WaitMail(t, "june@example.org", 3); !slices.ContainsFunc(mails, func(m mailer.Message) bool { return strings.Contains(m.Subject, "already counted") }) {
			t.Errorf("%q and %q", mails[1].Subject, mails[2].Subject)
		}
	})
}

func TestTheCodeAndAgain(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		c := a.Client(t)
		sent := c.Get("/petitions/"+p.Slug).Submit(signForm, june("june@example.org")).Want(200)
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		var code string
		for line := range strings.Lines(mail.Text) {
			if l := strings.ReplaceAll(strings.TrimSpace(line), " ", ""); len(l) == 6 && l == strings.ToUpper(l) {
				code = l
			}
		}
		if code == "" {
			t.Fatal(mail.Text)
		}
		again := sent.Submit("form[action$='/sent'] button", nil).Want(200)
		if !strings.Contains(again.Text("main"), "a new one is on its way") {
			t.Error(again.Text("main"))
		}
		if page := a.Client(t).Get("/confirm").Submit("form[action='/confirm']", map[string]string{"code": code}); page.Status != 422 {
			t.Errorf("from another browser: %d", page.Status)
		}
		wrong := sent.Submit("form[action='/confirm']", map[string]string{"code": "333333"}).Want(422)
		if wrong.Doc.Find("#code").AttrOr("value", "") != "333333" {
			t.Error("the code is not kept")
		}
		done := wrong.Submit("form[action='/confirm']", map[string]string{"code": strings.ToLower(code)}).Want(200)
		if done.Path != "/petitions/twenty-visits/thanks" || figures(t, a, c, p.Slug).SignatureCount != 1 {
			t.Errorf("%s", done.Path)
		}
		if mails := a.WaitMail(t, "june@example.org", 2); len(mails) != 2 || !strings.Contains(mails[1].Text, "/mine/") { // what confirms, and the receipt
			t.Errorf("%d mails", len(mails))
		}
	})
}

func TestLinksThatAreOldUnknownOrNotMine(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		one, two := published(t, a, "One"), published(t, a, "Two")
		c := a.Client(t)
		if text := c.Get("/confirm/nonsense").Want(404).Text("main"); !strings.Contains(text, "You can fill in the form again") {
			t.Error(text)
		}
		c.Post("/confirm/nonsense", url.Values{}).Want(404)
		for _, p := range []models.Petition{one, two} {
			c.Get("/petitions/"+p.Slug).Submit(signForm, june("june@example.org")).Want(200)
		}
		link := testapp.Link(t, a.WaitMail(t, "june@example.org", 1)[0], "/confirm/")
		page := c.Get(link).Want(200)
		if n := page.Doc.Find("input[name='item'][type='checkbox'][checked]").Length(); n != 2 {
			t.Errorf("%d are ticked: %s", n, page.Text("main"))
		}
		if page := c.Post(link, url.Values{}).Want(422); !page.Has("#summary") {
			t.Error(page.Text("main"))
		}
		first := page.Doc.Find("input[name='item'][type='checkbox']").First().AttrOr("value", "")
		c.Post(link, url.Values{"item": {first}}).Want(200)
		gone := c.Get(link).Submit("form[action$='/delete'] button", nil).Want(200)
		if !strings.Contains(gone.Text("main"), "is gone") {
			t.Error(gone.Text("main"))
		}
		if n := figures(t, a, c, one.Slug).SignatureCount + figures(t, a, c, two.Slug).SignatureCount; n != 1 {
			t.Errorf("%d are counted", n)
		}
		a.Clock.Add(8 * 24 * time.Hour)
		if text := c.Get(link).Want(410).Text("main"); !strings.Contains(text, "You can fill in the form again") {
			t.Error(text)
		}
		c.Post(link, url.Values{}).Want(410)
	})
}

var keys = regexp.MustCompile(`\b(base|campaign|confirm|effort|error|home|petition)\.[a-z_]+`)

func TestSpanish(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := published(t, a, "Twenty visits")
		c := a.Client(t)
		c.Lang = "es"
		for _, path := range []string{"/", "/petitions/" + p.Slug, "/campaigns/" + p.Slug, "/confirm", "/petitions/" + p.Slug + "/thanks", "/petitions/" + p.Slug + "/share"} {
			if page := c.Get(path).Want(200); page.Doc.Find("html").AttrOr("lang", "") != "es" {
				t.Errorf("%s is not in Spanish", path)
			} else if missing := keys.FindAllString(page.Text("body"), -1); missing != nil {
				t.Errorf("%s: words are missing: %v", path, missing)
			}
		}
		c.Get("/petitions/"+p.Slug).Submit(signForm, june("june@example.org")).Want(200)
		if m := a.WaitMail(t, "june@example.org", 1)[0]; !strings.Contains(m.Subject, "Falta un paso") {
			t.Errorf("%q", m.Subject)
		}
	})
}
