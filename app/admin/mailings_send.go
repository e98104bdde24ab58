package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/mailings"
	"kithline/models"
)

func (h *mailingPages) before(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := composePage{Page: h.web.Page(c, "mailings.before", "mailings")}
	return h.renderBefore(c, fiber.StatusOK, &p, id)
}

func (h *mailingPages) renderBefore(c *fiber.Ctx, status int, p *composePage, id uuid.UUID) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Mailing, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if p.Mailing.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	if p.Checks, p.Audience, err = h.svc.Checks(ctx, a, id); err != nil {
		return err
	}
	p.Stops = p.Checks.Count(mailings.Stop)
	return h.web.RenderStatus(c, status, "admin/mailings/send", p)
}

func (h *mailingPages) send(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := composePage{Page: h.web.Page(c, "mailings.before", "mailings")}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.svc.Send(c.UserContext(), h.web.Actor(c), id, p.Form.Revision)
	}
	if p.Failed(err) {
		return h.renderBefore(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.started")
	return web.SeeOther(c, mailingPath(id))
}
