package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/exports"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

type exportPages struct {
	web   *web.Web
	svc   *exports.Service
	clock clock.Clock
}

// MountExports puts the pages that hand out lists in place: /admin/exports and below. A file is fetched by a POST: each time is
// written down.
func MountExports(r fiber.Router, w *web.Web, s *exports.Service, clk clock.Clock) {
	h := &exportPages{w, s, clk}
	r.Get("/admin/exports", w.Signed, h.list)
	r.Post("/admin/exports", w.Signed, h.create)
	r.Get("/admin/exports/new", w.Signed, h.newList)
	r.Post("/admin/exports/signatures", w.Signed, h.signatures)
	r.Post("/admin/exports/letters", w.Signed, h.letters)
	r.Post("/admin/exports/everything", w.Signed, h.everything)
	r.Get("/admin/exports/:id", w.Signed, h.show)
	r.Get("/admin/exports/:id/progress", w.Signed, h.progress)
	r.Post("/admin/exports/:id/file", w.Signed, h.file)
}

// signaturesForm asks for the signatures under a petition, for the letters of a letter campaign, or for everything.
type signaturesForm struct {
	Petition string `form:"petition"`
	Letters  string `form:"letters,max=40"`
	Format   string `form:"format"`
	Sure     bool   `form:"sure"`
}

type exportsPage struct {
	web.Page
	Rows      []exports.Export
	Next      string
	Form      signaturesForm
	Petitions []web.Option
	Letters   []web.Option // letter campaigns
	All       bool         // may export everything
}

// StateOf is the locale key of an export's state.
func (exportsPage) StateOf(e exports.Export) string { return exportState(e) }

// WhatOf says what an export holds.
func (p exportsPage) WhatOf(e exports.Export) string { return whatExport(p.Page, e) }

func exportState(e exports.Export) string {
	if e.State == models.ExportFinished && e.Gone {
		return "export.state_gone"
	}
	return "export.state_" + string(e.State)
}

// whatExport says what an export holds, in a few words.
func whatExport(p web.Page, e exports.Export) string {
	switch {
	case e.Kind == exports.KindEverything:
		return p.T("export.kind_everything")
	case e.Kind == exports.KindSignatures:
		return p.T("export.kind_signatures", "Petition", e.Title)
	case e.Kind == exports.KindLetters:
		return p.T("export.kind_letters", "Campaign", e.Title)
	case e.Kind == exports.KindSuppressions:
		return p.T("export.kind_suppressions")
	case e.Segment != "":
		return p.T("export.kind_segment", "Segment", e.Segment)
	}
	return p.T("export.kind_supporters")
}

func purposeLabel(p web.Page, purpose models.Purpose, name string) string {
	if name == "" {
		return p.T("export.purpose_" + string(purpose))
	}
	return p.T("export.purpose_"+string(purpose)+"_of", "Name", name)
}

func (h *exportPages) list(c *fiber.Ctx) error {
	p := exportsPage{Page: h.web.Page(c, "export.title", "exports"), Form: signaturesForm{Format: exports.XLSX}}
	p.Form.Petition, p.Form.Letters = c.Query("petition"), c.Query("letters")
	return h.renderList(c, 200, &p)
}

