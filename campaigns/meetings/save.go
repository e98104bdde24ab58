package meetings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Input is a meeting as it was typed. The comments name its fields.
type Input struct {
	LegislatorID uuid.UUID          // legislator: when it is made
	OfficeID     *uuid.UUID         // office: one of theirs; nil: the first
	Day          string             // day: 2027-03-09
	Hour         string             // hour: 10:45, in the roster's zone
	Minutes      int                // minutes
	Mode         models.MeetingMode // mode
	Place        string             // place: the room
	Join         string             // join: the link or the number
	Access       string             // access: what the office is told
	Asks         []string           // asks: none are those of the plan
	Revision     int                // that the page showed
}

// check writes what was typed into a meeting, and notes what cannot be stored as it is.
func (s *Service) check(in Input, r models.Roster, p Plan, m *models.Meeting, now time.Time) (asks []string, bad fault.Fields) {
	was := m.StartsAt
	if at := local(in.Day, in.Hour, Zone(r), "day", "hour", &bad); !at.IsZero() {
		if m.StartsAt = at; !at.After(now) && !at.Equal(was) {
			bad.Add("hour", "error.meetings_past")
		}
	}
	m.Minutes, m.Mode, m.Place = in.Minutes, in.Mode, line(in.Place)
	if m.Minutes == 0 {
		m.Minutes = p.Minutes
	}
	number(&bad, "minutes", m.Minutes, shortest, longest)
	if m.Mode != models.MeetingOnsite && m.Mode != models.MeetingVideo && m.Mode != models.MeetingPhone {
		bad.Add("mode", "error.value_unknown")
	}
	tooLong(&bad, "place", m.Place, PlaceMax)
	tooLong(&bad, "join", line(in.Join), JoinMax)
	tooLong(&bad, "access", lines(in.Access), AccessMax)
	if asks = asksTyped(in.Asks, &bad, "asks"); len(asks) == 0 {
		asks = p.Asks
	}
	if len(asks) == 0 && !bad.Has("asks") {
		bad.Add("asks", "error.meetings_ask_missing")
	}
	return asks, bad
}

// seal puts the parts of a meeting that are for few into its row.
func (s *Service) seal(m *models.Meeting, column, text string) []byte {
	if text == "" {
		return nil
	}
	return s.Vault.Seal("meetings", column, m.ID, text)
}

// make puts a checked meeting into tx, with its team.
func (s *Service) make(ctx context.Context, tx *gorm.DB, r models.Roster, p Plan, m models.Meeting, o Office, in Input, asks []string, position int, now time.Time) error {
	join := line(in.Join)
	m.JoinSealed, m.AccessSealed = s.seal(&m, "join_sealed", join), s.seal(&m, "access_sealed", lines(in.Access))
	if err := s.makeTeam(ctx, tx, r, p, m, o, join, position, now); err != nil {
		return err
	}
	if err := tx.WithContext(ctx).Create(&m).Error; err != nil {
		return err
	}
	return putAsks(ctx, tx, m.ID, asks)
}

func putAsks(ctx context.Context, tx *gorm.DB, meeting uuid.UUID, asks []string) error {
	rows := make([]models.MeetingAsk, len(asks))
	for i, x := range asks {
		rows[i] = models.MeetingAsk{ID: models.NewID(), MeetingID: meeting, Position: i + 1, Ask: x}
	}
	return tx.WithContext(ctx).Create(&rows).Error
}

// blank is a new meeting.
func blank(r models.Roster, a actor.Actor, now time.Time) models.Meeting {
	return models.Meeting{ID: models.NewID(), RosterID: r.ID, TeamID: models.NewID(), State: models.MeetingPlanned, CreatedBy: a.Account(), Revision: 1, CreatedAt: now, UpdatedAt: now}
}

// open takes a roster, for the rest of tx, that can get more meetings, and how many it has.
func open(ctx context.Context, tx *gorm.DB, a actor.Actor, roster uuid.UUID) (r models.Roster, p Plan, n int, err error) {
	if r, err = changing(ctx, tx.Clauses(forUpdate), a, roster); err != nil {
		return r, p, 0, err
	}
	if r.State == models.RosterClosed {
		return r, p, 0, fault.New(fault.Conflict, "error.meetings_roster_closed")
	}
	if p, err = planOf(ctx, tx, r); err != nil {
		return r, p, 0, err
	}
	var count int64
	err = tx.WithContext(ctx).Model(&models.Meeting{}).Where("roster_id = ?", r.ID).Count(&count).Error
	return r, p, int(count), err
}

func errMany() error { return fault.New(fault.Conflict, "error.meetings_many", "Max", mostOf) }

// Add makes a meeting, with a team whose roles are shifts of the roster. It needs actor.ManageRosters. The faults: Invalid with the fields of
// Input; NotFound, error.meetings_roster_unknown; Conflict, error.meetings_roster_closed and error.meetings_many.
func (s *Service) Add(ctx context.Context, a actor.Actor, roster uuid.UUID, in Input) (models.Meeting, error) {
	now := s.Clock.Now()
	var m models.Meeting
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, p, n, err := open(ctx, tx, a, roster)
		if err != nil {
			return err
		}
		m = blank(r, a, now)
		asks, bad := s.check(in, r, p, &m, now)
		sits, err := legislators.Sitting(ctx, tx, in.LegislatorID, now)
		if fault.Is(err, fault.NotFound) {
			bad.Add("legislator", "error.meetings_legislator")
		} else if err != nil {
			return err
		}
		o := Office{Member: sits}
		chooseOffice(&m, &o, in.OfficeID, &bad)
		m.LegislatorID = sits.ID
		if err := bad.Err(); err != nil {
			return err
		}
		if n >= mostOf {
			return errMany()
		}
		if err := s.make(ctx, tx, r, p, m, o, in, asks, n+1, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.add", "meetings", m.ID, nil)
	})
	return m, err
}

