package admin

import (
	"slices"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/campaigns/petitions"
	"kithline/models"
)

// petitionTextPage is one version of a petition in a further language.
type petitionTextPage struct {
	web.Page
	Petition models.Petition
	Base     string // of the pages of this petition
	Form     web.TextForm
	There    bool
	Stored   *petitions.Text
}

func (h *petitionAdmin) addText(c *fiber.Ctx) error {
	row, err := h.draft(c)
	if err != nil {
		return err
	}
	p, err := h.editPage(c, row)
	if err != nil {
		return err
	}
	var f struct {
		Locale string `form:"new_locale,max=20"`
	}
	if err := web.Bind(c, &f); err != nil {
		return err
	}
	if f.Locale == row.Locale || !slices.Contains(petitions.TextLocales, f.Locale) {
		p.Errors = append(p.Errors, web.FieldError{Name: "new_locale", Text: p.T("error.start_text_locale")})
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/edit", p)
	}
	return web.SeeOther(c, p.Base+"/texts/"+f.Locale)
}

func (h *petitionAdmin) textPage(c *fiber.Ctx) (*petitionTextPage, error) {
	row, err := h.draft(c)
	if err != nil {
		return nil, err
	}
	_, said, err := h.petitions.Said(c.UserContext(), h.web.Actor(c), row.ID)
	if err != nil {
		return nil, err
	}
	p := &petitionTextPage{Page: h.web.Page(c, "", "petitions"), Petition: row, Base: showPath(row.ID)}
	p.Form, p.There, err = web.TextFormOf(row, said.Texts, c.Params("locale"))
	p.Title = p.T("start.text_title", "Language", web.LanguageName(p.Form.Locale))
	return p, err
}

func (h *petitionAdmin) text(c *fiber.Ctx) error {
	p, err := h.textPage(c)
	if err != nil {
		return err
	}
	if !p.Petition.Editable() {
		return web.SeeOther(c, p.Base)
	}
	return h.web.Render(c, "admin/petitions/text", p)
}

func (h *petitionAdmin) saveText(c *fiber.Ctx) error {
	p, err := h.textPage(c)
	if err != nil {
		return err
	}
	locale, stored := p.Form.Locale, p.Form.Text()
	err = web.Bind(c, &p.Form)
	p.Form.Locale = locale
	ctx, a, id := c.UserContext(), h.web.Actor(c), p.Petition.ID
	row := p.Petition
	if err == nil && p.Form.Do == "remove" {
		err = h.petitions.RemoveText(ctx, a, id, locale, p.Form.Revision)
	} else if err == nil {
		row, err = h.petitions.SaveText(ctx, a, id, petitions.TextInput{Text: p.Form.Text(), Revision: p.Form.Revision})
	}
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/petitions/text", p)
	case fault.Is(err, fault.Conflict) && row.Editable(): // both versions are shown; saving again keeps this one
		p.Stored, p.Form.Revision = &stored, row.Revision
		p.Errors = append(p.Errors, web.FieldError{Text: p.T("error.petition_changed")})
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/petitions/text", p)
	case err != nil:
		return err
	}
	h.web.Flash(c, "good", "petition.saved")
	return web.SeeOther(c, editPath(id)+"?text="+locale+"#texts-h")
}
