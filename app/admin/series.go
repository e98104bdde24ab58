package admin

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/campaigns/series"
	"kithline/models"
)

type seriesPages struct {
	web *web.Web
	svc *series.Service
}

// MountSeries puts the pages in place on which organizers write series and look how they fare.
func MountSeries(r fiber.Router, w *web.Web, s *series.Service) {
	h := &seriesPages{w, s}
	r.Get("/admin/series", w.Signed, h.list)
	r.Post("/admin/series", w.Signed, h.create)
	r.Get("/admin/series/:id", w.Signed, h.show)
	r.Get("/admin/series/:id/edit", w.Signed, h.edit)
	r.Post("/admin/series/:id/edit", w.Signed, h.save)
	r.Post("/admin/series/:id/steps", w.Signed, h.addStep)
	r.Get("/admin/series/:id/steps/:step", w.Signed, h.step)
	r.Post("/admin/series/:id/steps/:step", w.Signed, h.saveStep)
	r.Post("/admin/series/:id/steps/:step/move", w.Signed, h.moveStep)
	r.Get("/admin/series/:id/steps/:step/remove", w.Signed, h.beforeRemove)
	r.Post("/admin/series/:id/steps/:step/remove", w.Signed, h.removeStep)
	r.Get("/admin/series/:id/steps/:step/preview", w.Signed, h.preview)
	r.Get("/admin/series/:id/steps/:step/preview/mail", w.Signed, h.mail)
	r.Get("/admin/series/:id/start", w.Signed, h.before)
	r.Post("/admin/series/:id/start", w.Signed, h.start)
	r.Post("/admin/series/:id/pause", w.Signed, h.pause)
	r.Post("/admin/series/:id/resume", w.Signed, h.resume)
	r.Post("/admin/series/:id/unknown", w.Signed, h.unknown)
	r.Get("/admin/series/:id/end", w.Signed, h.beforeEnd)
	r.Post("/admin/series/:id/end", w.Signed, h.end)
}

func seriesID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.series_unknown") }

func seriesPath(id uuid.UUID) string { return "/admin/series/" + id.String() }

// seriesTone is the colour of a state.
func seriesTone(s models.SeriesState) string {
	switch s {
	case models.SeriesLive:
		return "on"
	case models.SeriesPaused:
		return "warn"
	}
	return ""
}

type seriesListPage struct {
	web.Page
	Rows []series.Row
	Next string
	To   []web.Option
	Form seriesNewForm
}

type seriesNewForm struct {
	Name string `form:"name,max=100"`
	From string `form:"from,max=20"`
	To   string `form:"to,max=60"`
}

// Tone is the colour of a state.
func (seriesListPage) Tone(s models.SeriesState) string { return seriesTone(s) }

func (h *seriesPages) list(c *fiber.Ctx) error {
	p := seriesListPage{Page: h.web.Page(c, "series.title", "series"), Form: seriesNewForm{From: series.Welcome, To: toNewsletter}}
	return h.renderList(c, fiber.StatusOK, &p)
}

