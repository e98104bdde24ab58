package letters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Campaign is a letter campaign with everything that belongs to it.
type Campaign struct {
	models.LetterCampaign
	Targets []models.LetterTarget // in their order
	Points  []models.LetterPoint  // in their order, of every language
	Texts   []models.LetterText   // in further languages, by locale
	// OwnLocale is the language that it was written in first; Locale is the one that it speaks in: see In.
	OwnLocale string
}

// PublicStates are those in which everybody may see a letter campaign.
var PublicStates = []models.LetterCampaignState{models.LettersPublished, models.LettersPaused, models.LettersClosed}

// Public reports whether everybody may see it.
func (c Campaign) Public() bool { return slices.Contains(PublicStates, c.State) }

// OpenAt reports whether it takes letters at a time: it is published, not paused, inside its window, and not full.
func (c Campaign) OpenAt(now time.Time) bool { return openAt(c.LetterCampaign, now) }

func openAt(c models.LetterCampaign, now time.Time) bool {
	return c.State == models.LettersPublished && (c.OpensAt == nil || !now.Before(*c.OpensAt)) && (c.ClosesAt == nil || now.Before(*c.ClosesAt)) &&
		(c.MaxLetters == 0 || c.LetterCount < c.MaxLetters)
}

// writable says why nobody can write a letter at a time: Conflict, error.letters_paused, error.letters_closed, error.letters_full or
// error.letters_not_yet. It is nil where they can.
func (c Campaign) writable(now time.Time) error {
	switch {
	case c.OpenAt(now):
		return nil
	case c.State == models.LettersPaused:
		return fault.New(fault.Conflict, "error.letters_paused")
	case c.State == models.LettersPublished && c.OpensAt != nil && now.Before(*c.OpensAt):
		return fault.New(fault.Conflict, "error.letters_not_yet")
	case c.State == models.LettersPublished && (c.ClosesAt == nil || now.Before(*c.ClosesAt)):
		return fault.New(fault.Conflict, "error.letters_full")
	}
	return fault.New(fault.Conflict, "error.letters_closed")
}

// Languages lists the languages that it can be read and written in, its own first.
func (c Campaign) Languages() []string {
	out := []string{c.OwnLocale}
	for _, t := range c.Texts {
		if whole(t) && t.Locale != c.OwnLocale {
			out = append(out, t.Locale)
		}
	}
	return out
}

// In returns the campaign as it speaks in a language; in its own where it has no whole version in that one. Locale says which it is.
func (c Campaign) In(lang string) Campaign {
	for _, t := range c.Texts {
		if t.Locale == lang && whole(t) {
			c.Locale, c.Title, c.Summary, c.Body, c.Ask = t.Locale, t.Title, t.Summary, t.Body, t.Ask
			c.Subject, c.Prompt, c.Opening, c.Closing = t.Subject, t.Prompt, t.Opening, t.Closing
		}
	}
	return c
}

// whole reports whether a version says all that letters need.
func whole(t models.LetterText) bool {
	return t.Title != "" && t.Summary != "" && t.Ask != "" && t.Subject != "" && t.Closing != ""
}

// PointsFor lists the points that a letter in a language can make to a member of a party in one of the target groups: those of
// the campaign's own language where there is none in that one. With no targets it lists those of every group, and with party
// "*" those of every party.
func (c Campaign) PointsFor(lang, party string, targets ...uuid.UUID) []models.LetterPoint {
	pick := func(lang string) []models.LetterPoint {
		var out []models.LetterPoint
		for _, p := range c.Points {
			if p.Locale == lang && (p.TargetID == nil || len(targets) == 0 || slices.Contains(targets, *p.TargetID)) && (p.Party == "" || party == "*" || p.Party == party) {
				out = append(out, p)
			}
		}
		return out
	}
	if out := pick(lang); len(out) > 0 {
		return out
	}
	return pick(c.OwnLocale)
}

func unknown() error { return fault.New(fault.NotFound, "error.letters_unknown") }

// load reads a letter campaign in tx. The fault is NotFound, error.letters_unknown.
func load(ctx context.Context, tx *gorm.DB, id uuid.UUID) (Campaign, error) {
	return loadWhere(ctx, tx, "id = ?", id)
}

func loadWhere(ctx context.Context, tx *gorm.DB, where string, args ...any) (Campaign, error) {
	db := func() *gorm.DB { return tx.WithContext(ctx) }
	var c Campaign
	err := db().Where(where, args...).Take(&c.LetterCampaign).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = unknown()
	}
	if err != nil {
		return Campaign{}, err
	}
	c.OwnLocale = c.Locale
	return c, errors.Join(
		db().Where("letter_campaign_id = ?", c.ID).Order("position, id").Find(&c.Targets).Error,
		db().Where("letter_campaign_id = ?", c.ID).Order("position, id").Find(&c.Points).Error,
		db().Where("letter_campaign_id = ?", c.ID).Order("locale").Find(&c.Texts).Error,
	)
}

// Public returns a letter campaign that everybody may see, as it speaks in a language. Anybody may call it. The fault is NotFound,
// error.letters_unknown.
func (s *Service) Public(ctx context.Context, slug, lang string) (Campaign, error) {
	c, err := loadWhere(ctx, s.DB.DB, "slug = ? AND state IN ?", slug, PublicStates)
	return c.In(lang), err
}

// mine reads a letter campaign that the actor may work on: their own, or any with actor.ManageLetters. Anybody else's is unknown to
// them. It needs actor.DraftPetition.
func mine(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (Campaign, error) {
	if err := a.Need(actor.DraftPetition); err != nil {
		return Campaign{}, err
	}
	c, err := load(ctx, tx, id)
	if err == nil && !a.Is(c.AuthorID) && !a.May(actor.ManageLetters) {
		return Campaign{}, unknown()
	}
	return c, err
}
