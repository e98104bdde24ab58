package models

import (
	"time"

	"github.com/google/uuid"
)

// Supporter is the one record of a person. Roles are facts about what they did, not separate tables.
type Supporter struct {
	ID               uuid.UUID
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	PhoneSealed      []byte
	PostalArea       string
	Country          string // ISO 3166-1 alpha-2
	Locale           string
	Source           string // petition, import
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Import is one run of a file of supporters.
type Import struct {
	ID           uuid.UUID
	FileID       uuid.UUID
	State        ImportState
	DryRun       bool
	Mapping      string // a JSON object: field to column header
	BasisPurpose string // "" = contactable for nothing
	BasisScopeID uuid.UUID
	BasisText    string // what the people agreed to, in the organizer's words
	BasisSource  string // where and when
	RowsTotal    int
	RowsDone     int
	NewCount     int
	UpdatedCount int
	SkippedCount int
	ErrorFileID  *uuid.UUID
	Message      string // locale key of what went wrong as a whole
	CreatedBy    *uuid.UUID
	CreatedAt    time.Time
	UpdatedAt    time.Time
	FinishedAt   *time.Time
}

// ImportState says how far an import is.
type ImportState string

// The states of an import.
const (
	ImportUploaded ImportState = "uploaded" // waits for the mapping
	ImportRunning  ImportState = "running"
	ImportFinished ImportState = "finished"
	ImportFailed   ImportState = "failed"
)
