package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/consents"
	"kithline/campaigns/pacing"
	"kithline/campaigns/volunteers"
	"kithline/models"
)

// Every page of those who offer time runs in every language: bare and with everything on it, at first and after an error.
func TestPagesOfVolunteers(t *testing.T) {
	said := volunteers.Said{
		GivenName: "June <b>", FamilyName: "Okafor", Phone: "+1 202-555-0101", Note: "Mornings are <slow>.", Likes: volunteers.Likes(), Skills: volunteers.Skills, Languages: volunteers.Languages,
		Hours: volunteers.Hours(), Modes: volunteers.Modes, PostalCode: "00209", Country: "US", TimeZone: "Asia/Kathmandu", AskBy: models.AskByPhone, AskFrom: "10:30", AskUntil: "17:00",
	}
	boxes := []consents.Box{{Words: "You may ask <me>.\nOne press ends it.", Value: "volunteering:1:a"}, {Words: "A call", Value: "phone:0:b"}}
	paper := volunteers.Paper{Certificate: models.Certificate{ID: uuid.New(), Role: "Stall <1>", Minutes: 90, State: models.CertificateAsked}, Name: "June <b>", Day: webtest.Time}
	given, refused := paper, paper
	given.State, refused.State = models.CertificateGiven, models.CertificateRefused
	soon := webtest.Time.AddDate(0, 0, 7)
	wrong := func(p web.Page, names ...string) web.Page {
		for _, name := range append([]string{""}, names...) {
			p.Errors = append(p.Errors, web.FieldError{Name: name, Text: "Wrong."})
		}
		return p
	}
	fields := []string{"given_name", "family_name", "like", "ask_by", "phone", "ask_from", "ask_until", "mode", "skill", "language", "postal_code", "country", "time_zone", "note", "consent"}
	for _, full := range []bool{false, true} {
		webtest.All(t, "public/volunteers/", func(_ *web.Web, p web.Page) map[string]any {
			bare := volunteers.Said{}
			up := volunteerPage{VolunteerFields: volunteerFields(p, bare), Locale: "en", Ticked: []string{}, Boxes: boxes[:1]}
			mine := &ownVolunteerPage{VolunteerFields: volunteerFields(p, bare), Token: "t", Ticked: []string{}, Until: "week"}
			plan := &planPage{Page: p, Token: "t", Until: "told", Form: planFormOf(pacing.Plan{}), CanFlare: true}
			papers := &papersPage{Page: p, Token: "t"}
			if full {
				own := volunteers.Own{Said: said, There: true, Since: webtest.Time, Paused: true, PausedUntil: &soon, Trainings: []string{"first-aid"}}
				full := pacing.Plan{Weekly: 8, MostEnergy: 3, RestHours: 48, QuietFrom: 1260, QuietUntil: 540, Avoid: models.Demands, Flare: true, FlareUntil: &soon}
				up = volunteerPage{VolunteerFields: volunteerFields(wrong(p, append(fields, "email")...), said), Email: "june.example.org", Locale: "es", Source: "poster", Filled: true, Boxes: boxes, Ticked: []string{boxes[0].Value}}
				mine = &ownVolunteerPage{VolunteerFields: volunteerFields(wrong(p, append(fields, "until", "day")...), said), Token: "t", Own: own, Boxes: boxes, Ticked: []string{}, Until: "day", Day: "2027-01-01"}
				plan = &planPage{Page: wrong(p, "weekly", "most_energy", "avoid", "rest_hours", "quiet_from", "quiet_until"), Token: "t", Until: "day", Day: "2027-01-01", Form: planFormOf(full), Plan: full, Flaring: true, CanFlare: true}
				papers = &papersPage{Page: wrong(p, "name", "role", "on", "hours", "minutes"), Token: "t", Form: paperForm{Name: "June <b>", Shift: uuid.NewString()}, Held: []volunteers.Held{{Shift: uuid.New(), Role: "Stall", Roster: "Day <1>"}}, Rows: []volunteers.Paper{paper, given, refused}}
			}
			return map[string]any{
				"public/volunteers/signup": &up, "public/volunteers/thanks": &formSent{Page: p}, "public/volunteers/mine": mine, "public/volunteers/plan": plan, "public/volunteers/certificates": papers,
				"public/volunteers/certificate": &paperPage{Page: p, Token: "t", Paper: given},
			}
		})
	}
	// Until they say, without a day; and a break without one.
	webtest.All(t, "public/volunteers/plan", func(_ *web.Web, p web.Page) map[string]any {
		return map[string]any{
			"public/volunteers/plan": &planPage{Page: p, Token: "t", Plan: pacing.Plan{Flare: true}, Flaring: true, Form: planFormOf(pacing.Plan{})},
			"public/volunteers/mine": &ownVolunteerPage{VolunteerFields: volunteerFields(p, said), Token: "t", Own: volunteers.Own{There: true, Paused: true}, Ticked: []string{}},
		}
	})
}
