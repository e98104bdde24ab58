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
	"kithline/campaigns/petitions"
	"kithline/models"
)

type importPages struct {
	web       *web.Web
	svc       *imports.Service
	campaigns *campaigns.Service
	petitions *petitions.Service
	clock     clock.Clock
}

// MountImports puts the pages that bring in lists in place: /admin/imports and below. It raises the limit of a body for
// the upload alone, which is read as it arrives, so call it before the server listens.
func MountImports(r fiber.Router, w *web.Web, s *imports.Service, cs *campaigns.Service, ps *petitions.Service, clk clock.Clock) {
	h := &importPages{w, s, cs, ps, clk}
	w.AllowStream("/admin/imports", imports.MaxUpload+1<<20) // the form around the file
	r.Get("/admin/imports", w.Signed, h.list)
	r.Post("/admin/imports", w.Signed, h.upload)
	r.Get("/admin/imports/:id", w.Signed, h.show)
	r.Get("/admin/imports/:id/progress", w.Signed, h.progress)
	r.Get("/admin/imports/:id/errors.csv", w.Signed, h.errors)
	r.Post("/admin/imports/:id/check", w.Signed, h.check)
	r.Post("/admin/imports/:id/count", w.Signed, h.count)
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
	name, content, err := web.UploadStream(c, "file")
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Upload(c.UserContext(), a, imports.UploadInput{Name: name, Content: content, Locale: p.Lang})
		err = web.UploadBroke("file", err)
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

// leaveOut is the choice for a column that is not imported.
const leaveOut = "-"

type importForm struct {
	Columns []string `form:"column,max=80"` // what each column is, in their order
	Tag     string   `form:"tag,max=60"`
	basisForm
}

func (f *importForm) set(m imports.Mapping, columns int) {
	f.Columns = make([]string, columns)
	for i := range f.Columns {
		f.Columns[i] = leaveOut
		if field, ok := m[i]; ok {
			f.Columns[i] = string(field)
		}
	}
}

func (f *importForm) mapping() imports.Mapping {
	m := imports.Mapping{}
	for i, s := range f.Columns {
		if s != leaveOut {
			m[i] = imports.Field(s)
		}
	}
	return m
}

func (f *importForm) input() imports.CheckInput {
	in := imports.CheckInput{Mapping: f.mapping(), Tag: f.Tag, Basis: imports.Basis{Purpose: models.Purpose(f.Basis), Text: f.Words, Source: f.Source}}
	if f.Basis == "none" {
		in.Basis.Purpose = ""
	}
	in.Basis.CampaignID, _ = uuid.Parse(f.Campaign) // what is none is an unknown campaign
	return in
}

// importColumn is one question of the mapping: a column of the file, with some of what stands in it.
type importColumn struct {
	ID, Header string
	Samples    []string
	Chosen     string
}

type importPage struct {
	web.Page
	Import    imports.Import
	Head      imports.Head
	Stored    imports.Mapping
	Form      importForm
	Choices   []web.Option // what a column can be
	Campaigns []web.Option
	Petitions []web.Option // of a file without addresses
	Petition  string
	Stalled   bool
}

// Open reports whether the file's columns can be chosen.
func (p *importPage) Open() bool { return len(p.Choices) > 0 }

// Counted reports whether the file is one of signatures without addresses.
func (p *importPage) Counted() bool { return p.Import.Source == imports.FromChange }

// Columns are the questions of the mapping, in order.
func (p *importPage) Columns() []importColumn {
	out := make([]importColumn, len(p.Head.Columns))
	for i := range out {
		out[i] = importColumn{ID: "column-" + strconv.Itoa(i+1), Header: p.Header(i), Chosen: leaveOut}
		if i < len(p.Form.Columns) {
			out[i].Chosen = p.Form.Columns[i]
		}
		for _, r := range p.Head.First {
			if r.Bad == nil && i < len(r.Cells) && strings.TrimSpace(r.Cells[i]) != "" && len(out[i].Samples) < 2 {
				out[i].Samples = append(out[i].Samples, shorten(r.Cells[i], 40))
			}
		}
	}
	return out
}

func shorten(s string, most int) string {
	if runes := []rune(s); len(runes) > most {
		return string(runes[:most]) + " ..."
	}
	return s
}

// Source is the program that wrote the file, "" where that is not known.
func (p *importPage) Source() string { return imports.SourceName(p.Import.Source) }

// Left names the parts of the file that are not read.
func (p *importPage) Left() string { return p.names(p.Head.Left) }

// Header is what a column is called.
func (p *importPage) Header(i int) string {
	if p.Head.Bare {
		return p.T("import.column", "Number", strconv.Itoa(i+1))
	}
	if p.Head.Columns[i] == "" {
		return p.T("import.column_bare", "Number", strconv.Itoa(i+1))
	}
	return p.Head.Columns[i]
}

// Unused and Twice tell of columns that were left out.
func (p *importPage) Unused() string {
	if p.Head.Bare {
		return ""
	}
	return p.names(p.Stored.Unused(p.Head.Columns))
}

// Twice is the headers that stand more than once.
func (p *importPage) Twice() string { return p.names(p.Head.Twice) }

func (p *importPage) names(list []string) string {
	const most = 30
	if len(list) > most {
		return strings.Join(list[:most], ", ") + " ..."
	}
	return strings.Join(list, ", ")
}

// HowRead says how the file was read.
func (p *importPage) HowRead() string {
	by := map[byte]string{',': "import.by_comma", ';': "import.by_semicolon", '\t': "import.by_tab", '|': "import.by_bar"}[p.Head.Delimiter]
	rows := p.T("import.rows", "Count", p.Import.RowsTotal)
	if by == "" {
		return p.T("import.how_read_book", "Rows", rows, "Encoding", p.Head.Encoding)
	}
	return p.T("import.how_read", "Rows", rows, "Encoding", p.Head.Encoding, "Delimiter", p.T(by))
}

// Cells are the cells of a row as the preview shows them: one for each column.
func (p *importPage) Cells(r imports.Row) []string {
	out := make([]string, len(p.Head.Columns))
	copy(out, r.Cells)
	for i, c := range out {
		out[i] = shorten(c, 60)
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
		if p.Counted() {
			if err := h.offerPetitions(ctx, a, p); err != nil {
				return err
			}
			return h.web.RenderStatus(c, status, "admin/imports/show", p)
		}
		p.Form.set(p.Stored, len(p.Head.Columns))
		p.Form.Tag = p.Import.Tag
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
		fields, err := h.svc.FieldChoices(ctx, a)
		if err != nil {
			return err
		}
		p.offer(fields, a.Chapter() == nil)
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

// offer lists what a column can be.
func (p *importPage) offer(fields []models.CustomField, whole bool) {
	p.Choices = []web.Option{{Value: leaveOut, Label: p.T("import.leave_out")}}
	for _, f := range imports.Fields {
		if f != imports.Chapter || whole {
			p.Choices = append(p.Choices, web.Option{Value: string(f), Label: p.T("import.field_" + string(f))})
		}
	}
	for _, f := range fields {
		p.Choices = append(p.Choices, web.Option{Value: string(imports.CustomField(f.ID)), Label: p.T("import.field_own", "Name", f.Label)})
	}
	if !whole {
		return
	}
	for _, kind := range imports.NewKinds {
		p.Choices = append(p.Choices, web.Option{Value: string(imports.NewField(kind)), Label: p.T("import.field_new_" + string(kind))})
	}
}

// offerPetitions lists what signatures that were counted elsewhere can be noted at.
func (h *importPages) offerPetitions(ctx context.Context, a actor.Actor, p *importPage) error {
	list, err := h.petitions.CountableElsewhere(ctx, a)
	if err != nil && !fault.Is(err, fault.Forbidden) {
		return err
	}
	p.Petitions = []web.Option{{Value: "", Label: p.T("import.petition_choose")}}
	for _, x := range list {
		p.Petitions = append(p.Petitions, web.Option{Value: x.ID.String(), Label: x.Title})
	}
	return nil
}

// count notes the number of signatures of a file without addresses at a petition.
func (h *importPages) count(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	var form struct {
		Petition string `form:"petition"`
	}
	if err = web.Bind(c, &form); err == nil {
		id, wrong := uuid.Parse(form.Petition)
		if wrong != nil {
			var bad fault.Fields
			bad.Add("petition", "error.import_petition")
			err = bad.Err()
		} else {
			err = h.svc.CountElsewhere(c.UserContext(), h.web.Actor(c), p.Import.ID, id)
		}
	}
	if p.Failed(err) {
		return h.render(c, 422, p, nil)
	}
	if err != nil {
		return err
	}
	return web.SeeOther(c, p.Path)
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
