package letters

import (
	"strings"
	"unicode"
)

// Piece is a stretch of a text. Own says that the text beside it does not have it.
type Piece struct {
	Text string
	Own  bool
}

// comparedMost is how many words of each text are compared; what comes after them is shown as it is.
const comparedMost = 1500

// compared puts two texts side by side: the pieces of each, with what the other does not have marked. Words are the same without regard
// to capitals and punctuation. Without a second text nothing is marked.
func compared(a, b string) (first, second []Piece) {
	switch {
	case a == "" && b == "":
		return nil, nil
	case b == "":
		return []Piece{{Text: a}}, nil
	case a == "":
		return nil, []Piece{{Text: b}}
	}
	x, restX := splitWords(a)
	y, restY := splitWords(b)
	// The length of the longest common row of words of what is left of both, from each place on.
	long := make([][]uint16, len(x)+1)
	for i := range long {
		long[i] = make([]uint16, len(y)+1)
	}
	keyX, keyY := keysOf(x), keysOf(y)
	for i := len(x) - 1; i >= 0; i-- {
		for j := len(y) - 1; j >= 0; j-- {
			if keyX[i] == keyY[j] {
				long[i][j] = long[i+1][j+1] + 1
			} else {
				long[i][j] = max(long[i+1][j], long[i][j+1])
			}
		}
	}
	i, j := 0, 0
	for i < len(x) && j < len(y) {
		switch {
		case keyX[i] == keyY[j]:
			first, second = put(first, x[i], false), put(second, y[j], false)
			i, j = i+1, j+1
		case long[i+1][j] >= long[i][j+1]:
			first, i = put(first, x[i], true), i+1
		default:
			second, j = put(second, y[j], true), j+1
		}
	}
	for ; i < len(x); i++ {
		first = put(first, x[i], true)
	}
	for ; j < len(y); j++ {
		second = put(second, y[j], true)
	}
	return put(first, restX, false), put(second, restY, false)
}

// put adds a word to pieces, to the last one where it is of the same kind.
func put(to []Piece, word string, own bool) []Piece {
	if word == "" {
		return to
	}
	if n := len(to); n > 0 && to[n-1].Own == own {
		to[n-1].Text += word
		return to
	}
	return append(to, Piece{word, own})
}

// splitWords cuts a text into words, each with the space behind it, and what is left after comparedMost of them.
func splitWords(s string) (words []string, rest string) {
	for s != "" {
		if len(words) == comparedMost {
			return words, s
		}
		end := strings.IndexFunc(s, unicode.IsSpace)
		if end < 0 {
			return append(words, s), ""
		}
		if next := strings.IndexFunc(s[end:], func(r rune) bool { return !unicode.IsSpace(r) }); next < 0 {
			end = len(s)
		} else {
			end += next
		}
		words, s = append(words, s[:end]), s[end:]
	}
	return words, ""
}

// keysOf are words as they are compared.
func keysOf(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToLower(strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsNumber(r) }))
	}
	return out
}
