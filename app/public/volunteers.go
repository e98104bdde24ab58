package public

import (
	"bytes"
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/me"
	"kithline/campaigns/pacing"
	"kithline/campaigns/volunteers"
	"kithline/models"
)

type volunteerPages struct {
	web  *web.Web
	svc  *volunteers.Service
	me   *me.Service
	door *confirmations.Service
	use  *Prefiller
	own  *mePages
}

// MountVolunteers puts in place how people offer time: /volunteer, and below their own page what they said, what they plan with their energy,
// and certificates of hours.
func MountVolunteers(r fiber.Router, w *web.Web, s *volunteers.Service, own *me.Service, door *confirmations.Service, use *Prefiller) {
	h := &volunteerPages{w, s, own, door, use, &mePages{w, own, use}}
	r.Get("/volunteer", h.signUp)
	r.Post("/volunteer", w.Limit(120, tryWindow), h.send)
	r.Get("/volunteer/sent", h.sent)
	r.Post("/volunteer/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/volunteer/thanks", h.thanks)
	r.Get("/me/:token/volunteer", h.mine)
	r.Post("/me/:token/volunteer", h.save)
	r.Post("/me/:token/volunteer/pause", h.pause)
	r.Post("/me/:token/volunteer/resume", h.do((*volunteers.Service).Resume, "volunteer", "volunteers.resumed"))
	r.Post("/me/:token/volunteer/stop", h.do((*volunteers.Service).Stop, "volunteer", "volunteers.stopped"))
	r.Get("/me/:token/plan", h.plan)
	r.Post("/me/:token/plan", h.savePlan)
	r.Post("/me/:token/plan/bad", h.badTime)
	r.Post("/me/:token/plan/better", h.do((*volunteers.Service).BetterTime, "plan", "pacing.better_done"))
	r.Get("/me/:token/certificates", h.papers)
	r.Post("/me/:token/certificates", h.ask)
	r.Post("/me/:token/certificates/:certificate/drop", h.dropPaper)
	r.Get("/me/:token/certificates/:certificate.pdf", h.ownPaper)
	r.Get("/certificates/:token", h.linked)
	r.Get("/certificates/:token/certificate.pdf", h.linkedPaper)
}

// volunteerPage is the form to offer time. The boxes of consent are never ticked by us.
type volunteerPage struct {
	web.VolunteerFields
	Email  string
	Locale string // of the mails
	Source string
	Filled bool // with what the reader told before
	Boxes  []consents.Box
	Ticked []string
}

// BoxOptions are the consents, each with its exact words.
func (p volunteerPage) BoxOptions() []web.Option { return boxOptions(p.Boxes) }

// Minutes is how long the form takes.
func (p volunteerPage) Minutes() int { return 3 }

func volunteerFields(p web.Page, d volunteers.Said) web.VolunteerFields {
	return web.VolunteerFields{Page: p, Form: web.VolunteerFormOf(d), Countries: append([]web.Option{{Value: "", Label: p.T("me.country_none")}}, countries(p.Lang)...)}
}

func (h *volunteerPages) form(ctx context.Context, p web.Page, d volunteers.Said) (volunteerPage, error) {
	page := volunteerPage{VolunteerFields: volunteerFields(p, d), Locale: p.Lang, Ticked: []string{}, Source: sourceOf(p)}
	var err error
	page.Boxes, err = h.svc.Boxes(ctx, p.Lang)
	return page, err
}

func (h *volunteerPages) signUp(c *fiber.Ctx) error {
	build := func(ctx context.Context, p web.Page) (any, error) {
		p.Title = p.T("volunteers.title")
		return h.form(ctx, p, volunteers.Said{})
	}
	facts, ok := h.use.Facts(c)
	if !ok {
		return h.web.Cached(c, "public/volunteers/signup", "volunteer", build, "source")
	}
	page, err := h.form(c.UserContext(), h.web.Page(c, "volunteers.title", "volunteer"), volunteers.Said{
		GivenName: facts.GivenName, FamilyName: facts.FamilyName, PostalCode: facts.PostalCode, Country: facts.Country, TimeZone: facts.TimeZone,
		Phone: strings.Join(facts.Phones[:min(1, len(facts.Phones))], ""),
	})
	if err != nil {
		return err
	}
	page.Filled, page.Email = true, facts.Email
	if facts.Locale != "" {
		page.Locale = facts.Locale
	}
	return h.web.Render(c, "public/volunteers/signup", &page)
}

