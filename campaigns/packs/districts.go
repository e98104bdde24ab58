package packs

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/divisions"
	"kithline/models"
)

// byDistrict is how many signed by district, those on paper among them, as everybody may see it.
func (s *Service) byDistrict(ctx context.Context, p models.Petition, now time.Time) ([]divisions.Count, error) {
	t, err := divisions.CountByDivision(ctx, s.DB.DB, p.ID, p.DistrictKind, now)
	if err != nil {
		return nil, err
	}
	var paper []struct {
		DivisionID uuid.UUID
		N          int
	}
	err = s.DB.WithContext(ctx).Raw(`SELECT division_id, SUM(count) AS n FROM paper_counts
		WHERE petition_id = ? AND removed_at IS NULL AND division_id IS NOT NULL GROUP BY division_id`, p.ID).Scan(&paper).Error
	if err != nil {
		return nil, err
	}
	list := t.Divisions
	for _, c := range paper {
		at := slices.IndexFunc(list, func(x divisions.Count) bool { return x.Division.ID == c.DivisionID })
		if at >= 0 {
			list[at].N += c.N
			continue
		}
		var d models.Division
		if err := s.DB.WithContext(ctx).Where("id = ? AND kind = ?", c.DivisionID, p.DistrictKind).Limit(1).Find(&d).Error; err != nil {
			return nil, err
		}
		if d.ID != uuid.Nil {
			list = append(list, divisions.Count{Division: d, N: c.N})
		}
	}
	counts := make([]int, len(list))
	for i, c := range list {
		counts[i] = c.N
	}
	var shown []divisions.Count
	for i, h := range divisions.Hide(counts) {
		if !h.Hidden {
			shown = append(shown, list[i])
		}
	}
	return shown, nil
}
