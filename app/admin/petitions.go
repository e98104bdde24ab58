package admin

import (
	"bytes"
	"html/template"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/files"
	"kithline/campaigns/markdown"
	"kithline/campaigns/paging"
	"kithline/campaigns/petitions"
	"kithline/campaigns/posts"
	"kithline/models"
)

type petitionAdmin struct {
	web       *web.Web
	petitions *petitions.Service
	campaigns *campaigns.Service
	posts     *posts.Service
}

// MountPetitions puts the organizer's and the advocate's side of petitions in place, below /admin/petitions: list, draft,
// review, report, comments, updates. Every page asks for a session; rights are checked by the operations.
func MountPetitions(r fiber.Router, w *web.Web, s *petitions.Service, c *campaigns.Service, n *posts.Service) {
	h := &petitionAdmin{w, s, c, n}
	w.AllowBody("/admin/petitions/:id/picture", files.PictureMaxUpload+1<<20)
	g := r.Group("/admin/petitions", w.Signed)
	g.Get("/", h.list)
	g.Get("/new", h.newForm)
	g.Post("/", h.create)
	g.Get("/comments", h.allComments)
	g.Get("/:id", h.show)
	g.Get("/:id/live", h.live)
	g.Get("/:id/edit", h.edit)
	g.Post("/:id/edit", h.save)
	g.Post("/:id/draft", h.autosave)
	g.Post("/:id/texts", h.addText)
	g.Get("/:id/texts/:locale", h.text)
	g.Post("/:id/texts/:locale", h.saveText)
	g.Get("/:id/picture", h.showPicture)
	g.Post("/:id/picture", h.picture)
	g.Get("/:id/preview", h.preview)
	g.Get("/:id/check", h.check)
	g.Post("/:id/submit", h.submit)
	g.Post("/:id/publish", h.publish)
	g.Post("/:id/return", h.giveBack)
	g.Post("/:id/steer", h.steer)
	g.Post("/:id/comments/:comment", h.judge)
}

type petitionList struct {
	web.Page
	State  string
	States []models.PetitionState
	Rows   paging.Page[models.Petition]
}

func (h *petitionAdmin) list(c *fiber.Ctx) error {
	p := petitionList{Page: h.web.Page(c, "base.rail_petitions", "petitions"), States: petitions.States}
	after, err := paging.Parse(p.Query("after"))
	if err != nil {
		return err
	}
	if s := models.PetitionState(p.Query("state")); slices.Contains(petitions.States, s) {
		p.State = string(s)
	}
	if p.Rows, err = h.petitions.List(c.UserContext(), h.web.Actor(c), models.PetitionState(p.State), after); err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/list", &p)
}

type petitionStart struct {
	web.Page
	Form      startForm
	Campaigns []web.Option
}

type startForm struct {
	Title    string `form:"title,max=80"`
	Campaign string `form:"campaign,max=40"`
	Locale   string `form:"locale,max=20"`
}

func (h *petitionAdmin) start(c *fiber.Ctx) (*petitionStart, error) {
	rows, err := h.campaigns.Choices(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return nil, err
	}
	p := &petitionStart{Page: h.web.Page(c, "petition.start_title", "petitions")}
	p.Form.Locale = p.Lang
	p.Campaigns = []web.Option{{Value: "", Label: p.T("petition.start_campaign_new")}}
	for _, r := range rows {
		p.Campaigns = append(p.Campaigns, web.Option{Value: r.ID.String(), Label: r.Title})
	}
	return p, nil
}

func (h *petitionAdmin) newForm(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/new", p)
}

