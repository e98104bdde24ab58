package admin

import (
	"strconv"
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
	Revision   int    `form:"revision"`
	Version    string `form:"version,max=10"` // the language of the text in the form
	To         string `form:"to"`
	Segment    string `form:"segment"`
	Locale     string `form:"locale"`
	Subject    string `form:"subject,max=200"`
	Preheader  string `form:"preheader,max=200"`
	Subject2   string `form:"subject_2,max=200"`
	Preheader2 string `form:"preheader_2,max=200"`
	Subject3   string `form:"subject_3,max=200"`
	Preheader3 string `form:"preheader_3,max=200"`
	Subject4   string `form:"subject_4,max=200"`
	Preheader4 string `form:"preheader_4,max=200"`
	Body       string `form:"body,max=102400,lines"`
	Plain      string `form:"plain,max=102400,lines"`
	Switches   bool   `form:"switches"` // the form has the two below
	Neutral    bool   `form:"neutral"`
	Public     bool   `form:"public"`
	Do         string `form:"do"`
}

// Further are the subjects beside the first one, in their places.
func (f composeForm) Further() []mailings.Line {
	return []mailings.Line{
		{Subject: f.Subject2, Preheader: f.Preheader2}, {Subject: f.Subject3, Preheader: f.Preheader3}, {Subject: f.Subject4, Preheader: f.Preheader4},
	}
}

// HasFurther reports whether there are any.
func (f composeForm) HasFurther() bool {
	return f.Subject2+f.Preheader2+f.Subject3+f.Preheader3+f.Subject4+f.Preheader4 != ""
}

// fill puts a text into the form.
func (f *composeForm) fill(t mailings.Text) {
	f.Version, f.Body, f.Plain = t.Locale, t.Body, t.Plain
	to := [][2]*string{{&f.Subject, &f.Preheader}, {&f.Subject2, &f.Preheader2}, {&f.Subject3, &f.Preheader3}, {&f.Subject4, &f.Preheader4}}
	for i, l := range t.Lines[:min(len(t.Lines), len(to))] {
		*to[i][0], *to[i][1] = l.Subject, l.Preheader
	}
}

func (f composeForm) draft() mailings.Draft {
	to := readTo(f.To)
	if f.Segment != "" {
		if to.SegmentID, _ = uuid.Parse(f.Segment); to.SegmentID == uuid.Nil {
			to.SegmentID = uuid.Max // unknown
		}
	}
	return mailings.Draft{
		Revision: f.Revision, PetitionID: to.PetitionID, Newsletter: to.Newsletter, TopicID: to.TopicID, SegmentID: to.SegmentID, Locale: f.Locale,
		Version: f.Version, Subject: f.Subject, Preheader: f.Preheader, More: f.Further(), Body: f.Body, Plain: f.Plain,
		NamesCause: f.Switches && !f.Neutral, Public: f.Public,
	}
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

	Texts   []mailings.Text // in each language, the first one first
	Text    mailings.Text   // the one that is written
	Left    []web.Option    // languages that the mailing has no version in
	Screens []mailings.Line // each subject as a locked screen shows it
	Sender  string
	Plain   string // the text part
}

// Version is the language of the text that is written.
func (p composePage) Version() string { return p.Text.Locale }

// First reports whether it is the mailing's first language.
func (p composePage) First() bool { return p.Text.Locale == p.Mailing.Locale }

// Own reports whether the text is HTML that somebody brought.
func (p composePage) Own() bool { return p.Text.Format == models.FormatHTML }

// Blocks are the names of the blocks.
func (composePage) Blocks() []string { return mailings.BlockKinds() }

// Place numbers a subject beside the first one.
func (composePage) Place(i int) int { return i + 2 }

// Language is what a language is called.
func (p composePage) Language(locale string) string {
	for _, o := range p.LanguageOptions() {
		if o.Value == locale {
			return o.Label
		}
	}
	return locale
}

// Asked reports whether a second person's yes was asked for and has not come.
func (p composePage) Asked() bool { return p.Mailing.ApprovalAskedAt != nil && !p.Mailing.Approved() }

// Base is the address of the mailing's pages.
func (p composePage) Base() string { return mailingPath(p.Mailing.ID) }

// Fields lists the merge fields.
func (composePage) Fields() []string { return mailings.Fields }

// checkLine is one check in words.
type checkLine struct {
	Tone, Tag, Text string
	Path            string   // where something can be done about it
	People          []string // records of people it is about
	Approve         bool
}

