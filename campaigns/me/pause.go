package me

import (
	"context"
	"time"

	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// longestPause is how far away the day may be, in days: further away is "until I say".
const longestPause = 3 * 366

// Pause stops all mail but receipts to every mailbox of the person, until a moment, or until they say where that is
// models.PausedUntilTold. What waits to be sent for a purpose is not sent. The faults are those of Show; Invalid with the field
// until for a moment that is past or too far away.
func (s *Service) Pause(ctx context.Context, token string, until time.Time) error {
	now := s.o.Clock.Now()
	if !until.Equal(models.PausedUntilTold) {
		switch {
		case !until.After(now):
			return fault.Fields{{Name: "until", Key: "error.me_pause_past"}}.Err()
		case until.After(now.AddDate(0, 0, longestPause)):
			return fault.Fields{{Name: "until", Key: "error.me_pause_far"}}.Err()
		}
	}
	return s.rest(ctx, token, &until, now)
}

// Resume ends a pause. The faults are those of Show.
func (s *Service) Resume(ctx context.Context, token string) error {
	return s.rest(ctx, token, nil, s.o.Clock.Now())
}

func (s *Service) rest(ctx context.Context, token string, until *time.Time, now time.Time) error {
	return s.o.DB.Tx(ctx, func(tx *gorm.DB) error {
		p, err := s.hold(ctx, tx, tokens.Me, token)
		if err != nil {
			return err
		}
		return tx.Model(&models.Mailbox{}).Where("id IN ?", p.Mailboxes).Updates(map[string]any{"paused_until": until, "updated_at": now}).Error
	})
}

// Today is the beginning of this day in a time zone.
func (s *Service) Today(zone *time.Location) time.Time {
	now := s.o.Clock.Now().In(zone)
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, zone)
}
