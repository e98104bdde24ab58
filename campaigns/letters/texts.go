package letters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// TextLocales are the languages that a letter campaign can say itself in: those of the site.
var TextLocales = []string{"en", "es"}

// TextInput is what a letter campaign says in a further language, over the revision that the page showed.
type TextInput struct {
	Said
	Revision int
}

// TextOf is what a letter campaign says in a further language; empty words where it has none in it.
func TextOf(c Campaign, locale string) Said {
	for _, t := range c.Texts {
		if t.Locale == locale {
			return Said{t.Title, t.Summary, t.Body, t.Ask, t.Subject, t.Prompt, t.Opening, t.Closing, t.Locale}
		}
	}
	return Said{Locale: locale}
}

// SaveText keeps what a letter campaign says in a further language, also what is not complete: it shows once it is whole. It is for whom
// Save is. The faults are those of Save, and Invalid on the field locale for a language that is not offered or is the campaign's own.
func (s *Service) SaveText(ctx context.Context, a actor.Actor, id uuid.UUID, in TextInput) (Campaign, error) {
	in.trim()
	return s.change(ctx, a, id, in.Revision, "letters.text", func(_ context.Context, tx *gorm.DB, c Campaign, now time.Time) error {
		var bad fault.Fields
		if !slices.Contains(TextLocales, in.Locale) || in.Locale == c.OwnLocale {
			bad.Add("locale", "error.letters_locale")
		}
		bad = append(bad, in.check()...)
		if err := bad.Err(); err != nil {
			return err
		}
		at := slices.IndexFunc(c.Texts, func(t models.LetterText) bool { return t.Locale == in.Locale })
		row := models.LetterText{ID: models.NewID(), LetterCampaignID: id, Locale: in.Locale, CreatedAt: now}
		if at >= 0 {
			row = c.Texts[at]
		}
		row.Title, row.Summary, row.Body, row.Ask, row.Subject = in.Title, in.Summary, in.Body, in.Ask, in.Subject
		row.Prompt, row.Opening, row.Closing, row.UpdatedAt = in.Prompt, in.Opening, in.Closing, now
		return tx.Save(&row).Error
	})
}

// RemoveText takes a language away with its points. It is for whom Save is; the faults are those of Save.
func (s *Service) RemoveText(ctx context.Context, a actor.Actor, id uuid.UUID, locale string, revision int) (Campaign, error) {
	return s.change(ctx, a, id, revision, "letters.text", func(_ context.Context, tx *gorm.DB, c Campaign, _ time.Time) error {
		if locale == c.OwnLocale {
			return errState()
		}
		if err := tx.Where("letter_campaign_id = ? AND locale = ?", id, locale).Delete(&models.LetterPoint{}).Error; err != nil {
			return err
		}
		return tx.Where("letter_campaign_id = ? AND locale = ?", id, locale).Delete(&models.LetterText{}).Error
	})
}
