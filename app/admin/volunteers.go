package admin

import (
	"bufio"
	"bytes"
	"html/template"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/volunteers"
	"kithline/models"
)

type volunteerPages struct {
	web *web.Web
	svc *volunteers.Service
}

// MountVolunteers puts in place what a coordinator sees of those who offer time: the list, a page for each, the steps of beginning, and
// certificates of hours.
func MountVolunteers(r fiber.Router, w *web.Web, s *volunteers.Service) {
	h := &volunteerPages{w, s}
	r.Get("/admin/volunteers", w.Signed, h.list)
	r.Post("/admin/volunteers/export", w.Signed, h.export)
	r.Get("/admin/volunteers/new", w.Signed, h.begin)
	r.Post("/admin/volunteers/new", w.Signed, h.add)
	r.Get("/admin/volunteers/steps", w.Signed, h.steps)
	r.Post("/admin/volunteers/steps", w.Signed, h.saveStep)
	r.Post("/admin/volunteers/steps/:step", w.Signed, h.changeStep)
	r.Get("/admin/volunteers/certificates", w.Signed, h.papers)
	r.Post("/admin/volunteers/certificates/:certificate", w.Signed, h.answer)
	r.Get("/admin/volunteers/:id", w.Signed, h.show)
	r.Post("/admin/volunteers/:id/trainings", w.Signed, h.trainings)
	r.Post("/admin/volunteers/:id/remark", w.Signed, h.remark)
	r.Post("/admin/volunteers/:id/welcome", w.Signed, h.welcome)
	r.Post("/admin/volunteers/:id/steps/:step", w.Signed, h.mark)
}

func volunteerPath(id uuid.UUID) string { return "/admin/volunteers/" + id.String() }

func volunteerID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.volunteer_unknown") }

type volunteerFilter struct {
	Like     string `form:"like,max=40"`
	Skill    string `form:"skill,max=40"`
	Language string `form:"language,max=40"`
	Training string `form:"training,max=40"`
	Area     string `form:"area,max=20"`
	State    string `form:"state,max=20"`
	Chapter  string `form:"chapter,max=40"`
}

func (f volunteerFilter) filter() volunteers.Filter {
	out := volunteers.Filter{Like: f.Like, Skill: f.Skill, Language: f.Language, Training: f.Training, Area: f.Area, State: f.State}
	if id, err := uuid.Parse(f.Chapter); err == nil {
		out.Chapter = id
	}
	return out
}

type volunteersPage struct {
	web.Page
	Filter  volunteerFilter
	Choices volunteers.Choices
	Rows    []volunteers.Row
	Next    string
}

// Narrowed reports whether the list is not everybody.
func (p *volunteersPage) Narrowed() bool { return p.Filter != volunteerFilter{} }

// Hidden is the filter as fields that a form carries.
func (p *volunteersPage) Hidden() []web.Option {
	f := p.Filter
	var out []web.Option
	for _, x := range []web.Option{
		{Value: f.Like, Name: "like"},
		{Value: f.Skill, Name: "skill"},
		{Value: f.Language, Name: "language"},
		{Value: f.Training, Name: "training"},
		{Value: f.Area, Name: "area"},
		{Value: f.State, Name: "state"},
		{Value: f.Chapter, Name: "chapter"},
	} {
		if x.Value != "" {
			out = append(out, x)
		}
	}
	return out
}

func (p *volunteersPage) coded(prefix string, codes []string) []web.Option {
	out := []web.Option{{Value: "", Label: p.T("volunteers.any")}}
	for _, c := range codes {
		out = append(out, web.Option{Value: c, Label: p.T("volunteers." + prefix + c)})
	}
	return out
}

// LikeOptions and those below are what the list can be narrowed by.
func (p *volunteersPage) LikeOptions() []web.Option { return p.coded("like_", volunteers.Likes()) }

// SkillOptions are skills.
func (p *volunteersPage) SkillOptions() []web.Option { return p.coded("skill_", volunteers.Skills) }

// SpeakOptions are languages.
func (p *volunteersPage) SpeakOptions() []web.Option { return p.coded("lang_", volunteers.Languages) }

// StateOptions are states.
func (p *volunteersPage) StateOptions() []web.Option { return p.coded("state_", volunteers.States) }

