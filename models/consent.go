package models

import (
	"time"

	"github.com/google/uuid"
)

// Consent is one yes of one mailbox to one purpose: append-only, but for the moment of its withdrawal. A trigger refuses
// any other change.
type Consent struct {
	ID           uuid.UUID
	MailboxID    uuid.UUID
	Purpose      Purpose
	ScopeID      uuid.UUID // the campaign for PurposeUpdates; uuid.Nil where the purpose has no scope
	TextID       uuid.UUID // the exact words
	Locale       string
	ShownAt      time.Time
	GivenAt      time.Time
	Source       string // the page or the import
	How          ConsentHow
	EvidenceID   *uuid.UUID // the signature, import ... behind it
	WithdrawnAt  *time.Time
	WithdrawnHow string
}

// ConsentText is one version of the words that a form showed. Rows are never changed.
type ConsentText struct {
	ID        uuid.UUID
	Purpose   Purpose
	Locale    string
	Version   int
	Body      string
	CreatedAt time.Time
}

// Purpose is what a mail is for. A delivery that is not a receipt needs a consent for its purpose.
type Purpose string

// The purposes. A receipt is an answer to something the person just did; it needs no consent and carries no appeal.
const (
	PurposeReceipt    Purpose = "receipt"
	PurposeUpdates    Purpose = "updates"    // on one campaign: the scope
	PurposeNewsletter Purpose = "newsletter" // no scope
)

// ConsentHow says how a yes was proved.
type ConsentHow string

// How a consent was proved.
const (
	ConsentByMail   ConsentHow = "mail"   // pressed the button on a mailed page
	ConsentByImport ConsentHow = "import" // an organizer recorded where and when it was given
)
