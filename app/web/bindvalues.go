package web

import (
	"net/url"

	"github.com/gofiber/fiber/v2"

	"kithline/campaigns/fault"
)

// Value is a field of a form that is known only while the program runs, such as a question that an organizer chose.
type Value struct {
	Name  string
	Max   int  // characters; 0 = 500
	Lines bool // keeps its line ends
}

// BindValues is Bind for such fields: it returns what each of them says, cleaned as Bind does it, "" for one that is not
// there. Every other field of the form is ignored. The error is that of Bind.
func BindValues(c *fiber.Ctx, fields []Value) (map[string]string, error) {
	values, err := formValues(c)
	if err != nil {
		return nil, err
	}
	return bindNamed(values, fields)
}

func bindNamed(values url.Values, fields []Value) (map[string]string, error) {
	out := make(map[string]string, len(fields))
	var bad fault.Fields
	for _, f := range fields {
		b := bindField{name: f.Name, max: f.Max, lines: f.Lines}
		if b.max == 0 {
			b.max = 500
		}
		out[f.Name] = clean(b, values.Get(f.Name), &bad)
	}
	return out, bad.Err()
}

// BindAll is BindValues for a form whose fields only the form itself knows, such as one that grows: every field that came, with
// at most so many characters each.
func BindAll(c *fiber.Ctx, most int) (map[string]string, error) {
	values, err := formValues(c)
	if err != nil {
		return nil, err
	}
	fields := make([]Value, 0, len(values))
	for name := range values {
		fields = append(fields, Value{Name: name, Max: most})
	}
	return bindNamed(values, fields)
}
