package admin

import (
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
	"kithline/models"
)

// planForm is when and how a mailing goes out.
type planForm struct {
	Revision int    `form:"revision"`
	When     string `form:"when,max=10"` // now, at, local
	At       string `form:"at,max=20"`
	Expires  string `form:"expires,max=20"`
	Test     bool   `form:"test"`
	Share    int    `form:"share"`
	Wait     int    `form:"wait"` // minutes
	Hand     string `form:"hand,max=10"`
	Clicks   bool   `form:"clicks"`
}

// What planForm.When can be.
const (
	sendNow   = "now"
	sendAt    = "at"
	sendLocal = "local"
)

func (f planForm) plan(zone *time.Location) (mailings.Plan, error) {
	p := mailings.Plan{TrackClicks: f.Clicks}
	var bad fault.Fields
	moments := []struct {
		name, value string
		into        *time.Time
	}{{"expires", f.Expires, &p.ExpiresAt}}
	switch f.When {
	case sendAt, sendLocal:
		p.LocalHour = f.When == sendLocal
		moments = append(moments, struct {
			name, value string
			into        *time.Time
		}{"at", f.At, &p.At})
		if f.At == "" {
			bad.Add("at", "error.send_at")
		}
	case sendNow, "":
	default:
		bad.Add("when", "error.value_unknown")
	}
	for _, m := range moments {
		if t := moment(m.value, zone); t != nil {
			if t.IsZero() {
				bad.Add(m.name, "error.send_time")
			}
			*m.into = *t
		}
	}
	if f.Test {
		p.TestPercent, p.TestFor, p.TestByHand = max(f.Share, 1), time.Duration(f.Wait)*time.Minute, f.Hand == "hand"
	}
	return p, bad.Err()
}

type sendPage struct {
	web.Page
	Mailing  models.Mailing
	Form     planForm
	Audience mailings.Audience
	Checks   mailings.Checks
	Stops    int
	Subjects []string // to try against each other; one where there is nothing to try
	When     mailings.When
	Segments int // that let people in
}

// Base is the address of the mailing's pages.
func (p sendPage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p sendPage) Name() string { return mailingName(p.Page, p.Mailing) }

// Asked is that of the page it is written on.
func (p sendPage) Asked() bool { return composePage{Mailing: p.Mailing}.Asked() }

// Lines are the checks in words.
func (p sendPage) Lines() []checkLine {
	return composePage{Page: p.Page, Checks: p.Checks}.Lines()
}

// View is the audience.
func (p sendPage) View() audienceView {
	return audienceView{p.Page, p.Audience, p.Mailing.PetitionID != nil, p.Segments > 0}
}

// Whens are the choices of when.
func (p sendPage) Whens() []web.Option {
	return []web.Option{
		{Value: sendNow, Label: p.T("sending.when_now")},
		{Value: sendAt, Label: p.T("sending.when_at")},
		{Value: sendLocal, Label: p.T("sending.when_local"), Hint: p.T("sending.when_local_hint")},
	}
}

// Zone is the name of the organisation's time zone.
func (p sendPage) Zone() string {
	if p.When.Zone == nil {
		return ""
	}
	return p.When.Zone.String()
}

// Quiet says when no mail goes out; "" where it always does.
func (p sendPage) Quiet() string { return quietWords(p.Page, p.When) }

func quietWords(p web.Page, w mailings.When) string {
	if w.QuietFrom == w.QuietTo {
		return ""
	}
	clock := func(m int) string {
		return p.Time(time.Date(2000, 1, 1, m/60, m%60, 0, 0, zoneOf(p)))
	}
	return p.T("sending.quiet", "From", clock(w.QuietFrom), "To", clock(w.QuietTo))
}

// waits are the minutes that the rest can wait.
var waits = []int{60, 120, 240, 480, 1440, 2880}

// Waits are the choices of how long.
func (p sendPage) Waits() []web.Option {
	var out []web.Option
	for _, m := range waits {
		out = append(out, web.Option{Value: strconv.Itoa(m), Label: p.T("sending.hours", "Count", m/60)})
	}
	return out
}

// WaitValue is the one that is chosen.
func (p sendPage) WaitValue() string { return strconv.Itoa(p.Form.Wait) }

// Hands are the choices of who decides.
func (p sendPage) Hands() []web.Option {
	return []web.Option{{Value: "numbers", Label: p.T("sending.by_numbers")}, {Value: "hand", Label: p.T("sending.by_hand")}}
}