type volunteerSent struct {
	web.VolunteerForm
	Email   string   `form:"email,max=254"`
	Locale  string   `form:"locale,max=20"`
	Source  string   `form:"source,max=100"`
	Consent []string `form:"consent,max=200"`
	Trap    string   `form:"leave_empty,max=500"`
}

// send takes the form. Whoever fills in the field that nobody sees gets the same answer, and nothing is kept.
func (h *volunteerPages) send(c *fiber.Ctx) error {
	page, err := h.form(c.UserContext(), h.web.Page(c, "volunteers.title", "volunteer"), volunteers.Said{})
	if err != nil {
		return err
	}
	var f volunteerSent
	err = web.Bind(c, &f)
	id := uuid.Nil
	if err == nil {
		id, err = h.svc.SignUp(c.UserContext(), volunteers.SignUpInput{
			Said: f.Said(), Email: f.Email, Boxes: f.Consent, Locale: f.Locale, Lang: page.Lang, Source: f.Source, Trap: f.Trap, ClientIP: h.web.Client(c).String(),
		})
	}
	page.VolunteerFields.Form, page.Email, page.Source, page.Ticked = f.VolunteerForm, f.Email, f.Source, append([]string{}, f.Consent...)
	if f.Locale != "" {
		page.Locale = f.Locale
	}
	if page.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/signup", &page)
	}
	if err != nil {
		return err
	}
	mark(c, h.web, h.door, id)
	return web.SeeOther(c, "/volunteer/sent")
}

func (h *volunteerPages) sent(c *fiber.Ctx) error {
	return h.web.Render(c, "public/forms/sent", &formSent{Page: h.web.Page(c, "form.sent_title", "volunteer"), Action: "/volunteer"})
}

func (h *volunteerPages) again(c *fiber.Ctx) error {
	return mailAgain(c, h.web, h.door, "form.sent_again", "/volunteer/sent")
}

func (h *volunteerPages) thanks(c *fiber.Ctx) error {
	return h.web.Render(c, "public/volunteers/thanks", &formSent{Page: h.web.Page(c, "volunteers.thanks_title", "volunteer")})
}

// ownVolunteerPage is what somebody said as a volunteer, on a page of their own.
type ownVolunteerPage struct {
	web.VolunteerFields
	Token  string
	Own    volunteers.Own
	Boxes  []consents.Box // of consents that they did not give
	Ticked []string
	Until  string // of the form that pauses
	Day    string
}

// BoxOptions are the consents, each with its exact words.
func (p ownVolunteerPage) BoxOptions() []web.Option { return boxOptions(p.Boxes) }

// Trained lists what they were trained for.
func (p ownVolunteerPage) Trained() string { return strings.Join(p.Own.Trainings, ", ") }

// PauseOptions are how long nobody is to ask.
func (p ownVolunteerPage) PauseOptions() []web.Option {
	var out []web.Option
	for _, o := range []string{"week", "month", "quarter", "day", "told"} {
		out = append(out, web.Option{Value: o, Label: p.T("me.pause_" + o)})
	}
	return out
}

// who opens a page below one's own. It keeps the answer private.
func (h *volunteerPages) who(c *fiber.Ctx) (me.Who, error) {
	private(c)
	return h.me.Person(c.UserContext(), c.Params("token"))
}

func (h *volunteerPages) minePage(c *fiber.Ctx) (*ownVolunteerPage, me.Who, error) {
	w, err := h.who(c)
	if err != nil {
		return nil, w, err
	}
	p := &ownVolunteerPage{Token: c.Params("token"), Ticked: []string{}, Until: "month"}
	if p.Own, err = h.svc.Mine(c.UserContext(), w.Mailboxes); err != nil {
		return nil, w, err
	}
	p.VolunteerFields = volunteerFields(h.web.Page(c, "volunteers.mine_title", "me"), p.Own.Said)
	p.Path = "/me/" + p.Token + "/volunteer" // links of this page lead to a page, not to where a form went
	p.Boxes, err = h.svc.OwnBoxes(c.UserContext(), p.Own, p.Lang)
	return p, w, err
}

func (h *volunteerPages) mine(c *fiber.Ctx) error {
	p, _, err := h.minePage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	return h.web.Render(c, "public/volunteers/mine", p)
}

