package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/mailer"
	"kithline/models"
	"kithline/tests/testapp"
)

// What an organizer does in a day. The pages on the way that TestPages does not come to are looked at here.

const saved = `document.querySelector('[data-autosave-status]').textContent.startsWith('Saved ')`

// eventually waits until something outside of the page is so.
func (tab *Tab) eventually(what string, so func() bool) {
	tab.t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			tab.t.Fatalf("not so for %v: %s; the page is %s", patience, what, tab.where())
		}
		tab.painted()
	}
}

// A petition is drafted in two sittings, previewed, submitted, returned, submitted again and published.
func TestDraftToPublic(t *testing.T) {
	t.Parallel()
	w := empty(t)
	tab := New(t, w.URL)
	w.signIn(tab)
	tab.Open("/admin/petitions/new")
	tab.Press(`main form button.main`)
	tab.Want(422, "/admin/petitions")
	tab.Check("start, with an error")
	tab.Fill(`[name=title]`, draft.Title)
	tab.Press(`main form button.main`)
	tab.Want(200, "/admin/petitions/")
	edit := tab.Path()
	id := strings.Split(edit, "/")[3]
	tab.Press(`main form button[value=check]`)
	tab.Check("check of an incomplete draft")
	if !tab.Has(`#summary a[href="#decider"]`) || tab.Has(`form[action$="/submit"]`) {
		t.Errorf("an incomplete draft can be submitted, or does not say what is missing: %s", tab.where())
	}

	tab.Open(edit)
	texts := map[string]string{
		"summary_text": draft.Summary, "body": "## Why\n\n" + draft.Body, "decider": draft.Decider, "why_now": draft.WhyNow, "system_change": draft.SystemChange, "goal": "5000",
	}
	for name, text := range texts {
		tab.Fill(`[name=`+name+`]`, text)
	}
	tab.Until(saved)
	tab.eventually("all of the draft is kept", func() bool {
		p := must[models.Petition](w)(w.Petitions.Draft(t.Context(), w.owner, parsed(t, id)))
		return p.Summary == draft.Summary && strings.HasPrefix(p.Body, "## Why") && p.Decider == draft.Decider && p.WhyNow == draft.WhyNow && p.SystemChange == draft.SystemChange && p.Goal == 5000
	})
	tab.Clean()
	tab.Open(edit)
	for name, text := range texts {
		if got := tab.Value(`[name=` + name + `]`); strings.ReplaceAll(got, ",", "") != strings.ReplaceAll(text, ",", "") {
			t.Errorf("after coming back %s is %q", name, got)
		}
	}

	tab.Press(`main form button[value=preview]`)
	tab.Want(200, "/admin/petitions/"+id+"/preview")
	tab.Press(`a[href$="/check"]`)
	tab.Press(`form[action$="/submit"] button`)
	tab.Want(200, "/admin/petitions/"+id)
	tab.Press(`form[action$="/return"] button`)
	tab.Want(422, "/admin/petitions/"+id)
	tab.Check("return without a reason")
	tab.Click(`[name=reason][value=decider]`)
	tab.Press(`form[action$="/return"] button`)
	tab.Want(200, "/admin/petitions/"+id+"/return")
	tab.Check("the mail about a return, before it goes")
	tab.Press(`form[action$="/return"] button[value=send]`)
	tab.Want(200, "/admin/petitions")
	tab.Open(edit)
	tab.Check("draft that came back")
	tab.Press(`main form button[value=check]`)
	tab.Press(`form[action$="/submit"] button`)
	tab.Press(`form[action$="/publish"] button`)
	tab.Want(200, "/admin/petitions/"+id)
	tab.Press(`main a[href^="/petitions/"]`)
	tab.Want(200, "/petitions/twenty-visits")
	if got := tab.Text("h1"); got != draft.Title {
		t.Errorf("published as %q", got)
	}

	// The report follows by itself: somebody signs while it is looked at.
	tab.Open("/admin/petitions/" + id)
	Eval[bool](tab, `(window.sameDocument = true)`)
	w.sign("twenty-visits", signer{"June", "Okafor", "june@example.org", "", "name", false})
	tab.Until(`window.sameDocument && document.querySelector('[data-live-n=confirmed]').textContent === '1'`)
	tab.Clean()

	// So does the page of somebody who started one without an account.
	var sig models.Signature
	w.must(w.DB.Where("state = ?", models.SignatureConfirmed).Take(&sig).Error)
	st := models.PetitionStarter{ID: models.NewID(), PetitionID: sig.PetitionID, MailboxID: sig.MailboxID, Lead: true, Locale: "en", CreatedAt: w.Clock.Now(), ConfirmedAt: sig.ConfirmedAt}
	w.must(w.DB.Create(&st).Error)
	tab.Open("/petitions/resume")
	tab.Fill("[name=your_email]", "june@example.org")
	tab.Fill("[name=code]", w.Signer.Code(tokens.Starter, st.ID))
	tab.Press("main button[value=code]")
	tab.Press(`a[href$="/report"]`)
	tab.Want(200, "/petitions/mine/"+id+"/report")
	tab.Check("how it goes, for who started it")
	Eval[bool](tab, `(window.sameDocument = true)`)
	w.sign("twenty-visits", signer{"Cal", "Whitcomb", "cal@example.org", "", "name", false})
	tab.Until(`window.sameDocument && document.querySelector('[data-live-n=confirmed]').textContent === '2'`)
	tab.Clean()
}

