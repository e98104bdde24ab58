package public

import (
	"cmp"
	"html/template"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/markdown"
	"kithline/campaigns/rosters"
	"kithline/models"
)

type rosterPages struct {
	web     *web.Web
	rosters *rosters.Service
	door    *confirmations.Service
	use     *Prefiller
}

// MountRosters puts places that people take in place: /rosters and /rosters/:slug, what can be done /now, a shift with its form, the pages
// behind the mailed links /places/:token and /cant/:token, and the calendar of one's own.
func MountRosters(r fiber.Router, w *web.Web, s *rosters.Service, door *confirmations.Service, use *Prefiller) {
	h := &rosterPages{w, s, door, use}
	r.Get("/now", h.now)
	r.Get("/rosters", h.list)
	r.Get("/rosters/sent", h.sent)
	r.Post("/rosters/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/rosters/:slug", h.board)
	r.Get("/shifts/:id", h.shift)
	r.Post("/shifts/:id", w.Limit(60, tryWindow), h.take)
	r.Get("/shifts/:id/taken", h.taken)
	r.Get("/places/:token", h.place)
	r.Get("/cant/:token", h.cant)
	r.Post("/cant/:token", h.letGo)
	r.Get("/cant/:token/never", h.cant)
	r.Post("/cant/:token/never", h.letGo)
	r.Post("/cant/:token/again", h.holdAgain)
	r.Get("/feeds/:token", h.feed)
}

// rosterPage is what pages of rosters share: how shifts are said.
type rosterPage struct {
	web.Page
	h *rosterPages
}

func (h *rosterPages) page(c *fiber.Ctx, title string) rosterPage {
	return rosterPage{h.web.Page(c, title, "rosters"), h}
}

// When says when a shift is, in its roster's zone.
func (p rosterPage) When(o rosters.OnOffer) string {
	return p.h.rosters.When(p.Lang, o.Shift, nil, rosters.ZoneOf(o.Roster))
}

// Zone is the zone of a roster as people say it.
func (p rosterPage) Zone(r models.Roster) string { return p.ZoneName(rosters.ZoneOf(r).String()) }

// Opens says from when places of a shift can be taken, "" where that is now.
func (p rosterPage) Opens(o rosters.OnOffer) string {
	err := p.h.rosters.Takeable(o, p.Lang)
	if err == nil {
		return ""
	}
	return p.Says(err)
}

// Needs are the words of an effort label, in the order of a shift: its demands, and from where.
func (p rosterPage) Needs(o rosters.OnOffer) []string {
	var out []string
	if o.Demands != "" {
		out = strings.Split(o.Demands, ",")
	}
	switch o.Mode {
	case models.ShiftHome:
		out = append(out, "home")
	case models.ShiftPhone:
		out = append(out, "by_phone")
	}
	return out
}

// Asks says what a shift needs of somebody, "" for nothing.
func (p rosterPage) Asks(o rosters.OnOffer) string {
	var out []string
	if o.Languages != "" {
		names := strings.Split(o.Languages, ",")
		for i, l := range names {
			names[i] = p.language(l)
		}
		out = append(out, p.T("rosters.needs_language", "Names", strings.Join(names, ", ")))
	}
	if o.Training != "" {
		out = append(out, p.T("rosters.needs_training", "Name", o.Training))
	}
	if o.Area != "" {
		out = append(out, p.T("rosters.needs_area", "Area", strings.ReplaceAll(o.Area, ",", ", ")))
	}
	return strings.Join(out, " ")
}

func (p rosterPage) language(code string) string {
	switch code {
	case "en", "es":
		return p.T("rosters.language_" + code)
	}
	return code
}

// Button is what can be done with a shift: take, standby, or "".
func (p rosterPage) Button(o rosters.OnOffer) string {
	switch {
	case o.Free() > 0:
		return "take"
	case o.StandbyWanted():
		return "standby"
	}
	return ""
}

// canForm is the filter in the address.
type canForm struct {
	Time, Energy string
	Not          []string
	Where        []string // home, lying, no_screen
}

