package admin

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/rosters"
	"kithline/models"
)

// rosterShow is how a roster stands.
type rosterShow struct {
	rosterPage
	Cover  rosters.Coverage
	Filter rosterFilter
	Heads  []string
	Grid   []gridRow
	Public string
}

// rosterFilter narrows the page, from its address.
type rosterFilter struct {
	Day  string
	Kind string
	Team string
	Gaps bool
}

// gridRow is a line of the grid: shifts in one role, one after the other.
type gridRow struct {
	Role, Place, Team string
	Cells             []gridCell
	end               int
	key               string
}

// gridCell is a shift over so many columns, or a column without one.
type gridCell struct {
	Span int
	Line *rosters.Line
}

// Status says how the places of a shift are held, in a few words.
func (p rosterPage) Status(l rosters.Line) string {
	if l.CancelledAt != nil {
		return p.T("rosterdesk.called_off")
	}
	if l.SettledAt != nil {
		return p.T("rosterdesk.held_of", "Held", p.Number(l.Filled), "Places", p.Number(l.Shift.Places))
	}
	return p.T("rosterdesk.held_of", "Held", p.Number(l.Is.Held()), "Places", p.Number(l.Shift.Places))
}

// Behind says who stands behind the places of a shift.
func (p rosterPage) Behind(l rosters.Line) string {
	switch standing := l.Standing(); {
	case l.CancelledAt != nil || l.SettledAt != nil:
		return ""
	case l.Until != nil:
		return p.T("rosterdesk.asked_until", "Count", l.Is.Asking, "Until", p.DateTime(l.Until))
	case len(standing) > 0:
		return p.T("rosterdesk.standby_names", "Names", p.Names(standing))
	case l.Is.Standbys > 0:
		return p.T("rosterdesk.standby_n", "Count", l.Is.Standbys)
	case l.Standbys > 0:
		return p.T("rosterdesk.standby_none")
	}
	return ""
}

// CellTone is the colour of a shift in the grid.
func (p rosterPage) CellTone(l rosters.Line) string {
	if l.CancelledAt != nil || l.Over {
		return ""
	}
	if t := p.RiskTone(l.Risk); t != "on" {
		return t
	}
	return ""
}

// DayOptions are the days of the roster.
func (p rosterShow) DayOptions() []web.Option {
	out := make([]web.Option, len(p.Cover.Days))
	for i, d := range p.Cover.Days {
		out[i] = web.Option{Value: d, Label: p.Day(d)}
	}
	return out
}

// KindOptions are the kinds of roles that shifts of the page can be narrowed to.
func (p rosterShow) KindOptions() []web.Option {
	out := []web.Option{{Label: p.T("rosterdesk.all_roles")}}
	for _, k := range models.RoleKinds {
		out = append(out, web.Option{Value: string(k), Label: p.RoleKind(k)})
	}
	return out
}

// TeamOptions are the teams that shifts of the page can be narrowed to.
func (p rosterShow) TeamOptions() []web.Option {
	out := []web.Option{{Label: p.T("rosterdesk.all_teams")}}
	for _, t := range p.Cover.Teams {
		out = append(out, web.Option{Value: t.ID.String(), Label: t.Name})
	}
	return out
}

// Filtered reports whether the page is narrowed.
func (p rosterShow) Filtered() bool {
	return p.Filter.Kind != "" || p.Filter.Team != "" || p.Filter.Gaps
}

func (h *rosterAdmin) show(c *fiber.Ctx) error { return h.showStatus(c, fiber.StatusOK, nil) }

// showStatus shows how a roster stands, with what a form on the page could not do.
func (h *rosterAdmin) showStatus(c *fiber.Ctx, status int, wrong error) error {
	id, err := paramID(c, "id", "error.rosterdesk_unknown")
	if err != nil {
		return err
	}
	p := rosterShow{rosterPage: rosterPage{Page: h.web.Page(c, "rosterdesk.title", "rosters")}}
	p.Filter = rosterFilter{Day: p.Query("day"), Kind: p.Query("kind"), Team: p.Query("team"), Gaps: p.Query("gaps") != ""}
	f := rosters.CoverageFilter{Day: p.Filter.Day, RoleKind: models.RoleKind(p.Filter.Kind), GapsOnly: p.Filter.Gaps}
	f.Team, _ = uuid.Parse(p.Filter.Team)
	f.From, _ = strconv.Atoi(p.Query("from"))
	if p.Cover, err = h.rosters.Coverage(c.UserContext(), h.web.Actor(c), id, f); err != nil {
		return err
	}
	p.Roster, p.Title, p.Site.Zone = p.Cover.Roster, p.Cover.Roster.Title, rosters.Zone(p.Cover.Roster)
	p.Filter.Day = p.Cover.Day
	p.draw()
	p.Failed(wrong)
	for i := range p.Errors { // what is wrong is not on this page: the words say what
		p.Errors[i].Name = ""
	}
	return h.web.RenderStatus(c, status, "admin/rosters/show", &p)
}

