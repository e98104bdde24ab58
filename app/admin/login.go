package admin

import (
	"errors"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/users"
)

type login struct {
	web   *web.Web
	users *users.Service
	org   *organisation.Service
}

// MountLogin puts the pages for signing in and out in place: /admin/login, /admin/login/link, /admin/login/:token,
// /admin/logout. They are open to everybody, so mount them before a group of /admin that asks for a session.
func MountLogin(r fiber.Router, w *web.Web, u *users.Service, org *organisation.Service) {
	h := &login{w, u, org}
	r.Get("/admin/login", h.form)
	r.Post("/admin/login", h.login)
	r.Get("/admin/login/link", h.linkForm)
	r.Post("/admin/login/link", h.requestLink)
	r.Get("/admin/login/link/sent", h.linkSent)
	r.Get("/admin/login/code", h.codeForm)
	r.Post("/admin/login/code", h.code)
	r.Get("/admin/login/:token", h.button)
	r.Post("/admin/login/:token", h.useLink)
	r.Post("/admin/logout", h.logout)
}

type loginPage struct {
	web.Page
	Form loginForm
}

type loginForm struct {
	Email    string `form:"email,max=254"`
	Password string `form:"password,max=1000,raw"`
	Next     string `form:"next,max=2000"`
}

// visit is the browser of a request, as a sign-in needs it.
func visit(w *web.Web, c *fiber.Ctx) users.Visit {
	return users.Visit{Client: w.ClientNet(c), OldToken: w.SessionToken(c), RequestID: web.RequestID(c)}
}

// signedIn gives the browser its session and goes on, in the user's own language.
func signedIn(w *web.Web, c *fiber.Ctx, s users.Session, next string) error {
	if err := w.StartSession(c, s.Token, s.Expires); err != nil {
		return err
	}
	next = firstPage(web.SafePath(next))
	if s.Half {
		return web.SeeOther(c, "/admin/login/code?next="+url.QueryEscape(next))
	}
	if w.Blank(c.UserContext(), s.Locale, "/").Lang == s.Locale && !strings.Contains(next, "lang=") {
		sep := "?"
		if strings.Contains(next, "?") {
			sep = "&"
		}
		next += sep + "lang=" + s.Locale
	}
	return web.SeeOther(c, next)
}

// throttled reports whether err says to wait, and takes it into the page: the form stays as it was.
func throttled(c *fiber.Ctx, p *web.Page, err error) bool {
	var f *fault.Error
	if !errors.As(err, &f) || f.Kind != fault.TooMany {
		return false
	}
	for i := 0; i+1 < len(f.Args); i += 2 {
		if d, ok := f.Args[i+1].(time.Duration); ok {
			c.Set(fiber.HeaderRetryAfter, strconv.Itoa(int((d+time.Second-1)/time.Second)))
		}
	}
	p.Refuse(err)
	return true
}

func (h *login) form(c *fiber.Ctx) error {
	next := web.SafePath(c.Query("next"))
	if h.web.Actor(c).Kind == actor.User {
		return web.SeeOther(c, firstPage(next))
	}
	o, err := h.org.Current(c.UserContext())
	if err != nil {
		return err
	}
	if o.SetupAt == nil {
		return web.SeeOther(c, "/admin/setup")
	}
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	return h.web.Render(c, "admin/login/login", &loginPage{Page: h.web.Page(c, "login.title", "login"), Form: loginForm{Next: next}})
}

func firstPage(next string) string {
	if next == "/" {
		return "/admin"
	}
	return next
}

func (h *login) login(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	p := loginPage{Page: h.web.Page(c, "login.title", "login")}
	err := web.Bind(c, &p.Form)
	var s users.Session
	if err == nil {
		s, err = h.users.Login(c.UserContext(), visit(h.web, c), p.Form.Email, p.Form.Password)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, 422, "admin/login/login", &p)
	case throttled(c, &p.Page, err):
		return h.web.RenderStatus(c, 429, "admin/login/login", &p)
	case err != nil:
		return err
	}
	return signedIn(h.web, c, s, p.Form.Next)
}

