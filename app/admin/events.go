package admin

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/events"
	"kithline/campaigns/fault"
	"kithline/models"
)

type eventAdmin struct {
	web    *web.Web
	events *events.Service
}

// MountEvents puts the organizer's side of events in place, below /admin/events: list, draft, dates, who comes. The preview is shown by the
// surface that shows the event.
func MountEvents(r fiber.Router, w *web.Web, s *events.Service) {
	h := &eventAdmin{w, s}
	g := r.Group("/admin/events", w.Signed)
	g.Get("/", h.list)
	g.Get("/new", h.newEvent)
	g.Post("/", h.create)
	g.Get("/:id", h.show)
	g.Get("/:id/edit", h.edit)
	g.Post("/:id/edit", h.save)
	g.Post("/:id/state", h.setState)
	g.Post("/:id/dates", h.more)
	g.Get("/:id/message", h.message)
	g.Post("/:id/message", h.sendMessage)
	g.Get("/:id/dates/:date", h.date)
	g.Post("/:id/dates/:date", h.setDate)
	g.Get("/:id/dates/:date/needs", h.needs)
	g.Get("/:id/dates/:date/print", h.print)
}

func eventPath(id uuid.UUID) string { return "/admin/events/" + id.String() }

func eventID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.event_unknown") }

func eventTone(s models.EventState) string {
	return map[models.EventState]string{models.EventPublished: "on", models.EventCancelled: "warn"}[s]
}

type eventRow struct {
	events.Listed
	When string
	Tone string
}

type eventAdminList struct {
	web.Page
	Rows []eventRow
}

func (h *eventAdmin) list(c *fiber.Ctx) error {
	p := eventAdminList{Page: h.web.Page(c, "events.rail", "events")}
	list, err := h.events.List(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return err
	}
	for _, l := range list {
		row := eventRow{Listed: l, Tone: eventTone(l.State)}
		if len(l.Next) > 0 {
			row.When = h.events.When(p.Lang, l.Next[0], events.Zone(l.Event))
		}
		p.Rows = append(p.Rows, row)
	}
	return h.web.Render(c, "admin/events/list", &p)
}

// eventDraft is everything about an event but its access sheet, whose fields have a name for each point.
type eventDraft struct {
	Title         string   `form:"title,max=80"`
	Summary       string   `form:"about,max=300"`
	Body          string   `form:"body,max=10000,lines"`
	Kind          string   `form:"kind,max=20"`
	Locale        string   `form:"locale,max=20"`
	TimeZone      string   `form:"time_zone,max=60"`
	StartsOn      string   `form:"starts_on,max=16"`
	Minutes       string   `form:"minutes,max=6"`
	Repeats       string   `form:"repeats,max=20"`
	Recurrence    string   `form:"recurrence,max=300"`
	Venue         string   `form:"venue,max=20"`
	PlaceName     string   `form:"place_name,max=200"`
	Street        string   `form:"street,max=200"`
	City          string   `form:"city,max=200"`
	Region        string   `form:"region,max=10"`
	PostalCode    string   `form:"postal_code,max=20"`
	Country       string   `form:"country,max=2"`
	Join          string   `form:"join,max=500"`
	Dial          string   `form:"dial,max=500,lines"`
	NoRemoteWhy   string   `form:"no_remote_why,max=300"`
	Capacity      string   `form:"capacity,max=6"`
	WaitingList   bool     `form:"waiting_list"`
	AccessContact string   `form:"access_contact,max=40"`
	Looked        bool     `form:"access_looked"`
	Meters        string   `form:"access_meters,max=6"`
	BlockMinutes  string   `form:"access_block_minutes,max=6"`
	BreakMinutes  string   `form:"access_break_minutes,max=6"`
	Types         []string `form:"types,max=40"`
	CoLeader      bool     `form:"co_leader_wanted"`
	ContactName   string   `form:"contact_name,max=200"`
	ContactEmail  string   `form:"contact_email,max=200"`
	ContactPhone  string   `form:"contact_phone,max=60"`
	Chapter       string   `form:"chapter,max=40"`
	Campaign      string   `form:"campaign,max=40"`
	Revision      int      `form:"revision"`
	Do            string   `form:"do,max=20"`
}

// pointRow is one point of the access sheet in the form.
type pointRow struct{ Name, Label, Is, Text string }

