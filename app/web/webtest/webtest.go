// Package webtest checks pages in tests: that every template runs, in both languages, and that what comes out keeps the
// rules of the house.
//
//	func TestEveryPage(t *testing.T) {
//		webtest.All(t, "public/petitions/", func(w *web.Web, p web.Page) map[string]any {
//			return map[string]any{"public/petitions/show": &showPage{Page: p, ...}}
//		})
//	}
package webtest

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"kithline/app/locales"
	"kithline/app/views"
	"kithline/app/web"
	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
)

// Time is where the clock of New stands.
var Time = time.Date(2027, 2, 23, 10, 42, 0, 0, time.UTC)

// New makes a Web for a test, of an organisation with everything set. The test fails if a page asks for words that do not
// exist.
func New(t testing.TB) *web.Web {
	t.Helper()
	w, err := web.New(web.Options{
		BaseURL: "https://act.example.org", Secret: []byte(strings.Repeat("k", 32)), Clock: clock.NewFixed(Time),
		Logger: slog.New(slog.DiscardHandler),
		Site: func(context.Context) web.Site {
			return web.Site{
				Name: "Wennick Chronic Pain Coalition", ShortName: "WCPC", Phone: "555-0142", CrisisLine: "988", Demo: true,
				Accent: "#7b2d52", AccentVersion: "1",
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	t.Cleanup(func() {
		if m := w.Missed(); len(m) > 0 {
			t.Errorf("pages asked for words that do not exist or lack a value: %v", m)
		}
	})
	return w
}

// All executes every page whose name begins with prefix, in every language, and checks what comes out. samples returns the
// data by page name; a page without a sample is an error. p is the Page to embed: an owner's below admin/.
func All(t *testing.T, prefix string, samples func(w *web.Web, p web.Page) map[string]any) {
	t.Helper()
	w := New(t)
	set, err := views.Parse()
	if err != nil {
		t.Fatal(err)
	}
	for _, lang := range locales.Languages {
		p := w.Blank(context.Background(), lang, "/sample")
		p.Title = "Sample"
		if strings.HasPrefix(prefix, "admin") {
			p.Actor, p.ActorName = actor.Actor{Kind: actor.User, Role: actor.Owner}, "Ilse Halvorsen"
			p.Rail = p.Menu(map[string]int{"petitions": 3})
		}
		all := samples(w, p)
		for _, name := range set.Names() {
			if strings.HasPrefix(name, prefix) && all[name] == nil {
				t.Errorf("%s has no sample", name)
			}
		}
		for name, data := range all {
			var b strings.Builder
			if err := set.Execute(&b, name, data); err != nil {
				t.Errorf("%s in %s: %v", name, lang, err)
				continue
			}
			for _, problem := range Problems(b.String()) {
				t.Errorf("%s in %s: %s", name, lang, problem)
			}
		}
	}
}

// Problems lists what a page does against the rules: anything inline, ids that stand twice, fields without a label,
// references to nothing, no heading or two first headings, what html/template refused to write.
func Problems(page string) []string {
	var out []string
	note := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return []string{err.Error()}
	}
	for _, bad := range []string{"ZgotmplZ", "&lt;no value&gt;", "<no value>", "%!", "javascript:"} {
		if strings.Contains(page, bad) {
			note("it holds %q", bad)
		}
	}
	ids, labelled, refs := map[string]int{}, map[string]bool{}, map[string]string{}
	var fields []*html.Node
	h1, mains, title := 0, 0, ""
	var walk func(n *html.Node, inLabel bool)
	walk = func(n *html.Node, inLabel bool) {
		if n.Type == html.ElementNode {
			if id := attr(n, "id"); id != "" {
				ids[id]++
			}
			for _, a := range n.Attr {
				switch {
				case a.Key == "style", strings.HasPrefix(a.Key, "on"), strings.HasPrefix(a.Key, "hx-on"):
					note("<%s> has the inline attribute %s", n.Data, a.Key)
				case a.Key == "for":
					labelled[a.Val], refs[a.Val] = true, "for"
				case a.Key == "aria-describedby", a.Key == "aria-labelledby", a.Key == "aria-controls", a.Key == "popovertarget":
					for _, id := range strings.Fields(a.Val) {
						refs[id] = a.Key
					}
				case a.Key == "href" && len(a.Val) > 1 && a.Val[0] == '#':
					refs[a.Val[1:]] = "href"
				}
			}
			switch n.Data {
			case "html":
				if attr(n, "lang") == "" {
					note("<html> has no lang")
				}
			case "style":
				note("it has a <style>")
			case "script":
				if attr(n, "src") == "" || n.FirstChild != nil {
					note("it has a script inside")
				}
			case "title":
				if n.FirstChild != nil {
					title = n.FirstChild.Data
				}
			case "h1":
				h1++
			case "main":
				mains++
			case "label":
				inLabel = true
			case "img":
				if !has(n, "alt") {
					note("an image has no alt")
				}
			case "input", "select", "textarea":
				typ := attr(n, "type")
				if !inLabel && !has(n, "aria-label") && !has(n, "aria-labelledby") &&
					!slices.Contains([]string{"hidden", "submit", "button"}, typ) {
					fields = append(fields, n)
				}
			}
		}
		for k := n.FirstChild; k != nil; k = k.NextSibling {
			walk(k, inLabel)
		}
	}
	walk(doc, false)
	for id, n := range ids {
		if n > 1 {
			note("the id %q stands %d times", id, n)
		}
	}
	for id, by := range refs {
		if ids[id] == 0 {
			note("%s leads to %q, which is not there", by, id)
		}
	}
	for _, f := range fields {
		if id := attr(f, "id"); id == "" || !labelled[id] {
			note("the field %q has no label", attr(f, "name"))
		}
	}
	if h1 != 1 {
		note("it has %d first headings", h1)
	}
	if mains != 1 {
		note("it has %d <main>", mains)
	}
	if strings.TrimSpace(title) == "" || strings.HasPrefix(strings.TrimSpace(title), "-") {
		note("its title is %q", title)
	}
	slices.Sort(out)
	return out
}

func attr(n *html.Node, key string) string {
	for _, a := range n.Attr {
		if a.Key == key {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, key string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
}
