package browser

import (
	"context"
	"net"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"kithline/app"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/config"
	"kithline/models"
	"kithline/tests/testapp"
)

// Where mail is captured, a newcomer signs, finds the mail in the outbox, and confirms from there.
func TestOutbox(t *testing.T) {
	t.Parallel()
	need(t)
	w := &world{App: &testapp.App{}, t: t}
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	w.must(err)
	cfg, err := config.Load([]string{
		"KITHLINE_DATABASE_URL=" + databaseURL(t), "KITHLINE_DATA_DIR=" + filepath.Join(dir, "data"), "KITHLINE_KEY_FILE=" + filepath.Join(dir, "kithline.key"),
		"KITHLINE_LISTEN=" + l.Addr().String(), "KITHLINE_MAIL=capture", "KITHLINE_SHUTDOWN_SECONDS=5",
	})
	w.must(err)
	ctx, stop := context.WithCancel(context.Background())
	w.App.App, err = app.Build(ctx, cfg, app.Options{Clock: clock.System})
	w.must(err)
	ended := make(chan error, 1)
	go func() { ended <- w.Run(ctx, l, nil) }()
	t.Cleanup(func() {
		stop()
		w.must(<-ended)
		w.must(w.Close())
	})
	w.owner = actor.TheSystem()
	w.must(w.Organisation.Update(ctx, w.owner, organisation.Details{
		Name: "Wennick Chronic Pain Coalition", PostalAddress: "12 Ferry Street", FromAddress: "hello@act.example.org", TimeZone: "UTC", Languages: []string{"en", "es"}, Accent: "#1c5c4d",
	}))
	slug := w.petition(draft, models.PetitionPublished).Slug

	tab := New(t, cfg.Web.BaseURL)
	tab.Open("/outbox")
	tab.Check("outbox")
	tab.Open("/petitions/" + slug)
	for name, text := range map[string]string{"given_name": "June", "family_name": "Okafor", "email": "june@example.org", "postal_code": "10203"} {
		tab.Fill(signForm+` [name=`+name+`]`, text)
	}
	tab.Press(signForm + ` button.main`)
	tab.eventually("the mail is in the outbox", func() bool {
		tab.Open("/outbox")
		return Eval[bool](tab, `[...document.querySelectorAll('td')].some(e => e.textContent === 'june@example.org')`)
	})
	tab.Check("outbox with mails")
	tab.Press(`main tbody a[href^="/outbox/"]`)
	tab.Want(200, "/outbox/")
	tab.Check("mail in the outbox")
	tab.do(chromedp.Focus(chromedp.CSS(`main pre a[href*="/confirm/"]`)))
	tab.KeysAway(kb.Enter)
	tab.Want(200, "/confirm/")
	tab.Press(`main form button.main`)
	if got := w.count(slug); got != "1" {
		t.Errorf("%s have signed: %s", got, tab.where())
	}
}
