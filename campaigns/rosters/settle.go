package rosters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/models"
)

// settleAt is when a shift that ended is settled: the Monday after the week that it counts in for what people planned.
func settleAt(end time.Time, zone *time.Location) time.Time {
	day := end.In(zone)
	ahead := 7 - (int(day.Weekday())+6)%7
	return time.Date(day.Year(), day.Month(), day.Day()+ahead, 0, 0, 0, 0, zone)
}

// Settle forgets who held the places of shifts that are over, with the week they were in: what they held and stood by for, what they were
// asked, the marks, the search and the mails about them go. The number of places that were held stays. From then on nobody can be told by
// having let go. It returns how many shifts it settled. It may run on several nodes at once, and again.
func (s *Service) Settle(ctx context.Context) (int, error) {
	now := s.Clock.Now()
	var rows []struct {
		ID                            uuid.UUID
		EndsAt, CancelledAt, ClosedAt *time.Time
		TimeZone                      string
		State                         models.RosterState
	}
	err := s.DB.WithContext(ctx).Table("shifts s").Select("s.id, s.ends_at, s.cancelled_at, r.closed_at, r.time_zone, r.state").Joins("JOIN rosters r ON r.id = s.roster_id").
		Where("s.settled_at IS NULL AND r.template = FALSE AND (s.ends_at <= ? OR s.cancelled_at <= ? OR s.ends_at IS NULL AND r.closed_at <= ?)", now, now, now).Order("s.id").Scan(&rows).Error
	if err != nil {
		return 0, err
	}
	n := 0
	for _, r := range rows {
		end := r.EndsAt
		if end == nil {
			end = r.ClosedAt
		}
		if r.CancelledAt != nil && (end == nil || r.CancelledAt.Before(*end)) {
			end = r.CancelledAt
		}
		if end == nil || now.Before(settleAt(*end, takeZone(r.TimeZone, time.UTC))) {
			continue
		}
		if err := s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.settle(ctx, tx, r.ID, now) }); err != nil {
			return n, err
		}
		n++
	}
	return n, s.takeTidy(ctx, now)
}

func (s *Service) settle(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	sh, err := hold(ctx, tx, id)
	if err != nil || sh.SettledAt != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	var places []models.Assignment
	if err := tx.Select("id", "mailbox_id", "as_what", "state").Where("shift_id = ?", id).Find(&places).Error; err != nil {
		return err
	}
	var offers []models.Offer
	if err := tx.Select("id", "mailbox_id").Where("shift_id = ?", id).Find(&offers).Error; err != nil {
		return err
	}
	filled := 0
	boxes, subjects := []uuid.UUID{}, []uuid.UUID{id}
	for _, a := range places {
		if a.AsWhat == models.AsPlace && a.State == models.AssignmentConfirmed {
			filled++
		}
		boxes, subjects = append(boxes, a.MailboxID), append(subjects, a.ID)
	}
	for _, o := range offers {
		boxes, subjects = append(boxes, o.MailboxID), append(subjects, o.ID)
	}
	if len(boxes) > 0 {
		err := tx.Where("mailbox_id IN ? AND subject_id IN ? AND state NOT IN ?", boxes, subjects, []models.DeliveryState{models.DeliverySending}).Delete(&models.Delivery{}).Error
		if err != nil {
			return err
		}
	}
	for _, gone := range []any{&models.Assignment{}, &models.Offer{}, &models.ShiftMark{}, &models.Cover{}} {
		if err := tx.Where("shift_id = ?", id).Delete(gone).Error; err != nil {
			return err
		}
	}
	return tx.Model(&models.Shift{}).Where("id = ?", id).Updates(map[string]any{"settled_at": now, "filled": filled, "updated_at": now}).Error
}

// takeTidy deletes the mails to people on rosters that arrived after what they were about was gone, and those that say that it is. Those that
// somebody else may have caused are counted for a week.
func (s *Service) takeTidy(ctx context.Context, now time.Time) error {
	return s.DB.WithContext(ctx).Exec(`DELETE FROM deliveries WHERE kind LIKE 'roster_%' AND kind NOT IN ? AND ended = TRUE AND (kind <> ? OR created_at < ?)
		AND NOT EXISTS (SELECT 1 FROM assignments a WHERE a.id = deliveries.subject_id)`,
		[]string{KindOffer, KindOfferOver, KindBack}, confirmations.RosterConfirm, now.AddDate(0, 0, -7)).Error
}
