package models

import (
	"time"

	"github.com/google/uuid"
)

// Event is something to come to: once, or again and again by a rule.
type Event struct {
	ID              uuid.UUID
	CampaignID      *uuid.UUID
	ChapterID       *uuid.UUID // nil: the whole organisation's
	Slug            string
	State           EventState
	Kind            EventKind
	Title           string
	Summary         string
	Body            string // Markdown
	Locale          string
	TimeZone        string // IANA name: its times are said in it, and its rule runs in it
	StartsOn        string // the first day and time there, 2027-01-05T18:30: what the rule counts from
	Minutes         int
	Recurrence      string     // RFC 5545, without DTSTART; "": once
	EndsAt          *time.Time // when the last one is over; nil: it has no end
	Venue           EventVenue
	PlaceName       string
	Street          string
	City            string
	Region          string
	PostalCode      string
	Country         string
	Latitude        *float64
	Longitude       *float64
	JoinSealed      []byte // how to join: for those alone who are registered
	DialSealed      []byte // telephone number and code to join by: for those alone who are registered
	NoRemoteWhy     string // why nobody can join from home; "" where they can
	Capacity        int    // places of each date; 0: no limit. Of a hybrid event those in the room: who comes online or by phone takes none
	WaitingList     bool
	Access          string     // JSON: the access sheet, campaigns/events; "" = not known
	AccessContactID *uuid.UUID // the account that reads private access needs
	Types           string     // of a support group, codes with commas
	CoLeaderWanted  bool
	ContactName     string
	ContactEmail    string // of the organisation, public
	ContactPhone    string
	CreatedBy       *uuid.UUID
	Revision        int
	PublishedAt     *time.Time
	CancelledAt     *time.Time
	CancelNote      string
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// EventDate is what is different about one date of an event that comes again: another time or place, or that it is off; or one date more.
type EventDate struct {
	ID          uuid.UUID
	EventID     uuid.UUID
	OriginalAt  time.Time  // when the rule has it; for one more, when it is
	StartsAt    *time.Time // moved to
	Extra       bool       // the rule does not have it
	CancelledAt *time.Time
	Note        string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Registration says that somebody comes to a date of an event.
type Registration struct {
	ID               uuid.UUID
	EventID          uuid.UUID
	OccursAt         time.Time // which date: EventDate.OriginalAt, or when the rule has it
	MailboxID        uuid.UUID
	State            RegistrationState
	Attends          Attends
	GivenNameSealed  []byte
	FamilyNameSealed []byte
	NeedsSealed      []byte // private access needs: for the access contact, gone 30 days after
	ShareNeeds       bool   // the host office may read this note too
	Series           bool   // comes to the dates after it too
	Locale           string
	TimeZone         string
	ConsentTextID    *uuid.UUID
	Source           string
	ClientHash       []byte
	CodeTries        int
	RemindedAt       *time.Time
	OfferedUntil     *time.Time // a place came free and is kept for them until then
	CreatedAt        time.Time
	ConfirmedAt      *time.Time
	UpdatedAt        time.Time
	ExpiresAt        *time.Time // pending: goes then
}

// EventMessage is what an organizer mailed to those registered: for one date, or for all ahead.
type EventMessage struct {
	ID         uuid.UUID
	EventID    uuid.UUID
	OccursAt   *time.Time // which date, as Registration.OccursAt has it; nil: all
	Body       string
	Recipients int // mailboxes
	CreatedBy  *uuid.UUID
	CreatedAt  time.Time
}

// EventState is how far an event is.
type EventState string

// The states of an event.
const (
	EventDraft     EventState = "draft"
	EventPublished EventState = "published"
	EventCancelled EventState = "cancelled" // told to those who registered
	EventClosed    EventState = "closed"    // over, or no longer listed
)

// EventKind is what an event is.
type EventKind string

// The kinds of events.
const (
	EventAdvocacyDay  EventKind = "advocacy_day"
	EventSupportGroup EventKind = "support_group"
	EventClass        EventKind = "class"
	EventCourse       EventKind = "course" // a session of a course
	EventQA           EventKind = "qa"
	EventSocial       EventKind = "social"
)

// EventVenue is where an event is.
type EventVenue string

// The venues.
const (
	VenueOnsite EventVenue = "onsite"
	VenueOnline EventVenue = "online"
	VenueHybrid EventVenue = "hybrid" // on site and from home
	VenuePhone  EventVenue = "phone"
)

// RegistrationState is how far a registration is.
type RegistrationState string

// The states of a registration. Whoever does not come is deleted.
const (
	RegistrationPending RegistrationState = "pending" // the address is not confirmed
	Registered          RegistrationState = "registered"
	RegistrationWaiting RegistrationState = "waiting" // on the waiting list
	RegistrationOffered RegistrationState = "offered" // a place came free and waits for their yes
)

// Attends is how somebody comes.
type Attends string

// The ways to come.
const (
	AttendsOnsite Attends = "onsite"
	AttendsOnline Attends = "online"
	AttendsPhone  Attends = "phone"
)