var (
	canTimes    = []string{"2", "10", "30", "60"}
	canEnergies = []string{"1", "2", "3", "4", "5"}
	canWheres   = []string{"home", "lying", "no_screen"}
)

// readCan reads a filter; what is none of ours is left out.
func readCan(c *fiber.Ctx) (f canForm, can rosters.Can) {
	args := c.Context().QueryArgs()
	one := func(list []string, names ...string) string {
		for _, n := range names {
			if v := string(args.Peek(n)); slices.Contains(list, v) {
				return v
			}
		}
		return ""
	}
	many := func(name string, list []string) []string {
		out := []string{}
		for _, v := range args.PeekMulti(name) {
			if slices.Contains(list, string(v)) && !slices.Contains(out, string(v)) {
				out = append(out, string(v))
			}
		}
		return out
	}
	f = canForm{Time: one(canTimes, "time", "minutes"), Energy: one(canEnergies, "energy"), Not: many("not", models.Demands), Where: many("where", canWheres)}
	can.Minutes, _ = strconv.Atoi(f.Time)
	can.Energy, _ = strconv.Atoi(f.Energy)
	can.Avoid, can.Home, can.LyingDown, can.NoScreen = f.Not, slices.Contains(f.Where, "home"), slices.Contains(f.Where, "lying"), slices.Contains(f.Where, "no_screen")
	return f, can
}

// filterPage is a page with the filter on it.
type filterPage struct {
	rosterPage
	Can  canForm
	Any  bool // nothing is left out
	Here string
}

// TimeOptions are the times that somebody may have.
func (p filterPage) TimeOptions() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("rosters.any")}}
	for _, t := range canTimes {
		n, _ := strconv.Atoi(t)
		out = append(out, web.Option{Value: t, Label: p.T("base.effort_minutes", "Count", n)})
	}
	return out
}

// EnergyOptions are the levels of energy.
func (p filterPage) EnergyOptions() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("rosters.any")}}
	for _, e := range canEnergies {
		out = append(out, web.Option{Value: e, Label: p.T("rosters.energy_" + e)})
	}
	return out
}

// NotOptions are what can be left out. A screen stands among the others.
func (p filterPage) NotOptions() []web.Option {
	var out []web.Option
	for _, d := range models.Demands {
		if d != "screen" {
			out = append(out, web.Option{Value: d, Label: p.T("effort." + d)})
		}
	}
	return out
}

// WhereOptions are what must be so.
func (p filterPage) WhereOptions() []web.Option {
	var out []web.Option
	for _, w := range canWheres {
		out = append(out, web.Option{Value: w, Label: p.T("rosters.where_" + w)})
	}
	return out
}

// Chosen says what is looked for, in words.
func (p filterPage) Chosen() string {
	var out []string
	if p.Can.Time != "" {
		n, _ := strconv.Atoi(p.Can.Time)
		out = append(out, p.T("rosters.chosen_time", "Count", n))
	}
	if p.Can.Energy != "" {
		out = append(out, p.T("rosters.chosen_energy", "Level", p.Can.Energy))
	}
	for _, d := range p.Can.Not {
		out = append(out, p.T("rosters.chosen_not", "What", p.T("effort."+d)))
	}
	for _, w := range p.Can.Where {
		out = append(out, p.T("rosters.where_"+w))
	}
	return strings.Join(out, ", ")
}

type rostersPage struct {
	rosterPage
	Rosters []rosters.PublicRoster
}

func (h *rosterPages) list(c *fiber.Ctx) error {
	all, err := h.rosters.PublicRosters(c.UserContext())
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/rosters/list", &rostersPage{h.page(c, "rosters.title"), all})
}

type boardPage struct {
	filterPage
	B    rosters.Board
	Body template.HTML
}

func (h *rosterPages) board(c *fiber.Ctx) error {
	f, can := readCan(c)
	b, err := h.rosters.PublicBoard(c.UserContext(), c.Params("slug"), can)
	if err != nil {
		return err
	}
	p := &boardPage{filterPage{h.page(c, ""), f, can.Any(), "/rosters/" + b.Slug}, b, markdown.HTML(b.Roster.Body)}
	p.Title = b.Roster.Title
	return h.web.Render(c, "public/rosters/show", p)
}

