package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/duplicates"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
)

type duplicatePages struct {
	web *web.Web
	svc *duplicates.Service
}

// MountDuplicates puts the pages about records that may be one person in place: /admin/duplicates and below.
func MountDuplicates(r fiber.Router, w *web.Web, s *duplicates.Service) {
	h := &duplicatePages{w, s}
	r.Get("/admin/duplicates", w.Signed, h.list)
	r.Post("/admin/duplicates/merges/:id/undo", w.Signed, h.undo)
	r.Get("/admin/duplicates/:id", w.Signed, h.show)
	r.Post("/admin/duplicates/:id/merge", w.Signed, h.merge)
	r.Post("/admin/duplicates/:id/different", w.Signed, h.different)
}

type duplicatesPage struct {
	web.Page
	Rows   []duplicates.Pair
	Next   string
	Merges []duplicates.Done
}

// Name is the name of one of the records.
func (p duplicatesPage) Name(s duplicates.Side) string {
	if name := strings.TrimSpace(s.GivenName + " " + s.FamilyName); name != "" {
		return name
	}
	return p.T("supporter.no_name")
}

func (h *duplicatePages) list(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(ctx, a, after)
	if err != nil {
		return err
	}
	p := duplicatesPage{Page: h.web.Page(c, "duplicates.title", "duplicates"), Rows: list.Rows, Next: list.Next}
	if p.Merges, err = h.svc.Merges(ctx, a); err != nil {
		return err
	}
	return h.web.Render(c, "admin/duplicates/list", &p)
}

type duplicatePage struct {
	peoplePage
	duplicates.Comparison
}

// Sides are the two records, the older one first.
func (p duplicatePage) Sides() []supporters.View { return []supporters.View{p.One, p.Other} }

// Label is what a field is called.
func (p duplicatePage) Label(f duplicates.Field) string {
	if f.Label != "" {
		return f.Label
	}
	return p.T("duplicates.field_" + f.Name)
}

// Values are the two values of a field, to choose from.
func (p duplicatePage) Values(f duplicates.Field) []web.Option {
	say := func(s string) string {
		switch {
		case f.Name == "frequency" && s == "":
			return p.T("duplicates.often_all")
		case f.Name == "frequency":
			return p.T("duplicates.often_" + s)
		case s == "yes" || s == "no":
			return p.T("duplicates." + s)
		}
		return s
	}
	return []web.Option{{Value: duplicates.ChooseOne, Label: say(f.One)}, {Value: duplicates.ChooseOther, Label: say(f.Other)}}
}

func (h *duplicatePages) show(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.duplicate_unknown")
	if err != nil {
		return err
	}
	pair, err := h.svc.Show(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/duplicates/show", &duplicatePage{peoplePage{h.web.Page(c, "duplicates.one_title", "duplicates")}, pair})
}

func (h *duplicatePages) merge(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	id, err := paramID(c, "id", "error.duplicate_unknown")
	if err != nil {
		return err
	}
	pair, err := h.svc.Show(ctx, a, id)
	if err != nil {
		return err
	}
	choices := map[string]string{}
	for _, f := range pair.Fields {
		v := c.FormValue(f.Name)
		if v != duplicates.ChooseOne && v != duplicates.ChooseOther {
			// The page did not ask this: the records changed since it was opened.
			return fault.New(fault.Conflict, "error.duplicate_changed", "Next", "/admin/duplicates/"+id.String())
		}
		choices[f.Name] = v
	}
	_, kept, err := h.svc.Merge(ctx, a, id, choices)
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "duplicates.merged", "Days", int(duplicates.Keep.Hours()/24))
	return web.SeeOther(c, "/admin/supporters/"+kept.String())
}

func (h *duplicatePages) different(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.duplicate_unknown")
	if err != nil {
		return err
	}
	if err := h.svc.Different(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "duplicates.parted")
	return web.SeeOther(c, "/admin/duplicates")
}

func (h *duplicatePages) undo(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.merge_nothing")
	if err != nil {
		return err
	}
	if _, err := h.svc.Undo(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "duplicates.undone")
	return web.SeeOther(c, "/admin/duplicates")
}
