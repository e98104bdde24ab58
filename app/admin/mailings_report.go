package admin

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
)

type mailingReportPage struct {
	web.Page
	mailings.Report
}

// Base is the address of the mailing's pages.
func (p mailingReportPage) Base() string { return mailingPath(p.Mailing.ID) }

// Tone is the colour of the mailing's state.
func (p mailingReportPage) Tone() string { return mailingTone(p.State) }

// Name is what the mailing is called.
func (p mailingReportPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Whom says whom it goes to.
func (p mailingReportPage) Whom() string {
	return toWords(p.Page, p.Mailing, p.Petition.Title, p.Topic, p.Segment)
}

// Rest is how many have not gone out.
func (p mailingReportPage) Rest() int { return p.Waiting + p.Later }

// Stoppable reports whether there is something left to stop.
func (p mailingReportPage) Stoppable() bool {
	return p.State == models.MailingFreezing || p.State == models.MailingSending || p.State == models.MailingPaused
}

func (h *mailingPages) report(c *fiber.Ctx, id uuid.UUID) error {
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	var err error
	if p.Report, err = h.svc.Report(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if p.State == models.MailingDraft {
		return fault.New(fault.NotFound, "error.mailing_unknown")
	}
	p.Title = p.Name()
	return h.web.Render(c, "admin/mailings/report", &p)
}

// progress is the part of the report that moves.
func (h *mailingPages) progress(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, mailingPath(id))
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Active() {
		c.Set("HX-Refresh", "true") // buttons and tables change with the state
	}
	return h.web.RenderPart(c, "admin/mailings/report", "moving", &p)
}

func (h *mailingPages) pause(c *fiber.Ctx) error { return h.change(c, h.svc.Pause, "mailings.paused") }

func (h *mailingPages) resume(c *fiber.Ctx) error {
	return h.change(c, h.svc.Resume, "mailings.resumed")
}

func (h *mailingPages) stop(c *fiber.Ctx) error { return h.change(c, h.svc.Stop, "mailings.stopped") }

// change does one thing with a mailing and goes back to its page.
func (h *mailingPages) change(c *fiber.Ctx, do func(context.Context, actor.Actor, uuid.UUID) error, done string) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, mailingPath(id))
}

// beforeStop asks once more: stopping cannot be undone.
func (h *mailingPages) beforeStop(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.stop_title", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Stoppable() && p.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	return h.web.Render(c, "admin/mailings/stop", &p)
}

func (h *mailingPages) unknown(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	var f composeForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "resend" && f.Do != "leave" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	n, err := h.svc.Settle(c.UserContext(), h.web.Actor(c), id, f.Do == "resend")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.settled_"+f.Do, "Count", n)
	return web.SeeOther(c, mailingPath(id))
}
