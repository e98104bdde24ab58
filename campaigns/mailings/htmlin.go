package mailings

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/andybalholm/cascadia"
	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"kithline/campaigns/fault"
)

// HTML that an organisation brings goes through here: its style sheets are copied to its elements, and of what is left only what mail
// programs show is kept. The sheets are read by a reader of our own: it is small, it cannot run away, and it does its work where it is
// called, so that what strangers wrote can break nothing but its own import.

// Limits of HTML that is brought.
const (
	MaxHTML      = 1 << 20 // bytes
	maxTags      = 20_000
	maxSheet     = 200 << 10 // bytes of all style sheets together
	maxRules     = 2_000
	maxLookups   = 10_000_000 // elements times rules
	maxDataImage = 20
)

// Taken says what was left out of HTML that was brought: how many of each.
type Taken struct {
	Code     int // scripts, forms, frames and other things that mail programs do not run
	Sheets   int // style sheets at other addresses, and rules that cannot stand on an element
	Pictures int // pictures on other servers
	Trackers int // pictures too small to be seen
	Hidden   int // parts that were not to be seen
}

// Any reports whether something was left out.
func (t Taken) Any() bool { return t != Taken{} }

// errHTML is what cannot be taken at all.
func errHTML(key string, args ...any) error {
	var bad fault.Fields
	bad.Add("html", key, args...)
	return bad.Err()
}

// cleanHTML makes HTML fit for a mail: a fragment of body text, with styles on its elements. keep stores a picture that came inside
// of the HTML and returns its address; where it is nil, such pictures are left out. own begins the addresses of pictures of this site.
func cleanHTML(src, own string, keep func(content []byte) (address string, err error)) (string, Taken, error) {
	var t Taken
	switch {
	case len(src) > MaxHTML:
		return "", t, errHTML("error.html_large", "Kilobytes", MaxHTML>>10)
	case !readable(src):
		return "", t, errHTML("error.text_unreadable")
	case tooMany(src):
		return "", t, errHTML("error.html_tangled", "Max", maxTags)
	}
	doc, err := html.Parse(strings.NewReader(src))
	if err != nil {
		return "", t, errHTML("error.html_tangled", "Max", maxTags)
	}
	sheet := prune(doc, &t)
	if len(sheet) > maxSheet {
		return "", t, errHTML("error.html_sheet", "Kilobytes", maxSheet>>10)
	}
	if err := applySheet(doc, sheet, &t); err != nil {
		return "", t, err
	}
	hide(doc, &t)
	if err := settlePictures(doc, own, keep, &t); err != nil {
		return "", t, err
	}
	body := firstOf(doc, atom.Body)
	if body == nil {
		return "", t, nil
	}
	tidyStyles(body)
	var b bytes.Buffer
	for c := body.FirstChild; c != nil; c = c.NextSibling {
		if err := html.Render(&b, c); err != nil {
			return "", t, errHTML("error.html_tangled", "Max", maxTags)
		}
	}
	inner := b.String()
	if style := attr(body, "style"); style != "" {
		inner = `<div style="` + html.EscapeString(style) + `">` + inner + `</div>`
	}
	return strings.TrimSpace(mailPolicy.Sanitize(inner)), t, nil
}

// sanitizeMail is cleanHTML for HTML that went through it before: what it refuses is nothing.
func sanitizeMail(src, base string) string {
	out, _, err := cleanHTML(src, base, nil)
	if err != nil {
		return ""
	}
	return out
}

// tooMany counts tags before anything is built from them.
func tooMany(src string) bool {
	z, n := html.NewTokenizer(strings.NewReader(src)), 0
	for {
		switch z.Next() {
		case html.ErrorToken:
			return false
		case html.StartTagToken, html.SelfClosingTagToken:
			if n++; n > maxTags {
				return true
			}
		}
	}
}

func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func setAttr(n *html.Node, name, value string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
	if value != "" {
		n.Attr = append(n.Attr, html.Attribute{Key: name, Val: value})
	}
}

func firstOf(n *html.Node, a atom.Atom) *html.Node {
	for c := range n.Descendants() {
		if c.DataAtom == a {
			return c
		}
	}
	return nil
}

