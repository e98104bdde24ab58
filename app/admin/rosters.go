package admin

import (
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/rosters"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type rosterAdmin struct {
	web        *web.Web
	rosters    *rosters.Service
	supporters *supporters.Service
}

// MountRosters puts the organizer's side of rosters in place: /admin/rosters and below.
func MountRosters(r fiber.Router, w *web.Web, s *rosters.Service, people *supporters.Service) {
	h := &rosterAdmin{w, s, people}
	g := r.Group("/admin/rosters", w.Signed)
	g.Get("/", h.list)
	g.Get("/new", h.newForm)
	g.Post("/", h.create)
	g.Get("/:id", h.show)
	g.Get("/:id/edit", h.edit)
	g.Post("/:id/edit", h.save)
	g.Post("/:id/state", h.setState)
	g.Get("/:id/copy", h.beforeCopy)
	g.Post("/:id/copy", h.copy)
	g.Get("/:id/teams", h.teams)
	g.Post("/:id/teams", h.addTeam)
	g.Post("/:id/teams/:team", h.saveTeam)
	g.Post("/:id/teams/:team/delete", h.deleteTeam)
	g.Get("/:id/shifts/new", h.newShift)
	g.Post("/:id/shifts", h.addShifts)
	g.Get("/:id/shifts/:shift", h.crew)
	g.Get("/:id/shifts/:shift/edit", h.editShift)
	g.Post("/:id/shifts/:shift/edit", h.saveShift)
	g.Get("/:id/shifts/:shift/cancel", h.beforeCancel)
	g.Post("/:id/shifts/:shift/cancel", h.cancelShift)
	g.Post("/:id/shifts/:shift/delete", h.deleteShift)
	g.Post("/:id/shifts/:shift/heads", h.heads)
	g.Get("/:id/shifts/:shift/seat", h.beforeSeat)
	g.Post("/:id/shifts/:shift/seat", h.seat)
	g.Post("/:id/shifts/:shift/find", h.find)
	g.Get("/:id/shifts/:shift/release/:assignment", h.beforeRelease)
	g.Post("/:id/shifts/:shift/release/:assignment", h.release)
	g.Get("/:id/phones", h.phones)
	g.Post("/:id/phones/:shift/:mailbox", h.call)
	g.Post("/:id/answers/:offer", h.answer)
	g.Get("/:id/message", h.message)
	g.Post("/:id/message", h.sendMessage)
	g.Get("/:id/print", h.print)
	g.Get("/:id/report", h.report)
}

func rosterPath(id uuid.UUID) string { return "/admin/rosters/" + id.String() }

// rosterTone is the colour of a roster's state.
func rosterTone(s models.RosterState) string {
	switch s {
	case models.RosterPublished:
		return "on"
	case models.RosterDraft:
		return "warn"
	}
	return ""
}

// rosterPage is what the pages of one roster have in common. Its times are said in the roster's zone.
type rosterPage struct {
	web.Page
	Roster models.Roster
}

// Base is the address of its pages.
func (p rosterPage) Base() string { return rosterPath(p.Roster.ID) }

// Tone is the colour of its state.
func (p rosterPage) Tone() string { return rosterTone(p.Roster.State) }

// Changes reports whether the reader may change it.
func (p rosterPage) Changes() bool { return rosters.Changes(p.Actor, p.Roster) }

// Day writes a day of the roster, such as 2027-03-09, in words.
func (p rosterPage) Day(day string) string {
	t, err := time.ParseInLocation(time.DateOnly, day, rosters.Zone(p.Roster))
	if err != nil {
		return day
	}
	return p.Weekday(t.Add(12 * time.Hour))
}

// When says when a shift is.
func (p rosterPage) When(sh models.Shift) string {
	from, until := p.DateTime(sh.StartsAt), p.DateTime(sh.EndsAt)
	switch {
	case from != "" && until != "":
		if p.Date(sh.StartsAt) == p.Date(sh.EndsAt) {
			until = p.Time(sh.EndsAt)
		}
		return p.T("rosterdesk.span", "From", from, "Until", until)
	case until != "":
		return p.T("rosterdesk.by", "Until", until)
	case from != "":
		return p.T("rosterdesk.from", "From", from)
	}
	return p.T("rosterdesk.any_time")
}

// Hours is When with the times of day alone, for where the day stands already.
func (p rosterPage) Hours(sh models.Shift) string {
	if sh.Kind != models.ShiftFixed || sh.StartsAt == nil || sh.EndsAt == nil {
		return p.When(sh)
	}
	until := p.Time(sh.EndsAt)
	if p.Date(sh.StartsAt) != p.Date(sh.EndsAt) {
		until = p.DateTime(sh.EndsAt)
	}
	return p.T("rosterdesk.span", "From", p.Time(sh.StartsAt), "Until", until)
}

