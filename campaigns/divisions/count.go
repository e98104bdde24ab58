package divisions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// Least is the smallest count by place that is shown.
const Least = 10

// Shown is a count by place as people may see it.
type Shown struct {
	N      int
	Hidden bool // N is 0 then
}

// Hide hides counts below Least. Where that would hide one alone, it could be reckoned from the others and their sum: the smallest
// of those that are left is hidden with it. The counts are those of one list, in any order.
func Hide(counts []int) []Shown {
	out, hidden, next := make([]Shown, len(counts)), 0, -1
	for i, n := range counts {
		switch {
		case n < Least:
			out[i] = Shown{Hidden: true}
			hidden++
			continue
		case next < 0 || n < counts[next]:
			next = i
		}
		out[i] = Shown{N: n}
	}
	if hidden == 1 && next >= 0 {
		out[next] = Shown{Hidden: true}
	}
	return out
}

// Tally is how many signed a petition, by division. The counts are exact: a page shows them through Hide.
type Tally struct {
	Divisions []Count // with at least one signature, in the order of lists
	Open      int     // the postal code lies in several
	Elsewhere int     // it lies in none, as far as the data knows, or nobody told one
}

// Count is one division's part of a Tally.
type Count struct {
	Division models.Division
	N        int
}

// CountByDivision counts the confirmed signatures of a petition by divisions of a kind, valid on the day of now, from its tallies by
// postal area alone: no signature is read, and what a signer's record says about them is not asked. Signatures on paper are among
// them, where they were counted by such a division.
func CountByDivision(ctx context.Context, tx *gorm.DB, petition uuid.UUID, kind models.DivisionKind, now time.Time) (Tally, error) {
	tx, today := tx.WithContext(ctx), day(now)
	const signed = "(SELECT name AS postal_area, confirmed AS n FROM petition_tallies WHERE petition_id = ? AND kind = ? AND confirmed > 0)"
	var found []struct {
		DivisionID uuid.UUID
		N          int
	}
	err := tx.Raw(`SELECT p.division_id, SUM(c.n) AS n FROM `+signed+` c
		JOIN postal_divisions p ON p.postal_area = c.postal_area JOIN divisions d ON d.id = p.division_id AND d.kind = ? AND `+valid("d")+`
		WHERE c.postal_area <> '' AND NOT EXISTS (SELECT 1 FROM postal_divisions q JOIN divisions e ON e.id = q.division_id AND e.kind = d.kind AND `+valid("e")+`
			WHERE q.postal_area = c.postal_area AND q.division_id <> p.division_id)
		GROUP BY p.division_id`, petition, models.TallyPlace, kind, today, today, today, today).Scan(&found).Error
	if err != nil {
		return Tally{}, err
	}
	var sums struct{ Total, Known int }
	err = tx.Raw(`SELECT COALESCE(SUM(c.n), 0) AS total, COALESCE(SUM(CASE WHEN c.postal_area <> '' AND EXISTS (
			SELECT 1 FROM postal_divisions p JOIN divisions d ON d.id = p.division_id AND d.kind = ? AND `+valid("d")+` WHERE p.postal_area = c.postal_area
		) THEN c.n ELSE 0 END), 0) AS known FROM `+signed+` c`, kind, today, today, petition, models.TallyPlace).Scan(&sums).Error
	if err != nil {
		return Tally{}, err
	}
	t := Tally{Open: sums.Known, Elsewhere: sums.Total - sums.Known}
	for part := range slices.Chunk(found, chunk) {
		ids, by := make([]uuid.UUID, len(part)), map[uuid.UUID]int{}
		for i, f := range part {
			ids[i], by[f.DivisionID] = f.DivisionID, f.N
		}
		var list []models.Division
		if err := tx.Where("id IN ?", ids).Find(&list).Error; err != nil {
			return Tally{}, err
		}
		for _, d := range list {
			t.Divisions = append(t.Divisions, Count{d, by[d.ID]})
			t.Open -= by[d.ID]
		}
	}
	slices.SortFunc(t.Divisions, func(a, b Count) int { return compare(a.Division, b.Division) })
	return AddPaper(ctx, tx, t, petition, kind, now)
}
