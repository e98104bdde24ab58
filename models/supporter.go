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
	PhoneSealed      []byte // of an older version: moved to Phone when the server starts
	StreetSealed     []byte
	CitySealed       []byte
	PostalArea       string
	Region           string // state or province, as a code where the country has them
	Country          string // ISO 3166-1 alpha-2
	Locale           string
	TimeZone         string    // IANA name; "" = the organisation's
	Frequency        Frequency // how often mail for many may come
	ChapterID        *uuid.UUID
	Source           string // petition, import, form, letter
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Frequency is how often somebody wants mail that goes to many.
type Frequency string

// The frequencies.
const (
	AsItComes Frequency = ""
	Weekly    Frequency = "weekly"    // at most one in 7 days
	Monthly   Frequency = "monthly"   // at most one in 30 days
	Important Frequency = "important" // only mailings that are marked as important
)

// Phone is a telephone number of a supporter.
type Phone struct {
	ID           uuid.UUID
	SupporterID  uuid.UUID
	NumberSealed []byte // E.164, or as it was typed where it is no valid number
	NumberHash   []byte // keyed hash of what is sealed: found by it
	Valid        bool
	CreatedAt    time.Time
}

// Tag is a word that organizers put on people: never about health.
type Tag struct {
	ID        uuid.UUID
	Name      string
	NameKey   string // lower case, unique
	CreatedAt time.Time
}

// Tagging is a tag on a supporter.
type Tagging struct {
	SupporterID uuid.UUID `gorm:"primaryKey"`
	TagID       uuid.UUID `gorm:"primaryKey"`
	CreatedAt   time.Time
}

// CustomField is something that an organisation asks beside what every record has.
type CustomField struct {
	ID         uuid.UUID
	Name       string // the machine's name, in files and forms: unique, never changed
	Label      string
	Kind       FieldKind
	Choices    string // FieldChoice: one a line
	Private    bool   // values are sealed; no segment can ask for them
	SeenBy     string // the narrowest actor.Role that sees it: owner, organizer or coordinator
	Position   int
	ArchivedAt *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// FieldKind is what a custom field holds.
type FieldKind string

// The kinds of custom fields.
const (
	FieldText   FieldKind = "text"
	FieldNumber FieldKind = "number"
	FieldDate   FieldKind = "date"
	FieldChoice FieldKind = "choice"
	FieldYesNo  FieldKind = "yes_no"
)

// FieldValue is what one supporter answered to one custom field.
type FieldValue struct {
	SupporterID uuid.UUID `gorm:"primaryKey"`
	FieldID     uuid.UUID `gorm:"primaryKey"`
	TextValue   string    // a date as 2006-01-02, yes or no; "" where the field is private
	NumberValue *float64  // FieldNumber
	ValueSealed []byte    // of a private field; its row key is the supporter's id
	UpdatedAt   time.Time
}

// Note is what an organizer wrote down about a supporter.
type Note struct {
	ID          uuid.UUID
	SupporterID uuid.UUID
	BodySealed  []byte
	AuthorID    *uuid.UUID
	CreatedAt   time.Time
}

// Duplicate is two records that may be one person. AID is the smaller id.
type Duplicate struct {
	ID        uuid.UUID
	AID       uuid.UUID `gorm:"column:a_id"`
	BID       uuid.UUID `gorm:"column:b_id"`
	Rules     string    // which rules found them, comma separated: name, phone, address
	State     DuplicateState
	DecidedBy *uuid.UUID
	CreatedAt time.Time
	UpdatedAt time.Time
}

// DuplicateState says what became of a pair; a merged one is deleted.
type DuplicateState string

// The states of a pair.
const (
	DuplicateOpen      DuplicateState = "open"
	DuplicateDifferent DuplicateState = "different" // an organizer looked: two people
)

// Merge is two records made one. Before holds what was, sealed, so that it can be undone.
type Merge struct {
	ID           uuid.UUID
	SupporterID  uuid.UUID // the record that stayed
	GoneID       uuid.UUID
	BeforeSealed []byte // JSON; NULL once UndoUntil passed
	MergedBy     *uuid.UUID
	CreatedAt    time.Time
	UndoUntil    time.Time
	UndoneAt     *time.Time
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
	Message         string     // locale key of what went wrong as a whole
	ChapterID       *uuid.UUID // the people belong to it
	Source          string     // which program wrote the file, as far as its headers tell
	TagID           *uuid.UUID // put on everybody in the file
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
