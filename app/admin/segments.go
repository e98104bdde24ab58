package admin

import (
	"context"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/segments"
	"kithline/models"
)

type segmentPages struct {
	web *web.Web
	svc *segments.Service
}

// MountSegments puts the pages in place on which organizers choose supporters by rules.
func MountSegments(r fiber.Router, w *web.Web, s *segments.Service) {
	h := &segmentPages{w, s}
	r.Get("/admin/segments", w.Signed, h.list)
	r.Get("/admin/segments/new", w.Signed, h.begin)
	r.Post("/admin/segments/new", w.Signed, h.create)
	r.Post("/admin/segments/count", w.Signed, h.count)
	r.Get("/admin/segments/:id", w.Signed, h.show)
	r.Post("/admin/segments/:id", w.Signed, h.save)
	r.Post("/admin/segments/:id/copy", w.Signed, h.copy)
	r.Post("/admin/segments/:id/archive", w.Signed, h.archive)
	r.Post("/admin/segments/:id/unarchive", w.Signed, h.unarchive)
	r.Post("/admin/segments/:id/freeze", w.Signed, h.freeze)
	r.Post("/admin/segments/:id/thaw", w.Signed, h.thaw)
}

func segmentID(c *fiber.Ctx) (uuid.UUID, error) { return paramID(c, "id", "error.segment_unknown") }

func segmentPath(id uuid.UUID) string { return "/admin/segments/" + id.String() }

type segmentsPage struct {
	web.Page
	Rows     []models.Segment
	Next     string
	Archived bool
}

func (h *segmentPages) list(c *fiber.Ctx) error {
	p := segmentsPage{Page: h.web.Page(c, "segments.title", "segments"), Archived: c.Query("archived") != ""}
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(c.UserContext(), h.web.Actor(c), p.Archived, after)
	if err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.Render(c, "admin/segments/list", &p)
}

// offerGroup is a part of the list of conditions that can be added.
type offerGroup struct {
	Label   string
	Options []web.Option
}

type segmentPage struct {
	web.Page
	Segment  models.Segment // its ID is uuid.Nil while it is new
	Name     string
	About    string
	Revision int
	Rule     segments.Rule
	Tree     segmentNode
	Offers   []offerGroup
	Words    string
	Counted  segments.Counted
	Ready    bool // counted
	Focus    string
}

// Action is where the form goes.
func (p *segmentPage) Action() string {
	if p.Segment.ID == uuid.Nil {
		return "/admin/segments/new"
	}
	return segmentPath(p.Segment.ID)
}

// New reports whether it was not saved yet.
func (p *segmentPage) New() bool { return p.Segment.ID == uuid.Nil }

// PickHow is which pick by chance the form shows.
func (p *segmentPage) PickHow() string {
	switch {
	case p.Rule.Pick.Percent != 0:
		return "percent"
	case p.Rule.Pick.Count != 0:
		return "count"
	}
	return ""
}

// PickNumber is its number, empty where what was typed is none.
func (p *segmentPage) PickNumber() string {
	switch k := p.Rule.Pick; {
	case k.Percent != 0 && !math.IsNaN(k.Percent):
		return strconv.FormatFloat(k.Percent, 'f', -1, 64)
	case k.Count > 0:
		return strconv.Itoa(k.Count)
	}
	return ""
}

// PickSeed is kept between two views of the form, so that the count stays.
func (p *segmentPage) PickSeed() string {
	if p.Rule.Pick.Seed == "" {
		p.Rule.Pick.Seed = segments.NewSeed()
	}
	return p.Rule.Pick.Seed
}

// segmentNode is a group or condition in the form, with its page for words and errors.
type segmentNode struct {
	P *segmentPage
	segments.Shown
	Nodes []segmentNode
}

func (p *segmentPage) node(s segments.Shown) segmentNode {
	n := segmentNode{P: p, Shown: s}
	for _, i := range s.Items {
		n.Nodes = append(n.Nodes, p.node(i))
	}
	return n
}

// Root reports whether this is the outermost group.
func (n segmentNode) Root() bool { return n.Path == segments.RootPath }

// IsGroup reports whether this holds others.
func (n segmentNode) IsGroup() bool { return n.Shown.Kind == segments.Group }

// Deeper reports whether a group fits into this one.
func (n segmentNode) Deeper() bool { return n.Depth < segments.MaxDepth }

// Called is what the condition is about.
func (n segmentNode) Called() string {
	if n.Label != "" {
		return n.Label
	}
	return n.P.T(n.Key)
}

// Full is the name of one of the fields that every node has.
func (n segmentNode) Full(name string) string { return segments.FieldName(n.Path, name) }

// Excluded is what the form's choice between in and out holds.
func (n segmentNode) Excluded() string {
	if n.Exclude {
		return "yes"
	}
	return ""
}

// Value is what one of the condition's fields holds.
func (n segmentNode) Value(f segments.ShownField, name string) string { return f.Values[name] }

// Autofocus reports whether the reader has just added this.
func (n segmentNode) Autofocus() bool { return n.P.Focus != "" && n.P.Focus == n.Path }

