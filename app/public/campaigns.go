package public

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns"
	"kithline/campaigns/letters"
	"kithline/campaigns/petitions"
	"kithline/models"
)

type campaignPages struct {
	web       *web.Web
	campaigns *campaigns.Service
	petitions *petitions.Service
	letters   *letters.Service
}

// MountCampaigns puts the page of a campaign in place: /campaigns/:slug.
func MountCampaigns(r fiber.Router, w *web.Web, s *campaigns.Service, p *petitions.Service, l *letters.Service) {
	h := &campaignPages{w, s, p, l}
	r.Get("/campaigns/:slug", h.show)
}

type campaignPage struct {
	web.Page
	Campaign  models.Campaign
	Petitions []models.Petition
	Letters   []letters.Campaign // that take letters now
	Updates   []updateView
}

func (h *campaignPages) show(c *fiber.Ctx) error {
	slug := c.Params("slug")
	return h.web.Cached(c, "public/campaigns/show", "home", func(ctx context.Context, p web.Page) (any, error) {
		campaign, err := h.campaigns.Public(ctx, slug)
		if err != nil {
			return nil, err
		}
		rows, news, err := h.petitions.OfCampaign(ctx, &campaign)
		if err != nil {
			return nil, err
		}
		write, err := h.letters.Open(ctx, campaign.ID, p.Lang)
		p.Title = campaign.Title
		return campaignPage{Page: p, Campaign: campaign, Petitions: rows, Letters: write, Updates: updatesOf(news)}, err
	})
}
