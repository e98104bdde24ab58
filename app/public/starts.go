package public

import (
	"bytes"
	"context"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/markdown"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/models"
)

// starterCookie holds what was begun or proved in this browser, for who starts a petition without an account.
const starterCookie = "starter"

type startPages struct {
	web       *web.Web
	petitions *petitions.Service
	posts     *posts.Service
	org       *organisation.Service
}

// MountStarts puts the pages of advocates without an account in place: /petitions/new, where one begins; /petitions/draft/:token,
// where a mailed link leads; /petitions/resume, where one goes on by code; and /petitions/mine with everything after. Mount it
// before MountPetitions: its addresses come before those of petitions.
func MountStarts(r fiber.Router, w *web.Web, s *petitions.Service, n *posts.Service, org *organisation.Service) {
	h := &startPages{w, s, n, org}
	w.AllowBodyWith("/petitions/mine/:id/edit", files.PictureMaxUpload+1<<20, starterCookie, s.Holds)
	r.Get("/petitions/new", h.newPage)
	r.Post("/petitions/new", w.Limit(300, tryWindow), h.start)
	r.Get("/petitions/resume", h.resumePage)
	r.Post("/petitions/resume", w.Limit(30, tryWindow), h.resume)
	r.Get("/petitions/draft/:token", h.link)
	r.Post("/petitions/draft/:token", h.takeUp)
	r.Post("/petitions/draft/:token/refuse", h.refuse)
	r.Get("/petitions/mine", h.list)
	r.Post("/petitions/mine/leave", h.leave)
	r.Get("/petitions/mine/:id", h.one)
	r.Get("/petitions/mine/:id/report", h.report)
	r.Get("/petitions/mine/:id/live", h.live)
	r.Get("/petitions/mine/:id/edit", h.edit)
	r.Post("/petitions/mine/:id/edit", h.save)
	r.Post("/petitions/mine/:id/draft", h.autosave)
	r.Get("/petitions/mine/:id/picture", h.picture)
	r.Get("/petitions/mine/:id/preview", h.preview)
	r.Get("/petitions/mine/:id/check", h.check)
	r.Post("/petitions/mine/:id/submit", h.submit)
	r.Post("/petitions/mine/:id/withdraw", h.withdraw)
	r.Post("/petitions/mine/:id/texts", h.addText)
	r.Get("/petitions/mine/:id/texts/:locale", h.text)
	r.Post("/petitions/mine/:id/texts/:locale", h.saveText)
	r.Post("/petitions/mine/:id/starters", w.Limit(60, tryWindow), h.invite)
	r.Post("/petitions/mine/:id/starters/:starter/remove", h.remove)
	r.Post("/petitions/mine/:id/name", h.showName)
	r.Get("/petitions/mine/:id/words", h.words)
	r.Post("/petitions/mine/:id/words", h.saveWords)
	r.Get("/petitions/mine/:id/update", h.updateForm)
	r.Post("/petitions/mine/:id/update", h.update)
}

func minePath(id uuid.UUID) string { return "/petitions/mine/" + id.String() }

// own says that an answer is for one reader.
func own(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	c.Set("X-Robots-Tag", "noindex, nofollow")
}

func (h *startPages) keep(c *fiber.Ctx, cookie string) {
	h.web.SetCookie(c, starterCookie, cookie, petitions.StarterFor)
}

// who says which petition the request is about, and who acts.
func (h *startPages) who(c *fiber.Ctx) (uuid.UUID, actor.Actor, error) {
	own(c)
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return uuid.Nil, actor.Actor{}, fault.New(fault.NotFound, "error.petition_unknown")
	}
	a, err := h.petitions.Starter(c.UserContext(), h.web.Cookie(c, starterCookie), id)
	if err == nil && a.Kind != actor.Person {
		err = fault.New(fault.NotFound, "error.start_not_here", "Next", "/petitions/resume")
	}
	a.RequestID = web.RequestID(c)
	return id, a, err
}

