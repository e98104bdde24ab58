package divisions_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// now is the day that the real files in testdata are checked for.
var now = time.Date(2026, 6, 20, 12, 0, 0, 0, time.UTC)

var ctx = context.Background()

// division writes one; dates may be empty.
func division(t *testing.T, db *database.DB, ocd string, kind models.DivisionKind, from, through string) models.Division {
	t.Helper()
	d := models.Division{ID: models.NewID(), OCDID: ocd, Name: ocd, Country: "US", Region: "NC", Kind: kind, ValidFrom: from, ValidThrough: through, Version: "v1", CreatedAt: now, UpdatedAt: now}
	if err := db.Create(&d).Error; err != nil {
		t.Fatal(err)
	}
	return d
}

func covers(t *testing.T, db *database.DB, country, area string, list ...models.Division) {
	t.Helper()
	for _, d := range list {
		if err := db.Create(&models.PostalDivision{Country: country, PostalArea: area, DivisionID: d.ID, Kind: d.Kind, Version: "z1"}).Error; err != nil {
			t.Fatal(err)
		}
	}
}

func person(t *testing.T, db *database.DB, country, area string) uuid.UUID {
	t.Helper()
	s := models.Supporter{ID: models.NewID(), Country: country, PostalArea: area, Source: "form", CreatedAt: now, UpdatedAt: now}
	if err := db.Create(&s).Error; err != nil {
		t.Fatal(err)
	}
	return s.ID
}

func move(t *testing.T, db *database.DB, id uuid.UUID, country, area string) {
	t.Helper()
	if err := db.Model(&models.Supporter{}).Where("id = ?", id).Updates(map[string]any{"country": country, "postal_area": area}).Error; err != nil {
		t.Fatal(err)
	}
}

// home is "division how" of the one home of a kind, "" for none.
func home(t *testing.T, db *database.DB, id uuid.UUID, kind models.DivisionKind, at time.Time) string {
	t.Helper()
	list, err := divisions.Of(ctx, db.DB, id, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		if h.Division.Kind == kind {
			s := h.Division.OCDID + " " + string(h.How)
			if h.Ended {
				s += " ended"
			}
			if h.Doubt {
				s += " doubt"
			}
			return s
		}
	}
	return ""
}

func place(t *testing.T, db *database.DB, at time.Time, ids ...uuid.UUID) {
	t.Helper()
	if err := divisions.Place(ctx, db.DB, ids, at); err != nil {
		t.Fatal(err)
	}
}

func TestPlaceByPostalArea(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		one := division(t, db, "cd:1", "cd", "", "")
		two := division(t, db, "cd:2", "cd", "", "")
		upper := division(t, db, "sldu:1", "sldu", "", "")
		abroad := division(t, db, "ed:x", "ed", "", "")
		covers(t, db, "US", "27601", one, upper)
		covers(t, db, "US", "27713", one, two, upper)
		covers(t, db, "GB", "27713", abroad)

		in, spans, nobody, open, foreign := person(t, db, "US", "27601"), person(t, db, "US", "27713"), person(t, db, "US", ""), person(t, db, "", "27601"), person(t, db, "GB", "27713")
		all := []uuid.UUID{in, spans, nobody, open, foreign}
		for range 2 { // placing again changes nothing
			place(t, db, now, all...)
			for i, want := range []string{"cd:1 postal", "", "", "cd:1 postal", ""} {
				if got := home(t, db, all[i], "cd", now); got != want {
					t.Errorf("%d: %q, want %q", i, got, want)
				}
			}
		}
		if got := home(t, db, spans, "sldu", now); got != "sldu:1 postal" {
			t.Errorf("one kind spans, the other does not: %q", got)
		}
		if got := home(t, db, foreign, "ed", now); got != "ed:x postal" {
			t.Errorf("another country: %q", got)
		}

		// A change of place: what held no more goes; what does not follow from the postal area stays.
		move(t, db, in, "US", "27713")
		move(t, db, open, "US", "99999")
		place(t, db, now, all...)
		if a, b := home(t, db, in, "cd", now), home(t, db, open, "cd", now); a != "" || b != "" {
			t.Errorf("%q, %q", a, b)
		}
		if err := divisions.Choose(ctx, db.DB, in, two.ID, now); err != nil {
			t.Fatal(err)
		}
		move(t, db, in, "US", "27601")
		place(t, db, now, all...)
		if got := home(t, db, in, "cd", now); got != "cd:2 person doubt" {
			t.Errorf("the person's own choice: %q", got)
		}
	})
}

