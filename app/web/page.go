package web

import (
	"context"
	"html"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/app/locales"
	"kithline/app/views"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
)

// Names of views' types that handlers use.
type (
	Link   = views.Link
	Option = views.Option
	Bars   = views.Bars
	BarRow = views.BarRow
)

// Page is what every page knows. A page's struct embeds it; templates reach its fields and methods by their names.
type Page struct {
	Title     string // translated; layouts add the organisation's name
	Section   string // which entry of the navigation is current
	Lang      string
	Path      string // without the query
	Theme     string // the reader's choice: light, dark, or "" for the device's
	Site      Site
	Actor     actor.Actor
	ActorName string
	Flash     *Flash
	Errors    []FieldError // in the order of the form; the layout shows them in a summary
	RequestID string
	Rail      []RailGroup // the organizer's menu, by rights
	Back      *Link       // layout print: where the sheet came from

	query url.Values
	web   *Web
}

// Flash is a message shown once, on the page after a form. Kind is good, warn or bad.
type Flash struct{ Kind, Text string }

// FieldError is a translated error. Name is the field's, empty for the form as a whole.
type FieldError struct{ Name, Text string }

// NavLink is an entry of a navigation. Current is "", "page" or "true".
type NavLink struct {
	URL, Label, Current string
	Lang                string
	Waiting             int
}

// Page starts the page of a request. titleKey is a locale key; section is a key of the rail ("petitions") or of the public
// navigation ("home", "privacy", "accessibility", "display"). It takes the flash, so call it only when answering with a page.
func (w *Web) Page(c *fiber.Ctx, titleKey, section string, titleArgs ...any) Page {
	p := w.page(c, section)
	p.Actor, p.ActorName = w.Actor(c), w.actorName(c)
	p.RequestID = RequestID(c)
	if p.Actor.Kind == actor.User {
		var waiting map[string]int
		if w.opt.Waiting != nil && strings.HasPrefix(p.Path, "/admin") {
			waiting = w.opt.Waiting(c.UserContext(), p.Actor)
		}
		p.Rail = p.Menu(waiting)
	}
	p.Flash = w.takeFlash(c, p)
	if titleKey != "" {
		p.Title = p.T(titleKey, titleArgs...)
	}
	return p
}

// page is the part of a Page that is the same for every reader with the same language and theme.
func (w *Web) page(c *fiber.Ctx, section string) Page {
	site := w.opt.Site(c.UserContext())
	q, _ := url.ParseQuery(string(c.Context().URI().QueryString())) // what cannot be read is not there
	return Page{
		Section: section, Lang: w.Lang(c, site), Path: c.Path(), Theme: theme(c), Site: site, query: q, web: w,
	}
}

// Blank is a page outside of a request: for previews, files and tests.
func (w *Web) Blank(ctx context.Context, lang, path string) Page {
	return Page{Lang: lang, Path: path, Site: w.opt.Site(ctx), query: url.Values{}, web: w}
}

// T translates a locale key. args are name, value pairs for the message; "Count" also chooses the plural form and is shown
// in the reader's way of writing numbers. A key that does not exist is shown as it is and logged once.
func (p Page) T(key string, args ...any) string { return p.web.translate(p.Lang, key, args, false) }

// HTML is T for a message that holds markup of ours, such as a link. The values are escaped, the message is not.
func (p Page) HTML(key string, args ...any) template.HTML {
	return template.HTML(p.web.translate(p.Lang, key, args, true)) //nolint:gosec // our own words, values escaped
}

// Text translates a key outside of a page: for feeds, calendars, files. For a language that is not ours it is the first of ours.
func (w *Web) Text(lang, key string, args ...any) string {
	return w.translate(Spoken(lang), key, args, false)
}

func (w *Web) translate(lang, key string, args []any, escape bool) string {
	var data map[string]any
	var count any
	if len(args) > 0 {
		data = make(map[string]any, len(args)/2)
	}
	for i := 0; i+1 < len(args); i += 2 {
		name, _ := args[i].(string)
		v := args[i+1]
		if name == "Count" {
			if n, ok := wholeNumber(v); ok {
				count, v = n, Number(lang, n)
			}
		}
		if s, ok := v.(string); ok && escape {
			v = html.EscapeString(s)
		}
		data[name] = v
	}
	s, err := w.words.Text(lang, key, data, count)
	if err != nil {
		if _, seen := w.missed.LoadOrStore(lang+" "+key, true); !seen {
			w.opt.Logger.Error("a page's words are missing", "lang", lang, "key", key, "error", err)
		}
		return key
	}
	return s
}

// Missed lists the locale keys that were asked for and could not be shown, as "en petition.sign". For tests.
func (w *Web) Missed() []string {
	var out []string
	w.missed.Range(func(k, _ any) bool { out = append(out, k.(string)); return true })
	slices.Sort(out)
	return out
}

