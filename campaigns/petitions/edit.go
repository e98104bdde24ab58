package petitions

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
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
	case p.State != models.PetitionPublished || !a.May(actor.DraftPetition):
		return false
	case a.May(actor.ModeratePetition):
		return true
	}
	return a.Is(p.AuthorID) && p.SignatureCount < guardFrom
}

// NeedsReason reports whether a change of a petition's ask must say why.
func NeedsReason(p models.Petition) bool { return p.SignatureCount >= guardFrom }

// Edit changes the words of a published petition. Its author may while fewer than 100 signatures are confirmed, from then on
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
		}
		set := map[string]any{
			"title": in.Title, "summary": in.Summary, "body": in.Body, "decider": in.Decider, "why_now": in.WhyNow, "system_change": in.SystemChange,
			"place": in.Place, "goal": in.Goal, "deadline_at": in.DeadlineAt, "revision": p.Revision + 1, "updated_at": now,
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
		return err
	})
	return p, err
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
