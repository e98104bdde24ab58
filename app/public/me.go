package public

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/consents"
	"kithline/campaigns/erasures"
	"kithline/campaigns/fault"
	"kithline/campaigns/me"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type mePages struct {
	web *web.Web
	me  *me.Service
	use *Prefiller
}

// MountMe puts the person's own page in place: /me asks for the link, /me/:token is the page, and /me/download/:token and
// /me/erase/:token are where the second links lead.
func MountMe(r fiber.Router, w *web.Web, s *me.Service, use *Prefiller) {
	h := &mePages{w, s, use}
	r.Get("/me", h.ask)
	r.Post("/me", h.send)
	r.Get("/me/sent", h.sent)
	r.Post("/me/forget", h.forget)
	r.Get("/me/download/:token", h.downloading)
	r.Post("/me/download/:token", w.Limit(30, tryWindow), h.download)
	r.Get("/me/erase/:token", h.erasing)
	r.Post("/me/erase/:token", h.erase)
	r.Get("/me/:token", h.show)
	r.Get("/me/:token/details", h.details)
	r.Post("/me/:token/details", h.save)
	r.Post("/me/:token/districts", h.districts)
	r.Post("/me/:token/undo", h.undo)
	r.Post("/me/:token/stop", h.stop)
	r.Post("/me/:token/again", h.again)
	r.Post("/me/:token/topics", h.topics)
	r.Post("/me/:token/pause", h.pause)
	r.Post("/me/:token/resume", h.resume)
	r.Post("/me/:token/use", h.fill)
	r.Post("/me/:token/download", h.askDownload)
	r.Post("/me/:token/erase", h.askErase)
}

// private keeps an answer out of every store and search engine.
func private(c *fiber.Ctx) {
	c.Set(fiber.HeaderCacheControl, "no-store, private")
	c.Set("X-Robots-Tag", "noindex, nofollow")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
}

type askForm struct {
	Email string `form:"email,max=254"`
}

type askPage struct {
	web.Page
	Form askForm
}

func (h *mePages) ask(c *fiber.Ctx) error {
	return h.web.Render(c, "public/me/ask", &askPage{Page: h.web.Page(c, "me.ask_title", "me")})
}

func (h *mePages) send(c *fiber.Ctx) error {
	p := askPage{Page: h.web.Page(c, "me.ask_title", "me")}
	err := web.Bind(c, &p.Form)
	if err == nil {
		err = h.me.Ask(c.UserContext(), h.web.ClientNet(c).String(), p.Form.Email)
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/me/ask", &p)
	case fault.Is(err, fault.TooMany):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusTooManyRequests, "public/me/ask", &p)
	case err != nil:
		return err
	}
	return web.SeeOther(c, "/me/sent")
}

func (h *mePages) sent(c *fiber.Ctx) error {
	return h.web.Render(c, "public/me/sent", &askPage{Page: h.web.Page(c, "me.sent_title", "me")})
}

// mePage is the page.
type mePage struct {
	web.Page
	Token string
	me.View
	Until    string // of the form that pauses
	Day      string
	Chosen   []string // topics
	DeviceOn bool     // forms of this browser are filled in
}

// PauseOptions are how long a pause may last.
func (p *mePage) PauseOptions() []web.Option {
	var out []web.Option
	for _, o := range []string{"week", "month", "quarter", "day", "told"} {
		out = append(out, web.Option{Value: o, Label: p.T("me.pause_" + o)})
	}
	return out
}

// TopicOptions are the boxes of the newsletter, in their exact words.
func (p *mePage) TopicOptions() []web.Option { return boxOptions(p.Offered) }

func boxOptions(boxes []consents.Box) []web.Option {
	out := make([]web.Option, len(boxes))
	for i, b := range boxes {
		out[i] = web.Option{Value: b.Value, Label: b.Label(), Hint: b.Hint()}
	}
	return out
}

// itemView is an item with the page that it stands on.
type itemView struct {
	me.Item
	Page *mePage
}

// Item is for the template of an item.
func (p *mePage) Item(i me.Item) itemView { return itemView{i, p} }

// PausedText says until when mail rests.
func (p *mePage) PausedText() string {
	if p.UntilTold {
		return p.T("me.paused_told")
	}
	return p.T("me.paused_until", "Date", p.Date(p.PausedUntil))
}

// JustEnded are the consents that can be taken back in one step, LongEnded all others that ended.
func (p *mePage) JustEnded() []me.Consent { return p.ended(true) }

// LongEnded is the rest of JustEnded.
func (p *mePage) LongEnded() []me.Consent { return p.ended(false) }

