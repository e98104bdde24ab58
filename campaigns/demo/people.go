package demo

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
	"unicode"

	"golang.org/x/text/unicode/norm"

	"kithline/models"
)

// person signs the petition.
type person struct {
	given, family string
	email         string
	postal        string
	locale        string
	source        string
	display       models.Display
	updates       bool
	comment       *comment
	pending       bool // has not confirmed yet
}

// shares of a hundred people.
const (
	showName     = 46
	showInitials = 30 // the rest is anonymous
	wantUpdates  = 70
	spanish      = 9
	private      = 12 // of those who do not show their name
)

// crowd makes n people, each with an address of their own.
func (w World) crowd(rnd *rand.Rand, n int) []*person {
	used := make(map[string]int, n)
	out := make([]*person, n)
	for i := range out {
		p := &person{given: pick(rnd, w.names.Given), family: pick(rnd, w.names.Family), locale: "en", display: models.DisplayAnonymous}
		switch x := rnd.IntN(100); {
		case x < showName:
			p.display = models.DisplayName
		case x < showName+showInitials:
			p.display = models.DisplayInitials
		}
		if p.display != models.DisplayName && rnd.IntN(100) < private {
			p.family = pick(rnd, w.names.Private)
		}
		if rnd.IntN(100) < spanish {
			p.locale = "es"
		}
		p.updates = rnd.IntN(100) < wantUpdates
		p.postal = fmt.Sprintf("%05d", postal(rnd))
		p.source = w.source(rnd)
		local := plain(p.given) + "." + plain(p.family)
		used[local]++
		if k := used[local]; k > 1 {
			local += fmt.Sprint(k)
		}
		p.email = local + "@example.org"
		out[i] = p
	}
	return out
}

func pick(rnd *rand.Rand, list []string) string { return list[rnd.IntN(len(list))] }

// postal returns a postcode of the invented state, 00011 to 00215: more people live in the towns of the three chapters.
func postal(rnd *rand.Rand) int {
	towns := [][2]int{{11, 24}, {115, 134}, {198, 215}}
	if x := rnd.IntN(10); x < 7 {
		t := towns[x%3]
		return t[0] + rnd.IntN(t[1]-t[0]+1)
	}
	return 11 + rnd.IntN(205)
}

func (w World) source(rnd *rand.Rand) string {
	total := 0
	for _, s := range w.story.Sources {
		total += s.Share
	}
	x := rnd.IntN(total)
	for _, s := range w.story.Sources {
		if x -= s.Share; x < 0 {
			return s.Code
		}
	}
	return ""
}

// plain is a name as it stands in an address.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' {
			return r
		}
		return -1
	}, strings.ToLower(norm.NFKD.String(strings.Map(func(r rune) rune {
		switch unicode.ToLower(r) {
		case 'ø':
			return 'o'
		case 'ł':
			return 'l'
		}
		return r
	}, name))))
}

// weights says how the signatures of six weeks fall on their days: a start, weekends, the day of the mailing, a long tail,
// and no day like the other.
func weights(rnd *rand.Rand, days, mailing int, first time.Weekday) []float64 {
	out := make([]float64, days)
	for d := range out {
		v := 44.0
		if d < 12 {
			v += 150 / (1 + float64(d)*0.8)
		}
		if since := d - mailing; since >= 0 && since < 7 {
			v += []float64{190, 150, 92, 61, 33, 19, 9}[since]
		}
		switch (first + time.Weekday(d)) % 7 {
		case time.Saturday:
			v *= 0.72
		case time.Sunday:
			v *= 0.8
		}
		out[d] = v * (0.78 + 0.44*rnd.Float64())
	}
	return out
}

// share divides n by weights, to the last one.
func share(n int, weights []float64) []int {
	total := 0.0
	for _, v := range weights {
		total += v
	}
	out := make([]int, len(weights))
	sum, given := 0.0, 0
	for i, v := range weights {
		sum += v
		upTo := int(float64(n)*sum/total + 0.5)
		out[i], given = upTo-given, upTo
	}
	out[len(out)-1] += n - given
	return out
}