func (h *exportPages) renderList(c *fiber.Ctx, status int, p *exportsPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(ctx, a, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next, p.All = list.Rows, list.Next, a.May(actor.Administer)
	petitions, err := h.svc.Petitions(ctx, a)
	if err != nil {
		return err
	}
	for _, x := range petitions {
		p.Petitions = append(p.Petitions, web.Option{Value: x.Value, Label: x.Label})
	}
	campaigns, err := h.svc.LetterCampaigns(ctx, a)
	if err != nil {
		return err
	}
	for _, x := range campaigns {
		p.Letters = append(p.Letters, web.Option{Value: x.Value, Label: x.Label})
	}
	return h.web.RenderStatus(c, status, "admin/exports/list", p)
}

func (h *exportPages) signatures(c *fiber.Ctx) error {
	p := exportsPage{Page: h.web.Page(c, "export.title", "exports")}
	p.Path = "/admin/exports"
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		petition, _ := uuid.Parse(p.Form.Petition) // what is none is an unknown petition
		id, err = h.svc.Create(c.UserContext(), h.web.Actor(c), exports.Input{Kind: exports.KindSignatures, Format: p.Form.Format, PetitionID: petition})
	}
	if p.Failed(err) {
		return h.renderList(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, exportPath(id))
}

func (h *exportPages) letters(c *fiber.Ctx) error {
	p := exportsPage{Page: h.web.Page(c, "export.title", "exports")}
	p.Path = "/admin/exports"
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		campaign, _ := uuid.Parse(p.Form.Letters) // what is none is an unknown campaign
		id, err = h.svc.Create(c.UserContext(), h.web.Actor(c), exports.Input{Kind: exports.KindLetters, Format: p.Form.Format, LetterCampaignID: campaign})
	}
	if p.Failed(err) {
		return h.renderList(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, exportPath(id))
}

func (h *exportPages) everything(c *fiber.Ctx) error {
	p := exportsPage{Page: h.web.Page(c, "export.title", "exports")}
	p.Path = "/admin/exports"
	err := h.web.Actor(c).Need(actor.Administer)
	if err == nil {
		err = web.Bind(c, &p.Form)
	}
	if err == nil && !p.Form.Sure {
		var bad fault.Fields
		bad.Add("sure", "error.export_sure")
		err = bad.Err()
	}
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Create(c.UserContext(), h.web.Actor(c), exports.Input{Kind: exports.KindEverything})
	}
	if p.Failed(err) {
		p.Form.Format = exports.XLSX
		return h.renderList(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, exportPath(id))
}

func exportPath(id uuid.UUID) string { return "/admin/exports/" + id.String() }

// exportForm is what a list of supporters shall hold. Purpose is the purpose, a colon and the id that it is about.
type exportForm struct {
	Segment string   `form:"segment"`
	Purpose string   `form:"purpose"`
	Columns []string `form:"columns"`
	Format  string   `form:"format"`
}

func (f exportForm) input() exports.Input {
	in := exports.Input{Kind: exports.KindSupporters, Format: f.Format, Columns: f.Columns}
	purpose, scope, _ := strings.Cut(f.Purpose, ":")
	in.Purpose = models.Purpose(purpose)
	in.ScopeID, _ = uuid.Parse(scope) // what is none is no scope
	if f.Segment != "" {
		id, _ := uuid.Parse(f.Segment) // what is none is an unknown segment
		in.SegmentID = &id
	}
	return in
}

type exportFormPage struct {
	web.Page
	Form     exportForm
	Segments []web.Option
	Purposes []web.Option
	Columns  []web.Option
}

func (h *exportPages) newList(c *fiber.Ctx) error {
	p := exportFormPage{Page: h.web.Page(c, "export.new_title", "exports")}
	p.Form = exportForm{Segment: c.Query("segment"), Columns: exports.Usual, Format: exports.CSV}
	return h.renderForm(c, 200, &p)
}

func (h *exportPages) renderForm(c *fiber.Ctx, status int, p *exportFormPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	segments, purposes, err := h.svc.Choices(ctx, a)
	if err != nil {
		return err
	}
	fields, err := h.svc.Fields(ctx, a)
	if err != nil {
		return err
	}
	p.Segments = []web.Option{{Value: "", Label: p.T("export.everybody")}}
	for _, s := range segments {
		p.Segments = append(p.Segments, web.Option{Value: s.Value, Label: s.Label})
	}
	p.Purposes = []web.Option{{Value: "", Label: p.T("export.purpose_none")}}
	for _, s := range purposes {
		p.Purposes = append(p.Purposes, web.Option{Value: s.Value, Label: purposeLabel(p.Page, s.Purpose, s.Label)})
	}
	for _, name := range exports.Columns {
		p.Columns = append(p.Columns, web.Option{Value: name, Label: p.T("export.column_" + name)})
	}
	for _, f := range fields {
		label := f.Label
		if label == "" {
			label = f.Name
		}
		p.Columns = append(p.Columns, web.Option{Value: "field_" + f.Name, Label: label})
	}
	return h.web.RenderStatus(c, status, "admin/exports/new", p)
}

func (h *exportPages) create(c *fiber.Ctx) error {
	p := exportFormPage{Page: h.web.Page(c, "export.new_title", "exports")}
	p.Path = "/admin/exports/new"
	err := web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil && len(p.Form.Columns) == 0 {
		err = h.web.Actor(c).Need(actor.Export)
		if err == nil {
			var bad fault.Fields
			bad.Add("columns", "error.export_columns_none")
			err = bad.Err()
		}
	}
	if err == nil {
		id, err = h.svc.Create(c.UserContext(), h.web.Actor(c), p.Form.input())
	}
	if p.Failed(err) {
		return h.renderForm(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, exportPath(id))
}

type exportPage struct {
	web.Page
	Export  exports.Export
	Stalled bool
}

// State is the locale key of the export's state.
func (p exportPage) State() string { return exportState(p.Export) }

// What says what the export holds.
func (p exportPage) What() string { return whatExport(p.Page, p.Export) }

// Purpose says who is in the list alone; "" for everybody.
func (p exportPage) Purpose() string {
	if p.Export.Purpose == "" {
		return ""
	}
	return purposeLabel(p.Page, p.Export.Purpose, p.Export.Scope)
}

// ColumnNames lists the columns in words.
func (p exportPage) ColumnNames() string {
	var out []string
	for _, c := range p.Export.Columns {
		if name, is := strings.CutPrefix(c, "field_"); is {
			out = append(out, name)
		} else {
			out = append(out, p.T("export.column_"+c))
		}
	}
	return strings.Join(out, ", ")
}

func (h *exportPages) page(c *fiber.Ctx) (*exportPage, error) {
	id, err := paramID(c, "id", "error.export_unknown")
	if err != nil {
		return nil, err
	}
	e, err := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, err
	}
	p := &exportPage{Page: h.web.Page(c, "export.one_title", "exports"), Export: e}
	p.Path = exportPath(id)
	p.Stalled = e.Running() && h.clock.Now().Sub(e.UpdatedAt) > 3*time.Minute
	return p, nil
}

func (h *exportPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/exports/show", p)
}

// progress is the part of the page that changes while the file is made. Once that is over, htmx loads the whole page.
func (h *exportPages) progress(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, p.Path)
	}
	if !p.Export.Running() {
		c.Set("HX-Refresh", "true")
	}
	return h.web.RenderPart(c, "admin/exports/show", "running", p)
}

// file hands the file out.
func (h *exportPages) file(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.export_unknown")
	if err != nil {
		return err
	}
	rc, e, err := h.svc.Open(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="`+e.Name()+`"`)
	return h.web.Stream(c, e.ContentType(), func(_ context.Context, out *bufio.Writer) error {
		_, err := io.Copy(out, rc)
		return errors.Join(err, rc.Close())
	})
}
