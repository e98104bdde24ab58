package petitions

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// guardFrom is how many confirmed signatures make the words of a petition those of its signers too.
const guardFrom = 100

// editReasonMax is how long the reason of a change may be, in characters.
const editReasonMax = 500

// EditInput is a public petition as it should read, over the revision that the page showed. Locale is not changed.
type EditInput struct {
	Draft
	Reason   string // shown to everybody
	Revision int
	Takes    int64 // which waiting change the page showed, see ProposalMark; 0 for none
}

// Proposed is how starters without an account want a public petition to read. It waits until a moderator looks at it: who has no
// account was never vouched for, and people would have signed what nobody read.
type Proposed struct {
	Title, Summary, Body, Decider, WhyNow, SystemChange, Place string
	Goal                                                       int
	DeadlineAt                                                 *time.Time
	Reason                                                     string // theirs, for everybody
	Answer                                                     string // of a moderator who did not take it; then it waits no more
}

// Proposal reads what waits at a petition, or the answer to what waited last, with what it says now of the words that would
// change.
func Proposal(p models.Petition) (Proposed, []EditedField) {
	var out Proposed
	if p.ProposedEdit == "" || json.Unmarshal([]byte(p.ProposedEdit), &out) != nil {
		return Proposed{}, nil
	}
	before, after := words(draftOf(p)), words(out.over(p))
	var old []EditedField
	for i := range before {
		if before[i] != after[i] {
			old = append(old, before[i])
		}
	}
	return out, old
}

// over is the draft that a petition would be.
func (w Proposed) over(p models.Petition) Draft {
	d := draftOf(p)
	d.Title, d.Summary, d.Body, d.Decider, d.WhyNow, d.SystemChange = w.Title, w.Summary, w.Body, w.Decider, w.WhyNow, w.SystemChange
	d.Place, d.Goal, d.DeadlineAt = w.Place, w.Goal, w.DeadlineAt
	return d
}

// With is a petition as it would read.
func (w Proposed) With(p models.Petition) models.Petition {
	d := w.over(p)
	p.Title, p.Summary, p.Body, p.Decider, p.WhyNow, p.SystemChange = d.Title, d.Summary, d.Body, d.Decider, d.WhyNow, d.SystemChange
	p.Place, p.Goal, p.DeadlineAt = d.Place, d.Goal, d.DeadlineAt
	return p
}

// ProposalMark tells one waiting change from the next: what a page shows is what its button decides about. 0 for none.
func ProposalMark(p models.Petition) int64 {
	if p.ProposedAt == nil {
		return 0
	}
	return p.ProposedAt.UnixMicro()
}

// EditedField is a field that was changed, with what it said before. Field is a column of petitions.
type EditedField struct{ Field, Text string }

// Edited is a change of a public petition's words, as everybody sees it.
type Edited struct {
	At         time.Time
	Signatures int // confirmed at that time
	Reason     string
	Before     []EditedField
}

// words lists what a petition says, by column, in the order of the page. The first ones are the ask itself.
func words(d Draft) []EditedField {
	return []EditedField{
		{"title", d.Title}, {"summary", d.Summary}, {"body", d.Body}, {"decider", d.Decider}, {"why_now", d.WhyNow}, {"system_change", d.SystemChange}, {"place", d.Place},
	}
}

// asks is how many of words are the ask.
const asks = 4

// MayEdit reports whether the actor may change the words of a petition now: see Edit.
func MayEdit(a actor.Actor, p models.Petition) bool {
	switch {
	case p.State != models.PetitionPublished:
		return false
	case a.Kind == actor.Person: // whose petition it is, mine asked before
		return a.MailboxID != uuid.Nil && p.SignatureCount < guardFrom
	case !a.May(actor.DraftPetition):
		return false
	case a.May(actor.ModeratePetition):
		return true
	}
	return a.Is(p.AuthorID) && p.SignatureCount < guardFrom
}

// NeedsReason reports whether a change of a petition's ask must say why.
func NeedsReason(p models.Petition) bool { return p.SignatureCount >= guardFrom }

