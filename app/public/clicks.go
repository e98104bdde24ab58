package public

import (
	"log/slog"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailings"
)

type clicks struct {
	web *web.Web
	svc *mailings.Service
	log *slog.Logger
}

// MountClicks puts the counted links of mailings in place: /r/:token leads to the address that the link stood for when its mailing
// was made, and nowhere else. It counts a click on the link, and nothing about who clicked.
func MountClicks(r fiber.Router, w *web.Web, s *mailings.Service, log *slog.Logger) {
	h := &clicks{w, s, log}
	r.Get("/r/:token", h.follow)
}

type clickPage struct{ web.Page }

func (h *clicks) follow(c *fiber.Ctx) error {
	// A look without reading, and a browser that fetches ahead, are no clicks.
	ahead := strings.Contains(c.Get("Sec-Purpose")+c.Get("Purpose"), "prefetch")
	to, uncounted, err := h.svc.Follow(c.UserContext(), c.Params("token"), c.Method() == fiber.MethodGet && !ahead)
	if fault.Is(err, fault.NotFound) {
		p := clickPage{h.web.Page(c, "unsubscribe.unknown_title", "")}
		return h.web.RenderStatus(c, fiber.StatusNotFound, "public/unsubscribe/unknown", &p)
	}
	if err != nil {
		return err
	}
	if uncounted != nil {
		h.log.Warn("a click was not counted", "error", uncounted.Error())
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set("X-Robots-Tag", "noindex")
	return c.Redirect(to, fiber.StatusFound)
}
