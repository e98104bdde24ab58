package public

import (
	"bytes"
	"context"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/models"
)

type byHandPages struct {
	web     *web.Web
	letters *letters.Service
}

// MountByHand puts the writer's pages of a letter in place, below the link that comes by mail: what became of it, and for each recipient
// what is left to do. Only buttons change anything.
func MountByHand(r fiber.Router, w *web.Web, s *letters.Service) {
	h := &byHandPages{w, s}
	r.Get("/by-hand/:token", h.letter)
	r.Post("/by-hand/:token/keep", h.keep)
	r.Post("/by-hand/:token/delete", h.discard)
	r.Get("/by-hand/:token/:part", h.part)
	r.Get("/by-hand/:token/:part/letter.pdf", h.paper)
	r.Post("/by-hand/:token/:part/done", h.done)
	r.Post("/by-hand/:token/:part/remind", h.remind)
	r.Post("/by-hand/:token/:part/answer", h.answer)
	r.Post("/by-hand/:token/:part/withdraw", h.button((*letters.Service).Withdraw, "dispatch.withdrawn"))
	r.Post("/by-hand/:token/:part/decline", h.button((*letters.Service).Decline, "dispatch.declined"))
	r.Post("/by-hand/:token/:part/another", h.button((*letters.Service).Another, "dispatch.another_done"))
	r.Post("/by-hand/:token/:part/successor", h.successor)
}

// ownLetterPage is what became of a letter.
type ownLetterPage struct {
	web.Page
	Token string
	Mine  letters.Mine
}

// Is is the locale key of what became of a part.
func (p *ownLetterPage) Is(x letters.Part) string { return "dispatch.is_" + became(x) }

// Acts is the locale key of the button that leads to what is left to do with a part; "" for nothing.
func (p *ownLetterPage) Acts(x letters.Part) string {
	switch {
	case x.State == models.DispatchByHand && x.Done == nil:
		return "dispatch.act_carry"
	case x.State == models.DispatchRetarget:
		return "dispatch.act_successor"
	case x.AsksAnswered:
		return "dispatch.act_answer"
	}
	return ""
}

// became tells the states of a part apart that people have words for.
func became(x letters.Part) string {
	switch x.State {
	case models.DispatchHanded:
		switch x.Mail {
		case models.DeliverySent:
			return "mailed"
		case models.DeliveryUnknown, "":
			return "unknown"
		}
		return "on_way"
	case models.DispatchPresumed:
		return "arrived"
	case models.DispatchByHand:
		if x.Done == nil {
			return "hand"
		}
		if x.How == "carried" {
			return "carried"
		}
		return "done"
	case models.DispatchAnswered:
		return "answered_" + x.Answer
	case models.DispatchClosed:
		switch x.Reason {
		case letters.ClosedWithdrawn, letters.ClosedDeclined, letters.ClosedNobody, letters.ClosedTime:
			return "closed_" + x.Reason
		}
		return "closed"
	case models.DispatchRetarget:
		return "retarget"
	case models.DispatchFailed, models.DispatchBounced:
		return "lost"
	}
	return "waiting"
}

type partForm struct {
	How       string    `form:"how,max=20"`
	Answer    string    `form:"answer,max=20"`
	Days      int       `form:"days"`
	DaysTyped string    `form:"days,max=10"`
	Successor uuid.UUID `form:"successor"`
}

// partPage is one recipient of a letter.
type partPage struct {
	web.Page
	Token string
	Carry letters.Carry
	Form  partForm
}

// Is is the locale key of what became of the part.
func (p *partPage) Is() string { return "dispatch.is_" + became(p.Carry.Part) }

// ToCarry reports whether the part is in its writer's hands.
func (p *partPage) ToCarry() bool {
	return p.Carry.State == models.DispatchByHand && p.Carry.Done == nil
}

// At is the address of the page.
func (p *partPage) At() string { return "/by-hand/" + p.Token + "/" + p.Carry.ID.String() }

// OfficeLines is the office's address.
func (p *partPage) OfficeLines() []string { return letters.OfficeLines(p.Carry.Office) }

func (h *byHandPages) letter(c *fiber.Ctx) error {
	private(c)
	p := &ownLetterPage{Page: h.web.Page(c, "dispatch.letter_title", "me"), Token: c.Params("token")}
	var err error
	if p.Mine, err = h.letters.Mine(c.UserContext(), p.Token); err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/byhand/letter", p)
}

