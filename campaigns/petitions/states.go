package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Action is what moves a petition from one state to another.
type Action string

// The actions.
const (
	Submit   Action = "submit"   // by its author: please publish
	Publish  Action = "publish"  // by a moderator, as is everything down to Show
	Return   Action = "return"   // back to its author, with a reason
	Pause    Action = "pause"    // no new signatures for now
	Resume   Action = "resume"   //
	Close    Action = "close"    // no new signatures any more
	Hide     Action = "hide"     // nobody sees it
	Show     Action = "show"     // hidden no longer
	Withdraw Action = "withdraw" // by its author: not mine any more
	HandOver Action = "handover" // to who decides: see RecordHandover; no new signatures from then on
	Answer   Action = "answer"   // what became of it: see RecordOutcome
)

// Actions lists every action.
var Actions = []Action{Submit, Publish, Return, Pause, Resume, Close, Hide, Show, Withdraw, HandOver, Answer}

// moves is the state machine: where each action leads from each state; what is not here cannot be done.
var moves = map[Action]map[models.PetitionState]models.PetitionState{
	Submit:  {models.PetitionDraft: models.PetitionSubmitted, models.PetitionReturned: models.PetitionSubmitted},
	Publish: {models.PetitionSubmitted: models.PetitionPublished},
	Return:  {models.PetitionSubmitted: models.PetitionReturned},
	Pause:   {models.PetitionPublished: models.PetitionPublished},
	Resume:  {models.PetitionPublished: models.PetitionPublished},
	Close:   {models.PetitionPublished: models.PetitionClosed},
	Hide: {
		models.PetitionPublished: models.PetitionHidden, models.PetitionClosed: models.PetitionHidden,
		models.PetitionHandedOver: models.PetitionHidden, models.PetitionAnswered: models.PetitionHidden,
	},
	Show:     {models.PetitionHidden: models.PetitionPublished},
	Withdraw: {models.PetitionDraft: models.PetitionWithdrawn, models.PetitionSubmitted: models.PetitionWithdrawn, models.PetitionReturned: models.PetitionWithdrawn, models.PetitionPublished: models.PetitionWithdrawn},
	// Handed over more than once, and an answer that is corrected, leave it where it is.
	HandOver: {
		models.PetitionPublished: models.PetitionHandedOver, models.PetitionClosed: models.PetitionHandedOver,
		models.PetitionHandedOver: models.PetitionHandedOver, models.PetitionAnswered: models.PetitionAnswered,
	},
	Answer: {
		models.PetitionPublished: models.PetitionAnswered, models.PetitionClosed: models.PetitionAnswered,
		models.PetitionHandedOver: models.PetitionAnswered, models.PetitionAnswered: models.PetitionAnswered,
	},
}

// Next returns the state that an action leads to, and whether it can be done at all. A petition that was closed or answered before
// it was hidden shows as that again (see move for one that was handed over); only a running one can be paused, only a paused one
// resumed.
func Next(p models.Petition, do Action) (models.PetitionState, bool) {
	to, ok := moves[do][p.State]
	switch {
	case do == Pause && p.PausedAt != nil, do == Resume && p.PausedAt == nil:
		return "", false
	case do == Show && ok && p.AnsweredAt != nil:
		return models.PetitionAnswered, true
	case do == Show && ok && p.ClosedAt != nil:
		return models.PetitionClosed, true
	}
	return to, ok
}

// Can lists what can be done with a petition by an actor, in the order of Actions: for the buttons of a page.
func Can(a actor.Actor, p models.Petition) []Action {
	var out []Action
	for _, do := range Actions {
		if _, ok := Next(p, do); ok && may(a, p, do) {
			out = append(out, do)
		}
	}
	return out
}

// may reports whether the actor has the right to an action, whatever the state. An author publishes their own petition only
// with the right to moderate.
func may(a actor.Actor, p models.Petition, do Action) bool {
	if a.Kind == actor.Person { // whose petition it is, mine asked before
		return a.MailboxID != uuid.Nil && (do == Submit || do == Withdraw)
	}
	switch do {
	case Submit:
		return a.May(actor.DraftPetition) && (a.Is(p.AuthorID) || a.May(actor.ModeratePetition))
	case Withdraw:
		return a.May(actor.DraftPetition) && (a.Is(p.AuthorID) || a.Kind == actor.System)
	}
	return a.May(actor.ModeratePetition)
}

// move makes a step of the state machine in tx, with what else changes in the row, and writes the audit entry. p is brought
// up to date. The faults are Forbidden; Conflict, error.petition_state, where the step cannot be made from where the
// petition is, also when somebody else was faster.
func move(ctx context.Context, tx *gorm.DB, a actor.Actor, p *models.Petition, do Action, set map[string]any, now time.Time, details map[string]any) error {
	if !may(a, *p, do) {
		return fault.New(fault.Forbidden, "error.forbidden")
	}
	to, ok := Next(*p, do)
	if !ok {
		return fault.New(fault.Conflict, "error.petition_state")
	}
	if set == nil {
		set = map[string]any{}
	}
	if do == Show && to == models.PetitionClosed {
		var over []models.Handover
		if err := tx.WithContext(ctx).Select("id").Where("petition_id = ?", p.ID).Limit(1).Find(&over).Error; err != nil {
			return err
		}
		if len(over) > 0 {
			to = models.PetitionHandedOver
		}
	}
	if do == Show && to == models.PetitionAnswered && p.OutcomeToldAt != nil { // mails about it that were due meanwhile go now
		set["outcome_told_after"], set["outcome_told_done_at"] = nil, nil
	}
	set["state"], set["updated_at"] = to, now
	if p.State == models.PetitionSubmitted { // the review is over
		set["claimed_by"], set["claimed_at"] = nil, nil
	}
	paused := "paused_at IS NULL"
	if p.PausedAt != nil {
		paused = "paused_at IS NOT NULL"
	}
	r := tx.WithContext(ctx).Model(&models.Petition{}).
		Where("id = ? AND state = ? AND revision = ? AND "+paused, p.ID, p.State, p.Revision).Updates(set)
	if r.Error != nil {
		return r.Error
	}
	if r.RowsAffected == 0 {
		return fault.New(fault.Conflict, "error.petition_state")
	}
	if err := audit.Write(ctx, tx, a, now, "petition."+string(do), "petitions", p.ID, details); err != nil {
		return err
	}
	fresh, err := take(ctx, tx, p.ID)
	*p = fresh
	Changed(tx, p.Slug)
	return err
}
