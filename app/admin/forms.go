package admin

import (
	"html"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/forms"
	"kithline/campaigns/paging"
	"kithline/models"
)

type formAdmin struct {
	web   *web.Web
	forms *forms.Service
}

// MountForms puts the organizer's side of forms in place, below /admin/forms: list, draft, figures. The preview is shown by the
// surface that shows the form.
func MountForms(r fiber.Router, w *web.Web, s *forms.Service) {
	h := &formAdmin{w, s}
	g := r.Group("/admin/forms", w.Signed)
	g.Get("/", h.list)
	g.Get("/new", h.newForm)
	g.Post("/", h.create)
	g.Get("/:id", h.show)
	g.Get("/:id/edit", h.edit)
	g.Post("/:id/edit", h.save)
	g.Post("/:id/draft", h.autosave)
	g.Post("/:id/state", h.setState)
}

func formPath(id uuid.UUID) string { return "/admin/forms/" + id.String() }

func formID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.form_unknown") }

type formList struct {
	web.Page
	Rows paging.Page[models.Form]
}

func (h *formAdmin) list(c *fiber.Ctx) error {
	p := formList{Page: h.web.Page(c, "form.rail", "forms")}
	after, err := paging.Parse(p.Query("after"))
	if err != nil {
		return err
	}
	if p.Rows, err = h.forms.List(c.UserContext(), h.web.Actor(c), after); err != nil {
		return err
	}
	return h.web.Render(c, "admin/forms/list", &p)
}

type formStart struct {
	web.Page
	Form struct {
		Title  string `form:"title,max=80"`
		Locale string `form:"locale,max=20"`
	}
}

func (h *formAdmin) newForm(c *fiber.Ctx) error {
	// The list is asked for the right to be here.
	if _, err := h.forms.List(c.UserContext(), h.web.Actor(c), paging.Cursor{}); err != nil {
		return err
	}
	p := formStart{Page: h.web.Page(c, "form.start_title", "forms")}
	p.Form.Locale = p.Lang
	return h.web.Render(c, "admin/forms/new", &p)
}

