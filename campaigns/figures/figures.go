// Package figures counts what was confirmed, by day and by source, for the reports of whatever people take part in.
package figures

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// Days is how many days the chart of a report has.
const Days = 30

// Day is how many were confirmed on a day.
type Day struct {
	Day   time.Time // its midnight in the zone that was asked for
	Count int64
}

// Source is how many confirmed ones came by a source.
type Source struct {
	Source string // "" straight to the page
	Count  int64
}

// Course counts the confirmed rows of a table (signatures, submissions) that belong to id by their column owner: by day, as days
// are in zone, the last Days of them up to now and the oldest first; and by source, the twelve busiest. table and owner are words
// of the program, never of a person.
func Course(ctx context.Context, tx *gorm.DB, table, owner string, id uuid.UUID, now time.Time, zone *time.Location) (days []Day, sources []Source, err error) {
	tx = tx.WithContext(ctx)
	y, m, d := now.In(zone).Date()
	var parts []string
	var args []any
	for i := range Days {
		from, to := time.Date(y, m, d-Days+1+i, 0, 0, 0, 0, zone), time.Date(y, m, d-Days+2+i, 0, 0, 0, 0, zone)
		days = append(days, Day{Day: from})
		parts = append(parts, `SELECT CAST(? AS integer) AS day, COUNT(*) AS n FROM `+table+`
			WHERE `+owner+` = ? AND state = 'confirmed' AND confirmed_at >= ? AND confirmed_at < ?`)
		args = append(args, i, id, from.UTC(), to.UTC())
	}
	var rows []struct {
		Day int
		N   int64
	}
	if err := tx.Raw(strings.Join(parts, " UNION ALL "), args...).Scan(&rows).Error; err != nil {
		return nil, nil, err
	}
	for _, row := range rows {
		days[row.Day].Count = row.N
	}
	err = tx.Table(table).Select("source, COUNT(*) AS count").Where(owner+" = ? AND state = 'confirmed'", id).
		Group("source").Order("count DESC, source").Limit(12).Scan(&sources).Error
	return days, sources, err
}
