package public

import (
	"testing"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Every state of the page that says who represents a place, in every language.
func TestPagesOfRepresentatives(t *testing.T) {
	now := webtest.Time
	ann := legislators.Member{
		Legislator: models.Legislator{ID: uuid.New(), Name: "Ann <Sánchez>"}, Term: models.Term{Title: "Senator", Party: "Nonpartisan"},
		Offices: []models.Office{
			{Kind: "capitol", Name: "Capitol", Street: "1 Main St\nRoom <2>", City: "Wennick", Region: "WN", PostalCode: "00011", Phone: "(555) 555-0100 x12", Hours: "Mon to Fri"},
			{Kind: "district", City: "Harrow Bay"},
		},
		Channels: []models.Channel{{Kind: models.ChannelWebForm, Value: "https://example.org/contact?a=1&b=2"}, {Kind: models.ChannelEmail, Value: "ann@example.org"}, {Kind: models.ChannelPhone, Value: "555-555-0101"}},
	}
	bo := legislators.Member{Legislator: models.Legislator{ID: uuid.New(), Name: "Bo"}, Channels: []models.Channel{{Kind: models.ChannelEmail, Value: "bo@example.org"}, {Kind: models.ChannelEmail, Value: "old@example.org", BouncedAt: &now}}}
	offer := legislators.Offer{Countries: []string{"US", "GB"}, Regions: []models.Jurisdiction{{Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN"}}, Points: true}
	state := models.Division{OCDID: "ocd-division/country:us/state:nc", Name: "NC", Country: "US", Region: "NC", Kind: legislators.KindState}
	district := models.Division{ID: uuid.New(), OCDID: state.OCDID + "/cd:4", Name: "North Carolina's 4th <district>", Country: "US", Region: "NC", Kind: "cd"}
	choices := map[string]legislators.Choice{
		"state": {Kind: legislators.KindState, Divisions: []legislators.Candidate{{Division: state, Members: []legislators.Member{ann}}, {Division: models.Division{Region: "XX", Name: "Somewhere"}}}},
		"cd":    {Kind: "cd", Divisions: []legislators.Candidate{{Division: district, Members: []legislators.Member{ann, bo}}, {Division: models.Division{ID: uuid.New(), Name: "Other"}}}},
	}
	for _, x := range []string{"first", "empty", "nowhere", "wrong", "state", "cd", "found", legislators.ProblemUnknown, legislators.ProblemForeign, legislators.ProblemNobody, legislators.ProblemNowhere} {
		webtest.All(t, "public/representatives/", func(_ *web.Web, p web.Page) map[string]any {
			page := representativesPage{Page: p, Form: placeForm{Country: "US"}, Offer: offer, Chosen: map[string]string{}}
			page.Title = "Who represents you"
			found := &legislators.Represented{Committees: map[uuid.UUID][]legislators.CommitteeSeat{ann.ID: {{Name: "Health"}, {Name: "Budget", Title: "Chair"}}}}
			seats := []legislators.Seats{
				{Chamber: models.Chamber{Name: "Senate"}, Jurisdiction: models.Jurisdiction{Name: "United States"}, OCDID: state.OCDID, Region: "NC", Place: "NC", Members: []legislators.Member{ann, bo}},
				{Chamber: models.Chamber{Name: "United States House"}, Jurisdiction: models.Jurisdiction{Name: "United States"}, OCDID: district.OCDID, Place: district.Name, Vacant: 1},
				{Chamber: models.Chamber{Name: "Board"}, Vacant: 2},
			}
			switch x {
			case "first":
			case "empty":
				page.Offer = legislators.Offer{}
			case "nowhere":
				page.Form.Nowhere, page.Offer.Points = true, false
			case "wrong":
				page.Form.Code, page.Errors = `a"<b>`, []web.FieldError{{Name: "postal_code", Text: "Wrong."}}
			case "state", "cd":
				page.Found, page.Form.Code = found, "27713"
				found.Choices = []legislators.Choice{choices[x]}
				page.Question = []placeQuestion{page.question(choices[x])}
				if x == "cd" {
					found.Seats, page.Form.State, page.Chosen = seats, "NC", map[string]string{"in_sldu": uuid.NewString()}
					page.Errors = []web.FieldError{{Name: "in_cd", Text: "Choose one."}}
				}
			case "found":
				page.Found, found.Seats = found, seats
			default:
				page.Found, found.Problem = found, x
			}
			return map[string]any{"public/representatives/show": &page}
		})
	}
}