func (h *formAdmin) create(c *fiber.Ctx) error {
	p := formStart{Page: h.web.Page(c, "form.start_title", "forms")}
	err := web.Bind(c, &p.Form)
	var f models.Form
	if err == nil {
		f, err = h.forms.Create(c.UserContext(), h.web.Actor(c), p.Form.Title, p.Form.Locale)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/forms/new", &p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, formPath(f.ID)+"/edit")
}

// formDraft is everything about a form but its questions, whose fields depend on the record.
type formDraft struct {
	Title    string   `form:"title,max=80"`
	Intro    string   `form:"intro,max=5000,lines"`
	Thanks   string   `form:"thanks,max=5000,lines"`
	Locale   string   `form:"locale,max=20"`
	Consents []string `form:"consents,max=100"`
	Tags     string   `form:"tags,max=1000"`
	Chapter  string   `form:"chapter,max=40"`
	Campaign string   `form:"campaign,max=40"`
	Hosts    string   `form:"hosts,max=2000,lines"`
	Revision int      `form:"revision"`
	Do       string   `form:"do,max=20"`
}

// questionRow is one line of the table of questions.
type questionRow struct {
	Key, Label string
	Private    bool
	Ask        string // "", optional, required
	Order      string
}

type formEdit struct {
	web.Page
	Row       models.Form
	Form      formDraft
	Questions []questionRow
	Choices   forms.Choices
	Stored    *models.Form // what another page saved in the meantime
}

// Asks are the consents that the form can ask for.
func (p formEdit) Asks() []web.Option {
	out := make([]web.Option, len(p.Choices.Boxes))
	for i, b := range p.Choices.Boxes {
		out[i] = web.Option{Value: b.Ask.String(), Label: b.Label(), Hint: b.Hint()}
	}
	return out
}

// Locales are the languages of the texts.
func (p formEdit) Locales() []web.Option { return p.LanguageOptions() }

// Chapters are those that the form can belong to.
func (p formEdit) Chapters() []web.Option {
	return chapterChoices(p.T("form.f_none"), p.Choices.Chapters)
}

// Campaigns are those that the form can be for.
func (p formEdit) Campaigns() []web.Option {
	return campaignChoices(p.T("form.f_none"), p.Choices.Campaigns)
}

// Whole reports whether the reader works for the whole organisation, and may choose the chapter.
func (p formEdit) Whole() bool { return p.Actor.Chapter() == nil }

func (h *formAdmin) editPage(c *fiber.Ctx) (*formEdit, error) {
	id, err := formID(c)
	if err != nil {
		return nil, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	f, err := h.forms.Get(ctx, a, id)
	if err != nil {
		return nil, err
	}
	p := &formEdit{Page: h.web.Page(c, "form.edit_title", "forms"), Row: f}
	if p.Choices, err = h.forms.Choices(ctx, a, id); err != nil {
		return nil, err
	}
	p.Form = formDraft{
		Title: f.Title, Intro: f.Intro, Thanks: f.Thanks, Locale: f.Locale, Tags: strings.Join(p.Choices.Tags, ", "), Hosts: f.EmbedHosts, Revision: f.Revision, Consents: []string{},
		Chapter: idOf(f.ChapterID), Campaign: idOf(f.CampaignID),
	}
	for _, a := range forms.AsksOf(f) {
		p.Form.Consents = append(p.Form.Consents, a.String())
	}
	chosen := forms.QuestionsOf(f)
	for i, q := range p.Choices.Questions {
		row := questionRow{Key: q.Key, Order: strconv.Itoa((i + 1) * 10)}
		if q.Field != nil {
			row.Label, row.Private = q.Field.Label, q.Field.Private
		} else {
			row.Label = p.T("form.q_" + q.Key)
		}
		if n := slices.IndexFunc(chosen, func(x forms.Question) bool { return x.Key == q.Key }); n >= 0 {
			row.Ask = "optional"
			if chosen[n].Required {
				row.Ask = "required"
			}
		}
		p.Questions = append(p.Questions, row)
	}
	return p, nil
}

// bind reads the form over what the page showed, and returns it as a draft.
func (p *formEdit) bind(c *fiber.Ctx) (forms.SaveInput, error) {
	err := web.Bind(c, &p.Form)
	var names []web.Value
	for _, q := range p.Questions {
		names = append(names, web.Value{Name: "ask-" + q.Key, Max: 20}, web.Value{Name: "order-" + q.Key, Max: 10})
	}
	values, wrong := web.BindValues(c, names)
	if err == nil {
		err = wrong
	}
	for i := range p.Questions {
		q := &p.Questions[i]
		q.Ask, q.Order = values["ask-"+q.Key], values["order-"+q.Key]
	}
	rows := slices.Clone(p.Questions)
	slices.SortStableFunc(rows, func(a, b questionRow) int { return a.place() - b.place() })
	in := forms.SaveInput{Revision: p.Form.Revision, Draft: forms.Draft{
		Title: p.Form.Title, Intro: p.Form.Intro, Thanks: p.Form.Thanks, Locale: p.Form.Locale, Tags: strings.Split(p.Form.Tags, ","), Hosts: p.Form.Hosts,
	}}
	for _, q := range rows {
		if q.Ask != "" {
			in.Questions = append(in.Questions, forms.Question{Key: q.Key, Required: q.Ask == "required"})
		}
	}
	for _, s := range p.Form.Consents {
		if ask, ok := consents.ParseAsk(s); ok {
			in.Asks = append(in.Asks, ask)
		}
	}
	for _, x := range []struct {
		field, value string
		to           **uuid.UUID
	}{{"chapter", p.Form.Chapter, &in.ChapterID}, {"campaign", p.Form.Campaign, &in.CampaignID}} {
		if x.value == "" {
			continue
		}
		id, wrong := uuid.Parse(x.value)
		if wrong != nil && err == nil {
			err = fault.Fields{{Name: x.field, Key: "error.value_unknown"}}.Err()
		}
		*x.to = &id
	}
	return in, err
}

// place is where a question stands; one without a number stands last.
func (q questionRow) place() int {
	n, err := strconv.Atoi(q.Order)
	if err != nil {
		return 1 << 20
	}
	return n
}

func (h *formAdmin) edit(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/forms/edit", p)
}

func (h *formAdmin) save(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	in, err := p.bind(c)
	var stored models.Form
	if err == nil {
		stored, err = h.forms.Save(c.UserContext(), h.web.Actor(c), p.Row.ID, in)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/forms/edit", p)
	case fault.Is(err, fault.Conflict): // both versions are shown; saving again keeps this one
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/forms/edit", p)
	case err != nil:
		return err
	}
	h.web.Drop("/forms/" + stored.Slug)
	if p.Form.Do == "preview" {
		return web.SeeOther(c, formPath(stored.ID)+"/preview")
	}
	h.web.Flash(c, "good", "form.saved")
	return web.SeeOther(c, formPath(stored.ID)+"/edit")
}

// autosave keeps what is typed; the page goes on from the revision that is answered.
func (h *formAdmin) autosave(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	in, err := p.bind(c)
	if err != nil {
		return err
	}
	f, err := h.forms.Save(c.UserContext(), h.web.Actor(c), p.Row.ID, in)
	if err != nil {
		return err
	}
	h.web.Drop("/forms/" + f.Slug)
	return c.JSON(fiber.Map{"fields": fiber.Map{"revision": f.Revision}})
}

type formReport struct {
	web.Page
	Report  forms.Report
	Chart   web.Bars
	Link    string
	Embed   string // "" where no site may show it
	Sources []web.Option
}

func (h *formAdmin) show(c *fiber.Ctx) error {
	id, err := formID(c)
	if err != nil {
		return err
	}
	p := formReport{Page: h.web.Page(c, "", "forms")}
	if p.Report, err = h.forms.Report(c.UserContext(), h.web.Actor(c), id, zoneOf(p.Page)); err != nil {
		return err
	}
	f := p.Report.Form
	p.Title, p.Link = f.Title, p.URL("/forms/"+f.Slug)
	p.Chart = h.chart(p.Page, p.Report)
	if len(forms.Hosts(f)) > 0 {
		p.Embed = `<iframe src="` + p.Link + `/embed" title="` + html.EscapeString(f.Title) + `" width="100%" height="900" loading="lazy" style="border:0"></iframe>`
	}
	for _, s := range p.Report.Sources {
		label := s.Source
		if label == "" {
			label = p.T("form.source_none")
		}
		p.Sources = append(p.Sources, web.Option{Label: label, Value: p.Number(s.Count)})
	}
	return h.web.Render(c, "admin/forms/show", &p)
}

func (h *formAdmin) chart(p web.Page, r forms.Report) web.Bars {
	b := web.Bars{
		ID: "days", Title: p.T("form.by_day"), RowHead: p.T("form.day"), TableName: p.T("form.by_day_table"), Series: []string{p.T("form.confirmed")}, Format: p.Digits,
	}
	var all int64
	for _, d := range r.Days {
		all += d.Count
		b.Rows = append(b.Rows, web.BarRow{Label: p.Date(d.Day), Values: []int64{d.Count}})
	}
	b.Say = p.T("form.by_day_say", "Count", all)
	return b
}

func (h *formAdmin) setState(c *fiber.Ctx) error {
	id, err := formID(c)
	if err != nil {
		return err
	}
	var form struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	state := map[string]models.FormState{"open": models.FormOpen, "close": models.FormClosed}[form.Do]
	f, err := h.forms.SetState(c.UserContext(), h.web.Actor(c), id, state)
	if err != nil {
		return err
	}
	h.web.Drop("/forms/" + f.Slug)
	h.web.Flash(c, "good", map[models.FormState]string{models.FormOpen: "form.opened", models.FormClosed: "form.closed"}[f.State])
	return web.SeeOther(c, formPath(id))
}
