package events

import (
	"slices"
	"strings"
	"time"

	"github.com/teambition/rrule-go"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of what a rule may be.
const (
	MinutesMax  = 3 * 24 * 60
	countMax    = 1000                 // COUNT
	horizonMax  = 20                   // years from the first date: UNTIL
	windowMax   = 800 * 24 * time.Hour // of Occurrences
	ahead       = 400 * 24 * time.Hour // how far public pages look
	startLayout = "2006-01-02T15:04"
)

// Occurrence is one date of an event.
type Occurrence struct {
	Original   time.Time // what a registration points to: when the rule has it
	Start, End time.Time
	Off        bool // it does not take place
	Moved      bool
	Extra      bool // the rule does not have it
	Note       string
}

// Occurrences lists the dates of an event that end after from and begin before until, in their order, with those that are off. It looks
// no further than 800 days. Times of a day that a clock change leaves out are those of the clock before it: 02:30 is then 03:30. Of a time
// that comes twice the first one counts. An event without a readable first day or rule has no dates.
func Occurrences(e models.Event, dates []models.EventDate, from, until time.Time) []Occurrence {
	zone := Zone(e)
	if until.Sub(from) > windowMax {
		until = from.Add(windowMax)
	}
	length := time.Duration(e.Minutes) * time.Minute
	special := map[int64]models.EventDate{}
	for _, d := range dates {
		special[d.OriginalAt.Unix()] = d
	}
	var out []Occurrence
	seen := map[int64]bool{}
	add := func(original time.Time, extra bool) {
		if seen[original.Unix()] {
			return
		}
		seen[original.Unix()] = true
		o := Occurrence{Original: original.UTC(), Start: original.UTC(), Extra: extra}
		if d, ok := special[original.Unix()]; ok {
			o.Off, o.Note = d.CancelledAt != nil, d.Note
			if d.StartsAt != nil {
				o.Start, o.Moved = d.StartsAt.UTC(), true
			}
		}
		o.End = o.Start.Add(length)
		if o.End.After(from) && o.Start.Before(until) {
			out = append(out, o)
		}
	}
	for _, t := range planned(e, zone, from.Add(-length), until) {
		add(t, false)
	}
	for _, d := range dates {
		switch {
		case d.Extra:
			add(d.OriginalAt, true)
		case d.StartsAt != nil && len(planned(e, zone, d.OriginalAt, d.OriginalAt.Add(time.Second))) > 0:
			add(d.OriginalAt, false) // moved into these days from others
		}
	}
	slices.SortFunc(out, func(a, b Occurrence) int {
		if c := a.Start.Compare(b.Start); c != 0 {
			return c
		}
		return a.Original.Compare(b.Original)
	})
	return out
}

// planned lists when the rule alone has dates that begin from one moment and before another.
func planned(e models.Event, zone *time.Location, from, until time.Time) []time.Time {
	first, err := time.Parse(startLayout, e.StartsOn)
	if err != nil {
		return nil
	}
	if e.Recurrence == "" {
		if t := onTheWall(first, zone); !t.Before(from) && t.Before(until) {
			return []time.Time{t}
		}
		return nil
	}
	o, err := ruleOf(e.Recurrence, first, zone)
	if err != nil {
		return nil
	}
	// The rule runs on the clock of the wall, as if there were no zones; what it finds is put into the zone afterwards.
	if end := floating(until, zone).Add(26 * time.Hour); o.Until.IsZero() || o.Until.After(end) {
		o.Until = end
	}
	r, err := rrule.NewRRule(*o)
	if err != nil {
		return nil
	}
	var out []time.Time
	for _, w := range r.Between(floating(from, zone).Add(-26*time.Hour), o.Until, true) {
		if t := onTheWall(w, zone); !t.Before(from) && t.Before(until) {
			out = append(out, t)
		}
	}
	return out
}

// ruleOf reads a rule of RFC 5545 that counts from a time on the wall. The fault is Invalid with the field recurrence.
func ruleOf(rule string, first time.Time, zone *time.Location) (*rrule.ROption, error) {
	bad := func(key string, args ...any) error {
		return fault.Fields{{Name: "recurrence", Key: key, Args: args}}.Err()
	}
	if strings.ContainsAny(rule, "\r\n:") || strings.Contains(strings.ToUpper(rule), "DTSTART") {
		return nil, bad("error.event_rule")
	}
	for part := range strings.SplitSeq(rule, ";") {
		name, value, ok := strings.Cut(part, "=")
		if !ok || value == "" {
			return nil, bad("error.event_rule")
		}
		switch name {
		case "FREQ", "INTERVAL", "COUNT", "UNTIL", "BYDAY", "BYMONTHDAY", "BYMONTH", "BYSETPOS", "WKST":
		default:
			return nil, bad("error.event_rule_part", "Part", name)
		}
	}
	o, err := rrule.StrToROption(rule)
	if err != nil {
		return nil, bad("error.event_rule")
	}
	if o.Freq > rrule.DAILY {
		return nil, bad("error.event_rule_often")
	}
	if strings.Contains(rule, "COUNT=") && (o.Count < 1 || o.Count > countMax) || o.Count > 0 && !o.Until.IsZero() || o.Interval < 0 || strings.Contains(rule, "INTERVAL=0") {
		return nil, bad("error.event_rule")
	}
	if !o.Until.IsZero() {
		switch _, until, _ := strings.Cut(rule, "UNTIL="); {
		case strings.Contains(strings.SplitN(until, ";", 2)[0], "Z"):
			o.Until = floating(o.Until, zone)
		case !strings.Contains(strings.SplitN(until, ";", 2)[0], "T"): // a day: all of it
			o.Until = o.Until.Add(24*time.Hour - time.Second)
		}
		if o.Until.Before(first) || o.Until.After(first.AddDate(horizonMax, 0, 0)) {
			return nil, bad("error.event_rule_until")
		}
	}
	o.Dtstart = first
	return o, nil
}

// Rule checks a rule and the first day that it counts from, and returns the rule as it is stored. The fault is Invalid, with the fields
// recurrence or starts_on.
func Rule(rule, startsOn, zoneName string) (string, error) {
	zone, err := time.LoadLocation(zoneName)
	if err != nil {
		return "", fault.Fields{{Name: "time_zone", Key: "error.value_unknown"}}.Err()
	}
	first, err := time.Parse(startLayout, startsOn)
	if err != nil {
		return "", fault.Fields{{Name: "starts_on", Key: "error.event_start"}}.Err()
	}
	rule = strings.TrimPrefix(strings.ToUpper(strings.Join(strings.Fields(rule), "")), "RRULE:")
	if rule == "" {
		return "", nil
	}
	o, err := ruleOf(rule, first, zone)
	if err != nil {
		return "", err
	}
	bounded := *o
	if end := first.AddDate(horizonMax, 0, 0); bounded.Until.IsZero() {
		bounded.Until = end
	}
	r, err := rrule.NewRRule(bounded)
	if err != nil {
		return "", fault.Fields{{Name: "recurrence", Key: "error.event_rule"}}.Err()
	}
	if next, ok := r.Iterator()(); !ok || !next.Equal(first) {
		return "", fault.Fields{{Name: "starts_on", Key: "error.event_start_rule"}}.Err()
	}
	return rule, nil
}

// ends is when the last date of an event is over; nil where it has no end.
func ends(e models.Event, dates []models.EventDate) *time.Time {
	zone := Zone(e)
	first, err := time.Parse(startLayout, e.StartsOn)
	if err != nil {
		return nil
	}
	last := onTheWall(first, zone)
	if e.Recurrence != "" {
		o, err := ruleOf(e.Recurrence, first, zone)
		if err != nil || o.Count == 0 && o.Until.IsZero() {
			return nil
		}
		if o.Until.IsZero() {
			o.Until = first.AddDate(100, 0, 0)
		}
		r, err := rrule.NewRRule(*o)
		if err != nil {
			return nil
		}
		if all := r.All(); len(all) > 0 {
			last = onTheWall(all[len(all)-1], zone)
		}
	}
	for _, d := range dates {
		for _, t := range []*time.Time{&d.OriginalAt, d.StartsAt} {
			if t != nil && (d.Extra || d.StartsAt == t) && t.After(last) {
				last = *t
			}
		}
	}
	last = last.Add(time.Duration(e.Minutes) * time.Minute).UTC()
	return &last
}

// floating is what the clock on the wall says at a moment, as a time without a zone.
func floating(t time.Time, zone *time.Location) time.Time {
	l := t.In(zone)
	return time.Date(l.Year(), l.Month(), l.Day(), l.Hour(), l.Minute(), l.Second(), 0, time.UTC)
}

// onTheWall is the moment at which the clock on the wall of a zone says a time, in that zone.
func onTheWall(w time.Time, zone *time.Location) time.Time {
	at := func(near time.Time) time.Time {
		_, offset := near.In(zone).Zone()
		return w.Add(-time.Duration(offset) * time.Second).In(zone)
	}
	before := at(w.Add(-26 * time.Hour))
	if floating(before, zone).Equal(w) {
		return before
	}
	if after := at(w.Add(26 * time.Hour)); floating(after, zone).Equal(w) {
		return after
	}
	return before // the clock leaves this time out
}

// next is the first date that takes place and is not over at a moment; ok is false where there is none.
func next(e models.Event, dates []models.EventDate, now time.Time) (Occurrence, bool) {
	for _, o := range Occurrences(e, dates, now, now.Add(ahead)) {
		if !o.Off {
			return o, true
		}
	}
	return Occurrence{}, false
}

// at is the date of an event that a registration points to; ok is false where there is none.
func at(e models.Event, dates []models.EventDate, original time.Time) (Occurrence, bool) {
	for _, d := range dates {
		if d.OriginalAt.Equal(original) && d.StartsAt != nil {
			for _, o := range Occurrences(e, dates, d.StartsAt.Add(-time.Second), d.StartsAt.Add(time.Second)) {
				if o.Original.Equal(original) {
					return o, true
				}
			}
		}
	}
	for _, o := range Occurrences(e, dates, original, original.Add(time.Second)) {
		if o.Original.Equal(original) {
			return o, true
		}
	}
	return Occurrence{}, false
}
