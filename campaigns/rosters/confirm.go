package rosters

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/pacing"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// takeConfirmFor is how long the link in a mail about a place opens its page: longer than the place is kept, so that whoever comes later
// may still have it where nobody else took it.
const takeConfirmFor = 24 * time.Hour

// Source lets places wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return takeSource{s} }

type takeSource struct{ s *Service }

// takeDoneMost is how many places that count a page lists.
const takeDoneMost = 10

// Waiting is part of confirmations.Source. A place that is gone, or that the person cannot take, is not open; what they planned is said to
// them here, once: whoever presses takes it all the same.
func (c takeSource) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	s := c.s
	var out confirmations.Waiting
	var rows []models.Assignment
	if err := s.DB.WithContext(ctx).Where("mailbox_id = ?", box).Order("created_at, id").Find(&rows).Error; err != nil {
		return out, err
	}
	offers, err := s.takeShifts(ctx, s.DB.DB, rows, now)
	if err != nil {
		return out, err
	}
	for _, a := range rows {
		o := offers[a.ShiftID]
		item := takeItem(a, o)
		if a.State != models.AssignmentPending {
			if len(out.Done) < takeDoneMost {
				out.Done = append(out.Done, item)
			}
			continue
		}
		when, own := s.WhenFor(a.Locale, o.Roster, o.Shift, a.StartsAt, a.TimeZone)
		item.Says = []confirmations.Said{{Key: "rosters.said_roster", Text: o.Roster.Title}, {Key: "rosters.said_as", Value: "rosters.as_" + string(a.AsWhat)}, {Key: "rosters.said_when", Text: when}}
		if own != "" {
			item.Says = append(item.Says, confirmations.Said{Key: "rosters.said_own", Text: own})
		}
		no, plans, err := s.takePersonal(ctx, s.DB.DB, o.Roster, o.Shift, a, now)
		if err != nil {
			return out, err
		}
		refused := s.takeRefused(no, o.Roster, a.Locale)
		if refused == nil && a.Fills() && !now.Before(*a.ExpiresAt) && o.Free() == 0 {
			refused = fault.New(fault.Conflict, "error.shift_full")
		}
		switch f := takeFault(refused); {
		case f != nil:
			item.Open, item.Says = false, []confirmations.Said{{Key: "rosters.said_cannot", Text: s.Words(a.Locale, f.Key, f.Args...)}}
		case plans != pacing.Fits:
			item.Says = append(item.Says, confirmations.Said{Key: "rosters.said_plan", Value: "error.roster_plan_" + string(plans)})
		}
		if a.ConsentTextID != nil {
			var t models.ConsentText
			if err := s.DB.WithContext(ctx).Where("id = ?", *a.ConsentTextID).Limit(1).Find(&t).Error; err != nil {
				return out, err
			}
			item.Says = append(item.Says, confirmations.Said{Key: "form.you_agree", Text: t.Body})
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// takeShifts reads the shifts of assignments.
func (s *Service) takeShifts(ctx context.Context, tx *gorm.DB, rows []models.Assignment, now time.Time) (map[uuid.UUID]OnOffer, error) {
	var ids []uuid.UUID
	for _, a := range rows {
		if !slices.Contains(ids, a.ShiftID) {
			ids = append(ids, a.ShiftID)
		}
	}
	list, err := s.takeOffered(ctx, tx, ids, now)
	out := make(map[uuid.UUID]OnOffer, len(list))
	for _, o := range list {
		out[o.ID] = o
	}
	return out, err
}

func takeItem(a models.Assignment, o OnOffer) confirmations.Item {
	path := "/shifts/" + o.ID.String()
	item := confirmations.Item{ID: a.ID, Kind: "roster", Title: o.Role, TitleLocale: o.Roster.Locale, Path: path, Thanks: path + "/taken", At: a.CreatedAt, Open: true}
	if a.ConfirmedAt != nil {
		item.At = *a.ConfirmedAt
	}
	return item
}

// Confirm is part of confirmations.Source. A press on a place that cannot be had says why.
func (c takeSource) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	now := c.s.Clock.Now()
	err := c.s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		out, err = c.s.takeConfirmed(ctx, tx.WithContext(ctx), box, ids, now)
		return err
	})
	return out, err
}

func (s *Service) takeConfirmed(ctx context.Context, tx *gorm.DB, boxID uuid.UUID, ids []uuid.UUID, now time.Time) (confirmations.Confirmed, error) {
	var out confirmations.Confirmed
	nothing := fault.New(fault.Gone, "error.confirm_nothing")
	var rows []models.Assignment
	if err := tx.Where("mailbox_id = ? AND id IN ?", boxID, ids).Order("shift_id").Find(&rows).Error; err != nil {
		return out, err
	}
	held := map[uuid.UUID]models.Shift{}
	for _, a := range rows {
		sh, err := hold(ctx, tx, a.ShiftID)
		if err != nil {
			return out, err
		}
		held[sh.ID] = sh
	}
	var box models.Mailbox
	err := tx.Clauses(forUpdate).Where("id = ?", boxID).Take(&box).Error // two presses at once: one after the other
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return out, nothing
	}
	if err != nil {
		return out, err
	}
	// What waited may be gone since, with the time it was kept for.
	if err := tx.Where("mailbox_id = ? AND id IN ?", boxID, ids).Order("shift_id").Find(&rows).Error; err != nil {
		return out, err
	}
	out.Already = true
	var refused error
	fresh := false
	for _, a := range rows {
		sh := held[a.ShiftID]
		offers, err := s.takeShifts(ctx, tx, []models.Assignment{a}, now)
		if err != nil {
			return out, err
		}
		o := offers[a.ShiftID]
		if a.State != models.AssignmentPending {
			out.Items = append(out.Items, takeItem(a, o))
			continue
		}
		no, _, err := s.takePersonal(ctx, tx, o.Roster, sh, a, now)
		if err != nil {
			return out, err
		}
		if err := s.takeRefused(no, o.Roster, a.Locale); err != nil {
			refused = takeGone(err)
			continue
		}
		if a.Fills() && !now.Before(*a.ExpiresAt) { // it was kept no longer
			if err := s.takeRoom(ctx, tx, sh, now); err != nil {
				refused = takeGone(err)
				continue
			}
		}
		if !fresh {
			fresh = true
			if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
				return out, err
			}
		}
		done, err := s.takeTrue(ctx, tx, sh, &box, a, now)
		if err != nil {
			return out, err
		}
		out.Already = false
		out.Items = append(out.Items, takeItem(done, o))
	}
	switch {
	case len(out.Items) > 0:
		return out, nil
	case refused != nil:
		return out, refused
	}
	return out, nothing
}

