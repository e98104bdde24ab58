package mailings

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"kithline/mailer"
	"kithline/models"
)

var update = flag.Bool("update", false, "write the golden files anew")

const base = "https://act.example.org"

func renderer(t testing.TB) *mailer.Renderer {
	t.Helper()
	r, err := mailer.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// tools are what compiling needs, with words that are their keys.
func tools(r *mailer.Renderer) kit {
	return kit{base: base, mail: r, accent: mailer.DefaultAccent, words: Words{
		Text: func(lang, key string, args ...any) string {
			return strings.TrimSpace(key + " " + fmt.Sprintln(args...))
		},
		Date:   func(_ string, t time.Time) string { return t.Format("Monday 2 January 2006") },
		Number: func(_ string, n int64) string { return fmt.Sprint(n) },
	}}
}

func compiledBody(t testing.TB, body string) *compiled {
	t.Helper()
	c, err := compile(Text{Locale: "en", Lines: []Line{{"Subject", ""}}, Body: body}, models.PurposeUpdates, tools(renderer(t)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var june = values{
	fieldGivenName: "June", fieldTitle: "Twenty <visits> & more", fieldURL: base + "/petitions/twenty-visits", fieldCount: "3,184",
	fieldGoal: "5,000", fieldOrganisation: "Wennick Coalition",
}

const sample = `# The hearing has a date

Hello {{given_name|friend}},

HB 412 is heard on **16 March at 9:00**. {{signature_count}} of {{goal}} have signed *{{petition_title}}*.

If you have a little to give:

- 2 minutes: [sign, if you have not](/petitions/twenty-visits)
- 10 minutes: [see how it stands]({{petition_url}}?from=mail#count)
- or read [the bill][bill]

> If today is not a day for this, that is fine.

{{petition_url}}

Yours, {{organisation}} \{{not a field}}

[bill]: /files/bill.pdf
`

func TestCompileGolden(t *testing.T) {
	c := compiledBody(t, sample)
	if len(c.problems) > 0 {
		t.Fatal(c.problems)
	}
	mail := c.fill(june)
	for name, got := range map[string]string{"sample.txt": mail.Text + "\n", "sample.html": string(mail.HTML) + "\n"} {
		file := filepath.Join("testdata", name)
		if *update {
			if err := os.MkdirAll("testdata", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (run with -update if that is meant):\n%s", name, got)
		}
	}
	if strings.Contains(string(mail.HTML)+mail.Text, "mk") && regexp.MustCompile(`mk[0-9a-f]{16}y`).MatchString(string(mail.HTML)+mail.Text) {
		t.Error("a mark is left over")
	}
}

func TestCompileLinks(t *testing.T) {
	for _, c := range []struct {
		name, body, html, text string
		problem                string
	}{
		{"a path", "[x](/a)", `href="https://act.example.org/a"`, "x (https://act.example.org/a)", ""},
		{"the first page", "[x](/)", `href="https://act.example.org/"`, "x (https://act.example.org/)", ""},
		{"a relative one", "[x](a/b)", `href="https://act.example.org/a/b"`, "", ""},
		{"another host by //", "[x](//other.example/a)", `href="https://other.example/a"`, "", ""},
		{"an address field", "[x]({{petition_url}})", `href="https://act.example.org/petitions/twenty-visits"`, "x (https://act.example.org/petitions/twenty-visits)", ""},
		{"an address field with more", "[x]({{petition_url}}?a=b)", `href="https://act.example.org/petitions/twenty-visits?a=b"`, "", ""},
		{"its own words", "[{{petition_url}}]({{petition_url}})", `>https://act.example.org/petitions/twenty-visits</a>`, "https://act.example.org/petitions/twenty-visits", ""},
		{"bare", "See {{petition_url}}.", `<a href="https://act.example.org/petitions/twenty-visits"`, "See https://act.example.org/petitions/twenty-visits.", ""},
		{"a name as an address", "[x]({{given_name}})", "", "", "given_name"},
		{"a name in a query", "[x](https://a.example/?n={{given_name|none}})", "", "", "given_name"},
		{"a name behind an address", "[x]({{petition_url}}{{given_name}})", "", "", "petition_url"},
		{"a name in a path by itself", "https://a.example/{{given_name}}", "", "", "given_name"},
		{"javascript", "[x](javascript:alert(1))", "x", "x", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := compiledBody(t, c.body)
			mail := got.fill(june)
			if c.problem != "" {
				if len(got.problems) != 1 || got.problems[0].Key != "error.merge_in_link" || got.problems[0].Name != c.problem || got.problems[0].Line != 1 {
					t.Errorf("problems %v", got.problems)
				}
				if strings.Contains(string(mail.HTML), "href=") {
					t.Errorf("a link all the same: %s", mail.HTML)
				}
				return
			}
			if len(got.problems) > 0 {
				t.Errorf("problems %v", got.problems)
			}
			if !strings.Contains(string(mail.HTML), c.html) {
				t.Errorf("no %q in %s", c.html, mail.HTML)
			}
			if c.text != "" && mail.Text != c.text {
				t.Errorf("text %q, want %q", mail.Text, c.text)
			}
			if strings.Contains(string(mail.HTML), "javascript:") {
				t.Errorf("a script: %s", mail.HTML)
			}
		})
	}
}

// What a person typed as their name reaches no markup, no header and no new line.
func TestCompileKeepsValuesValues(t *testing.T) {
	c, err := compile(Text{
		Lines: []Line{{"For {{given_name}}", "{{given_name}}!"}}, Body: "**{{given_name}}** and `{{given_name}}` and [a {{given_name}}](/x)\n\n    {{given_name}}\n",
	}, models.PurposeUpdates, tools(renderer(t)))
	if err != nil {
		t.Fatal(err)
	}
	clean := string(c.fill(values{fieldGivenName: "June"}).HTML)
	for _, name := range []string{
		"<script>alert(1)</script>", `"><img src=x onerror=alert(1)>`, "</p></td></tr></table>", "{{goal}}", "{{.Secret}}", "*em* [l](http://evil.example)",
		"June\r\nBcc: someone@example.org", "June\u2028x", "&lt;b&gt;", "=?utf-8?q?x?=", "<!--", "${x}", "$1",
	} {
		v := &version{compiled: c, shared: values{fieldGoal: "5,000"}}
		mail := c.fill(v.person(recipient{GivenName: name}))
		if strings.ContainsAny(mail.Subject+mail.Preheader, "\r\n\u2028") {
			t.Errorf("%q: a line break in %q", name, mail.Subject)
		}
		if strings.Contains(string(mail.HTML)+mail.Text+mail.Subject, "5,000") {
			t.Errorf("%q was taken for a field: %s", name, mail.Text)
		}
		if got, want := strings.Count(string(mail.HTML), "<"), strings.Count(clean, "<"); got != want {
			t.Errorf("%q made markup: %s", name, mail.HTML)
		}
		if got, want := strings.Count(mail.Text, "\n"), strings.Count(c.fill(values{fieldGivenName: "June"}).Text, "\n"); got != want {
			t.Errorf("%q made a line: %q", name, mail.Text)
		}
	}
}

func TestMarksAreNoWordsOfTheText(t *testing.T) {
	spans, _ := parseMerge("{{goal}}", "body", true)
	first := newMarks("{{goal}}", spans)
	again := newMarks("{{goal}} "+first.prefix, spans)
	if strings.Contains("{{goal}} "+first.prefix, again.prefix) {
		t.Fatal("a mark that stands in the text")
	}
	// Not a mark though it begins like one.
	for _, s := range []string{first.prefix, first.prefix + "7" + markTail, first.prefix + "-1" + markTail, first.prefix + "0", first.prefix + "99999999999" + markTail} {
		if _, _, _, ok := first.next(s); ok {
			t.Errorf("%q was taken for a mark", s)
		}
	}
}

func FuzzCompile(f *testing.F) {
	words := renderer(f)
	for _, s := range []string{sample, "[x]({{petition_url}})", "[{{goal}}]: /x\n\n[{{goal}}]", "<{{petition_url}}>", "`{{goal}}`", "{{given_name}}\n===", "![a](b)", "<b>{{goal}}</b>", "&#123;{{goal}}"} {
		f.Add(s, "June")
		f.Add(s, "<script>")
	}
	f.Fuzz(func(t *testing.T, body, name string) {
		if len(body) > 4000 {
			return
		}
		c, err := compile(Text{Body: body}, models.PurposeUpdates, tools(words))
		if err != nil {
			t.Fatal(err)
		}
		plain := c.fill(values{fieldGivenName: "June", fieldURL: base, fieldGoal: "1"})
		named := c.fill(values{fieldGivenName: calledBy(name), fieldURL: base, fieldGoal: "1"})
		if strings.Count(string(plain.HTML), "<") != strings.Count(string(named.HTML), "<") {
			t.Fatalf("the name %q made markup of %q:\n%s", name, body, named.HTML)
		}
		if strings.Contains(strings.ToLower(string(named.HTML)), "<script") {
			t.Fatalf("a script from %q: %s", body, named.HTML)
		}
	})
}
