package mailings

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"html/template"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"

	"kithline/campaigns/markdown"
	"kithline/mailer"
	"kithline/models"
)

// compiled is a text of a mailing ready to be spliced: made once for each revision, then only values are put in.
type compiled struct {
	lines    []compiledLine // the first one, and those that are tried beside it
	html     []span         // what stands between values is sanitized, styled HTML; values are escaped
	text     []span
	page     []span // the same as a part of a page of the site, with its classes; none for HTML that the organisation brought
	problems []MergeProblem
	links    []string // where they lead, absolute, each once; those to {{petition_url}} are not here
	pictures []string // the addresses of the pictures that are shown
	nameless bool     // {{given_name}} stands somewhere without a fallback
	personal []span   // the fields that differ from person to person, each once
	own      bool     // HTML that the organisation brought
	days     []string // of events, as they are written
}

// compiledLine is a subject and its preheader.
type compiledLine struct{ subject, preheader []span }

// kit is what compiling needs beside the words.
type kit struct {
	base     string // the site's address without a slash at its end
	mail     *mailer.Renderer
	accent   mailer.Accent
	words    Words
	pictures pictured
}

// lineField names the form's field of the subject or preheader in a place, from 0.
func lineField(name string, place int) string {
	if place == 0 {
		return name
	}
	return name + "_" + strconv.Itoa(place+1)
}

// compile makes a text with merge fields into the parts of a mail. It never fails over what somebody typed: what is wrong stands
// in problems, and the result can be previewed all the same.
func compile(t Text, purpose models.Purpose, k kit) (*compiled, error) {
	c := &compiled{own: t.Format == models.FormatHTML}
	var all [][]span
	read := func(src, form string, markdown bool) []span {
		parts, bad := parseMerge(src, form, markdown)
		c.problems = append(c.problems, bad...)
		if purpose == models.PurposeNewsletter {
			c.problems = append(c.problems, withoutPetition(form, parts)...)
		}
		all = append(all, parts)
		return parts
	}
	for i, l := range t.Lines {
		c.lines = append(c.lines, compiledLine{read(l.Subject, lineField("subject", i), false), read(l.Preheader, lineField("preheader", i), false)})
	}
	body := read(t.Body, "body", !c.own)
	var err error
	if c.own {
		err = c.fromHTML(t, body, k, func(src string) []span { return read(src, "plain", false) })
	} else {
		err = c.fromMarkdown(t, body, k)
	}
	for _, parts := range all {
		for _, p := range parts {
			c.nameless = c.nameless || p.field == fieldGivenName && p.fallback == ""
			if slices.Contains(ofPerson, p.field) && !slices.Contains(c.personal, p) {
				c.personal = append(c.personal, p)
			}
		}
	}
	return c, err
}

func (c *compiled) fromMarkdown(t Text, body []span, with kit) error {
	k := newMarks(t.Body, body)
	place := func(n int) string { return k.prefix + "b" + strconv.Itoa(n) + markTail }
	source, blocks, bad := cutBlocks(k.source(with.base), place)
	for i := range bad {
		bad[i].Name = k.unmarked(bad[i].Name)
	}
	c.problems = append(c.problems, bad...)
	in := say{lang: t.Locale, words: with.words, base: with.base, pictures: with.pictures}

	plain, page := strings.TrimSpace(markdown.Text(source)), string(markdown.HTML(source))
	onPage, pageSay := page, in
	pageSay.onPage = true
	for i, b := range blocks {
		if b.kind == "event" {
			c.days = append(c.days, b.values["when"])
		}
		if _, there := with.pictures[pictureName(b.values["file"])]; b.kind == "picture" && !there {
			c.problems = append(c.problems, MergeProblem{"body", "error.block_no_picture", short(b.values["file"]), b.lines["file"]})
			continue
		}
		stand := "<p>" + place(i) + "</p>"
		if !strings.Contains(page, stand) {
			c.problems = append(c.problems, MergeProblem{"body", "error.block_lost", b.kind, b.line})
			continue
		}
		page = strings.Replace(page, stand, in.html(b), 1)
		onPage = strings.Replace(onPage, stand, pageSay.html(b), 1)
		plain = strings.Replace(plain, place(i), in.text(b), 1)
	}
	for i := range blocks { // what could not be shown leaves no trace
		page, onPage, plain = strings.Replace(page, place(i), "", 1), strings.Replace(onPage, place(i), "", 1), strings.Replace(plain, place(i), "", 1)
	}
	c.text = k.split(strings.TrimSpace(plain))
	clean, err := k.settle(c, page, with.base, inMail)
	if err != nil {
		return err
	}
	site, err := k.settle(&compiled{}, onPage, with.base, asItIs)
	if err != nil {
		return err
	}
	c.page = k.split(site)
	styled := template.HTML(clean) //nolint:gosec // sanitized above
	if strings.TrimSpace(clean) != "" {
		// The inliner keeps a few words for itself; a text that holds one goes out in the reader's own style.
		if s, err := with.mail.Style(styled, with.accent); err == nil {
			styled = s
		}
	}
	c.html = k.split(string(styled))
	return nil
}

