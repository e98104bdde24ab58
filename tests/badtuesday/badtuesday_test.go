package main

import "testing"

// The promise about a bad morning, over 20 of them; `make bad-tuesday` plays 1,000.
func TestBadTuesday(t *testing.T) {
	g, err := newGround(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(g.close)
	sum, err := mornings(t.Context(), g, 1, 20, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range sum.violations {
		t.Error(v)
	}
	if sum.mornings != 20 || sum.released < 20*letGo || sum.possible < 100 {
		t.Errorf("nothing was tried: %d mornings, %d places let go, %d that could be filled", sum.mornings, sum.released, sum.possible)
	}
	if sum.share() < 0.9 {
		t.Errorf("%d of %d places were filled: %.1f %%", sum.counted, sum.possible, 100*sum.share())
	}
}
