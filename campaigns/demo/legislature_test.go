package demo

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/legislators"
	"kithline/models"
)

// inOffice looks who sits in the invented legislature.
func inOffice(t *testing.T, m made) {
	ctx := context.Background()
	var ids []uuid.UUID
	if err := m.DB.Model(&models.Legislator{}).Pluck("id", &ids).Error; err != nil {
		t.Fatal(err)
	}
	list, err := legislators.Members(ctx, m.DB.DB, ids, end)
	if err != nil || len(list) != houses+senates {
		t.Fatalf("%d members, %v", len(list), err)
	}
	names, inHouse := map[string]bool{}, map[string]int{}
	for _, x := range list {
		names[x.Name] = true
		if x.Term.DivisionID == nil {
			t.Errorf("%s sits for no district", x.Name)
		}
		first := models.ChannelEmail
		switch {
		case x.Chamber.Code == "house":
			inHouse[x.Term.District]++
			if x.Term.District == "52" {
				first = models.ChannelPhone
			}
			if x.Term.District == "14" {
				first = models.ChannelWebForm
			}
		case x.Term.District == "8":
			first = models.ChannelWebForm
		}
		if len(x.Channels) == 0 || x.Channels[0].Kind != first {
			t.Errorf("%s %s: %+v", x.Chamber.Code, x.Term.District, x.Channels)
		}
		for _, c := range x.Channels {
			if c.Kind == models.ChannelEmail && !strings.HasSuffix(c.Value, "@statehouse.example.org") {
				t.Errorf("%s is not invented", c.Value)
			}
		}
	}
	if len(names) != houses+senates || inHouse["37"] != 0 || inHouse["29"] != 2 || len(inHouse) != houses-1 {
		t.Errorf("%d names, %v", len(names), inHouse)
	}
	if n := m.count(t, &models.Committee{}, "name = 'Health'"); n != 1 {
		t.Errorf("%d health committees", n)
	}
}

func TestSession(t *testing.T) {
	for at, want := range map[string]string{"2027-02-23": "2027-01-08", "2027-01-03": "2025-01-08", "2026-11-29": "2025-01-08", "2028-01-09": "2027-01-08"} {
		d, err := time.Parse(time.DateOnly, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := session(d).Format(time.DateOnly); got != want {
			t.Errorf("%s: %s, not %s", at, got, want)
		}
	}
}

// The list is the same each time.
func TestLegislatureIsSteady(t *testing.T) {
	w := sampleWorld(t)
	a, err := w.legislature(session(end))
	if err != nil {
		t.Fatal(err)
	}
	b, err := w.legislature(session(end))
	if err != nil || a != b || !strings.Contains(a, ",Health (Chair)\n") {
		t.Error(err, "another list")
	}
}
