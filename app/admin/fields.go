package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type fieldPages struct {
	web *web.Web
	svc *supporters.Service
}

// MountFields puts the pages in place where an organisation says what its records hold beside what every record has:
// /admin/fields and /admin/tags.
func MountFields(r fiber.Router, w *web.Web, s *supporters.Service) {
	h := &fieldPages{w, s}
	r.Get("/admin/fields", w.Signed, h.list)
	r.Get("/admin/fields/new", w.Signed, h.form)
	r.Post("/admin/fields/new", w.Signed, h.save)
	r.Get("/admin/fields/:id", w.Signed, h.form)
	r.Post("/admin/fields/:id", w.Signed, h.save)
	r.Post("/admin/fields/:id/move", w.Signed, h.move)
	r.Post("/admin/fields/:id/archive", w.Signed, h.archive)
	r.Get("/admin/tags", w.Signed, h.tags)
	r.Post("/admin/tags/:id/rename", w.Signed, h.rename)
	r.Post("/admin/tags/:id/merge", w.Signed, h.merge)
	r.Post("/admin/tags/:id/delete", w.Signed, h.delete)
}

type fieldsPage struct {
	web.Page
	Change   bool
	Fields   []models.CustomField // in use
	Archived []models.CustomField
}

// LastField is the place of the last field in use.
func (p fieldsPage) LastField() int { return len(p.Fields) - 1 }

func (h *fieldPages) list(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	list, err := h.svc.Fields(c.UserContext(), a)
	if err != nil {
		return err
	}
	p := &fieldsPage{Page: h.web.Page(c, "fields.title", "fields"), Change: a.May(actor.Arrange)}
	for _, f := range list {
		if f.ArchivedAt == nil {
			p.Fields = append(p.Fields, f)
		} else {
			p.Archived = append(p.Archived, f)
		}
	}
	return h.web.Render(c, "admin/fields/list", p)
}

type fieldForm struct {
	Name    string `form:"name,max=40"`
	Label   string `form:"label,max=120"`
	Kind    string `form:"kind,max=20"`
	Choices string `form:"choices,max=30000,lines"`
	Private bool   `form:"private"`
	SeenBy  string `form:"seen_by,max=20"`
}

type fieldPage struct {
	web.Page
	New   bool
	Field models.CustomField
	Form  fieldForm
	Kinds []web.Option
	Seers []web.Option
}

// page reads the field of the address, or begins a new one.
func (h *fieldPages) page(c *fiber.Ctx) (*fieldPage, error) {
	a := h.web.Actor(c)
	if err := a.Need(actor.Arrange); err != nil {
		return nil, err
	}
	p := &fieldPage{Page: h.web.Page(c, "fields.new", "fields"), New: c.Params("id") == "", Form: fieldForm{Kind: string(models.FieldText), SeenBy: string(actor.Organizer)}}
	if !p.New {
		id, err := paramID(c, "id", "error.field_unknown")
		if err != nil {
			return nil, err
		}
		if p.Field, err = h.svc.Field(c.UserContext(), a, id); err != nil {
			return nil, err
		}
		p.Title = p.T("fields.one")
		p.Form = fieldForm{Name: p.Field.Name, Label: p.Field.Label, Kind: string(p.Field.Kind), Choices: p.Field.Choices, Private: p.Field.Private, SeenBy: p.Field.SeenBy}
	}
	for _, k := range supporters.FieldKinds {
		p.Kinds = append(p.Kinds, web.Option{Value: string(k), Label: p.T("fields.kind_" + string(k))})
	}
	for _, r := range supporters.SeersOf {
		if supporters.SeesField(a, models.CustomField{SeenBy: string(r)}) {
			p.Seers = append(p.Seers, web.Option{Value: string(r), Label: p.T("fields.seen_" + string(r))})
		}
	}
	return p, nil
}

func (h *fieldPages) form(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/fields/edit", p)
}

