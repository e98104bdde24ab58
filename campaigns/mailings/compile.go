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

// compiled is a mailing ready to be spliced: made once for each revision, then only values are put in.
type compiled struct {
	subject, preheader []span
	html               []span // what stands between values is sanitized, styled HTML; values are escaped
	text               []span
	problems           []MergeProblem
	links              []string // where they lead, absolute, each once; those to {{petition_url}} are not here
	nameless           bool     // {{given_name}} stands somewhere without a fallback
}

// compile makes Markdown with merge fields into the parts of a mail. base is the site's address without a slash at its end.
// It never fails over what somebody typed: what is wrong stands in problems, and the result can be previewed all the same.
func compile(m models.Mailing, base string, words *mailer.Renderer, accent mailer.Accent) (*compiled, error) {
	c := &compiled{}
	var bad []MergeProblem
	c.subject, bad = parseMerge(m.Subject, "subject", false)
	c.problems = append(c.problems, bad...)
	c.preheader, bad = parseMerge(m.Preheader, "preheader", false)
	c.problems = append(c.problems, bad...)
	body, bad := parseMerge(m.Body, "body", true)
	c.problems = append(c.problems, bad...)
	if m.Purpose == models.PurposeNewsletter {
		c.problems = append(c.problems, withoutPetition("subject", c.subject)...)
		c.problems = append(c.problems, withoutPetition("preheader", c.preheader)...)
		c.problems = append(c.problems, withoutPetition("body", body)...)
	}
	for _, parts := range [][]span{c.subject, c.preheader, body} {
		c.nameless = c.nameless || slices.ContainsFunc(parts, func(p span) bool { return p.field == fieldGivenName && p.fallback == "" })
	}

	k := newMarks(m.Body, body)
	source := k.source(base)
	c.text = k.split(strings.TrimSpace(markdown.Text(source)))
	clean, err := k.settle(c, string(markdown.HTML(source)), base)
	if err != nil {
		return nil, err
	}
	styled := template.HTML(clean) //nolint:gosec // sanitized above
	if strings.TrimSpace(clean) != "" {
		// The inliner keeps a few words for itself; a text that holds one goes out in the reader's own style.
		if s, err := words.Style(styled, accent); err == nil {
			styled = s
		}
	}
	c.html = k.split(string(styled))
	return c, nil
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
	var b strings.Builder
	for _, s := range k.spans {
		if s.field == "" {
			b.WriteString(s.text)
			continue
		}
		b.WriteString(k.mark(slices.Index(k.fields, s)))
	}
	return ownPath.ReplaceAllString(b.String(), "${1}"+strings.ReplaceAll(base, "$", "$$")+"${2}")
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
func (k *marks) settle(c *compiled, page, base string) (string, error) {
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
			t.Data = inMail(t.Data)
			b.WriteString(t.String())
		case html.EndTagToken:
			if t.Data == "a" && inLink > 0 {
				inLink--
			}
			t.Data = inMail(t.Data)
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
		case marked, a.Key == "rel":
			continue
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

func (c *compiled) fill(v values) copyOf {
	as := func(s string) string { return s }
	return copyOf{
		Subject: oneLine(splice(c.subject, v, as)), Preheader: oneLine(splice(c.preheader, v, as)), Text: splice(c.text, v, as),
		HTML: template.HTML(splice(c.html, v, html.EscapeString)), //nolint:gosec // sanitized, values escaped
	}
}
