package public

import (
	"cmp"
	"fmt"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/events"
	"kithline/campaigns/fault"
	"kithline/campaigns/markdown"
	"kithline/models"
)

const calendarType = "text/calendar; charset=utf-8"

type eventPages struct {
	web    *web.Web
	events *events.Service
	door   *confirmations.Service
	use    *Prefiller
}

// MountEvents puts the events in place: /events and its page for each, /groups, the calendars of all, and /coming/:token, the page of who is
// registered.
func MountEvents(r fiber.Router, w *web.Web, s *events.Service, door *confirmations.Service, use *Prefiller) {
	h := &eventPages{w, s, door, use}
	r.Get("/events", h.list)
	r.Get("/events.ics", h.feed)
	r.Get("/events/chapters/:chapter.ics", h.feed)
	r.Get("/events/:slug.ics", h.feed)
	r.Get("/events/:slug", h.show)
	r.Post("/events/:slug", w.Limit(120, tryWindow), h.register)
	r.Get("/events/:slug/sent", h.sent)
	r.Post("/events/:slug/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/events/:slug/thanks", h.thanks)
	r.Get("/groups", h.groups)
	r.Get("/groups.json", h.guide)
	r.Get("/coming", h.done)
	r.Get("/coming/:token.ics", h.file)
	r.Get("/coming/:token", h.coming)
	r.Post("/coming/:token/cant", h.cant)
	r.Post("/coming/:token/accept", h.accept)
	r.Post("/coming/:token/needs", h.needs)
	r.Get("/admin/events/:id/preview", w.Signed, h.preview) // here, because it is the same page
}

// eventCard is an event in a list, with its dates in words.
type eventCard struct {
	events.Listed
	When []string
}

func cardsOf(s *events.Service, lang string, list []events.Listed) []eventCard {
	out := make([]eventCard, len(list))
	for i, l := range list {
		out[i] = eventCard{Listed: l}
		for _, o := range l.Next {
			out[i].When = append(out[i].When, s.When(lang, o, events.Zone(l.Event)))
		}
	}
	return out
}

// Place is where it is, on one line.
func (c eventCard) Place() string { return events.Place(c.Event) }

// Phone reports whether somebody can join by telephone.
func (c eventCard) Phone() bool { return len(c.DialSealed) > 0 || c.Venue == models.VenuePhone }

// TypeKeys are the locale keys of what a group is.
func (c eventCard) TypeKeys() []string {
	var out []string
	for _, t := range c.TypeList() {
		out = append(out, typeKey(t))
	}
	return out
}

func typeKey(t string) string { return "events.type_" + strings.ReplaceAll(t, "-", "_") }

type eventFilter struct {
	Kind    string `form:"kind,max=20"`
	Venue   string `form:"venue,max=20"`
	Chapter string `form:"chapter,max=80"`
	Lang    string `form:"language,max=10"`
	Day     string `form:"day,max=2"`
	Part    string `form:"part,max=20"`
	Way     string `form:"way,max=20"`
	Type    string `form:"type,max=40"`
}

func (f eventFilter) filter() events.Filter {
	day, err := strconv.Atoi(f.Day)
	if err != nil || day < 0 || day > 7 {
		day = 0
	}
	return events.Filter{Kind: models.EventKind(f.Kind), Venue: models.EventVenue(f.Venue), Chapter: f.Chapter, Locale: f.Lang, Day: day, Part: f.Part, Way: f.Way, Type: f.Type}
}

// eventList is /events and /groups.
type eventList struct {
	web.Page
	Filter   eventFilter
	Rows     []eventCard
	Chapters []models.Chapter
}

// Filtered reports whether the list is narrowed.
func (p *eventList) Filtered() bool { return p.Filter != eventFilter{} }

func (p *eventList) options(any string, values []string, key func(string) string) []web.Option {
	out := []web.Option{{Label: p.T(any)}}
	for _, v := range values {
		out = append(out, web.Option{Value: v, Label: p.T(key(v))})
	}
	return out
}

// KindOptions, VenueOptions and the others are what the list can be narrowed to.
func (p *eventList) KindOptions() []web.Option {
	return p.options("events.any_kind", wordsOf(events.Kinds), func(v string) string { return "events.kind_" + v })
}

