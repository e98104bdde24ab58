package admin

import (
	"bytes"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/mailings"
	"kithline/campaigns/organisation"
	"kithline/models"
)

type mailTexts struct {
	mailingPages
	org *organisation.Service
}

// MountMailTexts puts in place what is around the text of a mailing: templates, pictures, HTML that somebody brings, what was saved
// before, the second person's yes, the archive, and the organisation's own words about health. Mount it before MountMailings.
func MountMailTexts(r fiber.Router, w *web.Web, s *mailings.Service, org *organisation.Service) {
	h := &mailTexts{mailingPages{w, s}, org}
	w.AllowBody("/admin/mailings/pictures", files.PictureMaxUpload+1<<20)
	w.AllowBody("/admin/mailings/:id/html", 3*mailings.MaxHTML+1<<20) // a form writes most characters as three
	r.Get("/admin/mailings/templates", w.Signed, h.templates)
	r.Post("/admin/mailings/templates/:template/delete", w.Signed, h.deleteTemplate)
	r.Get("/admin/mailings/pictures", w.Signed, h.pictures)
	r.Post("/admin/mailings/pictures", w.Signed, h.addPicture)
	r.Post("/admin/mailings/:id/template", w.Signed, h.saveTemplate)
	r.Get("/admin/mailings/:id/html", w.Signed, h.html)
	r.Post("/admin/mailings/:id/html", w.Signed, h.importHTML)
	r.Get("/admin/mailings/:id/revisions", w.Signed, h.revisions)
	r.Get("/admin/mailings/:id/revisions/:revision", w.Signed, h.revision)
	r.Post("/admin/mailings/:id/revisions/:revision", w.Signed, h.restore)
	r.Post("/admin/mailings/:id/approval", w.Signed, h.askApproval)
	r.Get("/admin/mailings/:id/approve", w.Signed, h.beforeApprove)
	r.Post("/admin/mailings/:id/approve", w.Signed, h.approve)
	r.Post("/admin/mailings/:id/public", w.Signed, h.setPublic)
	r.Get("/admin/settings/words", w.Signed, h.words)
	r.Post("/admin/settings/words", w.Signed, h.saveWords)
}

// templateName is what a template is called.
func templateName(p web.Page, t mailings.Template) string {
	if t.BuiltIn() {
		return p.T("mailings.template_" + t.Key)
	}
	return t.Name
}

type templatesPage struct {
	web.Page
	Own []mailings.Template
}

