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
	SignatureCount int // confirmed ones only; with PaperCount it is the public number, Total
	LegacyCount    int // counted elsewhere, without an address: shown apart
	LegacySource   string
	SubmittedAt    *time.Time
	PublishedAt    *time.Time
	PausedAt       *time.Time
	ReturnedAt     *time.Time
	ReturnReason   string // reason codes with commas: why it came back, is paused, or was hidden
	ReturnText     string
	ReviewedBy     *uuid.UUID
	DeadlineAt     *time.Time
	ClosedAt       *time.Time
	AnonymisedAt   *time.Time   // when retention took the names away
	PictureAlt     string       // what the picture shows, for who does not see it
	DistrictKind   DivisionKind // by which it is counted; "" by none
	ClaimedBy      *uuid.UUID   // who reviews it
	ClaimedAt      *time.Time
	SuspectCount   int // confirmed by mail, and held back until somebody looks
	PaperCount     int // signatures on paper, as counted totals: part of the public number
	ResponseFrom   string
	ResponseText   string // Markdown
	RespondedAt    *time.Time
	Outcome        Outcome
	OutcomeText    string // Markdown
	AnsweredAt     *time.Time
	OutcomeToldAt  *time.Time // when the mails about it were begun
	// How far they are: the last mailbox that was looked at, how many mails were made, and when all were.
	OutcomeToldAfter  *uuid.UUID
	OutcomeToldCount  int
	OutcomeToldDoneAt *time.Time
	BreakerAt         *time.Time // since when confirmation mails are held back
	PressureUntil     *time.Time // until then the form asks for a proof of work
	EditedAt          *time.Time // when its words were last changed in public
	ProposedEdit      string     // JSON: what starters want it to say, or the answer to the last one; "" for none
	ProposedAt        *time.Time // since when that waits for a moderator
	CreatedAt         time.Time
	UpdatedAt         time.Time
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

// Outcome is how a petition ended.
type Outcome string

// The outcomes.
const (
	NoOutcome     Outcome = ""
	OutcomeWon    Outcome = "won"
	OutcomePartly Outcome = "partly"
	OutcomeLost   Outcome = "lost"
)

// Outcomes lists those that can be recorded.
var Outcomes = []Outcome{OutcomeWon, OutcomePartly, OutcomeLost}

// PetitionTopic begins the announcement that what everybody can see of a petition is not what it was; its slug follows.
const PetitionTopic = "petition:"

// Total is the public number: signatures that were confirmed, and those on paper.
func (p Petition) Total() int { return p.SignatureCount + p.PaperCount }

// Step is the public number rounded down as far as a picture of it needs not be made anew: to tens from a hundred on, to hundreds
// from a thousand on, and so forth.
func (p Petition) Step() int {
	n, unit := p.Total(), 1
	for n/unit >= 100 {
		unit *= 10
	}
	return n / unit * unit
}

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
	Seat             int       // 0, or 1 for a second person of the mailbox
	State            SignatureState
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	RoleSealed       []byte // a Role
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
	RecruitedBy      *uuid.UUID // the signature whose link it came by
	ClientHash       []byte     // of the device address, with the key of that day; dropped after 14 days
	InboxHash        []byte     // of the inbox behind the address, where one inbox has many addresses
	ProofHash        []byte     // of the proof of work that came with it: one proof is good for one signature
	Flag             string     // what to look at when judging many, a code: it holds nothing back
	SuspectReason    string     // why it waits to be looked at, a code; "" for the usual way
	CodeTries        int
	Number           int // the how manieth confirmed one; 0 until then
	Reminders        int // mails that asked once more
	RemindedAt       *time.Time
	CreatedAt        time.Time
	ConfirmedAt      *time.Time
	WithdrawnAt      *time.Time
	EditedAt         *time.Time // by its writer
	InvalidationID   *uuid.UUID // what took it out of the count, or let it in from among the suspect ones
	InvalidatedAt    *time.Time
	ExpiresAt        time.Time // a pending row goes then
}

// SignatureState is where a signature is on its way.
type SignatureState string

// The states of a signature. An expired one is deleted. A suspect one that was confirmed by mail has a ConfirmedAt, and waits until
// somebody looks.
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

// Role is what a signer is in the matter, if they want to say.
type Role string

// The roles.
const (
	RoleNone       Role = ""
	RolePain       Role = "pain"   // lives with it
	RoleFamily     Role = "family" // of somebody who does
	RoleHealthCare Role = "care"   // works in health care
)

// Roles lists those that can be said.
var Roles = []Role{RolePain, RoleFamily, RoleHealthCare}

// PetitionStarter is somebody who starts a petition without an account.
type PetitionStarter struct {
	ID          uuid.UUID
	PetitionID  uuid.UUID
	MailboxID   uuid.UUID
	Lead        bool // began it; the others were invited
	NameSealed  []byte
	ShownName   string // what they chose to show on the public page; "" for nothing
	Locale      string
	CodeTries   int        // of the code that resumes
	InvitedBy   *uuid.UUID // the starter who did
	CreatedAt   time.Time
	ConfirmedAt *time.Time // pressed the button behind the mailed link
}

