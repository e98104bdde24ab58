package public

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
)

type unsubscribe struct {
	web *web.Web
	svc *mailings.Service
}

// MountUnsubscribe puts the way out of every mailing in place: /u/:token. Its POST takes one-click requests of mail programs
// (RFC 8058), which come from anywhere and bring no cookies: web.Options.OneClick lists it.
func MountUnsubscribe(r fiber.Router, w *web.Web, s *mailings.Service) {
	h := &unsubscribe{w, s}
	r.Get("/u/:token", h.show)
	r.Post("/u/:token", h.leave)
	r.Post("/u/:token/undo", h.undo)
}

type unsubscribePage struct {
	web.Page
	Token string
	mailings.Subscription
	Left bool // the button was just pressed
	Back bool // it was just taken back
}

// Receipt reports whether the mail was no mailing at all: there is nothing to stop.
func (p unsubscribePage) Receipt() bool { return p.Purpose == "receipt" }

func (h *unsubscribe) page(c *fiber.Ctx) unsubscribePage {
	return unsubscribePage{Page: h.web.Page(c, "unsubscribe.title", ""), Token: c.Params("token")}
}

// show changes nothing: mail scanners follow links.
func (h *unsubscribe) show(c *fiber.Ctx) error {
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Subscription(c.UserContext(), p.Token)
	return h.answer(c, &p, err)
}

func (h *unsubscribe) answer(c *fiber.Ctx, p *unsubscribePage, err error) error {
	if fault.Is(err, fault.NotFound) {
		p.Title = p.T("unsubscribe.unknown_title")
		return h.web.RenderStatus(c, fiber.StatusNotFound, "public/unsubscribe/unknown", p)
	}
	if err != nil {
		return err
	}
	switch {
	case p.Left && !p.Active:
		p.Title = p.T("unsubscribe.left_title")
	case p.Back && p.Active:
		p.Title = p.T("unsubscribe.back_title")
	}
	return h.web.Render(c, "public/unsubscribe/show", p)
}

// leave ends the subscription: with a page for whoever pressed the button on ours, with a few words for a mail program. It
// never redirects.
func (h *unsubscribe) leave(c *fiber.Ctx) error {
	if !pressed(c) {
		return h.oneClick(c)
	}
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Unsubscribe(c.UserContext(), p.Token, mailings.ByPage)
	p.Left = true
	return h.answer(c, &p, err)
}

func (h *unsubscribe) oneClick(c *fiber.Ctx) error {
	_, err := h.svc.Unsubscribe(c.UserContext(), c.Params("token"), mailings.ByOneClick)
	c.Set(fiber.HeaderCacheControl, "no-store")
	switch {
	case fault.Is(err, fault.NotFound):
		return c.Status(fiber.StatusNotFound).SendString("This link is not known here.\n")
	case err != nil:
		return err
	}
	return c.SendString("Done. These mails have stopped.\n")
}

// pressed reports whether the request is from our own page: its form has a field that a mail program's request has not. A
// body that cannot be read is a mail program's.
func pressed(c *fiber.Ctx) bool {
	kind := strings.ToLower(c.Get(fiber.HeaderContentType))
	switch {
	case strings.HasPrefix(kind, fiber.MIMEApplicationForm):
		return string(c.Context().PostArgs().Peek("page")) == "1"
	case strings.HasPrefix(kind, fiber.MIMEMultipartForm):
		f, err := c.MultipartForm()
		return err == nil && len(f.Value["page"]) == 1 && f.Value["page"][0] == "1"
	}
	return false
}

func (h *unsubscribe) undo(c *fiber.Ctx) error {
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Undo(c.UserContext(), p.Token)
	p.Back = true
	return h.answer(c, &p, err)
}
