package models

import (
	"time"

	"github.com/google/uuid"
)

// Roster holds the places that people can take for one occasion, or for work without one.
type Roster struct {
	ID           uuid.UUID
	CampaignID   *uuid.UUID
	ChapterID    *uuid.UUID // nil: the whole organisation's
	EventID      *uuid.UUID
	Slug         string
	State        RosterState
	Template     bool // a pattern to copy, never public
	CopiedFrom   *uuid.UUID
	Title        string
	Summary      string
	Body         string // Markdown
	Locale       string
	TimeZone     string // IANA name: its times are said in it
	ContactName  string // whom a volunteer calls on the day
	ContactPhone string
	OpensAt      *time.Time // places can be taken from then on; nil: at once
	CreatedBy    *uuid.UUID
	Revision     int
	PublishedAt  *time.Time
	ClosedAt     *time.Time
	CreatedAt    time.Time
	UpdatedAt    time.Time
}

// Team is shifts that stand or fall together, such as those of one meeting: it goes ahead when each of them has its minimum.
type Team struct {
	ID        uuid.UUID
	RosterID  uuid.UUID
	Name      string
	Place     string // the room, or how the call is joined
	Position  int
	CreatedAt time.Time
	UpdatedAt time.Time
}

// Shift is one thing to do in one role, with places that people take.
type Shift struct {
	ID          uuid.UUID
	RosterID    uuid.UUID
	TeamID      *uuid.UUID
	Role        string // as people read it: Welcome table, lobby
	RoleKind    RoleKind
	Kind        ShiftKind
	StartsAt    *time.Time // fixed: when it begins; window: not before; task: none, or not before
	EndsAt      *time.Time // fixed: when it ends; window, task: done by then; nil: any time
	Minutes     int        // what it takes: with a window less than the window
	Mode        ShiftMode
	Place       string
	JoinSealed  []byte     // how to join, for those alone who hold a place
	Minimum     int        // with fewer it cannot go ahead
	Places      int        // as many are wanted
	Standbys    int        // as many are wanted besides
	Energy      int        // 1 to 5
	Demands     string     // with commas: Demands
	Languages   string     // needs one of them, codes with commas; "": any
	Training    string     // needs this one, a code; "": none
	Area        string     // needs a postal area that one of these patterns matches, with commas; "": anywhere
	Handover    string     // Markdown: for those who hold a place or stand by
	OpensAt     *time.Time // can be taken from then on
	Position    int
	CancelledAt *time.Time
	SettledAt   *time.Time // it is over, and who held its places is no longer kept
	Filled      int        // how many places were held when it was settled
	HeadCount   *int       // how many came, as counted on the day
	Revision    int
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Assignment is a place of a shift that somebody holds, or that they stand by for. Letting go deletes it; once the shift is settled it is deleted too, so that neither can be told from the other.
type Assignment struct {
	ID               uuid.UUID
	ShiftID          uuid.UUID
	MailboxID        uuid.UUID
	AsWhat           PlaceAs // a buddy comes along and fills no place
	State            AssignmentState
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	PhoneSealed      []byte
	Locale           string
	TimeZone         string     // IANA name; "" = the roster's
	StartsAt         *time.Time // window: when they want to do it
	AskBy            AskBy      // standby: how they may be asked
	AskFrom          *int       // standby: minutes after midnight of the day of the shift, where they live: they may be asked from then; nil: outside quiet hours
	ByHand           *uuid.UUID // the account that put them there on their word; nil: they themselves
	ConsentTextID    *uuid.UUID
	Source           string
	ClientHash       []byte
	CodeTries        int
	RemindedAt       *time.Time
	CreatedAt        time.Time
	ConfirmedAt      *time.Time
	UpdatedAt        time.Time
	ExpiresAt        *time.Time // pending: the place is free again then
}

// Offer asks somebody whether they take a place that came free. Nobody is asked twice for one shift. Deleted when the shift is settled.
type Offer struct {
	ID           uuid.UUID
	ShiftID      uuid.UUID
	MailboxID    uuid.UUID
	AssignmentID *uuid.UUID // of the standby; nil: somebody who offered time
	SwapID       *uuid.UUID // their place elsewhere that accepting lets go
	State        OfferState // filled: somebody else was quicker, or it was not needed any more
	ByWhat       AskBy
	Wave         int
	SentAt       *time.Time // when the mail server took it: the time to answer runs from then
	ExpiresAt    time.Time
	CreatedAt    time.Time
	ClosedAt     *time.Time
}

// Cover is the search for people for a shift that has fewer than it wants. It goes when the shift is full or over.
type Cover struct {
	ShiftID   uuid.UUID `gorm:"primaryKey"`
	OpenedAt  time.Time
	NextAt    *time.Time // when to look again; nil: nobody is left to ask
	Wave      int
	PhoneAt   *time.Time // since when it stands on the phone list
	UpdatedAt time.Time
}

// ShiftEvent is what happened to a place, without whose it was.
type ShiftEvent struct {
	ID      uuid.UUID
	ShiftID uuid.UUID
	Kind    ShiftEventKind
	At      time.Time
}

// ShiftMark says that somebody is not to be asked for a shift by itself: they took a place of it, or said so. A keyed hash of both, which names nobody; deleted when the shift is settled.
type ShiftMark struct {
	ShiftID uuid.UUID `gorm:"primaryKey"`
	Mark    []byte    `gorm:"primaryKey"`
}

// RosterMessage is what an organizer mailed to who held places or stood by: for one shift, a team, a day, or the whole roster.
type RosterMessage struct {
	ID         uuid.UUID
	RosterID   uuid.UUID
	ShiftID    *uuid.UUID
	TeamID     *uuid.UUID
	Day        string // 2027-03-09, in the roster's zone; "" = no day
	Subject    string
	Body       string
	Recipients int
	CreatedBy  *uuid.UUID
	CreatedAt  time.Time
}

// RosterState is how far a roster is.
type RosterState string

// The states of a roster.
const (
	RosterDraft     RosterState = "draft"
	RosterPublished RosterState = "published"
	RosterClosed    RosterState = "closed"
)

// RoleKind is what sort of role a shift is in: what volunteers say they like, and what a team is made of.
type RoleKind string

// The kinds of roles.
const (
	RoleAny         RoleKind = ""
	RoleLeader      RoleKind = "leader"
	RoleStoryteller RoleKind = "storyteller"
	RoleAsker       RoleKind = "asker" // says the ask
	RoleNotes       RoleKind = "notes"
	RoleHost        RoleKind = "host" // of a call or a group
	RoleDriver      RoleKind = "driver"
	RoleWelcome     RoleKind = "welcome"
	RoleQuiet       RoleKind = "quiet" // keeps the quiet room
	RolePhone       RoleKind = "phone"
	RoleWriting     RoleKind = "writing"
	RoleTranslating RoleKind = "translating"
	RoleArt         RoleKind = "art"
	RoleOrganising  RoleKind = "organising"
	RoleOther       RoleKind = "other"
)

// ShiftKind says when a shift is done.
type ShiftKind string

// The kinds of shifts.
const (
	ShiftFixed  ShiftKind = "fixed"  // from a time to a time
	ShiftWindow ShiftKind = "window" // some time between two times
	ShiftTask   ShiftKind = "task"   // any time, or until a time; no place
)

// ShiftMode is from where a shift is done.
type ShiftMode string

// The modes.
const (
	ShiftOnsite ShiftMode = "onsite"
	ShiftHome   ShiftMode = "home"
	ShiftPhone  ShiftMode = "phone"
)

// PlaceAs is as what somebody is on a shift.
type PlaceAs string

// What somebody can be on a shift.
const (
	AsPlace      PlaceAs = "place"
	AsStandby    PlaceAs = "standby"    // asked when a place comes free
	AsUnderstudy PlaceAs = "understudy" // a standby who knows the role, asked first
	AsBuddy      PlaceAs = "buddy"      // comes along and fills no place
)

// AssignmentState is how far an assignment is.
type AssignmentState string

// The states of an assignment. There is none for letting go or missing it: the row is gone.
const (
	AssignmentPending   AssignmentState = "pending" // the address is not confirmed: holds the place for 30 minutes
	AssignmentHeld      AssignmentState = "held"    // stands by
	AssignmentOffered   AssignmentState = "offered" // stands by, and is being asked
	AssignmentConfirmed AssignmentState = "confirmed"
)

// OfferState is how far an offer is.
type OfferState string

// The states of an offer.
const (
	OfferOpen     OfferState = "open"
	OfferAccepted OfferState = "accepted"
	OfferDeclined OfferState = "declined"
	OfferExpired  OfferState = "expired" // no answer in time
	OfferFilled   OfferState = "filled"  // somebody else was quicker, or it is not needed any more
)

// ShiftEventKind is what happened to a place.
type ShiftEventKind string

// What happens to places.
const (
	PlaceTaken     ShiftEventKind = "taken"
	PlaceReleased  ShiftEventKind = "released"
	PlaceOffered   ShiftEventKind = "offered"
	PlaceCovered   ShiftEventKind = "covered"
	PlaceCancelled ShiftEventKind = "cancelled"
)

// Demands lists what a shift may ask of somebody, as the effort label shows it: the locale keys are "effort." and the word. What
// somebody cannot do now is named by the same words.
var Demands = []string{"sitting", "standing", "driving", "speaking", "typing", "screen", "bright_light", "noise", "phone", "lifting"}

// RoleKinds lists the kinds of roles that people can like.
var RoleKinds = []RoleKind{
	RoleLeader, RoleStoryteller, RoleAsker, RoleNotes, RoleHost, RoleDriver, RoleWelcome, RoleQuiet, RolePhone, RoleWriting, RoleTranslating, RoleArt, RoleOrganising, RoleOther,
}

// Standby reports whether it stands by, as an understudy too.
func (a Assignment) Standby() bool { return a.AsWhat == AsStandby || a.AsWhat == AsUnderstudy }

// Fills reports whether it holds one of the places that count.
func (a Assignment) Fills() bool {
	return a.AsWhat == AsPlace && (a.State == AssignmentConfirmed || a.State == AssignmentPending)
}
