package demo

import (
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/campaigns/rosters"
	"kithline/models"
)

// rosterOf checks the advocacy day of a made world: open, in the future, with its people and its gaps.
func rosterOf(t *testing.T, m made) {
	t.Helper()
	list, err := m.Rosters.List(t.Context(), actor.TheSystem(), paging.Cursor{})
	if err != nil {
		t.Fatal(err)
	}
	if len(list.Rows) != 1 || list.Rows[0].State != models.RosterPublished || list.Rows[0].Shifts != 20 { // eight of the list, four roles for each of three meetings
		t.Fatalf("%+v", list.Rows)
	}
	c, err := m.Rosters.Coverage(t.Context(), actor.TheSystem(), list.Rows[0].ID, rosters.CoverageFilter{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Places != 27 || c.Held != 10 || c.Open != 17 || c.Thin != 16 || len(c.Rows) != 19 || len(c.Tasks) != 1 || len(c.Teams) != 4 || !c.Teams[0].Ahead {
		t.Errorf("%d of %d held, %d open, %d thin, %d rows, %d tasks", c.Held, c.Places, c.Open, c.Thin, len(c.Rows), len(c.Tasks))
	}
	if m.count(t, &models.Roster{}, "event_id IN (SELECT id FROM events WHERE kind = 'advocacy_day')") != 1 {
		t.Error("the roster is not of the day's event")
	}
	if m.count(t, &models.Assignment{}, "as_what = 'standby' AND ask_by = 'phone'") != 1 {
		t.Error("nobody stands by who is asked by telephone")
	}
}
