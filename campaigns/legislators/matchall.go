package legislators

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// validDivision is divisions.Valid in SQL for the divisions called d; it takes today twice.
const validDivision = "d.same_as = '' AND d.valid_from <= ? AND (d.valid_through = '' OR d.valid_through >= ?)"

// homesSQL tells the state of each supporter as COUNTRY-REGION: by what the person, a point or an organizer said, else by the postal
// code, where that lies in one state alone, else by the state in the record, where the postal code is in none that is known. That is the
// order of Find. It takes today twice, ByPostal, and today twice.
const homesSQL = `SELECT p.id AS supporter_id, CASE WHEN a.lo = a.hi THEN a.lo WHEN b.lo = b.hi THEN b.lo WHEN a.lo IS NULL AND b.lo IS NULL AND p.region <> '' THEN p.country || '-' || UPPER(p.region) END AS state
	FROM supporters p
	LEFT JOIN (SELECT x.supporter_id AS id, MIN(d.country || '-' || d.region) AS lo, MAX(d.country || '-' || d.region) AS hi
		FROM supporter_divisions x JOIN divisions d ON d.id = x.division_id AND ` + validDivision + ` WHERE x.how <> ? GROUP BY x.supporter_id) a ON a.id = p.id
	LEFT JOIN (SELECT s.id, MIN(d.country || '-' || d.region) AS lo, MAX(d.country || '-' || d.region) AS hi
		FROM supporters s JOIN postal_divisions q ON q.postal_area = s.postal_area AND (s.country = '' OR q.country = s.country)
		JOIN divisions d ON d.id = q.division_id AND ` + validDivision + ` WHERE s.postal_area <> '' GROUP BY s.id) b ON b.id = p.id`

// sqlText is a piece of SQL with its values.
type sqlText struct {
	sql  string
	args []any
}

// pairs is a SELECT of supporter_id and legislator_id: who is represented by whom beyond doubt, among the terms in force, called t, that
// where chooses. It needs no list of supporters, and no look at each.
func pairs(tx *gorm.DB, where string, values []any, now time.Time) (sqlText, error) {
	today := day(now)
	chosen := append([]any{today, today}, values...)
	seats := "SELECT DISTINCT t.legislator_id, t.ocd_id, t.division_id FROM terms t WHERE " + inForce + " AND " + where
	var ids []string // a district that is a whole state is as good as the state, unless it is over
	err := tx.Raw("SELECT DISTINCT s.ocd_id FROM ("+seats+") s LEFT JOIN divisions d ON d.ocd_id = s.ocd_id WHERE s.ocd_id <> '' AND (s.ocd_id NOT LIKE ? OR d.id IS NULL OR "+validDivision+")",
		append(slices.Clone(chosen), "%"+atLarge, today, today)...).Scan(&ids).Error
	if err != nil {
		return sqlText{}, err
	}
	var states, countries []any
	whole := []string{""} // ids that are answered by the state of a person, not by their divisions
	for _, id := range ids {
		parts := strings.Split(strings.TrimSuffix(id, atLarge), "/")
		if len(parts) < 2 || len(parts) > 3 {
			continue
		}
		whole = append(whole, id)
		_, country, _ := strings.Cut(parts[1], ":")
		if len(parts) == 2 {
			countries = append(countries, id, strings.ToUpper(country))
			continue
		}
		_, region, _ := strings.Cut(parts[2], ":")
		states = append(states, id, strings.ToUpper(country+"-"+region))
	}
	var out sqlText
	if len(whole) > 1 {
		out = sqlText{"WITH homes AS MATERIALIZED (" + homesSQL + ") ", []any{today, today, models.ByPostal, today, today}}
	}
	// A term may have been read before its division was, and then knows it by its id alone, or by another name of it.
	out.sql += `SELECT x.supporter_id, s.legislator_id FROM (` + seats + ` AND t.ocd_id NOT IN ?) s
		LEFT JOIN divisions e ON e.ocd_id = s.ocd_id LEFT JOIN divisions n ON n.ocd_id = e.same_as AND e.same_as <> ''
		JOIN divisions d ON d.id = COALESCE(s.division_id, n.id, e.id) AND ` + validDivision + ` JOIN supporter_divisions x ON x.division_id = d.id`
	out.args = append(append(out.args, chosen...), whole, today, today)
	for _, w := range []struct {
		of   string
		list []any
	}{{"h.state", states}, {"substr(h.state, 1, 2)", countries}} {
		if len(w.list) == 0 {
			continue
		}
		rows := strings.TrimSuffix(strings.Repeat("(?, ?),", len(w.list)/2), ",")
		out.sql += ` UNION ALL SELECT h.supporter_id, v.legislator_id FROM homes h JOIN (SELECT s.legislator_id, w.column2 AS state FROM (VALUES ` + rows + `) w JOIN (` + seats + `) s ON s.ocd_id = w.column1) v ON ` + w.of + ` = v.state`
		out.args = append(append(out.args, w.list...), chosen...)
	}
	return out, nil
}

// MatchAll hands over everybody who is represented in a chamber beyond doubt, on the day of now, with each who sits for them there: in one
// statement, in no order. Who lives in a postal code of several districts, and did not say which, is not among them. Any caller, in tx.
func MatchAll(ctx context.Context, tx *gorm.DB, chamber uuid.UUID, now time.Time, each func(supporter, legislator uuid.UUID) error) error {
	tx = tx.WithContext(ctx)
	p, err := pairs(tx, "t.chamber_id = ?", []any{chamber}, now)
	if err != nil {
		return err
	}
	rows, err := tx.Raw(p.sql, p.args...).Rows()
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // what it may say, Err says too
	for rows.Next() {
		var supporter, legislator uuid.UUID
		if err := rows.Scan(&supporter, &legislator); err != nil {
			return err
		}
		if err := each(supporter, legislator); err != nil {
			return err
		}
	}
	return rows.Err()
}
