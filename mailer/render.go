package mailer

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	texttemplate "text/template"
	"unicode"
	"unicode/utf8"
)

//go:embed templates
var templateFiles embed.FS

// DefaultLang is the language of a mail whose own has no templates.
const DefaultLang = "en"

// bulkTemplate is the frame of a mailing. It has no words of its own above the footer.
const bulkTemplate = "bulk"

// Accent is the organisation's colour in the two looks of a mail, and the colour of words on it. Each is "#rrggbb"; anything
// else is replaced by the built-in one. The contrast is checked where the colours are chosen.
type Accent struct{ Light, OnLight, Dark, OnDark string }

// DefaultAccent is the built-in pine.
var DefaultAccent = Accent{Light: "#1c5c4d", OnLight: "#fffdf8", Dark: "#93cdb7", OnDark: "#0f1f19"}

var hexColour = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

func (a Accent) orDefault() Accent {
	pick := func(s, d string) string {
		if hexColour.MatchString(s) {
			return s
		}
		return d
	}
	return Accent{
		Light: pick(a.Light, DefaultAccent.Light), OnLight: pick(a.OnLight, DefaultAccent.OnLight),
		Dark: pick(a.Dark, DefaultAccent.Dark), OnDark: pick(a.OnDark, DefaultAccent.OnDark),
	}
}

// Letterhead is what every mail of the organisation shares.
type Letterhead struct {
	OrgName       string
	PostalAddress string // on one line or several
	Phone         string // what people can call, as it should read: "Phone 555-0142"; may be empty
	Accent        Accent
	SiteURL       string // without a slash at the end
	Lang          string // set by Render
}

// Rendered is a mail in its words, still without sender and recipient.
type Rendered struct{ Subject, Preheader, Text, HTML string }

// BulkBody is the compiled body of a mailing for one person.
type BulkBody struct {
	Subject, Preheader string
	HTML               template.HTML // sanitized and styled, see Style
	Text               string
	Reason             string // why the person gets it, a sentence; may be empty
	UnsubscribeURL     string
	PauseURL           string // may be empty
	WebURL             string // the same mail as a page of the site; may be empty
	Lang               string
}

// ErrNoTemplate is returned for a name that no template has.
var ErrNoTemplate = errors.New("mailer: no such template")

// Renderer holds the built-in templates, ready to run. It is safe for concurrent use.
type Renderer struct {
	sets    map[string]map[string]*set // language, name
	buffers sync.Pool
}

// set is one template in one language.
type set struct {
	text *texttemplate.Template // layout.txt with subject, preheader, body and foot
	html *template.Template     // layout.html with body and foot in their places, styles inlined
}

// page is what a template sees: the letterhead's fields, and the mail's own under .Data.
type page struct {
	Letterhead
	Data               any
	Subject, Preheader string
	Imprint            string // who writes, where they are, how to call them: one line
	Colours            colours
}

type colours struct{ Light, OnLight, Dark, OnDark template.CSS }