func TestWaysByStrength(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		one, two := division(t, db, "cd:1", "cd", "", ""), division(t, db, "cd:2", "cd", "", "")
		over := division(t, db, "cd:3", "cd", "", "2026-06-19")
		covers(t, db, "US", "27601", one)
		covers(t, db, "US", "27713", one, two)
		id := person(t, db, "US", "27601")
		place(t, db, now, id)
		for _, how := range []models.DivisionHow{models.ByPoint, models.ByPerson, models.ByHand} {
			if err := divisions.Set(ctx, db.DB, id, two.ID, how, now); err != nil {
				t.Fatal(how, err)
			}
			place(t, db, now, id)
			if got := home(t, db, id, "cd", now); got != "cd:2 "+string(how)+" doubt" {
				t.Errorf("%s: %q", how, got)
			}
		}
		for _, how := range []models.DivisionHow{models.ByPoint, models.ByPerson} {
			if err := divisions.Set(ctx, db.DB, id, one.ID, how, now); !fault.Is(err, fault.Conflict) {
				t.Errorf("%s over hand: %v", how, err)
			}
			if err := divisions.Set(ctx, db.DB, id, two.ID, how, now); err != nil {
				t.Errorf("%s says what stands there: %v", how, err)
			}
		}
		if got := home(t, db, id, "cd", now); got != "cd:2 hand doubt" {
			t.Errorf("%q", got)
		}
		if err := divisions.Set(ctx, db.DB, id, over.ID, models.ByHand, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("into one that is over: %v", err)
		}
		if err := divisions.Set(ctx, db.DB, id, models.NewID(), models.ByHand, now); !fault.Is(err, fault.NotFound) {
			t.Errorf("into none: %v", err)
		}
		if err := divisions.Choose(ctx, db.DB, id, two.ID, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("a choice that the postal code does not leave: %v", err)
		}
		if err := divisions.Unset(ctx, db.DB, id, "cd", now); err != nil {
			t.Fatal(err)
		}
		if got := home(t, db, id, "cd", now); got != "cd:1 postal" {
			t.Errorf("unset: %q", got)
		}
	})
}

func TestDivisionsHaveDates(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		old := division(t, db, "cd:at-large", "cd", "", "2027-01-02")
		next1, next2 := division(t, db, "cd:1", "cd", "2027-01-03", ""), division(t, db, "cd:2", "cd", "2027-01-03", "")
		covers(t, db, "US", "59001", old, next1)
		covers(t, db, "US", "59002", old)
		covers(t, db, "US", "59003", old, next1, next2)
		a, b, c, chose := person(t, db, "US", "59001"), person(t, db, "US", "59002"), person(t, db, "US", "59003"), person(t, db, "US", "59003")
		if err := divisions.Choose(ctx, db.DB, chose, old.ID, now); err != nil {
			t.Fatal(err)
		}
		all := []uuid.UUID{a, b, c, chose}
		check := func(at time.Time, want ...string) {
			t.Helper()
			place(t, db, at, all...)
			for i, w := range want {
				if got := home(t, db, all[i], "cd", at); got != w {
					t.Errorf("%s, %d: %q, want %q", at.Format(time.DateOnly), i, got, w)
				}
			}
		}
		check(now, "cd:at-large postal", "cd:at-large postal", "cd:at-large postal", "cd:at-large person")
		check(time.Date(2027, 1, 2, 23, 0, 0, 0, time.UTC), "cd:at-large postal")
		// A unique successor takes over, without one the old answer stands as ended, and where several follow it is open again.
		later := time.Date(2027, 1, 3, 0, 0, 0, 0, time.UTC)
		check(later, "cd:1 postal", "cd:at-large postal ended", "", "cd:at-large person ended doubt")
		if err := divisions.Choose(ctx, db.DB, chose, old.ID, later); !fault.Is(err, fault.Invalid) {
			t.Errorf("choosing what is over: %v", err)
		}
		// What ended gives way even to a weaker way.
		if err := divisions.Set(ctx, db.DB, chose, next2.ID, models.ByPoint, later); err != nil {
			t.Fatal(err)
		}
		if got := home(t, db, chose, "cd", later); got != "cd:2 point" {
			t.Errorf("%q", got)
		}
	})
}
