package rosters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/jobs"
	"kithline/campaigns/pacing"
	"kithline/models"
)

// TakingJobs is the housekeeping of places that people hold: see Expire, Remind and Settle.
func (s *Service) TakingJobs() []jobs.Regular {
	return []jobs.Regular{
		{Name: "rosters_expire", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Expire(ctx); return err }},
		{Name: "rosters_remind", Every: 5 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Remind(ctx); return err }},
		{Name: "rosters_settle", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Settle(ctx); return err }},
	}
}

// Hours of the day, where the person lives, in which they are reminded.
const (
	remindFrom  = 18 // on the evening before
	remindUntil = 20 // not later in an evening
	remindAgain = 9  // where that evening was missed: not earlier on the day
)

// remindAhead is how long before a shift the first look at it comes: an evening before, wherever somebody lives.
const remindAhead = 60 * time.Hour

// remindAt is the moment on the evening before from which somebody is reminded of something, where they live.
func remindAt(begins time.Time, zone *time.Location) time.Time {
	day := begins.In(zone)
	return time.Date(day.Year(), day.Month(), day.Day()-1, remindFrom, 0, 0, 0, zone)
}

// remindNow reports whether somebody is reminded at a moment of something that begins later: from the evening before, not at night, and not
// in hours in which they want to be left alone.
func remindNow(begins, now time.Time, zone *time.Location, plan pacing.Plan) bool {
	hour := now.In(zone).Hour()
	return !now.Before(remindAt(begins, zone)) && now.Before(begins) && hour >= remindAgain && hour < remindUntil && !plan.Quiet(now, zone)
}

// Remind queues the mails on the evening before something that people hold, and returns how many. Whoever took it later than that evening
// began has the receipt; who has no mail address is reminded by telephone: see Phones. It may run on several nodes at once, and again.
func (s *Service) Remind(ctx context.Context) (int, error) {
	now := s.Clock.Now()
	const begins = "COALESCE(assignments.starts_at, CASE WHEN s.kind = 'fixed' THEN s.starts_at ELSE s.ends_at END)"
	n, last := 0, uuid.Nil
	for {
		var rows []models.Assignment
		err := s.DB.WithContext(ctx).Table("assignments").Select("assignments.*").Joins("JOIN shifts s ON s.id = assignments.shift_id").
			Where("assignments.state = ? AND assignments.as_what IN ? AND assignments.reminded_at IS NULL AND assignments.id > ?", models.AssignmentConfirmed, []models.PlaceAs{models.AsPlace, models.AsBuddy}, last).
			Where("s.cancelled_at IS NULL AND s.settled_at IS NULL AND assignments."+mailed+" AND "+begins+" > ? AND "+begins+" < ?", now, now.Add(remindAhead)).
			Order("assignments.id").Limit(takeBatch).Scan(&rows).Error
		if err != nil || len(rows) == 0 {
			return n, err
		}
		last = rows[len(rows)-1].ID
		var boxes []uuid.UUID
		for _, a := range rows {
			boxes = append(boxes, a.MailboxID)
		}
		plans, err := pacing.Of(ctx, s.DB.DB, s.Vault, boxes)
		if err != nil {
			return n, err
		}
		offers, err := s.takeShifts(ctx, s.DB.DB, rows, now)
		if err != nil {
			return n, err
		}
		for _, a := range rows {
			o := offers[a.ShiftID]
			at := o.EndsAt
			if o.Kind == models.ShiftFixed {
				at = o.StartsAt
			}
			if a.StartsAt != nil {
				at = a.StartsAt
			}
			zone := takeZone(a.TimeZone, ZoneOf(o.Roster))
			if !remindNow(*at, now, zone, plans[a.MailboxID]) || a.ConfirmedAt != nil && !a.ConfirmedAt.Before(remindAt(*at, zone)) {
				continue
			}
			told, err := s.remind(ctx, a, *at, now)
			if err != nil {
				return n, err
			}
			n += told
		}
	}
}

// remind queues one reminder, unless another node did.
func (s *Service) remind(ctx context.Context, a models.Assignment, ends, now time.Time) (n int, err error) {
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		n = 0
		r := tx.Model(&models.Assignment{}).Where("id = ? AND state = ? AND reminded_at IS NULL", a.ID, models.AssignmentConfirmed).Update("reminded_at", now)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		n = 1
		return takeMail(ctx, tx, KindReminder, a, "", &ends, now)
	})
	return n, err
}
