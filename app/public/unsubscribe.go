package public

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
)

type unsubscribe struct {
	web      *web.Web
	svc      *mailings.Service
	consents *consents.Service
}

// MountUnsubscribe puts the way out of every mailing in place: /u/:token, with everything else that its reader can choose. Its
// POST takes one-click requests of mail programs (RFC 8058), which come from anywhere and bring no cookies:
// web.Options.OneClick lists it.
func MountUnsubscribe(r fiber.Router, w *web.Web, s *mailings.Service, c *consents.Service) {
	h := &unsubscribe{w, s, c}
	r.Get("/u/:token", h.show)
	r.Post("/u/:token", h.leave)
	r.Post("/u/:token/undo", h.undo)
	r.Post("/u/:token/preferences", h.choose)
	r.Post("/u/:token/rest", h.rest)
	r.Post("/u/:token/leave", h.leaveAll)
}

type unsubscribePage struct {
	web.Page
	Token string
	mailings.Subscription
	Left bool // the button was just pressed
	Back bool // it was just taken back

	Preferences consents.Preferences
	Form        preferencesForm
	Rest        restForm
	Shown       []string // values of the switches that are on
}

// Switches are the choices, each with the words that were or would be agreed to.
func (p unsubscribePage) Switches() []web.Option {
	var out []web.Option
	for _, c := range p.Preferences.Choices {
		hint := c.Hint()
		if c.On {
			hint = strings.TrimSpace(hint + " " + p.T("preferences.since", "Date", p.Date(c.Since)))
		}
		out = append(out, web.Option{Value: c.Value, Label: c.Label(), Hint: hint})
	}
	return out
}

// Often lists how often mail to many may come.
func (p unsubscribePage) Often() []web.Option {
	var out []web.Option
	for _, f := range consents.Frequencies {
		out = append(out, web.Option{Value: string(f), Label: p.T("form.often_" + string(f))})
	}
	return out
}

// Receipt reports whether the mail was no mailing at all: there is nothing to stop.
func (p unsubscribePage) Receipt() bool { return p.Purpose == "receipt" }

func (h *unsubscribe) page(c *fiber.Ctx) unsubscribePage {
	return unsubscribePage{Page: h.web.Page(c, "unsubscribe.title", ""), Token: c.Params("token")}
}

// show changes nothing: mail scanners follow links.
func (h *unsubscribe) show(c *fiber.Ctx) error {
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Subscription(c.UserContext(), p.Token)
	return h.answer(c, &p, err)
}

func (h *unsubscribe) answer(c *fiber.Ctx, p *unsubscribePage, err error) error {
	if fault.Is(err, fault.NotFound) {
		p.Title = p.T("unsubscribe.unknown_title")
		return h.web.RenderStatus(c, fiber.StatusNotFound, "public/unsubscribe/unknown", p)
	}
	if err != nil {
		return err
	}
	switch {
	case p.Left && !p.Active:
		p.Title = p.T("unsubscribe.left_title")
	case p.Back && p.Active:
		p.Title = p.T("unsubscribe.back_title")
	}
	return h.render(c, fiber.StatusOK, p, true)
}

// render shows the page with its switches: as they are, or as they were just set where fresh is false.
func (h *unsubscribe) render(c *fiber.Ctx, status int, p *unsubscribePage, fresh bool) error {
	var err error
	if p.Preferences, err = h.consents.Preferences(c.UserContext(), p.Token, p.Lang); err != nil {
		return err
	}
	on := []string{}
	for _, choice := range p.Preferences.Choices {
		if choice.On {
			on = append(on, choice.Value)
		}
	}
	if p.Shown = on; fresh {
		p.Form = preferencesForm{On: on, Frequency: string(p.Preferences.Frequency)}
	}
	return h.web.RenderStatus(c, status, "public/unsubscribe/show", p)
}

func zoneOf(p web.Page) *time.Location {
	if p.Site.Zone == nil {
		return time.UTC
	}
	return p.Site.Zone
}

type preferencesForm struct {
	Shown     []string `form:"shown,max=200"`
	On        []string `form:"on,max=200"`
	Frequency string   `form:"frequency,max=20"`
}

type restForm struct {
	Do    string `form:"do,max=20"`
	Until string `form:"until,max=20"`
}

