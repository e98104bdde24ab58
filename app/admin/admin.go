// Package admin is the surface for the people who work here, below /admin: a file per feature, with its handlers, forms and
// the data of its pages. A handler binds what came, calls one operation, which checks the rights, and answers.
package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/app/web"
	"kithline/campaigns/fault"
	"kithline/models"
)

// paramID reads an id from the path. For anything else it returns a NotFound fault with the key unknown.
func paramID(c *fiber.Ctx, name, unknown string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Params(name))
	if err != nil {
		return uuid.Nil, fault.New(fault.NotFound, unknown)
	}
	return id, nil
}

// rowOptions are rows to choose from, below one for none of them.
func rowOptions[T any](none string, rows []T, of func(T) (uuid.UUID, string)) []web.Option {
	out := []web.Option{{Label: none}}
	for _, r := range rows {
		id, label := of(r)
		out = append(out, web.Option{Value: id.String(), Label: label})
	}
	return out
}

func chapterChoices(none string, rows []models.Chapter) []web.Option {
	return rowOptions(none, rows, func(c models.Chapter) (uuid.UUID, string) { return c.ID, c.Name })
}

func campaignChoices(none string, rows []models.Campaign) []web.Option {
	return rowOptions(none, rows, func(c models.Campaign) (uuid.UUID, string) { return c.ID, c.Title })
}

// chosenID reads an id that was chosen from a list, nil for none.
func chosenID(v, field string, bad *fault.Fields) *uuid.UUID {
	if v == "" {
		return nil
	}
	id, err := uuid.Parse(v)
	if err != nil {
		bad.Add(field, "error.value_unknown")
		return nil
	}
	return &id
}

// idOf is an id as a form has it, "" for none.
func idOf(id *uuid.UUID) string {
	if id == nil {
		return ""
	}
	return id.String()
}
