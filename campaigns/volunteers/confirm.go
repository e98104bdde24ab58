package volunteers

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/confirmations"
	"kithline/campaigns/consents"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// KindVolunteer is what an offer of time is on the page that confirms.
const KindVolunteer = "volunteer"

// page is the page of the form, and thanked the one that follows the confirmation.
const (
	page    = "/volunteer"
	thanked = "/volunteer/thanks"
)

var forUpdate = clause.Locking{Strength: "UPDATE"}

// Source lets what was filled in wait behind the door of campaigns/confirmations: app/wire.go registers it there.
func (s *Service) Source() confirmations.Source { return source{s} }

type source struct{ s *Service }

func itemOf(v models.Volunteer) confirmations.Item {
	item := confirmations.Item{ID: v.ID, Kind: KindVolunteer, Path: page, Thanks: thanked, At: v.CreatedAt, Open: true}
	if v.ConfirmedAt != nil {
		item.At = *v.ConfirmedAt
	}
	return item
}

// Waiting is part of confirmations.Source.
func (c source) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	var out confirmations.Waiting
	var rows []models.Volunteer
	err := c.s.DB.WithContext(ctx).Where("mailbox_id = ? AND (state <> ? OR expires_at > ?)", box, models.VolunteerPending, now).Order("created_at, id").Find(&rows).Error
	if err != nil {
		return out, err
	}
	for _, v := range rows {
		if v.State != models.VolunteerPending {
			if v.ConfirmedAt != nil {
				out.Done = append(out.Done, itemOf(v))
			}
			continue
		}
		item := itemOf(v)
		if item.Says, err = c.s.says(ctx, v); err != nil {
			return out, err
		}
		out.Items = append(out.Items, item)
	}
	return out, nil
}

// says lists all that a pending row stands for, in the order of the form.
func (s *Service) says(ctx context.Context, v models.Volunteer) ([]confirmations.Said, error) {
	d, err := s.said(v)
	if err != nil {
		return nil, err
	}
	var out []confirmations.Said
	say := func(key, words string) {
		if words != "" {
			out = append(out, confirmations.Said{Key: "volunteers." + key, Text: words})
		}
	}
	list := func(prefix string, codes []string) string {
		words := make([]string, len(codes))
		for i, c := range codes {
			words[i] = s.Words(v.Locale, "volunteers."+prefix+c)
		}
		return strings.Join(words, ", ")
	}
	say("q_name", strings.TrimSpace(d.GivenName+" "+d.FamilyName))
	say("q_likes", list("like_", d.Likes))
	out = append(out, confirmations.Said{Key: "volunteers.q_ask_by", Value: "volunteers.ask_" + askCode(d.AskBy)})
	say("q_phone", d.Phone)
	if d.AskBy != models.AskNot {
		say("q_hours_asked", d.AskFrom+"–"+d.AskUntil)
	}
	say("q_skills", list("skill_", d.Skills))
	say("q_languages", list("lang_", d.Languages))
	say("q_modes", list("mode_", d.Modes))
	say("q_hours", s.hours(v.Locale, d.Hours))
	say("q_postal_code", strings.TrimSpace(d.PostalCode+" "+d.Country))
	say("q_time_zone", d.TimeZone)
	say("q_note", d.Note)
	for _, id := range []*uuid.UUID{v.ConsentTextID, v.PhoneTextID} {
		if id == nil {
			continue
		}
		var t models.ConsentText
		if err := s.DB.WithContext(ctx).Where("id = ?", *id).Limit(1).Find(&t).Error; err != nil {
			return nil, err
		}
		say("q_agree", t.Body)
	}
	return out, nil
}

// askCode is a way to ask as locale keys end.
func askCode(a models.AskBy) string {
	if a == models.AskNot {
		return "not"
	}
	return string(a)
}

// hours says when somebody can, in words: Monday: morning, evening.
func (s *Service) hours(lang string, codes []string) string {
	var out []string
	for _, d := range Days {
		var parts []string
		for _, p := range Parts {
			if slices.Contains(codes, d+"-"+p) {
				parts = append(parts, s.Words(lang, "volunteers.part_"+p))
			}
		}
		if len(parts) > 0 {
			out = append(out, s.Words(lang, "volunteers.day_"+d)+": "+strings.Join(parts, ", "))
		}
	}
	return strings.Join(out, "; ")
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
	err := tx.Clauses(forUpdate).Where("id = ?", boxID).Take(&box).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return out, nothing
	}
	if err != nil {
		return out, err
	}
	var rows []models.Volunteer
	if err := tx.Clauses(forUpdate).Where("mailbox_id = ?", box.ID).Order("created_at, id").Find(&rows).Error; err != nil {
		return out, err
	}
	var waiting []models.Volunteer
	var counts *models.Volunteer
	for i, v := range rows {
		named := slices.Contains(ids, v.ID)
		switch {
		case v.State != models.VolunteerPending:
			counts = &rows[i]
			if named {
				out.Items = append(out.Items, itemOf(v))
			}
		case named && now.Before(*v.ExpiresAt):
			waiting = append(waiting, v)
		}
	}
	if len(waiting) == 0 {
		if out.Already = len(out.Items) > 0; !out.Already {
			return out, nothing
		}
		return out, nil
	}
	out.Items = nil
	if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
		return out, err
	}
	first := counts == nil
	for _, v := range waiting {
		v, err := s.take(ctx, tx, &box, v, counts, now)
		if err != nil {
			return out, err
		}
		counts = &v
		out.Items = append(out.Items, itemOf(v))
	}
	if !first {
		return out, nil
	}
	return out, s.welcome(ctx, tx, *counts, now)
}

