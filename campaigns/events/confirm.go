package events

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
	"kithline/models/database"
)

// KindRegistration is what a registration is on the page that confirms.
const KindRegistration = "event"

// Source lets registrations wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return source{s} }

type source struct{ s *Service }

const doneMost = 10

// Waiting is part of confirmations.Source.
func (c source) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	s := c.s
	var out confirmations.Waiting
	var pending, done []models.Registration
	db := s.DB.WithContext(ctx)
	if err := db.Where("mailbox_id = ? AND state = ? AND expires_at > ?", box, models.RegistrationPending, now).Order("created_at, id").Find(&pending).Error; err != nil {
		return out, err
	}
	if err := db.Where("mailbox_id = ? AND state <> ?", box, models.RegistrationPending).Order("confirmed_at DESC, id DESC").Limit(doneMost).Find(&done).Error; err != nil {
		return out, err
	}
	all, dates, err := s.eventsOf(ctx, s.DB.DB, append(slices.Clone(pending), done...))
	if err != nil {
		return out, err
	}
	for _, r := range pending {
		item, err := s.item(r, all[r.EventID], dates[r.EventID], now)
		if err != nil {
			return out, err
		}
		out.Items = append(out.Items, item)
	}
	for _, r := range done {
		item, err := s.item(r, all[r.EventID], dates[r.EventID], now)
		if err != nil {
			return out, err
		}
		out.Done = append(out.Done, item)
	}
	return out, nil
}

// eventsOf reads the events of registrations, and their dates.
func (s *Service) eventsOf(ctx context.Context, tx *gorm.DB, rows []models.Registration) (map[uuid.UUID]models.Event, map[uuid.UUID][]models.EventDate, error) {
	var ids []uuid.UUID
	for _, r := range rows {
		if !slices.Contains(ids, r.EventID) {
			ids = append(ids, r.EventID)
		}
	}
	out := map[uuid.UUID]models.Event{}
	if len(ids) == 0 {
		return out, nil, nil
	}
	var list []models.Event
	if err := database.FindIn(tx.WithContext(ctx), "id", ids, &list); err != nil {
		return nil, nil, err
	}
	for _, e := range list {
		out[e.ID] = e
	}
	dates, err := datesOf(ctx, tx, ids)
	return out, dates, err
}

// item is a registration on the page that confirms. What was typed is shown, as whoever presses stands for it.
func (s *Service) item(r models.Registration, e models.Event, dates []models.EventDate, now time.Time) (confirmations.Item, error) {
	item := confirmations.Item{
		ID: r.ID, Kind: KindRegistration, Title: e.Title, TitleLocale: e.Locale, Path: "/events/" + e.Slug, Thanks: "/events/" + e.Slug + "/thanks", At: r.CreatedAt,
	}
	o, ok := at(e, dates, r.OccursAt)
	item.Open = ok && e.State == models.EventPublished && !o.Off && now.Before(o.End)
	item.Says = append(item.Says, confirmations.Said{Key: "events.said_when", Text: s.When(r.Locale, o, Zone(e))})
	if r.State != models.RegistrationPending {
		item.At = r.CreatedAt
		if r.ConfirmedAt != nil {
			item.At = *r.ConfirmedAt
		}
		return item, nil
	}
	given, family, err := s.names(r)
	if err != nil {
		return item, err
	}
	item.Person = joined(given, family)
	item.Says = append(item.Says, confirmations.Said{Key: "events.said_way", Value: "events.way_" + string(r.Attends)})
	if r.Series {
		item.Says = append(item.Says, confirmations.Said{Key: "events.said_series", Value: "form.answer_yes"})
	}
	needs, err := s.Vault.Open("registrations", "needs_sealed", r.ID, r.NeedsSealed)
	if needs != "" {
		item.Says = append(item.Says, confirmations.Said{Key: "events.said_needs", Text: needs})
		share := map[bool]string{true: "form.answer_yes", false: "form.answer_no"}[r.ShareNeeds]
		item.Says = append(item.Says, confirmations.Said{Key: "events.said_share", Value: share})
	}
	return item, err
}

func (s *Service) names(r models.Registration) (given, family string, err error) {
	if given, err = s.Vault.Open("registrations", "given_name_sealed", r.ID, r.GivenNameSealed); err != nil {
		return "", "", err
	}
	family, err = s.Vault.Open("registrations", "family_name_sealed", r.ID, r.FamilyNameSealed)
	return given, family, err
}

func joined(given, family string) string {
	if family == "" {
		return given
	}
	return given + " " + family
}

// Confirm is part of confirmations.Source.
func (c source) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	now := c.s.Clock.Now()
	err := c.s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		out, err = c.s.confirm(ctx, tx.WithContext(ctx), box, ids, now)
		return err
	})
	return out, err
}

