package admin

import (
	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/organisation"
)

type recovery struct {
	web  *web.Web
	org  *organisation.Service
	read func() ([]organisation.Sheet, error)
}

// MountRecovery puts the recovery sheet in place: /admin/recovery, for owners. read gives the sheets of the key file.
func MountRecovery(r fiber.Router, w *web.Web, org *organisation.Service, read func() ([]organisation.Sheet, error)) {
	h := &recovery{w, org, read}
	r.Get("/admin/recovery", w.Signed, h.show)
	r.Post("/admin/recovery/sheet", w.Signed, h.sheet)
	r.Post("/admin/recovery/kept", w.Signed, h.kept)
}

type recoveryPage struct {
	web.Page
	Kept   bool
	Sheets []recoverySheet
}

// recoverySheet is one key, in rows of groups.
type recoverySheet struct {
	KeyID string
	Rows  [][]recoveryGroup
}

type recoveryGroup struct {
	Number int
	Text   string
}

// show explains. The key itself is shown by a button, so that no preview and no page in a history holds it.
func (h *recovery) show(c *fiber.Ctx) error {
	if err := h.web.Actor(c).Need(actor.Administer); err != nil {
		return err
	}
	kept, err := h.org.RecoveryKept(c.UserContext())
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/recovery/show", &recoveryPage{Page: h.web.Page(c, "recovery.title", "settings"), Kept: kept})
}

func (h *recovery) sheet(c *fiber.Ctx) error {
	if err := h.web.LoginAllowed(c); err != nil {
		return err
	}
	sheets, err := h.org.RecoverySheets(c.UserContext(), h.web.Actor(c), h.read)
	if err != nil {
		return err
	}
	p := recoveryPage{Page: h.web.Page(c, "recovery.sheet_title", "settings")}
	p.Back = &web.Link{URL: "/admin/recovery", Label: p.T("recovery.back")}
	const perRow = 4
	for _, s := range sheets {
		one := recoverySheet{KeyID: s.KeyID}
		for i, g := range s.Groups {
			if i%perRow == 0 {
				one.Rows = append(one.Rows, nil)
			}
			one.Rows[i/perRow] = append(one.Rows[i/perRow], recoveryGroup{i + 1, g})
		}
		p.Sheets = append(p.Sheets, one)
	}
	return h.web.Render(c, "admin/recovery/sheet", &p)
}

func (h *recovery) kept(c *fiber.Ctx) error {
	if err := h.org.KeepRecoverySheet(c.UserContext(), h.web.Actor(c)); err != nil {
		return err
	}
	h.web.Flash(c, "good", "recovery.thanks")
	return web.SeeOther(c, "/admin")
}