// A mailing is written with autosave, tested, sent to those who agreed; one leaves by the mailed link, and the next mailing
// goes without them.
func TestMailing(t *testing.T) {
	t.Parallel()
	w := empty(t)
	slug := w.petition(draft, models.PetitionPublished).Slug
	for _, s := range []signer{
		{"June", "Okafor", "june@example.org", "", "name", true}, {"Cal", "Whitcomb", "cal@example.org", "", "name", true}, {"Ana", "Ruiz", "ana@example.org", "", "name", false},
	} {
		w.sign(slug, s)
	}
	tab := New(t, w.URL)
	w.signIn(tab)
	write := func(subject string) {
		t.Helper()
		tab.Open("/admin/mailings")
		tab.Press(`main form button.main`)
		tab.Want(200, "/admin/mailings/")
		tab.Fill(`[name=subject]`, subject)
		tab.Fill(`[name=body]`, "Hello {{given_name|friend}},\n\n## News\n\nThe hearing is on **16 March**.")
	}
	write("The hearing has a date")
	compose := tab.Path()
	tab.Until(saved)
	tab.eventually("all of the mailing is kept", func() bool {
		m := must[models.Mailing](w)(w.Mailings.Get(t.Context(), w.owner, parsed(t, strings.Split(compose, "/")[3])))
		return m.Subject == "The hearing has a date" && strings.Contains(m.Body, "16 March")
	})
	tab.Open(compose)
	if got := tab.Value(`[name=subject]`); got != "The hearing has a date" {
		t.Errorf("after coming back the subject is %q", got)
	}
	tab.Fill(`[name=body]`, "Hello {{given_nam}}")
	tab.Press(`main form button[value=save]`)
	tab.Want(422, compose)
	tab.Check("compose, with a wrong field")
	tab.Fill(`[name=body]`, "Hello {{given_name|friend}},\n\n## News\n\nThe hearing is on **16 March**.")
	before := len(w.mailsTo(testapp.OwnerEmail))
	tab.Press(`button[value=test]`)
	tab.Want(200, compose)
	tab.Check("compose, after a test")
	if test := w.WaitMail(t, testapp.OwnerEmail, before+1)[before]; !strings.Contains(test.Text, "16 March") || strings.Contains(test.Text, "{{") {
		t.Errorf("the test mail says: %s", test.Text)
	}
	tab.Press(`main a[href$="/preview"]`)
	tab.Want(200, compose+"/preview")
	tab.Open(compose)
	finish := func() {
		t.Helper()
		tab.Press(`button[value=next]`)
		tab.Clean()
		tab.Press(`form[action$="/send"] button`)
		tab.Want(200, "/admin/mailings/")
		tab.Until(`document.querySelector('#moving .tag').textContent === 'Finished'`)
		tab.Clean()
	}
	finish()
	mail := w.WaitMail(t, "june@example.org", 3)[2] // after what confirms, and the receipt
	w.WaitMail(t, "cal@example.org", 3)
	if !strings.Contains(mail.Text, "Hello June") || len(w.mailsTo("ana@example.org")) != 2 {
		t.Errorf("june got %q, ana %d mails", mail.Text, len(w.mailsTo("ana@example.org")))
	}

	tab.Open(testapp.Link(t, mail, "/u/"))
	tab.Want(200, "/u/")
	tab.Check("unsubscribe")
	tab.Press(`main form button.main`)
	tab.Want(200, "/u/")
	tab.Check("unsubscribed")
	tab.Press(`form[action$="/undo"] button`)
	tab.Check("unsubscribed and back")
	tab.Press(`main form button`)
	tab.Want(200, "/u/")

	write("One week to go")
	finish()
	w.WaitMail(t, "cal@example.org", 4)
	if n := len(w.mailsTo("june@example.org")); n != 3 {
		t.Errorf("june left and got %d mails, not 3", n)
	}
}

