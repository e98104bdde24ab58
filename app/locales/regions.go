package locales

import (
	_ "embed"
	"slices"
	"strings"
)

// Region is a state, or what has its place, and its name in one language.
type Region struct {
	Code string // as rows of divisions have it: NC, DC, PR
	Name string
}

// Each line: a country's code, the region's, then its name in every language of Languages, between tabs.
//
//go:embed regions.txt
var regionLines string

// Regions are the states of a country that are known by name, in the order of their names, in a language that Kithline speaks; in the
// first where it does not.
func Regions(lang, country string) []Region {
	column := max(slices.Index(Languages, lang), 0) + 2
	out := []Region{}
	for line := range strings.Lines(regionLines) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); cells[0] == country {
			out = append(out, Region{cells[1], cells[column]})
		}
	}
	slices.SortFunc(out, func(a, b Region) int { return strings.Compare(a.Name, b.Name) })
	return out
}