// chooseOffice notes an office that is not one of the legislator's.
func chooseOffice(m *models.Meeting, o *Office, chosen *uuid.UUID, bad *fault.Fields) {
	m.OfficeID = nil
	for i, room := range o.Offices {
		if chosen == nil && i == 0 || chosen != nil && room.ID == *chosen {
			o.Room = room
		}
	}
	if chosen == nil {
		return
	}
	if m.OfficeID = chosen; o.Room.ID != *chosen {
		bad.Add("office", "error.value_unknown")
	}
}

// held takes a meeting of a roster that the actor may change, for the rest of tx.
func held(ctx context.Context, tx *gorm.DB, a actor.Actor, roster, id uuid.UUID) (models.Roster, models.Meeting, error) {
	r, err := changing(ctx, tx, a, roster)
	if err != nil {
		return r, models.Meeting{}, err
	}
	m, err := meetingOf(ctx, tx.Clauses(forUpdate), roster, id)
	return r, m, err
}

// Save keeps a meeting over the revision that the page showed. Where its time, its place or how to join changed, its shifts follow, and who
// holds a place of the team or stands by is told by mail. It needs what Add needs. The faults: Invalid with the fields of Input; NotFound,
// error.meetings_unknown; Conflict, error.meetings_changed where another page changed it since, and error.meetings_over where it was held or
// called off.
func (s *Service) Save(ctx context.Context, a actor.Actor, roster, id uuid.UUID, in Input) (models.Meeting, error) {
	now := s.Clock.Now()
	var m models.Meeting
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		r, was, err := held(ctx, tx, a, roster, id)
		if err != nil {
			return err
		}
		if was.State != models.MeetingPlanned {
			return fault.New(fault.Conflict, "error.meetings_over")
		}
		if was.Revision != in.Revision {
			return errChanged()
		}
		p, err := planOf(ctx, tx, r)
		if err != nil {
			return err
		}
		m = was
		asks, bad := s.check(in, r, p, &m, now)
		list, err := offices(ctx, tx, []models.Meeting{was}, now)
		if err != nil {
			return err
		}
		chooseOffice(&m, &list[0], in.OfficeID, &bad)
		if err := bad.Err(); err != nil {
			return err
		}
		join, err := s.Vault.Open("meetings", "join_sealed", m.ID, was.JoinSealed)
		if err != nil {
			return err
		}
		joins := line(in.Join)
		m.JoinSealed, m.AccessSealed, m.Revision, m.UpdatedAt = s.seal(&m, "join_sealed", joins), s.seal(&m, "access_sealed", lines(in.Access)), was.Revision+1, now
		if err := tx.Select("*").Updates(&m).Error; err != nil {
			return err
		}
		before, err := asksOf(ctx, tx, []uuid.UUID{id})
		if err != nil {
			return err
		}
		if !sameAsks(before[id], asks) {
			if err := tx.Where("meeting_id = ?", id).Delete(&models.MeetingAsk{}).Error; err != nil {
				return err
			}
			if err := putAsks(ctx, tx, id, asks); err != nil {
				return err
			}
		}
		if !m.StartsAt.Equal(was.StartsAt) || m.Minutes != was.Minutes || m.Mode != was.Mode || m.Place != was.Place || joins != join {
			if err := s.moveTeam(ctx, tx, m, joins, now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "meetings.save", "meetings", id, map[string]any{"revision": m.Revision})
	})
	return m, err
}

func sameAsks(rows []models.MeetingAsk, asks []string) bool {
	if len(rows) != len(asks) {
		return false
	}
	for i, r := range rows {
		if r.Ask != asks[i] {
			return false
		}
	}
	return true
}

// Cancel calls a meeting off: its shifts are called off too, and who holds a place of its team or stands by is told by mail. It needs what Add
// needs. Doing it again changes nothing. The fault is Conflict, error.meetings_over, where it was held.
func (s *Service) Cancel(ctx context.Context, a actor.Actor, roster, id uuid.UUID) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		_, m, err := held(ctx, tx, a, roster, id)
		if err != nil || m.State == models.MeetingCancelled {
			return err
		}
		if m.State == models.MeetingHeld {
			return fault.New(fault.Conflict, "error.meetings_over")
		}
		m.State, m.LateMinutes, m.Revision, m.UpdatedAt = models.MeetingCancelled, 0, m.Revision+1, now
		if err := tx.Select("*").Updates(&m).Error; err != nil {
			return err
		}
		if err := s.cancelTeam(ctx, tx, m, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.cancel", "meetings", id, nil)
	})
}

// SetLate says how many minutes a meeting runs late, 0 for not any more. It needs what Add needs. The faults: Invalid with the field late;
// Conflict, error.meetings_over, where it was held or called off.
func (s *Service) SetLate(ctx context.Context, a actor.Actor, roster, id uuid.UUID, minutes int) error {
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		_, m, err := held(ctx, tx, a, roster, id)
		if err != nil {
			return err
		}
		var bad fault.Fields
		number(&bad, "late", minutes, 0, LateMost)
		if err := bad.Err(); err != nil {
			return err
		}
		if m.State != models.MeetingPlanned {
			return fault.New(fault.Conflict, "error.meetings_over")
		}
		err = tx.Model(&models.Meeting{}).Where("id = ?", id).Updates(map[string]any{"late_minutes": minutes, "updated_at": now}).Error
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "meetings.late", "meetings", id, map[string]any{"minutes": minutes})
	})
}
