package supporters

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"

	"kithline/models"
)

// Event is something that a supporter did or was sent. What they let go is never one.
type Event struct {
	At      time.Time
	Key     string         // locale key of the sentence, which may use What
	What    string         // the petition's title, the mailing's subject ...
	Purpose models.Purpose // of a yes: What is its scope then
}

// Source gives the events of one feature for a supporter, newest first, at most limit of them. boxes are the supporter's
// mailboxes, of which there may be none. It must not tell what the person let go: no withdrawal, no cancelled promise.
type Source func(ctx context.Context, boxes []uuid.UUID, supporter uuid.UUID, limit int) ([]Event, error)

// Timeline adds what a feature knows to the timelines of all supporters. It is called while the program is put together.
func (s *Service) Timeline(from Source) { s.sources = append(s.sources, from) }

// timelineSize is how many events a page shows.
const timelineSize = 50

func (s *Service) timeline(ctx context.Context, boxes []uuid.UUID, supporter uuid.UUID) ([]Event, error) {
	var out []Event
	for _, from := range append([]Source{s.signed, s.sent, s.filledIn, s.merged, s.saidYes}, s.sources...) {
		events, err := from(ctx, boxes, supporter, timelineSize)
		if err != nil {
			return nil, err
		}
		out = append(out, events...)
	}
	slices.SortStableFunc(out, func(a, b Event) int { return b.At.Compare(a.At) })
	return out[:min(len(out), timelineSize)], nil
}

func (s *Service) signed(ctx context.Context, boxes []uuid.UUID, _ uuid.UUID, limit int) (out []Event, err error) {
	return out, s.db.WithContext(ctx).Table("signatures s").Select("s.confirmed_at AS at, ? AS \"key\", p.title AS what", "supporter.signed").
		Joins("JOIN petitions p ON p.id = s.petition_id").
		Where("s.mailbox_id IN ? AND s.state = ? AND s.confirmed_at IS NOT NULL", boxes, models.SignatureConfirmed).
		Order("s.confirmed_at DESC, s.id").Limit(limit).Scan(&out).Error
}

func (s *Service) sent(ctx context.Context, boxes []uuid.UUID, _ uuid.UUID, limit int) ([]Event, error) {
	var rows []struct {
		SentAt  time.Time
		Subject *string
	}
	err := s.db.WithContext(ctx).Table("deliveries d").Select("d.sent_at, m.subject").Joins("LEFT JOIN mailings m ON m.id = d.mailing_id").
		Where("d.mailbox_id IN ? AND d.state = ? AND d.sent_at IS NOT NULL", boxes, models.DeliverySent).
		Order("d.sent_at DESC, d.id").Limit(limit).Scan(&rows).Error
	out := make([]Event, len(rows))
	for i, r := range rows {
		out[i] = Event{At: r.SentAt, Key: "supporter.sent_receipt"}
		if r.Subject != nil {
			out[i].Key, out[i].What = "supporter.sent", *r.Subject
		}
	}
	return out, err
}

func (s *Service) filledIn(ctx context.Context, boxes []uuid.UUID, _ uuid.UUID, limit int) (out []Event, err error) {
	return out, s.db.WithContext(ctx).Table("submissions s").Select("s.confirmed_at AS at, ? AS \"key\", f.title AS what", "supporter.filled_in").
		Joins("JOIN forms f ON f.id = s.form_id").
		Where("s.mailbox_id IN ? AND s.state = ? AND s.confirmed_at IS NOT NULL", boxes, models.SubmissionConfirmed).
		Order("s.confirmed_at DESC, s.id").Limit(limit).Scan(&out).Error
}

func (s *Service) merged(ctx context.Context, _ []uuid.UUID, supporter uuid.UUID, limit int) (out []Event, err error) {
	return out, s.db.WithContext(ctx).Table("merges").Select("created_at AS at, ? AS \"key\"", "supporter.merged").
		Where("supporter_id = ? AND undone_at IS NULL", supporter).Order("created_at DESC, id").Limit(limit).Scan(&out).Error
}

func (s *Service) saidYes(ctx context.Context, boxes []uuid.UUID, _ uuid.UUID, limit int) ([]Event, error) {
	var rows []models.Consent
	err := s.db.WithContext(ctx).Where("mailbox_id IN ? AND withdrawn_at IS NULL", boxes).Order("given_at DESC, id").Limit(limit).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	scopes, err := s.scopes(ctx, rows)
	out := make([]Event, len(rows))
	for i, c := range rows {
		out[i] = Event{At: c.GivenAt, Key: "supporter.said_yes", What: scopes[c.ScopeID], Purpose: c.Purpose}
	}
	return out, err
}
