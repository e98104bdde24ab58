package web_test

import (
	"strings"
	"testing"

	"kithline/app/web"
	"kithline/app/web/webtest"
)

func TestEveryPageOfTheHouse(t *testing.T) {
	for _, surface := range []string{"public", "admin"} {
		webtest.All(t, surface+"/base/", func(w *web.Web, p web.Page) map[string]any {
			p.Errors = []web.FieldError{{Name: "theme", Text: "Choose one."}, {Text: "As a whole."}}
			p.Flash = &web.Flash{Kind: "good", Text: "Kept."}
			e := web.ErrorPage{Page: p, Status: 500, Text: "Text", ID: "ID", Next: []web.Link{{URL: "/", Label: "Home"}}}
			e.Errors = nil
			all := map[string]any{surface + "/base/error": &e}
			if surface == "public" {
				all["public/base/display"] = web.DisplaySample(p)
			}
			return all
		})
	}
}

func TestThePartsOfAForm(t *testing.T) {
	w := webtest.New(t)
	out := web.RenderSample(t, w)
	if p := webtest.Problems(out); len(p) > 0 {
		t.Errorf("%s\n%s", strings.Join(p, "\n"), out)
	}
	for _, want := range []string{
		`<title>Error: Sign: Twenty visits - Wennick Chronic Pain Coalition</title>`,
		`id="email" name="email" value="june.example.org" aria-describedby="email-hint email-error" aria-invalid="true" required autocomplete="email"`,
		"<textarea id=\"comment\" name=\"comment\" rows=\"3\">\n&lt;b&gt;Visit six&lt;/b&gt;</textarea>",
		`<a href="#display">`, `id="display" name="display" value="name">`,
		`id="display-initials" name="display" value="initials" checked>`,
		`name="need" value="noise" checked>`, `value="yes" checked aria-describedby="updates-hint">`,
		`<option value="es" selected>`, `data-theme="dark"`, `Energy 2 of 5`, `<progress value="3184" max="5000"`,
		`aria-current="step">`, `href="/sample?after=abc&amp;q=x"`, `<rect class="bar2"`, `<span>3,000</span>`,
		`<td class="num">2,950</td>`,
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}
