// Package admin is the surface for the people who work here, below /admin: a file per feature, with its handlers, forms and
// the data of its pages. A handler binds what came, calls one operation, which checks the rights, and answers.
package admin

import (
	"github.com/gofiber/fiber/v2"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
)

// paramID reads an id from the path. For anything else it returns a NotFound fault with the key unknown.
func paramID(c *fiber.Ctx, name, unknown string) (uuid.UUID, error) {
	id, err := uuid.Parse(c.Params(name))
	if err != nil {
		return uuid.Nil, fault.New(fault.NotFound, unknown)
	}
	return id, nil
}