func (h *login) linkForm(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	return h.web.Render(c, "admin/login/link", &loginPage{Page: h.web.Page(c, "login.link_title", "login")})
}

func (h *login) requestLink(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	p := loginPage{Page: h.web.Page(c, "login.link_title", "login")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		err = h.users.RequestLoginLink(c.UserContext(), visit(h.web, c), p.Form.Email)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, 422, "admin/login/link", &p)
	case throttled(c, &p.Page, err):
		return h.web.RenderStatus(c, 429, "admin/login/link", &p)
	case err != nil:
		return err
	}
	return web.SeeOther(c, "/admin/login/link/sent")
}

func (h *login) linkSent(c *fiber.Ctx) error {
	p := h.web.Page(c, "login.sent_title", "login")
	return h.web.Render(c, "admin/login/sent", &p)
}

// button is the page that a mailed link opens. Looking at it changes nothing: mail scanners look at links too.
func (h *login) button(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	if err := h.users.CheckLoginLink(c.UserContext(), c.Params("token")); err != nil {
		return h.old(c, err)
	}
	p := h.web.Page(c, "login.button_title", "login")
	return h.web.Render(c, "admin/login/button", &p)
}

type loginOldPage struct {
	web.Page
	Text string
}

// old explains a link that no longer works and offers a new one; every other error is returned.
func (h *login) old(c *fiber.Ctx, err error) error {
	status := fiber.StatusGone
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	default:
		return err
	}
	p := loginOldPage{Page: h.web.Page(c, "login.old_title", "login")}
	p.Text = p.Says(err)
	return h.web.RenderStatus(c, status, "admin/login/old", &p)
}

func (h *login) useLink(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	s, err := h.users.UseLoginLink(c.UserContext(), visit(h.web, c), c.Params("token"))
	if err != nil {
		return h.old(c, err)
	}
	return signedIn(h.web, c, s, "")
}

type codePage struct {
	web.Page
	Form codeForm
}

type codeForm struct {
	Code string `form:"code,max=40"`
	Next string `form:"next,max=2000"`
}

// codeForm asks for the code of a sign-in that waits for its second step.
func (h *login) codeForm(c *fiber.Ctx) error {
	if err := h.users.Waits(c.UserContext(), h.web.SessionToken(c)); err != nil {
		return again(c, err)
	}
	return h.web.Render(c, "admin/login/code", &codePage{Page: h.web.Page(c, "login.code_title", "login"), Form: codeForm{Next: web.SafePath(c.Query("next"))}})
}

// again sends whose sign-in is over back to its beginning.
func again(c *fiber.Ctx, err error) error {
	if fault.Is(err, fault.Unauthenticated) {
		return web.SeeOther(c, "/admin/login")
	}
	return err
}

func (h *login) code(c *fiber.Ctx) error {
	p := codePage{Page: h.web.Page(c, "login.code_title", "login")}
	err := web.Bind(c, &p.Form)
	var s users.Session
	if err == nil {
		s, err = h.users.SecondStep(c.UserContext(), visit(h.web, c), p.Form.Code)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, 422, "admin/login/code", &p)
	case throttled(c, &p.Page, err):
		return h.web.RenderStatus(c, 429, "admin/login/code", &p)
	case err != nil:
		return again(c, err)
	}
	return signedIn(h.web, c, s, p.Form.Next)
}

func (h *login) logout(c *fiber.Ctx) error {
	if err := h.users.Logout(c.UserContext(), h.web.Actor(c), h.web.SessionToken(c)); err != nil {
		return err
	}
	h.web.EndSession(c)
	h.web.Flash(c, "good", "login.signed_out")
	return web.SeeOther(c, "/admin/login")
}
