package browser

import "testing"

// A petition's page is small enough for a bad connection: under 60 kB over the wire with everything it loads.
func TestWeight(t *testing.T) {
	t.Parallel()
	const limit = 60_000
	w := full(t)
	tab := New(t, w.URL) // it keeps nothing yet
	bytes, asked := tab.Weigh("/petitions/" + w.slug)
	t.Logf("%d bytes for %q", bytes, asked)
	if bytes > limit || bytes < 5000 {
		t.Errorf("%d bytes: more than %d, or too few to be true", bytes, limit)
	}
}
