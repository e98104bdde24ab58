package views

import (
	"errors"
	"html/template"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// Every template parses, and html/template can tell every context in it: that is found out at the first use of a page, so
// each is used here. What it says about the missing data is of no interest.
func TestEveryPageParses(t *testing.T) {
	s, err := Parse()
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Names()) < 3 {
		t.Fatalf("only %v", s.Names())
	}
	for _, name := range s.Names() {
		var wrong *template.Error
		if err := s.Execute(io.Discard, name, nil); errors.As(err, &wrong) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Nothing is inline in any template: the content security policy would block it.
func TestNothingIsInline(t *testing.T) {
	inline := regexp.MustCompile(`(?i)\sstyle\s*=|<style|\son[a-z]+\s*=|hx-on|javascript:|<script(?:>|\s[^>]*>[^<])|\ssrc\s*=\s*["']?(?:https?:)?//`)
	err := fs.WalkDir(os.DirFS("."), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".html") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if m := inline.FindString(string(b)); m != "" {
			t.Errorf("%s holds %q", path, m)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestWrongTemplatesStopTheStart(t *testing.T) {
	layout := &fstest.MapFile{Data: []byte(`{{template "main" .}}`)}
	for name, c := range map[string]struct{ page, want string }{
		"syntax":    {`{{define "main"}}{{if}}{{end}}`, "public/x.html"},
		"function":  {`{{define "main"}}{{nothing}}{{end}}`, "public/x.html"},
		"no main":   {`{{define "head"}}{{end}}`, `does not define "main"`},
		"no layout": {`{{define "main"}}{{end}}{{define "layout"}}none{{end}}`, `no layout "none"`},
	} {
		_, err := ParseFS(fstest.MapFS{"layouts/public.html": layout, "public/x.html": {Data: []byte(c.page)}})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s, err := ParseFS(fstest.MapFS{
		"layouts/public.html": layout, "layouts/plain.html": {Data: []byte(`plain {{template "main" .}}`)},
		"public/a/x.html": {Data: []byte(`{{define "main"}}x{{end}}`)},
		"public/a/y.html": {Data: []byte(`{{define "main"}}y{{template "more" .}}{{end}}{{define "layout"}} plain {{end}}{{define "more"}}!{{end}}`)},
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"public/a/x": "x", "public/a/y": "plain y!"} {
		var b strings.Builder
		if err := s.Execute(&b, name, nil); err != nil || b.String() != want {
			t.Errorf("%s: %q %v", name, b.String(), err)
		}
	}
	var b strings.Builder
	if err := s.Part(&b, "public/a/y", "more", nil); err != nil || b.String() != "!" {
		t.Errorf("%q %v", b.String(), err)
	}
	if err := s.Execute(io.Discard, "public/none", nil); err == nil || s.Has("public/none") {
		t.Error("a page that is not there is shown")
	}
}

// plainWords translates a key to itself.
type plainWords map[string]string

func (plainWords) T(key string, _ ...any) string { return key }
func (w plainWords) Error(name string) string    { return w[name] }

func TestFieldOptions(t *testing.T) {
	f, err := field(plainWords{"n": "wrong"}, "n", "k.label", 5, "type", "number", "min", 1, "max", "9", "hint_text", "h", "data-x", `a"b<c`,
		"readonly", true, "multiple", false, "aria-live", "polite")
	if err != nil {
		t.Fatal(err)
	}
	if f.Value != "5" || f.Describedby != "n-hint n-error" || !f.Required ||
		f.Attrs != `min="1" max="9" data-x="a&#34;b&lt;c" readonly aria-live="polite"` {
		t.Errorf("%+v", f)
	}
	if f, _ = field(plainWords{}, "n", "k.label", nil, "optional", true); f.Required || !f.Optional || f.Value != "" {
		t.Errorf("%+v", f)
	}
	for _, bad := range [][]any{
		{"tpye", "x"}, {"type"}, {"rows", "3"}, {7, "x"}, {"onclick", "x"}, {"style", "x"}, {`data-x" onclick`, "x"}, {"label_text", ""},
	} {
		if _, err := field(plainWords{}, "n", "k.label", "", bad...); err == nil {
			t.Errorf("%v is taken", bad)
		}
	}
}

func TestChoices(t *testing.T) {
	opts := []Option{{Value: "a", Label: "A"}, {Value: "b", Label: "B"}}
	one, err := choices(plainWords{}, "x", "k.label", "b", opts)
	if err != nil || one.Options[0].ID != "x" || one.Options[1].ID != "x-b" || one.Options[0].Checked || !one.Options[1].Checked ||
		one.Options[0].Type != "radio" {
		t.Errorf("%+v %v", one, err)
	}
	many, err := choices(plainWords{}, "x", "k.label", []string{"a", "b"}, opts)
	if err != nil || !many.Options[0].Checked || !many.Options[1].Checked || many.Options[1].Type != "checkbox" {
		t.Errorf("%+v %v", many, err)
	}
	if opts[1].Checked || opts[0].ID != "" {
		t.Error("the caller's options were changed")
	}
	sel, err := selectbox(plainWords{}, "x", "k.label", "a", opts)
	if err != nil || !sel.Options[0].Checked || sel.Options[1].Checked {
		t.Errorf("%+v %v", sel, err)
	}
	if _, err := options(plainWords{}, "a"); err == nil {
		t.Error("an option without a label is taken")
	}
}

func TestBars(t *testing.T) {
	for top, want := range map[int64]int64{0: 4, 3: 4, 4: 4, 5: 8, 9: 12, 231: 300, 104: 200, 999: 1000, 1000: 1000, 5001: 6000} {
		b := Bars{Rows: []BarRow{{Values: []int64{top}}}}
		if got := b.Top(); got != want {
			t.Errorf("top of %d: %d, want %d", top, got, want)
		}
		if b.Top()%4 != 0 {
			t.Errorf("%d has no four equal parts", b.Top())
		}
	}
	b := Bars{Rows: []BarRow{
		{Label: "1", Values: []int64{50, 50}},
		{Label: "2", Values: []int64{0}},
		{Label: "3", Values: []int64{-5}},
		{Label: "4"},
		{Label: "5", Values: []int64{100}},
	}}
	got := b.Rects()
	want := []Rect{{"bar", "1.5", "50.0", "7", "50.0"}, {"bar2", "1.5", "0.0", "7", "50.0"}, {"bar", "41.5", "0.0", "7", "100.0"}}
	if len(got) != 3 || got[0] != want[0] || got[1] != want[1] || got[2] != want[2] {
		t.Errorf("%v", got)
	}
	if l := strings.Join(b.Labels(), " "); l != "1 2 3 5" {
		t.Errorf("labels %s", l)
	}
	if l := (Bars{}).Labels(); len(l) != 0 || (Bars{}).ViewBox() != "0 0 10 100" {
		t.Errorf("no rows: %v", l)
	}
}

func TestHelpersRefuseWrongValues(t *testing.T) {
	if _, err := effort(plainWords{}, 5, 6); err == nil {
		t.Error("energy 6 is taken")
	}
	if _, err := newProgress("x", 1, ""); err == nil {
		t.Error("a word is a number")
	}
	for _, c := range []struct{ v, m, wantV, wantM int }{{3, 10, 3, 10}, {12, 10, 10, 10}, {0, 0, 0, 1}} {
		if p, err := newProgress(c.v, int64(c.m), ""); err != nil || p.Value != c.wantV || p.Max != c.wantM {
			t.Errorf("%+v: %+v %v", c, p, err)
		}
	}
	if w, err := hbar(20, 10); err != nil || w != "100.0" {
		t.Errorf("%s %v", w, err)
	}
}