// TrainingOptions are trainings that somebody has or a shift needs.
func (p *volunteersPage) TrainingOptions() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("volunteers.any")}}
	for _, t := range p.Choices.Trainings {
		out = append(out, web.Option{Value: t, Label: t})
	}
	return out
}

// ChapterOptions are chapters, for who works for the whole organisation.
func (p *volunteersPage) ChapterOptions() []web.Option {
	return chapterChoices(p.T("volunteers.any"), p.Choices.Chapters)
}

// Words lists codes in words.
func (p *volunteersPage) Words(prefix string, codes []string) string {
	return codesIn(p.Page, prefix, codes)
}

func codesIn(p web.Page, prefix string, codes []string) string {
	out := make([]string, len(codes))
	for i, c := range codes {
		out[i] = p.T("volunteers." + prefix + c)
	}
	return strings.Join(out, ", ")
}

func (h *volunteerPages) list(c *fiber.Ctx) error {
	p := volunteersPage{Page: h.web.Page(c, "volunteers.list_title", "volunteers")}
	if err := web.Bind(c, &p.Filter); err != nil {
		return err
	}
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	list, err := h.svc.List(c.UserContext(), a, p.Filter.filter(), after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	if p.Choices, err = h.svc.Choices(c.UserContext(), a); err != nil {
		return err
	}
	return h.web.Render(c, "admin/volunteers/list", &p)
}

// export is a POST, since it is written down that it was done.
func (h *volunteerPages) export(c *fiber.Ctx) error {
	var f volunteerFilter
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	p := h.web.Page(c, "", "volunteers")
	var b bytes.Buffer
	out := bufio.NewWriter(&b)
	_, _ = out.WriteString("\ufeff") // the last write tells of all errors
	head := make([]string, 0, 16)
	for _, k := range []string{
		"given_name", "family_name", "email", "phone", "likes", "skills", "languages", "trainings", "hours", "modes", "postal_code", "country", "ask_by", "ask_from", "ask_until", "chapter", "since", "steps", "note",
	} {
		head = append(head, p.T("volunteers.csv_"+k))
	}
	if err := web.CSVRow(out, head...); err != nil {
		return err
	}
	err := h.svc.CSV(c.UserContext(), h.web.Actor(c), f.filter(), func(r volunteers.Row, address string) error {
		ask := string(r.AskBy)
		if ask == "" {
			ask = "not"
		}
		return web.CSVRow(out, r.GivenName, r.FamilyName, address, r.Phone, codesIn(p, "like_", r.Likes), codesIn(p, "skill_", r.Skills), codesIn(p, "lang_", r.Languages), strings.Join(r.Trainings, ", "),
			strings.Join(r.Hours, ", "), codesIn(p, "mode_", r.Modes), r.PostalCode, r.Country, p.T("volunteers.ask_"+ask), r.AskFrom, r.AskUntil, r.Chapter, r.Since.Format("2006-01-02"),
			p.T("volunteers.steps_of", "Done", r.Done, "Of", r.Of), r.Note)
	})
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	c.Set(fiber.HeaderContentType, "text/csv; charset=utf-8")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="volunteers.csv"`)
	return c.Send(b.Bytes())
}

type volunteerPage struct {
	web.Page
	View      volunteers.View
	Trainings string
	Remark    string
	Days      []web.Day
}

// Words lists codes in words.
func (p *volunteerPage) Words(prefix string, codes []string) string {
	return codesIn(p.Page, prefix, codes)
}

// AskCode is how they want to be asked, as locale keys end.
func (p *volunteerPage) AskCode() string {
	if p.View.AskBy == models.AskNot {
		return "not"
	}
	return string(p.View.AskBy)
}

// HoursText says when they can, in words.
func (p *volunteerPage) HoursText() string {
	var out []string
	for _, d := range p.Days {
		var parts []string
		for _, o := range d.Options {
			for _, h := range p.View.Hours {
				if h == o.Value {
					parts = append(parts, o.Label)
				}
			}
		}
		if len(parts) > 0 {
			out = append(out, d.Label+": "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(out, "; ")
}

// Tel is the number as a link has it.
func (p *volunteerPage) Tel() template.URL {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' || r == '+' {
			return r
		}
		return -1
	}, p.View.Phone)
	return template.URL("tel:" + digits) //nolint:gosec // digits alone
}

func (h *volunteerPages) show(c *fiber.Ctx) error {
	p := volunteerPage{Page: h.web.Page(c, "", "volunteers")}
	return h.renderShow(c, fiber.StatusOK, &p, true)
}

func (h *volunteerPages) renderShow(c *fiber.Ctx, status int, p *volunteerPage, fresh bool) error {
	id, err := volunteerID(c)
	if err != nil {
		return err
	}
	if p.View, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if fresh {
		p.Trainings, p.Remark = strings.Join(p.View.Trainings, ", "), p.View.Remark
	}
	p.Path = volunteerPath(id)
	p.Days = web.VolunteerFields{Page: p.Page}.DayOptions()
	if p.Title = p.View.Name(); p.Title == "" {
		p.Title = p.T("volunteers.no_name")
	}
	return h.web.RenderStatus(c, status, "admin/volunteers/show", p)
}

type volunteerChange struct {
	Trainings string `form:"trainings,max=1000"`
	Remark    string `form:"remark,max=4000,lines"`
	Done      bool   `form:"done"`
}

// change runs one of the small forms of a volunteer's page.
func (h *volunteerPages) change(c *fiber.Ctx, key string, do func(f volunteerChange, id uuid.UUID) error) error {
	id, err := volunteerID(c)
	if err != nil {
		return err
	}
	var f volunteerChange
	if err = web.Bind(c, &f); err == nil {
		err = do(f, id)
	}
	p := volunteerPage{Page: h.web.Page(c, "", "volunteers"), Trainings: f.Trainings, Remark: f.Remark}
	if p.Failed(err) {
		return h.renderShow(c, fiber.StatusUnprocessableEntity, &p, false)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, volunteerPath(id))
}

func (h *volunteerPages) trainings(c *fiber.Ctx) error {
	return h.change(c, "volunteers.trainings_saved", func(f volunteerChange, id uuid.UUID) error {
		return h.svc.SetTrainings(c.UserContext(), h.web.Actor(c), id, f.Trainings)
	})
}

func (h *volunteerPages) remark(c *fiber.Ctx) error {
	return h.change(c, "volunteers.remark_saved", func(f volunteerChange, id uuid.UUID) error {
		return h.svc.SetRemark(c.UserContext(), h.web.Actor(c), id, f.Remark)
	})
}

func (h *volunteerPages) welcome(c *fiber.Ctx) error {
	return h.change(c, "volunteers.welcome_done", func(_ volunteerChange, id uuid.UUID) error {
		return h.svc.Welcome(c.UserContext(), h.web.Actor(c), id)
	})
}

func (h *volunteerPages) mark(c *fiber.Ctx) error {
	step, err := paramID(c, "step", "error.volunteer_step_unknown")
	if err != nil {
		return err
	}
	return h.change(c, "volunteers.mark_done", func(f volunteerChange, id uuid.UUID) error {
		return h.svc.Mark(c.UserContext(), h.web.Actor(c), id, step, f.Done)
	})
}

type volunteerAddForm struct {
	web.VolunteerForm
	Email  string `form:"email,max=254"`
	Locale string `form:"locale,max=20"`
	Where  string `form:"where,max=400"`
	On     string `form:"on,max=40"`
}

type volunteerAddPage struct {
	web.VolunteerFields
	Add volunteerAddForm
}

func (h *volunteerPages) addPage(c *fiber.Ctx) *volunteerAddPage {
	p := &volunteerAddPage{VolunteerFields: web.VolunteerFields{Page: h.web.Page(c, "volunteers.add_title", "volunteers"), Form: web.VolunteerFormOf(volunteers.Said{})}}
	p.Countries = []web.Option{{Value: "", Label: p.T("me.country_none")}}
	for _, o := range locales.Countries(p.Lang) {
		p.Countries = append(p.Countries, web.Option{Value: o.Code, Label: o.Name})
	}
	p.Add.Locale = p.Lang
	return p
}

func (h *volunteerPages) begin(c *fiber.Ctx) error {
	if _, err := h.svc.Steps(c.UserContext(), h.web.Actor(c)); err != nil { // the rights
		return err
	}
	return h.web.Render(c, "admin/volunteers/add", h.addPage(c))
}

func (h *volunteerPages) add(c *fiber.Ctx) error {
	p := h.addPage(c)
	err := web.Bind(c, &p.Add)
	p.Form = p.Add.VolunteerForm
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Add(c.UserContext(), h.web.Actor(c), volunteers.HandInput{Said: p.Form.Said(), Email: p.Add.Email, Locale: p.Add.Locale, Where: p.Add.Where, On: p.Add.On})
	} else if _, rights := h.svc.Steps(c.UserContext(), h.web.Actor(c)); rights != nil {
		err = rights
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/volunteers/add", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "volunteers.added")
	return web.SeeOther(c, volunteerPath(id))
}

type stepForm struct {
	Name  string `form:"name,max=200"`
	About string `form:"about,max=1000,lines"`
}

type stepsPage struct {
	web.Page
	Form  stepForm
	Steps []models.OnboardingStep
}

// Edits reports whether the reader may change the steps, which all chapters share.
func (p *stepsPage) Edits() bool { return p.Actor.Chapter() == nil }

func (h *volunteerPages) steps(c *fiber.Ctx) error {
	p := stepsPage{Page: h.web.Page(c, "volunteers.steps_title", "volunteers")}
	return h.renderSteps(c, fiber.StatusOK, &p)
}

func (h *volunteerPages) renderSteps(c *fiber.Ctx, status int, p *stepsPage) error {
	var err error
	if p.Steps, err = h.svc.Steps(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	p.Path = "/admin/volunteers/steps"
	return h.web.RenderStatus(c, status, "admin/volunteers/steps", p)
}

func (h *volunteerPages) saveStep(c *fiber.Ctx) error {
	p := stepsPage{Page: h.web.Page(c, "volunteers.steps_title", "volunteers")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		_, err = h.svc.SaveStep(c.UserContext(), h.web.Actor(c), uuid.Nil, volunteers.StepInput{Name: p.Form.Name, About: p.Form.About})
	}
	if p.Failed(err) {
		return h.renderSteps(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "volunteers.step_saved")
	return web.SeeOther(c, "/admin/volunteers/steps")
}

// changeStep moves a step, takes it away, or writes it anew.
func (h *volunteerPages) changeStep(c *fiber.Ctx) error {
	id, err := paramID(c, "step", "error.volunteer_step_unknown")
	if err != nil {
		return err
	}
	p := stepsPage{Page: h.web.Page(c, "volunteers.steps_title", "volunteers")}
	var f struct {
		Name  string `form:"step_name,max=200"`
		About string `form:"step_about,max=1000,lines"`
		Do    string `form:"do,max=20"`
	}
	if err = web.Bind(c, &f); err == nil {
		ctx, a := c.UserContext(), h.web.Actor(c)
		switch f.Do {
		case "up", "down":
			err = h.svc.MoveStep(ctx, a, id, f.Do == "down")
		case "end":
			err = h.svc.EndStep(ctx, a, id)
		default:
			_, err = h.svc.SaveStep(ctx, a, id, volunteers.StepInput{Name: f.Name, About: f.About})
		}
	}
	if p.Failed(err) {
		for i := range p.Errors {
			p.Errors[i].Name = "" // the fields of these names are those of a new step
		}
		return h.renderSteps(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "volunteers.step_saved")
	return web.SeeOther(c, "/admin/volunteers/steps")
}

type certificatesPage struct {
	web.Page
	Rows []volunteers.Paper
}

func (h *volunteerPages) papers(c *fiber.Ctx) error {
	p := certificatesPage{Page: h.web.Page(c, "certificate.asked_title", "volunteers")}
	var err error
	if p.Rows, err = h.svc.Asked(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return h.web.Render(c, "admin/volunteers/certificates", &p)
}

func (h *volunteerPages) answer(c *fiber.Ctx) error {
	id, err := paramID(c, "certificate", "error.certificate_unknown")
	if err != nil {
		return err
	}
	var f struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "give" && f.Do != "refuse" {
		return fault.New(fault.NotFound, "error.certificate_unknown")
	}
	if err := h.svc.Answer(c.UserContext(), h.web.Actor(c), id, f.Do == "give"); err != nil {
		return err
	}
	key := "certificate.refused_done"
	if f.Do == "give" {
		key = "certificate.given_done"
	}
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, "/admin/volunteers/certificates")
}