// RoleKind is a kind of role in words.
func (p rosterPage) RoleKind(k models.RoleKind) string { return p.T("rosterdesk.role_" + string(k)) }

// Names lists people: "Cal W., Ilse H.".
func (rosterPage) Names(list []rosters.Holder) string {
	out := make([]string, len(list))
	for i, h := range list {
		out[i] = h.Name
	}
	return strings.Join(out, ", ")
}

// RiskTone is the colour of a risk.
func (rosterPage) RiskTone(r rosters.Risk) string {
	switch r {
	case rosters.Empty, rosters.Below:
		return "bad"
	case rosters.NoRisk:
		return "on"
	}
	return "warn"
}

func (h *rosterAdmin) pageOf(c *fiber.Ctx, r models.Roster, title string) rosterPage {
	p := rosterPage{Page: h.web.Page(c, title, "rosters"), Roster: r}
	p.Site.Zone = rosters.Zone(r)
	if title == "" {
		p.Title = r.Title
	}
	return p
}

// at reads the roster that the address names.
func (h *rosterAdmin) at(c *fiber.Ctx, title string) (rosterPage, error) {
	id, err := paramID(c, "id", "error.rosterdesk_unknown")
	if err != nil {
		return rosterPage{}, err
	}
	r, err := h.rosters.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return rosterPage{}, err
	}
	return h.pageOf(c, r, title), nil
}

// changing is at for somebody who may change the roster.
func (h *rosterAdmin) changing(c *fiber.Ctx, title string) (rosterPage, error) {
	p, err := h.at(c, title)
	if err == nil && !p.Changes() {
		err = fault.New(fault.Forbidden, "error.rosterdesk_whole")
	}
	return p, err
}

type rosterList struct {
	web.Page
	Rows paging.Page[rosters.Listed]
}

// Tone is the colour of a state.
func (rosterList) Tone(s models.RosterState) string { return rosterTone(s) }

func (h *rosterAdmin) list(c *fiber.Ctx) error {
	p := rosterList{Page: h.web.Page(c, "rosterdesk.title", "rosters")}
	after, err := paging.Parse(p.Query("after"))
	if err != nil {
		return err
	}
	if p.Rows, err = h.rosters.List(c.UserContext(), h.web.Actor(c), after); err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/list", &p)
}

// rosterForm is everything about a roster that its page lets an organizer write.
type rosterForm struct {
	Title        string `form:"title,max=80"`
	Summary      string `form:"summary_text,max=300,lines"`
	Body         string `form:"body,max=10000,lines"`
	Locale       string `form:"locale,max=20"`
	Zone         string `form:"time_zone,max=60"`
	ContactName  string `form:"contact_name,max=80"`
	ContactPhone string `form:"contact_phone,max=40"`
	OpensDay     string `form:"opens_day,max=10"`
	OpensClock   string `form:"opens,max=8"`
	OpensTwice   string `form:"opens_twice,max=10"`
	Chapter      string `form:"chapter,max=40"`
	Campaign     string `form:"campaign,max=40"`
	Event        string `form:"event,max=40"`
	Template     bool   `form:"template"`
	Revision     int    `form:"revision"`
}

func rosterFormOf(r models.Roster) rosterForm {
	d := rosters.DraftOf(r)
	return rosterForm{
		Title: d.Title, Summary: d.Summary, Body: d.Body, Locale: d.Locale, Zone: d.Zone, ContactName: d.ContactName, ContactPhone: d.ContactPhone, OpensDay: d.Opens.Day, OpensClock: d.Opens.Clock,
		OpensTwice: d.Opens.Twice, Template: d.Template, Chapter: idOf(d.ChapterID), Campaign: idOf(d.CampaignID), Event: idOf(d.EventID), Revision: r.Revision,
	}
}

func (f rosterForm) draft() (rosters.Draft, error) {
	d := rosters.Draft{
		Title: f.Title, Summary: f.Summary, Body: f.Body, Locale: f.Locale, Zone: f.Zone, ContactName: f.ContactName, ContactPhone: f.ContactPhone, Opens: rosters.Local{Day: f.OpensDay, Clock: clockOf(f.OpensClock), Twice: f.OpensTwice},
		Template: f.Template,
	}
	var bad fault.Fields
	d.ChapterID, d.CampaignID, d.EventID = chosenID(f.Chapter, "chapter", &bad), chosenID(f.Campaign, "campaign", &bad), chosenID(f.Event, "event", &bad)
	return d, bad.Err()
}

