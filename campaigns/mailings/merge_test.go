package mailings

import (
	"html"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestParseMerge(t *testing.T) {
	field := func(name, fallback string) span { return span{field: name, fallback: fallback} }
	words := func(s string) span { return span{text: s} }
	for _, c := range []struct {
		name, src string
		markdown  bool
		want      []span
		bad       []MergeProblem
	}{
		{"no field", "Hello", true, []span{words("Hello")}, nil},
		{"nothing", "", true, nil, nil},
		{"one", "Hello {{given_name}},", true, []span{words("Hello "), field("given_name", ""), words(",")}, nil},
		{"fallback", "{{given_name|dear friend}}", true, []span{field("given_name", "dear friend")}, nil},
		{"spaces", "{{ goal | many }}", true, []span{field("goal", "many")}, nil},
		{"two side by side", "{{goal}}{{goal}}", true, []span{field("goal", ""), field("goal", "")}, nil},
		{"a bar in the fallback", "{{goal|a|b}}", true, []span{field("goal", "a|b")}, nil},
		{"unknown", "a\nb {{health}} c", true, []span{words("a\nb {{health}} c")}, []MergeProblem{{"body", "error.merge_unknown", "health", 2}}},
		{"upper case", "{{Goal}}", true, []span{words("{{Goal}}")}, []MergeProblem{{"body", "error.merge_unknown", "Goal", 1}}},
		{"a call", "{{.Secret}}", true, []span{words("{{.Secret}}")}, []MergeProblem{{"body", "error.merge_unknown", ".Secret", 1}}},
		{"empty", "{{}}", true, []span{words("{{}}")}, []MergeProblem{{"body", "error.merge_unknown", "", 1}}},
		{"open", "\n\n{{goal", true, []span{words("\n\n{{goal")}, []MergeProblem{{"body", "error.merge_open", "goal", 3}}},
		{"over a line end", "{{goal\n}}", true, []span{words("{{goal\n}}")}, []MergeProblem{{"body", "error.merge_open", "goal", 1}}},
		{"within one", "{{goal{{goal}}", true, []span{words("{{goal"), field("goal", "")}, []MergeProblem{{"body", "error.merge_unknown", "goal{{goal", 1}}},
		{"closed only", "a }} b", true, []span{words("a }} b")}, nil},
		{"one brace", "{goal} {", true, []span{words("{goal} {")}, nil},
		{"escaped in Markdown", `\{{goal}}`, true, []span{words(`\{{goal}}`)}, nil},
		{"escaped in a subject", `a \{{goal}}`, false, []span{words("a "), words("{{goal}}")}, nil},
		{
			"good and bad", "{{goal}} {{x}}\n{{given_name}} {{y}}", true,
			[]span{field("goal", ""), words(" {{x}}\n"), field("given_name", ""), words(" {{y}}")},
			[]MergeProblem{{"body", "error.merge_unknown", "x", 1}, {"body", "error.merge_unknown", "y", 2}},
		},
		{
			"a long name is cut", "{{" + strings.Repeat("n", 200) + "}}", true,
			[]span{words("{{" + strings.Repeat("n", 200) + "}}")},
			[]MergeProblem{{"body", "error.merge_unknown", strings.Repeat("n", 40) + "…", 1}},
		},
		{
			"too long to be a field", "{{" + strings.Repeat("n", 400) + "}}", true,
			[]span{words("{{" + strings.Repeat("n", 400) + "}}")},
			[]MergeProblem{{"body", "error.merge_open", strings.Repeat("n", 40) + "…", 1}},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, bad := parseMerge(c.src, "body", c.markdown)
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("parts %q, want %q", got, c.want)
			}
			if !reflect.DeepEqual(bad, c.bad) {
				t.Errorf("problems %v, want %v", bad, c.bad)
			}
		})
	}
}

func TestTooManyFields(t *testing.T) {
	ok := strings.Repeat("{{goal}}", maxMergeCount)
	if _, bad := parseMerge(ok, "body", true); bad != nil {
		t.Fatal(bad)
	}
	parts, bad := parseMerge(ok+"\n{{goal}}", "body", true)
	if len(bad) != 1 || bad[0].Key != "error.merge_many" || bad[0].Line != 2 || len(parts) != 1 {
		t.Fatalf("%d parts, %v", len(parts), bad)
	}
}