func (h *byHandPages) page(c *fiber.Ctx) (*partPage, error) {
	private(c)
	p := &partPage{Page: h.web.Page(c, "", "me"), Token: c.Params("token"), Form: partForm{DaysTyped: "3"}}
	id, err := uuid.Parse(c.Params("part"))
	if err != nil {
		return nil, fault.New(fault.NotFound, "error.letter_unknown")
	}
	if p.Carry, err = h.letters.Carry(c.UserContext(), p.Token, id); err != nil {
		return nil, err
	}
	p.Title = p.T("dispatch.part_title", "To", p.Carry.To)
	p.Path = p.At()
	return p, nil
}

func (h *byHandPages) part(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/byhand/part", p)
}

func (h *byHandPages) paper(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("part"))
	if err != nil {
		return h.over(c, fault.New(fault.NotFound, "error.letter_unknown"))
	}
	var b bytes.Buffer
	date := func(lang string, t time.Time) string { return h.web.Blank(c.UserContext(), lang, "/").Date(t) }
	if err := h.letters.Paper(c.UserContext(), c.Params("token"), id, date, &b); err != nil {
		return h.over(c, err)
	}
	private(c)
	c.Set(fiber.HeaderContentType, "application/pdf")
	c.Set(fiber.HeaderContentDisposition, `inline; filename="letter.pdf"`)
	return c.Send(b.Bytes())
}

// do runs an operation on a part with what the form says. Where that is wrong the page comes again; else the page of the letter follows.
func (h *byHandPages) do(c *fiber.Ctx, done string, op func(ctx context.Context, p *partPage) error) error {
	p, err := h.page(c)
	if err != nil {
		return h.over(c, err)
	}
	err = web.Bind(c, &p.Form)
	if err == nil {
		err = op(c.UserContext(), p)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/byhand/part", p)
	}
	if err != nil {
		return h.over(c, err)
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, "/by-hand/"+p.Token)
}

func (h *byHandPages) done(c *fiber.Ctx) error {
	return h.do(c, "dispatch.done_thanks", func(ctx context.Context, p *partPage) error {
		return h.letters.Done(ctx, p.Token, p.Carry.ID, p.Form.How)
	})
}

func (h *byHandPages) remind(c *fiber.Ctx) error {
	return h.do(c, "dispatch.remind_done", func(ctx context.Context, p *partPage) error {
		return h.letters.Remind(ctx, p.Token, p.Carry.ID, p.Form.Days)
	})
}

func (h *byHandPages) answer(c *fiber.Ctx) error {
	return h.do(c, "dispatch.answer_thanks", func(ctx context.Context, p *partPage) error {
		return h.letters.Tell(ctx, p.Token, p.Carry.ID, p.Form.Answer)
	})
}

func (h *byHandPages) successor(c *fiber.Ctx) error {
	return h.do(c, "dispatch.successor_done", func(ctx context.Context, p *partPage) error {
		return h.letters.Succeed(ctx, p.Token, p.Carry.ID, p.Form.Successor)
	})
}

func (h *byHandPages) button(op func(*letters.Service, context.Context, string, uuid.UUID) error, done string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return h.do(c, done, func(ctx context.Context, p *partPage) error { return op(h.letters, ctx, p.Token, p.Carry.ID) })
	}
}

type keepForm struct {
	Keep bool `form:"keep"`
}

func (h *byHandPages) keep(c *fiber.Ctx) error {
	var f keepForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if err := h.letters.Keep(c.UserContext(), c.Params("token"), f.Keep); err != nil {
		return h.over(c, err)
	}
	h.web.Flash(c, "good", map[bool]string{true: "dispatch.kept", false: "dispatch.let_go"}[f.Keep])
	return web.SeeOther(c, "/by-hand/"+c.Params("token"))
}

func (h *byHandPages) discard(c *fiber.Ctx) error {
	if err := h.letters.Discard(c.UserContext(), c.Params("token")); err != nil {
		return h.over(c, err)
	}
	h.web.Flash(c, "good", "dispatch.discarded")
	return web.SeeOther(c, "/me")
}

// over says why a link or a button does nothing, and that a link to everything of one's own comes by mail.
func (h *byHandPages) over(c *fiber.Ctx, err error) error {
	status := fiber.StatusGone
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	case fault.Conflict:
		status = fiber.StatusConflict
	default:
		return err
	}
	private(c)
	p := overPage{Page: h.web.Page(c, "me.over_title", "me")}
	p.Text, p.Path = p.Says(err), "/me"
	return h.web.RenderStatus(c, status, "public/me/over", &p)
}
