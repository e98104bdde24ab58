package petitions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/models"
)

// How much of a course a report shows.
const (
	reportHours   = 48
	reportDays    = 30
	reportSources = 12
)

// Report is what the author and the organizers see of a petition's course. All of it is read from the petition's tallies.
type Report struct {
	Petition   models.Petition
	Hours      []Stretch // the last 48, the oldest first
	Days       []Stretch // the last 30, the oldest first
	Sources    []SourceCount
	Roles      []RoleCount
	Districts  Districts
	Recruited  int // confirmed signatures that came by a signer's own link
	Forecast   Forecast
	Milestones []models.PetitionThreshold // by count
}

// SourceCount is how many came by a source.
type SourceCount struct {
	Source            string // "" straight to the page
	Signed, Confirmed int
}

// RoleCount is how many said a role. Hidden where fewer than ten did: N is 0 then.
type RoleCount struct {
	Role   models.Role
	N      int
	Hidden bool
}

// Districts is a petition's signatures by district.
type Districts struct {
	Kind  models.DivisionKind // "" by none
	Rows  []divisions.Count   // those that the reader may see
	Rest  int                 // all others
	Exact bool                // also small counts are among the rows
}

// Today is what the last day brought.
func (r Report) Today() Stretch { return r.Days[len(r.Days)-1] }

// Best returns the day with the most signatures; its Confirmed is 0 where there was none.
func (r Report) Best() Stretch { return best(r.Days) }

// BestHour returns the hour with the most signatures.
func (r Report) BestHour() Stretch { return best(r.Hours) }

func best(all []Stretch) Stretch {
	out := all[0]
	for _, d := range all {
		if d.Confirmed > out.Confirmed {
			out = d
		}
	}
	return out
}

// Signed sums up the forms of the days, and Confirmed what of them counts.
func (r Report) Signed() int { return sum(r.Days, func(d Stretch) int { return d.Signed }) }

// Confirmed sums up the signatures of the days.
func (r Report) Confirmed() int { return sum(r.Days, func(d Stretch) int { return d.Confirmed }) }

func sum(all []Stretch, of func(Stretch) int) (n int) {
	for _, d := range all {
		n += of(d)
	}
	return n
}

// Report returns a petition's course, with days as they are in zone. It needs actor.SeeFigures; one that is not public is seen by
// its author and by moderators only. Counts of districts below ten are told to those with actor.ModeratePetition alone.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID, zone *time.Location) (Report, error) {
	p, err := s.Get(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	now, db := s.clk.Now(), s.db.WithContext(ctx)
	r := Report{Petition: p, Hours: hoursUntil(now, zone, reportHours), Days: daysUntil(now, zone, reportDays)}
	if err := fillHours(ctx, db, id, r.Hours); err != nil {
		return r, err
	}
	if err := fillHours(ctx, db, id, r.Days); err != nil {
		return r, err
	}
	var rows []models.PetitionTally
	err = db.Where("petition_id = ? AND kind = ? AND (signed > 0 OR confirmed > 0)", id, models.TallySource).
		Order("confirmed DESC, signed DESC, name").Limit(reportSources).Find(&rows).Error
	if err != nil {
		return r, err
	}
	for _, t := range rows {
		r.Sources = append(r.Sources, SourceCount{t.Name, t.Signed, t.Confirmed})
	}
	if r.Roles, r.Recruited, err = s.saidAndBrought(ctx, id); err != nil {
		return r, err
	}
	if r.Districts, err = s.districtsFor(ctx, a, p, now); err != nil {
		return r, err
	}
	if err := db.Where("petition_id = ?", id).Order("count, id").Find(&r.Milestones).Error; err != nil {
		return r, err
	}
	r.Forecast = forecast(p, r.Days, now)
	return r, nil
}

// saidAndBrought reads the counts by role, and of those who came by a signer's own link.
func (s *Service) saidAndBrought(ctx context.Context, id uuid.UUID) (roles []RoleCount, recruited int, err error) {
	var rows []models.PetitionTally
	err = s.db.WithContext(ctx).Where("petition_id = ? AND kind IN ?", id, []models.TallyKind{models.TallyRole, models.TallyRecruited}).Find(&rows).Error
	by := map[models.Role]int{}
	for _, t := range rows {
		if t.Kind == models.TallyRecruited {
			recruited += t.Confirmed
		} else {
			by[models.Role(t.Name)] += t.Confirmed
		}
	}
	for _, role := range models.Roles {
		c := RoleCount{Role: role, N: by[role]}
		if c.N < divisions.Least {
			c.N, c.Hidden = 0, true
		}
		roles = append(roles, c)
	}
	if !slices.ContainsFunc(roles, func(c RoleCount) bool { return !c.Hidden }) {
		roles = nil
	}
	return roles, recruited, err
}

func (s *Service) districtsFor(ctx context.Context, a actor.Actor, p models.Petition, now time.Time) (Districts, error) {
	d := Districts{Kind: p.DistrictKind, Exact: a.May(actor.ModeratePetition)}
	if d.Kind == "" {
		return d, nil
	}
	t, err := divisions.CountByDivision(ctx, s.db.DB, p.ID, d.Kind, now)
	if err != nil {
		return d, err
	}
	if d.Exact {
		d.Rows, d.Rest = t.Divisions, t.Open+t.Elsewhere
		return d, nil
	}
	d.Rows, d.Rest, err = t.Public(ctx, s.db.DB, now)
	return d, err
}
