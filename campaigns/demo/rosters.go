package demo

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/events"
	"kithline/campaigns/rosters"
	"kithline/models"
)

// rostered is world/rosters.json: the roster of the advocacy day. Made is so many days before the end.
type rostered struct {
	Title   string         `json:"title"`
	Summary string         `json:"summary"`
	Made    int            `json:"made"`
	Contact string         `json:"contact"`
	Phone   string         `json:"phone"`
	ByPhone []string       `json:"by_phone"` // who is asked by telephone
	Shifts  []rosteredHour `json:"shifts"`
}

type rosteredHour struct {
	Role     string           `json:"role"`
	RoleKind models.RoleKind  `json:"role_kind"`
	Kind     models.ShiftKind `json:"kind"`
	After    int              `json:"after"` // days after the first
	Days     int              `json:"days"`  // and so many more until it ends
	From     string           `json:"from"`
	Until    string           `json:"until"`
	Minutes  int              `json:"minutes"`
	Places   int              `json:"places"`
	Standbys int              `json:"standbys"`
	Energy   int              `json:"energy"`
	Demands  []string         `json:"demands"`
	Mode     models.ShiftMode `json:"mode"`
	Place    string           `json:"place"`
	Handover string           `json:"handover"`
	Team     string           `json:"team"`
	Held     []string         `json:"held"`
	Standing []string         `json:"standing"`
}

// planRosters puts the advocacy day into the diary: the roster is made and published, and people give their word.
func (b *builder) planRosters() {
	b.note(b.day(days-b.w.rosters.Made, 11, 20), "making a roster", b.makeRoster)
}

// advocacyDay is the first Tuesday that is at least two weeks after the end of the story.
func (b *builder) advocacyDay() time.Time {
	d := b.day(days+14, 12, 0)
	for d.Weekday() != time.Tuesday {
		d = d.AddDate(0, 0, 1)
	}
	return d
}

// makeRoster makes the roster of the advocacy day, with who holds its places and stands by.
func (b *builder) makeRoster(ctx context.Context) error {
	in, who := b.w.rosters, b.actors[ilse]
	days, err := b.Events.Upcoming(ctx, events.Filter{Kind: models.EventAdvocacyDay}, 1)
	if err != nil {
		return err
	}
	var event *uuid.UUID
	if len(days) > 0 {
		event = &days[0].ID
	}
	r, err := b.Rosters.Create(ctx, who, rosters.Draft{Title: in.Title, Summary: in.Summary, Locale: "en", Zone: b.zone.String(), ContactName: in.Contact, ContactPhone: in.Phone, CampaignID: &b.petition.CampaignID, EventID: event})
	if err != nil {
		return err
	}
	teams := map[string]models.Team{}
	var made []models.Shift
	for i, x := range in.Shifts {
		on := func(after int) string { return b.advocacyDay().AddDate(0, 0, after).Format(time.DateOnly) }
		s := rosters.ShiftInput{
			Role: x.Role, RoleKind: x.RoleKind, Kind: x.Kind, Minutes: x.Minutes, Mode: x.Mode, Place: x.Place, Minimum: 1, Places: x.Places, Standbys: x.Standbys, Energy: x.Energy, Demands: x.Demands,
			Handover: x.Handover, Position: i, Starts: rosters.Local{Day: on(x.After), Clock: x.From}, Ends: rosters.Local{Day: on(x.After + x.Days), Clock: x.Until},
		}
		if x.Team != "" {
			t, there := teams[x.Team]
			if !there {
				if t, err = b.Rosters.AddTeam(ctx, who, r.ID, rosters.TeamInput{Name: x.Team}); err != nil {
					return err
				}
				teams[x.Team] = t
			}
			s.TeamID = &t.ID
		}
		shifts, err := b.Rosters.AddShifts(ctx, who, r.ID, s)
		if err != nil {
			return err
		}
		made = append(made, shifts...)
	}
	if _, err := b.Rosters.SetState(ctx, who, r.ID, models.RosterPublished); err != nil {
		return err
	}
	for i, x := range in.Shifts {
		for _, name := range slices.Concat(x.Held, x.Standing) {
			as := rosters.SeatInput{As: models.AsPlace, SaidYes: true}
			if slices.Contains(x.Standing, name) {
				from := 7*60 + 30
				as.As, as.AskBy, as.AskFrom = models.AsStandby, models.AskByMail, &from
				if slices.Contains(in.ByPhone, name) {
					as.AskBy, as.Phone = models.AskByPhone, "555-0187"
				}
			}
			as.GivenName, as.FamilyName, _ = strings.Cut(name, " ")
			as.Email = strings.ToLower(strings.ReplaceAll(name, " ", ".")) + "@example.org"
			if _, err := b.Rosters.Seat(ctx, who, made[i].ID, as); err != nil {
				return err
			}
		}
	}
	return b.deliver(ctx)
}
