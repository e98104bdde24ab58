package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/models"
)

type legislatorPages struct {
	web *web.Web
	svc *legislators.Service
}

// MountLegislators puts the pages about those who decide in place: /admin/legislators and below. It raises the limit of a body for the
// uploads alone, so call it before the server listens.
func MountLegislators(r fiber.Router, w *web.Web, s *legislators.Service) {
	h := &legislatorPages{w, s}
	h.mountImports(r)
	r.Get("/admin/legislators", w.Signed, h.list)
	r.Post("/admin/legislators", w.Signed, h.add)
	r.Get("/admin/legislators/new", w.Signed, h.new)
	r.Get("/admin/legislators/:id", w.Signed, h.show)
	r.Post("/admin/legislators/:id/salutation", w.Signed, h.salutation)
	r.Post("/admin/legislators/:id/channels", w.Signed, h.addChannel)
	r.Post("/admin/legislators/:id/channels/:channel", w.Signed, h.channel)
	r.Post("/admin/legislators/:id/terms/:term/end", w.Signed, h.endTerm)
}

// legislatorBase is what the pages about legislators have in common.
type legislatorBase struct{ web.Page }

// MayEdit says whether the page has buttons.
func (p legislatorBase) MayEdit() bool { return p.Actor.May(actor.ManageLetters) }

// SourceName is where somebody's data come from, in words.
func (p legislatorBase) SourceName(source any) string {
	switch s := models.LegislatorSource(text(source)); s {
	case models.SourceCongress, models.SourceOpenStates, models.SourceCSV, models.SourceHand:
		return p.T("legislators.source_" + string(s))
	}
	return ""
}

func text(v any) string {
	switch s := v.(type) {
	case string:
		return s
	case models.LegislatorSource:
		return string(s)
	}
	return ""
}

// legislatorForm is a list's filter, as it stands in the address.
type legislatorForm struct {
	Body  string `form:"body,max=80"` // j-ID of a jurisdiction, c-ID of a chamber
	Party string `form:"party,max=200"`
	Name  string `form:"name,max=100"`
	Left  bool   `form:"left"`
	After string `form:"after,max=900"`
}

// filter reads the form. An id that is none narrows to nobody.
func (f legislatorForm) filter() legislators.Filter {
	out := legislators.Filter{Party: f.Party, Name: f.Name, Left: f.Left, After: f.After}
	kind, id, _ := strings.Cut(f.Body, "-")
	if f.Body != "" {
		u, err := uuid.Parse(id)
		if err != nil {
			u = uuid.Max
		}
		if kind == "c" {
			out.Chamber = u
		} else {
			out.Jurisdiction = u
		}
	}
	return out
}

type legislatorsPage struct {
	legislatorBase
	Form    legislatorForm
	Bodies  []web.Option
	Parties []web.Option
	legislators.List
}

// Narrowed reports whether the list leaves somebody out.
func (p legislatorsPage) Narrowed() bool {
	return p.Form.Body != "" || p.Form.Party != "" || p.Form.Name != "" || p.Form.Left
}

// bodyOptions are jurisdictions, each with its chambers below where it has several.
func bodyOptions(list []legislators.Body, chambersOnly bool) (out []web.Option) {
	for _, b := range list {
		if !chambersOnly {
			out = append(out, web.Option{Value: "j-" + b.ID.String(), Label: b.Name})
		}
		if len(b.Chambers) == 1 && !chambersOnly {
			continue
		}
		for _, c := range b.Chambers {
			label := c.Name
			if chambersOnly && !strings.Contains(c.Name, b.Name) {
				label = b.Name + ": " + c.Name
			}
			out = append(out, web.Option{Value: "c-" + c.ID.String(), Label: label})
		}
	}
	return out
}

