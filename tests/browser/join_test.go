package browser

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"kithline/campaigns/consents"
	joining "kithline/campaigns/forms"
	"kithline/models"
	"kithline/tests/testapp"
)

// topics gives the newsletter two topics.
func (w *world) topics() {
	w.t.Helper()
	for _, name := range []string{"Research and trials", "Visits to the House"} {
		must[uuid.UUID](w)(w.Consents.SaveTopic(context.Background(), w.owner, uuid.Nil, consents.TopicInput{Name: name, About: "When there is news."}))
	}
}

// form opens a form that asks for every kind of answer.
func (w *world) form(title string) models.Form {
	w.t.Helper()
	ctx, step := context.Background(), must[models.Form](w)
	var fields []models.CustomField
	for _, f := range []models.CustomField{
		{Label: "What could you do?", Kind: models.FieldChoice, Choices: "Write a letter\nMake a call"},
		{Label: "Have you done this before?", Kind: models.FieldYesNo},
		{Label: "From which day on?", Kind: models.FieldDate},
		{Label: "How many hours?", Kind: models.FieldNumber},
		{Label: "What should we know?", Kind: models.FieldText, Private: true},
	} {
		f.ID, f.SeenBy, f.CreatedAt, f.UpdatedAt = models.NewID(), "organizer", w.Clock.Now(), w.Clock.Now()
		f.Name = f.ID.String()
		fields = append(fields, f)
	}
	w.must(w.DB.Create(&fields).Error)
	d := joining.Draft{
		Title: title, Intro: "Tell us what you **could** do. It takes two minutes.", Thanks: "We write to you *within a week*.", Locale: "en", Tags: []string{"Helper"}, Hosts: "www.example.org",
		Questions: []joining.Question{{Key: joining.GivenName, Required: true}, {Key: joining.Phone}, {Key: joining.PostalCode}, {Key: joining.Country}, {Key: joining.HowOften}},
		Asks:      []consents.Ask{{Purpose: models.PurposeVolunteering}, {Purpose: models.PurposePhone}},
	}
	for _, f := range fields {
		d.Questions = append(d.Questions, joining.Question{Key: joining.FieldKey(f.ID)})
	}
	f := step(w.Forms.Create(ctx, w.owner, title, "en"))
	f = step(w.Forms.Save(ctx, w.owner, f.ID, joining.SaveInput{Draft: d, Revision: f.Revision}))
	return step(w.Forms.SetState(ctx, w.owner, f.ID, models.FormOpen))
}

const joinForm = `form[action="/join"]`

// From /join to the record, with scripts and without, every page on the way looked at.
func TestJoin(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.topics()
	tab := New(t, w.URL)
	for _, c := range []struct {
		scripts bool
		email   string
	}{{true, "june@example.org"}, {false, "cal@example.org"}} {
		name := map[bool]string{true: "with scripts", false: "without scripts"}[c.scripts]
		tab.Scripts(c.scripts)
		tab.Open("/join")
		tab.Want(200, "/join")
		tab.Check("join " + name)
		tab.Fill(joinForm+` [name=email]`, c.email)
		tab.Fill(joinForm+` [name=postal_code]`, "10203")
		tab.Press(joinForm + ` button.main`)
		tab.Want(422, "/join")
		tab.Check("join with errors " + name)
		if id := Eval[string](tab, `document.activeElement.id`); id != "summary" {
			t.Errorf("%s: the focus is on %q, not on the summary of errors", name, id)
		}
		tab.Click(joinForm + ` [name=consent]`)
		tab.Click(joinForm + ` [name=frequency][value=monthly]`)
		tab.Press(joinForm + ` button.main`)
		tab.Want(200, "/join/sent")
		tab.Check("sent " + name)
		tab.Open(testapp.Link(t, w.WaitMail(t, c.email, 1)[0], "/confirm/"))
		tab.Want(200, "/confirm/")
		tab.Check("confirm " + name)
		tab.Press(`main form button.main`)
		tab.Want(200, "/join/thanks")
		tab.Check("thanks " + name)
	}
	var n int64
	if err := w.DB.Model(&models.Consent{}).Where("purpose = 'newsletter' AND withdrawn_at IS NULL").Count(&n).Error; err != nil || n != 2 {
		t.Errorf("%d consents, %v", n, err)
	}
}