type nowPage struct {
	filterPage
	Fits, Standby []rosters.OnOffer
}

func (h *rosterPages) now(c *fiber.Ctx) error {
	f, can := readCan(c)
	fits, standby, err := h.rosters.Now(c.UserContext(), can)
	if err != nil {
		return err
	}
	p := &nowPage{filterPage{h.page(c, "rosters.now_title"), f, can.Any(), "/now"}, fits, standby}
	p.Section = "home"
	return h.web.Render(c, "public/rosters/now", p)
}

// shiftForm is the form of a shift.
type shiftForm struct {
	As         string   `form:"as,max=20"`
	GivenName  string   `form:"given_name,max=200"`
	FamilyName string   `form:"family_name,max=200"`
	Email      string   `form:"email,max=254"`
	Phone      string   `form:"phone,max=60"`
	TimeZone   string   `form:"time_zone,max=60"`
	Locale     string   `form:"locale,max=20"`
	At         string   `form:"at,max=40"`
	AskBy      string   `form:"ask_by,max=20"`
	AskFrom    string   `form:"ask_from,max=10"`
	Meets      bool     `form:"meets"`
	Anyway     bool     `form:"anyway"`
	Consent    []string `form:"consent,max=200"`
	Source     string   `form:"source,max=100"`
	Trap       string   `form:"leave_empty,max=500"`
}

type shiftPage struct {
	rosterPage
	O      rosters.OnOffer
	Body   template.HTML
	Form   shiftForm
	Closed string // why it cannot be taken, "" where it can
	Boxes  []consents.Box
	Plan   bool // it is more than the reader planned: asked once
	Filled bool
}

// AsOptions are as what somebody may come.
func (p *shiftPage) AsOptions() []web.Option {
	var out []web.Option
	for _, a := range []models.PlaceAs{models.AsPlace, models.AsStandby, models.AsUnderstudy, models.AsBuddy} {
		if a == models.AsPlace && p.O.Free() == 0 {
			continue
		}
		out = append(out, web.Option{Value: string(a), Label: p.T("rosters.as_" + string(a)), Hint: p.T("rosters.as_" + string(a) + "_hint")})
	}
	return out
}

// AskOptions are how who stands by may be asked.
func (p *shiftPage) AskOptions() []web.Option {
	return []web.Option{{Value: "mail", Label: p.T("rosters.ask_mail")}, {Value: "phone", Label: p.T("rosters.ask_phone")}}
}

// ZoneOptions are the time zones to choose from, with the roster's own first.
func (p *shiftPage) ZoneOptions() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("rosters.zone_same", "Zone", p.Zone(p.O.Roster))}}
	return append(out, p.Page.ZoneOptions(p.Form.TimeZone, p.O.Roster.TimeZone)...)
}

// ConsentOptions are what can be agreed to beside, in its exact words.
func (p *shiftPage) ConsentOptions() []web.Option { return boxOptions(p.Boxes) }

// Window reports whether the taker may name a time.
func (p *shiftPage) Window() bool { return p.O.Kind != models.ShiftFixed }

func (h *rosterPages) shiftPage(c *fiber.Ctx) (*shiftPage, error) {
	id, err := uuid.Parse(c.Params("id"))
	if err != nil {
		return nil, fault.New(fault.NotFound, "error.shift_unknown")
	}
	o, err := h.rosters.PublicShift(c.UserContext(), id)
	if err != nil {
		return nil, err
	}
	p := &shiftPage{rosterPage: h.page(c, ""), O: o, Body: markdown.HTML(o.Roster.Body)}
	p.Title, p.Form.Locale = o.Role, p.Lang
	p.Closed = p.Opens(o)
	p.Boxes, err = h.rosters.TakeBoxes(c.UserContext(), p.Lang)
	return p, err
}

