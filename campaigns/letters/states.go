package letters

import (
	"context"
	"slices"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Action is what moves a letter campaign from one state to another.
type Action string

// The actions.
const (
	Submit  Action = "submit"  // by its author: please publish
	Return  Action = "return"  // back to its author, with a reason
	Publish Action = "publish" // everybody can write
	Pause   Action = "pause"   // takes no letters and hands none over
	Resume  Action = "resume"
	Close   Action = "close" // takes no letters any more; what was confirmed still goes
)

// Actions lists every action, in the order of the buttons.
var Actions = []Action{Submit, Publish, Return, Pause, Resume, Close}

// moves is the state machine: where each action leads from each state; what is not here cannot be done.
var moves = map[Action]map[models.LetterCampaignState]models.LetterCampaignState{
	Submit:  {models.LettersDraft: models.LettersSubmitted, models.LettersReturned: models.LettersSubmitted},
	Return:  {models.LettersSubmitted: models.LettersReturned},
	Publish: {models.LettersDraft: models.LettersPublished, models.LettersSubmitted: models.LettersPublished, models.LettersReturned: models.LettersPublished},
	Pause:   {models.LettersPublished: models.LettersPaused},
	Resume:  {models.LettersPaused: models.LettersPublished},
	Close:   {models.LettersPublished: models.LettersClosed, models.LettersPaused: models.LettersClosed},
}

// Can lists what an actor can do with a letter campaign, in the order of Actions: for the buttons of a page. Who may publish it has no
// need to propose it.
func Can(a actor.Actor, c models.LetterCampaign) []Action {
	var out []Action
	for _, do := range Actions {
		if _, ok := moves[do][c.State]; ok && may(a, c, do) && (do != Submit || !a.May(actor.ManageLetters)) {
			out = append(out, do)
		}
	}
	return out
}

// may reports whether the actor has the right to an action, whatever the state.
func may(a actor.Actor, c models.LetterCampaign, do Action) bool {
	if do == Submit {
		return a.May(actor.DraftPetition) && (a.Is(c.AuthorID) || a.May(actor.ManageLetters))
	}
	return a.May(actor.ManageLetters)
}

// Editable reports whether the actor can change what a letter campaign says: its author while nobody looks at it, and who may
// publish it until it is closed. What was confirmed goes out as it was.
func Editable(a actor.Actor, c models.LetterCampaign) bool {
	if c.State == models.LettersClosed {
		return false
	}
	if a.May(actor.ManageLetters) {
		return true
	}
	return a.May(actor.DraftPetition) && a.Is(c.AuthorID) && slices.Contains([]models.LetterCampaignState{models.LettersDraft, models.LettersReturned}, c.State)
}

func errState() error   { return fault.New(fault.Conflict, "error.letters_state") }
func errChanged() error { return fault.New(fault.Conflict, "error.letters_changed") }

// Topic is announced when what people can read of letter campaigns has changed: see database.Announce.
const Topic = "letters"

// move makes a step of the state machine in tx, with what else changes in the row, and writes the audit entry. c is brought up to
// date. The faults are Forbidden; Conflict, error.letters_state, where the step cannot be made from where it is, also when
// somebody else was faster.
func move(ctx context.Context, tx *gorm.DB, a actor.Actor, c *Campaign, do Action, set map[string]any, now time.Time) error {
	if !may(a, c.LetterCampaign, do) {
		return fault.New(fault.Forbidden, "error.forbidden")
	}
	to, ok := moves[do][c.State]
	if !ok {
		return errState()
	}
	if set == nil {
		set = map[string]any{}
	}
	set["state"], set["updated_at"] = to, now
	r := tx.WithContext(ctx).Model(&models.LetterCampaign{}).Where("id = ? AND state = ? AND revision = ?", c.ID, c.State, c.Revision).Updates(set)
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected == 0 {
		return errState()
	}
	if err := audit.Write(ctx, tx, a, now, "letters."+string(do), "letter_campaigns", c.ID, nil); err != nil {
		return err
	}
	fresh, err := load(ctx, tx, c.ID)
	*c = fresh
	database.Announce(tx, Topic)
	return err
}

// touch counts a change of what a letter campaign says in tx, so that two open pages cannot overwrite each other unseen, and returns
// it. The faults are those of mine; Conflict, error.letters_state or error.letters_changed.
func touch(ctx context.Context, tx *gorm.DB, a actor.Actor, c Campaign, revision int, now time.Time, set map[string]any) error {
	switch {
	case !Editable(a, c.LetterCampaign):
		return errState()
	case c.Revision != revision:
		return errChanged()
	}
	if set == nil {
		set = map[string]any{}
	}
	set["revision"], set["updated_at"] = revision+1, now
	r := tx.WithContext(ctx).Model(&models.LetterCampaign{}).Where("id = ? AND revision = ? AND state = ?", c.ID, revision, c.State).Updates(set)
	if r.Error == nil && r.RowsAffected == 0 {
		return errChanged()
	}
	if c.Public() {
		database.Announce(tx, Topic)
	}
	return r.Error
}
