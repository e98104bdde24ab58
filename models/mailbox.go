package models

import (
	"time"

	"github.com/google/uuid"
)

// Mailbox is one e-mail address. Everything that can be mailed points to a mailbox, so that no other row holds a copy of
// an address, suppression outlives erasure, and what an unconfirmed form says waits here. One without an address, AddressSealed is nil,
// stands for somebody who has none: what they hold points to it, and nothing is mailed there.
type Mailbox struct {
	ID               uuid.UUID
	AddressHash      []byte // keyed hash of the canonical address, unique
	AddressSealed    []byte // sealed with AddressHash as the row's key
	Domain           string
	VerifiedAt       *time.Time // somebody pressed the button on a mailed page
	SuppressedAt     *time.Time
	SuppressedReason string     // SuppressedBounce, ...
	PausedUntil      *time.Time // the person wants nothing but receipts until then
	SupporterID      *uuid.UUID
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// PausedUntilTold is the end of a pause that lasts until the person ends it.
var PausedUntilTold = time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)

// Why a mailbox is suppressed.
const (
	SuppressedBounce    = "bounce"
	SuppressedComplaint = "complaint"
	SuppressedImport    = "import" // unsubscribed, cleaned or bounced elsewhere
	SuppressedByHand    = "by_hand"
)

// Erasure remembers that the person behind an address had everything erased: by the keyed hash of the address alone. Lists
// do not bring them back, and a restored backup erases them again. Whoever signs up anew, and confirms it, ends it.
type Erasure struct {
	ID          uuid.UUID // the number on the receipt
	AddressHash []byte
	How         string // person, organizer, restore
	CreatedAt   time.Time
}
