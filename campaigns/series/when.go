package series

import (
	"time"

	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// zoneOf is the time zone of a person: their own, or the organisation's.
func zoneOf(name string, org *time.Location) *time.Location {
	if name == "" {
		return org
	}
	return organisation.Zone(models.Organisation{TimeZone: name})
}

// waitEnds is when a wait that begins at t is over, in a time zone. Days keep the time of day; minutes and hours are as long as they
// are, whatever the clocks on the wall do.
func waitEnds(st models.SeriesStep, t time.Time, zone *time.Location) time.Time {
	switch st.WaitUnit {
	case "minutes":
		t = t.Add(time.Duration(st.WaitAmount) * time.Minute)
	case "hours":
		t = t.Add(time.Duration(st.WaitAmount) * time.Hour)
	case "days":
		local := t.In(zone)
		y, m, d := local.Date()
		t = notBefore(wall(y, m, d+st.WaitAmount, clockOf(local), zone), t)
	}
	return aligned(st, t, zone)
}

// wall is when the clocks on the wall show a time of day, counted as on a day without a change. A time that a change of the clocks
// leaves out is as much later as they are put forward.
func wall(y int, m time.Month, d int, of time.Duration, zone *time.Location) time.Time {
	t := time.Date(y, m, d, int(of/time.Hour), int(of%time.Hour/time.Minute), int(of%time.Minute/time.Second), int(of%time.Second), zone)
	if shown := clockOf(t); shown < of && of-shown <= 2*time.Hour { // within what was left out, and taken for earlier
		t = t.Add(of - shown)
	}
	return t
}

// clockOf is the time of day that the clocks on the wall show.
func clockOf(t time.Time) time.Duration {
	return time.Duration(t.Hour())*time.Hour + time.Duration(t.Minute())*time.Minute + time.Duration(t.Second())*time.Second + time.Duration(t.Nanosecond())
}

// notBefore is t, or a later limit.
func notBefore(t, limit time.Time) time.Time {
	if t.Before(limit) {
		t = limit
	}
	return clock.Trim(t)
}

// aligned is the first moment from t on that is on the weekday and at the time of day which a wait ends at; t itself where it says
// neither. A weekday alone is met by any time of that day.
func aligned(st models.SeriesStep, t time.Time, zone *time.Location) time.Time {
	if st.UntilWeekday < 0 && st.UntilMinute < 0 {
		return clock.Trim(t)
	}
	local := t.In(zone)
	y, m, d := local.Date()
	for ahead := range 9 {
		day := time.Date(y, m, d+ahead, 12, 0, 0, 0, zone) // noon is on the same day in every zone
		if st.UntilWeekday >= 0 && int(day.Weekday()) != st.UntilWeekday {
			continue
		}
		if st.UntilMinute < 0 {
			return notBefore(time.Date(y, m, d+ahead, 0, 0, 0, 0, zone), t)
		}
		if at := wall(y, m, d+ahead, time.Duration(st.UntilMinute)*time.Minute, zone); !at.Before(t) {
			return clock.Trim(at)
		}
	}
	return clock.Trim(t)
}

// late is how long after its day and hour a wait may still end: a server that stood still for longer waits for the next such day.
const late = time.Hour

// stillWaits is until when a wait goes on whose time is over: now or earlier where it does not.
func stillWaits(st models.SeriesStep, now time.Time, zone *time.Location) time.Time {
	if st.UntilWeekday < 0 && st.UntilMinute < 0 {
		return now
	}
	return aligned(st, now.Add(-late), zone)
}

// loud is the first moment from t on that is not in the quiet hours of a time zone. They may go over midnight.
func loud(sr models.Series, t time.Time, zone *time.Location) time.Time {
	from, until := sr.QuietFrom, sr.QuietUntil
	local := t.In(zone)
	minute := local.Hour()*60 + local.Minute()
	y, m, d := local.Date()
	switch {
	case from == until:
		return t
	case from < until && (minute < from || minute >= until):
		return t
	case from > until && minute < from && minute >= until:
		return t
	case from > until && minute >= from:
		d++
	}
	return notBefore(wall(y, m, d, time.Duration(until)*time.Minute, zone), t)
}

// dayStart is the beginning of a day in a time zone.
func dayStart(t time.Time, zone *time.Location) time.Time {
	y, m, d := t.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// moment is when a series with a fixed date takes everybody in.
func moment(sr models.Series, zone *time.Location) (time.Time, error) {
	day, err := time.ParseInLocation(time.DateOnly, sr.TriggerDate, zone)
	return clock.Trim(day.AddDate(0, 0, sr.TriggerDays)), err
}

// joinedOn are the stretches of time in which somebody joined whose anniversary, moved by the series' days, is the day that begins at day:
// one for each of the last 40 years. Who joined on 29 February has their day on 1 March in other years.
func joinedOn(sr models.Series, day time.Time, zone *time.Location) (spans [][2]time.Time) {
	y, m, d := day.AddDate(0, 0, -sr.TriggerDays).Date()
	for year := y - 1; year >= y-40; year-- {
		from := time.Date(year, m, d, 0, 0, 0, 0, zone)
		switch {
		case from.Month() != m: // 29 February of another year
			continue
		case m == time.March && d == 1 && !leap(y) && leap(year):
			from = time.Date(year, time.February, 29, 0, 0, 0, 0, zone)
		}
		spans = append(spans, [2]time.Time{clock.Trim(from), clock.Trim(time.Date(year, m, d+1, 0, 0, 0, 0, zone))})
	}
	return spans
}

func leap(year int) bool { return time.Date(year, time.February, 29, 0, 0, 0, 0, time.UTC).Day() == 29 }
