// Package meetings is the offices that are visited, called or met by video on an advocacy day, and what came of it.
//
// The rules:
//
//   - A meeting is of one roster and one office. Its team is a team of the roster, and its roles are shifts: people take them, stand by for
//     them and let them go like any other, by campaigns/rosters. Nobody is put into a team here; who lives in a district is suggested.
//   - How to join, who else comes and what the office is told are for those alone who hold a place of the team. Whoever stands by reads what
//     they would do. Private access needs go to the office by the event's access contact alone, and only those of people who said yes to it.
//   - What came of a meeting is written by a member of the team, or by an organizer; who wrote it is not kept. Its answers become positions of the
//     legislator only where an account that may write those saves the notes, in a letter campaign that keeps positions.
//   - A figure of a report names nobody. What a person let go of is in no list here: only places are counted.
//
// The operations are the methods of Service. Who may do what stands at each.
package meetings

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Options of a Service. All are needed.
type Options struct {
	DB           *database.DB
	Vault        *vault.Vault
	Clock        clock.Clock
	Signer       *tokens.Signer
	Organisation *organisation.Service
	BaseURL      string                                     // of the site, without a slash at the end: for links in mails
	Words        func(lang, key string, args ...any) string // translates a locale key
	Day          func(lang string, t time.Time) string      // words the day of t in the zone of t, with the day of the week
}

// Service holds the operations on meetings. It is safe for concurrent use.
type Service struct{ Options }

// New makes the service. Register its renderers before it is used.
func New(o Options) *Service { return &Service{o} }

// Limits, of texts in characters.
const (
	PlaceMax  = 200
	JoinMax   = 500
	AccessMax = 1000
	AskMax    = 300
	AsksMost  = 4
	NotesMax  = 4000
	FollowMax = 500
	LateMost  = 240 // minutes
	mostOf    = 500 // meetings of a roster
	shortest  = 5   // minutes of a meeting
	longest   = 240
	nameMax   = 80 // of a team and a shift, as rosters have it
)

// States, Modes and Outcomes list what there is, in the order of forms.
var (
	Modes    = []models.MeetingMode{models.MeetingOnsite, models.MeetingVideo, models.MeetingPhone}
	Outcomes = []models.AskOutcome{models.AskYes, models.AskMaybe, models.AskNo, models.AskUnknown}
)

var forUpdate = clause.Locking{Strength: "UPDATE"}

func errRoster() error  { return fault.New(fault.NotFound, "error.meetings_roster_unknown") }
func errMeeting() error { return fault.New(fault.NotFound, "error.meetings_unknown") }
func errChanged() error { return fault.New(fault.Conflict, "error.meetings_changed") }

// Zone is the time zone that a roster's times are said in, UTC where it cannot be loaded.
func Zone(r models.Roster) *time.Location {
	z, err := time.LoadLocation(r.TimeZone)
	if err != nil || r.TimeZone == "" {
		return time.UTC
	}
	return z
}

// Changes reports whether the actor may change the meetings of a roster, and see who is in their teams.
func Changes(a actor.Actor, r models.Roster) bool {
	return a.May(actor.ManageRosters) && chapters.May(a, r.ChapterID)
}

// rosterFor takes a roster of which the actor has a right, by default to change its meetings: for a chapter's account those of its chapter.
// What is a pattern to copy has no meetings.
func rosterFor(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID, right actor.Right) (models.Roster, error) {
	var r models.Roster
	if err := a.Need(right); err != nil {
		return r, err
	}
	err := tx.WithContext(ctx).Where("id = ? AND template = FALSE", id).Take(&r).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound), err == nil && !chapters.May(a, r.ChapterID):
		return models.Roster{}, errRoster()
	}
	return r, err
}

func changing(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Roster, error) {
	return rosterFor(ctx, tx, a, id, actor.ManageRosters)
}

// meetingOf reads a meeting of a roster.
func meetingOf(ctx context.Context, tx *gorm.DB, roster, id uuid.UUID) (models.Meeting, error) {
	var m models.Meeting
	err := tx.WithContext(ctx).Where("id = ? AND roster_id = ?", id, roster).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = errMeeting()
	}
	return m, err
}

// Office is whom a meeting is with, and where they are.
type Office struct {
	legislators.Member               // without a term where they left office
	Room               models.Office // of theirs; empty where none is known
}

// Who is the legislator with the title before the name.
func (o Office) Who() string { return strings.TrimSpace(o.Title() + " " + o.Name) }

// Seat is the chamber and the district; "" where they left office.
func (o Office) Seat() string { return strings.TrimSpace(o.Chamber.Name + " " + o.Term.District) }

