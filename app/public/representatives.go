package public

import (
	"cmp"
	"context"
	"html/template"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type representatives struct {
	web         *web.Web
	legislators *legislators.Service
}

// MountRepresentatives puts the page in place that says who represents a place, and how they are reached: /representatives.
func MountRepresentatives(r fiber.Router, w *web.Web, s *legislators.Service) {
	h := &representatives{w, s}
	limit := w.Limit(600, tryWindow)
	r.Get("/representatives", limit, h.show)
	r.Post("/representatives/here", limit, h.here)
}

// placeForm is what the address says of a place. Divisions that somebody chose are "in_cd", "in_sldl" and so on.
type placeForm struct {
	Country string `form:"country,max=2"`
	Code    string `form:"postal_code,max=40"`
	State   string `form:"state,max=10"`
	Asked   string `form:"asked,max=200"` // the kinds that were asked for
	Nowhere bool   `form:"nowhere"`       // a point lay in no boundary
}

// unsure is the answer of somebody who does not know their district; elsewhere that their state is not in the list.
const (
	unsure    = "unsure"
	elsewhere = "elsewhere"
)

type representativesPage struct {
	web.Page
	Form     placeForm
	Chosen   map[string]string // by "in_cd": an id, or unsure
	Offer    legislators.Offer
	Found    *legislators.Represented // nil before anything was asked
	Question []placeQuestion
}

// placeQuestion is an open choice as the form shows it.
type placeQuestion struct {
	Name, Label string // the field's, and what it asks
	Chosen      string
	Options     []web.Option
}

func (h *representatives) show(c *fiber.Ctx) error {
	// The reader's browser may be asked where it is, on this page alone and when they press for it.
	c.Set(fiber.HeaderPermissionsPolicy, strings.Replace(string(c.Response().Header.Peek(fiber.HeaderPermissionsPolicy)), "geolocation=()", "geolocation=(self)", 1))
	p := representativesPage{Page: h.web.Page(c, "represent.title", "representatives"), Chosen: map[string]string{}}
	failed := p.Failed(web.Bind(c, &p.Form))
	var err error
	if p.Offer, err = h.legislators.Offer(c.UserContext()); err != nil {
		return err
	}
	p.Form.Country = strings.ToUpper(p.Form.Country)
	if p.Form.Country == "" && len(p.Offer.Countries) > 0 {
		p.Form.Country = p.Offer.Countries[0]
	}
	place := legislators.Place{Country: p.Form.Country, PostalCode: p.Form.Code}
	if p.Form.State != elsewhere {
		place.Region = p.Form.State
	}
	for name, value := range c.Queries() {
		if !strings.HasPrefix(name, "in_") {
			continue
		}
		if id, err := uuid.Parse(value); err == nil {
			place.Divisions = append(place.Divisions, id)
			p.Chosen[name] = id.String()
		} else if value == unsure {
			place.Statewide = true
			p.Chosen[name] = unsure
		}
	}
	// Whose state is not in the list of their postal code chooses among all: the code says nothing then.
	asked := p.Form.State != elsewhere && (p.Form.Code != "" || place.Region != "" || len(place.Divisions) > 0)
	if _, sent := c.Queries()["postal_code"]; sent && !asked && !failed && p.Form.State != elsewhere {
		failed = p.Failed(fault.Fields{{Name: "postal_code", Key: "represent.error_code"}}.Err())
	}
	if failed {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/representatives/show", &p)
	}
	if !asked {
		return h.web.Render(c, "public/representatives/show", &p)
	}
	found, err := h.legislators.Represent(c.UserContext(), place)
	if err != nil {
		return err
	}
	p.Found = &found
	var bad fault.Fields
	for _, choice := range found.Choices {
		q := p.question(choice)
		if slices.Contains(strings.Split(p.Form.Asked, ","), string(choice.Kind)) {
			bad.Add(q.Name, "represent.error_choose")
		}
		p.Question = append(p.Question, q)
	}
	if p.Failed(bad.Err()) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/representatives/show", &p)
	}
	return h.web.Render(c, "public/representatives/show", &p)
}

