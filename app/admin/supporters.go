package admin

import (
	"errors"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/supporters"
	"kithline/models"
)

type supporterPages struct {
	web *web.Web
	svc *supporters.Service
}

// MountSupporters puts the pages about people in place, below /admin/supporters.
func MountSupporters(r fiber.Router, w *web.Web, s *supporters.Service) {
	h := &supporterPages{w, s}
	r.Get("/admin/supporters", w.Signed, h.list)
	r.Post("/admin/supporters/find", w.Signed, h.find)
	r.Get("/admin/supporters/new", w.Signed, h.addForm)
	r.Post("/admin/supporters/new", w.Signed, h.add)
	r.Get("/admin/supporters/:id", w.Signed, h.show)
	r.Get("/admin/supporters/:id/edit", w.Signed, h.editForm)
	r.Post("/admin/supporters/:id/edit", w.Signed, h.edit)
	r.Post("/admin/supporters/:id/tags", w.Signed, h.tag)
	r.Post("/admin/supporters/:id/tags/:tag/remove", w.Signed, h.untag)
	r.Post("/admin/supporters/:id/notes", w.Signed, h.note)
	r.Post("/admin/supporters/:id/notes/:note/delete", w.Signed, h.deleteNote)
	r.Post("/admin/supporters/:id/mailboxes/:mailbox", w.Signed, h.mail)
	r.Post("/admin/supporters/:id/consents", w.Signed, h.consent)
	r.Post("/admin/supporters/:id/consents/:consent/withdraw", w.Signed, h.withdraw)
}

// peoplePage is what pages about people share.
type peoplePage struct{ web.Page }

// Purpose words what somebody agreed to: scope is what the campaign, topic or partner is called.
func (p peoplePage) Purpose(purpose models.Purpose, scope string) string {
	if scope == "" {
		return p.T("supporter.for_" + string(purpose))
	}
	return p.T("supporter.for_"+string(purpose)+"_of", "Scope", scope)
}

// listForm narrows the list; it stands in the address.
type listForm struct {
	Tag     string `form:"tag,max=40"`
	Chapter string `form:"chapter,max=40"`
	Source  string `form:"source,max=40"`
	Phone   bool   `form:"phone"`
	Stopped bool   `form:"stopped"`
}

// filter reads the form. An id that is none narrows to nobody.
func (f listForm) filter() supporters.Filter {
	id := func(s string) uuid.UUID {
		if s == "" {
			return uuid.Nil
		}
		u, err := uuid.Parse(s)
		if err != nil {
			return uuid.Max
		}
		return u
	}
	return supporters.Filter{Tag: id(f.Tag), Chapter: id(f.Chapter), Source: f.Source, HasPhone: f.Phone, Suppressed: f.Stopped}
}

type supportersPage struct {
	peoplePage
	Typed    string // what somebody looked for
	By       supporters.By
	More     bool
	Filter   listForm
	Narrowed bool
	Tags     []web.Option
	Chapters []web.Option
	Sources  []web.Option
	Count    int64
	Rows     []supporters.Row
	Next     string
}

func (h *supporterPages) page(c *fiber.Ctx) (*supportersPage, error) {
	p := &supportersPage{peoplePage: peoplePage{h.web.Page(c, "supporter.title", "supporters")}}
	f, err := h.svc.Filters(c.UserContext(), h.web.Actor(c))
	if err != nil {
		return nil, err
	}
	all := web.Option{Label: p.T("supporter.filter_all")}
	p.Tags, p.Chapters, p.Sources = []web.Option{all}, []web.Option{all}, []web.Option{all}
	for _, t := range f.Tags {
		p.Tags = append(p.Tags, web.Option{Value: t.ID.String(), Label: t.Name})
	}
	for _, x := range f.Chapters {
		p.Chapters = append(p.Chapters, web.Option{Value: x.ID.String(), Label: x.Name})
	}
	for _, s := range []string{supporters.SourcePetition, supporters.SourceForm, supporters.SourceLetter, supporters.SourceRoster, supporters.SourceEvent, supporters.SourceImport, supporters.SourceHand} {
		p.Sources = append(p.Sources, web.Option{Value: s, Label: p.T("supporter.source_" + s)})
	}
	return p, nil
}

func (h *supporterPages) list(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	return h.render(c, 200, p)
}

