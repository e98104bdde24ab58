package admin

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/users"
)

type account struct {
	web   *web.Web
	users *users.Service
}

// MountAccount puts the page of one's own account in place: /admin/account.
func MountAccount(r fiber.Router, w *web.Web, u *users.Service) {
	h := &account{w, u}
	r.Get("/admin/account", w.Signed, h.show)
	r.Post("/admin/account", w.Signed, h.save)
	r.Post("/admin/account/password", w.Signed, h.password)
	r.Post("/admin/account/sessions", w.Signed, h.endOthers)
}

type accountPage struct {
	web.Page
	Account  users.Account
	Away     *time.Time // until when the account reviews nothing
	Until    string
	Sessions int // others
	Form     accountForm
	Min      int
}

type accountForm struct {
	Name     string `form:"name,max=100"`
	Language string `form:"language,max=10"`
	Current  string `form:"current,max=1000,raw"`
	Password string `form:"password,max=1000,raw"`
}

func (h *account) page(c *fiber.Ctx) (*accountPage, error) {
	a := h.web.Actor(c)
	own, err := h.users.Own(c.UserContext(), a)
	if err != nil {
		return nil, err
	}
	n, err := h.users.Sessions(c.UserContext(), a)
	if err != nil {
		return nil, err
	}
	p := &accountPage{Page: h.web.Page(c, "account.title", "account"), Account: own, Sessions: max(0, n-1), Min: users.MinPassword, Away: own.AwayUntil}
	p.Form = accountForm{Name: own.Name, Language: own.Locale}
	return p, nil
}

func (h *account) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/account/account", p)
}

func (h *account) save(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.users.UpdateProfile(c.UserContext(), h.web.Actor(c), p.Form.Name, p.Form.Language)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/account/account", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "account.saved")
	return web.SeeOther(c, "/admin/account?lang="+p.Form.Language)
}

func (h *account) password(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	p, err := h.page(c)
	if err != nil {
		return err
	}
	name, language := p.Form.Name, p.Form.Language
	err = web.Bind(c, &p.Form)
	p.Form.Name, p.Form.Language = name, language // of the other form on the page
	var s users.Session
	if err == nil {
		s, err = h.users.ChangePassword(c.UserContext(), h.web.Actor(c), visit(h.web, c), p.Form.Current, p.Form.Password)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, 422, "admin/account/account", p)
	case throttled(c, &p.Page, err):
		return h.web.RenderStatus(c, 429, "admin/account/account", p)
	case fault.Is(err, fault.Conflict):
		h.web.Flash(c, "warn", "error.changed_meanwhile")
		return web.SeeOther(c, "/admin/account")
	case err != nil:
		return err
	}
	if err := h.web.StartSession(c, s.Token, s.Expires); err != nil {
		return err
	}
	h.web.Flash(c, "good", "account.password_saved")
	return web.SeeOther(c, "/admin/account")
}

func (h *account) endOthers(c *fiber.Ctx) error {
	n, err := h.users.LogoutOthers(c.UserContext(), h.web.Actor(c), h.web.SessionToken(c))
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "account.sessions_ended", "Count", n)
	return web.SeeOther(c, "/admin/account")
}
