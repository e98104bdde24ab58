package rows

import (
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Represented is a state with two chambers, the districts of a few postal codes, and who sits for them: for tests of letters. All of it is
// invented.
//
//	00151   House 12, Senate 4
//	00152   House 12 or 13, Senate 4
//	00153   House 14, where nobody sits, and Senate 4
//
// Ada Okafor, of Senate 4, takes letters by a web form alone. Noël Ito, of House 12, and Bo Lind, of House 13, have mail. Ines Marsh, of
// House 15, chairs the committee, on which Noël Ito sits too.
type Represented struct {
	Upper, Lower models.Chamber
	Committee    models.Committee
	Divisions    map[string]models.Division   // by the end of their ids: sldl:12
	People       map[string]models.Legislator // by family name
	Terms        map[string]models.Term       // by family name
	Rows         []any                        // all of it, in the order in which it is inserted
}

// NewRepresented makes them; at is when the rows were made.
func NewRepresented(at time.Time) *Represented {
	r := &Represented{Divisions: map[string]models.Division{}, People: map[string]models.Legislator{}, Terms: map[string]models.Term{}}
	j := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: at, UpdatedAt: at}
	r.Upper = models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", DivisionKind: models.DivisionUpper, CreatedAt: at, UpdatedAt: at}
	r.Lower = models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "lower", Name: "House", MemberTitle: "Representative", DivisionKind: models.DivisionLower, CreatedAt: at, UpdatedAt: at}
	r.Committee = models.Committee{ID: models.NewID(), JurisdictionID: j.ID, ChamberID: &r.Lower.ID, ExternalID: "health", Name: "House Health Committee", CreatedAt: at, UpdatedAt: at}
	r.Rows = append(r.Rows, &j, &r.Upper, &r.Lower, &r.Committee)
	for _, d := range []struct {
		kind       models.DivisionKind
		code, name string
		areas      []string
	}{
		{models.DivisionUpper, "4", "Senate District 4", []string{"00151", "00152", "00153"}},
		{models.DivisionLower, "12", "House District 12", []string{"00151", "00152"}},
		{models.DivisionLower, "13", "House District 13", []string{"00152"}},
		{models.DivisionLower, "14", "House District 14", []string{"00153"}},
		{models.DivisionLower, "15", "House District 15", nil},
	} {
		end := string(d.kind) + ":" + d.code
		row := models.Division{
			ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/" + end, Name: d.name, Country: "US", Region: "WN", Kind: d.kind, Version: "1", CreatedAt: at, UpdatedAt: at,
		}
		r.Divisions[end] = row
		r.Rows = append(r.Rows, &row)
		for _, area := range d.areas {
			r.Rows = append(r.Rows, &models.PostalDivision{Country: "US", PostalArea: area, DivisionID: row.ID, Kind: d.kind, Version: "1"})
		}
	}
	for _, p := range []struct {
		given, family, division string
		chamber                 uuid.UUID
		way                     models.ChannelKind
		value                   string
	}{
		{"Ada", "Okafor", "sldu:4", r.Upper.ID, models.ChannelWebForm, "https://legislature.example.org/okafor/contact"},
		{"Noël", "Ito", "sldl:12", r.Lower.ID, models.ChannelEmail, "noel.ito@example.org"},
		{"Bo", "Lind", "sldl:13", r.Lower.ID, models.ChannelEmail, "bo.lind@example.org"},
		{"Ines", "Marsh", "sldl:15", r.Lower.ID, models.ChannelEmail, "ines.marsh@example.org"},
	} {
		d := r.Divisions[p.division]
		l := models.Legislator{
			ID: models.NewID(), Source: string(models.SourceCSV), ExternalID: p.family, Name: p.given + " " + p.family, GivenName: p.given, FamilyName: p.family, CreatedAt: at, UpdatedAt: at,
		}
		t := models.Term{
			ID: models.NewID(), LegislatorID: l.ID, ChamberID: p.chamber, OCDID: d.OCDID, DivisionID: &d.ID, Party: "Lantern", Version: "1", CreatedAt: at, UpdatedAt: at,
		}
		o := models.Office{
			ID: models.NewID(), LegislatorID: l.ID, SourceKey: "capitol", Kind: "capitol", Name: "Statehouse", Street: "1 Statehouse Square", City: "Harrow Bay", Region: "WN", PostalCode: "00001", Country: "US",
			Version: "1", CreatedAt: at, UpdatedAt: at,
		}
		r.People[p.family], r.Terms[p.family] = l, t
		r.Rows = append(r.Rows, &l, &t, &o, &models.Channel{
			ID: models.NewID(), LegislatorID: l.ID, OfficeID: &o.ID, Kind: p.way, Value: p.value, Source: "csv", CreatedAt: at, UpdatedAt: at,
		})
	}
	for i, family := range []string{"Marsh", "Ito"} {
		r.Rows = append(r.Rows, &models.CommitteeMember{ID: models.NewID(), CommitteeID: r.Committee.ID, LegislatorID: r.People[family].ID, Rank: i, CreatedAt: at})
	}
	return r
}