func (h *petitionAdmin) create(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	var made models.Petition
	if err = web.Bind(c, &p.Form); err == nil {
		in := petitions.CreateInput{Draft: petitions.Draft{Title: p.Form.Title, Locale: p.Form.Locale}}
		if p.Form.Campaign != "" {
			if in.CampaignID, err = uuid.Parse(p.Form.Campaign); err != nil {
				return fault.New(fault.NotFound, "error.campaign_unknown")
			}
		}
		made, err = h.petitions.Create(c.UserContext(), h.web.Actor(c), in)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/new", p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, editPath(made.ID))
}

func showPath(id uuid.UUID) string { return "/admin/petitions/" + id.String() }
func editPath(id uuid.UUID) string { return showPath(id) + "/edit" }

func zoneOf(p web.Page) *time.Location {
	if p.Site.Zone == nil {
		return time.UTC
	}
	return p.Site.Zone
}

type editPage struct {
	web.Page
	web.PetitionFields
	petitions.Said
	Petition  models.Petition
	Base      string
	Stored    *models.Petition // what another page saved in the meantime
	NewLocale string
}

// StoredClaims are the facts that another page saved in the meantime.
func (p *editPage) StoredClaims() []petitions.Claim { return p.Claims }

// Language is a language in its own words.
func (p *editPage) Language(locale string) string { return web.LanguageName(locale) }

// More lists the languages that there is no version in yet.
func (p *editPage) More() []web.Option { return web.MoreLanguages(p.Page, p.Petition, p.Texts) }

func (h *petitionAdmin) editPage(c *fiber.Ctx, row models.Petition) (*editPage, error) {
	p := &editPage{Page: h.web.Page(c, "petition.edit_title", "petitions"), Petition: row, Base: showPath(row.ID)}
	var err error
	_, p.Said, err = h.petitions.Said(c.UserContext(), h.web.Actor(c), row.ID)
	p.HasPicture = row.PictureID != nil
	p.Fill(p.Page, web.PetitionFormOf(row, p.Claims, zoneOf(p.Page)))
	return p, err
}

func (h *petitionAdmin) draft(c *fiber.Ctx) (models.Petition, error) {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return models.Petition{}, err
	}
	return h.petitions.Draft(c.UserContext(), h.web.Actor(c), id)
}

func (h *petitionAdmin) edit(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	if !row.Editable() {
		return web.SeeOther(c, showPath(row.ID))
	}
	p, err := h.editPage(c, row)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/edit", p)
}

func (h *petitionAdmin) save(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	p, err := h.editPage(c, row)
	if err != nil {
		return err
	}
	f, d, err := web.BindPetition(c, zoneOf(p.Page))
	p.Fill(p.Page, f)
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/edit", p)
	} else if err != nil {
		return err
	}
	stored, err := h.petitions.Save(c.UserContext(), h.web.Actor(c), row.ID, petitions.SaveInput{Draft: d, Revision: f.Revision})
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/edit", p)
	case fault.Is(err, fault.Conflict) && stored.Editable(): // both versions are shown; saving again keeps this one
		p.Stored, p.Form.Revision = &stored, stored.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/petitions/edit", p)
	case err != nil:
		return err
	}
	switch f.Do {
	case "preview":
		return web.SeeOther(c, showPath(row.ID)+"/preview")
	case "check":
		return web.SeeOther(c, showPath(row.ID)+"/check")
	case "more":
		return web.SeeOther(c, editPath(row.ID)+"#g-facts")
	}
	h.web.Flash(c, "good", "petition.saved")
	return web.SeeOther(c, editPath(row.ID))
}

// autosave keeps what is typed; the page goes on from the revision that is answered.
func (h *petitionAdmin) autosave(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	p := h.web.Blank(c.UserContext(), "", c.Path())
	f, d, err := web.BindPetition(c, zoneOf(p))
	if err != nil {
		return err
	}
	row, err := h.petitions.Save(c.UserContext(), h.web.Actor(c), id, petitions.SaveInput{Draft: d, Revision: f.Revision})
	if err != nil {
		return err
	}
	return c.JSON(fiber.Map{"fields": fiber.Map{"revision": row.Revision}})
}