func (p *mePage) ended(undo bool) (out []me.Consent) {
	for _, c := range p.Ended {
		if c.Undo == undo {
			out = append(out, c)
		}
	}
	return out
}

// Answer is what was said to a custom field, in words.
func (p *mePage) Answer(a me.Answer) string {
	if a.Field.Kind == models.FieldYesNo {
		return p.T("me." + a.Value)
	}
	return a.Value
}

// Purpose says what a consent is for.
func (p *mePage) Purpose(c me.Consent) string {
	if c.About == "" {
		return p.T("me.purpose_" + string(c.Purpose))
	}
	return p.T("me.purpose_"+string(c.Purpose)+"_about", "About", c.About)
}

// Given says when and how a consent was given.
func (p *mePage) Given(c me.Consent) string {
	s := p.T("me.given", "Date", p.Date(c.GivenAt), "How", p.T("me.how_"+string(c.How)))
	if strings.HasPrefix(c.Source, "/") && c.Source != "/me" {
		s += " " + p.T("me.given_page", "Page", c.Source)
	}
	if c.Address != "" {
		s += " " + p.T("me.given_address", "Address", c.Address)
	}
	return s
}

// Mail says what a mail was.
func (p *mePage) Mail(m me.Sent) string {
	if m.Subject != "" {
		return p.T("me.mail_subject", "Subject", m.Subject)
	}
	return p.T(me.MailKey(m.Kind))
}

// Frequent says how often mail for many comes.
func (p *mePage) Frequent() string { return p.T(frequencyKey(p.Details.Frequency)) }

func frequencyKey(f string) string { return "me.frequency_" + cmp.Or(f, "any") }

// Language is the person's own, in its own name.
func (p *mePage) Language() string {
	for _, o := range p.LanguageOptions() {
		if o.Value == p.Details.Locale {
			return o.Label
		}
	}
	return ""
}

// Lives is where the person lives, on one line.
func (p *mePage) Lives() string {
	var parts []string
	for _, s := range []string{p.Details.Street, strings.TrimSpace(p.Details.PostalCode + " " + p.Details.City), p.Details.Region, countryName(p.Lang, p.Details.Country)} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ", ")
}

// district is one question about where the person lives.
type district struct {
	me.District
	Title   string
	Options []web.Option
	Picked  string
}

// Asked are the questions about districts.
func (p *mePage) Asked() []district {
	out := make([]district, len(p.Districts))
	for i, d := range p.Districts {
		out[i] = district{District: d, Title: p.T(kindKey(d.Kind))}
		if d.Chosen != uuid.Nil {
			out[i].Picked = d.Chosen.String()
		}
		for _, o := range d.Options {
			out[i].Options = append(out[i].Options, web.Option{Value: o.ID.String(), Label: o.Name})
		}
	}
	return out
}

// Name is the district that is noted.
func (d district) Name() string {
	for _, o := range d.Options {
		if o.Value == d.Picked {
			return o.Label
		}
	}
	return ""
}

// WithNone are the options with one for who does not know.
func (d district) WithNone(words string) []web.Option {
	return append([]web.Option{{Value: "", Label: words}}, d.Options...)
}

func kindKey(k models.DivisionKind) string {
	switch k {
	case models.DivisionCongress, models.DivisionUpper, models.DivisionLower, models.DivisionConstituency:
		return "me.district_" + string(k)
	}
	return "me.district_other"
}

// page reads the page of a link; done says that the answer was given instead.
func (h *mePages) page(c *fiber.Ctx, title string) (p *mePage, err error) {
	private(c)
	p = &mePage{Page: h.web.Page(c, title, "me"), Token: c.Params("token"), Until: "week", Chosen: []string{}}
	p.View, err = h.me.Show(c.UserContext(), p.Token, p.Lang)
	if _, ok := h.use.Facts(c); ok {
		p.DeviceOn = true
	}
	return p, err
}

func (h *mePages) show(c *fiber.Ctx) error {
	p, err := h.page(c, "me.title")
	if err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/me/show", p)
}

// overPage says why a link does nothing, and how to get another.
type overPage struct {
	web.Page
	Text  string
	Token string // of the page, where the link is good and only its button was too late
}

// over answers a link that is unknown or over, and what its buttons could not do because things changed meanwhile.
func (h *mePages) over(c *fiber.Ctx, err error) error {
	private(c)
	status := fiber.StatusGone
	p := overPage{Page: h.web.Page(c, "me.over_title", "me")}
	p.Text = p.Says(err)
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	case fault.Conflict:
		status = fiber.StatusConflict
	case fault.TooMany:
		status = fiber.StatusTooManyRequests
	default:
		return err
	}
	p.Path = "/me" // links of this page lead to a page, not to where a form went
	if h.me.Good(c.UserContext(), c.Params("token")) {
		p.Token, p.Title = c.Params("token"), p.T("me.late_title")
		p.Path += "/" + p.Token
	}
	return h.web.RenderStatus(c, status, "public/me/over", &p)
}

