package admin

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/models"
)

type updatePages struct {
	web       *web.Web
	petitions *petitions.Service
	posts     *posts.Service
	mailings  *mailings.Service
}

// MountUpdates puts the updates of petitions in place: what was posted and what became of it by mail, below /admin/petitions/:id, and
// /admin/petitions/updates, where somebody with the right to send says yes or no. It comes before MountPetitions.
func MountUpdates(r fiber.Router, w *web.Web, s *petitions.Service, n *posts.Service, m *mailings.Service) {
	h := &updatePages{w, s, n, m}
	g := r.Group("/admin/petitions", w.Signed)
	g.Get("/updates", h.asked)
	g.Get("/:id/update", h.form)
	g.Post("/:id/update", h.post)
	g.Get("/:id/updates", h.list)
	g.Get("/:id/updates/:update", h.edit)
	g.Post("/:id/updates/:update", h.save)
	g.Post("/:id/updates/:update/delete", h.remove)
	g.Post("/:id/updates/:update/mail", h.mail)
}

type updatePage struct {
	web.Page
	Petition models.Petition
	Update   *models.Post // the one that is changed, nil for a new one
	Form     updateForm
	Reach    mailings.Reach
	Send     bool // may send it at once
}

type updateForm struct {
	Title string `form:"title,max=120"`
	Body  string `form:"body,max=5000,lines"`
	Mail  bool   `form:"mail"`
}

func (h *updatePages) draft(c *fiber.Ctx) (models.Petition, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return models.Petition{}, err
	}
	return h.petitions.Draft(c.UserContext(), h.web.Actor(c), id)
}

func updatesPath(id uuid.UUID) string { return showPath(id) + "/updates" }

func (h *updatePages) page(c *fiber.Ctx, row models.Petition, titleKey string) (*updatePage, error) {
	a := h.web.Actor(c)
	p := &updatePage{Page: h.web.Page(c, titleKey, "petitions"), Petition: row, Send: maySend(a)}
	var err error
	p.Reach, err = h.mailings.UpdateReach(c.UserContext(), a, row.ID)
	return p, err
}

// maySend reports whether an actor may let mail go to everybody who signed.
func maySend(a actor.Actor) bool { return a.May(actor.Send) && a.Chapter() == nil }

func (h *updatePages) form(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	if !row.State.Public() {
		return web.SeeOther(c, showPath(row.ID))
	}
	p, err := h.page(c, row, "petition.update_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/updates/update", p)
}

// changed makes what visitors see follow at once.
func (h *updatePages) changed(p models.Petition) {
	h.web.Drop("/petitions/" + p.Slug)
	h.web.Drop("/campaigns/")
}

func (h *updatePages) post(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	p, err := h.page(c, row, "petition.update_title")
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	err = web.Bind(c, &p.Form)
	var post models.Post
	if err == nil {
		post, err = h.posts.PostUpdate(ctx, a, row.ID, posts.UpdateInput{Title: p.Form.Title, Body: p.Form.Body, Mail: p.Form.Mail})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/updates/update", p)
	} else if err != nil {
		return err
	}
	h.changed(row)
	said := "petition.update_posted"
	if p.Form.Mail {
		said = "updates.asked"
		if p.Send {
			if err := h.mailings.SendUpdate(ctx, a, post.ID, post.UpdatedAt); err == nil {
				said = "updates.sending"
			} else if _, stopped := web.Invalid(err); !stopped {
				return err
			} // what stops it stands on the page of those that wait
		}
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, updatesPath(row.ID))
}

type updatesPage struct {
	web.Page
	Petition models.Petition
	Rows     []models.Post
	Mails    map[uuid.UUID]mailings.UpdateMail
	May      bool // post
}

// State says what became of an update by mail.
func (p updatesPage) State(post models.Post) string {
	m := p.Mails[post.ID]
	switch {
	case post.MailState == "":
		return p.T("updates.page_only")
	case post.MailState != posts.MailSent:
		return p.T("updates.state_" + post.MailState)
	case !m.Frozen:
		return p.T("updates.state_starting")
	}
	return p.T("updates.state_sent", "Count", m.People)
}

