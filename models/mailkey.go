package models

import (
	"time"

	"github.com/google/uuid"
)

// MailKey is a key that signs mail for a domain (DKIM). Its public half stands in DNS, at SELECTOR._domainkey.DOMAIN.
type MailKey struct {
	ID            uuid.UUID
	Domain        string // lower case, punycode
	Selector      string
	Algorithm     MailKeyAlgorithm
	PublicKey     string // what stands behind p= in DNS: base64
	PrivateSealed []byte // PKCS #8
	State         MailKeyState
	CreatedBy     *uuid.UUID
	CreatedAt     time.Time
	SigningAt     *time.Time // when its record was found first
	RestingAt     *time.Time // when another one took its place
}

// MailKeyAlgorithm is a kind of key: k= of its record in DNS.
type MailKeyAlgorithm string

// The kinds. Every reader of mail knows RSA; Ed25519 (RFC 8463) is shorter and faster, but many do not look at it yet.
const (
	MailKeyRSA     MailKeyAlgorithm = "rsa"
	MailKeyEd25519 MailKeyAlgorithm = "ed25519"
)

// MailKeyState says what a mail key is for.
type MailKeyState string

// The states of a mail key.
const (
	MailKeyWaiting MailKeyState = "waiting" // its record was not found in DNS yet
	MailKeySigning MailKeyState = "signing"
	MailKeyResting MailKeyState = "resting" // its record stays in DNS for the mails that are on their way
)

// DomainCheck is the latest look at what DNS says about a domain.
type DomainCheck struct {
	Domain    string `gorm:"primaryKey"`
	Report    string // JSON; campaigns/deliverability reads it
	CheckedAt time.Time
}