// Failed reports whether err says that the input is wrong, and takes its errors into the page, translated. The handler then
// shows the same form again with 422. It is false for nil and for every other error: return those.
func (p *Page) Failed(err error) bool {
	e, ok := Invalid(err)
	if !ok {
		return false
	}
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, FieldError{Name: f.Name, Text: p.T(f.Key, f.Args...)})
	}
	if len(e.Fields) == 0 {
		p.Errors = append(p.Errors, FieldError{Text: p.T(e.Key, e.Args...)})
	}
	return true
}

// FailedToo is Failed for errors that were found after others: those of fields that have one already are left out.
func (p *Page) FailedToo(err error) {
	e, ok := Invalid(err)
	if !ok {
		return
	}
	for _, f := range e.Fields {
		if p.Error(f.Name) == "" {
			p.Errors = append(p.Errors, FieldError{Name: f.Name, Text: p.T(f.Key, f.Args...)})
		}
	}
}

// Refuse takes an error that is not about the input into the page's errors, translated: the handler shows the same form
// again and what was typed stays. It does nothing for an error that is no fault.
func (p *Page) Refuse(err error) {
	if text := p.Says(err); text != "" {
		p.Errors = append(p.Errors, FieldError{Text: text})
	}
}

// Says is the message of a fault, translated; "" for any other error.
func (p Page) Says(err error) string {
	if e, ok := asFault(err); ok {
		return p.T(e.Key, e.Args...)
	}
	return ""
}

// Error returns the translated error of a field, or "".
func (p Page) Error(name string) string {
	for _, e := range p.Errors {
		if e.Name == name {
			return e.Text
		}
	}
	return ""
}

// Query returns a value of the address's query.
func (p Page) Query(name string) string { return p.query.Get(name) }

// With returns the page's own address with query values changed: name, value pairs; an empty value removes one. Changing
// anything but "after" goes back to the first page.
func (p Page) With(pairs ...any) string {
	q := url.Values{}
	for k, v := range p.query {
		q[k] = v
	}
	q.Del("after")
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		if v := formText(pairs[i+1]); v != "" {
			q.Set(name, v)
		} else {
			q.Del(name)
		}
	}
	if len(q) == 0 {
		return p.Path
	}
	return p.Path + "?" + q.Encode()
}

// URL returns a path as a full address of the site.
func (p Page) URL(path string) string { return p.web.URL(path) }

// May reports whether the reader has a right, by its name: {{if .May "send"}}. It decides what is shown, never what is done.
func (p Page) May(right string) bool { return p.Actor.May(actor.Right(right)) }

// HasTheme reports whether the organisation has an accent colour of its own.
func (p Page) HasTheme() bool { return ThemeCSS(p.Site.Accent) != "" }

// Nav is the navigation of public pages.
func (p Page) Nav() []NavLink {
	return p.links("home", "/", "base.nav_home", "rosters", "/rosters", "rosters.title", "events", "/events", "events.nav", "join", "/join", "base.nav_join")
}

// Foot is the foot of public pages.
func (p Page) Foot() []NavLink {
	return p.links("me", "/me", "me.foot", "privacy", "/privacy", "base.nav_privacy", "accessibility", "/accessibility", "base.nav_accessibility",
		"display", "/display", "base.nav_display")
}

func (p Page) links(triples ...string) []NavLink {
	var out []NavLink
	for i := 0; i+2 < len(triples); i += 3 {
		out = append(out, NavLink{
			URL: triples[i+1], Label: p.T(triples[i+2]), Current: p.current(triples[i], triples[i+1]),
		})
	}
	return out
}

func (p Page) current(section, address string) string {
	switch {
	case p.Path == address:
		return "page"
	case p.Section == section:
		return "true"
	}
	return ""
}

var languageNames = map[string]string{"en": "English", "es": "Español"}

// OtherLanguages links this page in the organisation's other languages.
func (p Page) OtherLanguages() []NavLink {
	var out []NavLink
	for _, l := range p.Site.languages() {
		if l != p.Lang {
			out = append(out, NavLink{URL: p.With("lang", l, "after", p.Query("after")), Label: languageNames[l], Lang: l})
		}
	}
	return out
}

// LanguageOptions lists the organisation's languages in their own names.
func (p Page) LanguageOptions() []Option {
	var out []Option
	for _, l := range p.Site.languages() {
		out = append(out, Option{Value: l, Label: languageNames[l]})
	}
	return out
}

// languages are those of the organisation that Kithline speaks; all of them where none is set.
func (s Site) languages() []string {
	var out []string
	for _, l := range s.Languages {
		if slices.Contains(locales.Languages, l) {
			out = append(out, l)
		}
	}
	if len(out) == 0 {
		return locales.Languages
	}
	return out
}

// Invalid returns err as a fault if it says that the input is wrong.
func Invalid(err error) (*fault.Error, bool) {
	e, ok := asFault(err)
	return e, ok && e.Kind == fault.Invalid
}
