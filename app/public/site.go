package public

import (
	"context"
	"html/template"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/markdown"
	"kithline/campaigns/organisation"
)

type site struct {
	web *web.Web
	org *organisation.Service
}

// MountSite puts the organisation's own texts in place: /privacy and /accessibility.
func MountSite(r fiber.Router, w *web.Web, org *organisation.Service) {
	h := &site{w, org}
	r.Get("/privacy", h.text(organisation.Privacy))
	r.Get("/accessibility", h.text(organisation.Accessibility))
}

type sitePage struct {
	web.Page
	Body template.HTML
}

func (h *site) text(name string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		return h.web.Cached(c, "public/site/text", name, func(ctx context.Context, p web.Page) (any, error) {
			body, err := h.org.Text(ctx, name, p.Lang)
			if err != nil {
				return nil, err
			}
			p.Title = p.T("site." + name + "_title")
			return sitePage{Page: p, Body: markdown.HTML(body)}, nil
		})
	}
}
