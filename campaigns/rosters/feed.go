package rosters

import (
	"context"
	"errors"
	"strings"
	"time"

	ics "github.com/arran4/golang-ical"
	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// takeOwn is a place that somebody holds.
type takeOwn struct {
	models.Assignment
	OnOffer
}

// heldBy lists what mailboxes hold and stand by for, of shifts that are not settled, by time.
func (s *Service) heldBy(ctx context.Context, boxes []uuid.UUID) ([]takeOwn, error) {
	var rows []models.Assignment
	err := s.DB.WithContext(ctx).Table("assignments").Select("assignments.*").Joins("JOIN shifts s ON s.id = assignments.shift_id").
		Where("assignments.mailbox_id IN ? AND assignments.state <> ? AND s.cancelled_at IS NULL AND s.settled_at IS NULL", boxes, models.AssignmentPending).
		Order("COALESCE(assignments.starts_at, s.starts_at, s.ends_at), assignments.id").Scan(&rows).Error
	if err != nil {
		return nil, err
	}
	offers, err := s.takeShifts(ctx, s.DB.DB, rows, s.Clock.Now())
	out := make([]takeOwn, len(rows))
	for i, a := range rows {
		out[i] = takeOwn{a, offers[a.ShiftID]}
	}
	return out, err
}

// Feed is the calendar of the places that somebody holds and the dates that they come to, as iCalendar (RFC 5545). Whoever has the link may read it. The fault is NotFound,
// error.link_unknown, also where the mailbox is gone.
func (s *Service) Feed(ctx context.Context, token, lang string) (string, error) {
	box, err := s.Signer.Read(tokens.Feed, token, s.Clock.Now())
	if err != nil {
		return "", err
	}
	var m models.Mailbox
	err = s.DB.WithContext(ctx).Where("id = ? AND address_sealed IS NOT NULL", box).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return "", fault.New(fault.NotFound, "error.link_unknown")
	}
	if err != nil {
		return "", err
	}
	all, err := s.heldBy(ctx, []uuid.UUID{box})
	if err != nil {
		return "", err
	}
	var places []takeOwn
	for _, h := range all {
		if !h.Standby() {
			places = append(places, h)
		}
	}
	if len(places) > 0 && lang == "" {
		lang = places[0].Assignment.Locale
	}
	c := s.calendarOf(places, lang)
	if s.Dates != nil {
		if err := s.Dates(ctx, box, c); err != nil {
			return "", err
		}
	}
	return c.Serialize(ics.WithNewLineWindows), nil
}

// calendar writes places as iCalendar, "" where none of them has a time.
func (s *Service) calendar(places []takeOwn, lang string) string {
	c := s.calendarOf(places, lang)
	if len(c.Events()) == 0 {
		return ""
	}
	return c.Serialize(ics.WithNewLineWindows)
}

// calendarOf is a calendar of places: fixed ones and named ones at their time, windows as whole days that block nothing.
func (s *Service) calendarOf(places []takeOwn, lang string) *ics.Calendar {
	c := ics.NewCalendarFor("Kithline")
	c.SetMethod(ics.MethodPublish)
	c.SetCalscale("GREGORIAN")
	c.SetXWRCalName(s.Words(lang, "rosters.feed_name"))
	for _, h := range places {
		zone := ZoneOf(h.Roster)
		begin, end, whole := h.OnOffer.StartsAt, h.EndsAt, false
		switch {
		case h.Kind == models.ShiftFixed:
		case h.Assignment.StartsAt != nil:
			done := h.Assignment.StartsAt.Add(time.Duration(h.Minutes) * time.Minute)
			begin, end = h.Assignment.StartsAt, &done
		default:
			whole = true
			if begin == nil {
				begin = end
			}
		}
		if begin == nil || end == nil {
			continue
		}
		e := c.AddEvent(h.Assignment.ID.String() + "@" + s.host())
		changed := h.Assignment.UpdatedAt
		if h.OnOffer.UpdatedAt.After(changed) {
			changed = h.OnOffer.UpdatedAt
		}
		e.SetDtStampTime(changed)
		e.SetLastModifiedAt(changed)
		e.SetSequence(h.OnOffer.Revision)
		e.SetSummary(takeLine(h.Role))
		e.SetStatus(ics.ObjectStatusConfirmed)
		e.SetClass(ics.ClassificationPrivate)
		if whole {
			e.SetAllDayStartAt(begin.In(zone))
			last := end.In(zone)
			if begin.Before(*end) { // at midnight it ends with the day before
				last = end.Add(-time.Second).In(zone)
			}
			e.SetAllDayEndAt(last.AddDate(0, 0, 1))
			e.SetTimeTransparency(ics.TransparencyTransparent)
		} else {
			e.SetStartAt(*begin)
			e.SetEndAt(*end)
		}
		if h.Place != "" {
			e.SetLocation(takeLine(h.Place))
		}
		token := s.CantToken(h.Assignment)
		when := s.When(lang, h.Shift, h.Assignment.StartsAt, zone)
		e.SetDescription(s.Words(lang, "rosters.feed_text", "Roster", h.Roster.Title, "When", when, "URL", s.BaseURL+"/cant/"+token))
		e.SetURL(s.BaseURL + "/places/" + token)
	}
	return c
}

func takeLine(text string) string { return strings.Join(strings.Fields(text), " ") }