// done answers a button that worked: back to its page, with what happened.
func (h *volunteerPages) done(c *fiber.Ctx, err error, part, key string) error {
	if err != nil {
		return h.own.over(c, err)
	}
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, "/me/"+c.Params("token")+"/"+part)
}

// do is a button without a form.
func (h *volunteerPages) do(fn func(*volunteers.Service, context.Context, []uuid.UUID) error, part, key string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		w, err := h.who(c)
		if err == nil {
			err = fn(h.svc, c.UserContext(), w.Mailboxes)
		}
		return h.done(c, err, part, key)
	}
}

func (h *volunteerPages) save(c *fiber.Ctx) error {
	p, w, err := h.minePage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	var f volunteerSent
	if err = web.Bind(c, &f); err == nil {
		err = h.svc.SaveMine(c.UserContext(), w.Mailboxes, f.Said(), f.Consent, p.Lang)
	}
	if p.Failed(err) {
		p.VolunteerFields.Form, p.Ticked = f.VolunteerForm, append([]string{}, f.Consent...)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/mine", p)
	}
	return h.done(c, err, "volunteer", "volunteers.saved")
}

// until reads how long a rest is to last; nil: until they say. The form comes back as it was typed.
func (h *volunteerPages) until(c *fiber.Ctx) (f pauseForm, until *time.Time, err error) {
	if err = web.Bind(c, &f); err != nil {
		return f, nil, err
	}
	at, err := h.own.until(c, f)
	if err != nil || at.Equal(models.PausedUntilTold) {
		return f, nil, err
	}
	return f, &at, nil
}

func (h *volunteerPages) pause(c *fiber.Ctx) error {
	p, w, err := h.minePage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	f, until, err := h.until(c)
	if err == nil {
		err = h.svc.Pause(c.UserContext(), w.Mailboxes, until)
	}
	if p.Failed(err) {
		p.Until, p.Day = f.Until, f.Day
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/mine", p)
	}
	return h.done(c, err, "volunteer", "volunteers.paused_done")
}

type planForm struct {
	Weekly     string   `form:"weekly,max=10"`
	MostEnergy int      `form:"most_energy"`
	RestHours  int      `form:"rest_hours"`
	QuietFrom  string   `form:"quiet_from,max=10"`
	QuietUntil string   `form:"quiet_until,max=10"`
	Avoid      []string `form:"avoid,max=40"`
}

// plan reads the form.
func (f planForm) plan() (pacing.Plan, error) {
	var bad fault.Fields
	p := pacing.Plan{MostEnergy: f.MostEnergy, RestHours: f.RestHours, Avoid: f.Avoid}
	if f.Weekly != "" {
		n, err := strconv.Atoi(f.Weekly)
		if err != nil || n < 0 {
			bad.Add("weekly", "error.pacing_weekly", "Max", pacing.WeeklyMost)
		}
		p.Weekly = n
	}
	if f.QuietFrom != "" || f.QuietUntil != "" {
		var ok bool
		if p.QuietFrom, ok = volunteers.ClockMinutes(f.QuietFrom); !ok {
			bad.Add("quiet_from", "error.pacing_hour")
		}
		if p.QuietUntil, ok = volunteers.ClockMinutes(f.QuietUntil); !ok {
			bad.Add("quiet_until", "error.pacing_hour")
		}
	}
	return p, bad.Err()
}

func planFormOf(p pacing.Plan) planForm {
	f := planForm{MostEnergy: p.MostEnergy, RestHours: p.RestHours, Avoid: append([]string{}, p.Avoid...)}
	if p.Weekly > 0 {
		f.Weekly = strconv.Itoa(p.Weekly)
	}
	if p.QuietFrom != p.QuietUntil {
		f.QuietFrom, f.QuietUntil = volunteers.Clock(p.QuietFrom), volunteers.Clock(p.QuietUntil)
	}
	return f
}

// planPage is what somebody plans with their energy. Only they see it.
type planPage struct {
	web.Page
	Token    string
	Form     planForm
	Plan     pacing.Plan
	Flaring  bool
	CanFlare bool
	Until    string
	Day      string
}

// EnergyOptions are the most energy of one thing.
func (p *planPage) EnergyOptions() []web.Option {
	out := []web.Option{{Value: "0", Label: p.T("pacing.energy_any")}}
	for n := 1; n <= 5; n++ {
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T("pacing.energy_" + strconv.Itoa(n))})
	}
	return out
}

