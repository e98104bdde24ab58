package admin

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/letters"
	"kithline/campaigns/paging"
	"kithline/models"
)

type letterAdmin struct {
	web       *web.Web
	letters   *letters.Service
	campaigns *campaigns.Service
}

// MountLetterCampaigns puts the organizer's side of letter campaigns in place: /admin/letters and below, and /admin/advocacy. What went to
// which office stands beside it.
func MountLetterCampaigns(r fiber.Router, w *web.Web, s *letters.Service, cs *campaigns.Service) {
	h := &letterAdmin{w, s, cs}
	r.Get("/admin/advocacy", w.Signed, h.advocacy)
	r.Post("/admin/advocacy", w.Signed, h.logEntry)
	r.Get("/admin/advocacy/log.csv", w.Signed, h.advocacyCSV)
	r.Post("/admin/advocacy/:id/strike", w.Signed, h.strikeEntry)
	r.Get("/admin/letters", w.Signed, h.list)
	r.Get("/admin/letters/new", w.Signed, h.newForm)
	r.Post("/admin/letters", w.Signed, h.create)
	r.Get("/admin/letters/held", w.Signed, h.held)
	r.Post("/admin/letters/held", w.Signed, h.letGo)
	r.Get("/admin/letters/held/:id/reject", w.Signed, h.beforeReject)
	r.Post("/admin/letters/held/:id/reject", w.Signed, h.turnDown)
	r.Get("/admin/letters/:id", w.Signed, h.report)
	r.Get("/admin/letters/:id/figures.csv", w.Signed, h.figures)
	r.Get("/admin/letters/:id/edit", w.Signed, h.edit)
	r.Post("/admin/letters/:id/edit", w.Signed, h.save)
	r.Get("/admin/letters/:id/targets", w.Signed, h.targets)
	r.Post("/admin/letters/:id/targets", w.Signed, h.addTarget)
	r.Post("/admin/letters/:id/targets/:target/remove", w.Signed, h.removeTarget)
	r.Get("/admin/letters/:id/points", w.Signed, h.points)
	r.Post("/admin/letters/:id/points", w.Signed, h.addPoint)
	r.Get("/admin/letters/:id/points/:point", w.Signed, h.point)
	r.Post("/admin/letters/:id/points/:point", w.Signed, h.savePoint)
	r.Post("/admin/letters/:id/points/:point/move", w.Signed, h.movePoint)
	r.Post("/admin/letters/:id/points/:point/remove", w.Signed, h.removePoint)
	r.Get("/admin/letters/:id/texts/:locale", w.Signed, h.text)
	r.Post("/admin/letters/:id/texts/:locale", w.Signed, h.saveText)
	r.Post("/admin/letters/:id/texts/:locale/remove", w.Signed, h.removeText)
	r.Get("/admin/letters/:id/check", w.Signed, h.check)
	r.Post("/admin/letters/:id/submit", w.Signed, h.submit)
	r.Post("/admin/letters/:id/publish", w.Signed, h.publish)
	r.Post("/admin/letters/:id/return", w.Signed, h.sendBack)
	r.Get("/admin/letters/:id/steer", w.Signed, h.beforeSteer)
	r.Post("/admin/letters/:id/steer", w.Signed, h.steer)
	r.Get("/admin/letters/:id/positions", w.Signed, h.positions)
	r.Post("/admin/letters/:id/positions", w.Signed, h.addPosition)
}

func letterPath(id uuid.UUID) string { return "/admin/letters/" + id.String() }

func letterID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.letters_unknown") }

// letterTone is the colour of a letter campaign's state.
func letterTone(s models.LetterCampaignState) string {
	switch s {
	case models.LettersPublished:
		return "on"
	case models.LettersPaused, models.LettersSubmitted, models.LettersReturned:
		return "warn"
	}
	return ""
}

// letterPage is what the pages of one letter campaign have in common.
type letterPage struct {
	web.Page
	Campaign letters.Campaign
}

// Base is the address of its pages.
func (p letterPage) Base() string { return letterPath(p.Campaign.ID) }

// Tone is the colour of its state.
func (p letterPage) Tone() string { return letterTone(p.Campaign.State) }

// MayChange reports whether the reader can change what it says now.
func (p letterPage) MayChange() bool { return letters.Editable(p.Actor, p.Campaign.LetterCampaign) }

// Manages reports whether the reader publishes letter campaigns.
func (p letterPage) Manages() bool { return p.May(string(actor.ManageLetters)) }

