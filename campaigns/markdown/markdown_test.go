package markdown

import (
	"strings"
	"testing"
)

func TestHTML(t *testing.T) {
	for in, want := range map[string]string{
		"Hello **you**":                           "<p>Hello <strong>you</strong></p>",
		"# Big\n\ntext":                           "<h3>Big</h3>\n<p>text</p>",
		"1. a\n2. b":                              "<ol>\n<li>a</li>\n<li>b</li>\n</ol>",
		"[x](https://example.org/a)":              `<p><a href="https://example.org/a" rel="nofollow">x</a></p>`,
		"[x](/privacy)":                           `<p><a href="/privacy" rel="nofollow">x</a></p>`,
		"[x](mailto:a@example.org)":               `<p><a href="mailto:a@example.org" rel="nofollow">x</a></p>`,
		"[x](javascript:alert(1))":                "<p>x</p>",
		"[x](data:text/html,hi)":                  "<p>x</p>",
		"![a bird](https://example.org/t.gif)":    "<p>a bird</p>",
		"a <b onclick=x>b</b> <script>1</script>": "<p>a b 1</p>",
		"<iframe src=x></iframe>":                 "",
		"1 < 2 & \"3\"":                           "<p>1 &lt; 2 &amp; &#34;3&#34;</p>",
	} {
		if got := strings.TrimSpace(string(HTML(in))); got != want {
			t.Errorf("%q\n got %s\nwant %s", in, got, want)
		}
	}
}

func TestText(t *testing.T) {
	in := "# The ask\n\nPass **HB 412** before\n_31 March_.\n\n- one\n- two\n  more\n\n1. first\n\n2. second\n\n> said &amp; done\n\n[Read](https://example.org/x) or <https://example.org>, [mail](mailto:a@example.org).\n\n`code` ~~gone~~ <b>raw</b>"
	want := "The ask\n\nPass HB 412 before 31 March.\n\n- one\n- two more\n\n1. first\n\n2. second\n\n> said & done\n\nRead (https://example.org/x) or https://example.org, mail (a@example.org).\n\ncode gone raw"
	if got := Text(in); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := Text("[x](javascript:alert(1))"); got != "x" {
		t.Error(got)
	}
}

func FuzzHTML(f *testing.F) {
	for _, s := range []string{"a", "<script>", "[a](javascript:x)", "![x](y)", "> - 1. # `\x00\xff", "&#106;avascript:", "[a](&#106;avascript:x)"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := strings.ToLower(string(HTML(s)))
		for _, bad := range []string{"<script", "<img", "<iframe", "<style", "<svg", `href="javascript`, `href="data`, "<a onclick", "<p onclick"} {
			if strings.Contains(out, bad) {
				t.Errorf("%q in %q", bad, out)
			}
		}
		Text(s)
	})
}
