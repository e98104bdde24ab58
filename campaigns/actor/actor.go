// Package actor says who acts and what they may do. Rights are pure functions of the role, checked inside the operation,
// never in the handler alone.
package actor

import (
	"context"
	"slices"

	"github.com/google/uuid"

	"kithline/campaigns/fault"
)

// Role is what a user's account is for.
type Role string

// The roles, from the widest to the narrowest.
const (
	Owner       Role = "owner"       // runs the server: settings, users, jobs, recovery sheet, and all the rest
	Organizer   Role = "organizer"   // publishes, imports, writes to people
	Advocate    Role = "advocate"    // drafts petitions and follows their own
	Coordinator Role = "coordinator" // looks after rosters and volunteers
	Viewer      Role = "viewer"      // reads figures, never names
)

// Roles lists every role, widest first.
var Roles = []Role{Owner, Organizer, Advocate, Coordinator, Viewer}

// Right is one thing an actor may do. Send, Export and Delete stand apart from the work around them.
type Right string

// The rights.
const (
	Administer       Right = "administer"        // settings, SMTP, keys, jobs
	ManageUsers      Right = "manage_users"      // invite, change a role, disable
	ReadAudit        Right = "read_audit"        //
	SeeFigures       Right = "see_figures"       // counts and reports without names
	DraftPetition    Right = "draft_petition"    // own drafts
	ModeratePetition Right = "moderate_petition" // publish, return, hide, comments
	SeeSupporters    Right = "see_supporters"    // names and addresses
	EditSupporters   Right = "edit_supporters"   //
	Arrange          Right = "arrange"           // custom fields, tags, topics, wordings: what all chapters share
	Import           Right = "import"            //
	WriteMailing     Right = "write_mailing"     // compose, preview, test to oneself
	Send             Right = "send"              // start, pause, stop a mailing
	Export           Right = "export"            //
	Delete           Right = "delete"            // erase people and their records
	ManageRosters    Right = "manage_rosters"    //
	ManageLetters    Right = "manage_letters"    // publish letter campaigns, held letters, legislators and their positions
)

var rights = map[Role][]Right{
	Owner: {
		Administer, ManageUsers, ReadAudit, SeeFigures, DraftPetition, ModeratePetition, SeeSupporters, EditSupporters,
		Arrange, Import, WriteMailing, Send, Export, Delete, ManageRosters, ManageLetters,
	},
	Organizer: {
		SeeFigures, DraftPetition, ModeratePetition, SeeSupporters, EditSupporters, Arrange, Import, WriteMailing, Send, Export,
		ManageRosters, ManageLetters,
	},
	Advocate:    {SeeFigures, DraftPetition},
	Coordinator: {SeeFigures, SeeSupporters, ManageRosters},
	Viewer:      {SeeFigures},
}

// TwoStep are the rights that need a second step of signing in: what cannot be taken back.
var TwoStep = []Right{Send, Export, Delete}

// wholeOnly are the rights that somebody of a chapter never has: they reach beyond it.
var wholeOnly = []Right{Administer, ManageUsers, ReadAudit, ModeratePetition, Arrange, ManageLetters}

// Kind of actor.
type Kind string

// The kinds. The zero value, Nobody, is a visitor of a public page.
const (
	Nobody Kind = ""
	Person Kind = "person" // somebody who proved an address by a mailed link, or who is about to
	User   Kind = "user"   // a signed-in account
	System Kind = "system" // jobs and the command line on the server itself
)

// Actor is who acts. RequestID ties the audit log to the server's log.
type Actor struct {
	Kind      Kind
	UserID    uuid.UUID // User only
	MailboxID uuid.UUID // Person only: the address that was proved
	StarterID uuid.UUID // Person only, before an address was proved: whose draft was begun in this browser
	Role      Role      // User only
	ChapterID uuid.UUID // User only: sees this chapter's people alone; uuid.Nil: the whole organisation's
	OneStep   bool      // User only: signed in by one step where two are needed for the widest rights
	RequestID string
}

// TheSystem is the actor of jobs and of commands on the server's own terminal. It has every right.
func TheSystem() Actor { return Actor{Kind: System} }

// Account is the user's id, nil for everybody else: for the columns that say who did something.
func (a Actor) Account() *uuid.UUID {
	if a.Kind != User {
		return nil
	}
	return &a.UserID
}

// Is reports whether the actor is the user that such a column names.
func (a Actor) Is(account *uuid.UUID) bool {
	return a.Kind == User && account != nil && *account == a.UserID
}

// May reports whether the actor has the right.
func (a Actor) May(r Right) bool {
	switch a.Kind {
	case System:
		return true
	case User:
		return a.may(r) && (!a.OneStep || !slices.Contains(TwoStep, r))
	}
	return false
}

// may is the right by role and chapter, however the account signed in.
func (a Actor) may(r Right) bool {
	return slices.Contains(rights[a.Role], r) && (a.ChapterID == uuid.Nil || !slices.Contains(wholeOnly, r))
}

// NeedsTwoStep reports whether the account has rights that are given after a second step of signing in only.
func (a Actor) NeedsTwoStep() bool { return a.Kind == User && slices.ContainsFunc(TwoStep, a.may) }

// Chapter is the chapter that the actor is bound to, nil for everybody else: for the columns that say whose a row is.
func (a Actor) Chapter() *uuid.UUID {
	if a.Kind != User || a.ChapterID == uuid.Nil {
		return nil
	}
	return &a.ChapterID
}

// Need returns nil when the actor has the right, an Unauthenticated fault for a visitor, else a Forbidden one.
func (a Actor) Need(r Right) error {
	switch {
	case a.May(r):
		return nil
	case a.Kind == User && a.may(r):
		return fault.New(fault.Forbidden, "error.second_step_needed", "Next", "/admin/account/two-step")
	case a.Kind == User:
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(r))
	}
	return fault.New(fault.Unauthenticated, "error.login_needed")
}

type key struct{}

// With returns a context that carries the actor, for log lines only: operations take the actor as an argument.
func With(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, key{}, a) }

// From returns the actor of a context, Nobody where there is none.
func From(ctx context.Context) Actor { a, _ := ctx.Value(key{}).(Actor); return a }
