package events

import (
	"context"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Entry is one date in a calendar.
type Entry struct {
	UID        string
	Start, End time.Time
	Title      string
	Text       string
	Location   string
	URL        string
	Off        bool
	Sequence   int // higher for a later version of the same date
	Changed    time.Time
}

// Calendar writes dates as an iCalendar file, RFC 5545. Its times are in UTC, so that no program needs to know a zone. name may be "".
func Calendar(name string, entries []Entry, now time.Time) []byte {
	c := ics.NewCalendarFor("Kithline")
	c.SetMethod(ics.MethodPublish)
	if name != "" {
		c.SetXWRCalName(name)
		c.SetName(name)
		c.SetRefreshInterval("PT6H")
		c.SetXPublishedTTL("PT6H")
	}
	Write(c, entries, now)
	return []byte(c.Serialize(ics.WithNewLineWindows))
}

// Write adds dates to a calendar, as Calendar writes them.
func Write(c *ics.Calendar, entries []Entry, now time.Time) {
	for _, e := range entries {
		v := c.AddEvent(e.UID)
		v.SetDtStampTime(now)
		if !e.Changed.IsZero() {
			v.SetModifiedAt(e.Changed)
		}
		v.SetSequence(e.Sequence)
		v.SetStartAt(e.Start)
		v.SetEndAt(e.End)
		v.SetSummary(plain(e.Title))
		if e.Text != "" {
			v.SetDescription(plain(e.Text))
		}
		if e.Location != "" {
			v.SetLocation(plain(e.Location))
		}
		if e.URL != "" {
			v.SetURL(e.URL)
		}
		v.SetStatus(ics.ObjectStatusConfirmed)
		if e.Off {
			v.SetStatus(ics.ObjectStatusCancelled)
		}
	}
}

// plain takes out what no value of a calendar may hold.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ReplaceAll(s, "\r\n", "\n"))
}

// entry is one date of a public calendar.
func (s *Service) entry(e models.Event, o Occurrence) Entry {
	out := Entry{
		UID: e.ID.String() + "-" + Stamp(o.Original) + "@" + s.host(), Start: o.Start, End: o.End, Title: e.Title, Text: e.Summary, Location: Place(e), URL: s.BaseURL + "/events/" + e.Slug,
		Off: o.Off || e.State == models.EventCancelled, Sequence: e.Revision, Changed: e.UpdatedAt,
	}
	if o.Note != "" {
		out.Text = strings.TrimSpace(o.Note + "\n\n" + out.Text)
	}
	return out
}

func (s *Service) host() string {
	_, host, _ := strings.Cut(s.BaseURL, "://")
	host, _, _ = strings.Cut(host, ":")
	return host
}

// ownEntry is a date in somebody's own calendar, which others may see: it is called by the organisation's short name, and says the rest
// behind it.
func (s *Service) ownEntry(ctx context.Context, c Coming) (Entry, error) {
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return Entry{}, err
	}
	e := s.entry(c.Event, c.Date)
	e.URL = s.BaseURL + "/coming/" + c.Token
	e.UID = c.Reg.ID.String() + "-" + Stamp(c.Date.Original) + "@" + s.host()
	e.Text = strings.TrimSpace(c.Event.Title + "\n" + e.URL + "\n\n" + e.Text)
	if e.Title = o.ShortName; e.Title == "" {
		e.Title = o.Name
	}
	if c.Reg.Attends != models.AttendsOnsite {
		e.Location = ""
	}
	return e, nil
}

// FeedOf lists, for a calendar of their own, what the people of mailboxes are registered for: all dates ahead of who comes to all. The caller
// lets nobody but the person read it.
func (s *Service) FeedOf(ctx context.Context, boxes []uuid.UUID) ([]Entry, error) {
	all, err := s.comingOf(ctx, boxes, "")
	if err != nil {
		return nil, err
	}
	now := s.Clock.Now()
	var out []Entry
	for _, c := range all {
		if !c.Has() {
			continue
		}
		series := []Occurrence{c.Date}
		if c.Reg.Series {
			dates, err := datesOf(ctx, s.DB.DB, []uuid.UUID{c.Event.ID})
			if err != nil {
				return nil, err
			}
			series = Occurrences(c.Event, dates[c.Event.ID], now, now.Add(ahead))
		}
		for _, o := range series {
			if o.Original.Before(c.Reg.OccursAt) {
				continue
			}
			c.Date = o
			e, err := s.ownEntry(ctx, c)
			if err != nil {
				return nil, err
			}
			out = append(out, e)
		}
	}
	return out, nil
}

// Feed is a public calendar: of all events with chapter "" and slug "", of a chapter, or of one event. Cancelled ones stay in it, so that
// programs take them out. The faults are NotFound, error.event_unknown.
func (s *Service) Feed(ctx context.Context, chapter, slug, lang string) ([]byte, error) {
	o, err := s.Organisation.Current(ctx)
	if err != nil {
		return nil, err
	}
	name, now := o.Name, s.Clock.Now()
	q := s.DB.WithContext(ctx).Where("state IN ?", []models.EventState{models.EventPublished, models.EventCancelled}).Where("ends_at IS NULL OR ends_at > ?", now)
	if chapter != "" {
		var c models.Chapter
		if err := s.DB.WithContext(ctx).Where("slug = ?", chapter).Limit(1).Find(&c).Error; err != nil {
			return nil, err
		}
		if c.ID == uuid.Nil {
			return nil, fault.New(fault.NotFound, "error.event_unknown")
		}
		q, name = q.Where("chapter_id = ?", c.ID), c.Name
	}
	if slug != "" {
		e, err := take(ctx, s.DB.DB, "slug = ? AND state <> ?", slug, models.EventDraft)
		if err != nil {
			return nil, err
		}
		q, name = s.DB.WithContext(ctx).Where("id = ?", e.ID), e.Title
	}
	var list []models.Event
	if err := q.Order("id").Limit(listMost).Find(&list).Error; err != nil {
		return nil, err
	}
	var ids []uuid.UUID
	for _, e := range list {
		ids = append(ids, e.ID)
	}
	dates, err := datesOf(ctx, s.DB.DB, ids)
	if err != nil {
		return nil, err
	}
	var out []Entry
	for _, e := range list {
		for _, o := range Occurrences(e, dates[e.ID], now, now.Add(ahead)) {
			out = append(out, s.entry(e, o))
		}
	}
	return Calendar(name, out, now), nil
}
