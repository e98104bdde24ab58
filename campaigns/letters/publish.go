package letters

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Look returns a letter campaign for the page before it is proposed or published, with what is missing as an Invalid fault with fields
// in the order of the form. It is for whom Draft is.
func (s *Service) Look(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	c, err := mine(ctx, s.DB.DB, a, id)
	if err != nil {
		return c, err
	}
	bad, err := ready(ctx, s.DB.DB, c, s.Clock.Now())
	if err != nil {
		return c, err
	}
	return c, bad.Err()
}

// ready notes what is missing before letters can be written, and what cannot be stored.
func ready(ctx context.Context, tx *gorm.DB, c Campaign, now time.Time) (fault.Fields, error) {
	d := PlanOf(c.LetterCampaign)
	bad := append(d.check(), d.missing()...)
	planEffort(&bad, d)
	if c.ClosesAt != nil && !c.ClosesAt.After(now) {
		bad.Add("closes", "error.letters_closes_past")
	}
	found, err := reach(ctx, tx, c, now)
	if err != nil {
		return nil, err
	}
	somebody := 0
	for _, r := range found {
		somebody += r.Count
	}
	switch {
	case len(found) == 0:
		bad.Add("targets", "error.letters_targets_missing")
	case somebody == 0:
		bad.Add("targets", "error.letters_targets_nobody")
	}
	for _, p := range c.Points {
		var wrong fault.Fields
		if planSource(&wrong, "points", "points", p.SourceTitle, p.SourceURL); len(wrong) > 0 {
			bad = append(bad, wrong[0])
			break
		}
	}
	return bad, nil
}

// candidates finds words that speak of an election. It is a hint for a person and never an answer: a text can be about a vote in a
// committee.
var candidates = regexp.MustCompile(`(?i)\b(candidates?|elections?|elect|re-?elect|reelection|ballot|vote (for|against|out)|primary|campaign trail|candidat[oa]s?|elecci[oó]n(es)?|elegir|reelegir|votar? (por|contra)|urnas)\b`)

// ElectionWords lists the words of a letter campaign that may speak of a candidate or an election, each once, as they stand there. The
// page before publishing shows them: letters address decisions, and never support or oppose a candidate.
func ElectionWords(c Campaign) []string {
	all := []string{c.Title, c.Summary, c.Body, c.Ask, c.Subject, c.Prompt, c.Opening, c.Closing}
	for _, t := range c.Texts {
		all = append(all, t.Title, t.Summary, t.Body, t.Ask, t.Subject, t.Prompt, t.Opening, t.Closing)
	}
	for _, p := range c.Points {
		all = append(all, p.Body, p.SourceTitle)
	}
	var out []string
	seen := map[string]bool{}
	for _, w := range candidates.FindAllString(strings.Join(all, "\n"), -1) {
		if k := strings.ToLower(w); !seen[k] {
			seen[k] = true
			out = append(out, w)
		}
	}
	return out
}

// Submit asks for a draft to be published; its author gets a mail. It is for whom Draft is. revision is the one that the page showed. The faults are those of
// Look; Conflict, error.letters_changed or error.letters_state.
func (s *Service) Submit(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) (Campaign, error) {
	now := s.Clock.Now()
	var c Campaign
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if c, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := readyToMove(ctx, tx, c, Submit, revision, now); err != nil {
			return err
		}
		if err := move(ctx, tx, a, &c, Submit, map[string]any{"submitted_at": now, "return_text": ""}, now); err != nil {
			return err
		}
		return tellAuthor(ctx, tx, c, now)
	})
	return c, err
}

// readyToMove says why an action that makes the campaign public, or asks for it, cannot be done. A campaign that is elsewhere on its way is
// left to move.
func readyToMove(ctx context.Context, tx *gorm.DB, c Campaign, do Action, revision int, now time.Time) error {
	if _, ok := moves[do][c.State]; !ok {
		return nil
	}
	if c.Revision != revision {
		return errChanged()
	}
	bad, err := ready(ctx, tx, c, now)
	if err != nil {
		return err
	}
	return bad.Err()
}

// PublishInput is the yes to a revision. Decision says that the text is about a decision and not about a candidate; it is needed where
// ElectionWords finds something.
type PublishInput struct {
	Revision int
	Decision bool
}

