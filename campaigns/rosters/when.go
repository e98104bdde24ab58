package rosters

import (
	"strings"
	"time"

	"kithline/models"
)

// takeZone is a time zone by its name, or another where there is none of that name.
func takeZone(name string, other *time.Location) *time.Location {
	if name == "" {
		return other
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return other
	}
	return zone
}

// ZoneOf is the zone that the times of a roster are said in.
func ZoneOf(r models.Roster) *time.Location { return takeZone(r.TimeZone, time.UTC) }

// ZoneName is a zone as people say it: New York.
func ZoneName(zone *time.Location) string {
	name := zone.String()
	return strings.ReplaceAll(name[strings.LastIndexByte(name, '/')+1:], "_", " ")
}

// When says when a shift is, in words, in a zone. at is the time that somebody named for a window; nil: none.
func (s *Service) When(lang string, sh models.Shift, at *time.Time, zone *time.Location) string {
	local := func(t time.Time) (day, hour string) {
		t = t.In(zone)
		return s.Day(lang, t), t.Format("15:04")
	}
	switch {
	case sh.Kind == models.ShiftFixed && sh.StartsAt != nil && sh.EndsAt != nil:
		from, begins := local(*sh.StartsAt)
		until, ends := local(*sh.EndsAt)
		if from == until {
			return s.Words(lang, "rosters.when_fixed", "Day", from, "From", begins, "Until", ends)
		}
		return s.Words(lang, "rosters.when_night", "Day", from, "From", begins, "LastDay", until, "Until", ends)
	case at != nil:
		day, hour := local(*at)
		return s.Words(lang, "rosters.when_named", "Day", day, "From", hour, "Count", sh.Minutes)
	case sh.EndsAt == nil:
		return s.Words(lang, "rosters.when_any")
	case sh.Kind == models.ShiftWindow && sh.StartsAt != nil && sh.StartsAt.After(s.Clock.Now()):
		day, hour := local(*sh.StartsAt)
		last, until := local(*sh.EndsAt)
		return s.Words(lang, "rosters.when_window", "Day", day, "From", hour, "LastDay", last, "Until", until, "Count", sh.Minutes)
	}
	last, until := local(*sh.EndsAt)
	return s.Words(lang, "rosters.when_before", "LastDay", last, "Until", until, "Count", sh.Minutes)
}

// WhenFor is When in a roster's zone, and in the person's own where that reads otherwise; own is "" where it does not.
func (s *Service) WhenFor(lang string, r models.Roster, sh models.Shift, at *time.Time, zone string) (when, own string) {
	when = s.When(lang, sh, at, ZoneOf(r))
	if other := s.When(lang, sh, at, takeZone(zone, ZoneOf(r))); other != when {
		own = other
	}
	return when, own
}
