package web

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// Course is the part of a petition's report that shows how it goes: for the template "petition_course".
type Course struct {
	Report      petitions.Report
	DaysChart   Bars
	HoursChart  Bars
	Outlook     string // when the goal is reached, in words
	ByDeadline  string // "" without one
	Rate        string // how much of the forms is confirmed; "" without any
	LivePath    string
	MostSource  int
	MostPlace   int
	SourceNames []string // of Report.Sources
	Comments    int      // that wait to be read; -1 for a reader who decides about none
}

// CourseOf puts a report into words. live is where its numbers follow: see LiveNumbers.
func CourseOf(p Page, r petitions.Report, live string) Course {
	c := Course{Report: r, LivePath: live, MostSource: 1, MostPlace: 1, Comments: -1}
	c.DaysChart = courseBars(p, "days", "petition.days", "petition.day", "petition.days_table", p.T("petition.days_none"), r.Days, func(d petitions.Stretch) string { return p.Date(d.At) })
	if best := r.Best(); best.Confirmed > 0 {
		c.DaysChart.Say = p.T("petition.days_best", "Date", p.Date(best.At), "Count", best.Confirmed)
	}
	c.HoursChart = courseBars(p, "hours", "reach.hours", "reach.hour", "reach.hours_table", p.T("reach.hours_none"), r.Hours, func(d petitions.Stretch) string { return p.DateTime(d.At) })
	if best := r.BestHour(); best.Confirmed > 0 {
		c.HoursChart.Say = p.T("reach.hours_best", "Time", p.DateTime(best.At), "Count", best.Confirmed)
	}
	for i, day := range r.Days {
		c.DaysChart.Rows[i].Mark = shortDay(p.Lang, day.At)
	}
	for i, hour := range r.Hours {
		c.HoursChart.Rows[i].Mark = p.Time(hour.At)
	}
	if signed := r.Signed(); signed > 0 {
		c.Rate = p.T("reach.pending_rate", "Percent", p.Percent(min(r.Confirmed(), signed), signed))
	}
	for _, s := range r.Sources {
		c.MostSource = max(c.MostSource, s.Confirmed)
		c.SourceNames = append(c.SourceNames, sourceName(p, s.Source))
	}
	for _, d := range r.Districts.Rows {
		c.MostPlace = max(c.MostPlace, d.N)
	}
	f := r.Forecast
	rate := p.Number(int(f.PerDay + 0.5))
	if f.PerDay < 10 {
		rate = strings.TrimSuffix(fmt.Sprintf("%.1f", f.PerDay), ".0")
		if p.Lang == "es" {
			rate = strings.Replace(rate, ".", ",", 1)
		}
	}
	switch {
	case f.Outlook == petitions.OutlookDates && f.Late.IsZero():
		c.Outlook = p.T("reach.forecast_open", "Early", p.Date(f.Early), "Rate", rate)
	default:
		c.Outlook = p.T("reach.forecast_"+string(f.Outlook), "Early", p.Date(f.Early), "Late", p.Date(f.Late), "Rate", rate)
	}
	if f.AtDeadlineHigh > 0 {
		c.ByDeadline = p.T("reach.forecast_deadline", "Low", p.Number(f.AtDeadlineLow), "High", p.Number(f.AtDeadlineHigh))
	}
	return c
}

func courseBars(p Page, id, title, head, table, none string, all []petitions.Stretch, label func(petitions.Stretch) string) Bars {
	b := Bars{ID: id, Title: p.T(title), RowHead: p.T(head), Series: []string{p.T("reach.col_confirmed"), p.T("reach.not_confirmed")}, TableName: p.T(table), Say: none, Format: p.Digits}
	for _, d := range all { // a form counts in the hour it came, a signature in that of its confirmation
		b.Rows = append(b.Rows, BarRow{Label: label(d), Values: []int64{int64(d.Confirmed), int64(max(0, d.Signed-d.Confirmed))}})
	}
	return b
}

// ownSources are the codes that links of ours have, with words for each.
var ownSources = map[string]bool{
	"share": true, "paste": true, "mail": true, "qr": true, "poster": true, "card": true, "embed": true, "badge": true, "feed": true, "signer": true,
}

func sourceName(p Page, code string) string {
	switch {
	case code == "":
		return p.T("petition.source_direct")
	case ownSources[code]:
		return p.T("reach.source_" + code)
	}
	return code
}

