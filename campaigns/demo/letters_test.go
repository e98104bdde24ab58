package demo

import (
	"context"
	"testing"

	"kithline/campaigns/clock"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// The letter campaign is written by an advocate and published by an organizer once there is somebody to write to; where nobody is, it
// stays a draft.
func TestLettersOfTheWorld(t *testing.T) {
	for _, peopled := range []bool{true, false} {
		db, err := database.Open(t.Context(), database.Options{URL: testdb.SQLiteURL(t), Connections: 4, Building: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = db.Close() })
		clk := clock.NewFixed(end.AddDate(0, 0, -60))
		m := services(t, db, clk)
		t.Cleanup(m.Petitions.Close)
		if peopled {
			at := clk.Now()
			in := models.Jurisdiction{ID: models.NewID(), Code: "us-wn", Name: "Wennick", Country: "US", Region: "WN", CreatedAt: at, UpdatedAt: at}
			house := models.Chamber{ID: models.NewID(), JurisdictionID: in.ID, Code: "lower", Name: "House", MemberTitle: "Representative", CreatedAt: at, UpdatedAt: at}
			one := models.Legislator{ID: models.NewID(), Source: string(models.SourceHand), ExternalID: "1", Name: "Ines Rowe", CreatedAt: at, UpdatedAt: at}
			for _, row := range []any{&in, &house, &one, &models.Term{ID: models.NewID(), LegislatorID: one.ID, ChamberID: house.ID, CreatedAt: at, UpdatedAt: at}} {
				if err := db.Create(row).Error; err != nil {
					t.Fatal(err)
				}
			}
		}
		w := sampleWorld(t)
		w.Signatures, w.Pending = fewest, 5
		if err := Build(context.Background(), m.Services, w, clk, end, nil); err != nil {
			t.Fatal(err)
		}
		var c models.LetterCampaign
		if err := db.Take(&c).Error; err != nil {
			t.Fatal(err)
		}
		want := map[bool]models.LetterCampaignState{true: models.LettersPublished, false: models.LettersDraft}[peopled]
		if c.State != want || c.AuthorID == nil || c.ReviewedBy != nil && *c.ReviewedBy == *c.AuthorID {
			t.Errorf("peopled %v: %+v", peopled, c)
		}
		if n := m.count(t, &models.LetterPoint{}, "letter_campaign_id = ?", c.ID); n != len(w.letters.Points) {
			t.Errorf("%d points", n)
		}
		if peopled {
			es, err := m.Letters.Public(t.Context(), c.Slug, "es")
			if err != nil || es.Title != w.letters.Other.Title || len(es.Targets) != 1 || !es.OpenAt(end) {
				t.Errorf("%+v, %v", es, err)
			}
		}
	}
}
