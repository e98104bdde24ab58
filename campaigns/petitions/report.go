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

// Report tells confirmed signatures by day, as days are in zone, and by source, from the tallies: an hour of UTC belongs to the day in
// which it begins, also where a zone is half an hour off. It needs actor.SeeFigures; one that is not
// public is seen by its author and by moderators only.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID, zone *time.Location) (Report, error) {
	p, err := s.Get(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Petition: p}
	now := s.clk.Now()
	r.Days = lastDays(now, zone)
	var hours []models.PetitionTally
	err = s.db.WithContext(ctx).Where("petition_id = ? AND kind = ? AND name >= ?", id, models.TallyHour, hourOf(r.Days[0].Day)).Find(&hours).Error
	if err != nil {
		return r, err
	}
	for _, h := range hours {
		at, err := time.Parse(hourForm, h.Name)
		if err != nil {
			return r, err
		}
		for i := len(r.Days) - 1; i >= 0; i-- {
			if !at.Before(r.Days[i].Day) {
				r.Days[i].Count += int64(h.Confirmed)
				break
			}
		}
	}
	err = s.db.WithContext(ctx).Model(&models.PetitionTally{}).Select("name AS source, confirmed AS count").
		Where("petition_id = ? AND kind = ? AND confirmed > 0", id, models.TallySource).Order("confirmed DESC, name").Limit(12).Scan(&r.Sources).Error
	return r, err
}

// lastDays are the last days up to now as days are in zone, the oldest first.
func lastDays(now time.Time, zone *time.Location) []figures.Day {
	y, m, d := now.In(zone).Date()
	out := make([]figures.Day, figures.Days)
	for i := range out {
		out[i].Day = time.Date(y, m, d-figures.Days+1+i, 0, 0, 0, 0, zone)
	}
	return out
}
