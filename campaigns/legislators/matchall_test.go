package legislators_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/divisions"
	"kithline/campaigns/legislators"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// crowd makes supporters of every sort: by postal code, by what they said, in split codes, abroad, with a state alone.
func (w *seating) crowd() []uuid.UUID {
	w.Helper()
	var ids []uuid.UUID
	for _, country := range []string{"US", "", "GB"} {
		for _, area := range []string{"05401", "27599", "27601", "27713", "68025", "82082", "57717", "20001", "20500", ""} {
			for _, region := range []string{"", "WY", "SD", "nc"} {
				s := models.Supporter{ID: models.NewID(), Country: country, PostalArea: area, Region: region, Source: "form", CreatedAt: june, UpdatedAt: june}
				w.put(&s)
				ids = append(ids, s.ID)
			}
		}
	}
	if err := divisions.Place(context.Background(), w.db.DB, ids, june); err != nil {
		w.Fatal(err)
	}
	for i, id := range []string{"state:nc/cd:4", "state:ne/cd:3", "state:wy/cd:at-large", "state:mt/cd:at-large"} {
		d := w.division(id)
		for n, how := range []models.DivisionHow{models.ByPerson, models.ByHand, models.ByPoint} {
			row := models.SupporterDivision{SupporterID: ids[(i*3+n)*9+2], Kind: "cd", DivisionID: d.ID, How: how, Version: "v", UpdatedAt: june}
			w.db.Where("supporter_id = ?", row.SupporterID).Delete(&models.SupporterDivision{})
			w.put(&row)
		}
	}
	return ids
}

// The batch says of everybody what the look-up of one says.
func TestMatchAllIsFind(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "zccd-vt-nc-ne-wy-dc-de.csv")
		w := newSeating(t, db)
		w.congress()
		w.sits("Pat President", "us executive", "")
		w.sits("Gov Vermont", "us-vt executive", "state:vt")
		if err := db.Model(&models.Term{}).Where("ocd_id = ?", "ocd-division/country:us/").Update("ocd_id", "ocd-division/country:us").Error; err != nil {
			t.Fatal(err)
		}
		if err := db.Model(&models.Term{}).Where("ocd_id LIKE ?", "%state:nc/cd:4").Update("division_id", nil).Error; err != nil {
			t.Fatal(err) // read before the list of divisions was
		}
		ids := w.crowd()
		want, got := map[string]bool{}, map[string]bool{}
		for _, id := range ids {
			p, err := legislators.PlaceOf(context.Background(), db.DB, id, june)
			if err != nil {
				t.Fatal(err)
			}
			for _, s := range w.find(p, june).Seats {
				for _, m := range s.Members {
					want[fmt.Sprint(id, " ", m.Name)] = true
				}
			}
		}
		names := map[uuid.UUID]string{}
		var people []models.Legislator
		if err := db.Find(&people).Error; err != nil {
			t.Fatal(err)
		}
		for _, p := range people {
			names[p.ID] = p.Name
		}
		for _, c := range w.chambers {
			err := legislators.MatchAll(context.Background(), db.DB, c.ID, june, func(supporter, legislator uuid.UUID) error {
				k := fmt.Sprint(supporter, " ", names[legislator])
				if got[k] {
					t.Errorf("twice: %s", k)
				}
				got[k] = true
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		if len(want) < 100 {
			t.Errorf("only %d pairs", len(want))
		}
		if !maps.Equal(want, got) {
			for k := range want {
				if !got[k] {
					t.Errorf("the batch lacks %s", k)
				}
			}
			for k := range got {
				if !want[k] {
					t.Errorf("the batch has %s", k)
				}
			}
		}

		// The condition of a segment, and the report, say the same.
		kind := legislators.Condition()
		for _, name := range []string{"Valerie P. Foushee", "Deb Fischer", "Becca Balint", "Pat President"} {
			var l models.Legislator
			if err := db.Where("name = ?", name).Take(&l).Error; err != nil {
				t.Fatal(err)
			}
			part, err := kind.Compile(&segments.Compiler{Ctx: context.Background(), TX: db.DB, Now: june}, segments.Values{"legislator": l.ID.String()})
			if err != nil {
				t.Fatal(err)
			}
			var in []uuid.UUID
			if err := db.Raw(part.Set, part.Args...).Scan(&in).Error; err != nil {
				t.Fatal(err)
			}
			n := 0
			for k := range want {
				if k[37:] == name {
					n++
				}
			}
			if len(in) != n || n == 0 {
				t.Errorf("%s: %d, want %d", name, len(in), n)
			}
			for _, id := range in {
				if !want[fmt.Sprint(id, " ", name)] {
					t.Errorf("%s does not represent %s", name, id)
				}
			}
			if label, known, err := kind.Fields[0].Choices.Label(context.Background(), db.DB, actor.TheSystem(), l.ID.String()); label != name || !known || err != nil {
				t.Errorf("%q, %v, %v", label, known, err)
			}
		}
		if list, err := kind.Fields[0].Choices.List(context.Background(), db.DB, actor.TheSystem()); err != nil || len(list) < 10 {
			t.Errorf("%d to choose from, %v", len(list), err)
		}
		for _, value := range []string{"", "x", models.NewID().String()} {
			part, err := kind.Compile(&segments.Compiler{Ctx: context.Background(), TX: db.DB, Now: june}, segments.Values{"legislator": value})
			if err != nil {
				t.Fatal(err)
			}
			if part.Set != "" {
				var in []uuid.UUID
				if err := db.Raw(part.Set, part.Args...).Scan(&in).Error; err != nil || len(in) > 0 {
					t.Errorf("%q: %v, %v", value, in, err)
				}
			}
		}
	})
}

