package models

import (
	"slices"
	"time"

	"github.com/google/uuid"
)

// Petition asks one decider for one thing. It belongs to a campaign.
type Petition struct {
	ID             uuid.UUID
	CampaignID     uuid.UUID
	Slug           string
	State          PetitionState
	Title          string // the ask
	Summary        string
	Body           string // Markdown
	Decider        string
	WhyNow         string
	SystemChange   string
	Place          string
	Goal           int
	Locale         string
	PictureID      *uuid.UUID
	AuthorID       *uuid.UUID
	Revision       int // counts saves, so that two open pages cannot overwrite each other unseen
	PendingCount   int // waiting for the confirmation mail's button
	SignatureCount int // confirmed ones only: the public number
	LegacyCount    int // counted elsewhere, without an address: shown apart
	LegacySource   string
	SubmittedAt    *time.Time
	PublishedAt    *time.Time
	PausedAt       *time.Time
	ReturnedAt     *time.Time
	ReturnReason   string // a reason code
	ReturnText     string
	ReviewedBy     *uuid.UUID
	DeadlineAt     *time.Time
	ClosedAt       *time.Time
	AnonymisedAt   *time.Time // when retention took the names away
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// PetitionState is where a petition is on its way.
type PetitionState string

// The states of a petition. Paused is not a state: a published petition can be paused (PausedAt).
const (
	PetitionDraft      PetitionState = "draft"
	PetitionSubmitted  PetitionState = "submitted"
	PetitionReturned   PetitionState = "returned"
	PetitionPublished  PetitionState = "published"
	PetitionClosed     PetitionState = "closed"
	PetitionHandedOver PetitionState = "handed_over"
	PetitionAnswered   PetitionState = "answered"
	PetitionHidden     PetitionState = "hidden"
	PetitionWithdrawn  PetitionState = "withdrawn"
)

// PublicPetitionStates are those in which everybody may read a petition.
var PublicPetitionStates = []PetitionState{PetitionPublished, PetitionClosed, PetitionHandedOver, PetitionAnswered}

// Public reports whether everybody may read the petition.
func (s PetitionState) Public() bool { return slices.Contains(PublicPetitionStates, s) }

// Open reports whether the petition takes signatures, as far as its state says: a deadline may have passed meanwhile.
func (p Petition) Open() bool { return p.State == PetitionPublished && p.PausedAt == nil }

// Editable reports whether its author may change it.
func (p Petition) Editable() bool { return p.State == PetitionDraft || p.State == PetitionReturned }

// Signature is one name under a petition, signed from one mailbox.
type Signature struct {
	ID               uuid.UUID
	PetitionID       uuid.UUID
	MailboxID        uuid.UUID // NULL, read as uuid.Nil, once anonymised
	State            SignatureState
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	PostalArea       string
	Display          Display
	DisplayName      string // what the signer chose to show; "" for anonymous and until confirmed
	CommentSealed    []byte
	CommentState     CommentState
	CommentShown     string // in clear only once an organizer shows it
	WantsUpdates     bool
	ConsentTextID    *uuid.UUID // the words beside the box
	Locale           string
	Source           string
	CodeTries        int
	Number           int // the how manieth confirmed one; 0 until then
	CreatedAt        time.Time
	ConfirmedAt      *time.Time
	WithdrawnAt      *time.Time
	ExpiresAt        time.Time // a pending row goes then
}

// SignatureState is where a signature is on its way.
type SignatureState string

// The states of a signature. An expired one is deleted.
const (
	SignaturePending     SignatureState = "pending"
	SignatureConfirmed   SignatureState = "confirmed"
	SignatureSuspect     SignatureState = "suspect"
	SignatureWithdrawn   SignatureState = "withdrawn"
	SignatureInvalidated SignatureState = "invalidated"
)

// Display is how a signer's name shows.
type Display string

// The ways a name shows. Anonymous is "A supporter" and perhaps the place.
const (
	DisplayName      Display = "name"
	DisplayInitials  Display = "initials"
	DisplayAnonymous Display = "anonymous"
)

// CommentState says who can read a comment.
type CommentState string

// The states of a comment.
const (
	CommentNone    CommentState = ""
	CommentWaiting CommentState = "waiting"
	CommentShown   CommentState = "shown"
	CommentHidden  CommentState = "hidden"
)