// takeGone is a refusal as the page of a mailed link says it.
func takeGone(err error) error {
	f := takeFault(err)
	if f == nil || f.Kind != fault.Conflict {
		return err
	}
	return fault.New(fault.Gone, f.Key, f.Args...)
}

// takeAttach brings what somebody said of themselves into the record behind their mailbox, and what they agreed to.
func (s *Service) takeAttach(ctx context.Context, tx *gorm.DB, box *models.Mailbox, a models.Assignment, now time.Time) error {
	p, err := s.takeSaid(a)
	if err != nil {
		return err
	}
	id, err := supporters.Attach(ctx, tx, s.Vault, *box, supporters.Facts{
		GivenName: p.GivenName, FamilyName: p.FamilyName, Phone: p.Phone, Locale: a.Locale, TimeZone: a.TimeZone, Source: supporters.SourceRoster,
	}, now)
	if err != nil {
		return err
	}
	box.SupporterID = &id
	if a.ConsentTextID == nil {
		return nil
	}
	var t models.ConsentText
	if err := tx.WithContext(ctx).Where("id = ?", *a.ConsentTextID).Take(&t).Error; err != nil {
		return err
	}
	return consents.GiveAll(ctx, tx, []consents.Given{{
		MailboxID: box.ID, Purpose: t.Purpose, TextID: t.ID, Locale: t.Locale, ShownAt: a.CreatedAt, Source: "/rosters", How: models.ConsentByMail,
	}}, now)
}

// takeIs is who somebody on a shift is.
type takeIs struct{ GivenName, FamilyName, Phone string }

// takeSaid opens what somebody on a shift said of themselves.
func (s *Service) takeSaid(a models.Assignment) (takeIs, error) {
	var p takeIs
	for _, f := range []struct {
		column string
		sealed []byte
		into   *string
	}{{"given_name_sealed", a.GivenNameSealed, &p.GivenName}, {"family_name_sealed", a.FamilyNameSealed, &p.FamilyName}, {"phone_sealed", a.PhoneSealed, &p.Phone}} {
		if len(f.sealed) == 0 {
			continue
		}
		var err error
		if *f.into, err = s.Vault.Open("assignments", f.column, a.ID, f.sealed); err != nil {
			return p, err
		}
	}
	return p, nil
}

// Disown is part of confirmations.Source.
func (c takeSource) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		q := tx.Where("mailbox_id = ? AND state = ?", box, models.AssignmentPending)
		if len(ids) > 0 {
			q = q.Where("id IN ?", ids)
		}
		var ids []uuid.UUID
		if err := q.Model(&models.Assignment{}).Pluck("id", &ids).Error; err != nil {
			return err
		}
		return takeDrop(ctx, tx, ids, now)
	})
}

// takeDrop deletes in tx those of assignments that still wait, with their mails.
func takeDrop(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	tx = tx.WithContext(ctx)
	var gone []models.Assignment
	if err := tx.Raw("DELETE FROM assignments WHERE id IN ? AND state = 'pending' RETURNING id, mailbox_id", ids).Scan(&gone).Error; err != nil {
		return err
	}
	if len(gone) == 0 {
		return nil
	}
	var boxes, subjects []uuid.UUID
	for _, a := range gone {
		boxes, subjects = append(boxes, a.MailboxID), append(subjects, a.ID)
	}
	return confirmations.Drop(ctx, tx, confirmations.RosterConfirm, boxes, subjects, now) // those that went count among the mails of a week
}

// Try is part of confirmations.Source.
func (c takeSource) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.DB, "assignments", "", ids, most)
}

// Again is part of confirmations.Source.
func (c takeSource) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.Assignment
		err := tx.Where("id IN ? AND state = ?", ids, models.AssignmentPending).Order("created_at, id").Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		var boxIDs []uuid.UUID
		for _, a := range rows {
			boxIDs = append(boxIDs, a.MailboxID)
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		return takeConfirm(ctx, tx, rows, boxes, "/"+now.Format(time.DateOnly), now)
	})
}

// takeBatch is how many rows go in one transaction.
const takeBatch = 200

// Expire deletes what nobody confirmed in a day, and returns how many went. Its places were free long before. It may run on several nodes at
// once, and again.
func (s *Service) Expire(ctx context.Context) (int, error) {
	now := s.Clock.Now()
	gone := 0
	for {
		n := 0
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			var ids []uuid.UUID
			err := tx.Model(&models.Assignment{}).Where("state = ? AND expires_at <= ?", models.AssignmentPending, now.Add(TakePendingFor-takeConfirmFor)).Order("expires_at").Limit(takeBatch).Pluck("id", &ids).Error
			if n = len(ids); err != nil {
				return err
			}
			return takeDrop(ctx, tx, ids, now)
		})
		if gone += n; err != nil || n < takeBatch {
			return gone, err
		}
	}
}
