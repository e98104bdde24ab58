package models

import (
	"time"

	"github.com/google/uuid"
)

// Delivery is one mail to one mailbox, whatever sent it. Its text is rendered when it goes, so no token is stored.
type Delivery struct {
	ID         uuid.UUID
	Kind       string    // which renderer makes it: petition_confirm, mailing, ...
	MailboxID  uuid.UUID // NULL, read as uuid.Nil, once the person was erased
	SubjectID  uuid.UUID // what it is about: a signature, an invitation, a mailing ...
	MailingID  *uuid.UUID
	Variant    int // which of the mailing's subjects, from 0
	Purpose    Purpose
	ScopeID    uuid.UUID
	DedupeKey  string // unique: the mailing and mailbox, or the action that asked for it
	Priority   int    // lower goes first
	State      DeliveryState
	OnUnknown  OnUnknown
	Attempt    int // the fence: every change of state names the attempt it belongs to
	Deferrals  int // how often the server said: later
	NotBefore  time.Time
	LeaseUntil *time.Time // database time
	Node       string
	ExpiresAt  *time.Time
	ReplyCode  int
	Reply      string // what the server said, addresses removed
	CreatedAt  time.Time
	UpdatedAt  time.Time
	SentAt     *time.Time
}

// MailRate counts what was begun lately under one limit: campaigns/deliveries keeps it.
type MailRate struct {
	Key       string `gorm:"primaryKey"` // the limit
	Slices    string // JSON
	UpdatedAt time.Time
}

// MailNode is a process that sends mail.
type MailNode struct {
	Node       string    `gorm:"primaryKey"`
	LeaseUntil time.Time // database time
	Members    int       // how many processes it counts with
}

// HeldUntil is when a delivery may go that waits for a decision: never by itself.
var HeldUntil = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// DeliveryState is where a delivery is on its way.
type DeliveryState string

// The states of a delivery.
const (
	DeliveryQueued     DeliveryState = "queued"
	DeliverySending    DeliveryState = "sending" // committed before the first byte is on the wire
	DeliverySent       DeliveryState = "sent"
	DeliveryDeferred   DeliveryState = "deferred" // refused for now: tried again at NotBefore
	DeliveryFailed     DeliveryState = "failed"
	DeliverySuppressed DeliveryState = "suppressed"
	DeliveryExpired    DeliveryState = "expired"
	DeliveryUnknown    DeliveryState = "unknown" // the server's answer was not recorded
)

// DeliveryStates lists every state, in the order of the way.
var DeliveryStates = []DeliveryState{
	DeliveryQueued, DeliverySending, DeliverySent, DeliveryDeferred, DeliveryFailed, DeliverySuppressed,
	DeliveryExpired, DeliveryUnknown,
}

// OnUnknown says what recovery does with a delivery whose answer was not recorded.
type OnUnknown string

// What to do with an unknown delivery: confirmations and receipts are sent again under the same Message-ID, everything
// else waits until its fate is known.
const (
	Resend OnUnknown = "resend"
	Park   OnUnknown = "park"
)

// Priorities: lower goes first.
const (
	PriorityReceipt = 10
	PriorityBulk    = 50
)

// Mailing is awareness mail to a frozen audience.
type Mailing struct {
	ID            uuid.UUID
	CampaignID    *uuid.UUID
	PetitionID    *uuid.UUID // the audience: its confirmed signers who agreed to updates; nil: whoever agreed to the purpose
	SegmentID     *uuid.UUID // narrows the audience
	ChapterID     *uuid.UUID // narrows the audience to one chapter's people
	Purpose       Purpose
	ScopeID       uuid.UUID
	Subject       string
	Preheader     string
	Variants      string     // further subjects with their preheaders, a JSON array; "" for none
	Format        MailFormat // of Body
	Body          string     // Markdown or sanitized HTML, with merge fields
	Plain         string     // the text part beside HTML; "" makes it from the HTML
	Locale        string     // its first language; others are MailingTexts
	NamesCause    bool       // the neutral-subject switch is off
	Public        bool       // shown in the archive once it was sent
	Slug          string     // its address there; "" until it is public
	State         MailingState
	Revision      int
	AudienceCount int
	CreatedBy     *uuid.UUID
	EditedBy      *uuid.UUID // who saved it last
	CreatedAt     time.Time
	UpdatedAt     time.Time
	// A second person's yes, for large audiences: it is good for the revision that was looked at.
	ApprovalAskedAt  *time.Time
	ApprovedAt       *time.Time
	ApprovedBy       *uuid.UUID
	ApprovedRevision int
	FrozenAt         *time.Time
	FinishedAt       *time.Time
	PausedAt         *time.Time
	PausedReason     string     // locale key
	Important        bool       // goes to those too who want only what matters most
	SendAt           *time.Time // when it is to go out; nil: as soon as it is started
	LocalHour        bool       // SendAt is what the clock of the organisation shows, and holds by the clock of each person
	FreezeAt         *time.Time // when a scheduled one is frozen
	ExpiresAt        *time.Time // from then on it is worth nothing, and what has not gone out does not go
	TestPercent      int        // so many of a hundred get different subjects first; 0: everybody has the first
	TestMinutes      int        // how long the rest waits after them
	TestByHand       bool       // an organizer chooses; else the numbers do
	DecideAt         *time.Time // when the subject of the rest is decided at the latest
	DecidedAt        *time.Time
	DecidedBy        *uuid.UUID // nil: by the numbers, or by the time
	Winner           int        // the subject of the rest
	TrackClicks      bool       // clicks are counted for each link, never for a person
	Audience         string     // JSON: who got it and why others did not, at the moment of the freeze
	LaterAt          *time.Time // when it was last sent to those who came later
}

// MailingState is where a mailing is on its way.
type MailingState string

// The states of a mailing.
const (
	MailingDraft     MailingState = "draft"
	MailingScheduled MailingState = "scheduled"
	MailingFreezing  MailingState = "freezing"
	MailingSending   MailingState = "sending"
	MailingPaused    MailingState = "paused"
	MailingFinished  MailingState = "finished"
	MailingCancelled MailingState = "cancelled"
	MailingStopped   MailingState = "stopped" // by the error brake
)
