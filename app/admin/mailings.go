package admin

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/paging"
	"kithline/models"
)

type mailingPages struct {
	web *web.Web
	svc *mailings.Service
}

// MountMailings puts the pages in place on which organizers write to signers.
func MountMailings(r fiber.Router, w *web.Web, s *mailings.Service) {
	h := &mailingPages{w, s}
	r.Get("/admin/mailings", w.Signed, h.list)
	r.Post("/admin/mailings", w.Signed, h.create)
	r.Get("/admin/mailings/:id", w.Signed, h.show)
	r.Post("/admin/mailings/:id", w.Signed, h.save)
	r.Post("/admin/mailings/:id/draft", w.Signed, h.autosave)
	r.Get("/admin/mailings/:id/preview", w.Signed, h.preview)
	r.Get("/admin/mailings/:id/preview/mail", w.Signed, h.mail)
	r.Get("/admin/mailings/:id/send", w.Signed, h.before)
	r.Post("/admin/mailings/:id/send", w.Signed, h.send)
	r.Get("/admin/mailings/:id/progress", w.Signed, h.progress)
	r.Post("/admin/mailings/:id/pause", w.Signed, h.pause)
	r.Post("/admin/mailings/:id/resume", w.Signed, h.resume)
	r.Get("/admin/mailings/:id/stop", w.Signed, h.beforeStop)
	r.Post("/admin/mailings/:id/stop", w.Signed, h.stop)
	r.Post("/admin/mailings/:id/unknown", w.Signed, h.unknown)
}

func mailingID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.mailing_unknown") }

func mailingPath(id uuid.UUID) string { return "/admin/mailings/" + id.String() }

// mailingTone is the colour of a state.
func mailingTone(s models.MailingState) string {
	switch s {
	case models.MailingFreezing, models.MailingSending:
		return "on"
	case models.MailingPaused:
		return "warn"
	case models.MailingFinished:
		return "good"
	case models.MailingCancelled, models.MailingStopped:
		return "bad"
	}
	return ""
}

type mailingsPage struct {
	web.Page
	Rows []mailings.Row
	Next string
	To   []web.Option
	Form mailingNewForm
}

type mailingNewForm struct {
	To string `form:"to"`
}

// toNewsletter is the choice of the whole newsletter; before a topic's id it is that topic. Anything else is a petition's id.
const toNewsletter = "newsletter"

// readTo reads the choice of whom a mailing goes to. What is none is an unknown petition or topic.
func readTo(s string) mailings.To {
	if topic, ok := strings.CutPrefix(s, toNewsletter); ok {
		to := mailings.To{Newsletter: true}
		if topic = strings.TrimPrefix(topic, ":"); topic != "" {
			if to.TopicID, _ = uuid.Parse(topic); to.TopicID == uuid.Nil {
				to.TopicID = uuid.Max
			}
		}
		return to
	}
	petition, _ := uuid.Parse(s)
	return mailings.To{PetitionID: petition}
}

// toOf is the choice that a mailing was made with.
func toOf(m models.Mailing) string {
	switch {
	case m.PetitionID != nil:
		return m.PetitionID.String()
	case m.ScopeID == uuid.Nil:
		return toNewsletter
	}
	return toNewsletter + ":" + m.ScopeID.String()
}

// toWords says whom a mailing goes to.
func toWords(p web.Page, m models.Mailing, petition, topic, segment string) string {
	words := petition
	switch {
	case m.PetitionID != nil:
	case topic != "":
		words = p.T("mailings.to_topic", "Topic", topic)
	default:
		words = p.T("mailings.to_newsletter")
	}
	if segment != "" {
		words = p.T("mailings.to_narrowed", "To", words, "Segment", segment)
	}
	return words
}

// Whom says whom a row's mailing goes to.
func (p mailingsPage) Whom(r mailings.Row) string {
	return toWords(p.Page, r.Mailing, r.Petition, r.Topic, r.Segment)
}

// Tone is the colour of a state.
func (mailingsPage) Tone(s models.MailingState) string { return mailingTone(s) }

func (h *mailingPages) list(c *fiber.Ctx) error {
	p := mailingsPage{Page: h.web.Page(c, "mailings.title", "mailings")}
	return h.renderList(c, fiber.StatusOK, &p)
}

