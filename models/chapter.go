package models

import (
	"time"

	"github.com/google/uuid"
)

// Chapter is a part of the organisation with organizers of its own, who see the people of their chapter only.
type Chapter struct {
	ID          uuid.UUID
	Slug        string
	Name        string
	PostalAreas string // one a line: a postal area, or its beginning and *: whoever lives there and has no chapter yet joins it
	ClosedAt    *time.Time
	CreatedAt   time.Time
	UpdatedAt   time.Time
}
