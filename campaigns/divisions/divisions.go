// Package divisions keeps the places that elect somebody (Open Civic Data divisions, with dates), which postal code lies in
// them, their boundaries, and where each supporter lives.
//
// The rules: a person lives in one division of a kind. A postal area that lies in one division alone gives it; one that spans
// several leaves it open until the person chooses, since a list of postal codes is no proof. How a division was found is kept
// (models.DivisionHow), with the version of the data, and a weaker way never writes over a stronger one. A division that is
// over, by its own dates, stays with its people and is shown as ended, until something that is valid takes its place.
// Divisions are never deleted: those that a newer file lacks get a last day.
package divisions

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/postal"
	"kithline/models"
)

// Kinds lists the kinds that the program knows by name, in the order of pages.
var Kinds = []models.DivisionKind{models.DivisionCongress, models.DivisionUpper, models.DivisionLower, models.DivisionConstituency}

// strength orders the ways of finding a division.
var strength = []models.DivisionHow{models.ByPostal, models.ByPoint, models.ByPerson, models.ByHand}

// day is a moment as divisions are dated. They change at midnight, which is taken as that of UTC.
func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// Valid reports whether a division is one on that day: not over, not yet to come, and not another name for one.
func Valid(d models.Division, now time.Time) bool {
	today := day(now)
	return d.SameAs == "" && d.ValidFrom <= today && (d.ValidThrough == "" || today <= d.ValidThrough)
}

// valid is Valid in SQL, for the divisions called alias; it takes today twice.
func valid(alias string) string {
	return alias + ".same_as = '' AND " + alias + ".valid_from <= ? AND (" + alias + ".valid_through = '' OR " + alias + ".valid_through >= ?)"
}

// covers says, in SQL, that the postal area p is the one of the supporter s. Who told no country has that of any.
const covers = "p.postal_area = s.postal_area AND (s.country = '' OR p.country = s.country)"

// chunk is how many supporters, or other rows, one statement takes. crowd is how many are placed at once: enough that it matters
// little that the statement may read all postal areas.
const (
	chunk = 500
	crowd = 2000
)

// unique are the divisions, valid today, that alone of their kind contain the postal area of a supporter. It takes today twice, then
// a list of ids.
var unique = `SELECT supporter_id, kind, division_id, version FROM (
		SELECT s.id AS supporter_id, d.kind, p.division_id, p.version, COUNT(*) OVER (PARTITION BY s.id, d.kind) AS candidates
		FROM supporters s JOIN postal_divisions p ON ` + covers + ` JOIN divisions d ON d.id = p.division_id AND ` + valid("d") + `
		WHERE s.postal_area <> '' AND s.id IN ?
	) c WHERE candidates = 1`

// Place gives supporters the divisions that their postal area alone determines on the day of now, and takes from them those it
// gave before that it does not determine any more. What the person, a point or an organizer said is left as it is. Call it
// after a postal area or a country changed; any number of ids, in tx.
func Place(ctx context.Context, tx *gorm.DB, supporters []uuid.UUID, now time.Time) error {
	_, err := placeAll(ctx, tx, supporters, now)
	return err
}

// Placed counts what placing people changed.
type Placed struct {
	Looked int `json:"looked"` // people looked at
	Found  int `json:"found"`  // got a division, or another one
	Open   int `json:"open"`   // have none of a kind any more: their postal area spans several now, or lies in none
}

// insertSQL gives people what their postal area determines. It takes the way, now, today twice, and a list of ids.
var insertSQL = `INSERT INTO supporter_divisions (supporter_id, kind, division_id, how, version, updated_at)
	SELECT u.supporter_id, u.kind, u.division_id, ?, u.version, ? FROM (` + unique + `) u WHERE 1 = 1
	ON CONFLICT (supporter_id, kind) DO UPDATE SET division_id = excluded.division_id, version = excluded.version, updated_at = excluded.updated_at
	WHERE supporter_divisions.how = excluded.how AND (supporter_divisions.division_id <> excluded.division_id OR supporter_divisions.version <> excluded.version)`

