package admin

import (
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliverability"
	"kithline/campaigns/fault"
	"kithline/models"
)

type deliverPages struct {
	web   *web.Web
	svc   *deliverability.Service
	clock clock.Clock
}

// MountDeliverability puts the owner's pages about mail that arrives in place: /admin/deliverability, what DNS says and which keys sign,
// and /admin/settings/limits, how fast and when mail goes out.
func MountDeliverability(r fiber.Router, w *web.Web, s *deliverability.Service, clk clock.Clock) {
	h := &deliverPages{w, s, clk}
	r.Get("/admin/deliverability", w.Signed, h.show)
	r.Post("/admin/deliverability/check", w.Signed, h.check)
	r.Post("/admin/deliverability/keys", w.Signed, h.makeKey)
	r.Post("/admin/deliverability/keys/:id/remove", w.Signed, h.removeKey)
	r.Post("/admin/deliverability/sends-from", w.Signed, h.sendsFrom)
	r.Get("/admin/settings/limits", w.Signed, h.limits)
	r.Post("/admin/settings/limits", w.Signed, h.saveLimits)
}

type keyForm struct {
	Algorithm string `form:"algorithm,max=20"`
	Selector  string `form:"selector,max=63"`
}

type deliverPage struct {
	web.Page
	Domain    string
	CheckedAt time.Time
	Findings  []findingRow
	Rules     []ruleRow
	Keys      []keyRow
	Fixed     []deliverability.SigningKey
	Figures   deliverability.Figures
	Sources   []deliverability.Source
	Form      keyForm
	SendsFrom string
}

type findingRow struct {
	deliverability.Finding
	Text string
	At   string // the id of the record's value, to copy from
}

type ruleRow struct {
	deliverability.Requirement
	Services, Text string
}

type keyRow struct {
	models.MailKey
	Record deliverability.Record
	At     string
}

func (h *deliverPages) page(c *fiber.Ctx) (*deliverPage, error) {
	ctx, a := c.UserContext(), h.web.Actor(c)
	r, err := h.svc.Last(ctx, a)
	if err != nil {
		return nil, err
	}
	p := &deliverPage{
		Page: h.web.Page(c, "deliver.title", "settings"), Domain: r.Domain, CheckedAt: r.CheckedAt, Figures: r.Figures, Sources: deliverability.Sources, Fixed: h.svc.Fixed,
		Form: keyForm{Algorithm: string(models.MailKeyRSA)},
	}
	if p.SendsFrom, err = h.svc.SendsFrom(ctx, a); err != nil {
		return nil, err
	}
	rules, err := h.svc.Requirements(ctx, a)
	if err != nil {
		return nil, err
	}
	keys, err := h.svc.Keys(ctx, a)
	if err != nil {
		return nil, err
	}
	p.fill(r.Findings, rules, keys)
	return p, nil
}

// fill puts what was found into words.
func (p *deliverPage) fill(findings []deliverability.Finding, rules []deliverability.Requirement, keys []models.MailKey) {
	for i, f := range findings {
		p.Findings = append(p.Findings, findingRow{f, p.T(f.Key, f.Values()...), "record-" + p.Digits(int64(i+1))})
	}
	for _, r := range rules {
		var services []string
		for _, s := range r.Services {
			services = append(services, p.T("deliver.service_"+s))
		}
		args := make([]any, len(r.Args))
		for i, a := range r.Args {
			args[i] = a
		}
		p.Rules = append(p.Rules, ruleRow{r, strings.Join(services, ", "), p.T(r.Key, args...)})
	}
	for i, k := range keys {
		p.Keys = append(p.Keys, keyRow{k, deliverability.KeyRecord(k), "key-" + p.Digits(int64(i+1))})
	}
}

func (h *deliverPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/deliverability/show", p)
}

// again shows the page with what is wrong with a form of it.
func (h *deliverPages) again(c *fiber.Ctx, err error, keep func(*deliverPage)) error {
	p, failed := h.page(c)
	if failed != nil {
		return failed
	}
	keep(p)
	if !p.Failed(err) {
		if !fault.Is(err, fault.Conflict) {
			return err
		}
		p.Refuse(err)
	}
	return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/deliverability/show", p)
}

func (h *deliverPages) check(c *fiber.Ctx) error {
	if _, err := h.svc.Check(c.UserContext(), h.web.Actor(c)); err != nil {
		return h.again(c, err, func(*deliverPage) {})
	}
	h.web.Flash(c, "good", "deliver.checked_now")
	return web.SeeOther(c, "/admin/deliverability")
}

func (h *deliverPages) makeKey(c *fiber.Ctx) error {
	var f keyForm
	err := web.Bind(c, &f)
	if err == nil {
		_, err = h.svc.MakeKey(c.UserContext(), h.web.Actor(c), deliverability.NewKey{Algorithm: models.MailKeyAlgorithm(f.Algorithm), Selector: f.Selector})
	}
	if err != nil {
		return h.again(c, err, func(p *deliverPage) { p.Form = f })
	}
	h.web.Flash(c, "good", "deliver.key_made")
	return web.SeeOther(c, "/admin/deliverability#keys")
}

func (h *deliverPages) removeKey(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.Administer); err != nil {
		return err
	}
	id, err := paramID(c, "id", "error.not_found")
	if err != nil {
		return err
	}
	if err := h.svc.RemoveKey(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "deliver.key_removed")
	return web.SeeOther(c, "/admin/deliverability#keys")
}

func (h *deliverPages) sendsFrom(c *fiber.Ctx) error {
	var f struct {
		SendsFrom string `form:"sends_from,max=1000,lines"`
	}
	err := web.Bind(c, &f)
	if err == nil {
		err = h.svc.SetSendsFrom(c.UserContext(), h.web.Actor(c), f.SendsFrom)
	}
	if err != nil {
		return h.again(c, err, func(p *deliverPage) { p.SendsFrom = f.SendsFrom })
	}
	h.web.Flash(c, "good", "settings.saved")
	return web.SeeOther(c, "/admin/deliverability#part-from")
}
