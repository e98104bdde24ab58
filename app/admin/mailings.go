package admin

import (
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
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
	r.Get("/admin/mailings/often", w.Signed, h.often) // before the next: no id
	r.Post("/admin/mailings/often", w.Signed, h.setOften)
	r.Get("/admin/mailings/:id", w.Signed, h.show)
	r.Post("/admin/mailings/:id", w.Signed, h.save)
	r.Post("/admin/mailings/:id/draft", w.Signed, h.autosave)
	r.Get("/admin/mailings/:id/follow", w.Signed, h.follow)
	r.Get("/admin/mailings/:id/preview", w.Signed, h.preview)
	r.Get("/admin/mailings/:id/preview/mail", w.Signed, h.mail)
	r.Get("/admin/mailings/:id/audience", w.Signed, h.audience)
	r.Post("/admin/mailings/:id/audience", w.Signed, h.setAudience)
	r.Get("/admin/mailings/:id/send", w.Signed, h.before)
	r.Post("/admin/mailings/:id/send", w.Signed, h.send)
	r.Get("/admin/mailings/:id/progress", w.Signed, h.progress)
	r.Get("/admin/mailings/:id/live", w.Signed, h.live)
	r.Get("/admin/mailings/:id/report.csv", w.Signed, h.reportFile)
	r.Get("/admin/mailings/:id/problems", w.Signed, h.problems)
	r.Get("/admin/mailings/:id/problems.csv", w.Signed, h.problemsFile)
	r.Post("/admin/mailings/:id/choose", w.Signed, h.choose)
	r.Get("/admin/mailings/:id/later", w.Signed, h.later)
	r.Post("/admin/mailings/:id/later", w.Signed, h.sendLater)
	r.Post("/admin/mailings/:id/unschedule", w.Signed, h.unschedule)
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
	case models.MailingScheduled, models.MailingFreezing, models.MailingSending:
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

	Templates []web.Option
}

type mailingNewForm struct {
	To       string `form:"to"`
	Template string `form:"template"`
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
	templates, err := h.svc.Templates(c.UserContext(), a)
	if err != nil {
		return err
	}
	p.Templates = []web.Option{{Label: p.T("mailings.template_none")}}
	for _, t := range templates {
		p.Templates = append(p.Templates, web.Option{Value: t.Key, Label: templateName(p.Page, t)})
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
		to := readTo(p.Form.To)
		to.Template = p.Form.Template
		id, err = h.svc.CreateTo(c.UserContext(), h.web.Actor(c), to)
	}
	if p.Failed(err) {
		return h.renderList(c, fiber.StatusUnprocessableEntity, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, mailingPath(id))
}