// take lets one pending row count in the place of the one before, which may be nil, and brings it into the record behind its mailbox. The
// caller holds all of them.
func (s *Service) take(ctx context.Context, tx *gorm.DB, box *models.Mailbox, v models.Volunteer, before *models.Volunteer, now time.Time) (models.Volunteer, error) {
	d, err := s.said(v)
	if err != nil {
		return v, err
	}
	id, err := supporters.Attach(ctx, tx, s.Vault, *box, d.facts(v.Locale), now)
	if err != nil {
		return v, err
	}
	box.SupporterID = &id
	if before != nil {
		old, err := s.said(*before)
		if err != nil {
			return v, err
		}
		s.write(&v, d.over(old))
		remark, err := s.Vault.Open("volunteers", "remark_sealed", before.ID, before.RemarkSealed)
		if err != nil {
			return v, err
		}
		v.RemarkSealed = s.seal(v.ID, "remark_sealed", remark)
		v.Trainings, v.AskedAt, v.WelcomedAt = before.Trainings, before.AskedAt, before.WelcomedAt
		if err := tx.Where("id = ?", before.ID).Delete(&models.Volunteer{}).Error; err != nil {
			return v, err
		}
	}
	var yes []consents.Given
	for _, textID := range []*uuid.UUID{v.ConsentTextID, v.PhoneTextID} {
		if textID == nil {
			continue
		}
		var t models.ConsentText
		if err := tx.Where("id = ?", *textID).Take(&t).Error; err != nil {
			return v, err
		}
		yes = append(yes, consents.Given{MailboxID: box.ID, Purpose: t.Purpose, TextID: t.ID, Locale: t.Locale, ShownAt: v.CreatedAt, Source: page, How: models.ConsentByMail, EvidenceID: &v.ID})
	}
	if err := consents.GiveAll(ctx, tx, yes, now); err != nil {
		return v, err
	}
	if before != nil {
		v.CreatedAt = before.CreatedAt
	}
	v.State, v.ConfirmedAt, v.UpdatedAt, v.ExpiresAt, v.ConsentTextID, v.PhoneTextID, v.ClientHash = models.VolunteerActive, &now, now, nil, nil, nil, nil
	return v, tx.Select("*").Updates(&v).Error
}

// welcome queues the mail for somebody who is a volunteer now.
func (s *Service) welcome(ctx context.Context, tx *gorm.DB, v models.Volunteer, now time.Time) error {
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: KindWelcome, MailboxID: v.MailboxID, SubjectID: v.ID, Purpose: models.PurposeReceipt, DedupeKey: KindWelcome + "/" + v.ID.String(),
		Priority: models.PriorityReceipt, OnUnknown: models.Resend,
	}, now)
	return err
}

// Disown is part of confirmations.Source.
func (c source) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		where, args := "mailbox_id = ?", []any{box}
		if len(ids) > 0 {
			where, args = where+" AND id IN ?", append(args, ids)
		}
		_, err := drop(ctx, tx, now, where, args...)
		return err
	})
}

// Try is part of confirmations.Source.
func (c source) Try(ctx context.Context, ids []uuid.UUID, most int) ([]confirmations.Tried, error) {
	return confirmations.CountTry(ctx, c.s.DB, "volunteers", "", ids, most)
}

// Again is part of confirmations.Source.
func (c source) Again(ctx context.Context, ids []uuid.UUID) error {
	now := c.s.Clock.Now()
	return c.s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var rows []models.Volunteer
		err := tx.Where("id IN ? AND state = ? AND expires_at > ?", ids, models.VolunteerPending, now).Order("created_at, id").Find(&rows).Error
		if err != nil || len(rows) == 0 {
			return err
		}
		var boxIDs []uuid.UUID
		alike := map[uuid.UUID][]uuid.UUID{}
		for _, v := range rows {
			boxIDs = append(boxIDs, v.MailboxID)
			if alike[v.ID], err = waitingAt(tx, v.MailboxID); err != nil {
				return err
			}
		}
		boxes, err := mailboxes.Hold(ctx, tx, boxIDs)
		if err != nil {
			return err
		}
		return queue(ctx, tx, rows, boxes, alike, "/"+now.Format("2006-01-02"), now)
	})
}
