package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
)

type supporterPages struct {
	web *web.Web
	svc *supporters.Service
}

// MountSupporters puts the pages about people in place: /admin/supporters and /admin/supporters/:id.
func MountSupporters(r fiber.Router, w *web.Web, s *supporters.Service) {
	h := &supporterPages{w, s}
	r.Get("/admin/supporters", w.Signed, h.list)
	r.Post("/admin/supporters/find", w.Signed, h.find)
	r.Get("/admin/supporters/:id", w.Signed, h.show)
}

type findForm struct {
	Email string `form:"email,max=320"`
}

type supportersPage struct {
	web.Page
	Form  findForm
	Count int64
	Rows  []supporters.Row
	Next  string
}

func (h *supporterPages) list(c *fiber.Ctx) error {
	p := supportersPage{Page: h.web.Page(c, "supporter.title", "supporters")}
	return h.render(c, 200, &p)
}

func (h *supporterPages) render(c *fiber.Ctx, status int, p *supportersPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(ctx, a, after)
	if err != nil {
		return err
	}
	if p.Count, err = h.svc.Count(ctx, a); err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.RenderStatus(c, status, "admin/supporters/list", p)
}

// find takes the address in the body of a POST: an address in a URL would stay in the browser's history.
func (h *supporterPages) find(c *fiber.Ctx) error {
	p := supportersPage{Page: h.web.Page(c, "supporter.title", "supporters")}
	p.Path = "/admin/supporters"
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Find(c.UserContext(), h.web.Actor(c), p.Form.Email)
	}
	if p.Failed(err) {
		return h.render(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/supporters/"+id.String())
}

type supporterPage struct {
	web.Page
	Person supporters.View
}

func (h *supporterPages) show(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	v, err := h.svc.Show(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	// The tab and the history say no name.
	return h.web.Render(c, "admin/supporters/show", &supporterPage{Page: h.web.Page(c, "supporter.one", "supporters"), Person: v})
}
