package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
)

type composeForm struct {
	Revision  int    `form:"revision"`
	To        string `form:"to"`
	Segment   string `form:"segment"`
	Locale    string `form:"locale"`
	Subject   string `form:"subject,max=200"`
	Preheader string `form:"preheader,max=200"`
	Body      string `form:"body,max=102400,lines"`
	Do        string `form:"do"`
}

func (f composeForm) draft() mailings.Draft {
	to := readTo(f.To)
	if f.Segment != "" {
		if to.SegmentID, _ = uuid.Parse(f.Segment); to.SegmentID == uuid.Nil {
			to.SegmentID = uuid.Max // unknown
		}
	}
	return mailings.Draft{Revision: f.Revision, PetitionID: to.PetitionID, Newsletter: to.Newsletter, TopicID: to.TopicID, SegmentID: to.SegmentID, Locale: f.Locale, Subject: f.Subject, Preheader: f.Preheader, Body: f.Body}
}

type composePage struct {
	web.Page
	Mailing   models.Mailing
	Form      composeForm
	To        []web.Option
	Segments  []web.Option
	Languages []web.Option // of a newsletter; none where the petition says it
	Audience  mailings.Audience
	Checks    mailings.Checks
	Stops     int
	HasText   bool
}

// Base is the address of the mailing's pages.
func (p composePage) Base() string { return mailingPath(p.Mailing.ID) }

// Fields lists the merge fields.
func (composePage) Fields() []string { return mailings.Fields }

// checkLine is one check in words.
type checkLine struct{ Tone, Tag, Text string }

// Lines are the checks in words.
func (p composePage) Lines() []checkLine {
	var out []checkLine
	for _, c := range p.Checks {
		out = append(out, checkLine{c.Tone, p.T("mailings.tone_" + c.Tone), p.T(c.Key, c.Args...)})
	}
	return out
}

// mailingName is what a mailing is called where it has no subject yet.
func mailingName(p web.Page, m models.Mailing) string {
	if m.Subject == "" {
		return p.T("mailings.no_subject")
	}
	return m.Subject
}

func (h *mailingPages) show(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	if !a.May(actor.WriteMailing) { // may see figures all the same
		return h.report(c, id)
	}
	m, err := h.svc.Get(c.UserContext(), a, id)
	if err != nil {
		return err
	}
	if m.State != models.MailingDraft {
		return h.report(c, id)
	}
	p := composePage{Page: h.web.Page(c, "mailings.write", "mailings")}
	p.Form = composeForm{Revision: m.Revision, Subject: m.Subject, Preheader: m.Preheader, Body: m.Body}
	p.Form.To, p.Form.Locale = toOf(m), m.Locale
	if m.SegmentID != nil {
		p.Form.Segment = m.SegmentID.String()
	}
	return h.renderCompose(c, fiber.StatusOK, &p, id)
}

func (h *mailingPages) renderCompose(c *fiber.Ctx, status int, p *composePage, id uuid.UUID) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Mailing, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if p.To, err = h.to(c, p.Page); err != nil {
		return err
	}
	if err := h.narrow(c, p); err != nil {
		return err
	}
	if p.Checks, p.Audience, err = h.svc.Checks(ctx, a, id); err != nil {
		return err
	}
	p.Stops = p.Checks.Count(mailings.Stop)
	p.HasText = strings.TrimSpace(p.Mailing.Body) != ""
	p.Title = mailingName(p.Page, p.Mailing)
	web.ShowFrames(c)
	return h.web.RenderStatus(c, status, "admin/mailings/compose", p)
}