func (h *updatePages) list(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := updatesPage{Page: h.web.Page(c, "petition.news", "petitions"), Petition: row, May: posts.MayPost(a, row)}
	if p.Rows, err = h.posts.Of(ctx, a, row.ID); err != nil {
		return err
	}
	if p.Mails, err = h.mailings.UpdateMails(ctx, p.Rows); err != nil {
		return err
	}
	return h.web.Render(c, "admin/updates/list", &p)
}

func (h *updatePages) one(c *fiber.Ctx) (*updatePage, error) {
	row, err := h.draft(c)
	if err != nil {
		return nil, err
	}
	id, err := paramID(c, "update", "error.update_unknown")
	if err != nil {
		return nil, err
	}
	post, err := h.posts.Get(c.UserContext(), h.web.Actor(c), row.ID, id)
	if err != nil {
		return nil, err
	}
	p := &updatePage{Page: h.web.Page(c, "updates.edit_title", "petitions"), Petition: row, Update: &post}
	p.Form = updateForm{Title: post.Title, Body: post.Body}
	return p, nil
}

func (h *updatePages) edit(c *fiber.Ctx) error {
	p, err := h.one(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/updates/update", p)
}

func (h *updatePages) save(c *fiber.Ctx) error {
	p, err := h.one(c)
	if err != nil {
		return err
	}
	p.Form = updateForm{}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.posts.EditUpdate(c.UserContext(), h.web.Actor(c), p.Petition.ID, p.Update.ID, posts.UpdateInput{Title: p.Form.Title, Body: p.Form.Body})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/updates/update", p)
	} else if err != nil {
		return err
	}
	h.changed(p.Petition)
	h.web.Flash(c, "good", "updates.saved")
	return web.SeeOther(c, updatesPath(p.Petition.ID))
}

func (h *updatePages) remove(c *fiber.Ctx) error {
	p, err := h.one(c)
	if err != nil {
		return err
	}
	if err := h.posts.DeleteUpdate(c.UserContext(), h.web.Actor(c), p.Petition.ID, p.Update.ID); err != nil {
		return err
	}
	h.changed(p.Petition)
	h.web.Flash(c, "good", "updates.deleted")
	return web.SeeOther(c, updatesPath(p.Petition.ID))
}

// updateMailForm asks for a mail, or answers who asked. Seen is when the words that were looked at were changed, in microseconds.
type updateMailForm struct {
	Do   string `form:"do,max=10"`
	Seen string `form:"seen,max=20"`
}

func (h *updatePages) mail(c *fiber.Ctx) error {
	p, err := h.one(c)
	if err != nil {
		return err
	}
	var f updateMailForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	next, said := "/admin/petitions/updates", "updates.sending"
	switch f.Do {
	case "ask":
		next, said = updatesPath(p.Petition.ID), "updates.asked"
		err = h.posts.AskMail(ctx, a, p.Petition.ID, p.Update.ID)
	case "send":
		micro, _ := strconv.ParseInt(f.Seen, 10, 64) // what is no number was not seen
		err = h.mailings.SendUpdate(ctx, a, p.Update.ID, time.UnixMicro(micro).UTC())
	case "decline":
		said = "updates.declined"
		err = h.mailings.DeclineUpdate(ctx, a, p.Update.ID)
	default:
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	if _, stopped := web.Invalid(err); stopped && f.Do == "send" {
		return h.askedPage(c, fiber.StatusUnprocessableEntity, err)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, next)
}

type askedPage struct {
	web.Page
	Rows []askedRow
}

type askedRow struct {
	mailings.AskedUpdate
	Reach mailings.Reach
}

// Seen is when the words were last changed.
func (r askedRow) Seen() string { return strconv.FormatInt(r.UpdatedAt.UnixMicro(), 10) }

func (h *updatePages) asked(c *fiber.Ctx) error { return h.askedPage(c, fiber.StatusOK, nil) }

func (h *updatePages) askedPage(c *fiber.Ctx, status int, wrong error) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := askedPage{Page: h.web.Page(c, "updates.asked_title", "petitions")}
	p.Failed(wrong)
	list, err := h.mailings.AskedUpdates(ctx, a)
	if err != nil {
		return err
	}
	for _, u := range list {
		n, err := h.mailings.UpdateReach(ctx, a, *u.PetitionID)
		if err != nil {
			return err
		}
		p.Rows = append(p.Rows, askedRow{u, n})
	}
	return h.web.RenderStatus(c, status, "admin/updates/asked", &p)
}