func (h *seriesPages) renderList(c *fiber.Ctx, status int, p *seriesListPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	list, err := h.svc.List(c.UserContext(), a, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	all, err := h.svc.Choices(c.UserContext(), a)
	if err != nil {
		return err
	}
	p.To = seriesTo(p.Page, all)
	return h.web.RenderStatus(c, status, "admin/series/list", p)
}

// seriesTo are the choices of whom a series is for.
func seriesTo(p web.Page, all series.Choices) []web.Option {
	out := []web.Option{{Value: toNewsletter, Label: p.T("mailings.to_newsletter")}}
	for _, t := range all.Topics {
		out = append(out, web.Option{Value: toNewsletter + ":" + t.ID.String(), Label: p.T("mailings.to_topic", "Topic", t.Name)})
	}
	for _, x := range all.Petitions {
		out = append(out, web.Option{Value: x.ID.String(), Label: p.T("series.to_updates", "Petition", x.Name)})
	}
	return out
}

func (h *seriesPages) create(c *fiber.Ctx) error {
	p := seriesListPage{Page: h.web.Page(c, "series.title", "series")}
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Create(c.UserContext(), h.web.Actor(c), p.Form.Name, readTo(p.Form.To), p.Form.From)
	}
	if p.Failed(err) {
		return h.renderList(c, fiber.StatusUnprocessableEntity, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.created")
	return web.SeeOther(c, seriesPath(id))
}

// seriesStepForm is what a step is to be.
type seriesStepForm struct {
	Kind    string `form:"kind,max=20"`
	Amount  string `form:"amount,max=10"`
	Unit    string `form:"unit,max=20"`
	Weekday string `form:"weekday,max=2"`
	Hour    string `form:"hour,max=5"`
	Tag     string `form:"tag,max=200"`
	Do      string `form:"do,max=20"`
}

// number reads a whole number that somebody typed; what is none is far out of any range.
func typedNumber(s string) int {
	if s == "" {
		return 0
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 1 << 30
	}
	return n
}

func (f seriesStepForm) input() series.StepInput {
	in := series.StepInput{Kind: models.SeriesStepKind(f.Kind), Amount: typedNumber(f.Amount), Unit: f.Unit, Weekday: -1, Hour: f.Hour, Tag: f.Tag}
	if f.Weekday != "" {
		in.Weekday = typedNumber(f.Weekday)
	}
	return in
}

// seriesWords says in words what stands in rows of series.
type seriesWords struct{ web.Page }

// StepWords says what a step does.
func (p seriesWords) StepWords(s series.Step, locale string) string {
	switch s.Kind {
	case models.StepMail:
		if t := s.Text(locale); t.Subject != "" {
			return p.T("series.step_mail", "Subject", t.Subject)
		}
		return p.T("series.step_mail_empty")
	case models.StepTag, models.StepUntag:
		return p.T("series.step_"+string(s.Kind), "Tag", s.Tag)
	}
	var until string
	day, hour := "", clockWords(s.UntilMinute)
	if s.UntilWeekday >= 0 {
		day = p.T(fmt.Sprint("series.day_", s.UntilWeekday))
	}
	switch {
	case day != "" && hour != "":
		until = p.T("series.until_both", "Day", day, "Hour", hour)
	case day != "":
		until = p.T("series.until_day", "Day", day)
	case hour != "":
		until = p.T("series.until_hour", "Hour", hour)
	}
	if s.WaitAmount == 0 && until != "" {
		return p.T("series.step_until", "Until", until)
	}
	wait := p.T("series.wait_"+s.WaitUnit, "Count", s.WaitAmount)
	if until == "" {
		return wait
	}
	return p.T("series.step_wait_until", "Wait", wait, "Until", until)
}

// clockWords is a minute of the day as a clock shows it; "" for none.
func clockWords(minute int) string {
	if minute < 0 {
		return ""
	}
	return fmt.Sprintf("%02d:%02d", minute/60, minute%60)
}

// Units are the choices of how long a wait is.
func (p seriesWords) Units() []web.Option {
	var out []web.Option
	for _, u := range series.Units {
		out = append(out, web.Option{Value: u, Label: p.T("series.unit_" + u)})
	}
	return out
}

// Weekdays are the choices of the day that a wait ends on, from Monday.
func (p seriesWords) Weekdays() []web.Option {
	out := []web.Option{{Label: p.T("series.day_any")}}
	for d := range 7 {
		n := (d + 1) % 7
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T(fmt.Sprint("series.day_", n))})
	}
	return out
}

type seriesPage struct {
	seriesWords
	series.Report
	Form seriesStepForm
}

// Base is the address of the series' pages.
func (p seriesPage) Base() string { return seriesPath(p.Report.Series.ID) }

// Tone is the colour of the state.
func (p seriesPage) Tone() string { return seriesTone(p.Report.Series.State) }

// Whom says whom the series is for.
func (p seriesPage) Whom() string {
	switch {
	case p.Report.Series.PetitionID != nil:
		return p.T("series.to_updates", "Petition", p.Petition)
	case p.Topic != "":
		return p.T("mailings.to_topic", "Topic", p.Topic)
	}
	return p.T("mailings.to_newsletter")
}

