package letters

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
)

// release lets a confirmed letter go: its dispatches wait for their turn from now on. Done twice it is done once. The caller holds the
// letter, in tx.
func (s *Service) release(ctx context.Context, tx *gorm.DB, letter models.Letter, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Model(&models.Letter{}).Where("id = ? AND state IN ?", letter.ID, []models.LetterState{models.LetterConfirmed, models.LetterHeld}).
		Updates(map[string]any{"state": models.LetterReleased, "released_at": now, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	var list []models.Dispatch
	if err := tx.Select("id", "legislator_id").Where("letter_id = ? AND state = ?", letter.ID, models.DispatchDraft).Find(&list).Error; err != nil {
		return err
	}
	err := tx.Model(&models.Dispatch{}).Where("letter_id = ? AND state = ?", letter.ID, models.DispatchDraft).
		Updates(map[string]any{"state": models.DispatchWaiting, "due_at": now, "updated_at": now}).Error
	if err != nil {
		return err
	}
	return wake(ctx, tx, now, list...)
}

// reject keeps a letter from going, with a reason that its writer and the report read: a code. What was to go is closed. The caller holds
// the letter, in tx.
func (s *Service) reject(ctx context.Context, tx *gorm.DB, letter models.Letter, reason string, now time.Time) error {
	tx = tx.WithContext(ctx)
	r := tx.Model(&models.Letter{}).Where("id = ? AND state IN ?", letter.ID, []models.LetterState{models.LetterConfirmed, models.LetterHeld}).
		Updates(map[string]any{"state": models.LetterRejected, "closed_at": now, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return r.Error
	}
	return tx.Model(&models.Dispatch{}).Where("letter_id = ? AND state = ?", letter.ID, models.DispatchDraft).
		Updates(map[string]any{"state": models.DispatchClosed, "closed_at": now, "closed_reason": reason, "updated_at": now}).Error
}

// wake has the pace look soon at those to whom dispatches go.
func wake(ctx context.Context, tx *gorm.DB, now time.Time, list ...models.Dispatch) error {
	rows := make([]models.LetterPace, 0, len(list))
	for _, d := range list {
		if !slices.ContainsFunc(rows, func(p models.LetterPace) bool { return p.LegislatorID == d.LegislatorID }) {
			rows = append(rows, models.LetterPace{LegislatorID: d.LegislatorID, NextAt: &now, UpdatedAt: now})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	// Everybody takes them in one order, so that no two wait for each other.
	slices.SortFunc(rows, func(a, b models.LetterPace) int { return bytes.Compare(a.LegislatorID[:], b.LegislatorID[:]) })
	return tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "legislator_id"}},
		DoUpdates: clause.Assignments(map[string]any{"next_at": gorm.Expr("COALESCE(letter_paces.next_at, excluded.next_at)"), "updated_at": now}),
	}).Create(&rows).Error
}

// Confirmed is the text of one dispatch as its writer saw it before the press.
type Confirmed struct {
	Legislator    uuid.UUID
	Subject, Text string
}

// digest is the keyed hash of what a writer confirmed: the texts of all dispatches of a letter, in whatever order they come. It is stored
// with the letter at the confirmation, and asked for again before anything goes.
func (s *Service) digest(letter models.Letter, texts []Confirmed) []byte {
	texts = slices.Clone(texts)
	slices.SortFunc(texts, func(a, b Confirmed) int {
		return cmp.Or(bytes.Compare(a.Legislator[:], b.Legislator[:]), cmp.Compare(a.Text, b.Text))
	})
	parts := [][]byte{letter.ID[:]}
	for _, t := range texts {
		parts = append(parts, t.Legislator[:], []byte(t.Subject), []byte(t.Text))
	}
	return s.Vault.Hash("letters/confirmed", parts...)
}

// digestOf is the digest of a letter whose dispatches are these, with their texts opened.
func (s *Service) digestOf(letter models.Letter, list []models.Dispatch) ([]byte, error) {
	texts := make([]Confirmed, len(list))
	for i, d := range list {
		subject, text, err := s.words(d)
		if err != nil {
			return nil, err
		}
		texts[i] = Confirmed{Legislator: d.LegislatorID, Subject: subject, Text: text}
	}
	return s.digest(letter, texts), nil
}

// words opens the text of a dispatch: both are empty once they were taken away.
func (s *Service) words(d models.Dispatch) (subject, text string, err error) {
	if subject, err = s.Vault.Open("dispatches", "subject_sealed", d.ID, d.SubjectSealed); err != nil {
		return "", "", err
	}
	text, err = s.Vault.Open("dispatches", "text_sealed", d.ID, d.TextSealed)
	return subject, text, err
}
