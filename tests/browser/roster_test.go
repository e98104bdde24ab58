package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"kithline/models"
	"kithline/tests/testapp"
)

// rostered puts a roster with a place, a window and a full shift into the program.
func (w *world) rostered() (table models.Shift) {
	w.t.Helper()
	now := w.Clock.Now()
	roster := models.Roster{
		ID: models.NewID(), Slug: "help", State: models.RosterPublished, Title: "Help at the big day", Summary: "Small things.", Locale: "en", TimeZone: "America/New_York", ContactName: "Rosa", ContactPhone: "555-0142",
		PublishedAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	w.must(w.DB.Create(&roster).Error)
	begins := now.Add(30 * 24 * time.Hour).Truncate(time.Hour)
	ends := begins.Add(90 * time.Minute)
	table = models.Shift{
		ID: models.NewID(), RosterID: roster.ID, Role: "Welcome table", Kind: models.ShiftFixed, StartsAt: &begins, EndsAt: &ends, Minutes: 90, Mode: models.ShiftOnsite, Place: "Lobby", Minimum: 1, Places: 2, Standbys: 1,
		Energy: 4, Demands: "standing,noise", Handover: "Bring water.", CreatedAt: now, UpdatedAt: now,
	}
	notes := models.Shift{
		ID: models.NewID(), RosterID: roster.ID, Role: "Thank-you notes", Kind: models.ShiftWindow, StartsAt: &now, EndsAt: &ends, Minutes: 10, Mode: models.ShiftHome, Minimum: 1, Places: 3, Standbys: 1, Energy: 1, Demands: "typing",
		CreatedAt: now, UpdatedAt: now,
	}
	full := notes
	full.ID, full.Role, full.Places, full.Standbys, full.Minimum = models.NewID(), "Songs", 0, 0, 0
	for _, sh := range []models.Shift{table, notes, full} {
		w.must(w.DB.Create(&sh).Error)
	}
	return table
}

// A volunteer by the keyboard alone at 320 pixels, with scripts and without: finds what fits, takes a place, confirms it by mail, reads
// what to know, and lets it go by the link.
func TestVolunteerByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	table := w.rostered()
	tab := New(t, w.URL)
	for _, scripts := range []bool{true, false} {
		email := map[bool]string{true: "june@example.org", false: "cal@example.org"}[scripts]
		s := byKeys{tab, w, func(name string) {
			if scripts {
				tab.Check(name)
				shoot(tab, "roster-"+name)
			} else {
				tab.Glance(name + " without scripts")
			}
		}}
		tab.Scripts(scripts)
		page := "/shifts/" + table.ID.String()
		s.Open("/rosters")
		s.at(200, "/rosters", "rosters")
		s.press("I have 10 minutes")
		s.at(200, "/now", "now")
		if got := s.Text("main"); !strings.Contains(got, "Thank-you notes") || strings.Contains(got, "Welcome table") {
			t.Errorf("what takes ten minutes: %s", got)
		}
		s.Open("/now?minutes=2")
		s.at(200, "/now", "now-nothing")
		s.Open("/rosters/help?energy=4&not=lifting")
		s.at(200, "/rosters/help", "board")
		tabTo(s.Tab, func(f focused) bool { return f.Href == page })
		s.KeysAway(kb.Enter)
		s.at(200, page, "shift")
		s.press("Count me in")
		s.at(422, page, "shift-error")
		s.write("given_name", "June")
		s.write("email", email)
		s.press("Count me in")
		s.at(200, "/rosters/sent", "sent")
		mail := w.WaitMail(t, email, 1)[0]
		s.Open(testapp.Link(t, mail, "/confirm/"))
		s.at(200, "/confirm/", "confirm")
		s.press("Yes, count on me if the day allows")
		s.at(200, page+"/taken", "taken")
		mail = w.WaitMail(t, email, 2)[1]
		s.Open(testapp.Link(t, mail, "/places/"))
		s.at(200, "/places/", "place")
		if got := s.Text("main"); !strings.Contains(got, "Bring water.") || !strings.Contains(got, "June") {
			t.Errorf("what to know: %s", got)
		}
		s.press("I can’t today")
		s.at(200, "/cant/", "cant")
		s.press("I can’t today")
		s.at(200, "/cant/", "thanks")
		if got := s.Text("main"); !strings.Contains(got, "It is off your list, June") {
			t.Errorf("after letting go: %s", got)
		}
		s.press("Take it again")
		s.at(200, "/places/", "again")
		if got := s.Text("main"); !strings.Contains(got, "It is yours again") && !strings.Contains(s.Text("body"), "It is yours again") || !strings.Contains(got, "June") {
			t.Errorf("after taking it again: %s", got)
		}
		w.WaitMail(t, email, 3)
		s.press("I can’t today")
		s.press("I can’t today")
		s.at(200, "/cant/", "thanks-again")
		w.must(w.DB.Model(&table).Updates(map[string]any{"places": 0, "minimum": 0}).Error)
		s.press("Take it again")
		s.at(409, "/cant/", "again-taken")
		if got := s.Text("main"); !strings.Contains(got, "Somebody else has the place now") || !strings.Contains(got, "Welcome table") {
			t.Errorf("where the place is somebody else's: %s", got)
		}
		w.must(w.DB.Model(&table).Updates(map[string]any{"places": 2, "minimum": 1}).Error)
		s.Open(testapp.Link(t, mail, "/cant/"))
		s.at(200, "/cant/", "gone")
		var n int64
		w.must(w.DB.Model(&models.Assignment{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d still hold a place", n)
		}
	}
}
