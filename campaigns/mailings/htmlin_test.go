package mailings

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"kithline/campaigns/fault"
	"kithline/models"
)

const brought = `<!doctype html><html><head><title>x</title><link rel="stylesheet" href="https://cdn.example/a.css">
<style>/* a */ p, .lead { color: #333333; font-size: 16px } .lead { color: #111111 } #top { color: red !important }
@media (max-width: 600px) { .lead { color: blue } }
a:hover { color: green } td { background: url(https://track.example/x.png); padding: 4px } .gone { display: none } body { background-color: #ffffff }</style></head>
<body onload="alert(1)"><div class="gone">The first words of the inbox</div>
<table width="600" role="presentation"><tr><td style="width:600px;position:absolute;margin-left:-99px;margin-top:4px">
<p class="lead" id="top" style="color:#222222">Hello {{given_name|Tom &amp; Jerry}}</p>
<p class="lead">Read <a href="https://example.org/a?b=1&amp;c=2" onclick="x()">the news</a>, <a href="javascript:alert(1)">not this</a>.</p>
<p style="color:#cccccc;background-color:#ffffff">Faint words</p>
<img src="https://other.example/photo.png" alt="A bridge"><img src="https://track.example/open.gif" width="1" height="1">
<img src="data:image/png;base64,iVBORw0KGgo=" alt="Inside">
<form action="https://evil.example"><input name="q">Form words</form><script>alert(1)</script><iframe src="x"></iframe>
<ul><li>One</li><li>Two</li></ul></td></tr></table></body></html>`

