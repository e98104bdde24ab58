package petitions

import (
	"math"
	"time"

	"kithline/models"
)

// Outlook is what can be said about when a petition reaches its goal.
type Outlook string

// The outlooks.
const (
	OutlookReached Outlook = "reached" // it has
	OutlookOver    Outlook = "over"    // it takes no signatures any more
	OutlookEarly   Outlook = "early"   // not public for seven whole days, or fewer than ten signatures in them
	OutlookFar     Outlook = "far"     // at this pace not within five years
	OutlookDates   Outlook = "dates"   // between two days
)

// What a forecast needs: whole days, and signatures in them.
const (
	forecastDays  = 7
	forecastLeast = 10
	forecastFar   = 5 * 365
)

// Forecast is when a petition reaches its goal if the next days go as the last seven: their mean, give or take what days differ
// by. It knows nothing of news, mailings or weekends.
type Forecast struct {
	Outlook Outlook
	PerDay  float64   // the mean of the last seven whole days
	Left    int       // to the goal
	Early   time.Time // the first day on which it may be reached
	Late    time.Time // the last; zero where the days differ so much that none can be said
	// With a last day to sign: how many there may be by then.
	AtDeadlineLow, AtDeadlineHigh int
}

// forecast looks at the days of a report, the last of which is today and not over yet.
func forecast(p models.Petition, days []Stretch, now time.Time) Forecast {
	f := Forecast{Left: p.Goal - p.Total()}
	whole := days[len(days)-1-forecastDays : len(days)-1]
	n := sum(whole, func(d Stretch) int { return d.Confirmed })
	f.PerDay = float64(n) / forecastDays
	switch {
	case f.Left <= 0:
		f.Left, f.Outlook = 0, OutlookReached
		return f
	case !openAt(p, now) && p.PausedAt == nil:
		f.Outlook = OutlookOver
		return f
	case p.PublishedAt == nil || p.PublishedAt.After(whole[0].At) || n < forecastLeast:
		f.Outlook = OutlookEarly
		return f
	}
	// Twice the standard error of the mean: from how much the days differ, and at least what chance alone makes of a count.
	var squares float64
	for _, d := range whole {
		squares += (float64(d.Confirmed) - f.PerDay) * (float64(d.Confirmed) - f.PerDay)
	}
	give := 2 * math.Max(math.Sqrt(squares/(forecastDays-1)/forecastDays), math.Sqrt(float64(n))/forecastDays)
	low, high := math.Max(0, f.PerDay-give), f.PerDay+give
	if p.DeadlineAt != nil {
		left := math.Max(0, p.DeadlineAt.Sub(now).Hours()/24)
		f.AtDeadlineLow, f.AtDeadlineHigh = p.Total()+int(low*left), p.Total()+int(math.Ceil(high*left))
	}
	f.Outlook = OutlookDates
	soonest := math.Ceil(float64(f.Left) / high)
	if soonest > forecastFar {
		f.Outlook = OutlookFar
		return f
	}
	f.Early = now.AddDate(0, 0, int(soonest))
	if low > 0 {
		if latest := math.Ceil(float64(f.Left) / low); latest <= forecastFar {
			f.Late = now.AddDate(0, 0, int(latest))
		}
	}
	return f
}