// render shows the list, narrowed by the address.
func (h *supporterPages) render(c *fiber.Ctx, status int, p *supportersPage) error {
	ctx, a := c.UserContext(), h.web.Actor(c)
	if c.Method() == fiber.MethodGet {
		if err := web.Bind(c, &p.Filter); err != nil {
			return err
		}
	}
	p.Narrowed = p.Filter != listForm{}
	after, err := paging.Parse(c.Query("after"))
	if err != nil {
		return err
	}
	list, err := h.svc.List(ctx, a, p.Filter.filter(), after)
	if err != nil {
		return err
	}
	if p.Count, err = h.svc.Count(ctx, a); err != nil {
		return err
	}
	p.Rows, p.Next = list.Rows, list.Next
	return h.web.RenderStatus(c, status, "admin/supporters/list", p)
}

// find takes what somebody looks for in the body of a POST: in a URL it would stay in the browser's history.
func (h *supporterPages) find(c *fiber.Ctx) error {
	p, err := h.page(c)
	if err != nil {
		return err
	}
	p.Path = "/admin/supporters"
	var form struct {
		Query string `form:"q,max=320"`
	}
	err = web.Bind(c, &form)
	p.Typed = form.Query
	var found supporters.Found
	if err == nil {
		found, err = h.svc.Find(c.UserContext(), h.web.Actor(c), form.Query)
	}
	if p.Failed(err) {
		return h.render(c, 422, p)
	}
	if err != nil {
		return err
	}
	if len(found.Rows) == 1 && found.By != supporters.ByName {
		return web.SeeOther(c, personPath(found.Rows[0].ID))
	}
	p.By, p.Rows, p.More = found.By, found.Rows, found.More
	return h.web.Render(c, "admin/supporters/list", p)
}

func personPath(id uuid.UUID) string { return "/admin/supporters/" + id.String() }

type supporterPage struct {
	peoplePage
	Person  supporters.View
	Tags    []models.Tag // to complete what is typed
	Choices []web.Option // of consents
	Boxes   []web.Option // addresses
	Stop    []web.Option // reasons
	Start   []web.Option

	Tag    string
	Note   string
	Reason string
	Box    string // which address Reason is for
	Yes    yesForm
}

type yesForm struct {
	Mailbox string `form:"mailbox,max=40"`
	Purpose string `form:"purpose,max=80"` // purpose, or purpose/scope
	Words   string `form:"words,max=2000,lines"`
	Where   string `form:"where,max=300"`
	On      string `form:"on,max=10"`
	Locale  string `form:"locale,max=20"`
}

// person makes the page of one record.
func (h *supporterPages) person(c *fiber.Ctx, id uuid.UUID) (*supporterPage, error) {
	ctx, a := c.UserContext(), h.web.Actor(c)
	// The tab and the history say no name.
	p := &supporterPage{peoplePage: peoplePage{h.web.Page(c, "supporter.one", "supporters")}}
	p.Path = personPath(id)
	var err error
	if p.Person, err = h.svc.Show(ctx, a, id); err != nil {
		return nil, err
	}
	if !a.May(actor.EditSupporters) {
		return p, nil
	}
	f, err := h.svc.Filters(ctx, a)
	if err != nil {
		return nil, err
	}
	p.Tags = f.Tags
	choices, err := h.svc.Choices(ctx, a)
	if err != nil {
		return nil, err
	}
	p.Choices = []web.Option{{Label: p.T("supporter.choose")}}
	for _, x := range choices {
		o := web.Option{Value: string(x.Purpose), Label: p.Purpose(x.Purpose, x.Scope)}
		if x.ScopeID != uuid.Nil {
			o.Value += "/" + x.ScopeID.String()
		}
		p.Choices = append(p.Choices, o)
	}
	for _, m := range p.Person.Mailboxes {
		p.Boxes = append(p.Boxes, web.Option{Value: m.ID.String(), Label: m.Address})
	}
	for _, r := range supporters.StopReasons {
		p.Stop = append(p.Stop, web.Option{Value: r, Label: p.T("supporter.stop_" + r)})
	}
	for _, r := range supporters.StartReasons {
		p.Start = append(p.Start, web.Option{Value: r, Label: p.T("supporter.start_" + r)})
	}
	p.Yes.Locale = p.Lang
	return p, nil
}

func (h *supporterPages) show(c *fiber.Ctx) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	p, err := h.person(c, id)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/supporters/show", p)
}

