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
	ScopeID      uuid.UUID // what Purpose.Scope says; uuid.Nil where the purpose has no scope
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
	PurposeNewsletter Purpose = "newsletter" // the topic; uuid.Nil for the newsletter as a whole

	PurposeVolunteering Purpose = "volunteering" // to be asked for help; no scope
	PurposePhone        Purpose = "phone"        // to be called; no scope
	PurposePublish      Purpose = "publish"      // one's name in public; the campaign, or uuid.Nil for all
	PurposeShare        Purpose = "share"        // with one named partner: the scope
)

// Purposes lists what people can agree to.
var Purposes = []Purpose{PurposeUpdates, PurposeNewsletter, PurposeVolunteering, PurposePhone, PurposePublish, PurposeShare}

// Scope names the table that a purpose's scope is a row of: "" where it has none.
func (p Purpose) Scope() string {
	switch p {
	case PurposeUpdates, PurposePublish:
		return "campaigns"
	case PurposeNewsletter:
		return "topics"
	case PurposeShare:
		return "partners"
	}
	return ""
}

// Topic is something that the newsletter is about, and that people choose.
type Topic struct {
	ID         uuid.UUID
	Slug       string
	Name       string
	About      string
	Position   int
	ArchivedAt *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Partner is an organisation that data may be shared with, by whoever agreed to exactly that.
type Partner struct {
	ID         uuid.UUID
	Name       string
	Website    string
	ArchivedAt *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// ConsentHow says how a yes was proved.
type ConsentHow string

// How a consent was proved.
const (
	ConsentByMail   ConsentHow = "mail"   // pressed the button on a mailed page
	ConsentByImport ConsentHow = "import" // an organizer recorded where and when it was given
	ConsentByHand   ConsentHow = "hand"   // an organizer recorded it on the person's page, with where and when
	ConsentByPerson ConsentHow = "person" // on the person's own page, which a mailed link opened
)
