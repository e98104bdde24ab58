package rosters

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/supporters"
	"kithline/models"
)

// SeatInput puts somebody on a shift on their word: a supporter, or an address as it was typed, or for who has none a telephone number. The
// comments name its fields.
type SeatInput struct {
	SupporterID uuid.UUID      // supporter
	Email       string         // email: "" for somebody who has none
	GivenName   string         // given_name
	FamilyName  string         // family_name
	Phone       string         // phone
	As          models.PlaceAs // as
	AskBy       models.AskBy   // ask_by: of a standby
	AskFrom     *int           // ask_from: of a standby, minutes after midnight
	SaidYes     bool           // said_yes: they themselves did
}

const nameMax = 80

// Seat puts somebody on a shift on their word, given by telephone or face to face, and mails them what they hold and how to let it go. Who
// has no mail address gets no mail and is asked by telephone alone; who is not known yet gets a record, of the actor's chapter. It
// needs actor.ManageRosters, of the roster's chapter, and actor.SeeSupporters. The faults: Invalid with the fields of SeatInput; NotFound,
// error.supporter_unknown; Conflict, error.shift_full, error.shift_twice, or error.rosterdesk_no_ and why this person cannot take it.
func (s *Service) Seat(ctx context.Context, a actor.Actor, shift uuid.UUID, in SeatInput) (models.Assignment, error) {
	var made models.Assignment
	for _, right := range []actor.Right{actor.ManageRosters, actor.SeeSupporters} {
		if err := a.Need(right); err != nil {
			return made, err
		}
	}
	now := s.Clock.Now()
	var bad fault.Fields
	switch in.As {
	case models.AsPlace, models.AsStandby, models.AsUnderstudy, models.AsBuddy:
	default:
		bad.Add("as", "error.value_unknown")
	}
	standby := in.As == models.AsStandby || in.As == models.AsUnderstudy
	if standby && in.AskBy != models.AskByMail && in.AskBy != models.AskByPhone {
		bad.Add("ask_by", "error.value_unknown")
	}
	if in.AskFrom != nil && (*in.AskFrom < 0 || *in.AskFrom >= 24*60) {
		bad.Add("ask_from", "error.rosterdesk_time")
	}
	if !standby {
		in.AskBy, in.AskFrom = models.AskNot, nil
	}
	if !in.SaidYes {
		bad.Add("said_yes", "error.rosterdesk_said_yes")
	}
	if in.SupporterID == uuid.Nil {
		in.GivenName, in.FamilyName, in.Phone = strings.TrimSpace(in.GivenName), strings.TrimSpace(in.FamilyName), strings.TrimSpace(in.Phone)
		if in.GivenName == "" {
			bad.Add("given_name", "error.rosterdesk_name_missing")
		}
		deskLength(&bad, "given_name", in.GivenName, nameMax)
		deskLength(&bad, "family_name", in.FamilyName, nameMax)
		deskLength(&bad, "phone", in.Phone, phoneMax)
		in.Email = strings.TrimSpace(in.Email)
		var e *fault.Error
		if in.Email == "" {
			deskPhoneOnly(&bad, in.Phone)
		} else if _, err := mailboxes.NewRow(s.Vault, in.Email, now); errors.As(err, &e) {
			bad.Add("email", e.Key, e.Args...)
		} else if err != nil {
			return made, err
		}
	}
	if err := bad.Err(); err != nil {
		return made, err
	}
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, sh, err := deskShift(ctx, tx, a, shift)
		if err != nil {
			return err
		}
		who := deskWho{given: in.GivenName, family: in.FamilyName, phone: in.Phone, locale: r.Locale}
		switch {
		case in.SupporterID != uuid.Nil:
			who, err = s.deskSupporter(ctx, tx, a, in.SupporterID, r.Locale, now)
		case in.Email == "":
			var box models.Mailbox
			box, _, err = supporters.Caller(ctx, tx, s.Vault, a.Chapter(), supporters.Facts{GivenName: in.GivenName, FamilyName: in.FamilyName, Phone: in.Phone, Locale: r.Locale, Source: supporters.SourceHand}, now)
			who.mailbox, who.noMail = box.ID, true
		default:
			var box models.Mailbox
			box, err = mailboxes.Ensure(ctx, tx, s.Vault, in.Email, now)
			who.mailbox = box.ID
		}
		if err != nil {
			return err
		}
		if who.noMail && in.AskBy == models.AskByMail {
			return fault.Fields{{Name: "ask_by", Key: "error.rosterdesk_ask_no_mail"}}.Err()
		}
		if err := s.deskMay(ctx, tx, r, sh, who.mailbox, standby, now); err != nil {
			return err
		}
		as := models.Assignment{AsWhat: in.As, State: models.AssignmentConfirmed, AskBy: in.AskBy, AskFrom: in.AskFrom}
		if standby {
			as.State = models.AssignmentHeld
		}
		if made, err = s.deskSeat(ctx, tx, a, sh, who, as, now); err != nil {
			return err
		}
		if err := deskWhenFull(ctx, tx, sh, now); err != nil {
			return err
		}
		if !who.noMail {
			if err := s.deskMail(ctx, tx, KindPlaced, made, now, made.UpdatedAt.Format(time.RFC3339Nano)); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "roster.seat", "shifts", sh.ID, nil)
	})
	return made, err
}

