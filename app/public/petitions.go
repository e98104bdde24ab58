package public

import (
	"context"
	"html/template"
	"io"
	"regexp"
	"slices"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/campaigns/markdown"
	"kithline/campaigns/organisation"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type petitionPages struct {
	web       *web.Web
	petitions *petitions.Service
	letters   *letters.Service
	org       *organisation.Service
	door      *confirmations.Service
	use       *Prefiller
}

// MountPetitions puts the pages of a petition in place: /petitions/:slug with its form, what comes after it, and its picture. How it
// is passed on is MountReach's.
func MountPetitions(r fiber.Router, w *web.Web, s *petitions.Service, l *letters.Service, org *organisation.Service, door *confirmations.Service, use *Prefiller) {
	h := &petitionPages{w, s, l, org, door, use}
	r.Get("/petitions/:slug", h.show)
	r.Get("/petitions/:slug/challenge", w.Limit(600, tryWindow), h.challenge)
	r.Get("/petitions/:slug/sign", func(c *fiber.Ctx) error { return web.SeeOther(c, "/petitions/"+c.Params("slug")+"#sign") })
	r.Post("/petitions/:slug/sign", h.sign)
	r.Get("/petitions/:slug/sent", h.sent)
	r.Post("/petitions/:slug/sent", w.Limit(30, tryWindow), h.again)
	mountOwn(r, h)
	r.Get("/petitions/:slug/picture", h.picture)
	r.Get("/petitions/:slug/handovers/:handover/picture", h.handoverPicture)
}

type signForm struct {
	GivenName  string `form:"given_name,max=100"`
	FamilyName string `form:"family_name,max=100"`
	Email      string `form:"email,max=254"`
	PostalCode string `form:"postal_code,max=40"`
	Comment    string `form:"comment,max=2000,lines"`
	Display    string `form:"display,max=20"`
	Role       string `form:"role,max=20"`
	By         string `form:"by,max=100"`
	Updates    bool   `form:"updates"`
	Source     string `form:"source,max=100"`
	LeaveEmpty string `form:"leave_empty,max=1000"` // no person sees it
	Proof      string `form:"altcha,max=1000"`
}

// petitionPage is the page of a petition, and the page of its form alone.
type petitionPage struct {
	web.Page
	View       petitions.View
	Form       signForm
	Body       template.HTML
	Updates    []updateView
	Letters    []letters.Campaign // of the same campaign, that take letters now
	Ending     endingView
	PictureURL string
	MinimumAge string
	Pressed    bool          // the form asks for a proof of work
	Filled     bool          // with what the reader told before
	By         string        // who started it, as they chose to be named
	Versions   []web.NavLink // in its languages, where it has several
	Newer      string        // the original, where it was changed after this version was written
}

// updateView is an update with its text ready to show.
type updateView struct {
	models.Post
	HTML template.HTML
}

func updatesOf(posts []models.Post) []updateView {
	out := make([]updateView, len(posts))
	for i, p := range posts {
		out[i] = updateView{p, markdown.HTML(p.Body)}
	}
	return out
}

var sourceCode = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

func (h *petitionPages) show(c *fiber.Ctx) error {
	slug := c.Params("slug")
	build := func(ctx context.Context, p web.Page) (petitionPage, error) {
		v, err := h.petitions.Public(ctx, slug)
		if err != nil {
			return petitionPage{}, err
		}
		versions := versionsOf(p, &v)
		p.Title = v.Petition.Title
		page := petitionPage{Page: p, View: v, Body: markdown.HTML(v.Petition.Body), Updates: updatesOf(v.Updates), PictureURL: pictureURL(v.Petition)}
		page.By, page.Versions = byline(p, v.Starters), versions
		if v.Petition.EditedAt != nil && len(versions) > 0 && versions[0].Current == "" { // a version is never changed in public
			page.Newer = versions[0].URL
		}
		page.Form.Display = string(models.DisplayAnonymous)
		if by := p.Query("by"); h.petitions.Recruiter(by) {
			page.Form.By = by
		}
		page.Pressed = h.petitions.Pressed(v.Petition)
		if s := p.Query("source"); sourceCode.MatchString(s) {
			page.Form.Source = s
		}
		if page.Ending, err = h.ending(ctx, v.Petition); err != nil {
			return page, err
		}
		if page.Letters, err = h.letters.Open(ctx, v.Petition.CampaignID, p.Lang); err != nil {
			return page, err
		}
		page.MinimumAge, err = h.minimumAge(ctx)
		return page, err
	}
	if facts, ok := h.use.Facts(c); ok { // for one reader: never kept
		page, err := build(c.UserContext(), h.web.Page(c, "", "home"))
		if err != nil {
			return err
		}
		page.Filled = true
		page.Form.GivenName, page.Form.FamilyName, page.Form.Email, page.Form.PostalCode = facts.GivenName, facts.FamilyName, facts.Email, facts.PostalCode
		return h.web.Render(c, "public/petitions/show", &page)
	}
	vary := []string{"lang"} // what is no code is as good as none, and gets no kept page of its own
	if sourceCode.MatchString(c.Query("source")) {
		vary = append(vary, "source")
	}
	if h.petitions.Recruiter(c.Query("by")) {
		vary = append(vary, "by")
	}
	return h.web.Cached(c, "public/petitions/show", "home", func(ctx context.Context, p web.Page) (any, error) { return build(ctx, p) }, vary...)
}

// versionsOf puts a petition into the language that the address asks for, or else the reader's, where it has a version in it, and
// links all of them.
func versionsOf(p web.Page, v *petitions.View) []web.NavLink {
	spoken := petitions.Spoken(v.Petition, v.Texts)
	locale := p.Lang
	if l := p.Query("lang"); slices.Contains(spoken, l) {
		locale = l
	}
	v.Petition = petitions.In(v.Petition, v.Texts, locale)
	if len(spoken) < 2 {
		return nil
	}
	out := make([]web.NavLink, len(spoken))
	for i, l := range spoken {
		out[i] = web.NavLink{URL: "/petitions/" + v.Petition.Slug + "?lang=" + l, Label: web.LanguageName(l), Lang: l}
		if l == v.Petition.Locale {
			out[i].Current = "true"
		}
	}
	return out
}

func pictureURL(p models.Petition) string {
	if p.PictureID == nil {
		return ""
	}
	return "/petitions/" + p.Slug + "/picture?v=" + p.PictureID.String()[24:]
}

func (h *petitionPages) minimumAge(ctx context.Context) (string, error) {
	o, err := h.org.Current(ctx)
	return o.MinimumAge, err
}

func (h *petitionPages) sign(c *fiber.Ctx) error {
	ctx, slug := c.UserContext(), c.Params("slug")
	p := petitionPage{Page: h.web.Page(c, "petition.sign", "home")}
	if err := web.Bind(c, &p.Form); p.Failed(err) {
		return h.signAgain(c, fiber.StatusUnprocessableEntity, &p)
	} else if err != nil {
		return err
	}
	signed, err := h.petitions.Sign(ctx, petitions.SignInput{
		Slug: slug, GivenName: p.Form.GivenName, FamilyName: p.Form.FamilyName, Email: p.Form.Email, PostalCode: p.Form.PostalCode,
		Comment: p.Form.Comment, Display: p.Form.Display, Updates: p.Form.Updates, Locale: p.Lang, Source: p.Form.Source,
		Role: p.Form.Role, By: p.Form.By, Trap: p.Form.LeaveEmpty, Proof: p.Form.Proof, ClientIP: h.web.Client(c).String(),
		ConsentText: p.T("petition.updates") + "\n" + p.T("petition.updates_hint"),
	})
	switch {
	case p.Failed(err):
		return h.signAgain(c, fiber.StatusUnprocessableEntity, &p)
	case fault.Is(err, fault.Conflict): // closed or paused while the form was open: the words stay
		p.Refuse(err)
		return h.signAgain(c, fiber.StatusConflict, &p)
	case err != nil:
		return err
	}
	mark(c, h.web, h.door, signed.ID)
	return web.SeeOther(c, "/petitions/"+slug+"/sent")
}

// challenge gives a browser something to solve before it sends the form.
func (h *petitionPages) challenge(c *fiber.Ctx) error {
	ch, err := h.petitions.Challenge(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(ch)
}

// signAgain shows the form with what was typed. The petition is read only here: a form that is right needs nothing of it.
func (h *petitionPages) signAgain(c *fiber.Ctx, status int, p *petitionPage) error {
	petition, err := h.petitions.Current(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	p.View = petitions.View{Petition: petition, Open: true}
	p.Pressed = h.petitions.Pressed(petition)
	if p.MinimumAge, err = h.minimumAge(c.UserContext()); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "public/petitions/sign", p)
}

// sentPage is what follows the form: look into your mail.
type sentPage struct {
	web.Page
	Petition models.Petition
}

func (h *petitionPages) sent(c *fiber.Ctx) error {
	petition, err := h.petitions.Current(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/petitions/sent", &sentPage{Page: h.web.Page(c, "petition.sent_title", "home"), Petition: petition})
}

func (h *petitionPages) again(c *fiber.Ctx) error {
	petition, err := h.petitions.Current(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	return mailAgain(c, h.web, h.door, "petition.sent_again", "/petitions/"+petition.Slug+"/sent")
}

func (h *petitionPages) picture(c *fiber.Ctx) error {
	rc, f, err := h.petitions.Picture(c.UserContext(), c.Params("slug"))
	if err != nil {
		return err
	}
	defer func() { _ = rc.Close() }()
	return sendPicture(c, rc, f)
}

// sendPicture answers with a stored picture, which is small: it is read whole, so that a damaged one is not sent.
func sendPicture(c *fiber.Ctx, r io.Reader, f models.File) error {
	b, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, f.ContentType)
	c.Set(fiber.HeaderCacheControl, "public, max-age=86400")
	c.Set(fiber.HeaderETag, `"`+f.SHA256[:20]+`"`)
	return c.Send(b)
}
