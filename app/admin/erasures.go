package admin

import (
	"bufio"
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
)

type erasurePages struct {
	web *web.Web
	svc *erasures.Service
}

// MountErasures puts the pages that forget people in place: /admin/erasures, and /admin/erasures/supporter/:id, to which the
// page of a record leads.
func MountErasures(r fiber.Router, w *web.Web, s *erasures.Service) {
	h := &erasurePages{w, s}
	r.Get("/admin/erasures", w.Signed, h.list)
	r.Post("/admin/erasures", w.Signed, h.erase)
	r.Post("/admin/erasures/list", w.Signed, h.download)
	r.Get("/admin/erasures/supporter/:id", w.Signed, h.ask)
	r.Post("/admin/erasures/supporter/:id", w.Signed, h.one)
	r.Get("/admin/erasures/:id", w.Signed, h.receipt)
}

type eraseForm struct {
	Addresses string `form:"addresses,max=40000,lines"`
	Sure      bool   `form:"sure"`
}

type erasuresPage struct {
	web.Page
	Form  eraseForm
	Count int64
	Rows  []erasures.Row
	Next  string
}

func (h *erasurePages) list(c *fiber.Ctx) error {
	p := erasuresPage{Page: h.web.Page(c, "erasures.title", "erasures")}
	return h.render(c, 200, &p)
}

func (h *erasurePages) render(c *fiber.Ctx, status int, p *erasuresPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	rows, err := h.svc.List(ctx, a, after)
	if err != nil {
		return err
	}
	if p.Count, err = h.svc.Count(ctx, a); err != nil {
		return err
	}
	p.Rows, p.Next = rows.Rows, rows.Next
	return h.web.RenderStatus(c, status, "admin/erasures/list", p)
}

// sure is the box that has to be ticked before something goes for good.
func sure(ticked bool) error {
	var f fault.Fields
	if !ticked {
		f.Add("sure", "error.erasures_sure")
	}
	return f.Err()
}

func (h *erasurePages) erase(c *fiber.Ctx) error {
	p := erasuresPage{Page: h.web.Page(c, "erasures.title", "erasures")}
	err := web.Bind(c, &p.Form)
	var addresses []string
	if err == nil {
		addresses = strings.FieldsFunc(p.Form.Addresses, func(r rune) bool { return strings.ContainsRune(" \n\r\t,;", r) })
		var f fault.Fields
		if len(addresses) == 0 {
			f.Add("addresses", "error.email_missing")
		}
		if err = f.Err(); err == nil {
			err = sure(p.Form.Sure)
		}
	}
	var done erasures.Bulk
	if err == nil {
		done, err = h.svc.EraseAddresses(c.UserContext(), h.web.Actor(c), addresses)
	}
	if p.Failed(err) {
		return h.render(c, 422, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, map[bool]string{true: "good", false: "warn"}[done.Erased > 0], "erasures.done", "Count", done.Erased, "Unknown", done.Unknown, "Wrong", done.Wrong, "Accounts", done.Accounts)
	return web.SeeOther(c, "/admin/erasures")
}

// download gives the list of erased addresses. It is a POST, since taking it out is written into the audit log.
func (h *erasurePages) download(c *fiber.Ctx) error {
	list, err := h.svc.Since(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	c.Attachment("erased.jsonl")
	return h.web.Stream(c, "application/jsonl; charset=utf-8", func(_ context.Context, out *bufio.Writer) error {
		return erasures.WriteList(out, list)
	})
}

type erasePage struct {
	web.Page
	ID   string
	Form eraseForm
	Look erasures.Receipt
}

func (h *erasurePages) ask(c *fiber.Ctx) error {
	p := erasePage{Page: h.web.Page(c, "erasures.one_title", "supporters")}
	return h.renderOne(c, 200, &p)
}

func (h *erasurePages) renderOne(c *fiber.Ctx, status int, p *erasePage) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	p.ID = id.String()
	if p.Look, err = h.svc.Look(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/erasures/one", p)
}

func (h *erasurePages) one(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	p := erasePage{Page: h.web.Page(c, "erasures.one_title", "supporters")}
	if err = web.Bind(c, &p.Form); err == nil {
		err = sure(p.Form.Sure)
	}
	var r erasures.Receipt
	if err == nil {
		r, err = h.svc.Erase(c.UserContext(), h.web.Actor(c), id)
	}
	if p.Failed(err) {
		return h.renderOne(c, 422, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "erasures.one_done")
	if r.Account {
		h.web.Flash(c, "warn", "erasures.account_stays")
	}
	if r.Addresses == 0 { // nothing is remembered of somebody without an address
		return web.SeeOther(c, "/admin/erasures")
	}
	return web.SeeOther(c, "/admin/erasures/"+r.ID.String())
}

type receiptPage struct {
	web.Page
	Receipt erasures.Row
}

func (h *erasurePages) receipt(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.erasure_unknown")
	if err != nil {
		return err
	}
	row, err := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	p := receiptPage{Page: h.web.Page(c, "erasures.receipt_title", "erasures"), Receipt: row}
	p.Back = &web.Link{URL: "/admin/erasures", Label: p.T("erasures.title")}
	return h.web.Render(c, "admin/erasures/receipt", &p)
}
