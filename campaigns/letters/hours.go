package letters

import (
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"kithline/campaigns/legislators"
)

// An office reads on weekdays from 8 to 18 by its own clock, and mail comes as people write it: less at the edges and at noon. weights
// are the parts of the cap that an hour takes, in percent.
const (
	opens  = 8
	closes = 18
)

var weights = [closes - opens]int{50, 80, 100, 100, 70, 90, 100, 100, 80, 50}

// weight is the part of the cap at a moment by an office's clock, in percent; 0 where the office is closed.
func weight(local time.Time) int {
	if d := local.Weekday(); d == time.Saturday || d == time.Sunday || local.Hour() < opens || local.Hour() >= closes {
		return 0
	}
	return weights[local.Hour()-opens]
}

// opening is when an office is open next: the moment itself while it is.
func opening(at time.Time, zone *time.Location) time.Time {
	local := at.In(zone)
	if weight(local) > 0 {
		return at
	}
	for day := local.Day(); ; day++ { // time.Date knows how long months and days are
		t := time.Date(local.Year(), local.Month(), day, opens, 0, 0, 0, zone)
		if t.After(at) && weight(t) > 0 {
			return t.UTC()
		}
	}
}

// spacing is the least time between two letters to an office: an hour and a minute for as many as the cap says, so that no 60 minutes
// ever hold more, whenever they begin.
func spacing(perHour int) time.Duration {
	return (time.Hour + time.Minute) / time.Duration(max(perHour, 1))
}

// gap is when the next letter goes after one at a moment: the spacing by the weight of the hour, and up to a third more by chance.
func gap(perHour int, local time.Time) time.Duration {
	w := max(weight(local), 50)
	d := spacing(perHour) * 100 / time.Duration(w)
	return d + time.Duration(rand.Int64N(int64(d)/3+1))
}

// morning spreads the first letters of a day over a while, so that not all offices begin at the stroke of eight.
func morning() time.Duration { return time.Duration(rand.Int64N(int64(20 * time.Minute))) }

// zones are those of states and territories of the United States, that of most of their people where there are several.
var zones = map[string]string{
	"AK": "America/Anchorage", "AL": "America/Chicago", "AR": "America/Chicago", "AS": "Pacific/Pago_Pago", "AZ": "America/Phoenix",
	"CA": "America/Los_Angeles", "CO": "America/Denver", "CT": "America/New_York", "DC": "America/New_York", "DE": "America/New_York",
	"FL": "America/New_York", "GA": "America/New_York", "GU": "Pacific/Guam", "HI": "Pacific/Honolulu", "IA": "America/Chicago",
	"ID": "America/Boise", "IL": "America/Chicago", "IN": "America/Indiana/Indianapolis", "KS": "America/Chicago", "KY": "America/New_York",
	"LA": "America/Chicago", "MA": "America/New_York", "MD": "America/New_York", "ME": "America/New_York", "MI": "America/Detroit",
	"MN": "America/Chicago", "MO": "America/Chicago", "MP": "Pacific/Guam", "MS": "America/Chicago", "MT": "America/Denver",
	"NC": "America/New_York", "ND": "America/Chicago", "NE": "America/Chicago", "NH": "America/New_York", "NJ": "America/New_York",
	"NM": "America/Denver", "NV": "America/Los_Angeles", "NY": "America/New_York", "OH": "America/New_York", "OK": "America/Chicago",
	"OR": "America/Los_Angeles", "PA": "America/New_York", "PR": "America/Puerto_Rico", "RI": "America/New_York", "SC": "America/New_York",
	"SD": "America/Chicago", "TN": "America/Chicago", "TX": "America/Chicago", "UT": "America/Denver", "VA": "America/New_York",
	"VI": "America/St_Thomas", "VT": "America/New_York", "WA": "America/Los_Angeles", "WI": "America/Chicago", "WV": "America/New_York",
	"WY": "America/Denver",
}

var located sync.Map // name to *time.Location: reading one means opening a file

func location(name string) (*time.Location, error) {
	if z, ok := located.Load(name); ok {
		return z.(*time.Location), nil
	}
	z, err := time.LoadLocation(name)
	if err == nil {
		located.Store(name, z)
	}
	return z, err
}

// zoneOf is the zone of the office that a letter goes to: by its state, else the organisation's own.
func zoneOf(m legislators.Member, w way, own *time.Location) *time.Location {
	for _, o := range m.Offices {
		if w.channel.OfficeID != nil && o.ID != *w.channel.OfficeID || o.Country != "" && !strings.EqualFold(o.Country, "US") {
			continue
		}
		if name, ok := zones[strings.ToUpper(o.Region)]; ok {
			if z, err := location(name); err == nil {
				return z
			}
		}
	}
	return own
}