// done answers a button that worked: back to its part of the page, with what happened.
func (h *mePages) done(c *fiber.Ctx, err error, part, key string) error {
	if err != nil {
		return h.over(c, err)
	}
	private(c)
	h.web.Flash(c, "good", key)
	return web.SeeOther(c, "/me/"+c.Params("token")+"#"+part)
}

// wrong shows the page again with what is wrong, and everything that was typed.
func (h *mePages) wrong(c *fiber.Ctx, err error, typed func(p *mePage)) error {
	p, again := h.page(c, "me.title")
	if again != nil {
		return h.over(c, again)
	}
	p.Failed(err)
	p.Path = "/me/" + p.Token // links of this page lead to a page, not to where its form went
	typed(p)
	return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/me/show", p)
}

type itemForm struct {
	Kind string    `form:"kind,max=40"`
	ID   uuid.UUID `form:"id"`
	Back bool      `form:"back"`
}

// item reads a button's form. One that was put together by hand is about nothing.
func item(c *fiber.Ctx) (itemForm, error) {
	var f itemForm
	if err := web.Bind(c, &f); err != nil {
		return f, fault.Because(err, fault.NotFound, "error.me_item_unknown")
	}
	return f, nil
}

func (h *mePages) undo(c *fiber.Ctx) error {
	f, err := item(c)
	drop := ""
	if err == nil {
		drop, err = h.me.TakeBack(c.UserContext(), c.Params("token"), f.Kind, f.ID, f.Back)
	}
	if err == nil && drop != "" {
		h.web.Drop(drop)
	}
	key := "me.taken_back"
	if f.Back {
		key = "me.put_back_done"
	}
	return h.done(c, err, "did", key)
}

func (h *mePages) stop(c *fiber.Ctx) error {
	f, err := item(c)
	if err == nil {
		err = h.me.Stop(c.UserContext(), c.Params("token"), f.ID)
	}
	return h.done(c, err, "agreed", "me.stopped")
}

func (h *mePages) again(c *fiber.Ctx) error {
	f, err := item(c)
	if err == nil {
		err = h.me.Again(c.UserContext(), c.Params("token"), f.ID)
	}
	return h.done(c, err, "agreed", "me.again_done")
}

type topicsForm struct {
	Topics []string `form:"topic,max=200"`
}

func (h *mePages) topics(c *fiber.Ctx) error {
	var f topicsForm
	err := web.Bind(c, &f)
	if err == nil {
		lang := h.web.Page(c, "", "me").Lang
		err = h.me.Choose(c.UserContext(), c.Params("token"), lang, f.Topics)
	}
	if _, bad := web.Invalid(err); bad {
		return h.wrong(c, err, func(p *mePage) { p.Chosen = append([]string{}, f.Topics...) })
	}
	return h.done(c, err, "agreed", "me.topics_done")
}

type pauseForm struct {
	Until string `form:"until,max=20"`
	Day   string `form:"day,max=40"`
}

func (h *mePages) pause(c *fiber.Ctx) error {
	var f pauseForm
	err := web.Bind(c, &f)
	if err == nil {
		var until time.Time
		if until, err = h.until(c, f); err == nil {
			err = h.me.Pause(c.UserContext(), c.Params("token"), until)
		}
	}
	if bad, is := web.Invalid(err); is {
		for i := range bad.Fields {
			if bad.Fields[i].Name == "until" && f.Until == "day" {
				bad.Fields[i].Name = "day"
			}
		}
		return h.wrong(c, bad, func(p *mePage) { p.Until, p.Day = f.Until, f.Day })
	}
	return h.done(c, err, "pause", "me.paused_done")
}

// until reads for how long mail is to rest.
func (h *mePages) until(c *fiber.Ctx, f pauseForm) (time.Time, error) {
	p := h.web.Page(c, "", "me")
	zone := p.Site.Zone
	if zone == nil {
		zone = time.UTC
	}
	today := h.me.Today(zone)
	switch f.Until {
	case "week":
		return today.AddDate(0, 0, 7), nil
	case "month":
		return today.AddDate(0, 1, 0), nil
	case "quarter":
		return today.AddDate(0, 3, 0), nil
	case "told":
		return models.PausedUntilTold, nil
	case "day":
		day, err := time.ParseInLocation(time.DateOnly, f.Day, zone)
		if err != nil {
			return day, fault.Fields{{Name: "day", Key: "error.me_pause_day"}}.Err()
		}
		return day, nil
	}
	return time.Time{}, fault.Fields{{Name: "until", Key: "error.value_unknown"}}.Err()
}

