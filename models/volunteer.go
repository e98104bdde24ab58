package models

import (
	"time"

	"github.com/google/uuid"
)

// Volunteer is somebody who offers time: what they said of it, at the mailbox that they said it from. One row a mailbox counts; what was
// filled in and not confirmed yet waits in pending rows beside it.
type Volunteer struct {
	ID               uuid.UUID
	MailboxID        uuid.UUID
	State            VolunteerState
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	PhoneSealed      []byte
	NoteSealed       []byte // what else they want to say
	RemarkSealed     []byte // what a coordinator wrote down
	Likes            string // kinds of roles, with commas: RoleKinds
	Skills           string // codes with commas: Skills
	Languages        string // codes with commas
	Trainings        string // what they were trained for, codes with commas: set by a coordinator
	Hours            string // when they can, as day and part of the day with commas: mon-am,tue-pm,sat-eve
	Modes            string // from where, with commas: home, phone, onsite
	PostalArea       string
	Region           string
	Country          string
	Locale           string
	TimeZone         string     // IANA name; "" = the organisation's
	AskBy            AskBy      // "": not to be asked
	AskFrom          int        // minutes after midnight, where they live: from then
	AskUntil         int        // and until then they may be asked
	AskedAt          *time.Time // when we last asked them for something
	PausedUntil      *time.Time // of a paused row: the day from which they may be asked again; nil: until they say
	ConsentTextID    *uuid.UUID // pending: the words in which they agree to be asked for help; nil: they do not
	PhoneTextID      *uuid.UUID // pending: the words in which they agree to be called
	Source           string
	ClientHash       []byte
	CodeTries        int
	WelcomedAt       *time.Time
	CreatedAt        time.Time
	ConfirmedAt      *time.Time
	UpdatedAt        time.Time
	ExpiresAt        *time.Time // a pending row goes then
}

// OnboardingStep is something that happens with everybody who begins to volunteer, as the organisation wrote it.
type OnboardingStep struct {
	ID         uuid.UUID
	Name       string
	About      string
	Position   int
	ArchivedAt *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// OnboardingMark says that a step was done with a volunteer.
type OnboardingMark struct {
	MailboxID uuid.UUID `gorm:"primaryKey"`
	StepID    uuid.UUID `gorm:"primaryKey"`
	DoneAt    time.Time
	DoneBy    *uuid.UUID
}

// Pacing is what somebody told us about their energy: sealed, for them alone, never shown to who works here.
type Pacing struct {
	MailboxID      uuid.UUID `gorm:"primaryKey"`
	SettingsSealed []byte    // JSON: campaigns/pacing
	UpdatedAt      time.Time
}

// Certificate is hours that somebody asked to have confirmed, and the organiser signed.
type Certificate struct {
	ID         uuid.UUID
	MailboxID  uuid.UUID
	RosterID   *uuid.UUID
	Role       string
	DoneOn     string // the day, 2027-03-09
	Minutes    int
	NameSealed []byte // as it is to stand there
	State      CertificateState
	GivenBy    *uuid.UUID
	GivenAt    *time.Time
	CreatedAt  time.Time
}

// VolunteerState is how far a volunteer is.
type VolunteerState string

// The states of a volunteer. Whoever ends it is deleted.
const (
	VolunteerPending VolunteerState = "pending" // the address is not confirmed
	VolunteerActive  VolunteerState = "active"
	VolunteerPaused  VolunteerState = "paused" // not asked until they say
)

// AskBy is how somebody may be asked.
type AskBy string

// The ways to ask.
const (
	AskNot     AskBy = ""
	AskByMail  AskBy = "mail"
	AskByPhone AskBy = "phone"
)

// CertificateState is how far a certificate is.
type CertificateState string

// The states of a certificate.
const (
	CertificateAsked   CertificateState = "asked"
	CertificateGiven   CertificateState = "given"
	CertificateRefused CertificateState = "refused"
)