// A form with every kind of question, by the keyboard alone; what waits with it is confirmed by the same press.
func TestFormByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.topics()
	f := w.form("Lend a hand")
	slug := w.petition(draft, models.PetitionPublished).Slug
	tab := New(t, w.URL)
	tab.Open("/petitions/" + slug)
	for name, text := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "10203"} {
		tab.Fill(signForm+` [name=`+name+`]`, text)
	}
	tab.Press(signForm + ` button.main`)
	tab.Open("/forms/" + f.Slug)
	tab.Check("a form with every kind of question")
	button := func(f focused) bool { return f.Tag == "button" && f.Type == "submit" }
	tabTo(tab, named("email"))
	tab.Keys("june@example.org")
	tabTo(tab, named("phone"))
	tab.Keys("12")
	tabTo(tab, named("consent"))
	tab.Keys(" ")
	if Eval[bool](tab, `document.activeElement.name === 'leave_empty'`) || tabTo(tab, button).Name == "leave_empty" {
		t.Error("the trap can be reached by the keyboard")
	}
	tab.KeysAway(kb.Enter)
	tab.Want(422, "/forms/"+f.Slug)
	tab.Check("a form with errors")
	tabTo(tab, func(f focused) bool { return f.Href == "#given_name" })
	tab.Keys(kb.Enter)
	tab.Keys("June")
	tabTo(tab, named("phone"))
	tab.Keys("34567890")
	tabTo(tab, button)
	tab.KeysAway(kb.Enter)
	tab.Want(200, "/forms/"+f.Slug+"/sent")
	tab.Open(testapp.Link(t, w.WaitMail(t, "june@example.org", 1)[0], "/confirm/"))
	if n := Eval[int](tab, `document.querySelectorAll('[name=item]:checked').length`); n != 2 {
		t.Fatalf("%d wait: %s", n, tab.where())
	}
	tab.Check("a form and a signature wait")
	tabTo(tab, button)
	tab.KeysAway(" ")
	if got := w.count(slug); got != "1" || tab.Status != 200 {
		t.Errorf("%s have signed: %s", got, tab.where())
	}
	var sub models.Submission
	if err := w.DB.Take(&sub).Error; err != nil || sub.State != models.SubmissionConfirmed {
		t.Errorf("%+v %v", sub, err)
	}
	tab.Open("/forms/" + f.Slug + "/thanks")
	tab.Check("thanks of a form")
}

// The organizer's pages of forms and consents, where they say that something is wrong.
func TestFormPages(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.topics()
	f := w.form("Lend a hand")
	tab := New(t, w.URL)
	tab.Open("/forms/" + f.Slug + "/embed")
	tab.Check("a form for a frame")
	w.signIn(tab)
	for _, path := range []string{"/admin/forms", "/admin/forms/" + f.ID.String(), "/admin/forms/" + f.ID.String() + "/preview", "/admin/topics", "/admin/consents/share", "/admin/partners/new"} {
		tab.Open(path)
		tab.Want(200, path)
		tab.Check(path)
	}
	tab.Open("/admin/forms/" + f.ID.String() + "/edit")
	tab.Check("the form's own page")
	tab.Fill(`[name=hosts]`, "not a host!")
	tab.Press(`main form button[value=save]`)
	tab.Want(422, "/admin/forms/")
	tab.Check("the form's own page with errors")
	tab.Fill(`[name=hosts]`, "www.example.org")
	tab.Fill(`[name=title]`, "Lend two hands")
	tab.Press(`main form button[value=save]`)
	tab.Want(200, "/admin/forms/")
	if got := tab.Value(`[name=title]`); got != "Lend two hands" {
		t.Errorf("saved %q", got)
	}
	tab.Open("/admin/topics")
	tab.Press(`form[action="/admin/topics"] button`)
	tab.Want(422, "/admin/topics")
	tab.Check("a topic without a name")
	tab.Open("/admin/consents/share")
	tab.Fill(`[name=body]`, "Nothing.")
	tab.Press(`main form button`)
	tab.Want(422, "/admin/consents/share")
	tab.Check("words without the partner's name")
	if !strings.Contains(tab.where(), "{partner}") && !strings.Contains(tab.where(), "{organisation}") {
		t.Errorf("what is missing is not said: %s", tab.where())
	}
}

// A form in a frame of another site: filled in there by the keyboard, sent to a page of ours outside of the frame. A site that
// the form does not list shows nothing of it.
func TestFormInAFrame(t *testing.T) {
	t.Parallel()
	w := empty(t)
	f := w.form("Lend a hand")
	outer := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte(`<!doctype html><html lang="en"><title>Another site</title><main><iframe title="Form" src="` + w.URL + "/forms/" + f.Slug + `/embed" width="700" height="700"></iframe></main></html>`))
	}))
	defer outer.Close()
	origin := strings.Replace(outer.URL, "127.0.0.1", "localhost", 1) // another site than ours, to a browser
	for _, listed := range []bool{true, false} {
		row := must[models.Form](w)(w.Forms.Get(t.Context(), w.owner, f.ID))
		d := joining.Draft{Title: row.Title, Locale: "en", Hosts: map[bool]string{true: origin, false: "www.example.org"}[listed]}
		must[models.Form](w)(w.Forms.Save(t.Context(), w.owner, f.ID, joining.SaveInput{Draft: d, Revision: row.Revision}))
		w.Clock.Add(10 * time.Second) // pages for everybody are kept for a moment
		tab := New(t, origin)
		tab.Open(origin + "/")
		tab.Keys(kb.Tab)
		if listed {
			tab.InFrame(w.URL, `document.hasFocus() && document.activeElement.name === "email"`)
		}
		tab.Keys("june@example.org")
		if listed {
			tab.InFrame(w.URL, `document.activeElement.value === "june@example.org"`)
			tab.KeysAway(kb.Enter)
		} else {
			tab.Keys(kb.Enter)
		}
		at := Eval[string](tab, `location.href`)
		if want := map[bool]string{true: w.URL + "/forms/" + f.Slug + "/sent", false: origin + "/"}[listed]; at != want {
			t.Errorf("listed %v: at %s, not %s", listed, at, want)
		}
		tab.watch.take() // two sites are what this is about
	}
	if n := len(w.WaitMail(t, "june@example.org", 1)); n != 1 {
		t.Errorf("%d mails", n)
	}
}
