package admin

import (
	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/organisation"
	"kithline/campaigns/users"
	"kithline/models"
)

type setup struct {
	web   *web.Web
	users *users.Service
	org   *organisation.Service
	mail  Mail
}

// MountSetup puts the pages of the first run in place: /admin/setup and /admin/setup/:token with its steps. They are open
// to whoever has the link from the server's terminal, so mount them before a group of /admin that asks for a session.
func MountSetup(r fiber.Router, w *web.Web, u *users.Service, org *organisation.Service, m Mail) {
	h := &setup{w, u, org, m}
	r.Get("/admin/setup", h.closed)
	r.Get("/admin/setup/:token", h.organisation)
	r.Post("/admin/setup/:token", h.saveOrganisation)
	r.Get("/admin/setup/:token/mail", h.mailServer)
	r.Post("/admin/setup/:token/mail", h.saveMailServer)
	r.Get("/admin/setup/:token/texts", h.texts)
	r.Post("/admin/setup/:token/texts", h.saveTexts)
	r.Get("/admin/setup/:token/you", h.you)
	r.Post("/admin/setup/:token/you", h.saveYou)
}

// closed is the page for somebody without the link.
func (h *setup) closed(c *fiber.Ctx) error {
	o, err := h.org.Current(c.UserContext())
	if err != nil {
		return err
	}
	if o.SetupAt != nil {
		return web.SeeOther(c, "/admin/login")
	}
	p := h.web.Page(c, "setup.closed_title", "setup")
	return h.web.Render(c, "admin/setup/closed", &p)
}

// begin reads the link. It is read again with every step: once the setup is done, the link is old.
func (h *setup) begin(c *fiber.Ctx) (a actor.Actor, o models.Organisation, base string, err error) {
	if err = h.web.LoginAllowed(c); err != nil {
		return a, o, "", err
	}
	token := c.Params("token")
	if a, err = h.users.SetupActor(c.UserContext(), token, web.RequestID(c)); err != nil {
		return a, o, "", err
	}
	o, err = h.org.Current(c.UserContext())
	return a, o, "/admin/setup/" + token, err
}

// later is begin for the steps that need the first one done; to is where to go if it was not.
func (h *setup) later(c *fiber.Ctx) (a actor.Actor, o models.Organisation, base, to string, err error) {
	a, o, base, err = h.begin(c)
	if err == nil && !organisation.Configured(o) {
		to = base
	}
	return a, o, base, to, err
}

type setupOrgPage struct {
	orgFields
	Base string
}

func (h *setup) organisation(c *fiber.Ctx) error {
	_, o, base, err := h.begin(c)
	if err != nil {
		return err
	}
	p := setupOrgPage{newOrgFields(h.web.Page(c, "setup.organisation_title", "setup"), orgFormOf(o)), base}
	return h.web.Render(c, "admin/setup/organisation", &p)
}

func (h *setup) saveOrganisation(c *fiber.Ctx) error {
	a, _, base, err := h.begin(c)
	if err != nil {
		return err
	}
	p := setupOrgPage{newOrgFields(h.web.Page(c, "setup.organisation_title", "setup"), orgForm{}), base}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.org.Update(c.UserContext(), a, p.Form.details())
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/setup/organisation", &p)
	} else if err != nil {
		return err
	}
	h.web.Drop("/")
	return web.SeeOther(c, base+"/mail")
}

type setupMailPage struct {
	mailFields
	Base string
}

func (h *setup) mailServer(c *fiber.Ctx) error {
	_, o, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	p := setupMailPage{mailFields{
		Page: h.web.Page(c, "setup.mail_title", "setup"), Form: mailFormOf(o), HasPassword: len(o.SMTPPasswordSealed) > 0, Fixed: h.mail.fixed(),
	}, base}
	return h.web.Render(c, "admin/setup/mail", &p)
}

func redirect(c *fiber.Ctx, to string, err error) error {
	if err != nil {
		return err
	}
	return web.SeeOther(c, to)
}

func (h *setup) saveMailServer(c *fiber.Ctx) error {
	a, o, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	p := setupMailPage{mailFields{Page: h.web.Page(c, "setup.mail_title", "setup"), HasPassword: len(o.SMTPPasswordSealed) > 0, Fixed: h.mail.fixed()}, base}
	if err := web.Bind(c, &p.Form); p.Form.Do == "skip" {
		return web.SeeOther(c, base+"/texts")
	} else if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/setup/mail", &p)
	} else if err != nil {
		return err
	}
	sent, err := saveMail(c, a, h.org, h.mail, p.Form)
	if p.Failed(err) {
		p.HasPassword = p.HasPassword || sent // it was saved before the test
		return h.web.RenderStatus(c, 422, "admin/setup/mail", &p)
	} else if err != nil {
		return err
	}
	if sent {
		h.web.Flash(c, "good", "settings.test_sent")
		return web.SeeOther(c, base+"/mail")
	}
	return web.SeeOther(c, base+"/texts")
}

type setupTextsPage struct {
	textFields
	Base string
}

func (h *setup) texts(c *fiber.Ctx) error {
	_, o, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	f, err := loadTexts(c.UserContext(), h.org, o)
	if err != nil {
		return err
	}
	p := setupTextsPage{newTextFields(h.web.Page(c, "setup.texts_title", "setup"), o, f), base}
	return h.web.Render(c, "admin/setup/texts", &p)
}

func (h *setup) saveTexts(c *fiber.Ctx) error {
	a, o, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	page := h.web.Page(c, "setup.texts_title", "setup")
	var f textForm
	if err = web.Bind(c, &f); err == nil {
		err = saveTexts(c.UserContext(), h.web, a, h.org, o, f)
	}
	if page.Failed(err) {
		p := setupTextsPage{newTextFields(page, o, f), base}
		return h.web.RenderStatus(c, 422, "admin/setup/texts", &p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, base+"/you")
}

type setupYouPage struct {
	web.Page
	Form personForm
	Base string
	Min  int
}

func (h *setup) you(c *fiber.Ctx) error {
	_, _, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	p := setupYouPage{Page: h.web.Page(c, "setup.you_title", "setup"), Base: base, Min: users.MinPassword}
	return h.web.Render(c, "admin/setup/you", &p)
}

func (h *setup) saveYou(c *fiber.Ctx) error {
	a, _, base, to, err := h.later(c)
	if err != nil || to != "" {
		return redirect(c, to, err)
	}
	p := setupYouPage{Page: h.web.Page(c, "setup.you_title", "setup"), Base: base, Min: users.MinPassword}
	var s users.Session
	if err = web.Bind(c, &p.Form); err == nil {
		s, err = h.users.CreateOwner(c.UserContext(), a, visit(h.web, c), users.Person{
			Name: p.Form.Name, Email: p.Form.Email, Password: p.Form.Password, Locale: p.Lang,
		})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/setup/you", &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "setup.done")
	return signedIn(h.web, c, s, "/admin/recovery")
}
