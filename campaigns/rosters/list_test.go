package rosters

import (
	"slices"
	"testing"

	"kithline/campaigns/fault"
	"kithline/models"
)

// What fits somebody: time, energy, demands, from where. At two minutes nothing longer shows.
func TestWhatFits(t *testing.T) {
	eachTaking(t, func(t *testing.T, w *taking) {
		put := func(role string, minutes, energy int, demands string, mode models.ShiftMode, more ...func(*models.Shift)) models.Shift {
			return w.shift("", minutes, append([]func(*models.Shift){func(s *models.Shift) {
				s.Role, s.Kind, s.Energy, s.Demands, s.Mode = role, models.ShiftTask, energy, demands, mode
			}}, more...)...)
		}
		put("call", 2, 1, "speaking", models.ShiftPhone)
		put("mails", 30, 1, "typing,screen", models.ShiftHome)
		put("table", 90, 4, "standing,noise,bright_light", models.ShiftOnsite)
		full := put("full", 10, 1, "", models.ShiftHome)
		w.box("june@example.org")
		w.took(full, "june@example.org")
		opens := w.at("2027-03-05 12:00")
		put("later", 2, 1, "", models.ShiftHome, func(s *models.Shift) { s.OpensAt = &opens })
		put("called off", 2, 1, "", models.ShiftHome, func(s *models.Shift) { s.CancelledAt = &opens })
		w.shift("2027-03-01 09:00", 60, func(s *models.Shift) { s.Role = "begun" })
		hidden := models.Roster{ID: models.NewID(), Slug: "hidden", State: models.RosterDraft, Title: "Not yet", TimeZone: "UTC", CreatedAt: takeStart, UpdatedAt: takeStart}
		w.put(&hidden)
		secret := put("hidden", 1, 1, "", models.ShiftHome, func(s *models.Shift) { s.RosterID = hidden.ID })

		roles := func(list []OnOffer) []string {
			out := []string{}
			for _, o := range list {
				out = append(out, o.Role)
			}
			slices.Sort(out)
			return out
		}
		for name, c := range map[string]struct {
			can  Can
			want []string
		}{
			"all":     {Can{}, []string{"call", "mails", "table"}},
			"two":     {Can{Minutes: 2}, []string{"call"}},
			"thirty":  {Can{Minutes: 30}, []string{"call", "mails"}},
			"energy":  {Can{Energy: 3}, []string{"call", "mails"}},
			"screen":  {Can{NoScreen: true}, []string{"call", "table"}},
			"lying":   {Can{LyingDown: true}, []string{"call"}},
			"home":    {Can{Home: true}, []string{"call", "mails"}},
			"without": {Can{Avoid: []string{"speaking", "noise"}}, []string{"mails"}},
			"light":   {Can{Avoid: []string{"bright_light"}}, []string{"call", "mails"}},
		} {
			fits, _, err := w.Now(w.ctx, c.can)
			w.must(err)
			if got := roles(fits); !slices.Equal(got, c.want) {
				t.Errorf("%s: %v", name, got)
			}
			b, err := w.PublicBoard(w.ctx, "pain-day", c.can)
			w.must(err)
			for _, o := range append(slices.Clone(b.Fits), b.Soon...) {
				if c.can.Minutes > 0 && o.Minutes > c.can.Minutes {
					t.Errorf("%s: %s takes %d minutes", name, o.Role, o.Minutes)
				}
			}
		}
		// Nothing is free: who stands by is shown instead.
		fits, standby, err := w.Now(w.ctx, Can{Minutes: 10, Avoid: []string{"speaking"}})
		w.must(err)
		if len(fits) != 0 || !slices.Equal(roles(standby), []string{"full"}) {
			t.Errorf("%v, %v", roles(fits), roles(standby))
		}
		b, err := w.PublicBoard(w.ctx, "pain-day", Can{Energy: 1, Avoid: []string{"speaking", "typing"}, Minutes: 2})
		w.must(err)
		if got := roles(b.Fits); !slices.Equal(got, []string{"later"}) {
			t.Errorf("%v", got)
		}
		list, err := w.PublicRosters(w.ctx)
		w.must(err)
		if len(list) != 1 || list[0].Free != 4 {
			t.Errorf("%+v", list)
		}
		if _, err := w.PublicBoard(w.ctx, "hidden", Can{}); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
		if _, err := w.PublicShift(w.ctx, secret.ID); !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	})
}
