package mailings

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/today"
	"kithline/models"
)

// Progress is how far a mailing is. The states of its deliveries add up to Total.
type Progress struct {
	Mailing models.Mailing
	State   models.MailingState // finished as soon as nothing is left to send, before the periodic job has written it down
	Total   int
	Sent    int
	Waiting int // queued, claimed or on the wire
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
	p := Progress{Mailing: m, State: m.State}
	var rows []struct {
		State  models.DeliveryState
		Paused bool
		N      int
	}
	if err := s.DB.WithContext(ctx).Raw(`SELECT state, reply = '`+deliveries.ReplyPaused+`' AS paused, count(*) AS n FROM deliveries WHERE mailing_id = ? GROUP BY 1, 2`, id).Scan(&rows).Error; err != nil {
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
	if p.State == models.MailingSending && p.Waiting+p.Later == 0 {
		p.State = models.MailingFinished
	}
	if p.Unknown > 0 {
		err = s.DB.WithContext(ctx).Raw(`SELECT count(*) FROM deliveries WHERE mailing_id = ? AND state = 'unknown' AND reply <> ?`, id, left).Scan(&p.Open).Error
	}
	return p, err
}

// Domain is how a mailing fares at one mail domain. Name is empty for all the smaller ones together, Others then says how
// many those are.
type Domain struct {
	Name                               string
	Others                             int
	People, Sent, Later, Refused, Left int
}

// maxDomains is how many mail domains are shown by name.
const maxDomains = 20

// Problem is a delivery that was refused, or whose fate is unknown.
type Problem struct {
	ID     uuid.UUID
	At     time.Time `gorm:"column:updated_at"`
	Domain string
	State  models.DeliveryState
	Code   int `gorm:"column:reply_code"`
	Reply  string
}

// maxProblems is how many are listed.
const maxProblems = 200

// Report is a mailing's progress with all that stands behind the numbers.
type Report struct {
	Progress
	Petition models.Petition // none for a newsletter
	Topic    string          // of a newsletter
	Segment  string          // that narrows it
	Domains  []Domain
	Problems []Problem // the newest 200
}

// Report reads it all. It needs the right actor.SeeFigures, and returns a NotFound fault for an unknown id.
func (s *Service) Report(ctx context.Context, a actor.Actor, id uuid.UUID) (Report, error) {
	p, err := s.Progress(ctx, a, id)
	if err != nil {
		return Report{}, err
	}
	r := Report{Progress: p}
	db := s.DB.WithContext(ctx)
	if p.Mailing.PetitionID != nil {
		if err := db.Take(&r.Petition, "id = ?", *p.Mailing.PetitionID).Error; err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
			return r, err
		}
	}
	for _, x := range []struct {
		into          *string
		table, column string
		of            func(models.Mailing) *uuid.UUID
	}{{&r.Topic, "topics", "name", topicOf}, {&r.Segment, "segments", "name", func(m models.Mailing) *uuid.UUID { return m.SegmentID }}} {
		names, err := s.named(ctx, x.table, x.column, []models.Mailing{p.Mailing}, x.of)
		if err != nil {
			return r, err
		}
		*x.into = names[p.Mailing.ID]
	}
	var rows []struct {
		Domain string
		State  models.DeliveryState
		N      int
	}
	err = db.Raw(`SELECT b.domain, d.state, count(*) AS n FROM deliveries d JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE d.mailing_id = ? GROUP BY b.domain, d.state`, id).Scan(&rows).Error
	if err != nil {
		return r, err
	}
	by := map[string]*Domain{}
	for _, row := range rows {
		d := by[row.Domain]
		if d == nil {
			d = &Domain{Name: row.Domain}
			by[row.Domain] = d
		}
		d.People += row.N
		switch row.State {
		case models.DeliverySent:
			d.Sent += row.N
		case models.DeliveryDeferred:
			d.Later += row.N
		case models.DeliveryFailed:
			d.Refused += row.N
		case models.DeliverySuppressed:
			d.Left += row.N
		}
	}
	for _, d := range by {
		r.Domains = append(r.Domains, *d)
	}
	slices.SortFunc(r.Domains, func(x, y Domain) int { return cmp.Or(y.People-x.People, cmp.Compare(x.Name, y.Name)) })
	if len(r.Domains) > maxDomains {
		rest := Domain{Others: len(r.Domains) - maxDomains}
		for _, d := range r.Domains[maxDomains:] {
			rest.People, rest.Sent, rest.Later = rest.People+d.People, rest.Sent+d.Sent, rest.Later+d.Later
			rest.Refused, rest.Left = rest.Refused+d.Refused, rest.Left+d.Left
		}
		r.Domains = append(r.Domains[:maxDomains], rest)
	}
	err = db.Raw(`SELECT d.id, d.updated_at, b.domain, d.state, d.reply_code, d.reply FROM deliveries d JOIN mailboxes b ON b.id = d.mailbox_id
		WHERE d.mailing_id = ? AND d.state IN ('failed', 'unknown') ORDER BY d.updated_at DESC, d.id DESC LIMIT ?`, id, maxProblems).Scan(&r.Problems).Error
	for i := range r.Problems {
		if r.Problems[i].Reply == left {
			r.Problems[i].Reply = ""
		}
	}
	return r, err
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
	if err := db.Scopes(chapters.Scope(a, "chapter_id")).Where("state = ?", models.MailingPaused).Order("paused_at").Find(&paused).Error; err != nil {
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
