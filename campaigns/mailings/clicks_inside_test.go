package mailings

import (
	"html"
	"strings"
	"testing"
)

// TestTrackLinks: links become counted ones where they are links, in both parts, and nothing else changes.
func TestTrackLinks(t *testing.T) {
	petition := "https://act.example.org/petitions/twenty-visits"
	to := map[string]string{
		"https://example.org/a":         "https://act.example.org/r/A",
		"https://example.org/a/b?c=d&e": "https://act.example.org/r/B",
		petition:                        "https://act.example.org/r/P",
	}
	c := &compiled{
		html: []span{
			{text: `<p><a href="https://example.org/a">https://example.org/a</a> <a href="https://example.org/a/b?c=d&amp;e" style="x">x</a> <a href="https://example.org/abc">y</a> <a href="`},
			{field: fieldURL},
			{text: `">sign</a> <a href="`},
			{field: fieldURL},
			{text: `?source=mail">sign</a> `},
			{field: fieldURL},
			{text: "</p>"},
		},
		text: []span{
			{text: "See https://example.org/a, https://example.org/a/b?c=d&e or https://example.org/abc (https://example.org/a). Sign: "},
			{field: fieldURL},
			{text: ".\nOr "},
			{field: fieldURL},
			{text: "?source=mail\n"},
			{field: fieldURL},
		},
	}
	got := trackLinks(c, to, petition)
	v := values{fieldURL: petition}
	wantHTML := `<p><a href="https://act.example.org/r/A">https://example.org/a</a> <a href="https://act.example.org/r/B" style="x">x</a> <a href="https://example.org/abc">y</a> ` +
		`<a href="https://act.example.org/r/P">sign</a> <a href="` + petition + `?source=mail">sign</a> ` + petition + `</p>`
	if s := splice(got.html, v, html.EscapeString); s != wantHTML {
		t.Errorf("HTML:\n%s\nnot\n%s", s, wantHTML)
	}
	wantText := "See https://act.example.org/r/A, https://act.example.org/r/B or https://example.org/abc (https://act.example.org/r/A). Sign: https://act.example.org/r/P.\n" +
		"Or " + petition + "?source=mail\nhttps://act.example.org/r/P"
	if s := splice(got.text, v, func(s string) string { return s }); s != wantText {
		t.Errorf("text:\n%s\nnot\n%s", s, wantText)
	}
	if strings.Contains(splice(c.html, v, html.EscapeString), "/r/") {
		t.Error("what was compiled is changed")
	}
	if trackLinks(c, nil, petition) != c {
		t.Error("without counted links it is another")
	}
}