// FieldLabel names a field.
func (n segmentNode) FieldLabel(f segments.ShownField) string {
	return n.P.T("segments.field_" + f.Name)
}

// Choices are the entries of a select, with one for nothing chosen before them.
func (n segmentNode) Choices(f segments.ShownField) []web.Option {
	first := "segments.choose"
	if f.Empty != "" {
		first = f.Empty
	}
	out := []web.Option{{Label: n.P.T(first)}}
	if f.Name == "op" {
		out = nil
	}
	chosen := f.Values[f.Name]
	found := chosen == ""
	for _, o := range f.Options {
		found = found || o.Value == chosen
		out = append(out, web.Option{Value: o.Value, Label: n.P.option(o)})
	}
	if !found { // archived, or further down than the list goes
		out = append(out, web.Option{Value: chosen, Label: n.P.T("segments.hidden")})
	}
	return out
}

func (p *segmentPage) option(o segments.Option) string {
	if o.Key == "" {
		return o.Label
	}
	return p.T(o.Key, "Name", o.Label)
}

// form reads the whole form, keeping what is wrong in it.
func (p *segmentPage) form(c *fiber.Ctx) (do string, adds func(path string) string, err error) {
	values, err := web.BindAll(c, segments.MaxAbout)
	adds = func(path string) string { return values[segments.FieldName(path, "add")] }
	p.Name, p.About = values["name"], values["about"]
	p.Revision, _ = strconv.Atoi(values["revision"])
	p.Rule = segments.FromForm(func(name string) (string, bool) { v, ok := values[name]; return v, ok })
	return values["do"], adds, err
}

// edit does what a button of the builder says, and reports whether it was one.
func (p *segmentPage) edit(do string, adds func(path string) string) bool {
	verb, path, _ := strings.Cut(do, ":")
	switch verb {
	case "count":
		return true
	case "add":
		kind, of, _ := strings.Cut(adds(path), ":")
		n := segments.Node{Kind: kind, Values: map[string]string{}}
		if of != "" {
			n.Values[segments.Of] = of
		}
		if kind != "" {
			p.insert(path, n)
		}
		return true
	case "group":
		p.insert(path, segments.Node{Kind: segments.Group, Match: segments.Any})
		return true
	case "remove":
		if i := strings.LastIndexByte(path, '.'); i > 0 {
			at, err := strconv.Atoi(path[i+1:])
			if g := p.Rule.Group(path[:i]); g != nil && err == nil && at >= 0 && at < len(g.Items) {
				g.Items = append(g.Items[:at], g.Items[at+1:]...)
				p.Focus = path[:i]
			}
		}
		return true
	}
	return false
}

func (p *segmentPage) insert(path string, n segments.Node) {
	if g := p.Rule.Group(path); g != nil {
		g.Items = append(g.Items, n)
		p.Focus = segments.ChildPath(path, len(g.Items)-1)
	}
}

func (h *segmentPages) begin(c *fiber.Ctx) error {
	p := &segmentPage{Page: h.web.Page(c, "segments.new", "segments"), Rule: segments.Everybody()}
	return h.renderEdit(c, fiber.StatusOK, p)
}

// renderEdit shows the builder, with the count where the rule is whole.
func (h *segmentPages) renderEdit(c *fiber.Ctx, status int, p *segmentPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	tree, err := h.svc.Show(ctx, a, p.Rule)
	if err != nil {
		return err
	}
	p.Tree = p.node(tree)
	offers, err := h.svc.Offers(ctx, a)
	if err != nil {
		return err
	}
	for _, o := range offers {
		label := p.T("segments.topic_" + o.Topic)
		if len(p.Offers) == 0 || p.Offers[len(p.Offers)-1].Label != label {
			p.Offers = append(p.Offers, offerGroup{Label: label})
		}
		g := &p.Offers[len(p.Offers)-1]
		g.Options = append(g.Options, web.Option{Value: o.Value, Label: p.option(segments.Option{Key: o.Key, Label: o.Label})})
	}
	if err := h.tell(c, p); err != nil {
		return err
	}
	return h.web.RenderStatus(c, status, "admin/segments/edit", p)
}

// tell puts the rule into words and counts it. A rule that is not whole yet has no count, and that is no error.
func (h *segmentPages) tell(c *fiber.Ctx, p *segmentPage) (err error) {
	ctx, a := c.UserContext(), h.web.Actor(c)
	if p.Segment.FrozenAt != nil {
		p.Counted, err = h.svc.Count(ctx, a, p.Segment.ID)
	} else {
		p.Counted, err = h.svc.CountRule(ctx, a, p.Segment.ID, p.Rule)
	}
	if p.Ready = err == nil; err != nil && !segments.Broken(err) {
		return err
	}
	return h.words(ctx, a, p)
}

func (h *segmentPages) words(ctx context.Context, a actor.Actor, p *segmentPage) (err error) {
	p.Words, err = h.svc.Words(ctx, a, p.Rule, segments.Language{
		Text: p.T, Date: func(t time.Time) string { return p.Date(t) }, Number: func(n int64) string { return p.Number(n) },
	})
	return err
}

