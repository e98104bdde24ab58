package admin

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// Mail is what the pages about mail need beside the settings.
type Mail struct {
	// Test sends a test mail to an address by a mail server, for real; by the one that is in effect for the zero SMTP. Its
	// error is an Invalid fault with a key such as smtp.unreachable, and what the key's words need.
	Test func(ctx context.Context, s organisation.SMTP, to string) error
	// Fixed reports whether the server's environment names the mail server, so that the page cannot. May be nil.
	Fixed func() bool
}

func (m Mail) fixed() bool { return m.Fixed != nil && m.Fixed() }

// testTime is how long a test mail may take: less than a request has.
const testTime = 20 * time.Second

// orgForm is the form about the organisation, in setup and in the settings.
type orgForm struct {
	Name          string   `form:"name,max=120"`
	ShortName     string   `form:"short_name,max=40"`
	LegalName     string   `form:"legal_name,max=200"`
	PostalAddress string   `form:"postal_address,max=500,lines"`
	Phone         string   `form:"phone,max=60"`
	FromName      string   `form:"from_name,max=60"`
	FromAddress   string   `form:"from_address,max=254"`
	ReplyTo       string   `form:"reply_to,max=254"`
	TimeZone      string   `form:"time_zone,max=60"`
	Languages     []string `form:"languages,max=10"`
	First         string   `form:"first_language,max=10"`
	Accent        string   `form:"accent,max=10"`
	CrisisLine    string   `form:"crisis_line,max=300"`
	MinimumAge    string   `form:"minimum_age,max=300"`
}

func orgFormOf(o models.Organisation) orgForm {
	d := organisation.DetailsOf(o)
	return orgForm{
		Name: d.Name, ShortName: d.ShortName, LegalName: d.LegalName, PostalAddress: d.PostalAddress, Phone: d.Phone,
		FromName: d.FromName, FromAddress: d.FromAddress, ReplyTo: d.ReplyTo, TimeZone: d.TimeZone, Languages: d.Languages,
		First: d.Languages[0], Accent: d.Accent, CrisisLine: d.CrisisLine, MinimumAge: d.MinimumAge,
	}
}

func (f orgForm) details() organisation.Details {
	langs := slices.Clone(f.Languages)
	if i := slices.Index(langs, f.First); i > 0 {
		langs = append([]string{f.First}, slices.Delete(langs, i, i+1)...)
	}
	return organisation.Details{
		Name: f.Name, ShortName: f.ShortName, LegalName: f.LegalName, PostalAddress: f.PostalAddress, Phone: f.Phone,
		FromName: f.FromName, FromAddress: f.FromAddress, ReplyTo: f.ReplyTo, TimeZone: f.TimeZone, Languages: langs,
		Accent: f.Accent, CrisisLine: f.CrisisLine, MinimumAge: f.MinimumAge,
	}
}

// orgFields is what the partial "organisation_fields" shows.
type orgFields struct {
	web.Page
	Form  orgForm
	Langs []web.Option
	Zones []string
}

// zones are offered while one types; every name of the IANA database is taken.
var zones = web.Zones

func newOrgFields(p web.Page, f orgForm) orgFields {
	out := orgFields{Page: p, Form: f, Zones: zones}
	for _, l := range locales.Languages {
		out.Langs = append(out.Langs, web.Option{Value: l, Label: p.T("settings.language_" + l)})
	}
	return out
}

// mailForm is the form about the mail server.
type mailForm struct {
	Host     string `form:"smtp_host,max=253"`
	Port     string `form:"smtp_port,max=6"`
	TLS      string `form:"smtp_tls,max=10"`
	Username string `form:"smtp_username,max=254"`
	Password string `form:"smtp_password,max=500,raw"`
	To       string `form:"to,max=254"`
	Do       string `form:"do,max=10"` // save, test or skip
}

func mailFormOf(o models.Organisation) mailForm {
	f := mailForm{Host: o.SMTPHost, TLS: o.SMTPTLS, Username: o.SMTPUsername, To: o.ReplyTo}
	if o.SMTPPort > 0 {
		f.Port = strconv.Itoa(o.SMTPPort)
	}
	return f
}