func (h *legislatorPages) list(c *fiber.Ctx) error {
	p := legislatorsPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.title", "legislators")}}
	if err := web.Bind(c, &p.Form); err != nil {
		return err
	}
	ctx, a, f := c.UserContext(), h.web.Actor(c), p.Form.filter()
	have, err := h.svc.Filters(ctx, a, f.Jurisdiction)
	if err != nil {
		return err
	}
	if p.List, err = h.svc.List(ctx, a, f); err != nil {
		return err
	}
	p.Bodies = append([]web.Option{{Label: p.T("legislators.all")}}, bodyOptions(have.Bodies, false)...)
	p.Parties = []web.Option{{Label: p.T("legislators.all")}}
	for _, x := range have.Parties {
		p.Parties = append(p.Parties, web.Option{Value: x, Label: x})
	}
	return h.web.Render(c, "admin/legislators/list", &p)
}

type newLegislatorForm struct {
	Name         string `form:"name,max=200"`
	Salutation   string `form:"salutation,max=200"`
	Title        string `form:"title,max=200"`
	Party        string `form:"party,max=200"`
	Body         string `form:"body,max=80"`
	Jurisdiction string `form:"jurisdiction,max=200"`
	Chamber      string `form:"chamber,max=200"`
	District     string `form:"district,max=200"`
	Division     string `form:"division,max=300"`
	Through      string `form:"through,max=10"`
	Email        string `form:"email,max=320"`
	Form         string `form:"form,max=1000"`
	Phone        string `form:"phone,max=40"`
	Street       string `form:"street,max=300"`
	City         string `form:"city,max=200"`
	Region       string `form:"region,max=20"`
	PostalCode   string `form:"postal_code,max=20"`
	Country      string `form:"country,max=2"`
}

type newLegislatorPage struct {
	legislatorBase
	Form   newLegislatorForm
	Bodies []web.Option
}

func (h *legislatorPages) new(c *fiber.Ctx) error {
	p := newLegislatorPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.new", "legislators")}}
	return h.renderNew(c, 200, &p)
}

func (h *legislatorPages) renderNew(c *fiber.Ctx, status int, p *newLegislatorPage) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.ManageLetters); err != nil {
		return err
	}
	have, err := h.svc.Filters(c.UserContext(), a, uuid.Nil)
	if err != nil {
		return err
	}
	p.Bodies = append([]web.Option{{Label: p.T("legislators.another_body")}}, bodyOptions(have.Bodies, true)...)
	return h.web.RenderStatus(c, status, "admin/legislators/new", p)
}

func (h *legislatorPages) add(c *fiber.Ctx) error {
	p := newLegislatorPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.new", "legislators")}}
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		f := p.Form
		in := legislators.PersonInput{
			Name: f.Name, Salutation: f.Salutation, Title: f.Title, Party: f.Party, Jurisdiction: f.Jurisdiction, Chamber: f.Chamber, District: f.District, OCDID: f.Division, Through: f.Through,
			Email: f.Email, Form: f.Form, Phone: f.Phone, Street: f.Street, City: f.City, Region: f.Region, PostalCode: f.PostalCode, Country: strings.ToUpper(f.Country),
		}
		in.ChamberID, _ = uuid.Parse(strings.TrimPrefix(f.Body, "c-")) // what is none is another body, whose name is asked for
		id, err = h.svc.Add(c.UserContext(), h.web.Actor(c), in)
	}
	if p.Failed(err) {
		return h.renderNew(c, 422, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "legislators.added")
	return web.SeeOther(c, "/admin/legislators/"+id.String())
}

type legislatorPage struct {
	legislatorBase
	Person legislators.Person
	Salute string
	Kind   string
	Value  string
	Near   bool // an election is near
}

// Base is the address of the person's page.
func (p legislatorPage) Base() string { return "/admin/legislators/" + p.Person.ID.String() }