// gridMost is how many columns a grid has at most.
const gridMost = 16

// draw makes the grid of the day: columns of a quarter of an hour or more, as many as fit.
func (p *rosterShow) draw() {
	rows := p.Cover.Rows
	if len(rows) == 0 {
		return
	}
	first, last := *rows[0].StartsAt, *rows[0].EndsAt
	for _, l := range rows {
		if l.StartsAt.Before(first) {
			first = *l.StartsAt
		}
		if l.EndsAt.After(last) {
			last = *l.EndsAt
		}
	}
	zone := rosters.Zone(p.Roster)
	step, origin := 30*time.Minute, first
	for _, minutes := range []int{30, 60, 120, 180, 240} {
		step = time.Duration(minutes) * time.Minute
		local := first.In(zone)
		origin = first.Add(-time.Duration((local.Hour()*60+local.Minute())%minutes) * time.Minute).Truncate(time.Minute)
		if last.Sub(origin) <= gridMost*step {
			break
		}
	}
	columns := int((last.Sub(origin) + step - 1) / step)
	for i := range columns {
		p.Heads = append(p.Heads, origin.Add(time.Duration(i)*step).In(zone).Format("15:04"))
	}
	for i := range rows {
		l := &rows[i]
		from := int(l.StartsAt.Sub(origin) / step)
		to := max(from+1, int((l.EndsAt.Sub(origin)+step-1)/step))
		key := l.Role + "\x00" + l.Place + "\x00" + l.Team
		at := slices.IndexFunc(p.Grid, func(r gridRow) bool { return r.key == key && r.end <= from })
		if at < 0 {
			p.Grid = append(p.Grid, gridRow{Role: l.Role, Place: l.Place, Team: l.Team, key: key})
			at = len(p.Grid) - 1
		}
		r := &p.Grid[at]
		for r.end < from {
			r.Cells = append(r.Cells, gridCell{Span: 1})
			r.end++
		}
		r.Cells = append(r.Cells, gridCell{Span: to - from, Line: l})
		r.end = to
	}
	for i := range p.Grid {
		for r := &p.Grid[i]; r.end < columns; r.end++ {
			r.Cells = append(r.Cells, gridCell{Span: 1})
		}
	}
}

type rosterPhones struct {
	rosterPage
	List rosters.PhoneList
}

// HoursOf says when somebody may be called, by their own clock.
func (p rosterPhones) HoursOf(c rosters.Callable) string {
	if c.From == c.Until {
		return p.T("rosterdesk.call_any")
	}
	return p.T("rosterdesk.call_hours", "From", minuteOfDay(c.From), "Until", minuteOfDay(c.Until), "Zone", c.Zone)
}

// minuteOfDay writes minutes after midnight as a time: 09:30.
func minuteOfDay(n int) string {
	return time.Date(2000, 1, 1, n/60, n%60, 0, 0, time.UTC).Format("15:04")
}

