package admin

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/fault"
	"kithline/models"
)

// periods are the windows that the form offers, by the ends of its fields.
var periods = []struct {
	name string
	per  time.Duration
}{
	{"second", time.Second}, {"minute", time.Minute}, {"hour", time.Hour}, {"day", 24 * time.Hour},
}

// limitsForm is the form as it was typed: by the name of each field.
type limitsForm map[string]string

type limitsPage struct {
	web.Page
	Form    limitsForm
	Domains []string  // the beginnings of the names of the rows: domain_1
	Plan    []planDay // of the warm-up that holds
	More    bool      // another row fits
}

// planDay is a day of the warm-up.
type planDay struct {
	Day   int
	Date  time.Time
	Mails int
	Now   bool
}

// Rate is one field for a rate.
type rateField struct{ Name, Label, Value string }

// Rates are the fields for the rates that begin with a name.
func (p limitsPage) Rates(of string) []rateField {
	var out []rateField
	for _, x := range periods {
		out = append(out, rateField{of + "_" + x.name, p.T("limits.per_" + x.name), p.Form[of+"_"+x.name]})
	}
	return out
}

func domainRow(i int) string { return "domain_" + strconv.Itoa(i+1) }

func (h *deliverPages) limits(c *fiber.Ctx) error {
	l, err := h.svc.LimitsFor(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	p := &limitsPage{Page: h.web.Page(c, "settings.title", "settings")}
	p.fill(l, h.clock.Now())
	return h.web.Render(c, "admin/settings/limits", p)
}

// fill shows what holds.
func (p *limitsPage) fill(l models.Limits, now time.Time) {
	f := limitsForm{}
	number := func(name string, n int) {
		if n > 0 {
			f[name] = p.Digits(int64(n))
		}
	}
	windows := func(of string, ws []models.Window) {
		for _, w := range ws {
			for _, x := range periods {
				if w.Per == x.per {
					number(of+"_"+x.name, w.Count)
				}
			}
		}
	}
	windows("account", l.Account)
	number("connections", l.Connections)
	rows := 0
	for _, d := range l.Domains {
		name := "other"
		if d.Domain != "" {
			name = domainRow(rows)
			f[name] = d.Domain
			rows++
		}
		number(name+"_connections", d.Connections)
		windows(name, d.Windows)
	}
	zone := p.Site.Zone
	if zone == nil {
		zone = time.UTC
	}
	if w := l.WarmUp; w != nil {
		f["warmup"], f["warmup_starts"], f["warmup_growth"] = "yes", w.Starts.In(zone).Format(time.DateOnly), decimal(w.Growth)
		number("warmup_first", w.FirstDay)
		number("warmup_until", w.Until)
		for n := range w.Days() {
			mails, _ := w.Day(n)
			starts := w.Starts.Add(time.Duration(n) * 24 * time.Hour)
			p.Plan = append(p.Plan, planDay{n + 1, starts, mails, !now.Before(starts) && now.Before(starts.Add(24*time.Hour))})
		}
	} else {
		f["warmup_starts"], f["warmup_first"], f["warmup_growth"], f["warmup_until"] = now.In(zone).Format(time.DateOnly), "50", "1.5", p.Digits(20000)
	}
	if l.BrakeShare > 0 {
		f["brake_share"] = decimal(l.BrakeShare * 100)
	}
	number("brake_window", l.BrakeWindow)
	f["quiet_from"], f["quiet_to"] = clockTime(l.QuietFrom), clockTime(l.QuietTo)
	number("approve_above", l.ApproveAbove)
	p.Form = f
	p.rows(rows + 1)
}

// rows makes as many rows for domains, as far as there may be so many.
func (p *limitsPage) rows(n int) {
	p.Domains = nil
	for i := range min(n, deliverability.MaxDomains) {
		p.Domains = append(p.Domains, domainRow(i))
	}
	p.More = len(p.Domains) < deliverability.MaxDomains
}

func decimal(v float64) string {
	return strconv.FormatFloat(math.Round(v*1000)/1000, 'f', -1, 64)
}

func clockTime(minute int) string { return fmt.Sprintf("%02d:%02d", minute/60, minute%60) }

func (h *deliverPages) saveLimits(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	p := &limitsPage{Page: h.web.Page(c, "settings.title", "settings")}
	holds, err := h.svc.LimitsFor(c.UserContext(), a)
	if err != nil {
		return err
	}
	p.fill(holds, h.clock.Now()) // the plan that holds is shown beside what was typed
	fields := []web.Value{}
	for _, name := range []string{"connections", "warmup", "warmup_starts", "warmup_first", "warmup_growth", "warmup_until", "brake_share", "brake_window", "quiet_from", "quiet_to", "approve_above", "do"} {
		fields = append(fields, web.Value{Name: name, Max: 20})
	}
	rates := []string{"account", "other"}
	for i := range deliverability.MaxDomains {
		fields = append(fields, web.Value{Name: domainRow(i), Max: 253})
		rates = append(rates, domainRow(i))
	}
	for _, of := range rates {
		fields = append(fields, web.Value{Name: of + "_connections", Max: 20})
		for _, x := range periods {
			fields = append(fields, web.Value{Name: of + "_" + x.name, Max: 20})
		}
	}
	said, err := web.BindValues(c, fields)
	if _, invalid := web.Invalid(err); err != nil && !invalid {
		return err
	}
	p.Form = said
	used := 0
	for i := range deliverability.MaxDomains {
		if p.Form.any(domainRow(i)) {
			used = i + 1
		}
	}
	if p.Form["do"] == "more" {
		p.rows(used + 2)
		return h.web.Render(c, "admin/settings/limits", p)
	}
	p.rows(used + 1)
	l, names, bad := p.Form.limits(p.Site.Zone, holds)
	if p.Failed(err); len(bad) > 0 {
		p.FailedToo(bad.Err())
	}
	if len(p.Errors) == 0 {
		err = h.svc.SetLimits(c.UserContext(), a, l)
		if e, invalid := web.Invalid(err); invalid {
			var there fault.Fields
			for _, f := range e.Fields {
				if n := names[f.Name]; n != "" {
					f.Name = n
				}
				there = append(there, f)
			}
			p.Failed(there.Err())
		} else if err != nil {
			return err
		}
	}
	if len(p.Errors) > 0 {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/settings/limits", p)
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings/limits")
}

// any reports whether anything was typed into a row.
func (f limitsForm) any(row string) bool {
	all := f[row] + f[row+"_connections"]
	for _, x := range periods {
		all += f[row+"_"+x.name]
	}
	return all != ""
}

// limits is what was typed. names says in which field of the form a mistake is shown that the operation names.
func (f limitsForm) limits(zone *time.Location, holds models.Limits) (l models.Limits, names map[string]string, bad fault.Fields) {
	if zone == nil {
		zone = time.UTC
	}
	names = map[string]string{"account": "account_second", "quiet": "quiet_from", "domains": "domain_1"}
	number := func(name string) int {
		text := strings.NewReplacer(",", "", "\u00a0", "", " ", "").Replace(f[name])
		n, err := strconv.Atoi(text)
		if text != "" && err != nil || n < 0 {
			bad.Add(name, "error.number_invalid")
		}
		return n
	}
	fraction := func(name string) float64 {
		text := strings.TrimSuffix(strings.TrimSpace(strings.ReplaceAll(f[name], ",", ".")), "%")
		v, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if text != "" && (err != nil || math.IsNaN(v) || math.IsInf(v, 0)) {
			bad.Add(name, "error.number_invalid")
		}
		return v
	}
	windows := func(of, field string) (ws []models.Window) {
		for _, x := range periods {
			name := of + "_" + x.name
			if f[name] == "" {
				continue
			}
			if len(ws) == 0 {
				names[field] = name
			}
			ws = append(ws, models.Window{Count: number(name), Per: x.per})
		}
		return ws
	}
	l.Account, l.Connections = windows("account", "account"), number("connections")
	if f.any("other") {
		d := models.DomainLimit{Connections: number("other_connections"), Windows: windows("other", "domains.0")}
		if names["domains.0"] == "" {
			names["domains.0"] = "other_connections"
		}
		l.Domains = append(l.Domains, d)
	}
	for i := range deliverability.MaxDomains {
		row := domainRow(i)
		if !f.any(row) {
			continue
		}
		if f[row] == "" {
			bad.Add(row, "error.mail_domain")
		}
		field := fmt.Sprintf("domains.%d", len(l.Domains))
		d := models.DomainLimit{Domain: f[row], Connections: number(row + "_connections"), Windows: windows(row, field)}
		if _, known := deliverability.DomainName(d.Domain); !known || names[field] == "" || twice(l.Domains, d.Domain) {
			names[field] = row
		}
		l.Domains = append(l.Domains, d)
	}
	if f["warmup"] != "" {
		w := models.WarmUp{FirstDay: number("warmup_first"), Growth: fraction("warmup_growth"), Until: number("warmup_until")}
		day, err := time.ParseInLocation(time.DateOnly, f["warmup_starts"], zone)
		if err != nil || day.Year() < 2000 || day.Year() > 2200 {
			bad.Add("warmup_starts", "error.warmup_starts")
		}
		w.Starts = day.UTC()
		if h := holds.WarmUp; h != nil && h.Starts.In(zone).Format(time.DateOnly) == f["warmup_starts"] {
			w.Starts = h.Starts // the same day, whatever the zone was when it was chosen
		}
		l.WarmUp = &w
	}
	l.BrakeShare, l.BrakeWindow = fraction("brake_share")/100, number("brake_window")
	minute := func(name string) int {
		t, err := time.Parse("15:04", f[name])
		if err != nil {
			bad.Add(name, "error.quiet_hours")
		}
		return t.Hour()*60 + t.Minute()
	}
	l.QuietFrom, l.QuietTo = minute("quiet_from"), minute("quiet_to")
	l.ApproveAbove = number("approve_above")
	return l, names, bad
}

// twice reports whether a domain has limits already.
func twice(list []models.DomainLimit, domain string) bool {
	name, _ := deliverability.DomainName(domain)
	for _, d := range list {
		if n, _ := deliverability.DomainName(d.Domain); n == name && d.Domain != "" {
			return true
		}
	}
	return false
}