func TestHTMLThatIsBrought(t *testing.T) {
	var kept []string
	clean, taken, err := cleanHTML(brought, base, func(b []byte) (string, error) {
		kept = append(kept, string(b))
		return base + "/m/pictures/019377c0-0000-7000-8000-000000000001", nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Taken{Code: 6, Sheets: 3, Pictures: 1, Trackers: 1, Hidden: 1}); taken != want {
		t.Errorf("taken %+v, want %+v", taken, want)
	}
	if len(kept) != 1 || kept[0] != "\x89PNG\r\n\x1a\n" {
		t.Errorf("kept %q", kept)
	}
	for _, want := range []string{
		`<div style="background-color:#ffffff">`, `<table role="presentation" width="100%">`, `<td style="padding:4px;width:100%;margin-top:4px">`,
		`style="font-size:16px;color:red">Hello {{given_name|Tom &amp; Jerry}}</p>`, `<p style="font-size:16px;color:#111111">Read <a href="https://example.org/a?b=1&amp;c=2">the news</a>`,
		"not this", "A bridge", "Form words", `<img alt="Inside" src="https://act.example.org/m/pictures/019377c0-0000-7000-8000-000000000001"/>`,
	} {
		if !strings.Contains(clean, want) {
			t.Errorf("no %s in\n%s", want, clean)
		}
	}
	for _, bad := range []string{"script", "alert", "onclick", "form ", "input", "iframe", "track.example", "other.example", "cdn.example", "evil", "position", "-99", "first words of", "url(", "<style", "class="} {
		if strings.Contains(clean, bad) {
			t.Errorf("%s is left in\n%s", bad, clean)
		}
	}
	if again := sanitizeMail(clean, base); again != clean {
		t.Errorf("a second time:\n%s\nthe first:\n%s", again, clean)
	}

	c, err := compile(Text{Locale: "en", Lines: []Line{{"S", ""}}, Format: models.FormatHTML, Body: clean}, models.PurposeUpdates, tools(renderer(t)))
	if err != nil || len(c.problems) > 0 {
		t.Fatal(err, c.problems)
	}
	mail := c.fill(values{})
	if !strings.Contains(string(mail.HTML), "Hello Tom &amp; Jerry</p>") || !strings.Contains(mail.Text, "Hello Tom & Jerry\n") {
		t.Errorf("%s\n%s", mail.HTML, mail.Text)
	}
	want := "Hello Tom & Jerry\n\nRead the news (https://example.org/a?b=1&c=2), not this.\n\nFaint words\n\nA bridge [Inside] Form words\n\n- One\n- Two"
	if mail.Text != want {
		t.Errorf("the text:\n%q\nwant:\n%q", mail.Text, want)
	}
	if f := faint(string(mail.HTML)); len(f) != 2 || f[0] != "Hello Tom & Jerry" || f[1] != "Faint words" { // red on white is 4.0
		t.Errorf("faint: %q", f)
	}
	if len(c.pictures) != 1 || c.page != nil {
		t.Errorf("%v, %v", c.pictures, c.page)
	}
	c, err = compile(Text{Lines: []Line{{"S", ""}}, Format: models.FormatHTML, Body: clean, Plain: "Dear {{given_name|friend}}"}, models.PurposeUpdates, tools(renderer(t)))
	if err != nil || c.fill(june).Text != "Dear June" {
		t.Errorf("its own text: %q, %v", c.fill(june).Text, err)
	}
}

// What is too large or too tangled is refused with a sentence, at once.
func TestHTMLThatCannotBeTaken(t *testing.T) {
	for name, c := range map[string]struct{ src, key string }{
		"ten megabytes":    {strings.Repeat("<p>0123456789</p>", 10<<20/17), "error.html_large"},
		"many tags":        {strings.Repeat("<b>", 30_000), "error.html_tangled"},
		"nested":           {strings.Repeat("<div>", 15_000) + "x", "error.html_tangled"},
		"misnested":        {strings.Repeat("<b><p><i>", 6_000), ""},
		"tables":           {strings.Repeat("<table><tr><td>", 6_000), ""},
		"a huge sheet":     {"<style>" + strings.Repeat("a{color:red}", 30_000) + "</style><p>x", "error.html_sheet"},
		"many rules":       {"<style>" + strings.Repeat("p,a,b{color:red}", 10_000) + "</style>" + strings.Repeat("<p>x</p>", 15_000), "error.html_tangled"},
		"an open comment":  {"<style>/*" + strings.Repeat("*", 1000) + "</style><p>x", ""},
		"an open block":    {"<style>@media x {{{{" + strings.Repeat("{", 1000) + "</style><p>x", ""},
		"an import":        {`<style>@import url("a"); @import "b"</style><p>x`, ""},
		"odd selectors":    {"<style>:not(:not(:not(p))), p[a~=b] > + ~, ,, {color:red} }}} p{</style><p>x", ""},
		"not text":         {"<p>\xff</p>", "error.text_unreadable"},
		"a NUL":            {"<p>\x00</p>", "error.text_unreadable"},
		"many pictures":    {strings.Repeat(`<img src="data:image/png;base64,`+base64.StdEncoding.EncodeToString([]byte("x"))+`">`, 21), "error.html_pictures"},
		"a broken picture": {`<img src="data:image/png;base64,!!!"><p>x`, ""},
	} {
		begun := time.Now()
		_, _, err := cleanHTML(c.src, base, func([]byte) (string, error) { return base + "/m/pictures/x", nil })
		got := ""
		if e := (*fault.Error)(nil); errors.As(err, &e) && len(e.Fields) == 1 && e.Fields[0].Name == "html" {
			got = e.Fields[0].Key
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got != c.key && !(c.key == "" && got == "error.html_tangled") {
			t.Errorf("%s: %q, want %q", name, got, c.key)
		}
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s took %v", name, took)
		}
	}
}

// attacks are what must never come out as anything but words.
var attacks = []string{
	`<script>alert(1)</script>`, `<img src=x onerror=alert(1)>`, `<svg onload=alert(1)>`, `<a href="javascript:alert(1)">x</a>`, `<a href="&#106;avascript:alert(1)">x</a>`,
	`<a href="java	script:alert(1)">x</a>`, `<p style="background:url(javascript:alert(1))">x</p>`, `<p style="width:expression(alert(1))">x</p>`, `<style>@import 'http://evil.example/x.css';</style>`,
	`<base href="https://evil.example/">`, `<meta http-equiv=refresh content="0;url=https://evil.example">`, `<iframe srcdoc="<script>alert(1)</script>">`, `<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>`,
	`<form action=https://evil.example><button>x</button></form>`, `<a href="data:text/html,<script>alert(1)</script>">x</a>`, `<img src="data:image/svg+xml,<svg onload=alert(1)>">`, `<object data=x></object>`,
	`<p style="position:fixed;top:0;left:0;z-index:9">x</p>`, `<p style="margin:-500px 0 0">x</p>`, `</td></tr></table></div><p>x`, `<!--[if mso]><script>alert(1)</script><![endif]-->`, `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
	`<template><script>alert(1)</script></template>`, `<textarea></textarea><script>alert(1)</script>`, `<a href="vbscript:x">x</a>`, `<p style="color:red;}</style><script>alert(1)</script>">x</p>`, `<style>p{color:red;background:url('//evil.example/x')}</style><p>x`,
	`<p style="font-family:'</style><script>alert(1)</script>'">x</p>`, `<xss onclick=alert(1)>x`, `<input autofocus onfocus=alert(1)>`, `<details ontoggle=alert(1) open>x`, `<p lang="en&quot; onclick=&quot;alert(1)">x</p>`,
}

// harmless fails the test where HTML could do anything: it is read as a browser reads it.
func harmless(t *testing.T, from, page string) {
	t.Helper()
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		switch n.Data {
		case "script", "style", "iframe", "object", "embed", "form", "input", "button", "textarea", "svg", "math", "base", "meta", "link", "template", "details", "xss":
			t.Errorf("%q left <%s>: %s", from, n.Data, page)
		}
		for _, a := range n.Attr {
			v := strings.ToLower(strings.Join(strings.Fields(a.Val), ""))
			switch {
			case strings.HasPrefix(a.Key, "on"), a.Key == "srcdoc", a.Key == "action":
				t.Errorf("%q left %s: %s", from, a.Key, page)
			case a.Key == "href" || a.Key == "src":
				if strings.HasPrefix(v, "javascript:") || strings.HasPrefix(v, "data:") || strings.HasPrefix(v, "vbscript:") || a.Key == "src" && !strings.HasPrefix(v, base) {
					t.Errorf("%q leads to %s", from, a.Val)
				}
			case a.Key == "style":
				for _, bad := range []string{"url(", "expression", "position", "@", "margin:-", "<"} {
					if strings.Contains(v, bad) {
						t.Errorf("%q left the style %s", from, a.Val)
					}
				}
			}
		}
	}
}

func TestAttacksComeOutAsWords(t *testing.T) {
	k, _ := withPicture(t)
	for _, a := range attacks {
		clean, _, err := cleanHTML(a, base, nil)
		if err != nil {
			t.Errorf("%q: %v", a, err)
		}
		harmless(t, a, clean)
		own, err := compile(Text{Lines: []Line{{a, a}}, Format: models.FormatHTML, Body: "<p>x</p>" + a}, models.PurposeUpdates, k)
		if err != nil {
			t.Fatal(err)
		}
		harmless(t, a, string(own.fill(values{fieldGivenName: a}).HTML))
		one := strings.ReplaceAll(a, "\n", " ")
		for _, body := range []string{
			a, "x " + a, "::: button\nwords: " + one + "\nlink: /a\n:::", "::: button\nwords: x\nlink: " + one + "\n:::", "::: picture\nfile: harbour\nalt: " + one + "\n:::",
			"::: quote\nwords: " + one + "\nwho: " + one + "\n:::", "::: action\ntitle: " + one + "\nlink: /a\nminutes: 1\nenergy: 1\nwords: " + one + "\n:::",
			"::: event\ntitle: " + one + "\nwhen: 2027-03-16\nwhere: " + one + "\naccess: " + one + "\n:::", "[" + one + "](/a)", "[x](" + one + ")", "{{given_name|" + one + "}}",
		} {
			c, err := compile(Text{Locale: "en", Lines: []Line{{a, a}}, Body: body}, models.PurposeUpdates, k)
			if err != nil {
				t.Fatal(err)
			}
			v := values{fieldGivenName: a, fieldChapter: a, fieldURL: base + "/petitions/x"}
			harmless(t, body, string(c.fill(v).HTML))
			harmless(t, body, splice(c.page, v, html.EscapeString))
			if strings.ContainsAny(c.fill(v).Subject, "\r\n") {
				t.Errorf("%q in a subject of two lines", a)
			}
		}
	}
}

func FuzzCleanHTML(f *testing.F) {
	for _, a := range attacks {
		f.Add(a)
	}
	f.Add(brought)
	f.Fuzz(func(t *testing.T, s string) {
		clean, _, err := cleanHTML(s, base, nil)
		if err == nil {
			harmless(t, s, clean)
		}
	})
}
