package admin

import (
	"log/slog"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/today"
)

type todayPages struct {
	web   *web.Web
	today *today.Service
	log   *slog.Logger
}

// MountToday puts the organizer's first page in place: /admin, what needs them today.
func MountToday(r fiber.Router, w *web.Web, t *today.Service, log *slog.Logger) {
	h := &todayPages{w, t, log}
	r.Get("/admin", w.Signed, h.show)
}

type todayPage struct {
	web.Page
	Queues  []todayQueue
	Starts  []web.Link // what the actor can begin
	Minutes int        // all together, as far as it can be said
	Partly  bool       // a queue could not be read
}

type todayQueue struct {
	today.Queue
	Text string
	All  int // minutes for all of them
}

func (h *todayPages) show(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	queues, err := h.today.List(c.UserContext(), a)
	if err != nil {
		h.log.Error("a queue of the first page could not be read", "request_id", web.RequestID(c), "error", err)
	}
	p := todayPage{Page: h.web.Page(c, "today.title", "today"), Partly: err != nil}
	for _, q := range queues {
		p.Queues = append(p.Queues, todayQueue{Queue: q, Text: p.T(q.Key, "Count", q.Count, "Name", q.Name), All: q.Count * q.Minutes})
		p.Minutes += q.Count * q.Minutes
	}
	for _, s := range []struct {
		right     actor.Right
		path, key string
	}{
		{actor.DraftPetition, "/admin/petitions", "today.start_petitions"},
		{actor.WriteMailing, "/admin/mailings", "today.start_mailings"},
		{actor.Import, "/admin/imports", "today.start_import"},
		{actor.ManageUsers, "/admin/users/invite", "today.start_invite"},
	} {
		if a.May(s.right) {
			p.Starts = append(p.Starts, web.Link{URL: s.path, Label: p.T(s.key)})
		}
	}
	return h.web.Render(c, "admin/today/today", &p)
}