// VenueOptions are the venues.
func (p *eventList) VenueOptions() []web.Option {
	return p.options("events.any_venue", wordsOf(events.Venues), func(v string) string { return "events.venue_" + v })
}

// PartOptions are the parts of a day.
func (p *eventList) PartOptions() []web.Option {
	return p.options("events.any_part", events.Parts, func(v string) string { return "events.part_" + v })
}

// WayOptions are the ways to come to a group.
func (p *eventList) WayOptions() []web.Option {
	return p.options("events.any_way", []string{"online", "phone", "place"}, func(v string) string { return "events.by_" + v })
}

// TypeOptions are what a group can be.
func (p *eventList) TypeOptions() []web.Option {
	return p.options("events.any_type", events.Types, typeKey)
}

// LangOptions are the languages.
func (p *eventList) LangOptions() []web.Option {
	return append([]web.Option{{Label: p.T("events.any_language")}}, p.LanguageOptions()...)
}

// DayOptions are the days of the week.
func (p *eventList) DayOptions() []web.Option {
	out := []web.Option{{Label: p.T("events.any_day")}}
	for i, name := range web.DayNames(p.Lang) {
		out = append(out, web.Option{Value: strconv.Itoa(i + 1), Label: name})
	}
	return append(append(out[:1:1], out[2:]...), out[1]) // Monday first
}

// ChapterOptions are the chapters that have an event.
func (p *eventList) ChapterOptions() []web.Option {
	out := []web.Option{{Label: p.T("events.any_chapter")}}
	for _, c := range p.Chapters {
		out = append(out, web.Option{Value: c.Slug, Label: c.Name})
	}
	return out
}

func wordsOf[T ~string](in []T) []string {
	out := make([]string, len(in))
	for i, v := range in {
		out[i] = string(v)
	}
	return out
}

func (h *eventPages) list(c *fiber.Ctx) error {
	return h.find(c, "public/events/list", "events.title", "")
}

func (h *eventPages) groups(c *fiber.Ctx) error {
	return h.find(c, "public/events/groups", "events.groups_title", models.EventSupportGroup)
}

func (h *eventPages) find(c *fiber.Ctx, view, title string, kind models.EventKind) error {
	p := &eventList{Page: h.web.Page(c, title, "events")}
	if err := web.Bind(c, &p.Filter); err != nil {
		return err
	}
	f := p.Filter.filter()
	if kind != "" {
		f.Kind = kind
	}
	list, err := h.events.Upcoming(c.UserContext(), f, 3)
	if err != nil {
		return err
	}
	p.Rows = cardsOf(h.events, p.Lang, list)
	if p.Chapters, err = h.events.ChaptersWith(c.UserContext()); err != nil {
		return err
	}
	return h.web.Render(c, view, p)
}

// calendar answers with a file for calendar programs.
func calendar(c *fiber.Ctx, b []byte, name string) error {
	c.Set(fiber.HeaderContentType, calendarType)
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+name+`.ics"`)
	return c.Send(b)
}

func (h *eventPages) feed(c *fiber.Ctx) error {
	b, err := h.events.Feed(c.UserContext(), c.Params("chapter"), c.Params("slug"), "")
	if err != nil {
		return err
	}
	web.ForOtherSites(c)
	return calendar(c, b, cmp.Or(c.Params("slug"), c.Params("chapter"), "events"))
}

func (h *eventPages) guide(c *fiber.Ctx) error {
	b, err := h.events.Guide(c.UserContext())
	if err != nil {
		return err
	}
	web.ForOtherSites(c)
	c.Set(fiber.HeaderContentType, fiber.MIMEApplicationJSONCharsetUTF8)
	return c.Send(b)
}

// eventForm is the form of who wants to come.
type eventForm struct {
	Date       string `form:"date,max=20"`
	Series     bool   `form:"series"`
	GivenName  string `form:"given_name,max=200"`
	FamilyName string `form:"family_name,max=200"`
	Email      string `form:"email,max=254"`
	Attends    string `form:"attends,max=20"`
	Needs      string `form:"needs,max=3000,lines"`
	ShareNeeds bool   `form:"share_needs"`
	TimeZone   string `form:"time_zone,max=60"`
	Locale     string `form:"locale,max=20"`
	Source     string `form:"source,max=100"`
	Trap       string `form:"leave_empty,max=500"`
}