// each calls fn for all elements below n, whose list is made before: fn may change the tree.
func each(n *html.Node, fn func(*html.Node)) {
	var all []*html.Node
	for c := range n.Descendants() {
		if c.Type == html.ElementNode {
			all = append(all, c)
		}
	}
	for _, c := range all {
		fn(c)
	}
}

func remove(n *html.Node) {
	if n.Parent != nil {
		n.Parent.RemoveChild(n)
	}
}

// prune takes out what is no part of a mail, and returns the style sheets.
func prune(doc *html.Node, t *Taken) string {
	var sheet strings.Builder
	each(doc, func(n *html.Node) {
		switch n.DataAtom {
		case atom.Style:
			if m := strings.ToLower(attr(n, "media")); m == "" || m == "all" || m == "screen" {
				for c := n.FirstChild; c != nil; c = c.NextSibling {
					sheet.WriteString(c.Data + "\n")
				}
			} else {
				t.Sheets++
			}
			remove(n)
		case atom.Link:
			t.Sheets++
			remove(n)
		case atom.Script, atom.Iframe, atom.Frame, atom.Frameset, atom.Object, atom.Embed, atom.Applet, atom.Svg, atom.Math, atom.Video, atom.Audio, atom.Canvas,
			atom.Input, atom.Select, atom.Textarea, atom.Button, atom.Noscript, atom.Template, atom.Dialog, atom.Map:
			t.Code++
			remove(n)
		case atom.Form:
			t.Code++
		case atom.Base, atom.Meta, atom.Title:
			remove(n)
		default:
			for _, a := range n.Attr {
				if strings.HasPrefix(a.Key, "on") {
					t.Code++
				}
			}
		}
	})
	return sheet.String()
}

// declaration is one line of a style.
type declaration struct {
	name, value string
	important   bool
}

// styleRule is a rule of a sheet with one selector.
type styleRule struct {
	match cascadia.Sel
	order int
	decls []declaration
}

var cssComment = regexp.MustCompile(`(?s)/\*.*?(\*/|$)|<!--|-->`)

// readSheet reads the rules of a sheet in one pass. Rules for conditions (@media and the like) and selectors that depend on what a
// reader does cannot stand on an element: they are counted.
func readSheet(sheet string, t *Taken) (rules []styleRule) {
	sheet = cssComment.ReplaceAllString(sheet, " ")
	for sheet != "" && len(rules) < maxRules {
		sheet = strings.TrimSpace(sheet)
		if strings.HasPrefix(sheet, "@") {
			t.Sheets++
			sheet = skipAt(sheet)
			continue
		}
		head, rest, ok := strings.Cut(sheet, "{")
		if !ok {
			break
		}
		body, after, _ := strings.Cut(rest, "}")
		sheet = after
		decls := readStyle(body)
		for one := range strings.SplitSeq(head, ",") {
			one = strings.TrimSpace(one)
			if len(one) > 200 || strings.ContainsAny(one, ":*") {
				t.Sheets++
				continue
			}
			sel, err := cascadia.Parse(one)
			if err != nil {
				continue
			}
			rules = append(rules, styleRule{sel, len(rules), decls})
		}
	}
	return rules
}

// skipAt leaves out a rule that begins with @: to its semicolon, or to the end of its block.
func skipAt(s string) string {
	depth := 0
	for i := range len(s) {
		switch s[i] {
		case ';':
			if depth == 0 {
				return s[i+1:]
			}
		case '{':
			depth++
		case '}':
			if depth--; depth <= 0 {
				return s[i+1:]
			}
		}
	}
	return ""
}

// readStyle reads declarations, those of an element's style too.
func readStyle(s string) (out []declaration) {
	for one := range strings.SplitSeq(s, ";") {
		name, value, ok := strings.Cut(one, ":")
		d := declaration{name: strings.ToLower(strings.TrimSpace(name)), value: strings.TrimSpace(value)}
		if low := strings.ToLower(d.value); strings.HasSuffix(low, "!important") {
			d.value, d.important = strings.TrimSpace(d.value[:len(d.value)-len("!important")]), true
		}
		if ok && d.name != "" && d.value != "" {
			out = append(out, d)
		}
	}
	return out
}