// TestPeople is how many get the different subjects first.
func (p sendPage) TestPeople() int { return p.Audience.People * p.Form.Share / 100 }

func (h *mailingPages) before(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := sendPage{Page: h.web.Page(c, "mailings.before", "mailings")}
	return h.renderBefore(c, fiber.StatusOK, &p, id, true)
}

// renderBefore shows the page: with the plan that the mailing has where fresh is set, with what was typed otherwise.
func (h *mailingPages) renderBefore(c *fiber.Ctx, status int, p *sendPage, id uuid.UUID, fresh bool) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	var err error
	if p.Mailing, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	m := p.Mailing
	if m.State != models.MailingDraft && m.State != models.MailingScheduled {
		return web.SeeOther(c, mailingPath(id))
	}
	if p.Checks, p.Audience, err = h.svc.Checks(ctx, a, id); err != nil {
		return err
	}
	p.Stops = p.Checks.Count(mailings.Stop)
	if p.When, err = h.svc.When(ctx, a); err != nil {
		return err
	}
	if p.Subjects, p.Segments, err = h.svc.Before(ctx, a, id); err != nil {
		return err
	}
	if fresh {
		p.Form = planForm{When: sendNow, Share: 20, Wait: 240, Hand: "numbers", Clicks: m.TrackClicks, Test: m.TestPercent > 0}
		shown := func(t *time.Time) string {
			if t == nil {
				return ""
			}
			return t.In(zoneOf(p.Page)).Format(localTime)
		}
		p.Form.At, p.Form.Expires = shown(m.SendAt), shown(m.ExpiresAt)
		switch {
		case m.SendAt != nil && m.LocalHour:
			p.Form.When = sendLocal
		case m.SendAt != nil:
			p.Form.When = sendAt
		}
		if m.TestPercent > 0 {
			p.Form.Share, p.Form.Wait = m.TestPercent, m.TestMinutes
			if m.TestByHand {
				p.Form.Hand = "hand"
			}
		}
	}
	p.Form.Revision = m.Revision
	return h.web.RenderStatus(c, status, "admin/mailings/send", p)
}

func (h *mailingPages) send(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := sendPage{Page: h.web.Page(c, "mailings.before", "mailings")}
	err = web.Bind(c, &p.Form)
	var plan mailings.Plan
	if err == nil {
		plan, err = p.Form.plan(zoneOf(p.Page))
	}
	if err == nil {
		err = h.svc.Start(c.UserContext(), h.web.Actor(c), id, p.Form.Revision, plan)
	}
	if p.Failed(err) {
		return h.renderBefore(c, fiber.StatusUnprocessableEntity, &p, id, false)
	}
	if err != nil {
		return err
	}
	done := "mailings.started"
	if !plan.At.IsZero() {
		done = "sending.scheduled"
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, mailingPath(id))
}

func (h *mailingPages) unschedule(c *fiber.Ctx) error {
	return h.change(c, h.svc.Unschedule, "sending.unscheduled")
}

type laterPage struct {
	web.Page
	Mailing  models.Mailing
	Audience mailings.Audience
}

// Base is the address of the mailing's pages.
func (p laterPage) Base() string { return mailingPath(p.Mailing.ID) }

// Name is what the mailing is called.
func (p laterPage) Name() string { return mailingName(p.Page, p.Mailing) }

// View is the audience of today.
func (p laterPage) View() audienceView {
	return audienceView{p.Page, p.Audience, p.Mailing.PetitionID != nil, p.Mailing.SegmentID != nil}
}

// later asks whether those who came later are to get it too.
func (h *mailingPages) later(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	return h.renderLater(c, fiber.StatusOK, &laterPage{Page: h.web.Page(c, "sending.later", "mailings")}, id)
}

func (h *mailingPages) renderLater(c *fiber.Ctx, status int, p *laterPage, id uuid.UUID) error {
	var err error
	if p.Mailing, p.Audience, err = h.svc.Later(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/mailings/later", p)
}

func (h *mailingPages) sendLater(c *fiber.Ctx) error {
	id, err := mailingID(c)
	if err != nil {
		return err
	}
	p := laterPage{Page: h.web.Page(c, "sending.later", "mailings")}
	err = h.svc.SendLater(c.UserContext(), h.web.Actor(c), id)
	if p.Failed(err) {
		return h.renderLater(c, fiber.StatusUnprocessableEntity, &p, id)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "mailings.started")
	return web.SeeOther(c, mailingPath(id))
}