type eventEdit struct {
	web.Page
	Row     models.Event // the zero value: a new one
	Form    eventDraft
	Points  []pointRow
	Choices events.Choices
	Next    []string // the next dates in words, as the form has them
	Stored  bool     // another page saved in the meantime
}

// Action is where the form is sent.
func (p *eventEdit) Action() string {
	if p.Row.ID == uuid.Nil {
		return "/admin/events"
	}
	return eventPath(p.Row.ID) + "/edit"
}

// KindOptions are the kinds of events.
func (p *eventEdit) KindOptions() (out []web.Option) {
	for _, k := range events.Kinds {
		out = append(out, web.Option{Value: string(k), Label: p.T("events.kind_" + string(k))})
	}
	return out
}

// VenueOptions are the venues.
func (p *eventEdit) VenueOptions() (out []web.Option) {
	for _, v := range events.Venues {
		out = append(out, web.Option{Value: string(v), Label: p.T("events.venue_" + string(v))})
	}
	return out
}

// ZoneOptions are the time zones.
func (p *eventEdit) ZoneOptions() []web.Option { return p.Page.ZoneOptions(p.Form.TimeZone) }

// The ways in which an event comes again that need no rule to be typed.
var repeats = []string{"", "weekly", "fortnightly", "monthly", "rule"}

// RepeatOptions are how it comes again.
func (p *eventEdit) RepeatOptions() (out []web.Option) {
	for _, r := range repeats {
		out = append(out, web.Option{Value: r, Label: p.T("events.repeats_" + r)})
	}
	return out
}

// TypeOptions are what a support group can be.
func (p *eventEdit) TypeOptions() (out []web.Option) {
	for _, t := range events.Types {
		out = append(out, web.Option{Value: t, Label: p.T("events.type_" + strings.ReplaceAll(t, "-", "_"))})
	}
	return out
}

// ContactOptions are the accounts that can read what people need.
func (p *eventEdit) ContactOptions() []web.Option {
	return rowOptions(p.T("events.f_contact_none"), p.Choices.Contacts, func(c events.Contact) (uuid.UUID, string) { return c.ID, c.Name })
}

// ChapterOptions are the chapters that it can belong to.
func (p *eventEdit) ChapterOptions() []web.Option {
	return chapterChoices(p.T("form.f_none"), p.Choices.Chapters)
}

// CampaignOptions are the campaigns that it can be for.
func (p *eventEdit) CampaignOptions() []web.Option {
	return campaignChoices(p.T("form.f_none"), p.Choices.Campaigns)
}

// Whole reports whether the reader works for the whole organisation, and may choose the chapter.
func (p *eventEdit) Whole() bool { return p.Actor.Chapter() == nil }

// rule is how the event comes again, as RFC 5545 writes it, from the choice and the first day.
func (f eventDraft) rule() string {
	first, err := time.Parse("2006-01-02T15:04", f.StartsOn)
	if err != nil && f.Repeats != "rule" {
		return ""
	}
	day := strings.ToUpper(first.Weekday().String()[:2])
	switch f.Repeats {
	case "weekly":
		return "FREQ=WEEKLY;BYDAY=" + day
	case "fortnightly":
		return "FREQ=WEEKLY;INTERVAL=2;BYDAY=" + day
	case "monthly":
		n := (first.Day()-1)/7 + 1
		if n == 5 {
			n = -1
		}
		return "FREQ=MONTHLY;BYDAY=" + strconv.Itoa(n) + day
	case "rule":
		return f.Recurrence
	}
	return ""
}

