package petitions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Reasons are the codes for which a petition goes back to its author. The words of each are the locale key
// "petition.reason_" and the code.
var Reasons = []string{"unclear", "decider", "source", "private", "tone", "candidate", "double", "other"}

// Check returns a draft, and what is missing before it can be submitted as an Invalid fault with fields in the order of the
// form, for the page that shows all answers.
func (s *Service) Check(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Petition, error) {
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return p, err
	}
	bad, err := ready(ctx, s.db.DB, p, s.clk.Now())
	if err != nil {
		return p, err
	}
	return p, bad.Err()
}

// Submit asks for a draft to be published. revision is the one that the page showed. The faults are those of Check;
// Conflict, error.petition_changed or error.petition_state.
func (s *Service) Submit(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) (models.Petition, error) {
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := proved(a); err != nil {
			return err
		}
		if _, ok := Next(p, Submit); ok {
			if p.Revision != revision {
				return fault.New(fault.Conflict, "error.petition_changed")
			}
			bad, err := ready(ctx, tx, p, now)
			if err != nil {
				return err
			}
			if err := bad.Err(); err != nil {
				return err
			}
		}
		if err := move(ctx, tx, a, &p, Submit, map[string]any{"submitted_at": now}, now, nil); err != nil {
			return err
		}
		return tellAuthor(ctx, tx, p, now)
	})
	return p, err
}

// Publish makes a submitted petition public. revision is the one that was read. Its address is fixed, its campaign becomes
// public with it, its author gets a mail. It needs actor.ModeratePetition. The faults are those of Submit.
func (s *Service) Publish(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	for try := 0; ; try++ {
		p, err := s.publish(ctx, a, id, revision)
		if errors.Is(err, gorm.ErrDuplicatedKey) && try < 5 { // somebody took the address a moment ago
			continue
		}
		return p, err
	}
}

func (s *Service) publish(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) (models.Petition, error) {
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		set := map[string]any{"published_at": now, "reviewed_by": a.Account()}
		if _, ok := Next(p, Publish); ok {
			if p.Revision != revision {
				return fault.New(fault.Conflict, "error.petition_changed")
			}
			bad, err := ready(ctx, tx, p, now)
			if err != nil {
				return err
			}
			if err := bad.Err(); err != nil {
				return err
			}
			if set["slug"], err = campaigns.FreeSlug(ctx, tx, &models.Petition{}, p.Title, p.ID); err != nil {
				return err
			}
			err = campaigns.Publish(ctx, tx, p.CampaignID, campaigns.Facts{
				Title: p.Title, Ask: p.Summary, Decider: p.Decider, WhyNow: p.WhyNow, SystemChange: p.SystemChange, Deadline: p.DeadlineAt,
			}, now)
			if err != nil {
				return err
			}
		}
		if err := move(ctx, tx, a, &p, Publish, set, now, nil); err != nil {
			return err
		}
		return tellAuthor(ctx, tx, p, now)
	})
	return p, err
}

// ReturnInput says why a petition goes back: one of Reasons, and words of one's own.
type ReturnInput struct {
	Reason   string
	Text     string
	Revision int
}

// Return sends a submitted petition back to its author, who gets the reason by mail. It needs actor.ModeratePetition. The
// faults are Invalid with the fields reason, text; those of Submit.
func (s *Service) Return(ctx context.Context, a actor.Actor, id uuid.UUID, in ReturnInput) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	in.Text = strings.TrimSpace(in.Text)
	var bad fault.Fields
	if !slices.Contains(Reasons, in.Reason) {
		bad.Add("reason", "error.petition_reason_missing")
	}
	text(&bad, "text", in.Text, ReasonMax)
	if in.Reason == "other" && in.Text == "" {
		bad.Add("text", "error.petition_reason_text_missing")
	}
	if err := bad.Err(); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = take(ctx, tx, id); err != nil {
			return err
		}
		if _, ok := Next(p, Return); ok && p.Revision != in.Revision {
			return fault.New(fault.Conflict, "error.petition_changed")
		}
		set := map[string]any{"returned_at": now, "return_reason": in.Reason, "return_text": in.Text, "reviewed_by": a.Account()}
		if err := move(ctx, tx, a, &p, Return, set, now, map[string]any{"reason": in.Reason}); err != nil {
			return err
		}
		return tellAuthor(ctx, tx, p, now)
	})
	return p, err
}

// tellAuthor queues the mail that says where the petition is now, to its author or to its starters. A petition without either
// tells nobody.
func tellAuthor(ctx context.Context, tx *gorm.DB, p models.Petition, now time.Time) error {
	boxes, err := addressees(ctx, tx, p)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindState, MailboxID: box, SubjectID: p.ID, Purpose: models.PurposeReceipt,
			DedupeKey: fmt.Sprintf("%s/%s/%s/%d/%s", KindState, p.ID, p.State, now.UnixMicro(), box),
			Priority:  models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// Steer does what needs no words: Pause, Resume, Close, Hide, Show, and Withdraw by the author. The faults are Forbidden;
// NotFound, error.petition_unknown; Conflict, error.petition_state.
func (s *Service) Steer(ctx context.Context, a actor.Actor, id uuid.UUID, do Action) (models.Petition, error) {
	if err := draws(a); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var set map[string]any
	switch do {
	case Pause:
		set = map[string]any{"paused_at": now}
	case Resume:
		set = map[string]any{"paused_at": nil}
	case Close:
		set = map[string]any{"closed_at": now, "paused_at": nil}
	case Hide, Show, Withdraw:
	default:
		return models.Petition{}, fault.New(fault.Invalid, "error.value_unknown")
	}
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := needLead(ctx, tx, a, id); err != nil {
			return err
		}
		return move(ctx, tx, a, &p, do, set, now, nil)
	})
	return p, err
}
