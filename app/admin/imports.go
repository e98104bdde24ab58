package admin

import (
	"bufio"
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/imports"
	"kithline/campaigns/paging"
	"kithline/models"
)

type importPages struct {
	web       *web.Web
	svc       *imports.Service
	campaigns *campaigns.Service
	clock     clock.Clock
}

// MountImports puts the pages that bring in lists in place: /admin/imports and below. It raises the limit of a body for
// the upload alone, so call it before the server listens.
func MountImports(r fiber.Router, w *web.Web, s *imports.Service, cs *campaigns.Service, clk clock.Clock) {
	h := &importPages{w, s, cs, clk}
	w.AllowBody("/admin/imports", imports.MaxUpload+1<<20) // the form around the file
	r.Get("/admin/imports", w.Signed, h.list)
	r.Post("/admin/imports", w.Signed, h.upload)
	r.Get("/admin/imports/:id", w.Signed, h.show)
	r.Get("/admin/imports/:id/progress", w.Signed, h.progress)
	r.Get("/admin/imports/:id/errors.csv", w.Signed, h.errors)
	r.Post("/admin/imports/:id/check", w.Signed, h.check)
	r.Post("/admin/imports/:id/start", w.Signed, h.start)
	r.Post("/admin/imports/:id/resume", w.Signed, h.resume)
}

func importID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.import_unknown") }

type importsPage struct {
	web.Page
	Rows []imports.Import
	Next string
}

// MaxMB is the largest file, in megabytes.
func (importsPage) MaxMB() int { return imports.MaxUpload >> 20 }

func (h *importPages) list(c *fiber.Ctx) error {
	p := importsPage{Page: h.web.Page(c, "import.title", "imports")}
	return h.renderList(c, 200, &p)
}

func (h *importPages) renderList(c *fiber.Ctx, status int, p *importsPage) error {
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(c.UserContext(), h.web.Actor(c), after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.RenderStatus(c, status, "admin/imports/list", p)
}

func (h *importPages) upload(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.Import); err != nil { // before the body is looked at
		return err
	}
	p := importsPage{Page: h.web.Page(c, "import.title", "imports")}
	name, content, err := web.Upload(c, "file", imports.MaxUpload)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Upload(c.UserContext(), a, imports.UploadInput{Name: name, Content: content, Locale: p.Lang})
	}
	if p.Failed(err) {
		return h.renderList(c, 422, &p)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/imports/"+id.String())
}

// basisForm is on what ground people may be mailed, as the page asks for it.
type basisForm struct {
	Basis    string `form:"basis"`
	Campaign string `form:"campaign"`
	Words    string `form:"words,max=2000,lines"`
	Source   string `form:"source,max=300"`
}

// columnsForm is which column holds what: the number of the column from 0, or "".
type columnsForm struct {
	Email      string `form:"email"`
	GivenName  string `form:"given_name"`
	FamilyName string `form:"family_name"`
	Name       string `form:"name"`
	Phone      string `form:"phone"`
	PostalArea string `form:"postal_area"`
	Country    string `form:"country"`
	Locale     string `form:"locale"`
	Status     string `form:"status"`
	OptedIn    string `form:"opted_in"`
	OptedOut   string `form:"opted_out"`
}

func (f *columnsForm) at() map[imports.Field]*string {
	return map[imports.Field]*string{
		imports.Email: &f.Email, imports.GivenName: &f.GivenName, imports.FamilyName: &f.FamilyName, imports.Name: &f.Name, imports.Phone: &f.Phone,
		imports.PostalArea: &f.PostalArea, imports.Country: &f.Country, imports.Locale: &f.Locale, imports.Status: &f.Status,
		imports.OptedIn: &f.OptedIn, imports.OptedOut: &f.OptedOut,
	}
}

func (f *columnsForm) set(m imports.Mapping) {
	for field, s := range f.at() {
		if i, ok := m[field]; ok {
			*s = strconv.Itoa(i)
		}
	}
}

