package models

import (
	"time"

	"github.com/google/uuid"
)

// MeetingPlan is what the meetings of a roster have in common.
type MeetingPlan struct {
	RosterID         uuid.UUID  `gorm:"primaryKey"`
	LetterCampaignID *uuid.UUID // people at home write the same day; its points can be said too
	Asks             string     // JSON: what each office is asked, where its meeting says nothing else
	Points           string     // JSON: what can be said, each with its source
	Roles            string     // JSON: how many places each role of a team has
	Minutes          int        // of a meeting
	BlockMinutes     int        // at most so long without a break
	BreakMinutes     int
	LoggedAt         *time.Time // when it was written into the advocacy log
	SentAt           *time.Time // when the teams were last sent their pages
	Revision         int
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Meeting is of a team with an office: the shifts of the team are its roles.
type Meeting struct {
	ID             uuid.UUID
	RosterID       uuid.UUID
	TeamID         uuid.UUID
	LegislatorID   uuid.UUID
	OfficeID       *uuid.UUID // nil: the legislator's first
	State          MeetingState
	StartsAt       time.Time
	Minutes        int
	Mode           MeetingMode
	Place          string // the room; "" where there is none
	JoinSealed     []byte // the link or the number to join by: for those alone who hold a place of the team
	AccessSealed   []byte // what the office is told about access
	LateMinutes    int    // it runs so late
	NotesSealed    []byte // what came of it
	FollowUpSealed []byte // what is left to do
	FollowUpUntil  string // the day by which, 2027-03-12; "" = none
	FollowedUpAt   *time.Time
	NotedAt        *time.Time
	ThanksShiftID  *uuid.UUID // the shift to write the thank-you mail
	ThankedAt      *time.Time
	CreatedBy      *uuid.UUID
	Revision       int
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// MeetingAsk is one thing that an office is asked, and what it said.
type MeetingAsk struct {
	ID        uuid.UUID
	MeetingID uuid.UUID
	Position  int // from 1
	Ask       string
	Outcome   AskOutcome
}

// MeetingState is how far a meeting is.
type MeetingState string

// The states of a meeting.
const (
	MeetingPlanned   MeetingState = "planned"
	MeetingHeld      MeetingState = "held"
	MeetingCancelled MeetingState = "cancelled"
)

// MeetingMode is how a team and an office meet.
type MeetingMode string

// The modes.
const (
	MeetingOnsite MeetingMode = "onsite"
	MeetingVideo  MeetingMode = "video"
	MeetingPhone  MeetingMode = "phone"
)

// AskOutcome is what an office said to an ask.
type AskOutcome string

// The outcomes.
const (
	AskOpen    AskOutcome = "" // nobody wrote it down yet
	AskYes     AskOutcome = "yes"
	AskMaybe   AskOutcome = "maybe"
	AskNo      AskOutcome = "no"
	AskUnknown AskOutcome = "unknown" // it was not clear
)
