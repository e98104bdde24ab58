package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/exports"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/suppressions"
	"kithline/models"
)

type suppressionPages struct {
	web     *web.Web
	svc     *suppressions.Service
	exports *exports.Service
}

// MountSuppressions puts the list of mailboxes that get no mail in place: /admin/suppressions and below.
func MountSuppressions(r fiber.Router, w *web.Web, s *suppressions.Service, e *exports.Service) {
	h := &suppressionPages{w, s, e}
	w.AllowBody("/admin/suppressions/add", 4<<20)
	r.Get("/admin/suppressions", w.Signed, h.list)
	r.Post("/admin/suppressions/find", w.Signed, h.find)
	r.Get("/admin/suppressions/add", w.Signed, h.ask)
	r.Post("/admin/suppressions/add", w.Signed, h.add)
	r.Post("/admin/suppressions/export", w.Signed, h.export)
	r.Get("/admin/suppressions/:id", w.Signed, h.show)
	r.Post("/admin/suppressions/:id/lift", w.Signed, h.lift)
}

type findForm struct {
	Q string `form:"q,max=254"`
}

type suppressionsPage struct {
	web.Page
	Form   findForm
	Reason string
	Counts []reasonCount
	All    int
	Rows   []suppressions.Row
	Next   string
}

// reasonCount is a reason with how many mailboxes are suppressed for it.
type reasonCount struct {
	Reason string
	N      int
}

func (h *suppressionPages) list(c *fiber.Ctx) error {
	p := suppressionsPage{Page: h.web.Page(c, "suppressions.title", "suppressions")}
	return h.renderList(c, fiber.StatusOK, &p)
}

func (h *suppressionPages) renderList(c *fiber.Ctx, status int, p *suppressionsPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	for _, r := range suppressions.Reasons {
		if c.Query("reason") == r {
			p.Reason = r
		}
	}
	counts, err := h.svc.Counts(ctx, a)
	if err != nil {
		return err
	}
	for _, r := range suppressions.Reasons {
		p.Counts = append(p.Counts, reasonCount{r, counts[r]})
		p.All += counts[r]
	}
	list, err := h.svc.List(ctx, a, p.Reason, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.RenderStatus(c, status, "admin/suppressions/list", p)
}

// find is a POST, so that no address stands in a path.
func (h *suppressionPages) find(c *fiber.Ctx) error {
	p := suppressionsPage{Page: h.web.Page(c, "suppressions.title", "suppressions")}
	p.Path = "/admin/suppressions"
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Find(c.UserContext(), h.web.Actor(c), p.Form.Q)
	}
	if p.Failed(err) {
		return h.renderList(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/suppressions/"+id.String())
}

type suppressForm struct {
	Addresses string `form:"addresses,max=2000000,lines"`
	Note      string `form:"note,max=2000"`
	Do        string `form:"do,max=10"` // look or add
}

type suppressPage struct {
	web.Page
	Form   suppressForm
	Looked bool // Count says what would happen
	Count  suppressions.Counted
}

func (h *suppressionPages) ask(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.EditSupporters); err != nil {
		return err
	}
	p := suppressPage{Page: h.web.Page(c, "suppressions.add_title", "suppressions")}
	return h.renderAsk(c, fiber.StatusOK, &p)
}

func (h *suppressionPages) renderAsk(c *fiber.Ctx, status int, p *suppressPage) error {
	p.Back = &web.Link{URL: "/admin/suppressions", Label: p.T("suppressions.title")}
	return h.web.RenderStatus(c, status, "admin/suppressions/add", p)
}

// add counts first what a list would do; the second press does it.
func (h *suppressionPages) add(c *fiber.Ctx) error {
	p := suppressPage{Page: h.web.Page(c, "suppressions.add_title", "suppressions")}
	err := h.web.Actor(c).Need(actor.EditSupporters)
	if err == nil {
		err = web.Bind(c, &p.Form)
	}
	if err == nil {
		p.Count, err = h.svc.Add(c.UserContext(), h.web.Actor(c), suppressions.Addresses(p.Form.Addresses), p.Form.Note, p.Form.Do != "add")
	}
	if p.Failed(err) {
		return h.renderAsk(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	if p.Form.Do != "add" {
		p.Looked = true
		return h.renderAsk(c, fiber.StatusOK, &p)
	}
	h.web.Flash(c, "good", "suppressions.added", "Count", p.Count.New)
	return web.SeeOther(c, "/admin/suppressions")
}

func (h *suppressionPages) export(c *fiber.Ctx) error {
	id, err := h.exports.Create(c.UserContext(), h.web.Actor(c), exports.Input{Kind: exports.KindSuppressions, Format: exports.CSV})
	if err != nil {
		return err
	}
	return web.SeeOther(c, exportPath(id))
}

type liftForm struct {
	Note  string `form:"note,max=2000"`
	Asked bool   `form:"asked"`
}

type suppressionPage struct {
	web.Page
	Form liftForm
	suppressions.Shown
}

// Complained reports whether the person has to ask before the mailbox gets mail again.
func (p suppressionPage) Complained() bool { return p.Reason == models.SuppressedComplaint }

func (h *suppressionPages) show(c *fiber.Ctx) error {
	p := suppressionPage{Page: h.web.Page(c, "suppressions.one_title", "suppressions")}
	return h.renderShow(c, fiber.StatusOK, &p)
}

func (h *suppressionPages) renderShow(c *fiber.Ctx, status int, p *suppressionPage) error {
	id, err := paramID(c, "id", "error.suppression_unknown")
	if err != nil {
		return err
	}
	if p.Shown, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.Back = &web.Link{URL: "/admin/suppressions", Label: p.T("suppressions.title")}
	return h.web.RenderStatus(c, status, "admin/suppressions/show", p)
}

func (h *suppressionPages) lift(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.suppression_unknown")
	if err != nil {
		return err
	}
	p := suppressionPage{Page: h.web.Page(c, "suppressions.one_title", "suppressions")}
	p.Path = "/admin/suppressions/" + id.String()
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.svc.Lift(c.UserContext(), h.web.Actor(c), id, p.Form.Note, p.Form.Asked)
	}
	if fault.Is(err, fault.Conflict) {
		h.web.Flash(c, "warn", "error.suppression_over")
		return web.SeeOther(c, p.Path)
	}
	if p.Failed(err) {
		return h.renderShow(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "suppressions.lifted")
	return web.SeeOther(c, p.Path)
}
