package petitions

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of what is recorded at the end, in characters.
const (
	ResponseMax     = 10_000
	ResponseFromMax = 200
	OutcomeMax      = 2000
)

// Response is what the decision maker answered.
type Response struct {
	From string    // who
	Text string    // Markdown
	At   time.Time // the day
}

// RecordResponse shows on the petition's page what the decision maker answered, or what was wrong about it before; all empty
// takes it off. It needs actor.ModeratePetition. The faults are NotFound, error.petition_unknown; Conflict,
// error.petition_not_public; Invalid with the fields from, text, at.
func (s *Service) RecordResponse(ctx context.Context, a actor.Actor, id uuid.UUID, in Response) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	in.From, in.Text = strings.TrimSpace(in.From), strings.TrimSpace(in.Text)
	none := in == Response{}
	var bad fault.Fields
	if !none {
		if in.From == "" {
			bad.Add("from", "error.handover_from_missing")
		}
		line(&bad, "from", in.From, ResponseFromMax)
		if in.Text == "" {
			bad.Add("text", "error.handover_text_missing")
		}
		text(&bad, "text", in.Text, ResponseMax)
		checkDay(&bad, "at", in.At, now)
	}
	if err := bad.Err(); err != nil {
		return models.Petition{}, err
	}
	set := map[string]any{"response_from": in.From, "response_text": in.Text, "responded_at": nil, "updated_at": now}
	if !none {
		set["responded_at"] = in.At
	}
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		if !p.State.Public() {
			return fault.New(fault.Conflict, "error.petition_not_public")
		}
		if err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		details := map[string]any{"corrected": p.RespondedAt != nil, "removed": none}
		if err := audit.Write(ctx, tx, a, now, "petition.response", "petitions", id, details); err != nil {
			return err
		}
		Changed(tx, p.Slug)
		p, err = take(ctx, tx, id)
		return err
	})
	return p, err
}

// checkDay notes what is wrong with a day on which something happened.
func checkDay(bad *fault.Fields, name string, day, now time.Time) {
	switch {
	case day.IsZero():
		bad.Add(name, "error.handover_day_missing")
	case day.After(now.Add(24 * time.Hour)): // today somewhere
		bad.Add(name, "error.handover_day_ahead")
	case day.Year() < 2000:
		bad.Add(name, "error.handover_day")
	}
}

// OutcomeInput is how a petition ended.
type OutcomeInput struct {
	Outcome models.Outcome
	Text    string // Markdown
}

// RecordOutcome ends a petition: won, partly or lost, with the words that its signers read. Done again it corrects what was
// recorded; the first time it takes no signatures any more. It needs actor.ModeratePetition. The faults are NotFound,
// error.petition_unknown; Conflict, error.petition_state; Invalid with the fields outcome, outcome_text.
func (s *Service) RecordOutcome(ctx context.Context, a actor.Actor, id uuid.UUID, in OutcomeInput) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	in.Text = strings.TrimSpace(in.Text)
	var bad fault.Fields
	if !slices.Contains(models.Outcomes, in.Outcome) {
		bad.Add("outcome", "error.handover_outcome_missing")
	}
	if in.Text == "" {
		bad.Add("outcome_text", "error.handover_outcome_text_missing")
	}
	text(&bad, "outcome_text", in.Text, OutcomeMax)
	if err := bad.Err(); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		set := map[string]any{"outcome": in.Outcome, "outcome_text": in.Text, "paused_at": nil}
		details := map[string]any{"outcome": in.Outcome}
		if p.AnsweredAt == nil {
			set["answered_at"] = now
		} else {
			details["before"] = p.Outcome
		}
		closing(p, set, now)
		return move(ctx, tx, a, &p, Answer, set, now, details)
	})
	return p, err
}

// closing adds to set that a petition takes no signatures from now on, where it still did.
func closing(p models.Petition, set map[string]any, now time.Time) {
	set["paused_at"] = nil
	if p.ClosedAt == nil {
		set["closed_at"] = now
	}
}