// clockOf reads what a browser's field for a time says: some add seconds.
func clockOf(v string) string {
	if len(v) == len("15:04:05") {
		return strings.TrimSuffix(v, ":00")
	}
	return v
}

type rosterEdit struct {
	rosterPage
	Form    rosterForm
	Choices rosters.Choices
	Stored  *models.Roster // what another page saved in the meantime
}

// New reports whether the roster is not made yet.
func (p rosterEdit) New() bool { return p.Roster.ID == uuid.Nil }

// Whole reports whether the reader works for the whole organisation, and may choose the chapter.
func (p rosterEdit) Whole() bool { return p.Actor.Chapter() == nil }

// Zones are the time zones that the form offers.
func (rosterEdit) Zones() []string { return web.Zones }

// Chapters are those that the roster can belong to.
func (p rosterEdit) Chapters() []web.Option {
	return chapterChoices(p.T("rosterdesk.f_whole"), p.Choices.Chapters)
}

// Campaigns are those that the roster can be for.
func (p rosterEdit) Campaigns() []web.Option {
	return campaignChoices(p.T("rosterdesk.f_none"), p.Choices.Campaigns)
}

// Events are those that the roster can be of. One that is not offered any more stays.
func (p rosterEdit) Events() []web.Option {
	out := []web.Option{{Label: p.T("rosterdesk.f_no_event")}}
	known := p.Form.Event == ""
	for _, x := range p.Choices.Events {
		day, _, _ := strings.Cut(x.StartsOn, "T")
		out = append(out, web.Option{Value: x.ID.String(), Label: x.Title + ", " + day})
		known = known || x.ID.String() == p.Form.Event
	}
	if !known {
		out = append(out, web.Option{Value: p.Form.Event, Label: p.T("rosterdesk.f_event_past")})
	}
	return out
}

// Twice are the choices of a time that the clock shows twice.
func (p rosterPage) Twice() []web.Option {
	return []web.Option{{Label: p.T("rosterdesk.twice_choose")}, {Value: "first", Label: p.T("rosterdesk.twice_first")}, {Value: "second", Label: p.T("rosterdesk.twice_second")}}
}

func (h *rosterAdmin) start(c *fiber.Ctx) (*rosterEdit, error) {
	p := &rosterEdit{rosterPage: rosterPage{Page: h.web.Page(c, "rosterdesk.new", "rosters")}}
	p.Form.Locale, p.Form.Zone = p.Lang, zoneOf(p.Page).String()
	var err error
	p.Choices, err = h.rosters.Choices(c.UserContext(), h.web.Actor(c))
	return p, err
}

func (h *rosterAdmin) newForm(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/edit", p)
}

