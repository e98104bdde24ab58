package public

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/clock"
	"kithline/campaigns/consents"
	"kithline/campaigns/rosters"
	"kithline/models"
)

// Every page of rosters runs in every language: bare and with everything on it, at first and after an error.
func TestPagesOfRosters(t *testing.T) {
	at := func(day, hour, minute int) *time.Time {
		v := time.Date(2027, 3, day, hour, minute, 0, 0, time.UTC)
		return &v
	}
	r := models.Roster{
		ID: uuid.New(), Slug: "pain-day", State: models.RosterPublished, Title: "Help at <Pain Day>", Summary: "Small <things>", Body: "*Why*", Locale: "es", TimeZone: "America/New_York", ContactName: "Rosa <R>",
		ContactPhone: "555-0142",
	}
	shift := func(change func(*models.Shift)) rosters.OnOffer {
		sh := models.Shift{
			ID: uuid.New(), RosterID: r.ID, Role: "Welcome <table>", Kind: models.ShiftFixed, StartsAt: at(9, 14, 0), EndsAt: at(9, 15, 30), Minutes: 90, Mode: models.ShiftOnsite, Place: "Lobby <2>", Places: 3,
			Minimum: 1, Standbys: 2, Energy: 4, Demands: "standing,noise", Handover: "# Do\n\n<this>",
		}
		change(&sh)
		return rosters.OnOffer{Shift: sh, Roster: r}
	}
	open := shift(func(*models.Shift) {})
	full := shift(func(s *models.Shift) { s.Demands, s.Mode, s.Place = "", models.ShiftPhone, "" })
	full.Taken = rosters.Places{Confirmed: 3}
	filled := full
	filled.Taken.Standbys = 2
	window := shift(func(s *models.Shift) {
		s.Kind, s.Mode, s.StartsAt, s.Minutes, s.Languages, s.Training, s.Area = models.ShiftWindow, models.ShiftHome, at(1, 9, 0), 30, "es,fr", "host", "001*,002*"
	})
	night := shift(func(s *models.Shift) { s.StartsAt, s.EndsAt = at(10, 3, 0), at(10, 6, 0) })
	task := shift(func(s *models.Shift) { s.Kind, s.StartsAt, s.EndsAt = models.ShiftTask, nil, nil })
	due := shift(func(s *models.Shift) { s.Kind, s.StartsAt = models.ShiftTask, nil })
	early := shift(func(s *models.Shift) { s.OpensAt = at(1, 9, 0) })
	var empty rosters.OnOffer
	empty.Roster.State, empty.Energy, empty.Role = models.RosterPublished, 1, "X"
	for _, mode := range []string{"full", "bare", "other"} {
		webtest.All(t, "public/rosters/", func(w *web.Web, p web.Page) map[string]any {
			s := rosters.New(rosters.Options{
				Clock: clock.NewFixed(webtest.Time), Words: w.Text, Day: web.Weekday,
			})
			page := rosterPage{p, &rosterPages{web: w, rosters: s}}
			filter := filterPage{page, canForm{Time: "10", Energy: "4", Not: []string{"standing", "noise"}, Where: []string{"home", "lying", "no_screen"}}, false, "/rosters/pain-day"}
			board := &boardPage{filterPage: filter, B: rosters.Board{Roster: r, Fits: []rosters.OnOffer{open, full, window, night, task, due, early}, Filled: []rosters.OnOffer{filled}, More: true}, Body: "<p>Why</p>"}
			now := &nowPage{filterPage: filter, Fits: []rosters.OnOffer{open, window}}
			list := &rostersPage{page, []rosters.PublicRoster{{Roster: r, Free: 3}, {Roster: r}}}
			form := &shiftPage{rosterPage: page, O: window, Plan: true, Filled: true, Form: shiftForm{
				As: "standby", GivenName: "June <O>", FamilyName: "Okafor", Email: "june@", Phone: "5", TimeZone: "America/Indiana/Knox", Locale: "es", At: "2027-03-10T09:00", AskBy: "phone", AskFrom: "07:30", Meets: true, Anyway: true,
				Consent: []string{"x"}, Source: "poster",
			}, Boxes: []consents.Box{{Words: "They may ask me.\nA few times.", Value: "x"}}}
			for _, name := range []string{"", "as", "given_name", "family_name", "email", "phone", "at", "meets", "ask_by", "ask_from", "anyway", "consent"} {
				form.Errors = append(form.Errors, web.FieldError{Name: name, Text: "Wrong."})
			}
			h := rosters.Holding{OnOffer: open, As: models.AsPlace, GivenName: "June <O>", When: "Tuesday", Own: "Wednesday", Asked: true, Join: "https://example.org/call", Again: "QUJD", Meeting: true}
			holding := &holdingPage{rosterPage: page, Token: "t", H: h, Never: true, Handover: "<p>This</p>"}
			if mode == "bare" {
				filter.Can, filter.Any = canForm{Not: []string{}, Where: []string{}}, true
				board = &boardPage{filterPage: filter, B: rosters.Board{Roster: r}}
				board.B.Summary = ""
				now, list = &nowPage{filterPage: filter, Standby: []rosters.OnOffer{full}}, &rostersPage{rosterPage: page}
				form = &shiftPage{rosterPage: page, O: full, Closed: "It opens later."}
				holding = &holdingPage{rosterPage: page, Token: "t", H: rosters.Holding{OnOffer: task, As: models.AsStandby, When: "Any time"}}
				holding.H.Roster.ContactPhone = ""
			}
			if mode == "other" {
				board.B.Fits, board.B.Soon = nil, []rosters.OnOffer{full}
				form.O, form.Errors, form.Form.As = open, nil, "place"
			}
			return map[string]any{
				"public/rosters/list": list, "public/rosters/show": board, "public/rosters/now": now, "public/rosters/shift": form, "public/rosters/sent": &page, "public/rosters/taken": &shiftPage{rosterPage: page, O: open},
				"public/rosters/place": holding, "public/rosters/cant": holding, "public/rosters/thanks": holding, "public/rosters/gone": holding, "public/rosters/begun": holding,
				"public/rosters/again": &againPage{page, map[bool]rosters.Holding{true: {}, false: h}[mode == "bare"], "Somebody <has> it."},
			}
		})
	}
}