// AccessRow is one point of an access sheet in words.
type AccessRow struct{ Label, Says string }

// upper begins a text with a capital letter.
func upper(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(r)) + s[n:]
}

// accessRows says what is known of access, point by point, and what is not.
func accessRows(p web.Page, a events.Access, looked bool, venue models.EventVenue) []AccessRow {
	var out []AccessRow
	for _, x := range a.For(venue) {
		var says []string
		switch {
		case x.Name == "drop_off" && a.Meters > 0:
			says = append(says, p.T("events.access_meters", "Count", a.Meters))
		case x.Name == "breaks" && a.BlockMinutes > 0 && a.BreakMinutes > 0:
			says = append(says, p.T("events.access_blocks", "Block", a.BlockMinutes, "Break", a.BreakMinutes))
		case x.Name == "breaks" && a.BlockMinutes > 0:
			says = append(says, p.T("events.access_block", "Block", a.BlockMinutes))
		case x.Is == events.Yes:
			says = append(says, p.T("form.answer_yes"))
		case x.Is == events.No:
			says = append(says, p.T("form.answer_no"))
		}
		switch {
		case x.Text == "":
		case len(says) > 0 && (x.Is == events.Yes || x.Is == events.No): // Yes: live, by a person
			says[len(says)-1] += ": " + x.Text
		default:
			says = append(says, upper(x.Text))
		}
		if !looked || len(says) == 0 {
			says = []string{p.T("events.access_unknown")}
		}
		out = append(out, AccessRow{p.T("events.access_" + x.Name), strings.Join(says, ". ")})
	}
	return out
}

// eventDate is a date in words.
type eventDate struct{ Stamp, When, Note string }

// EventPage is an event, with the form of who wants to come.
type EventPage struct {
	web.Page
	View     events.View
	Body     template.HTML
	Dates    []eventDate
	Off      []eventDate
	Form     eventForm
	Preview  bool
	Filled   bool
	NotTaken string // why nobody can register now: a locale key
}

// AccessRows are the points of its access sheet.
func (p *EventPage) AccessRows() []AccessRow {
	return accessRows(p.Page, p.View.Access, p.View.Looked, p.View.Venue)
}

// Card is the event as lists have it.
func (p *EventPage) Card() eventCard { return eventCard{Listed: p.View.Listed} }

// Ways are how somebody can come.
func (p *EventPage) Ways() []web.Option {
	var out []web.Option
	for _, w := range events.WaysOf(p.View.Event) {
		out = append(out, web.Option{Value: string(w), Label: p.T("events.way_" + string(w))})
	}
	return out
}

// DateOptions are the dates to choose from.
func (p *EventPage) DateOptions() []web.Option {
	var out []web.Option
	for _, d := range p.Dates {
		out = append(out, web.Option{Value: d.Stamp, Label: d.When})
	}
	return out
}

// ZoneOptions are the time zones, that of the event in front.
func (p *EventPage) ZoneOptions() []web.Option {
	return p.Page.ZoneOptions(p.Form.TimeZone, p.View.TimeZone)
}

// Remote reports whether people may be in other time zones.
func (p *EventPage) Remote() bool { return p.View.Venue != models.VenueOnsite }

// Several reports whether there is more than one date to choose from.
func (p *EventPage) Several() bool { return len(p.Dates) > 1 }

// Series reports whether somebody can register for all dates.
func (p *EventPage) Series() bool { return events.TakesSeries(p.View.Event) }

// NeedsText are the words beside the box for needs.
func (p *EventPage) NeedsText() string { return needsText(p.Page, p.View.Contact) }

func needsText(p web.Page, contact string) string {
	if contact == "" {
		contact = p.T("events.needs_somebody")
	}
	return p.T("events.needs_text", "Name", contact)
}

