package admin

import (
	"slices"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/paging"
	"kithline/models"
)

func (h *legislatorPages) mountImports(r fiber.Router) {
	for _, kind := range legislators.Kinds {
		path := "/admin/legislators/imports/new/" + string(kind)
		h.web.AllowStream(path, legislators.MaxUpload+1<<20) // the form around the file
		r.Post(path, h.web.Signed, h.upload(kind))
	}
	r.Get("/admin/legislators/imports", h.web.Signed, h.imports)
	r.Get("/admin/legislators/imports/:id", h.web.Signed, h.imported)
	r.Get("/admin/legislators/imports/:id/progress", h.web.Signed, h.progress)
	r.Post("/admin/legislators/imports/:id/apply", h.web.Signed, h.apply)
	r.Post("/admin/legislators/imports/:id/drop", h.web.Signed, h.drop)
}

type legislatorImportsPage struct {
	legislatorBase
	Kind models.LegislatorSource // whose file is asked for
	Rows []legislators.Imported
	Next string
}

// MaxMB is the largest file, in megabytes.
func (legislatorImportsPage) MaxMB() int { return legislators.MaxUpload >> 20 }

// Others are the kinds of files beside the one that is asked for.
func (p legislatorImportsPage) Others() []models.LegislatorSource {
	return slices.DeleteFunc(slices.Clone(legislators.Kinds), func(k models.LegislatorSource) bool { return k == p.Kind })
}

// Accept is what a browser offers to choose.
func (p legislatorImportsPage) Accept() string {
	return map[models.LegislatorSource]string{
		models.SourceCongress: ".json,.zip,application/json,application/zip", models.SourceOpenStates: ".zip,application/zip", models.SourceCSV: ".csv,.txt,text/csv,text/plain",
	}[p.Kind]
}

// Columns are those of a CSV.
func (legislatorImportsPage) Columns() (out []string) {
	for _, c := range legislators.Columns {
		out = append(out, c.Name)
	}
	return out
}

func (h *legislatorPages) imports(c *fiber.Ctx) error {
	p := legislatorImportsPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.imports", "legislators")}, Kind: models.LegislatorSource(c.Query("kind"))}
	if !slices.Contains(legislators.Kinds, p.Kind) {
		p.Kind = models.SourceCSV
	}
	return h.renderImports(c, 200, &p)
}

func (h *legislatorPages) renderImports(c *fiber.Ctx, status int, p *legislatorImportsPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.Imports(c.UserContext(), h.web.Actor(c), after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.RenderStatus(c, status, "admin/legislators/imports", p)
}

func (h *legislatorPages) upload(kind models.LegislatorSource) fiber.Handler {
	return func(c *fiber.Ctx) error {
		a := h.web.Actor(c)
		if err := a.Need(actor.ManageLetters); err != nil { // before the body is looked at
			return err
		}
		p := legislatorImportsPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.imports", "legislators")}, Kind: kind}
		name, content, err := web.UploadStream(c, "file")
		var id uuid.UUID
		if err == nil {
			id, err = h.svc.Upload(c.UserContext(), a, legislators.UploadInput{Kind: kind, Name: name, Content: content})
			err = web.UploadBroke("file", err)
		}
		if p.Failed(err) {
			return h.renderImports(c, 422, &p)
		}
		if err != nil {
			return err
		}
		return web.SeeOther(c, "/admin/legislators/imports/"+id.String())
	}
}

type legislatorImportPage struct {
	legislatorBase
	Import legislators.Imported
}

// Kinds are the kinds of changes that there are some of, in order.
func (p legislatorImportPage) Kinds() (out []string) {
	for _, k := range legislators.ChangeKinds {
		if p.Import.Result.Counts[k] > 0 {
			out = append(out, k)
		}
	}
	return out
}

// Count is how many changes of a kind there are.
func (p legislatorImportPage) Count(kind string) int { return p.Import.Result.Counts[kind] }

// Why is why the import failed, in words.
func (p legislatorImportPage) Why() string { return p.T(p.Import.Why.Key, p.Import.Why.Args...) }

// Note is something that was left out, in words.
func (p legislatorImportPage) Note(n legislators.Note) string {
	value := n.Value
	if n.Key == "legislators.note_other_kind" {
		value = p.SourceName(value)
	}
	return p.T(n.Key, "Name", n.Name, "Value", value)
}

// Notes are the first of them.
func (p legislatorImportPage) Notes() []legislators.Note {
	return p.Import.Result.Notes[:min(len(p.Import.Result.Notes), 50)]
}

func (h *legislatorPages) importPage(c *fiber.Ctx) (*legislatorImportPage, error) {
	id, err := paramID(c, "id", "error.legislators_import_unknown")
	if err != nil {
		return nil, err
	}
	p := &legislatorImportPage{legislatorBase: legislatorBase{h.web.Page(c, "legislators.imports", "legislators")}}
	if p.Import, err = h.svc.GetImport(c.UserContext(), h.web.Actor(c), id); err != nil {
		return nil, err
	}
	p.Title, p.Path = p.Import.Name, "/admin/legislators/imports/"+id.String()
	if p.Title == "" {
		p.Title = p.T("legislators.no_name")
	}
	return p, nil
}

func (h *legislatorPages) imported(c *fiber.Ctx) error {
	p, err := h.importPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/legislators/import", p)
}

// progress is the part of the page that changes while the file is read. Once that is over, htmx loads the whole page.
func (h *legislatorPages) progress(c *fiber.Ctx) error {
	p, err := h.importPage(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, p.Path)
	}
	if !p.Import.Running() {
		c.Set("HX-Refresh", "true")
	}
	return h.web.RenderPart(c, "admin/legislators/import", "reading", p)
}

func (h *legislatorPages) apply(c *fiber.Ctx) error {
	p, err := h.importPage(c)
	if err != nil {
		return err
	}
	var form struct {
		Allow bool `form:"allow"`
	}
	if err := web.Bind(c, &form); err != nil {
		return err
	}
	if p.Import.Result.Refused && !form.Allow {
		var bad fault.Fields
		bad.Add("allow", "legislators.allow_needed")
		p.Failed(bad.Err())
		return h.web.RenderStatus(c, 422, "admin/legislators/import", p)
	}
	if err := h.svc.Apply(c.UserContext(), h.web.Actor(c), p.Import.ID, form.Allow); err != nil {
		return err
	}
	return web.SeeOther(c, p.Path)
}

func (h *legislatorPages) drop(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.legislators_import_unknown")
	if err != nil {
		return err
	}
	if err := h.svc.Drop(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", "legislators.dropped")
	return web.SeeOther(c, "/admin/legislators/imports")
}