// change binds a form of the record's page, does what it asks for, and shows the page again: with the words of said after it
// went well, or with what was typed and what was wrong with it, which keep puts there.
func (h *supporterPages) change(c *fiber.Ctx, form any, do func(a actor.Actor, id uuid.UUID) error, said, anchor string, keep func(p *supporterPage)) error {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return err
	}
	a := h.web.Actor(c)
	if err := a.Need(actor.EditSupporters); err != nil {
		return err
	}
	if form != nil {
		err = web.Bind(c, form)
	}
	if err == nil {
		err = do(a, id)
	}
	if _, ok := web.Invalid(err); ok && keep != nil {
		p, e := h.person(c, id)
		if e != nil {
			return e
		}
		keep(p)
		p.Failed(err)
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/supporters/show", p)
	}
	if err != nil {
		return err
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, personPath(id)+"#"+anchor)
}

func (h *supporterPages) tag(c *fiber.Ctx) error {
	var form struct {
		Tag string `form:"tag,max=200"`
	}
	return h.change(c, &form, func(a actor.Actor, id uuid.UUID) error {
		return h.svc.AddTag(c.UserContext(), a, id, form.Tag)
	}, "supporter.tagged", "tags", func(p *supporterPage) { p.Tag = form.Tag })
}

func (h *supporterPages) untag(c *fiber.Ctx) error {
	tag, err := paramID(c, "tag", "error.supporter_unknown")
	if err != nil {
		return err
	}
	return h.change(c, nil, func(a actor.Actor, id uuid.UUID) error {
		return h.svc.RemoveTag(c.UserContext(), a, id, tag)
	}, "supporter.untagged", "tags", nil)
}

func (h *supporterPages) note(c *fiber.Ctx) error {
	var form struct {
		Note string `form:"note,max=5000,lines"`
	}
	return h.change(c, &form, func(a actor.Actor, id uuid.UUID) error {
		return h.svc.AddNote(c.UserContext(), a, id, form.Note)
	}, "supporter.noted", "notes", func(p *supporterPage) { p.Note = form.Note })
}

func (h *supporterPages) deleteNote(c *fiber.Ctx) error {
	note, err := paramID(c, "note", "error.supporter_unknown")
	if err != nil {
		return err
	}
	return h.change(c, nil, func(a actor.Actor, id uuid.UUID) error {
		return h.svc.DeleteNote(c.UserContext(), a, id, note)
	}, "supporter.note_deleted", "notes", nil)
}

func (h *supporterPages) mail(c *fiber.Ctx) error {
	box, err := paramID(c, "mailbox", "error.supporter_unknown")
	if err != nil {
		return err
	}
	var form struct {
		Do     string `form:"do,max=10"`
		Reason string `form:"reason,max=40"`
	}
	said := "supporter.stopped"
	if c.FormValue("do") == "start" {
		said = "supporter.started"
	}
	return h.change(c, &form, func(a actor.Actor, id uuid.UUID) error {
		if form.Do == "start" {
			return h.svc.Unsuppress(c.UserContext(), a, id, box, form.Reason)
		}
		return h.svc.Suppress(c.UserContext(), a, id, box, form.Reason)
	}, said, "mailboxes", func(p *supporterPage) { p.Reason, p.Box = form.Reason, box.String() })
}

func (h *supporterPages) consent(c *fiber.Ctx) error {
	var form yesForm
	return h.change(c, &form, func(a actor.Actor, id uuid.UUID) error {
		purpose, scope, scoped := strings.Cut(form.Purpose, "/")
		in := supporters.Yes{Purpose: models.Purpose(purpose), Words: form.Words, Where: form.Where, On: form.On, Locale: form.Locale}
		var err error
		if in.MailboxID, err = uuid.Parse(form.Mailbox); err != nil {
			return fault.Fields{{Name: "mailbox", Key: "error.value_unknown"}}.Err()
		}
		if scoped {
			if in.ScopeID, err = uuid.Parse(scope); err != nil {
				return fault.Fields{{Name: "purpose", Key: "error.value_unknown"}}.Err()
			}
		}
		return h.svc.RecordConsent(c.UserContext(), a, id, in)
	}, "supporter.consent_recorded", "consents", func(p *supporterPage) { p.Yes = form })
}

func (h *supporterPages) withdraw(c *fiber.Ctx) error {
	consent, err := paramID(c, "consent", "error.supporter_unknown")
	if err != nil {
		return err
	}
	return h.change(c, nil, func(a actor.Actor, id uuid.UUID) error {
		return h.svc.WithdrawConsent(c.UserContext(), a, id, consent)
	}, "supporter.consent_withdrawn", "consents", nil)
}