func (h *petitionAdmin) picture(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if string(c.Request().PostArgs().Peek("do")) == "remove" {
		if err := h.petitions.RemovePicture(ctx, a, row.ID); err != nil {
			return err
		}
		h.web.Flash(c, "good", "petition.picture_removed")
		return web.SeeOther(c, editPath(row.ID)+"#picture-h")
	}
	name, content, err := web.Upload(c, "picture", files.PictureMaxUpload)
	if err == nil {
		err = h.petitions.SetPicture(ctx, a, row.ID, name, bytes.NewReader(content))
	}
	p, err2 := h.editPage(c, row)
	if err2 != nil {
		return err2
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/edit", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "petition.picture_set")
	return web.SeeOther(c, editPath(row.ID)+"#picture-h")
}

func (h *petitionAdmin) showPicture(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	rc, f, err := h.petitions.DraftPicture(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	b, err := io.ReadAll(rc)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, f.ContentType)
	c.Set(fiber.HeaderCacheControl, "private, no-store")
	return c.Send(b)
}

// readPage shows a petition's text, with what can be done about it.
type readPage struct {
	web.Page
	petitions.Said
	Petition   models.Petition
	View       petitions.View
	Author     string
	Body       template.HTML
	PictureURL string
	Can        []petitions.Action
	Missing    bool
	Form       returnForm
	Reasons    []web.Option

	Waiting               petitions.Waiting // while it is submitted, for moderators
	Others                []web.Option      // to whom it can be handed
	Gone                  []petitions.Moderator
	Other                 string // who has claimed it, where the actor was warned
	MailSubject, MailText string // of the mail that sends it back
}

type returnForm struct {
	Reason   []string `form:"reason,max=40"`
	Text     string   `form:"text,max=2000,lines"`
	Revision int      `form:"revision"`
	Do       string   `form:"do,max=20"`
	Anyway   bool     `form:"anyway"` // although somebody else has claimed it
}

// others fills in who reviews a submitted petition, and who else could.
func (h *petitionAdmin) others(c *fiber.Ctx, p *readPage) error {
	a := h.web.Actor(c)
	if p.Petition.State != models.PetitionSubmitted || !a.May(actor.ModeratePetition) {
		return nil
	}
	var err error
	if p.Waiting, err = h.petitions.Review(c.UserContext(), a, p.Petition); err != nil {
		return err
	}
	people, err := h.petitions.Moderators(c.UserContext(), a)
	for _, m := range people {
		switch {
		case m.Self, p.Petition.ClaimedBy != nil && *p.Petition.ClaimedBy == m.ID:
		case m.AwayUntil != nil:
			p.Gone = append(p.Gone, m)
		default:
			p.Others = append(p.Others, web.Option{Value: m.ID.String(), Label: m.Name})
		}
	}
	return err
}

// claimed is who else has claimed the petition of a page; "" for nobody.
func (p *readPage) claimed() string {
	if p.Waiting.ClaimedBy == nil || p.Waiting.Mine {
		return ""
	}
	if p.Waiting.By == "?" {
		return p.T("moderate.somebody_gone")
	}
	return p.Waiting.By
}

// Language is a language in its own words.
func (p readPage) Language(locale string) string { return web.LanguageName(locale) }

// Change is the page on which an answer is changed, "" where the reader changes none.
func (p readPage) Change() string {
	if !p.Petition.Editable() || !p.Does("submit") {
		return ""
	}
	return editPath(p.Petition.ID)
}

// Does reports whether an action is among those that the reader can take.
func (p readPage) Does(do string) bool { return slices.Contains(p.Can, petitions.Action(do)) }

func (h *petitionAdmin) readPage(c *fiber.Ctx, row models.Petition, titleKey string) (*readPage, error) {
	a := h.web.Actor(c)
	p := &readPage{Page: h.web.Page(c, titleKey, "petitions"), Petition: row, Body: markdown.HTML(row.Body), Can: petitions.Can(a, row)}
	if row.PictureID != nil {
		p.PictureURL = showPath(row.ID) + "/picture"
	}
	for _, r := range petitions.Reasons {
		p.Reasons = append(p.Reasons, web.Option{Value: r, Label: p.T("petition.reason_" + r), Hint: p.T("moderate.reason_" + r)})
	}
	if err := h.others(c, p); err != nil {
		return nil, err
	}
	var err error
	if a.May(actor.DraftPetition) {
		if _, p.Said, err = h.petitions.Said(c.UserContext(), a, row.ID); err != nil && !fault.Is(err, fault.NotFound) {
			return p, err
		}
	}
	p.Author, err = h.petitions.AuthorName(c.UserContext(), a, row)
	return p, err
}

func (h *petitionAdmin) preview(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	v, err := h.petitions.Preview(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	p, err := h.readPage(c, v.Petition, "petition.preview_title")
	if err != nil {
		return err
	}
	p.View = v
	return h.web.Render(c, "admin/petitions/preview", p)
}

// check shows all answers before a petition is submitted, with what is missing.
func (h *petitionAdmin) check(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	row, err := h.petitions.Check(c.UserContext(), h.web.Actor(c), id)
	return h.checkPage(c, row, err, fiber.StatusOK)
}

func (h *petitionAdmin) checkPage(c *fiber.Ctx, row models.Petition, err error, status int) error {
	if _, missing := web.Invalid(err); err != nil && !missing {
		return err
	}
	p, err2 := h.readPage(c, row, "petition.check_title")
	if err2 != nil {
		return err2
	}
	p.Missing = p.Failed(err)
	return h.web.RenderStatus(c, status, "admin/petitions/check", p)
}

func (h *petitionAdmin) submit(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f returnForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	row, err := h.petitions.Submit(ctx, a, id, f.Revision)
	if _, missing := web.Invalid(err); missing {
		row, err = h.petitions.Check(ctx, a, id)
		return h.checkPage(c, row, err, fiber.StatusUnprocessableEntity)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "petition.submitted")
	return web.SeeOther(c, showPath(row.ID))
}

func (h *petitionAdmin) publish(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f returnForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if row, err := h.petitions.Get(ctx, a, id); err == nil && row.State == models.PetitionSubmitted && !f.Anyway {
		p, err := h.readPage(c, row, "petition.review_title")
		if err != nil {
			return err
		}
		if p.Other = p.claimed(); p.Other != "" { // a second press does it
			return h.web.RenderStatus(c, fiber.StatusConflict, "admin/petitions/review", p)
		}
	}
	row, err := h.petitions.Publish(ctx, a, id, f.Revision)
	if err != nil {
		return err
	}
	h.changed(row)
	h.web.Flash(c, "good", "petition.published")
	return web.SeeOther(c, showPath(id))
}

// changed makes what visitors see follow at once.
func (h *petitionAdmin) changed(p models.Petition) {
	h.web.Drop("/petitions/" + p.Slug)
	h.web.Drop("/campaigns/")
	h.web.Drop("/\x00") // the first page
}

func (h *petitionAdmin) giveBack(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	p, err := h.readPage(c, row, "petition.review_title")
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if err = web.Bind(c, &p.Form); err == nil && p.Form.Do == "change" {
		return h.web.Render(c, "admin/petitions/review", p)
	}
	in := petitions.ReturnInput{Reason: strings.Join(p.Form.Reason, ","), Text: p.Form.Text, Revision: p.Form.Revision}
	other := p.claimed()
	if send := p.Form.Do == "send" && (other == "" || p.Form.Anyway); err == nil && send {
		_, err = h.petitions.Return(ctx, a, row.ID, in)
	} else if err == nil { // the mail is shown first, and a claim of somebody else
		p.MailSubject, p.MailText, err = h.petitions.PreviewReturn(ctx, a, row.ID, in)
		if err == nil {
			p.Title, p.Other = p.T("moderate.return_title"), other
			return h.web.Render(c, "admin/petitions/return", p)
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/review", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "petition.returned")
	return web.SeeOther(c, "/admin/petitions/review")
}

func (h *petitionAdmin) steer(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	var f steerForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	do := petitions.Action(f.Do)
	row, err := h.petitions.SteerBecause(c.UserContext(), h.web.Actor(c), id, do, petitions.Because{Reason: f.Reason, Text: f.Text})
	if _, invalid := web.Invalid(err); invalid && slices.Contains(steering, do) {
		p, wrong := newSteerPage(c, h.web, h.petitions, id, do)
		if wrong != nil {
			return wrong
		}
		p.Form = f
		p.Failed(err)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/steer", p)
	}
	if err != nil {
		return err
	}
	h.changed(row)
	h.web.Flash(c, "good", "petition.did_"+f.Do)
	return web.SeeOther(c, showPath(id))
}

// reportPage is the course of a petition.
type reportPage struct {
	web.Page
	Petition models.Petition
	Report   petitions.Report
	web.Course
	Author string
	Can    []petitions.Action
	commentParts
	Shown    []petitions.QueuedComment
	Hidden   []petitions.QueuedComment
	Moderate bool
	MayPost  bool

	MayEdit bool
	Fallen  int // the count at which it closed by itself and that it has no longer
}

// Light are the actions that can be undone by another.
func (p reportPage) Light() []petitions.Action {
	return pick(p.Can, petitions.Pause, petitions.Resume, petitions.Hide, petitions.Show)
}

// Final are those that cannot.
func (p reportPage) Final() []petitions.Action {
	return pick(p.Can, petitions.Close, petitions.Withdraw)
}

func pick(can []petitions.Action, wanted ...petitions.Action) []petitions.Action {
	var out []petitions.Action
	for _, do := range can {
		if slices.Contains(wanted, do) {
			out = append(out, do)
		}
	}
	return out
}

// show is the page of one petition: the report once it is public, the review while it is submitted, else all it says.
func (h *petitionAdmin) show(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	row, err := h.petitions.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	if row.PublishedAt != nil {
		return h.report(c, id)
	}
	titleKey := "petition.read_title"
	if row.State == models.PetitionSubmitted {
		titleKey = "petition.review_title"
	}
	p, err := h.readPage(c, row, titleKey)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/review", p)
}

// live sends the numbers of a report as they change.
func (h *petitionAdmin) live(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	return h.web.LiveNumbers(c, h.petitions, id, h.web.Actor(c), h.web.Again(c))
}

func (h *petitionAdmin) report(c *fiber.Ctx, id uuid.UUID) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := reportPage{Page: h.web.Page(c, "", "petitions"), Moderate: a.May(actor.ModeratePetition)}
	r, err := h.petitions.Report(ctx, a, id, zoneOf(p.Page))
	if err != nil {
		return err
	}
	p.Report, p.Petition, p.Title, p.Can = r, r.Petition, r.Petition.Title, petitions.Can(a, r.Petition)
	p.MayPost = posts.MayPost(a, r.Petition)
	if p.Author, err = h.petitions.AuthorName(ctx, a, r.Petition); err != nil {
		return err
	}
	p.Course = web.CourseOf(p.Page, r, showPath(id)+"/live")
	p.MayEdit = petitions.MayEdit(a, r.Petition)
	p.readUndo(p.Query("undo"))
	if p.Moderate {
		if p.Fallen, err = h.petitions.ClosedByThreshold(ctx, id); err != nil {
			return err
		}
		if p.Queue, p.Waiting, err = h.petitions.CommentQueue(ctx, a, id); err != nil {
			return err
		}
		p.Comments = p.Waiting
		if p.Shown, err = h.petitions.JudgedComments(ctx, a, id, models.CommentShown); err != nil {
			return err
		}
		if p.Hidden, err = h.petitions.JudgedComments(ctx, a, id, models.CommentHidden); err != nil {
			return err
		}
	}
	return h.web.Render(c, "admin/petitions/report", &p)
}

type commentsPage struct {
	web.Page
	commentParts
}

func (h *petitionAdmin) allComments(c *fiber.Ctx) error {
	p := commentsPage{Page: h.web.Page(c, "petition.comments_title", "petitions")}
	p.readUndo(p.Query("undo"))
	var err error
	if p.Queue, p.Waiting, err = h.petitions.CommentQueue(c.UserContext(), h.web.Actor(c), uuid.Nil); err != nil {
		return err
	}
	return h.web.Render(c, "admin/petitions/comments", &p)
}

func (h *petitionAdmin) judge(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.petition_unknown")
	if err != nil {
		return err
	}
	comment, err := paramID(c, "comment", "error.not_found")
	if err != nil {
		return err
	}
	var f struct {
		Do   string `form:"do,max=10"`
		Next string `form:"next,max=200"`
		Mark string `form:"mark,max=40"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Do != "show" && f.Do != "hide" {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if f.Next == "" {
		f.Next = showPath(id)
	}
	err = h.petitions.DecideComment(ctx, a, id, comment, petitions.CommentVerdict(f.Do), f.Mark)
	if fault.Is(err, fault.Conflict) { // its new words are on the page
		h.web.Flash(c, "warn", "error.comment_changed")
		return web.SeeOther(c, commentsPath(f.Next, ""))
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, commentsPath(f.Next, packUndo(f.Do == "hide", comment)))
}