// A list of people is brought in: upload, columns, check, import.
func TestImport(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.petition(draft, models.PetitionPublished)
	tab := New(t, w.URL)
	w.signIn(tab)
	tab.Open("/admin/imports")
	tab.Press(`main form button.main`)
	tab.Want(422, "/admin/imports")
	tab.Check("import without a file")
	file := filepath.Join(t.TempDir(), "people.csv")
	w.must(os.WriteFile(file, []byte("Given name;Family name;E-mail;Shoe size\nIda;Berg;ida@example.org;38\nNoel;Berg;not an address;44\n"), 0o600))
	tab.do(chromedp.SetUploadFiles(chromedp.CSS(`[name=file]`), []string{file}))
	tab.Press(`main form button.main`)
	tab.Want(200, "/admin/imports/")
	tab.Check("columns")
	tab.Click(`[name=basis][value=updates]`)
	tab.Press(`form[action$="/check"] button`)
	tab.Want(422, "/admin/imports/")
	tab.Check("columns, without the words that people agreed to")
	tab.Click(`[name=basis][value=none]`)
	tab.Press(`form[action$="/check"] button`)
	tab.Until(`document.querySelector('form[action$="/start"]')`)
	tab.Check("what would be imported")
	tab.Press(`form[action$="/start"] button`)
	tab.Until(`document.querySelector('main a[href="/admin/supporters"]')`)
	tab.Check("what was imported")
	tab.Press(`main a[href="/admin/supporters"]`)
	tab.Want(200, "/admin/supporters")
	if !strings.Contains(tab.Text("main"), "Ida Berg") || strings.Contains(tab.Text("main"), "Noel") {
		t.Errorf("the supporters are: %s", tab.Text("main"))
	}
}