func (h *rosterAdmin) create(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	var r models.Roster
	if err = web.Bind(c, &p.Form); err == nil {
		var d rosters.Draft
		if d, err = p.Form.draft(); err == nil {
			r, err = h.rosters.Create(c.UserContext(), h.web.Actor(c), d)
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/edit", p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, rosterPath(r.ID)+"/shifts/new")
}

func (h *rosterAdmin) editPage(c *fiber.Ctx) (*rosterEdit, error) {
	base, err := h.changing(c, "rosterdesk.edit")
	if err != nil {
		return nil, err
	}
	p := &rosterEdit{rosterPage: base, Form: rosterFormOf(base.Roster)}
	p.Choices, err = h.rosters.Choices(c.UserContext(), h.web.Actor(c))
	return p, err
}

func (h *rosterAdmin) edit(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/edit", p)
}

func (h *rosterAdmin) save(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	p.Form = rosterForm{}
	var stored models.Roster
	if err = web.Bind(c, &p.Form); err == nil {
		var d rosters.Draft
		if d, err = p.Form.draft(); err == nil {
			stored, err = h.rosters.Save(c.UserContext(), h.web.Actor(c), p.Roster.ID, rosters.SaveInput{Draft: d, Revision: p.Form.Revision})
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/edit", p)
	case fault.Is(err, fault.Conflict): // what was typed stays; saving again keeps this one
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/rosters/edit", p)
	case err != nil:
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.saved")
	return web.SeeOther(c, p.Base())
}

func (h *rosterAdmin) setState(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.rosterdesk_unknown")
	if err != nil {
		return err
	}
	var form struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	state := map[string]models.RosterState{"publish": models.RosterPublished, "close": models.RosterClosed}[form.Do]
	r, err := h.rosters.SetState(c.UserContext(), h.web.Actor(c), id, state)
	if _, wrong := web.Invalid(err); wrong {
		return h.showStatus(c, fiber.StatusUnprocessableEntity, err)
	} else if err != nil {
		return err
	}
	h.web.Drop("/rosters")
	h.web.Flash(c, "good", "rosterdesk.now_"+string(r.State))
	return web.SeeOther(c, rosterPath(id))
}

type rosterCopy struct {
	rosterPage
	First string // the day of the first shift
	Form  struct {
		Title    string `form:"title,max=80"`
		Day      string `form:"day,max=10"`
		Template bool   `form:"template"`
	}
}

func (h *rosterAdmin) copyPage(c *fiber.Ctx) (*rosterCopy, error) {
	base, err := h.at(c, "rosterdesk.copy")
	if err != nil {
		return nil, err
	}
	p := &rosterCopy{rosterPage: base}
	p.Form.Title = base.Roster.Title
	p.First, err = h.rosters.FirstDay(c.UserContext(), h.web.Actor(c), base.Roster.ID)
	return p, err
}

func (h *rosterAdmin) beforeCopy(c *fiber.Ctx) error {
	p, err := h.copyPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/rosters/copy", p)
}

func (h *rosterAdmin) copy(c *fiber.Ctx) error {
	p, err := h.copyPage(c)
	if err != nil {
		return err
	}
	var r models.Roster
	if err = web.Bind(c, &p.Form); err == nil {
		r, err = h.rosters.Copy(c.UserContext(), h.web.Actor(c), p.Roster.ID, rosters.CopyInput{Title: p.Form.Title, Day: p.Form.Day, Template: p.Form.Template})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/copy", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "rosterdesk.copied")
	return web.SeeOther(c, rosterPath(r.ID))
}

type rosterTeams struct {
	rosterPage
	Teams []rosters.TeamStands
	Form  teamForm
	At    uuid.UUID // which one the form was about; uuid.Nil: a new one
}

type teamForm struct {
	Name     string `form:"name,max=80"`
	Place    string `form:"place,max=200"`
	Position string `form:"position,max=5"`
}

func (f teamForm) input() rosters.TeamInput {
	n, err := strconv.Atoi(f.Position)
	if err != nil {
		n = 0
	}
	return rosters.TeamInput{Name: f.Name, Place: f.Place, Position: n}
}

func (h *rosterAdmin) teamsPage(c *fiber.Ctx) (*rosterTeams, error) {
	base, err := h.changing(c, "rosterdesk.teams")
	if err != nil {
		return nil, err
	}
	p := &rosterTeams{rosterPage: base}
	p.Teams, err = h.rosters.Teams(c.UserContext(), h.web.Actor(c), base.Roster.ID)
	return p, err
}

func (h *rosterAdmin) teams(c *fiber.Ctx) error {
	p, err := h.teamsPage(c)
	if err != nil {
		return err
	}
	if id, err := uuid.Parse(p.Query("team")); err == nil {
		for _, t := range p.Teams {
			if t.ID == id {
				p.At, p.Form = id, teamForm{Name: t.Name, Place: t.Place, Position: strconv.Itoa(t.Position)}
			}
		}
	}
	return h.web.Render(c, "admin/rosters/teams", p)
}

func (h *rosterAdmin) addTeam(c *fiber.Ctx) error {
	return h.keepTeam(c, func(p *rosterTeams) error {
		_, err := h.rosters.AddTeam(c.UserContext(), h.web.Actor(c), p.Roster.ID, p.Form.input())
		return err
	})
}

func (h *rosterAdmin) saveTeam(c *fiber.Ctx) error {
	id, err := paramID(c, "team", "error.rosterdesk_team_unknown")
	if err != nil {
		return err
	}
	return h.keepTeam(c, func(p *rosterTeams) error {
		p.At = id
		_, err := h.rosters.SaveTeam(c.UserContext(), h.web.Actor(c), id, p.Form.input())
		return err
	})
}

func (h *rosterAdmin) keepTeam(c *fiber.Ctx, keep func(*rosterTeams) error) error {
	p, err := h.teamsPage(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		err = keep(p)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/rosters/teams", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "rosterdesk.saved")
	return web.SeeOther(c, p.Base()+"/teams")
}

func (h *rosterAdmin) deleteTeam(c *fiber.Ctx) error {
	id, err := paramID(c, "team", "error.rosterdesk_team_unknown")
	if err != nil {
		return err
	}
	t, err := h.rosters.DeleteTeam(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "rosterdesk.team_gone")
	return web.SeeOther(c, rosterPath(t.RosterID)+"/teams")
}
