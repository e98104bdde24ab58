package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"kithline/campaigns/events"
	"kithline/models"
	"kithline/tests/testapp"
)

// group makes a support group that meets every week, with a link to join and a telephone number, whose next date is in five days.
func (w *world) group(title string) models.Event {
	w.t.Helper()
	e, err := w.Events.Create(w.t.Context(), w.owner, events.Draft{
		Title: title, Summary: "An hour to talk, or to listen.", Body: "Come *as you are*.", Kind: models.EventSupportGroup, Locale: "en", TimeZone: "America/New_York",
		StartsOn: w.Clock.Now().AddDate(0, 0, 5).Format("2006-01-02") + "T18:30", Minutes: 60, Recurrence: "FREQ=WEEKLY", Venue: models.VenueHybrid, PlaceName: "Library", City: "Harrow Bay",
		Join: "https://meet.example.org/room", Dial: "+1-555-0142\ncode 7", Looked: true, Types: []string{"open", "captions"}, CoLeaderWanted: true,
		Access: events.Access{StepFree: events.Point{Is: events.Yes}, Meters: 60, Captions: events.Point{Is: events.Yes, Text: "Made by a person."}}, AccessContactID: w.owner.Account(),
	})
	w.must(err)
	e, err = w.Events.Publish(w.t.Context(), w.owner, e.ID)
	w.must(err)
	return e
}

// Somebody by the keyboard alone at 320 pixels finds a group, registers, confirms, reads how to join, and cannot come after all; once with
// scripts and once without. Every page is asked all rules of accessibility.
func TestEventByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	e := w.group("First Tuesday circle")
	tab := New(t, w.URL)
	for _, scripts := range []bool{true, false} {
		email := map[bool]string{true: "june@example.org", false: "cal@example.org"}[scripts]
		s := byKeys{tab, w, func(name string) {
			if scripts {
				tab.Check(name)
				shoot(tab, "event-"+name)
			} else {
				tab.Glance(name + " without scripts")
			}
		}}
		tab.Scripts(scripts)
		s.event(t, e, email)
	}
}

func (s byKeys) event(t *testing.T, e models.Event, email string) {
	at := "/events/" + e.Slug
	s.Open("/")
	s.at(200, "/", "home")
	s.Open("/events")
	s.at(200, "/events", "list")
	s.Open("/groups?way=phone")
	s.at(200, "/groups", "groups")
	s.press("First Tuesday circle")
	s.at(200, at, "page")
	if got := s.Text("main"); strings.Contains(got, "meet.example.org") || !strings.Contains(got, "Not known") || !strings.Contains(got, "60 meters") {
		t.Errorf("the page says how to join, or not what is known of access: %s", got)
	}
	s.press("Register")
	s.at(422, at, "errors")
	tabTo(s.Tab, func(f focused) bool { return f.Href == "#given_name" })
	s.Keys(kb.Enter)
	s.Keys("June")
	s.write("email", email)
	s.write("needs", "A chair with arms.")
	s.press("Register")
	s.at(200, at+"/sent", "sent")
	mail := s.w.WaitMail(t, email, 1)[0]
	s.Open(testapp.Link(t, mail, "/confirm/"))
	s.at(200, "/confirm/", "confirm")
	if got := s.Text("main"); !strings.Contains(got, "A chair with arms.") {
		t.Errorf("what is confirmed is not shown: %s", got)
	}
	s.press("Yes, I want to come")
	s.at(200, at+"/thanks", "thanks")
	mail = s.w.WaitMail(t, email, 2)[1]
	if strings.Contains(mail.Subject, "circle") || !strings.Contains(mail.Text, "https://meet.example.org/room") {
		t.Errorf("%q\n%s", mail.Subject, mail.Text)
	}
	link := testapp.Link(t, mail, "/coming/")
	s.Open(link)
	s.at(200, "/coming/", "coming")
	if got := s.Text("main"); !strings.Contains(got, "Hello June") || strings.Contains(got, "chair with arms") || !strings.Contains(got, "code 7") {
		t.Errorf("the page of who is registered: %s", got)
	}
	var n int64
	s.w.must(s.w.DB.Model(&models.Registration{}).Count(&n).Error)
	if n != 1 {
		t.Errorf("%d registrations: opening a page changes nothing", n)
	}
	s.press("I can’t come")
	s.at(200, "/coming", "done")
	s.w.must(s.w.DB.Model(&models.Registration{}).Count(&n).Error)
	if n != 0 {
		t.Errorf("%d registrations", n)
	}
	if got := s.Open(link); got != 410 {
		t.Errorf("the link answers %d afterwards", got)
	}
	s.look("gone")
}

// A coordinator: a new event, what it lacks, its dates, one that is moved, and who comes.
func TestEventsOfTheOrganizer(t *testing.T) {
	t.Parallel()
	w := empty(t)
	tab := New(t, w.URL)
	w.signIn(tab)
	s := byKeys{tab, w, func(name string) {
		tab.Check(name)
		shoot(tab, "events-"+name)
	}}
	save := func() { // the Enter key in the first field saves, however long the form is
		tab.Click("[name=title]")
		s.KeysAway(kb.Enter)
	}
	s.Open("/admin/events")
	s.at(200, "/admin/events", "none")
	s.press("New event")
	s.at(200, "/admin/events/new", "new")
	save()
	s.at(422, "/admin/events", "new-error")
	first := w.Clock.Now().AddDate(0, 0, 9).Format("2006-01-02")
	tab.Fill("[name=title]", "Phone Thursdays")
	Eval[bool](tab, `(document.querySelector('[name=starts_on]').value = '`+first+`T13:30', true)`)
	Eval[bool](tab, `(document.querySelector('[name=repeats]').value = 'fortnightly', true)`)
	save()
	s.at(200, "/admin/events/", "draft")
	s.press("Make it public")
	s.at(422, "/admin/events/", "missing")
	tab.Fill("[name=about]", "An hour by phone.")
	tab.Fill("[name=join]", "https://meet.example.org/x")
	tab.Click("[name=access_looked]")
	save()
	s.at(200, "/admin/events/", "draft-full")
	s.press("Make it public")
	s.at(200, "/admin/events/", "public")
	var e models.Event
	w.must(w.DB.Take(&e).Error)
	if e.State != models.EventPublished || !strings.HasPrefix(e.Recurrence, "FREQ=WEEKLY;INTERVAL=2;BYDAY=") {
		t.Errorf("%+v", e)
	}
	s.press("Preview")
	s.at(200, "/admin/events/", "preview")
	s.Open("/admin/events/" + e.ID.String())
	tab.Press("tbody a")
	s.at(200, "/admin/events/", "date")
	tab.Fill("[name=note]", "The host is away.")
	Eval[bool](tab, `(document.querySelector('[name=starts]').value = '`+w.Clock.Now().AddDate(0, 0, 10).Format("2006-01-02")+`T15:00', true)`)
	s.press("Move it")
	s.at(200, "/admin/events/", "moved")
	var d models.EventDate
	w.must(w.DB.Take(&d).Error)
	if d.StartsAt == nil || d.StartsAt.Sub(d.OriginalAt) < 12*time.Hour || d.Note == "" {
		t.Errorf("%+v", d)
	}
	s.press("Print a list")
	s.at(200, "/admin/events/", "print")
	s.Open("/events/" + e.Slug)
	s.at(200, "/events/", "public page")
	if got := s.Text("main"); !strings.Contains(got, "The host is away.") || !strings.Contains(got, "15:00") {
		t.Errorf("%s", got)
	}
}