// NewEventPage is an event before anything was typed.
func NewEventPage(p web.Page, s *events.Service, v events.View) *EventPage {
	out := &EventPage{Page: p, View: v, Body: markdown.HTML(v.Body)}
	out.Title = v.Title
	zone := events.Zone(v.Event)
	for _, o := range v.Next {
		out.Dates = append(out.Dates, eventDate{events.Stamp(o.Original), s.When(p.Lang, o, zone), o.Note})
	}
	for _, o := range v.Off {
		out.Off = append(out.Off, eventDate{events.Stamp(o.Original), s.When(p.Lang, o, zone), o.Note})
	}
	if len(out.Dates) > 0 {
		out.Form.Date = out.Dates[0].Stamp
	}
	if ways := events.WaysOf(v.Event); len(ways) > 0 {
		out.Form.Attends = string(ways[0])
	}
	out.Form.TimeZone, out.Form.Locale = v.TimeZone, p.Lang
	switch {
	case v.State == models.EventCancelled:
		out.NotTaken = "events.is_cancelled"
	case v.State == models.EventClosed || len(v.Next) == 0:
		out.NotTaken = "events.is_over"
	case !v.Takes():
		out.NotTaken = "events.is_full"
	}
	return out
}

func (h *eventPages) page(c *fiber.Ctx) (*EventPage, error) {
	v, err := h.events.Public(c.UserContext(), c.Params("slug"))
	if err != nil {
		return nil, err
	}
	return NewEventPage(h.web.Page(c, "", "events"), h.events, v), nil
}

func (h *eventPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	p.Form.Source = sourceOf(p.Page)
	if d := p.Query("date"); slices.ContainsFunc(p.Dates, func(x eventDate) bool { return x.Stamp == d }) {
		p.Form.Date = d
	}
	if f, ok := h.use.Facts(c); ok {
		p.Filled, p.Form.GivenName, p.Form.FamilyName, p.Form.Email, p.Form.Locale = true, f.GivenName, f.FamilyName, f.Email, cmp.Or(f.Locale, p.Form.Locale)
	}
	return h.web.Render(c, "public/events/show", p)
}

// preview is an event as everybody will see it, for who works on it.
func (h *eventPages) preview(c *fiber.Ctx) error {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return fault.New(fault.NotFound, "error.event_unknown")
	}
	v, err := h.events.Preview(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	p := NewEventPage(h.web.Page(c, "", "events"), h.events, v)
	p.Preview = true
	return h.web.Render(c, "public/events/preview", p)
}

func (h *eventPages) register(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	p.Form = eventForm{}
	err = web.Bind(c, &p.Form)
	id := models.NewID()
	if err == nil && p.Form.Trap == "" {
		f := p.Form
		id, err = h.events.Register(c.UserContext(), events.RegisterInput{
			Slug: p.View.Slug, Original: f.Date, Series: f.Series, GivenName: f.GivenName, FamilyName: f.FamilyName, Email: f.Email, Attends: models.Attends(f.Attends), Needs: f.Needs,
			ShareNeeds: f.ShareNeeds, NeedsText: p.NeedsText(), TimeZone: f.TimeZone, Locale: f.Locale, Lang: p.Lang, Source: f.Source, ClientIP: h.web.Client(c).String(),
		})
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/events/show", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/events/show", p)
	case err != nil:
		return err
	}
	mark(c, h.web, h.door, id)
	return web.SeeOther(c, "/events/"+p.View.Slug+"/sent")
}

// eventSent is what follows the form, and what follows the confirmation.
type eventSent struct {
	web.Page
	Action string
}

func (h *eventPages) after(c *fiber.Ctx, title string) (*eventSent, error) {
	v, err := h.events.Public(c.UserContext(), c.Params("slug"))
	return &eventSent{Page: h.web.Page(c, title, "events"), Action: "/events/" + v.Slug}, err
}

func (h *eventPages) sent(c *fiber.Ctx) error {
	p, err := h.after(c, "form.sent_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/events/sent", p)
}

func (h *eventPages) again(c *fiber.Ctx) error {
	p, err := h.after(c, "form.sent_title")
	if err != nil {
		return err
	}
	return mailAgain(c, h.web, h.door, "form.sent_again", p.Action+"/sent")
}

