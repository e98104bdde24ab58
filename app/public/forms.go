package public

import (
	"cmp"
	"context"
	"html/template"
	"slices"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/forms"
	"kithline/campaigns/markdown"
	"kithline/campaigns/me"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type formPages struct {
	web   *web.Web
	forms *forms.Service
	door  *confirmations.Service
	use   *Prefiller
}

// MountForms puts the forms that people join by in place: /join, and /forms/:slug with its variant for frames of other sites.
func MountForms(r fiber.Router, w *web.Web, s *forms.Service, door *confirmations.Service, use *Prefiller) {
	h := &formPages{w, s, door, use}
	limit := w.Limit(120, tryWindow)
	r.Get("/join", h.join)
	r.Post("/join", limit, h.submitJoin)
	r.Get("/join/sent", h.sent)
	r.Post("/join/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/join/thanks", h.thanks)
	r.Get("/forms/:slug", h.show)
	r.Post("/forms/:slug", limit, h.submitForm)
	r.Get("/forms/:slug/embed", h.embed)
	r.Get("/forms/:slug/sent", h.sent)
	r.Post("/forms/:slug/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/forms/:slug/thanks", h.thanks)
	r.Get("/admin/forms/:id/preview", w.Signed, h.preview) // here, because it is the same page
}

// FormPage is a form as it is filled in. Its methods make the parts of the partial join_form. The organizer's preview shows it
// too, without its button.
type FormPage struct {
	web.Page
	View      forms.View
	Intro     template.HTML
	Email     string
	Values    map[string]string // what was typed, by question
	Ticked    []string
	Locale    string // of the mails
	Source    string
	Districts forms.Districts
	Preview   bool // only looked at: there is no button
	Framed    bool // shown in a frame of another site
	Filled    bool // with what the reader told before
}

// NewFormPage is a form before anything was typed.
func NewFormPage(p web.Page, v forms.View) FormPage {
	return FormPage{Page: p, View: v, Intro: markdown.HTML(v.Form.Intro), Values: map[string]string{}, Ticked: []string{}, Locale: p.Lang}
}

// Action is where the form is sent.
func (p FormPage) Action() string {
	if p.View.Join() {
		return "/join"
	}
	return "/forms/" + p.View.Form.Slug
}

// Label is a question in words.
func (p FormPage) Label(q forms.Asked) string {
	if q.Field != nil {
		return q.Field.Label
	}
	return p.T("form.q_" + q.Key)
}

// Kind says how a question is asked: text, long, number, date, choice, yes_no, or a part of the record by its own name.
func (p FormPage) Kind(q forms.Asked) string {
	switch {
	case q.Field == nil:
		switch q.Key {
		case forms.Country, forms.HowOften, forms.District:
			return q.Key
		}
		return "part"
	case q.Field.Kind == models.FieldText:
		return "long"
	}
	return string(q.Field.Kind)
}

var autofill = map[string]string{
	forms.GivenName: "given-name", forms.FamilyName: "family-name", forms.Phone: "tel", forms.Street: "street-address", forms.City: "address-level2",
	forms.Region: "address-level1", forms.PostalCode: "postal-code", forms.Country: "country",
}

// Auto is what a browser may fill in by itself.
func (p FormPage) Auto(q forms.Asked) string {
	if a := autofill[q.Key]; a != "" {
		return a
	}
	return "off"
}

// Input is the type of an input.
func (p FormPage) Input(q forms.Asked) string {
	switch {
	case q.Key == forms.Phone:
		return "tel"
	case q.Field != nil && q.Field.Kind == models.FieldDate:
		return "date"
	}
	return "text"
}

// Class is how wide an input is.
func (p FormPage) Class(q forms.Asked) string {
	if q.Key == forms.PostalCode || q.Field != nil {
		return "short"
	}
	return ""
}

// Hint says more about a question.
func (p FormPage) Hint(q forms.Asked) string {
	switch q.Key {
	case forms.PostalCode:
		return p.T("form.postal_code_hint")
	case forms.Phone:
		return p.T("form.phone_hint")
	}
	return ""
}

// Options are those of a question with some.
func (p FormPage) Options(q forms.Asked) []web.Option {
	none := web.Option{Value: "", Label: p.T("form.choose")}
	var out []web.Option
	switch p.Kind(q) {
	case forms.Country:
		return append([]web.Option{none}, countries(p.Lang)...)
	case forms.HowOften:
		for _, f := range consents.Frequencies {
			out = append(out, web.Option{Value: string(f), Label: p.T("form.often_" + string(f))})
		}
	case string(models.FieldChoice):
		out = append(out, none)
		for _, c := range q.Choices() {
			out = append(out, web.Option{Value: c, Label: c})
		}
	case string(models.FieldYesNo):
		out = []web.Option{{Value: "yes", Label: p.T("form.answer_yes")}, {Value: "no", Label: p.T("form.answer_no")}}
	case forms.District:
		for _, c := range p.Districts {
			for _, d := range c.Divisions {
				out = append(out, web.Option{Value: d.ID.String(), Label: d.Name})
			}
		}
		out = append(out, web.Option{Value: "00000000-0000-0000-0000-000000000000", Label: p.T("form.district_unknown")})
	}
	return out
}

// Boxes are the consents, each with its exact words.
func (p FormPage) Boxes() []web.Option {
	out := make([]web.Option, len(p.View.Boxes))
	for i, b := range p.View.Boxes {
		out[i] = web.Option{Value: b.Value, Label: b.Label(), Hint: b.Hint()}
	}
	return out
}

// countries lists the countries in the order of a language.
func countries(lang string) []web.Option {
	if v, ok := countryNames.Load(lang); ok {
		return v.([]web.Option)
	}
	var out []web.Option
	for _, c := range locales.Countries(lang) {
		out = append(out, web.Option{Value: c.Code, Label: c.Name})
	}
	// By letters without their marks: right for the languages that pages speak, without the tables of all others in the program.
	slices.SortFunc(out, func(x, y web.Option) int { return strings.Compare(supporters.Fold(x.Label), supporters.Fold(y.Label)) })
	countryNames.Store(lang, out)
	return out
}

var countryNames sync.Map // by language: []web.Option

// cached answers with a form that is kept for everybody; or, for a reader in whose browser forms are filled in, with one of
// their own that is never kept.
func (h *formPages) cached(c *fiber.Ctx, name, section string, build web.Build) error {
	facts, ok := h.use.Facts(c)
	if !ok {
		return h.web.Cached(c, name, section, build, "source")
	}
	data, err := build(c.UserContext(), h.web.Page(c, "", section))
	if err != nil {
		return err
	}
	page := data.(FormPage)
	page.Filled, page.Email, page.Locale = true, facts.Email, cmp.Or(facts.Locale, page.Locale)
	for _, q := range page.View.Questions {
		page.Values[q.Key] = told(q, facts)
	}
	return h.web.Render(c, name, &page)
}

// told is what the reader answered to a question before, "" for nothing.
func told(q forms.Asked, f me.Facts) string {
	if q.Field != nil {
		return f.Answer(q.Field.ID)
	}
	switch q.Key {
	case forms.GivenName:
		return f.GivenName
	case forms.FamilyName:
		return f.FamilyName
	case forms.Phone:
		return strings.Join(f.Phones[:min(1, len(f.Phones))], "")
	case forms.Street:
		return f.Street
	case forms.City:
		return f.City
	case forms.Region:
		return f.Region
	case forms.PostalCode:
		return f.PostalCode
	case forms.Country:
		return f.Country
	case forms.HowOften:
		return f.Frequency
	}
	return ""
}

func (h *formPages) join(c *fiber.Ctx) error {
	return h.cached(c, "public/join/join", "join", func(ctx context.Context, p web.Page) (any, error) {
		v, err := h.forms.Joining(ctx, p.Lang)
		if err != nil {
			return nil, err
		}
		p.Title = p.T("join.title", "Name", p.Site.Name)
		page := NewFormPage(p, v)
		page.Source = sourceOf(p)
		return page, nil
	})
}

// sourceOf is how a reader came, as the page's address says it.
func sourceOf(p web.Page) string {
	if s := p.Query("source"); sourceCode.MatchString(s) {
		return s
	}
	return ""
}

func (h *formPages) show(c *fiber.Ctx) error { return h.form(c, "public/forms/show") }

func (h *formPages) form(c *fiber.Ctx, name string) error {
	slug := c.Params("slug")
	return h.cached(c, name, "home", func(ctx context.Context, p web.Page) (any, error) {
		v, err := h.forms.Public(ctx, slug, p.Lang)
		if err != nil {
			return nil, err
		}
		p.Title = v.Form.Title
		page := NewFormPage(p, v)
		page.Source, page.Framed = sourceOf(p), name == "public/forms/embed"
		return page, nil
	})
}

// embed is the form for a frame of one of the sites that the form lists.
func (h *formPages) embed(c *fiber.Ctx) error {
	v, err := h.forms.Public(c.UserContext(), c.Params("slug"), "")
	if err != nil {
		return err
	}
	web.FramedBy(c, forms.Hosts(v.Form))
	return h.form(c, "public/forms/embed")
}

// preview is a form as people will see it, for who works on it.
func (h *formPages) preview(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return fault.New(fault.NotFound, "error.form_unknown")
	}
	p := h.web.Page(c, "form.preview", "forms")
	v, err := h.forms.Preview(c.UserContext(), h.web.Actor(c), id, p.Lang)
	if err != nil {
		return err
	}
	page := NewFormPage(p, v)
	page.Preview = true
	return h.web.Render(c, "public/forms/preview", &page)
}

