package admin

import (
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/models"
)

type topicPages struct {
	web *web.Web
	svc *consents.Service
}

// MountTopics puts in place what people can agree to: /admin/topics with the topics of the newsletter and the partners, and
// /admin/consents/:name with the words beside the boxes.
func MountTopics(r fiber.Router, w *web.Web, s *consents.Service) {
	h := &topicPages{w, s}
	r.Get("/admin/topics", w.Signed, h.list)
	r.Post("/admin/topics", w.Signed, h.addTopic)
	r.Get("/admin/topics/:id", w.Signed, h.topic)
	r.Post("/admin/topics/:id", w.Signed, h.saveTopic)
	r.Post("/admin/topics/:id/move", w.Signed, h.move)
	r.Get("/admin/partners/new", w.Signed, h.newPartner)
	r.Post("/admin/partners", w.Signed, h.addPartner)
	r.Get("/admin/partners/:id", w.Signed, h.partner)
	r.Post("/admin/partners/:id", w.Signed, h.savePartner)
	r.Get("/admin/consents/:name", w.Signed, h.wording)
	r.Post("/admin/consents/:name", w.Signed, h.saveWording)
}

type topicForm struct {
	Name  string `form:"name,max=80"`
	About string `form:"about,max=300"`
	Do    string `form:"do,max=20"`
}

type topicList struct {
	web.Page
	Form     topicForm
	Topics   []models.Topic
	Partners []models.Partner
	Wordings []consents.Wording
}

// Edits reports whether the reader may change anything here.
func (p topicList) Edits() bool { return edits(p.Page) }

func edits(p web.Page) bool { return p.May("edit_supporters") && p.Actor.Chapter() == nil }

func (h *topicPages) list(c *fiber.Ctx) error {
	p := topicList{Page: h.web.Page(c, "topic.title", "topics")}
	return h.render(c, fiber.StatusOK, &p)
}

func (h *topicPages) render(c *fiber.Ctx, status int, p *topicList) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Topics, err = h.svc.Topics(ctx, a, true); err != nil {
		return err
	}
	if p.Partners, err = h.svc.Partners(ctx, a); err != nil {
		return err
	}
	if p.Wordings, err = h.svc.Wordings(ctx, a, p.Lang); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/topics/list", p)
}

// changed makes the pages that show boxes be made anew.
func (h *topicPages) changed(c *fiber.Ctx, key string) {
	h.web.Drop("/join")
	h.web.Drop("/forms/")
	h.web.Drop("/volunteer")
	h.web.Flash(c, "good", key)
}