func (f *columnsForm) mapping() imports.Mapping {
	m := imports.Mapping{}
	for field, s := range f.at() {
		if i, err := strconv.Atoi(*s); err == nil {
			m[field] = i
		}
	}
	return m
}

type importForm struct {
	columnsForm
	basisForm
}

func (f *importForm) input() imports.CheckInput {
	in := imports.CheckInput{Mapping: f.mapping(), Basis: imports.Basis{Purpose: models.Purpose(f.Basis), Text: f.Words, Source: f.Source}}
	if f.Basis == "none" {
		in.Basis.Purpose = ""
	}
	in.Basis.CampaignID, _ = uuid.Parse(f.Campaign) // what is none is an unknown campaign
	return in
}

// column is one question of the mapping.
type column struct{ Name, Key, Chosen string }

type importPage struct {
	web.Page
	Import    imports.Import
	Head      imports.Head
	Stored    imports.Mapping
	Form      importForm
	Options   []web.Option // the columns of the file
	Campaigns []web.Option
	Stalled   bool
}

// Columns are the questions of the mapping, in order.
func (p *importPage) Columns() []column {
	out, at := []column{}, p.Form.at()
	for _, f := range imports.Fields {
		out = append(out, column{string(f), "import.field_" + string(f), *at[f]})
	}
	return out
}

// Header is what a column is called.
func (p *importPage) Header(i int) string {
	if p.Head.Bare {
		return p.T("import.column", "Number", strconv.Itoa(i+1))
	}
	return p.Head.Columns[i]
}

// Unused and Twice tell of columns that were left out.
func (p *importPage) Unused() string { return p.names(p.Stored.Unused(p.Head.Columns)) }

// Twice is the headers that stand more than once.
func (p *importPage) Twice() string { return p.names(p.Head.Twice) }

func (p *importPage) names(list []string) string {
	if p.Head.Bare {
		return ""
	}
	const most = 30
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " ..."
	}
	return strings.Join(list, ", ")
}

// HowRead says how the file was read.
func (p *importPage) HowRead() string {
	by := map[byte]string{',': "import.by_comma", ';': "import.by_semicolon", '\t': "import.by_tab", '|': "import.by_bar"}[p.Head.Delimiter]
	if by == "" {
		by = "import.by_comma"
	}
	return p.T("import.how_read", "Rows", p.T("import.rows", "Count", p.Import.RowsTotal), "Encoding", p.Head.Encoding, "Delimiter", p.T(by))
}

// Cells are the cells of a row as the preview shows them: one for each column.
func (p *importPage) Cells(r imports.Row) []string {
	out := make([]string, len(p.Head.Columns))
	copy(out, r.Cells)
	for i, c := range out {
		if runes := []rune(c); len(runes) > 60 {
			out[i] = string(runes[:60]) + " ..."
		}
	}
	return out
}

// Reason is why a row of the preview cannot be taken.
func (p *importPage) Reason(r imports.Row) string { return p.T(r.Bad.Key, r.Bad.Args...) }

// Good is how many rows can be taken.
func (p *importPage) Good() int { return p.Import.Counts.Rows - p.Import.Counts.Skipped }

// Step is where in the way from file to people this is.
func (p *importPage) Step() int {
	switch {
	case p.Import.Done(), !p.Import.DryRun:
		return 4
	case p.Import.Checked(), p.Import.Running():
		return 3
	}
	return 2
}

// State is the locale key of the import's state.
func (p *importPage) State() string { return stateKey(p.Import) }

// StateOf is State for a row of the list.
func (importsPage) StateOf(i imports.Import) string { return stateKey(i) }

func stateKey(i imports.Import) string {
	switch {
	case i.State == models.ImportRunning && i.DryRun:
		return "import.state_checking"
	case i.Checked():
		return "import.state_checked"
	}
	return "import.state_" + string(i.State)
}

func (h *importPages) show(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.render(c, 200, p, nil)
}

