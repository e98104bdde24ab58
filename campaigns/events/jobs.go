package events

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/jobs"
	"kithline/campaigns/mailboxes"
	"kithline/models"
	"kithline/models/database"
)

const (
	remindBefore = 24 * time.Hour
	remindLook   = 60 * time.Hour // how far reminders look ahead: quiet hours can move them
)

// Regular lists what runs by itself: see Offers, Remind and Settle.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{
		{Name: "events_offers", Every: time.Minute, Run: s.Offers},
		{Name: "events_remind", Every: 5 * time.Minute, Run: s.Remind},
		{Name: "events_settle", Every: 10 * time.Minute, Run: s.Settle},
	}
}

// Offers gives on the places that were kept for somebody until now. Where others wait, they are next and whoever did not answer waits on behind
// them; where nobody does, it stays theirs until the date begins. It may run on several nodes at once, and again.
func (s *Service) Offers(ctx context.Context) error {
	now := s.Clock.Now()
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Model(&models.Registration{}).Distinct().Where("state = ? AND offered_until <= ?", models.RegistrationOffered, now).Pluck("event_id", &ids).Error
	for _, id := range ids {
		if err == nil {
			err = s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.rotate(ctx, tx.WithContext(ctx), id, now) })
		}
	}
	if err != nil {
		return err
	}
	// Places of forms that nobody confirmed in time are free by themselves.
	ids = nil
	err = s.DB.WithContext(ctx).Model(&models.Registration{}).Distinct().Where("state = ?", models.RegistrationWaiting).Pluck("event_id", &ids).Error
	for _, id := range ids {
		if err == nil {
			err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
				e, err := hold(ctx, tx, id)
				if err != nil {
					return err
				}
				dates, err := datesOf(ctx, tx, []uuid.UUID{id})
				if err != nil {
					return err
				}
				return s.fillAll(ctx, tx, e, dates[id], now)
			})
		}
	}
	return err
}

