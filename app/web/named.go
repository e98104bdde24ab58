package web

import (
	"strings"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

// Named reads those fields of a form whose names begin with prefix, such as "field-", and returns their values by the rest of
// the name: for forms whose questions stand in the database. Values are cleaned as Bind cleans a string with "lines" and at
// most max characters; the fault, if there is one, names the fields in full.
func Named(c *fiber.Ctx, prefix string, max int) (map[string]string, error) {
	values, err := formValues(c)
	if err != nil {
		return nil, err
	}
	var bad fault.Fields
	out := map[string]string{}
	for name, in := range values {
		if rest, ok := strings.CutPrefix(name, prefix); ok && len(in) > 0 {
			out[rest] = clean(bindField{name: name, max: max, lines: true}, in[0], &bad)
		}
	}
	return out, bad.Err()
}