func (h *mailTexts) templates(c *fiber.Ctx) error {
	list, err := h.svc.Templates(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	p := templatesPage{Page: h.web.Page(c, "mailings.templates", "mailings")}
	for _, t := range list {
		if !t.BuiltIn() {
			p.Own = append(p.Own, t)
		}
	}
	return h.web.Render(c, "admin/mailings/templates", &p)
}

func (h *mailTexts) deleteTemplate(c *fiber.Ctx) error {
	id, err := paramID(c, "template", "error.mailing_template_unknown")
	if err == nil {
		err = h.svc.DeleteTemplate(c.UserContext(), h.web.Actor(c), id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.template_deleted")
	return web.SeeOther(c, "/admin/mailings/templates")
}

type templateForm struct {
	Name string `form:"name,max=80"`
}

type templatePage struct {
	web.Page
	Mailing models.Mailing
	Form    templateForm
}

// Base is the address of the mailing's pages.
func (p templatePage) Base() string { return mailingPath(p.Mailing.ID) }

func (h *mailTexts) saveTemplate(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := templatePage{Page: h.web.Page(c, "mailings.template_save", "mailings")}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.svc.SaveTemplate(c.UserContext(), h.web.Actor(c), id, p.Form.Name)
	}
	if p.Failed(err) {
		if p.Mailing, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
			return err
		}
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/mailings/template", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.template_saved")
	return web.SeeOther(c, mailingPath(id))
}

type picturesPage struct {
	web.Page
	Rows []models.MailPicture
}

// PathOf is the address of a picture.
func (picturesPage) PathOf(r models.MailPicture) string { return mailings.PicturePath(r.FileID) }

// Block is the block that shows a picture.
func (p picturesPage) Block(r models.MailPicture) string {
	return p.T("mailings.picture_block", "Name", r.Name)
}

func (h *mailTexts) pictures(c *fiber.Ctx) error {
	p := picturesPage{Page: h.web.Page(c, "mailings.pictures", "mailings")}
	return h.renderPictures(c, fiber.StatusOK, &p)
}

func (h *mailTexts) renderPictures(c *fiber.Ctx, status int, p *picturesPage) (err error) {
	if p.Rows, err = h.svc.Pictures(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/mailings/pictures", p)
}

func (h *mailTexts) addPicture(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	p := picturesPage{Page: h.web.Page(c, "mailings.pictures", "mailings")}
	name, content, err := web.Upload(c, "picture", files.PictureMaxUpload)
	if err == nil {
		_, err = h.svc.AddPicture(c.UserContext(), a, name, bytes.NewReader(content))
	}
	if p.Failed(err) {
		return h.renderPictures(c, fiber.StatusUnprocessableEntity, &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.picture_added")
	return web.SeeOther(c, "/admin/mailings/pictures")
}

type htmlForm struct {
	Revision int    `form:"revision"`
	Version  string `form:"version,max=10"`
	Source   string `form:"html,max=1048576,lines"`
	Do       string `form:"do,max=10"`
}

type htmlPage struct {
	web.Page
	Mailing models.Mailing
	Text    mailings.Text
	Form    htmlForm
	Taken   []string // what was left out, in words
}

// Base is the address of the mailing's pages.
func (p htmlPage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p htmlPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Own reports whether the text is HTML that somebody brought.
func (p htmlPage) Own() bool { return p.Text.Format == models.FormatHTML }

// draftOf reads a mailing that can still be written, and its text in a language.
func (h *mailTexts) draftOf(c *fiber.Ctx, version string) (models.Mailing, mailings.Text, error) {
	id, err := mailingID(c)
	if err != nil {
		return models.Mailing{}, mailings.Text{}, err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	m, err := h.svc.Get(ctx, a, id)
	if err != nil {
		return m, mailings.Text{}, err
	}
	if m.State != models.MailingDraft {
		return m, mailings.Text{}, fault.New(fault.Conflict, "error.mailing_moved")
	}
	texts, err := h.svc.Texts(ctx, a, id)
	if err != nil {
		return m, mailings.Text{}, err
	}
	for _, t := range texts {
		if t.Locale == version {
			return m, t, nil
		}
	}
	return m, texts[0], nil
}

// takenKinds name what can be left out of HTML, as the address of the page says how many of each there were.
var takenKinds = []string{"pictures", "trackers", "code", "sheets", "hidden"}

func (h *mailTexts) html(c *fiber.Ctx) error {
	m, t, err := h.draftOf(c, c.Query("version"))
	if err != nil {
		return err
	}
	p := htmlPage{Page: h.web.Page(c, "mailings.html_title", "mailings"), Mailing: m, Text: t}
	p.Form = htmlForm{Revision: m.Revision, Version: t.Locale}
	if p.Own() {
		p.Form.Source = t.Body
	}
	for _, kind := range takenKinds {
		if n, err := strconv.Atoi(c.Query(kind)); err == nil && n > 0 && n < 1_000_000 {
			p.Taken = append(p.Taken, p.T("mailings.taken_"+kind, "Count", n))
		}
	}
	return h.web.Render(c, "admin/mailings/html", &p)
}

func (h *mailTexts) importHTML(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.WriteMailing); err != nil {
		return err
	}
	p := htmlPage{Page: h.web.Page(c, "mailings.html_title", "mailings")}
	err := web.Bind(c, &p.Form)
	var missing error
	if p.Mailing, p.Text, missing = h.draftOf(c, p.Form.Version); missing != nil {
		return missing
	}
	ctx, id, version := c.UserContext(), p.Mailing.ID, p.Text.Locale
	if err == nil && p.Form.Do == "markdown" {
		if _, err = h.svc.BackToMarkdown(ctx, a, id, p.Form.Revision, version); err == nil {
			return web.SeeOther(c, mailingPath(id)+"?version="+version)
		}
	}
	if up, e := c.FormFile("file"); err == nil && p.Form.Do != "markdown" && e == nil && up.Size > 0 {
		_, content, e := web.Upload(c, "file", mailings.MaxHTML)
		if err = e; err == nil {
			p.Form.Source = string(content)
		}
	}
	var taken mailings.Taken
	if err == nil {
		taken, err = h.svc.ImportHTML(ctx, a, id, p.Form.Revision, version, p.Form.Source)
	}
	if p.Failed(err) {
		p.Form.Source = strings.ToValidUTF8(p.Form.Source[:min(len(p.Form.Source), mailings.MaxHTML)], "")
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/mailings/html", &p)
	}
	if fault.Is(err, fault.Conflict) {
		p.Form.Revision = p.Mailing.Revision
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/mailings/html", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.html_taken")
	to := mailingPath(id) + "/html?version=" + version
	for i, n := range []int{taken.Pictures, taken.Trackers, taken.Code, taken.Sheets, taken.Hidden} {
		if n > 0 {
			to += "&" + takenKinds[i] + "=" + strconv.Itoa(n)
		}
	}
	return web.SeeOther(c, to)
}

type revisionsPage struct {
	web.Page
	Mailing models.Mailing
	Rows    []mailings.Revision
	Shown   mailings.Revision // on the page of one
}

// Base is the address of the mailing's pages.
func (p revisionsPage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p revisionsPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Draft reports whether a revision can be put back.
func (p revisionsPage) Draft() bool { return p.Mailing.State == models.MailingDraft }

// Subject is the first subject of a revision.
func (p revisionsPage) Subject(r mailings.Revision) string {
	if len(r.Texts) == 0 || len(r.Texts[0].Lines) == 0 || r.Texts[0].Lines[0].Subject == "" {
		return p.T("mailings.no_subject")
	}
	return r.Texts[0].Lines[0].Subject
}

func (h *mailTexts) revisions(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := revisionsPage{Page: h.web.Page(c, "mailings.revisions", "mailings")}
	if p.Mailing, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if p.Rows, err = h.svc.Revisions(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.web.Render(c, "admin/mailings/revisions", &p)
}

func revisionOf(c *fiber.Ctx) (id uuid.UUID, revision int, err error) {
	if id, err = mailingID(c); err != nil {
		return id, 0, err
	}
	if revision, err = strconv.Atoi(c.Params("revision")); err != nil || revision < 1 || revision > 1<<30 {
		return id, 0, fault.New(fault.NotFound, "error.mailing_revision_unknown")
	}
	return id, revision, nil
}

func (h *mailTexts) revision(c *fiber.Ctx) error {
	id, revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	p := revisionsPage{Page: h.web.Page(c, "mailings.revision", "mailings", "Revision", revision)}
	if p.Mailing, err = h.svc.Get(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	if p.Shown, err = h.svc.Revision(c.UserContext(), h.web.Actor(c), id, revision); err != nil {
		return err
	}
	return h.web.Render(c, "admin/mailings/revision", &p)
}

func (h *mailTexts) restore(c *fiber.Ctx) error {
	id, revision, err := revisionOf(c)
	if err != nil {
		return err
	}
	var f struct {
		Seen int `form:"seen"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if _, err := h.svc.Restore(c.UserContext(), h.web.Actor(c), id, f.Seen, revision); err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.restored")
	return web.SeeOther(c, mailingPath(id))
}

func (h *mailTexts) askApproval(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err == nil {
		err = h.svc.AskApproval(c.UserContext(), h.web.Actor(c), id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.approval_asked")
	return web.SeeOther(c, mailingPath(id))
}

type approvePage struct {
	composePage
	Preview mailings.Preview
}

// MayApprove reports whether the reader can be the second person.
func (p approvePage) MayApprove() bool { return mailings.MayApprove(p.Actor, p.Mailing) }

// Approvable reports whether nothing else stops the mailing.
func (p approvePage) Approvable() bool { return p.Checks.Approvable() }

func (h *mailTexts) beforeApprove(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if err := h.web.Actor(c).Need(actor.Send); err != nil {
		return err
	}
	p := approvePage{composePage: composePage{Page: h.web.Page(c, "mailings.approve_title", "mailings")}}
	return h.renderApprove(c, fiber.StatusOK, &p, id)
}

func (h *mailTexts) renderApprove(c *fiber.Ctx, status int, p *approvePage, id uuid.UUID) error {
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
	if p.Preview, err = h.svc.Preview(ctx, a, id); err != nil {
		return err
	}
	if p.Texts, err = h.svc.Texts(ctx, a, id); err != nil {
		return err
	}
	p.Stops, p.HasText = p.Checks.Count(mailings.Stop), p.Preview.HTML != ""
	web.ShowFrames(c)
	return h.web.RenderStatus(c, status, "admin/mailings/approve", p)
}

func (h *mailTexts) approve(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := approvePage{composePage: composePage{Page: h.web.Page(c, "mailings.approve_title", "mailings")}}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.svc.Approve(c.UserContext(), h.web.Actor(c), id, p.Form.Revision)
	}
	if p.Failed(err) {
		return h.renderApprove(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if fault.Is(err, fault.Conflict) {
		p.Refuse(err)
		return h.renderApprove(c, fiber.StatusConflict, &p, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.approved")
	return web.SeeOther(c, mailingPath(id))
}

func (h *mailTexts) setPublic(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	var f struct {
		Public bool `form:"public"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if err := h.svc.SetPublic(c.UserContext(), h.web.Actor(c), id, f.Public); err != nil {
		return err
	}
	h.web.Drop("/archive")
	h.web.Drop("/m/")
	key := "mailings.public_off_done"
	if f.Public {
		key = "mailings.public_on_done"
	}
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, mailingPath(id))
}

type healthWordsPage struct {
	web.Page
	Words string
}

func (h *mailTexts) words(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.Administer); err != nil {
		return err
	}
	o, err := h.org.Current(c.UserContext())
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/settings/words", &healthWordsPage{h.web.Page(c, "settings.title", "settings"), o.HealthWords})
}

func (h *mailTexts) saveWords(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.Administer); err != nil {
		return err
	}
	var f struct {
		Words string `form:"words,max=40000,lines"`
	}
	p := healthWordsPage{Page: h.web.Page(c, "settings.title", "settings")}
	err := web.Bind(c, &f)
	if err == nil {
		err = h.org.SetHealthWords(c.UserContext(), h.web.Actor(c), f.Words)
	}
	if p.Failed(err) {
		p.Words = f.Words
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/settings/words", &p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings/words")
}