func (f mailForm) smtp() (organisation.SMTP, error) {
	s := organisation.SMTP{Host: f.Host, TLS: f.TLS, Username: f.Username, Password: f.Password}
	if f.Port != "" {
		n, err := strconv.Atoi(f.Port)
		if err != nil || n < 1 {
			var bad fault.Fields
			bad.Add("smtp_port", "error.smtp_port")
			return s, bad.Err()
		}
		s.Port = n
	}
	return s, nil
}

// mailFields is what the partial "mail_fields" shows.
type mailFields struct {
	web.Page
	Form        mailForm
	HasPassword bool
	Fixed       bool
}

// saveMail stores the mail server and, where the form asks for it, sends a test mail by it. sent says that one went out.
func saveMail(c *fiber.Ctx, a actor.Actor, org *organisation.Service, m Mail, f mailForm) (sent bool, err error) {
	ctx := c.UserContext()
	var used organisation.SMTP
	if f.Do == "test" {
		if f.To, _, err = address.CanonicalAddress(f.To); err != nil {
			var bad fault.Fields
			bad.Add("to", address.Key(err))
			return false, bad.Err()
		}
	}
	if !m.fixed() {
		in, err := f.smtp()
		if err != nil {
			return false, err
		}
		if in.Host == "" && f.Do == "test" {
			var bad fault.Fields
			bad.Add("smtp_host", "error.smtp_host_missing")
			return false, bad.Err()
		}
		if err := org.UpdateSMTP(ctx, a, in); err != nil {
			return false, err
		}
		if used, err = org.SMTP(ctx); err != nil {
			return false, err
		}
	} else if err := a.Need(actor.Administer); err != nil {
		return false, err
	}
	if f.Do != "test" {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	return true, m.Test(ctx, used, f.To)
}

// textForm is the form about the texts that an organisation may put in its own words.
type textForm struct {
	PrivacyEN       string `form:"privacy_en,max=40000,lines"`
	PrivacyES       string `form:"privacy_es,max=40000,lines"`
	AccessibilityEN string `form:"accessibility_en,max=40000,lines"`
	AccessibilityES string `form:"accessibility_es,max=40000,lines"`
}

func (f *textForm) at(name, lang string) *string {
	return map[string]*string{
		"privacy_en": &f.PrivacyEN, "privacy_es": &f.PrivacyES, "accessibility_en": &f.AccessibilityEN, "accessibility_es": &f.AccessibilityES,
	}[name+"_"+lang]
}

// textField is one text of the form.
type textField struct{ Field, Lang, Label, Value string }

// textFields is what the partial "text_fields" shows.
type textFields struct {
	web.Page
	Texts []textField
}

// loadTexts reads the texts of the organisation's languages into a form.
func loadTexts(ctx context.Context, org *organisation.Service, o models.Organisation) (f textForm, err error) {
	for _, name := range organisation.TextNames {
		for _, lang := range organisation.Spoken(o) {
			if *f.at(name, lang), err = org.RawText(ctx, name, lang); err != nil {
				return f, err
			}
		}
	}
	return f, nil
}

func newTextFields(p web.Page, o models.Organisation, f textForm) textFields {
	out := textFields{Page: p}
	for _, name := range organisation.TextNames {
		for _, lang := range organisation.Spoken(o) {
			label := p.T("settings.text_label", "Text", p.T("settings.text_"+name), "Language", p.T("settings.language_"+lang))
			out.Texts = append(out.Texts, textField{name + "_" + lang, lang, label, *f.at(name, lang)})
		}
	}
	return out
}

// saveTexts stores the texts of the organisation's languages.
func saveTexts(ctx context.Context, w *web.Web, a actor.Actor, org *organisation.Service, o models.Organisation, f textForm) error {
	for _, name := range organisation.TextNames {
		for _, lang := range organisation.Spoken(o) {
			if err := org.SetText(ctx, a, name, lang, *f.at(name, lang)); err != nil {
				return err
			}
		}
		w.Drop("/" + name)
	}
	return nil
}

type settings struct {
	web  *web.Web
	org  *organisation.Service
	mail Mail
}

// MountSettings puts the owner's settings in place: /admin/settings, /admin/settings/mail, /admin/settings/texts.
func MountSettings(r fiber.Router, w *web.Web, org *organisation.Service, m Mail) {
	h := &settings{w, org, m}
	r.Get("/admin/settings", w.Signed, h.organisation)
	r.Post("/admin/settings", w.Signed, h.saveOrganisation)
	r.Get("/admin/settings/mail", w.Signed, h.mailServer)
	r.Post("/admin/settings/mail", w.Signed, h.saveMailServer)
	r.Get("/admin/settings/texts", w.Signed, h.texts)
	r.Post("/admin/settings/texts", w.Signed, h.saveTexts)
}

// begin checks the right before anything is shown and returns the organisation as it is.
func (h *settings) begin(c *fiber.Ctx) (models.Organisation, error) {
	if err := h.web.Actor(c).Need(actor.Administer); err != nil {
		return models.Organisation{}, err
	}
	return h.org.Current(c.UserContext())
}

func (h *settings) organisation(c *fiber.Ctx) error {
	o, err := h.begin(c)
	if err != nil {
		return err
	}
	p := newOrgFields(h.web.Page(c, "settings.title", "settings"), orgFormOf(o))
	return h.web.Render(c, "admin/settings/organisation", &p)
}

func (h *settings) saveOrganisation(c *fiber.Ctx) error {
	if _, err := h.begin(c); err != nil {
		return err
	}
	p := newOrgFields(h.web.Page(c, "settings.title", "settings"), orgForm{})
	err := web.Bind(c, &p.Form)
	if err == nil {
		err = h.org.Update(c.UserContext(), h.web.Actor(c), p.Form.details())
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, 422, "admin/settings/organisation", &p)
	} else if err != nil {
		return err
	}
	h.web.Drop("/")
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings")
}