func (h *importPages) page(c *fiber.Ctx) (*importPage, error) {
	id, err := importID(c)
	if err != nil {
		return nil, err
	}
	i, err := h.svc.Get(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, err
	}
	p := &importPage{Page: h.web.Page(c, "import.title", "imports"), Import: i}
	p.Path = "/admin/imports/" + id.String()
	p.Stalled = i.Running() && h.clock.Now().Sub(i.UpdatedAt) > 3*time.Minute
	return p, nil
}

// render shows the page of an import. typed is what was typed into the form, nil for what is stored.
func (h *importPages) render(c *fiber.Ctx, status int, p *importPage, typed *importForm) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	if open := !p.Import.Running() && p.Import.DryRun && p.Import.FileID != nil && !p.Import.Gone; open {
		var err error
		if p.Head, p.Stored, err = h.svc.Preview(ctx, a, p.Import.ID); err != nil {
			return err
		}
		p.Form.set(p.Stored)
		p.Form.basisForm = basisForm{Basis: p.Import.BasisPurpose, Words: p.Import.BasisText, Source: p.Import.BasisSource}
		if p.Import.BasisScopeID != uuid.Nil {
			p.Form.Campaign = p.Import.BasisScopeID.String()
		}
		if p.Form.Basis == "" && p.Import.Run > 0 {
			p.Form.Basis = "none"
		}
		if typed != nil {
			p.Form = *typed
		}
		p.Options = []web.Option{{Value: "", Label: p.T("import.not_there")}}
		for i := range p.Head.Columns {
			p.Options = append(p.Options, web.Option{Value: strconv.Itoa(i), Label: p.Header(i)})
		}
		list, err := h.campaigns.Choices(ctx, a)
		if err != nil {
			return err
		}
		p.Campaigns = []web.Option{{Value: "", Label: p.T("import.campaign_choose")}}
		for _, x := range list {
			p.Campaigns = append(p.Campaigns, web.Option{Value: x.ID.String(), Label: x.Title})
		}
	}
	return h.web.RenderStatus(c, status, "admin/imports/show", p)
}

func (h *importPages) check(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var form importForm
	if err = web.Bind(c, &form); err == nil {
		if form.Basis == "" {
			var bad fault.Fields
			bad.Add("basis", "error.import_basis")
			err = bad.Err()
		} else {
			err = h.svc.Check(c.UserContext(), h.web.Actor(c), p.Import.ID, form.input())
		}
	}
	if p.Failed(err) {
		return h.render(c, 422, p, &form)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, p.Path)
}

func (h *importPages) start(c *fiber.Ctx) error { return h.begin(c, h.svc.Start) }

func (h *importPages) resume(c *fiber.Ctx) error { return h.begin(c, h.svc.Resume) }

func (h *importPages) begin(c *fiber.Ctx, op func(context.Context, actor.Actor, uuid.UUID) error) error {
	id, err := importID(c)
	if err != nil {
		return err
	}
	if err := op(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	return web.SeeOther(c, "/admin/imports/"+id.String())
}

// progress is the part of the page that changes while the file is read. Once that is over, htmx loads the whole page.
func (h *importPages) progress(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	if !web.HTMX(c) {
		return web.SeeOther(c, p.Path)
	}
	if !p.Import.Running() {
		c.Set("HX-Refresh", "true")
	}
	return h.web.RenderPart(c, "admin/imports/show", "running", p)
}

// errors hands back the rows that were not taken.
func (h *importPages) errors(c *fiber.Ctx) error {
	id, err := importID(c)
	if err != nil {
		return err
	}
	rc, err := h.svc.ErrorFile(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderContentDisposition, `attachment; filename="import-errors.csv"`)
	return h.web.Stream(c, "text/csv; charset=utf-8", func(_ context.Context, out *bufio.Writer) error {
		_, err := io.Copy(out, rc)
		return errors.Join(err, rc.Close())
	})
}