func (s *Service) rotate(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	e, err := hold(ctx, tx, id)
	if err != nil {
		return err
	}
	all, err := datesOf(ctx, tx, []uuid.UUID{id})
	if err != nil {
		return err
	}
	var rows []models.Registration
	if err := tx.Where("event_id = ? AND state = ? AND offered_until <= ?", id, models.RegistrationOffered, now).Order("updated_at, id").Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		o, ok := at(e, all[id], r.OccursAt)
		var others int64
		if err := tx.Model(&models.Registration{}).Where("event_id = ? AND occurs_at = ? AND state = ?", id, r.OccursAt, models.RegistrationWaiting).Count(&others).Error; err != nil {
			return err
		}
		if ok && now.Before(o.Start) && others == 0 {
			if err := tx.Model(&models.Registration{}).Where("id = ?", r.ID).Update("offered_until", o.Start).Error; err != nil {
				return err
			}
			continue
		}
		if err := tx.Model(&models.Registration{}).Where("id = ?", r.ID).Updates(map[string]any{"state": models.RegistrationWaiting, "offered_until": nil, "updated_at": now}).Error; err != nil {
			return err
		}
		if ok {
			if err := s.fill(ctx, tx, e, o, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// Remind queues the reminders of dates that begin soon: a day before, outside quiet hours where the person lives. Who registered later than
// that has a fresh receipt, and is not reminded. It may run on several nodes at once, and again.
func (s *Service) Remind(ctx context.Context) error {
	now := s.Clock.Now()
	limits, err := s.Limits(ctx)
	if err != nil {
		return err
	}
	var list []models.Event
	if err := s.DB.WithContext(ctx).Where("state IN ?", []models.EventState{models.EventPublished, models.EventClosed}).Where("ends_at IS NULL OR ends_at > ?", now).Order("id").Find(&list).Error; err != nil {
		return err
	}
	var ids []uuid.UUID
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	dates, err := datesOf(ctx, s.DB.DB, ids)
	if err != nil {
		return err
	}
	for _, e := range list {
		for _, o := range Occurrences(e, dates[e.ID], now, now.Add(remindLook)) {
			if o.Off || !now.Before(o.Start) {
				continue
			}
			err := s.DB.Tx(ctx, func(tx *gorm.DB) error { return s.remind(ctx, tx.WithContext(ctx), e, o, limits, now) })
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Service) remind(ctx context.Context, tx *gorm.DB, e models.Event, o Occurrence, limits models.Limits, now time.Time) error {
	var rows []models.Registration
	if err := tx.Where("event_id = ? AND occurs_at = ? AND state = ? AND reminded_at IS NULL AND confirmed_at < ?", e.ID, o.Original, models.Registered, o.Start.Add(-remindBefore)).Order("id").Find(&rows).Error; err != nil {
		return err
	}
	for _, r := range rows {
		from := o.Start.Add(-remindBefore)
		if from.Before(now) {
			from = now
		}
		if q := deliveries.QuietUntil(limits, from, ZoneOf(r, e)); !q.IsZero() {
			from = q
		}
		if !from.Before(o.Start) {
			from = now // it begins in the quiet hours of the next day: better a little early than too late
		}
		set := tx.Model(&models.Registration{}).Where("id = ? AND reminded_at IS NULL", r.ID).Update("reminded_at", now)
		if set.Error != nil {
			return set.Error
		}
		if set.RowsAffected == 0 {
			continue
		}
		if err := s.mail(ctx, tx, KindReminder, r, r.ID, from, o.End, Stamp(o.Original)+"/"+Stamp(o.Start), now); err != nil {
			return err
		}
	}
	return nil
}

// Settle does what is due after dates: registrations for all dates go on to the next one, forms that nobody confirmed go, and so does every
// registration 30 days after its date, with what the person told us they need. Events that are over are closed. It may run on several nodes
// at once, and again.
func (s *Service) Settle(ctx context.Context) error {
	now := s.Clock.Now()
	var rows []models.Registration
	err := s.DB.WithContext(ctx).Where("state = ? AND expires_at <= ?", models.RegistrationPending, now).Order("id").Limit(1000).Find(&rows).Error
	if err != nil {
		return err
	}
	if len(rows) > 0 {
		if err := s.DB.Tx(ctx, func(tx *gorm.DB) error { return drop(ctx, tx, rows, now) }); err != nil {
			return err
		}
		if _, err := mailboxes.Sweep(ctx, s.DB, now); err != nil {
			return err
		}
	}
	rows = nil
	err = s.DB.WithContext(ctx).Where("state <> ? AND (series = TRUE AND occurs_at < ? OR occurs_at < ?)", models.RegistrationPending, now, now.Add(-keepFor)).Order("event_id, id").Limit(5000).Find(&rows).Error
	if err != nil {
		return err
	}
	all, dates, err := s.eventsOf(ctx, s.DB.DB, rows)
	if err != nil {
		return err
	}
	for _, r := range rows {
		e := all[r.EventID]
		o, ok := at(e, dates[e.ID], r.OccursAt)
		if ok && now.Before(o.End) {
			continue
		}
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			tx = tx.WithContext(ctx)
			if r.Series && e.State == models.EventPublished {
				if moved, err := s.onward(tx, e, dates[e.ID], r, now); err != nil || moved {
					return err
				}
			}
			if ok && now.Before(o.End.Add(keepFor)) {
				return nil
			}
			return drop(ctx, tx, []models.Registration{r}, now)
		})
		if err != nil {
			return err
		}
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.WithContext(ctx).Model(&models.Event{}).Where("state = ? AND ends_at <= ?", models.EventPublished, now).Updates(map[string]any{"state": models.EventClosed, "updated_at": now})
		if r.Error == nil && r.RowsAffected > 0 {
			database.Announce(tx, Topic)
		}
		return r.Error
	})
}