func (h *settings) mailServer(c *fiber.Ctx) error {
	o, err := h.begin(c)
	if err != nil {
		return err
	}
	p := mailFields{Page: h.web.Page(c, "settings.title", "settings"), Form: mailFormOf(o), HasPassword: len(o.SMTPPasswordSealed) > 0, Fixed: h.mail.fixed()}
	return h.web.Render(c, "admin/settings/mail", &p)
}

func (h *settings) saveMailServer(c *fiber.Ctx) error {
	o, err := h.begin(c)
	if err != nil {
		return err
	}
	p := mailFields{Page: h.web.Page(c, "settings.title", "settings"), HasPassword: len(o.SMTPPasswordSealed) > 0, Fixed: h.mail.fixed()}
	sent := false
	if err = web.Bind(c, &p.Form); err == nil {
		sent, err = saveMail(c, h.web.Actor(c), h.org, h.mail, p.Form)
	}
	if p.Failed(err) {
		p.HasPassword = p.HasPassword || sent // it was saved before the test
		return h.web.RenderStatus(c, 422, "admin/settings/mail", &p)
	} else if err != nil {
		return err
	}
	if sent {
		h.web.Flash(c, "good", "settings.test_sent")
	} else {
		h.web.Flash(c, "good", "settings.saved")
	}
	return web.SeeOther(c, "/admin/settings/mail")
}

func (h *settings) texts(c *fiber.Ctx) error {
	o, err := h.begin(c)
	if err != nil {
		return err
	}
	f, err := loadTexts(c.UserContext(), h.org, o)
	if err != nil {
		return err
	}
	p := newTextFields(h.web.Page(c, "settings.title", "settings"), o, f)
	return h.web.Render(c, "admin/settings/texts", &p)
}

func (h *settings) saveTexts(c *fiber.Ctx) error {
	o, err := h.begin(c)
	if err != nil {
		return err
	}
	page := h.web.Page(c, "settings.title", "settings")
	var f textForm
	if err = web.Bind(c, &f); err == nil {
		err = saveTexts(c.UserContext(), h.web, h.web.Actor(c), h.org, o, f)
	}
	if page.Failed(err) {
		p := newTextFields(page, o, f)
		return h.web.RenderStatus(c, 422, "admin/settings/texts", &p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/settings/texts")
}
