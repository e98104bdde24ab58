package browser

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"
	"github.com/google/uuid"

	"kithline/campaigns/mailings"
	"kithline/campaigns/segments"
	"kithline/mailer"
	"kithline/models"
)

// An organizer sends a mailing by the keyboard alone and without JavaScript: whom it goes to, in numbers, when, paused and gone on with,
// chosen subjects, and what came of it.
func TestSendByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	slug := w.petition(draft, models.PetitionPublished)
	for _, s := range []signer{
		{"June", "Okafor", "june@example.org", "", "name", true}, {"Cal", "Whitcomb", "cal@example.org", "", "name", true}, {"Ana", "Ruiz", "ana@example.org", "", "name", false},
	} {
		w.sign(slug.Slug, s)
	}
	for _, name := range []string{"Everybody we know", "Who drives others to the capitol"} {
		_ = must[uuid.UUID](w)(w.Segments.Create(t.Context(), w.owner, segments.Input{Name: name, Rule: segments.Everybody()}))
	}
	id := w.mailing(slug.ID, "The hearing has a date", "Hello {{given_name|friend}},\n\nthe hearing is on 16 March. https://example.org/hearing", false).String()
	if err := w.DB.Exec("UPDATE mailings SET revision = revision + 1, variants = ?", `[{"subject":"16 March: your seat at the table"}]`).Error; err != nil {
		t.Fatal(err)
	}
	base := "/admin/mailings/" + id
	tab := New(t, w.URL)
	w.signIn(tab)
	tab.Scripts(false)
	button := func(words string) func(focused) bool {
		return func(f focused) bool { return f.Tag == "button" && strings.HasPrefix(f.Text, words) }
	}

	tab.Open(base + "/audience")
	tab.Check("who gets it")
	tabTo(tab, named("in"))
	tab.Keys(" ")
	tabTo(tab, button("Save and count"))
	tab.KeysAway(kb.Enter)
	tab.Want(200, base+"/audience")
	tab.Check("who gets it, counted")
	if got := tab.Text(".count"); !strings.HasPrefix(got, "2 ") {
		t.Errorf("it says %q", got)
	}
	tabTo(tab, button("Go on to send"))
	tab.KeysAway(kb.Enter)
	tab.Want(200, base+"/send")
	tab.Check("before it goes")

	// Planned for tomorrow, with both subjects tried.
	tabTo(tab, named("when"))
	tab.Keys(kb.ArrowDown)
	if got := Eval[string](tab, `document.querySelector('[name=when]:checked').value`); got != "at" {
		t.Fatalf("the arrow chose %q", got)
	}
	tabTo(tab, func(f focused) bool { return f.Tag == "summary" })
	tab.Keys(kb.Enter)
	tabTo(tab, named("test"))
	tab.Keys(" ")
	tabTo(tab, button("Send to"))
	tab.KeysAway(kb.Enter)
	tab.Want(422, base+"/send")
	tab.Check("before it goes, without a time")
	at := w.Clock.Now().Add(24 * time.Hour)
	w.must(w.Mailings.Start(t.Context(), w.owner, parsed(t, id), must[models.Mailing](w)(w.Mailings.Get(t.Context(), w.owner, parsed(t, id))).Revision, planAt(at)))
	tab.Open(base)
	tab.Check("planned")
	tabTo(tab, func(f focused) bool { return f.Href == base+"/send" })
	tab.KeysAway(kb.Enter)
	tab.Want(200, base+"/send")
	tab.Check("the time is changed")
	tab.Open(base)
	tabTo(tab, button("Back to draft"))
	tab.KeysAway(kb.Enter)
	tab.Want(200, base)

	// Now, half of the people first: the rest waits until one is chosen. The mail server takes its time, whoever is in the half.
	taken := make(chan struct{})
	take := sync.OnceFunc(func() { close(taken) })
	t.Cleanup(take)
	w.Mail.AnswerWith(func(mailer.Message) mailer.Outcome {
		<-taken
		return mailer.Outcome{State: mailer.Accepted}
	})
	tab.Open(base + "/send")
	tabTo(tab, named("when"))
	tab.Keys(kb.ArrowUp)
	if got := Eval[string](tab, `document.querySelector('[name=when]:checked').value`); got != "now" {
		t.Fatalf("the arrow chose %q", got)
	}
	tab.Fill("[name=share]", "50")
	tabTo(tab, button("Send to"))
	tab.KeysAway(kb.Enter)
	tab.Want(200, base)
	for end := time.Now().Add(patience); ; tab.Open(base) {
		if strings.Contains(tab.Text("main"), "Pause sending") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("it does not start: %s", tab.where())
		}
	}
	tab.Check("it is on its way")
	tabTo(tab, button("Pause sending"))
	tab.KeysAway(kb.Enter)
	tab.Check("paused")
	if got := tab.Text("main"); !strings.Contains(got, "Go on sending") {
		t.Errorf("not paused: %s", got)
	}
	take()
	tabTo(tab, button("Go on sending"))
	tab.KeysAway(kb.Enter)
	if tab.Has(`form[action$="/choose"]`) {
		tab.Press(`form[action$="/choose"] button`)
	}
	for end := time.Now().Add(patience); !strings.Contains(tab.Text("main"), "Send to those who came later"); tab.Open(base) {
		if time.Now().After(end) {
			t.Fatalf("it does not end: %s", tab.where())
		}
	}
	tab.Check("what came of it")
	tab.Open(base + "/later")
	tab.Check("those who came later")
	tab.Open(base + "/problems")
	tab.Check("nothing was refused")
	tab.Open("/admin/mailings/often")
	tab.Check("how often at most")
}

func planAt(at time.Time) mailings.Plan {
	return mailings.Plan{At: at, TrackClicks: true, TestPercent: 50, TestFor: 2 * time.Hour}
}
