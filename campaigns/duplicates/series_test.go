package duplicates

import (
	"testing"

	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// Two records that are both in a series are in it once after the merge, where the older record was, and have had what either had.
func TestMergeInASeries(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		f := supporters.Facts{GivenName: "June", FamilyName: "Okafor", Source: supporters.SourceForm}
		kept, gone := w.person(f, "june@example.org", true), w.person(f, "june@example.net", true)
		now := w.clk.Now()
		both := models.Series{ID: models.NewID(), Purpose: models.PurposeNewsletter, TriggerKind: models.TriggerJoined, State: models.SeriesLive, CreatedAt: now, UpdatedAt: now}
		one := models.Series{ID: models.NewID(), Purpose: models.PurposeNewsletter, TriggerKind: models.TriggerJoined, State: models.SeriesLive, CreatedAt: now, UpdatedAt: now}
		w.ok(db.Create(&both).Error)
		w.ok(db.Create(&one).Error)
		a, b, c := models.NewID().String(), models.NewID().String(), models.NewID().String()
		row := func(p models.SeriesPerson) {
			p.ID, p.State, p.Round, p.DueAt, p.EnteredAt, p.UpdatedAt = models.NewID(), models.SeriesActive, 1, now, now, now
			w.ok(db.Create(&p).Error)
		}
		row(models.SeriesPerson{SeriesID: both.ID, SupporterID: kept, Done: a + " "})
		row(models.SeriesPerson{SeriesID: both.ID, SupporterID: gone, Done: a + " " + b + " " + c + " "})
		row(models.SeriesPerson{SeriesID: one.ID, SupporterID: gone, Done: b + " "})
		if _, _, err := w.Merge(ctx, w.organ, w.pairUp(kept, gone), nil); err != nil {
			t.Fatal(err)
		}
		var rows []models.SeriesPerson
		w.ok(db.Order("done").Find(&rows).Error)
		done := map[string]string{}
		for _, r := range rows {
			if r.SupporterID != kept {
				t.Errorf("a row of %s", r.SupporterID)
			}
			done[r.SeriesID.String()] = r.Done
		}
		if len(rows) != 2 || done[both.ID.String()] != a+" "+b+" "+c+" " || done[one.ID.String()] != b+" " {
			t.Errorf("%d rows: %v", len(rows), done)
		}
	})
}