// PetitionText is what a petition says in a further language.
type PetitionText struct {
	ID           uuid.UUID
	PetitionID   uuid.UUID
	Locale       string
	Title        string
	Summary      string
	Body         string
	Decider      string
	WhyNow       string
	SystemChange string
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// PetitionClaim is something that a petition states as a fact, and where it is from.
type PetitionClaim struct {
	ID          uuid.UUID
	PetitionID  uuid.UUID
	Position    int // from 1
	Claim       string
	SourceTitle string
	SourceURL   string
}

// PetitionEdit is what a public petition said before it was changed.
type PetitionEdit struct {
	ID             uuid.UUID
	PetitionID     uuid.UUID
	Before         string // JSON: field and old text
	Reason         string
	SignatureCount int // at that time
	EditedBy       *uuid.UUID
	CreatedAt      time.Time
}

// TallyKind is what a tally divides signatures by.
type TallyKind string

// The kinds of tallies, and what their names are.
const (
	TallyHour      TallyKind = "hour"      // 2006-01-02T15, UTC: of signing for Signed, of confirming for Confirmed
	TallySource    TallyKind = "source"    // a source code; "" came straight
	TallyPlace     TallyKind = "place"     // a postal area
	TallyRole      TallyKind = "role"      // a Role that was said
	TallyRecruited TallyKind = "recruited" // "": came by a signer's own link
)

// PetitionTally is a count below that of a petition. Signed is how many forms were taken, ever; Confirmed how many of them count now.
type PetitionTally struct {
	PetitionID uuid.UUID
	Kind       TallyKind
	Name       string
	Signed     int
	Confirmed  int
}

// ThresholdEffect is what happens at a threshold.
type ThresholdEffect string

// The effects.
const (
	EffectTell  ThresholdEffect = "tell"  // the author gets a mail
	EffectGoal  ThresholdEffect = "goal"  // the goal becomes NextGoal
	EffectClose ThresholdEffect = "close" // no more signatures are taken
)

// PetitionThreshold is what happens when so many have signed; it is undone when fewer count again.
type PetitionThreshold struct {
	ID         uuid.UUID
	PetitionID uuid.UUID
	Count      int
	Effect     ThresholdEffect
	NextGoal   int
	GoalBefore int // the goal when it did its effect; 0 once that is undone or decided
	ReachedAt  *time.Time
	CreatedAt  time.Time
}

// PaperCount is how many signed on paper: a total, never people.
type PaperCount struct {
	ID          uuid.UUID
	PetitionID  uuid.UUID
	DivisionID  *uuid.UUID
	Count       int
	Note        string
	CollectedAt time.Time
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	RemovedAt   *time.Time
}

// SigningWindow is a time at which many sign from one place: the limit by device address rests.
type SigningWindow struct {
	ID         uuid.UUID
	PetitionID *uuid.UUID // nil: every petition
	Note       string
	FromAt     time.Time
	UntilAt    time.Time
	CreatedBy  *uuid.UUID
	CreatedAt  time.Time
	EndedAt    *time.Time
}

// AbuseRule holds back, lets through or flags what comes from a mail domain, a range of device addresses, or one mail address.
type AbuseRule struct {
	ID          uuid.UUID
	Effect      string // block, allow, flag
	Subject     string // domain, range, address
	Value       string // a domain, a CIDR range, or the domain of the address
	AddressHash []byte // of the address
	Note        string
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
	EndedAt     *time.Time
}

// Invalidation is signatures that were taken out of the count together, by a condition; or suspect ones that were let in.
type Invalidation struct {
	ID            uuid.UUID
	PetitionID    uuid.UUID
	Condition     string // JSON
	Reason        string
	State         string // waiting, running, done, reverting, reverted
	Matched       int
	DoneCount     int
	RevertedCount int
	CreatedBy     *uuid.UUID
	RevertedBy    *uuid.UUID
	CreatedAt     time.Time
	UpdatedAt     time.Time
	FinishedAt    *time.Time
	RevertedAt    *time.Time
}

// Handover is a petition given to its decision maker.
type Handover struct {
	ID             uuid.UUID
	PetitionID     uuid.UUID
	HandedAt       time.Time
	Recipient      string
	HandedBy       string
	Note           string
	PictureID      *uuid.UUID
	PictureAlt     string
	SignatureCount int
	PaperCount     int
	CreatedBy      *uuid.UUID
	CreatedAt      time.Time
}

// PetitionPack is what is handed over, made as one file.
type PetitionPack struct {
	ID             uuid.UUID
	PetitionID     uuid.UUID
	Options        string // JSON
	State          string // waiting, running, done, failed
	SignatureCount int
	Manifest       string // JSON
	FileID         *uuid.UUID
	Message        string // a locale key, where it failed
	CreatedBy      *uuid.UUID
	CreatedAt      time.Time
	UpdatedAt      time.Time
	FinishedAt     *time.Time
}

// PetitionDigest is a mail to who decides, every so many signatures.
type PetitionDigest struct {
	ID          uuid.UUID
	PetitionID  uuid.UUID
	MailboxID   uuid.UUID
	Every       int        // signatures
	LastCount   int        // at the last mail, or when it was confirmed
	BeforeCount int        // at the mail before that
	LastAt      *time.Time // nil until its reader pressed the button
	StoppedAt   *time.Time // by its reader
	CreatedBy   *uuid.UUID
	CreatedAt   time.Time
}