// Publish opens a letter campaign to everybody. Its address is fixed, its campaign becomes public with it, its author gets a mail. It needs
// actor.ManageLetters. The faults are those of Submit, and Invalid on the field decision.
func (s *Service) Publish(ctx context.Context, a actor.Actor, id uuid.UUID, in PublishInput) (Campaign, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return Campaign{}, err
	}
	for try := 0; ; try++ {
		c, err := s.publish(ctx, a, id, in)
		if errors.Is(err, gorm.ErrDuplicatedKey) && try < 5 { // somebody took the address a moment ago
			continue
		}
		return c, err
	}
}

func (s *Service) publish(ctx context.Context, a actor.Actor, id uuid.UUID, in PublishInput) (Campaign, error) {
	now := s.Clock.Now()
	var c Campaign
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if c, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		set := map[string]any{"published_at": now, "reviewed_by": a.Account(), "return_text": ""}
		if _, ok := moves[Publish][c.State]; ok {
			if err := readyToMove(ctx, tx, c, Publish, in.Revision, now); err != nil {
				return err
			}
			if !in.Decision && len(ElectionWords(c)) > 0 {
				return fault.Fields{{Name: "decision", Key: "error.letters_decision"}}.Err()
			}
			if set["slug"], err = campaigns.FreeSlug(ctx, tx, &models.LetterCampaign{}, c.Title, c.ID); err != nil {
				return err
			}
			if err := campaigns.Publish(ctx, tx, c.CampaignID, campaigns.Facts{Title: c.Title, Ask: c.Ask, Deadline: lastMoment(c.ClosesAt)}, now); err != nil {
				return err
			}
		}
		if err := move(ctx, tx, a, &c, Publish, set, now); err != nil {
			return err
		}
		return tellAuthor(ctx, tx, c, now)
	})
	return c, err
}

// lastMoment is the last second before a campaign closes: what closes at midnight is due on the day before.
func lastMoment(closes *time.Time) *time.Time {
	if closes == nil {
		return nil
	}
	return at(closes.Add(-time.Second))
}

// ReturnInput says why a letter campaign goes back to its author.
type ReturnInput struct {
	Reason   string
	Revision int
}

// Return sends a proposed letter campaign back to its author, who gets the reason by mail. It needs actor.ManageLetters. The faults are Invalid with the
// field reason; those of Submit.
func (s *Service) Return(ctx context.Context, a actor.Actor, id uuid.UUID, in ReturnInput) (Campaign, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return Campaign{}, err
	}
	in.Reason = strings.TrimSpace(in.Reason)
	var bad fault.Fields
	if in.Reason == "" {
		bad.Add("reason", "error.letters_reason_missing")
	}
	planText(&bad, "reason", in.Reason, ReasonMax)
	if err := bad.Err(); err != nil {
		return Campaign{}, err
	}
	return s.step(ctx, a, id, Return, func(c Campaign, _ time.Time) (map[string]any, error) {
		if c.State == models.LettersSubmitted && c.Revision != in.Revision {
			return nil, errChanged()
		}
		return map[string]any{"return_text": in.Reason, "reviewed_by": a.Account()}, nil
	})
}

// Pause stops a letter campaign for now: nobody writes, and nothing is handed over. It needs actor.ManageLetters. The fault is Conflict,
// error.letters_state.
func (s *Service) Pause(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	return s.step(ctx, a, id, Pause, nil)
}

// Resume goes on after Pause, whose rights and faults it has.
func (s *Service) Resume(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	return s.step(ctx, a, id, Resume, nil)
}

// Close ends a letter campaign: nobody begins a letter any more, and what was confirmed goes out. It cannot be taken back. Its rights and
// faults are those of Pause.
func (s *Service) Close(ctx context.Context, a actor.Actor, id uuid.UUID) (Campaign, error) {
	return s.step(ctx, a, id, Close, func(_ Campaign, now time.Time) (map[string]any, error) {
		return map[string]any{"closed_at": now}, nil
	})
}

// step makes one step of the state machine that needs actor.ManageLetters.
func (s *Service) step(ctx context.Context, a actor.Actor, id uuid.UUID, do Action, set func(c Campaign, now time.Time) (map[string]any, error)) (Campaign, error) {
	if err := a.Need(actor.ManageLetters); err != nil {
		return Campaign{}, err
	}
	now := s.Clock.Now()
	var c Campaign
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if c, err = load(ctx, tx, id); err != nil {
			return err
		}
		var columns map[string]any
		if set != nil {
			if columns, err = set(c, now); err != nil {
				return err
			}
		}
		if err := move(ctx, tx, a, &c, do, columns, now); err != nil || do != Return {
			return err
		}
		return tellAuthor(ctx, tx, c, now)
	})
	return c, err
}
