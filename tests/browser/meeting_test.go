package browser

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp/kb"

	"kithline/campaigns/mailboxes"
	"kithline/campaigns/meetings"
	"kithline/models"
	"kithline/tests/rows"
)

// met makes a day with one meeting, and returns the shifts of its team.
func (w *world) met() (models.Meeting, map[models.RoleKind]models.Shift) {
	w.t.Helper()
	state, now := rows.NewRepresented(w.Clock.Now()), w.Clock.Now()
	for _, row := range state.Rows {
		w.must(w.DB.Create(row).Error)
	}
	var who models.Legislator
	w.must(w.DB.Take(&who, "name = ?", "Bo Lind").Error)
	roster := models.Roster{
		ID: models.NewID(), Slug: "visits", State: models.RosterPublished, Title: "A day of meetings", Locale: "en", TimeZone: "America/New_York", ContactName: "Rosa", ContactPhone: "555-0142", Revision: 1,
		PublishedAt: &now, CreatedAt: now, UpdatedAt: now,
	}
	w.must(w.DB.Create(&roster).Error)
	m, err := w.Meetings.Add(w.t.Context(), w.owner, roster.ID, meetings.Input{
		LegislatorID: who.ID, Day: now.AddDate(0, 0, 20).Format(time.DateOnly), Hour: "10:00", Minutes: 15, Mode: models.MeetingVideo, Join: "https://meet.example.org/house-13-with-a-long-name-that-wraps",
		Access: "Please close the blinds.", Asks: []string{"Will you vote yes on HB 412?", "Will you speak for it in committee?"},
	})
	w.must(err)
	var shifts []models.Shift
	w.must(w.DB.Find(&shifts, "roster_id = ?", roster.ID).Error)
	out := map[models.RoleKind]models.Shift{}
	for _, sh := range shifts {
		out[sh.RoleKind] = sh
	}
	return m, out
}

// seated puts somebody on a shift, and returns the token of their links.
func (w *world) seated(sh models.Shift, as models.PlaceAs, name string) string {
	w.t.Helper()
	now := w.Clock.Now()
	box, err := mailboxes.Ensure(w.t.Context(), w.DB.DB, w.Vault, strings.ToLower(name)+"@example.org", now)
	w.must(err)
	a := models.Assignment{ID: models.NewID(), ShiftID: sh.ID, MailboxID: box.ID, AsWhat: as, State: models.AssignmentConfirmed, Locale: "en", TimeZone: "America/Chicago", CreatedAt: now, ConfirmedAt: &now, UpdatedAt: now}
	if a.Standby() {
		a.State, a.AskBy = models.AssignmentHeld, models.AskByMail
	}
	a.GivenNameSealed = w.Vault.Seal("assignments", "given_name_sealed", a.ID, name)
	w.must(w.DB.Create(&a).Error)
	return w.Rosters.CantToken(a)
}

// Somebody of a team, by the keyboard alone at 320 pixels, with scripts and without: from the page of their place to that of the meeting, what
// came of it once it began, and what is said when it is called off. Who stands by reads less.
func TestMeetingByKeyboard(t *testing.T) {
	t.Parallel()
	w := empty(t)
	m, shifts := w.met()
	leader := w.seated(shifts[models.RoleLeader], models.AsPlace, "June")
	stands := w.seated(shifts[models.RoleNotes], models.AsStandby, "Cal")
	before := w.Clock.Now()
	tab := New(t, w.URL)
	for _, scripts := range []bool{true, false} {
		s := byKeys{tab, w, func(name string) {
			if scripts {
				tab.Check(name)
				shoot(tab, "meeting-"+name)
			} else {
				tab.Glance(name + " without scripts")
			}
		}}
		tab.Scripts(scripts)
		w.Clock.Set(before)
		s.Open("/places/" + leader)
		s.at(200, "/places/", "place")
		s.press("The meeting and your team")
		s.at(200, "/meetings/", "team")
		if got := s.Text("main"); !strings.Contains(got, "HB 412") || !strings.Contains(got, "meet.example.org") || strings.Contains(got, "What came of it") {
			t.Errorf("before the meeting: %s", got)
		}
		s.press("I can’t today")
		s.at(200, "/cant/", "cant")
		s.Open("/meetings/" + stands)
		s.at(200, "/meetings/", "standby")
		if got := s.Text("main"); strings.Contains(got, "meet.example.org") || strings.Contains(got, "June") {
			t.Errorf("who stands by reads how to join, or who comes: %s", got)
		}
		s.Open("/meetings/" + leader + "?lang=es")
		s.at(200, "/meetings/", "spanish")
		s.Open("/meetings/" + leader + "?lang=en")
		w.Clock.Set(m.StartsAt.Add(20 * time.Minute))
		s.Open("/meetings/" + leader)
		s.at(200, "/meetings/", "begun")
		for _, ask := range []string{"ask_1", "ask_2"} {
			tabTo(s.Tab, func(f focused) bool { return f.Name == ask })
			s.Keys(" ")
		}
		Eval[bool](s.Tab, `(document.querySelector('[name=notes]').value = 'Long '.repeat(900), true)`)
		s.press("Save the notes")
		s.at(422, "/meetings/", "notes-error")
		tabTo(s.Tab, func(f focused) bool { return f.Href == "#notes" })
		s.Keys(kb.Enter)
		Eval[bool](s.Tab, `(document.querySelector('[name=notes]').value = '', true)`)
		s.Keys("They will think about it.")
		s.press("Save the notes")
		s.at(200, "/meetings/", "noted")
		if got := s.Text("main"); !strings.Contains(got, "It is written down") && !strings.Contains(s.Text("body"), "It is written down") {
			t.Errorf("after the notes: %s", got)
		}
	}
	var kept models.Meeting
	w.must(w.DB.Take(&kept, "id = ?", m.ID).Error)
	if len(kept.NotesSealed) == 0 {
		t.Error("nothing is written down")
	}
	tab.Scripts(true)
	w.must(w.DB.Model(&kept).Update("state", models.MeetingCancelled).Error)
	tab.Open("/meetings/" + leader)
	tab.Want(200, "/meetings/").Check("called off")
	tab.Open("/meetings/nothing")
	tab.Want(404, "/meetings/").Check("unknown")
}
