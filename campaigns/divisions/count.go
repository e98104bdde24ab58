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

// Hide hides counts below Least. Where that would hide one alone, it could be reckoned from the others and their sum, and so could
// several that are all as large as a hidden one can be: the smallest of those that are left is hidden with them, and every other
// that is as small. Whoever knows the sum, what is shown and these rules cannot tell any hidden count apart from others, unless
// nothing was left to hide. The counts are those of one list, in any order, those of nobody too.
func Hide(counts []int) []Shown {
	out, hidden, full, next := make([]Shown, len(counts)), 0, 0, -1
	for i, n := range counts {
		if n < Least {
			out[i].Hidden = true
			hidden++
			if n == Least-1 {
				full++
			}
			continue
		}
		out[i].N = n
		if next < 0 || n < next {
			next = n
		}
	}
	if hidden == 1 || hidden > 1 && full == hidden {
		for i, n := range counts {
			if n == next {
				out[i] = Shown{Hidden: true}
			}
		}
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
// them, in the division they were counted for, and else Elsewhere: so all of a tally is the petition's public number.
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
	return addPaper(ctx, tx, t, petition, kind, now)
}

// Public is what everybody may see of a tally: the divisions whose counts are shown, and how many signatures are not told by
// division. Those of hidden divisions, of postal codes that lie in several and of none that is known are one number, so that no
// hidden count can be reckoned. The divisions without a signature count as hidden ones: nobody can tell them apart.
func (t Tally) Public(ctx context.Context, tx *gorm.DB, now time.Time) (shown []Count, rest int, err error) {
	zeros, err := t.without(ctx, tx, now)
	if err != nil {
		return nil, 0, err
	}
	counts := make([]int, len(t.Divisions)+zeros)
	for i, c := range t.Divisions {
		counts[i] = c.N
	}
	rest = t.Open + t.Elsewhere
	hidden := Hide(counts)
	for i, c := range t.Divisions {
		if hidden[i].Hidden {
			rest += c.N
		} else {
			shown = append(shown, c)
		}
	}
	return shown, rest, nil
}

// without is how many divisions of the same kind, country and region have no signature; at most 3, which is as good as more.
func (t Tally) without(ctx context.Context, tx *gorm.DB, now time.Time) (int, error) {
	type region struct{ country, name string }
	has := map[region]int{}
	for _, c := range t.Divisions {
		has[region{c.Division.Country, c.Division.Region}]++
	}
	zeros, today := 0, day(now)
	for r, n := range has {
		var all int64
		err := tx.WithContext(ctx).Model(&models.Division{}).Where("country = ? AND region = ? AND kind = ?", r.country, r.name, t.Divisions[0].Division.Kind).
			Where(valid("divisions"), today, today).Count(&all).Error
		if err != nil {
			return 0, err
		}
		zeros += max(0, int(all)-n)
	}
	return min(zeros, 3), nil
}
