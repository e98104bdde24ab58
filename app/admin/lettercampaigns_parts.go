package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/letters"
	"kithline/models"
)

// targetForm is a rule that says who is written to.
type targetForm struct {
	Rule       string `form:"rule,max=20"`
	Group      string `form:"group,max=80"`
	Chamber    string `form:"chamber,max=40"`
	Committee  string `form:"committee,max=40"`
	Legislator string `form:"legislator,max=40"`
	OnlyMine   bool   `form:"only_mine"`
	Find       string `form:"find,max=100"`
	Revision   int    `form:"revision"`
}

type letterTargets struct {
	letterPage
	Reached []letters.Reached
	Form    targetForm
	Choices letters.TargetChoices
}

// Rules are the ways in which a target can be found.
func (p letterTargets) Rules() []web.Option {
	var out []web.Option
	for _, r := range letters.Rules {
		out = append(out, web.Option{Value: string(r), Label: p.T("lettercampaigns.rule_" + string(r)), Hint: p.T("lettercampaigns.rule_" + string(r) + "_hint")})
	}
	return out
}

func namedOptions(none string, rows []letters.Named) []web.Option {
	out := []web.Option{{Label: none}}
	for _, r := range rows {
		out = append(out, web.Option{Value: r.ID.String(), Label: r.Place + ": " + r.Name})
	}
	return out
}

// Chambers are the bodies that a writer can have a representative in.
func (p letterTargets) Chambers() []web.Option {
	return namedOptions(p.T("lettercampaigns.choose_none"), p.Choices.Chambers)
}

// Committees are those that can be written to.
func (p letterTargets) Committees() []web.Option {
	return namedOptions(p.T("lettercampaigns.choose_none"), p.Choices.Committees)
}

// People are those that the search found.
func (p letterTargets) People() []web.Option {
	var out []web.Option
	for _, m := range p.Choices.People {
		out = append(out, web.Option{Value: m.ID.String(), Label: m.Name, Hint: memberHint(p.Page, m.Title(), m.Chamber.Name, m.Term.District, m.Term.Party)})
	}
	return out
}

// memberHint tells people of the same name apart.
func memberHint(p web.Page, title, chamber, district, party string) string {
	out := title + ", " + chamber
	if district != "" {
		out += ", " + p.T("lettercampaigns.district", "District", district)
	}
	if party != "" {
		out += " (" + party + ")"
	}
	return out
}

func (h *letterAdmin) renderTargets(c *fiber.Ctx, status int, p *letterTargets) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Reached, err = h.letters.Reach(ctx, a, p.Campaign.ID); err != nil {
		return err
	}
	if p.Choices, err = h.letters.Targeting(ctx, a, p.Form.Find); err != nil {
		return err
	}
	p.Form.Revision = p.Campaign.Revision
	return h.web.RenderStatus(c, status, "admin/lettercampaigns/targets", p)
}

func (h *letterAdmin) targets(c *fiber.Ctx) error {
	base, err := h.at(c, "lettercampaigns.targets")
	if err != nil {
		return err
	}
	p := letterTargets{letterPage: base, Form: targetForm{Rule: string(models.TargetRepresents), Find: c.Query("find")}}
	if p.Form.Find != "" {
		p.Form.Rule = string(models.TargetPerson)
	}
	return h.renderTargets(c, fiber.StatusOK, &p)
}