// draft makes the form a draft. What is not a number is wrong where it stands.
func (p *eventEdit) draft(values map[string]string) (events.Draft, error) {
	var bad fault.Fields
	number := func(field, v string) int {
		if v == "" {
			return 0
		}
		n, err := strconv.Atoi(v)
		if err != nil {
			bad.Add(field, "error.event_number", "Max", 100000)
		}
		return n
	}
	f := p.Form
	d := events.Draft{
		Title: f.Title, Summary: f.Summary, Body: f.Body, Kind: models.EventKind(f.Kind), Locale: f.Locale, TimeZone: f.TimeZone, StartsOn: f.StartsOn, Minutes: number("minutes", f.Minutes),
		Recurrence: f.rule(), Venue: models.EventVenue(f.Venue), PlaceName: f.PlaceName, Street: f.Street, City: f.City, Region: f.Region, PostalCode: f.PostalCode, Country: strings.ToUpper(f.Country),
		Join: f.Join, Dial: f.Dial, NoRemoteWhy: f.NoRemoteWhy, Capacity: number("capacity", f.Capacity), WaitingList: f.WaitingList, Looked: f.Looked, AccessContactID: chosenID(f.AccessContact, "access_contact", &bad),
		Types: f.Types, CoLeaderWanted: f.CoLeader, ContactName: f.ContactName, ContactEmail: f.ContactEmail, ContactPhone: f.ContactPhone, ChapterID: chosenID(f.Chapter, "chapter", &bad), CampaignID: chosenID(f.Campaign, "campaign", &bad),
	}
	d.Access.Meters, d.Access.BlockMinutes, d.Access.BreakMinutes = number("access_meters", f.Meters), number("access_block_minutes", f.BlockMinutes), number("access_break_minutes", f.BreakMinutes)
	for i, x := range d.Access.Points() {
		row := &p.Points[i]
		row.Is, row.Text = values["access_"+x.Name], values["access_"+x.Name+"_text"]
		x.Is, x.Text = events.Known(row.Is), row.Text
	}
	return d, bad.Err()
}

// bind reads the form over what the page showed.
func (p *eventEdit) bind(c *fiber.Ctx) (events.Draft, error) {
	zero := p.Form.Revision
	p.Form = eventDraft{}
	err := web.Bind(c, &p.Form)
	if p.Form.Revision == 0 {
		p.Form.Revision = zero
	}
	var names []web.Value
	for _, x := range p.Points {
		names = append(names, web.Value{Name: "access_" + x.Name, Max: 10}, web.Value{Name: "access_" + x.Name + "_text", Max: 300})
	}
	values, wrong := web.BindValues(c, names)
	if err == nil {
		err = wrong
	}
	d, bad := p.draft(values)
	if err == nil {
		err = bad
	}
	return d, err
}

func fill(p *eventEdit, d events.Draft) {
	text := func(n int) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(n)
	}
	p.Form = eventDraft{
		Title: d.Title, Summary: d.Summary, Body: d.Body, Kind: string(d.Kind), Locale: d.Locale, TimeZone: d.TimeZone, StartsOn: d.StartsOn, Minutes: text(d.Minutes), Recurrence: d.Recurrence,
		Venue: string(d.Venue), PlaceName: d.PlaceName, Street: d.Street, City: d.City, Region: d.Region, PostalCode: d.PostalCode, Country: d.Country, Join: d.Join, Dial: d.Dial, NoRemoteWhy: d.NoRemoteWhy,
		Capacity: text(d.Capacity), WaitingList: d.WaitingList, AccessContact: idOf(d.AccessContactID), Looked: d.Looked, Meters: text(d.Access.Meters), BlockMinutes: text(d.Access.BlockMinutes),
		BreakMinutes: text(d.Access.BreakMinutes), Types: d.Types, CoLeader: d.CoLeaderWanted, ContactName: d.ContactName, ContactEmail: d.ContactEmail, ContactPhone: d.ContactPhone,
		Chapter: idOf(d.ChapterID), Campaign: idOf(d.CampaignID), Revision: p.Row.Revision,
	}
	if p.Form.Types == nil {
		p.Form.Types = []string{}
	}
	if d.Recurrence != "" {
		p.Form.Repeats = "rule"
		for _, r := range repeats[1:4] {
			p.Form.Repeats = r
			if p.Form.rule() == d.Recurrence {
				break
			}
			p.Form.Repeats = "rule"
		}
	}
	p.Points = nil
	for _, x := range d.Access.Points() {
		row := pointRow{x.Name, p.T("events.access_" + x.Name), string(x.Is), x.Text}
		if x.Is == events.InWords {
			row.Is = ""
		}
		p.Points = append(p.Points, row)
	}
}