func (h *fieldPages) save(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	err = web.Bind(c, &p.Form)
	in := supporters.FieldInput{
		Name: p.Form.Name, Label: p.Form.Label, Kind: models.FieldKind(p.Form.Kind), Choices: p.Form.Choices, Private: p.Form.Private, SeenBy: actor.Role(p.Form.SeenBy),
	}
	if err == nil && p.New {
		_, err = h.svc.AddField(c.UserContext(), h.web.Actor(c), in)
	} else if err == nil {
		err = h.svc.ChangeField(c.UserContext(), h.web.Actor(c), p.Field.ID, in)
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/fields/edit", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "fields.saved")
	return web.SeeOther(c, "/admin/fields")
}

func (h *fieldPages) move(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.field_unknown")
	if err != nil {
		return err
	}
	if err := h.svc.MoveField(c.UserContext(), h.web.Actor(c), id, c.FormValue("do") == "up"); err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/fields")
}

func (h *fieldPages) archive(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.field_unknown")
	if err != nil {
		return err
	}
	archived := c.FormValue("archived") != "no"
	if err := h.svc.ArchiveField(c.UserContext(), h.web.Actor(c), id, archived); err != nil {
		return err
	}
	said := "fields.archived"
	if !archived {
		said = "fields.restored"
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, "/admin/fields")
}

type tagsPage struct {
	web.Page
	Change bool
	Tags   []supporters.TagCount
	Open   uuid.UUID // whose form is shown again
	Name   string
	Into   string
}

func (h *fieldPages) tagsPage(c *fiber.Ctx) (*tagsPage, error) {
	a := h.web.Actor(c)
	p := &tagsPage{Page: h.web.Page(c, "tags.title", "tags"), Change: a.May(actor.Arrange)}
	p.Path = "/admin/tags"
	var err error
	p.Tags, err = h.svc.Tags(c.UserContext(), a)
	return p, err
}

// Others are the tags that one can be merged into.
func (p tagsPage) Others(id uuid.UUID) []web.Option {
	out := []web.Option{{Label: p.T("supporter.choose")}}
	for _, t := range p.Tags {
		if t.ID != id {
			out = append(out, web.Option{Value: t.ID.String(), Label: t.Name})
		}
	}
	return out
}

func (h *fieldPages) tags(c *fiber.Ctx) error {
	p, err := h.tagsPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/fields/tags", p)
}

// onTag does something to a tag and shows the list again.
func (h *fieldPages) onTag(c *fiber.Ctx, said string, do func(a actor.Actor, id uuid.UUID) error, keep func(p *tagsPage)) error {
	id, err := paramID(c, "id", "error.tag_unknown")
	if err != nil {
		return err
	}
	err = do(h.web.Actor(c), id)
	_, invalid := web.Invalid(err)
	if invalid || fault.Is(err, fault.Conflict) {
		p, e := h.tagsPage(c)
		if e != nil {
			return e
		}
		keep(p)
		p.Open = id
		status := fiber.StatusUnprocessableEntity
		if !p.Failed(err) {
			p.Refuse(err)
			status = fiber.StatusConflict
		}
		return h.web.RenderStatus(c, status, "admin/fields/tags", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, "/admin/tags")
}

func (h *fieldPages) rename(c *fiber.Ctx) error {
	var form struct {
		Name string `form:"name,max=200"`
	}
	return h.onTag(c, "tags.renamed", func(a actor.Actor, id uuid.UUID) error {
		if err := web.Bind(c, &form); err != nil {
			return err
		}
		return h.svc.RenameTag(c.UserContext(), a, id, form.Name)
	}, func(p *tagsPage) { p.Name = form.Name })
}

func (h *fieldPages) merge(c *fiber.Ctx) error {
	var form struct {
		Into string `form:"into,max=40"`
	}
	return h.onTag(c, "tags.merged", func(a actor.Actor, id uuid.UUID) error {
		if err := web.Bind(c, &form); err != nil {
			return err
		}
		if err := a.Need(actor.EditSupporters); err != nil {
			return err
		}
		into, err := uuid.Parse(form.Into)
		if err != nil {
			return fault.Fields{{Name: "into", Key: "error.tag_choose"}}.Err()
		}
		return h.svc.MergeTags(c.UserContext(), a, id, into)
	}, func(p *tagsPage) { p.Into = form.Into })
}

func (h *fieldPages) delete(c *fiber.Ctx) error {
	return h.onTag(c, "tags.deleted", func(a actor.Actor, id uuid.UUID) error {
		return h.svc.DeleteTag(c.UserContext(), a, id)
	}, func(*tagsPage) {})
}
