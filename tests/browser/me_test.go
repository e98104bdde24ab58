package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"kithline/campaigns/consents"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// own is a site where June did what there is to do, and the link to her page.
func own(t *testing.T) (w *world, slug string) {
	t.Helper()
	w = empty(t)
	slug = w.petition(draft, models.PetitionPublished).Slug
	w.sign(slug, signer{"June", "Okafor", "june@example.org", "After visit six I did the exercises from a sheet of paper.", "name", true})
	for _, topic := range []consents.TopicInput{{Name: "The law", About: "What changes, and what we do about it."}, {Name: "Groups near you"}} {
		_, err := w.Consents.SaveTopic(t.Context(), w.owner, uuid.Nil, topic)
		w.must(err)
	}
	now := w.Clock.Now()
	for _, name := range []string{"Wennick 1", "Wennick 2"} {
		d := models.Division{ID: models.NewID(), OCDID: "ocd-division/" + name, Name: name, Country: "US", Region: "WK", Kind: models.DivisionCongress, Version: "v", CreatedAt: now, UpdatedAt: now}
		w.must(w.DB.Create(&d).Error)
		w.must(w.DB.Create(&models.PostalDivision{Country: "US", PostalArea: "10203", DivisionID: d.ID, Kind: d.Kind, Version: "v"}).Error)
	}
	return w, slug
}

// mailed is the link that begins with part in the n-th mail to June that has one.
func (w *world) mailed(part string, n int) string {
	w.t.Helper()
	for all := 1; ; all++ {
		mails := w.WaitMail(w.t, "june@example.org", all)
		all = max(all, len(mails))
		found := 0
		for _, m := range mails {
			for _, word := range strings.Fields(m.Text) {
				if strings.HasPrefix(word, w.URL+part) {
					if found++; found == n {
						return word
					}
				}
			}
		}
	}
}

// Every state of every page of one's own, with scripts and without, looked at each time.
func TestOwnPage(t *testing.T) {
	t.Parallel()
	w, slug := own(t)
	tab := New(t, w.URL)
	for round, scripts := range []bool{false, true} {
		tab.Scripts(scripts)
		tab.Open("/me")
		tab.Check("asking for the link")
		tab.Fill(`#email`, "june.example.org")
		tab.Press(`form[action="/me"] button`)
		tab.Want(422, "/me")
		tab.Check("asking, with an error")
		tab.Fill(`#email`, "june@example.org")
		tab.Press(`form[action="/me"] button`)
		tab.Want(200, "/me/sent")
		tab.Check("asked")
		tab.Open(w.mailed("/me/A", round+1))
		tab.Want(200, "/me/")
		path := tab.Path()
		tab.Check("the page")

		tab.Press(`form[action$="/undo"] button`)
		tab.Check("a signature taken back")
		if got := w.count(slug); got != "0" {
			t.Errorf("%s have signed", got)
		}
		tab.Press(`form[action$="/undo"] button`)
		if got := w.count(slug); got != "1" {
			t.Errorf("%s have signed", got)
		}
		tab.Press(`form[action$="/stop"] button`)
		tab.Check("updates ended")
		tab.Press(`form[action$="/again"] button`)
		tab.Press(`form[action$="/topics"] button`)
		tab.Want(422, path)
		tab.Check("no topic ticked")
		tab.Click(`[name=topic]`)
		tab.Press(`form[action$="/topics"] button`)
		tab.Check("a topic added")
		tab.Click(`[name=until][value=day]`)
		tab.Press(`form[action$="/pause"] button`)
		tab.Want(422, path)
		tab.Check("a pause without a day")
		tab.Click(`[name=until][value=told]`)
		tab.Press(`form[action$="/pause"] button`)
		tab.Check("paused")
		tab.Press(`form[action$="/resume"] button`)

		tab.Open(path + "/details")
		tab.Check("the details")
		tab.Fill(`#phone`, "12")
		tab.Press(`form[action$="/details"] button`)
		tab.Want(422, path)
		tab.Check("the details, with an error")
		tab.Fill(`#phone`, "(202) 456-1111")
		tab.Press(`form[action$="/details"] button`)
		tab.Check("saved")
		tab.Press(`form[action$="/districts"] button`)
		tab.Want(422, path)
		tab.Check("no district chosen")
		tab.Press(`form[action$="/use"] button`)
		tab.Open("/petitions/" + slug)
		tab.Check("a form that is filled in")
		if got := tab.Value(`[name=email]`); got != "june@example.org" {
			t.Errorf("the form has %q", got)
		}
		tab.Press(`form[action="/me/forget"] button`)

		tab.Open(path)
		tab.Press(`form[action$="/download"] button`)
		tab.Open(w.mailed("/me/download/", round+1))
		tab.Check("the files")
		tab.Open(path)
		tab.Press(`form[action$="/erase"] button`)
		tab.Open(w.mailed("/me/erase/", round+1))
		tab.Check("the last button")
	}
	tab.Press(`form[action*="/me/erase/"] button`)
	if tab.Status != 200 {
		t.Fatalf("%d: %s", tab.Status, tab.where())
	}
	tab.Check("the receipt")
	tab.Open(w.mailed("/me/erase/", 2))
	tab.Want(410, "/me/erase/")
	tab.Check("a link that is over")
	box := models.NewID()
	tab.Open("/me/" + w.Signer.Make(tokens.Me, box, w.Clock.Now().Add(-time.Hour)))
	tab.Check("an old link")
}

