package browser

import (
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/volunteers"
	"kithline/models"
	"kithline/tests/testapp"
)

// Somebody offers time by the keyboard alone at 320 pixels, without scripts: told of an error, on to the mail, the press, the own page, the
// plan and the end. Every page is looked at.
func TestOfferTimeByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	tab := New(t, w.URL)
	tab.Look(Phone, "light")
	tab.Scripts(false)
	button := func(f focused) bool { return f.Tag == "button" && f.Type == "submit" }
	tab.Open("/volunteer")
	tab.Check("offer time")
	tabTo(tab, named("email"))
	tab.Keys("june@example.org")
	tabTo(tab, named("like"))
	tab.Keys(" ")
	tabTo(tab, func(f focused) bool { return f.Tag == "summary" })
	tab.Keys(" ")
	tabTo(tab, named("mode"))
	tab.Keys(" ")
	tabTo(tab, func(f focused) bool { return f.Tag == "summary" })
	tab.Keys(" ")
	tabTo(tab, named("hour"))
	tab.Keys(" ")
	tabTo(tab, named("consent"))
	tab.Keys(" ")
	if f := tabTo(tab, button); f.Name == "leave_empty" {
		t.Error("the trap can be reached by the keyboard")
	}
	tab.KeysAway("\r")
	tab.Want(422, "/volunteer")
	tab.Check("offer time with errors")
	tabTo(tab, func(f focused) bool { return f.Href == "#given_name" })
	tab.Keys("\r")
	tab.Keys("June")
	tab.KeysAway("\r")
	tab.Want(200, "/volunteer/sent")
	tab.Check("sent")
	tab.Open(testapp.Link(t, w.WaitMail(t, "june@example.org", 1)[0], "/confirm/"))
	tab.Check("an offer of time waits")
	tabTo(tab, button)
	tab.KeysAway(" ")
	tab.Want(200, "/volunteer/thanks")
	tab.Check("thanks")
	var v models.Volunteer
	w.must(w.DB.Take(&v).Error)
	if v.State != models.VolunteerActive || v.Likes != "leader" || v.Hours != "mon-am" || v.Modes != "home" {
		t.Errorf("%+v", v)
	}
	w.mailed("/rosters", 1)

	tab.Open("/me")
	tabTo(tab, named("email"))
	tab.Keys("june@example.org")
	tabTo(tab, button)
	tab.KeysAway("\r")
	me := w.mailed("/me/", 1)
	for _, page := range []string{"/volunteer", "/plan", "/certificates"} {
		tab.Open(me + page)
		tab.Check("own" + page)
	}
	tab.Open(me + "/plan")
	tabTo(tab, named("weekly"))
	tab.Keys("many")
	tabTo(tab, named("avoid"))
	tab.Keys(" ")
	tabTo(tab, button)
	tab.KeysAway("\r")
	tab.Want(422, "/me/")
	tab.Check("a plan with errors")
	tab.Fill(`[name=weekly]`, "8")
	tabTo(tab, button)
	tab.KeysAway("\r")
	tab.Want(200, "/me/")
	if plan, err := w.Volunteers.Plan(t.Context(), []uuid.UUID{v.MailboxID}); err != nil || plan.Weekly != 8 || len(plan.Avoid) != 1 {
		t.Errorf("%+v %v", plan, err)
	}
	tab.Open(me + "/certificates")
	tabTo(tab, named("role"))
	tab.Keys("Welcome table")
	tabTo(tab, button)
	tab.KeysAway("\r")
	tab.Want(422, "/me/")
	tab.Check("a certificate with errors")
	tab.Open(me + "/volunteer")
	tab.Press(`form[action$="/stop"] button`)
	tab.Want(200, "/me/")
	tab.Check("no volunteer any more")
	var n int64
	if err := w.DB.Model(&models.Volunteer{}).Count(&n).Error; err != nil || n != 0 {
		t.Errorf("%d rows, %v", n, err)
	}
}

// The coordinator's pages of volunteers, with a person on them and with errors.
func TestVolunteerPages(t *testing.T) {
	t.Parallel()
	w := empty(t)
	id := must[uuid.UUID](w)(w.Volunteers.Add(t.Context(), w.owner, volunteers.HandInput{
		Said: volunteers.Said{
			GivenName: "June", FamilyName: "Okafor", Phone: "(202) 555-0101", Likes: volunteers.Likes()[:3], Languages: []string{"en", "es"}, Hours: []string{"mon-am"}, PostalCode: "10203",
			Note: "Mornings are slow.", AskBy: models.AskByPhone,
		},
		Email: "june@example.org", Locale: "en", Where: "On the telephone", On: w.Clock.Now().Format("2006-01-02"),
	}))
	step := must[uuid.UUID](w)(w.Volunteers.SaveStep(t.Context(), w.owner, uuid.Nil, volunteers.StepInput{Name: "A call", About: "Ten minutes."}))
	w.must(w.Volunteers.Mark(t.Context(), w.owner, id, step, true))
	var v models.Volunteer
	w.must(w.DB.Take(&v).Error)
	w.must(w.Volunteers.Ask(t.Context(), []uuid.UUID{v.MailboxID}, volunteers.AskInput{Name: "June Okafor", Role: "Stall", On: w.Clock.Now().AddDate(0, 0, -1).Format("2006-01-02"), Minutes: 90}))
	tab := New(t, w.URL)
	w.signIn(tab)
	one := "/admin/volunteers/" + id.String()
	for _, path := range []string{"/admin/volunteers", "/admin/volunteers?state=new&like=leader", "/admin/volunteers/new", "/admin/volunteers/steps", "/admin/volunteers/certificates", one} {
		tab.Open(path)
		tab.Check(path)
	}
	tab.Open(one)
	tab.Fill(`[name=trainings]`, "?!")
	tab.Press(`form[action$="/trainings"] button`)
	tab.Want(422, one)
	tab.Check("a training that is none")
	tab.Open("/admin/volunteers/new")
	tab.Press(`main form button.main`)
	tab.Want(422, "/admin/volunteers/new")
	tab.Check("nobody to add")
	tab.Open("/admin/volunteers/certificates")
	tab.Press(`main button[value=give]`)
	tab.Want(200, "/admin/volunteers/certificates")
	link := w.mailed("/certificates/", 1)
	tab.Open(link)
	tab.Check("a certificate")
}
