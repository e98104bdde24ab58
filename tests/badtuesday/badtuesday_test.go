package main

import (
	"slices"
	"strings"
	"testing"
)

// The promise about a bad morning, over 4 of them; `make bad-tuesday` plays 1,000. And what is looked at on each is noticed: where people
// agreed to less than the program knows, it breaks the promise.
func TestBadTuesday(t *testing.T) {
	g, err := newGround(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	t.Run("promise", func(t *testing.T) {
		seeds := 4
		if testing.Short() {
			seeds = 2
		}
		sum, err := mornings(t.Context(), g, 1, seeds, 2)
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range sum.violations {
			t.Error(v)
		}
		if sum.mornings != seeds || sum.released < seeds*letGo || sum.possible < 5*seeds {
			t.Errorf("nothing was tried: %d mornings, %d places let go, %d that could be filled", sum.mornings, sum.released, sum.possible)
		}
		if sum.share() < 0.9 {
			t.Errorf("%d of %d places were filled: %.1f %%", sum.done, sum.possible, 100*sum.share())
		}
		if sum.done > sum.possible || sum.possible > sum.anybody || sum.anybodyFilled > sum.filled || sum.filled > sum.released {
			t.Errorf("more was done than could be: %+v", sum.result)
		}
	})
	t.Run("noticed", func(t *testing.T) {
		d, end, err := begin(t.Context(), g, 7)
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := end(); err != nil {
				t.Error(err)
			}
		}()
		for i := range d.people {
			p := &d.people[i]
			switch i % 3 {
			case 0:
				p.askFrom = 24 * 60
			case 1:
				p.plan.Weekly = 1
			case 2:
				p.byPhone = true
			}
		}
		for i := range d.shifts {
			d.shifts[i].Minimum++
		}
		if err := d.play(); err != nil {
			t.Fatal(err)
		}
		all := strings.Join(d.res.violations, "\n")
		for _, what := range []string{"outside of the hours", "more than they planned", "is asked by mail", "does not stand on the phone list"} {
			if !strings.Contains(all, what) {
				t.Errorf("nobody noticed: %s", what)
			}
		}
	})
}

// Everybody takes one place at most, and as many are filled as can be.
func TestMatch(t *testing.T) {
	d := &day{}
	places := []slot{{shift: 0}, {shift: 1}, {shift: 2}}
	for name, c := range map[string]struct {
		could [][]int // who, of each place
		most  int
	}{
		"nobody":                     {[][]int{{}, {}, {}}, 0},
		"one for all":                {[][]int{{4}, {4}, {4}}, 1},
		"two of whom one has one":    {[][]int{{4, 7}, {4}, {}}, 2},
		"each leaves theirs":         {[][]int{{4, 7}, {7, 9}, {4}}, 3},
		"three of whom two have one": {[][]int{{4, 7, 9}, {4}, {4}}, 2},
	} {
		got := d.match(places, func(who int, s slot) bool { return slices.Contains(c.could[s.shift], who) })
		if got != c.most {
			t.Errorf("%s: %d, not %d", name, got, c.most)
		}
	}
}
