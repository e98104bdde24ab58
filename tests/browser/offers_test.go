package browser

import (
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"kithline/mailer"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// Somebody who stands by is asked, and answers on a phone by keyboard alone and without scripts; every page on the way is looked at.
func TestOffersByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	_, held := factory.Standing(t, w.App)
	w.must(w.Rosters.LetGoOf(t.Context(), held.ID))
	tab := New(t, w.URL)
	look := func(name string) {
		t.Helper()
		tab.Check(name)
		if *screens == "" {
			return
		}
		for _, size := range []Size{Phone, Desk} {
			for _, scheme := range []string{"light", "dark"} {
				w.must(os.WriteFile(filepath.Join(*screens, "offers-"+name+"-"+size.String()+"-"+scheme+".png"), tab.Picture(size, scheme), 0o644))
			}
		}
	}
	at := func(m mailer.Message) string {
		u, err := url.Parse(testapp.Link(t, m, "/offers/"))
		w.must(err)
		return u.Path
	}
	tab.Scripts(false)
	tab.Look(Phone, "light")
	rosa := at(w.WaitMail(t, "rosa@example.org", 1)[0])
	tab.Open(rosa)
	look("asked")
	if status := tab.Press("form[action$='/no'] .button"); status != 200 || !strings.Contains(tab.Text("main"), "not this time") {
		t.Fatalf("%d: %s", status, tab.Text("main"))
	}
	look("no")
	tab.Open(at(w.WaitMail(t, "teo@example.org", 1)[0]))
	for range 30 { // to the button, as keys go there
		if tab.Keys(kb.Tab); Eval[bool](tab, "document.activeElement.matches(\"form[action$='/yes'] .button\")") {
			break
		}
	}
	if status := tab.KeysAway(kb.Enter); status != 200 || tab.Text("h1") != "The place is yours" {
		t.Fatalf("%d: %s", status, tab.Text("main"))
	}
	look("yours")
	tab.Open(rosa)
	look("taken")
	tab.Open("/offers/nothing")
	look("unknown")
	tab.Open(rosa + "?lang=es")
	look("spanish")
}
