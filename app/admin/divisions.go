package admin

import (
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/models"
)

type divisionPages struct {
	web *web.Web
	svc *divisions.Service
}

// MountDivisions puts the pages about districts in place: /admin/divisions, and /admin/supporters/:id/districts for those of one
// person.
func MountDivisions(r fiber.Router, w *web.Web, s *divisions.Service) {
	h := &divisionPages{w, s}
	r.Get("/admin/divisions", w.Signed, h.show)
	r.Get("/admin/divisions/list", w.Signed, h.list)
	r.Get("/admin/supporters/:id/districts", w.Signed, h.person)
	r.Post("/admin/supporters/:id/districts/set", w.Signed, h.set)
	r.Post("/admin/supporters/:id/districts/unset", w.Signed, h.unset)
	r.Post("/admin/supporters/:id/districts/point", w.Signed, h.point)
}

// divisionPage is what the pages about districts have in common.
type divisionPage struct{ web.Page }

// KindName is a kind of division in words; one that the program does not know by name as it stands in the id.
func (p divisionPage) KindName(k models.DivisionKind) string {
	if slices.Contains(divisions.Kinds, k) {
		return p.T("divisions.kind_" + string(k))
	}
	return string(k)
}

type divisionsPage struct {
	divisionPage
	Code, Country string
	Looked        bool
	Found         []divisions.Choice
	Regions       []divisions.Region
	Sources       []divisions.Source
}

// show is the page of what was imported, with the answer of the look-up box where a code was asked for: a postal code alone names
// nobody, so it may stand in the address.
func (h *divisionPages) show(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := divisionsPage{divisionPage: divisionPage{h.web.Page(c, "divisions.title", "divisions")}}
	const longest = 20
	p.Code, p.Country = strings.TrimSpace(c.Query("code")), strings.ToUpper(strings.TrimSpace(c.Query("country")))
	var err error
	if p.Code != "" && len(p.Code) <= longest {
		p.Looked = true
		if p.Found, err = h.svc.Lookup(ctx, a, p.Country, p.Code); err != nil {
			return err
		}
	}
	if p.Regions, err = h.svc.Regions(ctx, a); err != nil {
		return err
	}
	if p.Sources, err = h.svc.Sources(ctx, a); err != nil {
		return err
	}
	return h.web.Render(c, "admin/divisions/show", &p)
}

type divisionListPage struct {
	divisionPage
	Rows []divisions.Row
}

func (h *divisionPages) list(c *fiber.Ctx) error {
	country, region, kind := c.Query("country"), c.Query("region"), models.DivisionKind(c.Query("kind"))
	rows, err := h.svc.List(c.UserContext(), h.web.Actor(c), country, region, kind)
	if err != nil {
		return err
	}
	if len(rows) == 0 {
		return fault.New(fault.NotFound, "error.not_found")
	}
	p := divisionListPage{divisionPage: divisionPage{h.web.Page(c, "divisions.title", "divisions")}, Rows: rows}
	p.Title = p.T("divisions.one_title", "Kind", p.KindName(kind), "Region", strings.TrimSpace(region+" "+country))
	return h.web.Render(c, "admin/divisions/list", &p)
}

type personDivisionsPage struct {
	divisionPage
	ID uuid.UUID
	divisions.Homes
	Form pointForm
}

// MayEdit says whether the page has buttons.
func (p personDivisionsPage) MayEdit() bool { return p.Actor.May(actor.EditSupporters) }

// Choice is the choices of a kind where the postal code leaves some.
func (p personDivisionsPage) Choice() []divisions.Choice {
	return slices.DeleteFunc(slices.Clone(p.Choices), func(c divisions.Choice) bool { return len(c.Divisions) < 2 })
}

type pointForm struct {
	Lat string `form:"lat,max=20"`
	Lon string `form:"lon,max=20"`
}

func (h *divisionPages) person(c *fiber.Ctx) error { return h.renderPerson(c, 200, nil, pointForm{}) }

func (h *divisionPages) renderPerson(c *fiber.Ctx, status int, failed error, form pointForm) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	p := personDivisionsPage{divisionPage: divisionPage{h.web.Page(c, "divisions.person_title", "supporters")}, ID: id, Form: form}
	p.Path = "/admin/supporters/" + id.String() + "/districts"
	if failed != nil && !p.Failed(failed) {
		return failed
	}
	if p.Homes, err = h.svc.Homes(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/divisions/person", &p)
}

func (h *divisionPages) back(c *fiber.Ctx, id uuid.UUID, key string, args ...any) error {
	h.web.Flash(c, "good", key, args...)
	return web.SeeOther(c, "/admin/supporters/"+id.String()+"/districts")
}

func (h *divisionPages) set(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	var form struct {
		Division uuid.UUID `form:"division"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.svc.SetByHand(c.UserContext(), h.web.Actor(c), id, form.Division); err != nil {
		return err
	}
	return h.back(c, id, "divisions.set_done")
}

func (h *divisionPages) unset(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	var form struct {
		Kind string `form:"kind,max=50"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.svc.Unset(c.UserContext(), h.web.Actor(c), id, models.DivisionKind(form.Kind)); err != nil {
		return err
	}
	return h.back(c, id, "divisions.unset_done")
}

func (h *divisionPages) point(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	if err := h.web.Actor(c).Need(actor.EditSupporters); err != nil {
		return err
	}
	var form pointForm
	if err := web.Bind(c, &form); err != nil {
		return h.renderPerson(c, 422, err, form)
	}
	lat, err1 := strconv.ParseFloat(strings.Replace(form.Lat, ",", ".", 1), 64)
	lon, err2 := strconv.ParseFloat(strings.Replace(form.Lon, ",", ".", 1), 64)
	n := 0
	if err1 != nil || err2 != nil {
		err = fault.New(fault.Invalid, "error.point_invalid")
	} else {
		n, err = h.svc.Locate(c.UserContext(), h.web.Actor(c), id, lat, lon)
	}
	if fault.Is(err, fault.Invalid) {
		return h.renderPerson(c, 422, err, form)
	}
	if err != nil {
		return err
	}
	return h.back(c, id, "divisions.point_done", "Count", n)
}
