package locales

import (
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// raw reads one language's files as they stand.
func raw(t *testing.T, lang string) map[string]any {
	t.Helper()
	names, err := fs.Glob(files, "*."+lang+".json")
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	for _, n := range names {
		b, err := files.ReadFile(n)
		if err != nil {
			t.Fatal(err)
		}
		one := map[string]any{}
		if err := json.Unmarshal(b, &one); err != nil {
			t.Fatalf("%s: %v", n, err)
		}
		for k, v := range one {
			if out[k] != nil {
				t.Errorf("%s: %q stands in another file too", n, k)
			}
			out[k] = v
		}
	}
	return out
}

func TestFilesLoad(t *testing.T) {
	if _, err := Load(); err != nil {
		t.Fatal(err)
	}
}

var value = regexp.MustCompile(`\{\{[^}]*\}\}`)

// Both languages have the same keys, with the same values in them, and the plural forms that they need.
func TestLanguagesAgree(t *testing.T) {
	en, es := raw(t, "en"), raw(t, "es")
	for k := range es {
		if en[k] == nil {
			t.Errorf("%q is in Spanish only", k)
		}
	}
	forms := func(lang, k string, v any) (values []string, plural bool) {
		switch x := v.(type) {
		case string:
			if strings.TrimSpace(x) == "" {
				t.Errorf("%s: %q is empty", lang, k)
			}
			values = value.FindAllString(x, -1)
		case map[string]any:
			plural = true
			for form, s := range x {
				if !slices.Contains([]string{"one", "other", "many", "description"}, form) {
					t.Errorf("%s: %q has the form %q", lang, k, form)
				}
				text, ok := s.(string)
				if !ok || strings.TrimSpace(text) == "" {
					t.Errorf("%s: %q: %q is not a text", lang, k, form)
				}
				if form == "other" {
					values = value.FindAllString(text, -1)
				}
			}
			if x["one"] == nil || x["other"] == nil {
				t.Errorf("%s: %q needs the forms one and other", lang, k)
			}
		default:
			t.Errorf("%s: %q is %T", lang, k, v)
		}
		for _, v := range values {
			if !regexp.MustCompile(`^\{\{\.[A-Z][A-Za-z]*\}\}$`).MatchString(v) {
				t.Errorf("%s: %q holds %s; a value is written {{.Name}}", lang, k, v)
			}
		}
		slices.Sort(values)
		return slices.Compact(values), plural
	}
	for k, v := range en {
		a, p := forms("en", k, v)
		if es[k] == nil {
			t.Errorf("%q is in English only", k)
			continue
		}
		b, q := forms("es", k, es[k])
		if !slices.Equal(a, b) || p != q {
			t.Errorf("%q holds %v in English (plural: %v), %v in Spanish (plural: %v)", k, a, p, b, q)
		}
	}
}

var used = regexp.MustCompile(`\.(?:T|HTML)\s+"([a-z0-9_.]+)"`)

// Every key that a template names with .T or .HTML, or gives to a helper, exists.
func TestKeysOfTemplatesExist(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	anyKey := regexp.MustCompile(`"([a-z][a-z0-9_]*\.[a-z0-9_]+(?:\.[a-z0-9_]+)*)"`)
	n := 0
	err = filepath.WalkDir("../views", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".html") {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, action := range value.FindAllString(string(b), -1) {
			for _, m := range used.FindAllStringSubmatch(action, -1) {
				n++
				if !words.Has("en", m[1]) {
					t.Errorf("%s: no words for %q", path, m[1])
				}
			}
			// Helpers take keys too: what looks like one of a feature we know is one.
			if strings.Contains(action, "template") {
				for _, m := range anyKey.FindAllStringSubmatch(action, -1) {
					feature, _, _ := strings.Cut(m[1], ".")
					if known(words, feature) && !words.Has("en", m[1]) {
						t.Errorf("%s: no words for %q", path, m[1])
					}
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n < 20 {
		t.Errorf("only %d uses were found: the search is wrong", n)
	}
}

func known(b *Bundle, feature string) bool {
	return slices.ContainsFunc(b.Keys("en"), func(k string) bool { return strings.HasPrefix(k, feature+".") })
}

// Every message key that code gives to a fault exists.
func TestKeysOfFaultsExist(t *testing.T) {
	words, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	key := regexp.MustCompile(`"(error\.[a-z0-9_]+)"`)
	missing := map[string]string{}
	for _, root := range []string{"../../app", "../../campaigns"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			b, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, m := range key.FindAllStringSubmatch(string(b), -1) {
				if !strings.HasSuffix(m[1], "_") && !words.Has("en", m[1]) { // "error.petition_" is the start of several
					missing[m[1]] = path
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for k, path := range missing {
		t.Errorf("%s: no words for %q", path, k)
	}
}

func TestLoadRefusesWrongFiles(t *testing.T) {
	for name, dir := range map[string]fstest.MapFS{
		"language": {"a.fr.json": {Data: []byte(`{}`)}}, "name": {"a.json": {Data: []byte(`{}`)}}, "json": {"a.en.json": {Data: []byte(`{`)}},
	} {
		if _, err := LoadFS(dir); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
}