// Language is a language in its own words.
func (p letterPage) Language(locale string) string { return web.LanguageName(locale) }

// Spoken lists the languages that points can be in: the campaign's own, and those of its further texts.
func (p letterPage) Spoken() []web.Option {
	out := []web.Option{{Value: p.Campaign.OwnLocale, Label: web.LanguageName(p.Campaign.OwnLocale)}}
	for _, t := range p.Campaign.Texts {
		out = append(out, web.Option{Value: t.Locale, Label: web.LanguageName(t.Locale)})
	}
	return out
}

// More lists the languages that it can still be written in.
func (p letterPage) More() []web.Option {
	var out []web.Option
	for _, l := range letters.TextLocales {
		if l != p.Campaign.OwnLocale && letters.TextOf(p.Campaign, l).Title == "" {
			out = append(out, web.Option{Value: l, Label: web.LanguageName(l)})
		}
	}
	return out
}

// at reads the letter campaign that the address names, for somebody who may work on it.
func (h *letterAdmin) at(c *fiber.Ctx, title string) (letterPage, error) {
	id, err := letterID(c)
	if err != nil {
		return letterPage{}, err
	}
	row, err := h.letters.Draft(c.UserContext(), h.web.Actor(c), id)
	return letterPage{Page: h.web.Page(c, title, "letters"), Campaign: row}, err
}

type letterList struct {
	web.Page
	Rows paging.Page[models.LetterCampaign]
}

// Tone is the colour of a state.
func (letterList) Tone(s models.LetterCampaignState) string { return letterTone(s) }

// Path is where the title of a row leads.
func (letterList) Path(c models.LetterCampaign) string { return letterPath(c.ID) }

func (h *letterAdmin) list(c *fiber.Ctx) error {
	p := letterList{Page: h.web.Page(c, "lettercampaigns.title", "letters")}
	after, err := paging.Parse(p.Query("after"))
	if err != nil {
		return err
	}
	if p.Rows, err = h.letters.List(c.UserContext(), h.web.Actor(c), after); err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/list", &p)
}

type letterStart struct {
	web.Page
	Form      startForm
	Campaigns []web.Option
}

func (h *letterAdmin) start(c *fiber.Ctx) (*letterStart, error) {
	rows, err := h.campaigns.Choices(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return nil, err
	}
	p := &letterStart{Page: h.web.Page(c, "lettercampaigns.new", "letters")}
	p.Form.Locale = p.Lang
	p.Campaigns = []web.Option{{Value: "", Label: p.T("petition.start_campaign_new")}}
	for _, r := range rows {
		p.Campaigns = append(p.Campaigns, web.Option{Value: r.ID.String(), Label: r.Title})
	}
	return p, nil
}

func (h *letterAdmin) newForm(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/lettercampaigns/new", p)
}

