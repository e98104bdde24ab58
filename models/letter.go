package models

import (
	"time"

	"github.com/google/uuid"
)

// LetterCampaign asks constituents to write to those who decide, in their own words.
type LetterCampaign struct {
	ID            uuid.UUID
	CampaignID    uuid.UUID
	Slug          string
	State         LetterCampaignState
	Title         string
	Summary       string
	Body          string // Markdown: why, and what happens with a letter
	Ask           string // the one clear ask, as the letter says it
	Bill          string // HB 412; "" for none
	Position      Stance
	Subject       string // of the letters, where the writer writes none
	Prompt        string // what to write about in one's own words
	Opening       string // the organisation's sentence after the salutation; "" for none
	Closing       string // the sign-off, such as "With respect"
	MinOwnWords   int    // 0: nobody has to write any
	Locale        string
	OpensAt       *time.Time
	ClosesAt      *time.Time
	MaxLetters    int  // in all; 0: no limit
	MaxRecipients int  // a letter; 0: as many as the targets give
	HourlyCap     int  // letters an office in any 60 minutes
	Digest        bool // one mail or file an office and day instead of one a letter
	AskAnswers    bool // writers are asked after 14 days whether they were answered
	Positions     bool // what legislators said about the bill is kept
	Minutes       int  // the effort label
	Energy        int
	Demands       string // with commas
	AuthorID      *uuid.UUID
	Revision      int
	LetterCount   int // confirmed ones
	ReturnText    string
	SubmittedAt   *time.Time
	PublishedAt   *time.Time
	ClosedAt      *time.Time
	ReviewedBy    *uuid.UUID
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// LetterText is what a letter campaign says in a further language.
type LetterText struct {
	ID               uuid.UUID
	LetterCampaignID uuid.UUID
	Locale           string
	Title            string
	Summary          string
	Body             string
	Ask              string
	Subject          string
	Prompt           string
	Opening          string
	Closing          string
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// LetterTarget is a rule that says who is written to.
type LetterTarget struct {
	ID               uuid.UUID
	LetterCampaignID uuid.UUID
	Position         int // from 1
	Rule             TargetRule
	Name             string     // of the group, as writers read it
	ChamberID        *uuid.UUID // represents: my representative there
	CommitteeID      *uuid.UUID // committee: its members
	OnlyMine         bool       // committee: only a member who represents the writer
	LegislatorID     *uuid.UUID // person, fallback
}

// LetterPoint is something that a letter can say; the writer ticks it.
type LetterPoint struct {
	ID               uuid.UUID
	LetterCampaignID uuid.UUID
	TargetID         *uuid.UUID // for this group alone; nil for everybody
	Party            string     // for members of this party alone; "" for all
	Locale           string
	Position         int
	Body             string
	SourceTitle      string
	SourceURL        string
}

// Letter is what one constituent writes in one letter campaign.
type Letter struct {
	ID               uuid.UUID
	LetterCampaignID uuid.UUID
	MailboxID        uuid.UUID // NULL, read as uuid.Nil, once anonymised
	State            LetterState
	Locale           string
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	StreetSealed     []byte
	CitySealed       []byte
	PhoneSealed      []byte
	PostalArea       string
	Region           string
	Country          string
	Divisions        string // JSON: the ids of the divisions that the writer lives in, as chosen or found
	Points           string // JSON: ids of the points ticked, in the order of the letter
	SubjectSealed    []byte
	OwnWordsSealed   []byte
	Chosen           string // JSON: ids of the legislators that it goes to
	ConfirmedDigest  []byte // SHA-256 of the text of all its dispatches, keyed: what was confirmed is what goes out
	OwnShare         int    // percent of the letter that is the writer's own
	OwnWords         int    // how many words are
	WantsCopy        bool
	Keeps            bool       // stays on the writer's page after it is closed
	ConsentTextID    *uuid.UUID // the words beside the button that say what an office gets
	Consents         string     // JSON: boxes ticked beside it, kept until the address is confirmed
	HeldReason       string     // a code; "" for not held
	HeldLike         *uuid.UUID // the letter that it resembles
	HeldAt           *time.Time
	HoldToldAt       *time.Time
	ReviewedBy       *uuid.UUID
	Source           string
	ClientHash       []byte
	CodeTries        int
	ResumeTries      int
	Number           int // the how manieth confirmed one; 0 until then
	Minutes          int // how long the writer says it took; 0 for not said
	CreatedAt        time.Time
	UpdatedAt        time.Time
	ConfirmedAt      *time.Time
	ReleasedAt       *time.Time
	ClosedAt         *time.Time
	ExpiresAt        time.Time
}

// LetterSketch is a part of the sketch of a letter's own words, by which near-identical ones find each other.
type LetterSketch struct {
	LetterCampaignID uuid.UUID `gorm:"primaryKey"`
	Band             int       `gorm:"primaryKey"`
	Hash             int64     `gorm:"primaryKey"` // keyed
	LetterID         uuid.UUID `gorm:"primaryKey"`
}

// Dispatch is a letter to one legislator.
type Dispatch struct {
	ID               uuid.UUID
	LetterID         uuid.UUID
	LetterCampaignID uuid.UUID
	MailboxID        uuid.UUID // the writer's; NULL, read as uuid.Nil, once anonymised
	LegislatorID     uuid.UUID
	TermID           uuid.UUID // in force when it was confirmed
	State            DispatchState
	Channel          DispatchChannel // chosen when it goes; "" until then
	ChannelID        *uuid.UUID
	OfficeID         *uuid.UUID
	Tried            string // JSON: ids of the channels that it did not get through on
	SubjectSealed    []byte // exactly what was confirmed
	TextSealed       []byte
	DeliveryID       *uuid.UUID // of the mail that carries it
	DueAt            time.Time  // not before
	HandedAt         *time.Time // to the mail, or shown to the writer as ready to be sent by hand
	DoneAt           *time.Time // when the writer, or who carried it, said that it was sent
	DoneHow          string     // call: reached, voicemail, busy ...
	RemindAt         *time.Time
	AskedAt          *time.Time // whether it was answered
	AskedAgainAt     *time.Time
	AnsweredAt       *time.Time
	Answer           string // yes, no, unclear; "" for none
	ClosedAt         *time.Time
	ClosedReason     string
	CreatedAt        time.Time
	UpdatedAt        time.Time
}

// LetterPace is when the next letter may go to a legislator: campaigns/letters keeps it (pace.go).
type LetterPace struct {
	LegislatorID uuid.UUID  `gorm:"primaryKey"`
	NextAt       *time.Time // nil: nothing waits
	UpdatedAt    time.Time
}

// LetterReply is an office's answer on its way to the writer. Its text goes when it was forwarded, unless the writer keeps it.
type LetterReply struct {
	ID          uuid.UUID
	DispatchID  uuid.UUID
	MailboxID   uuid.UUID
	BodySealed  []byte
	Kind        string // reply, automatic
	Digest      []byte // keyed, of the mail: read twice it is one
	Kept        bool
	ReceivedAt  time.Time
	ForwardedAt *time.Time
}

// Position is what a legislator said about a bill or an issue. Rows are only ever added.
type Position struct {
	ID               uuid.UUID
	LegislatorID     uuid.UUID
	LetterCampaignID uuid.UUID
	Stance           string // support, oppose, undecided, unclear; at a meeting yes, maybe, no, unclear
	SourceTitle      string
	SourceURL        string
	Note             string // of a meeting: what was asked
	SaidOn           string // 2006-01-02
	CreatedBy        *uuid.UUID
	CreatedAt        time.Time
	MeetingID        *uuid.UUID // the meeting that is its source; nil: SourceTitle and SourceURL say it
}

// AdvocacyEntry is work that an organisation reports: how much of what was done, and how long it took.
type AdvocacyEntry struct {
	ID               uuid.UUID
	CampaignID       *uuid.UUID
	LetterCampaignID *uuid.UUID
	Kind             string // letters, calls, meetings, other
	Amount           int
	Minutes          int
	Note             string
	HappenedOn       string // 2006-01-02
	CreatedBy        *uuid.UUID
	CreatedAt        time.Time
	RemovedAt        *time.Time
}

// LetterCampaignState is where a letter campaign is on its way.
type LetterCampaignState string

// The states of a letter campaign.
const (
	LettersDraft     LetterCampaignState = "draft"
	LettersSubmitted LetterCampaignState = "submitted" // an advocate's, waiting for an organizer
	LettersReturned  LetterCampaignState = "returned"
	LettersPublished LetterCampaignState = "published"
	LettersPaused    LetterCampaignState = "paused" // takes no letters and hands none over
	LettersClosed    LetterCampaignState = "closed"
)

// Stance is what a letter campaign wants of a bill.
type Stance string

// The stances.
const (
	StanceSupport Stance = "support"
	StanceOppose  Stance = "oppose"
	StanceThank   Stance = "thank"
	StanceOther   Stance = "other"
)

// TargetRule says how a target is found.
type TargetRule string

// The rules.
const (
	TargetRepresents TargetRule = "represents" // who represents the writer in a chamber
	TargetCommittee  TargetRule = "committee"  // the members of a committee
	TargetPerson     TargetRule = "person"     // always the same one
	TargetFallback   TargetRule = "fallback"   // where no other rule finds anybody
)

// LetterState is where a letter is on its way.
type LetterState string

// The states of a letter. A draft belongs to an address that was given, and is resumed by a mailed link.
const (
	LetterDraft      LetterState = "draft"
	LetterAwaiting   LetterState = "awaiting_confirmation"
	LetterConfirmed  LetterState = "confirmed"
	LetterHeld       LetterState = "held" // resembles others: a person looks
	LetterReleased   LetterState = "released"
	LetterClosed     LetterState = "closed"
	LetterAnonymised LetterState = "anonymised"
	LetterExpired    LetterState = "expired"
	LetterRejected   LetterState = "rejected"
)

// DispatchState is where a letter to one legislator is on its way.
type DispatchState string

// The states of a dispatch. A draft one waits with its letter for the confirmation.
const (
	DispatchDraft    DispatchState = "draft"
	DispatchWaiting  DispatchState = "waiting"
	DispatchHanded   DispatchState = "handed" // to mail: its delivery's state is its state
	DispatchPresumed DispatchState = "presumed_delivered"
	DispatchAnswered DispatchState = "answered"
	DispatchClosed   DispatchState = "closed"
	DispatchBounced  DispatchState = "bounced"
	DispatchFailed   DispatchState = "failed"
	DispatchRetarget DispatchState = "retarget_needed" // the recipient left office
	DispatchByHand   DispatchState = "by_hand"         // the writer, or somebody with a folder, has to carry it
)

// DispatchChannel is how a dispatch travels.
type DispatchChannel string

// The channels.
const (
	ByEmail   DispatchChannel = "email"
	ByWebForm DispatchChannel = "webform" // the writer copies it into the office's own form
	ByPrint   DispatchChannel = "print"   // on paper
	ByCall    DispatchChannel = "call"
	ByDigest  DispatchChannel = "digest" // with others of that office and day
)
