package admin

import (
	"context"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/inbound"
	"kithline/campaigns/paging"
	"kithline/models"
)

type inboundPages struct {
	web *web.Web
	svc *inbound.Service
}

// MountInbound puts the pages about mail that comes back in place: /admin/inbound, and /admin/settings/inbound with where it is read.
func MountInbound(r fiber.Router, w *web.Web, s *inbound.Service) {
	h := &inboundPages{w, s}
	r.Get("/admin/inbound", w.Signed, h.list)
	r.Post("/admin/inbound/held", w.Signed, h.settle)
	r.Post("/admin/inbound/troubles/:id/end", w.Signed, h.endTrouble)
	r.Get("/admin/settings/inbound", w.Signed, h.sources)
	r.Post("/admin/settings/inbound", w.Signed, h.saveMailbox)
	r.Post("/admin/settings/inbound/ses", w.Signed, h.saveSES)
	r.Post("/admin/settings/inbound/postmark", w.Signed, h.savePostmark)
}

type inboundPage struct {
	web.Page
	Over     inbound.Overview
	Classes  []string
	Class    string // that is shown alone; "" for all
	Held     bool   // only what is held is shown
	Troubles []models.DomainTrouble
	Rows     []inbound.Report
	Next     string
}

// Paused reports whether mail to many waits at a domain.
func (p inboundPage) Paused(t models.DomainTrouble) bool { return t.PausedUntil != nil }

func (h *inboundPages) list(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := inboundPage{Page: h.web.Page(c, "inbound.title", "settings"), Classes: inbound.Classes(), Class: c.Query("class"), Held: c.Query("held") != ""}
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	if p.Over, err = h.svc.Overview(ctx, a); err != nil {
		return err
	}
	if p.Class != "" {
		if err := inbound.KnownClass(p.Class); err != nil {
			return err
		}
	}
	if p.Troubles, err = h.svc.Troubles(ctx, a); err != nil {
		return err
	}
	list, err := h.svc.List(ctx, a, p.Class, p.Held, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.Render(c, "admin/inbound/list", &p)
}

type settleForm struct {
	Do string `form:"do,max=10"` // believe or drop
}

func (h *inboundPages) settle(c *fiber.Ctx) error {
	var f settleForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	n, err := h.svc.Settle(c.UserContext(), h.web.Actor(c), f.Do == "believe")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "inbound.settled", "Count", n)
	return web.SeeOther(c, "/admin/inbound")
}

func (h *inboundPages) endTrouble(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.trouble_unknown")
	if err != nil {
		return err
	}
	if err := h.svc.EndTrouble(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "inbound.trouble_ended")
	return web.SeeOther(c, "/admin/inbound")
}

type mailboxForm struct {
	Address    string `form:"address,max=254"`
	Host       string `form:"host,max=253"`
	Port       string `form:"port,max=6"`
	TLS        string `form:"tls,max=10"`
	Username   string `form:"username,max=254"`
	Password   string `form:"password,max=500,raw"`
	Folder     string `form:"folder,max=200"`
	Afterwards string `form:"afterwards,max=10"`
	MoveTo     string `form:"move_to,max=200"`
	Do         string `form:"do,max=10"` // save or test
}

func (f mailboxForm) input() (inbound.MailboxInput, error) {
	in := inbound.MailboxInput{
		Address: f.Address, Host: f.Host, TLS: f.TLS, Username: f.Username, Password: f.Password, Folder: f.Folder, Afterwards: f.Afterwards, MoveTo: f.MoveTo,
	}
	if f.Port != "" {
		n, err := strconv.Atoi(f.Port)
		if err != nil || n < 1 {
			var bad fault.Fields
			bad.Add("port", "error.smtp_port")
			return in, bad.Err()
		}
		in.Port = n
	}
	return in, nil
}

type sesForm struct {
	Topic string `form:"topic,max=400"`
}

type onForm struct {
	On bool `form:"on"`
}

