package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/petitions"
	"kithline/campaigns/tokens"
	"kithline/models"
	"kithline/tests/testapp"
)

// shoot writes pictures of the page that is shown where somebody asked for them: see TestScreens.
func shoot(tab *Tab, name string) {
	tab.t.Helper()
	if *screens == "" {
		return
	}
	for _, size := range []Size{Phone, Desk} {
		for _, scheme := range []string{"light", "dark"} {
			if err := os.WriteFile(filepath.Join(*screens, name+"-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644); err != nil {
				tab.t.Fatal(err)
			}
		}
	}
}

// byKeys is somebody at 320 pixels and without a pointer. Every page is looked at with look.
type byKeys struct {
	*Tab
	w    *world
	look func(name string)
}

// write goes to a field and types into it.
func (s byKeys) write(field, text string) {
	s.t.Helper()
	tabTo(s.Tab, named(field))
	s.Keys(text)
}

// press goes to a button that says so, or to a link, and presses it.
func (s byKeys) press(words string) int {
	s.t.Helper()
	tabTo(s.Tab, func(f focused) bool { return (f.Tag == "button" || f.Tag == "a") && strings.HasPrefix(f.Text, words) })
	return s.KeysAway(kb.Enter)
}

// at fails the test unless the page came with the status at the path, and looks at it.
func (s byKeys) at(status int, path, name string) {
	s.t.Helper()
	s.Want(status, path)
	s.look(name)
	s.Look(Phone, "light")
	if id := Eval[string](s.Tab, `document.activeElement.id`); status == 422 && id != "summary" {
		s.t.Errorf("%s: the focus is on %q, not on the summary of errors", name, id)
	}
}

// An advocate without an account, by the keyboard alone at 320 pixels: from the first sentence to the answer, the link, the code,
// another language, somebody who writes along, and how it goes. Once with scripts, every page asked all rules of accessibility,
// and once without.
func TestStartByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.petition(draft, models.PetitionPublished)
	tab := New(t, w.URL)
	for _, scripts := range []bool{true, false} {
		email, cal := "june@example.org", "cal@example.org"
		title := "Twenty visits for everybody who needs them"
		s := byKeys{tab, w, func(name string) {
			if !strings.HasSuffix(name, "+") { // a page that was asked all rules before, with more or less on it
				tab.Check(name)
			} else {
				tab.Glance(name)
			}
			shoot(tab, "start-"+name)
		}}
		if !scripts {
			email, cal, title = "ana@example.org", "bo@example.org", "A night bus to the hospital"
			s.look = func(name string) { tab.Glance(name + " without scripts") }
		}
		tab.Scripts(scripts)
		s.start(t, email, cal, title)
	}
}