func (h *letterAdmin) create(c *fiber.Ctx) error {
	p, err := h.start(c)
	if err != nil {
		return err
	}
	var made letters.Campaign
	if err = web.Bind(c, &p.Form); err == nil {
		in := letters.CreateInput{Plan: letters.Plan{Said: letters.Said{Title: p.Form.Title, Locale: p.Form.Locale, Closing: p.T("lettercampaigns.closing_default")}, AskAnswers: true}}
		if p.Form.Campaign != "" {
			if in.CampaignID, err = uuid.Parse(p.Form.Campaign); err != nil {
				return fault.New(fault.NotFound, "error.campaign_unknown")
			}
		}
		made, err = h.letters.Create(c.UserContext(), h.web.Actor(c), in)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/lettercampaigns/new", p)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, letterPath(made.ID)+"/edit")
}

// saidForm is what a letter campaign says in one language.
type saidForm struct {
	Title    string `form:"title,max=80"`
	Summary  string `form:"summary_text,max=300,lines"`
	Body     string `form:"body,max=10000,lines"`
	Ask      string `form:"ask,max=300"`
	Subject  string `form:"subject,max=120"`
	Prompt   string `form:"prompt,max=300"`
	Opening  string `form:"opening,max=600,lines"`
	Closing  string `form:"closing,max=60"`
	Revision int    `form:"revision"`
}

func saidFormOf(s letters.Said, revision int) saidForm {
	return saidForm{s.Title, s.Summary, s.Body, s.Ask, s.Subject, s.Prompt, s.Opening, s.Closing, revision}
}

func (f saidForm) said(locale string) letters.Said {
	return letters.Said{Title: f.Title, Summary: f.Summary, Body: f.Body, Ask: f.Ask, Subject: f.Subject, Prompt: f.Prompt, Opening: f.Opening, Closing: f.Closing, Locale: locale}
}

// letterForm are the settings of a letter campaign, beside what it says.
type letterForm struct {
	Bill          string   `form:"bill,max=40"`
	Position      string   `form:"position,max=20"`
	MinOwnWords   string   `form:"min_own_words,max=10"`
	Locale        string   `form:"locale,max=20"`
	Opens         string   `form:"opens,max=20"`
	Closes        string   `form:"closes,max=20"`
	MaxLetters    string   `form:"max_letters,max=10"`
	MaxRecipients string   `form:"max_recipients,max=10"`
	HourlyCap     string   `form:"hourly_cap,max=10"`
	Digest        bool     `form:"digest"`
	AskAnswers    bool     `form:"ask_answers"`
	Positions     bool     `form:"positions"`
	Minutes       string   `form:"minutes,max=10"`
	Energy        string   `form:"energy,max=2"`
	Demands       []string `form:"demands,max=20"`
	Do            string   `form:"do,max=20"`
}

// unset writes a number that may not be known yet.
func unset(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func letterFormOf(d letters.Plan, zone *time.Location) letterForm {
	f := letterForm{
		Bill: d.Bill, Position: string(d.Position), MinOwnWords: unset(d.MinOwnWords), Locale: d.Locale, MaxLetters: unset(d.MaxLetters), MaxRecipients: unset(d.MaxRecipients),
		HourlyCap: unset(d.HourlyCap), Digest: d.Digest, AskAnswers: d.AskAnswers, Positions: d.Positions, Minutes: unset(d.Minutes), Energy: unset(d.Energy), Demands: d.Demands,
	}
	if d.OpensAt != nil {
		f.Opens = d.OpensAt.In(zone).Format(time.DateOnly)
	}
	if d.ClosesAt != nil { // the last day is the one before the moment at which it is over
		f.Closes = d.ClosesAt.In(zone).Add(-time.Second).Format(time.DateOnly)
	}
	return f
}

// plan reads the settings. Days are those of zone; the last day is in the window.
func (f letterForm) plan(said letters.Said, zone *time.Location, bad *fault.Fields) letters.Plan {
	d := letters.Plan{
		Said: said, Bill: f.Bill, Position: models.Stance(f.Position), MinOwnWords: typedNumber(f.MinOwnWords), MaxLetters: typedNumber(f.MaxLetters),
		MaxRecipients: typedNumber(f.MaxRecipients), HourlyCap: typedNumber(f.HourlyCap), Digest: f.Digest, AskAnswers: f.AskAnswers, Positions: f.Positions,
		Minutes: typedNumber(f.Minutes), Energy: typedNumber(f.Energy), Demands: f.Demands,
	}
	d.Locale = f.Locale
	day := func(name, v string, add int) *time.Time {
		if v == "" {
			return nil
		}
		t, err := time.ParseInLocation(time.DateOnly, v, zone)
		if err != nil {
			bad.Add(name, "error.letters_day")
			return nil
		}
		t = t.AddDate(0, 0, add).UTC()
		return &t
	}
	d.OpensAt, d.ClosesAt = day("opens", f.Opens, 0), day("closes", f.Closes, 1)
	return d
}

type letterEdit struct {
	letterPage
	Said   saidForm
	Form   letterForm
	Stored *letters.Campaign // what another page saved in the meantime
}

// Stances are what the campaign can want.
func (p letterEdit) Stances() []web.Option {
	var out []web.Option
	for _, s := range letters.Stances {
		out = append(out, web.Option{Value: string(s), Label: p.T("lettercampaigns.stance_" + string(s))})
	}
	return out
}

// Energies are the choices of how much energy a letter takes.
func (p letterEdit) Energies() []web.Option {
	out := []web.Option{{Label: p.T("lettercampaigns.energy_choose")}}
	for n := 1; n <= 5; n++ {
		out = append(out, web.Option{Value: strconv.Itoa(n), Label: p.T("lettercampaigns.energy_" + strconv.Itoa(n))})
	}
	return out
}

// DemandOptions are what a letter can ask of somebody.
func (p letterEdit) DemandOptions() []web.Option {
	var out []web.Option
	for _, d := range letters.Demands {
		out = append(out, web.Option{Value: d, Label: p.T("effort." + d)})
	}
	return out
}

func (h *letterAdmin) edit(c *fiber.Ctx) error {
	base, err := h.at(c, "lettercampaigns.edit")
	if err != nil {
		return err
	}
	if !base.MayChange() {
		return web.SeeOther(c, base.Base())
	}
	d := letters.PlanOf(base.Campaign.LetterCampaign)
	p := letterEdit{letterPage: base, Said: saidFormOf(d.Said, base.Campaign.Revision), Form: letterFormOf(d, zoneOf(base.Page))}
	return h.web.Render(c, "admin/lettercampaigns/edit", &p)
}

func (h *letterAdmin) save(c *fiber.Ctx) error {
	base, err := h.at(c, "lettercampaigns.edit")
	if err != nil {
		return err
	}
	p := letterEdit{letterPage: base}
	var stored letters.Campaign
	if err = gather(web.Bind(c, &p.Said), web.Bind(c, &p.Form)); err == nil {
		var bad fault.Fields
		d := p.Form.plan(p.Said.said(p.Form.Locale), zoneOf(p.Page), &bad)
		if err = bad.Err(); err == nil {
			stored, err = h.letters.Save(c.UserContext(), h.web.Actor(c), base.Campaign.ID, letters.SaveInput{Plan: d, Revision: p.Said.Revision})
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/lettercampaigns/edit", &p)
	case fault.Is(err, fault.Conflict) && letters.Editable(p.Actor, stored.LetterCampaign): // what was typed stays; saving again keeps this one
		p.Stored, p.Said.Revision = &stored, stored.Revision
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/lettercampaigns/edit", &p)
	case err != nil:
		return err
	}
	if p.Form.Do == "targets" {
		return web.SeeOther(c, p.Base()+"/targets")
	}
	h.web.Flash(c, "good", "lettercampaigns.saved")
	return web.SeeOther(c, p.Base()+"/edit")
}

// gather makes one error of what is wrong with two parts of a form.
func gather(a, b error) error {
	x, wrongA := web.Invalid(a)
	y, wrongB := web.Invalid(b)
	switch {
	case wrongA && wrongB:
		return append(append(fault.Fields{}, x.Fields...), y.Fields...).Err()
	case a != nil:
		return a
	}
	return b
}

type letterText struct {
	letterPage
	Said saidForm
	In   string // the language
}

// There reports whether there is something to take away.
func (p letterText) There() bool { return letters.TextOf(p.Campaign, p.In).Title != "" }

func (h *letterAdmin) textAt(c *fiber.Ctx) (letterText, error) {
	base, err := h.at(c, "lettercampaigns.text")
	p := letterText{letterPage: base, In: c.Params("locale")}
	if err == nil && (p.In == base.Campaign.OwnLocale || web.LanguageName(p.In) == "") {
		err = fault.New(fault.NotFound, "error.letters_unknown")
	}
	return p, err
}

func (h *letterAdmin) text(c *fiber.Ctx) error {
	p, err := h.textAt(c)
	if err != nil {
		return err
	}
	p.Said = saidFormOf(letters.TextOf(p.Campaign, p.In), p.Campaign.Revision)
	return h.web.Render(c, "admin/lettercampaigns/text", &p)
}

func (h *letterAdmin) saveText(c *fiber.Ctx) error {
	p, err := h.textAt(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Said); err == nil {
		_, err = h.letters.SaveText(c.UserContext(), h.web.Actor(c), p.Campaign.ID, letters.TextInput{Said: p.Said.said(p.In), Revision: p.Said.Revision})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/lettercampaigns/text", &p)
	} else if err != nil {
		return h.changed(err, &p.Page, func() error {
			p.Said.Revision = p.Campaign.Revision
			return h.web.RenderStatus(c, fiber.StatusConflict, "admin/lettercampaigns/text", &p)
		})
	}
	h.web.Flash(c, "good", "lettercampaigns.saved")
	return web.SeeOther(c, p.Base()+"/edit")
}

// changed shows the form again where another page changed the campaign since: what was typed stays, and goes in with the next press.
func (h *letterAdmin) changed(err error, p *web.Page, again func() error) error {
	if !fault.Is(err, fault.Conflict) {
		return err
	}
	p.Refuse(err)
	return again()
}

type revisionForm struct {
	Revision int `form:"revision"`
}

func (h *letterAdmin) removeText(c *fiber.Ctx) error {
	p, err := h.textAt(c)
	if err != nil {
		return err
	}
	var f revisionForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if _, err := h.letters.RemoveText(c.UserContext(), h.web.Actor(c), p.Campaign.ID, p.In, f.Revision); err != nil {
		return err
	}
	h.web.Flash(c, "good", "lettercampaigns.text_removed")
	return web.SeeOther(c, p.Base()+"/edit")
}