func (h *eventPages) thanks(c *fiber.Ctx) error {
	p, err := h.after(c, "events.thanks_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/events/thanks", p)
}

// comingPage is the page of who is registered.
type comingPage struct {
	web.Page
	Coming events.Coming
	Dial   []string // lines
	Form   struct {
		Needs string `form:"needs,max=3000,lines"`
		Share bool   `form:"share_needs"`
		Once  string `form:"once,max=5"`
	}
	Contact string
}

// AccessRows are the points of the event's access sheet.
func (p *comingPage) AccessRows() []AccessRow {
	return accessRows(p.Page, p.Coming.Access, p.Coming.Looked, p.Coming.Event.Venue)
}

// Place is where the event is.
func (p *comingPage) Place() string { return events.Place(p.Coming.Event) }

// At is the address of the page.
func (p *comingPage) At() string { return "/coming/" + p.Coming.Token }

// Live reports whether it takes place and is not over.
func (p *comingPage) Live() bool {
	return !p.Coming.Over && !p.Coming.Date.Off && p.Coming.Event.State != models.EventCancelled
}

// Until says until when a place is kept.
func (p *comingPage) Until() string {
	if p.Coming.Reg.OfferedUntil == nil {
		return ""
	}
	t := p.Coming.Reg.OfferedUntil.In(events.ZoneOf(p.Coming.Reg, p.Coming.Event))
	return fmt.Sprintf("%s, %s", web.Weekday(p.Lang, t), t.Format("15:04"))
}

// NeedsText are the words beside the box for needs.
func (p *comingPage) NeedsText() string { return needsText(p.Page, p.Contact) }

func (h *eventPages) comingPage(c *fiber.Ctx) (*comingPage, error) {
	p := &comingPage{Page: h.web.Page(c, "", "events")}
	var err error
	if p.Coming, err = h.events.Coming(c.UserContext(), c.Params("token"), p.Lang); err != nil {
		return nil, err
	}
	v, err := h.events.Public(c.UserContext(), p.Coming.Event.Slug)
	if err != nil {
		return nil, err
	}
	p.Contact, p.Dial = v.Contact, strings.Split(p.Coming.Dial, "\n")
	if p.Coming.Dial == "" {
		p.Dial = nil
	}
	p.Title = p.T("events.coming_title")
	return p, nil
}

func (h *eventPages) coming(c *fiber.Ctx) error {
	p, err := h.comingPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/events/coming", p)
}

// cant lets the registration go. What comes after says no more than that it is done.
func (h *eventPages) cant(c *fiber.Ctx) error {
	var form struct {
		Once string `form:"once,max=5"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if err := h.events.Cant(c.UserContext(), c.Params("token"), form.Once != ""); err != nil {
		return err
	}
	return web.SeeOther(c, "/coming")
}

type cantPage struct{ web.Page }

func (h *eventPages) done(c *fiber.Ctx) error {
	return h.web.Render(c, "public/events/done", &cantPage{h.web.Page(c, "events.cant_done", "events")})
}

func (h *eventPages) accept(c *fiber.Ctx) error {
	err := h.events.Accept(c.UserContext(), c.Params("token"))
	if fault.Is(err, fault.Conflict) {
		h.web.Flash(c, "warn", "events.accept_late")
		err = nil
	} else if err == nil {
		h.web.Flash(c, "good", "events.accepted")
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, "/coming/"+c.Params("token"))
}

func (h *eventPages) needs(c *fiber.Ctx) error {
	p, err := h.comingPage(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.Form); err == nil {
		err = h.events.SetNeeds(c.UserContext(), p.Coming.Token, p.Form.Needs, p.Form.Share, p.NeedsText())
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/events/coming", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", map[bool]string{true: "events.needs_kept", false: "events.needs_forgotten"}[p.Form.Needs != ""])
	return web.SeeOther(c, p.At())
}

func (h *eventPages) file(c *fiber.Ctx) error {
	b, err := h.events.File(c.UserContext(), c.Params("token"))
	if err != nil {
		return err
	}
	return calendar(c, b, "date")
}
