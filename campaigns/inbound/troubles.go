package inbound

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/mailer"
	"kithline/models"
	"kithline/models/database"
)

const (
	pauseFor     = 24 * time.Hour     // how long mail to many waits at a domain that refuses us
	pauseAfter   = 3                  // mailboxes of a domain that say so within a day
	troubleEnds  = 7 * 24 * time.Hour // a trouble that nobody speaks of any more is over
	troubleStays = 90 * 24 * time.Hour
	reportStays  = 180 * 24 * time.Hour
)

// trouble notes that the servers of a mailbox's domain refuse us, and pauses mail to many there once enough mailboxes say so: one
// person who forges such notices stops no mail but their own.
func (s *Service) trouble(ctx context.Context, tx *gorm.DB, mailbox uuid.UUID, r models.InboundReport, now time.Time) error {
	tx = tx.WithContext(ctx)
	var box models.Mailbox
	if err := tx.Select("id", "domain").Take(&box, "id = ?", mailbox).Error; err != nil {
		return err
	}
	fresh := models.DomainTrouble{ID: models.NewID(), Domain: box.Domain, Status: r.Status, Diagnostic: r.Diagnostic, Count: 1, FirstAt: now, LastAt: now}
	made, err := database.InsertNew(tx, []models.DomainTrouble{fresh}, "ON CONFLICT (domain) WHERE ended_at IS NULL DO NOTHING")
	if err != nil {
		return err
	}
	open := "domain = ? AND ended_at IS NULL"
	if !made[fresh.ID] {
		err := tx.Model(&models.DomainTrouble{}).Where(open, box.Domain).
			Updates(map[string]any{"count": gorm.Expr("count + 1"), "last_at": now, "status": r.Status, "diagnostic": r.Diagnostic}).Error
		if err != nil {
			return err
		}
	}
	var t models.DomainTrouble
	if err := tx.Clauses(locking).Take(&t, open, box.Domain).Error; err != nil {
		return err
	}
	if t.PausedUntil != nil && t.PausedUntil.After(now) {
		return nil
	}
	enough, err := s.enough(tx, box.Domain, now)
	if err != nil || !enough {
		return err
	}
	until := now.Add(pauseFor)
	if err := tx.Model(&models.DomainTrouble{}).Where("id = ?", t.ID).Update("paused_until", until).Error; err != nil {
		return err
	}
	_, err = deliveries.HoldDomain(ctx, tx, box.Domain, nil, until)
	return err
}

// enough reports whether so many mailboxes of a domain had mail refused within a day that it is the domain's word: three, or each that
// was written to.
func (s *Service) enough(tx *gorm.DB, domain string, now time.Time) (bool, error) {
	day := now.Add(-24 * time.Hour)
	var said, sent int64
	err := tx.Raw(`SELECT count(DISTINCT r.mailbox_id) FROM inbound_reports r JOIN mailboxes m ON m.id = r.mailbox_id
		WHERE r.class = ? AND r.state = ? AND r.received_at > ? AND m.domain = ?`, string(mailer.BouncePolicy), models.ReportDone, day, domain).Scan(&said).Error
	if err != nil || said >= pauseAfter {
		return err == nil, err
	}
	err = tx.Raw(`SELECT count(*) FROM (SELECT DISTINCT d.mailbox_id FROM deliveries d JOIN mailboxes m ON m.id = d.mailbox_id
		WHERE d.mailing_id IS NOT NULL AND d.state = 'sent' AND d.sent_at > ? AND m.domain = ? LIMIT ?) x`, day, domain, pauseAfter).Scan(&sent).Error
	return sent > 0 && said >= sent, err
}

// Troubles lists the domains whose servers refuse us, the latest first. It needs the right actor.Administer.
func (s *Service) Troubles(ctx context.Context, a actor.Actor) (out []models.DomainTrouble, err error) {
	if err := a.Need(actor.Administer); err != nil {
		return nil, err
	}
	return out, s.DB.WithContext(ctx).Where("ended_at IS NULL").Order("last_at DESC, id DESC").Limit(100).Find(&out).Error
}

// EndTrouble says that a domain takes our mail again: what waits for it goes out. It needs the right actor.Administer; one that is over
// is a NotFound fault.
func (s *Service) EndTrouble(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		var list []models.DomainTrouble
		if err := tx.Clauses(locking).Where("id = ? AND ended_at IS NULL", id).Find(&list).Error; err != nil {
			return err
		}
		if len(list) == 0 {
			return fault.New(fault.NotFound, "error.trouble_unknown")
		}
		t := list[0]
		if err := tx.Model(&models.DomainTrouble{}).Where("id = ?", id).Updates(map[string]any{"ended_at": now, "ended_by": a.Account()}).Error; err != nil {
			return err
		}
		n := 0
		if t.PausedUntil != nil {
			var err error
			if n, err = deliveries.HoldDomain(ctx, tx, t.Domain, t.PausedUntil, now); err != nil {
				return err
			}
			deliveries.Wake(tx)
		}
		return audit.Write(ctx, tx, a, now, "inbound.trouble_end", "domain_troubles", id, map[string]any{"mails": n})
	})
}

// Pauses puts off what was queued for domains since they were paused. It runs by itself every minute.
func (s *Service) Pauses(ctx context.Context) error {
	var list []models.DomainTrouble
	if err := s.DB.WithContext(ctx).Where("ended_at IS NULL AND paused_until > ?", s.Clock.Now()).Find(&list).Error; err != nil {
		return err
	}
	for _, t := range list {
		err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
			_, err := deliveries.HoldDomain(ctx, tx, t.Domain, nil, *t.PausedUntil)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Sweep ends troubles that nobody speaks of any more, and forgets those that ended 90 days ago and reports of 180 days ago. It runs by
// itself every hour.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.Clock.Now()
	db := s.DB.WithContext(ctx)
	if err := db.Model(&models.DomainTrouble{}).Where("ended_at IS NULL AND last_at < ?", now.Add(-troubleEnds)).Update("ended_at", now).Error; err != nil {
		return err
	}
	if err := db.Where("ended_at < ?", now.Add(-troubleStays)).Delete(&models.DomainTrouble{}).Error; err != nil {
		return err
	}
	return db.Where("received_at < ?", now.Add(-reportStays)).Delete(&models.InboundReport{}).Error
}