func (h *topicPages) addTopic(c *fiber.Ctx) error {
	p := topicList{Page: h.web.Page(c, "topic.title", "topics")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		_, err = h.svc.SaveTopic(c.UserContext(), h.web.Actor(c), uuid.Nil, consents.TopicInput{Name: p.Form.Name, About: p.Form.About})
	}
	if p.Failed(err) {
		return h.render(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	h.changed(c, "topic.saved")
	return web.SeeOther(c, "/admin/topics")
}

type topicPage struct {
	web.Page
	Form  topicForm
	Topic models.Topic
}

// Edits reports whether the reader may change anything here.
func (p topicPage) Edits() bool { return edits(p.Page) }

func (h *topicPages) topicPage(c *fiber.Ctx) (*topicPage, error) {
	id, err := paramID(c, "id", "error.topic_unknown")
	if err != nil {
		return nil, err
	}
	t, err := h.svc.Topic(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, err
	}
	return &topicPage{Page: h.web.Page(c, "topic.edit", "topics"), Topic: t, Form: topicForm{Name: t.Name, About: t.About}}, nil
}

func (h *topicPages) topic(c *fiber.Ctx) error {
	p, err := h.topicPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/topics/topic", p)
}

func (h *topicPages) saveTopic(c *fiber.Ctx) error {
	p, err := h.topicPage(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	err = web.Bind(c, &p.Form)
	switch {
	case err != nil:
	case p.Form.Do == "archive", p.Form.Do == "restore":
		err = h.svc.ArchiveTopic(ctx, a, p.Topic.ID, p.Form.Do == "archive")
	default:
		_, err = h.svc.SaveTopic(ctx, a, p.Topic.ID, consents.TopicInput{Name: p.Form.Name, About: p.Form.About})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/topics/topic", p)
	} else if err != nil {
		return err
	}
	h.changed(c, "topic.saved")
	return web.SeeOther(c, "/admin/topics")
}

func (h *topicPages) move(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.topic_unknown")
	if err != nil {
		return err
	}
	var form topicForm
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	by := 1
	if form.Do == "up" {
		by = -1
	}
	if err := h.svc.MoveTopic(c.UserContext(), h.web.Actor(c), id, by); err != nil {
		return err
	}
	h.changed(c, "topic.saved")
	return web.SeeOther(c, "/admin/topics")
}

type partnerForm struct {
	Name    string `form:"name,max=80"`
	Website string `form:"website,max=300"`
	Do      string `form:"do,max=20"`
}

type partnerPage struct {
	web.Page
	Form    partnerForm
	Partner models.Partner // the zero value: a new one
}

// Edits reports whether the reader may change anything here.
func (p partnerPage) Edits() bool { return edits(p.Page) }

// New reports whether the partner is not there yet.
func (p partnerPage) New() bool { return p.Partner.ID == uuid.Nil }

func (h *topicPages) newPartner(c *fiber.Ctx) error {
	if _, err := h.svc.Partners(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return h.web.Render(c, "admin/topics/partner", &partnerPage{Page: h.web.Page(c, "topic.partner_add", "topics")})
}

func (h *topicPages) addPartner(c *fiber.Ctx) error {
	return h.keepPartner(c, &partnerPage{Page: h.web.Page(c, "topic.partner_add", "topics")})
}

func (h *topicPages) partnerPage(c *fiber.Ctx) (*partnerPage, error) {
	id, err := paramID(c, "id", "error.partner_unknown")
	if err != nil {
		return nil, err
	}
	row, err := h.svc.Partner(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, err
	}
	return &partnerPage{Page: h.web.Page(c, "topic.partner_edit", "topics"), Partner: row, Form: partnerForm{Name: row.Name, Website: row.Website}}, nil
}

func (h *topicPages) partner(c *fiber.Ctx) error {
	p, err := h.partnerPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/topics/partner", p)
}

func (h *topicPages) savePartner(c *fiber.Ctx) error {
	p, err := h.partnerPage(c)
	if err != nil {
		return err
	}
	return h.keepPartner(c, p)
}

func (h *topicPages) keepPartner(c *fiber.Ctx, p *partnerPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	err := web.Bind(c, &p.Form)
	switch {
	case err != nil:
	case !p.New() && (p.Form.Do == "archive" || p.Form.Do == "restore"):
		err = h.svc.ArchivePartner(ctx, a, p.Partner.ID, p.Form.Do == "archive")
	default:
		_, err = h.svc.SavePartner(ctx, a, p.Partner.ID, consents.PartnerInput{Name: p.Form.Name, Website: p.Form.Website})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/topics/partner", p)
	} else if err != nil {
		return err
	}
	h.changed(c, "topic.saved")
	return web.SeeOther(c, "/admin/topics")
}

type wordingForm struct {
	Body     string `form:"body,max=600,lines"`
	Language string `form:"language,max=10"`
}

type wordingPage struct {
	web.Page
	Form    wordingForm
	Wording consents.Wording
	Places  string
}

// Edits reports whether the reader may change anything here.
func (p wordingPage) Edits() bool { return edits(p.Page) }

func (h *topicPages) wordingPage(c *fiber.Ctx, language string) (*wordingPage, error) {
	name := c.Params("name")
	if !slices.Contains(consents.WordingNames, name) {
		return nil, fault.New(fault.NotFound, "error.not_found")
	}
	p := &wordingPage{Page: h.web.Page(c, "wording."+name, "topics"), Places: strings.Join(consents.Places(name), ", ")}
	if language == "" {
		language = p.Lang
	}
	var err error
	p.Wording, err = h.svc.Wording(c.UserContext(), h.web.Actor(c), name, language)
	p.Form = wordingForm{Body: p.Wording.Body, Language: language}
	return p, err
}

func (h *topicPages) wording(c *fiber.Ctx) error {
	p, err := h.wordingPage(c, c.Query("language"))
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/topics/wording", p)
}

func (h *topicPages) saveWording(c *fiber.Ctx) error {
	var form wordingForm
	wrong := web.Bind(c, &form)
	p, err := h.wordingPage(c, form.Language)
	if err != nil {
		return err
	}
	p.Form = form
	if wrong == nil {
		wrong = h.svc.SetWording(c.UserContext(), h.web.Actor(c), p.Wording.Name, form.Language, form.Body)
	}
	if p.Failed(wrong) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/topics/wording", p)
	} else if wrong != nil {
		return wrong
	}
	h.changed(c, "wording.saved")
	return web.SeeOther(c, "/admin/consents/"+p.Wording.Name+"?language="+form.Language)
}
