package models

import (
	"time"

	"github.com/google/uuid"
)

// Series is a row of steps that people go through one after the other, each in their own time, from the moment that something
// brought them in.
type Series struct {
	ID            uuid.UUID
	Name          string // for those who work here
	Purpose       Purpose
	ScopeID       uuid.UUID
	PetitionID    *uuid.UUID // of updates: whose merge fields its mails may use
	ChapterID     *uuid.UUID // takes this chapter's people alone
	Locale        string     // whoever speaks none of a mail's languages gets this one
	TriggerKind   SeriesTrigger
	TriggerID     uuid.UUID // the petition, form or tag; uuid.Nil where the trigger has none
	TriggerDate   string    // TriggerDate: 2006-01-02; else ""
	TriggerDays   int       // TriggerDate, TriggerAnniversary: days after it, below 0 before it
	LookbackDays  int       // also takes whom the trigger met so many days before the start
	AgainDays     int       // who left or finished may come again so many days later; 0 = never
	QuietFrom     int       // minute of the day at which no mail goes any more, in the person's time zone
	QuietUntil    int       // and at which it goes again; the same = no quiet hours
	State         SeriesState
	Revision      int
	BehindSeconds int64      // how long it stood still in all: every DueAt is so much earlier than the hands of the clock
	Since         *time.Time // whom the trigger met earlier does not come in
	ScannedAt     *time.Time // up to where the trigger was looked for
	ScannedID     uuid.UUID
	SweptAt       *time.Time // when it was looked for from the start
	LiveAt        *time.Time
	PausedAt      *time.Time
	EndedAt       *time.Time
	CreatedBy     *uuid.UUID
	CreatedAt     time.Time
	UpdatedAt     time.Time
}

// SeriesTrigger is what brings people into a series. Features may add kinds of their own.
type SeriesTrigger string

// The triggers that are always there.
const (
	TriggerSigned      SeriesTrigger = "signed"      // a petition, confirmed
	TriggerJoined      SeriesTrigger = "joined"      // said yes themselves to what the series is for
	TriggerForm        SeriesTrigger = "form"        // filled in a form, confirmed
	TriggerTagged      SeriesTrigger = "tagged"      // got a tag
	TriggerDate        SeriesTrigger = "date"        // days before or after a date
	TriggerAnniversary SeriesTrigger = "anniversary" // days before or after each year's day of having joined
	TriggerShift       SeriesTrigger = "shift"       // took a shift
)

// SeriesState is where a series is.
type SeriesState string

// The states of a series.
const (
	SeriesDraft  SeriesState = "draft"
	SeriesLive   SeriesState = "live"
	SeriesPaused SeriesState = "paused" // nobody moves; those who come in wait
	SeriesEnded  SeriesState = "ended"  // for good
)

// SeriesStep is one step of a series. One that was removed stays for the figures.
type SeriesStep struct {
	ID           uuid.UUID
	SeriesID     uuid.UUID
	Position     int
	Kind         SeriesStepKind
	WaitAmount   int
	WaitUnit     string // minutes, hours, days
	UntilWeekday int    // then until this day of the week, 0 Sunday; -1 = any
	UntilMinute  int    // and this minute of the day; -1 = any
	TagID        *uuid.UUID
	CreatedAt    time.Time
	UpdatedAt    time.Time
	RemovedAt    *time.Time
}

// SeriesStepKind is what a step does.
type SeriesStepKind string

// The kinds of steps.
const (
	StepWait  SeriesStepKind = "wait"
	StepMail  SeriesStepKind = "mail"
	StepTag   SeriesStepKind = "tag"
	StepUntag SeriesStepKind = "untag"
)

// SeriesText is what the mail of a step says in one language.
type SeriesText struct {
	ID        uuid.UUID
	StepID    uuid.UUID
	Locale    string
	Subject   string
	Preheader string
	Body      string // Markdown with merge fields
	Revision  int
	UpdatedAt time.Time
}

// SeriesExit is a goal: whoever reached it leaves the series.
type SeriesExit struct {
	ID        uuid.UUID
	SeriesID  uuid.UUID
	Kind      SeriesExitKind
	ObjectID  uuid.UUID // the petition or tag
	CreatedAt time.Time
}

// SeriesExitKind is a goal that ends a series for a person.
type SeriesExitKind string

// The goals.
const (
	ExitSigned SeriesExitKind = "signed" // a certain petition, whenever that was
	ExitTagged SeriesExitKind = "tagged" // has a certain tag
	ExitActed  SeriesExitKind = "acted"  // signed any petition since coming in
)

// SeriesPerson is where one person is in one series: one row, so nobody is in two steps at once.
type SeriesPerson struct {
	ID          uuid.UUID
	SeriesID    uuid.UUID
	SupporterID uuid.UUID
	StepID      *uuid.UUID // the step that comes next, or where they left; nil before the first
	State       SeriesPersonState
	Reason      string // why they left
	Done        string // ids of the mails and tags they had, with a space after each
	Round       int    // how often they came in, from 1
	DueAt       time.Time
	ArrivedAt   *time.Time // when the step's wait began; nil where it has not
	EnteredAt   time.Time
	UpdatedAt   time.Time
	LeftAt      *time.Time // or finished
}

// TableName is the table of the rows.
func (SeriesPerson) TableName() string { return "series_people" }

// SeriesPersonState says whether a person is still on the way.
type SeriesPersonState string

// The states of a person in a series.
const (
	SeriesActive   SeriesPersonState = "active"
	SeriesFinished SeriesPersonState = "finished"
	SeriesLeft     SeriesPersonState = "left"
)

// Why somebody left a series.
const (
	LeftNoConsent  = "no_consent" // unsubscribed, or the yes was taken back
	LeftSuppressed = "suppressed"
	LeftGoal       = "goal"
	LeftChapter    = "chapter" // belongs to another chapter now
	LeftEnded      = "ended"
)
