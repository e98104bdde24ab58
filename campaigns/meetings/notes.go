package meetings

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Notes are what came of a meeting. The comments name the fields.
type Notes struct {
	Outcomes      map[int]models.AskOutcome // ask_1 and so on: by the position of the ask
	Text          string                    // notes
	FollowUp      string                    // follow_up: what is left to do
	FollowUpUntil string                    // follow_up_until: the day by which
	Revision      int
}

func (s *Service) notesOf(m models.Meeting, asks []models.MeetingAsk) (n Notes, err error) {
	n = Notes{Outcomes: map[int]models.AskOutcome{}, FollowUpUntil: m.FollowUpUntil, Revision: m.Revision}
	for _, a := range asks {
		n.Outcomes[a.Position] = a.Outcome
	}
	if n.Text, err = s.Vault.Open("meetings", "notes_sealed", m.ID, m.NotesSealed); err != nil {
		return n, err
	}
	n.FollowUp, err = s.Vault.Open("meetings", "follow_up_sealed", m.ID, m.FollowUpSealed)
	return n, err
}

func (n *Notes) check(asks []models.MeetingAsk, zone *time.Location, m models.Meeting) (bad fault.Fields) {
	n.Text, n.FollowUp, n.FollowUpUntil = lines(n.Text), lines(n.FollowUp), line(n.FollowUpUntil)
	for _, a := range asks {
		if o := n.Outcomes[a.Position]; !slices.Contains(Outcomes, o) {
			bad.Add("ask_"+string(rune('0'+a.Position)), "error.meetings_outcome")
		}
	}
	tooLong(&bad, "notes", n.Text, NotesMax)
	tooLong(&bad, "follow_up", n.FollowUp, FollowMax)
	if n.FollowUpUntil == "" {
		return bad
	}
	day, err := time.ParseInLocation(time.DateOnly, n.FollowUpUntil, zone)
	switch {
	case err != nil:
		bad.Add("follow_up_until", "error.meetings_day")
	case n.FollowUpUntil < m.StartsAt.In(zone).Format(time.DateOnly) || day.Year() > 2200:
		bad.Add("follow_up_until", "error.meetings_follow_up_before")
	case n.FollowUp == "":
		bad.Add("follow_up", "error.meetings_follow_up_missing")
	}
	return bad
}

// Note writes down what came of a meeting that has begun, over the revision that the page showed: it was held then. A shift to write the
// thank-you mail comes into the roster. Where the letter campaign of the plan keeps positions, and the actor has actor.ManageLetters too, the
// answers are kept as what the legislator said. It needs actor.ManageRosters. The faults: Invalid with the fields of Notes; Conflict,
// error.meetings_changed where somebody else wrote meanwhile, error.meetings_not_begun, and error.meetings_cancelled.
func (s *Service) Note(ctx context.Context, a actor.Actor, roster, id uuid.UUID, n Notes) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, m, err := held(ctx, tx, a, roster, id)
		if err != nil {
			return err
		}
		if err := s.note(ctx, tx, r, m, n, now); err != nil {
			return err
		}
		if err := keep(ctx, tx, a, r, m, n, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.note", "meetings", id, nil)
	})
}

// NoteFromTeam is Note for somebody who holds a place of the team, by the link of it. Who it was is not kept, and no position: whoever may
// write those saves the notes again. The faults are those of Team and
// of Note, and Conflict, error.meetings_stands_by, for somebody who stands by.
func (s *Service) NoteFromTeam(ctx context.Context, token string, n Notes) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		x, err := s.link(ctx, tx, token)
		if err != nil {
			return err
		}
		if x.Standby() {
			return fault.New(fault.Conflict, "error.meetings_stands_by")
		}
		var m models.Meeting
		var r models.Roster
		err = tx.Clauses(forUpdate).Where("team_id = (SELECT team_id FROM shifts WHERE id = ?)", x.ShiftID).Limit(1).Find(&m).Error
		if err == nil && m.ID == uuid.Nil {
			err = fault.New(fault.Gone, "error.meetings_gone")
		}
		if err != nil {
			return err
		}
		if err := tx.Where("id = ?", m.RosterID).Take(&r).Error; err != nil {
			return err
		}
		if err := s.note(ctx, tx, r, m, n, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, actor.Actor{}, now, "meetings.note", "meetings", m.ID, nil)
	})
}

