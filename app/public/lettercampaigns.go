package public

import (
	"context"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/letters"
)

type letterListPage struct {
	web.Page
	Campaigns []letters.Campaign
}

// MountLetterList puts the list of the letter campaigns that are open in place: /letters.
func MountLetterList(r fiber.Router, w *web.Web, s *letters.Service) {
	r.Get("/letters", func(c *fiber.Ctx) error {
		return w.Cached(c, "public/lettercampaigns/list", "home", func(ctx context.Context, p web.Page) (any, error) {
			rows, err := s.Open(ctx, uuid.Nil, p.Lang)
			p.Title = p.T("lettercampaigns.public_title")
			return letterListPage{Page: p, Campaigns: rows}, err
		})
	})
}