// recordForm is what can be written about a person.
type recordForm struct {
	Revision   string `form:"revision,max=40"`
	Email      string `form:"email,max=320"` // of a new one
	GivenName  string `form:"given_name,max=100"`
	FamilyName string `form:"family_name,max=100"`
	Phones     string `form:"phones,max=2000,lines"`
	Street     string `form:"street,max=200"`
	City       string `form:"city,max=100"`
	Region     string `form:"region,max=100"`
	PostalArea string `form:"postal_area,max=20"`
	Country    string `form:"country,max=20"`
	Locale     string `form:"locale,max=35"`
	TimeZone   string `form:"time_zone,max=60"`
	Chapter    string `form:"chapter,max=40"`
}

func (f recordForm) draft(answers map[uuid.UUID]string) supporters.Draft {
	return supporters.Draft{
		Revision: f.Revision, GivenName: f.GivenName, FamilyName: f.FamilyName, Street: f.Street, City: f.City, Region: f.Region, PostalArea: f.PostalArea,
		Country: f.Country, Phones: f.Phones, Locale: f.Locale, TimeZone: f.TimeZone, Chapter: f.Chapter, Answers: answers,
	}
}

func recordOf(d supporters.Draft) recordForm {
	return recordForm{
		Revision: d.Revision, GivenName: d.GivenName, FamilyName: d.FamilyName, Street: d.Street, City: d.City, Region: d.Region, PostalArea: d.PostalArea,
		Country: d.Country, Phones: d.Phones, Locale: d.Locale, TimeZone: d.TimeZone, Chapter: d.Chapter,
	}
}

// question is a custom field in a form.
type question struct {
	Name    string // of the input
	Label   string
	Kind    models.FieldKind
	Private bool
	Value   string
	Options []web.Option
}

// changedLine is what a record says now where a form says something else.
type changedLine struct{ Label, Now string }

type editPersonPage struct {
	peoplePage
	New       bool
	ID        uuid.UUID
	Form      recordForm
	Questions []question
	Chapters  []web.Option
	Languages []web.Option
	Zones     []string
	Now       []changedLine
}

func (p *editPersonPage) choices(chapters []models.Chapter, current string, name string) {
	p.Zones = zones
	p.Languages = append([]web.Option{{Label: p.T("supporter.not_known")}}, p.LanguageOptions()...)
	if l := p.Form.Locale; l != "" && !slices.ContainsFunc(p.Languages, func(o web.Option) bool { return o.Value == l }) {
		p.Languages = append(p.Languages, web.Option{Value: l, Label: l})
	}
	if len(chapters) == 0 && current == "" || p.Actor.ChapterID != uuid.Nil {
		return
	}
	p.Chapters = []web.Option{{Label: p.T("supporter.no_chapter")}}
	for _, x := range chapters {
		p.Chapters = append(p.Chapters, web.Option{Value: x.ID.String(), Label: x.Name})
	}
	if current != "" && !slices.ContainsFunc(p.Chapters, func(o web.Option) bool { return o.Value == current }) { // a closed one
		p.Chapters = append(p.Chapters, web.Option{Value: current, Label: name})
	}
}

// editPage makes the form of a record as it is now, and what is there.
func (h *supporterPages) editPage(c *fiber.Ctx) (*editPersonPage, supporters.Editing, error) {
	id, err := paramID(c, "id", "error.supporter_unknown")
	if err != nil {
		return nil, supporters.Editing{}, err
	}
	e, err := h.svc.Edit(c.UserContext(), h.web.Actor(c), id)
	if err != nil {
		return nil, e, err
	}
	p := &editPersonPage{peoplePage: peoplePage{h.web.Page(c, "supporter.edit", "supporters")}, ID: id, Form: recordOf(e.Draft)}
	p.choices(e.Chapters, e.Draft.Chapter, e.View.Chapter)
	p.Questions = p.questions(e.Fields, e.Draft.Answers)
	return p, e, nil
}

// questions puts custom fields into a form.
func (p peoplePage) questions(fields []models.CustomField, answers map[uuid.UUID]string) []question {
	var out []question
	for _, f := range fields {
		q := question{Name: supporters.FieldInputName(f.ID), Label: f.Label, Kind: f.Kind, Private: f.Private, Value: answers[f.ID]}
		switch f.Kind {
		case models.FieldChoice:
			q.Options = []web.Option{{Label: p.T("supporter.not_known")}}
			for x := range supporters.ChoicesOf(f) {
				q.Options = append(q.Options, web.Option{Value: x, Label: x})
			}
			if q.Value != "" && !slices.ContainsFunc(q.Options, func(o web.Option) bool { return o.Value == q.Value }) { // not offered any more
				q.Options = append(q.Options, web.Option{Value: q.Value, Label: q.Value})
			}
		case models.FieldYesNo:
			q.Options = []web.Option{{Label: p.T("supporter.not_known")}, {Value: "yes", Label: p.T("supporter.yes")}, {Value: "no", Label: p.T("supporter.no")}}
		}
		out = append(out, q)
	}
	return out
}

