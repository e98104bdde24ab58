package admin

import (
	"bytes"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/letters"
)

type officePages struct {
	web     *web.Web
	letters *letters.Service
}

// MountOffices puts in place how the letters of a campaign stand office by office: what waits and until when, what is to be printed and
// carried, and what nobody knows the fate of.
func MountOffices(r fiber.Router, w *web.Web, s *letters.Service) {
	h := &officePages{w, s}
	g := r.Group("/admin/letters/:id/offices", w.Signed)
	g.Get("", h.list)
	g.Post("/:office/print", h.print)
	g.Post("/:office/carried", h.carried)
	g.Post("/:office/unknown", h.unknown)
}

type officesPage struct {
	web.Page
	Desks letters.Desks
}

// Until is the moment of the page's numbers, for its buttons.
func (p *officesPage) Until() string { return strconv.FormatInt(p.Desks.At.UnixMicro(), 10) }

func (h *officePages) list(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.letters_unknown")
	if err != nil {
		return err
	}
	p := &officesPage{Page: h.web.Page(c, "", "letters")}
	if p.Desks, err = h.letters.Offices(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.Title = p.T("dispatch.offices_title", "Title", p.Desks.Campaign.Title)
	return h.web.Render(c, "admin/offices/list", p)
}

func (h *officePages) ids(c *fiber.Ctx) (campaign, office uuid.UUID, err error) {
	if campaign, err = paramID(c, "id", "error.letters_unknown"); err != nil {
		return campaign, office, err
	}
	office, err = paramID(c, "office", "error.letters_unknown")
	return campaign, office, err
}

func (h *officePages) print(c *fiber.Ctx) error {
	campaign, office, err := h.ids(c)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	date := func(lang string, t time.Time) string { return h.web.Blank(c.UserContext(), lang, "/").Date(t) }
	if err := h.letters.Batch(c.UserContext(), h.web.Actor(c), campaign, office, date, &b); err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	c.Set(fiber.HeaderContentType, "application/pdf")
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="letters.pdf"`)
	return c.Send(b.Bytes())
}

type officeForm struct {
	Before  int64 `form:"before"`
	Arrived bool  `form:"arrived"`
}

func (h *officePages) carried(c *fiber.Ctx) error {
	campaign, office, err := h.ids(c)
	var f officeForm
	if err == nil {
		err = web.Bind(c, &f)
	}
	if err != nil {
		return err
	}
	n, err := h.letters.Carried(c.UserContext(), h.web.Actor(c), campaign, office, time.UnixMicro(f.Before).UTC())
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "dispatch.carried_done", "Count", n)
	return web.SeeOther(c, "/admin/letters/"+campaign.String()+"/offices")
}

func (h *officePages) unknown(c *fiber.Ctx) error {
	campaign, office, err := h.ids(c)
	var f officeForm
	if err == nil {
		err = web.Bind(c, &f)
	}
	if err != nil {
		return err
	}
	n, err := h.letters.Decide(c.UserContext(), h.web.Actor(c), campaign, office, f.Arrived)
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "dispatch.unknown_done", "Count", n)
	return web.SeeOther(c, "/admin/letters/"+campaign.String()+"/offices")
}
