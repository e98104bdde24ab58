package web

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

type displayForm struct {
	Theme string `form:"theme,max=10"`
	Lang  string `form:"lang,max=10"`
	Next  string `form:"next,max=500"`
}

type displayPage struct {
	Page
	Form displayForm
}

// displayPage is where a reader chooses light or dark and the language.
func (w *Web) displayPage(c *fiber.Ctx) error {
	p := displayPage{Page: w.Page(c, "base.display", "display")}
	p.Form = displayForm{Theme: p.Theme, Lang: p.Lang}
	return w.Render(c, "public/base/display", &p)
}

func (w *Web) display(c *fiber.Ctx) error {
	p := displayPage{Page: w.Page(c, "base.display", "display")}
	err := Bind(c, &p.Form)
	if err == nil {
		var bad fault.Fields
		if !slices.Contains([]string{"", "light", "dark"}, p.Form.Theme) {
			bad.Add("theme", "error.value_unknown")
		}
		if p.Form.Lang != "" && !slices.Contains(p.Site.languages(), p.Form.Lang) {
			bad.Add("lang", "error.value_unknown")
		}
		err = bad.Err()
	}
	if p.Failed(err) {
		return w.RenderStatus(c, fiber.StatusUnprocessableEntity, "public/base/display", &p)
	} else if err != nil {
		return err
	}
	w.keep(c, themeCookie, p.Form.Theme)
	if p.Form.Lang != "" {
		w.keep(c, langCookie, p.Form.Lang)
	}
	w.Flash(c, "good", "base.display_kept")
	if p.Form.Next != "" {
		return SeeOther(c, p.Form.Next)
	}
	return SeeOther(c, "/display")
}
