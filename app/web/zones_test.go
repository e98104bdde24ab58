package web_test

import (
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"kithline/app/web"
	"kithline/app/web/webtest"
)

// The likely zones come first, each zone is there once, and whatever was chosen can be chosen again.
func TestZoneOptions(t *testing.T) {
	w := webtest.New(t)
	for _, c := range []struct {
		lang, chosen string
		first        []string // labels
		last         string
	}{
		{"en", "", []string{"Denver", "New York", "Chicago"}, "Zurich"},
		{"es", "", []string{"Denver", "Nueva York", "Chicago"}, "Zúrich"},
		{"en", "Asia/Kathmandu", []string{"Denver", "New York"}, "Zurich"},
	} {
		app := fiber.New()
		var got []web.Option
		app.Get("/", func(ctx *fiber.Ctx) error {
			got = w.Page(ctx, "", "").ZoneOptions(c.chosen, "America/Denver")
			return nil
		})
		r := httptest.NewRequest("GET", "/?lang="+c.lang, nil)
		if _, err := app.Test(r); err != nil {
			t.Fatal(err)
		}
		var labels, values []string
		groups := 0
		for i, o := range got {
			labels, values = append(labels, o.Label), append(values, o.Value)
			if _, err := time.LoadLocation(o.Value); err != nil {
				t.Errorf("%s: %v", o.Value, err)
			}
			if i == 0 || o.Group != got[i-1].Group {
				groups++
			}
		}
		if len(labels) < len(c.first) || !slices.Equal(labels[:len(c.first)], c.first) || labels[len(labels)-1] != c.last {
			t.Errorf("%s: %q", c.lang, labels)
		}
		slices.Sort(values)
		if n := len(values); len(slices.Compact(values)) != n || groups != 2 {
			t.Errorf("%d zones in %d groups, some twice: %q", n, groups, values)
		}
		for _, z := range append([]string{c.chosen}, web.Zones...) {
			if z != "" && !slices.Contains(values, z) {
				t.Errorf("%s is not among them", z)
			}
		}
	}
}
