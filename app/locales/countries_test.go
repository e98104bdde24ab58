package locales

import (
	"slices"
	"testing"

	"golang.org/x/text/language"
	"golang.org/x/text/language/display"
)

// TestCountriesAreThoseOfCLDR holds the list against golang.org/x/text, whose tables of every language the program does not carry.
func TestCountriesAreThoseOfCLDR(t *testing.T) {
	for _, lang := range Languages {
		namer := display.Regions(language.Make(lang))
		want := []Country{}
		for a := 'A'; a <= 'Z'; a++ {
			for b := 'A'; b <= 'Z'; b++ {
				code := string(a) + string(b)
				r, err := language.ParseRegion(code)
				if err != nil || !r.IsCountry() || r.Canonicalize() != r || r.String() != code || code == "ZZ" {
					continue
				}
				if name := namer.Name(r); name != "" {
					want = append(want, Country{code, name})
				}
			}
		}
		if got := Countries(lang); !slices.Equal(got, want) {
			t.Errorf("%s:\n got %v\nwant %v", lang, got, want)
		}
	}
	if got := Countries("xx")[0]; got != Countries("en")[0] {
		t.Errorf("a language that is not spoken: %v", got)
	}
}
