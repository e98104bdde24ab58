package public_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"kithline/mailer"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

func offerAt(t *testing.T, m mailer.Message) string {
	t.Helper()
	u, err := url.Parse(testapp.Link(t, m, "/offers/"))
	if err != nil {
		t.Fatal(err)
	}
	return u.Path
}

// A place is let go, and by itself the next is asked: the link shows a page with buttons and changes nothing, no asks the one after, and
// yes takes the place.
func TestOfferPages(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		sh, held := factory.Standing(t, a)
		if err := a.Rosters.LetGoOf(t.Context(), held.ID); err != nil {
			t.Fatal(err)
		}
		rosa := offerAt(t, a.WaitMail(t, "rosa@example.org", 1)[0])
		c := a.Client(t)
		for range 2 {
			p := c.Get(rosa).Want(http.StatusOK)
			if !strings.Contains(p.Text("main"), "Hello Rosa") || !strings.Contains(p.Text("main"), "Meeting leader") || !p.Has("form[action$='/yes']") || !p.Has("form[action$='/no']") {
				t.Fatalf("%s", p.Text("main"))
			}
			if p.Header.Get("Cache-Control") != "no-store, private" || p.Header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("headers: %v", p.Header)
			}
		}
		var taken int64
		if err := a.DB.Model(&models.Assignment{}).Where("shift_id = ? AND as_what = 'place'", sh.ID).Count(&taken).Error; err != nil || taken != 0 {
			t.Fatalf("looking took the place: %d, %v", taken, err)
		}
		c.Get("/offers/nothing").Want(http.StatusNotFound)
		if p := c.Get(rosa).Submit("form[action$='/no']", nil).Want(http.StatusOK); !strings.Contains(p.Text("main"), "not this time") || p.Has("form[action$='/no']") {
			t.Errorf("after a no: %s", p.Text("main"))
		}
		teo := offerAt(t, a.WaitMail(t, "teo@example.org", 1)[0])
		c.Post(teo+"/yes", url.Values{"swap": {models.NewID().String()}}).Want(http.StatusConflict) // a place that he does not hold
		if p := c.Get(teo).Submit("form[action$='/yes']", nil).Want(http.StatusOK); p.Text("h1") != "The place is yours" {
			t.Errorf("after a yes: %s", p.Text("main"))
		}
		if m := a.WaitMail(t, "teo@example.org", 2)[1]; !strings.Contains(m.Text, "/cant/") {
			t.Errorf("the receipt: %s", m.Text)
		}
		if p := c.Get(rosa).Want(http.StatusOK); p.Text("h1") != "The place is taken" || p.Has("main form") {
			t.Errorf("to whom said no: %s", p.Text("main"))
		}
		c.Post(rosa+"/yes", nil).Want(http.StatusConflict)
	})
}
