package public

import (
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/app/web/webtest"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/models"
)

// Every page of the journey runs in every language: bare and with everything on it, at first and after an error.
func TestPagesOfLetters(t *testing.T) {
	member := letters.Recipient{
		Member: legislators.Member{
			Legislator: models.Legislator{ID: uuid.New(), Name: "Ada <Okafor>", FamilyName: "Okafor"}, Chamber: models.Chamber{Name: "Senate", MemberTitle: "Senator"},
			Channels: []models.Channel{{Kind: models.ChannelWebForm}},
		},
		Place: "Senate District <4>",
	}
	post, phone := member, member
	post.ID, post.Channels, post.Offices, post.Place, post.Target.Name = uuid.New(), nil, []models.Office{{}}, "", "The committee"
	phone.ID, phone.Channels = uuid.New(), []models.Channel{{Kind: models.ChannelPhone}}
	c := letters.Campaign{LetterCampaign: models.LetterCampaign{
		Slug: "twenty-visits", Title: "Twenty <visits>", Summary: "The House votes in March.", Ask: "Will you vote for HB 412?", Bill: "HB 412", Locale: "es", Minutes: 8, Energy: 2, MinOwnWords: 5,
		MaxRecipients: 2, Subject: "Please support HB 412", Prompt: "What would it <change>?",
	}}
	division := models.Division{ID: uuid.New(), Name: "House <12>", Kind: models.DivisionLower, Country: "US", Region: "WN"}
	for _, full := range []bool{false, true} {
		webtest.All(t, "public/letters/", func(_ *web.Web, p web.Page) map[string]any {
			out := map[string]any{
				"public/letters/sent": &letterSent{Page: p, C: c}, "public/letters/thanks": &letterSent{Page: p, C: c}, "public/letters/link": &letterLink{Page: p, Token: "t", Offer: letters.Draft{Title: "Twenty <visits>", Locale: "en", At: time.Now()}},
			}
			resume := letterResume{Page: p}
			for _, step := range []string{"start", stepWhere, stepDistrict, stepWho, stepPoints, stepWords, stepYou, stepCheck, stepLater, "mailed"} {
				x := &letterPage{Page: p, C: c, Step: step, Closed: "It is paused.", Draft: true}
				x.Who.Choices = []legislators.Choice{{Kind: models.DivisionLower, Divisions: []legislators.Candidate{{Division: division, Members: []legislators.Member{member.Member}}}}}
				if full {
					x.Closed, x.Body, x.Source, x.Draft, x.Filled, x.Order = "", "<p>Why</p>", "poster", step == "start", true, uuid.NewString()
					x.Point, x.Petitions = true, []models.Petition{{Slug: "twenty-visits", Title: "Twenty <visits>", Locale: "en"}}
					x.Sheet = letters.Sheet{
						PostalCode: "00152", Country: "US", Region: "WN", Divisions: []uuid.UUID{division.ID}, Statewide: true, Chosen: []uuid.UUID{member.ID}, Points: []uuid.UUID{uuid.New()}, Subject: "A <subject>",
						Own: "My <own>\nwords", GivenName: "June", FamilyName: "O'Hollis", Street: "4 Mill Lane", City: "Three Forks", Email: "june.example.org", Source: "poster",
					}
					x.Who.Members, x.Who.OnlyWide, x.Who.Instead = []letters.Recipient{member, post, phone}, true, true
					x.Who.Vacant = []legislators.Seats{{Chamber: models.Chamber{Name: "House"}, Place: "House District <14>"}}
					x.Offer = []models.LetterPoint{{ID: uuid.New(), Body: "A <point>", SourceTitle: "The <bill>", SourceURL: "https://example.org/hb412"}, {ID: uuid.New(), Body: "Another"}}
					x.Texts, x.Meter = []letters.FullText{{Recipient: member, Subject: "A <subject>", Body: "Dear <all>,\n\nPlease."}, {Recipient: post, Subject: "S", Body: "B"}}, letters.Meter{Own: 20, Given: 40}
					for _, name := range append([]string{""}, map[string][]string{
						stepWhere: {"postal_code"}, stepDistrict: {"state"}, stepWho: {"to"}, stepPoints: {"point"}, stepWords: {"own_words", "subject"},
						stepYou: {"given_name", "family_name", "street", "city", "email"}, stepLater: {"email"},
					}[step]...) {
						x.Errors = append(x.Errors, web.FieldError{Name: name, Text: "Wrong."})
					}
					resume.Errors = x.Errors[:1]
				} else {
					x.before.State = models.LetterDraft
					x.Who.Problem = "represent.problem_unknown"
					x.C.MinOwnWords, x.C.MaxRecipients, x.C.Prompt = 0, 0, ""
				}
				if step == stepDistrict && full {
					x.Who.Choices[0].Kind = legislators.KindState
				}
				out["public/letters/"+step] = x
			}
			out["public/letters/resume"] = &resume
			return out
		})
	}
}