func (s byKeys) start(t *testing.T, email, cal, title string) {
	w := s.w
	s.Open("/petitions/new")
	s.at(200, "/petitions/new", "new")
	s.write("title", title)
	s.press("Look for similar")
	s.at(200, "/petitions/new", "new-similar+")
	// The Enter key in a field keeps the draft: it looks for nothing, and adds no row.
	tabTo(s.Tab, named("title"))
	s.KeysAway(kb.Enter)
	s.at(422, "/petitions/new", "new-errors")
	if got := s.Value(`[name=title]`); got != title {
		t.Errorf("after an error the title is %q", got)
	}
	tabTo(s.Tab, func(f focused) bool { return f.Href == "#your_name" })
	s.Keys(kb.Enter)
	s.Keys("June Okafor")
	s.write("your_email", email)
	s.KeysAway(kb.Enter)
	s.at(200, "/petitions/mine/", "edit")
	edit := s.Path()
	base := strings.TrimSuffix(edit, "/edit")

	s.write("summary_text", "We ask the Committee to pass HB 412.")
	s.write("body", "Most plans stop after six visits.")
	s.write("claim_1", "Most plans stop after six visits.")
	s.KeysAway(kb.Enter)
	if s.Want(200, edit); Eval[string](s.Tab, `location.hash`) != "" || !s.Has(".notice.good") || s.Value(`[name=claim_1]`) == "" || !s.Has(`[name=claim_2]`) {
		t.Errorf("the Enter key in a fact: %s", s.where())
	}
	s.write("decider", "House Health Committee")
	s.write("why_now", "The hearing is on 16 March.")
	s.write("system_change", "Twenty visits a year are covered.")
	s.write("goal", "500")
	s.press("Check and submit")
	s.at(200, base+"/check", "check-missing")
	if !s.Has(`#summary a[href="#claim_1_source"]`) || s.Has(`form[action$="/submit"]`) {
		t.Errorf("a fact without a source: %s", s.where())
	}
	s.press("Change")
	s.write("claim_1_source", "Plan book 2026")
	s.write("claim_1_url", "https://example.org/plans")
	s.press("Check and submit")
	s.at(200, base+"/check", "check-unproved+")
	if s.Has(`form[action$="/submit"]`) {
		t.Error("it can be submitted before the address is proved")
	}

	mail := w.WaitMail(t, email, 1)[0]
	s.Open(testapp.Link(t, mail, "/petitions/draft/"))
	s.at(200, "/petitions/draft/", "link")
	s.press("It is mine")
	s.at(200, base, "one-draft")
	s.press("Write on")
	tabTo(s.Tab, named("new_locale"))
	s.Keys("esp")
	s.press("Add this language")
	s.at(200, base+"/texts/es", "text")
	s.write("title", "Veinte consultas")
	s.KeysAway(kb.Enter)
	s.at(200, edit, "edit-full+")
	s.press("See how it looks")
	s.at(200, base+"/preview", "preview")
	s.Open(edit)
	s.press("Check and submit")
	s.at(200, base+"/check", "check-text+")
	s.Open(base + "/texts/es")
	for name, text := range map[string]string{"summary_text": "Pedimos la ley 412.", "body": "Muchos planes paran.", "decider": "El Comité", "why_now": "La audiencia.", "system_change": "Veinte al año."} {
		s.Fill(`[name=`+name+`]`, text)
	}
	s.press("Save")
	s.press("Check and submit")
	s.at(200, base+"/check", "check")
	s.press("Submit")
	s.at(200, base, "one-submitted")

	// Somebody who writes along.
	s.write("co_email", "cal")
	s.KeysAway(kb.Enter)
	s.at(422, base, "one-invite-errors")
	tabTo(s.Tab, named("co_email"))
	s.Fill(`[name=co_email]`, cal)
	s.KeysAway(kb.Enter)
	s.at(200, base, "one-invited+")
	s.Open("/petitions/mine")
	s.at(200, "/petitions/mine", "mine")
	s.press("Close them here")
	s.at(200, "/petitions/mine", "mine-none+")
	s.Open(testapp.Link(t, w.WaitMail(t, cal, 1)[0], "/petitions/draft/"))
	s.at(200, "/petitions/draft/", "invitation")
	tabTo(s.Tab, named("your_name"))
	s.KeysAway(kb.Enter)
	s.at(422, "/petitions/draft/", "invitation-errors")
	s.write("your_name", "Cal Winters")
	s.KeysAway(kb.Enter)
	s.at(200, base, "one-costarter+")
	s.Open("/petitions/mine")
	s.press("Close them here")

	// On another device, by the code.
	s.press("Go on with a draft")
	s.at(200, "/petitions/resume", "resume")
	s.write("your_email", email)
	s.write("code", "333333")
	s.KeysAway(kb.Enter)
	s.at(422, "/petitions/resume", "resume-errors")
	var st models.PetitionStarter
	id := parsed(t, base[strings.LastIndex(base, "/")+1:])
	w.must(w.DB.Take(&st, "petition_id = ? AND lead", id).Error)
	tabTo(s.Tab, named("code"))
	s.Fill(`[name=code]`, w.Signer.Code(tokens.Starter, st.ID))
	s.KeysAway(kb.Enter)
	s.Want(200, base)
	s.Open("/petitions/resume")
	s.write("your_email", email)
	s.press("Mail me the link")
	s.at(200, "/petitions/resume", "mailed")

	// It comes back, goes again, is public.
	step := must[models.Petition](w)
	p := step(w.Petitions.Draft(t.Context(), w.owner, id))
	step(w.Petitions.Return(t.Context(), w.owner, id, petitions.ReturnInput{Reason: "decider,source", Text: "Who chairs it?", Revision: p.Revision}))
	s.Open(base)
	s.at(200, base, "one-returned")
	s.press("Write on")
	s.at(200, edit, "edit-returned+")
	s.press("Check and submit")
	s.press("Submit")
	p = step(w.Petitions.Draft(t.Context(), w.owner, id))
	p = step(w.Petitions.Publish(t.Context(), w.owner, id, p.Revision))
	w.sign(p.Slug, signer{"June", "Okafor", "june." + email, "", "name", false})
	s.Open(base)
	s.at(200, base, "one-public")
	s.press("How it goes")
	s.at(200, base+"/report", "report")
	s.Open(base + "/update")
	s.at(200, base+"/update", "update")

	// Other words for what is public: sent, and not there yet.
	s.Open(base)
	s.press("Change the words")
	s.at(200, base+"/words", "words")
	tabTo(s.Tab, named("title"))
	s.Fill(`[name=title]`, "")
	s.KeysAway(kb.Enter)
	s.at(422, base+"/words", "words-errors")
	s.write("title", title+" now")
	s.KeysAway(kb.Enter)
	s.at(200, base, "one-words")
	s.press("Change the words")
	if s.at(200, base+"/words", "words-wait"); s.Value(`[name=title]`) != title+" now" {
		t.Errorf("what waits is not in the form: %s", s.where())
	}
	w.Client(t).Get("/petitions/" + p.Slug).Want(200)
	if got := w.Client(t).Get("/petitions/" + p.Slug).Text("h1"); got != title {
		t.Errorf("the page says %q before a moderator looked", got)
	}
	now := step(w.Petitions.Draft(t.Context(), w.owner, id))
	w.must(w.Petitions.Decline(t.Context(), w.owner, id, petitions.ProposalMark(now), "People signed for the words before."))
	s.Open(base + "/words")
	s.at(200, base+"/words", "words-kept+")
	if s.Value(`[name=title]`) != title {
		t.Errorf("after the answer the form says %q", s.Value(`[name=title]`))
	}

	inSpanish(t, s.Tab, []string{"/petitions/new", "/petitions/resume", "/petitions/mine", base, base + "/words", base + "/report", base + "/update"})
	s.Look(Phone, "light")

	// What waits at an address is listed behind its other mails too.
	other := "also." + email
	must[petitions.Started](w)(w.Petitions.Start(t.Context(), "", petitions.StartInput{Draft: draft, Name: "Eva", Email: other, Language: "en"}))
	box := must[models.Mailbox](w)(mailboxes.Find(t.Context(), w.DB.DB, w.Vault, other))
	door := "/confirm/" + w.Signer.Make(tokens.Confirm, box.ID, w.Clock.Now().Add(time.Hour))
	s.Open(door)
	s.at(200, door, "confirm-draft")
	must[petitions.SignResult](w)(w.Petitions.Sign(t.Context(), petitions.SignInput{Slug: p.Slug, GivenName: "Eva", FamilyName: "Lund", Email: other, PostalCode: "10203", Display: "name", Locale: "en"}))
	s.Open(door)
	s.at(200, door, "confirm-draft-and-signature")
	s.press("Confirm what is ticked")
	s.Want(200, "/petitions/")
	s.Open("/petitions/mine")
	s.press("Close them here")
}
