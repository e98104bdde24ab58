package pacing_test

import (
	"bytes"
	"reflect"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/pacing"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
	"kithline/tests/testdb"
)

// A plan is kept sealed, comes back as it was, and goes once it plans nothing.
func TestSave(t *testing.T) {
	testdb.Each(t, func(t *testing.T, db *database.DB) {
		ctx, v, now := t.Context(), vault.New(vault.NewKey()), time.Date(2027, 3, 3, 10, 0, 0, 0, time.UTC)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		m, err := mailboxes.Ensure(ctx, db.DB, v, "nadia@example.org", now)
		must(err)
		box := m.ID
		plan := pacing.Plan{Weekly: 4, RestHours: 48, QuietFrom: 21 * 60, QuietUntil: 10 * 60, MostEnergy: 3, Avoid: []string{"standing"}}
		is := func(want pacing.Plan) {
			t.Helper()
			got, err := pacing.Of(ctx, db.DB, v, []uuid.UUID{box})
			must(err)
			if !reflect.DeepEqual(got[box], want) {
				t.Errorf("%+v, not %+v", got[box], want)
			}
		}
		must(pacing.Save(ctx, db.DB, v, box, plan, now))
		is(plan)
		var row models.Pacing
		must(db.Take(&row, "mailbox_id = ?", box).Error)
		if bytes.Contains(row.SettingsSealed, []byte("standing")) {
			t.Error("it can be read")
		}
		until := now.Add(9 * 24 * time.Hour)
		must(pacing.Flare(ctx, db.DB, v, box, &until, now))
		later := now.Add(time.Hour)
		must(pacing.Flare(ctx, db.DB, v, box, nil, later)) // longer: it began when it began
		bad := plan
		bad.Flare, bad.FlareSince = true, &now
		is(bad)
		for _, want := range []bool{true, false} {
			was, err := pacing.Ended(ctx, db.DB, v, box, later)
			must(err)
			if was != want {
				t.Errorf("there was a bad time: %v", was)
			}
		}
		bad.Flare = false
		is(bad)
		must(pacing.Save(ctx, db.DB, v, box, pacing.Plan{}, now))
		is(pacing.Plan{})
		var n int64
		must(db.Model(&models.Pacing{}).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d plans are left", n)
		}
		for field, p := range map[string]pacing.Plan{
			"weekly": {Weekly: 201}, "rest_hours": {RestHours: -1}, "most_energy": {MostEnergy: 6}, "quiet_from": {QuietFrom: 1440}, "quiet_until": {QuietUntil: -1}, "avoid": {Avoid: []string{"dancing"}},
		} {
			if err := pacing.Save(ctx, db.DB, v, box, p, now); !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", field, err)
			}
		}
	})
}