// A value is put in once, as it is: what looks like a merge field, markup or a line break in it stays a value.
func TestSpliceOnce(t *testing.T) {
	parts, _ := parseMerge("Hi {{given_name|friend}}, {{given_name}}!", "body", true)
	as := func(s string) string { return s }
	for _, c := range []struct{ name, plain, html string }{
		{"June", "Hi June, June!", "Hi June, June!"},
		{"", "Hi friend, !", "Hi friend, !"},
		{"{{goal}}", "Hi {{goal}}, {{goal}}!", "Hi {{goal}}, {{goal}}!"},
		{`<b onload="x">&`, `Hi <b onload="x">&, <b onload="x">&!`, "Hi &lt;b onload=&#34;x&#34;&gt;&amp;, &lt;b onload=&#34;x&#34;&gt;&amp;!"},
	} {
		v := values{fieldGivenName: c.name, fieldGoal: "5000"}
		if got := splice(parts, v, as); got != c.plain {
			t.Errorf("plain: %q, want %q", got, c.plain)
		}
		if got := splice(parts, v, html.EscapeString); got != c.html {
			t.Errorf("HTML: %q, want %q", got, c.html)
		}
	}
}

func TestCalledBy(t *testing.T) {
	for in, want := range map[string]string{
		"June":                        "June",
		"  June \t Ann ":              "June Ann",
		"June\r\nBcc: x@example.org":  "June Bcc: x@example.org",
		"June\u2028Subject: x":        "June Subject: x",
		"\u202eenuJ":                  "enuJ",
		"win at https://evil.example": "",
		"WWW.evil.example":            "",
		strings.Repeat("é", 60):       strings.Repeat("é", 60),
		strings.Repeat("é", 61):       "",
		"a\x00b":                      "a b",
		"\xff":                        "",
	} {
		if got := calledBy(in); got != want {
			t.Errorf("calledBy(%q) = %q, want %q", in, got, want)
		}
	}
}

// A text made to be slow takes time in proportion to its length.
func TestParseMergeIsLinear(t *testing.T) {
	for _, unit := range []string{"{{", "{{a|", "{{goal}}", "\\{{", "{{\n", "}}{{"} {
		measure := func(n int) time.Duration {
			src := strings.Repeat(unit, n/len(unit))
			best := time.Hour
			for range 5 {
				start := time.Now()
				parseMerge(src, "body", true)
				best = min(best, time.Since(start))
			}
			return best
		}
		small, large := measure(MaxBody/8), measure(MaxBody)
		if large > 40*small+20*time.Millisecond {
			t.Errorf("%q: %v for eight times what took %v", unit, large, small)
		}
	}
}

func FuzzParseMerge(f *testing.F) {
	for _, s := range []string{"", "Hello {{given_name|friend}},\n", "{{", "}}", "{{{goal}}}", `\{{goal}}`, "{{goal|}}}}", "{{x\n}}", "{{a{{goal}}b}}", "\xff{{goal}}\x00"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, src string, markdown bool) {
		parts, bad := parseMerge(src, "body", markdown)
		lines := strings.Count(src, "\n") + 1
		for _, b := range bad {
			if b.Line < 1 || b.Line > lines || b.Key == "" || strings.Contains(b.Name, "\n") {
				t.Fatalf("problem %+v in %q", b, src)
			}
		}
		// What is taken apart can be put together again.
		words, fields := 0, 0
		rest := src
		for _, p := range parts {
			if p.field != "" {
				fields++
				at := strings.Index(rest, "{{")
				for at >= 0 && !strings.HasPrefix(strings.TrimLeft(rest[at+2:], " \t\v\f\r\u0085\u00a0"), p.field) {
					next := strings.Index(rest[at+1:], "{{")
					if next < 0 {
						break
					}
					at += 1 + next
				}
				if at < 0 {
					t.Fatalf("a field %q that is not in %q", p.field, src)
				}
				rest = rest[at:]
				_, rest, _ = strings.Cut(rest, "}}")
				continue
			}
			words += len(p.text)
			if !strings.Contains(src, p.text) {
				t.Fatalf("words %q that are not in %q", p.text, src)
			}
		}
		if words > len(src) || fields > maxMergeCount {
			t.Fatalf("%d bytes of words and %d fields from %d bytes", words, fields, len(src))
		}
		if len(bad) == 0 && !strings.Contains(src, "{{") && words != len(src) {
			t.Fatalf("words were lost of %q", src)
		}
		// A value never becomes a field.
		v := values{}
		for _, name := range Fields {
			v[name] = "{{goal}}"
		}
		got := splice(parts, v, func(s string) string { return s })
		if fields > 0 && strings.Count(got, "{{goal}}") < fields {
			t.Fatalf("a value was interpreted: %q", got)
		}
	})
}