// look puts the next dates into the page, as the form has them.
func (h *eventAdmin) look(p *eventEdit) {
	minutes, _ := strconv.Atoi(p.Form.Minutes)
	e := models.Event{StartsOn: p.Form.StartsOn, TimeZone: p.Form.TimeZone, Recurrence: p.Form.rule(), Minutes: max(1, minutes)}
	rule, err := events.Rule(e.Recurrence, e.StartsOn, e.TimeZone)
	if err != nil {
		return
	}
	e.Recurrence = rule
	first, _ := time.Parse("2006-01-02T15:04", e.StartsOn)
	for _, o := range events.Occurrences(e, nil, first.AddDate(0, 0, -2), first.AddDate(2, 0, 0)) {
		if len(p.Next) < 6 {
			p.Next = append(p.Next, h.events.When(p.Lang, o, events.Zone(e)))
		}
	}
}

func (h *eventAdmin) newPage(c *fiber.Ctx) (*eventEdit, error) {
	p := &eventEdit{Page: h.web.Page(c, "events.new_title", "events")}
	var err error
	if p.Choices, err = h.events.Choices(c.UserContext(), h.web.Actor(c)); err != nil {
		return nil, err
	}
	zone := "UTC"
	if p.Site.Zone != nil {
		zone = p.Site.Zone.String()
	}
	fill(p, events.Draft{Kind: models.EventSupportGroup, Venue: models.VenueOnline, Locale: p.Lang, TimeZone: zone, Minutes: 60})
	return p, nil
}

func (h *eventAdmin) newEvent(c *fiber.Ctx) error {
	p, err := h.newPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/events/edit", p)
}