func (h *rosterPages) shift(c *fiber.Ctx) error {
	p, err := h.shiftPage(c)
	if err != nil {
		return err
	}
	p.Form.As, p.Form.AskBy = p.Query("as"), "mail"
	if !slices.ContainsFunc(p.AsOptions(), func(o web.Option) bool { return o.Value == p.Form.As }) {
		p.Form.As = p.AsOptions()[0].Value
	}
	p.Form.Source = sourceOf(p.Page)
	if facts, ok := h.use.Facts(c); ok {
		p.Filled = true
		p.Form.GivenName, p.Form.FamilyName, p.Form.Email, p.Form.TimeZone, p.Form.Locale = facts.GivenName, facts.FamilyName, facts.Email, facts.TimeZone, cmp.Or(facts.Locale, p.Lang)
		p.Form.Phone = strings.Join(facts.Phones[:min(1, len(facts.Phones))], "")
	}
	return h.web.Render(c, "public/rosters/shift", p)
}

// take takes the form. Whoever fills in the field that nobody sees gets the same answer, and nothing is kept.
func (h *rosterPages) take(c *fiber.Ctx) error {
	p, err := h.shiftPage(c)
	if err != nil {
		return err
	}
	again := func(status int) error { return h.web.RenderStatus(c, status, "public/rosters/shift", p) }
	if err := web.Bind(c, &p.Form); p.Failed(err) {
		return again(fiber.StatusUnprocessableEntity)
	} else if err != nil {
		return err
	}
	f := p.Form
	proved := ""
	if facts, ok := h.use.Facts(c); ok {
		p.Filled, proved = true, facts.Email
	}
	if !sourceCode.MatchString(f.Source) {
		f.Source = ""
	}
	took, err := h.rosters.Take(c.UserContext(), rosters.TakeInput{
		Shift: p.O.ID, As: models.PlaceAs(f.As), Email: f.Email, GivenName: f.GivenName, FamilyName: f.FamilyName, Phone: f.Phone, TimeZone: f.TimeZone, Locale: cmp.Or(f.Locale, p.Lang), Lang: p.Lang,
		At: f.At, AskBy: models.AskBy(f.AskBy), AskFrom: f.AskFrom, Meets: f.Meets, Anyway: f.Anyway, Boxes: f.Consent, Source: f.Source, ClientIP: h.web.Client(c).String(), Trap: f.Trap, Proved: proved,
	})
	switch {
	case p.Failed(err):
		p.Plan = p.Error("anyway") != ""
		if p.Error("consent") != "" {
			p.Form.Consent = nil
		}
		return again(fiber.StatusUnprocessableEntity)
	case fault.Is(err, fault.Conflict), fault.Is(err, fault.TooMany):
		p.Refuse(err)
		if o, err := h.rosters.PublicShift(c.UserContext(), p.O.ID); err == nil { // as it stands now
			p.O = o
		}
		if p.Form.As == string(models.AsPlace) && p.O.Free() == 0 {
			p.Form.As = string(models.AsStandby)
		}
		return again(map[bool]int{true: fiber.StatusTooManyRequests, false: fiber.StatusConflict}[fault.Is(err, fault.TooMany)])
	case err != nil:
		return err
	case took.Confirmed:
		return web.SeeOther(c, "/shifts/"+p.O.ID.String()+"/taken")
	}
	mark(c, h.web, h.door, took.ID)
	return web.SeeOther(c, "/rosters/sent")
}

func (h *rosterPages) sent(c *fiber.Ctx) error {
	p := h.page(c, "form.sent_title")
	return h.web.Render(c, "public/rosters/sent", &p)
}

func (h *rosterPages) again(c *fiber.Ctx) error {
	return mailAgain(c, h.web, h.door, "form.sent_again", "/rosters/sent")
}

func (h *rosterPages) taken(c *fiber.Ctx) error {
	p, err := h.shiftPage(c)
	if err != nil {
		return err
	}
	p.Title = p.T("rosters.taken_title")
	return h.web.Render(c, "public/rosters/taken", p)
}

// holdingPage is what a mailed link is about.
type holdingPage struct {
	rosterPage
	Token    string
	H        rosters.Holding
	Never    bool
	Handover template.HTML
	Said     string // when, in the words of the page
}

