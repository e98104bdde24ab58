package journey

import (
	"bytes"
	"context"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"

	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// begins keeps a first sentence under an address, in a browser of its own.
func begins(t *testing.T, c *testapp.Client, title, email string) *testapp.Page {
	t.Helper()
	return c.Get("/petitions/new").Want(200).Submit("button[value='keep']", map[string]string{"title": title, "your_name": "June Okafor", "your_email": email})
}

// lead is the starter who began a petition, with the path of its page.
func lead(t *testing.T, a *testapp.App, title string) (models.Petition, models.PetitionStarter) {
	t.Helper()
	var p models.Petition
	var st models.PetitionStarter
	if err := a.DB.Take(&p, "title = ?", title).Error; err != nil {
		t.Fatal(err)
	}
	if err := a.DB.Take(&st, "petition_id = ? AND lead", p.ID).Error; err != nil {
		t.Fatal(err)
	}
	return p, st
}

// An advocate begins without an account, goes on with another device by the code, submits, is asked for a change, makes it, and
// sees the petition in public.
func TestStartWithoutAnAccount(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		ctx, owner := context.Background(), factory.Owner(t, a)
		there := factory.Petition(t, a, "Twenty visits for people in pain")
		june := a.Client(t)
		first := june.Get("/petitions/new").Want(200)
		similar := first.Submit("button[value='look']", map[string]string{"title": "More visits for people in pain", "body": "After six <visits> it stops."}).Want(200)
		if !similar.Has("#similar a[href='/petitions/"+there.Slug+"#sign']") || !strings.Contains(similar.Text("textarea[name='body']"), "After six <visits>") {
			t.Errorf("no similar one, or the words are gone: %s", similar.Text("main"))
		}
		var n int64
		if err := a.DB.Model(&models.Petition{}).Count(&n).Error; err != nil || n != 1 {
			t.Fatalf("%d petitions stored before an address was given, %v", n, err)
		}
		wrong := similar.Submit("button[value='keep']", map[string]string{"title": "A night bus to the hospital", "your_email": "june.example.org", "goal": "five"}).Want(422)
		for _, field := range []string{"your_name", "your_email", "goal"} {
			if !wrong.Has("#"+field+"-error") || !wrong.Has("#summary a[href='#"+field+"']") {
				t.Errorf("no error at %s", field)
			}
		}
		if !wrong.Has("input[name='title'][value='A night bus to the hospital']") || !wrong.Has("details[open] #goal") {
			t.Error("what was typed is gone, or its error is folded away")
		}
		edit := wrong.Submit("button[value='keep']", map[string]string{"your_name": "June Okafor", "your_email": "june@example.org", "goal": ""}).Want(200)
		if !strings.HasSuffix(edit.Path, "/edit") || !edit.Has("form[data-autosave]") || !edit.Has("[data-kept='petition-new']") {
			t.Fatalf("after keeping: %s", edit.Path)
		}
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if strings.Contains(mail.Subject+mail.Text, "bus") || strings.Contains(mail.Subject, "etition") {
			t.Errorf("the mail holds what was typed: %s\n%s", mail.Subject, mail.Text)
		}
		link := testapp.Link(t, mail, "/petitions/draft/")
		a.Client(t).Get(link).Want(200) // a scanner
		p, st := lead(t, a, "A night bus to the hospital")
		if st.ConfirmedAt != nil {
			t.Fatal("a GET confirmed")
		}
		base := "/petitions/mine/" + p.ID.String()

		// The browser that typed goes on writing, and cannot submit yet. A stranger sees nothing.
		edit.Submit("button[value='more']", map[string]string{"summary_text": "One bus at night.", "claim_1": "The last bus goes at seven."}).Want(200)
		check := june.Get(base + "/check").Want(200)
		if check.Has("form[action$='/submit']") || !check.Has("#summary a[href='#claim_1_source']") || !check.Has("#proof-h") {
			t.Errorf("before the address is proved: %s", check.Text("main"))
		}
		june.Post(base+"/submit", url.Values{"revision": {"2"}}).Want(403)
		a.Client(t).Get(base + "/edit").Want(404)

		// The other device, by code.
		phone := a.Client(t)
		code := a.Signer.Code(tokens.Starter, st.ID)
		if !strings.Contains(strings.ReplaceAll(mail.Text, " ", ""), code) {
			t.Fatalf("no code in the mail: %s", mail.Text)
		}
		phone.Get("/petitions/resume").Want(200).Submit("button[value='code']", map[string]string{"your_email": "june@example.org", "code": "333333"}).Want(422)
		one := phone.Get("/petitions/resume").Want(200).Submit("button[value='code']", map[string]string{"your_email": "june@example.org", "code": code}).Want(200)
		if one.Path != base {
			t.Fatalf("after the code: %s", one.Path)
		}
		form := one.Follow("a.main").Want(200)
		full := map[string]string{
			"summary_text": "One bus at ten each night.", "body": "People wait **hours** after a treatment.", "decider": "The Harbor Bus Board", "why_now": "The plan is made in May.",
			"system_change": "Nobody waits all night.", "goal": "500", "claim_1": "The last bus goes at seven.", "claim_1_source": "The plan of 2026", "claim_1_url": "ftp://example.org/plan",
		}
		back := form.Submit("button[value='check']", full).Want(200)
		if !back.Has("#summary a[href='#claim_1_url']") || back.Has("form[action$='/submit']") {
			t.Errorf("a source that is no page of the web: %s", back.Text("main"))
		}
		full["claim_1_url"] = "https://example.org/plan?year=2026&part=2"
		back.Follow("dd a[href$='#claim_1']").Want(200).Submit("button[value='check']", full).Want(200)

		// Another page saved since: both versions are told, nothing is lost.
		stale := june.Get(base + "/edit").Want(200)
		ready := phone.Get(base+"/edit").Want(200).Submit("button[value='check']", map[string]string{"place": "Harbor"}).Want(200)
		both := stale.Submit("button[value='save']", map[string]string{"place": "Harrow"}).Want(409)
		if !both.Has("#stored-h") || !both.Has("input[name='place'][value='Harrow']") || !strings.Contains(both.Text("main"), "Harbor") {
			t.Errorf("two versions: %s", both.Text("main"))
		}
		// Saved by somebody else while this one reads the answers: told in plain words, with what it says now; the next press submits that.
		june.Get(base+"/edit").Want(200).Submit("button[value='save']", map[string]string{"place": "Harbor and Harrow"}).Want(200)
		late := ready.Submit("form[action$='/submit'] button", nil).Want(409)
		if !strings.Contains(late.Text("#summary"), "the text was changed") || late.Text("#place") != "Harbor and Harrow" {
			t.Errorf("an old page submitted: %s", late.Text("main"))
		}
		sent := late.Submit("form[action$='/submit'] button", nil).Want(200)
		if sent.Path != base || !strings.Contains(sent.Text("main"), "5 days") {
			t.Errorf("what happens next: %s", sent.Text("main"))
		}

		// Returned, changed, published.
		p, _ = lead(t, a, p.Title)
		if _, err := a.Petitions.Return(ctx, owner, p.ID, petitions.ReturnInput{Reason: "decider", Text: "Who chairs the board?", Revision: p.Revision}); err != nil {
			t.Fatal(err)
		}
		asked := a.WaitMail(t, "june@example.org", 3)[2]
		page := a.Client(t).Get(testapp.Link(t, asked, "/petitions/draft/")).Want(200).Submit("main form button.main", nil).Want(200)
		if page.Path != base || !strings.Contains(page.Text("main"), "Who chairs the board?") {
			t.Fatalf("%s: %s", page.Path, page.Text("main"))
		}
		page = page.Follow("a.main").Want(200).Submit("button[value='check']", map[string]string{"decider": "The chair of the Harbor Bus Board"}).Want(200)
		page.Submit("form[action$='/submit'] button", nil).Want(200)
		p, _ = lead(t, a, p.Title)
		if p, err := a.Petitions.Publish(ctx, owner, p.ID, p.Revision); err != nil {
			t.Fatal(err)
		} else if public := a.Client(t).Get("/petitions/" + p.Slug).Want(200); !public.Has("a[rel='nofollow noopener'][href='https://example.org/plan?year=2026&part=2']") || strings.Contains(public.Text("main"), "June") {
			t.Errorf("the public page: %s", public.Text("main"))
		}
		if public := phone.Get(base).Want(200); !public.Has("a[href$='/share']") || !public.Has(".count") || public.Has("ol.path") {
			t.Errorf("the starter's page: %s", public.Text("main"))
		}

		// How it goes, for who started it alone. A number says how many came by signers' links; no page says by whose.
		p, _ = lead(t, a, p.Title)
		factory.Signed(t, a, p, factory.People(2)...)
		report := phone.Get("/petitions/mine").Want(200).Follow("main a[href='" + base + "/report']").Want(200)
		for _, part := range []string{"#forecast-h", "#hours-title", "#days-title", "#src", "#districts-h", "[data-live='" + base + "/live']", "[data-live-n='pending']", "[data-live-n='recruited']"} {
			if !report.Has(part) {
				t.Errorf("the report has no %s: %s", part, report.Text("main"))
			}
		}
		if got := report.Text("[data-live-n='confirmed']"); got != "2" || strings.Contains(report.Text("main"), "Okafor") || report.Has("a[href*='/admin/']") {
			t.Errorf("%q confirmed, or the report says too much: %s", got, report.Text("main"))
		}
		phone.Get(base + "/live").Want(200)
		a.Client(t).Get(base + "/report").Want(404)
		a.Client(t).Get(base + "/live").Want(404)
		june.Get(base + "/report").Want(403) // it typed the address, and never proved it

		// What waits leads somewhere: another draft of the address, and an invitation.
		begins(t, a.Client(t), "A bench", "june@example.org").Want(200)
		cal := a.Client(t)
		begins(t, cal, "A ramp", "cal@example.org").Want(200)
		ramp := cal.Get(testapp.Link(t, a.WaitMail(t, "cal@example.org", 1)[0], "/petitions/draft/")).Want(200).Submit("main form button.main", nil).Want(200)
		ramp.Submit("form[action$='/starters'] button", map[string]string{"co_email": "june@example.org"}).Want(200)
		for _, title := range []string{"A bench", "A ramp"} {
			list := phone.Get("/petitions/mine").Want(200)
			href := list.Doc.Find("main li a").FilterFunction(func(_ int, s *goquery.Selection) bool { return s.Text() == title }).AttrOr("href", "/none")
			name := map[string]string{}
			if title == "A ramp" {
				name["your_name"] = "June"
			}
			if one := phone.Get(href).Want(200).Submit("main form button.main", name).Want(200); one.Text("h1") != title {
				t.Errorf("%s leads to %s: %s", title, one.Path, one.Text("main"))
			}
		}

		// A number that is reached: a mail to whoever began it, and a line on their page.
		if err := a.Petitions.AddThreshold(ctx, owner, p.ID, petitions.ThresholdInput{Count: 25, Effect: models.EffectTell}); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Petitions.AddPaper(ctx, owner, p.ID, petitions.PaperInput{Count: 25, CollectedAt: a.Clock.Now()}); err != nil {
			t.Fatal(err)
		}
		reached := strings.Join(strings.Fields(mailAbout(t, a, "june@example.org", "has 25 signatures").Text), " ")
		if !strings.Contains(reached, "“A night bus to the hospital” has reached 25 signatures. It has 27 by now. On paper: 25 of them. The goal is 500.") {
			t.Error(reached)
		}
		if text := phone.Get(base).Want(200).Text("ol.path"); !strings.Contains(text, "25 signatures") {
			t.Errorf("the starter's page: %s", text)
		}
		report = phone.Get(base).Follow("a[href$='/report']").Want(200)
		if report.Text("[data-live-n=confirmed]") == "" || report.Doc.Find("figure details table").Length() != 2 || report.Has("a[href^='/admin']") {
			t.Errorf("how it goes: %s", report.Text("main"))
		}
		live := phone.Get(report.Doc.Find("[data-live]").AttrOr("data-live", "")).Want(200)
		if !strings.Contains(string(live.Body), `"recruited":"0"`) || live.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("its numbers: %s", live.Body)
		}
		a.Client(t).Get(base + "/report").Want(404)
		a.Client(t).Get(base + "/live").Want(404)
		phone.Get("/petitions/mine").Want(200).Submit("form[action$='/leave'] button", nil).Want(200)
		phone.Get(base).Want(404)
		phone.Get(base + "/live").Want(404)
	})
}

