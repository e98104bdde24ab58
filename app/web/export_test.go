package web

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"testing/fstest"

	"kithline/app/views"
)

// DisplaySample is the display page's data for the tests of package web_test.
func DisplaySample(p Page) any { return &displayPage{Page: p, Form: displayForm{Lang: "es"}} }

type samplePage struct {
	Page
	Form struct {
		Email, Comment, Display, Lang string
		Needs                         []string
		Updates                       bool
	}
	Chart Bars
}

// A page with every part, in its states.
const sampleTemplate = `{{define "main"}}
<p class="kicker"><a href="/">Take part</a> / Petition</p>
<h1>Sign the petition</h1>
<p class="lead">We ask the House Health Committee to pass HB 412.</p>
{{template "effort" (effort $ 8 2 "base.rail_today" "base.nav_home")}}
{{template "progress" (progress 3184 5000 "Signatures: 3,184 of 5,000")}}
{{template "steps" (steps $ 2 "base.nav_home" "base.rail_today" "base.rail_you")}}
<div class="narrow">
<form method="post" novalidate data-keep="sample">
{{template "field" (field $ "email" "base.rail_people" .Form.Email "type" "email" "autocomplete" "email" "hint" "base.nothing_lost")}}
{{template "field" (field $ "code" "base.steps" "" "class" "code" "autocapitalize" "characters")}}
{{template "field" (field $ "comment" "base.effort" .Form.Comment "rows" 3 "optional" true)}}
{{template "choices" (choices $ "display" "base.display_theme" .Form.Display (options $ "name" "base.display_light" "initials" "base.display_dark"))}}
{{template "chips" (choices $ "need" "base.effort" .Form.Needs (options $ "typing" "base.display_light" "noise" "base.display_dark"))}}
{{template "choice" (check $ "updates" "base.display_keep" .Form.Updates "hint" "base.display_lead")}}
{{template "select" (selectbox $ "lang" "base.display_language" .Form.Lang .LanguageOptions)}}
{{template "autosave" .}}
<p class="row"><button class="button main big">Sign the petition</button> {{template "copy" (copybutton $ "email" "base.display_keep")}}</p>
</form>
</div>
{{template "notice" (notice "warn" "Please check" "212 people read Spanish.")}}
<section class="band">{{template "bars" .Chart}}</section>
<table><thead><tr><th scope="col">A</th><th scope="col">B</th></tr></thead><tbody><tr><th scope="row">{{.Number 12345}}</th><td>{{template "hbar" (hbar 3 10)}}</td></tr></tbody></table>
{{template "pager" (pager $ "abc" "1 to 3")}}
{{end}}`

// pages makes files of templates by name.
func pages(templates map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range templates {
		out[name+".html"] = &fstest.MapFile{Data: []byte(text)}
	}
	return out
}

// sample makes the page with every part.
func sample(tb testing.TB, w *Web, lang string) (*views.Set, *samplePage) {
	tb.Helper()
	set, err := views.With(pages(map[string]string{"public/sample/form": sampleTemplate, "admin/sample/form": sampleTemplate}))
	if err != nil {
		tb.Fatal(err)
	}
	p := &samplePage{Page: w.Blank(context.Background(), lang, "/sample")}
	p.Title, p.Theme, p.query = "Sign: Twenty visits", "dark", url.Values{"q": {"x"}}
	p.Errors = []FieldError{
		{Name: "email", Text: "Type your e-mail with an @, like june@example.org"}, {Name: "display", Text: "Choose one of those."},
	}
	p.Form.Email, p.Form.Comment, p.Form.Display, p.Form.Lang = "june.example.org", "<b>Visit six</b>", "initials", "es"
	p.Form.Needs, p.Form.Updates = []string{"noise"}, true
	p.Chart = Bars{
		ID: "days", Title: "Signatures by day", Say: "The most came on Tuesday.", RowHead: "Day", TableName: "Show the days as a table",
		Series: []string{"Confirmed", "Waiting"}, Format: p.Digits,
		Rows: []BarRow{{Label: "Monday", Values: []int64{12, 3}}, {Label: "Tuesday", Values: []int64{2950, 20}}, {Label: "Wednesday", Values: []int64{500}}},
	}
	return set, p
}

// RenderSample renders it.
func RenderSample(tb testing.TB, w *Web) string {
	tb.Helper()
	set, p := sample(tb, w, "en")
	var b strings.Builder
	if err := set.Execute(&b, "public/sample/form", p); err != nil {
		tb.Fatal(err)
	}
	return b.String()
}
