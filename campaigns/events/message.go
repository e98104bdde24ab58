package events

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
)

// MessageMax is how long a message may be, in characters.
const MessageMax = 5000

// MessageInput is a message to those registered. The comments name its fields.
type MessageInput struct {
	ID       uuid.UUID // message: made by the page that shows it before it goes, so that pressing twice sends it once
	Original string    // date: as Stamp writes it; "" for all dates ahead
	Body     string    // body: plain text
}

func (in *MessageInput) check() (bad fault.Fields) {
	in.Body = strings.TrimSpace(strings.ReplaceAll(in.Body, "\r\n", "\n"))
	if in.Body == "" {
		bad.Add("body", "error.event_message_missing")
	}
	if n := utf8.RuneCountInString(in.Body); n > MessageMax {
		bad.Add("body", "error.text_too_long", "Max", MessageMax, "Over", n-MessageMax)
	}
	return bad
}

// reach lists the registrations that a message goes to, one for each mailbox: those who have a place. original is nil for all dates ahead; who
// comes to several of them is told by the first.
func (s *Service) reach(ctx context.Context, tx *gorm.DB, e models.Event, in MessageInput) (original *time.Time, out []models.Registration, err error) {
	all, err := datesOf(ctx, tx, []uuid.UUID{e.ID})
	if err != nil {
		return nil, nil, err
	}
	q := tx.WithContext(ctx).Where("event_id = ? AND state = ?", e.ID, models.Registered)
	if in.Original != "" {
		t, read := readStamp(in.Original)
		if _, ok := at(e, all[e.ID], t); !read || !ok {
			return nil, nil, fault.Fields{{Name: "date", Key: "error.value_unknown"}}.Err()
		}
		original, q = &t, q.Where("occurs_at = ? OR series = TRUE AND occurs_at < ?", t, t)
	}
	var rows []models.Registration
	if err := q.Order("occurs_at, id").Find(&rows).Error; err != nil {
		return nil, nil, err
	}
	now, told := s.Clock.Now(), map[uuid.UUID]bool{}
	_, more := next(e, all[e.ID], now)
	for _, r := range rows {
		o, ok := at(e, all[e.ID], r.OccursAt)
		still := r.Series && more || ok && !o.Off && now.Before(o.End)
		if told[r.MailboxID] || original == nil && !still {
			continue
		}
		told[r.MailboxID] = true
		out = append(out, r)
	}
	if len(out) == 0 {
		err = fault.New(fault.Conflict, "error.event_nobody")
	}
	return original, out, err
}

// CheckMessage says to how many mailboxes a message would go, and sends nothing. It needs what Message needs; the faults are the same.
func (s *Service) CheckMessage(ctx context.Context, a actor.Actor, id uuid.UUID, in MessageInput) (int, error) {
	e, err := mine(ctx, s.DB.DB, a, id)
	if err == nil {
		err = in.check().Err()
	}
	if err != nil {
		return 0, err
	}
	_, rows, err := s.reach(ctx, s.DB.DB, e, in)
	return len(rows), err
}

// Message mails an organizer's words to everybody who has a place on a date, or on any date ahead: one mail to each mailbox. Nothing of it
// stands on a page. It returns to how many it goes; calling it again with the same ID sends nothing, and returns the same. It needs what Get
// needs. The faults: Invalid with the fields of MessageInput, and Conflict, error.event_nobody, where nobody is registered.
func (s *Service) Message(ctx context.Context, a actor.Actor, id uuid.UUID, in MessageInput) (int, error) {
	if _, err := mine(ctx, s.DB.DB, a, id); err != nil {
		return 0, err
	}
	if err := in.check().Err(); err != nil {
		return 0, err
	}
	if in.ID == uuid.Nil {
		in.ID = models.NewID()
	}
	now, m := s.Clock.Now(), models.EventMessage{}
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		e, err := hold(ctx, tx, id)
		if err != nil {
			return err
		}
		m = models.EventMessage{}
		if err := tx.Where("id = ? AND event_id = ?", in.ID, id).Limit(1).Find(&m).Error; err != nil || m.ID != uuid.Nil {
			return err
		}
		original, rows, err := s.reach(ctx, tx, e, in)
		if err != nil {
			return err
		}
		m = models.EventMessage{ID: in.ID, EventID: id, OccursAt: original, Body: in.Body, Recipients: len(rows), CreatedBy: a.Account(), CreatedAt: now}
		if err := tx.Create(&m).Error; err != nil {
			return err
		}
		for _, r := range rows {
			if err := s.mail(ctx, tx, KindMessage, r, r.ID, now, now.Add(72*time.Hour), m.ID.String(), now); err != nil {
				return err
			}
		}
		return audit.Write(ctx, tx, a, now, "event.message", "events", id, map[string]any{"people": len(rows)})
	})
	return m.Recipients, err
}

// Messages lists the newest messages to those registered for an event. It needs what Get needs.
func (s *Service) Messages(ctx context.Context, a actor.Actor, id uuid.UUID) ([]models.EventMessage, error) {
	if _, err := mine(ctx, s.DB.DB, a, id); err != nil {
		return nil, err
	}
	var out []models.EventMessage
	return out, s.DB.WithContext(ctx).Where("event_id = ?", id).Order("created_at DESC, id DESC").Limit(20).Find(&out).Error
}

// MessageMail is the data of the template event_message.
type MessageMail struct {
	GivenName, Title string
	When             string // "" where the date does not take place
	Yours            string
	Text             string
	URL              string // of the registration; "" where there is nothing to come to any more
}

// messageMail renders a message for somebody who still has the place that it is about.
func (s *Service) messageMail(ctx context.Context, d models.Delivery) (deliveries.Content, error) {
	r, err := s.registration(ctx, "id = ? AND mailbox_id = ? AND state = ?", d.SubjectID, d.MailboxID, models.Registered)
	if err != nil {
		return deliveries.Content{}, err
	}
	id, err := uuid.Parse(d.DedupeKey[strings.LastIndex(d.DedupeKey, "/")+1:])
	if err != nil {
		return deliveries.Content{}, mailGone()
	}
	var m models.EventMessage
	err = s.DB.WithContext(ctx).Where("id = ? AND event_id = ?", id, r.EventID).Take(&m).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = mailGone()
	}
	if err != nil {
		return deliveries.Content{}, err
	}
	if m.OccursAt != nil {
		if !r.OccursAt.Equal(*m.OccursAt) && (!r.Series || r.OccursAt.After(*m.OccursAt)) {
			return deliveries.Content{}, mailGone() // they come to later dates alone by now
		}
		r.OccursAt = *m.OccursAt
	}
	c, err := s.coming(ctx, s.DB.DB, r, r.Locale)
	if err != nil {
		return deliveries.Content{}, err
	}
	out := MessageMail{GivenName: c.GivenName, Title: c.Event.Title, Text: m.Body}
	if !c.Date.Off && c.Event.State != models.EventCancelled {
		out.When, out.Yours = c.When, c.Yours
		if !c.Over {
			out.URL = s.BaseURL + "/coming/" + s.token(r, c.Date)
		}
	}
	return deliveries.Content{Template: KindMessage, Lang: r.Locale, Data: out, ToName: c.GivenName}, nil
}
