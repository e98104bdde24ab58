package admin

import (
	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/qr"
	"kithline/campaigns/users"
)

type twoStep struct {
	web   *web.Web
	users *users.Service
}

// MountTwoStep puts the pages of one's own second step in place: /admin/account/two-step.
func MountTwoStep(r fiber.Router, w *web.Web, u *users.Service) {
	h := &twoStep{w, u}
	r.Get("/admin/account/two-step", w.Signed, h.show)
	r.Get("/admin/account/two-step/qr.svg", w.Signed, h.qr)
	r.Post("/admin/account/two-step/begin", w.Signed, h.begin)
	r.Post("/admin/account/two-step", w.Signed, h.confirm)
	r.Post("/admin/account/two-step/codes", w.Signed, h.codes)
	r.Post("/admin/account/two-step/end", w.Signed, h.end)
}

type twoStepPage struct {
	web.Page
	TwoStep users.TwoStep
	Form    twoStepForm
}

type twoStepForm struct {
	Code string `form:"code,max=40"`
}

// recoveryPage shows the codes, once.
type recoveryCodesPage struct {
	web.Page
	Codes []string
}

func (h *twoStep) page(c *fiber.Ctx) (*twoStepPage, error) {
	t, err := h.users.TwoStep(c.UserContext(), h.web.Actor(c))
	return &twoStepPage{Page: h.web.Page(c, "twostep.title", "account"), TwoStep: t}, err
}

func (h *twoStep) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/account/two_step", p)
}

// qr draws the secret that is being set up. It is shown to its owner only, and only until the first code came.
func (h *twoStep) qr(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if !p.TwoStep.Begun {
		return fault.New(fault.NotFound, "error.not_found")
	}
	svg, err := qr.SVG(p.TwoStep.URL, p.T("twostep.qr_alt"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderContentType, "image/svg+xml")
	return c.Send(svg)
}

func (h *twoStep) begin(c *fiber.Ctx) error {
	if err := h.users.BeginTwoStep(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/account/two-step")
}

// wrong answers a form whose code was not good; ok is false where err is nil.
func (h *twoStep) wrong(c *fiber.Ctx, p *twoStepPage, err error) (ok bool, answer error) {
	switch {
	case p.Failed(err):
		return true, h.web.RenderStatus(c, 422, "admin/account/two_step", p)
	case throttled(c, &p.Page, err):
		return true, h.web.RenderStatus(c, 429, "admin/account/two_step", p)
	}
	return err != nil, err
}

func (h *twoStep) confirm(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var codes []string
	var s users.Session
	if err = web.Bind(c, &p.Form); err == nil {
		codes, s, err = h.users.ConfirmTwoStep(c.UserContext(), h.web.Actor(c), visit(h.web, c), p.Form.Code)
	}
	if bad, answer := h.wrong(c, p, err); bad {
		return answer
	}
	if err := h.web.StartSession(c, s.Token, s.Expires); err != nil {
		return err
	}
	return h.web.Render(c, "admin/account/recovery_codes", &recoveryCodesPage{Page: h.web.Page(c, "twostep.codes_title", "account"), Codes: codes})
}

func (h *twoStep) codes(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var codes []string
	if err = web.Bind(c, &p.Form); err == nil {
		codes, err = h.users.NewRecoveryCodes(c.UserContext(), h.web.Actor(c), p.Form.Code)
	}
	if bad, answer := h.wrong(c, p, err); bad {
		return answer
	}
	return h.web.Render(c, "admin/account/recovery_codes", &recoveryCodesPage{Page: h.web.Page(c, "twostep.codes_title", "account"), Codes: codes})
}

func (h *twoStep) end(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.users.EndTwoStep(c.UserContext(), h.web.Actor(c), p.Form.Code)
	}
	if bad, answer := h.wrong(c, p, err); bad {
		return answer
	}
	h.web.Flash(c, "good", "twostep.ended")
	return web.SeeOther(c, "/admin/account/two-step")
}
