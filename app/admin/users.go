package admin

import (
	"errors"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/users"
)

type accounts struct {
	web      *web.Web
	users    *users.Service
	chapters *chapters.Service
}

// MountUsers puts the pages about accounts in place: /admin/users for owners, and /admin/invitation/:token, which is open
// to whoever has the mail: mount it before a group of /admin that asks for a session.
func MountUsers(r fiber.Router, w *web.Web, u *users.Service, ch *chapters.Service) {
	h := &accounts{w, u, ch}
	r.Get("/admin/invitation/:token", h.invitation)
	r.Post("/admin/invitation/:token", h.accept)
	r.Get("/admin/users", w.Signed, h.list)
	r.Get("/admin/users/invite", w.Signed, h.inviteForm)
	r.Post("/admin/users/invite", w.Signed, h.invite)
	r.Post("/admin/users/invitations/:id/revoke", w.Signed, h.revoke)
	r.Post("/admin/users/:id/role", w.Signed, h.role)
	r.Post("/admin/users/:id/disable", w.Signed, h.disable)
	r.Post("/admin/users/:id/two-step", w.Signed, h.resetTwoStep)
}

type usersPage struct {
	web.Page
	Users       []users.Account
	Invitations []users.Invited
	Roles       []web.Option
	Chapters    []web.Option // the first is the whole organisation; none where there are no chapters
}

// Chapter is the name of a chapter, "" for the whole organisation.
func (p *usersPage) Chapter(id *uuid.UUID) string {
	for _, o := range p.Chapters {
		if id != nil && o.Value == id.String() {
			return o.Label
		}
	}
	return ""
}

// ChapterValue is the value of an account's chapter in the choice.
func (p *usersPage) ChapterValue(id *uuid.UUID) string {
	return idOf(id)
}

// chapterOptions lists the chapters to choose from, the whole organisation first; nil where there are none.
func chapterOptions(c *fiber.Ctx, w *web.Web, p web.Page, svc *chapters.Service) ([]web.Option, error) {
	list, err := svc.Options(c.UserContext(), w.Actor(c))
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return rowOptions(p.T("chapters.whole"), list, func(o chapters.Option) (uuid.UUID, string) { return o.ID, o.Name }), nil
}

// roleOptions lists the roles with what each is for.
func roleOptions(p web.Page) []web.Option {
	var out []web.Option
	for _, r := range actor.Roles {
		out = append(out, web.Option{Value: string(r), Label: p.T("role." + string(r)), Hint: p.T("role." + string(r) + "_hint")})
	}
	return out
}

func (h *accounts) list(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	list, err := h.users.List(ctx, a)
	if err != nil {
		return err
	}
	invited, err := h.users.Invitations(ctx, a)
	if err != nil {
		return err
	}
	p := usersPage{Page: h.web.Page(c, "users.title", "users"), Users: list, Invitations: invited}
	p.Roles = roleOptions(p.Page)
	if p.Chapters, err = chapterOptions(c, h.web, p.Page, h.chapters); err != nil {
		return err
	}
	return h.web.Render(c, "admin/users/list", &p)
}

type invitePage struct {
	web.Page
	Form     inviteForm
	Roles    []web.Option
	Chapters []web.Option
}

type inviteForm struct {
	Email string `form:"email,max=254"`
	Role  string `form:"role,max=20"`

	Chapter string `form:"chapter,max=40"`
}

// chapterID reads the choice of a chapter. What is no id is no chapter that exists.
func (f inviteForm) chapterID() uuid.UUID {
	if f.Chapter == "" {
		return uuid.Nil
	}
	id, err := uuid.Parse(f.Chapter)
	if err != nil || id == uuid.Nil {
		return uuid.Max
	}
	return id
}