// Short is the name and the seat, as the name of a team.
func (o Office) Short() string {
	if seat := o.Seat(); seat != "" {
		return cut(o.Name+", "+seat, nameMax)
	}
	return cut(o.Name, nameMax)
}

// Lines are the address of the office.
func (o Office) Lines() (out []string) {
	for line := range strings.Lines(o.Room.Street) {
		out = append(out, strings.TrimSpace(line))
	}
	if place := strings.TrimSpace(strings.Trim(o.Room.City+", "+o.Room.Region, ", ") + " " + o.Room.PostalCode); place != "" {
		out = append(out, place)
	}
	return out
}

// offices reads whom meetings are with, in the order of the meetings.
func offices(ctx context.Context, tx *gorm.DB, list []models.Meeting, now time.Time) ([]Office, error) {
	var ids []uuid.UUID
	for _, m := range list {
		if !slices.Contains(ids, m.LegislatorID) {
			ids = append(ids, m.LegislatorID)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	sitting, err := legislators.Members(ctx, tx, ids, now)
	if err != nil {
		return nil, err
	}
	of := make(map[uuid.UUID]legislators.Member, len(ids))
	for _, m := range sitting {
		of[m.ID] = m
	}
	var people []models.Legislator // those who left too
	if err := tx.WithContext(ctx).Where("id IN ?", ids).Find(&people).Error; err != nil {
		return nil, err
	}
	for _, p := range people {
		if _, sits := of[p.ID]; !sits {
			of[p.ID] = legislators.Member{Legislator: p}
		}
	}
	out := make([]Office, len(list))
	for i, m := range list {
		o := Office{Member: of[m.LegislatorID]}
		for j, room := range o.Offices {
			if m.OfficeID == nil && j == 0 || m.OfficeID != nil && room.ID == *m.OfficeID {
				o.Room = room
			}
		}
		out[i] = o
	}
	return out, nil
}

// asksOf reads what is asked in meetings, in order.
func asksOf(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) (map[uuid.UUID][]models.MeetingAsk, error) {
	out := make(map[uuid.UUID][]models.MeetingAsk, len(ids))
	var rows []models.MeetingAsk
	err := tx.WithContext(ctx).Where("meeting_id IN ?", ids).Order("meeting_id, position").Find(&rows).Error
	for _, r := range rows {
		out[r.MeetingID] = append(out[r.MeetingID], r)
	}
	return out, err
}

func idsOf(list []models.Meeting) []uuid.UUID {
	out := make([]uuid.UUID, len(list))
	for i, m := range list {
		out[i] = m.ID
	}
	return out
}

// ends is when a meeting ends, as it is planned.
func ends(m models.Meeting) time.Time { return m.StartsAt.Add(time.Duration(m.Minutes) * time.Minute) }

// local reads a day and a time by the clocks of a zone, and notes at the fields what is wrong with them: no such day or time, or one that the
// clocks leave out. Where they show a time twice it is the first.
func local(day, hour string, zone *time.Location, dayField, hourField string, bad *fault.Fields) time.Time {
	const shown = "2006-01-02 15:04"
	d, err := time.Parse(time.DateOnly, day)
	if err != nil || d.Year() < 2000 || d.Year() > 2200 {
		bad.Add(dayField, "error.meetings_day")
		return time.Time{}
	}
	h, err := time.Parse("15:04", hour)
	if err != nil {
		bad.Add(hourField, "error.meetings_time")
		return time.Time{}
	}
	at := time.Date(d.Year(), d.Month(), d.Day(), h.Hour(), h.Minute(), 0, 0, zone)
	if at.Format(shown) != day+" "+h.Format("15:04") {
		bad.Add(hourField, "error.meetings_time_skipped", "Time", hour)
		return time.Time{}
	}
	for _, back := range []time.Duration{30 * time.Minute, time.Hour, 2 * time.Hour} {
		if first := at.Add(-back); first.In(zone).Format(shown) == at.Format(shown) {
			return first.UTC()
		}
	}
	return at.UTC()
}

// line makes one line of a text.
func line(s string) string { return strings.Join(strings.Fields(s), " ") }

// lines makes a text of several lines.
func lines(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }

func cut(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:most-1])) + "…"
}

func tooLong(bad *fault.Fields, field, s string, most int) {
	if n := utf8.RuneCountInString(s); n > most {
		bad.Add(field, "error.text_too_long", "Max", most, "Over", n-most)
	}
}

func number(bad *fault.Fields, field string, n, least, most int) {
	if n < least || n > most {
		bad.Add(field, "error.meetings_number", "Least", least, "Most", most)
	}
}

func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // it holds strings and numbers
	}
	return string(b)
}

func decode(text string, into any) error {
	if text == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		return fmt.Errorf("meetings: a plan cannot be read: %w", err)
	}
	return nil
}
