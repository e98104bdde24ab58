package public

import (
	"context"
	"html/template"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/letters"
	"kithline/campaigns/markdown"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// letterCookie holds the letters that this browser goes on with.
const letterCookie = "letter"

type letterPages struct {
	web       *web.Web
	letters   *letters.Service
	petitions *petitions.Service
	places    *legislators.Service
	door      *confirmations.Service
	use       *Prefiller
}

// MountLetters puts the journey of a letter in place: /letters/:slug, where it begins; /letters/:slug/write, one question a page;
// what comes after; and /letters/resume and /letters/draft/:token, where it goes on.
func MountLetters(r fiber.Router, w *web.Web, s *letters.Service, p *petitions.Service, places *legislators.Service, door *confirmations.Service, use *Prefiller) {
	h := &letterPages{w, s, p, places, door, use}
	r.Get("/letters/resume", h.resumePage)
	r.Post("/letters/resume", w.Limit(30, tryWindow), h.resume)
	r.Get("/letters/draft/:token", h.link)
	r.Post("/letters/draft/:token", h.takeUp)
	r.Get("/letters/:slug", h.start)
	r.Get("/letters/:slug/write", h.show)
	r.Post("/letters/:slug/write", w.Limit(300, tryWindow), h.write)
	r.Post("/letters/:slug/draft", w.Limit(600, tryWindow), h.autosave)
	r.Get("/letters/:slug/sent", h.sent)
	r.Post("/letters/:slug/sent", w.Limit(30, tryWindow), h.again)
	r.Get("/letters/:slug/thanks", h.thanks)
}

// The pages of the journey, in their order.
const (
	stepWhere    = "where"
	stepDistrict = "district" // where the postal code lies in several
	stepWho      = "who"
	stepPoints   = "points"
	stepWords    = "words"
	stepYou      = "you"
	stepCheck    = "check"
	stepLater    = "later" // an address, so that it can be finished later
)

// letterForm is what a page of the journey sends: its own answers, and until a draft is kept those of all others in hidden fields.
type letterForm struct {
	Step       string   `form:"step,max=20"`
	Do         string   `form:"do,max=20"` // "", back, later, send, or the page to go to
	PostalCode string   `form:"postal_code,max=40"`
	Country    string   `form:"country,max=2"`
	Region     string   `form:"region,max=10"`
	State      string   `form:"state,max=10"` // country and state in one: US WN
	Asked      string   `form:"asked,max=20"` // which kind of district the page asks for
	Divisions  []string `form:"division,max=40"`
	Lat        string   `form:"lat,max=40"` // where the browser is, once, to find the district
	Lon        string   `form:"lon,max=40"`
	Statewide  bool     `form:"statewide"`
	Chosen     []string `form:"to,max=40"`
	Points     []string `form:"point,max=40"`
	Order      string   `form:"order,max=40"`
	Subject    string   `form:"subject,max=10000"`
	Own        string   `form:"own_words,max=400000,lines"`
	GivenName  string   `form:"given_name,max=500"`
	FamilyName string   `form:"family_name,max=500"`
	Street     string   `form:"street,max=500"`
	City       string   `form:"city,max=500"`
	Email      string   `form:"email,max=500"`
	Updates    bool     `form:"updates"`
	Copy       bool     `form:"copy"`
	Source     string   `form:"source,max=100"`
	Trap       string   `form:"leave_empty,max=1000"`
}

// sheet is the form as answers.
func (f letterForm) sheet() letters.Sheet {
	s := letters.Sheet{
		PostalCode: f.PostalCode, Country: f.Country, Region: f.Region, Statewide: f.Statewide, Chosen: ids(f.Chosen), Points: ids(f.Points),
		Subject: f.Subject, Own: f.Own, GivenName: f.GivenName, FamilyName: f.FamilyName, Street: f.Street, City: f.City, Email: f.Email,
		Updates: f.Updates, Copy: f.Copy, Source: f.Source,
	}
	for _, id := range ids(f.Divisions) {
		if id == uuid.Nil {
			s.Statewide = true
			continue
		}
		s.Divisions = append(s.Divisions, id)
	}
	if country, state, ok := strings.Cut(f.State, " "); ok {
		s.Country, s.Region = country, state
	}
	return s
}

// lay puts the answers of the page that was sent over those that were kept.
func (f letterForm) lay(over letters.Sheet) letters.Sheet {
	in, out := f.sheet(), over
	switch f.Step {
	case stepWhere:
		if in.PostalCode != over.PostalCode { // other districts, perhaps another country
			out.Country, out.Region, out.Divisions, out.Statewide, out.Chosen = "", "", nil, false, nil
		}
		out.PostalCode = in.PostalCode
	case stepDistrict:
		out.Divisions, out.Statewide, out.Chosen = append(slices.Clone(over.Divisions), in.Divisions...), over.Statewide || in.Statewide, nil
		if in.Region != "" {
			out.Country, out.Region = in.Country, in.Region
		}
	case stepWho:
		out.Chosen = in.Chosen
	case stepPoints:
		out.Points = in.Points
	case stepWords:
		out.Subject, out.Own = in.Subject, in.Own
	case stepYou:
		out.GivenName, out.FamilyName, out.Street, out.City, out.Email = in.GivenName, in.FamilyName, in.Street, in.City, in.Email
	case stepCheck:
		out.Updates, out.Copy = in.Updates, in.Copy
	case stepLater:
		out.Email = in.Email
	}
	return out
}

// letterPage is a page of the journey.
type letterPage struct {
	web.Page
	C      letters.Campaign
	Body   template.HTML
	Sheet  letters.Sheet
	Step   string
	Order  string // puts the points in their order, until a draft does
	Draft  bool   // a draft is kept: pages carry nothing
	Closed string // why no letter is taken; "" where one is
	Filled bool   // with what the reader told before
	Source string

	Petitions []models.Petition // of the same campaign, that can be signed now: where it begins

	Who    letters.Recipients
	Offer  []models.LetterPoint
	Texts  []letters.FullText
	Meter  letters.Meter
	Point  bool // districts can be found by a point
	seed   uint64
	before letters.BegunLetter
}

// Question is what the page of a step asks. Of two chambers each has its own question, and is named in it.
func (p *letterPage) Question() string {
	if p.Step == stepDistrict && len(p.Who.Choices) > 0 {
		for _, c := range p.Who.Choices[0].Divisions {
			if len(c.Members) > 0 && p.PlaceField() == "division" {
				return p.T("represent.choose_of", "Body", c.Members[0].Chamber.Name)
			}
		}
	}
	return p.T("letters.title_" + p.Step)
}

// StepNumber is the part of the journey that the page is in.
func (p *letterPage) StepNumber() int {
	switch p.Step {
	case stepWhere, stepDistrict, stepWho:
		return 1
	case stepCheck:
		return 3
	}
	return 2
}

// Enter is what the Enter key in a field means: to go on, or on the last page to look again, so that nothing is sent by a slip.
func (p *letterPage) Enter() string {
	switch p.Step {
	case stepCheck:
		return stepCheck
	case stepLater:
		return "later"
	}
	return "go"
}

// Saved reports whether what is typed in the page is kept as it is typed: in a draft, and not in what waits to be confirmed.
func (p *letterPage) Saved() bool { return p.Draft && p.before.State == models.LetterDraft }

// Hidden is an answer that a page carries on.
type Hidden struct{ Name, Value string }

// Carried are the answers of the other pages: in hidden fields, since nothing is kept on the server before an address is given.
func (p *letterPage) Carried() []Hidden {
	var out []Hidden
	add := func(name, value string) {
		if value != "" {
			out = append(out, Hidden{name, value})
		}
	}
	if p.Draft {
		return nil
	}
	s := p.Sheet
	if p.Step != stepWhere {
		add("postal_code", s.PostalCode)
	}
	add("country", s.Country)
	add("region", s.Region)
	for _, d := range s.Divisions {
		add("division", d.String())
	}
	if s.Statewide {
		add("statewide", "yes")
	}
	if p.Step != stepWho {
		for _, id := range s.Chosen {
			add("to", id.String())
		}
	}
	if p.Step != stepPoints {
		for _, id := range s.Points {
			add("point", id.String())
		}
	}
	if p.Step != stepWords {
		add("subject", s.Subject)
		add("own_words", s.Own)
	}
	if p.Step != stepYou {
		for _, f := range [][2]string{{"given_name", s.GivenName}, {"family_name", s.FamilyName}, {"street", s.Street}, {"city", s.City}} {
			add(f[0], f[1])
		}
		if p.Step != stepLater {
			add("email", s.Email)
		}
	}
	add("order", p.Order)
	add("source", s.Source)
	return out
}

// Places are the districts to choose from, with who sits for each.
func (p *letterPage) Places() []web.Option {
	if len(p.Who.Choices) == 0 {
		return nil
	}
	choice := p.Who.Choices[0]
	var out []web.Option
	for _, c := range choice.Divisions {
		o := web.Option{Value: c.Division.ID.String(), Label: c.Division.Name}
		if choice.Kind == legislators.KindState {
			o.Value = c.Division.Country + " " + c.Division.Region
		}
		var names []string
		for _, m := range c.Members {
			names = append(names, strings.TrimSpace(m.Title()+" "+m.Name))
		}
		o.Hint = strings.Join(names, ", ")
		out = append(out, o)
	}
	if choice.Kind == legislators.KindState {
		return out
	}
	return append(out, web.Option{Value: uuid.Nil.String(), Label: p.T("letters.district_unknown"), Hint: p.T("letters.district_unknown_hint")})
}

// Asked is the kind of district that the page asks for.
func (p *letterPage) Asked() string {
	if len(p.Who.Choices) == 0 {
		return ""
	}
	return string(p.Who.Choices[0].Kind)
}

// PlaceField is the field that a choice is sent in.
func (p *letterPage) PlaceField() string {
	if len(p.Who.Choices) > 0 && p.Who.Choices[0].Kind == legislators.KindState {
		return "state"
	}
	return "division"
}

// To are the recipients to choose from, with why each is one.
func (p *letterPage) To() []web.Option {
	var out []web.Option
	for _, m := range p.Who.Members {
		out = append(out, web.Option{Value: m.ID.String(), Label: strings.TrimSpace(m.Title() + " " + m.Name), Hint: p.Why(m)})
	}
	return out
}

// Why says why somebody is written to, and what is special about the way to them.
func (p *letterPage) Why(m letters.Recipient) string {
	var out []string
	switch {
	case m.Place != "":
		out = append(out, p.T("letters.why_place", "Place", m.Place))
	case m.Target.Name != "":
		out = append(out, m.Target.Name+".")
	}
	kinds := map[models.ChannelKind]bool{}
	for _, c := range m.Channels {
		if c.BouncedAt == nil {
			kinds[c.Kind] = true
		}
	}
	switch {
	case kinds[models.ChannelEmail]:
	case kinds[models.ChannelWebForm]:
		out = append(out, p.T("letters.way_webform"))
	case len(m.Offices) > 0 || kinds[models.ChannelPost]:
		out = append(out, p.T("letters.way_post"))
	case kinds[models.ChannelPhone]:
		out = append(out, p.T("letters.way_phone"))
	}
	return strings.Join(out, " ")
}

// ChosenIDs are the recipients that are ticked.
func (p *letterPage) ChosenIDs() []string { return texts(p.Sheet.Chosen) }

// Ticked are the points that are ticked.
func (p *letterPage) Ticked() []string { return texts(p.Sheet.Points) }

func texts(list []uuid.UUID) []string {
	out := make([]string, len(list))
	for i, id := range list {
		out[i] = id.String()
	}
	return out
}

// Points are those to tick, each with its source.
func (p *letterPage) Points() []web.Option {
	out := make([]web.Option, len(p.Offer))
	for i, x := range p.Offer {
		out[i] = web.Option{Value: x.ID.String(), Label: x.Body}
		if x.SourceTitle != "" {
			out[i].Hint = p.T("letters.source", "Title", x.SourceTitle)
		}
	}
	return out
}

// Sources are where the points can be looked up, each once.
func (p *letterPage) Sources() []web.Link {
	var out []web.Link
	for _, x := range p.Offer {
		l := web.Link{URL: x.SourceURL, Label: x.SourceTitle}
		if l.Label == "" {
			l.Label = l.URL
		}
		if l.URL != "" && !slices.Contains(out, l) {
			out = append(out, l)
		}
	}
	return out
}

// Prompt is what the own words are about.
func (p *letterPage) Prompt() string {
	if p.C.Prompt != "" {
		return p.C.Prompt
	}
	return p.T("letters.prompt")
}

// MeterWords say how much of the letter is the writer's own.
func (p *letterPage) MeterWords(share int) string {
	switch {
	case share == 0:
		return p.T("letters.meter_none")
	case share < 25:
		return p.T("letters.meter_some")
	case share < 60:
		return p.T("letters.meter_half")
	}
	return p.T("letters.meter_most")
}

// SubjectGiven is the subject as the field shows it.
func (p *letterPage) SubjectGiven() string {
	if p.Sheet.Subject != "" {
		return p.Sheet.Subject
	}
	return p.C.Subject
}

// base makes a page, with what this browser began.
func (h *letterPages) base(c *fiber.Ctx, step string) (*letterPage, error) {
	own(c)
	p := &letterPage{Page: h.web.Page(c, "", "home"), Step: step}
	var err error
	if p.C, err = h.letters.Public(c.UserContext(), c.Params("slug"), p.Lang); err != nil {
		return nil, err
	}
	p.Title = p.C.Title
	p.before, p.Draft, err = h.letters.Begun(c.UserContext(), p.C.ID, h.web.Cookie(c, letterCookie))
	if p.Draft {
		p.Sheet, p.seed = p.before.Sheet, p.before.Seed()
	}
	if err == nil {
		if closed := h.letters.Takes(c.UserContext(), p.C); closed != nil {
			if p.Closed = p.Says(closed); p.Closed == "" {
				return nil, closed
			}
		}
	}
	return p, err
}

// start says what it is about, how long it takes and what happens. Nothing is asked.
// petitionsMost is how many petitions of its campaign the first page of a letter leads to.
const petitionsMost = 5

func (h *letterPages) start(c *fiber.Ctx) error {
	p, err := h.base(c, "")
	if err != nil {
		return err
	}
	p.Body, p.Source = markdown.HTML(p.C.Body), sourceOf(p.Page)
	if p.Petitions, err = h.petitions.Open(c.UserContext(), p.C.CampaignID, petitionsMost); err != nil {
		return err
	}
	return h.web.Render(c, "public/letters/start", p)
}

// show is a page of the journey by its address: the first for who begins, any for who goes on.
func (h *letterPages) show(c *fiber.Ctx) error {
	step := stepWhere
	p, err := h.base(c, step)
	if err != nil {
		return err
	}
	if p.Closed != "" {
		return web.SeeOther(c, "/letters/"+p.C.Slug)
	}
	if p.Draft {
		step = p.Query("step")
		if !slices.Contains([]string{stepWhere, stepWho, stepPoints, stepWords, stepYou, stepCheck}, step) {
			step = stepCheck
		}
	} else {
		p.Sheet.Source = sourceOf(p.Page)
		if facts, ok := h.use.Facts(c); ok {
			p.Filled, p.Sheet.PostalCode = true, facts.PostalCode
		}
	}
	return h.render(c, p, step, fiber.StatusOK)
}

// render shows a page of the journey: an earlier one where something before it is still open.
func (h *letterPages) render(c *fiber.Ctx, p *letterPage, step string, status int) error {
	p.Step = step
	if step != stepWhere {
		var err error
		if p.Who, err = h.letters.Who(c.UserContext(), p.C, &p.Sheet); err != nil {
			if !p.Failed(err) {
				return err
			}
			p.Step, status = stepWhere, fiber.StatusUnprocessableEntity
		}
	}
	if p.Step != stepWhere {
		if p.Sheet.Country == "" {
			p.Sheet.Country = p.Who.Country
		}
		switch {
		case len(p.Who.Choices) > 0:
			p.Step = stepDistrict
		case p.Step == stepDistrict, len(p.Who.Members) == 0:
			p.Step = stepWho
		}
		p.Sheet.Settle(p.C, p.Who)
	}
	if p.Step == stepCheck && len(p.Errors) == 0 { // what is open is asked first
		if in := p.Sheet; in.CheckWords(p.C) != nil {
			p.Step = stepWords
		} else if in.CheckYou() != nil {
			p.Step = stepYou
		}
	}
	if p.seed == 0 {
		p.seed = seedOf(&p.Order)
	}
	if p.Step == stepPoints || p.Step == stepWords || p.Step == stepCheck {
		p.Offer = p.Sheet.Offered(p.C, p.Who, p.seed)
		p.Texts, p.Meter = h.letters.Preview(p.C, p.Sheet, p.Who)
	}
	if p.Step == stepPoints && len(p.Offer) == 0 {
		p.Step = stepWords
	}
	if p.Step == stepYou && !p.Draft {
		if facts, ok := h.use.Facts(c); ok && p.Sheet.GivenName == "" && p.Sheet.Email == "" {
			p.Filled = true
			p.Sheet.GivenName, p.Sheet.FamilyName, p.Sheet.Street, p.Sheet.City, p.Sheet.Email = facts.GivenName, facts.FamilyName, facts.Street, facts.City, facts.Email
		}
	}
	if p.Step == stepDistrict {
		offer, err := h.places.Offer(c.UserContext())
		if err != nil {
			return err
		}
		p.Point = offer.Points
	}
	p.Title = p.Question()
	return h.web.RenderStatus(c, status, "public/letters/"+p.Step, p)
}

// seedOf reads the order of points that a page carries, and makes one by chance where it carries none.
func seedOf(order *string) uint64 {
	id, err := uuid.Parse(*order)
	if err != nil {
		var b [16]byte
		for i := range b {
			b[i] = byte(rand.IntN(256)) //nolint:gosec // an order, not a secret
		}
		id = uuid.UUID(b)
		*order = id.String()
	}
	return letters.SeedOf(id)
}

// nextOf is the page after a page.
func nextOf(step string) string {
	all := []string{stepWhere, stepWho, stepPoints, stepWords, stepYou, stepCheck}
	if step == stepDistrict {
		return stepWho
	}
	return all[min(slices.Index(all, step)+1, len(all)-1)]
}

// write takes a page of the journey and shows the next one. Until somebody gave an address, it keeps nothing.
func (h *letterPages) write(c *fiber.Ctx) error {
	ctx := c.UserContext()
	p, err := h.base(c, stepWhere)
	if err != nil {
		return err
	}
	var f letterForm
	err = web.Bind(c, &f)
	if _, bad := web.Invalid(err); err != nil && !bad {
		return err
	}
	if !slices.Contains([]string{stepWhere, stepDistrict, stepWho, stepPoints, stepWords, stepYou, stepCheck, stepLater}, f.Step) {
		return web.SeeOther(c, "/letters/"+p.C.Slug+"/write")
	}
	if p.Draft {
		p.Sheet = f.lay(p.Sheet)
	} else {
		p.Sheet, p.Order = f.lay(f.sheet()), f.Order
		if f.Step == stepDistrict {
			p.Sheet.Divisions = f.sheet().Divisions // they came together, in one field
		}
	}
	p.Step = f.Step
	if p.Closed != "" { // while the form was open: the words stay
		p.Errors = append(p.Errors, web.FieldError{Text: p.Closed})
		return h.render(c, p, cmpStep(f.Step), fiber.StatusConflict)
	}
	if p.Failed(err) {
		return h.again422(c, p, f.Step)
	}
	switch {
	case f.Do == "later" || f.Step == stepLater:
		return h.later(c, p, f)
	case f.Step == stepCheck && f.Do == "send":
		return h.send(c, p, f)
	case f.Do == "" || f.Do == "go":
		if f.Step == stepDistrict && f.Lat != "" {
			if err := h.here(ctx, p, f); err != nil {
				return err
			}
		}
		if err := h.checked(ctx, p, f.Asked); p.Failed(err) {
			return h.again422(c, p, f.Step)
		} else if err != nil {
			return err
		}
		return h.on(c, p, f, nextOf(f.Step))
	}
	return h.on(c, p, f, f.Do) // to a page that was named: nothing is asked of this one
}

// here takes the districts in which a point lies for those that the writer lives in. The point is forgotten at once. Where it says
// nothing, the question stays open.
func (h *letterPages) here(ctx context.Context, p *letterPage, f letterForm) error {
	lat, bad := strconv.ParseFloat(f.Lat, 64)
	lon, bad2 := strconv.ParseFloat(f.Lon, 64)
	if bad != nil || bad2 != nil {
		return nil //nolint:nilerr // it says nothing
	}
	at := p.Sheet
	at.Lat, at.Lon = &lat, &lon
	who, err := h.letters.Who(ctx, p.C, &at)
	if _, wrong := web.Invalid(err); wrong {
		return nil //nolint:nilerr // told where the page is checked
	}
	for _, d := range who.Homes {
		if d.ID != uuid.Nil && !slices.Contains(p.Sheet.Divisions, d.ID) {
			p.Sheet.Divisions = append(p.Sheet.Divisions, d.ID)
		}
	}
	return err
}

// cmpStep is a page that can be shown by itself.
func cmpStep(step string) string {
	if step == stepLater {
		return stepWords
	}
	return step
}

// checked says what is wrong with the page that was sent.
func (h *letterPages) checked(ctx context.Context, p *letterPage, asked string) error {
	who, err := h.letters.Who(ctx, p.C, &p.Sheet)
	if err != nil {
		return err
	}
	switch p.Step {
	case stepDistrict:
		if len(who.Choices) > 0 && string(who.Choices[0].Kind) == asked {
			p.Who = who
			return fault.Fields{{Name: p.PlaceField(), Key: "error.letter_division_missing"}}.Err()
		}
	case stepWho:
		return p.Sheet.CheckWho(p.C, who)
	case stepWords:
		return p.Sheet.CheckWords(p.C)
	case stepYou:
		return p.Sheet.CheckYou()
	}
	return nil
}

// on goes to a page: with a draft, which is kept, by its address; else at once, with everything in it.
func (h *letterPages) on(c *fiber.Ctx, p *letterPage, f letterForm, to string) error {
	if !slices.Contains([]string{stepWhere, stepWho, stepPoints, stepWords, stepYou, stepCheck}, to) {
		to = nextOf(f.Step)
	}
	if !p.Draft && f.Step != stepYou {
		return h.render(c, p, to, fiber.StatusOK)
	}
	if f.Trap != "" { // whoever fills in what nobody sees gets on, and nothing is kept
		return web.SeeOther(c, "/letters/"+p.C.Slug+"/sent")
	}
	if err := h.keep(c, p, false); p.Failed(err) {
		return h.again422(c, p, f.Step)
	} else if err != nil {
		return err
	}
	return web.SeeOther(c, "/letters/"+p.C.Slug+"/write?step="+to)
}

func (h *letterPages) again422(c *fiber.Ctx, p *letterPage, step string) error {
	if step == stepLater {
		p.Step, p.Title = stepLater, p.T("letters.title_later")
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/letters/later", p)
	}
	p.Errors = slices.DeleteFunc(p.Errors, func(e web.FieldError) bool { // one page after the other: only what this one can mend
		return e.Name != "" && stepOf([]web.FieldError{e}) != step
	})
	return h.render(c, p, step, fiber.StatusUnprocessableEntity)
}

// keep keeps the draft, and mails its link where that is asked for.
func (h *letterPages) keep(c *fiber.Ctx, p *letterPage, mail bool) error {
	cookie, err := h.letters.KeepDraft(c.UserContext(), p.C, letters.KeepInput{
		Sheet: p.Sheet, Held: h.web.Cookie(c, letterCookie), Lang: p.Lang, ConsentText: p.consentText(), Mail: mail,
	})
	if err == nil {
		h.web.SetCookie(c, letterCookie, cookie, letters.DraftFor)
	}
	return err
}

// consentText are the words beside the box for mails, as they are shown.
func (p *letterPage) consentText() string {
	return p.T("letters.updates") + "\n" + p.T("letters.updates_hint")
}

// OfficeText are the words that say what an office gets, as they are shown.
func (p *letterPage) OfficeText() string { return p.T("letters.office_text") }

// later keeps what there is and mails the link that goes on with it.
func (h *letterPages) later(c *fiber.Ctx, p *letterPage, f letterForm) error {
	if f.Step != stepLater && p.Sheet.Email == "" {
		p.Step, p.Title = stepLater, p.T("letters.title_later")
		return h.web.Render(c, "public/letters/later", p)
	}
	if f.Trap == "" {
		if err := h.keep(c, p, true); p.Failed(err) {
			return h.again422(c, p, f.Step)
		} else if err != nil {
			return err
		}
	}
	p.Title = p.T("letters.mailed_title")
	return h.web.Render(c, "public/letters/mailed", p)
}

func (h *letterPages) send(c *fiber.Ctx, p *letterPage, f letterForm) error {
	done, err := h.letters.Send(c.UserContext(), p.C, letters.SendInput{
		KeepInput:  letters.KeepInput{Sheet: p.Sheet, Held: h.web.Cookie(c, letterCookie), Lang: p.Lang, ConsentText: p.consentText()},
		OfficeText: p.OfficeText(), ClientIP: h.web.Client(c).String(), Trap: f.Trap,
	})
	switch {
	case p.Failed(err):
		return h.again422(c, p, stepOf(p.Errors))
	case fault.Is(err, fault.Conflict):
		p.Refuse(err)
		return h.render(c, p, stepCheck, fiber.StatusConflict)
	case err != nil:
		return err
	}
	h.web.SetCookie(c, letterCookie, done.Cookie, letters.DraftFor)
	mark(c, h.web, h.door, done.ID)
	return web.SeeOther(c, "/letters/"+p.C.Slug+"/sent")
}

// stepOf is the page on which the first of the errors can be mended.
func stepOf(list []web.FieldError) string {
	for _, e := range list {
		switch e.Name {
		case "postal_code":
			return stepWhere
		case "division", "state":
			return stepDistrict
		case "to":
			return stepWho
		case "subject", "own_words":
			return stepWords
		case "given_name", "family_name", "street", "city", "email":
			return stepYou
		}
	}
	return stepCheck
}

// autosave keeps what is typed in the pages of a draft.
func (h *letterPages) autosave(c *fiber.Ctx) error {
	p, err := h.base(c, stepWhere)
	if err != nil {
		return err
	}
	if !p.Saved() {
		return fault.New(fault.NotFound, "error.letter_draft_gone")
	}
	var f letterForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	p.Sheet = f.lay(p.Sheet)
	if f.Step == stepYou && p.Sheet.Email != p.before.Email { // another address is another draft: that is for the button
		p.Sheet.Email = p.before.Email
	}
	if err := h.keep(c, p, false); err != nil {
		return err
	}
	return c.JSON(fiber.Map{})
}

// letterSent is what follows: look into your mail, or what happens next.
type letterSent struct {
	web.Page
	C letters.Campaign
}

func (h *letterPages) after(c *fiber.Ctx, title string) (*letterSent, error) {
	own(c)
	p := &letterSent{Page: h.web.Page(c, title, "home")}
	var err error
	p.C, err = h.letters.Public(c.UserContext(), c.Params("slug"), p.Lang)
	return p, err
}

func (h *letterPages) sent(c *fiber.Ctx) error {
	p, err := h.after(c, "letters.sent_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/letters/sent", p)
}

func (h *letterPages) again(c *fiber.Ctx) error {
	p, err := h.after(c, "letters.sent_title")
	if err != nil {
		return err
	}
	return mailAgain(c, h.web, h.door, "form.sent_again", "/letters/"+p.C.Slug+"/sent")
}

func (h *letterPages) thanks(c *fiber.Ctx) error {
	p, err := h.after(c, "letters.thanks_title")
	if err != nil {
		return err
	}
	return h.web.Render(c, "public/letters/thanks", p)
}

// letterResume is where one goes on by code, or asks for the link once more.
type letterResume struct {
	web.Page
	Form struct {
		Email string `form:"email,max=254"`
		Code  string `form:"code,max=40"`
		Do    string `form:"do,max=10"`
	}
}

func (h *letterPages) resumePage(c *fiber.Ctx) error {
	own(c)
	return h.web.Render(c, "public/letters/resume", &letterResume{Page: h.web.Page(c, "letters.resume_title", "home")})
}

func (h *letterPages) resume(c *fiber.Ctx) error {
	own(c)
	ctx := c.UserContext()
	p := letterResume{Page: h.web.Page(c, "letters.resume_title", "home")}
	err := web.Bind(c, &p.Form)
	if err == nil && p.Form.Do == "mail" {
		if err = h.letters.ResumeMail(ctx, p.Form.Email); err == nil {
			p.Title = p.T("letters.mailed_title")
			return h.web.Render(c, "public/letters/mailed", &p)
		}
	} else if err == nil {
		slug, cookie, err2 := h.letters.ResumeCode(ctx, h.web.Cookie(c, letterCookie), p.Form.Email, p.Form.Code)
		if err = err2; err == nil {
			h.web.SetCookie(c, letterCookie, cookie, letters.DraftFor)
			return web.SeeOther(c, "/letters/"+slug+"/write")
		}
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/letters/resume", &p)
	}
	return err
}

// letterLink is where a mailed link leads: to one button.
type letterLink struct {
	web.Page
	Token string
	Offer letters.Draft
}

func (h *letterPages) link(c *fiber.Ctx) error {
	private(c)
	p := letterLink{Page: h.web.Page(c, "letters.link_title", "home"), Token: c.Params("token")}
	var err error
	if p.Offer, err = h.letters.Offered(c.UserContext(), p.Token); err != nil {
		return err
	}
	return h.web.Render(c, "public/letters/link", &p)
}

func (h *letterPages) takeUp(c *fiber.Ctx) error {
	private(c)
	slug, cookie, err := h.letters.TakeUp(c.UserContext(), h.web.Cookie(c, letterCookie), c.Params("token"))
	if err != nil {
		return err
	}
	h.web.SetCookie(c, letterCookie, cookie, letters.DraftFor)
	return web.SeeOther(c, "/letters/"+slug+"/write")
}
