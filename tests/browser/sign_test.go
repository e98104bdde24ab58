package browser

import (
	"path"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"kithline/models"
	"kithline/tests/testapp"
)

const signForm = `form[action$="/sign"]`

// From the petition's page to the count, with scripts and without, every page on the way looked at.
func TestSign(t *testing.T) {
	t.Parallel()
	w := empty(t)
	slug := w.petition(draft, models.PetitionPublished).Slug
	tab := New(t, w.URL)
	for _, c := range []struct {
		scripts bool
		email   string
		before  string
		after   string
	}{{true, "june@example.org", "0", "1"}, {false, "cal@example.org", "1", "2"}} {
		name := map[bool]string{true: "with scripts", false: "without scripts"}[c.scripts]
		tab.Scripts(c.scripts)
		tab.Open("/petitions/" + slug)
		tab.Want(200, "/petitions/"+slug)
		tab.Check("petition " + name)

		tab.Fill(signForm+` [name=given_name]`, "June")
		tab.Fill(signForm+` [name=email]`, "june.example.org")
		tab.Press(signForm + ` button.main`)
		tab.Want(422, "/petitions/"+slug)
		tab.Check("form with errors " + name)
		if title := Eval[string](tab, `document.title`); !strings.HasPrefix(title, "Error:") {
			t.Errorf("%s: the title of the form with errors is %q", name, title)
		}
		if id := Eval[string](tab, `document.activeElement.id`); id != "summary" {
			t.Errorf("%s: the focus is on %q, not on the summary of errors", name, id)
		}
		if got := tab.Value(signForm + ` [name=given_name]`); got != "June" {
			t.Errorf("%s: the given name is %q after an error", name, got)
		}

		tab.Fill(signForm+` [name=family_name]`, "Okafor")
		tab.Fill(signForm+` [name=email]`, c.email)
		tab.Fill(signForm+` [name=postal_code]`, "10203")
		tab.Fill(signForm+` [name=comment]`, "After visit six I did the exercises from a sheet of paper.")
		tab.Click(signForm + ` [name=display][value=initials]`)
		tab.Click(signForm + ` [name=updates]`)
		tab.Press(signForm + ` button.main`)
		if tab.Status != 200 {
			t.Fatalf("%s: sent with %d: %s", name, tab.Status, tab.where())
		}
		tab.Check("sent " + name)

		mail := w.WaitMail(t, c.email, 1)[0]
		tab.Open(testapp.Link(t, mail, "/confirm/"))
		tab.Want(200, "/confirm/")
		tab.Check("confirm " + name)
		if got := w.count(slug); got != c.before {
			t.Errorf("%s: %s have signed after the link was opened, not %s", name, got, c.before)
		}
		tab.Press(`main form button.main`)
		if tab.Status != 200 {
			t.Fatalf("%s: confirmed with %d: %s", name, tab.Status, tab.where())
		}
		tab.Check("thanks " + name)
		if got := w.count(slug); got != c.after {
			t.Errorf("%s: %s have signed, not %s", name, got, c.after)
		}
	}
	tab.Scripts(true)
	w.until(tab, "/petitions/"+slug, `document.querySelector('.count').innerText.startsWith('2 ')`)
}

// until opens a page again and again until an expression is true on it. Pages for everybody are kept for a second or two
// by the program's clock, and the next reader may still get the old one while a new one is made.
func (w *world) until(tab *Tab, path, expr string) {
	w.t.Helper()
	w.Clock.Add(10 * time.Second)
	for end := time.Now().Add(10 * time.Second); ; {
		tab.Open(path)
		if Eval[bool](tab, expr) {
			return
		}
		if time.Now().After(end) {
			w.t.Fatalf("not so for 10 seconds: %s: %s", expr, tab.where())
		}
	}
}

// By the code from the mail, in the browser that signed; and a link that is used twice.
func TestSignByCode(t *testing.T) {
	t.Parallel()
	w := empty(t)
	slug := w.petition(draft, models.PetitionPublished).Slug
	tab := New(t, w.URL)
	tab.Open("/petitions/" + slug)
	for name, text := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "10203"} {
		tab.Fill(signForm+` [name=`+name+`]`, text)
	}
	tab.Press(signForm + ` button.main`)
	mail := w.WaitMail(t, "june@example.org", 1)[0]
	code := codeIn(t, mail.Text)
	tab.Fill(`[name=code]`, "WRNG99")
	tab.Press(`form:has([name=code]) button`)
	if tab.Status != 422 {
		t.Fatalf("a wrong code: %d: %s", tab.Status, tab.where())
	}
	tab.Check("a wrong code")
	tab.Fill(`[name=code]`, strings.ToLower(code[:3])+" "+code[3:])
	tab.Press(`form:has([name=code]) button`)
	if got := w.count(slug); tab.Status != 200 || got != "1" {
		t.Fatalf("%d, %s have signed: %s", tab.Status, got, tab.where())
	}
	link := testapp.Link(t, mail, "/confirm/")
	tab.Open(link)
	tab.Check("a link to what is confirmed already")
	w.Clock.Add(400 * 24 * time.Hour)
	tab.Open(link)
	if tab.Status != 410 {
		t.Errorf("an old link %s…: %d: %s", path.Dir(link), tab.Status, tab.where())
	}
	tab.Check("an old link")
}