// choose keeps what was chosen on the page.
func (h *unsubscribe) choose(c *fiber.Ctx) error {
	p := h.page(c)
	p.Title = p.T("preferences.title")
	var err error
	if p.Subscription, err = h.svc.Subscription(c.UserContext(), p.Token); err != nil {
		return h.answer(c, &p, err)
	}
	err = web.Bind(c, &p.Form)
	in := consents.PreferencesInput{Shown: p.Form.Shown, On: p.Form.On, Frequency: p.Form.Frequency, Lang: p.Lang, Source: "preferences page"}
	if err == nil {
		err = h.consents.SavePreferences(c.UserContext(), p.Token, in)
	}
	switch {
	case p.Failed(err):
		return h.render(c, fiber.StatusUnprocessableEntity, &p, false)
	case fault.Is(err, fault.Gone):
		return h.answer(c, &p, nil)
	case err != nil:
		return h.answer(c, &p, err)
	}
	h.web.Flash(c, "good", "preferences.saved")
	return web.SeeOther(c, "/u/"+p.Token)
}

// rest lets mail rest, or come again: each button is one answer, and nothing else on the page changes by it.
func (h *unsubscribe) rest(c *fiber.Ctx) error {
	p := h.page(c)
	p.Title = p.T("preferences.rest")
	var err error
	if p.Subscription, err = h.svc.Subscription(c.UserContext(), p.Token); err != nil {
		return h.answer(c, &p, err)
	}
	err = web.Bind(c, &p.Rest)
	var until *time.Time
	if err == nil {
		until, err = h.restUntil(p.Rest, zoneOf(p.Page))
	}
	if err == nil {
		err = h.consents.Rest(c.UserContext(), p.Token, until)
	}
	switch {
	case p.Failed(err):
		return h.render(c, fiber.StatusUnprocessableEntity, &p, true)
	case fault.Is(err, fault.Gone):
		return h.answer(c, &p, nil)
	case err != nil:
		return h.answer(c, &p, err)
	}
	done := "preferences.rests"
	if until == nil {
		done = "preferences.comes"
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, "/u/"+p.Token)
}

// restUntil reads what a button stands for; nil ends the pause.
func (h *unsubscribe) restUntil(f restForm, zone *time.Location) (*time.Time, error) {
	at := h.consents.Today(zone)
	switch f.Do {
	case "month":
		at = at.AddDate(0, 1, 0)
	case "quarter":
		at = at.AddDate(0, 3, 0)
	case "told":
		at = models.PausedUntilTold
	case "day":
		day, err := time.ParseInLocation(time.DateOnly, f.Until, zone)
		if err != nil {
			return nil, fault.Fields{{Name: "until", Key: "error.pause_date"}}.Err()
		}
		at = day
	case "end":
		return nil, nil //nolint:nilnil // no pause, and no error
	default:
		return nil, fault.New(fault.Invalid, "error.value_unknown")
	}
	return &at, nil
}

// leaveAll ends everything that the reader agreed to.
func (h *unsubscribe) leaveAll(c *fiber.Ctx) error {
	p := h.page(c)
	if err := h.svc.LeaveAll(c.UserContext(), p.Token); err != nil {
		return h.answer(c, &p, err)
	}
	h.web.Flash(c, "good", "preferences.left")
	return web.SeeOther(c, "/u/"+p.Token)
}

// leave ends the subscription: with a page for whoever pressed the button on ours, with a few words for a mail program. It
// never redirects.
func (h *unsubscribe) leave(c *fiber.Ctx) error {
	if !pressed(c) {
		return h.oneClick(c)
	}
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Unsubscribe(c.UserContext(), p.Token, mailings.ByPage)
	p.Left = true
	return h.answer(c, &p, err)
}

func (h *unsubscribe) oneClick(c *fiber.Ctx) error {
	_, err := h.svc.Unsubscribe(c.UserContext(), c.Params("token"), mailings.ByOneClick)
	c.Set(fiber.HeaderCacheControl, "no-store")
	switch {
	case fault.Is(err, fault.NotFound):
		return c.Status(fiber.StatusNotFound).SendString("This link is not known here.\n")
	case err != nil:
		return err
	}
	return c.SendString("Done. These mails have stopped.\n")
}

// pressed reports whether the request is from our own page: its form has a field that a mail program's request has not. A
// body that cannot be read is a mail program's.
func pressed(c *fiber.Ctx) bool {
	kind := strings.ToLower(c.Get(fiber.HeaderContentType))
	switch {
	case strings.HasPrefix(kind, fiber.MIMEApplicationForm):
		return string(c.Context().PostArgs().Peek("page")) == "1"
	case strings.HasPrefix(kind, fiber.MIMEMultipartForm):
		f, err := c.MultipartForm()
		return err == nil && len(f.Value["page"]) == 1 && f.Value["page"][0] == "1"
	}
	return false
}

func (h *unsubscribe) undo(c *fiber.Ctx) error {
	p := h.page(c)
	var err error
	p.Subscription, err = h.svc.Undo(c.UserContext(), p.Token)
	p.Back = true
	return h.answer(c, &p, err)
}
