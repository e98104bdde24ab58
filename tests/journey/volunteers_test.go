package journey

import (
	"bytes"
	"net/url"
	"strings"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/users"
	"kithline/models"
	"kithline/tests/factory"
	"kithline/tests/testapp"
)

// From the form to the welcome, without a word in the first mail of what was typed; the own page, a certificate, and a coordinator who never
// sees a plan.
func TestVolunteer(t *testing.T) {
	testapp.Each(t, func(t *testing.T, a *testapp.App) {
		june := a.Client(t)
		page := june.Get("/volunteer?source=poster").Want(200)
		fields := map[string]string{"email": "june@example.org", "given_name": "Junia", "like": "writing", "ask_by": "mail", "note": "Mornings are slow.", "locale": "es"}
		bare := page.Submit("main form", fields).Want(422)
		if bare.Doc.Find(`[name="given_name"]`).AttrOr("value", "") != "Junia" || bare.Doc.Find(`[name="like"][value="writing"][checked]`).Length() != 1 || bare.Text(".error") == "" {
			t.Errorf("what was typed is gone: %s", bare.Text("main"))
		}
		fields["consent"] = box(t, page, "Wennick Chronic Pain Coalition may ask me for help.")
		sent := page.Submit("main form", fields).Want(200)
		if sent.Path != "/volunteer/sent" {
			t.Fatalf("after the form: %s", sent.Path)
		}
		nothing(t, a, "before the press")
		mail := a.WaitMail(t, "june@example.org", 1)[0]
		if mail.Subject != "Falta un paso: confirme, por favor" || strings.Contains(mail.Text+mail.HTML, "Junia") || strings.Contains(mail.Text+mail.HTML, "slow") {
			t.Errorf("%q holds what was typed: %s", mail.Subject, mail.Text)
		}
		link := testapp.Link(t, mail, "/confirm/")
		a.Client(t).Get(link).Want(200)
		nothing(t, a, "after a scanner")
		confirm := a.Client(t).Get(link).Want(200)
		for _, want := range []string{"Junia", "Escribir", "Mornings are slow.", "may ask me for help"} {
			if !strings.Contains(confirm.Text("main"), want) {
				t.Errorf("the page does not show %q: %s", want, confirm.Text("main"))
			}
		}
		if done := confirm.Submit("main form button.main", nil).Want(200); done.Path != "/volunteer/thanks" {
			t.Errorf("after the press: %s", done.Path)
		}
		welcome := a.WaitMail(t, "june@example.org", 2)[1]
		if welcome.Subject != "Le damos la bienvenida: qué pasa ahora" || !strings.Contains(welcome.Text, "Junia") || !strings.Contains(welcome.Text, a.URL+"/rosters") || !strings.Contains(welcome.Text, a.URL+"/me") {
			t.Errorf("%q: %s", welcome.Subject, welcome.Text)
		}
		var c models.Consent
		if err := a.DB.Take(&c, "purpose = 'volunteering'").Error; err != nil || c.Source != "/volunteer" {
			t.Errorf("%+v %v", c, err)
		}
		// The answer is the same for an address that is there and one that is not.
		again := a.Client(t)
		fields["locale"] = "en"
		for _, email := range []string{"june@example.org", "nobody@example.org"} {
			fields["email"] = email
			if p := again.Get("/volunteer").Submit("main form", fields).Want(200); p.Path != "/volunteer/sent" {
				t.Errorf("%s: %s", email, p.Path)
			}
		}

		june.Post("/me", url.Values{"email": {"june@example.org"}}).Want(200)
		me := ""
		for n := 3; me == ""; n++ {
			for _, m := range a.WaitMail(t, "june@example.org", n) {
				for word := range strings.FieldsSeq(m.Text) {
					if strings.HasPrefix(word, a.URL+"/me/") {
						me = strings.TrimPrefix(word, a.URL)
					}
				}
			}
		}
		own := june.Get(me).Want(200)
		if !strings.Contains(own.Text("main"), "You offered some of your time") && !strings.Contains(own.Text("main"), "Ofreció algo de su tiempo") {
			t.Errorf("the own page does not tell: %s", own.Text("main"))
		}
		june.Get(me+"/plan").Submit(`form[action$="/plan"]`, map[string]string{"weekly": "7", "avoid": "driving"}).Want(200)
		asked := june.Get(me + "/certificates")
		day := a.Clock.Now().AddDate(0, 0, -1).Format("2006-01-02")
		asked.Submit(`form[action$="/certificates"]`, map[string]string{"name": "Junia Okafor", "role": "Writing", "on": day, "hours": "1", "minutes": "30"}).Want(200)

		id, err := a.Users.Add(t.Context(), actor.TheSystem(), users.NewUser{Name: "Cora", Email: "cora@example.org", Role: actor.Coordinator})
		if err != nil {
			t.Fatal(err)
		}
		cora := signIn(t, a, id)
		list := cora.Get("/admin/volunteers?like=writing").Want(200)
		if !strings.Contains(list.Text("table"), "Junia") {
			t.Errorf("the list: %s", list.Text("main"))
		}
		var v models.Volunteer
		if err := a.DB.Take(&v, "state = 'active'").Error; err != nil {
			t.Fatal(err)
		}
		one := cora.Get("/admin/volunteers/" + v.ID.String()).Want(200)
		if text := one.Text("main"); !strings.Contains(text, "Mornings are slow.") || !strings.Contains(text, "june@example.org") || strings.Contains(strings.ToLower(text), "driving") {
			t.Errorf("the page: %s", text)
		}
		if page := cora.Get("/admin").Want(200); !strings.Contains(page.Text("main"), "1 new volunteer to welcome") || !strings.Contains(page.Text("main"), "1 certificate of hours asked for") {
			t.Errorf("what waits: %s", page.Text("main"))
		}
		one.Submit(`form[action$="/welcome"]`, nil).Want(200)
		cora.Post("/admin/volunteers/export", url.Values{}).Want(403)
		owner := factory.Owner(t, a)
		csv := signIn(t, a, owner.UserID).Post("/admin/volunteers/export", url.Values{"like": {"writing"}}).Want(200)
		if !bytes.Contains(csv.Body, []byte("june@example.org")) || bytes.Contains(csv.Body, []byte("riving")) {
			t.Errorf("%s", csv.Body)
		}
		var paper models.Certificate
		if err := a.DB.Take(&paper).Error; err != nil || paper.Minutes != 90 {
			t.Fatalf("%+v %v", paper, err)
		}
		cora.Get("/admin/volunteers/certificates").Want(200).Submit(`button[value="give"]`, nil).Want(200)
		given := ""
		for n := 4; given == ""; n++ {
			for _, m := range a.WaitMail(t, "june@example.org", n) {
				for word := range strings.FieldsSeq(m.Text) {
					if strings.HasPrefix(word, a.URL+"/certificates/") {
						given = strings.TrimPrefix(word, a.URL)
					}
				}
			}
		}
		stranger := a.Client(t)
		stranger.Get(given).Want(200)
		for _, path := range []string{given + "/certificate.pdf", me + "/certificates/" + paper.ID.String() + ".pdf"} {
			if pdf := stranger.Get(path).Want(200); !bytes.HasPrefix(pdf.Body, []byte("%PDF")) {
				t.Errorf("%s: %.40s", path, pdf.Body)
			}
		}
		stranger.Get(me + "/certificates/" + uuid.NewString() + ".pdf").Want(404)
		june.Get(me+"/volunteer").Submit(`form[action$="/pause"]`, map[string]string{"until": "week"}).Want(200)
		if err := a.DB.Take(&v, "id = ?", v.ID).Error; err != nil || v.State != models.VolunteerPaused || v.PausedUntil == nil {
			t.Errorf("%+v %v", v, err)
		}
		june.Get(me+"/volunteer").Submit(`form[action$="/stop"]`, nil).Want(200)
		if n := rowsOf(t, a, &models.Volunteer{}, "state <> 'pending'"); n != 0 {
			t.Errorf("%d rows after stopping", n)
		}
	})
}