// How long a live page goes on, how often a silent one says that it lives, and how often it is asked whether its reader may still
// look.
const (
	liveFor   = 10 * time.Minute
	liveBeat  = 15 * time.Second
	liveCheck = 20 * time.Second
)

// liveMost is how many live pages one person may have open at once: more keep the numbers that they came with.
const liveMost = 20

// LiveNumbers answers with the numbers of a report as they change (server-sent events), until the reader goes, may not look any more, or
// ten minutes are over: the browser then asks again by itself. Who does not ask for events gets the numbers once. again says who
// the reader a is then. The rights and faults are those of petitions.Service.Watch, and TooMany.
func (w *Web) LiveNumbers(c *fiber.Ctx, s *petitions.Service, id uuid.UUID, a actor.Actor, again func(context.Context) (actor.Actor, error)) error {
	page := w.Page(c, "", "petitions")
	if !strings.Contains(c.Get(fiber.HeaderAccept), "text/event-stream") {
		n, err := s.Numbers(c.UserContext(), a, id)
		if err != nil {
			return err
		}
		c.Set(fiber.HeaderCacheControl, "no-store")
		return c.JSON(numbersIn(page, n))
	}
	news, end, err := s.Watch(c.UserContext(), a, id)
	if err != nil {
		return err
	}
	return Live(w, c, a, news, end, func(n petitions.Numbers) map[string]string { return numbersIn(page, n) }, func(ctx context.Context) bool {
		now, err := again(ctx)
		if err == nil {
			_, err = s.Get(ctx, now, id)
		}
		return err != nil && !ours(err)
	})
}

// Live answers with what comes over news, each in the words of say, as server-sent events for the script live.js: until the reader
// goes, news is closed, gone says that a may not look any more, or ten minutes are over; the browser then asks again by itself. end is called
// at the end, and where a has too many live pages open, which is a TooMany fault.
func Live[T any](w *Web, c *fiber.Ctx, a actor.Actor, news <-chan T, end func(), say func(T) map[string]string, gone func(context.Context) bool) error {
	release, err := w.streams.Take(a.UserID.String() + a.MailboxID.String())
	if err != nil {
		end()
		return err
	}
	return w.Stream(c, "text/event-stream", func(ctx context.Context, out *bufio.Writer) error {
		defer release()
		defer end()
		return follow(w, out, news, say, func() bool { return gone(ctx) })
	})
}

func follow[T any](w *Web, out *bufio.Writer, news <-chan T, words func(T) map[string]string, gone func() bool) error {
	over := time.NewTimer(liveFor)
	defer over.Stop()
	beat, check := time.NewTicker(liveBeat), time.NewTicker(liveCheck)
	defer beat.Stop()
	defer check.Stop()
	say := func(text string) error {
		if _, err := out.WriteString(text); err != nil {
			return err
		}
		return out.Flush()
	}
	if err := say("retry: 5000\n\n"); err != nil {
		return err
	}
	for {
		var text string
		select {
		case n, more := <-news:
			if !more {
				return say("event: end\ndata: {}\n\n")
			}
			b, err := json.Marshal(words(n))
			if err != nil {
				return err
			}
			text = "event: numbers\ndata: " + string(b) + "\n\n"
		case <-beat.C:
			text = ": here\n\n"
		case <-check.C:
			if gone() {
				return say("event: end\ndata: {}\n\n")
			}
		case <-over.C:
			return nil
		case <-w.Draining():
			return nil
		}
		if text != "" {
			if err := say(text); err != nil {
				return err
			}
		}
	}
}

// numbersIn writes the numbers as the reader's language does, by the names that the page has for them.
func numbersIn(p Page, n petitions.Numbers) map[string]string {
	return map[string]string{
		"total": p.Number(n.Total), "confirmed": p.Number(n.Confirmed), "paper": p.Number(n.Paper), "pending": p.Number(n.Pending),
		"recruited": p.Number(n.Recruited), "hour": p.Number(n.LastHour), "percent": p.Percent(n.Total, n.Goal),
		"say": p.T("reach.live_said", "Count", n.Total, "Pending", p.Number(n.Pending)),
	}
}

// Reached are the milestones, each number once.
func (c Course) Reached() []models.PetitionThreshold {
	var out []models.PetitionThreshold
	for _, m := range c.Report.Milestones {
		if len(out) == 0 || out[len(out)-1].Count != m.Count {
			out = append(out, m)
		}
	}
	return out
}