// applySheet copies the rules of a sheet to the elements they are for, the stronger ones last, with an element's own style behind them.
func applySheet(doc *html.Node, sheet string, t *Taken) error {
	rules := readSheet(sheet, t)
	if len(rules) == 0 {
		return nil
	}
	slices.SortStableFunc(rules, func(a, b styleRule) int {
		x, y := a.match.Specificity(), b.match.Specificity()
		return cmp.Or(cmp.Compare(x[0], y[0]), cmp.Compare(x[1], y[1]), cmp.Compare(x[2], y[2]), a.order-b.order)
	})
	elements := 0
	each(doc, func(*html.Node) { elements++ })
	if elements*len(rules) > maxLookups {
		return errHTML("error.html_tangled", "Max", maxTags)
	}
	each(doc, func(n *html.Node) {
		var normal, strong []declaration
		for _, r := range rules {
			if !r.match.Match(n) {
				continue
			}
			for _, d := range r.decls {
				if d.important {
					strong = append(strong, d)
				} else {
					normal = append(normal, d)
				}
			}
		}
		if len(normal)+len(strong) > 0 {
			setAttr(n, "style", writeStyle(slices.Concat(normal, readStyle(attr(n, "style")), strong)))
		}
	})
	return nil
}

// writeStyle writes declarations, the last of each name.
func writeStyle(list []declaration) string {
	var out []declaration
	for _, d := range list {
		out = append(slices.DeleteFunc(out, func(o declaration) bool { return o.name == d.name }), d)
	}
	parts := make([]string, len(out))
	for i, d := range out {
		parts[i] = d.name + ":" + d.value
	}
	return strings.Join(parts, ";")
}

// hide takes out what is not to be seen: lines for the inbox, and words that only machines were to read.
func hide(doc *html.Node, t *Taken) {
	each(doc, func(n *html.Node) {
		for _, d := range readStyle(attr(n, "style")) {
			v := strings.ToLower(d.value)
			if d.name == "display" && v == "none" || d.name == "visibility" && v == "hidden" || d.name == "mso-hide" && v == "all" {
				t.Hidden++
				remove(n)
				return
			}
		}
		if slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "hidden" }) {
			t.Hidden++
			remove(n)
		}
	})
}

// settlePictures keeps pictures of this site, stores those that came inside of the HTML, and leaves the words of all others.
func settlePictures(doc *html.Node, own string, keep func([]byte) (string, error), t *Taken) (err error) {
	stored := 0
	each(doc, func(n *html.Node) {
		if n.DataAtom != atom.Img || err != nil {
			return
		}
		src := strings.TrimSpace(attr(n, "src"))
		switch content, isData := dataImage(src); {
		case strings.HasPrefix(src, own+picturesPath), strings.HasPrefix(src, picturesPath):
			return
		case tiny(n):
			t.Trackers++
		case isData && keep != nil && len(content) > 0:
			if stored++; stored > maxDataImage {
				err = errHTML("error.html_pictures", "Max", maxDataImage)
				return
			}
			var address string
			if address, err = keep(content); err == nil {
				setAttr(n, "src", address)
			}
			return
		default:
			t.Pictures++
		}
		if alt := strings.TrimSpace(attr(n, "alt")); alt != "" && n.Parent != nil {
			n.Parent.InsertBefore(&html.Node{Type: html.TextNode, Data: alt}, n)
		}
		remove(n)
	})
	return err
}

// tiny reports whether a picture is too small to be looked at.
func tiny(n *html.Node) bool {
	for _, side := range []string{"width", "height"} {
		if w, err := strconv.Atoi(strings.TrimSuffix(strings.TrimSpace(attr(n, side)), "px")); err == nil && w <= 2 {
			return true
		}
	}
	for _, d := range readStyle(attr(n, "style")) {
		if (d.name == "width" || d.name == "height") && (d.value == "0" || d.value == "0px" || d.value == "1px" || d.value == "2px") {
			return true
		}
	}
	return false
}

