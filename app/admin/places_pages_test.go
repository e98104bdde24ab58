package admin

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/divisions"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/legislators"
	"kithline/campaigns/supporters"
	"kithline/models"
)

func TestPagesOfDistricts(t *testing.T) {
	now := webtest.Time
	one := models.Division{ID: uuid.New(), OCDID: "ocd-division/country:us/state:nc/cd:4", Name: "North Carolina's 4th congressional district", Country: "US", Region: "NC", Kind: "cd"}
	over := models.Division{ID: uuid.New(), OCDID: "ocd-division/country:us/state:mt/cd:at-large", Name: "Montana", Country: "US", Region: "MT", Kind: "place", ValidFrom: "1993-01-03", ValidThrough: "2023-01-03"}
	for _, full := range []bool{false, true} {
		webtest.All(t, "admin/divisions/", func(_ *web.Web, p web.Page) map[string]any {
			page := divisionPage{p}
			show := divisionsPage{divisionPage: page, Code: "27713", Looked: true}
			list := divisionListPage{divisionPage: page, Rows: []divisions.Row{{Division: one, Supporters: divisions.Shown{N: 12}}, {Division: over, Ended: true, Supporters: divisions.Shown{Hidden: true}}}}
			person := personDivisionsPage{divisionPage: page, ID: uuid.New()}
			if full {
				show.Found = []divisions.Choice{{Kind: "cd", Divisions: []models.Division{one, over}}, {Kind: "sldu", Divisions: []models.Division{one}}}
				show.Regions = []divisions.Region{{Country: "US", Region: "NC", Kind: "cd", Divisions: 14, Ended: 1, Boundaries: 14}, {Country: "US", Region: "MT", Kind: "place"}}
				show.Sources = []divisions.Source{{What: "divisions", Kind: "cd", Version: "x 2026-06-20", Rows: 461}, {What: "postal", Kind: "cd", Version: "y"}, {What: "boundaries", Kind: "cd", Version: "z"}}
				person.Homes = divisions.Homes{PostalArea: "27713", Country: "US", Choices: []divisions.Choice{{Kind: "cd", Divisions: []models.Division{one, over}}}}
				for _, how := range []models.DivisionHow{models.ByPostal, models.ByPoint, models.ByPerson, models.ByHand} {
					person.Homes.Homes = append(person.Homes.Homes, divisions.Home{Division: one, How: how, Version: "y 2026-06-20", Since: now, Doubt: how == models.ByPoint})
				}
				person.Homes.Homes = append(person.Homes.Homes, divisions.Home{Division: over, How: models.ByPostal, Version: "y", Since: now, Ended: true})
				person.Page.Errors = []web.FieldError{{Text: "No."}}
			}
			represented := representedPage{Page: p}
			if full {
				represented.Coverage = legislators.Coverage{Bodies: []legislators.ChamberChoice{{ID: uuid.New(), Name: "Senate", Jurisdiction: "United States"}}, Rows: []legislators.Covered{
					{OCDID: "ocd-division/country:us/state:nc", Place: "NC", Members: []string{"Ann <A>", "Bo"}, Supporters: divisions.Shown{N: 12}}, {OCDID: one.OCDID, Place: one.Name, Supporters: divisions.Shown{Hidden: true}},
				}}
			}
			return map[string]any{"admin/divisions/show": &show, "admin/divisions/list": &list, "admin/divisions/person": &person, "admin/divisions/represented": &represented}
		})
	}
}

func TestPagesOfDuplicates(t *testing.T) {
	now := webtest.Time
	for _, full := range []bool{false, true} {
		webtest.All(t, "admin/duplicates/", func(_ *web.Web, p web.Page) map[string]any {
			list := duplicatesPage{Page: p}
			show := duplicatePage{peoplePage: peoplePage{p}}
			show.ID, show.Rules = uuid.New(), []duplicates.Rule{duplicates.ByName, duplicates.ByPhone, duplicates.ByAddress}
			show.One, show.Other = supporters.View{ID: uuid.New(), Source: "form", CreatedAt: now}, supporters.View{ID: uuid.New(), Source: "import", CreatedAt: now}
			if full {
				side := duplicates.Side{ID: uuid.New(), GivenName: "June", FamilyName: "Okafor", PostalArea: "27601", Since: now}
				list.Rows, list.Next = []duplicates.Pair{{ID: uuid.New(), Rules: show.Rules, Since: now, A: side, B: duplicates.Side{ID: uuid.New()}}}, "x"
				list.Merges = []duplicates.Done{{ID: uuid.New(), At: now, Until: now.Add(30 * 24 * time.Hour), Kept: side}}
				view := supporters.View{
					ID: uuid.New(), GivenName: "June", FamilyName: "Okafor", Street: "1 Elm", City: "Raleigh", Region: "NC", PostalArea: "27601", Country: "US", Locale: "en", TimeZone: "America/New_York",
					Chapter: "West", Source: "form", CreatedAt: now, Phones: []supporters.Phone{{ID: uuid.New(), Number: "+1 919-555-0101", Valid: true}},
					Mailboxes: []supporters.Mailbox{{ID: uuid.New(), Address: "june@example.org", VerifiedAt: &now, SuppressedAt: &now, SuppressedReason: "bounce"}, {ID: uuid.New(), Address: "j@example.org"}},
					Tags:      []models.Tag{{ID: uuid.New(), Name: "Speaker"}}, Answers: []supporters.Answer{{Field: models.CustomField{Label: "Drives", Kind: models.FieldYesNo}, Value: "yes"}, {Field: models.CustomField{Label: "Size"}, Value: "M"}},
					Notes:     []supporters.Note{{ID: uuid.New(), Body: "Call after noon.", At: now}},
					Districts: []divisions.Home{{Division: models.Division{Name: "Fourth"}, How: models.ByPostal}},
					Consents:  []supporters.Consent{{ID: uuid.New(), Purpose: models.PurposeUpdates, Scope: "Visits", GivenAt: now, Address: "june@example.org", WithdrawnAt: &now}, {ID: uuid.New(), Purpose: models.PurposeNewsletter, GivenAt: now}},
					Timeline:  []supporters.Event{{At: now, Key: "supporter.signed", What: "Twenty visits"}},
				}
				show.One, show.Other = view, view
				for _, f := range []string{"given_name_sealed", "family_name_sealed", "phone_sealed", "street_sealed", "city_sealed", "postal_area", "region", "country", "locale", "time_zone", "chapter_id"} {
					show.Fields = append(show.Fields, duplicates.Field{Name: f, One: "a", Other: "b", Chosen: duplicates.ChooseOne})
				}
				show.Fields = append(show.Fields, duplicates.Field{Name: "frequency", One: "", Other: "weekly", Chosen: duplicates.ChooseOther}, duplicates.Field{Name: "field-" + uuid.NewString(), Label: "Drives", One: "yes", Other: "no", Chosen: duplicates.ChooseOne})
			}
			return map[string]any{"admin/duplicates/list": &list, "admin/duplicates/show": &show}
		})
	}
}