func (h *rosterPages) holding(c *fiber.Ctx, title string) (*holdingPage, error) {
	private(c)
	p := &holdingPage{rosterPage: h.page(c, title), Token: c.Params("token"), Never: strings.HasSuffix(c.Path(), "/never")}
	var err error
	p.H, err = h.rosters.Holding(c.UserContext(), p.Token, p.Lang)
	p.Handover = markdown.HTML(p.H.Shift.Handover)
	return p, err
}

// show answers with a page of a link, or with that of something that is gone.
func (h *rosterPages) show(c *fiber.Ctx, view string, p *holdingPage) error {
	switch {
	case p.H.Gone:
		p.Title = p.T("rosters.gone_title")
		return h.web.Render(c, "public/rosters/gone", p)
	case p.H.Begun && view == "public/rosters/cant":
		p.Title = p.T("rosters.begun_title")
		return h.web.Render(c, "public/rosters/begun", p)
	}
	return h.web.Render(c, view, p)
}

func (h *rosterPages) place(c *fiber.Ctx) error {
	p, err := h.holding(c, "")
	if err != nil {
		return err
	}
	p.Title = p.H.Role
	return h.show(c, "public/rosters/place", p)
}

func (h *rosterPages) cant(c *fiber.Ctx) error {
	p, err := h.holding(c, "rosters.cant_title")
	if err != nil {
		return err
	}
	return h.show(c, "public/rosters/cant", p)
}

// letGo lets go. The page that follows is the answer to this press: to look at it again changes nothing, whatever the browser asks.
func (h *rosterPages) letGo(c *fiber.Ctx) error {
	private(c)
	p := &holdingPage{rosterPage: h.page(c, "rosters.gone_title"), Token: c.Params("token"), Never: strings.HasSuffix(c.Path(), "/never")}
	var err error
	if p.H, err = h.rosters.LetGo(c.UserContext(), p.Token, p.Lang, p.Never); err != nil {
		return err
	}
	if p.H.Gone || p.H.Begun {
		return h.show(c, "public/rosters/cant", p)
	}
	if p.H.GivenName != "" {
		p.Title = p.T("rosters.gone_title_name", "Name", p.H.GivenName)
	}
	return h.web.Render(c, "public/rosters/thanks", p)
}

// holdAgain gives back what was let go of. Where it cannot be had, the page says why, and leads to the place.
func (h *rosterPages) holdAgain(c *fiber.Ctx) error {
	private(c)
	var form struct {
		Kept string `form:"kept,max=8000"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	p := &againPage{rosterPage: h.page(c, "rosters.again_not")}
	var err error
	p.H, err = h.rosters.HoldAgain(c.UserContext(), c.Params("token"), form.Kept, p.Lang)
	status := fiber.StatusConflict
	switch {
	case fault.Is(err, fault.Gone):
		status = fiber.StatusGone
	case fault.Is(err, fault.Conflict):
	case err != nil:
		return err
	default:
		h.web.Flash(c, "good", "rosters.again_done")
		return web.SeeOther(c, "/places/"+c.Params("token"))
	}
	p.Why = p.Says(err)
	return h.web.RenderStatus(c, status, "public/rosters/again", p)
}

// againPage says why what was let go of cannot be had again.
type againPage struct {
	rosterPage
	H   rosters.Holding
	Why string
}

// Known reports whether it leads to the place.
func (p *againPage) Known() bool { return p.H.ID != uuid.Nil }

// feedAge is how long a calendar program keeps what it read.
const feedAge = 15 * time.Minute

func (h *rosterPages) feed(c *fiber.Ctx) error {
	private(c)
	token, ok := strings.CutSuffix(c.Params("token"), ".ics")
	if !ok {
		return fault.New(fault.NotFound, "error.link_unknown")
	}
	text, err := h.rosters.Feed(c.UserContext(), token, string(c.Context().QueryArgs().Peek("lang")))
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentType, "text/calendar; charset=utf-8")
	c.Set(fiber.HeaderCacheControl, "private, max-age="+strconv.Itoa(int(feedAge.Seconds())))
	return c.SendString(text)
}
