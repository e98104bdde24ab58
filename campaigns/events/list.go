package events

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/teambition/rrule-go"

	"kithline/models"
	"kithline/models/database"
)

// listMost is how many events a list looks through.
const listMost = 500

// Filter narrows the lists. The zero value is everything.
type Filter struct {
	Kind    models.EventKind
	Venue   models.EventVenue
	Chapter string // slug
	Locale  string
	Day     int    // groups: the day of the week + 1; 0 = any
	Part    string // groups: morning, afternoon, evening
	Way     string // groups: online, phone, place
	Type    string // groups: one of Types
}

// Listed is an event in a list, with its next dates.
type Listed struct {
	models.Event
	Next    []Occurrence // those that take place, the soonest first
	Chapter string       // name; "" for the whole organisation's
}

// TypeList is what the group is.
func (l Listed) TypeList() []string { return split(l.Types) }

// Parts are those of a day: before noon, until five, and after.
var Parts = []string{"morning", "afternoon", "evening"}

func partOf(hour int) string {
	switch {
	case hour < 12:
		return Parts[0]
	case hour < 17:
		return Parts[1]
	}
	return Parts[2]
}

// Upcoming lists the published events with a date ahead, by their next one, with up to n dates of each.
func (s *Service) Upcoming(ctx context.Context, f Filter, n int) ([]Listed, error) {
	now := s.Clock.Now()
	q := s.DB.WithContext(ctx).Where("state = ?", models.EventPublished).Where("ends_at IS NULL OR ends_at > ?", now)
	if f.Kind != "" {
		q = q.Where("kind = ?", f.Kind)
	}
	if f.Venue != "" {
		q = q.Where("venue = ?", f.Venue)
	}
	if f.Locale != "" {
		q = q.Where("locale = ?", f.Locale)
	}
	if f.Chapter != "" {
		q = q.Where("chapter_id IN (SELECT id FROM chapters WHERE slug = ?)", f.Chapter)
	}
	switch f.Way {
	case "online":
		q = q.Where("venue IN ?", []models.EventVenue{models.VenueOnline, models.VenueHybrid})
	case "phone":
		q = q.Where("(venue = ? OR dial_sealed IS NOT NULL)", models.VenuePhone)
	case "place":
		q = q.Where("venue IN ?", []models.EventVenue{models.VenueOnsite, models.VenueHybrid})
	}
	if slices.Contains(Types, f.Type) {
		q = q.Where("',' || types || ',' LIKE ?", "%,"+f.Type+",%")
	}
	var list []models.Event
	if err := q.Order("created_at DESC, id").Limit(listMost).Find(&list).Error; err != nil {
		return nil, err
	}
	out, err := s.listed(ctx, list, n, now)
	out = slices.DeleteFunc(out, func(l Listed) bool {
		if len(l.Next) == 0 {
			return true
		}
		local := l.Next[0].Start.In(Zone(l.Event))
		return f.Day > 0 && int(local.Weekday())+1 != f.Day || f.Part != "" && partOf(local.Hour()) != f.Part
	})
	slices.SortStableFunc(out, func(a, b Listed) int { return a.Next[0].Start.Compare(b.Next[0].Start) })
	return out, err
}