// The whole way without a pointer and without scripts: ask, take the signature back and put it back, pause, go on, erase.
func TestOwnPageByKeyboard(t *testing.T) {
	t.Parallel()
	w, slug := own(t)
	tab := New(t, w.URL)
	tab.Scripts(false)
	press := func(words string) {
		t.Helper()
		tabTo(tab, func(f focused) bool { return f.Tag == "button" && strings.HasPrefix(f.Text, words) })
		if status := tab.KeysAway(kb.Enter); status != 200 {
			t.Fatalf("%s: %d: %s", words, status, tab.where())
		}
	}
	tab.Open("/me")
	tabTo(tab, named("email"))
	tab.Keys("june@example.org")
	press("Send me the link")
	tab.Open(w.mailed("/me/A", 1))
	path := tab.Path()
	press("Take back")
	if got := w.count(slug); got != "0" {
		t.Errorf("%s have signed", got)
	}
	press("Put it back")
	if got := w.count(slug); got != "1" {
		t.Errorf("%s have signed", got)
	}
	press("End")
	press("Take it back")
	tabTo(tab, named("topic"))
	tab.Keys(" ")
	press("Add what I ticked")
	tabTo(tab, named("until"))
	tab.Keys(kb.ArrowDown)
	press("Pause")
	var box models.Mailbox
	w.must(w.DB.Take(&box, "address_hash = ?", w.Vault.AddressHash("june@example.org")).Error)
	if box.PausedUntil == nil || box.PausedUntil.Sub(w.Clock.Now()) < 20*24*time.Hour {
		t.Errorf("paused until %v", box.PausedUntil)
	}
	press("Let mails come again")
	tabTo(tab, func(f focused) bool { return f.Tag == "a" && strings.HasSuffix(f.Href, "/details") && f.Href[0] == '/' })
	if status := tab.KeysAway(kb.Enter); status != 200 {
		t.Fatalf("details: %d", status)
	}
	tabTo(tab, named("street"))
	tab.Keys("1 Long Street")
	press("Save")
	if !strings.Contains(tab.Text("main"), "1 Long Street") {
		t.Error("the street is not saved")
	}
	tab.Open(path)
	press("Erase me")
	tab.Open(w.mailed("/me/erase/", 1))
	press("Erase everything now")
	if !strings.Contains(tab.Text("h1"), "erased") {
		t.Errorf("%s", tab.Text("main"))
	}
}