// fromHTML takes HTML that the organisation brought, with its own styles on its elements. It is sanitized once more.
func (c *compiled) fromHTML(t Text, body []span, with kit, readPlain func(string) []span) error {
	for i := range body {
		body[i].fallback = html.UnescapeString(body[i].fallback)
	}
	k := newMarks(t.Body, body)
	clean, err := k.settle(c, sanitizeMail(k.marked(), with.base), with.base, asItIs)
	if err != nil {
		return err
	}
	c.html = k.split(clean)
	if t.Plain != "" {
		c.text = readPlain(t.Plain)
	} else {
		c.text = k.split(htmlText(clean))
	}
	return nil
}

// marks are the words that stand for merge fields on their way through Markdown, the sanitizer and the inliner. A mark is
// letters and digits only, and no word of the text.
type marks struct {
	prefix string
	spans  []span
	fields []span // each once: the same field has the same mark, so that a link whose words are its address is seen as one
	lines  []int  // where each stands first
}

const markTail = "x"

func newMarks(src string, spans []span) *marks {
	k := &marks{spans: spans}
	for n := 0; k.prefix == "" || strings.Contains(src, k.prefix); n++ {
		sum := sha256.Sum256([]byte(strconv.Itoa(n) + src))
		k.prefix = "mk" + hex.EncodeToString(sum[:8]) + "y"
	}
	line := 1
	for _, s := range spans {
		if s.field == "" {
			line += strings.Count(s.text, "\n")
			continue
		}
		if !slices.Contains(k.fields, s) {
			k.fields, k.lines = append(k.fields, s), append(k.lines, line)
		}
	}
	return k
}

func (k *marks) mark(n int) string { return k.prefix + strconv.Itoa(n) + markTail }

// ownPath finds links and pictures that begin at the root of the site, where Markdown writes them.
var ownPath = regexp.MustCompile(`(\]\(\s*<?|(?m:^ {0,3}\[[^\]\n]+\]:[ \t]*<?))(/[^/\s]|/[\s)>])`)

// source is the Markdown with marks in the place of fields, and paths of this site as full addresses, so that the text part
// has them too.
func (k *marks) source(base string) string {
	return ownPath.ReplaceAllString(k.marked(), "${1}"+strings.ReplaceAll(base, "$", "$$")+"${2}")
}

// marked is the text with marks in the place of fields.
func (k *marks) marked() string {
	var b strings.Builder
	for _, s := range k.spans {
		if s.field == "" {
			b.WriteString(s.text)
			continue
		}
		b.WriteString(k.mark(slices.Index(k.fields, s)))
	}
	return b.String()
}

// unmarked is a piece of the text as it was written, for what an error shows.
func (k *marks) unmarked(s string) string {
	for i, f := range k.fields {
		s = strings.ReplaceAll(s, k.mark(i), "{{"+f.field+"}}")
	}
	return s
}

// next finds the first mark in s.
func (k *marks) next(s string) (at, end, n int, ok bool) {
	for from := 0; ; {
		i := strings.Index(s[from:], k.prefix)
		if i < 0 {
			return 0, 0, 0, false
		}
		at = from + i
		from = at + len(k.prefix)
		digits, _, found := strings.Cut(s[from:min(len(s), from+8)], markTail)
		if n, err := strconv.Atoi(digits); found && err == nil && n >= 0 && n < len(k.fields) {
			return at, from + len(digits) + len(markTail), n, true
		}
	}
}

// split makes spans of a text with marks.
func (k *marks) split(s string) []span {
	var out []span
	for {
		at, end, n, ok := k.next(s)
		if !ok {
			break
		}
		if at > 0 {
			out = append(out, span{text: s[:at]})
		}
		out = append(out, k.fields[n])
		s = s[end:]
	}
	if s != "" {
		out = append(out, span{text: s})
	}
	return out
}

