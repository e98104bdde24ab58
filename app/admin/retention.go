package admin

import (
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/clock"
	"kithline/campaigns/paging"
	"kithline/campaigns/retention"
)

type retentionPages struct {
	web *web.Web
	svc *retention.Service
	clk clock.Clock
}

// MountRetention puts the pages about when names go in place: /admin/retention and /admin/retention/:id for a campaign.
func MountRetention(r fiber.Router, w *web.Web, s *retention.Service, clk clock.Clock) {
	h := &retentionPages{w, s, clk}
	r.Get("/admin/retention", w.Signed, h.list)
	r.Post("/admin/retention", w.Signed, h.suggest)
	r.Get("/admin/retention/:id", w.Signed, h.show)
	r.Post("/admin/retention/:id", w.Signed, h.set)
}

type monthsForm struct {
	Months int `form:"months"`
}

type retentionPage struct {
	web.Page
	Form monthsForm // what the organisation suggests
	Rows []dueRow
	Next string
}

// dueRow is one campaign with a word for where it is.
type dueRow struct {
	retention.Due
	State string // keeps, on, done, now, later
}

func (h *retentionPages) row(d retention.Due) dueRow {
	state := "later"
	switch {
	case d.Done:
		state = "done"
	case d.Ended == nil:
		state = "on"
	case d.On == nil:
		state = "keeps"
	case d.Now(h.clk.Now()):
		state = "now"
	}
	return dueRow{d, state}
}

func (h *retentionPages) list(c *fiber.Ctx) error {
	p := retentionPage{Page: h.web.Page(c, "retention.title", "retention")}
	months, err := h.svc.Suggested(c.UserContext())
	if err != nil {
		return err
	}
	p.Form.Months = months
	return h.render(c, 200, &p)
}

func (h *retentionPages) render(c *fiber.Ctx, status int, p *retentionPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	plan, err := h.svc.Plan(c.UserContext(), h.web.Actor(c), after)
	if err != nil {
		return err
	}
	p.Next = plan.Next
	for _, d := range plan.Rows {
		p.Rows = append(p.Rows, h.row(d))
	}
	return h.web.RenderStatus(c, status, "admin/retention/list", p)
}

func (h *retentionPages) suggest(c *fiber.Ctx) error {
	p := retentionPage{Page: h.web.Page(c, "retention.title", "retention")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		err = h.svc.Suggest(c.UserContext(), h.web.Actor(c), p.Form.Months)
	}
	if p.Failed(err) {
		return h.render(c, 422, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "retention.suggested")
	return web.SeeOther(c, "/admin/retention")
}

type campaignRetentionPage struct {
	web.Page
	Form     monthsForm
	Campaign dueRow
	Looked   bool // the numbers are for what stands in the form, not for what is saved
}

// show is the dry run: the numbers for the months in the address, else for those that are saved, or suggested.
func (h *retentionPages) show(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.campaign_unknown")
	if err != nil {
		return err
	}
	p := campaignRetentionPage{Page: h.web.Page(c, "retention.one_title", "retention")}
	ctx, a := c.UserContext(), h.web.Actor(c)
	saved, err := h.svc.Saved(ctx, a, id)
	if err != nil {
		return err
	}
	p.Form.Months = saved
	if saved == 0 {
		if p.Form.Months, err = h.svc.Suggested(ctx); err != nil {
			return err
		}
	}
	if asked, err := strconv.Atoi(c.Query("months")); err == nil {
		p.Form.Months = asked
	}
	p.Looked = p.Form.Months != saved
	due, err := h.svc.Preview(ctx, a, id, p.Form.Months)
	status := 200
	if p.Failed(err) {
		status = 422
	} else if err != nil {
		return err
	}
	p.Campaign = h.row(due)
	return h.web.RenderStatus(c, status, "admin/retention/one", &p)
}

func (h *retentionPages) set(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.campaign_unknown")
	if err != nil {
		return err
	}
	p := campaignRetentionPage{Page: h.web.Page(c, "retention.one_title", "retention")}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.svc.Set(c.UserContext(), h.web.Actor(c), id, p.Form.Months)
	}
	if p.Failed(err) {
		due, err := h.svc.Preview(c.UserContext(), h.web.Actor(c), id, 0)
		if err != nil {
			return err
		}
		p.Campaign, p.Looked = h.row(due), true
		return h.web.RenderStatus(c, 422, "admin/retention/one", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "retention.saved")
	return web.SeeOther(c, "/admin/retention")
}