// An organizer reviews what somebody without an account submitted, by the keyboard alone at 320 pixels: the queue, a claim, back with
// reasons and the mail about them; once it is mended, out; a change that its starter asks for; a pause; hidden.
func TestReviewByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	ctx := t.Context()
	made := must[petitions.Started](w)(w.Petitions.Start(ctx, "", petitions.StartInput{Draft: draft, Name: "June Okafor", Email: "june@example.org", Language: "en"}))
	id := made.Petition.ID
	link := testapp.Link(t, w.WaitMail(t, "june@example.org", 1)[0], "/petitions/draft/")
	_, cookie, err := w.Petitions.TakeUp(ctx, made.Cookie, filepath.Base(link), "", false)
	w.must(err)
	june := must[actor.Actor](w)(w.Petitions.Starter(ctx, cookie, id))
	step := must[models.Petition](w)
	p := step(w.Petitions.Submit(ctx, june, id, made.Petition.Revision))

	tab := New(t, w.URL)
	w.signIn(tab)
	s := byKeys{tab, w, func(name string) { tab.Check(name); shoot(tab, "review-"+name) }}
	base := "/admin/petitions/" + id.String()
	s.Open("/admin/petitions/review")
	s.at(200, "/admin/petitions/review", "queue")
	s.press("Claim it")
	s.at(200, "/admin/petitions/review", "queue-claimed")
	s.press(draft.Title[:20])
	s.at(200, base, "review")
	s.press("See the mail first")
	s.at(422, base, "review-errors")
	tabTo(tab, func(f focused) bool { return f.Name == "reason" })
	s.Keys(" ")
	s.write("text", "Who chairs the committee?")
	s.press("See the mail first")
	s.at(200, base+"/return", "return")
	if mail := tab.Text("main"); !strings.Contains(mail, "Who chairs the committee?") || !strings.Contains(mail, "ask you to change something") {
		t.Errorf("the mail that would go: %s", mail)
	}
	s.press("Send it back with this mail")
	s.at(200, "/admin/petitions/review", "queue-empty")

	// The starter reads the mail, mends it, submits it again.
	// A mail that is overtaken by the next step does not go, so they are not counted.
	mailed := func(words string) (found mailer.Message) {
		t.Helper()
		tab.eventually("a mail that says "+words, func() bool {
			for _, m := range w.Mail.Messages() {
				if m.To == "june@example.org" && strings.Contains(strings.Join(strings.Fields(m.Text), " "), words) {
					found = m
				}
			}
			return found.Text != ""
		})
		return found
	}
	mail := mailed("Who chairs the committee?")
	_, cookie, err = w.Petitions.TakeUp(ctx, "", filepath.Base(testapp.Link(t, mail, "/petitions/draft/")), "", false)
	w.must(err)
	june = must[actor.Actor](w)(w.Petitions.Starter(ctx, cookie, id))
	mended := draft
	mended.Decider = "Chair Ana Ruiz, House Health Committee"
	p = step(w.Petitions.Save(ctx, june, id, petitions.SaveInput{Draft: mended, Revision: p.Revision}))
	step(w.Petitions.Submit(ctx, june, id, p.Revision))
	s.Open("/admin/petitions/review")
	s.press(draft.Title[:20])
	s.press("Publish it")
	s.at(200, base, "report")
	p = step(w.Petitions.Draft(ctx, w.owner, id))
	public := w.Client(t)
	public.Get("/petitions/" + p.Slug).Want(200)

	// She asks for other words: one change is answered, the next is taken.
	ask := func(title string) {
		t.Helper()
		d := mended
		d.Title = title
		step(w.Petitions.Edit(ctx, june, id, petitions.EditInput{Draft: d, Revision: p.Revision}))
	}
	ask("Thirty visits a year")
	s.Open("/admin/petitions/review")
	s.at(200, "/admin/petitions/review", "queue-changes")
	s.press(draft.Title[:20])
	s.at(200, base+"/words", "words")
	if tab.Value(`[name=title]`) != "Thirty visits a year" || !strings.Contains(tab.Text("#asked-h + p + dl"), draft.Title) {
		t.Errorf("what is asked for: %s", tab.where())
	}
	s.press("Leave it and answer")
	s.at(422, base+"/words", "words-errors")
	s.write("answer", "People signed for twenty.")
	s.press("Leave it and answer")
	s.Want(200, base)
	mailed("People signed for twenty.")
	w.Clock.Add(time.Second)
	ask("Twenty visits, and no letters")
	s.Open(base)
	s.press("Look at it")
	s.press("Change it")
	s.Want(200, base)
	mailed("Its page shows it now")

	s.press("Pause")
	s.at(200, base+"/steer", "pause")
	s.press("Pause")
	s.at(422, base+"/steer", "pause-errors")
	tabTo(tab, named("reason"))
	s.Keys(" ")
	s.press("Pause")
	s.at(200, base, "report-paused")
	if page := public.Get("/petitions/" + p.Slug).Want(200); page.Text("h1") != "Twenty visits, and no letters" || page.Has("form[action$='/sign']") {
		t.Errorf("paused: %s", page.Text("main"))
	}
	s.press("Hide")
	s.at(200, base+"/steer", "hide")
	tabTo(tab, named("reason"))
	s.Keys(" ")
	s.press("Hide")
	s.at(200, base, "report-hidden")
	public.Get("/petitions/" + p.Slug).Want(404)
}
