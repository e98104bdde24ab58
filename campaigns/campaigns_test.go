package campaigns

import (
	"context"
	"errors"
	"testing"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

var at = time.Date(2027, 2, 23, 10, 0, 0, 0, time.UTC)

func TestSlug(t *testing.T) {
	for title, want := range map[string]string{
		"Twenty visits: let people in pain get the care their doctor ordered": "twenty-visits-let-people-in-pain-get-the-care-their-doctor",
		"¿Por qué no? Mañana": "por-que-no-manana",
		"Don't wait":          "dont-wait",
		"  HB 412 / SB 187  ": "hb-412-sb-187",
		"Straße & Ærø":        "strasse-aero",
		"忍耐":                  "",
		"a\x00b/../c?d=e#f":   "a-b-c-d-e-f",
		"Loooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooooong": "looooooooooooooooooooooooooooooooooooooooooooooooooooooooooo",
	} {
		if got := Slug(title); got != want {
			t.Errorf("%q: %q, want %q", title, got, want)
		}
	}
}

func TestPublishTakesWhatIsMissingAndFixesTheAddress(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx := context.Background()
		s := New(db, clock.NewFixed(at))
		var first, second, third models.Campaign
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			var e1, e2, e3 error
			first, e1 = Insert(ctx, tx, actor.TheSystem(), "Visits", at)
			second, e2 = Insert(ctx, tx, actor.TheSystem(), "Visits", at)
			third, e3 = Insert(ctx, tx, actor.TheSystem(), "New", at)
			return errors.Join(e1, e2, e3)
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Public(ctx, first.Slug); !fault.Is(err, fault.NotFound) {
			t.Errorf("a draft is public: %v", err)
		}
		err = db.Tx(ctx, func(tx *gorm.DB) error {
			return errors.Join(
				Publish(ctx, tx, first.ID, Facts{Title: "Twenty visits", Ask: "Pass it", Deadline: &at}, at),
				Publish(ctx, tx, second.ID, Facts{Title: "Twenty visits", Ask: "Pass it"}, at),
				Publish(ctx, tx, third.ID, Facts{}, at),
			)
		})
		if err != nil {
			t.Fatal(err)
		}
		one, err := s.Public(ctx, "twenty-visits")
		if err != nil || one.ID != first.ID || one.Ask != "Pass it" || one.Deadline == nil {
			t.Errorf("%+v, %v", one, err)
		}
		if two, err := s.Public(ctx, "twenty-visits-2"); err != nil || two.ID != second.ID {
			t.Errorf("%+v, %v", two, err)
		}
		if three, err := s.Public(ctx, "new-2"); err != nil || three.ID != third.ID {
			t.Errorf("%+v, %v", three, err)
		}
		err = db.Tx(ctx, func(tx *gorm.DB) error {
			return Publish(ctx, tx, first.ID, Facts{Title: "Another", Ask: "Another"}, at)
		})
		if again, e := s.Public(ctx, "twenty-visits"); err != nil || e != nil || again.Ask != "Pass it" {
			t.Errorf("published twice: %+v, %v, %v", again, err, e)
		}
	})
}