type filledIn struct {
	Email   string   `form:"email,max=254"`
	Locale  string   `form:"locale,max=20"`
	Source  string   `form:"source,max=100"`
	Consent []string `form:"consent,max=200"`
	Trap    string   `form:"leave_empty,max=500"`
}

func (h *formPages) submitJoin(c *fiber.Ctx) error {
	p := h.web.Page(c, "", "join")
	p.Title = p.T("join.title", "Name", p.Site.Name)
	v, err := h.forms.Joining(c.UserContext(), p.Lang)
	if err != nil {
		return err
	}
	return h.submit(c, NewFormPage(p, v), "", "public/join/join")
}

func (h *formPages) submitForm(c *fiber.Ctx) error {
	p := h.web.Page(c, "", "home")
	v, err := h.forms.Public(c.UserContext(), c.Params("slug"), p.Lang)
	if err != nil {
		return err
	}
	p.Title = v.Form.Title
	return h.submit(c, NewFormPage(p, v), v.Form.Slug, "public/forms/show")
}

// submit takes a form. Whoever fills in the field that nobody sees gets the same answer, and nothing is kept.
func (h *formPages) submit(c *fiber.Ctx, p FormPage, slug, view string) error {
	var form filledIn
	err := web.Bind(c, &form)
	names := make([]web.Value, len(p.View.Questions))
	for i, q := range p.View.Questions {
		names[i] = web.Value{Name: q.Key, Max: q.Max(), Lines: q.Field != nil}
	}
	values, bad := web.BindValues(c, names)
	if values != nil {
		p.Values = values
	}
	p.Email, p.Ticked, p.Source = form.Email, form.Consent, form.Source
	if form.Locale != "" {
		p.Locale = form.Locale
	}
	failed := p.Failed(err)
	if p.Failed(bad) || failed {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, view, &p)
	}
	if err != nil {
		return err
	}
	if bad != nil {
		return bad
	}
	id := models.NewID()
	if form.Trap == "" {
		id, p.Districts, err = h.forms.Submit(c.UserContext(), forms.SubmitInput{
			Slug: slug, Email: form.Email, Answers: values, Boxes: form.Consent, Locale: p.Locale, Lang: p.Lang, Source: form.Source,
		})
	}
	switch {
	case p.Failed(err):
		if p.Error("consent") != "" { // nobody agreed to anything: what is shown now is read first
			p.Ticked = slices.DeleteFunc(p.Ticked, func(v string) bool {
				return !slices.ContainsFunc(p.View.Boxes, func(b consents.Box) bool { return b.Value == v })
			})
		}
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, view, &p)
	case fault.Is(err, fault.Conflict):
		p.View.Open = false
		return h.web.RenderStatus(c, fiber.StatusConflict, view, &p)
	case err != nil:
		return err
	}
	mark(c, h.web, h.door, id)
	return web.SeeOther(c, p.Action()+"/sent")
}

// formSent is what follows a form: look into your mail. And what follows the confirmation.
type formSent struct {
	web.Page
	Action string // of the form
	Thanks template.HTML
	Form   models.Form
}

// after reads the form that a page comes after.
func (h *formPages) after(c *fiber.Ctx, title string) (*formSent, error) {
	p := &formSent{Page: h.web.Page(c, title, "join"), Action: "/join"}
	slug := c.Params("slug")
	if slug == "" {
		return p, nil
	}
	v, err := h.forms.Public(c.UserContext(), slug, p.Lang)
	p.Section, p.Form, p.Action, p.Thanks = "home", v.Form, "/forms/"+v.Form.Slug, markdown.HTML(v.Form.Thanks)
	return p, err
}

func (h *formPages) sent(c *fiber.Ctx) error {
	p, err := h.after(c, "form.sent_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/forms/sent", p)
}

func (h *formPages) again(c *fiber.Ctx) error {
	p, err := h.after(c, "form.sent_title")
	if err != nil {
		return err
	}
	return mailAgain(c, h.web, h.door, "form.sent_again", p.Action+"/sent")
}

func (h *formPages) thanks(c *fiber.Ctx) error {
	p, err := h.after(c, "form.thanks_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/forms/thanks", p)
}
