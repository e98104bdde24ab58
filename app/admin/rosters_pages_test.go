package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/paging"
	"kithline/campaigns/rosters"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// Every page of rosters runs in every language: in each state, full and empty, right and wrong.
func TestRosterPages(t *testing.T) {
	now := webtest.Time
	at := func(hours int) *time.Time { x := now.Add(time.Duration(hours) * time.Hour); return &x }
	three, from := 3, 7*60+30
	for i, state := range []models.RosterState{models.RosterDraft, models.RosterPublished, models.RosterClosed} {
		for _, full := range []bool{true, false} {
			r := models.Roster{ID: uuid.New(), Slug: "pain-day", State: state, Title: "Pain <Day>", Locale: "en", TimeZone: "America/New_York", Revision: 2, CreatedAt: now, UpdatedAt: now}
			team := rosters.TeamStands{Team: models.Team{ID: uuid.New(), Name: "House <31>", Place: "Room 114"}}
			names := []rosters.Holder{
				{ID: uuid.New(), Name: "Cal <W>.", As: models.AsPlace, State: models.AssignmentConfirmed, StartsAt: at(2)},
				{ID: uuid.New(), Name: "Ilse H.", As: models.AsPlace, State: models.AssignmentPending},
				{ID: uuid.New(), Name: "Hal B.", As: models.AsStandby, State: models.AssignmentHeld, AskBy: models.AskByPhone, AskFrom: &from},
				{ID: uuid.New(), Name: "June O.", As: models.AsUnderstudy, State: models.AssignmentHeld, AskBy: models.AskByMail},
				{ID: uuid.New(), Name: "Bo L.", As: models.AsBuddy, State: models.AssignmentConfirmed, NoMail: true},
			}
			var lines []rosters.Line
			for n, risk := range []rosters.Risk{rosters.Empty, rosters.Below, rosters.Short, rosters.NoStandby, rosters.NoRisk} {
				sh := models.Shift{
					ID: uuid.New(), RosterID: r.ID, Role: "Welcome <table>", RoleKind: models.RoleWelcome, Kind: models.ShiftFixed, StartsAt: at(n), EndsAt: at(n + 2), Minutes: 120, Mode: models.ShiftOnsite,
					Place: "Lobby", Minimum: n, Places: 3, Standbys: 1, Energy: 4, Demands: "standing,noise,bright_light",
				}
				l := rosters.Line{Shift: sh, Risk: risk, Team: "House <31>", Is: rosters.Places{Confirmed: n}}
				switch n {
				case 1:
					l.Until, l.PhoneAt, l.Is.Asking = at(1), at(0), 2
				case 2:
					l.Holders = names
				case 3:
					l.CancelledAt = at(0)
				case 4:
					l.SettledAt, l.HeadCount, l.Filled, l.Is.Standbys = at(0), &three, 2, 2
				}
				lines = append(lines, l)
			}
			tasks := []rosters.Line{
				{Shift: models.Shift{ID: uuid.New(), Role: "Thank-you mails", Kind: models.ShiftTask, Places: 3}, Risk: rosters.Empty},
				{Shift: models.Shift{ID: uuid.New(), Role: "Window", Kind: models.ShiftWindow, StartsAt: at(1), EndsAt: at(90), Places: 3}, Risk: rosters.Short, Holders: names},
				{Shift: models.Shift{ID: uuid.New(), Role: "Until", Kind: models.ShiftTask, EndsAt: at(90), Places: 3}, Risk: rosters.Short, Is: rosters.Places{Standbys: 2}},
				{Shift: models.Shift{ID: uuid.New(), Role: "From", Kind: models.ShiftTask, StartsAt: at(90), Places: 3, Standbys: 2}, Risk: rosters.NoStandby},
			}
			if full {
				r.ContactName, r.ContactPhone, r.Template = "Ilse", "555-0142", i == 0
			}
			webtest.All(t, "admin/rosters/", func(_ *web.Web, p web.Page) map[string]any {
				wrong := func(fields ...string) web.Page {
					q := p
					for _, f := range fields {
						if full {
							q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
						}
					}
					return q
				}
				of := func(q web.Page) rosterPage { return rosterPage{Page: q, Roster: r} }
				list := rosterList{Page: p}
				edit := rosterEdit{rosterPage: of(wrong("", "title", "summary_text", "body", "contact_name", "contact_phone", "locale", "time_zone", "opens", "chapter", "campaign", "template")), Form: rosterFormOf(r)}
				if !full {
					edit.Roster = models.Roster{}
				}
				show := rosterShow{rosterPage: of(p), Cover: rosters.Coverage{Roster: r, Names: true}}
				cp := rosterCopy{rosterPage: of(wrong("title", "day"))}
				teams := rosterTeams{rosterPage: of(wrong("name", "place"))}
				shift := shiftEdit{rosterPage: of(p), Teams: []web.Option{{Label: "-"}}}
				crew := shiftCrew{rosterPage: of(wrong("heads")), Crew: rosters.Crew{Roster: r, Line: rosters.Line{Shift: models.Shift{ID: uuid.New(), RosterID: r.ID, Role: "x", Places: 1}, Risk: rosters.Empty}}}
				seat := shiftSeat{rosterPage: of(wrong("given_name", "family_name", "email", "phone", "as", "ask_by", "ask_from", "said_yes", "q")), Line: lines[0], Form: seatForm{As: "place", AskBy: "mail"}}
				chosen := seat
				chosen.Page = wrong("as", "ask_by", "ask_from", "said_yes")
				phones := rosterPhones{rosterPage: of(p)}
				msg := rosterMessage{rosterPage: of(wrong("subject", "body", "about"))}
				sheet := rosterPrint{rosterPage: of(p)}
				report := rosterReport{rosterPage: of(p)}
				if full {
					p.Actor.ChapterID = uuid.Nil
					for _, s := range []models.RosterState{models.RosterDraft, models.RosterPublished, models.RosterClosed} {
						list.Rows.Rows = append(list.Rows.Rows, rosters.Listed{Roster: models.Roster{ID: uuid.New(), Title: "A <roster>", State: s, Locale: "es", Template: s == models.RosterClosed}, Shifts: 12, FirstAt: at(0)})
					}
					list.Rows.Next = paging.Cursor{At: now, ID: r.ID}.String()
					edit.Stored, edit.Choices = &r, rosters.Choices{Chapters: []models.Chapter{{ID: uuid.New(), Name: "North"}}, Campaigns: []models.Campaign{{ID: uuid.New(), Title: "Visits"}}, Events: []models.Event{{ID: uuid.New(), Title: "The <day>", StartsOn: "2027-03-09T09:00"}}}
					edit.Form.OpensTwice = "first"
					team.Shifts, team.Ahead = lines, i == 1
					show.Cover.Rows, show.Cover.Tasks, show.Cover.Gaps, show.Cover.More, show.Cover.Next = lines, tasks, append(lines[:3:3], tasks...), 7, 300
					show.Cover.Days, show.Cover.Day, show.Cover.Teams = []string{"2027-02-23", "2027-02-24"}, "2027-02-23", []rosters.TeamStands{team, {Team: models.Team{ID: uuid.New(), Name: "Empty"}}}
					show.Filter = rosterFilter{Day: "2027-02-23", Kind: "welcome", Gaps: true}
					if i == 2 {
						show.Actor.ChapterID = uuid.New() // sees it, and changes nothing
					}
					cp.First = "2027-02-23"
					teams.Teams, teams.At, teams.Form = show.Cover.Teams, team.ID, teamForm{Name: "House"}
					shift.Page, shift.Shift, shift.Form = wrong("role", "role_kind", "team", "kind", "starts", "ends", "minutes", "energy", "demands", "mode", "place", "join", "minimum", "places", "standbys", "handover", "languages", "training", "area", "opens"), lines[0].Shift, shiftForm{Kind: "fixed", Mode: "home"}
					crew.Crew.Line, crew.Crew.Join = lines[2], "https://meet.example.org/1"
					crew.Crew.Line.Languages, crew.Crew.Line.Training, crew.Crew.Line.Area = "es", "driver", "001*"
					if i == 0 {
						crew.Crew.Line = lines[3]
					}
					chosen.Who, chosen.Form.Supporter = "June <Okafor>", uuid.NewString()
					seat.Find, seat.Found = "june", supporters.Found{More: true, Rows: []supporters.Row{{ID: uuid.New(), GivenName: "June", FamilyName: "<Okafor>", Address: "june@example.org"}, {ID: uuid.New()}}}
					phones.List.More = 3
					phones.List.Lines = []rosters.PhoneLine{{Line: lines[1], Call: []rosters.Callable{
						{Mailbox: uuid.New(), Offer: uuid.New(), Name: "Hal B.", Phone: "+15550142", Standby: true, From: 540, Until: 1200, Zone: "America/New_York", Good: true, Expires: at(2)},
						{Mailbox: uuid.New(), Name: "Rosa V.", Zone: "UTC"},
					}}, {Line: lines[0]}}
					phones.List.Told = []rosters.PhoneTold{
						{Line: lines[0], Name: "Olu <A.>", Phone: "+15550142", As: models.AsPlace, Zone: "UTC", Soon: true}, {Line: lines[3], Name: "Bo", As: models.AsUnderstudy, Zone: "America/New_York"},
					}
					msg.Look, msg.Count, msg.Form.Subject, msg.Form.Body = true, 12, "The <gate>", "North.\nThank you."
					msg.Page, msg.Sent = p, []models.RosterMessage{{ID: uuid.New(), Subject: "x", Recipients: 1, CreatedAt: now}}
					sheet.Back, sheet.Plan = &web.Link{URL: "/x", Label: "Back"}, rosters.DayPlan{Day: "2027-02-23", Days: show.Cover.Days, Lines: append(lines[:3:3], tasks...)}
					report.Report = rosters.Report{Lines: lines, Wanted: 30, Held: 25, Heads: 24, Counted: 3, Hint: rosters.Hint{N: 40, Released: 8, Known: true, Extra: (i % 2) * 3}}
				}
				show.draw()
				pages := map[string]any{
					"admin/rosters/list": &list, "admin/rosters/edit": &edit, "admin/rosters/show": &show, "admin/rosters/copy": &cp, "admin/rosters/teams": &teams, "admin/rosters/shift": &shift,
					"admin/rosters/crew": &crew, "admin/rosters/cancel": &shiftCancel{rosterPage: of(p), Line: lines[2]}, "admin/rosters/seat": &seat,
					"admin/rosters/release": &shiftRelease{rosterPage: of(wrong("said_yes")), Line: lines[2], Holder: names[0]}, "admin/rosters/phones": &phones, "admin/rosters/message": &msg,
					"admin/rosters/print": &sheet, "admin/rosters/report": &report,
				}
				if i == 1 {
					pages["admin/rosters/seat"] = &chosen
				}
				return pages
			})
		}
	}
}
