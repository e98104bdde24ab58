package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"kithline/tests/factory"
)

// Somebody in a split postal code finds who represents them, by keyboard alone and without scripts, on a phone; every page on the way is
// looked at. The first page leads there.
func TestRepresentatives(t *testing.T) {
	t.Parallel()
	w := empty(t)
	districts := factory.Wennick(t, w.App)
	tab := New(t, w.URL)
	look := func(name string) {
		t.Helper()
		tab.Check(name)
		if *screens == "" {
			return
		}
		for _, size := range []Size{Phone, Desk} {
			for _, scheme := range []string{"light", "dark"} {
				file := filepath.Join(*screens, "representatives-"+name+"-"+size.String()+"-"+scheme+".png")
				if err := os.WriteFile(file, tab.Picture(size, scheme), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	tab.Open("/")
	look("home")
	tab.Press(`a[href="/representatives"]`)
	look("first")
	tab.Scripts(false)
	tab.Look(Phone, "light")
	tab.Open("/representatives")
	if tab.Has("[data-here]:not([hidden])") {
		t.Error("without scripts a button is shown that does nothing")
	}
	tab.Fill("#postal_code", "00014")
	if status := tab.KeysAway(kb.Enter); status != 200 || !strings.Contains(tab.Text("main"), "which district is yours") {
		t.Fatalf("%d: %s", status, tab.Text("main"))
	}
	look("question")
	if status := tab.Press(`form:has(fieldset) .button`); status != 422 {
		t.Fatalf("nothing chosen: %d", status)
	}
	look("wrong")
	tab.Click(`#in_sldl`)
	tab.Keys(kb.ArrowDown)
	if status := tab.KeysAway(kb.Enter); status != 200 {
		t.Fatal(status)
	}
	if text := tab.Text("main"); !strings.Contains(text, "Tom Vale") || strings.Contains(text, "Ines Rowe") || !strings.Contains(tab.Path(), districts["2"].ID.String()) {
		t.Errorf("%s: %s", tab.Path(), text)
	}
	tab.Open("/representatives?postal_code=00011")
	look("found")
	if pdf := tab.Print(); !strings.HasPrefix(pdf, "%PDF") {
		t.Error("it does not print")
	}
	tab.Open("/representatives?postal_code=99999&lang=es")
	look("unknown")
	tab.Open("/representatives?postal_code=00127")
	look("vacant")
}
