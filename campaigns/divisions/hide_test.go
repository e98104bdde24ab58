package divisions_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"kithline/campaigns/divisions"
)

// published is what everybody sees of some counts: which are shown and how large, and the sum of the rest.
func published(counts []int) (seen string, hidden []int) {
	var b strings.Builder
	sum := 0
	for i, x := range divisions.Hide(counts) {
		if x.Hidden {
			hidden = append(hidden, i)
			sum += counts[i]
			b.WriteString("- ")
			continue
		}
		fmt.Fprintf(&b, "%d ", x.N)
	}
	fmt.Fprintf(&b, "rest %d", sum)
	return b.String(), hidden
}

// Every list of up to four counts from 0 to 13 is published. Whoever knows the rules, sees what is shown and knows the sum of what
// is not, groups the lists that look the same: in no group has a hidden count only one value, but for that of nobody, and for
// lists in which nothing is left to hide it behind.
func TestNoHiddenCountCanBeReckoned(t *testing.T) {
	const top = 14
	for n := 2; n <= 4; n++ {
		looks := map[string][]map[int]bool{} // by what is seen: for each place, the values it can have
		example := map[string][]int{}
		counts := make([]int, n)
		for {
			seen, _ := published(counts)
			if looks[seen] == nil {
				looks[seen] = make([]map[int]bool, n)
				example[seen] = append([]int(nil), counts...)
			}
			for i, c := range counts {
				if looks[seen][i] == nil {
					looks[seen][i] = map[int]bool{}
				}
				looks[seen][i][c] = true
			}
			i := 0
			for ; i < n; i++ {
				if counts[i]++; counts[i] < top {
					break
				}
				counts[i] = 0
			}
			if i == n {
				break
			}
		}
		tried := 0
		for seen, values := range looks {
			one := example[seen]
			_, hidden := published(one)
			for _, i := range hidden {
				tried++
				if len(values[i]) == 1 && one[i] != 0 && len(hidden) < n {
					t.Errorf("%v is published as %q: the count in place %d can only be %d", one, seen, i, one[i])
				}
			}
		}
		if tried < n*10 {
			t.Fatalf("%d hidden counts tried", tried)
		}
	}
}

// Of long lists by chance: nothing below Least is shown, and never is one alone hidden while others are shown.
func TestHideOfManyCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 9))
	for range 5000 {
		counts := make([]int, 2+r.IntN(60))
		for i := range counts {
			counts[i] = r.IntN(1 + r.IntN(200))
		}
		hidden := 0
		for i, x := range divisions.Hide(counts) {
			switch {
			case x.Hidden:
				hidden++
			case x.N < divisions.Least || x.N != counts[i]:
				t.Fatalf("%v: %d of %d is shown", counts, x.N, counts[i])
			}
		}
		if hidden == 1 {
			t.Fatalf("%v: one alone is hidden", counts)
		}
	}
}
