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
// "petition.reason_" and the code, and what would help is "moderate.reason_" and the code.
var Reasons = []string{"unclear", "decider", "source", "private", "tone", "candidate", "double", "other"}

// ReasonsOf splits the reasons of a petition that came back.
func ReasonsOf(codes string) []string {
	var out []string
	for _, r := range strings.Split(codes, ",") {
		if r != "" {
			out = append(out, r)
		}
	}
	return out
}

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
		set := map[string]any{"published_at": now, "reviewed_by": a.Account(), "return_reason": "", "return_text": ""}
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

// ReturnInput says why a petition goes back: one of Reasons, or several with commas between them, and words of one's own.
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
	if err := in.check(); err != nil {
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

// check brings the reasons into the order of Reasons, each once, and says what is wrong.
func (in *ReturnInput) check() error {
	in.Text = strings.TrimSpace(in.Text)
	asked := ReasonsOf(in.Reason)
	var known []string
	for _, r := range Reasons {
		if slices.Contains(asked, r) {
			known = append(known, r)
		}
	}
	var bad fault.Fields
	if len(known) == 0 || slices.ContainsFunc(asked, func(r string) bool { return !slices.Contains(Reasons, r) }) {
		bad.Add("reason", "error.petition_reason_missing")
	}
	in.Reason = strings.Join(known, ",")
	text(&bad, "text", in.Text, ReasonMax)
	if slices.Contains(known, "other") && in.Text == "" {
		bad.Add("text", "error.petition_reason_text_missing")
	}
	return bad.Err()
}

// PreviewReturn is the mail that Return would send, and changes nothing. It needs actor.ModeratePetition. The faults are those of
// Return.
func (s *Service) PreviewReturn(ctx context.Context, a actor.Actor, id uuid.UUID, in ReturnInput) (subject, text string, err error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return "", "", err
	}
	p, err := take(ctx, s.db.DB, id)
	if err != nil {
		return "", "", err
	}
	if err := in.check(); err != nil {
		return "", "", err
	}
	if _, ok := Next(p, Return); !ok {
		return "", "", fault.New(fault.Conflict, "error.petition_state")
	}
	if s.opt.Preview == nil {
		return "", "", nil
	}
	p.State, p.ReturnReason, p.ReturnText = models.PetitionReturned, in.Reason, in.Text
	boxes, err := addressees(ctx, s.db.DB, p)
	if err != nil || len(boxes) == 0 {
		return "", "", err
	}
	lang, _, edit, err := s.told(ctx, p, models.Delivery{MailboxID: boxes[0]})
	if err != nil {
		return "", "", err
	}
	if p.AuthorID == nil { // the link of a starter is theirs alone
		edit = s.opt.BaseURL + "/petitions/draft/…"
	}
	return s.opt.Preview(ctx, deliveries.Content{Template: KindState, Lang: lang, Data: StateMail{
		PetitionTitle: p.Title, State: string(p.State), Reason: s.reasonWords(lang, in.Reason, in.Text), URL: edit,
	}})
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

// PauseReasons and HideReasons are the codes for which a petition is paused, which its page says, and hidden, which its author is
// told. Their words are the locale keys "moderate.pause_" and "moderate.hide_" and the code.
var (
	PauseReasons = []string{"question", "source", "technical", "other"}
	HideReasons  = []string{"private", "hurts", "law", "false", "author", "other"}
)

// Because is why a petition is paused or hidden: one of PauseReasons or HideReasons, and words of one's own. What is said about a
// pause stands on the petition's page; what is said about hiding is for the author.
type Because struct{ Reason, Text string }

func (b *Because) check(do Action) error {
	b.Text = strings.TrimSpace(strings.ReplaceAll(b.Text, "\r\n", "\n"))
	codes := map[Action][]string{Pause: PauseReasons, Hide: HideReasons}[do]
	if codes == nil {
		*b = Because{}
		return nil
	}
	var bad fault.Fields
	if !slices.Contains(codes, b.Reason) {
		bad.Add("reason", "error.petition_reason_missing")
	}
	text(&bad, "text", b.Text, editReasonMax)
	if b.Reason == "other" && b.Text == "" {
		bad.Add("text", "error.steer_text_missing")
	}
	return bad.Err()
}

// SteerBecause is Steer with the reason that Pause and Hide need. The faults are those of Steer, and Invalid with the fields
// reason, text.
func (s *Service) SteerBecause(ctx context.Context, a actor.Actor, id uuid.UUID, do Action, why Because) (models.Petition, error) {
	if err := draws(a); err != nil {
		return models.Petition{}, err
	}
	if err := why.check(do); err != nil {
		return models.Petition{}, err
	}
	return s.steer(ctx, a, id, do, why)
}

// Steer does what needs no words: Pause, Resume, Close, Hide, Show, and Withdraw by the author. The faults are Forbidden;
// NotFound, error.petition_unknown; Conflict, error.petition_state.
func (s *Service) Steer(ctx context.Context, a actor.Actor, id uuid.UUID, do Action) (models.Petition, error) {
	if err := draws(a); err != nil {
		return models.Petition{}, err
	}
	return s.steer(ctx, a, id, do, Because{})
}

func (s *Service) steer(ctx context.Context, a actor.Actor, id uuid.UUID, do Action, why Because) (models.Petition, error) {
	now := s.clk.Now()
	set := map[string]any{"return_reason": why.Reason, "return_text": why.Text}
	switch do {
	case Pause:
		set["paused_at"] = now
	case Resume:
		set["paused_at"] = nil
	case Close:
		set["closed_at"], set["paused_at"] = now, nil
	case Hide, Show, Withdraw:
	default:
		return models.Petition{}, fault.New(fault.Invalid, "error.value_unknown")
	}
	var details map[string]any
	if why.Reason != "" {
		details = map[string]any{"reason": why.Reason}
	}
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = mine(ctx, tx, a, id); err != nil {
			return err
		}
		if err := needLead(ctx, tx, a, id); err != nil {
			return err
		}
		return move(ctx, tx, a, &p, do, set, now, details)
	})
	return p, err
}