// deskWho is somebody who is put on a shift.
type deskWho struct {
	mailbox                      uuid.UUID
	given, family, phone, locale string
	zone                         string
	noMail                       bool // they have no mail address
}

// mailed is the condition on rows with a mailbox_id that mail can go there.
const mailed = "mailbox_id IN (SELECT id FROM mailboxes WHERE address_sealed IS NOT NULL)"

// deskPhoneOnly notes where somebody without a mail address cannot be reached by telephone either.
func deskPhoneOnly(bad *fault.Fields, phone string) {
	digits := 0
	for _, r := range phone {
		if unicode.IsDigit(r) {
			digits++
		}
	}
	switch {
	case phone == "":
		bad.Add("email", "error.rosterdesk_reach")
	case digits < 5 || digits > 20:
		bad.Add("phone", "error.phone_invalid")
	}
}

// deskSupporter reads a supporter whom the actor may see, at the mailbox that mail goes to. The fault is Conflict, error.rosterdesk_no_address,
// for one with neither a mail address nor a telephone number.
func (s *Service) deskSupporter(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID, locale string, now time.Time) (deskWho, error) {
	var p models.Supporter
	w := deskWho{locale: locale}
	err := tx.WithContext(ctx).Scopes(chapters.Scope(a, "supporters.chapter_id")).Where("id = ?", id).Take(&p).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return w, fault.New(fault.NotFound, "error.supporter_unknown")
	}
	if err != nil {
		return w, err
	}
	var boxes []models.Mailbox
	if err := tx.Select("id").Where("supporter_id = ? AND address_sealed IS NOT NULL", id).Order("CASE WHEN suppressed_at IS NULL THEN 0 ELSE 1 END, CASE WHEN verified_at IS NULL THEN 1 ELSE 0 END, created_at, id").Limit(1).Find(&boxes).Error; err != nil {
		return w, err
	}
	w.zone, w.noMail = p.TimeZone, len(boxes) == 0
	if p.Locale != "" {
		w.locale = p.Locale
	}
	if w.given, err = s.Vault.Open("supporters", "given_name_sealed", p.ID, p.GivenNameSealed); err != nil {
		return w, err
	}
	if w.family, err = s.Vault.Open("supporters", "family_name_sealed", p.ID, p.FamilyNameSealed); err != nil {
		return w, err
	}
	var phone []models.Phone
	if err := tx.Where("supporter_id = ?", id).Order("valid DESC, created_at, id").Limit(1).Find(&phone).Error; err != nil {
		return w, err
	}
	if len(phone) > 0 {
		if w.phone, err = s.Vault.Open("phones", "number_sealed", phone[0].ID, phone[0].NumberSealed); err != nil {
			return w, err
		}
	}
	switch {
	case !w.noMail:
		w.mailbox = boxes[0].ID
		return w, nil
	case w.phone == "":
		return w, fault.New(fault.Conflict, "error.rosterdesk_no_address")
	}
	w.mailbox, err = s.deskNoMail(ctx, tx, id, now)
	return w, err
}

// deskNoMail returns the mailbox of a supporter who has no mail address, made where there is none yet.
func (s *Service) deskNoMail(ctx context.Context, tx *gorm.DB, supporter uuid.UUID, now time.Time) (uuid.UUID, error) {
	var boxes []models.Mailbox
	err := tx.WithContext(ctx).Select("id").Where("supporter_id = ?", supporter).Order("created_at, id").Limit(1).Find(&boxes).Error
	switch {
	case err != nil:
		return uuid.Nil, err
	case len(boxes) > 0:
		return boxes[0].ID, nil
	}
	box, err := mailboxes.WithoutAddress(ctx, tx, s.Vault, now, []byte("record"), supporter[:])
	if err != nil {
		return uuid.Nil, err
	}
	return box.ID, supporters.SetMailbox(ctx, tx, box.ID, supporter, now)
}

