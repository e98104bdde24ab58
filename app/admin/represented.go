package admin

import (
	"cmp"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/locales"
	"kithline/app/web"
	"kithline/campaigns/legislators"
)

type representedPages struct {
	web *web.Web
	svc *legislators.Service
}

// MountRepresented puts the page in place that counts supporters by who represents them: /admin/divisions/represented.
func MountRepresented(r fiber.Router, w *web.Web, s *legislators.Service) {
	h := &representedPages{w, s}
	r.Get("/admin/divisions/represented", w.Signed, h.show)
}

type representedPage struct {
	web.Page
	legislators.Coverage
}

// Chambers are those to choose from.
func (p representedPage) Chambers() []web.Option {
	out := make([]web.Option, len(p.Bodies))
	for i, b := range p.Bodies {
		out[i] = web.Option{Value: b.ID.String(), Label: b.Jurisdiction + ": " + b.Name}
	}
	return out
}

// PlaceName is a place in words; a whole state in the reader's.
func (p representedPage) PlaceName(c legislators.Covered) string {
	state := legislators.PlaceState(c.OCDID)
	for _, r := range locales.Regions(p.Lang, "US") {
		if r.Code == state && strings.HasPrefix(c.OCDID, "ocd-division/country:us/") {
			return r.Name
		}
	}
	return cmp.Or(c.Place, c.OCDID)
}

func (h *representedPages) show(c *fiber.Ctx) error {
	chamber, err := uuid.Parse(c.Query("chamber"))
	if err != nil {
		chamber = uuid.Nil // the first one
	}
	p := representedPage{Page: h.web.Page(c, "represent.coverage_title", "divisions")}
	if p.Coverage, err = h.svc.Coverage(c.UserContext(), h.web.Actor(c), chamber); err != nil {
		return err
	}
	return h.web.Render(c, "admin/divisions/represented", &p)
}
