package models

import (
	"time"

	"github.com/google/uuid"
)

// Division is a place that elects somebody, by its Open Civic Data id.
type Division struct {
	ID           uuid.UUID
	OCDID        string `gorm:"column:ocd_id"`
	Name         string
	Country      string       // ISO 3166-1 alpha-2, capitals
	Region       string       // state or territory, as in the id, capitals: NC, DC
	Kind         DivisionKind // the last part's type
	SameAs       string       // the id that replaced this one
	ValidFrom    string       // 2006-01-02, "" = open
	ValidThrough string       // 2006-01-02, "" = open
	Version      string       // of the data: file and day
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// DivisionKind is the type of the last part of an Open Civic Data id. A person lives in one division of a kind.
type DivisionKind string

// The kinds that Kithline knows by name; others are kept as they are in the id.
const (
	DivisionCongress     DivisionKind = "cd"
	DivisionUpper        DivisionKind = "sldu"
	DivisionLower        DivisionKind = "sldl"
	DivisionConstituency DivisionKind = "ed"
)

// PostalDivision says that a postal area lies, as a whole or in part, in a division.
type PostalDivision struct {
	Country    string    `gorm:"primaryKey"`
	PostalArea string    `gorm:"primaryKey"` // as supporters.PostalArea writes it
	DivisionID uuid.UUID `gorm:"primaryKey"`
	Kind       DivisionKind
	Version    string
}

// Boundary is the shape of a division, with its bounding box in degrees (WGS 84).
type Boundary struct {
	ID                       uuid.UUID
	DivisionID               uuid.UUID
	Shape                    []byte // well-known binary, a polygon or multi-polygon
	West, South, East, North float64
	Version                  string
	UpdatedAt                time.Time
}

// SupporterDivision is where a supporter lives, for one kind of division.
type SupporterDivision struct {
	SupporterID uuid.UUID    `gorm:"primaryKey"`
	Kind        DivisionKind `gorm:"primaryKey"`
	DivisionID  uuid.UUID
	How         DivisionHow
	Version     string // of the data it was found with
	UpdatedAt   time.Time
}

// DivisionHow says how a person's division was found. A weaker way never writes over a stronger one.
type DivisionHow string

// The ways, the weakest first.
const (
	ByPostal DivisionHow = "postal" // the postal area lies in this one alone
	ByPoint  DivisionHow = "point"  // a point in its boundary
	ByPerson DivisionHow = "person" // the person chose it
	ByHand   DivisionHow = "hand"   // an organizer set it
)
