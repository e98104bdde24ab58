package mailings

import (
	"embed"
	"slices"
	"strings"
	"unicode"

	"kithline/models"
)

// A subject is neutral when whoever sees it on a locked screen learns nothing about anybody's health. The program knows a list of
// words for each language, healthwords/*.txt, and an organisation adds its own. A word list cannot understand a sentence: it finds
// what is on it, and the page shows the locked screen so that a person looks too.

//go:embed healthwords/*.txt
var healthFiles embed.FS

// healthWord is a word or several, in lower case without accents; prefix says that any ending fits.
type healthWord struct {
	words  []string
	prefix bool
}

var healthWords = readHealthWords()

func readHealthWords() map[string][]healthWord {
	out := map[string][]healthWord{}
	list, err := healthFiles.ReadDir("healthwords")
	if err != nil {
		panic(err) // part of the program
	}
	for _, f := range list {
		b, err := healthFiles.ReadFile("healthwords/" + f.Name())
		if err != nil {
			panic(err)
		}
		out[strings.TrimSuffix(f.Name(), ".txt")] = parseHealthWords(string(b))
	}
	return out
}

// parseHealthWords reads a list: a word or several a line, a star for any ending, # for remarks.
func parseHealthWords(list string) (out []healthWord) {
	for l := range strings.Lines(list) {
		if l = strings.TrimSpace(l); l == "" || strings.HasPrefix(l, "#") {
			continue
		}
		bare := strings.TrimSuffix(l, "*")
		if words := wordsOf(bare); len(words) > 0 {
			out = append(out, healthWord{words, bare != l})
		}
	}
	return out
}

// wordsOf are the words of a text in lower case without accents.
func wordsOf(s string) []string {
	return strings.FieldsFunc(plainName(s), func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}

// healthIn returns the words of a text that say something about health, as the lists of its language, of English and of the
// organisation have them; each once.
func healthIn(text, lang string, org models.Organisation) []string {
	words := wordsOf(text)
	lists := [][]healthWord{parseHealthWords(org.HealthWords), healthWords["en"]}
	if l, _, _ := strings.Cut(lang, "-"); l != "en" {
		lists = append(lists, healthWords[l])
	}
	var out []string
	for _, list := range lists {
		for _, h := range list {
			for i := 0; i+len(h.words) <= len(words); i++ {
				if !h.at(words[i:]) {
					continue
				}
				if found := strings.Join(words[i:i+len(h.words)], " "); !slices.Contains(out, found) {
					out = append(out, found)
				}
			}
		}
	}
	return out
}

// at reports whether a text begins with the word.
func (h healthWord) at(words []string) bool {
	last := len(h.words) - 1
	for i, w := range h.words {
		if i == last && h.prefix && strings.HasPrefix(words[i], w) {
			continue
		}
		if words[i] != w {
			return false
		}
	}
	return true
}
