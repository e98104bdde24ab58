package mailings

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/paging"
	"kithline/campaigns/today"
	"kithline/models"
)

// Progress is how far a mailing is. The states of its deliveries add up to Total.
type Progress struct {
	Mailing models.Mailing
	State   models.MailingState // finished as soon as nothing is left to send, before the periodic job has written it down
	Total   int
	Sent    int
	Waiting int // queued or on the wire
	Later   int // deferred: the server asked us to come again
	Refused int
	Left    int // suppressed: left the list, or their address takes no mail
	Paused  int // suppressed: the person paused all mail
	Expired int
	Unknown int // parked: nobody recorded the server's answer
	Open    int // of the unknown ones, those that nobody has decided about
}

// Active reports whether the numbers still move by themselves.
func (p Progress) Active() bool {
	return p.State == models.MailingFreezing || p.State == models.MailingSending
}

// Progress counts. It needs the right actor.SeeFigures, and returns a NotFound fault for an unknown id.
func (s *Service) Progress(ctx context.Context, a actor.Actor, id uuid.UUID) (Progress, error) {
	if err := a.Need(actor.SeeFigures); err != nil {
		return Progress{}, err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return Progress{}, err
	}
	return s.count(ctx, m)
}

// counted is a count of the deliveries of a mailing, as it was when they were counted.
type counted struct {
	Progress
	state models.MailingState
	of    time.Time // when the mailing was last changed
}

// count counts, once in CountEvery for all who ask, unless the mailing was changed since.
func (s *Service) count(ctx context.Context, m models.Mailing) (Progress, error) {
	c, err := s.counts.get(m.ID, s.CountEvery, func(c counted) bool { return c.state == m.State && c.of.Equal(m.UpdatedAt) }, func() (counted, error) {
		p, err := s.countNow(ctx, m)
		return counted{p, m.State, m.UpdatedAt}, err
	})
	c.Mailing, c.State = m, m.State
	if c.State == models.MailingSending && c.Waiting+c.Later == 0 {
		c.State = models.MailingFinished
	}
	return c.Progress, err
}

func (s *Service) countNow(ctx context.Context, m models.Mailing) (p Progress, err error) {
	var rows []struct {
		State  models.DeliveryState
		Paused bool
		N      int
	}
	if err := s.DB.WithContext(ctx).Raw(`SELECT state, reply = '`+deliveries.ReplyPaused+`' AS paused, count(*) AS n FROM deliveries WHERE mailing_id = ? GROUP BY 1, 2`, m.ID).Scan(&rows).Error; err != nil {
		return p, err
	}
	for _, r := range rows {
		p.Total += r.N
		switch r.State {
		case models.DeliverySent:
			p.Sent += r.N
		case models.DeliveryDeferred:
			p.Later += r.N
		case models.DeliveryFailed:
			p.Refused += r.N
		case models.DeliverySuppressed:
			if r.Paused {
				p.Paused += r.N
			} else {
				p.Left += r.N
			}
		case models.DeliveryExpired:
			p.Expired += r.N
		case models.DeliveryUnknown:
			p.Unknown += r.N
		default:
			p.Waiting += r.N
		}
	}
	if p.Unknown > 0 {
		err = s.DB.WithContext(ctx).Raw(`SELECT count(*) FROM deliveries WHERE mailing_id = ? AND state = 'unknown' AND reply <> ?`, m.ID, left).Scan(&p.Open).Error
	}
	return p, err
}

// shownProblems is how many deliveries a report lists itself.
const shownProblems = 10

// Report is a mailing's progress with all that stands behind the numbers.
type Report struct {
	Progress
	Petition models.Petition // none for a newsletter
	Topic    string          // of a newsletter
	Segment  string          // that narrows it
	Frozen   Audience        // who got it and why others did not, at the moment of the freeze; its All is 0 where that was not kept
	Test     Test            // of subjects
	Next     *time.Time      // when the next mail may go; nil: now, or none is left
	Domains  []Domain
	Links    []Link // whose clicks are counted
	Results
	Failing  int       // how many deliveries Service.Problems lists
	Problems []Problem // the newest 10 of them
}