// Edit changes the words of a published petition, or, by a starter without an account, notes how they should read: that waits for a
// moderator, and a later one takes its place. Its author may while fewer than 100 signatures are confirmed, from then on
// somebody with actor.ModeratePetition, and a change of the ask (title, summary, text, who decides) needs a reason. What it said
// is kept whenever words change, and the page tells everybody when it was changed, after how many signatures, and why. Its
// address stays. The goal and the last day may change too; they are no words.
//
// The faults are Invalid with the fields of the draft, or reason; NotFound, error.petition_unknown; Forbidden,
// error.edit_moderator; Conflict, error.petition_state, or error.petition_changed where another page was faster: what is stored
// comes back beside it.
func (s *Service) Edit(ctx context.Context, a actor.Actor, id uuid.UUID, in EditInput) (models.Petition, error) {
	in.trim()
	in.Reason = strings.TrimSpace(strings.ReplaceAll(in.Reason, "\r\n", "\n"))
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if p, err = held(ctx, tx, id); err != nil {
			return err
		}
		switch {
		case p.State != models.PetitionPublished:
			return fault.New(fault.Conflict, "error.petition_state")
		case !MayEdit(a, p):
			return fault.New(fault.Forbidden, "error.edit_moderator")
		}
		in.Locale, in.PictureAlt, in.Claims = p.Locale, p.PictureAlt, nil // these are no words
		before, after := words(draftOf(p)), words(in.Draft)
		var old []EditedField
		ask := false
		for i := range before {
			if before[i] != after[i] {
				old = append(old, before[i])
				ask = ask || i < asks
			}
		}
		bad := in.complete(now)
		text(&bad, "reason", in.Reason, editReasonMax)
		if ask && in.Reason == "" && NeedsReason(p) {
			bad.Add("reason", "error.edit_reason_missing")
		}
		if err := bad.Err(); err != nil {
			return err
		}
		switch {
		case same(draftOf(p), in.Draft):
			return nil
		case p.Revision != in.Revision:
			return fault.New(fault.Conflict, "error.petition_changed")
		case a.Kind == actor.Person:
			return propose(ctx, tx, a, &p, in, now)
		}
		set := map[string]any{
			"title": in.Title, "summary": in.Summary, "body": in.Body, "decider": in.Decider, "why_now": in.WhyNow, "system_change": in.SystemChange,
			"place": in.Place, "goal": in.Goal, "deadline_at": in.DeadlineAt, "revision": p.Revision + 1, "updated_at": now,
		}
		taken := p.ProposedAt != nil && in.Takes == ProposalMark(p)
		if taken {
			set["proposed_edit"], set["proposed_at"] = "", nil
		}
		if len(old) > 0 {
			set["edited_at"] = now
			kept := map[string]string{}
			for _, f := range old {
				kept[f.Field] = f.Text
			}
			b, err := json.Marshal(kept)
			if err != nil {
				return err
			}
			row := models.PetitionEdit{
				ID: models.NewID(), PetitionID: id, Before: string(b), Reason: in.Reason, SignatureCount: p.SignatureCount, EditedBy: a.Account(), CreatedAt: now,
			}
			if err := tx.Create(&row).Error; err != nil {
				return err
			}
		}
		if err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		details := map[string]any{"revision": p.Revision + 1, "words": len(old), "signatures": p.SignatureCount}
		if err := audit.Write(ctx, tx, a, now, "petition.edit", "petitions", id, details); err != nil {
			return err
		}
		p, err = take(ctx, tx, id)
		Changed(tx, p.Slug)
		if err == nil && taken {
			err = tellStarters(ctx, tx, p, now)
		}
		return err
	})
	return p, err
}