func (h *mailingPages) renderList(c *fiber.Ctx, status int, p *mailingsPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	list, err := h.svc.List(c.UserContext(), a, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	if p.To, err = h.to(c, p.Page); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/mailings/list", p)
}

// to are the choices of "To": petitions, the newsletter and its topics.
func (h *mailingPages) to(c *fiber.Ctx, p web.Page) ([]web.Option, error) {
	list, err := h.svc.Petitions(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return nil, err
	}
	var out []web.Option
	for _, x := range list {
		out = append(out, web.Option{Value: x.ID.String(), Label: p.T("mailings.signers_of", "Petition", x.Title, "Count", x.SignatureCount)})
	}
	out = append(out, web.Option{Value: toNewsletter, Label: p.T("mailings.to_newsletter")})
	topics, err := h.svc.Topics(c.UserContext(), h.web.Actor(c))
	for _, x := range topics {
		out = append(out, web.Option{Value: toNewsletter + ":" + x.ID.String(), Label: p.T("mailings.to_topic", "Topic", x.Name)})
	}
	return out, err
}

func (h *mailingPages) create(c *fiber.Ctx) error {
	p := mailingsPage{Page: h.web.Page(c, "mailings.title", "mailings")}
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.CreateTo(c.UserContext(), h.web.Actor(c), readTo(p.Form.To))
	}
	if p.Failed(err) {
		return h.renderList(c, fiber.StatusUnprocessableEntity, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, mailingPath(id))
}

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
	scheme, when := "light", "not all"
	if c.Query("theme") == "dark" {
		scheme, when = "dark", "all"
	}
	doc := strings.NewReplacer(
		"(prefers-color-scheme: dark)", when, "(prefers-color-scheme:dark)", when,
		`content="light dark"`, `content="`+scheme+`"`, "color-scheme: light dark", "color-scheme: "+scheme,
	).Replace(m.HTML)
	return web.Document(c, doc, false)
}

func (h *mailingPages) before(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := composePage{Page: h.web.Page(c, "mailings.before", "mailings")}
	return h.renderBefore(c, fiber.StatusOK, &p, id)
}

func (h *mailingPages) renderBefore(c *fiber.Ctx, status int, p *composePage, id uuid.UUID) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Mailing, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if p.Mailing.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	if p.Checks, p.Audience, err = h.svc.Checks(ctx, a, id); err != nil {
		return err
	}
	p.Stops = p.Checks.Count(mailings.Stop)
	return h.web.RenderStatus(c, status, "admin/mailings/send", p)
}

func (h *mailingPages) send(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := composePage{Page: h.web.Page(c, "mailings.before", "mailings")}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.svc.Send(c.UserContext(), h.web.Actor(c), id, p.Form.Revision)
	}
	if p.Failed(err) {
		return h.renderBefore(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.started")
	return web.SeeOther(c, mailingPath(id))
}

type mailingReportPage struct {
	web.Page
	mailings.Report
}

// Base is the address of the mailing's pages.
func (p mailingReportPage) Base() string { return mailingPath(p.Mailing.ID) }

// Tone is the colour of the mailing's state.
func (p mailingReportPage) Tone() string { return mailingTone(p.State) }

// Name is what the mailing is called.
func (p mailingReportPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Whom says whom it goes to.
func (p mailingReportPage) Whom() string {
	return toWords(p.Page, p.Mailing, p.Petition.Title, p.Topic, p.Segment)
}

// Rest is how many have not gone out.
func (p mailingReportPage) Rest() int { return p.Waiting + p.Later }

// Stoppable reports whether there is something left to stop.
func (p mailingReportPage) Stoppable() bool {
	return p.State == models.MailingFreezing || p.State == models.MailingSending || p.State == models.MailingPaused
}

func (h *mailingPages) report(c *fiber.Ctx, id uuid.UUID) error {
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	var err error
	if p.Report, err = h.svc.Report(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if p.State == models.MailingDraft {
		return fault.New(fault.NotFound, "error.mailing_unknown")
	}
	p.Title = p.Name()
	return h.web.Render(c, "admin/mailings/report", &p)
}

// progress is the part of the report that moves.
func (h *mailingPages) progress(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, mailingPath(id))
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.report", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Active() {
		c.Set("HX-Refresh", "true") // buttons and tables change with the state
	}
	return h.web.RenderPart(c, "admin/mailings/report", "moving", &p)
}

func (h *mailingPages) pause(c *fiber.Ctx) error { return h.change(c, h.svc.Pause, "mailings.paused") }

func (h *mailingPages) resume(c *fiber.Ctx) error {
	return h.change(c, h.svc.Resume, "mailings.resumed")
}

func (h *mailingPages) stop(c *fiber.Ctx) error { return h.change(c, h.svc.Stop, "mailings.stopped") }

// change does one thing with a mailing and goes back to its page.
func (h *mailingPages) change(c *fiber.Ctx, do func(context.Context, actor.Actor, uuid.UUID) error, done string) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, mailingPath(id))
}

// beforeStop asks once more: stopping cannot be undone.
func (h *mailingPages) beforeStop(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := mailingReportPage{Page: h.web.Page(c, "mailings.stop_title", "mailings")}
	if p.Progress, err = h.svc.Progress(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if !p.Stoppable() && p.State != models.MailingDraft {
		return web.SeeOther(c, mailingPath(id))
	}
	return h.web.Render(c, "admin/mailings/stop", &p)
}

func (h *mailingPages) unknown(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	var f composeForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "resend" && f.Do != "leave" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	n, err := h.svc.Settle(c.UserContext(), h.web.Actor(c), id, f.Do == "resend")
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.settled_"+f.Do, "Count", n)
	return web.SeeOther(c, mailingPath(id))
}
