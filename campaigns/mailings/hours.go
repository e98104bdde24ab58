package mailings

import (
	"bufio"
	"context"
	_ "embed"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/organisation"
	"kithline/models"
	"kithline/models/database"
)

//go:embed zones.txt
var zonesText string

// placeZones are the time zones of places, by country or country-region.
var placeZones = sync.OnceValue(func() map[string]string {
	out := map[string]string{}
	for lines := bufio.NewScanner(strings.NewReader(zonesText)); lines.Scan(); {
		if place, zone, ok := strings.Cut(lines.Text(), " "); ok && place != "#" {
			out[place] = zone
		}
	}
	return out
})

// zoneKey says by what the time zone of a supporter p is found: the one that the person chose, or country-region.
const zoneKey = "CASE WHEN p.time_zone <> '' THEN p.time_zone ELSE p.country || '-' || p.region END"

// zoneOf is the time zone of a zoneKey; home, the organisation's, where it says none that is known.
func zoneOf(key string, home *time.Location) *time.Location {
	name := key
	if len(key) >= 3 && key[2] == '-' { // no name of a zone has its dash there
		if name = placeZones()[strings.ToUpper(key)]; name == "" {
			name = placeZones()[strings.ToUpper(key[:2])]
		}
	}
	if name == "" || name == "-" || name == "Local" {
		return home
	}
	z, err := time.LoadLocation(name)
	if err != nil {
		return home
	}
	return z
}

// clockAt is when the clocks of a zone show what wall, a time of any zone, shows: the first time of two in the night in which an
// hour comes twice. In the night in which that hour is missing it is as long after midnight as if it was not: 2:30 becomes 3:30
// by the new time, as in RFC 5545, section 3.3.5.
func clockAt(wall time.Time, zone *time.Location) time.Time {
	shown := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, time.UTC)
	at := func(near time.Time) time.Time { // by the offset that holds at another time
		_, offset := near.In(zone).Zone()
		return shown.Add(-time.Duration(offset) * time.Second)
	}
	// No zone is further than 14 hours from UTC, and none changes twice within two days.
	before, after := at(shown.Add(-24*time.Hour)), at(shown.Add(24*time.Hour))
	shows := func(t time.Time) bool {
		t = t.In(zone)
		return t.Day() == shown.Day() && t.Hour() == shown.Hour() && t.Minute() == shown.Minute()
	}
	if !shows(before) && shows(after) {
		return after
	}
	return before
}

// minutesOf is the minute of the day that t shows.
func minutesOf(t time.Time) int { return t.Hour()*60 + t.Minute() }

// outside moves a time out of the quiet hours of a zone, which go from one minute of the day to another and may pass midnight:
// to the end of them. Equal minutes are no quiet hours.
func outside(t time.Time, zone *time.Location, from, to int) time.Time {
	local := t.In(zone)
	now := minutesOf(local)
	quiet := now >= from && now < to
	if from > to {
		quiet = now >= from || now < to
	}
	if !quiet {
		return t
	}
	day := local.Day()
	if now >= to { // it ends on the next day
		day++
	}
	end := clockAt(time.Date(local.Year(), local.Month(), day, to/60, to%60, 0, 0, time.UTC), zone)
	if !end.After(t) { // in the night with an hour that comes twice
		return t
	}
	return end
}

// hours says when each person's copy may go.
type hours struct {
	home     time.Time            // for whoever is of no known zone
	by       map[string]time.Time // by zoneKey; only those that differ from home
	earliest time.Time
}

// hours works out when copies may go that are frozen at now: at the hour that was asked for, not before now, and never within
// the quiet hours of the person.
func (s *Service) hours(ctx context.Context, tx *gorm.DB, m models.Mailing, now time.Time) (hours, error) {
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return hours{}, err
	}
	from, to := 0, 0
	if s.Quiet != nil {
		if from, to, err = s.Quiet(ctx); err != nil {
			return hours{}, err
		}
	}
	home := organisation.Zone(org)
	due := func(zone *time.Location) time.Time {
		at := now
		if m.SendAt != nil {
			if at = *m.SendAt; m.LocalHour {
				at = clockAt(m.SendAt.In(home), zone)
			}
		}
		if at.Before(now) {
			at = now
		}
		return outside(at, zone, from, to).UTC()
	}
	h := hours{home: due(home), by: map[string]time.Time{}}
	h.earliest = h.home
	var keys []string
	err = tx.WithContext(ctx).Raw("SELECT DISTINCT " + zoneKey + " AS name FROM supporters p").Scan(&keys).Error
	for _, key := range keys {
		at := due(zoneOf(key, home))
		if at.Before(h.earliest) {
			h.earliest = at
		}
		if !at.Equal(h.home) {
			h.by[key] = at
		}
	}
	return h, err
}

// zones is the table that holds them aside while a mailing is frozen.
const zones = "mailing_zones"

// aside keeps the hours of the zones that differ in a table that only this transaction sees.
func (h hours) aside(tx *gorm.DB) error {
	if err := database.AsideTimes(tx, zones); err != nil {
		return err
	}
	type row struct {
		Name string
		Due  time.Time
	}
	rows := make([]row, 0, len(h.by))
	for name, due := range h.by {
		rows = append(rows, row{name, due})
	}
	return tx.Table(zones).CreateInBatches(rows, 500).Error
}
