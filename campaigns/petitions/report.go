package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/figures"
	"kithline/models"
)

// Report is what the author and the organizers see of a petition's course.
type Report struct {
	Petition models.Petition
	Days     []figures.Day // the last 30, the oldest first
	Sources  []figures.Source
}

// Today is the count of the last day.
func (r Report) Today() int64 { return r.Days[len(r.Days)-1].Count }

// Best returns the day with the most signatures; its count is 0 where there was none.
func (r Report) Best() figures.Day {
	best := r.Days[0]
	for _, d := range r.Days {
		if d.Count > best.Count {
			best = d
		}
	}
	return best
}

// Report counts confirmed signatures by day, as days are in zone, and by source. It needs actor.SeeFigures; one that is not
// public is seen by its author and by moderators only.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID, zone *time.Location) (Report, error) {
	p, err := s.Get(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Petition: p}
	r.Days, r.Sources, err = figures.Course(ctx, s.db.DB, "signatures", "petition_id", id, s.clk.Now(), zone)
	return r, err
}
