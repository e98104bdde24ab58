package public

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/pacing"
	"kithline/campaigns/rosters"
)

type offerPages struct {
	web     *web.Web
	rosters *rosters.Service
}

// MountOffers puts the page in place on which somebody says whether they take a place that came free. Only buttons change anything.
func MountOffers(r fiber.Router, w *web.Web, s *rosters.Service) {
	h := &offerPages{w, s}
	r.Get("/offers/:token", h.show)
	r.Post("/offers/:token/yes", h.yes)
	r.Post("/offers/:token/no", h.button((*rosters.Service).Decline, "offers.declined"))
	r.Post("/offers/:token/stop", h.button((*rosters.Service).Stop, "offers.stopped"))
}

// offerPage asks whether somebody takes a place, or says what became of it.
type offerPage struct {
	web.Page
	Token   string
	Offer   rosters.Offered
	When    string
	There   string // by the reader's own clocks; "" where they say the same
	SwapAt  string // when the other place is
	Refused string // why a yes just now did not do it
}

// Asks reports whether the place can be taken.
func (p *offerPage) Asks() bool {
	return p.Offer.Is == rosters.OfferFree || p.Offer.Is == rosters.OfferNo
}

// Over is the locale key of what is to be thought of beside one's own plan; "" for nothing.
func (p *offerPage) Over() string {
	if p.Offer.Plan == pacing.Fits {
		return ""
	}
	return "offers.plan_" + string(p.Offer.Plan)
}

func (h *offerPages) page(c *fiber.Ctx, v rosters.Offered) *offerPage {
	title := "offers.title"
	switch v.Is {
	case rosters.OfferFree, rosters.OfferNo:
	default:
		title = "offers.is_" + string(v.Is)
	}
	p := &offerPage{Page: h.web.Page(c, title, "home"), Token: c.Params("token"), Offer: v}
	p.When = h.rosters.OfferWhen(p.Lang, v.Shift, v.Zone)
	if v.Home != nil {
		p.There = h.rosters.OfferWhen(p.Lang, v.Shift, v.Home)
	}
	if v.Swap != nil {
		p.SwapAt = h.rosters.OfferWhen(p.Lang, *v.Swap, v.Zone)
	}
	return p
}

func (h *offerPages) show(c *fiber.Ctx) error {
	private(c)
	v, err := h.rosters.Offered(c.UserContext(), c.Params("token"))
	if err != nil {
		return h.over(c, err)
	}
	return h.web.Render(c, "public/offers/offer", h.page(c, v))
}

type offerForm struct {
	Swap uuid.UUID `form:"swap"`
}

func (h *offerPages) yes(c *fiber.Ctx) error {
	private(c)
	var f offerForm
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	_, err := h.rosters.Accept(c.UserContext(), c.Params("token"), f.Swap)
	if fault.Is(err, fault.Conflict) {
		v, again := h.rosters.Offered(c.UserContext(), c.Params("token"))
		if again != nil {
			return h.over(c, again)
		}
		p := h.page(c, v)
		p.Refused = p.Says(err)
		return h.web.RenderStatus(c, fiber.StatusConflict, "public/offers/offer", p)
	}
	if err != nil {
		return h.over(c, err)
	}
	return web.SeeOther(c, "/offers/"+c.Params("token"))
}

func (h *offerPages) button(op func(*rosters.Service, context.Context, string) error, done string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		private(c)
		if err := op(h.rosters, c.UserContext(), c.Params("token")); err != nil {
			return h.over(c, err)
		}
		h.web.Flash(c, "good", done)
		return web.SeeOther(c, "/offers/"+c.Params("token"))
	}
}

// over says why a link does nothing, and that a link to everything of one's own comes by mail.
func (h *offerPages) over(c *fiber.Ctx, err error) error {
	status := fiber.StatusGone
	switch fault.KindOf(err) {
	case fault.Gone:
	case fault.NotFound:
		status = fiber.StatusNotFound
	default:
		return err
	}
	private(c)
	p := overPage{Page: h.web.Page(c, "me.over_title", "me")}
	p.Text, p.Path = p.Says(err), "/me"
	return h.web.RenderStatus(c, status, "public/me/over", &p)
}
