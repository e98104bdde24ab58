package letters

import (
	"strings"
	"unicode"
)

// WordCount counts words: what stands between spaces and has a letter or a digit. The page's script counts the same way.
func WordCount(text string) int {
	n := 0
	for _, w := range strings.Fields(text) {
		if strings.ContainsFunc(w, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
			n++
		}
	}
	return n
}

// Meter says how much of a letter is its writer's own. The reader of it is the writer: no office is told.
type Meter struct {
	Own   int // words
	Given int // words of the organisation: the opening, the ticked points, the ask
}

// Share is the part of the letter that is the writer's own, in percent.
func (m Meter) Share() int {
	if m.Own == 0 {
		return 0
	}
	return (100*m.Own + (m.Own+m.Given)/2) / (m.Own + m.Given)
}

// measure counts a letter. Salutation, sign-off, name and address are nobody's words.
func measure(c Campaign, w Words) Meter {
	m := Meter{Own: WordCount(w.Own), Given: WordCount(c.Opening) + WordCount(c.Ask)}
	for _, id := range w.Points {
		for _, p := range c.Points {
			if p.ID == id {
				m.Given += WordCount(p.Body)
			}
		}
	}
	return m
}
