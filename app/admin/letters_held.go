package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/campaigns/paging"
)

type heldPage struct {
	web.Page
	Rows paging.Page[letters.HeldLetter]
	Form struct {
		Letters []string `form:"letter,max=40"`
	}
}

// Note says why a letter waits.
func (p heldPage) Note(l letters.HeldLetter) string {
	if l.Reason == "similar" || l.Like != nil {
		return p.T("lettercampaigns.held_similar")
	}
	return p.T("lettercampaigns.held_other")
}

func (h *letterAdmin) held(c *fiber.Ctx) error {
	p := heldPage{Page: h.web.Page(c, "lettercampaigns.held", "letters")}
	return h.renderHeld(c, fiber.StatusOK, &p)
}

func (h *letterAdmin) renderHeld(c *fiber.Ctx, status int, p *heldPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	if p.Rows, err = h.letters.Held(c.UserContext(), h.web.Actor(c), uuid.Nil, after); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/lettercampaigns/held", p)
}

func (h *letterAdmin) letGo(c *fiber.Ctx) error {
	p := heldPage{Page: h.web.Page(c, "lettercampaigns.held", "letters")}
	err := web.Bind(c, &p.Form)
	n := 0
	if err == nil {
		ids := make([]uuid.UUID, len(p.Form.Letters))
		for i, v := range p.Form.Letters {
			ids[i] = choiceID(v)
		}
		n, err = h.letters.LetGo(c.UserContext(), h.web.Actor(c), ids...)
	}
	if p.Failed(err) {
		return h.renderHeld(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.let_go", "Count", n)
	return web.SeeOther(c, "/admin/letters/held")
}

type rejectPage struct {
	web.Page
	Row  letters.HeldLetter
	Form struct {
		Reason string `form:"reason,max=20"`
	}
}

// Reasons are why a letter does not go.
func (p rejectPage) Reasons() []web.Option {
	var out []web.Option
	for _, r := range letters.RejectReasons {
		out = append(out, web.Option{Value: r, Label: p.T("lettercampaigns.reject_" + r), Hint: p.T("lettercampaigns.told_" + r)})
	}
	return out
}

func (h *letterAdmin) rejectAt(c *fiber.Ctx) (rejectPage, error) {
	p := rejectPage{Page: h.web.Page(c, "lettercampaigns.reject", "letters")}
	id, err := paramID(c, "id", "error.letters_not_held")
	if err != nil {
		return p, err
	}
	p.Row, err = h.letters.HeldOne(c.UserContext(), h.web.Actor(c), id)
	return p, err
}

func (h *letterAdmin) beforeReject(c *fiber.Ctx) error {
	p, err := h.rejectAt(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/reject", &p)
}

func (h *letterAdmin) turnDown(c *fiber.Ctx) error {
	p, err := h.rejectAt(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.letters.TurnDown(c.UserContext(), h.web.Actor(c), p.Row.ID, p.Form.Reason)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/lettercampaigns/reject", &p)
	} else if err != nil && !fault.Is(err, fault.Conflict) {
		return err
	}
	if err == nil {
		h.web.Flash(c, "good", "lettercampaigns.turned_down")
	}
	return web.SeeOther(c, "/admin/letters/held")
}
