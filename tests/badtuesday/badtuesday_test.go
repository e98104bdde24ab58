package main

import "testing"

// The promise about a bad morning, over 8 of them; `make bad-tuesday` plays 1,000.
func TestBadTuesday(t *testing.T) {
	g, err := newGround(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	seeds := 8
	if testing.Short() {
		seeds = 4
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
}