func (h *letterAdmin) addTarget(c *fiber.Ctx) error {
	base, err := h.at(c, "lettercampaigns.targets")
	if err != nil {
		return err
	}
	p := letterTargets{letterPage: base}
	if err = web.Bind(c, &p.Form); err == nil {
		f := p.Form
		_, err = h.letters.AddTarget(c.UserContext(), h.web.Actor(c), base.Campaign.ID, letters.TargetInput{
			Rule: models.TargetRule(f.Rule), Name: f.Group, ChamberID: choiceID(f.Chamber), CommitteeID: choiceID(f.Committee), LegislatorID: choiceID(f.Legislator),
			OnlyMine: f.OnlyMine, Revision: f.Revision,
		})
	}
	if p.Failed(err) {
		return h.renderTargets(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return h.changed(err, &p.Page, func() error { return h.renderTargets(c, fiber.StatusConflict, &p) })
	}
	h.web.Flash(c, "good", "lettercampaigns.target_added")
	return web.SeeOther(c, base.Base()+"/targets")
}

func (h *letterAdmin) removeTarget(c *fiber.Ctx) error {
	base, err := h.at(c, "lettercampaigns.targets")
	if err != nil {
		return err
	}
	target, err := paramID(c, "target", "error.letters_target_unknown")
	if err != nil {
		return err
	}
	var f revisionForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if _, err := h.letters.RemoveTarget(c.UserContext(), h.web.Actor(c), base.Campaign.ID, target, f.Revision); err != nil {
		p := letterTargets{letterPage: base, Form: targetForm{Rule: string(models.TargetRepresents)}}
		return h.changed(err, &p.Page, func() error { return h.renderTargets(c, fiber.StatusConflict, &p) })
	}
	h.web.Flash(c, "good", "lettercampaigns.target_removed")
	return web.SeeOther(c, base.Base()+"/targets")
}

// letterPointForm is something that a letter can say.
type letterPointForm struct {
	Point       string `form:"point,max=400,lines"`
	SourceTitle string `form:"source_title,max=200"`
	SourceURL   string `form:"source_url,max=500"`
	Target      string `form:"target,max=40"`
	Party       string `form:"party,max=80"`
	Locale      string `form:"locale,max=20"`
	Revision    int    `form:"revision"`
}

func (f letterPointForm) input() letters.PointInput {
	in := letters.PointInput{Party: f.Party, Locale: f.Locale, Body: f.Point, SourceTitle: f.SourceTitle, SourceURL: f.SourceURL, Revision: f.Revision}
	if f.Target != "" {
		in.TargetID = choiceID(f.Target)
	}
	return in
}

type letterPoints struct {
	letterPage
	Form letterPointForm
	Row  *models.LetterPoint // the one that is changed; nil for a new one
}

// Here is where the form goes.
func (p letterPoints) Here() string {
	if p.Row == nil {
		return p.Base() + "/points"
	}
	return p.Base() + "/points/" + p.Row.ID.String()
}

// Groups are those that a point can be for.
func (p letterPoints) Groups() []web.Option {
	out := []web.Option{{Label: p.T("lettercampaigns.everybody")}}
	for _, t := range p.Campaign.Targets {
		out = append(out, web.Option{Value: t.ID.String(), Label: t.Name})
	}
	return out
}

// Group is the name of a target; "" for everybody.
func (p letterPoints) Group(id *uuid.UUID) string {
	for _, t := range p.Campaign.Targets {
		if id != nil && t.ID == *id {
			return t.Name
		}
	}
	return ""
}

func (h *letterAdmin) pointsAt(c *fiber.Ctx) (letterPoints, error) {
	base, err := h.at(c, "lettercampaigns.points")
	return letterPoints{letterPage: base, Form: letterPointForm{Locale: base.Campaign.OwnLocale, Revision: base.Campaign.Revision}}, err
}

func (h *letterAdmin) points(c *fiber.Ctx) error {
	p, err := h.pointsAt(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/points", &p)
}

func (h *letterAdmin) addPoint(c *fiber.Ctx) error {
	p, err := h.pointsAt(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.letters.AddPoint(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.Form.input())
	}
	return h.afterPoint(c, &p, err, "admin/lettercampaigns/points", "lettercampaigns.point_added")
}

// afterPoint answers a form of a point.
func (h *letterAdmin) afterPoint(c *fiber.Ctx, p *letterPoints, err error, name, done string) error {
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, name, p)
	} else if err != nil {
		return h.changed(err, &p.Page, func() error {
			p.Form.Revision = p.Campaign.Revision
			return h.web.RenderStatus(c, fiber.StatusConflict, name, p)
		})
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, p.Base()+"/points")
}

func (h *letterAdmin) pointAt(c *fiber.Ctx) (letterPoints, error) {
	p, err := h.pointsAt(c)
	if err != nil {
		return p, err
	}
	id, err := paramID(c, "point", "error.letters_point_unknown")
	if err != nil {
		return p, err
	}
	if p.Row = pointOf(p.Campaign, id); p.Row == nil {
		return p, letters.ErrPoint()
	}
	return p, nil
}

func pointOf(c letters.Campaign, id uuid.UUID) *models.LetterPoint {
	for i, x := range c.Points {
		if x.ID == id {
			return &c.Points[i]
		}
	}
	return nil
}

func (h *letterAdmin) point(c *fiber.Ctx) error {
	p, err := h.pointAt(c)
	if err != nil {
		return err
	}
	x := p.Row
	p.Form = letterPointForm{Point: x.Body, SourceTitle: x.SourceTitle, SourceURL: x.SourceURL, Party: x.Party, Locale: x.Locale, Revision: p.Campaign.Revision}
	if x.TargetID != nil {
		p.Form.Target = x.TargetID.String()
	}
	return h.web.Render(c, "admin/lettercampaigns/point", &p)
}

func (h *letterAdmin) savePoint(c *fiber.Ctx) error {
	p, err := h.pointAt(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.letters.SavePoint(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.Row.ID, p.Form.input())
	}
	return h.afterPoint(c, &p, err, "admin/lettercampaigns/point", "lettercampaigns.saved")
}

func (h *letterAdmin) movePoint(c *fiber.Ctx) error {
	p, err := h.pointAt(c)
	if err != nil {
		return err
	}
	var f struct {
		Do       string `form:"do,max=10"`
		Revision int    `form:"revision"`
	}
	if err = web.Bind(c, &f); err == nil {
		_, err = h.letters.MovePoint(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.Row.ID, f.Do == "up", f.Revision)
	}
	if err == nil {
		return web.SeeOther(c, p.Base()+"/points#p-"+p.Row.ID.String())
	}
	p.Row = nil
	return h.afterPoint(c, &p, err, "admin/lettercampaigns/points", "")
}

func (h *letterAdmin) removePoint(c *fiber.Ctx) error {
	p, err := h.pointAt(c)
	if err != nil {
		return err
	}
	var f revisionForm
	if err = web.Bind(c, &f); err == nil {
		_, err = h.letters.RemovePoint(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.Row.ID, f.Revision)
	}
	p.Row, p.Form = nil, letterPointForm{Locale: p.Campaign.OwnLocale, Revision: p.Campaign.Revision}
	return h.afterPoint(c, &p, err, "admin/lettercampaigns/points", "lettercampaigns.point_removed")
}