// codeIn finds the short code in a mail.
func codeIn(t *testing.T, text string) string {
	t.Helper()
	for _, line := range strings.Split(text, "\n") {
		word := strings.Join(strings.Fields(line), "")
		if len(word) == 6 && strings.ToUpper(word) == word && strings.Trim(word, "3479CDFGHJKMNPQRTVWX") == "" {
			return word
		}
	}
	t.Fatalf("no code in: %s", text)
	return ""
}

// focused is what the focus is on.
type focused struct {
	Tag, Name, Type, Href, Text string
	Seen                        bool // marked by an outline, and in the window
}

// The parts inside of a date are no elements of their own, so the field as a whole says where the focus is.
const focusedNow = `(() => {
	const e = document.activeElement, c = getComputedStyle(e), r = e.getBoundingClientRect();
	return {Tag: e.tagName.toLowerCase(), Name: e.getAttribute('name') || e.id || '', Type: e.type || '', Href: e.getAttribute('href') || '', Text: (e.textContent || '').trim().slice(0, 40),
		Seen: (e.matches(':focus-visible') || (e.type || '').startsWith('date')) && c.outlineStyle !== 'none' && parseFloat(c.outlineWidth) >= 2 && r.width > 0 && r.bottom > 0 && r.top < innerHeight};
})()`

// tabTo presses the tab key until the focus is where it is wanted, and fails where it cannot be seen on the way.
func tabTo(tab *Tab, wanted func(f focused) bool) focused {
	tab.t.Helper()
	for range 80 {
		tab.Keys(kb.Tab)
		f := Eval[focused](tab, focusedNow)
		if f.Tag == "body" {
			continue
		}
		if !f.Seen && !strings.HasPrefix(f.Type, "date") && f.Type != "time" { // its parts mark themselves
			tab.t.Errorf("%s: the focus on %+v cannot be seen", tab.Path(), f)
		}
		if wanted(f) {
			return f
		}
	}
	tab.t.Fatalf("%s: the tab key does not get there; it is at %+v", tab.Path(), Eval[focused](tab, focusedNow))
	return focused{}
}

func named(name string) func(focused) bool { return func(f focused) bool { return f.Name == name } }

// Without a pointer: fill in, be told of an error, follow the summary to the field, send, confirm.
func TestSignByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	slug := w.petition(draft, models.PetitionPublished).Slug
	tab := New(t, w.URL)
	tab.Open("/petitions/" + slug)
	if f := tabTo(tab, func(focused) bool { return true }); f.Href != "#main" {
		t.Errorf("the first stop is %+v, not the link to the page", f)
	}
	button := func(f focused) bool { return f.Tag == "button" && f.Type == "submit" }
	tabTo(tab, named("given_name"))
	tab.Keys("June")
	tabTo(tab, named("family_name"))
	tab.Keys("Okafor")
	tabTo(tab, named("email"))
	tab.Keys("june.example.org")
	tabTo(tab, named("postal_code"))
	tab.Keys("10203")
	tabTo(tab, named("display"))
	tab.Keys(kb.ArrowDown)
	tabTo(tab, named("updates"))
	tab.Keys(" ")
	if !Eval[bool](tab, `document.querySelector('[name=updates]').checked`) {
		t.Error("the space key does not tick a box")
	}
	shown := Eval[string](tab, `document.querySelector('[name=display]:checked').value`)
	tabTo(tab, button)
	tab.KeysAway(kb.Enter)
	tab.Want(422, "/petitions/"+slug)
	if f := Eval[focused](tab, focusedNow); f.Name != "summary" || !f.Seen {
		t.Errorf("the focus is on %+v, not on the summary of errors", f)
	}
	tabTo(tab, func(f focused) bool { return f.Href == "#email" })
	tab.Keys(kb.Enter)
	if f := Eval[focused](tab, focusedNow); f.Name != "email" {
		t.Errorf("the summary's link leads to %+v", f)
	}
	if got := Eval[string](tab, `document.querySelector('[name=display]:checked').value`); got != shown || !Eval[bool](tab, `document.querySelector('[name=updates]').checked`) {
		t.Errorf("after an error the choice is %q, not %q, or the box lost its tick", got, shown)
	}
	tab.Keys("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)) // all of it
	tab.Keys("june@example.org")
	tab.KeysAway(kb.Enter)
	tab.Open(testapp.Link(t, w.WaitMail(t, "june@example.org", 1)[0], "/confirm/"))
	tabTo(tab, button)
	tab.KeysAway(" ")
	if got := w.count(slug); got != "1" {
		t.Errorf("%s have signed: %s", got, tab.where())
	}
}
