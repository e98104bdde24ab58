// Package views holds the pages: html/template, embedded, parsed once.
//
// A page is a file <surface>/<feature>/<page>.html and is called by its path without the extension, such as
// "public/petitions/show". It defines "main" and may define "head" (more of <head>) and "layout" (the name of a layout;
// else "public" below public/ and "admin" below admin/):
//
//	{{define "main"}}
//	<h1>{{.Title}}</h1>
//	<form method="post" novalidate>
//	  {{template "field" (field $ "email" "petition.email" .Form.Email "type" "email" "autocomplete" "email" "hint" "petition.email_hint")}}
//	  {{template "field" (field $ "comment" "petition.comment" .Form.Comment "rows" 3 "optional" true)}}
//	  {{template "choices" (choices $ "display" "petition.display" .Form.Display (options $ "name" "petition.display_name" "initials" "petition.display_initials"))}}
//	  {{template "choice" (check $ "updates" "petition.updates" .Form.Updates "hint" "petition.updates_hint")}}
//	  <button class="button main big">{{.T "petition.sign"}}</button>
//	</form>
//	{{end}}
//
// The data of a page is a struct that embeds web.Page; `$` in a call of field, choices, check and the others is that
// struct, from which they take the translated words and the error of the field. The layout writes the flash and the error
// summary: a page does not. Nothing is inline: no style attribute, no script, no event handler.
package views

import (
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"text/template/parse"
)

//go:embed layouts partials public admin
var files embed.FS

// Set is the pages. Each was parsed when the set was made, to see that it is right, and is parsed again when it is first asked for:
// all of them at once would be half of what a server holds that nobody visits. It is safe for concurrent use.
type Set struct {
	pages map[string]func() (page, error)
}

type page struct {
	t      *template.Template
	layout string
}

// Parse reads the embedded templates. An error names the file.
func Parse() (*Set, error) { return ParseFS(files) }

// With is Parse with more pages, for tests: extra is laid out like the embedded files.
func With(extra fs.FS) (*Set, error) { return ParseFS(both{files, extra}) }

// both is one file system over another.
type both struct{ under, over fs.FS }

func (b both) Open(name string) (fs.File, error) {
	if f, err := b.over.Open(name); err == nil {
		if s, err := f.Stat(); err == nil && !s.IsDir() {
			return f, nil
		}
		_ = f.Close()
	}
	return b.under.Open(name)
}

func (b both) ReadDir(name string) ([]fs.DirEntry, error) {
	under, err := fs.ReadDir(b.under, name)
	over, err2 := fs.ReadDir(b.over, name)
	if err != nil && err2 != nil {
		return nil, err
	}
	all := over
	for _, u := range under {
		if !slices.ContainsFunc(over, func(o fs.DirEntry) bool { return o.Name() == u.Name() }) {
			all = append(all, u)
		}
	}
	slices.SortFunc(all, func(x, y fs.DirEntry) int { return strings.Compare(x.Name(), y.Name()) })
	return all, nil
}

// ParseFS is Parse from other files, laid out in the same way; for tests.
func ParseFS(dir fs.FS) (*Set, error) {
	base := template.New("base").Funcs(funcs).Option("missingkey=error")
	for _, glob := range []string{"layouts/*.html", "partials/*.html"} {
		names, err := fs.Glob(dir, glob)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			b, err := fs.ReadFile(dir, name)
			if err != nil {
				return nil, err
			}
			// A partial's file is its template; helpers it defines with {{define}} are shared too.
			short := strings.TrimSuffix(name[strings.LastIndexByte(name, '/')+1:], ".html")
			if strings.HasPrefix(name, "layouts/") {
				short = "layouts/" + short
			}
			if _, err := base.New(short).Parse(string(b)); err != nil {
				return nil, fmt.Errorf("views: %s: %w", name, err)
			}
		}
	}
	s := &Set{pages: map[string]func() (page, error){}}
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".html") ||
			strings.HasPrefix(name, "layouts/") || strings.HasPrefix(name, "partials/") {
			return err
		}
		parsed := func() (page, error) { return parsePage(dir, name, base) }
		if _, err := parsed(); err != nil {
			return fmt.Errorf("views: %s: %w", name, err)
		}
		s.pages[strings.TrimSuffix(name, ".html")] = sync.OnceValues(parsed)
		return nil
	})
	return s, err
}