// RestOptions are how long to rest after something heavy.
func (p *planPage) RestOptions() []web.Option {
	out := []web.Option{{Value: "0", Label: p.T("pacing.rest_none")}}
	hours := []int{24, pacing.Rest, 72, 7 * 24}
	for _, n := range hours {
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T("pacing.rest_days", "Count", n/24)})
	}
	return out
}

// AvoidOptions are what somebody cannot do now.
func (p *planPage) AvoidOptions() []web.Option {
	out := make([]web.Option, len(models.Demands))
	for i, d := range models.Demands {
		out[i] = web.Option{Value: d, Label: p.T("pacing.avoid_" + d)}
	}
	return out
}

// UntilOptions are how long a bad time may last.
func (p *planPage) UntilOptions() []web.Option {
	var out []web.Option
	for _, o := range []string{"told", "week", "month", "day"} {
		out = append(out, web.Option{Value: o, Label: p.T("pacing.until_" + o)})
	}
	return out
}

func (h *volunteerPages) planPage(c *fiber.Ctx) (*planPage, me.Who, error) {
	w, err := h.who(c)
	if err != nil {
		return nil, w, err
	}
	p := &planPage{Page: h.web.Page(c, "pacing.title", "me"), Token: c.Params("token"), CanFlare: h.svc.CanFlare(), Until: "told"}
	p.Path = "/me/" + p.Token + "/plan" // links of this page lead to a page, not to where a form went
	if p.Plan, err = h.svc.Plan(c.UserContext(), w.Mailboxes); err != nil {
		return nil, w, err
	}
	p.Flaring, p.Form = p.Plan.InFlare(h.svc.Clock.Now()), planFormOf(p.Plan)
	return p, w, nil
}

func (h *volunteerPages) plan(c *fiber.Ctx) error {
	p, _, err := h.planPage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	return h.web.Render(c, "public/volunteers/plan", p)
}

func (h *volunteerPages) savePlan(c *fiber.Ctx) error {
	p, w, err := h.planPage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	p.Form = planForm{Avoid: []string{}}
	if err = web.Bind(c, &p.Form); err == nil {
		var plan pacing.Plan
		if plan, err = p.Form.plan(); err == nil {
			err = h.svc.SavePlan(c.UserContext(), w.Mailboxes, plan)
		}
	}
	if p.Failed(err) {
		p.Form.Avoid = append([]string{}, p.Form.Avoid...)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/plan", p)
	}
	return h.done(c, err, "plan", "pacing.saved")
}

func (h *volunteerPages) badTime(c *fiber.Ctx) error {
	p, w, err := h.planPage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	f, until, err := h.until(c)
	if err == nil {
		err = h.svc.BadTime(c.UserContext(), w.Mailboxes, until)
	}
	if bad, is := web.Invalid(err); is {
		for i := range bad.Fields {
			if bad.Fields[i].Name == "flare_until" {
				bad.Fields[i].Name = "day"
			}
		}
		p.Failed(bad)
		p.Until, p.Day = f.Until, f.Day
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/plan", p)
	}
	return h.done(c, err, "plan", "pacing.bad_done")
}

type paperForm struct {
	Name    string `form:"name,max=300"`
	Role    string `form:"role,max=300"`
	On      string `form:"on,max=40"`
	Hours   string `form:"hours,max=10"`
	Minutes string `form:"minutes,max=10"`
	Shift   string `form:"shift,max=40"`
}

// minutes is the length in minutes; -1 where what was typed is no number.
func (f paperForm) minutes() int {
	sum := 0
	for i, s := range []string{f.Hours, f.Minutes} {
		if s == "" {
			continue
		}
		n, err := strconv.Atoi(s)
		if err != nil || n < 0 || n > 2000 {
			return -1
		}
		sum += n * []int{60, 1}[i]
	}
	return sum
}

// papersPage is somebody's certificates of hours, and the form to ask for one.
type papersPage struct {
	web.Page
	Token string
	Form  paperForm
	Held  []volunteers.Held
	Rows  []volunteers.Paper
}

