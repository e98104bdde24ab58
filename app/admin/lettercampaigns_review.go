package admin

import (
	"html/template"
	"slices"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/campaigns/markdown"
)

// letterCheck is the page before a letter campaign is proposed or published.
type letterCheck struct {
	letterPage
	Body     template.HTML
	Reached  []letters.Reached
	Can      []letters.Action
	Missing  []web.FieldError
	Election []string // words that may speak of a candidate
	Sample   []letters.SampleLetter
	Form     struct {
		Decision bool   `form:"decision"`
		Reason   string `form:"reason,max=2000,lines"`
		Revision int    `form:"revision"`
	}
}

// Does reports whether something can be done now.
func (p letterCheck) Does(do string) bool { return slices.Contains(p.Can, letters.Action(do)) }

// Page of a missing field: where it is filled in.
func (p letterCheck) Where(field string) string {
	switch field {
	case "targets":
		return p.Base() + "/targets"
	case "points":
		return p.Base() + "/points"
	}
	return p.Base() + "/edit#" + field
}

func (h *letterAdmin) checkAt(c *fiber.Ctx) (letterCheck, error) {
	base, err := h.at(c, "lettercampaigns.check")
	if err != nil {
		return letterCheck{}, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := letterCheck{letterPage: base, Can: letters.Can(a, base.Campaign.LetterCampaign), Election: letters.ElectionWords(base.Campaign)}
	p.Form.Revision = base.Campaign.Revision
	_, missing := h.letters.Look(ctx, a, base.Campaign.ID)
	if e, ok := web.Invalid(missing); ok {
		for _, f := range e.Fields {
			p.Missing = append(p.Missing, web.FieldError{Name: f.Name, Text: p.T(f.Key, f.Args...)})
		}
	} else if missing != nil {
		return p, missing
	}
	if p.Reached, err = h.letters.Reach(ctx, a, base.Campaign.ID); err != nil {
		return p, err
	}
	p.Body = markdown.HTML(base.Campaign.Body)
	p.Sample, err = h.letters.Sample(ctx, a, base.Campaign.ID, p.T("lettercampaigns.sample_words"))
	return p, err
}

func (h *letterAdmin) check(c *fiber.Ctx) error {
	p, err := h.checkAt(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/check", &p)
}

// afterCheck answers a press on the page before publishing.
func (h *letterAdmin) afterCheck(c *fiber.Ctx, p *letterCheck, err error, done, path string) error {
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/lettercampaigns/check", p)
	} else if fault.Is(err, fault.Conflict) {
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/lettercampaigns/check", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, path)
}

func (h *letterAdmin) submit(c *fiber.Ctx) error {
	p, err := h.checkAt(c)
	if err != nil {
		return err
	}
	revision := p.Form.Revision
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.letters.Submit(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.Form.Revision)
	}
	p.Form.Revision = revision
	return h.afterCheck(c, &p, err, "lettercampaigns.submitted", p.Base())
}

func (h *letterAdmin) publish(c *fiber.Ctx) error {
	p, err := h.checkAt(c)
	if err != nil {
		return err
	}
	revision := p.Form.Revision
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.letters.Publish(c.UserContext(), h.web.Actor(c), p.Campaign.ID, letters.PublishInput{Revision: p.Form.Revision, Decision: p.Form.Decision})
	}
	p.Form.Revision = revision
	return h.afterCheck(c, &p, err, "lettercampaigns.published", p.Base())
}

func (h *letterAdmin) sendBack(c *fiber.Ctx) error {
	p, err := h.checkAt(c)
	if err != nil {
		return err
	}
	revision := p.Form.Revision
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.letters.Return(c.UserContext(), h.web.Actor(c), p.Campaign.ID, letters.ReturnInput{Reason: p.Form.Reason, Revision: p.Form.Revision})
	}
	p.Form.Revision = revision
	return h.afterCheck(c, &p, err, "lettercampaigns.returned", "/admin/letters")
}

type letterSteer struct {
	letterPage
	Do letters.Action
}

// steered are the actions with a page of their own.
var steered = []letters.Action{letters.Pause, letters.Resume, letters.Close}

func (h *letterAdmin) steerAt(c *fiber.Ctx, do string) (letterSteer, error) {
	id, err := letterID(c)
	if err != nil {
		return letterSteer{}, err
	}
	row, err := h.letters.Draft(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return letterSteer{}, err
	}
	p := letterSteer{letterPage: letterPage{Page: h.web.Page(c, "", "letters"), Campaign: row}, Do: letters.Action(do)}
	if !slices.Contains(steered, p.Do) || !slices.Contains(letters.Can(h.web.Actor(c), row.LetterCampaign), p.Do) {
		return p, fault.New(fault.Conflict, "error.letters_state")
	}
	p.Title = p.T("lettercampaigns.do_" + do)
	return p, nil
}

func (h *letterAdmin) beforeSteer(c *fiber.Ctx) error {
	p, err := h.steerAt(c, c.Query("do"))
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/steer", &p)
}

func (h *letterAdmin) steer(c *fiber.Ctx) error {
	var f struct {
		Do string `form:"do,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	p, err := h.steerAt(c, f.Do)
	if err != nil {
		return err
	}
	ctx, a, id := c.UserContext(), h.web.Actor(c), p.Campaign.ID
	switch p.Do {
	case letters.Pause:
		_, err = h.letters.Pause(ctx, a, id)
	case letters.Resume:
		_, err = h.letters.Resume(ctx, a, id)
	default:
		_, err = h.letters.Close(ctx, a, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.done_"+f.Do)
	return web.SeeOther(c, p.Base())
}
