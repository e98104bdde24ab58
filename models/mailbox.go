package models

import (
	"time"

	"github.com/google/uuid"
)

// Mailbox is one e-mail address. Everything that can be mailed points to a mailbox, so that no other row holds a copy of
// an address, suppression outlives erasure, and what an unconfirmed form says waits here.
type Mailbox struct {
	ID               uuid.UUID
	AddressHash      []byte // keyed hash of the canonical address, unique
	AddressSealed    []byte // sealed with AddressHash as the row's key; NULL once erased
	Domain           string
	VerifiedAt       *time.Time // somebody pressed the button on a mailed page
	SuppressedAt     *time.Time
	SuppressedReason string // SuppressedBounce, ...
	SupporterID      *uuid.UUID
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// Why a mailbox is suppressed.
const (
	SuppressedBounce    = "bounce"
	SuppressedComplaint = "complaint"
	SuppressedImport    = "import" // unsubscribed, cleaned or bounced elsewhere
	SuppressedByHand    = "by_hand"
	SuppressedErased    = "erased"
)