// here answers to a point that the reader's browser gave: with the address of the districts that it lies in, and nothing of the point.
func (h *representatives) here(c *fiber.Ctx) error {
	var form struct {
		Lat string `form:"lat,max=40"`
		Lon string `form:"lon,max=40"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	lat, err := strconv.ParseFloat(form.Lat, 64)
	lon, err2 := strconv.ParseFloat(form.Lon, 64)
	if err != nil || err2 != nil {
		return fault.New(fault.Invalid, "error.point_invalid")
	}
	found, err := h.legislators.Represent(c.UserContext(), legislators.Place{Lat: &lat, Lon: &lon})
	if err != nil {
		return err
	}
	to := url.Values{}
	for _, d := range found.Divisions {
		to.Set("in_"+string(d.Kind), d.ID.String())
		to.Set("country", d.Country)
	}
	if len(found.Divisions) == 0 {
		to.Set("nowhere", "yes")
	}
	return web.SeeOther(c, "/representatives?"+to.Encode())
}

// question puts a choice into a form: the divisions with who sits for them, and the way out.
func (p representativesPage) question(c legislators.Choice) placeQuestion {
	q := placeQuestion{Name: "in_" + string(c.Kind), Label: p.T("represent.choose")}
	if c.Kind == legislators.KindState {
		q.Name, q.Label = "state", p.T("represent.choose_state")
	}
	for _, d := range c.Divisions {
		o := web.Option{Value: d.Division.ID.String(), Label: d.Division.Name}
		if c.Kind == legislators.KindState {
			o.Value, o.Label = d.Division.Region, p.region(d.Division.Region, d.Division.Name)
		}
		var names []string
		for _, m := range d.Members {
			names = append(names, m.Name)
			if c.Kind != legislators.KindState {
				q.Label = p.T("represent.choose_of", "Body", m.Chamber.Name)
			}
		}
		switch {
		case len(names) > 0:
			o.Hint = strings.Join(names, ", ")
		case c.Kind != legislators.KindState:
			o.Hint = p.T("represent.sits_nobody")
		}
		q.Options = append(q.Options, o)
	}
	last := web.Option{Value: unsure, Label: p.T("represent.unsure"), Hint: p.T("represent.unsure_hint")}
	if c.Kind == legislators.KindState {
		last = web.Option{Value: elsewhere, Label: p.T("represent.elsewhere"), Hint: p.T("represent.elsewhere_hint")}
	}
	q.Options = append(q.Options, last)
	return q
}

// region is a state in the reader's words; name is what the data calls it.
func (p representativesPage) region(code, name string) string {
	for _, r := range locales.Regions(p.Lang, p.Form.Country) {
		if r.Code == code {
			return r.Name
		}
	}
	return cmp.Or(name, code)
}

// Kinds are the kinds of the open questions, as the form sends them along.
func (p representativesPage) Kinds() string {
	var out []string
	if p.Found != nil {
		for _, c := range p.Found.Choices {
			out = append(out, string(c.Kind))
		}
	}
	return strings.Join(out, ",")
}

// AskState reports whether the reader has to say their state: nothing else helps.
func (p representativesPage) AskState() bool {
	return p.Form.State == elsewhere || p.Found != nil && p.Found.Problem == legislators.ProblemUnknown
}

// Countries are those that can be looked up.
func (p representativesPage) Countries() []web.Option {
	var out []web.Option
	for _, code := range p.Offer.Countries {
		out = append(out, web.Option{Value: code, Label: cmp.Or(countryName(p.Lang, code), code)})
	}
	return out
}

// States are those of the country: by name where the country's are known, and what was imported.
func (p representativesPage) States() []web.Option {
	out := []web.Option{{Value: "", Label: p.T("form.choose")}}
	for _, r := range locales.Regions(p.Lang, p.Form.Country) {
		out = append(out, web.Option{Value: r.Code, Label: r.Name})
	}
	for _, j := range p.Offer.Regions {
		if j.Country == p.Form.Country && !slices.ContainsFunc(out, func(o web.Option) bool { return o.Value == j.Region }) {
			out = append(out, web.Option{Value: j.Region, Label: j.Name})
		}
	}
	slices.SortStableFunc(out[1:], func(x, y web.Option) int {
		return strings.Compare(supporters.Fold(x.Label), supporters.Fold(y.Label))
	})
	return out
}

// Heading names the body that seats belong to.
func (p representativesPage) Heading(s legislators.Seats) string {
	if s.Jurisdiction.Name == "" || strings.Contains(s.Chamber.Name, s.Jurisdiction.Name) {
		return s.Chamber.Name
	}
	return s.Jurisdiction.Name + ": " + s.Chamber.Name
}

// PlaceName names the division of seats; a whole state in the reader's words.
func (p representativesPage) PlaceName(s legislators.Seats) string {
	if s.OCDID == "" || strings.Count(s.OCDID, "/") != 2 {
		return s.Place
	}
	return p.region(s.Region, s.Place)
}

// officeChannels are the ways to a legislator that a page shows: the office's own form, and an address as a text where there is none.
func officeChannels(m legislators.Member) (forms, mails, phones []string) {
	for _, ch := range m.Channels {
		switch {
		case ch.BouncedAt != nil:
		case ch.Kind == models.ChannelWebForm:
			forms = append(forms, ch.Value)
		case ch.Kind == models.ChannelEmail:
			mails = append(mails, ch.Value)
		case ch.Kind == models.ChannelPhone && ch.OfficeID == nil:
			phones = append(phones, ch.Value)
		}
	}
	if len(forms) > 0 {
		mails = nil
	}
	return forms, mails, phones
}

// WebForms are the addresses of the member's own forms.
func (p representativesPage) WebForms(m legislators.Member) []string {
	list, _, _ := officeChannels(m)
	return list
}

// Mails are the member's mail addresses, where they have no form.
func (p representativesPage) Mails(m legislators.Member) []string {
	_, list, _ := officeChannels(m)
	return list
}

// Phones are the member's numbers that belong to no office.
func (p representativesPage) Phones(m legislators.Member) []string {
	_, _, list := officeChannels(m)
	return slices.DeleteFunc(list, func(n string) bool {
		return slices.ContainsFunc(m.Offices, func(o models.Office) bool { return o.Phone == n })
	})
}

// Call is the link that dials a number.
func (p representativesPage) Call(number string) template.URL {
	number, _, _ = strings.Cut(strings.ToLower(number), "x")     // an extension is dialled by hand
	return template.URL("tel:" + strings.Map(func(r rune) rune { //nolint:gosec // digits and a plus alone
		if r == '+' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, number))
}

// CityLine is the line of an office's address with the postal code.
func (p representativesPage) CityLine(o models.Office) string {
	return strings.TrimSpace(strings.Trim(o.City+", "+o.Region, ", ") + " " + o.PostalCode)
}

// loaded reports whether anybody can be looked up, for the first page.
func loaded(ctx context.Context, s *legislators.Service) (bool, error) {
	o, err := s.Offer(ctx)
	return len(o.Countries) > 0, err
}
