package series

import (
	"context"
	"embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/organisation"
	"kithline/models"
)

// What a series can be made from.
const (
	Empty   = "empty"
	Welcome = "welcome" // three mails: at once, after three days, and seven days later
)

// The words of the welcome series: a file for each mail and language, with the subject in its first line, the preheader in
// its second, and the text after an empty one.
//
//go:embed welcome/*.md
var welcomeWords embed.FS

// welcomeWaits are the days before each of its mails.
var welcomeWaits = []int{0, 3, 7}

// welcome makes the steps of the welcome series, in the organisation's languages.
func (s *Service) welcome(ctx context.Context, tx *gorm.DB, sr models.Series, now time.Time) error {
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	languages := organisation.Spoken(org)
	if !slices.Contains(languages, sr.Locale) {
		languages = append(slices.Clone(languages), sr.Locale)
	}
	var steps []models.SeriesStep
	var texts []models.SeriesText
	add := func(kind models.SeriesStepKind) *models.SeriesStep {
		steps = append(steps, models.SeriesStep{
			ID: models.NewID(), SeriesID: sr.ID, Position: len(steps) + 1, Kind: kind, UntilWeekday: -1, UntilMinute: -1, CreatedAt: now, UpdatedAt: now,
		})
		return &steps[len(steps)-1]
	}
	for n, days := range welcomeWaits {
		if days > 0 {
			w := add(models.StepWait)
			w.WaitAmount, w.WaitUnit = days, "days"
		}
		mail := add(models.StepMail)
		for _, lang := range languages {
			subject, preheader, body, ok := welcomeMail(n+1, lang)
			if !ok {
				continue
			}
			texts = append(texts, models.SeriesText{
				ID: models.NewID(), StepID: mail.ID, Locale: lang, Subject: subject, Preheader: preheader, Body: body, Revision: 1, UpdatedAt: now,
			})
		}
	}
	if err := tx.WithContext(ctx).Create(&steps).Error; err != nil {
		return err
	}
	if len(texts) == 0 {
		return nil
	}
	return tx.WithContext(ctx).Create(&texts).Error
}

// welcomeMail reads one mail; ok is false for a language that it is not written in.
func welcomeMail(n int, lang string) (subject, preheader, body string, ok bool) {
	b, err := welcomeWords.ReadFile(fmt.Sprintf("welcome/%d.%s.md", n, lang))
	if err != nil {
		return "", "", "", false
	}
	subject, rest, _ := strings.Cut(string(b), "\n")
	preheader, body, _ = strings.Cut(rest, "\n\n")
	return subject, preheader, body, true
}