// listed adds to events their next dates and the names of their chapters.
func (s *Service) listed(ctx context.Context, list []models.Event, n int, now time.Time) ([]Listed, error) {
	var ids, chapterIDs []uuid.UUID
	for _, e := range list {
		ids = append(ids, e.ID)
		if e.ChapterID != nil {
			chapterIDs = append(chapterIDs, *e.ChapterID)
		}
	}
	dates, err := datesOf(ctx, s.DB.DB, ids)
	if err != nil {
		return nil, err
	}
	var chapters []models.Chapter
	if err := database.FindIn(s.DB.WithContext(ctx), "id", chapterIDs, &chapters); err != nil {
		return nil, err
	}
	out := make([]Listed, 0, len(list))
	for _, e := range list {
		l := Listed{Event: e}
		for _, o := range Occurrences(e, dates[e.ID], now, now.Add(ahead)) {
			if len(l.Next) < n && !o.Off {
				l.Next = append(l.Next, o)
			}
		}
		for _, c := range chapters {
			if e.ChapterID != nil && c.ID == *e.ChapterID {
				l.Chapter = c.Name
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// ChaptersWith lists the chapters that have a published event, for a filter.
func (s *Service) ChaptersWith(ctx context.Context) ([]models.Chapter, error) {
	var out []models.Chapter
	err := s.DB.WithContext(ctx).Where("id IN (SELECT chapter_id FROM events WHERE state = ?)", models.EventPublished).Order("name, id").Find(&out).Error
	return out, err
}

// View is an event as everybody sees it.
type View struct {
	Listed
	Access  Access
	Looked  bool         // false: nobody looked at the access sheet
	Off     []Occurrence // dates ahead that do not take place
	Free    int          // places left for the next date; -1 = no limit
	Contact string       // who reads access needs; "" for nobody by name
	Online  bool         // somebody can join by a link
	Phone   bool         // somebody can join by telephone
}

// Takes reports whether somebody can register now.
func (v View) Takes() bool {
	return v.State == models.EventPublished && len(v.Next) > 0 && (v.Free != 0 || v.WaitingList || v.Venue == models.VenueHybrid)
}

// shownDates is how many dates the page of an event lists.
const shownDates = 8

// Public is an event for everybody. A draft is NotFound, error.event_unknown; one that was cancelled or is over says so.
func (s *Service) Public(ctx context.Context, slug string) (View, error) {
	e, err := take(ctx, s.DB.DB, "slug = ? AND state <> ?", slug, models.EventDraft)
	if err != nil {
		return View{}, err
	}
	return s.view(ctx, e)
}

func (s *Service) view(ctx context.Context, e models.Event) (View, error) {
	now := s.Clock.Now()
	list, err := s.listed(ctx, []models.Event{e}, shownDates, now)
	if err != nil {
		return View{}, err
	}
	v := View{Listed: list[0], Free: -1, Online: len(e.JoinSealed) > 0, Phone: len(e.DialSealed) > 0}
	v.Access, v.Looked = ReadAccess(e)
	dates, err := datesOf(ctx, s.DB.DB, []uuid.UUID{e.ID})
	if err != nil {
		return v, err
	}
	for _, o := range Occurrences(e, dates[e.ID], now, now.Add(ahead)) {
		if o.Off && len(v.Off) < shownDates {
			v.Off = append(v.Off, o)
		}
	}
	if e.Capacity > 0 && len(v.Next) > 0 {
		n, err := taken(ctx, s.DB.DB, e, v.Next[0].Original, uuid.Nil, now)
		if err != nil {
			return v, err
		}
		v.Free = max(0, e.Capacity-n)
	}
	if e.AccessContactID != nil {
		if v.Contact, err = s.contact(ctx, *e.AccessContactID); err != nil {
			return v, err
		}
	}
	return v, nil
}

// contact is the name of the account that reads access needs.
func (s *Service) contact(ctx context.Context, id uuid.UUID) (string, error) {
	var u models.User
	if err := s.DB.WithContext(ctx).Where("id = ?", id).Limit(1).Find(&u).Error; err != nil || u.ID == uuid.Nil {
		return "", err
	}
	return s.Vault.Open("users", "name_sealed", u.ID, u.NameSealed)
}

// meeting is a group as the Meeting Guide format has it. How to join is left out: it is for who is registered.
type meeting struct {
	Name       string   `json:"name"`
	Slug       string   `json:"slug"`
	Day        int      `json:"day"`
	Time       string   `json:"time"`
	EndTime    string   `json:"end_time"`
	TimeZone   string   `json:"timezone"`
	Types      []string `json:"types"`
	Notes      string   `json:"notes,omitempty"`
	Location   string   `json:"location,omitempty"`
	Address    string   `json:"formatted_address,omitempty"`
	Region     string   `json:"region,omitempty"`
	Attendance string   `json:"attendance_option"`
	URL        string   `json:"url"`
	Updated    string   `json:"updated"`
	Entity     string   `json:"entity"`
	EntityURL  string   `json:"entity_website_url"`
}

// guideTypes are the codes of the Meeting Guide format for ours.
var guideTypes = map[string]string{"open": "O", "closed": "C", "beginners": "BE", "young": "Y", "women": "W", "men": "M", "lgbtq": "LGBTQ", "wheelchair": "X"}

// Guide writes the weekly groups in the Meeting Guide format: one entry for each day of the week.
func (s *Service) Guide(ctx context.Context) ([]byte, error) {
	list, err := s.Upcoming(ctx, Filter{Kind: models.EventSupportGroup}, 1)
	if err != nil {
		return nil, err
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return nil, err
	}
	out := []meeting{}
	for _, l := range list {
		first, err := time.Parse(startLayout, l.StartsOn)
		if err != nil {
			continue
		}
		o, err := ruleOf(l.Recurrence, first, Zone(l.Event))
		if l.Recurrence == "" || err != nil || o.Freq != rrule.WEEKLY || o.Interval > 1 {
			continue
		}
		var days []int
		for _, d := range o.Byweekday {
			days = append(days, (d.Day()+1)%7)
		}
		if len(days) == 0 {
			days = []int{int(first.Weekday())}
		}
		for _, day := range days {
			m := meeting{
				Name: l.Title, Slug: l.Slug, Day: day, Time: first.Format("15:04"), EndTime: first.Add(time.Duration(l.Minutes) * time.Minute).Format("15:04"), TimeZone: l.TimeZone,
				Types: []string{strings.ToUpper(l.Locale[:2])}, Notes: l.Summary, Region: l.Chapter, URL: s.BaseURL + "/events/" + l.Slug, Updated: l.UpdatedAt.UTC().Format(time.DateTime),
				Attendance: map[models.EventVenue]string{models.VenueOnsite: "in_person", models.VenueHybrid: "hybrid"}[l.Venue], Entity: org.Name, EntityURL: s.BaseURL,
			}
			if len(days) > 1 {
				m.Slug += "-" + []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}[day]
			}
			for _, t := range l.TypeList() {
				if code := guideTypes[t]; code != "" {
					m.Types = append(m.Types, code)
				}
			}
			if m.Attendance == "" {
				m.Attendance = "online"
				m.Types = append(m.Types, "ONL")
			} else {
				m.Location, m.Address = l.PlaceName, oneLine(l.Event)
			}
			out = append(out, m)
		}
	}
	b, err := json.MarshalIndent(out, "", "  ")
	return append(b, '\n'), err
}

func oneLine(e models.Event) string {
	var parts []string
	for _, p := range []string{e.Street, e.City, strings.TrimSpace(e.Region + " " + e.PostalCode), e.Country} {
		if p != "" {
			parts = append(parts, p)
		}
	}
	return strings.Join(parts, ", ")
}