// Letters is a published letter campaign to the person's representatives in both chambers, with two points for everybody and one for the
// House alone, and the fallback of Ines Marsh.
type Letters struct {
	Campaign models.Campaign
	Letters  models.LetterCampaign
	Targets  map[string]models.LetterTarget // Senate, House, fallback
	Points   []models.LetterPoint
	Rows     []any
}

// NewLetters makes it.
func NewLetters(r *Represented, slug string, at time.Time) *Letters {
	l := &Letters{Targets: map[string]models.LetterTarget{}}
	l.Campaign = models.Campaign{ID: models.NewID(), Slug: slug, Title: "Twenty visits", State: models.CampaignPublished, CreatedAt: at, UpdatedAt: at}
	l.Letters = models.LetterCampaign{
		ID: models.NewID(), CampaignID: l.Campaign.ID, Slug: slug, State: models.LettersPublished, Title: "Twenty visits: write to those who decide",
		Summary: "The House votes on HB 412 in March. One sentence of yours helps.", Body: "Most plans stop after **six** visits.", Ask: "Will you vote for HB 412? A short yes or no would help me.",
		Bill: "HB 412", Position: models.StanceSupport, Subject: "Please support HB 412", Prompt: "What would twenty visits change for you?", Opening: "I live in your district.", Closing: "With respect",
		MinOwnWords: 3, Locale: "en", Minutes: 8, Energy: 2, Demands: "typing", HourlyCap: 10, Revision: 1, PublishedAt: &at, CreatedAt: at, UpdatedAt: at,
	}
	l.Rows = append(l.Rows, &l.Campaign, &l.Letters)
	marsh := r.People["Marsh"].ID
	for i, t := range []models.LetterTarget{
		{Rule: models.TargetRepresents, Name: "Senate", ChamberID: &r.Upper.ID},
		{Rule: models.TargetRepresents, Name: "House", ChamberID: &r.Lower.ID},
		{Rule: models.TargetFallback, Name: "fallback", LegislatorID: &marsh},
	} {
		t.ID, t.LetterCampaignID, t.Position = models.NewID(), l.Letters.ID, i+1
		l.Targets[t.Name] = t
		l.Rows = append(l.Rows, &t)
	}
	house := l.Targets["House"].ID
	for i, p := range []models.LetterPoint{
		{Body: "The bill covers twenty visits a year at the price of seeing a family doctor."},
		{Body: "A video visit costs no more than one in person.", SourceTitle: "Bill text, section 3", SourceURL: "https://legislature.example.org/hb412"},
		{Body: "The House has the first vote.", TargetID: &house},
	} {
		p.ID, p.LetterCampaignID, p.Locale, p.Position = models.NewID(), l.Letters.ID, "en", i+1
		l.Points = append(l.Points, p)
		l.Rows = append(l.Rows, &p)
	}
	return l
}