func (h *segmentPages) create(c *fiber.Ctx) error {
	a := h.web.Actor(c)
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	p := &segmentPage{Page: h.web.Page(c, "segments.new", "segments")}
	do, adds, err := p.form(c)
	if err == nil && p.edit(do, adds) {
		return h.renderEdit(c, fiber.StatusOK, p)
	}
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Create(c.UserContext(), a, segments.Input{Name: p.Name, About: p.About, Rule: p.Rule})
	}
	if p.Failed(err) {
		return h.renderEdit(c, fiber.StatusUnprocessableEntity, p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "segments.saved")
	return web.SeeOther(c, segmentPath(id))
}

func (h *segmentPages) show(c *fiber.Ctx) error {
	id, err := segmentID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	p := &segmentPage{Page: h.web.Page(c, "segments.title", "segments")}
	if p.Segment, p.Rule, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	p.Title, p.Name, p.About, p.Revision = p.Segment.Name, p.Segment.Name, p.Segment.About, p.Segment.Revision
	if a.May(actor.EditSupporters) && p.Segment.ArchivedAt == nil && p.Segment.FrozenAt == nil {
		return h.renderEdit(c, fiber.StatusOK, p)
	}
	p.Counted, err = h.svc.Count(ctx, a, id)
	if p.Ready = err == nil; err != nil && !segments.Broken(err) {
		return err
	}
	if err := h.words(ctx, a, p); err != nil {
		return err
	}
	return h.web.Render(c, "admin/segments/show", p)
}

func (h *segmentPages) save(c *fiber.Ctx) error {
	id, err := segmentID(c)
	if err != nil {
		return err
	}
	ctx, a := c.UserContext(), h.web.Actor(c)
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	p := &segmentPage{Page: h.web.Page(c, "segments.title", "segments")}
	if p.Segment, _, err = h.svc.Get(ctx, a, id); err != nil {
		return err
	}
	p.Title = p.Segment.Name
	do, adds, err := p.form(c)
	if err == nil && p.edit(do, adds) {
		return h.renderEdit(c, fiber.StatusOK, p)
	}
	if err == nil {
		err = h.svc.Save(ctx, a, id, segments.Input{Revision: p.Revision, Name: p.Name, About: p.About, Rule: p.Rule})
	}
	if p.Failed(err) {
		return h.renderEdit(c, fiber.StatusUnprocessableEntity, p)
	}
	if fault.Is(err, fault.Conflict) && p.Segment.ArchivedAt == nil && p.Segment.FrozenAt == nil {
		p.Revision = p.Segment.Revision
		p.Refuse(err)
		return h.renderEdit(c, fiber.StatusConflict, p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", "segments.saved")
	return web.SeeOther(c, segmentPath(id))
}

// count answers the form of the builder with the part of the page that counts, while it is filled in. It changes nothing.
func (h *segmentPages) count(c *fiber.Ctx) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	p := &segmentPage{Page: h.web.Page(c, "segments.title", "segments")}
	if _, _, err := p.form(c); err != nil {
		return err
	}
	values, err := web.BindAll(c, segments.MaxAbout)
	if err != nil {
		return err
	}
	if id, err := uuid.Parse(values["id"]); err == nil && id != uuid.Nil {
		if p.Segment, _, err = h.svc.Get(ctx, a, id); err != nil {
			return err
		}
	}
	if err := h.tell(c, p); err != nil {
		return err
	}
	return h.web.RenderPart(c, "admin/segments/edit", "segment_counted", p)
}

func (h *segmentPages) copy(c *fiber.Ctx) error {
	id, err := segmentID(c)
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	m, _, err := h.svc.Get(c.UserContext(), a, id)
	if err != nil {
		return err
	}
	name := h.web.Page(c, "segments.title", "segments").T("segments.copy_of", "Name", m.Name)
	if id, err = h.svc.Copy(c.UserContext(), a, id, name); err != nil {
		return err
	}
	h.web.Flash(c, "good", "segments.copied")
	return web.SeeOther(c, segmentPath(id))
}

func (h *segmentPages) archive(c *fiber.Ctx) error {
	return h.change(c, h.svc.Archive, "segments.archived_now")
}

func (h *segmentPages) unarchive(c *fiber.Ctx) error {
	return h.change(c, h.svc.Unarchive, "segments.unarchived")
}

func (h *segmentPages) freeze(c *fiber.Ctx) error {
	return h.change(c, h.svc.Freeze, "segments.frozen_now")
}

func (h *segmentPages) thaw(c *fiber.Ctx) error { return h.change(c, h.svc.Thaw, "segments.thawed") }

func (h *segmentPages) change(c *fiber.Ctx, do func(context.Context, actor.Actor, uuid.UUID) error, done string) error {
	id, err := segmentID(c)
	if err != nil {
		return err
	}
	if err := do(c.UserContext(), h.web.Actor(c), id); err != nil {
		return err
	}
	h.web.Flash(c, "good", done)
	return web.SeeOther(c, segmentPath(id))
}
