package browser

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/chromedp/kb"

	"kithline/models"
	"kithline/tests/factory"
)

// An organizer builds a letter campaign and publishes it, by keyboard alone and without scripts; then looks at letters that are held, and
// writes into the advocacy log. Every page on the way is looked at.
func TestLetterCampaign(t *testing.T) {
	t.Parallel()
	w := empty(t)
	factory.Wennick(t, w.App)
	tab := New(t, w.URL)
	w.signIn(tab)
	look := func(name string) {
		t.Helper()
		tab.Check(name)
		if *screens == "" {
			return
		}
		for _, size := range []Size{Phone, Desk} {
			for _, scheme := range []string{"light", "dark"} {
				file := filepath.Join(*screens, "letters-"+name+"-"+size.String()+"-"+scheme+".png")
				if err := os.WriteFile(file, tab.Picture(size, scheme), 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	// send goes on by keyboard: from a field of the form along to its button, and Enter.
	send := func(field, button string) {
		t.Helper()
		if field == button { // a click would press it
			Eval[bool](tab, `document.querySelector(`+quote(button)+`).focus() === undefined`)
		} else {
			tab.Click(field)
		}
		for n := 0; !Eval[bool](tab, `document.activeElement.matches(`+quote(button)+`)`); n++ {
			if n > 80 {
				t.Fatalf("the keyboard does not come to %s: %s", button, tab.where())
			}
			tab.Keys(kb.Tab)
		}
		tab.KeysAway(kb.Enter)
	}
	tab.Scripts(false)
	tab.Open("/admin/letters")
	look("none")
	tab.Open("/admin/letters/new")
	send("#title", "main form button.main")
	tab.Want(422, "/admin/letters")
	look("new-wrong")
	tab.Fill("#title", "Twenty visits")
	send("#title", "main form button.main")
	tab.Want(200, "/admin/letters/")
	edit := tab.Path()
	base := strings.TrimSuffix(edit, "/edit")
	tab.Open(base + "/check")
	if !tab.Has(`.notice.bad a[href="`+base+`/edit#ask"]`) || tab.Has(`form[action$="/publish"]`) {
		t.Errorf("an incomplete draft can be published, or does not say what is missing: %s", tab.where())
	}
	look("missing")
	tab.Open(edit)
	for name, text := range map[string]string{
		"summary_text": "HB 412 is heard in March. Say what it would change.", "ask": "Will you vote yes on HB 412?", "subject": "HB 412", "minutes": "eight", "bill": "HB 412",
	} {
		tab.Fill("#"+name, text)
	}
	send("#title", "button[value=targets]")
	tab.Want(422, edit)
	if !tab.Has(`#summary a[href="#minutes"]`) || tab.Value("#ask") != "Will you vote yes on HB 412?" {
		t.Errorf("what was typed is gone, or the error leads nowhere: %s", tab.where())
	}
	look("edit-wrong")
	tab.Fill("#minutes", "8")
	tab.Click("#energy")
	tab.Keys("2")
	send("#min_own_words", "button[value=targets]")
	tab.Want(200, base+"/targets")
	look("targets-none")
	tab.Click("#chamber")
	tab.Keys("Wennick: H")
	tab.Keys(kb.Enter)
	send("#group", `main form[action$="/targets"] button.main`)
	tab.Want(200, base+"/targets")
	tab.Open(base + "/targets?find=vale")
	look("targets-found")
	tab.Open(base + "/points")
	tab.Fill("#point", "It covers twenty visits a year.")
	tab.Fill("#source_url", "http://example.org/")
	send("#party", "main form button.main")
	tab.Want(422, base+"/points")
	look("point-wrong")
	tab.Fill("#source_url", "https://example.org/hb412")
	send("#party", "main form button.main")
	tab.Want(200, base+"/points")
	tab.Fill("#point", "It also pays for video visits.")
	send("#party", `main form[action$="/points"] button.main`)
	tab.Want(200, base+"/points")
	send(`main ol li:nth-child(2) button[value="up"]`, `main ol li:nth-child(2) button[value="up"]`)
	tab.Want(200, base+"/points")
	if got := tab.Text("main ol li:first-child"); !strings.Contains(got, "video visits") {
		t.Errorf("the first point is %q", got)
	}
	look("points")
	tab.Open(base + "/check")
	look("ready")
	send(`form[action$="/publish"] button`, `form[action$="/publish"] button`)
	tab.Want(200, base)
	look("report-empty")
	var c models.LetterCampaign
	w.must(w.DB.Take(&c).Error)
	if c.State != models.LettersPublished || c.Slug != "twenty-visits" || c.Minutes != 8 || c.Energy != 2 {
		t.Errorf("%+v", c)
	}
	tab.Open("/letters")
	if !strings.Contains(tab.Text("main"), "Twenty visits") || !strings.Contains(tab.Text("main"), "8") {
		t.Errorf("the public list says %q", tab.Text("main"))
	}
	look("list")
	w.held(c, "My mother could lift her cup again after the tenth visit.", "My father could lift his cup again after the tenth visit.")
	tab.Open("/admin/letters/held")
	look("held")
	send(`input[name=letter]`, `main form#letter > p:last-child button`)
	tab.Want(200, "/admin/letters/held")
	var n int64
	w.must(w.DB.Model(&models.Letter{}).Where("state = 'released'").Count(&n).Error)
	if n != 1 {
		t.Errorf("%d letters went", n)
	}
	tab.Open(base)
	look("report")
	tab.Open("/admin/advocacy")
	look("advocacy")
	tab.Fill("#amount", "3")
	tab.Fill("#minutes", "90")
	Eval[string](tab, `document.querySelector('#happened_on').value = '2026-01-05'`)
	send("#note", `main section form button.main`)
	tab.Want(200, "/admin/advocacy")
	tab.Open("/admin/advocacy?from=2026-01-01&until=2026-12-31")
	if !strings.Contains(tab.Text("main"), "5 January 2026") {
		t.Errorf("the log says %q", tab.Text("main"))
	}
	tab.Scripts(true)
}

// held puts held letters into the store, each of which resembles the one before.
func (w *world) held(c models.LetterCampaign, words ...string) {
	w.t.Helper()
	var term models.Term
	w.must(w.DB.Joins("JOIN legislators l ON l.id = terms.legislator_id AND l.name = 'Tom Vale'").Take(&term).Error)
	now := w.Clock.Now()
	for i, own := range words {
		hash := w.Vault.AddressHash(own)
		box := models.Mailbox{ID: models.NewID(), AddressHash: hash, AddressSealed: w.Vault.SealBytes("mailboxes", "address_sealed", hash, []byte("writer@example.org")), Domain: "example.org", CreatedAt: now, UpdatedAt: now}
		l := models.Letter{
			ID: models.NewID(), LetterCampaignID: c.ID, MailboxID: box.ID, State: models.LetterHeld, Locale: "en", PostalArea: "00014", Region: "WN", Country: "US", Divisions: "[]", Points: "[]", Chosen: "[]",
			Consents: "[]", OwnShare: 40, OwnWords: 11, HeldReason: "similar", HeldAt: &now, Number: i + 1, CreatedAt: now, UpdatedAt: now, ConfirmedAt: &now, ExpiresAt: now,
		}
		l.OwnWordsSealed = w.Vault.Seal("letters", "own_words_sealed", l.ID, own)
		if i > 0 {
			var before models.Letter
			w.must(w.DB.Order("created_at, id").Take(&before).Error)
			l.HeldLike = &before.ID
		}
		d := models.Dispatch{ID: models.NewID(), LetterID: l.ID, LetterCampaignID: c.ID, MailboxID: box.ID, LegislatorID: term.LegislatorID, TermID: term.ID, State: models.DispatchDraft, DueAt: now, CreatedAt: now, UpdatedAt: now}
		for _, row := range []any{&box, &l, &d} {
			w.must(w.DB.Create(row).Error)
		}
	}
}
