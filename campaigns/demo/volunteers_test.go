package demo

import (
	"testing"

	"kithline/campaigns/actor"
	"kithline/campaigns/paging"
	"kithline/campaigns/volunteers"
	"kithline/models"
	"kithline/tests/testdb"
)

// Those of the story who have a budget offer time, with a plan of their own; the first were welcomed, some have a step to do.
func TestVolunteersOfTheWorld(t *testing.T) {
	w := sampleWorld(t)
	w.Signatures, w.Pending = fewest, 5
	m := build(t, testdb.SQLiteURL(t), w)
	list, err := m.Volunteers.List(t.Context(), actor.TheSystem(), volunteers.Filter{}, paging.Cursor{})
	if err != nil || len(list.Rows) != 6 {
		t.Fatalf("%d volunteers, %v", len(list.Rows), err)
	}
	if n := m.count(t, &models.Pacing{}, "1 = 1"); n != len(list.Rows) {
		t.Errorf("%d plans", n)
	}
	for state, want := range map[string]int{"new": 2, "beginning": 4, "paused": 0} {
		if some, err := m.Volunteers.List(t.Context(), actor.TheSystem(), volunteers.Filter{State: state}, paging.Cursor{}); err != nil || len(some.Rows) != want {
			t.Errorf("%s: %d, %v", state, len(some.Rows), err)
		}
	}
	if n := m.count(t, &models.Delivery{}, "kind = ? AND state = ?", volunteers.KindWelcome, models.DeliverySent); n != len(list.Rows) {
		t.Errorf("%d mails of welcome", n)
	}
}
