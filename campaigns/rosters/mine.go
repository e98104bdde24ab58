package rosters

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Mine is a place of somebody's, for the page where people see what they did and are due to do.
type Mine struct {
	ID      uuid.UUID
	At      time.Time // when it begins or is due; of something without a time, when it was taken
	Role    string
	Lang    string
	When    string
	Stands  bool
	Over    bool
	PlaceAt string // its page, a path
	CantAt  string
}

// MineOf lists what mailboxes hold and stand by for, the soonest first, until it is settled, with times in a language. The caller makes sure that they are the reader's.
func (s *Service) MineOf(ctx context.Context, boxes []uuid.UUID, lang string) ([]Mine, error) {
	all, err := s.heldBy(ctx, boxes)
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	out := make([]Mine, len(all))
	for i, h := range all {
		token := s.CantToken(h.Assignment)
		m := Mine{ID: h.Assignment.ID, At: h.Assignment.CreatedAt, Role: h.Role, Lang: h.Roster.Locale, Stands: h.Standby(), Over: over(h.Shift, now), PlaceAt: "/places/" + token, CantAt: "/cant/" + token}
		for _, t := range []*time.Time{h.Assignment.StartsAt, h.OnOffer.StartsAt, h.EndsAt} {
			if t != nil {
				m.At = *t
				break
			}
		}
		m.When = s.When(cmp.Or(lang, h.Assignment.Locale), h.Shift, h.Assignment.StartsAt, ZoneOf(h.Roster))
		out[i] = m
	}
	return out, nil
}

// TakeBack lets go of one thing that mailboxes hold, which the caller makes sure are the reader's. Done twice it does nothing. The faults are
// NotFound, error.me_item_unknown; Gone, error.roster_begun.
func (s *Service) TakeBack(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.Assignment
		if err := tx.Where("id = ? AND mailbox_id IN ?", id, boxes).Find(&rows).Error; err != nil {
			return err
		}
		if len(rows) == 0 {
			return fault.New(fault.NotFound, "error.me_item_unknown")
		}
		done, err := s.takeRelease(ctx, tx, id, s.Clock.Now())
		if err == nil && !done {
			err = fault.New(fault.Gone, "error.roster_begun")
		}
		return err
	})
}
