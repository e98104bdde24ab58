package models

import (
	"time"

	"github.com/google/uuid"
)

// InboundReport is what a mail that came back said about a delivery: at most one of each class, and nothing of its text.
type InboundReport struct {
	ID         uuid.UUID
	DeliveryID uuid.UUID
	MailboxID  *uuid.UUID // nil once the person was erased
	Class      string     // of mailer.Class: hard, soft, policy, ours, delayed, delivered, complaint, auto_reply, stop, reply, unclear
	Status     string     // the enhanced status code (RFC 3463), "" where there is none
	Diagnostic string     // what the server said, addresses removed
	Source     string     // SourceIMAP, ...
	State      ReportState
	Effect     string // what was done: EffectSuppressed, ...; "" for nothing
	ReceivedAt time.Time
	HandledAt  *time.Time
}

// ReportState is where a report is.
type ReportState string

// The states of a report.
const (
	ReportHeld    ReportState = "held" // more came in an hour than is likely: somebody looks first
	ReportDone    ReportState = "done"
	ReportDropped ReportState = "dropped" // somebody said that it is not to be believed
)

// What a report brought about.
const (
	EffectSuppressed = "suppressed" // the mailbox
	EffectWithdrawn  = "withdrawn"  // every consent to mail, and the mailbox is suppressed
	EffectStopped    = "stopped"    // what the mail's own unsubscribe link stops
	EffectPaused     = "paused"     // the mailing
	EffectTrouble    = "trouble"    // noted for the domain
)

// DomainTrouble says that the servers of a domain refuse us. Bulk mail to it waits until PausedUntil.
type DomainTrouble struct {
	ID          uuid.UUID
	Domain      string
	Status      string
	Diagnostic  string // addresses removed
	Count       int    // reports
	FirstAt     time.Time
	LastAt      time.Time
	PausedUntil *time.Time
	EndedAt     *time.Time
	EndedBy     *uuid.UUID
}

// The sources of mail that comes back.
const (
	SourceIMAP     = "imap"
	SourceSES      = "ses"      // Amazon SES, by its notifications
	SourcePostmark = "postmark" // by its webhook
)

// InboundSource is a mailbox that is read, or a provider that calls. There is at most one of a kind.
type InboundSource struct {
	ID             uuid.UUID
	Kind           string
	Address        string // that mail comes back to: "bounces@example.org"; "" for the one that mail is from
	Host           string // of a mailbox
	Port           int
	TLS            string // tls, starttls or none
	Username       string
	PasswordSealed []byte
	Folder         string
	Afterwards     string // seen, move, delete: what becomes of a mail that was understood; "" for a provider
	MoveTo         string // a folder
	Topic          string // the ARN of the topic, SourceSES only
	SecretSealed   []byte // the last part of the address that a provider calls
	Reading        string // which mailbox Validity and LastUID belong to
	Validity       int64  // UIDVALIDITY (RFC 9051) of the folder
	LastUID        int64  // up to here the folder was read
	CheckedAt      *time.Time
	FailedAt       *time.Time // since when it cannot be read; nil: it can
	Failure        string     // locale key
	CreatedAt      time.Time
	UpdatedAt      time.Time
}

// SuppressionChange says who put a mailbox on the suppression list by hand, or took it off, and why.
type SuppressionChange struct {
	ID         uuid.UUID
	MailboxID  uuid.UUID
	Action     string // added, lifted
	Reason     string // the reason of the suppression that began or ended
	NoteSealed []byte
	CreatedBy  *uuid.UUID
	CreatedAt  time.Time
}
