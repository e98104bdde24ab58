package petitions

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// crisisPhrases are words by which people speak of harming themselves or of not wanting to live, in English and Spanish,
// without accents. They put a comment first in the queue, where somebody reads it; nothing else follows from them, so
// rather one too many. A phrase that ends in * matches every word that begins so.
var crisisPhrases = []string{
	"suicid*", "kill myself", "killing myself", "kill me", "end my life", "ending my life", "end it all", "take my own life", "taking my own life",
	"want to die", "wanna die", "wish i was dead", "wish i were dead", "better off dead", "better off without me", "no reason to live",
	"nothing to live for", "dont want to live", "do not want to live", "cant go on", "cannot go on", "dont want to be here anymore",
	"self harm*", "selfharm*", "hurt myself", "hurting myself", "harm myself", "cut myself", "cutting myself", "overdos*", "goodbye forever",

	"matarme", "me mato", "me mate", "quitarme la vida", "quitar la vida", "acabar con mi vida", "acabar con todo", "terminar con mi vida",
	"terminar con todo", "quiero morir*", "quisiera morir*", "ganas de morir*", "mejor muert*", "estaria mejor sin mi", "estarian mejor sin mi",
	"no quiero vivir", "no quiero seguir viviendo", "sin ganas de vivir", "ya no puedo mas", "no aguanto mas", "hacerme dano", "autolesi*",
	"cortarme", "lastimarme", "sobredosis",
}

// crisisWords reports whether a text has one of crisisPhrases.
func crisisWords(text string) bool {
	plain := " " + strings.Join(strings.FieldsFunc(strings.Map(func(r rune) rune {
		switch {
		case unicode.Is(unicode.Mn, r), r == '\'', r == '’':
			return -1
		case unicode.IsLetter(r):
			return unicode.ToLower(r)
		}
		return ' '
	}, norm.NFKD.String(text)), unicode.IsSpace), " ") + " "
	for _, p := range crisisPhrases {
		p, begins := strings.CutSuffix(p, "*")
		if !begins {
			p += " "
		}
		if strings.Contains(plain, " "+p) {
			return true
		}
	}
	return false
}
