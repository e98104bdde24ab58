package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
)

type chapterPages struct {
	web *web.Web
	svc *chapters.Service
}

// MountChapters puts the pages about chapters in place: /admin/chapters, for owners.
func MountChapters(r fiber.Router, w *web.Web, s *chapters.Service) {
	h := &chapterPages{w, s}
	r.Get("/admin/chapters", w.Signed, h.list)
	r.Get("/admin/chapters/new", w.Signed, h.form)
	r.Post("/admin/chapters", w.Signed, h.save)
	r.Post("/admin/chapters/assign", w.Signed, h.assign)
	r.Get("/admin/chapters/:id", w.Signed, h.form)
	r.Post("/admin/chapters/:id", w.Signed, h.save)
	r.Post("/admin/chapters/:id/close", w.Signed, h.close)
}

type chaptersPage struct {
	web.Page
	Chapters []chapters.Chapter
}

func (h *chapterPages) list(c *fiber.Ctx) error {
	list, err := h.svc.List(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/chapters/list", &chaptersPage{Page: h.web.Page(c, "chapters.title", "chapters"), Chapters: list})
}

type chapterPage struct {
	web.Page
	ID     uuid.UUID // uuid.Nil: a new one
	Closed bool
	Form   chapterForm
}

type chapterForm struct {
	Name  string `form:"name,max=200"`
	Areas string `form:"areas,max=20000,lines"`
}

// page reads the chapter of the address, or begins a new one.
func (h *chapterPages) page(c *fiber.Ctx) (*chapterPage, error) {
	p := &chapterPage{Page: h.web.Page(c, "chapters.new", "chapters")}
	if c.Params("id") == "" {
		return p, h.web.Actor(c).Need(actor.ManageUsers)
	}
	id, err := paramID(c, "id", "error.chapter_unknown")
	if err != nil {
		return nil, err
	}
	chapter, err := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	p.ID, p.Title, p.Closed = id, chapter.Name, chapter.ClosedAt != nil
	p.Form = chapterForm{Name: chapter.Name, Areas: chapter.PostalAreas}
	return p, err
}

func (h *chapterPages) form(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/chapters/edit", p)
}

func (h *chapterPages) save(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.svc.Save(c.UserContext(), h.web.Actor(c), p.ID, chapters.Input{Name: p.Form.Name, PostalAreas: p.Form.Areas})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/chapters/edit", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "chapters.saved")
	return web.SeeOther(c, "/admin/chapters")
}

type closeForm struct {
	Closed bool `form:"closed"`
}

func (h *chapterPages) close(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.chapter_unknown")
	if err != nil {
		return err
	}
	var form closeForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.svc.Close(c.UserContext(), h.web.Actor(c), id, form.Closed); err != nil {
		return err
	}
	h.web.Flash(c, "good", "chapters.saved")
	return web.SeeOther(c, "/admin/chapters")
}

func (h *chapterPages) assign(c *fiber.Ctx) error {
	n, err := h.svc.AssignAll(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "chapters.assigned", "Count", n)
	return web.SeeOther(c, "/admin/chapters")
}
