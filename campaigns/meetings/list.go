package meetings

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// Day is a roster that has meetings, or could have.
type Day struct {
	models.Roster
	Meetings int
	FirstAt  *time.Time
}

// Days lists the rosters that are no pattern, those with meetings first, then the newest. It needs actor.ManageRosters; a chapter's account
// sees those of its chapter.
func (s *Service) Days(ctx context.Context, a actor.Actor) ([]Day, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return nil, err
	}
	var rows []Day
	q := s.DB.WithContext(ctx).Table("rosters AS r").Select("r.*, (SELECT count(*) FROM meetings m WHERE m.roster_id = r.id AND m.state <> 'cancelled') AS meetings").
		Where("r.template = FALSE").Order("meetings DESC, r.created_at DESC, r.id").Limit(100)
	if err := q.Scopes(chapters.Scope(a, "r.chapter_id")).Scan(&rows).Error; err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	at := map[uuid.UUID]int{}
	for i, r := range rows {
		ids[i], at[r.ID] = r.ID, i
	}
	var times []struct {
		RosterID uuid.UUID
		StartsAt time.Time
	}
	err := s.DB.WithContext(ctx).Model(&models.Meeting{}).Select("roster_id, starts_at").Where("roster_id IN ? AND state <> ?", ids, models.MeetingCancelled).Order("starts_at").Scan(&times).Error
	for _, t := range times {
		if d := &rows[at[t.RosterID]]; d.FirstAt == nil {
			d.FirstAt = &t.StartsAt
		}
	}
	return rows, err
}

// View is a meeting in a list.
type View struct {
	Office
	models.Meeting
	Asks  []models.MeetingAsk
	Roles []Stands // empty where its team was taken out of the roster
}

// ID is the meeting's.
func (v View) ID() uuid.UUID { return v.Meeting.ID }

// Ends is when it ends.
func (v View) Ends() time.Time { return ends(v.Meeting) }

// Short is how many are missing for it to go ahead.
func (v View) Short() (n int) {
	for _, x := range v.Roles {
		n += x.Short()
	}
	return n
}

// Open is how many places of it are free.
func (v View) Open() (n int) {
	for _, x := range v.Roles {
		n += x.Open()
	}
	return n
}

// views reads meetings of a roster, in the order of their times.
func (s *Service) views(ctx context.Context, r models.Roster) ([]View, error) {
	now, db := s.Clock.Now(), s.DB.DB
	var list []models.Meeting
	if err := db.WithContext(ctx).Where("roster_id = ?", r.ID).Order("starts_at, id").Find(&list).Error; err != nil || len(list) == 0 {
		return nil, err
	}
	return s.viewsOf(ctx, list, now)
}

func (s *Service) viewsOf(ctx context.Context, list []models.Meeting, now time.Time) ([]View, error) {
	db := s.DB.DB
	whom, err := offices(ctx, db, list, now)
	if err != nil {
		return nil, err
	}
	asks, err := asksOf(ctx, db, idsOf(list))
	if err != nil {
		return nil, err
	}
	teams := make([]uuid.UUID, len(list))
	for i, m := range list {
		teams[i] = m.TeamID
	}
	stands, err := standing(ctx, db, teams, now)
	if err != nil {
		return nil, err
	}
	out := make([]View, len(list))
	for i, m := range list {
		out[i] = View{Office: whom[i], Meeting: m, Asks: asks[m.ID], Roles: stands[m.TeamID]}
	}
	return out, nil
}

// List is the meetings of a roster in the order of their times. It needs actor.ManageRosters. The fault is NotFound,
// error.meetings_roster_unknown.
func (s *Service) List(ctx context.Context, a actor.Actor, roster uuid.UUID) (models.Roster, []View, error) {
	r, err := changing(ctx, s.DB.DB, a, roster)
	if err != nil {
		return r, nil, err
	}
	list, err := s.views(ctx, r)
	return r, list, err
}

