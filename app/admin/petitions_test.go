package admin_test

import (
	"bytes"
	"context"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/models"
	"kithline/tests/testapp"
)

var wordKeys = regexp.MustCompile(`\b(base|campaign|confirm|effort|error|home|moderate|petition)\.[a-z_]+`)

// words fails the test where a page shows a key instead of words.
func words(t *testing.T, p *testapp.Page) *testapp.Page {
	t.Helper()
	if missing := wordKeys.FindAllString(p.Text("body"), -1); missing != nil {
		t.Errorf("%s: words are missing: %v", p.Path, missing)
	}
	return p
}

// as returns a browser in which a new account of the role is signed in.
func as(t *testing.T, a *testapp.App, role actor.Role, email string) *testapp.Client {
	t.Helper()
	if _, err := a.Users.Invite(context.Background(), actor.TheSystem(), email, role, uuid.Nil); err != nil {
		t.Fatal(err)
	}
	c := a.Client(t)
	mail := a.WaitMail(t, email, 1)
	page := c.Get(testapp.Link(t, mail[len(mail)-1], "/admin/")).Want(200)
	page.Submit("form[method='post']", map[string]string{"name": "Maren Oyelaran", "password": testapp.Password}).Want(200)
	return c
}

var whole = map[string]string{
	"summary_text": "We ask the Committee to pass HB 412.", "body": "Most plans **stop** after six visits.", "decider": "House Health Committee",
	"why_now": "The hearing is on 16 March.", "system_change": "Twenty visits a year.", "goal": "1,000", "deadline": "2027-03-31",
}