// Every address gets the same answer, word for word, and the same pages after it.
func TestStartingTellsNothingOfAnAddress(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		p := factory.Petition(t, a, "Twenty visits")
		factory.Signed(t, a, p, factory.People(1)...)
		begins(t, a.Client(t), "The first", "june@example.org").Want(200)
		answers := map[string]string{}
		for _, email := range []string{"nobody@example.org", "june@example.org", "june0@example.org"} {
			page := begins(t, a.Client(t), "A bus", email).Want(200)
			text := page.Text("main")
			asked := a.Client(t).Get("/petitions/resume").Submit("button[value='mail']", map[string]string{"your_email": email}).Want(200).Text("main")
			coded := a.Client(t).Get("/petitions/resume").Submit("button[value='code']", map[string]string{"your_email": email, "code": "777777"}).Want(422).Text("main")
			answers[strings.ReplaceAll(text+asked+coded, email, "ADDRESS")] += " " + email
		}
		if len(answers) != 1 {
			t.Errorf("%d different answers: %v", len(answers), answers)
		}
	})
}

// A picture that is none, and one that is too large, are told at the field; the words stay.
func TestPictureOfAStarter(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		june := a.Client(t)
		edit := begins(t, june, "A bus", "june@example.org").Want(200)
		upload := func(c *testapp.Client, content []byte, revision string) *testapp.Page {
			t.Helper()
			var b bytes.Buffer
			m := multipart.NewWriter(&b)
			for k, v := range map[string]string{"title": "A bus", "locale": "en", "summary_text": "Kept words.", "claims": "yes", "do": "picture", "revision": revision} {
				if err := m.WriteField(k, v); err != nil {
					t.Fatal(err)
				}
			}
			part, err := m.CreateFormFile("picture", "x.png")
			if err == nil {
				_, err = part.Write(content)
			}
			if err == nil {
				err = m.Close()
			}
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequest(http.MethodPost, a.URL+strings.SplitN(edit.Path, "?", 2)[0], &b)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", m.FormDataContentType())
			req.Header.Set("Sec-Fetch-Site", "same-origin")
			return c.Do(req)
		}
		for name, content := range map[string][]byte{"no picture": []byte("no picture"), "too large": bytes.Repeat([]byte("x"), 10_500_000)} {
			page := upload(june, content, "1").Want(422)
			if !page.Has("#picture-error") || !strings.Contains(page.Text("textarea[name='summary_text']"), "Kept words.") {
				t.Errorf("%s: %s", name, page.Text("main"))
			}
		}
		upload(a.Client(t), []byte("no picture"), "1").Want(404)
	})
}
