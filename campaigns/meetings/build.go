package meetings

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// BuildInput says which offices are met, and in which hours. The comments name its fields.
type BuildInput struct {
	Chambers []uuid.UUID        // chambers
	Day      string             // day
	From     string             // from
	Until    string             // until
	Mode     models.MeetingMode // mode
}

// Proposal is a meeting that could be made.
type Proposal struct {
	Office
	StartsAt     time.Time
	Constituents int // people of the roster, and who offered time, whom the office represents
}

// Chambers lists the bodies that Build can choose from: those that somebody sits in. It needs actor.ManageRosters.
func (s *Service) Chambers(ctx context.Context, a actor.Actor) ([]legislators.ChamberChoice, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return nil, err
	}
	var rows []legislators.ChamberChoice
	err := s.DB.WithContext(ctx).Table("chambers AS c").Select("c.*, j.name AS jurisdiction").Joins("JOIN jurisdictions j ON j.id = c.jurisdiction_id").
		Where("EXISTS (SELECT 1 FROM terms t WHERE t.chamber_id = c.id AND t.ended_at IS NULL)").Order("j.name, c.name, c.id").Scan(&rows).Error
	return rows, err
}

// Propose says which meetings Build would make. It needs actor.ManageRosters; a chapter's account has the volunteers of its chapter counted.
// The faults are those of Build.
func (s *Service) Propose(ctx context.Context, a actor.Actor, roster uuid.UUID, in BuildInput) ([]Proposal, error) {
	r, err := changing(ctx, s.DB.DB, a, roster)
	if err != nil {
		return nil, err
	}
	p, err := planOf(ctx, s.DB.DB, r)
	if err != nil {
		return nil, err
	}
	return s.propose(ctx, s.DB.DB, a, r, p, in, s.Clock.Now())
}

// Build makes a meeting with each office of the chambers that represents somebody who holds a place of the roster or offered time, and has none
// there yet. Their times are in blocks with breaks between them, as the plan has it; who is represented by two offices can go to both, as far
// as the hours allow. It returns how many it made. It needs actor.ManageRosters. The faults: Invalid with the fields of BuildInput, of which asks
// is that of the plan; NotFound, error.meetings_roster_unknown; Conflict, error.meetings_nobody, where there is no such office,
// error.meetings_roster_closed and error.meetings_many.
func (s *Service) Build(ctx context.Context, a actor.Actor, roster uuid.UUID, in BuildInput) (int, error) {
	now, n := s.Clock.Now(), 0
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, p, there, err := open(ctx, tx, a, roster)
		if err != nil {
			return err
		}
		list, err := s.propose(ctx, tx, a, r, p, in, now)
		if err != nil {
			return err
		}
		if there+len(list) > mostOf {
			return errMany()
		}
		for i, x := range list {
			m := blank(r, a, now)
			m.LegislatorID, m.StartsAt, m.Minutes, m.Mode = x.Member.ID, x.StartsAt, p.Minutes, in.Mode
			if err := s.make(ctx, tx, r, p, m, x.Office, Input{}, p.Asks, there+i+1, now); err != nil {
				return err
			}
		}
		n = len(list)
		return audit.Write(ctx, tx, a, now, "meetings.build", "rosters", r.ID, map[string]any{"made": n})
	})
	return n, err
}

func (s *Service) propose(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, p Plan, in BuildInput, now time.Time) ([]Proposal, error) {
	slots, err := in.slots(r, p, now)
	if err != nil {
		return nil, err
	}
	people, err := s.everybody(ctx, tx, a, r, now)
	if err != nil {
		return nil, err
	}
	of, err := s.representing(ctx, tx, people, now)
	if err != nil {
		return nil, err
	}
	var met []uuid.UUID
	err = tx.WithContext(ctx).Model(&models.Meeting{}).Where("roster_id = ? AND state <> ?", r.ID, models.MeetingCancelled).Distinct().Pluck("legislator_id", &met).Error
	if err != nil {
		return nil, err
	}
	who := map[uuid.UUID][]uuid.UUID{} // mailboxes by legislator
	member := map[uuid.UUID]legislators.Member{}
	for box, list := range of {
		for _, m := range list {
			if slices.Contains(in.Chambers, m.Chamber.ID) && !slices.Contains(met, m.ID) {
				who[m.ID], member[m.ID] = append(who[m.ID], box), m
			}
		}
	}
	if len(who) == 0 {
		return nil, fault.New(fault.Conflict, "error.meetings_nobody")
	}
	order := slices.SortedFunc(maps.Keys(who), func(x, y uuid.UUID) int {
		return cmp.Or(len(who[y])-len(who[x]), cmp.Compare(member[x].FamilyName, member[y].FamilyName), bytes.Compare(x[:], y[:]))
	})
	taken, used := make([]map[uuid.UUID]bool, len(slots)), make([]int, len(slots))
	for i := range taken {
		taken[i] = map[uuid.UUID]bool{}
	}
	out := make([]Proposal, 0, len(order))
	for _, id := range order {
		// The slot in which the fewest of its people are in another meeting, then the emptiest, then the first.
		best, clash := 0, -1
		for i := range slots {
			n := 0
			for _, box := range who[id] {
				if taken[i][box] {
					n++
				}
			}
			if clash < 0 || n < clash || n == clash && used[i] < used[best] {
				best, clash = i, n
			}
		}
		used[best]++
		for _, box := range who[id] {
			taken[best][box] = true
		}
		o := Office{Member: member[id]}
		if len(o.Offices) > 0 {
			o.Room = o.Offices[0]
		}
		out = append(out, Proposal{Office: o, StartsAt: slots[best], Constituents: len(who[id])})
	}
	slices.SortStableFunc(out, func(x, y Proposal) int {
		return cmp.Or(x.StartsAt.Compare(y.StartsAt), cmp.Compare(x.FamilyName, y.FamilyName))
	})
	return out, nil
}

// slots are the times at which meetings of the plan's length begin: one after the other in blocks that are no longer than the plan says, with
// breaks between the blocks.
func (in BuildInput) slots(r models.Roster, p Plan, now time.Time) ([]time.Time, error) {
	var bad fault.Fields
	zone := Zone(r)
	if len(in.Chambers) == 0 {
		bad.Add("chambers", "error.meetings_chambers")
	}
	from := local(in.Day, in.From, zone, "day", "from", &bad)
	var until time.Time
	if !bad.Has("day") {
		until = local(in.Day, in.Until, zone, "day", "until", &bad)
	}
	if in.Mode != models.MeetingOnsite && in.Mode != models.MeetingVideo && in.Mode != models.MeetingPhone {
		bad.Add("mode", "error.value_unknown")
	}
	if len(p.Asks) == 0 {
		bad.Add("asks", "error.meetings_plan_first")
	}
	length := time.Duration(p.Minutes) * time.Minute
	switch {
	case bad.Has("from") || bad.Has("until") || bad.Has("day"):
	case !from.After(now):
		bad.Add("from", "error.meetings_past")
	case from.Add(length).After(until):
		bad.Add("until", "error.meetings_hours")
	}
	if err := bad.Err(); err != nil {
		return nil, err
	}
	var out []time.Time
	block := time.Duration(0)
	for at := from; !at.Add(length).After(until); at = at.Add(length) {
		if p.BlockMinutes > 0 && block > 0 && block+length > time.Duration(p.BlockMinutes)*time.Minute {
			at, block = at.Add(time.Duration(p.BreakMinutes)*time.Minute), 0
			if at.Add(length).After(until) {
				break
			}
		}
		out = append(out, at)
		block += length
	}
	return out, nil
}