// NewRenderer parses the built-in templates and inlines their styles, once for all mails.
func NewRenderer() (*Renderer, error) {
	r := &Renderer{sets: map[string]map[string]*set{}, buffers: sync.Pool{New: func() any { return new(bytes.Buffer) }}}
	langs, err := fs.ReadDir(templateFiles, "templates")
	if err != nil {
		return nil, err
	}
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for _, lang := range langs {
		if !lang.IsDir() {
			continue
		}
		files, err := fs.Glob(templateFiles, path.Join("templates", lang.Name(), "*.txt"))
		if err != nil {
			return nil, err
		}
		sets := map[string]*set{}
		r.sets[lang.Name()] = sets
		for _, f := range files {
			name := strings.TrimSuffix(path.Base(f), ".txt")
			wg.Go(func() {
				s, err := loadSet(lang.Name(), name)
				mu.Lock()
				defer mu.Unlock()
				if err != nil {
					errs = append(errs, fmt.Errorf("mailer: template %s/%s: %w", lang.Name(), name, err))
					return
				}
				sets[name] = s
			})
		}
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return r, nil
}

func loadSet(lang, name string) (*set, error) {
	base := path.Join("templates", lang, name)
	read := func(p string) string {
		b, err := templateFiles.ReadFile(p)
		if err != nil {
			return "{{missing}}" // no such function: parsing says which file
		}
		return string(b)
	}
	text, err := texttemplate.New("layout").Funcs(funcs).Option("missingkey=error").Parse(read("templates/layout.txt"))
	if err != nil {
		return nil, fmt.Errorf("layout.txt: %w", err)
	}
	if _, err = text.New("file").Parse(read(base + ".txt")); err != nil {
		return nil, err
	}
	for _, part := range []string{"subject", "preheader", "body", "foot"} {
		if text.Lookup(part) == nil {
			return nil, fmt.Errorf("%s.txt defines no %q", name, part)
		}
	}
	source, err := compose(read("templates/layout.html"), read(base+".html"))
	if err != nil {
		return nil, err
	}
	if source, err = inline(source); err != nil {
		return nil, err
	}
	page, err := template.New(name).Funcs(funcs).Option("missingkey=error").Parse(source)
	if err != nil {
		return nil, err
	}
	return &set{text: text, html: page}, nil
}

// Langs lists the languages that have templates.
func (r *Renderer) Langs() []string {
	var langs []string
	for l := range r.sets {
		langs = append(langs, l)
	}
	slices.Sort(langs)
	return langs
}

// Names lists the templates that Render knows.
func (r *Renderer) Names() []string {
	var names []string
	for n := range r.sets[DefaultLang] {
		if n != bulkTemplate {
			names = append(names, n)
		}
	}
	slices.Sort(names)
	return names
}

// Render runs a template for one mail. lang is a BCP 47 tag; its language decides, English where it has no templates. data
// is the template's own struct: the first line of templates/en/<name>.txt lists its fields. It returns ErrNoTemplate, or
// what went wrong in the template.
func (r *Renderer) Render(name, lang string, lh Letterhead, data any) (Rendered, error) {
	if name == bulkTemplate {
		return Rendered{}, fmt.Errorf("%w: %q", ErrNoTemplate, name)
	}
	return r.render(name, lang, lh, data)
}

// Bulk puts the compiled body of a mailing into the layout, with the footer that mail to many needs: why the person gets it,
// how to stop it, where the sender is. It refuses a mailing without an unsubscribe link or a postal address.
func (r *Renderer) Bulk(lh Letterhead, b BulkBody) (Rendered, error) {
	if err := bulkWhole(lh, b); err != nil {
		return Rendered{}, err
	}
	return r.render(bulkTemplate, b.Lang, lh, b)
}

func bulkWhole(lh Letterhead, b BulkBody) error {
	switch {
	case b.UnsubscribeURL == "":
		return errors.New("mailer: a mailing needs an unsubscribe link")
	case strings.TrimSpace(lh.PostalAddress) == "":
		return errors.New("mailer: a mailing needs the sender's postal address")
	case strings.TrimSpace(b.Text) == "" || strings.TrimSpace(string(b.HTML)) == "":
		return errors.New("mailer: a mailing needs a text and an HTML body")
	}
	return nil
}

func (r *Renderer) render(name, lang string, lh Letterhead, data any) (Rendered, error) {
	out, err := r.execute(name, lang, lh, data)
	out.Text = wrapText(out.Text)
	return out, err
}

// execute is render before the lines of the text are wrapped.
func (r *Renderer) execute(name, lang string, lh Letterhead, data any) (Rendered, error) {
	lang = r.langOf(lang)
	s := r.sets[lang][name]
	if s == nil {
		s, lang = r.sets[DefaultLang][name], DefaultLang
	}
	if s == nil {
		return Rendered{}, fmt.Errorf("%w: %q", ErrNoTemplate, name)
	}
	lh.Lang = lang
	a := lh.Accent.orDefault()
	p := page{
		Letterhead: lh, Data: data, Imprint: imprint(lh),
		Colours: colours{template.CSS(a.Light), template.CSS(a.OnLight), template.CSS(a.Dark), template.CSS(a.OnDark)},
	}
	buf := r.buffers.Get().(*bytes.Buffer)
	defer r.buffers.Put(buf)
	run := func(part string) (string, error) {
		buf.Reset()
		if err := s.text.ExecuteTemplate(buf, part, p); err != nil {
			return "", fmt.Errorf("mailer: template %s/%s.txt: %w", lang, name, err)
		}
		return buf.String(), nil
	}
	var out Rendered
	var err error
	if out.Subject, err = run("subject"); err != nil {
		return Rendered{}, err
	}
	if out.Preheader, err = run("preheader"); err != nil {
		return Rendered{}, err
	}
	out.Subject, out.Preheader = clean(out.Subject), clean(out.Preheader)
	p.Subject, p.Preheader = out.Subject, out.Preheader
	if out.Text, err = run("layout"); err != nil {
		return Rendered{}, err
	}
	buf.Reset()
	if err := s.html.Execute(buf, p); err != nil {
		return Rendered{}, fmt.Errorf("mailer: template %s/%s.html: %w", lang, name, err)
	}
	out.HTML = buf.String()
	return out, nil
}

func (r *Renderer) langOf(tag string) string {
	l, _, _ := strings.Cut(strings.ToLower(strings.ReplaceAll(tag, "_", "-")), "-")
	if r.sets[l] == nil {
		return DefaultLang
	}
	return l
}

// imprint is who writes, where they are and how to call them, in one line.
func imprint(lh Letterhead) string {
	var parts []string
	for s := range strings.Lines(lh.OrgName + "\n" + lh.PostalAddress) {
		if s = strings.Trim(clean(s), " ,"); s != "" {
			parts = append(parts, s)
		}
	}
	s := strings.Join(parts, ", ")
	if s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	if phone := clean(lh.Phone); phone != "" {
		if s != "" {
			s += " "
		}
		s += strings.TrimSuffix(phone, ".") + "."
	}
	return s
}

// funcs are the functions of the built-in templates.
var funcs = map[string]any{"name": personName, "code": spacedCode, "count": count, "lines": textLines}

var looksLikeLink = regexp.MustCompile(`(?i)://|www\.|@|[\pL\pN-]\.\pL{2,}|[/\\<>]`)

// personName is a name that somebody typed, fit for the mail that a stranger may get because of it: nothing where it is
// long or looks like a link, so that no form of ours carries other people's messages.
func personName(s string) string {
	s = clean(s)
	if utf8.RuneCountInString(s) > 60 || looksLikeLink.MatchString(s) || !strings.ContainsFunc(s, unicode.IsLetter) {
		return ""
	}
	return s
}

// spacedCode writes a code in two halves, as people read it aloud.
func spacedCode(s string) string {
	if n := len(s); n >= 6 && n%2 == 0 && !strings.Contains(s, " ") {
		return s[:n/2] + " " + s[n/2:]
	}
	return s
}

func count(n int, one, many string) string {
	if n == 1 {
		many = one
	}
	return strconv.Itoa(n) + " " + many
}

// textLines are the lines of a text that somebody typed, without control characters and without empty lines at its ends.
func textLines(s string) []string {
	var out []string
	for l := range strings.SplitSeq(strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")), "\n") {
		out = append(out, clean(l))
	}
	return out
}