// Begins says what brings people in.
func (p seriesPage) Begins() string {
	sr := p.Report.Series
	switch sr.TriggerKind {
	case models.TriggerDate, models.TriggerAnniversary:
		key, n := "_on", sr.TriggerDays
		if n > 0 {
			key = "_after"
		} else if n < 0 {
			key, n = "_before", -n
		}
		return p.T("series.begin_"+string(sr.TriggerKind)+key, "Count", n, "Date", p.day(sr.TriggerDate))
	}
	return p.T("series.begin_"+string(sr.TriggerKind), "Name", p.TriggerName)
}

// day is a date of the settings as the reader writes dates.
func (p seriesPage) day(s string) string {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return s
	}
	return web.Date(p.Lang, t)
}

// Quiet says when no mail goes.
func (p seriesPage) Quiet() string {
	sr := p.Report.Series
	if sr.QuietFrom == sr.QuietUntil {
		return p.T("series.quiet_none")
	}
	return p.T("series.quiet_hours", "From", clockWords(sr.QuietFrom), "Until", clockWords(sr.QuietUntil))
}

// GoalWords say what ends the series for a person.
func (p seriesPage) GoalWords() []string {
	var out []string
	for _, g := range p.Goals {
		out = append(out, p.T("series.goal_"+string(g.Kind), "Name", g.Name))
	}
	return out
}

// Edits reports whether the reader may change the series now: what is changed of one that went live goes out.
func (p seriesPage) Edits() bool {
	switch p.Report.Series.State {
	case models.SeriesDraft:
		return p.May(string(actor.WriteMailing))
	case models.SeriesEnded:
		return false
	}
	return p.May(string(actor.Send))
}

// Last is the place of the last step.
func (p seriesPage) Last() int { return len(p.Steps) - 1 }

func (h *seriesPages) show(c *fiber.Ctx) error {
	p := seriesPage{seriesWords: seriesWords{h.web.Page(c, "series.title", "series")}, Form: seriesStepForm{Amount: "3", Unit: "days", Kind: string(models.StepTag)}}
	return h.renderShow(c, fiber.StatusOK, "show", &p)
}

// renderShow renders a page about the series as a whole.
func (h *seriesPages) renderShow(c *fiber.Ctx, status int, name string, p *seriesPage) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	if p.Report, err = h.svc.Report(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if name == "show" {
		p.Title = p.Report.Series.Name
	}
	return h.web.RenderStatus(c, status, "admin/series/"+name, p)
}