type sourcesPage struct {
	web.Page
	Form        mailboxForm
	Topic       string
	Sources     inbound.Sources
	SESURL      string // that Amazon calls; "" where it does not
	PostmarkURL string
}

func (h *inboundPages) sources(c *fiber.Ctx) error {
	p := sourcesPage{Page: h.web.Page(c, "settings.title", "settings")}
	return h.renderSources(c, fiber.StatusOK, &p)
}

// renderSources shows the settings; what was typed and cannot be taken stands in the forms again.
func (h *inboundPages) renderSources(c *fiber.Ctx, status int, p *sourcesPage) error {
	src, err := h.svc.Sources(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	p.Sources, p.Path = src, "/admin/settings/inbound"
	if p.Form == (mailboxForm{}) {
		m := src.Mailbox
		p.Form = mailboxForm{Address: m.Address, Host: m.Host, TLS: m.TLS, Username: m.Username, Folder: m.Folder, Afterwards: m.Afterwards, MoveTo: m.MoveTo}
		if m.Port > 0 {
			p.Form.Port = strconv.Itoa(m.Port)
		}
		if m.Host == "" {
			p.Form.TLS, p.Form.Afterwards = "tls", "seen"
		}
	}
	if p.Topic == "" {
		p.Topic = src.SES.Topic
	}
	if src.SES.Topic != "" && src.SESSecret != "" {
		p.SESURL = h.web.URL("/callbacks/ses/" + src.SESSecret)
	}
	if src.Postmark {
		p.PostmarkURL = h.web.URL("/callbacks/postmark/" + src.PostSecret)
	}
	return h.web.RenderStatus(c, status, "admin/settings/inbound", p)
}

func (h *inboundPages) saveMailbox(c *fiber.Ctx) error {
	p := sourcesPage{Page: h.web.Page(c, "settings.title", "settings")}
	err := web.Bind(c, &p.Form)
	found := 0
	if err == nil {
		found, err = h.mailbox(c, p.Form)
	}
	if p.Failed(err) {
		return h.renderSources(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	if p.Form.Do == "test" {
		h.web.Flash(c, "good", "inbound.test_good", "Count", found)
	} else {
		h.web.Flash(c, "good", "settings.saved")
	}
	return web.SeeOther(c, "/admin/settings/inbound")
}

// mailbox stores the mailbox and, where the form asks for it, looks into it.
func (h *inboundPages) mailbox(c *fiber.Ctx, f mailboxForm) (found int, err error) {
	ctx, a := c.UserContext(), h.web.Actor(c)
	src, err := h.svc.Sources(ctx, a)
	if err != nil {
		return 0, err
	}
	if !src.Fixed {
		in, err := f.input()
		if err != nil {
			return 0, err
		}
		if err := h.svc.SetMailbox(ctx, a, in); err != nil {
			return 0, err
		}
	}
	if f.Do != "test" {
		return 0, nil
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	return h.svc.TestMailbox(ctx, a)
}

func (h *inboundPages) saveSES(c *fiber.Ctx) error {
	p := sourcesPage{Page: h.web.Page(c, "settings.title", "settings")}
	var f sesForm
	err := web.Bind(c, &f)
	if p.Topic = f.Topic; err == nil {
		err = h.svc.SetSES(c.UserContext(), h.web.Actor(c), f.Topic)
	}
	return h.saved(c, &p, err)
}

func (h *inboundPages) savePostmark(c *fiber.Ctx) error {
	p := sourcesPage{Page: h.web.Page(c, "settings.title", "settings")}
	var f onForm
	err := web.Bind(c, &f)
	if err == nil {
		err = h.svc.SetPostmark(c.UserContext(), h.web.Actor(c), f.On)
	}
	return h.saved(c, &p, err)
}

func (h *inboundPages) saved(c *fiber.Ctx, p *sourcesPage, err error) error {
	if p.Failed(err) {
		return h.renderSources(c, fiber.StatusUnprocessableEntity, p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings/inbound")
}
