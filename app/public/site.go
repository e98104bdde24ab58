package public

import (
	"context"
	"html/template"
	"strings"

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

// raise turns the headings of a text that is a part of a page, which begin at h3, into those of a text that is the page.
var raise = strings.NewReplacer("<h3", "<h2", "</h3", "</h2", "<h4", "<h3", "</h4", "</h3", "<h5", "<h4", "</h5", "</h4", "<h6", "<h5", "</h6", "</h5")

// headings is raise for sanitised HTML, in which "<" begins a tag and nothing else.
func headings(h template.HTML) template.HTML {
	return template.HTML(raise.Replace(string(h))) //nolint:gosec // was sanitised, and only names of headings change
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
			return sitePage{Page: p, Body: headings(markdown.HTML(body))}, nil
		})
	}
}