func TestPetitionFromDraftToReport(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		owner := a.Owner(t)
		author := as(t, a, actor.Advocate, "maren@example.org")
		if p := a.Client(t).Get("/petitions/new"); p.Status == 200 && p.Has("form[action='/admin/petitions']") {
			t.Error("nobody starts a petition")
		}
		start := words(t, author.Get("/petitions/new").Want(200))
		start.Submit("form[action='/admin/petitions']", nil).Want(422)
		edit := words(t, start.Submit("form[action='/admin/petitions']", map[string]string{"title": "Twenty visits"}).Want(200))
		if !strings.HasSuffix(edit.Path, "/edit") || !edit.Has("form[data-autosave]") {
			t.Fatal(edit.Path)
		}
		base := strings.TrimSuffix(edit.Path, "/edit")

		missing := words(t, author.Get(base+"/check").Want(200))
		if n := missing.Doc.Find("#summary li").Length(); n != 6 || missing.Has("form[action$='/submit']") {
			t.Errorf("%d are missing: %s", n, missing.Text("main"))
		}
		bad := edit.Submit("button[value='save']", map[string]string{"goal": "5", "body": "kept words"}).Want(422)
		if bad.Text("#body") != "kept words" || !bad.Has("#goal[aria-invalid='true']") {
			t.Error(bad.Text("main"))
		}
		preview := words(t, edit.Submit("button[value='preview']", whole).Want(200))
		if text := preview.Text("main"); !strings.HasSuffix(preview.Path, "/preview") || !strings.Contains(text, "Most plans stop after six visits.") || !strings.Contains(text, "31 March 2027") {
			t.Errorf("%s: %s", preview.Path, text)
		}
		// Two pages open at once: what was typed is kept, both are shown, and saving again decides.
		second := author.Get(base + "/edit").Want(200)
		first := author.Get(base + "/edit").Want(200)
		first.Submit("button[value='save']", map[string]string{"title": "Twenty visits a year"}).Want(200)
		both := words(t, second.Submit("button[value='save']", map[string]string{"title": "Thirty visits"}).Want(409))
		if both.Doc.Find("#title").AttrOr("value", "") != "Thirty visits" || !strings.Contains(both.Text("#stored-h ~ details"), "Twenty visits a year") {
			t.Error(both.Text("main"))
		}
		both.Submit("button[value='save']", map[string]string{"title": "Twenty visits"}).Want(200)
		// Autosave answers with the revision to go on from, and refuses an old one.
		edit = author.Get(base + "/edit").Want(200)
		revision := edit.Doc.Find("input[name='revision']").AttrOr("value", "")
		typed := url.Values{"title": {"Twenty visits"}, "locale": {"en"}, "revision": {revision}, "summary_text": {"Typed"}}
		for k, v := range whole {
			if k != "summary_text" {
				typed.Set(k, v)
			}
		}
		if p := author.Post(base+"/draft", typed).Want(200); !strings.Contains(string(p.Body), `"revision":`) {
			t.Errorf("%s", p.Body)
		}
		typed.Set("summary_text", "Typed on an old page")
		author.Post(base+"/draft", typed).Want(409)
		if p := author.Get(base + "/edit"); p.Text("#summary_text") != "Typed" {
			t.Errorf("%q", p.Text("#summary_text"))
		}

		check := words(t, author.Get(base+"/edit").Submit("button[value='check']", nil).Want(200))
		waiting := words(t, check.Submit("form[action$='/submit']", nil).Want(200))
		if waiting.Path != base || !strings.Contains(waiting.Text("main"), "Somebody reads it next") || waiting.Has("form[action$='/publish']") {
			t.Error(waiting.Text("main"))
		}
		author.Post(base+"/publish", url.Values{}).Want(403)
		if p := owner.Get("/admin").Want(200); !strings.Contains(p.Text("main"), "1 petition to review") {
			t.Error(p.Text("main"))
		}
		review := words(t, owner.Get("/admin/petitions?state=submitted").Want(200).Follow("tbody a").Want(200))
		review.Submit("form[action$='/return']", nil).Want(422)
		mail := words(t, review.Submit("form[action$='/return']", map[string]string{"reason": "source", "text": "Which study?"}).Want(200))
		if text := mail.Text("main"); !strings.Contains(text, "Subject: Your petition: a change is asked for") || !strings.Contains(text, "A reader should be able to check it. Which study?") {
			t.Error(text)
		}
		mail.Submit("button[value='send']", nil).Want(200)
		words(t, author.Get(base+"/edit").Want(200))
		if p := author.Get(base + "/edit"); !strings.Contains(p.Text("main"), "Which study?") {
			t.Error(p.Text("main"))
		}
		author.Get(base+"/check").Submit("form[action$='/submit']", nil).Want(200)
		report := words(t, owner.Get(base).Submit("form[action$='/publish']", nil).Want(200))
		if !strings.Contains(report.Text("main"), "It is public now.") || !report.Has("figure svg") {
			t.Error(report.Text("main"))
		}
		if p := a.Client(t).Get("/petitions/twenty-visits"); p.Status != 200 {
			t.Errorf("the public page: %d", p.Status)
		}

		for i, comment := range []string{"It was not the same.", "Some days I want to die."} {
			email := []string{"june@example.org", "cal@example.org"}[i]
			_, err := a.Petitions.Sign(context.Background(), petitions.SignInput{
				Slug: "twenty-visits", GivenName: "June", FamilyName: "Okafor", Email: email, PostalCode: "00012", Comment: comment, Display: "initials", Locale: "en",
			})
			if err != nil {
				t.Fatal(err)
			}
			a.Client(t).Get(testapp.Link(t, a.WaitMail(t, email, 1)[0], "/confirm/")).Submit("form button.main", nil).Want(200)
		}
		queue := words(t, owner.Get("/admin/petitions/comments").Want(200))
		if text := queue.Text("main ul li"); !strings.Contains(text, "want to die") || !strings.Contains(text, "your local emergency number") {
			t.Errorf("first in the queue: %s", text)
		}
		report = words(t, owner.Get(base).Want(200))
		hid := words(t, report.Submit("form[action*='/comments/'] button[value='hide']", nil).Want(200))
		hid = words(t, hid.Submit("form.notice button[value='wait']", nil).Want(200))
		if text := hid.Text("main"); !strings.Contains(text, "Undone.") || !strings.Contains(text, "want to die") {
			t.Error(text)
		}
		hid.Submit("form[action*='/comments/'] button[value='hide']", nil).Want(200)
		owner.Get(base).Submit("form[action*='/comments/'] button[value='show']", nil).Want(200)
		if text := a.Client(t).Get("/petitions/twenty-visits").Text("main"); !strings.Contains(text, "It was not the same.") || strings.Contains(text, "want to die") {
			t.Error(text)
		}
		author.Get("/admin/petitions/comments").Want(403)
		if p := words(t, author.Get(base).Want(200)); p.Has("form[action*='/comments/']") {
			t.Error("an advocate sees the queue")
		}
		update := words(t, author.Get(base+"/update").Want(200))
		update.Submit("form[action$='/update']", nil).Want(422)
		update.Submit("form[action$='/update']", map[string]string{"title": "The hearing has a date", "body": "On *16 March*."}).Want(200)
		if text := a.Client(t).Get("/petitions/twenty-visits").Text("main"); !strings.Contains(text, "On 16 March.") {
			t.Error(text)
		}
		for _, do := range []string{"pause", "resume", "hide", "show", "close"} {
			ask := words(t, owner.Get(base).Follow("a[href$='/steer?do="+do+"']").Want(200))
			var why map[string]string
			if ask.Has("input[name='reason']") {
				words(t, ask.Submit("button[value='"+do+"']", nil).Want(422))
				why = map[string]string{"reason": "other", "text": "We ask <somebody>."}
			}
			words(t, ask.Submit("button[value='"+do+"']", why).Want(200))
			if do == "pause" {
				if text := a.Client(t).Get("/petitions/twenty-visits").Want(200).Text("main"); !strings.Contains(text, "We ask <somebody>.") {
					t.Error(text)
				}
			}
		}
		if p := a.Client(t).Get("/petitions/twenty-visits").Want(200); !strings.Contains(p.Text("main"), "This petition is closed") {
			t.Error(p.Text("main"))
		}
		owner.Post(base+"/steer", url.Values{"do": {"pause"}}).Want(409)
		owner.Lang = "es"
		for _, path := range []string{base, "/admin/petitions", "/admin/petitions/new", "/admin/petitions/comments"} {
			words(t, owner.Get(path).Want(200))
		}
	})
}

