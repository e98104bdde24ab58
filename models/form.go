package models

import (
	"time"

	"github.com/google/uuid"
)

// Form is a page that an organizer made for people to join by.
type Form struct {
	ID              uuid.UUID
	Slug            string
	Title           string
	Intro           string // Markdown
	Thanks          string // Markdown
	Locale          string
	State           FormState
	Questions       string // JSON: campaigns/forms
	Consents        string // JSON: what is asked for, each a box with its words
	Tags            string // JSON: ids of the tags that whoever confirms gets
	ChapterID       *uuid.UUID
	CampaignID      *uuid.UUID
	EmbedHosts      string // one a line: sites that may show the form in a frame
	SubmissionCount int    // confirmed ones
	Revision        int
	CreatedBy       *uuid.UUID
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// FormState says whether a form takes answers.
type FormState string

// The states of a form.
const (
	FormDraft  FormState = "draft"
	FormOpen   FormState = "open"
	FormClosed FormState = "closed"
)

// Submission is what somebody filled in. It waits at the mailbox until the address is confirmed.
type Submission struct {
	ID            uuid.UUID
	FormID        *uuid.UUID // nil: the page /join
	MailboxID     uuid.UUID
	State         SubmissionState
	AnswersSealed []byte // JSON
	Consents      string // JSON: purposes, scopes and the ids of the texts that were shown
	Locale        string
	Source        string
	CodeTries     int
	CreatedAt     time.Time
	ConfirmedAt   *time.Time
	ExpiresAt     time.Time // a pending row goes then
}

// SubmissionState is where a submission is on its way.
type SubmissionState string

// The states of a submission. An expired one is deleted.
const (
	SubmissionPending   SubmissionState = "pending"
	SubmissionConfirmed SubmissionState = "confirmed"
)