// propose notes in tx what a starter wants a petition to say.
func propose(ctx context.Context, tx *gorm.DB, a actor.Actor, p *models.Petition, in EditInput, now time.Time) error {
	b, err := json.Marshal(Proposed{
		Title: in.Title, Summary: in.Summary, Body: in.Body, Decider: in.Decider, WhyNow: in.WhyNow, SystemChange: in.SystemChange,
		Place: in.Place, Goal: in.Goal, DeadlineAt: in.DeadlineAt, Reason: in.Reason,
	})
	if err != nil {
		return err
	}
	p.ProposedEdit, p.ProposedAt = string(b), &now
	if err := tx.WithContext(ctx).Model(&models.Petition{}).Where("id = ?", p.ID).Updates(map[string]any{"proposed_edit": p.ProposedEdit, "proposed_at": now}).Error; err != nil {
		return err
	}
	return audit.Write(ctx, tx, a, now, "petition.propose", "petitions", p.ID, nil)
}

// Decline leaves a petition as it is although its starters asked for a change; they get the answer by mail. mark is that of the change
// which the page showed, see ProposalMark. It needs actor.ModeratePetition. The faults are Invalid with the field answer; NotFound,
// error.petition_unknown; Conflict, error.edit_gone, where that change does not wait any more.
func (s *Service) Decline(ctx context.Context, a actor.Actor, id uuid.UUID, mark int64, answer string) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	answer = strings.TrimSpace(strings.ReplaceAll(answer, "\r\n", "\n"))
	var bad fault.Fields
	text(&bad, "answer", answer, ReasonMax)
	if answer == "" {
		bad.Add("answer", "error.edit_answer_missing")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		p, err := held(ctx, tx, id)
		if err != nil {
			return err
		}
		if p.ProposedAt == nil || ProposalMark(p) != mark {
			return fault.New(fault.Conflict, "error.edit_gone")
		}
		wanted, _ := Proposal(p)
		wanted.Answer = answer
		b, err := json.Marshal(wanted)
		if err != nil {
			return err
		}
		if err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(map[string]any{"proposed_edit": string(b), "proposed_at": nil}).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "petition.decline", "petitions", id, nil); err != nil {
			return err
		}
		return tellStarters(ctx, tx, p, now)
	})
}

// tellStarters queues in tx the mail about what became of a change that was asked for.
func tellStarters(ctx context.Context, tx *gorm.DB, p models.Petition, now time.Time) error {
	boxes, err := addressees(ctx, tx, p)
	if err != nil {
		return err
	}
	for _, box := range boxes {
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindEdit, MailboxID: box, SubjectID: p.ID, Purpose: models.PurposeReceipt, DedupeKey: fmt.Sprintf("%s/%s/%d/%s", KindEdit, p.ID, now.UnixMicro(), box),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
	}
	return nil
}

// proposals picks the petitions at which a change waits.
const proposals = "proposed_at IS NOT NULL AND state = 'published'"

// Proposals lists the petitions at which a change waits that starters asked for, the longest first, at most 100. It needs
// actor.ModeratePetition.
func (s *Service) Proposals(ctx context.Context, a actor.Actor) ([]models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var rows []models.Petition
	err := s.db.WithContext(ctx).Where(proposals).Order("proposed_at, id").Limit(100).Find(&rows).Error
	return rows, err
}

// shownEdits is how many changes a page tells, the newest.
const shownEdits = 20

// edits lists the changes of a petition's words, the newest first.
func edits(ctx context.Context, tx *gorm.DB, petition uuid.UUID) ([]Edited, error) {
	var rows []models.PetitionEdit
	err := tx.WithContext(ctx).Where("petition_id = ?", petition).Order("created_at DESC, id DESC").Limit(shownEdits).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	out := make([]Edited, 0, len(rows))
	for _, r := range rows {
		var kept map[string]string
		if err := json.Unmarshal([]byte(r.Before), &kept); err != nil {
			return nil, err
		}
		e := Edited{At: r.CreatedAt, Signatures: r.SignatureCount, Reason: r.Reason}
		for _, f := range words(Draft{}) {
			if text, ok := kept[f.Field]; ok {
				e.Before = append(e.Before, EditedField{f.Field, text})
			}
		}
		out = append(out, e)
	}
	return out, nil
}
