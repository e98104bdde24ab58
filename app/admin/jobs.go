package admin

import (
	"context"
	"slices"
	"strconv"

	"github.com/gofiber/fiber/v2"

	"kithline/app/views"
	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/jobs"
)

type jobPages struct {
	web  *web.Web
	jobs *jobs.Client
}

// MountJobs puts the owner's list of jobs in place: /admin/jobs.
func MountJobs(r fiber.Router, w *web.Web, j *jobs.Client) {
	h := &jobPages{w, j}
	r.Get("/admin/jobs", w.Signed, h.list)
	r.Post("/admin/jobs/:id/retry", w.Signed, h.retry)
	r.Post("/admin/jobs/:id/cancel", w.Signed, h.cancel)
}

type jobsPage struct {
	web.Page
	State  string
	States []web.Option
	Jobs   []jobRow
}

type jobRow struct {
	jobs.Job
	StateName, About  string
	CanRetry, CanStop bool
}

func (h *jobPages) list(c *fiber.Ctx) error {
	state := c.Query("state")
	if !slices.Contains(jobs.States, state) {
		state = ""
	}
	list, err := h.jobs.List(c.UserContext(), h.web.Actor(c), state)
	if err != nil {
		return err
	}
	p := jobsPage{Page: h.web.Page(c, "jobs.title", "jobs"), State: state}
	p.States = append(p.States, web.Option{Label: p.T("jobs.all")})
	for _, s := range jobs.States {
		p.States = append(p.States, web.Option{Value: s, Label: p.T("jobs.state_" + s)})
	}
	for _, j := range list {
		row := jobRow{Job: j, StateName: j.State, About: details(j.Args)}
		if slices.Contains(jobs.States, j.State) {
			row.StateName = p.T("jobs.state_" + j.State)
		}
		row.CanRetry = slices.Contains([]string{"retryable", "scheduled", "discarded", "cancelled"}, j.State)
		row.CanStop = slices.Contains([]string{"available", "running", "retryable", "scheduled"}, j.State)
		p.Jobs = append(p.Jobs, row)
	}
	return h.web.Render(c, "admin/jobs/list", &p)
}

func (h *jobPages) retry(c *fiber.Ctx) error { return h.change(c, h.jobs.Retry, "jobs.retried") }

func (h *jobPages) cancel(c *fiber.Ctx) error { return h.change(c, h.jobs.Cancel, "jobs.cancelled") }

type jobForm struct {
	State string `form:"state,max=20"`
}

func (h *jobPages) change(c *fiber.Ctx, do func(ctx context.Context, a actor.Actor, id int64) error, done string) error {
	id, err := strconv.ParseInt(c.Params("id"), 10, 64)
	if err != nil {
		return fault.New(fault.NotFound, "error.not_found")
	}
	var form jobForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, views.Query("/admin/jobs", "state", form.State))
}
