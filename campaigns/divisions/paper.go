package divisions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// OfKind lists the divisions of a kind that are valid on the day of now, in the order of lists.
func OfKind(ctx context.Context, tx *gorm.DB, kind models.DivisionKind, now time.Time) ([]models.Division, error) {
	today := day(now)
	var rows []models.Division
	err := tx.WithContext(ctx).Where("kind = ? AND same_as = '' AND valid_from <= ? AND (valid_through = '' OR valid_through >= ?)", kind, today, today).Find(&rows).Error
	slices.SortFunc(rows, compare)
	return rows, err
}

// addPaper adds to a tally of a petition what was counted on paper, by divisions of the kind that are valid on the day of now.
// What has another division, or none, is Elsewhere.
func addPaper(ctx context.Context, tx *gorm.DB, t Tally, petition uuid.UUID, kind models.DivisionKind, now time.Time) (Tally, error) {
	tx = tx.WithContext(ctx)
	var sums []struct {
		DivisionID *uuid.UUID
		N          int
	}
	err := tx.Raw("SELECT division_id, SUM(count) AS n FROM paper_counts WHERE petition_id = ? AND removed_at IS NULL GROUP BY division_id", petition).Scan(&sums).Error
	if err != nil || len(sums) == 0 {
		return t, err
	}
	t.Divisions = slices.Clone(t.Divisions)
	missing := map[uuid.UUID]int{}
	for _, s := range sums {
		if s.DivisionID == nil {
			t.Elsewhere += s.N
			continue
		}
		i := slices.IndexFunc(t.Divisions, func(c Count) bool { return c.Division.ID == *s.DivisionID })
		if i < 0 {
			missing[*s.DivisionID] = s.N
			continue
		}
		t.Divisions[i].N += s.N
	}
	ids := make([]uuid.UUID, 0, len(missing))
	for id := range missing {
		ids = append(ids, id)
	}
	for part := range slices.Chunk(ids, chunk) {
		var list []models.Division
		if err := tx.Where("id IN ?", part).Find(&list).Error; err != nil {
			return t, err
		}
		for _, d := range list {
			if d.Kind == kind && Valid(d, now) {
				t.Divisions = append(t.Divisions, Count{d, missing[d.ID]})
			} else {
				t.Elsewhere += missing[d.ID]
			}
		}
	}
	slices.SortFunc(t.Divisions, func(a, b Count) int { return compare(a.Division, b.Division) })
	return t, nil
}
