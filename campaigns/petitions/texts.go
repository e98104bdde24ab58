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

// TextLocales are the languages that a petition can say its words in, beside those of the organisation. Somebody who adds one
// wrote it: nothing is translated by the program.
var TextLocales = []string{"ar", "de", "en", "es", "fr", "hi", "ht", "it", "ko", "pl", "pt", "ru", "so", "tl", "uk", "vi", "zh"}

// Text is what a petition says in a further language.
type Text struct {
	Locale, Title, Summary, Body, Decider, WhyNow, SystemChange string
}

func (t *Text) trim() {
	for _, s := range []*string{&t.Title, &t.Summary, &t.Body, &t.Decider, &t.WhyNow, &t.SystemChange} {
		*s = strings.TrimSpace(strings.ReplaceAll(*s, "\r\n", "\n"))
	}
}

// whole reports whether nothing is missing.
func (t Text) whole() bool {
	return t.Title != "" && t.Summary != "" && t.Body != "" && t.Decider != "" && t.WhyNow != "" && t.SystemChange != ""
}

func textOf(t models.PetitionText) Text {
	return Text{t.Locale, t.Title, t.Summary, t.Body, t.Decider, t.WhyNow, t.SystemChange}
}

func textsOf(ctx context.Context, tx *gorm.DB, id uuid.UUID) ([]Text, error) {
	var rows []models.PetitionText
	err := tx.WithContext(ctx).Where("petition_id = ?", id).Order("locale").Find(&rows).Error
	out := make([]Text, len(rows))
	for i, r := range rows {
		out[i] = textOf(r)
	}
	return out, err
}

// In is the petition in a language: its own words where there is no version, or none that is whole.
func In(p models.Petition, texts []Text, locale string) models.Petition {
	for _, t := range texts {
		if t.Locale == locale && t.whole() && locale != p.Locale {
			p.Locale, p.Title, p.Summary, p.Body = t.Locale, t.Title, t.Summary, t.Body
			p.Decider, p.WhyNow, p.SystemChange = t.Decider, t.WhyNow, t.SystemChange
		}
	}
	return p
}

// Spoken lists the languages that a petition can be read in, its own first.
func Spoken(p models.Petition, texts []Text) []string {
	out := []string{p.Locale}
	for _, t := range texts {
		if t.whole() && t.Locale != p.Locale {
			out = append(out, t.Locale)
		}
	}
	return out
}

// TextInput is a version as it was typed over the revision of the petition that the page showed.
type TextInput struct {
	Text
	Revision int
}

// Said returns a petition with what it says beside its own text, for whom Draft is. The fault is that of Draft.
func (s *Service) Said(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Petition, Said, error) {
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return p, Said{}, err
	}
	said, err := saidBy(ctx, s.db.DB, p)
	return p, said, err
}

// SaveText keeps a version in a further language, also one that is not complete; a new one where there is none. It is for whom
// Save is. The faults are those of Save, with the version's own fields, and Invalid on the field locale for a language that is
// not offered or is the petition's own.
func (s *Service) SaveText(ctx context.Context, a actor.Actor, id uuid.UUID, in TextInput) (models.Petition, error) {
	in.trim()
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return models.Petition{}, err
	}
	var bad fault.Fields
	if !slices.Contains(TextLocales, in.Locale) || in.Locale == p.Locale {
		bad.Add("locale", "error.start_text_locale")
	}
	line(&bad, "title", in.Title, TitleMax)
	text(&bad, "summary_text", in.Summary, SummaryMax)
	text(&bad, "body", in.Body, BodyMax)
	line(&bad, "decider", in.Decider, DeciderMax)
	text(&bad, "why_now", in.WhyNow, WhyNowMax)
	text(&bad, "system_change", in.SystemChange, SystemChangeMax)
	if err := bad.Err(); err != nil {
		return p, err
	}
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		var row models.PetitionText
		if err := tx.Where("petition_id = ? AND locale = ?", id, in.Locale).Limit(1).Find(&row).Error; err != nil {
			return err
		}
		if row.ID != uuid.Nil && textOf(row) == in.Text {
			p, err = mine(ctx, tx, a, id)
			return err
		}
		if p, err = s.touch(ctx, tx, a, id, in.Revision, now); err != nil {
			return err
		}
		if row.ID == uuid.Nil {
			row = models.PetitionText{ID: models.NewID(), PetitionID: id, Locale: in.Locale, CreatedAt: now}
			if err := tx.Create(&row).Error; err != nil {
				return err
			}
		}
		err := tx.Model(&models.PetitionText{}).Where("id = ?", row.ID).Updates(map[string]any{
			"title": in.Title, "summary": in.Summary, "body": in.Body, "decider": in.Decider, "why_now": in.WhyNow, "system_change": in.SystemChange, "updated_at": now,
		}).Error
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "petition.text", "petitions", id, map[string]any{"locale": in.Locale})
	})
	return p, err
}

// RemoveText takes a version away. It is for whom Save is; the faults are those of Save.
func (s *Service) RemoveText(ctx context.Context, a actor.Actor, id uuid.UUID, locale string, revision int) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := s.touch(ctx, tx, a, id, revision, now); err != nil {
			return err
		}
		if err := tx.Where("petition_id = ? AND locale = ?", id, locale).Delete(&models.PetitionText{}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "petition.text", "petitions", id, map[string]any{"locale": locale, "removed": true})
	})
}

// touch counts a save of a draft in tx, so that two open pages cannot overwrite each other unseen. The faults are those of Save.
func (s *Service) touch(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID, revision int, now time.Time) (models.Petition, error) {
	p, err := mine(ctx, tx, a, id)
	switch {
	case err != nil:
		return p, err
	case !p.Editable():
		return p, fault.New(fault.Conflict, "error.petition_state")
	case p.Revision != revision:
		return p, fault.New(fault.Conflict, "error.petition_changed")
	}
	r := tx.WithContext(ctx).Model(&models.Petition{}).Where("id = ? AND revision = ? AND state = ?", id, revision, p.State).
		Updates(map[string]any{"revision": revision + 1, "updated_at": now})
	if r.Error == nil && r.RowsAffected == 0 {
		return p, fault.New(fault.Conflict, "error.petition_changed")
	}
	p.Revision, p.UpdatedAt = revision+1, now
	return p, r.Error
}
