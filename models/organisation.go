package models

import (
	"time"

	"github.com/google/uuid"
)

// Organisation is the one organisation that this server belongs to. The row is made at the first start, before setup.
type Organisation struct {
	ID                 uuid.UUID
	Name               string
	ShortName          string // on the tab and in the sender's name: says nothing about health
	LegalName          string
	PostalAddress      string // no bulk mail goes without it
	Phone              string
	FromName           string
	FromAddress        string
	ReplyTo            string
	TimeZone           string // IANA name
	Languages          string // BCP 47 tags, comma separated, the first is the default
	Accent             string // #rrggbb
	CrisisLine         string // shown on every public page
	MinimumAge         string // the text shown on forms, in the organisation's words
	SMTPHost           string
	SMTPPort           int
	SMTPTLS            string // starttls, tls or none
	SMTPUsername       string
	SMTPPasswordSealed []byte
	RetentionMonths    int        // suggested for campaigns: how long names stay once one ended
	ReviewNearHours    int        // a submitted petition is near its time after so many
	ReviewDueHours     int        // and overdue after so many
	HealthWords        string     // further words that a neutral subject does not say, a line each
	MailingsMost       int        // a person gets at most so many mailings ...
	MailingsDays       int        // ... in so many days; 0 mailings is no limit
	SetupAt            *time.Time // nil until the first owner finished setup
	CreatedAt          time.Time
	UpdatedAt          time.Time
}

// SiteText is a page that the organisation may put in its own words: the privacy notice and the accessibility page.
type SiteText struct {
	ID        uuid.UUID
	Name      string // privacy, accessibility
	Locale    string
	Body      string // Markdown
	UpdatedBy *uuid.UUID
	UpdatedAt time.Time
}

// VaultCheck holds the value by which a start finds out that the key file is the one that sealed this database.
type VaultCheck struct {
	ID         int // always 1
	KeyID      string
	CheckValue []byte
	CreatedAt  time.Time
}

// SealingKey is a key that seals instead of the first one. The key itself is in the key file.
type SealingKey struct {
	KeyID       string `gorm:"primaryKey"`
	CheckValue  []byte
	State       SealingState
	SealedCount int64 // rows that were sealed anew with it
	CreatedAt   time.Time
	BegunAt     *time.Time
	DoneAt      *time.Time // when nothing was left that another key sealed
}

// SealingState says what a key is for.
type SealingState string

// The states of a sealing key.
const (
	SealingNew     SealingState = "new"     // made, and read by the nodes
	SealingCurrent SealingState = "current" // seals
	SealingOld     SealingState = "old"     // opens backups
)

// AuditEntry says who did what to people's data and to the site. Details hold ids and counts only.
type AuditEntry struct {
	ID        uuid.UUID
	At        time.Time
	ActorKind string
	ActorID   *uuid.UUID
	Action    string
	Object    string
	ObjectID  *uuid.UUID
	Details   string // a JSON object
	RequestID string
}