// deleteSQL takes from people what it gave before and does not determine any more: what ended stays as long as the postal area still
// lies there and nothing that is valid contradicts it. It takes the way, a list of ids, and today twice. It joins once instead of
// asking for each row, which PostgreSQL would reckon so dear that it compiles the statement first.
var deleteSQL = `DELETE FROM supporter_divisions WHERE (supporter_id, kind) IN (
	SELECT x.supporter_id, x.kind FROM supporter_divisions x JOIN supporters s ON s.id = x.supporter_id
	LEFT JOIN postal_divisions p ON ` + covers + ` LEFT JOIN divisions d ON d.id = p.division_id
	WHERE x.how = ? AND x.supporter_id IN ? GROUP BY x.supporter_id, x.kind
	HAVING SUM(CASE WHEN p.division_id = x.division_id THEN 1 ELSE 0 END) = 0
		OR SUM(CASE WHEN p.division_id <> x.division_id AND d.kind = x.kind AND ` + valid("d") + ` THEN 1 ELSE 0 END) > 0)`

func placeAll(ctx context.Context, tx *gorm.DB, supporters []uuid.UUID, now time.Time) (Placed, error) {
	tx, today, sum := tx.WithContext(ctx), day(now), Placed{Looked: len(supporters)}
	// Most sites begin without postal areas: nothing can be determined then, and nothing was.
	var something []int
	if len(supporters) > 0 {
		if err := tx.Raw("SELECT 1 FROM postal_divisions UNION ALL SELECT 1 FROM supporter_divisions WHERE how = ? LIMIT 1", models.ByPostal).Scan(&something).Error; err != nil || len(something) == 0 {
			return sum, err
		}
	}
	err := planned(tx, func() error {
		for part := range slices.Chunk(supporters, crowd) {
			found := tx.Exec(insertSQL, models.ByPostal, now, today, today, part)
			if found.Error != nil {
				return found.Error
			}
			open := tx.Exec(deleteSQL, models.ByPostal, part, today, today)
			if open.Error != nil {
				return open.Error
			}
			sum.Found += int(found.RowsAffected)
			sum.Open += int(open.RowsAffected)
		}
		return nil
	})
	return sum, err
}

// Set notes in which division a supporter lives, and how that is known. The fault is NotFound, error.division_unknown, for one
// that is not there, Invalid, error.division_ended, for one that is not valid on the day of now, and Conflict,
// error.division_held, where a stronger way gave a division that is still valid. Setting what is set already changes nothing.
func Set(ctx context.Context, tx *gorm.DB, supporter, division uuid.UUID, how models.DivisionHow, now time.Time) error {
	tx = tx.WithContext(ctx)
	var d models.Division
	err := tx.Where("id = ?", division).Take(&d).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return fault.New(fault.NotFound, "error.division_unknown")
	}
	if err != nil {
		return err
	}
	if !Valid(d, now) {
		return fault.New(fault.Invalid, "error.division_ended")
	}
	row := models.SupporterDivision{SupporterID: supporter, Kind: d.Kind, DivisionID: d.ID, How: how, Version: d.Version, UpdatedAt: now}
	today := day(now)
	res := tx.Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "supporter_id"}, {Name: "kind"}},
		Where: clause.Where{Exprs: []clause.Expression{clause.Expr{
			SQL:  "supporter_divisions.how IN ? OR NOT EXISTS (SELECT 1 FROM divisions d WHERE d.id = supporter_divisions.division_id AND " + valid("d") + ")",
			Vars: []any{strength[:slices.Index(strength, how)+1], today, today},
		}}},
		DoUpdates: clause.AssignmentColumns([]string{"division_id", "how", "version", "updated_at"}),
	}).Create(&row)
	if res.Error != nil || res.RowsAffected > 0 {
		return res.Error
	}
	var held models.SupporterDivision
	if err := tx.Where("supporter_id = ? AND kind = ?", supporter, d.Kind).Take(&held).Error; err != nil {
		return err
	}
	if held.DivisionID == division {
		return nil
	}
	return fault.New(fault.Conflict, "error.division_held")
}