func (s *Service) confirm(ctx context.Context, tx *gorm.DB, boxID uuid.UUID, ids []uuid.UUID, now time.Time) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	nothing := fault.New(fault.Gone, "error.confirm_nothing")
	var box models.Mailbox
	if err := tx.Clauses(forUpdate).Where("id = ?", boxID).Take(&box).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return out, nothing
	} else if err != nil {
		return out, err
	}
	var rows []models.Registration
	if err := tx.Where("mailbox_id = ? AND id IN ?", box.ID, ids).Order("event_id, id").Find(&rows).Error; err != nil {
		return out, err
	}
	out.Already = true
	var fault1 error = nothing
	for _, r := range rows {
		if r.State == models.RegistrationPending && r.ExpiresAt != nil && !now.Before(*r.ExpiresAt) {
			continue
		}
		e, err := hold(ctx, tx, r.EventID)
		if err != nil {
			return out, err
		}
		dates, err := datesOf(ctx, tx, []uuid.UUID{e.ID})
		if err != nil {
			return out, err
		}
		item, err := s.item(r, e, dates[e.ID], now)
		if err != nil {
			return out, err
		}
		if r.State == models.RegistrationPending {
			o, ok := at(e, dates[e.ID], r.OccursAt)
			if !ok || !item.Open {
				fault1 = fault.New(fault.Gone, "error.confirm_closed")
				continue
			}
			full, err := s.seat(ctx, tx, box, &r, e, o, now)
			if err != nil {
				return out, err
			}
			if full {
				fault1 = fault.New(fault.Gone, "error.event_full")
				continue
			}
			out.Already = false
		}
		out.Items = append(out.Items, item)
	}
	if len(out.Items) == 0 {
		out.Already = false
		return out, fault1
	}
	return out, nil
}

// seat makes in tx a pending registration one that counts, or one that waits. full says that neither can be. The caller holds the mailbox and
// the event.
func (s *Service) seat(ctx context.Context, tx *gorm.DB, box models.Mailbox, r *models.Registration, e models.Event, o Occurrence, now time.Time) (full bool, err error) {
	state := models.Registered
	if limited(e, r.Attends) {
		n, err := taken(ctx, tx, e, r.OccursAt, r.ID, now)
		if err != nil {
			return false, err
		}
		if n >= e.Capacity {
			if state = models.RegistrationWaiting; !e.WaitingList {
				return true, nil
			}
		}
	}
	given, family, err := s.names(*r)
	if err != nil {
		return false, err
	}
	if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
		return false, err
	}
	if _, err := supporters.Attach(ctx, tx, s.Vault, box, supporters.Facts{GivenName: given, FamilyName: family, Locale: r.Locale, Source: supporters.SourceEvent}, now); err != nil {
		return false, err
	}
	if r.Series { // what they said for single dates after it is part of it now
		var single []models.Registration
		if err := tx.Where("event_id = ? AND mailbox_id = ? AND occurs_at > ? AND id <> ?", e.ID, box.ID, r.OccursAt, r.ID).Find(&single).Error; err != nil {
			return false, err
		}
		if err := drop(ctx, tx, single, now); err != nil {
			return false, err
		}
	}
	r.State, r.ConfirmedAt, r.UpdatedAt, r.ExpiresAt = state, &now, now, nil
	if err := tx.Select("state", "confirmed_at", "updated_at", "expires_at").Updates(r).Error; err != nil {
		return false, err
	}
	return false, s.mail(ctx, tx, KindReceipt, *r, r.ID, now, o.End, string(state)+"/"+Stamp(now), now)
}

// Disown is part of confirmations.Source.
func (c source) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		q := tx.WithContext(ctx).Where("mailbox_id = ? AND state = ?", box, models.RegistrationPending)
		if len(ids) > 0 {
			q = q.Where("id IN ?", ids)
		}
		var rows []models.Registration
		if err := q.Find(&rows).Error; err != nil {
			return err
		}
		return drop(ctx, tx, rows, now)
	})
}

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.DB, "registrations", "", ids, most)
}

// Again is part of confirmations.Source.
func (c source) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		var rows []models.Registration
		if err := tx.Where("id IN ? AND state = ? AND expires_at > ?", ids, models.RegistrationPending, now).Order("created_at, id").Find(&rows).Error; err != nil || len(rows) == 0 {
			return err
		}
		var boxIDs []uuid.UUID
		for _, r := range rows {
			boxIDs = append(boxIDs, r.MailboxID)
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		return c.s.queue(ctx, tx, rows, boxes, "/"+now.Format("2006-01-02"), now)
	})
}