func TestPetitionsOfOthers(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p, err := a.Petitions.Create(context.Background(), actor.TheSystem(), petitions.CreateInput{Draft: petitions.Draft{Title: "A draft", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		base := "/admin/petitions/" + p.ID.String()
		nobody, viewer, advocate := a.Client(t), as(t, a, actor.Viewer, "v@example.org"), as(t, a, actor.Advocate, "adv@example.org")
		for _, path := range []string{"/admin/petitions", base, base + "/edit", base + "/preview", base + "/check", base + "/update", base + "/picture", "/admin/petitions/comments"} {
			if r := nobody.Get(path); r.Status == 200 && strings.Contains(r.Text("body"), "A draft") {
				t.Errorf("nobody reads %s", path)
			}
		}
		viewer.Get("/admin/petitions").Want(200)
		viewer.Get("/admin/petitions/new").Want(403)
		viewer.Get(base).Want(404)
		for _, path := range []string{base, base + "/edit", base + "/preview", base + "/check", base + "/update"} {
			advocate.Get(path).Want(404)
		}
		for _, path := range []string{"/edit", "/draft", "/submit", "/publish", "/return", "/steer", "/update", "/picture"} {
			form := url.Values{"title": {"x"}, "locale": {"en"}, "revision": {"1"}, "do": {"withdraw"}, "reason": {"other"}, "text": {"x"}, "body": {"x"}}
			if r := advocate.Post(base+path, form); r.Status != 404 && r.Status != 403 {
				t.Errorf("another advocate posts to %s: %d", path, r.Status)
			}
			if r := viewer.Post(base+path, form); r.Status != 403 && r.Status != 404 {
				t.Errorf("a viewer posts to %s: %d", path, r.Status)
			}
		}
		for _, path := range []string{"/admin/petitions/nonsense", "/admin/petitions/nonsense/edit", "/admin/petitions/" + models.NewID().String()} {
			advocate.Get(path).Want(404)
		}
		owner := a.Owner(t)
		owner.Get("/admin/petitions?after=nonsense").Want(422)
		if r := words(t, owner.Get("/admin/petitions?state=nonsense").Want(200)); !strings.Contains(r.Text("table"), "A draft") {
			t.Error(r.Text("main"))
		}
	})
}

func TestPictureOfADraft(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p, err := a.Petitions.Create(context.Background(), actor.TheSystem(), petitions.CreateInput{Draft: petitions.Draft{Title: "A draft", Locale: "en"}})
		if err != nil {
			t.Fatal(err)
		}
		base := "/admin/petitions/" + p.ID.String()
		owner := a.Owner(t)
		upload := func(content []byte) *testapp.Page {
			t.Helper()
			var body bytes.Buffer
			m := multipart.NewWriter(&body)
			part, err := m.CreateFormFile("picture", "x.png")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := part.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := m.Close(); err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequest(http.MethodPost, a.URL+base+"/picture", &body)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", m.FormDataContentType())
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			return owner.Do(req)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, 1200, 900))); err != nil {
			t.Fatal(err)
		}
		upload([]byte("no picture")).Want(422)
		page := words(t, upload(b.Bytes()).Want(200))
		src := page.Doc.Find("main img").AttrOr("src", "")
		if r := owner.Get(src).Want(200); !strings.HasPrefix(r.Header.Get("Content-Type"), "image/") {
			t.Errorf("%s: %s", src, r.Header.Get("Content-Type"))
		}
		page.Submit("form[action$='/picture'] button[value='remove']", nil).Want(200)
		owner.Get(base + "/picture").Want(404)
	})
}
