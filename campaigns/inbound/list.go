package inbound

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/campaigns/today"
	"kithline/mailer"
	"kithline/models"
)

// Report is a report as the page shows it.
type Report struct {
	models.InboundReport
	Kind      string // of the delivery
	MailingID *uuid.UUID
	Domain    string // of the mailbox; "" once the person was erased
}

// Overview is how much came back lately.
type Overview struct {
	Days   int            // that are counted
	Counts map[string]int // by class
	Held   int
}

// Overview counts what came back in the last 30 days. It needs the right actor.Administer.
func (s *Service) Overview(ctx context.Context, a actor.Actor) (Overview, error) {
	out := Overview{Days: 30, Counts: map[string]int{}}
	if err := a.Need(actor.Administer); err != nil {
		return out, err
	}
	var rows []struct {
		Class string
		N     int
	}
	err := s.DB.WithContext(ctx).Model(&models.InboundReport{}).Select("class, count(*) AS n").Where("received_at > ?", s.Clock.Now().AddDate(0, 0, -out.Days)).Group("class").Scan(&rows).Error
	if err != nil {
		return out, err
	}
	for _, r := range rows {
		out.Counts[r.Class] = r.N
	}
	out.Held, _, err = s.waiting(ctx)
	return out, err
}

// List returns reports, the latest first: of one class, or of all for "". It needs the right actor.Administer.
func (s *Service) List(ctx context.Context, a actor.Actor, class string, held bool, after paging.Cursor) (paging.Page[Report], error) {
	if err := a.Need(actor.Administer); err != nil {
		return paging.Page[Report]{}, err
	}
	q := s.DB.WithContext(ctx).Table("inbound_reports r").
		Select("r.*, d.kind, d.mailing_id, COALESCE(m.domain, '') AS domain").
		Joins("JOIN deliveries d ON d.id = r.delivery_id").Joins("LEFT JOIN mailboxes m ON m.id = r.mailbox_id").
		Order("r.received_at DESC, r.id DESC").Limit(paging.Size + 1)
	if class != "" {
		q = q.Where("r.class = ?", class)
	}
	if held {
		q = q.Where("r.state = ?", models.ReportHeld)
	}
	if !after.First() {
		q = q.Where("(r.received_at, r.id) < (?, ?)", after.At, after.ID)
	}
	var rows []Report
	if err := q.Scan(&rows).Error; err != nil {
		return paging.Page[Report]{}, err
	}
	return paging.Cut(rows, paging.Size, func(r Report) paging.Cursor { return paging.Cursor{At: r.ReceivedAt, ID: r.ID} }), nil
}

func (s *Service) waiting(ctx context.Context) (n int, oldest time.Time, err error) {
	var count int64
	held := s.DB.WithContext(ctx).Model(&models.InboundReport{}).Where("state = ?", models.ReportHeld)
	if err := held.Count(&count).Error; err != nil || count == 0 {
		return 0, oldest, err
	}
	var first []models.InboundReport
	err = s.DB.WithContext(ctx).Where("state = ?", models.ReportHeld).Order("received_at, id").Limit(1).Find(&first).Error
	if len(first) == 1 {
		oldest = first[0].ReceivedAt
	}
	return int(count), oldest, err
}

// settleFor is how long one press may work off what is held: what is left waits for the next.
const settleFor = 10 * time.Second

// Settle ends the holding: what is held is believed and followed, or dropped. It returns how many reports that were; there may be
// more left than could be done at once. It needs the right actor.Administer.
func (s *Service) Settle(ctx context.Context, a actor.Actor, believe bool) (done int, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return 0, err
	}
	action := "inbound.drop"
	if believe {
		action = "inbound.believe"
	}
	began, from := time.Now(), s.Clock.Now()
	for time.Since(began) < settleFor {
		var list []models.InboundReport
		if err := s.DB.WithContext(ctx).Where("state = ? AND received_at <= ?", models.ReportHeld, from).Order("received_at, id").Limit(200).Find(&list).Error; err != nil {
			return done, err
		}
		if len(list) == 0 {
			break
		}
		for _, r := range list {
			one := false
			err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
				one = false
				now := s.Clock.Now()
				d, err := held(ctx, tx, r.DeliveryID)
				if err != nil || d.ID == uuid.Nil {
					return err
				}
				to := models.ReportDropped
				if believe {
					to = models.ReportDone
				}
				u := tx.Model(&models.InboundReport{}).Where("id = ? AND state = ?", r.ID, models.ReportHeld).Updates(map[string]any{"state": to, "handled_at": now})
				if u.Error != nil || u.RowsAffected == 0 {
					return u.Error
				}
				one = true
				if !believe {
					return nil
				}
				return s.follow(ctx, tx, d, r, now)
			})
			if err != nil {
				return done, err
			}
			if one {
				done++
			}
		}
	}
	if done == 0 {
		return 0, nil
	}
	return done, audit.Write(ctx, s.DB.DB, a, s.Clock.Now(), action, "inbound_reports", uuid.Nil, map[string]any{"reports": done})
}

// failing is how long a mailbox may not be readable before somebody hears of it.
const failing = 30 * time.Minute

// Today is what waits for the owner: reports that are held, domains that refuse us, a mailbox that cannot be read.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.Administer) {
		return nil, nil
	}
	n, oldest, err := s.waiting(ctx)
	if err != nil {
		return nil, err
	}
	out := []today.Queue{{Key: "today.inbound_held", Path: "/admin/inbound?held=yes", Count: n, Oldest: oldest, Minutes: 2, Right: actor.Administer}}
	var troubles []models.DomainTrouble
	if err := s.DB.WithContext(ctx).Where("ended_at IS NULL").Order("first_at").Limit(100).Find(&troubles).Error; err != nil {
		return out, err
	}
	if len(troubles) > 0 {
		out = append(out, today.Queue{Key: "today.domain_trouble", Path: "/admin/inbound", Count: len(troubles), Oldest: troubles[0].FirstAt, Minutes: 5, Right: actor.Administer})
	}
	in, err := s.mailbox(ctx)
	if err != nil || in.Host == "" {
		return out, err
	}
	var src []models.InboundSource
	if err := s.DB.WithContext(ctx).Where("kind = ? AND failed_at < ?", models.SourceIMAP, s.Clock.Now().Add(-failing)).Find(&src).Error; err != nil {
		return out, err
	}
	if len(src) > 0 {
		out = append(out, today.Queue{Key: "today.inbound_failing", Path: "/admin/settings/inbound", Count: 1, Oldest: *src[0].FailedAt, Minutes: 5, Right: actor.Administer})
	}
	return out, nil
}

// KnownClass reports whether a class is one that List can be asked for.
func KnownClass(class string) error {
	for _, c := range mailer.Classes {
		if string(c) == class {
			return nil
		}
	}
	return fault.New(fault.NotFound, "error.not_found")
}

// Classes lists the classes of reports, as they are shown.
func Classes() (out []string) {
	for _, c := range mailer.Classes {
		out = append(out, string(c))
	}
	return out
}