func (h *seriesPages) addStep(c *fiber.Ctx) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	p := seriesPage{seriesWords: seriesWords{h.web.Page(c, "series.title", "series")}}
	var step uuid.UUID
	if err = web.Bind(c, &p.Form); err == nil {
		step, err = h.svc.AddStep(c.UserContext(), h.web.Actor(c), id, p.Form.input())
	}
	if p.Failed(err) {
		return h.renderShow(c, fiber.StatusUnprocessableEntity, "show", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.step_added")
	if models.SeriesStepKind(p.Form.Kind) == models.StepMail {
		return web.SeeOther(c, seriesPath(id)+"/steps/"+step.String())
	}
	return web.SeeOther(c, seriesPath(id)+"#steps")
}

// seriesForm are the settings of a series.
type seriesForm struct {
	Revision   int    `form:"revision"`
	Name       string `form:"name,max=200"`
	To         string `form:"to,max=60"`
	Locale     string `form:"locale,max=10"`
	Trigger    string `form:"trigger,max=80"`
	Date       string `form:"date,max=20"`
	Days       string `form:"days,max=10"`
	Lookback   string `form:"lookback,max=10"`
	Again      string `form:"again,max=10"`
	QuietFrom  string `form:"quietfrom,max=5"`
	QuietUntil string `form:"quietuntil,max=5"`
	Acted      bool   `form:"acted"`
	Signed     string `form:"signed,max=60"`
	Tagged     string `form:"tagged,max=60"`
}

// choiceID reads an id that a choice stands for; what is none names nothing.
func choiceID(s string) uuid.UUID {
	id, err := uuid.Parse(s)
	if err != nil {
		return uuid.Max
	}
	return id
}

func (f seriesForm) settings() series.Settings {
	to := readTo(f.To)
	to.Locale = f.Locale
	in := series.Settings{
		Revision: f.Revision, Name: f.Name, To: to, Date: f.Date, Days: typedNumber(f.Days), Lookback: typedNumber(f.Lookback), Again: typedNumber(f.Again),
		QuietFrom: f.QuietFrom, QuietUntil: f.QuietUntil,
	}
	kind, id, named := strings.Cut(f.Trigger, ":")
	if in.Trigger = models.SeriesTrigger(kind); named {
		in.TriggerID = choiceID(id)
	}
	if f.Acted {
		in.Goals = append(in.Goals, series.Goal{Kind: models.ExitActed})
	}
	if f.Signed != "" {
		in.Goals = append(in.Goals, series.Goal{Kind: models.ExitSigned, ObjectID: choiceID(f.Signed)})
	}
	if f.Tagged != "" {
		in.Goals = append(in.Goals, series.Goal{Kind: models.ExitTagged, ObjectID: choiceID(f.Tagged)})
	}
	return in
}

type seriesFormPage struct {
	web.Page
	Series                          models.Series
	Form                            seriesForm
	To, Triggers, Petitions, Tagged []web.Option
}

// Base is the address of the series' pages.
func (p seriesFormPage) Base() string { return seriesPath(p.Series.ID) }

// Draft reports whether everything can still be set.
func (p seriesFormPage) Draft() bool { return p.Series.State == models.SeriesDraft }

func (h *seriesPages) edit(c *fiber.Ctx) error {
	p := seriesFormPage{Page: h.web.Page(c, "series.settings", "series")}
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	r, err := h.svc.Report(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	sr := r.Series
	p.Form = seriesForm{
		Revision: sr.Revision, Name: sr.Name, To: toNewsletter, Locale: sr.Locale, Trigger: string(sr.TriggerKind), Date: sr.TriggerDate, Days: strconv.Itoa(sr.TriggerDays),
		Lookback: strconv.Itoa(sr.LookbackDays), Again: strconv.Itoa(sr.AgainDays), QuietFrom: clockWords(sr.QuietFrom), QuietUntil: clockWords(sr.QuietUntil),
	}
	if sr.PetitionID != nil {
		p.Form.To = sr.PetitionID.String()
	} else if sr.ScopeID != uuid.Nil {
		p.Form.To += ":" + sr.ScopeID.String()
	}
	if sr.TriggerID != uuid.Nil {
		p.Form.Trigger += ":" + sr.TriggerID.String()
	}
	for _, g := range r.Goals {
		switch g.Kind {
		case models.ExitActed:
			p.Form.Acted = true
		case models.ExitSigned:
			p.Form.Signed = g.ObjectID.String()
		case models.ExitTagged:
			p.Form.Tagged = g.ObjectID.String()
		}
	}
	return h.renderEdit(c, fiber.StatusOK, &p, id)
}

func (h *seriesPages) renderEdit(c *fiber.Ctx, status int, p *seriesFormPage, id uuid.UUID) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Series, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if p.Series.State == models.SeriesEnded {
		return web.SeeOther(c, p.Base())
	}
	all, err := h.svc.Choices(ctx, a)
	if err != nil {
		return err
	}
	p.To = seriesTo(p.Page, all)
	p.Petitions, p.Tagged = []web.Option{{Label: p.T("series.goal_none")}}, []web.Option{{Label: p.T("series.goal_none")}}
	for _, x := range all.Petitions {
		p.Petitions = append(p.Petitions, web.Option{Value: x.ID.String(), Label: x.Name})
	}
	for _, x := range all.Tags {
		p.Tagged = append(p.Tagged, web.Option{Value: x.ID.String(), Label: x.Name})
	}
	add := func(t models.SeriesTrigger, named []series.Choice) {
		if !h.svc.Offers(t) {
			return
		}
		if named == nil {
			p.Triggers = append(p.Triggers, web.Option{Value: string(t), Label: p.T("series.trigger_" + string(t))})
		}
		for _, x := range named {
			p.Triggers = append(p.Triggers, web.Option{Value: string(t) + ":" + x.ID.String(), Label: p.T("series.begin_"+string(t), "Name", x.Name)})
		}
	}
	none := []series.Choice{}
	add(models.TriggerJoined, nil)
	add(models.TriggerSigned, append(none, all.Petitions...))
	add(models.TriggerForm, append(none, all.Forms...))
	add(models.TriggerTagged, append(none, all.Tags...))
	add(models.TriggerShift, nil)
	add(models.TriggerDate, nil)
	add(models.TriggerAnniversary, nil)
	return h.web.RenderStatus(c, status, "admin/series/edit", p)
}

func (h *seriesPages) save(c *fiber.Ctx) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := seriesFormPage{Page: h.web.Page(c, "series.settings", "series")}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.svc.Save(ctx, a, id, p.Form.settings())
	}
	if p.Failed(err) {
		return h.renderEdit(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if fault.Is(err, fault.Conflict) { // what was typed stays; saving once more puts it in the place of the other's
		sr, e := h.svc.Get(ctx, a, id)
		if e != nil || sr.State == models.SeriesEnded {
			return err
		}
		p.Form.Revision = sr.Revision
		p.Refuse(err)
		return h.renderEdit(c, fiber.StatusConflict, &p, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.saved")
	return web.SeeOther(c, seriesPath(id))
}

// seriesMailForm is what the mail of a step says in one language.
type seriesMailForm struct {
	Locale    string `form:"locale,max=10"`
	Revision  int    `form:"revision"`
	Subject   string `form:"subject,max=200"`
	Preheader string `form:"preheader,max=200"`
	Body      string `form:"body,max=102400,lines"`
}

type seriesStepPage struct {
	seriesWords
	Series  models.Series
	Step    series.Step
	Place   int // from 1
	Form    seriesStepForm
	Mail    seriesMailForm
	Preview mailings.Preview
}

// Base is the address of the series' pages.
func (p seriesStepPage) Base() string { return seriesPath(p.Series.ID) }

// Here is the address of the step's pages.
func (p seriesStepPage) Here() string { return p.Base() + "/steps/" + p.Step.ID.String() }

// Fields lists the merge fields that stand for something here.
func (p seriesStepPage) Fields() []string {
	if p.Series.PetitionID != nil {
		return mailings.Fields
	}
	return []string{mailings.Fields[0], mailings.Fields[len(mailings.Fields)-1]}
}

// Languages are the languages that the mail can be written in.
func (p seriesStepPage) Languages() []web.NavLink {
	var out []web.NavLink
	for _, l := range p.LanguageOptions() {
		label := l.Label
		switch {
		case !p.Step.Ready(l.Value):
			label = p.T("series.language_empty", "Language", label)
		case l.Value == p.Series.Locale:
			label = p.T("series.language_main", "Language", label)
		}
		current := ""
		if l.Value == p.Mail.Locale {
			current = "page"
		}
		out = append(out, web.NavLink{URL: p.Here() + "?text=" + l.Value, Label: label, Current: current})
	}
	return out
}

// Main reports whether the words are in the series' own language.
func (p seriesStepPage) Main() bool { return p.Mail.Locale == p.Series.Locale }

// stepPage reads the step of an address.
func (h *seriesPages) stepPage(c *fiber.Ctx, key string) (*seriesStepPage, error) {
	id, err := seriesID(c)
	if err != nil {
		return nil, err
	}
	step, err := paramID(c, "step", "error.series_step_unknown")
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := &seriesStepPage{seriesWords: seriesWords{h.web.Page(c, key, "series")}}
	if p.Series, err = h.svc.Get(ctx, a, id); err != nil {
		return nil, err
	}
	list, err := h.svc.Steps(ctx, a, id)
	if err != nil {
		return nil, err
	}
	for i, st := range list {
		if st.ID == step {
			p.Step, p.Place = st, i+1
		}
	}
	if p.Place == 0 {
		return nil, fault.New(fault.NotFound, "error.series_step_unknown")
	}
	p.Mail.Locale = p.Series.Locale
	for _, l := range p.LanguageOptions() {
		if l.Value == c.Query("text") {
			p.Mail.Locale = l.Value
		}
	}
	return p, nil
}

func (h *seriesPages) step(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "series.step")
	if err != nil {
		return err
	}
	t := p.Step.Text(p.Mail.Locale)
	p.Mail = seriesMailForm{Locale: p.Mail.Locale, Revision: t.Revision, Subject: t.Subject, Preheader: t.Preheader, Body: t.Body}
	p.Form = seriesStepForm{Amount: strconv.Itoa(p.Step.WaitAmount), Unit: p.Step.WaitUnit, Hour: clockWords(p.Step.UntilMinute), Tag: p.Step.Tag}
	if p.Step.UntilWeekday >= 0 {
		p.Form.Weekday = strconv.Itoa(p.Step.UntilWeekday)
	}
	return h.renderStep(c, fiber.StatusOK, p)
}

func (h *seriesPages) renderStep(c *fiber.Ctx, status int, p *seriesStepPage) error {
	p.Title = p.T("series.step_n", "Step", p.Place, "What", p.StepWords(p.Step, p.Series.Locale))
	return h.web.RenderStatus(c, status, "admin/series/step", p)
}

func (h *seriesPages) saveStep(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "series.step")
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if err = web.Bind(c, &p.Form); err == nil {
		err = web.Bind(c, &p.Mail)
	}
	if p.Step.Kind != models.StepMail {
		in := p.Form.input()
		in.Kind = p.Step.Kind
		if err == nil {
			err = h.svc.SaveStep(ctx, a, p.Series.ID, p.Step.ID, in)
		}
		if p.Failed(err) {
			return h.renderStep(c, fiber.StatusUnprocessableEntity, p)
		} else if err != nil {
			return err
		}
		h.web.Flash(c, "good", "series.saved")
		return web.SeeOther(c, p.Base()+"#steps")
	}
	saved := false
	if err == nil {
		err = h.svc.SaveMail(ctx, a, p.Series.ID, p.Step.ID, series.MailInput{
			Locale: p.Mail.Locale, Revision: p.Mail.Revision, Subject: p.Mail.Subject, Preheader: p.Mail.Preheader, Body: p.Mail.Body,
		})
		saved = err == nil
	}
	if saved && p.Form.Do == "test" {
		err = h.svc.Test(ctx, a, p.Series.ID, p.Step.ID, p.Mail.Locale)
	}
	if saved && err != nil {
		p.Mail.Revision++
	}
	if p.Failed(err) {
		return h.renderStep(c, fiber.StatusUnprocessableEntity, p)
	}
	if fault.Is(err, fault.Conflict) {
		list, e := h.svc.Steps(ctx, a, p.Series.ID)
		if e != nil || p.Series.State == models.SeriesEnded {
			return err
		}
		for _, st := range list {
			if st.ID == p.Step.ID {
				p.Mail.Revision = st.Text(p.Mail.Locale).Revision
			}
		}
		p.Refuse(err)
		return h.renderStep(c, fiber.StatusConflict, p)
	}
	if err != nil {
		return err
	}
	switch p.Form.Do {
	case "test":
		h.web.Flash(c, "good", "mailings.test_sent")
	case "preview":
		return web.SeeOther(c, p.Here()+"/preview?text="+p.Mail.Locale)
	default:
		h.web.Flash(c, "good", "series.saved")
	}
	return web.SeeOther(c, p.Here()+"?text="+p.Mail.Locale)
}

func (h *seriesPages) moveStep(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "series.step")
	if err != nil {
		return err
	}
	if err := web.Bind(c, &p.Form); err != nil {
		return err
	}
	by := 1
	if p.Form.Do == "up" {
		by = -1
	}
	if err := h.svc.MoveStep(c.UserContext(), h.web.Actor(c), p.Series.ID, p.Step.ID, by); err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.moved")
	return web.SeeOther(c, p.Base()+"#steps")
}

