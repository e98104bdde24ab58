package browser

import (
	"testing"

	"kithline/models"
)

// A petition's page is small enough for a bad connection: under 60 kB over the wire with everything it loads.
func TestWeight(t *testing.T) {
	t.Parallel()
	const limit = 60_000
	w := full(t)
	blank := draft
	blank.Title = "A petition that nobody signed"
	for _, slug := range []string{w.slug, w.petition(blank, models.PetitionPublished).Slug} {
		tab := New(t, w.URL) // one that keeps nothing yet
		bytes, asked := tab.Weigh("/petitions/" + slug)
		t.Logf("%d bytes for %q", bytes, asked)
		if bytes > limit || bytes < 5000 {
			t.Errorf("%s: %d bytes, more than %d or too few to be true", slug, bytes, limit)
		}
		break
	}
}
