package admin

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/volunteers"
	"kithline/models"
)

// The coordinator's pages of volunteers run in every language, with and without rows, at first and after an error.
func TestPagesOfVolunteers(t *testing.T) {
	said := volunteers.Said{
		GivenName: "June <b>", FamilyName: "Okafor", Phone: "+1 202-555-0101", Note: "Mornings are <slow>.", Likes: volunteers.Likes(), Skills: volunteers.Skills, Languages: volunteers.Languages,
		Hours: volunteers.Hours(), Modes: volunteers.Modes, PostalCode: "00209", Country: "US", TimeZone: "Asia/Kathmandu", AskBy: models.AskByPhone, AskFrom: "10:30", AskUntil: "17:00",
	}
	row := volunteers.Row{Said: said, ID: uuid.New(), Chapter: "North <1>", Trainings: []string{"first-aid"}, Paused: true, Since: webtest.Time, Done: 1, Of: 2}
	step := models.OnboardingStep{ID: uuid.New(), Name: "A <call>", About: "Ten minutes"}
	paper := volunteers.Paper{Certificate: models.Certificate{ID: uuid.New(), Role: "Stall <1>", Minutes: 90, State: models.CertificateAsked, CreatedAt: webtest.Time}, Name: "June <b>", Day: webtest.Time, Who: "June"}
	wrong := func(p web.Page, names ...string) web.Page {
		for _, name := range append([]string{""}, names...) {
			p.Errors = append(p.Errors, web.FieldError{Name: name, Text: "Wrong."})
		}
		return p
	}
	for _, full := range []bool{false, true} {
		webtest.All(t, "admin/volunteers/", func(_ *web.Web, p web.Page) map[string]any {
			list := &volunteersPage{Page: p}
			show := &volunteerPage{Page: p, View: volunteers.View{Row: volunteers.Row{ID: row.ID, Welcomed: true}}}
			add := &volunteerAddPage{VolunteerFields: web.VolunteerFields{Page: p, Form: web.VolunteerFormOf(volunteers.Said{})}}
			steps, papers := &stepsPage{Page: p}, &certificatesPage{Page: p}
			if full {
				list = &volunteersPage{
					Page: p, Filter: volunteerFilter{Like: "art", Area: "<0>", Training: "first-aid"}, Rows: []volunteers.Row{row, {ID: uuid.New(), Welcomed: true}}, Next: "x",
					Choices: volunteers.Choices{Trainings: []string{"first-aid"}, Chapters: []models.Chapter{{ID: uuid.New(), Name: "North <1>"}}},
				}
				show = &volunteerPage{Page: wrong(p, "trainings", "remark"), View: volunteers.View{Row: row, Address: "june@example.org", Supporter: uuid.New(), Steps: []volunteers.Step{{OnboardingStep: step}, {OnboardingStep: models.OnboardingStep{ID: uuid.New(), Name: "B"}, DoneAt: &row.Since}}}, Trainings: "first-aid", Remark: "Called."}
				show.Days = web.VolunteerFields{Page: p}.DayOptions()
				add = &volunteerAddPage{VolunteerFields: web.VolunteerFields{Page: wrong(p, "email", "given_name", "where", "on", "locale"), Form: web.VolunteerFormOf(said)}, Add: volunteerAddForm{Email: "x", Locale: "es", Where: "<phone>", On: "2027-01-01"}}
				steps.Page = wrong(p, "name", "about")
				steps.Steps = []models.OnboardingStep{step, {ID: uuid.New(), Name: "B"}}
				papers.Rows = []volunteers.Paper{paper, {Certificate: models.Certificate{ID: uuid.New(), CreatedAt: webtest.Time}, Day: webtest.Time}}
			}
			return map[string]any{"admin/volunteers/list": list, "admin/volunteers/show": show, "admin/volunteers/add": add, "admin/volunteers/steps": steps, "admin/volunteers/certificates": papers}
		})
	}
}
