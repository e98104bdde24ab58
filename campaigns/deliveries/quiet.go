package deliveries

import (
	"sync"
	"time"

	"kithline/models"
)

var zones sync.Map // name to *time.Location

// zoneOf is the zone of a name, else the other one.
func zoneOf(name string, other *time.Location) *time.Location {
	if name != "" {
		if z, ok := zones.Load(name); ok {
			return z.(*time.Location)
		}
		if z, err := time.LoadLocation(name); err == nil {
			zones.Store(name, z)
			return z
		}
	}
	if other == nil {
		return time.UTC
	}
	return other
}

// QuietUntil is when the quiet hours end in which a moment falls in a zone, on the days of both clock changes too; the zero time
// where it falls in none.
func QuietUntil(l models.Limits, at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	if l.QuietFrom == l.QuietTo || !l.Quiet(local.Hour()*60+local.Minute()) {
		return time.Time{}
	}
	for day := local.Day(); ; day++ {
		end := time.Date(local.Year(), local.Month(), day, l.QuietTo/60, l.QuietTo%60, 0, 0, zone)
		if end.After(at) {
			return end.UTC()
		}
	}
}

// quiet is when a job may go that nobody asked for just now: the zero time where it may now.
func (e *engine) quiet(j *job) time.Time {
	if j.d.Purpose == models.PurposeReceipt || j.zone == nil {
		return time.Time{}
	}
	return QuietUntil(e.current(), e.s.clk.Now(), j.zone)
}
