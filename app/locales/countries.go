package locales

import (
	_ "embed"
	"slices"
	"strings"
)

// Country is a country and its name in one language.
type Country struct {
	Code string // ISO 3166-1 alpha-2
	Name string
}

// Each line: a code, then its name in every language of Languages, between tabs. The names are those of Unicode CLDR.
//
//go:embed countries.txt
var countryLines string

// Countries are the countries in the order of their codes, named in a language that Kithline speaks; in the first where it does not.
func Countries(lang string) []Country {
	column := max(slices.Index(Languages, lang), 0) + 1
	out := []Country{}
	for line := range strings.Lines(countryLines) {
		cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		out = append(out, Country{cells[0], cells[column]})
	}
	return out
}