// Details are a meeting with what of it is for few.
type Details struct {
	View
	Roster       models.Roster
	Join, Access string
	Notes        Notes
	Began        bool
	Keeps        *models.LetterCampaign // where answers are kept as what the legislator said, once the reader saves the notes; nil: nowhere
}

// Input is the meeting as a form says it.
func (d Details) Input() Input {
	at := d.StartsAt.In(Zone(d.Roster))
	in := Input{
		LegislatorID: d.LegislatorID, OfficeID: d.OfficeID, Day: at.Format(time.DateOnly), Hour: at.Format("15:04"), Minutes: d.Minutes, Mode: d.Mode, Place: d.Place, Join: d.Join,
		Access: d.Access, Revision: d.Revision,
	}
	for _, x := range d.Asks {
		in.Asks = append(in.Asks, x.Ask)
	}
	return in
}

// Get returns a meeting for who works on it. It needs actor.ManageRosters. The faults are NotFound, error.meetings_roster_unknown and
// error.meetings_unknown.
func (s *Service) Get(ctx context.Context, a actor.Actor, roster, id uuid.UUID) (Details, error) {
	now := s.Clock.Now()
	r, err := changing(ctx, s.DB.DB, a, roster)
	if err != nil {
		return Details{}, err
	}
	m, err := meetingOf(ctx, s.DB.DB, roster, id)
	if err != nil {
		return Details{}, err
	}
	list, err := s.viewsOf(ctx, []models.Meeting{m}, now)
	if err != nil {
		return Details{}, err
	}
	d := Details{View: list[0], Roster: r, Began: !m.StartsAt.After(now)}
	if d.Join, err = s.Vault.Open("meetings", "join_sealed", m.ID, m.JoinSealed); err != nil {
		return d, err
	}
	if d.Access, err = s.Vault.Open("meetings", "access_sealed", m.ID, m.AccessSealed); err != nil {
		return d, err
	}
	if d.Notes, err = s.notesOf(m, d.Asks); err != nil {
		return d, err
	}
	d.Keeps, err = keeping(ctx, s.DB.DB, a, r, m)
	return d, err
}

// findMost is how many people a search for an office finds.
const findMost = 20

// Find returns who sits and has a text in their name, or a seat of that number. It needs actor.ManageRosters.
func (s *Service) Find(ctx context.Context, a actor.Actor, text string) ([]Office, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return nil, err
	}
	text = folded(text)
	if text == "" {
		return nil, nil
	}
	now := s.Clock.Now()
	like := "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
	var ids []uuid.UUID
	err := s.DB.WithContext(ctx).Table("legislators AS l").Where(`EXISTS (SELECT 1 FROM terms t WHERE t.legislator_id = l.id AND t.ended_at IS NULL AND (lower(l.name) LIKE ? ESCAPE '\' OR lower(t.district) = ?))`, like, text).
		Order("l.family_name, l.name, l.id").Limit(findMost).Pluck("l.id", &ids).Error
	if err != nil || len(ids) == 0 {
		return nil, err
	}
	sitting, err := legislators.Members(ctx, s.DB.DB, ids, now)
	out := make([]Office, len(sitting))
	for i, m := range sitting {
		out[i] = Office{Member: m}
		if len(m.Offices) > 0 {
			out[i].Room = m.Offices[0]
		}
	}
	return out, err
}

// Choose is the member that a new meeting is with, with their offices. It needs actor.ManageRosters. The fault is NotFound,
// error.legislator_left, where they sit nowhere.
func (s *Service) Choose(ctx context.Context, a actor.Actor, legislator uuid.UUID) (Office, error) {
	if err := a.Need(actor.ManageRosters); err != nil {
		return Office{}, err
	}
	m, err := legislators.Sitting(ctx, s.DB.DB, legislator, s.Clock.Now())
	return Office{Member: m}, err
}