func (s *Service) note(ctx context.Context, tx *gorm.DB, r models.Roster, m models.Meeting, n Notes, now time.Time) error {
	switch {
	case m.State == models.MeetingCancelled:
		return fault.New(fault.Conflict, "error.meetings_cancelled")
	case m.StartsAt.After(now):
		return fault.New(fault.Conflict, "error.meetings_not_begun")
	}
	asks, err := asksOf(ctx, tx, []uuid.UUID{m.ID})
	if err != nil {
		return err
	}
	if err := n.check(asks[m.ID], Zone(r), m).Err(); err != nil {
		return err
	}
	if n.Revision != m.Revision {
		return errChanged()
	}
	tx = tx.WithContext(ctx)
	for _, x := range asks[m.ID] {
		if err := tx.Model(&models.MeetingAsk{}).Where("id = ?", x.ID).Update("outcome", n.Outcomes[x.Position]).Error; err != nil {
			return err
		}
	}
	m.NotesSealed, m.FollowUpSealed, m.FollowUpUntil = s.seal(&m, "notes_sealed", n.Text), s.seal(&m, "follow_up_sealed", n.FollowUp), n.FollowUpUntil
	m.State, m.LateMinutes, m.NotedAt, m.Revision, m.UpdatedAt = models.MeetingHeld, 0, &now, m.Revision+1, now
	if m.ThanksShiftID == nil && m.ThankedAt == nil && r.State != models.RosterClosed {
		id, err := s.thanks(ctx, tx, r, m, now)
		if err != nil {
			return err
		}
		m.ThanksShiftID = &id
	}
	return tx.Select("*").Updates(&m).Error
}

// thanksDays is by how many days after a meeting the office is thanked.
const thanksDays = 7

// thanks makes the shift to write the thank-you mail to the office of a meeting: a small thing to do, with a draft.
func (s *Service) thanks(ctx context.Context, tx *gorm.DB, r models.Roster, m models.Meeting, now time.Time) (uuid.UUID, error) {
	list, err := offices(ctx, tx, []models.Meeting{m}, now)
	if err != nil {
		return uuid.Nil, err
	}
	zone := Zone(r)
	day := m.StartsAt.In(zone)
	until := time.Date(day.Year(), day.Month(), day.Day()+thanksDays, 23, 59, 0, 0, zone).UTC()
	sh := models.Shift{
		ID: models.NewID(), RosterID: r.ID, Role: cut(s.Words(r.Locale, "meetings.thanks_role", "Office", list[0].Short()), nameMax), RoleKind: models.RoleWriting, Kind: models.ShiftTask,
		EndsAt: &until, Minutes: 10, Mode: models.ShiftHome, Places: 1, Energy: 1, Demands: "typing,screen",
		Handover: s.Words(r.Locale, "meetings.thanks_draft", "Who", list[0].Who(), "Day", s.Day(r.Locale, day)), Revision: 1, CreatedAt: now, UpdatedAt: now,
	}
	if !until.After(now) { // written down late: it can still be done, in a week from now
		later := now.AddDate(0, 0, thanksDays)
		sh.EndsAt = &later
	}
	return sh.ID, tx.Create(&sh).Error
}

// Thank says that the thank-you mail of a meeting went. Its shift is called off where nobody holds it. It needs actor.ManageRosters. The fault
// is Conflict, error.meetings_not_held, where nobody wrote down what came of the meeting. Doing it again changes nothing.
func (s *Service) Thank(ctx context.Context, a actor.Actor, roster, id uuid.UUID) error {
	return s.tick(ctx, a, roster, id, "meetings.thank", func(m models.Meeting) (string, *time.Time) { return "thanked_at", m.ThankedAt }, func(tx *gorm.DB, m models.Meeting, now time.Time) error {
		if m.ThanksShiftID == nil {
			return nil
		}
		var sh models.Shift
		if err := tx.Clauses(forUpdate).Where("id = ?", *m.ThanksShiftID).Limit(1).Find(&sh).Error; err != nil || sh.ID == uuid.Nil {
			return err
		}
		var n int64
		if err := tx.Model(&models.Assignment{}).Where("shift_id = ?", sh.ID).Count(&n).Error; err != nil || n > 0 || sh.CancelledAt != nil || sh.SettledAt != nil {
			return err
		}
		return cancelShift(ctx, tx, sh, now)
	})
}

// FollowedUp says that what was left to do after a meeting is done. The rights and faults are those of Thank.
func (s *Service) FollowedUp(ctx context.Context, a actor.Actor, roster, id uuid.UUID) error {
	return s.tick(ctx, a, roster, id, "meetings.follow_up", func(m models.Meeting) (string, *time.Time) { return "followed_up_at", m.FollowedUpAt }, func(*gorm.DB, models.Meeting, time.Time) error { return nil })
}

func (s *Service) tick(ctx context.Context, a actor.Actor, roster, id uuid.UUID, action string, of func(models.Meeting) (string, *time.Time), then func(*gorm.DB, models.Meeting, time.Time) error) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		_, m, err := held(ctx, tx, a, roster, id)
		if err != nil {
			return err
		}
		if m.State != models.MeetingHeld {
			return fault.New(fault.Conflict, "error.meetings_not_held")
		}
		column, done := of(m)
		if done != nil {
			return nil
		}
		if err := tx.Model(&models.Meeting{}).Where("id = ?", id).Updates(map[string]any{column: now, "updated_at": now}).Error; err != nil {
			return err
		}
		if err := then(tx, m, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "meetings", id, nil)
	})
}