// settle goes through the sanitized HTML: addresses become absolute, an address field in the running text becomes a link,
// and a field may stand in an address only as its beginning and only where it is an address itself: no value of a person's
// ever decides where a link leads. It notes what the checks ask for.
//
// heading says how large a heading becomes.
func (k *marks) settle(c *compiled, page, base string, heading func(string) string) (string, error) {
	root, err := url.Parse(base + "/")
	if err != nil {
		return "", fmt.Errorf("mailings: the address of the site: %w", err)
	}
	var b strings.Builder
	inLink := 0
	z := html.NewTokenizer(strings.NewReader(page))
	for {
		kind := z.Next()
		if kind == html.ErrorToken {
			return b.String(), nil // a tokenizer in memory ends at the end only
		}
		t := z.Token()
		switch kind {
		case html.StartTagToken, html.SelfClosingTagToken:
			if t.Data == "a" && kind == html.StartTagToken {
				inLink++
			}
			t.Attr = k.attributes(c, t, root)
			t.Data = heading(t.Data)
			b.WriteString(t.String())
		case html.EndTagToken:
			if t.Data == "a" && inLink > 0 {
				inLink--
			}
			t.Data = heading(t.Data)
			b.WriteString(t.String())
		case html.TextToken:
			rest := t.Data
			for inLink == 0 {
				at, end, n, ok := k.next(rest)
				if !ok {
					break
				}
				b.WriteString(html.EscapeString(rest[:at]))
				if m := k.mark(n); k.fields[n].field == fieldURL {
					b.WriteString(`<a href="` + m + `">` + m + `</a>`)
				} else {
					b.WriteString(m)
				}
				rest = rest[end:]
			}
			b.WriteString(html.EscapeString(rest))
		}
	}
}

// asItIs leaves headings as large as they are.
func asItIs(tag string) string { return tag }

// inMail makes headings as large as a mail has them: it has no other first heading, as a page has.
func inMail(tag string) string {
	switch tag {
	case "h3":
		return "h1"
	case "h4":
		return "h2"
	case "h5", "h6":
		return "h3"
	}
	return tag
}

// attributes checks and completes the attributes of one tag.
func (k *marks) attributes(c *compiled, t html.Token, root *url.URL) []html.Attribute {
	out := t.Attr[:0]
	for _, a := range t.Attr {
		at, _, n, marked := k.next(a.Val)
		address := a.Key == "href"
		switch {
		case marked && address:
			_, _, _, again := k.next(a.Val[at+1:])
			if at != 0 || again || k.fields[n].field != fieldURL {
				c.problems = append(c.problems, MergeProblem{"body", "error.merge_in_link", k.fields[n].field, k.lines[n]})
				continue
			}
		case marked && (a.Key == "alt" || a.Key == "title"):
			c.problems = append(c.problems, MergeProblem{"body", "error.merge_in_alt", k.fields[n].field, k.lines[n]})
			continue
		case marked, a.Key == "rel":
			continue
		case a.Key == "src":
			u, err := root.Parse(a.Val)
			if err != nil {
				continue
			}
			a.Val = u.String()
			c.pictures = append(c.pictures, a.Val)
		case address:
			u, err := root.Parse(a.Val)
			if err != nil {
				continue
			}
			if a.Val = u.String(); !slices.Contains(c.links, a.Val) {
				c.links = append(c.links, a.Val)
			}
		}
		out = append(out, a)
	}
	return out
}

// copyOf is the mail for one person.
type copyOf struct {
	Subject, Preheader, Text string
	HTML                     template.HTML
}

// fill makes the mail for one person with the first subject.
func (c *compiled) fill(v values) copyOf { return c.fillWith(v, 0) }

// fillWith makes the mail for one person with the subject in a place, from 0; the first one where there is none.
func (c *compiled) fillWith(v values, variant int) copyOf {
	as := func(s string) string { return s }
	if variant < 0 || variant >= len(c.lines) {
		variant = 0
	}
	var line compiledLine
	if len(c.lines) > 0 {
		line = c.lines[variant]
	}
	return copyOf{
		Subject: oneLine(splice(line.subject, v, as)), Preheader: oneLine(splice(line.preheader, v, as)), Text: splice(c.text, v, as),
		HTML: template.HTML(splice(c.html, v, html.EscapeString)), //nolint:gosec // sanitized, values escaped
	}
}