func (h *seriesPages) beforeRemove(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "series.remove_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/series/remove", p)
}

func (h *seriesPages) removeStep(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "series.remove_title")
	if err != nil {
		return err
	}
	if err := h.svc.RemoveStep(c.UserContext(), h.web.Actor(c), p.Series.ID, p.Step.ID); err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.removed")
	return web.SeeOther(c, p.Base()+"#steps")
}

func (h *seriesPages) preview(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "mailings.preview")
	if err != nil {
		return err
	}
	if p.Preview, err = h.svc.Preview(c.UserContext(), h.web.Actor(c), p.Series.ID, p.Step.ID, p.Mail.Locale); err != nil {
		return err
	}
	web.ShowFrames(c)
	return h.web.Render(c, "admin/series/preview", p)
}

// mail is the document of the preview's frames.
func (h *seriesPages) mail(c *fiber.Ctx) error {
	p, err := h.stepPage(c, "mailings.preview")
	if err != nil {
		return err
	}
	m, err := h.svc.Preview(c.UserContext(), h.web.Actor(c), p.Series.ID, p.Step.ID, p.Mail.Locale)
	if err != nil {
		return err
	}
	return web.Document(c, mailDocument(m.HTML, c.Query("theme") == "dark"), false)
}

type seriesStartPage struct {
	web.Page
	Series models.Series
	Before series.Before
	Lines  []string
}