func (h *mePages) resume(c *fiber.Ctx) error {
	return h.done(c, h.me.Resume(c.UserContext(), c.Params("token")), "pause", "me.resumed")
}

func (h *mePages) districts(c *fiber.Ctx) error {
	var f struct {
		Districts []string `form:"district,max=40"`
	}
	err := web.Bind(c, &f)
	if err == nil {
		err = h.me.ChooseDistricts(c.UserContext(), c.Params("token"), ids(f.Districts))
	}
	if _, bad := web.Invalid(err); bad {
		return h.wrong(c, err, func(*mePage) {})
	}
	return h.done(c, err, "details", "me.districts_done")
}

func (h *mePages) askDownload(c *fiber.Ctx) error {
	return h.done(c, h.me.AskDownload(c.UserContext(), c.Params("token")), "data", "me.download_mailed")
}

func (h *mePages) askErase(c *fiber.Ctx) error {
	return h.done(c, h.me.AskErase(c.UserContext(), c.Params("token")), "data", "me.erase_mailed")
}

// fill lets this browser fill in forms for an hour.
func (h *mePages) fill(c *fiber.Ctx) error {
	token, err := h.me.Use(c.UserContext(), c.Params("token"))
	if err == nil {
		h.use.keep(c, token)
	}
	return h.done(c, err, "forms", "me.use_done")
}

type forgetForm struct {
	Next string `form:"next,max=500"`
}

// forget takes the filled-in forms out of this browser.
func (h *mePages) forget(c *fiber.Ctx) error {
	var f forgetForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	h.use.keep(c, "")
	h.web.Flash(c, "good", "me.forget_done")
	if f.Next == "" {
		f.Next = "/me"
	}
	return web.SeeOther(c, f.Next)
}

// filePage is where the second link leads: to the files, or to the last button.
type filePage struct {
	web.Page
	Token   string
	Address string
	Others  []string
}

func (h *mePages) downloading(c *fiber.Ctx) error {
	private(c)
	p := filePage{Page: h.web.Page(c, "me.download_title", "me"), Token: c.Params("token")}
	var err error
	if p.Address, err = h.me.Downloading(c.UserContext(), p.Token); err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/me/download", &p)
}

type downloadForm struct {
	Format string `form:"format,max=10"`
}

func (h *mePages) download(c *fiber.Ctx) error {
	private(c)
	var f downloadForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	p := h.web.Page(c, "me.download_title", "me")
	data, err := h.me.Download(c.UserContext(), c.Params("token"), p.Lang)
	if err != nil {
		return h.over(c, err)
	}
	name, kind, content := "my-data.zip", "application/zip", []byte(nil)
	if f.Format == "json" {
		name, kind = "my-data.json", fiber.MIMEApplicationJSONCharsetUTF8
		content, err = data.JSON()
	} else {
		content, err = data.ZIP(p.T)
	}
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, kind)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`"`)
	return c.Send(content)
}

func (h *mePages) erasing(c *fiber.Ctx) error {
	private(c)
	p := filePage{Page: h.web.Page(c, "me.erase_title", "me"), Token: c.Params("token")}
	v, err := h.me.Erasing(c.UserContext(), p.Token)
	if err != nil {
		return h.over(c, err)
	}
	p.Address, p.Others = v.Address, v.Others
	return h.web.Render(c, "public/me/erase", &p)
}

// receiptPage is what somebody who erased themselves may keep.
type receiptPage struct {
	web.Page
	Receipt erasures.Receipt
}

func (h *mePages) erase(c *fiber.Ctx) error {
	private(c)
	receipt, err := h.me.Erase(c.UserContext(), c.Params("token"))
	if err != nil {
		return h.over(c, err)
	}
	h.use.keep(c, "")
	return h.web.Render(c, "public/me/erased", &receiptPage{Page: h.web.Page(c, "me.erased_title", "me"), Receipt: receipt})
}

// detailsPage is the form of what is kept about a person.
type detailsPage struct {
	web.Page
	Token  string
	Form   detailsForm
	Fields []fieldInput
	Record bool
}

