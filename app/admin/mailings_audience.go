package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/mailings"
	"kithline/models"
)

type audienceForm struct {
	Revision  int      `form:"revision"`
	In        []string `form:"in,max=40"`
	Out       []string `form:"out,max=40"`
	Topics    []string `form:"topics,max=40"`
	Important bool     `form:"important"`
	Next      string   `form:"do"`
}

// ids reads ids out of a form; what is none is one that nothing has.
func ids(list []string) []uuid.UUID {
	out := make([]uuid.UUID, 0, len(list))
	for _, v := range list {
		id, err := uuid.Parse(v)
		if err != nil {
			id = uuid.Max
		}
		out = append(out, id)
	}
	return out
}

type audiencePage struct {
	web.Page
	mailings.Choices
	Form audienceForm
	Cap  mailings.Cap
}

// Base is the address of the mailing's pages.
func (p audiencePage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p audiencePage) Name() string { return mailingName(p.Page, p.Mailing) }

// Options are the segments to choose from.
func (p audiencePage) Options() []web.Option {
	var out []web.Option
	for _, g := range p.Segments {
		out = append(out, web.Option{Value: g.ID.String(), Label: g.Name})
	}
	return out
}

// TopicOptions are the lists of the newsletter: the whole, and its topics.
func (p audiencePage) TopicOptions() []web.Option {
	if p.Mailing.PetitionID != nil {
		return nil
	}
	out := []web.Option{{Value: uuid.Nil.String(), Label: p.T("mailings.to_newsletter")}}
	for _, t := range p.Topics {
		out = append(out, web.Option{Value: t.ID.String(), Label: t.Name, Hint: t.About})
	}
	return out
}

// Lines are the numbers of an audience in words.
func audienceLines(p web.Page, a mailings.Audience) []web.Option {
	var out []web.Option
	for _, part := range a.Parts() {
		out = append(out, web.Option{Value: p.Number(part.Count), Label: p.T("sending.part_" + part.Key), Hint: p.T("sending.part_" + part.Key + "_hint")})
	}
	return out
}

// audienceView is an audience for the template "mailing_audience".
type audienceView struct {
	web.Page
	mailings.Audience
	Signers bool // without a segment, All are the signers of a petition; else the readers of the newsletter
	Chosen  bool // All are the people of segments
}

// Lines are its numbers in words.
func (v audienceView) Lines() []web.Option { return audienceLines(v.Page, v.Audience) }

// View is the audience as it is saved.
func (p audiencePage) View() audienceView {
	return audienceView{p.Page, p.Audience, p.Mailing.PetitionID != nil, len(p.Chosen.In) > 0}
}

func (h *mailingPages) audience(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := audiencePage{Page: h.web.Page(c, "sending.audience", "mailings")}
	return h.renderAudience(c, fiber.StatusOK, &p, id, true)
}

func (h *mailingPages) renderAudience(c *fiber.Ctx, status int, p *audiencePage, id uuid.UUID, fresh bool) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Choices, err = h.svc.Choices(ctx, a, id); err != nil {
		return err
	}
	if p.Mailing.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	if p.Cap, err = h.svc.Cap(ctx, a); err != nil {
		return err
	}
	if fresh {
		p.Form = audienceForm{Important: p.Chosen.Important}
		for _, x := range []struct {
			from []uuid.UUID
			to   *[]string
		}{{p.Chosen.In, &p.Form.In}, {p.Chosen.Out, &p.Form.Out}, {p.Chosen.Topics, &p.Form.Topics}} {
			for _, g := range x.from {
				*x.to = append(*x.to, g.String())
			}
		}
	}
	p.Form.Revision = p.Mailing.Revision
	return h.web.RenderStatus(c, status, "admin/mailings/audience", p)
}

func (h *mailingPages) setAudience(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := audiencePage{Page: h.web.Page(c, "sending.audience", "mailings")}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.svc.SetAudience(c.UserContext(), h.web.Actor(c), id, p.Form.Revision, mailings.Chosen{
			In: ids(p.Form.In), Out: ids(p.Form.Out), Topics: ids(p.Form.Topics), Important: p.Form.Important,
		})
	}
	if p.Failed(err) {
		return h.renderAudience(c, fiber.StatusUnprocessableEntity, &p, id, false)
	}
	if err != nil {
		return err
	}
	if p.Form.Next == "send" {
		return web.SeeOther(c, mailingPath(id)+"/send")
	}
	h.web.Flash(c, "good", "sending.audience_saved")
	return web.SeeOther(c, mailingPath(id)+"/audience")
}

type capForm struct {
	Most int `form:"most"`
	Days int `form:"days"`
}

type capPage struct {
	web.Page
	Form capForm
}

func (h *mailingPages) often(c *fiber.Ctx) error {
	p := capPage{Page: h.web.Page(c, "sending.cap", "mailings")}
	now, err := h.svc.Cap(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	p.Form = capForm(now)
	return h.web.Render(c, "admin/mailings/often", &p)
}

func (h *mailingPages) setOften(c *fiber.Ctx) error {
	p := capPage{Page: h.web.Page(c, "sending.cap", "mailings")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		err = h.svc.SetCap(c.UserContext(), h.web.Actor(c), mailings.Cap(p.Form))
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/mailings/often", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "sending.cap_saved")
	return web.SeeOther(c, "/admin/mailings/often")
}