// parsePage reads a page and adds what it calls.
func parsePage(dir fs.FS, name string, base *template.Template) (page, error) {
	b, err := fs.ReadFile(dir, name)
	if err != nil {
		return page{}, err
	}
	p := page{t: template.New("page").Funcs(funcs).Option("missingkey=error"), layout: name[:max(strings.IndexByte(name, '/'), 0)]}
	if _, err := p.t.Parse(string(b)); err != nil {
		return p, err
	}
	if p.t.Lookup("main") == nil {
		return p, errors.New(`the page does not define "main"`)
	}
	if l := p.t.Lookup("layout"); l != nil {
		p.layout = strings.TrimSpace(l.Tree.Root.String())
	}
	if base.Lookup("layouts/"+p.layout) == nil {
		return p, fmt.Errorf("there is no layout %q", p.layout)
	}
	return p, complete(p.t, base, "layouts/"+p.layout)
}

// complete adds to a page what it and its layout call, and what that calls: a copy, since escaping changes it. A page that
// held a copy of everything would take ten times the memory.
func complete(t, base *template.Template, layout string) error {
	names := []string{layout}
	for _, own := range t.Templates() {
		if own.Tree != nil {
			names = called(own.Tree.Root, names)
		}
	}
	for i := 0; i < len(names); i++ {
		if own := t.Lookup(names[i]); own != nil && own.Tree != nil {
			continue
		}
		shared := base.Lookup(names[i])
		if shared == nil || shared.Tree == nil {
			return fmt.Errorf("there is no template %q", names[i])
		}
		if _, err := t.AddParseTree(names[i], shared.Tree.Copy()); err != nil {
			return err
		}
		names = called(shared.Tree.Root, names)
	}
	return nil
}

// called adds the names of the templates that a node calls.
func called(n parse.Node, names []string) []string {
	switch n := n.(type) {
	case *parse.ListNode:
		if n != nil {
			for _, c := range n.Nodes {
				names = called(c, names)
			}
		}
	case *parse.IfNode:
		names = called(n.ElseList, called(n.List, names))
	case *parse.RangeNode:
		names = called(n.ElseList, called(n.List, names))
	case *parse.WithNode:
		names = called(n.ElseList, called(n.List, names))
	case *parse.TemplateNode:
		names = append(names, n.Name)
	}
	return names
}

// Names lists the pages, sorted.
func (s *Set) Names() []string { return slices.Sorted(maps.Keys(s.pages)) }

// Has reports whether there is a page of that name.
func (s *Set) Has(name string) bool { return s.pages[name] != nil }

// Execute writes the page with its layout. data is a struct that embeds web.Page.
func (s *Set) Execute(w io.Writer, name string, data any) error { return s.execute(w, name, "", data) }

// Part writes one template that the page defines, without the layout: what htmx swaps in.
func (s *Set) Part(w io.Writer, name, part string, data any) error {
	return s.execute(w, name, part, data)
}

func (s *Set) execute(w io.Writer, name, part string, data any) error {
	parsed, ok := s.pages[name]
	if !ok {
		return fmt.Errorf("views: there is no page %q", name)
	}
	p, err := parsed()
	if err != nil {
		return fmt.Errorf("views: %s: %w", name, err)
	}
	if part == "" {
		part = "layouts/" + p.layout
	}
	if err := p.t.ExecuteTemplate(w, part, data); err != nil {
		return fmt.Errorf("views: %s: %w", name, err)
	}
	return nil
}
