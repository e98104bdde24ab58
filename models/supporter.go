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

// Import is one run of a file of supporters. Each row of the file is counted once, as new, updated, unchanged, suppressed
// or skipped.
type Import struct {
	ID              uuid.UUID
	FileID          *uuid.UUID // nil where the command line read it
	Run             int        // the fence: every check and every import of the file is a run of its own
	State           ImportState
	DryRun          bool
	Mapping         string // a JSON object: field to number of the column, from 0
	BasisPurpose    string // "" = contactable for nothing
	BasisScopeID    uuid.UUID
	BasisText       string // what the people agreed to, in the organizer's words
	BasisSource     string // where and when
	BasisTextID     *uuid.UUID
	Locale          string // of the basis, and of the reasons in the error file
	RowsTotal       int
	RowsDone        int // committed with the rows themselves
	NewCount        int
	UpdatedCount    int
	UnchangedCount  int
	SuppressedCount int
	SkippedCount    int
	ConsentCount    int // consents recorded
	HeldCount       int // rows whose consent was not recorded: withdrawn, suppressed or not said to be subscribed
	ErrorFileID     *uuid.UUID
	Message         string // locale key of what went wrong as a whole
	CreatedBy       *uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
	FinishedAt      *time.Time
}

// ImportState says how far an import is.
type ImportState string

// The states of an import.
const (
	ImportUploaded ImportState = "uploaded" // waits for the mapping
	ImportRunning  ImportState = "running"
	ImportFinished ImportState = "finished" // with DryRun: checked, and may be imported now
	ImportFailed   ImportState = "failed"
)