// startPage is where somebody begins.
type startPage struct {
	web.Page
	web.PetitionFields
	You     youForm
	Similar []models.Petition
	Looked  bool // for similar ones
	More    bool // the rest of the form is open
}

type youForm struct {
	Name  string `form:"your_name,max=100"`
	Email string `form:"your_email,max=254"`
	Show  bool   `form:"show_name"`
}

func (h *startPages) newPage(c *fiber.Ctx) error {
	if h.web.Actor(c).May(actor.DraftPetition) { // their own way, with everything an account has
		return web.SeeOther(c, "/admin/petitions/new")
	}
	p := startPage{Page: h.web.Page(c, "start.title", "home")}
	p.Fill(p.Page, web.PetitionForm{Locale: p.Lang})
	return h.web.Render(c, "public/start/new", &p)
}

// start looks for petitions like the one that is begun, or keeps it. Before an address is given nothing of it is stored.
func (h *startPages) start(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p := startPage{Page: h.web.Page(c, "start.title", "home")}
	f, draft, err := web.BindPetition(c, zoneOf(p.Page))
	if _, bad := web.Invalid(err); err != nil && !bad {
		return err
	}
	if f.Locale == "" {
		f.Locale, draft.Locale = p.Lang, p.Lang
	}
	err2 := web.Bind(c, &p.You)
	p.Fill(p.Page, f)
	rest := f
	rest.Title, rest.Locale, rest.Do, rest.HasClaims, rest.Claims, rest.Body = "", "", "", false, nil, ""
	p.More = !web.EmptyPetition(rest) || len(f.Claims) > 0
	if f.Do != "keep" {
		p.Looked = f.Do == "look"
		p.More = p.More || f.Do == "more"
		if p.Similar, err = h.petitions.Similar(ctx, f.Title); err != nil {
			return err
		}
		return h.web.Render(c, "public/start/new", &p)
	}
	in := petitions.StartInput{Draft: draft, Name: p.You.Name, Email: p.You.Email, ShowName: p.You.Show, Language: p.Lang}
	failed := p.Failed(err)
	failed = p.Failed(err2) || failed
	switch {
	case err2 != nil && !failed:
		return err2
	case failed: // all that is wrong is told at once
		p.FailedToo(petitions.CheckStart(in))
	default:
		var made petitions.Started
		if made, err = h.petitions.Start(ctx, h.web.Cookie(c, starterCookie), in); err == nil {
			h.keep(c, made.Cookie)
			h.web.Flash(c, "good", "start.kept")
			return web.SeeOther(c, minePath(made.Petition.ID)+"/edit")
		}
		if !p.Failed(err) {
			return err
		}
	}
	for _, e := range p.Errors {
		p.More = p.More || !slices.Contains([]string{"title", "body", "your_name", "your_email", ""}, e.Name)
	}
	if p.Similar, err = h.petitions.Similar(ctx, f.Title); err != nil {
		return err
	}
	return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/new", &p)
}

// resumePage is where one goes on by code, or asks for the link once more.
type resumePage struct {
	web.Page
	Form resumeForm
}

type resumeForm struct {
	Email string `form:"your_email,max=254"`
	Code  string `form:"code,max=40"`
	Do    string `form:"do,max=10"`
}

func (h *startPages) resumePage(c *fiber.Ctx) error {
	own(c)
	return h.web.Render(c, "public/start/resume", &resumePage{Page: h.web.Page(c, "start.resume_title", "home")})
}

