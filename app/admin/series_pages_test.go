package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/series"
	"kithline/models"
)

// Every page of series runs in every language: in each state, with each trigger and kind of step, full and empty.
func TestSeriesPages(t *testing.T) {
	now, later := webtest.Time, webtest.Time.Add(time.Minute)
	id := uuid.New()
	triggers := []models.SeriesTrigger{
		models.TriggerSigned, models.TriggerJoined, models.TriggerForm, models.TriggerTagged, models.TriggerDate, models.TriggerAnniversary, models.TriggerShift,
	}
	steps := []series.Step{
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepMail}, Texts: []models.SeriesText{{Locale: "en", Subject: "Hello <9>", Body: "x", Revision: 2}}},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepMail}},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepTag}, Tag: "new"},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepUntag}, Tag: "new"},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepWait, WaitAmount: 1, WaitUnit: "minutes", UntilWeekday: -1, UntilMinute: -1}},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepWait, WaitAmount: 2, WaitUnit: "hours", UntilWeekday: 0, UntilMinute: -1}},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepWait, WaitAmount: 3, WaitUnit: "days", UntilWeekday: -1, UntilMinute: 570}},
		{SeriesStep: models.SeriesStep{ID: uuid.New(), Kind: models.StepWait, WaitUnit: "days", UntilWeekday: 6, UntilMinute: 0}},
	}
	states := []models.SeriesState{models.SeriesDraft, models.SeriesLive, models.SeriesPaused, models.SeriesEnded}
	for n, trigger := range triggers {
		for _, full := range []bool{true, false} {
			state := states[n%len(states)]
			webtest.All(t, "admin/series/", func(_ *web.Web, p web.Page) map[string]any {
				sr := models.Series{ID: uuid.New(), Name: "Welcome <b>", State: state, Locale: "en", TriggerKind: trigger, TriggerDays: n - 4, LiveAt: &now, PausedAt: &later, QuietFrom: 1200, QuietUntil: 540}
				list := seriesListPage{Page: p}
				show := seriesPage{seriesWords: seriesWords{p}, Report: series.Report{Series: sr}}
				edit := seriesFormPage{Page: p, Series: sr}
				step := seriesStepPage{seriesWords: seriesWords{p}, Series: sr, Step: steps[0], Place: 1, Mail: seriesMailForm{Locale: "en"}}
				start := seriesStartPage{Page: p, Series: sr}
				if full {
					list.Rows, list.Next = []series.Row{{Series: sr, Active: 2, Came: 3}}, "abc"
					list.To = []web.Option{{Value: "newsletter", Label: "Newsletter"}}
					for _, st := range steps {
						show.Steps = append(show.Steps, series.Figures{Step: st, Waiting: 2, Sent: 3, Queued: 1, Refused: 1, Dropped: 2, Left: 1})
					}
					for _, r := range []string{models.LeftNoConsent, models.LeftSuppressed, models.LeftGoal, models.LeftChapter, models.LeftEnded} {
						show.Exits = append(show.Exits, series.Exit{Reason: r, N: 2})
					}
					show.Goals = []series.GoalName{
						{SeriesExit: models.SeriesExit{Kind: models.ExitActed}},
						{SeriesExit: models.SeriesExit{Kind: models.ExitSigned}, Name: "Twenty"},
						{SeriesExit: models.SeriesExit{Kind: models.ExitTagged}, Name: "new"},
					}
					show.Chapter, show.TriggerName, show.RemovedSent, show.Came, show.Active, show.Open = "North", "Twenty visits", n, 9, n, 2
					show.Report.Series.LookbackDays, show.Report.Series.AgainDays = n, n
					if n%2 == 1 {
						show.Report.Series.PetitionID, show.Petition = &id, "Twenty visits"
						show.Report.Series.QuietUntil = 1200
						step.Series.PetitionID = &id
						start.Series.TriggerDate = "2027-03-01"
					} else {
						show.Topic = "Research"
					}
					if state != models.SeriesEnded { // that one has no forms
						show.Errors = []web.FieldError{{Name: "amount", Text: "Wrong."}, {Name: "tag", Text: "Wrong."}, {Text: "Wrong."}}
					}
					edit.To, edit.Triggers, edit.Petitions, edit.Tagged = list.To, list.To, list.To, list.To
					edit.Form = seriesForm{Revision: 3, Name: "Welcome", Acted: true, QuietFrom: "20:00"}
					edit.Errors = []web.FieldError{{Name: "name", Text: "Wrong."}, {Name: "goals", Text: "Wrong."}, {Name: "quietfrom", Text: "Wrong."}}
					step.Step, step.Mail = steps[n], seriesMailForm{Locale: []string{"en", "es"}[n%2], Subject: "S", Body: "<b>{{goal}}</b>"}
					step.Preview = mailings.Preview{Subject: "S", Preheader: "P", Text: "<b>", HTML: "<p>"}
					if start.Before.People = n; n%3 == 0 {
						start.Before.Problems, start.Lines = fault.Fields{{Key: "error.series_no_mail"}}, []string{p.T("error.series_no_mail")}
					}
				}
				whole := show
				whole.Errors = nil
				return map[string]any{
					"admin/series/list": &list, "admin/series/show": &show, "admin/series/edit": &edit, "admin/series/step": &step, "admin/series/remove": &step,
					"admin/series/preview": &step, "admin/series/start": &start, "admin/series/end": &whole,
				}
			})
		}
	}
}