func (h *rosterAdmin) phones(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.rosterdesk_unknown")
	if err != nil {
		return err
	}
	list, err := h.rosters.Phones(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/phones", &rosterPhones{rosterPage: h.pageOf(c, list.Roster, "rosterdesk.phones"), List: list})
}

func (h *rosterAdmin) call(c *fiber.Ctx) error {
	p, err := h.changing(c, "")
	if err != nil {
		return err
	}
	shift, err := paramID(c, "shift", "error.rosterdesk_shift_unknown")
	if err != nil {
		return err
	}
	box, err := paramID(c, "mailbox", "error.rosterdesk_shift_unknown")
	if err != nil {
		return err
	}
	if _, err = h.rosters.StartCall(c.UserContext(), h.web.Actor(c), shift, box); err != nil {
		return err
	}
	return web.SeeOther(c, p.Base()+"/phones#s"+shift.String())
}

func (h *rosterAdmin) answer(c *fiber.Ctx) error {
	p, err := h.changing(c, "")
	if err != nil {
		return err
	}
	offer, err := paramID(c, "offer", "error.rosterdesk_offer_over")
	if err != nil {
		return err
	}
	var form struct {
		Say string `form:"say,max=10"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	_, err = h.rosters.Answer(c.UserContext(), h.web.Actor(c), offer, form.Say == "yes")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", map[bool]string{true: "rosterdesk.answered_yes", false: "rosterdesk.answered_no"}[form.Say == "yes"])
	return web.SeeOther(c, p.Base()+"/phones")
}

type rosterMessage struct {
	rosterPage
	Form struct {
		Subject string `form:"subject,max=120"`
		Body    string `form:"body,max=5000,lines"`
		About   string `form:"about,max=60"`
		Do      string `form:"do,max=10"`
	}
	About []web.Option
	Count int // whom it goes to; shown before it goes
	Look  bool
	Sent  []models.RosterMessage
}

func (h *rosterAdmin) messagePage(c *fiber.Ctx) (*rosterMessage, error) {
	base, err := h.changing(c, "rosterdesk.message")
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := &rosterMessage{rosterPage: base}
	if p.Sent, err = h.rosters.Messages(ctx, a, base.Roster.ID); err != nil {
		return nil, err
	}
	cover, err := h.rosters.Coverage(ctx, a, base.Roster.ID, rosters.CoverageFilter{})
	if err != nil {
		return nil, err
	}
	p.About = []web.Option{{Label: p.T("rosterdesk.about_all")}}
	for _, d := range cover.Days {
		p.About = append(p.About, web.Option{Value: "day:" + d, Label: p.T("rosterdesk.about_day", "Day", p.Day(d))})
	}
	for _, t := range cover.Teams {
		p.About = append(p.About, web.Option{Value: "team:" + t.ID.String(), Label: p.T("rosterdesk.about_team", "Team", t.Name)})
	}
	if id, err := uuid.Parse(p.Query("shift")); err == nil {
		if err := h.offerShift(c, p, id); err != nil {
			return nil, err
		}
		p.Form.About = "shift:" + id.String()
	}
	return p, nil
}

// offerShift adds one shift to what a message can be about.
func (h *rosterAdmin) offerShift(c *fiber.Ctx, p *rosterMessage, id uuid.UUID) error {
	r, sh, _, err := h.rosters.Shift(c.UserContext(), h.web.Actor(c), id)
	if err == nil && r.ID == p.Roster.ID {
		p.About = append(p.About, web.Option{Value: "shift:" + id.String(), Label: p.T("rosterdesk.about_shift", "Role", sh.Role, "When", p.When(sh))})
	}
	return err
}

func (h *rosterAdmin) message(c *fiber.Ctx) error {
	p, err := h.messagePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/message", p)
}

func (h *rosterAdmin) sendMessage(c *fiber.Ctx) error {
	p, err := h.messagePage(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	err = web.Bind(c, &p.Form)
	in := rosters.MessageInput{Subject: p.Form.Subject, Body: p.Form.Body}
	if id, ok := strings.CutPrefix(p.Form.About, "shift:"); ok {
		if in.ShiftID, _ = uuid.Parse(id); in.ShiftID != uuid.Nil {
			if err := h.offerShift(c, p, in.ShiftID); err != nil {
				return err
			}
		}
	} else if id, ok := strings.CutPrefix(p.Form.About, "team:"); ok {
		in.TeamID, _ = uuid.Parse(id)
	} else if day, ok := strings.CutPrefix(p.Form.About, "day:"); ok {
		in.Day = day
	}
	if err == nil && !slices.ContainsFunc(p.About, func(o web.Option) bool { return o.Value == p.Form.About }) {
		p.Errors = append(p.Errors, web.FieldError{Name: "about", Text: p.T("error.value_unknown")})
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/message", p)
	}
	n := 0
	if err == nil {
		if p.Form.Do == "send" {
			n, err = h.rosters.Message(ctx, a, p.Roster.ID, in)
		} else if p.Count, err = h.rosters.CheckMessage(ctx, a, p.Roster.ID, in); err == nil {
			p.Look = true
			return h.web.Render(c, "admin/rosters/message", p)
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/message", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "rosterdesk.message_sent", "Count", n)
	return web.SeeOther(c, p.Base())
}

type rosterPrint struct {
	rosterPage
	Plan rosters.DayPlan
}

func (h *rosterAdmin) print(c *fiber.Ctx) error {
	base, err := h.changing(c, "rosterdesk.print")
	if err != nil {
		return err
	}
	plan, err := h.rosters.DayPlan(c.UserContext(), h.web.Actor(c), base.Roster.ID, base.Query("day"))
	if err != nil {
		return err
	}
	p := &rosterPrint{rosterPage: base, Plan: plan}
	p.Back = &web.Link{URL: p.Base(), Label: p.T("rosterdesk.back")}
	return h.web.Render(c, "admin/rosters/print", p)
}

type rosterReport struct {
	rosterPage
	Report rosters.Report
}

func (h *rosterAdmin) report(c *fiber.Ctx) error {
	base, err := h.at(c, "rosterdesk.report")
	if err != nil {
		return err
	}
	r, err := h.rosters.Report(c.UserContext(), h.web.Actor(c), base.Roster.ID)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/report", &rosterReport{rosterPage: base, Report: r})
}

// timeOfDay reads a time as minutes after midnight.
func timeOfDay(v string) (int, error) {
	t, err := time.Parse("15:04", clockOf(v))
	return t.Hour()*60 + t.Minute(), err
}