// The report counts by place, says which seats are empty, and hides small numbers.
func TestCoverage(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		realDivisions(t, db, "us_congressional_districts.csv", "zccd-vt-nc-ne-wy-dc-de.csv")
		w := newSeating(t, db)
		w.congress()
		var ids []uuid.UUID
		for area, n := range map[string]int{"05401": 12, "27599": 30, "27601": 11, "68102": 3, "27713": 20} {
			for range n {
				s := models.Supporter{ID: models.NewID(), Country: "US", PostalArea: area, Source: "form", CreatedAt: june, UpdatedAt: june}
				w.put(&s)
				ids = append(ids, s.ID)
			}
		}
		if err := divisions.Place(context.Background(), db.DB, ids, june); err != nil {
			t.Fatal(err)
		}
		s := legislators.New(legislators.Options{DB: db, Clock: clock.NewFixed(june)})
		c, err := s.Coverage(context.Background(), actor.TheSystem(), w.chamber("us lower").ID)
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]legislators.Covered{}
		for _, r := range c.Rows {
			by[r.OCDID[len("ocd-division/country:us/"):]] = r
		}
		if r := by["state:nc/cd:4"]; !slices.Equal(r.Members, []string{"Valerie P. Foushee"}) || r.Supporters.N != 30 {
			t.Errorf("%+v", r)
		}
		if r := by["state:nc/cd:2"]; len(r.Members) != 0 || r.Supporters.N != 11 || r.Place != "North Carolina's 2nd congressional district" {
			t.Errorf("an empty seat: %+v", r)
		}
		if r := by["state:ne/cd:2"]; !r.Supporters.Hidden || r.Supporters.N != 0 {
			t.Errorf("three people: %+v", r)
		}
		if _, old := by["state:mt/cd:at-large"]; old || len(c.Rows) != 441 {
			t.Errorf("%d rows; a district that is over: %v", len(c.Rows), old)
		}
		if c, err = s.Coverage(context.Background(), actor.TheSystem(), w.chamber("us upper").ID); err != nil {
			t.Fatal(err)
		}
		for _, r := range c.Rows {
			if r.OCDID == "ocd-division/country:us/state:nc" && (len(r.Members) != 2 || r.Supporters.N != 61) {
				t.Errorf("a whole state: %+v", r)
			}
		}
		if _, err := s.Coverage(context.Background(), actor.Actor{}, uuid.Nil); err == nil {
			t.Error("everybody may see it")
		}
		if _, err := s.Coverage(context.Background(), actor.TheSystem(), models.NewID()); err == nil {
			t.Error("a chamber that is not there")
		}
	})
}