// Lines are the checks in words.
func (p composePage) Lines() []checkLine {
	var out []checkLine
	for _, c := range p.Checks {
		l := checkLine{Tone: c.Tone, Tag: p.T("mailings.tone_" + c.Tone), Text: p.T(c.Key, c.Args...), Path: c.Path, Approve: c.Approve}
		if c.Locale != "" {
			l.Text = p.T("mailings.check_in", "Language", p.Language(c.Locale), "Text", l.Text)
		}
		if p.May(string(actor.SeeSupporters)) {
			for _, id := range c.People {
				l.People = append(l.People, id.String())
			}
		}
		out = append(out, l)
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
	p.Form = composeForm{Revision: m.Revision, Version: c.Query("version"), Neutral: !m.NamesCause, Public: m.Public}
	p.Form.To, p.Form.Locale = toOf(m), m.Locale
	texts, err := h.svc.Texts(c.UserContext(), a, id)
	if err != nil {
		return err
	}
	p.Form.fill(inLanguage(texts, p.Form.Version))
	if m.SegmentID != nil {
		p.Form.Segment = m.SegmentID.String()
	}
	return h.renderCompose(c, fiber.StatusOK, &p, id)
}

// inLanguage is the text in a language, the first one where there is none.
func inLanguage(texts []mailings.Text, locale string) mailings.Text {
	for _, t := range texts {
		if t.Locale == locale {
			return t
		}
	}
	return texts[0]
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
	if p.Texts, err = h.svc.Texts(ctx, a, id); err != nil {
		return err
	}
	p.Text = inLanguage(p.Texts, p.Form.Version)
	p.HasText = strings.TrimSpace(p.Text.Body) != ""
	for _, o := range p.LanguageOptions() {
		if inLanguage(p.Texts, o.Value).Locale != o.Value {
			p.Left = append(p.Left, o)
		}
	}
	if err := h.look(c, p, id, p.Text.Locale); err != nil {
		return err
	}
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
	if err == nil {
		err = h.languages(c, id, &p.Form)
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
	to := mailingPath(id)
	if m, err := h.svc.Get(ctx, a, id); err != nil {
		return err
	} else if p.Form.Version != "" && p.Form.Version != m.Locale {
		to += "?version=" + p.Form.Version
	}
	switch what, which, _ := strings.Cut(p.Form.Do, ":"); what {
	case "test":
		h.web.Flash(c, "good", "mailings.test_sent")
	case "next":
		return web.SeeOther(c, mailingPath(id)+"/send")
	case "html":
		return web.SeeOther(c, mailingPath(id)+"/html?version="+p.Form.Version)
	case "version", "add":
		return web.SeeOther(c, mailingPath(id)+"?version="+which)
	case "remove":
		h.web.Flash(c, "good", "mailings.language_removed")
		return web.SeeOther(c, mailingPath(id))
	case "look":
		return web.SeeOther(c, to+"#preview")
	default:
		h.web.Flash(c, "good", "mailings.saved")
	}
	return web.SeeOther(c, to)
}

// languages adds or takes away a version where the button says so. The version of the form is kept by then.
func (h *mailingPages) languages(c *fiber.Ctx, id uuid.UUID, f *composeForm) (err error) {
	revision := 0
	switch what, which, _ := strings.Cut(f.Do, ":"); what {
	case "add":
		revision, err = h.svc.AddLanguage(c.UserContext(), h.web.Actor(c), id, f.Revision, which)
	case "remove":
		revision, err = h.svc.RemoveLanguage(c.UserContext(), h.web.Actor(c), id, f.Revision, which)
	default:
		return nil
	}
	if err == nil {
		f.Revision = revision
	}
	return err
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
	ID       uuid.UUID
	Preview  mailings.Preview
	Name     string
	Texts    []mailings.Text
	Variant  int
	Versions []web.Link // the mail in other languages and with other subjects; without an address: this one
}

// Frame is what the addresses of the frames end with.
func (p mailingPreviewPage) Frame() string {
	return "?version=" + p.Preview.Locale + "&variant=" + strconv.Itoa(p.Variant)
}

// Base is the address of the mailing's pages.
func (p mailingPreviewPage) Base() string { return mailingPath(p.ID) }

func (h *mailingPages) preview(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := mailingPreviewPage{Page: h.web.Page(c, "mailings.preview", "mailings"), ID: id, Variant: variantOf(c)}
	m, err := h.svc.Get(ctx, a, id)
	if err != nil {
		return err
	}
	if p.Preview, err = h.svc.PreviewIn(ctx, a, id, c.Query("version"), p.Variant); err != nil {
		return err
	}
	if p.Texts, err = h.svc.Texts(ctx, a, id); err != nil {
		return err
	}
	names := composePage{Page: p.Page}
	for _, t := range p.Texts {
		for i := range t.Lines {
			l := web.Link{URL: p.Base() + "/preview?version=" + t.Locale + "&variant=" + strconv.Itoa(i), Label: names.Language(t.Locale)}
			if len(t.Lines) > 1 {
				l.Label = p.T("mailings.subject_n", "Language", l.Label, "N", i+1)
			}
			if t.Locale == p.Preview.Locale && i == p.Variant {
				l.URL = ""
			}
			p.Versions = append(p.Versions, l)
		}
	}
	p.Name = mailingName(p.Page, m)
	web.ShowFrames(c)
	return h.web.Render(c, "admin/mailings/preview", &p)
}

// variantOf is the place of the subject that an address asks for.
func variantOf(c *fiber.Ctx) int {
	n, err := strconv.Atoi(c.Query("variant"))
	if err != nil || n < 0 || n >= mailings.MaxSubjects {
		return 0
	}
	return n
}

// mail is the document of the preview's frames. A mail is light or dark as its reader's device is: here as the address says.
func (h *mailingPages) mail(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	m, err := h.svc.PreviewIn(c.UserContext(), h.web.Actor(c), id, c.Query("version"), variantOf(c))
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

// follow is what follows the form while somebody types: the checks, the locked screen and the text.
func (h *mailingPages) follow(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, mailingPath(id))
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := composePage{Page: h.web.Page(c, "mailings.write", "mailings")}
	if p.Mailing, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	if err := h.look(c, &p, id, c.Query("version")); err != nil {
		return err
	}
	if c.Query("part") == "text" {
		return h.web.RenderPart(c, "admin/mailings/compose", "text", &p)
	}
	if p.Checks, err = h.svc.LiveChecks(ctx, a, id); err != nil {
		return err
	}
	p.Stops = p.Checks.Count(mailings.Stop)
	return h.web.RenderPart(c, "admin/mailings/compose", "live", &p)
}

// look fills in how a version is seen.
func (h *mailingPages) look(c *fiber.Ctx, p *composePage, id uuid.UUID, version string) error {
	m, err := h.svc.PreviewIn(c.UserContext(), h.web.Actor(c), id, version, 0)
	if err != nil {
		return err
	}
	p.Screens, p.Sender, p.Plain = m.Screens, m.Sender, m.Text
	return nil
}
