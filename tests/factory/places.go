package factory

import (
	"testing"

	"github.com/google/uuid"
	"github.com/paulmach/orb"
	"github.com/paulmach/orb/encoding/wkb"

	"kithline/models"
	"kithline/tests/testapp"
)

// Wennick puts an invented state into the store: a senate that the whole state elects, and a house with three districts, of which one
// has an empty seat. It returns the districts by their numbers.
func Wennick(t testing.TB, a *testapp.App) map[string]models.Division {
	t.Helper()
	now := a.Clock.Now()
	put := func(row any) {
		if err := a.DB.Create(row).Error; err != nil {
			t.Fatal(err)
		}
	}
	j := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: now, UpdatedAt: now}
	put(&j)
	senate := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "upper", Name: "Senate", MemberTitle: "Senator", CreatedAt: now, UpdatedAt: now}
	house := models.Chamber{ID: models.NewID(), JurisdictionID: j.ID, Code: "lower", Name: "House", MemberTitle: "Representative", DivisionKind: "sldl", CreatedAt: now, UpdatedAt: now}
	put(&senate)
	put(&house)
	out := map[string]models.Division{}
	for i, id := range []string{"1", "2", "3"} {
		d := models.Division{ID: models.NewID(), OCDID: "ocd-division/country:us/state:wn/sldl:" + id, Name: "House district " + id, Country: "US", Region: "WN", Kind: "sldl", Version: "v", CreatedAt: now, UpdatedAt: now}
		put(&d)
		out[id] = d
		west := float64(10 * i)
		shape, err := wkb.Marshal(orb.MultiPolygon{{{{west, 0}, {west + 10, 0}, {west + 10, 10}, {west, 10}, {west, 0}}}})
		if err != nil {
			t.Fatal(err)
		}
		put(&models.Boundary{ID: models.NewID(), DivisionID: d.ID, Shape: shape, West: west, South: 0, East: west + 10, North: 10, Version: "v", UpdatedAt: now})
	}
	lies := func(zip string, ids ...string) {
		for _, id := range ids {
			put(&models.PostalDivision{Country: "US", PostalArea: zip, DivisionID: out[id].ID, Kind: "sldl", Version: "v"})
		}
	}
	lies("00011", "1")
	lies("00014", "1", "2")
	lies("00127", "3")
	sits := func(name string, c models.Chamber, ocd string, d *uuid.UUID) models.Legislator {
		l := models.Legislator{ID: models.NewID(), Source: string(models.SourceOpenStates), Name: name, FamilyName: name, CreatedAt: now, UpdatedAt: now}
		l.ExternalID = l.ID.String()
		put(&l)
		put(&models.Term{ID: models.NewID(), LegislatorID: l.ID, ChamberID: c.ID, OCDID: ocd, DivisionID: d, Party: "Nonpartisan", CreatedAt: now, UpdatedAt: now})
		return l
	}
	id := func(n string) *uuid.UUID { x := out[n].ID; return &x }
	sits("Sela Marsh", senate, "ocd-division/country:us/state:wn", nil)
	one := sits("Ines Rowe", house, out["1"].OCDID, id("1"))
	sits("Tom Vale", house, out["2"].OCDID, id("2"))
	put(&models.Office{ID: models.NewID(), LegislatorID: one.ID, SourceKey: "a", Kind: "district", Street: "4 Mill Lane", City: "Harrow Bay", Region: "WN", PostalCode: "00011", Phone: "(555) 555-0142 ext. 3", CreatedAt: now, UpdatedAt: now})
	put(&models.Channel{ID: models.NewID(), LegislatorID: one.ID, Kind: models.ChannelWebForm, Value: "https://office.example.org/write", CreatedAt: now, UpdatedAt: now})
	put(&models.Channel{ID: models.NewID(), LegislatorID: one.ID, Kind: models.ChannelEmail, Value: "ines.rowe@example.org", Position: 2, CreatedAt: now, UpdatedAt: now})
	return out
}