type detailsForm struct {
	GivenName  string   `form:"given_name,max=100"`
	FamilyName string   `form:"family_name,max=100"`
	Locale     string   `form:"locale,max=20"`
	TimeZone   string   `form:"time_zone,max=60"`
	Frequency  string   `form:"frequency,max=20"`
	Phones     []string `form:"phone,max=60"`
	Street     string   `form:"street,max=200"`
	City       string   `form:"city,max=200"`
	Region     string   `form:"region,max=200"`
	PostalCode string   `form:"postal_code,max=40"`
	Country    string   `form:"country,max=20"`
}

// fieldInput is a custom field on the page.
type fieldInput struct {
	Name, Label, Kind, Value string
	Options                  []web.Option
}

// CountryOptions lists the countries.
func (p *detailsPage) CountryOptions() []web.Option {
	return append([]web.Option{{Value: "", Label: p.T("me.country_none")}}, countries(p.Lang)...)
}

// ZoneOptions are the offered time zones, with the one that is chosen.
func (p *detailsPage) ZoneOptions() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("me.zone_ours")}}
	return append(out, p.Page.ZoneOptions(p.Form.TimeZone)...)
}

// FrequencyOptions are how often mail for many may come.
func (p *detailsPage) FrequencyOptions() []web.Option {
	var out []web.Option
	for _, f := range consents.Frequencies {
		out = append(out, web.Option{Value: string(f), Label: p.T(frequencyKey(string(f)))})
	}
	return out
}

// Numbers are the telephone numbers with an empty place for one more.
func (p *detailsPage) Numbers() []string {
	return append(slices.DeleteFunc(slices.Clone(p.Form.Phones), func(s string) bool { return s == "" }), "")
}

func (h *mePages) fields(p web.Page, answers []me.Answer) []fieldInput {
	out := make([]fieldInput, len(answers))
	for i, a := range answers {
		f := fieldInput{Name: me.FieldName(a.Field.ID), Label: a.Field.Label, Kind: string(a.Field.Kind), Value: a.Value}
		switch a.Field.Kind {
		case models.FieldChoice:
			f.Options = []web.Option{{Value: "", Label: p.T("me.field_none")}}
			for choice := range supporters.ChoicesOf(a.Field) {
				f.Options = append(f.Options, web.Option{Value: choice, Label: choice})
			}
		case models.FieldYesNo:
			f.Options = []web.Option{{Value: "", Label: p.T("me.field_none")}, {Value: "yes", Label: p.T("me.yes")}, {Value: "no", Label: p.T("me.no")}}
		}
		out[i] = f
	}
	return out
}

func (h *mePages) details(c *fiber.Ctx) error {
	page, err := h.page(c, "me.details_title")
	if err != nil {
		return h.over(c, err)
	}
	d := page.Details
	p := detailsPage{Page: page.Page, Token: page.Token, Record: page.Record, Fields: h.fields(page.Page, d.Fields), Form: detailsForm{
		GivenName: d.GivenName, FamilyName: d.FamilyName, Locale: cmp.Or(d.Locale, page.Lang), TimeZone: d.TimeZone, Frequency: d.Frequency, Phones: d.Phones,
		Street: d.Street, City: d.City, Region: d.Region, PostalCode: d.PostalCode, Country: d.Country,
	}}
	return h.web.Render(c, "public/me/details", &p)
}

func (h *mePages) save(c *fiber.Ctx) error {
	page, err := h.page(c, "me.details_title")
	if err != nil {
		return h.over(c, err)
	}
	p := detailsPage{Page: page.Page, Token: page.Token, Record: page.Record}
	answers := slices.Clone(page.Details.Fields)
	var named []web.Value
	for _, a := range answers {
		named = append(named, web.Value{Name: me.FieldName(a.Field.ID), Max: 2000})
	}
	err = web.Bind(c, &p.Form)
	said, also := web.BindValues(c, named)
	if err == nil {
		err = also
	}
	for i := range answers {
		answers[i].Value = said[me.FieldName(answers[i].Field.ID)]
	}
	p.Fields = h.fields(page.Page, answers)
	if err == nil {
		f := p.Form
		err = h.me.SaveDetails(c.UserContext(), p.Token, me.Details{
			GivenName: f.GivenName, FamilyName: f.FamilyName, Locale: f.Locale, TimeZone: f.TimeZone, Frequency: f.Frequency, Phones: f.Phones,
			Street: f.Street, City: f.City, Region: f.Region, PostalCode: f.PostalCode, Country: f.Country, Fields: answers,
		})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/me/details", &p)
	}
	return h.done(c, err, "details", "me.saved")
}

// countryName is a country in the words of a language, "" for none.
func countryName(lang, code string) string {
	for _, o := range countries(lang) {
		if o.Value == code {
			return o.Label
		}
	}
	return ""
}