func (h *accounts) invitePage(c *fiber.Ctx) (*invitePage, error) {
	p := &invitePage{Page: h.web.Page(c, "users.invite_title", "users"), Form: inviteForm{Role: string(actor.Organizer)}}
	p.Roles = roleOptions(p.Page)
	var err error
	p.Chapters, err = chapterOptions(c, h.web, p.Page, h.chapters)
	return p, err
}

func (h *accounts) inviteForm(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.ManageUsers); err != nil {
		return err
	}
	p, err := h.invitePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/users/invite", p)
}

func (h *accounts) invite(c *fiber.Ctx) error {
	p, err := h.invitePage(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.users.Invite(c.UserContext(), h.web.Actor(c), p.Form.Email, actor.Role(p.Form.Role), p.Form.chapterID())
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/users/invite", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "users.invited")
	return web.SeeOther(c, "/admin/users")
}

func (h *accounts) revoke(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.not_found")
	if err != nil {
		return err
	}
	if err := h.users.Revoke(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "users.revoked")
	return web.SeeOther(c, "/admin/users")
}

func (h *accounts) role(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.not_found")
	if err != nil {
		return err
	}
	var form inviteForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	return h.changed(c, h.users.ChangeRole(c.UserContext(), h.web.Actor(c), id, actor.Role(form.Role), form.chapterID()), "users.role_changed")
}

type disableForm struct {
	Disabled bool `form:"disabled"`
}

func (h *accounts) disable(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.not_found")
	if err != nil {
		return err
	}
	var form disableForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	done := "users.enabled"
	if form.Disabled {
		done = "users.disabled"
	}
	return h.changed(c, h.users.Disable(c.UserContext(), h.web.Actor(c), id, form.Disabled), done)
}

// changed goes back to the list, with what was done or why it was not.
func (h *accounts) changed(c *fiber.Ctx, err error, key string) error {
	var f *fault.Error
	switch {
	case err == nil:
		h.web.Flash(c, "good", key)
	case errors.As(err, &f) && f.Kind == fault.Conflict:
		h.web.Flash(c, "bad", f.Key)
	case errors.As(err, &f) && f.Kind == fault.Invalid && len(f.Fields) > 0:
		h.web.Flash(c, "bad", f.Fields[0].Key)
	default:
		return err
	}
	return web.SeeOther(c, "/admin/users")
}

type invitationPage struct {
	web.Page
	Invitation users.Invited
	RoleName   string
	Form       personForm
	Min        int
}

type personForm struct {
	Name     string `form:"name,max=100"`
	Email    string `form:"email,max=254"`
	Password string `form:"password,max=1000,raw"`
}

func (h *accounts) invitationPage(c *fiber.Ctx) (*invitationPage, error) {
	if err := h.web.LoginAllowed(c); err != nil {
		return nil, err
	}
	inv, err := h.users.Invitation(c.UserContext(), c.Params("token"))
	if err != nil {
		return nil, err
	}
	p := &invitationPage{Page: h.web.Page(c, "invitation.title", "invitation"), Invitation: inv, Min: users.MinPassword}
	p.RoleName = p.T("role." + string(inv.Role))
	return p, nil
}

func (h *accounts) invitation(c *fiber.Ctx) error {
	p, err := h.invitationPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/users/invitation", p)
}

func (h *accounts) accept(c *fiber.Ctx) error {
	p, err := h.invitationPage(c)
	if err != nil {
		return err
	}
	var s users.Session
	if err = web.Bind(c, &p.Form); err == nil {
		s, err = h.users.Accept(c.UserContext(), visit(h.web, c), c.Params("token"), users.Person{
			Name: p.Form.Name, Password: p.Form.Password, Locale: p.Lang,
		})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/users/invitation", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "invitation.done")
	return signedIn(h.web, c, s, "")
}

// resetTwoStep takes the second step from an account whose device is lost.
func (h *accounts) resetTwoStep(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.user_unknown")
	if err != nil {
		return err
	}
	if err := h.users.ResetTwoStep(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "users.two_step_reset_done")
	return web.SeeOther(c, "/admin/users")
}