func (h *eventAdmin) create(c *fiber.Ctx) error {
	p, err := h.newPage(c)
	if err != nil {
		return err
	}
	d, err := p.bind(c)
	var e models.Event
	if err == nil {
		e, err = h.events.Create(c.UserContext(), h.web.Actor(c), d)
	}
	if p.Failed(err) {
		h.look(p)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/edit", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "events.saved")
	return web.SeeOther(c, eventPath(e.ID))
}

func (h *eventAdmin) editPage(c *fiber.Ctx) (*eventEdit, error) {
	id, err := eventID(c)
	if err != nil {
		return nil, err
	}
	p := &eventEdit{Page: h.web.Page(c, "events.edit_title", "events")}
	e, d, err := h.events.DraftOf(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, err
	}
	p.Row = e
	fill(p, d)
	p.Choices, err = h.events.Choices(c.UserContext(), h.web.Actor(c))
	return p, err
}

func (h *eventAdmin) edit(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	h.look(p)
	return h.web.Render(c, "admin/events/edit", p)
}

func (h *eventAdmin) save(c *fiber.Ctx) error {
	p, err := h.editPage(c)
	if err != nil {
		return err
	}
	d, err := p.bind(c)
	var stored models.Event
	if err == nil {
		stored, err = h.events.Save(c.UserContext(), h.web.Actor(c), p.Row.ID, events.SaveInput{Draft: d, Revision: p.Form.Revision})
	}
	switch {
	case p.Failed(err):
		h.look(p)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/edit", p)
	case fault.Is(err, fault.Conflict): // what was typed stays; saving again keeps it
		p.Stored, p.Form.Revision = true, stored.Revision
		p.Refuse(err)
		h.look(p)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/events/edit", p)
	case err != nil:
		return err
	}
	if p.Form.Do == "preview" {
		return web.SeeOther(c, eventPath(stored.ID)+"/preview")
	}
	h.web.Flash(c, "good", "events.saved")
	return web.SeeOther(c, eventPath(stored.ID))
}

// dateRow is one date in words, with how many come.
type dateRow struct {
	events.Counts
	Stamp, When string
}

type eventShow struct {
	web.Page
	Row      models.Event
	Tone     string
	Dates    []dateRow
	Link     string
	IsNeeds  bool // the reader is the access contact
	Form     eventStateForm
	MoreForm eventDateForm
}

type eventStateForm struct {
	Do   string `form:"do,max=20"`
	Note string `form:"note,max=2000,lines"`
}

type eventDateForm struct {
	Do     string `form:"do,max=20"`
	Starts string `form:"starts,max=16"`
	Note   string `form:"note,max=2000,lines"`
}

// shownMost is how many dates a page lists.
const shownMost = 16

func (h *eventAdmin) showPage(c *fiber.Ctx) (*eventShow, error) {
	id, err := eventID(c)
	if err != nil {
		return nil, err
	}
	p := &eventShow{Page: h.web.Page(c, "", "events")}
	e, dates, err := h.events.DatesOf(c.UserContext(), h.web.Actor(c), id, shownMost)
	if err != nil {
		return nil, err
	}
	p.Row, p.Title, p.Tone, p.Link, p.IsNeeds = e, e.Title, eventTone(e.State), p.URL("/events/"+e.Slug), p.Actor.Is(e.AccessContactID)
	for _, d := range dates {
		p.Dates = append(p.Dates, dateRow{d, events.Stamp(d.Original), h.events.When(p.Lang, d.Occurrence, events.Zone(e))})
	}
	return p, nil
}

func (h *eventAdmin) show(c *fiber.Ctx) error {
	p, err := h.showPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/events/show", p)
}

func (h *eventAdmin) setState(c *fiber.Ctx) error {
	p, err := h.showPage(c)
	if err != nil {
		return err
	}
	ctx, a, id := c.UserContext(), h.web.Actor(c), p.Row.ID
	if err = web.Bind(c, &p.Form); err == nil {
		switch p.Form.Do {
		case "publish":
			_, err = h.events.Publish(ctx, a, id)
		case "close":
			_, err = h.events.Close(ctx, a, id)
		case "cancel":
			_, err = h.events.Cancel(ctx, a, id, p.Form.Note)
		default:
			err = fault.Fields{{Name: "do", Key: "error.value_unknown"}}.Err()
		}
	}
	switch {
	case p.Form.Do == "publish" && fault.Is(err, fault.Invalid): // what is missing is filled in on the other page
		edit, failed := h.editPage(c)
		if failed != nil {
			return failed
		}
		edit.Failed(err)
		h.look(edit)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/edit", edit)
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/show", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/events/show", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "events.done_"+p.Form.Do)
	return web.SeeOther(c, eventPath(id))
}

// more adds one date.
func (h *eventAdmin) more(c *fiber.Ctx) error {
	p, err := h.showPage(c)
	if err != nil {
		return err
	}
	if err = web.Bind(c, &p.MoreForm); err == nil {
		_, err = h.events.SetDate(c.UserContext(), h.web.Actor(c), p.Row.ID, events.DateInput{Do: "more", Starts: p.MoreForm.Starts})
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/show", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "events.done_more")
	return web.SeeOther(c, eventPath(p.Row.ID))
}

// eventMessage is a mail to those registered: written, looked at with how many get it, then sent.
type eventMessage struct {
	web.Page
	Row  models.Event
	Form struct {
		Message string `form:"message,max=40"` // of the page that showed it; "": it was not shown yet
		Date    string `form:"date,max=20"`
		Body    string `form:"body,max=6000,lines"`
	}
	Dates []web.Option
	Count int // whom it goes to
	Look  bool
	Sent  []models.EventMessage
}

// Whom is to whom it goes, in words.
func (p *eventMessage) Whom() string {
	i := slices.IndexFunc(p.Dates, func(o web.Option) bool { return o.Value == p.Form.Date })
	return p.Dates[max(0, i)].Label
}

func (h *eventAdmin) messagePage(c *fiber.Ctx) (*eventMessage, error) {
	id, err := eventID(c)
	if err != nil {
		return nil, err
	}
	p := &eventMessage{Page: h.web.Page(c, "events.message", "events")}
	ctx, a := c.UserContext(), h.web.Actor(c)
	e, dates, err := h.events.DatesOf(ctx, a, id, 1<<20)
	if err != nil {
		return nil, err
	}
	p.Row, p.Form.Date, p.Dates = e, c.Query("date"), []web.Option{{Label: p.T("events.message_all")}}
	for i, d := range dates {
		if stamp := events.Stamp(d.Original); i < shownMost || stamp == p.Form.Date {
			p.Dates = append(p.Dates, web.Option{Value: stamp, Label: p.T("events.message_date", "When", h.events.When(p.Lang, d.Occurrence, events.Zone(e)))})
		}
	}
	p.Sent, err = h.events.Messages(ctx, a, id)
	return p, err
}

func (h *eventAdmin) message(c *fiber.Ctx) error {
	p, err := h.messagePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/events/message", p)
}

func (h *eventAdmin) sendMessage(c *fiber.Ctx) error {
	p, err := h.messagePage(c)
	if err != nil {
		return err
	}
	ctx, a, n := c.UserContext(), h.web.Actor(c), 0
	err = web.Bind(c, &p.Form)
	in := events.MessageInput{Original: p.Form.Date, Body: p.Form.Body}
	shown, no := uuid.Parse(p.Form.Message)
	switch in.ID = shown; {
	case err != nil:
	case no == nil:
		n, err = h.events.Message(ctx, a, p.Row.ID, in)
	default:
		if p.Count, err = h.events.CheckMessage(ctx, a, p.Row.ID, in); err == nil {
			p.Look, p.Form.Message = true, models.NewID().String()
			return h.web.Render(c, "admin/events/message", p)
		}
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/message", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/events/message", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "events.message_sent", "Count", n)
	return web.SeeOther(c, eventPath(p.Row.ID))
}

// eventDatePage is one date: who comes, and what can be changed about it.
type eventDatePage struct {
	web.Page
	Row     models.Event
	Date    dateRow
	People  []events.Person
	Named   bool // the reader may see names
	IsNeeds bool
	Form    eventDateForm
}

// At is the address of the page.
func (p *eventDatePage) At() string { return eventPath(p.Row.ID) + "/dates/" + p.Date.Stamp }

func (h *eventAdmin) datePage(c *fiber.Ctx) (*eventDatePage, error) {
	id, err := eventID(c)
	if err != nil {
		return nil, err
	}
	original, err := time.Parse("20060102T150405Z", c.Params("date"))
	if err != nil {
		return nil, fault.New(fault.NotFound, "error.event_unknown")
	}
	p := &eventDatePage{Page: h.web.Page(c, "", "events")}
	a := h.web.Actor(c)
	e, dates, err := h.events.DatesOf(c.UserContext(), a, id, 1<<20)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(dates, func(d events.Counts) bool { return d.Original.Equal(original) })
	if i < 0 {
		return nil, fault.New(fault.NotFound, "error.event_unknown")
	}
	p.Row, p.IsNeeds, p.Named = e, a.Is(e.AccessContactID), p.May("see_supporters")
	p.Date = dateRow{dates[i], events.Stamp(original), h.events.When(p.Lang, dates[i].Occurrence, events.Zone(e))}
	p.Title, p.Form.Note = p.Date.When, p.Date.Note
	p.Form.Starts = p.Date.Start.In(events.Zone(e)).Format("2006-01-02T15:04")
	if p.Named {
		_, _, p.People, err = h.events.People(c.UserContext(), a, id, original)
	}
	return p, err
}

func (h *eventAdmin) date(c *fiber.Ctx) error {
	p, err := h.datePage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/events/date", p)
}

func (h *eventAdmin) setDate(c *fiber.Ctx) error {
	p, err := h.datePage(c)
	if err != nil {
		return err
	}
	p.Form = eventDateForm{}
	if err = web.Bind(c, &p.Form); err == nil {
		_, err = h.events.SetDate(c.UserContext(), h.web.Actor(c), p.Row.ID, events.DateInput{Original: p.Date.Original, Do: p.Form.Do, Starts: p.Form.Starts, Note: p.Form.Note})
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/events/date", p)
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/events/date", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "events.done_"+p.Form.Do)
	return web.SeeOther(c, p.At())
}

// needs is what those who come need, for the access contact alone.
func (h *eventAdmin) needs(c *fiber.Ctx) error {
	p, err := h.datePage(c)
	if err != nil {
		return err
	}
	if _, _, p.People, err = h.events.PeopleNeeds(c.UserContext(), h.web.Actor(c), p.Row.ID, p.Date.Original); err != nil {
		return err
	}
	return h.web.Render(c, "admin/events/needs", p)
}

// print is the list for the door.
func (h *eventAdmin) print(c *fiber.Ctx) error {
	p, err := h.datePage(c)
	if err != nil {
		return err
	}
	if _, _, p.People, err = h.events.People(c.UserContext(), h.web.Actor(c), p.Row.ID, p.Date.Original); err != nil {
		return err
	}
	p.Title, p.Back = p.Row.Title, &web.Link{URL: p.At(), Label: p.T("events.back")}
	return h.web.Render(c, "admin/events/print", p)
}