// deskMay asks whether somebody can take a place of a shift. What they planned with their energy is theirs alone and is not asked here;
// nor is from when on it can be taken, since they gave their word. Who stands by may hold a place at the same time.
func (s *Service) deskMay(ctx context.Context, tx *gorm.DB, r models.Roster, sh models.Shift, box uuid.UUID, standby bool, now time.Time) error {
	people, err := s.people(ctx, tx, []uuid.UUID{box}, now)
	if err != nil {
		return err
	}
	r.OpensAt, sh.OpensAt = nil, nil
	no := refusal(r, sh, people[box], now)
	if no.Code == "" || no.Code == "clash" && standby {
		return nil
	}
	return fault.New(fault.Conflict, "error.rosterdesk_no_"+no.Code, "Need", no.Need, "Role", no.With.Role)
}

// deskSeat seats somebody on a shift that the caller holds, with what is known of them.
func (s *Service) deskSeat(ctx context.Context, tx *gorm.DB, a actor.Actor, sh models.Shift, who deskWho, as models.Assignment, now time.Time) (models.Assignment, error) {
	as.ID, as.MailboxID, as.Locale, as.TimeZone, as.ByHand, as.Source = models.NewID(), who.mailbox, who.locale, who.zone, a.Account(), "desk"
	for _, x := range []struct {
		column, v string
		to        *[]byte
	}{{"given_name_sealed", who.given, &as.GivenNameSealed}, {"family_name_sealed", who.family, &as.FamilyNameSealed}, {"phone_sealed", who.phone, &as.PhoneSealed}} {
		if x.v != "" {
			*x.to = s.Vault.Seal("assignments", x.column, as.ID, x.v)
		}
	}
	return s.seat(ctx, tx, sh, as, now)
}

// deskWhenFull ends, in tx, the search for people for a shift that the caller holds, once all its places are held.
func deskWhenFull(ctx context.Context, tx *gorm.DB, sh models.Shift, now time.Time) error {
	counts, err := placesOf(ctx, tx, []uuid.UUID{sh.ID}, now)
	if err != nil || counts[sh.ID].Held() < sh.Places {
		return err
	}
	return deskStopAsking(ctx, tx, sh.ID, now)
}

// Release lets a place or a standby go for somebody who asked for it, by telephone or face to face. The log holds the shift, and not whose
// it was. It needs what Save needs. The faults: Invalid with the field said_yes where nobody asked for it, and Gone, error.shift_gone,
// where it is not there any more.
func (s *Service) Release(ctx context.Context, a actor.Actor, shift, assignment uuid.UUID, saidYes bool) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		_, sh, err := deskShift(ctx, tx, a, shift)
		if err != nil {
			return err
		}
		if !saidYes {
			return fault.Fields{{Name: "said_yes", Key: "error.rosterdesk_said_go"}}.Err()
		}
		var as models.Assignment
		err = tx.Where("id = ? AND shift_id = ?", assignment, shift).Take(&as).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.Gone, "error.rosterdesk_not_there")
		}
		if err != nil {
			return err
		}
		if err := s.letGo(ctx, tx, sh, as, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.released", "shifts", sh.ID, nil)
	})
}

// Crew is a shift with who is on it.
type Crew struct {
	Roster models.Roster
	Line   Line
	Join   string
}

// Crew says who is on a shift. It needs what Save needs.
func (s *Service) Crew(ctx context.Context, a actor.Actor, shift uuid.UUID) (Crew, error) {
	r, sh, join, err := s.Shift(ctx, a, shift)
	if err != nil {
		return Crew{}, err
	}
	if !Changes(a, r) {
		return Crew{}, fault.New(fault.Forbidden, "error.rosterdesk_whole")
	}
	now := s.Clock.Now()
	counts, err := placesOf(ctx, s.DB.DB, []uuid.UUID{shift}, now)
	if err != nil {
		return Crew{}, err
	}
	lines := []Line{{Shift: sh, Is: counts[shift], Risk: RiskOf(sh, counts[shift]), Over: over(sh, now)}}
	err = s.deskNames(ctx, s.DB.DB, lines)
	return Crew{Roster: r, Line: lines[0], Join: join}, err
}