// Report reads it all. It needs the right actor.SeeFigures, and returns a NotFound fault for an unknown id.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID) (Report, error) {
	p, err := s.Progress(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Progress: p, Failing: p.Refused + p.Unknown}
	m, db := p.Mailing, s.DB.WithContext(ctx)
	if m.PetitionID != nil {
		if err := db.Take(&r.Petition, "id = ?", *m.PetitionID).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return r, err
		}
	}
	for _, x := range []struct {
		into          *string
		table, column string
		of            func(models.Mailing) *uuid.UUID
	}{{&r.Topic, "topics", "name", topicOf}, {&r.Segment, "segments", "name", func(m models.Mailing) *uuid.UUID { return m.SegmentID }}} {
		names, err := s.named(ctx, x.table, x.column, []models.Mailing{m}, x.of)
		if err != nil {
			return r, err
		}
		*x.into = names[m.ID]
	}
	if m.Audience != "" {
		if err := json.Unmarshal([]byte(m.Audience), &r.Frozen); err != nil {
			return r, err
		}
	}
	if m.FrozenAt == nil {
		return r, nil
	}
	if p.Waiting+p.Later > 0 {
		if r.Next, err = s.next(ctx, id); err != nil {
			return r, err
		}
	}
	if r.Failing > 0 {
		_, list, err := s.Problems(ctx, a, id, paging.Cursor{})
		if err != nil {
			return r, err
		}
		r.Problems = list.Rows[:min(len(list.Rows), shownProblems)]
	}
	if m.TrackClicks {
		if r.Links, err = links(ctx, s.DB.DB, id); err != nil {
			return r, err
		}
	}
	all, err := s.results.get(id, 15*s.CountEvery, func(r results) bool { return r.state == p.State }, func() (results, error) { return s.read(ctx, p) })
	r.Domains, r.Results, r.Test = all.domains, all.Results, all.test
	return r, err
}

// next is when the next mail may go, nil for now.
func (s *Service) next(ctx context.Context, id uuid.UUID) (*time.Time, error) {
	var rows []models.Delivery
	err := s.DB.WithContext(ctx).Select("not_before").Where("mailing_id = ? AND state IN ('queued', 'deferred')", id).Order("not_before").Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 || !rows[0].NotBefore.After(s.Clock.Now()) || !rows[0].NotBefore.Before(models.HeldUntil) {
		return nil, err
	}
	return &rows[0].NotBefore, nil
}

// Today lists what waits for a decision: mails whose fate is unknown, and mailings that are paused.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.Send) {
		return nil, nil
	}
	out, err := s.askedQueue(ctx, a)
	if err != nil {
		return nil, err
	}
	waiting, err := s.approvalQueue(ctx, a)
	if err != nil {
		return nil, err
	}
	out = append(out, waiting...)
	var parked []struct {
		MailingID uuid.UUID
		N         int
	}
	db := s.DB.WithContext(ctx)
	mine, mineArgs := chapters.SQL(a, "m.chapter_id")
	err = db.Raw(`SELECT m.id AS mailing_id, (SELECT count(*) FROM deliveries d WHERE d.mailing_id = m.id AND d.state = 'unknown' AND d.reply <> ?) AS n
		FROM mailings m WHERE m.frozen_at IS NOT NULL AND `+mine, append([]any{left}, mineArgs...)...).Scan(&parked).Error
	if err != nil {
		return nil, err
	}
	for _, p := range parked {
		if p.N == 0 {
			continue
		}
		var oldest []models.Delivery
		if err := db.Select("updated_at").Where("mailing_id = ? AND state = 'unknown' AND reply <> ?", p.MailingID, left).
			Order("updated_at").Limit(1).Find(&oldest).Error; err != nil {
			return nil, err
		}
		q := today.Queue{Key: "mailings.queue_unknown", Path: "/admin/mailings/" + p.MailingID.String(), Count: p.N, Minutes: 2, Right: actor.Send}
		if len(oldest) == 1 {
			q.Oldest = oldest[0].UpdatedAt
		}
		out = append(out, q)
	}
	var paused []models.Mailing
	if err := db.Scopes(chapters.Scope(a, "chapter_id")).Where("state IN ?", []models.MailingState{models.MailingPaused, models.MailingStopped}).Order("paused_at").Find(&paused).Error; err != nil {
		return nil, err
	}
	for _, m := range paused {
		q := today.Queue{Key: "mailings.queue_paused", Path: "/admin/mailings/" + m.ID.String(), Count: 1, Minutes: 1, Right: actor.Send}
		if m.PausedAt != nil {
			q.Oldest = *m.PausedAt
		}
		out = append(out, q)
	}
	return out, nil
}
