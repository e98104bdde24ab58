package public

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// mountOwn puts the page of one's own signature in place: what was signed, to change and to take back. Only buttons change anything.
func mountOwn(r fiber.Router, h *petitionPages) {
	r.Get("/petitions/:slug/mine/:token", h.own)
	r.Post("/petitions/:slug/mine/:token", h.change)
	r.Post("/petitions/:slug/mine/:token/unsay", h.ownDo((*petitions.Service).Unsay, "sign.unsaid"))
	r.Post("/petitions/:slug/mine/:token/withdraw", h.ownDo((*petitions.Service).Withdraw, "sign.withdrawn"))
	r.Post("/petitions/:slug/mine/:token/restore", h.ownDo((*petitions.Service).Restore, "sign.restored"))
}

type ownForm struct {
	Display string `form:"display,max=20"`
	Role    string `form:"role,max=20"`
	Comment string `form:"comment,max=2000,lines"`
	Updates bool   `form:"updates"`
}

// ownPage is the page of one's own signature.
type ownPage struct {
	web.Page
	Token string
	Held  petitions.Held
	Form  ownForm
	Write string // the address to object to, where the signature was taken out of the count
}

// Out reports whether an organizer took the signature out of the count.
func (p *ownPage) Out() bool { return p.Held.State == models.SignatureInvalidated }

// Stands reports whether the signature was not taken back, by its owner or by an organizer.
func (p *ownPage) Stands() bool { return p.Held.State != models.SignatureWithdrawn && !p.Out() }

func (h *petitionPages) ownPage(c *fiber.Ctx) (*ownPage, []uuid.UUID, error) {
	private(c)
	p := &ownPage{Page: h.web.Page(c, "sign.own_title", "home"), Token: c.Params("token")}
	boxes, id, err := h.petitions.Holder(c.UserContext(), p.Token)
	if err == nil {
		p.Held, err = h.petitions.HeldBy(c.UserContext(), boxes, id)
	}
	if err == nil && p.Held.Slug != c.Params("slug") {
		err = fault.New(fault.NotFound, "error.link_unknown")
	}
	p.Path = "/petitions/" + p.Held.Slug + "/mine/" + p.Token // links of this page lead to a page, not to where a form went
	if err == nil && p.Out() {
		var o models.Organisation
		o, err = h.org.Current(c.UserContext())
		p.Write = o.ReplyTo
	}
	p.Form = ownForm{Display: string(p.Held.Display), Role: string(p.Held.Role), Comment: p.Held.Comment, Updates: p.Held.Updates}
	return p, boxes, err
}

func (h *petitionPages) own(c *fiber.Ctx) error {
	p, _, err := h.ownPage(c)
	if err != nil {
		return h.ownOver(c, err)
	}
	return h.web.Render(c, "public/petitions/own", p)
}

func (h *petitionPages) change(c *fiber.Ctx) error {
	p, boxes, err := h.ownPage(c)
	if err != nil {
		return h.ownOver(c, err)
	}
	var f ownForm
	err = web.Bind(c, &f)
	if err == nil {
		_, err = h.petitions.Change(c.UserContext(), boxes, p.Held.ID, petitions.ChangeInput{
			Display: f.Display, Role: f.Role, Comment: f.Comment, Updates: f.Updates, Locale: p.Lang,
			ConsentText: p.T("petition.updates") + "\n" + p.T("petition.updates_hint"),
		})
	}
	if p.Failed(err) {
		p.Form = f
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/petitions/own", p)
	}
	return h.ownDone(c, p.Path, err, "sign.changed")
}

// ownDo answers a button of the page.
func (h *petitionPages) ownDo(do func(*petitions.Service, context.Context, []uuid.UUID, uuid.UUID) (string, error), done string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		p, boxes, err := h.ownPage(c)
		if err != nil {
			return h.ownOver(c, err)
		}
		_, err = do(h.petitions, c.UserContext(), boxes, p.Held.ID)
		return h.ownDone(c, p.Path, err, done)
	}
}

func (h *petitionPages) ownDone(c *fiber.Ctx, back string, err error, done string) error {
	if err != nil {
		return h.ownOver(c, err)
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, back)
}

// ownOver says why a link or a button does nothing, and that a new link to everything of one's own comes by mail.
func (h *petitionPages) ownOver(c *fiber.Ctx, err error) error {
	status := fiber.StatusGone
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	case fault.Conflict:
		status = fiber.StatusConflict
	default:
		return err
	}
	private(c)
	p := overPage{Page: h.web.Page(c, "me.over_title", "me")}
	p.Text, p.Path = p.Says(err), "/me"
	return h.web.RenderStatus(c, status, "public/me/over", &p)
}