// dataImage is the content of a picture that stands in its address (RFC 2397).
func dataImage(src string) ([]byte, bool) {
	if len(src) < 5 || !strings.EqualFold(src[:5], "data:") {
		return nil, false
	}
	kind, data, ok := strings.Cut(src[5:], ",")
	if !ok {
		return nil, true
	}
	if strings.HasSuffix(strings.ToLower(kind), ";base64") {
		b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(data), ""))
		if err != nil {
			return nil, true
		}
		return b, true
	}
	s, err := url.PathUnescape(data)
	if err != nil {
		return nil, true
	}
	return []byte(s), true
}

// styleNames are the properties that a mail keeps. There is none that moves a part out of its place or lays it over another one.
var styleNames = []string{
	"color", "background-color", "font-family", "font-size", "font-style", "font-weight", "line-height", "letter-spacing", "text-align", "text-decoration",
	"text-transform", "vertical-align", "width", "max-width", "height", "padding", "padding-top", "padding-right", "padding-bottom", "padding-left", "margin",
	"margin-top", "margin-right", "margin-bottom", "margin-left", "border", "border-top", "border-right", "border-bottom", "border-left", "border-color",
	"border-width", "border-style", "border-radius", "border-collapse", "border-spacing", "display", "list-style-type", "direction", "word-break", "white-space",
}

var (
	styleValue = regexp.MustCompile(`^[\pL0-9#%.,()'" /+-]{1,200}$`)
	styleCall  = regexp.MustCompile(`([\pL-]*)\(`)
	negative   = regexp.MustCompile(`(^|[\s(])-`)
	pixels     = regexp.MustCompile(`^([0-9]+)(\.[0-9]+)?(px)?$`)
)

// keptStyle is a declaration as a mail keeps it; false where it does not.
func keptStyle(d declaration) (declaration, bool) {
	if d.name == "background" { // of which a colour is kept
		d.name = "background-color"
		if _, ok := colourOf(d.value); !ok {
			return d, false
		}
	}
	if !slices.Contains(styleNames, d.name) || !styleValue.MatchString(d.value) || negative.MatchString(d.value) {
		return d, false
	}
	for _, m := range styleCall.FindAllStringSubmatch(d.value, -1) {
		if call := strings.ToLower(m[1]); call != "rgb" && call != "rgba" && call != "hsl" && call != "hsla" {
			return d, false
		}
	}
	if (d.name == "width" || d.name == "max-width") && wide(d.value) {
		d.value = "100%"
	}
	return d, true
}

func wide(value string) bool {
	m := pixels.FindStringSubmatch(strings.TrimSpace(value))
	if m == nil {
		return false
	}
	n, err := strconv.Atoi(m[1])
	return err != nil || n > mailWidth
}

// tidyStyles leaves what a mail keeps on each element, and makes what is wider than a mail as wide as it is.
func tidyStyles(n *html.Node) {
	one := func(n *html.Node) {
		var kept []declaration
		for _, d := range readStyle(attr(n, "style")) {
			if d, ok := keptStyle(d); ok {
				kept = append(kept, d)
			}
		}
		setAttr(n, "style", writeStyle(kept))
		if w := attr(n, "width"); wide(w) {
			setAttr(n, "width", "100%")
			if n.DataAtom == atom.Img {
				setAttr(n, "height", "")
			}
		}
	}
	one(n)
	each(n, one)
}

// mailPolicy is the last word on HTML that was brought.
var mailPolicy = newMailPolicy()

func newMailPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "pre", "code", "strong", "b", "em", "i", "u", "s", "del",
		"small", "sub", "sup", "span", "div", "center", "table", "thead", "tbody", "tfoot", "tr", "td", "th", "caption", "a", "img", "font")
	p.AllowNoAttrs().OnElements("span", "font", "a")
	p.AllowAttrs("style").Matching(regexp.MustCompile(`^[\pL0-9#%.,()'" /+:;-]*$`)).Globally()
	p.AllowAttrs("align", "valign").Matching(regexp.MustCompile(`^[a-z]{1,10}$`)).OnElements("p", "div", "table", "tr", "td", "th", "h1", "h2", "h3", "h4", "img", "tbody", "thead")
	p.AllowAttrs("width", "height").Matching(regexp.MustCompile(`^[0-9]{1,4}(px|%)?$`)).OnElements("table", "td", "th", "img", "tr")
	p.AllowAttrs("bgcolor").Matching(regexp.MustCompile(`^#?[0-9A-Za-z]{3,20}$`)).OnElements("table", "tr", "td", "th")
	p.AllowAttrs("color").Matching(regexp.MustCompile(`^#?[0-9A-Za-z]{3,20}$`)).OnElements("font")
	p.AllowAttrs("border", "cellpadding", "cellspacing", "colspan", "rowspan", "start").Matching(regexp.MustCompile(`^[0-9]{1,3}$`)).Globally()
	p.AllowAttrs("role").Matching(regexp.MustCompile(`^(presentation|none)$`)).OnElements("table")
	p.AllowAttrs("dir").Matching(regexp.MustCompile(`^(ltr|rtl|auto)$`)).Globally()
	p.AllowAttrs("lang").Matching(regexp.MustCompile(`^[A-Za-z-]{2,20}$`)).Globally()
	p.AllowAttrs("alt", "title").OnElements("img", "a")
	p.AllowAttrs("href").OnElements("a")
	p.AllowAttrs("src").OnElements("img")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	return p
}

// htmlText is the text part of a mail made from its HTML: paragraphs apart, list items with "- ", links as "words (address)",
// pictures by their words.
func htmlText(src string) string {
	doc, err := html.Parse(strings.NewReader(src))
	if err != nil {
		return ""
	}
	w := &textMaker{}
	w.walk(doc)
	var out []string
	empty := true
	for l := range strings.SplitSeq(w.b.String(), "\n") {
		l = strings.TrimRight(l, " ")
		if l == "" && empty {
			continue
		}
		empty = l == ""
		out = append(out, l)
	}
	return strings.TrimSpace(strings.Join(out, "\n"))
}

type textMaker struct {
	b     strings.Builder
	space bool // a space is due before the next word
	at    int  // characters in this line
}

func (w *textMaker) br(n int) {
	w.b.WriteString(strings.Repeat("\n", n))
	w.space, w.at = false, 0
}

func (w *textMaker) put(s string) {
	for _, r := range s {
		if r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\u00a0' {
			w.space = w.at > 0
			continue
		}
		if w.space {
			w.b.WriteByte(' ')
			w.space = false
		}
		w.b.WriteRune(r)
		w.at++
	}
}

func (w *textMaker) walk(n *html.Node) {
	if n.Type == html.TextNode {
		w.put(n.Data)
		return
	}
	before, after := 0, 0
	switch n.DataAtom {
	case atom.Head:
		return
	case atom.Br:
		w.br(1)
	case atom.Hr:
		w.br(2)
		w.put("* * *")
		w.br(2)
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Ul, atom.Ol, atom.Blockquote, atom.Table, atom.Pre:
		before, after = 2, 2
	case atom.Div, atom.Tr, atom.Center, atom.Dt, atom.Dd, atom.Caption:
		before, after = 1, 1
	case atom.Li:
		w.br(1)
		w.put("- ")
		w.b.WriteByte(' ')
		w.space = false
	case atom.Td, atom.Th:
		w.space = w.at > 0
	case atom.Img:
		if alt := attr(n, "alt"); alt != "" {
			w.put("[" + alt + "]")
		}
	}
	if before > 0 && w.b.Len() > 0 {
		w.br(before)
	}
	start := w.b.Len()
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		w.walk(c)
	}
	if href := strings.TrimPrefix(attr(n, "href"), "mailto:"); n.DataAtom == atom.A && href != "" {
		if words := strings.TrimSpace(w.b.String()[start:]); words != href && words != "" {
			w.space = true
			w.put("(" + href + ")")
		} else if words == "" {
			w.put(href)
		}
	}
	if after > 0 {
		w.br(after)
	}
}
