// Package markdown turns what authors write into HTML that is safe to show and into text that is good to read. The dialect
// is CommonMark with tables left out: headings, lists, links, emphasis, quotes, code. Raw HTML, pictures and every address
// that is not http, https, mailto or a path of this site are dropped.
package markdown

import (
	"bytes"
	"html"
	"html/template"
	"regexp"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Max is the longest source that is looked at, in bytes; what comes after is dropped. Forms refuse earlier.
const Max = 200_000

var (
	dialect = goldmark.New(
		goldmark.WithExtensions(extension.Linkify, extension.Strikethrough),
		goldmark.WithParserOptions(parser.WithASTTransformers(util.Prioritized(lower{}, 100))),
	)
	policy = newPolicy()
)

// lower makes the first heading an h3, because the page's own headings are h1 and h2, and every other one as much smaller as
// it is nested: no level is left out, whichever an author began with. It also replaces pictures by their words.
type lower struct{}

func (lower) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var pictures []*ast.Image
	var above []int // levels in the source of the headings that the next one stands under
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		switch n := n.(type) {
		case *ast.Heading:
			for len(above) > 0 && above[len(above)-1] >= n.Level {
				above = above[:len(above)-1]
			}
			above = append(above, n.Level)
			n.Level = min(len(above)+2, 6)
		case *ast.Image:
			pictures = append(pictures, n)
		}
		return ast.WalkContinue, nil
	})
	for _, p := range pictures {
		parent := p.Parent()
		for c := p.FirstChild(); c != nil; {
			next := c.NextSibling()
			parent.InsertBefore(parent, p, c)
			c = next
		}
		parent.RemoveChild(parent, p)
	}
}

func newPolicy() *bluemonday.Policy {
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "h3", "h4", "h5", "h6", "ul", "ol", "li", "blockquote", "strong", "em", "del", "code", "pre")
	p.AllowAttrs("start").Matching(regexp.MustCompile(`^[0-9]{1,6}$`)).OnElements("ol")
	p.AllowAttrs("href").OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto")
	p.AllowRelativeURLs(true)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(true)
	return p
}

// HTML renders src. The result holds p, br, hr, h3 to h6, lists, blockquote, strong, em, del, code, pre and links, with no
// attribute but a link's address and a list's start.
func HTML(src string) template.HTML {
	var b bytes.Buffer
	if err := dialect.Convert([]byte(cut(src)), &b); err != nil {
		return template.HTML("<p>" + html.EscapeString(src) + "</p>") //nolint:gosec // escaped
	}
	return template.HTML(policy.SanitizeBytes(b.Bytes())) //nolint:gosec // sanitised
}

func cut(src string) string {
	if len(src) > Max {
		src = src[:Max]
	}
	return strings.ToValidUTF8(strings.ReplaceAll(src, "\x00", ""), "")
}

// Text renders src as plain text for mails and feeds: paragraphs apart by an empty line, list items with "- " or their
// number, links as "words (address)", emphasis without its marks. Lines are not wrapped.
func Text(src string) string {
	source := []byte(cut(src))
	doc := dialect.Parser().Parse(text.NewReader(source))
	w := &writer{source: source}
	w.blocks(doc, "")
	return strings.TrimRight(w.b.String(), "\n")
}

type writer struct {
	b      strings.Builder
	source []byte
}

// blocks writes the blocks below n, each line behind indent.
func (w *writer) blocks(n ast.Node, indent string) {
	first := true
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		if !first && !tight(n) {
			w.b.WriteString(strings.TrimRight(indent, " ") + "\n")
		}
		first = false
		w.block(c, indent)
	}
}

func tight(n ast.Node) bool {
	l, ok := n.(*ast.List)
	if ok {
		return l.IsTight
	}
	_, item := n.(*ast.ListItem)
	return item
}

func (w *writer) block(n ast.Node, indent string) {
	switch n := n.(type) {
	case *ast.Blockquote:
		w.blocks(n, indent+"> ")
	case *ast.List:
		number := n.Start
		for c := n.FirstChild(); c != nil; c = c.NextSibling() {
			mark := "- "
			if n.IsOrdered() {
				mark = strconv.Itoa(number) + ". "
				number++
			}
			in := indent + strings.Repeat(" ", len(mark))
			item := &writer{source: w.source}
			item.blocks(c, in)
			w.b.WriteString(indent + mark + strings.TrimPrefix(item.b.String(), in))
			if !n.IsTight && c.NextSibling() != nil {
				w.b.WriteString(strings.TrimRight(indent, " ") + "\n")
			}
		}
	case *ast.FencedCodeBlock, *ast.CodeBlock:
		for i := range n.Lines().Len() {
			line := n.Lines().At(i)
			w.b.WriteString(indent + "    " + strings.TrimRight(string(line.Value(w.source)), "\n") + "\n")
		}
	case *ast.ThematicBreak:
		w.b.WriteString(indent + "* * *\n")
	case *ast.HTMLBlock:
	default:
		if t := w.inline(n); t != "" {
			for line := range strings.SplitSeq(t, "\n") {
				w.b.WriteString(indent + line + "\n")
			}
		}
	}
}

// inline returns the words below n.
func (w *writer) inline(n ast.Node) string {
	var b strings.Builder
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			b.WriteString(plain(c.Value(w.source)))
			if c.HardLineBreak() {
				b.WriteString("\n")
			} else if c.SoftLineBreak() {
				b.WriteString(" ")
			}
		case *ast.String:
			b.WriteString(plain(c.Value))
		case *ast.CodeSpan:
			b.WriteString(w.inline(c))
		case *ast.AutoLink:
			b.Write(c.URL(w.source))
		case *ast.Link:
			words, address := w.inline(c), string(c.Destination)
			b.WriteString(words)
			if bare := strings.TrimPrefix(address, "mailto:"); safe(address) && bare != words {
				b.WriteString(" (" + bare + ")")
			}
		case *ast.RawHTML:
		default:
			b.WriteString(w.inline(c))
		}
	}
	return b.String()
}

// plain undoes the escapes and entities of a piece of text.
func plain(b []byte) string {
	return string(util.ResolveEntityNames(util.ResolveNumericReferences(util.UnescapePunctuations(b))))
}

func safe(address string) bool {
	scheme, _, ok := strings.Cut(address, ":")
	if !ok || strings.ContainsAny(scheme, "/?#") {
		return true
	}
	switch strings.ToLower(scheme) {
	case "http", "https", "mailto":
		return true
	}
	return false
}
