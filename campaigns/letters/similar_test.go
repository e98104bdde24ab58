package letters

import (
	"math/rand/v2"
	"strings"
	"testing"
)

const visit = `My plan stopped after six visits. I had just begun to lift my arm again. With a video visit I would not lose a whole day
to the drive, and my daughter would not have to miss work to take me there. I am asking you to think of people like us.`

// equal counts the bands in which two texts agree.
func equal(s sketcher, a, b string) int {
	n := 0
	x, y := s.bands(a), s.bands(b)
	for i := range x {
		if len(y) == len(x) && x[i] == y[i] {
			n++
		}
	}
	return n
}

// What counts as nearly the same: a copy with another name and greeting, other punctuation, capitals and accents; not the same thought
// in other words, nor two letters that share a sentence.
func TestNearlyTheSame(t *testing.T) {
	s := newSketcher([]byte("a key of thirty-two bytes or so."))
	copies := map[string]string{
		"itself":        visit,
		"a greeting":    "Hello, my name is Cal Whitfield and I live in Tamarack Valley. " + visit + " Thank you, Cal",
		"punctuation":   strings.NewReplacer(".", " !", ",", ";", "\n", "  ").Replace(strings.ToUpper(visit)),
		"marks":         strings.NewReplacer("a", "á", "e", "é").Replace(visit),
		"a word or two": strings.NewReplacer("six", "seven", "daughter", "son").Replace(visit),
	}
	for name, text := range copies {
		if n := equal(s, visit, text); n < bandsAlike {
			t.Errorf("%s: %d bands of %d agree, so it is not held", name, n, sketchBands)
		}
	}
	others := map[string]string{
		"other words": `After the sixth appointment my insurance would not pay any more, just when my shoulder was getting better. Being seen over video
			would save me the long road, and my girl could keep her shift. Please remember families such as ours when you vote.`,
		"one sentence": `With a video visit I would not lose a whole day to the drive. I teach third grade in Harrow Bay, and every appointment means a
			substitute for the children. Twenty covered visits would let me plan a school year for once, and that is all I want.`,
	}
	for name, text := range others {
		if n := equal(s, visit, text); n >= bandsAlike {
			t.Errorf("%s: %d bands of %d agree, so it is held", name, n, sketchBands)
		}
	}
	if s.bands("Please help us. Twenty visits would change my life.") != nil {
		t.Error("a short text has a sketch")
	}
	if equal(s, visit, visit) != sketchBands || equal(newSketcher([]byte("another key of thirty-two bytes.")), visit, visit) != sketchBands {
		t.Error("a text is not like itself")
	}
	if a, b := s.bands(visit), newSketcher([]byte("another key of thirty-two bytes.")).bands(visit); a[0] == b[0] {
		t.Error("the key makes no difference")
	}
}

// How often texts are taken for copies, by the part of their shingles that they share: hardly ever under a half, almost always over
// four fifths.
func TestWhereTheLineIs(t *testing.T) {
	s := newSketcher([]byte("a key of thirty-two bytes or so."))
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // a test that comes out the same each time
	word := func() string {
		return string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26))) + string(rune('a'+r.IntN(26)))
	}
	rate := func(changed int) (held float64) {
		const times = 200
		for range times {
			a := make([]string, 150)
			for i := range a {
				a[i] = word()
			}
			b := append([]string{}, a...)
			for i := range changed { // a run of new words at the end
				b[len(b)-1-i] = word()
			}
			if equal(s, strings.Join(a, " "), strings.Join(b, " ")) >= bandsAlike {
				held++
			}
		}
		return held / times
	}
	// Of 148 shingles, 150-n-2 are kept: J = kept / (296 - kept).
	for _, c := range []struct {
		changed  int
		from, to float64
	}{{0, 1, 1}, {13, 0.9, 1}, {50, 0, 0.1}, {75, 0, 0.02}} {
		if got := rate(c.changed); got < c.from || got > c.to {
			t.Errorf("%d of 150 words changed: %.3f are held, want %v to %v", c.changed, got, c.from, c.to)
		}
	}
}
