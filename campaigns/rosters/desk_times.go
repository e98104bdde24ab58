package rosters

import (
	"time"

	"kithline/campaigns/fault"
)

// Local is a time as a form says it, in the zone of a roster. The zero value is no time.
type Local struct {
	Day   string // 2027-03-09
	Clock string // 10:45
	Twice string // which of two is meant, where the clock is set back and shows this time twice: first or second
}

// Empty reports whether nothing was said.
func (l Local) Empty() bool { return l.Day == "" && l.Clock == "" }

// LocalOf is a moment as a form says it; the zero value for none.
func LocalOf(t *time.Time, zone *time.Location) Local {
	if t == nil {
		return Local{}
	}
	at := t.In(zone)
	l := Local{Day: at.Format(time.DateOnly), Clock: at.Format("15:04")}
	if first, second := deskBoth(at, zone); !first.Equal(second) {
		l.Twice = "first"
		if at.Equal(second) {
			l.Twice = "second"
		}
	}
	return l
}

// in is the moment that is meant, nil for none, and notes at a field what is wrong with it: no time at all, one that the clock leaves
// out, or one that it shows twice where nobody said which.
func (l Local) in(zone *time.Location, field string, bad *fault.Fields) *time.Time {
	if l.Empty() {
		return nil
	}
	wall, err := time.Parse("2006-01-02 15:04", l.Day+" "+l.Clock)
	if err != nil || wall.Year() < 2000 || wall.Year() > 2200 {
		bad.Add(field, "error.rosterdesk_time")
		return nil
	}
	at := deskWall(wall, zone)
	if at.Format("2006-01-02 15:04") != l.Day+" "+l.Clock {
		bad.Add(field, "error.rosterdesk_time_skipped", "Time", l.Clock)
		return nil
	}
	first, second := deskBoth(at, zone)
	switch {
	case first.Equal(second), l.Twice == "first":
		at = first
	case l.Twice == "second":
		at = second
	default:
		bad.Add(field, "error.rosterdesk_time_twice", "Time", l.Clock)
		return nil
	}
	at = at.UTC()
	return &at
}

// deskWall is the moment at which the clocks of a zone show what wall says.
func deskWall(wall time.Time, zone *time.Location) time.Time {
	return time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, zone)
}

// deskBoth are the two moments at which the clocks of a zone show the same as at one, the same twice where there is one. Clocks are set
// back by at most some hours.
func deskBoth(at time.Time, zone *time.Location) (first, second time.Time) {
	const shown = "2006-01-02 15:04"
	first, second = at.In(zone), at.In(zone)
	for _, quarters := range []int{1, 2, 3, 4, 6, 8, 12} { // of an hour: half an hour on Lord Howe, one elsewhere
		d := time.Duration(quarters) * 15 * time.Minute
		if t := at.Add(-d).In(zone); t.Format(shown) == at.In(zone).Format(shown) {
			first = t
		}
		if t := at.Add(d).In(zone); t.Format(shown) == at.In(zone).Format(shown) {
			second = t
		}
	}
	return first, second
}

// deskMoved is a moment so many days later by the calendar of a zone, at the same time by its clocks. Where the clocks leave that time
// out, it is as much after midnight as it was.
func deskMoved(t *time.Time, days int, zone *time.Location) *time.Time {
	if t == nil {
		return nil
	}
	at := t.In(zone)
	moved := time.Date(at.Year(), at.Month(), at.Day()+days, at.Hour(), at.Minute(), at.Second(), at.Nanosecond(), zone).UTC()
	return &moved
}
