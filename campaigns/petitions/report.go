package petitions

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/models"
)

// reportDays is how many days the report's chart has.
const reportDays = 30

// DayCount is how many signatures were confirmed on a day.
type DayCount struct {
	Day   time.Time // its midnight in the zone that was asked for
	Count int64
}

// SourceCount is how many confirmed signatures came by a source.
type SourceCount struct {
	Source string // "" straight to the page
	Count  int64
}

// Report is what the author and the organizers see of a petition's course.
type Report struct {
	Petition models.Petition
	Days     []DayCount // the last 30, the oldest first
	Sources  []SourceCount
}

// Today is the count of the last day.
func (r Report) Today() int64 { return r.Days[len(r.Days)-1].Count }

// Best returns the day with the most signatures; its count is 0 where there was none.
func (r Report) Best() DayCount {
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
	y, m, d := s.clk.Now().In(zone).Date()
	var parts []string
	var args []any
	for i := range reportDays {
		from, to := time.Date(y, m, d-reportDays+1+i, 0, 0, 0, 0, zone), time.Date(y, m, d-reportDays+2+i, 0, 0, 0, 0, zone)
		r.Days = append(r.Days, DayCount{Day: from})
		parts = append(parts, `SELECT CAST(? AS integer) AS day, COUNT(*) AS n FROM signatures
			WHERE petition_id = ? AND state = 'confirmed' AND confirmed_at >= ? AND confirmed_at < ?`)
		args = append(args, i, id, from.UTC(), to.UTC())
	}
	var days []struct {
		Day int
		N   int64
	}
	db := s.db.WithContext(ctx)
	if err := db.Raw(strings.Join(parts, " UNION ALL "), args...).Scan(&days).Error; err != nil {
		return r, err
	}
	for _, row := range days {
		r.Days[row.Day].Count = row.N
	}
	err = db.Model(&models.Signature{}).Select("source, COUNT(*) AS count").Where("petition_id = ? AND state = 'confirmed'", id).
		Group("source").Order("count DESC, source").Limit(12).Scan(&r.Sources).Error
	return r, err
}
