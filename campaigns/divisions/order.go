package divisions

import (
	"cmp"
	"slices"
	"strings"

	"kithline/models"
)

// compare orders divisions by kind, then by their ids with numbers as numbers: cd:2 comes before cd:10.
func compare(a, b models.Division) int {
	if a.Kind != b.Kind {
		return cmp.Or(cmp.Compare(rank(a.Kind), rank(b.Kind)), strings.Compare(string(a.Kind), string(b.Kind)))
	}
	return natural(a.OCDID, b.OCDID)
}

func rank(k models.DivisionKind) int {
	if i := slices.Index(Kinds, k); i >= 0 {
		return i
	}
	return len(Kinds)
}

// CompareIDs orders ids of divisions with the numbers in them as numbers.
func CompareIDs(a, b string) int { return natural(a, b) }

// natural compares texts with the numbers in them as numbers.
func natural(a, b string) int {
	for a != "" && b != "" {
		x, y := run(a), run(b)
		if isDigit(a[0]) && isDigit(b[0]) {
			n, m := strings.TrimLeft(a[:x], "0"), strings.TrimLeft(b[:y], "0")
			if c := cmp.Or(cmp.Compare(len(n), len(m)), strings.Compare(n, m), cmp.Compare(x, y)); c != 0 {
				return c
			}
		} else if c := strings.Compare(a[:x], b[:y]); c != 0 {
			return c
		}
		a, b = a[x:], b[y:]
	}
	return cmp.Compare(len(a), len(b))
}

// run is how long the digits, or the other characters, at the front of a text are.
func run(s string) int {
	i := 1
	for i < len(s) && isDigit(s[i]) == isDigit(s[0]) {
		i++
	}
	return i
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
