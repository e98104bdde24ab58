package meetings

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// Phase is where a meeting is on its day.
type Phase string

// The phases.
const (
	PhaseNow   Phase = "now"
	PhaseNext  Phase = "next" // begins within the next hour
	PhaseLater Phase = "later"
	PhaseOver  Phase = "over"
	PhaseOff   Phase = "off" // called off
)

// Tile is a meeting on the board.
type Tile struct {
	View
	Phase  Phase
	Behind int // minutes by which it is likely to begin late, since people of its team are in one before that runs late
}

// Gap reports whether somebody is missing for it to go ahead.
func (t Tile) Gap() bool {
	return (t.Phase == PhaseNow || t.Phase == PhaseNext || t.Phase == PhaseLater) && (t.Short() > 0 || len(t.Roles) == 0)
}

// AtRisk reports whether it may begin late because of another.
func (t Tile) AtRisk() bool { return t.Behind > 0 && t.Phase != PhaseOver && t.Phase != PhaseOff }

// Board is how the meetings of a roster stand now: gaps first, then those at risk or late, then by time.
type Board struct {
	Roster                                    models.Roster
	At                                        time.Time
	Tiles                                     []Tile
	Planned, Held, Cancelled, Gaps, Late, Run int // Run: those going on now
}

// nextWithin is how long before its start a meeting is next.
const nextWithin = time.Hour

// Board returns how the meetings of a roster stand now. It needs actor.ManageRosters. The fault is NotFound, error.meetings_roster_unknown.
func (s *Service) Board(ctx context.Context, a actor.Actor, roster uuid.UUID) (Board, error) {
	b := Board{At: s.Clock.Now()}
	r, list, err := s.List(ctx, a, roster)
	if err != nil {
		return b, err
	}
	b.Roster = r
	people, err := s.inTeams(ctx, list)
	if err != nil {
		return b, err
	}
	behind := delays(list, people)
	for _, v := range list {
		t := Tile{View: v, Behind: behind[v.ID()]}
		end := v.Ends().Add(time.Duration(v.LateMinutes) * time.Minute)
		switch {
		case v.State == models.MeetingCancelled:
			t.Phase = PhaseOff
			b.Cancelled++
		case v.State == models.MeetingHeld:
			t.Phase = PhaseOver
			b.Held++
		case !end.After(b.At):
			t.Phase = PhaseOver
		case !v.StartsAt.After(b.At):
			t.Phase = PhaseNow
			b.Run++
		case v.StartsAt.Sub(b.At) <= nextWithin:
			t.Phase = PhaseNext
		default:
			t.Phase = PhaseLater
		}
		if v.State != models.MeetingCancelled {
			b.Planned++
		}
		if t.Gap() {
			b.Gaps++
		}
		if v.LateMinutes > 0 && v.State == models.MeetingPlanned {
			b.Late++
		}
		b.Tiles = append(b.Tiles, t)
	}
	slices.SortStableFunc(b.Tiles, func(x, y Tile) int { return cmp.Compare(x.rank(), y.rank()) })
	return b, nil
}

// rank orders the board: what needs somebody first.
func (t Tile) rank() int {
	switch {
	case t.Gap():
		return 0
	case t.AtRisk(), t.LateMinutes > 0 && t.State == models.MeetingPlanned:
		return 1
	case t.Phase == PhaseOver:
		return 3
	case t.Phase == PhaseOff:
		return 4
	}
	return 2
}

// inTeams reads which mailboxes hold a place in the teams of meetings. It leaves this package by no operation.
func (s *Service) inTeams(ctx context.Context, list []View) (map[uuid.UUID][]uuid.UUID, error) {
	teams := make([]uuid.UUID, len(list))
	of := make(map[uuid.UUID]uuid.UUID, len(list))
	for i, v := range list {
		teams[i], of[v.TeamID] = v.TeamID, v.ID()
	}
	var rows []struct{ TeamID, MailboxID uuid.UUID }
	err := s.DB.WithContext(ctx).Table("assignments AS a").Select("sh.team_id, a.mailbox_id").Joins("JOIN shifts sh ON sh.id = a.shift_id").
		Where("sh.team_id IN ? AND sh.cancelled_at IS NULL AND a.as_what = ? AND a.state = ?", teams, models.AsPlace, models.AssignmentConfirmed).Scan(&rows).Error
	out := map[uuid.UUID][]uuid.UUID{}
	for _, r := range rows {
		out[of[r.TeamID]] = append(out[of[r.TeamID]], r.MailboxID)
	}
	return out, err
}

// delays says by how many minutes meetings are likely to begin late, where somebody of their team is in an earlier one that runs late: what
// runs late makes the next late, and that the one after it. list is in the order of its times.
func delays(list []View, people map[uuid.UUID][]uuid.UUID) map[uuid.UUID]int {
	out := map[uuid.UUID]int{}
	free := map[uuid.UUID]time.Time{} // when somebody comes out of what they are in
	for _, v := range list {
		if v.State == models.MeetingCancelled {
			continue
		}
		begins := v.StartsAt
		for _, p := range people[v.ID()] {
			if at, in := free[p]; in && at.After(begins) {
				begins = at
			}
		}
		if d := int(begins.Sub(v.StartsAt).Minutes()); d > 0 && v.State == models.MeetingPlanned {
			out[v.ID()] = d
		}
		begun := v.StartsAt.Add(time.Duration(v.LateMinutes) * time.Minute)
		if v.State == models.MeetingPlanned && begins.After(begun) {
			begun = begins
		}
		end := begun.Add(time.Duration(v.Minutes) * time.Minute)
		for _, p := range people[v.ID()] {
			if v.State == models.MeetingPlanned && end.After(free[p]) && (v.LateMinutes > 0 || out[v.ID()] > 0) {
				free[p] = end
			}
		}
	}
	return out
}
