package supporters

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// folds are letters that no accent was taken from, and that people type without their shape all the same.
var folds = strings.NewReplacer("ß", "ss", "ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ı", "i", "ħ", "h")

// fold writes a name the way names are compared for searching: in small letters, without accents and apostrophes, with one
// space between words. Hyphens part words.
func fold(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= 0x80 {
			ascii = false
			break
		}
	}
	if !ascii {
		s = norm.NFD.String(s)
	}
	var b strings.Builder
	b.Grow(len(s))
	space := false
	for _, r := range s {
		switch {
		case r == '\'' || r == '’' || r == '‘' || r == '`' || r == '´' || r == '.' || unicode.Is(unicode.Mn, r):
			continue
		case r == '-' || r == '‐' || r == '‑' || r == '–' || unicode.IsSpace(r) || unicode.IsControl(r):
			space = b.Len() > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			space = false
		}
		b.WriteRune(unicode.ToLower(r))
	}
	if ascii {
		return b.String()
	}
	return folds.Replace(b.String())
}

// Fold writes a name the way names are compared: two spellings of one name give the same text. It is for telling whether two
// records may be one person, never for showing or storing.
func Fold(s string) string { return fold(s) }
