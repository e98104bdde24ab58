package browser

import (
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"kithline/tests/rows"
	"kithline/tests/testapp"
)

// lettered puts a letter campaign and a state of representatives into the program.
func (w *world) lettered() {
	w.t.Helper()
	state := rows.NewRepresented(w.Clock.Now())
	for _, row := range append(slices.Clone(state.Rows), rows.NewLetters(state, "twenty-visits", w.Clock.Now()).Rows...) {
		w.must(w.DB.Create(row).Error)
	}
}

// A constituent by the keyboard alone at 320 pixels, once with scripts and once without: in a split postal code, with a senator whose
// office takes letters by a web form alone. Every page is asked all rules of accessibility, and every error leads to its field.
func TestLetterByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	w.lettered()
	tab := New(t, w.URL)
	for _, scripts := range []bool{true, false} {
		email := map[bool]string{true: "june@example.org", false: "cal@example.org"}[scripts]
		s := byKeys{tab, w, func(name string) {
			if scripts {
				tab.Check(name)
			} else {
				tab.Glance(name + " without scripts")
			}
			if scripts {
				shoot(tab, "letter-"+name)
			}
		}}
		tab.Scripts(scripts)
		s.letter(t, email, scripts)
	}
}

func (s byKeys) letter(t *testing.T, email string, scripts bool) {
	const write = "/letters/twenty-visits/write"
	s.Open("/letters/twenty-visits")
	s.at(200, "/letters/twenty-visits", "start")
	s.press("Start writing")
	s.at(200, write, "where")
	s.write("postal_code", "?")
	s.KeysAway(kb.Enter)
	s.at(422, write, "where-error")
	tabTo(s.Tab, func(f focused) bool { return f.Href == "#postal_code" })
	s.Keys(kb.Enter)
	s.Keys(kb.End + kb.Backspace + "00152")
	s.KeysAway(kb.Enter)
	s.at(200, write, "district")
	s.press("Go on")
	s.at(422, write, "district-error")
	tabTo(s.Tab, func(f focused) bool { return f.Href == "#division" })
	s.Keys(kb.Enter)
	s.Keys(kb.ArrowDown) // the second district
	s.press("Go on")
	s.at(200, write, "who")
	if got := s.Text("main"); !strings.Contains(got, "Bo Lind") || !strings.Contains(got, "a form on its own site") {
		t.Errorf("who it goes to: %s", got)
	}
	s.press("Go on")
	s.at(200, write, "points")
	tabTo(s.Tab, named("point"))
	s.Keys(" ")
	s.press("Go on")
	s.at(200, write, "words")
	s.write("own_words", "My plan stopped after six visits. I had just begun to lift my arm again.")
	if scripts {
		s.Until(`document.querySelector('meter').value > 10`)
		s.Until(`/part of the letter/.test(document.querySelector('#own-t').textContent)`)
	}
	s.press("Go on")
	s.at(200, write, "you")
	s.press("Go on")
	s.at(422, write, "you-error")
	if got := s.Value("[name=given_name]"); got != "" {
		t.Errorf("given name %q", got)
	}
	s.write("given_name", "June")
	s.write("family_name", "Hollis")
	s.write("street", "4 Mill Lane")
	s.write("city", "Three Forks")
	s.write("email", email)
	s.KeysAway(kb.Enter)
	s.at(200, write, "check")
	if got := s.Text("main"); !strings.Contains(got, "Dear Senator Okafor,") || !strings.Contains(got, "Dear Representative Lind,") || !strings.Contains(got, "lift my arm again") {
		t.Errorf("the last page: %s", got)
	}
	tabTo(s.Tab, named("copy"))
	s.Keys(" ")
	s.press("Mail it to me")
	s.at(200, "/letters/twenty-visits/sent", "sent")
	mail := s.w.WaitMail(t, email, 1)[0]
	s.Open(testapp.Link(t, mail, "/confirm/"))
	s.at(200, "/confirm/", "confirm")
	s.press("Yes, send this letter")
	s.at(200, "/letters/twenty-visits/thanks", "thanks")
	var n int64
	s.w.must(s.w.DB.Table("dispatches").Where("state <> 'draft'").Count(&n).Error)
	if want := map[bool]int64{true: 2, false: 4}[scripts]; n != want {
		t.Errorf("%d letters go out, want %d", n, want)
	}
	if scripts { // later, elsewhere, and the pages of that
		s.Open("/letters/resume")
		s.at(200, "/letters/resume", "resume")
	}
}
