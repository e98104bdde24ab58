// Package locales holds every word that Kithline shows, in flat files named <feature>.<language>.json:
//
//	{"petition.sign": "Sign the petition",
//	 "petition.signed": {"one": "{{.Count}} person has signed", "other": "{{.Count}} people have signed"}}
//
// A feature adds its own two files, English and Spanish, with the same keys. Words are plain, kind and neutral about
// health; reading grade 8 or below.
package locales

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/nicksnyder/go-i18n/v2/i18n"
	"github.com/nicksnyder/go-i18n/v2/i18n/template"
	"golang.org/x/text/language"
)

//go:embed *.json
var files embed.FS

// Languages are the languages that Kithline speaks. The first is used where a reader's own is not among them.
var Languages = []string{"en", "es"}

// Bundle is the loaded words. It is safe for concurrent use.
type Bundle struct {
	localizers map[string]*i18n.Localizer
	keys       map[string]map[string]bool // language, key
}

// Load reads the embedded files. It returns an error for a file that is not JSON or a language that Kithline does not
// speak.
func Load() (*Bundle, error) { return LoadFS(files) }

// LoadFS is Load from other files; for tests.
func LoadFS(dir fs.FS) (*Bundle, error) {
	src := i18n.NewBundle(language.MustParse(Languages[0]))
	src.RegisterUnmarshalFunc("json", json.Unmarshal)
	b := &Bundle{localizers: map[string]*i18n.Localizer{}, keys: map[string]map[string]bool{}}
	for _, l := range Languages {
		b.localizers[l], b.keys[l] = i18n.NewLocalizer(src, l), map[string]bool{}
	}
	names, err := fs.Glob(dir, "*.json")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		parts := strings.Split(name, ".")
		if len(parts) != 3 || !slices.Contains(Languages, parts[1]) {
			return nil, fmt.Errorf("locales: %s: a file is named <feature>.<language>.json, language one of %v", name, Languages)
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		file, err := src.ParseMessageFileBytes(text, name)
		if err != nil {
			return nil, fmt.Errorf("locales: %s: %w", name, err)
		}
		for _, m := range file.Messages {
			b.keys[parts[1]][m.ID] = true
		}
	}
	return b, nil
}

// Has reports whether a language has a key.
func (b *Bundle) Has(lang, key string) bool { return b.keys[lang][key] }

// Keys lists the keys of a language, sorted.
func (b *Bundle) Keys(lang string) []string {
	out := make([]string, 0, len(b.keys[lang]))
	for k := range b.keys[lang] {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Text returns the words of a key. data fills the message; count, where not nil, chooses the plural form and must be an
// integer. The error says that the key is missing, or that the message asks for something that data does not hold.
func (b *Bundle) Text(lang, key string, data map[string]any, count any) (string, error) {
	l := b.localizers[lang]
	if l == nil || !b.keys[lang][key] {
		return "", fmt.Errorf("locales: %s: no key %q", lang, key)
	}
	c := i18n.LocalizeConfig{MessageID: key, TemplateData: data, PluralCount: count, TemplateParser: strict}
	s, err := l.Localize(&c)
	if err != nil && count != nil { // Spanish has a form of its own for a million: "other" serves
		c.PluralCount = nil
		return l.Localize(&c)
	}
	return s, err
}

var strict = &template.TextParser{Option: "missingkey=error"}
