package volunteers

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/consents"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// HandInput is what somebody told a coordinator. The names of its fields are email, where, on and those of Said.
type HandInput struct {
	Said
	Email  string // "" for who has no mail address, and a telephone number
	Locale string // of the mails to the person
	Where  string // how they said it: on the telephone, at a meeting
	On     string // the day, 2006-01-02
}

const whereMax = 300

// Add writes down somebody who offers time, on their word, and returns the id. They get the mail of welcome, where they have a mail address;
// else they are asked by telephone alone. Where they want to be asked,
// their yes is recorded in the words of the form, with where and when it was said. It needs actor.ManageRosters and actor.SeeSupporters; a
// new record belongs to the actor's chapter. The fault is Invalid with fields; on the field email for somebody who is there
// (error.volunteer_there), and error.volunteer_not_added for whoever cannot be added, which does not tell why.
func (s *Service) Add(ctx context.Context, a actor.Actor, in HandInput) (uuid.UUID, error) {
	if err := need(a); err != nil {
		return uuid.Nil, err
	}
	now := s.Clock.Now()
	var bad fault.Fields
	d := in.check(&bad)
	in.Email = strings.TrimSpace(in.Email)
	var typed models.Mailbox
	if in.Email == "" {
		noMail(&bad, d)
	} else {
		var err error
		if typed, err = mailboxes.NewRow(s.Vault, in.Email, now); fault.Is(err, fault.Invalid) {
			bad.Add("email", address.Key(err))
		} else if err != nil {
			return uuid.Nil, err
		}
	}
	if !localeForm.MatchString(in.Locale) {
		bad.Add("locale", "error.value_unknown")
	}
	in.Where = line(&bad, "where", in.Where, whereMax)
	if in.Where == "" {
		bad.Add("where", "error.consent_where_missing")
	}
	on, err := time.Parse(time.DateOnly, in.On)
	switch {
	case err != nil:
		bad.Add("on", "error.field_date")
	case on.After(now), on.Year() < 1900:
		bad.Add("on", "error.consent_future")
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	words, err := s.Boxes(ctx, in.Locale)
	if err != nil {
		return uuid.Nil, err
	}
	v := models.Volunteer{ID: models.NewID(), State: models.VolunteerActive, Locale: in.Locale, Source: "hand", CreatedAt: now, UpdatedAt: now}
	s.write(&v, d)
	return v.ID, s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		f := d.facts(in.Locale)
		f.Source = supporters.SourceHand
		box, person, fresh, err := s.added(ctx, tx, a, typed, f, now)
		if err != nil {
			return err
		}
		v.MailboxID = box.ID
		if c := a.Chapter(); fresh && c != nil {
			if err := tx.Model(&models.Supporter{}).Where("id = ?", person).Updates(map[string]any{"chapter_id": *c, "updated_at": now}).Error; err != nil {
				return err
			}
		}
		if err := tx.Create(&v).Error; err != nil {
			return err
		}
		if err := s.recordYes(ctx, tx, v, in.Where, on, words, now); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "volunteer.add", "volunteers", v.ID, nil); err != nil {
			return err
		}
		if in.Email == "" {
			return nil
		}
		return s.welcome(ctx, tx, v, now)
	})
}

// noMail notes what is missing of somebody without a mail address.
func noMail(bad *fault.Fields, d Said) {
	switch {
	case d.Phone == "" && !bad.Has("phone"):
		bad.Add("email", "error.volunteer_reach")
	case d.AskBy == models.AskByMail:
		bad.Add("ask_by", "error.volunteer_ask_no_mail")
	}
}

// added returns the mailbox of an address, or of somebody who has none, with the record of the person; fresh says that the record is new and of
// no chapter yet.
func (s *Service) added(ctx context.Context, tx *gorm.DB, a actor.Actor, typed models.Mailbox, f supporters.Facts, now time.Time) (box models.Mailbox, person uuid.UUID, fresh bool, err error) {
	if len(typed.AddressHash) == 0 {
		if box, person, err = supporters.Caller(ctx, tx, s.Vault, a.Chapter(), f, now); err == nil {
			err = s.addable(tx, a, box)
		}
		return box, person, false, err
	}
	boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
	if err != nil {
		return box, uuid.Nil, false, err
	}
	box = boxes[string(typed.AddressHash)] // held
	if err := s.addable(tx, a, box); err != nil {
		return box, uuid.Nil, false, err
	}
	person, err = supporters.Attach(ctx, tx, s.Vault, box, f, now)
	return box, person, box.SupporterID == nil, err
}

// addable says whether a coordinator may add a volunteer at a mailbox.
func (s *Service) addable(tx *gorm.DB, a actor.Actor, box models.Mailbox) error {
	refuse := func(key string) error { return fault.Fields{{Name: "email", Key: key}}.Err() }
	var erased int64
	if err := tx.Model(&models.Erasure{}).Where("address_hash = ?", box.AddressHash).Count(&erased).Error; err != nil {
		return err
	}
	if erased > 0 || box.SuppressedAt != nil {
		return refuse("error.volunteer_not_added")
	}
	if box.SupporterID != nil {
		var p models.Supporter
		if err := tx.Select("id", "chapter_id").Where("id = ?", *box.SupporterID).Take(&p).Error; err != nil {
			return err
		}
		if !chapters.May(a, p.ChapterID) {
			return refuse("error.volunteer_not_added")
		}
	}
	var there int64
	if err := tx.Model(&models.Volunteer{}).Where("mailbox_id = ? AND state <> ?", box.ID, models.VolunteerPending).Count(&there).Error; err != nil {
		return err
	}
	if there > 0 {
		return refuse("error.volunteer_there")
	}
	return nil
}

// recordYes records what somebody agreed to who wants to be asked. A no of the same day or later counts more.
func (s *Service) recordYes(ctx context.Context, tx *gorm.DB, v models.Volunteer, where string, on time.Time, words []consents.Box, now time.Time) error {
	if v.AskBy == models.AskNot {
		return nil
	}
	given := on.Add(12 * time.Hour) // the same day in nearly every time zone
	if given.After(now) {
		given = now
	}
	for _, b := range words {
		if b.Purpose == models.PurposePhone && v.AskBy != models.AskByPhone {
			continue
		}
		var later int64
		err := tx.Model(&models.Consent{}).Where("mailbox_id = ? AND purpose = ? AND scope_id = ? AND withdrawn_at >= ?", v.MailboxID, b.Purpose, uuid.Nil, on).Count(&later).Error
		if err != nil {
			return err
		}
		if later > 0 {
			return fault.Fields{{Name: "on", Key: "error.consent_withdrawn"}}.Err()
		}
		t, err := consents.Text(ctx, tx, b.Purpose, b.Locale, b.Words, now)
		if err != nil {
			return err
		}
		err = consents.Give(ctx, tx, consents.Given{MailboxID: v.MailboxID, Purpose: b.Purpose, TextID: t.ID, Locale: b.Locale, ShownAt: given, Source: where, How: models.ConsentByHand}, given)
		if err != nil {
			return err
		}
	}
	return nil
}
