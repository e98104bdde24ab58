package organisation

import (
	"context"
	"strconv"
	"strings"
	"unicode/utf8"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of the organisation's own words about health.
const (
	maxHealthWords = 500
	maxHealthWord  = 60 // characters
)

// SetHealthWords sets the words, a line each, that a neutral subject of a mailing does not say next to those that the program knows; a
// star at the end of one stands for any ending. It needs actor.Administer. The fault is Invalid with the field words.
func (s *Service) SetHealthWords(ctx context.Context, a actor.Actor, words string) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	var f fault.Fields
	var kept []string
	for l := range strings.Lines(words) {
		if l = strings.Join(strings.Fields(l), " "); l == "" {
			continue
		}
		if utf8.RuneCountInString(l) > maxHealthWord {
			f.Add("words", "error.health_word_long", "Word", string([]rune(l)[:20])+"…", "Max", strconv.Itoa(maxHealthWord))
			break
		}
		kept = append(kept, l)
	}
	if len(kept) > maxHealthWords {
		f.Add("words", "error.health_words_many", "Max", strconv.Itoa(maxHealthWords))
	}
	if err := f.Err(); err != nil {
		return err
	}
	return s.change(ctx, a, "organisation.health_words", func(models.Organisation) (map[string]any, error) {
		return map[string]any{"health_words": strings.Join(kept, "\n")}, nil
	})
}