// Dates are the days of a term, in words.
func (p legislatorPage) Dates(s legislators.Seat) string {
	var parts []string
	if s.ValidFrom != "" {
		parts = append(parts, p.T("legislators.from", "Date", p.DayOf(s.ValidFrom)))
	}
	if s.ValidThrough != "" {
		parts = append(parts, p.T("legislators.through", "Date", p.DayOf(s.ValidThrough)))
	}
	return strings.Join(parts, " ")
}

// Kinds are what a further way can be.
func (p legislatorPage) Kinds() (out []web.Option) {
	for _, k := range []models.ChannelKind{models.ChannelEmail, models.ChannelWebForm, models.ChannelPhone} {
		out = append(out, web.Option{Value: string(k), Label: p.T("legislators.channel_" + string(k))})
	}
	return out
}

// Office is the place that a channel belongs to, in one line.
func (p legislatorPage) Office(c models.Channel) string {
	for _, o := range p.Person.Offices {
		if c.OfficeID != nil && o.ID == *c.OfficeID {
			parts := []string{o.Name, o.Street, o.City, strings.TrimSpace(o.Region + " " + o.PostalCode)}
			var said []string
			for _, s := range parts {
				if s != "" {
					said = append(said, s)
				}
			}
			return strings.Join(said, ", ")
		}
	}
	return ""
}

func (h *legislatorPages) page(c *fiber.Ctx) (*legislatorPage, error) {
	id, err := paramID(c, "id", "error.legislator_unknown")
	if err != nil {
		return nil, err
	}
	p := &legislatorPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.title", "legislators")}}
	if p.Person, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
		return nil, err
	}
	p.Title, p.Salute, p.Path = p.Person.Name, p.Person.Salutation, "/admin/legislators/"+id.String()
	p.Near = letters.ElectionNear(h.svc.Clock.Now())
	return p, nil
}

func (h *legislatorPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/legislators/show", p)
}

func (h *legislatorPages) salutation(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var form struct {
		Salutation string `form:"salutation,max=200"`
	}
	if err = web.Bind(c, &form); err == nil {
		err = h.svc.SetSalutation(c.UserContext(), h.web.Actor(c), p.Person.ID, form.Salutation)
	}
	p.Salute = form.Salutation
	return h.done(c, p, err, "legislators.saved")
}

// done shows the page again where an input was wrong, else leads back to it.
func (h *legislatorPages) done(c *fiber.Ctx, p *legislatorPage, err error, key string) error {
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/legislators/show", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, p.Base())
}

func (h *legislatorPages) addChannel(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var form struct {
		Kind  string `form:"kind,max=20"`
		Value string `form:"value,max=1000"`
	}
	if err = web.Bind(c, &form); err == nil {
		err = h.svc.AddChannel(c.UserContext(), h.web.Actor(c), p.Person.ID, legislators.ChannelInput{Kind: models.ChannelKind(form.Kind), Value: form.Value})
	}
	p.Kind, p.Value = form.Kind, form.Value
	return h.done(c, p, err, "legislators.channel_added")
}

func (h *legislatorPages) channel(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	channel, err := paramID(c, "channel", "error.channel_unknown")
	if err != nil {
		return err
	}
	var form struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	ctx, a, key := c.UserContext(), h.web.Actor(c), "legislators.saved"
	switch form.Do {
	case "up":
		err = h.svc.RaiseChannel(ctx, a, p.Person.ID, channel)
	case "trust":
		err = h.svc.TrustChannel(ctx, a, p.Person.ID, channel)
	case "remove":
		err, key = h.svc.RemoveChannel(ctx, a, p.Person.ID, channel), "legislators.channel_removed"
	default:
		err = fault.New(fault.NotFound, "error.not_found")
	}
	return h.done(c, p, err, key)
}

func (h *legislatorPages) endTerm(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	term, err := paramID(c, "term", "error.legislator_unknown")
	if err != nil {
		return err
	}
	return h.done(c, p, h.svc.EndTerm(c.UserContext(), h.web.Actor(c), term), "legislators.term_ended")
}
