package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/legislators"
	"kithline/campaigns/meetings"
	"kithline/models"
)

// The page of a team runs in every language: for who holds a place and who stands by, before and after, full and empty.
func TestTeamPages(t *testing.T) {
	now := webtest.Time
	full := meetings.TeamPage{GivenName: "June", Shift: models.Shift{RoleKind: models.RoleStoryteller, Handover: "Tell <it>.\n\nRest."}, As: models.AsPlace, OwnRep: true, Began: true}
	full.Office = meetings.Office{
		Member: legislators.Member{Legislator: models.Legislator{Name: "Ada <Quill>"}, Chamber: models.Chamber{Name: "House", MemberTitle: "Representative"}, Term: models.Term{District: "7", Party: "Harbour"}},
		Room:   models.Office{Street: "1 Main", City: "Harrow Bay"},
	}
	full.Meeting = models.Meeting{ID: uuid.New(), State: models.MeetingPlanned, Mode: models.MeetingOnsite, StartsAt: now, Minutes: 15, Place: "Room <114>"}
	full.Roster = models.Roster{Slug: "day", Title: "A <day>", Locale: "en", ContactName: "Nadia", ContactPhone: "555-0142"}
	full.Asks = []models.MeetingAsk{{Position: 1, Ask: "Vote <yes>?"}, {Position: 2, Ask: "Speak?"}}
	full.Points = []meetings.Point{{Body: "It <helps>.", SourceTitle: "A study", SourceURL: "https://example.org/a?b=1&c=2"}, {Body: "Plain", SourceTitle: "Book"}}
	full.Crew = []meetings.Crew{{Names: []string{"June", "<Teo>"}, Stands: meetings.Stands{Shift: models.Shift{RoleKind: models.RoleLeader}}}, {Stands: meetings.Stands{}}}
	full.Join, full.Access, full.CrisisLine = "https://meet.example.org/<x>", "Dim <light>", "988"
	stands, off := full, full
	stands.Stands, stands.Began, stands.Crew, stands.Join, stands.OwnRep = true, false, nil, "", false
	off.Meeting.State, off.Join, off.Points, off.Began, off.Access = models.MeetingCancelled, "555-0142", nil, false, ""
	for _, team := range []meetings.TeamPage{full, stands, off} {
		for _, wrong := range []bool{false, true} {
			webtest.All(t, "public/meetings/", func(_ *web.Web, p web.Page) map[string]any {
				if wrong {
					for _, f := range []string{"ask_1", "ask_2", "notes", "follow_up", "follow_up_until", ""} {
						p.Errors = append(p.Errors, web.FieldError{Name: f, Text: "Wrong."})
					}
					if !team.Began {
						p.Errors = nil
					}
				}
				return map[string]any{"public/meetings/team": &teamPage{Page: p, Token: "T", Team: team, When: "Tuesday", Own: "Wednesday", Notes: web.MeetingNotes{Ask1: "yes", Text: "<n>"}}}
			})
		}
	}
}