// Base is the address of the series' pages.
func (p seriesStartPage) Base() string { return seriesPath(p.Series.ID) }

func (h *seriesPages) before(c *fiber.Ctx) error {
	p := seriesStartPage{Page: h.web.Page(c, "series.before", "series")}
	return h.renderBefore(c, fiber.StatusOK, &p)
}

func (h *seriesPages) renderBefore(c *fiber.Ctx, status int, p *seriesStartPage) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if p.Series, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if p.Series.State != models.SeriesDraft {
		return web.SeeOther(c, p.Base())
	}
	if p.Before, err = h.svc.Before(ctx, a, id); err != nil {
		return err
	}
	for _, x := range p.Before.Problems {
		p.Lines = append(p.Lines, p.T(x.Key, x.Args...))
	}
	return h.web.RenderStatus(c, status, "admin/series/start", p)
}

func (h *seriesPages) start(c *fiber.Ctx) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	p := seriesStartPage{Page: h.web.Page(c, "series.before", "series")}
	var f seriesForm
	if err = web.Bind(c, &f); err == nil {
		err = h.svc.Start(c.UserContext(), h.web.Actor(c), id, f.Revision)
	}
	if _, invalid := web.Invalid(err); invalid { // the page says what is wrong
		return h.renderBefore(c, fiber.StatusUnprocessableEntity, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "series.started")
	return web.SeeOther(c, seriesPath(id))
}