// narrow fills in what can narrow the audience, and the languages of a newsletter.
func (h *mailingPages) narrow(c *fiber.Ctx, p *composePage) error {
	list, err := h.svc.Segments(c.UserContext(), h.web.Actor(c))
	p.Segments = []web.Option{{Label: p.T("mailings.segment_none")}}
	chosen := p.Mailing.SegmentID == nil
	for _, x := range list {
		p.Segments = append(p.Segments, web.Option{Value: x.ID.String(), Label: x.Name})
		chosen = chosen || x.ID == *p.Mailing.SegmentID
	}
	if !chosen { // archived since
		p.Segments = append(p.Segments, web.Option{Value: p.Mailing.SegmentID.String(), Label: p.T("mailings.segment_archived")})
	}
	if p.Mailing.PetitionID == nil {
		p.Languages = p.LanguageOptions()
	}
	return err
}

func (h *mailingPages) save(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := composePage{Page: h.web.Page(c, "mailings.write", "mailings")}
	if err = web.Bind(c, &p.Form); err == nil {
		p.Form.Revision, err = h.keep(c, id, p.Form)
	}
	if err == nil && p.Form.Do == "test" {
		err = h.svc.Test(ctx, a, id)
	}
	if p.Failed(err) {
		return h.renderCompose(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if fault.Is(err, fault.Conflict) {
		return h.conflict(c, &p, id, err)
	}
	if err != nil {
		return err
	}
	switch p.Form.Do {
	case "test":
		h.web.Flash(c, "good", "mailings.test_sent")
	case "next":
		return web.SeeOther(c, mailingPath(id)+"/send")
	default:
		h.web.Flash(c, "good", "mailings.saved")
	}
	return web.SeeOther(c, mailingPath(id))
}

// keep saves the form and returns its revision: the new one, or the form's own where it could not be saved.
func (h *mailingPages) keep(c *fiber.Ctx, id uuid.UUID, f composeForm) (int, error) {
	r, err := h.svc.Save(c.UserContext(), h.web.Actor(c), id, f.draft())
	if err != nil {
		return f.Revision, err
	}
	return r, nil
}

// conflict shows the form again after somebody else saved the draft: what was typed here stands in it, and saving once more
// puts it in the place of the other's words.
func (h *mailingPages) conflict(c *fiber.Ctx, p *composePage, id uuid.UUID, err error) error {
	m, e := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	if e != nil {
		return e
	}
	if m.State != models.MailingDraft {
		return err
	}
	p.Form.Revision = m.Revision
	p.Refuse(err)
	return h.renderCompose(c, fiber.StatusConflict, p, id)
}

// autosave keeps the draft while it is written, half-typed merge fields and all.
func (h *mailingPages) autosave(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	var f composeForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	d := f.draft()
	d.Unfinished = true
	r, err := h.svc.Save(c.UserContext(), h.web.Actor(c), id, d)
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"fields": fiber.Map{"revision": r}})
}

type mailingPreviewPage struct {
	web.Page
	ID      uuid.UUID
	Preview mailings.Preview
	Name    string
}

// Base is the address of the mailing's pages.
func (p mailingPreviewPage) Base() string { return mailingPath(p.ID) }

func (h *mailingPages) preview(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := mailingPreviewPage{Page: h.web.Page(c, "mailings.preview", "mailings"), ID: id}
	m, err := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	if p.Preview, err = h.svc.Preview(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	p.Name = mailingName(p.Page, m)
	web.ShowFrames(c)
	return h.web.Render(c, "admin/mailings/preview", &p)
}

// mail is the document of the preview's frames. A mail is light or dark as its reader's device is: here as the address says.
func (h *mailingPages) mail(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	m, err := h.svc.Preview(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	return web.Document(c, mailDocument(m.HTML, c.Query("theme") == "dark"), false)
}

// mailDocument is a mail as it is for whoever reads in the light, or in the dark, whatever the device is set to.
func mailDocument(html string, dark bool) string {
	scheme, when := "light", "not all"
	if dark {
		scheme, when = "dark", "all"
	}
	return strings.NewReplacer(
		"(prefers-color-scheme: dark)", when, "(prefers-color-scheme:dark)", when,
		`content="light dark"`, `content="`+scheme+`"`, "color-scheme: light dark", "color-scheme: "+scheme,
	).Replace(html)
}