func (h *startPages) resume(c *fiber.Ctx) error {
	own(c)
	ctx := c.UserContext()
	p := resumePage{Page: h.web.Page(c, "start.resume_title", "home")}
	err := web.Bind(c, &p.Form)
	if err == nil && p.Form.Do == "mail" {
		if err = h.petitions.ResumeMail(ctx, p.Form.Email); err == nil {
			p.Title = p.T("start.mailed_title")
			return h.web.Render(c, "public/start/mailed", &p)
		}
	} else if err == nil {
		id, cookie, err2 := h.petitions.ResumeCode(ctx, h.web.Cookie(c, starterCookie), p.Form.Email, p.Form.Code)
		if err = err2; err == nil {
			h.keep(c, cookie)
			return web.SeeOther(c, minePath(id))
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/resume", &p)
	}
	return err
}

// linkPage is where a mailed link leads: to one button.
type linkPage struct {
	web.Page
	Token string
	Offer petitions.Offer
	You   youForm
}

func (h *startPages) linkPage(c *fiber.Ctx) (*linkPage, error) {
	private(c)
	p := &linkPage{Page: h.web.Page(c, "start.link_title", "home"), Token: c.Params("token")}
	var err error
	p.Offer, err = h.petitions.Offered(c.UserContext(), p.Token)
	if err == nil && !p.Offer.Lead && !p.Offer.Confirmed {
		p.Title = p.T("start.invited_title")
	}
	return p, err
}

func (h *startPages) link(c *fiber.Ctx) error {
	p, err := h.linkPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/start/link", p)
}

func (h *startPages) takeUp(c *fiber.Ctx) error {
	p, err := h.linkPage(c)
	if err != nil {
		return err
	}
	err = web.Bind(c, &p.You)
	if err == nil {
		id, cookie, err2 := h.petitions.TakeUp(c.UserContext(), h.web.Cookie(c, starterCookie), p.Token, p.You.Name, p.You.Show)
		if err = err2; err == nil {
			h.keep(c, cookie)
			if !p.Offer.Confirmed {
				h.web.Flash(c, "good", "start.confirmed")
			}
			return web.SeeOther(c, minePath(id))
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/link", p)
	}
	return err
}

func (h *startPages) refuse(c *fiber.Ctx) error {
	private(c)
	if err := h.petitions.Refuse(c.UserContext(), c.Params("token")); err != nil {
		return err
	}
	return h.web.Render(c, "public/confirm/deleted", &oldPage{Page: h.web.Page(c, "confirm.deleted_title", "home")})
}

// listPage is everything that was begun or proved in this browser.
type listPage struct {
	web.Page
	Mine []petitions.Mine
}

func (h *startPages) list(c *fiber.Ctx) error {
	own(c)
	p := listPage{Page: h.web.Page(c, "start.mine_title", "home")}
	var err error
	if p.Mine, err = h.petitions.Mine(c.UserContext(), h.web.Cookie(c, starterCookie)); err != nil {
		return err
	}
	return h.web.Render(c, "public/start/list", &p)
}

// leave takes everything out of this browser: for a computer that others use.
func (h *startPages) leave(c *fiber.Ctx) error {
	h.keep(c, "")
	h.web.Flash(c, "good", "start.left_browser")
	return web.SeeOther(c, "/petitions/mine")
}

// minePage is a page about one petition of somebody without an account.
type minePage struct {
	web.Page
	web.PetitionFields
	petitions.Said
	Mine       petitions.Mine
	Petition   models.Petition
	Colleagues []petitions.Colleague
	Body       template.HTML
	PictureURL string
	Author     string
	Base       string // of the petition's pages
	Missing    bool
	Stored     *models.Petition // what another page saved in the meantime
	View       petitions.View
	CoEmail    string
	NewLocale  string
	Post       updateForm
	Days       int // that a review takes at most
	Milestones []petitions.Milestone
	mayChange  bool
}

// Lead reports whether the reader leads.
func (p *minePage) Lead() bool { return p.Mine.Starter.Lead && p.Mine.Proved }

// More lists the languages that there is no version in yet.
func (p *minePage) More() []web.Option { return web.MoreLanguages(p.Page, p.Petition, p.Texts) }

// Language is a language in its own words.
func (p *minePage) Language(locale string) string { return web.LanguageName(locale) }

// StoredClaims are the facts that another page saved in the meantime.
func (p *minePage) StoredClaims() []petitions.Claim { return p.Claims }

// Change is the page on which an answer is changed, "" where none can be.
func (p *minePage) Change() string {
	if !p.Petition.Editable() {
		return ""
	}
	return p.Base + "/edit"
}

func (h *startPages) page(c *fiber.Ctx, title string) (*minePage, actor.Actor, error) {
	id, a, err := h.who(c)
	if err != nil {
		return nil, a, err
	}
	ctx := c.UserContext()
	m, all, err := h.petitions.One(ctx, a, id)
	if err != nil {
		return nil, a, err
	}
	p := &minePage{Page: h.web.Page(c, title, "home"), Mine: m, Petition: m.Petition, Colleagues: all, Base: minePath(id)}
	if _, p.Said, err = h.petitions.Said(ctx, a, id); err != nil {
		return nil, a, err
	}
	p.show(m.Petition)
	p.mayChange = petitions.MayEdit(a, m.Petition)
	o, err := h.org.Current(ctx)
	p.Days = (o.ReviewDueHours + 23) / 24
	return p, a, err
}

// show puts a stored petition into the page.
func (p *minePage) show(row models.Petition) {
	p.Petition, p.Body, p.PictureURL = row, markdown.HTML(row.Body), ""
	if row.PictureID != nil {
		p.PictureURL = p.Base + "/picture?v=" + row.PictureID.String()[24:]
	}
	p.HasPicture = row.PictureID != nil
	p.Fill(p.Page, web.PetitionFormOf(row, p.Claims, zoneOf(p.Page)))
}

func (h *startPages) one(c *fiber.Ctx) error {
	p, a, err := h.page(c, "")
	if err != nil {
		return err
	}
	p.Title = p.Petition.Title
	if p.Petition.State.Public() && p.Mine.Proved {
		reached, err := h.petitions.Thresholds(c.UserContext(), a, p.Petition.ID)
		if err != nil {
			return err
		}
		p.Milestones = petitions.Milestones(reached)
	}
	return h.web.Render(c, "public/start/one", p)
}

func (h *startPages) edit(c *fiber.Ctx) error {
	p, _, err := h.page(c, "petition.edit_title")
	if err != nil {
		return err
	}
	if !p.Petition.Editable() {
		return web.SeeOther(c, p.Base)
	}
	return h.web.Render(c, "public/start/edit", p)
}

func (h *startPages) save(c *fiber.Ctx) error {
	p, a, err := h.page(c, "petition.edit_title")
	if err != nil {
		return err
	}
	ctx, id := c.UserContext(), p.Petition.ID
	f, draft, err := web.BindPetition(c, zoneOf(p.Page))
	p.Fill(p.Page, f)
	var stored models.Petition
	if err == nil {
		stored, err = h.petitions.Save(ctx, a, id, petitions.SaveInput{Draft: draft, Revision: f.Revision})
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/edit", p)
	case fault.Is(err, fault.Conflict) && stored.Editable(): // both versions are shown; saving again keeps this one
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/start/edit", p)
	case err != nil:
		return err
	}
	p.Form.Revision = stored.Revision
	file, fileErr := c.FormFile("picture")
	switch chosen := fileErr == nil && file.Size > 0; {
	case f.Do == "picture_remove":
		err = h.petitions.RemovePicture(ctx, a, id)
	case chosen || f.Do == "picture":
		name, content, err2 := web.Upload(c, "picture", files.PictureMaxUpload)
		if err = err2; err == nil {
			err = h.petitions.SetPicture(ctx, a, id, name, bytes.NewReader(content))
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/edit", p)
	} else if err != nil {
		return err
	}
	next := p.Base + "/edit"
	switch f.Do {
	case "preview", "check":
		return web.SeeOther(c, p.Base+"/"+f.Do)
	case "picture", "picture_remove":
		next += "#picture-h"
	case "more":
		next += "#g-facts"
	}
	h.web.Flash(c, "good", "petition.saved")
	return web.SeeOther(c, next)
}

// autosave keeps what is typed; the page goes on from the revision that is answered.
func (h *startPages) autosave(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	_, draft, err := web.BindPetition(c, zoneOf(h.web.Blank(c.UserContext(), "", c.Path())))
	if err != nil {
		return err
	}
	var f struct {
		Revision int `form:"revision"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	row, err := h.petitions.Save(c.UserContext(), a, id, petitions.SaveInput{Draft: draft, Revision: f.Revision})
	if err != nil {
		return err
	}
	h.keep(c, h.web.Cookie(c, starterCookie))
	return c.JSON(fiber.Map{"fields": fiber.Map{"revision": row.Revision}})
}

func (h *startPages) picture(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	rc, f, err := h.petitions.DraftPicture(c.UserContext(), a, id)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	b, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, f.ContentType)
	return c.Send(b)
}

func (h *startPages) preview(c *fiber.Ctx) error {
	p, a, err := h.page(c, "petition.preview_title")
	if err != nil {
		return err
	}
	if p.View, err = h.petitions.Preview(c.UserContext(), a, p.Petition.ID); err != nil {
		return err
	}
	return h.web.Render(c, "public/start/preview", p)
}

func (h *startPages) check(c *fiber.Ctx) error {
	p, a, err := h.page(c, "petition.check_title")
	if err != nil {
		return err
	}
	_, err = h.petitions.Check(c.UserContext(), a, p.Petition.ID)
	return h.checked(c, p, err, fiber.StatusOK)
}

func (h *startPages) checked(c *fiber.Ctx, p *minePage, err error, status int) error {
	if _, missing := web.Invalid(err); err != nil && !missing {
		return err
	}
	p.Missing = p.Failed(err)
	return h.web.RenderStatus(c, status, "public/start/check", p)
}

type revisionForm struct {
	Revision int    `form:"revision"`
	Do       string `form:"do,max=20"`
}

func (h *startPages) submit(c *fiber.Ctx) error {
	p, a, err := h.page(c, "petition.check_title")
	if err != nil {
		return err
	}
	var f revisionForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	_, err = h.petitions.Submit(c.UserContext(), a, p.Petition.ID, f.Revision)
	switch _, missing := web.Invalid(err); {
	case missing:
		return h.checked(c, p, err, fiber.StatusUnprocessableEntity)
	case fault.Is(err, fault.Conflict) && p.Petition.Editable(): // somebody who writes along saved since: here is what they wrote
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("start.check_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/start/check", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "start.submitted")
	return web.SeeOther(c, p.Base)
}

func (h *startPages) withdraw(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	row, err := h.petitions.Steer(c.UserContext(), a, id, petitions.Withdraw)
	if err != nil {
		return err
	}
	h.web.Drop("/petitions/" + row.Slug)
	h.web.Drop("/campaigns/")
	h.web.Drop("/\x00")
	h.web.Flash(c, "good", "petition.did_withdraw")
	return web.SeeOther(c, minePath(id))
}

// textPage is one version in a further language.
type textPage struct {
	web.Page
	Petition models.Petition
	Base     string // of the pages of this petition
	Form     web.TextForm
	Name     string
	There    bool
	Stored   *petitions.Text
}

func (h *startPages) addText(c *fiber.Ctx) error {
	p, _, err := h.page(c, "petition.edit_title")
	if err != nil {
		return err
	}
	var f struct {
		Locale string `form:"new_locale,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Locale == p.Petition.Locale || !slices.Contains(petitions.TextLocales, f.Locale) {
		p.Errors = append(p.Errors, web.FieldError{Name: "new_locale", Text: p.T("error.start_text_locale")})
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/edit", p)
	}
	return web.SeeOther(c, p.Base+"/texts/"+f.Locale)
}

func (h *startPages) textPage(c *fiber.Ctx) (*textPage, actor.Actor, error) {
	id, a, err := h.who(c)
	if err != nil {
		return nil, a, err
	}
	row, said, err := h.petitions.Said(c.UserContext(), a, id)
	if err != nil {
		return nil, a, err
	}
	p := &textPage{Page: h.web.Page(c, "", "home"), Petition: row, Base: minePath(id)}
	p.Form, p.There, err = web.TextFormOf(row, said.Texts, c.Params("locale"))
	p.Name = web.LanguageName(p.Form.Locale)
	p.Title = p.T("start.text_title", "Language", p.Name)
	return p, a, err
}

func (h *startPages) text(c *fiber.Ctx) error {
	p, _, err := h.textPage(c)
	if err != nil {
		return err
	}
	if !p.Petition.Editable() {
		return web.SeeOther(c, p.Base)
	}
	return h.web.Render(c, "public/start/text", p)
}

func (h *startPages) saveText(c *fiber.Ctx) error {
	p, a, err := h.textPage(c)
	if err != nil {
		return err
	}
	locale, stored := p.Form.Locale, p.Form.Text()
	err = web.Bind(c, &p.Form)
	p.Form.Locale = locale
	ctx, id := c.UserContext(), p.Petition.ID
	var row models.Petition
	if err == nil && p.Form.Do == "remove" {
		row, err = p.Petition, h.petitions.RemoveText(ctx, a, id, locale, p.Form.Revision)
	} else if err == nil {
		row, err = h.petitions.SaveText(ctx, a, id, petitions.TextInput{Text: p.Form.Text(), Revision: p.Form.Revision})
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/text", p)
	case fault.Is(err, fault.Conflict) && row.Editable():
		p.Stored, p.Form.Revision = &stored, row.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/start/text", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "petition.saved")
	return web.SeeOther(c, p.Base+"/edit?text="+locale+"#texts-h")
}

func (h *startPages) invite(c *fiber.Ctx) error {
	p, a, err := h.page(c, "")
	if err != nil {
		return err
	}
	p.Title = p.Petition.Title
	var f struct {
		Email string `form:"co_email,max=254"`
	}
	err = web.Bind(c, &f)
	p.CoEmail = f.Email
	if err == nil {
		err = h.petitions.Invite(c.UserContext(), a, p.Petition.ID, f.Email)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/one", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "start.invited")
	return web.SeeOther(c, p.Base+"#together-h")
}

func (h *startPages) remove(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	starter, err := uuid.Parse(c.Params("starter"))
	if err != nil {
		return fault.New(fault.NotFound, "error.not_found")
	}
	if err := h.petitions.RemoveStarter(c.UserContext(), a, id, starter); err != nil {
		return err
	}
	h.web.Flash(c, "good", "start.removed")
	if again, err := h.petitions.Starter(c.UserContext(), h.web.Cookie(c, starterCookie), id); err != nil || again.Kind != actor.Person {
		return web.SeeOther(c, "/petitions/mine") // they went themselves
	}
	return web.SeeOther(c, minePath(id)+"#together-h")
}

func (h *startPages) showName(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	var f youForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if err := h.petitions.ShowName(c.UserContext(), a, id, f.Show); err != nil {
		return err
	}
	if m, _, err := h.petitions.One(c.UserContext(), a, id); err == nil {
		h.web.Drop("/petitions/" + m.Petition.Slug)
	}
	h.web.Flash(c, "good", "petition.saved")
	return web.SeeOther(c, minePath(id)+"#together-h")
}

// wordsPage asks for a change of what a public petition says.
type wordsPage struct {
	*minePage
	Form   wordsForm
	Words  string // its own address
	Waits  bool   // a change waits already: its words are in the form
	Answer string // to the one before, if it was not taken
}

type wordsForm struct {
	web.PetitionForm
	Reason string
}

func (h *startPages) wordsPage(c *fiber.Ctx) (*wordsPage, actor.Actor, error) {
	m, a, err := h.page(c, "start.words_title")
	if err != nil {
		return nil, a, err
	}
	p := &wordsPage{minePage: m, Words: m.Base + "/words", Waits: m.Petition.ProposedAt != nil}
	wanted, _ := petitions.Proposal(m.Petition)
	p.Answer = wanted.Answer
	row := m.Petition
	if p.Waits {
		row = wanted.With(row)
		p.Form.Reason = wanted.Reason
	}
	p.fill(web.PetitionFormOf(row, nil, zoneOf(p.Page)))
	return p, a, nil
}

func (p *wordsPage) fill(f web.PetitionForm) {
	p.Fill(p.Page, f)
	p.Form.PetitionForm = f
}

func (h *startPages) words(c *fiber.Ctx) error {
	p, a, err := h.wordsPage(c)
	if err != nil {
		return err
	}
	if !petitions.MayEdit(a, p.Petition) {
		return web.SeeOther(c, p.Base)
	}
	return h.web.Render(c, "public/start/words", p)
}

func (h *startPages) saveWords(c *fiber.Ctx) error {
	p, a, err := h.wordsPage(c)
	if err != nil {
		return err
	}
	var why struct {
		Reason string `form:"reason,max=500,lines"`
	}
	err = web.Bind(c, &why)
	f, d, wrong := web.BindPetition(c, zoneOf(p.Page))
	if err == nil {
		err = wrong
	}
	stored := p.Petition
	if err == nil {
		stored, err = h.petitions.Edit(c.UserContext(), a, p.Petition.ID, petitions.EditInput{Draft: d, Reason: why.Reason, Revision: f.Revision})
	}
	p.fill(f)
	p.Form.Reason = why.Reason
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/words", p)
	case fault.Is(err, fault.Conflict) && petitions.MayEdit(a, stored): // sending again asks for these words
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/start/words", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "start.words_sent")
	return web.SeeOther(c, p.Base)
}

// MayChange reports whether the reader may ask for other words of a public petition.
func (p *minePage) MayChange() bool { return p.mayChange }

// mineReport is how a starter's petition goes.
type mineReport struct {
	web.Page
	web.Course
	Petition models.Petition
	Base     string
}

func (h *startPages) report(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	p := mineReport{Page: h.web.Page(c, "", "home"), Base: minePath(id)}
	r, err := h.petitions.Report(c.UserContext(), a, id, zoneOf(p.Page))
	if err != nil {
		return err
	}
	if r.Petition.PublishedAt == nil {
		return web.SeeOther(c, p.Base)
	}
	p.Petition, p.Title, p.Course = r.Petition, r.Petition.Title, web.CourseOf(p.Page, r, p.Base+"/live")
	return h.web.Render(c, "public/start/report", &p)
}

// live sends the numbers of that page as they change, while the address stays proved and its owner a starter.
func (h *startPages) live(c *fiber.Ctx) error {
	id, a, err := h.who(c)
	if err != nil {
		return err
	}
	cookie := h.web.Cookie(c, starterCookie)
	return h.web.LiveNumbers(c, h.petitions, id, a, func(ctx context.Context) (actor.Actor, error) { return h.petitions.Starter(ctx, cookie, id) })
}

type updateForm struct {
	Title string `form:"title,max=120"`
	Body  string `form:"body,max=5000,lines"`
}

func (h *startPages) updateForm(c *fiber.Ctx) error {
	p, _, err := h.page(c, "petition.update_title")
	if err != nil {
		return err
	}
	if !p.Petition.State.Public() {
		return web.SeeOther(c, p.Base)
	}
	return h.web.Render(c, "public/start/update", p)
}

func (h *startPages) update(c *fiber.Ctx) error {
	p, a, err := h.page(c, "petition.update_title")
	if err != nil {
		return err
	}
	err = web.Bind(c, &p.Post)
	if err == nil {
		_, err = h.posts.PostUpdate(c.UserContext(), a, p.Petition.ID, posts.UpdateInput{Title: p.Post.Title, Body: p.Post.Body})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/start/update", p)
	} else if err != nil {
		return err
	}
	h.web.Drop("/petitions/" + p.Petition.Slug)
	h.web.Drop("/campaigns/")
	h.web.Flash(c, "good", "petition.update_posted")
	return web.SeeOther(c, p.Base)
}

// byline names who started a petition, "" for nobody.
func byline(p web.Page, names []string) string {
	switch len(names) {
	case 0:
		return ""
	case 1:
		return p.T("start.by", "Names", names[0])
	}
	return p.T("start.by", "Names", strings.Join(names[:len(names)-1], ", ")+" "+p.T("start.and")+" "+names[len(names)-1])
}