func (h *volunteerPages) papersPage(c *fiber.Ctx) (*papersPage, me.Who, error) {
	w, err := h.who(c)
	if err != nil {
		return nil, w, err
	}
	p := &papersPage{Page: h.web.Page(c, "certificate.mine_title", "me"), Token: c.Params("token")}
	p.Path = "/me/" + p.Token + "/certificates" // links of this page lead to a page, not to where a form went
	if p.Held, err = h.svc.HeldBy(c.UserContext(), w.Mailboxes); err != nil {
		return nil, w, err
	}
	if p.Rows, err = h.svc.Papers(c.UserContext(), w.Mailboxes); err != nil {
		return nil, w, err
	}
	return p, w, nil
}

// papers shows them. The form is filled in from a place that the person holds, where the address names one.
func (h *volunteerPages) papers(c *fiber.Ctx) error {
	p, w, err := h.papersPage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	for _, held := range p.Held {
		if held.Shift.String() == p.Query("shift") {
			p.Form.Role, p.Form.On, p.Form.Shift = held.Role+", "+held.Roster, held.On, held.Shift.String()
			p.Form.Hours, p.Form.Minutes = strconv.Itoa(held.Minutes/60), strconv.Itoa(held.Minutes%60)
		}
	}
	own, err := h.svc.Mine(c.UserContext(), w.Mailboxes)
	if err != nil {
		return err
	}
	p.Form.Name = strings.TrimSpace(own.GivenName + " " + own.FamilyName)
	if p.Form.Name == "" {
		v, err := h.me.Show(c.UserContext(), p.Token, p.Lang)
		if err != nil {
			return h.own.over(c, err)
		}
		p.Form.Name = strings.TrimSpace(v.Details.GivenName + " " + v.Details.FamilyName)
	}
	return h.web.Render(c, "public/volunteers/certificates", p)
}

func (h *volunteerPages) ask(c *fiber.Ctx) error {
	p, w, err := h.papersPage(c)
	if err != nil {
		return h.own.over(c, err)
	}
	if err = web.Bind(c, &p.Form); err == nil {
		shift, bad := uuid.Parse(p.Form.Shift)
		if bad != nil {
			shift = uuid.Nil
		}
		err = h.svc.Ask(c.UserContext(), w.Mailboxes, volunteers.AskInput{Name: p.Form.Name, Role: p.Form.Role, On: p.Form.On, Minutes: p.Form.minutes(), Shift: shift})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/volunteers/certificates", p)
	}
	return h.done(c, err, "certificates", "certificate.asked_done")
}

func (h *volunteerPages) dropPaper(c *fiber.Ctx) error {
	w, err := h.who(c)
	if err == nil {
		var id uuid.UUID
		if id, err = uuid.Parse(c.Params("certificate")); err != nil {
			err = fault.New(fault.NotFound, "error.certificate_unknown")
		} else {
			err = h.svc.Drop(c.UserContext(), w.Mailboxes, id)
		}
	}
	return h.done(c, err, "certificates", "certificate.dropped")
}

func (h *volunteerPages) ownPaper(c *fiber.Ctx) error {
	w, err := h.who(c)
	if err != nil {
		return h.own.over(c, err)
	}
	id, err := uuid.Parse(c.Params("certificate"))
	if err != nil {
		return h.own.over(c, fault.New(fault.NotFound, "error.certificate_unknown"))
	}
	p, err := h.svc.Given(c.UserContext(), w.Mailboxes, id)
	if err != nil {
		return h.own.over(c, err)
	}
	return h.pdf(c, p)
}

func (h *volunteerPages) pdf(c *fiber.Ctx, p volunteers.Paper) error {
	var b bytes.Buffer
	if err := h.svc.Print(c.UserContext(), p, h.web.Page(c, "", "me").Lang, &b); err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "application/pdf")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="certificate.pdf"`)
	return c.Send(b.Bytes())
}

// paperPage is the page of a mailed link.
type paperPage struct {
	web.Page
	Token string
	Paper volunteers.Paper
}

func (h *volunteerPages) linked(c *fiber.Ctx) error {
	private(c)
	p := &paperPage{Page: h.web.Page(c, "certificate.title", "me"), Token: c.Params("token")}
	var err error
	if p.Paper, err = h.svc.Linked(c.UserContext(), p.Token); err != nil {
		return h.own.over(c, err)
	}
	return h.web.Render(c, "public/volunteers/certificate", p)
}

func (h *volunteerPages) linkedPaper(c *fiber.Ctx) error {
	private(c)
	p, err := h.svc.Linked(c.UserContext(), c.Params("token"))
	if err != nil {
		return h.own.over(c, err)
	}
	return h.pdf(c, p)
}