func (h *supporterPages) editForm(c *fiber.Ctx) error {
	p, _, err := h.editPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/supporters/edit", p)
}

func (h *supporterPages) edit(c *fiber.Ctx) error {
	p, e, err := h.editPage(c)
	if err != nil {
		return err
	}
	var form recordForm
	bad := web.Bind(c, &form)
	named, badToo := web.Named(c, supporters.FieldInputPrefix, 2000)
	answers := map[uuid.UUID]string{}
	for name, value := range named {
		if id, err := uuid.Parse(name); err == nil {
			answers[id] = value
		}
	}
	p.Form = form
	p.choices(e.Chapters, form.Chapter, e.View.Chapter)
	p.Questions = p.questions(e.Fields, answers)
	wrong, wrongToo := p.Failed(bad), p.Failed(badToo)
	if wrong || wrongToo {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/supporters/edit", p)
	} else if err := errors.Join(bad, badToo); err != nil {
		return err
	}
	changed, err := h.svc.Save(c.UserContext(), h.web.Actor(c), p.ID, form.draft(answers))
	switch {
	case p.Failed(err):
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/supporters/edit", p)
	case fault.Is(err, fault.Conflict): // both versions are shown; saving again keeps this one
		p.Refuse(err)
		p.Form.Revision = e.Draft.Revision
		p.Now = p.differs(e, form, answers)
		return h.web.RenderStatus(c, fiber.StatusConflict, "admin/supporters/edit", p)
	case err != nil:
		return err
	}
	said := "supporter.saved"
	if !changed {
		said = "supporter.saved_nothing"
	}
	h.web.Flash(c, "good", said)
	return web.SeeOther(c, personPath(p.ID))
}

// differs lists what the record says where the form says something else.
func (p peoplePage) differs(e supporters.Editing, f recordForm, answers map[uuid.UUID]string) []changedLine {
	d := e.Draft
	var out []changedLine
	for _, x := range []struct{ key, now, form string }{
		{"given_name", d.GivenName, f.GivenName},
		{"family_name", d.FamilyName, f.FamilyName},
		{"phones", d.Phones, f.Phones},
		{"street", d.Street, f.Street},
		{"city", d.City, f.City},
		{"region", d.Region, f.Region},
		{"postal_area", d.PostalArea, f.PostalArea},
		{"country", d.Country, f.Country},
		{"language", d.Locale, f.Locale},
		{"time_zone", d.TimeZone, f.TimeZone},
	} {
		if x.now != x.form {
			out = append(out, changedLine{p.T("supporter." + x.key), x.now})
		}
	}
	if d.Chapter != f.Chapter && p.Actor.ChapterID == uuid.Nil {
		out = append(out, changedLine{p.T("supporter.chapter"), e.View.Chapter})
	}
	for _, x := range e.Fields {
		if d.Answers[x.ID] != answers[x.ID] {
			out = append(out, changedLine{x.Label, d.Answers[x.ID]})
		}
	}
	return out
}

func (h *supporterPages) newPage(c *fiber.Ctx) (*editPersonPage, error) {
	a := h.web.Actor(c)
	if err := a.Need(actor.EditSupporters); err != nil {
		return nil, err
	}
	p := &editPersonPage{peoplePage: peoplePage{h.web.Page(c, "supporter.add", "supporters")}, New: true}
	f, err := h.svc.Filters(c.UserContext(), a)
	if err != nil {
		return nil, err
	}
	p.choices(f.Chapters, "", "")
	return p, nil
}

func (h *supporterPages) addForm(c *fiber.Ctx) error {
	p, err := h.newPage(c)
	if err != nil {
		return err
	}
	return h.web.Render(c, "admin/supporters/edit", p)
}

func (h *supporterPages) add(c *fiber.Ctx) error {
	p, err := h.newPage(c)
	if err != nil {
		return err
	}
	err = web.Bind(c, &p.Form)
	var id uuid.UUID
	if err == nil {
		id, err = h.svc.Add(c.UserContext(), h.web.Actor(c), p.Form.Email, p.Form.draft(nil))
	}
	if p.Failed(err) {
		return h.web.RenderStatus(c, fiber.StatusUnprocessableEntity, "admin/supporters/edit", p)
	} else if err != nil {
		return err
	}
	h.web.Flash(c, "good", "supporter.added")
	return web.SeeOther(c, personPath(id))
}