func (h *seriesPages) pause(c *fiber.Ctx) error { return h.change(c, h.svc.Pause, "series.paused") }

func (h *seriesPages) resume(c *fiber.Ctx) error { return h.change(c, h.svc.Resume, "series.resumed") }

func (h *seriesPages) end(c *fiber.Ctx) error { return h.change(c, h.svc.End, "series.ended") }

// change does one thing with a series and goes back to its page.
func (h *seriesPages) change(c *fiber.Ctx, do func(context.Context, actor.Actor, uuid.UUID) error, done string) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, seriesPath(id))
}

// unknown decides about mails whose fate is unknown.
func (h *seriesPages) unknown(c *fiber.Ctx) error {
	id, err := seriesID(c)
	if err != nil {
		return err
	}
	var f seriesStepForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "resend" && f.Do != "leave" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	n, err := h.svc.Settle(c.UserContext(), h.web.Actor(c), id, f.Do == "resend")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.settled_"+f.Do, "Count", n)
	return web.SeeOther(c, seriesPath(id))
}

// beforeEnd asks once more: ending cannot be undone.
func (h *seriesPages) beforeEnd(c *fiber.Ctx) error {
	p := seriesPage{seriesWords: seriesWords{h.web.Page(c, "series.end_title", "series")}}
	return h.renderShow(c, fiber.StatusOK, "end", &p)
}
