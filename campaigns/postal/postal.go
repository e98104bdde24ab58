// Package postal writes postal areas the one way that rows, lists of divisions and files are compared by.
package postal

import "strings"

// Area is a postal code as it is kept, in clear: without what would name a house. A US ZIP+4 loses its last four
// digits, and gets back the zeros that a spreadsheet took from its front. country is ISO 3166-1 alpha-2 and may be empty.
func Area(country, code string) string {
	code = strings.ToUpper(strings.Join(strings.Fields(code), " "))
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	for _, between := range []string{"-", "–", " "} {
		if zip, four, ok := strings.Cut(code, between); ok && len(zip) == 5 && len(four) == 4 && digits(zip) && digits(four) {
			code = zip
		}
	}
	if country == "US" {
		if len(code) == 9 && digits(code) {
			code = code[:5]
		}
		if (len(code) == 3 || len(code) == 4) && digits(code) {
			code = "00"[:5-len(code)] + code
		}
	}
	return code
}