// Unset forgets in which division of a kind a supporter lives, however that was known, and lets the postal area say it again.
func Unset(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, kind models.DivisionKind, now time.Time) error {
	err := tx.WithContext(ctx).Where("supporter_id = ? AND kind = ?", supporter, kind).Delete(&models.SupporterDivision{}).Error
	if err != nil {
		return err
	}
	return Place(ctx, tx, []uuid.UUID{supporter}, now)
}

// Choice is the divisions of one kind that a postal code lies in, as a whole or in part.
type Choice struct {
	Kind      models.DivisionKind
	Divisions []models.Division // by OCD id; one alone determines where somebody lives, as far as the data knows
}

// Candidates lists the divisions, valid on the day of now, that a postal code lies in, by kind. country may be empty: then those of
// every country. The code may be written in any way that people write it. It is a list to choose from, never a proof.
func Candidates(ctx context.Context, tx *gorm.DB, country, code string, now time.Time) ([]Choice, error) {
	area := postal.Area(country, code)
	if area == "" {
		return nil, nil
	}
	q := tx.WithContext(ctx).Where("id IN (SELECT p.division_id FROM postal_divisions p WHERE p.postal_area = ? AND (? = '' OR p.country = ?))", area, country, country)
	var rows []models.Division
	today := day(now)
	if err := q.Where(valid("divisions"), today, today).Find(&rows).Error; err != nil {
		return nil, err
	}
	slices.SortFunc(rows, compare)
	var out []Choice
	for _, d := range rows {
		if n := len(out); n == 0 || out[n-1].Kind != d.Kind {
			out = append(out, Choice{Kind: d.Kind})
		}
		out[len(out)-1].Divisions = append(out[len(out)-1].Divisions, d)
	}
	return out, nil
}

// Home is a division of a supporter, and how it is known.
type Home struct {
	Division models.Division
	How      models.DivisionHow
	Version  string    // of the data it was found with
	Since    time.Time // of this answer
	Ended    bool      // the division is over: somebody has to say again where this person lives
	Doubt    bool      // the postal code lies elsewhere, as far as the data knows
}

// Of lists where a supporter lives, in the order of Kinds.
func Of(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, now time.Time) ([]Home, error) {
	tx = tx.WithContext(ctx)
	var rows []models.SupporterDivision
	if err := tx.Where("supporter_id = ?", supporter).Find(&rows).Error; err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.DivisionID
	}
	var list []models.Division
	if err := tx.Where("id IN ?", ids).Find(&list).Error; err != nil {
		return nil, err
	}
	var person models.Supporter
	if err := tx.Select("id", "country", "postal_area").Where("id = ?", supporter).Take(&person).Error; err != nil {
		return nil, err
	}
	by, err := Candidates(ctx, tx, person.Country, person.PostalArea, now)
	if err != nil {
		return nil, err
	}
	out := make([]Home, 0, len(rows))
	for _, r := range rows {
		h := Home{How: r.How, Version: r.Version, Since: r.UpdatedAt}
		for _, d := range list {
			if d.ID == r.DivisionID {
				h.Division = d
			}
		}
		h.Ended = !Valid(h.Division, now)
		for _, c := range by {
			if c.Kind == r.Kind {
				h.Doubt = !slices.ContainsFunc(c.Divisions, func(d models.Division) bool { return d.ID == r.DivisionID })
			}
		}
		out = append(out, h)
	}
	slices.SortFunc(out, func(a, b Home) int { return compare(a.Division, b.Division) })
	return out, nil
}

// Choose is Set for what a person says on a page of their own: one of the candidates of the postal code in their record. The
// fault is Invalid, error.division_elsewhere, for any other; else those of Set.
func Choose(ctx context.Context, tx *gorm.DB, supporter, division uuid.UUID, now time.Time) error {
	var person models.Supporter
	if err := tx.WithContext(ctx).Select("id", "country", "postal_area").Where("id = ?", supporter).Take(&person).Error; err != nil {
		return err
	}
	list, err := Candidates(ctx, tx, person.Country, person.PostalArea, now)
	if err != nil {
		return err
	}
	for _, c := range list {
		for _, d := range c.Divisions {
			if d.ID == division {
				return Set(ctx, tx, supporter, division, models.ByPerson, now)
			}
		}
	}
	return fault.New(fault.Invalid, "error.division_elsewhere")
}
