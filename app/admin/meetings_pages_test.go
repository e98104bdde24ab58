package admin

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/legislators"
	"kithline/campaigns/meetings"
	"kithline/models"
)

// Every page of meetings runs in every language: in each state, full and empty, right and wrong.
func TestMeetingPages(t *testing.T) {
	now := webtest.Time
	roster := models.Roster{ID: uuid.New(), Slug: "day", Title: "A <day>", Locale: "en", TimeZone: "America/New_York"}
	room := models.Office{ID: uuid.New(), Name: "Capitol", Street: "1 <Main>\nRoom 2", City: "Harrow Bay", Region: "WN", Phone: "555-0100"}
	office := meetings.Office{
		Member: legislators.Member{
			Legislator: models.Legislator{ID: uuid.New(), Name: "Ada <Quill>"}, Chamber: models.Chamber{Name: "House", MemberTitle: "Representative"}, Term: models.Term{District: "7", Party: "Harbour"},
			Offices: []models.Office{room, {ID: uuid.New(), Street: "2 Side"}},
		}, Room: room,
	}
	role := func(k models.RoleKind, held int) meetings.Stands {
		return meetings.Stands{Shift: models.Shift{ID: uuid.New(), Role: "<Role>", RoleKind: k, Minimum: 1, Places: 2}, Held: held, By: 1}
	}
	view := func(state models.MeetingState, mode models.MeetingMode, roles ...meetings.Stands) meetings.View {
		m := models.Meeting{ID: uuid.New(), RosterID: roster.ID, State: state, StartsAt: now, Minutes: 15, Mode: mode, Place: "Room <114>", Revision: 2}
		if state == models.MeetingHeld {
			m.NotedAt, m.ThankedAt, m.FollowedUpAt = &now, &now, &now
		}
		return meetings.View{Office: office, Meeting: m, Roles: roles, Asks: []models.MeetingAsk{{Position: 1, Ask: "Vote <yes>?", Outcome: models.AskYes}, {Position: 2, Ask: "Speak?"}}}
	}
	for _, full := range []bool{true, false} {
		for i, state := range []models.MeetingState{models.MeetingPlanned, models.MeetingHeld, models.MeetingCancelled} {
			webtest.All(t, "admin/meetings/", func(_ *web.Web, p web.Page) map[string]any {
				wrong := func(fields ...string) meetingBase {
					q := p
					for _, f := range fields {
						if full {
							q.Errors = append(q.Errors, web.FieldError{Name: f, Text: "Wrong."})
						}
					}
					return meetingBase{Page: q, Roster: roster}
				}
				base := meetingBase{Page: p, Roster: roster}
				days, list, people := meetingDays{Page: p}, meetingList{meetingBase: base}, meetingPeople{meetingBase: base}
				plan := &meetingPlanPage{meetingBase: wrong("asks", "letter_campaign", "minutes", "block_minutes", "break_minutes", "leader", "leader_minimum", "storyteller", "storyteller_minimum",
					"asker", "asker_minimum", "notes", "notes_minimum", "point_1", "source_title_1", "source_url_2", ""), Form: meetingPlanForm{Minutes: "15"}}
				build := &meetingBuild{meetingBase: wrong("chambers", "day", "from", "until", "mode", "asks"), Plan: meetings.Plan{Minutes: 15, BlockMinutes: 45, BreakMinutes: 15}}
				list2 := &meetingImport{meetingBase: wrong("file")}
				edit := &meetingEdit{meetingBase: wrong("day", "hour", "minutes", "mode", "place", "join", "access", "asks", "office", ""), New: !full, Here: "/x", Whom: office, Search: "q"}
				if !full {
					edit.Whom = meetings.Office{}
				}
				v := view(state, meetings.Modes[i], role(models.RoleLeader, 0), role("", 2))
				fields := map[models.MeetingState][]string{models.MeetingPlanned: {"late", ""}, models.MeetingHeld: {"ask_1", "notes", "follow_up", "follow_up_until", ""}}[state]
				show := &meetingPage{meetingBase: wrong(fields...), Details: meetings.Details{View: v, Roster: roster, Began: i > 0}}
				board, report := &meetingBoard{meetingBase: base}, &meetingReport{meetingBase: base, Report: meetings.Report{Answers: map[models.AskOutcome]int{}}}
				if full {
					days.Rows = []meetings.Day{{Roster: roster, Meetings: 31, FirstAt: &now}, {Roster: roster}}
					list.Rows = []meetings.View{v, view(models.MeetingPlanned, models.MeetingPhone), view(state, models.MeetingVideo, role(models.RoleNotes, 1)), view(state, models.MeetingVideo, role(models.RoleNotes, 2))}
					list.Plan = meetings.Plan{Revision: 1, SentAt: &now}
					plan.Form = meetingPlanFormOf(meetings.Plan{Asks: []string{"a", "b"}, Points: []meetings.Point{{Body: "<x>", SourceTitle: "s", SourceURL: "https://example.org"}}, Roles: map[models.RoleKind]meetings.Count{"leader": {Minimum: 1, Places: 1}}})
					plan.Campaigns = []web.Option{{Value: "x", Label: "<c>"}}
					build.Bodies = []legislators.ChamberChoice{{ID: uuid.New(), Name: "House", Jurisdiction: "Wennick"}}
					build.Proposals = []meetings.Proposal{{Office: office, StartsAt: now, Constituents: 3}}
					for _, k := range []string{"error.meetings_csv_nobody", "error.meetings_csv_several", "error.meetings_csv_mode", "error.meetings_csv_minutes", "error.meetings_csv_twice"} {
						list2.Bad = append(list2.Bad, meetings.BadLine{Line: 3, Key: k, Args: []any{"Value", "<House> 31"}})
					}
					edit.Found = []meetings.Office{office}
					show.Details.Join, show.Details.Access = "https://meet.example.org/<x>", "Dim <light>"
					show.Details.Notes.FollowUp = "Send it"
					show.Details.Keeps = &models.LetterCampaign{ID: uuid.New(), Title: "Twenty <visits>"}
					for _, phase := range []meetings.Phase{meetings.PhaseNow, meetings.PhaseNext, meetings.PhaseLater, meetings.PhaseOver, meetings.PhaseOff} {
						tile := meetings.Tile{View: view(state, models.MeetingPhone, role(models.RoleLeader, 0)), Phase: phase, Behind: 10}
						tile.LateMinutes = 20
						bare := tile
						bare.View.Meeting.ID, bare.Roles = uuid.New(), nil
						board.Board.Tiles = append(board.Board.Tiles, tile, bare)
					}
					report.Report = meetings.Report{Roster: roster, Planned: 31, Held: 28, Noted: 20, Answers: map[models.AskOutcome]int{models.AskYes: 12, models.AskNo: 2}, HasLetters: true, Letters: 140, Thanked: 9, FollowUps: 4, FollowedUp: 1, Minutes: 1234}
					if i > 0 {
						report.Report.LoggedAt = &now
					}
					volunteer := uuid.New()
					people.Rows = []meetings.Suggestion{{View: v, More: 4, People: []meetings.Somebody{
						{Name: "June <Abara>", Constituent: true, Holds: true, Likes: meetings.TeamRoles, Here: true},
						{Volunteer: &volunteer, AskBy: models.AskByMail, AskFrom: 540, AskUntil: 1200, Busy: true},
						{Volunteer: &volunteer, Name: "Teo", AskBy: models.AskByPhone},
					}}, {View: view(state, models.MeetingVideo)}}
				}
				return map[string]any{
					"admin/meetings/days": &days, "admin/meetings/list": &list, "admin/meetings/plan": plan, "admin/meetings/build": build, "admin/meetings/import": list2,
					"admin/meetings/edit": edit, "admin/meetings/show": show, "admin/meetings/people": &people, "admin/meetings/board": board, "admin/meetings/report": report,
				}
			})
		}
	}
}
