package models

import (
	"time"

	"github.com/google/uuid"
)

// User is the account of an owner, organizer, advocate, coordinator or viewer. Signers and volunteers need none.
type User struct {
	ID                uuid.UUID
	MailboxID         uuid.UUID // unique: one account an address
	NameSealed        []byte
	Role              string // actor.Role
	PasswordHash      string // argon2id in PHC form; "" = signs in by mailed link only
	Locale            string
	PasswordChangedAt *time.Time
	ChapterID         *uuid.UUID // sees the people of this chapter only; nil: of the whole organisation
	TOTPSecretSealed  []byte     `gorm:"column:totp_secret_sealed"` // RFC 6238
	TOTPSince         *time.Time `gorm:"column:totp_since"`         // nil: no second step yet
	TOTPLast          int64      `gorm:"column:totp_last"`          // the last time step that was used: no code is good twice
	AwayUntil         *time.Time // reviews nothing until then
	DisabledAt        *time.Time
	LastLoginAt       *time.Time
	CreatedAt         time.Time
	UpdatedAt         time.Time
}

// Session is one signed-in browser. The cookie holds the token, the row its hash.
type Session struct {
	ID        uuid.UUID
	TokenHash []byte
	UserID    uuid.UUID
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time

	SecondStepAt *time.Time // nil: signed in by one step only
}

// RecoveryCode signs in once where the device with the codes is lost.
type RecoveryCode struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	CodeHash  []byte
	CreatedAt time.Time
	UsedAt    *time.Time
}

// Invitation asks somebody to open an account.
type Invitation struct {
	ID         uuid.UUID
	MailboxID  uuid.UUID
	Role       string
	ChapterID  *uuid.UUID
	InvitedBy  *uuid.UUID
	CreatedAt  time.Time
	ExpiresAt  time.Time
	AcceptedAt *time.Time
	RevokedAt  *time.Time
}

// LoginLink is a mailed link that signs in once. The token is made from the id when the mail is rendered.
type LoginLink struct {
	ID        uuid.UUID
	UserID    uuid.UUID
	CreatedAt time.Time
	ExpiresAt time.Time
	UsedAt    *time.Time
}

// LoginFailure is one failed attempt, kept for the length of the throttling window.
type LoginFailure struct {
	ID      uuid.UUID
	KeyHash []byte // of the account or of the client's address
	At      time.Time
}
