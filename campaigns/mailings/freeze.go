package mailings

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/deliveries"
	"kithline/campaigns/jobs"
	"kithline/campaigns/segments"
	"kithline/models"
	"kithline/models/database"
)

// Freeze makes the deliveries of a mailing that is to be sent, in one transaction and one statement: all of its audience, or
// nothing. One that was sent before gets those who came later. It may run any number of times, on several nodes at once: a mailing
// that is not freezing stays as it is.
func (s *Service) Freeze(ctx context.Context, id uuid.UUID) error {
	err := analyze(ctx, s.DB)
	if err != nil {
		return err
	}
	m, err := find(ctx, s.DB.DB, id)
	if err != nil {
		return err
	}
	if m.State != models.MailingFreezing {
		return nil
	}
	var links []string
	if m.TrackClicks {
		l, err := s.load(ctx, m)
		if err != nil {
			return err
		}
		links = l.tracked()
	}
	// Counted before the transaction, which on SQLite keeps everybody else from writing; where somebody sent it at once, when they did.
	var who Audience
	if m.FrozenAt == nil && (m.Audience == "" || json.Unmarshal([]byte(m.Audience), &who) != nil) {
		if who, err = s.audience(ctx, m); err != nil {
			return err
		}
	}
	for range 5 { // somebody may leave the list between being counted and being inserted: the trigger then refuses all
		if err = s.freeze(ctx, id, who, links); !database.NoConsent(err) {
			return err
		}
	}
	return err
}

func (s *Service) freeze(ctx context.Context, id uuid.UUID, who Audience, links []string) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		now := s.Clock.Now()
		// The row's lock: a second run waits here and then finds the mailing sending.
		r := tx.Model(&models.Mailing{}).Where("id = ? AND state = ?", id, models.MailingFreezing).Update("updated_at", now)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		m, err := find(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := segments.Tune(tx); err != nil {
			return err
		}
		t, err := targetOf(ctx, tx, m)
		if err != nil {
			return err
		}
		set := map[string]any{"state": models.MailingSending, "freeze_at": nil, "updated_at": now}
		h, err := s.hours(ctx, tx, m, now)
		if err != nil {
			return err
		}
		n, err := s.insert(ctx, tx, t, h, now)
		if err != nil {
			return err
		}
		if m.FrozenAt == nil {
			who.All, who.People = who.All-who.People+int(n), int(n) // whoever came or left in between
			parts, err := json.Marshal(who)
			if err != nil {
				return err
			}
			set["frozen_at"], set["audience"] = now, string(parts)
		} else {
			set["later_at"] = now
		}
		if m.TestPercent > 0 && m.DecidedAt == nil && n > 0 {
			last, err := lastOfTest(tx, id)
			if err != nil {
				return err
			}
			set["decide_at"] = last.Add(time.Duration(m.TestMinutes) * time.Minute)
		}
		if err := keepLinks(tx, id, links); err != nil {
			return err
		}
		set["audience_count"] = gorm.Expr("audience_count + ?", n)
		deliveries.Wake(tx)
		return tx.Model(&models.Mailing{}).Where("id = ?", id).Updates(set).Error
	})
}

// insert makes the deliveries of a target, in the order of the mailboxes' ids, which keeps the indexes in order too. It returns
// how many they are.
func (s *Service) insert(ctx context.Context, tx *gorm.DB, t target, h hours, now time.Time) (int64, error) {
	m, zoned := t.m, len(h.by) > 0
	list := subjects(m)
	who, err := t.chosen(ctx, tx, now, zoned)
	if err != nil {
		return 0, err
	}
	at := database.TimeArg(tx)
	due := sqlText{at, []any{h.home}}
	if zoned {
		if err := h.aside(tx); err != nil {
			return 0, err
		}
		due = sqlText{"COALESCE(z.due, " + at + ")", due.args}
	}
	variant := sqlText{"CAST(? AS integer)", []any{m.Winner}}
	if m.TestPercent > 0 && m.DecidedAt == nil {
		lot, seed := lotOf(m.ID)
		variant = sqlText{"CASE WHEN " + lot + " < ? THEN " + lot + " % ? ELSE 0 END", []any{seed, shareOf(m.TestPercent), seed, len(list)}}
		due = sqlText{"CASE WHEN " + lot + " < ? THEN " + due.sql + " ELSE " + at + " END", append([]any{seed, shareOf(m.TestPercent)}, append(due.args, models.HeldUntil)...)}
	}
	key := "CAST(? AS text) || " + database.Digits(tx, "k.mailbox_id")
	prefix := "m/" + hex.EncodeToString(m.ID[:]) + "/"
	var expires any
	if m.ExpiresAt != nil {
		expires = *m.ExpiresAt
	}
	var q sqlText
	q.add(`INSERT INTO deliveries (id, kind, mailbox_id, subject_id, mailing_id, purpose, scope_id, dedupe_key, priority, state, on_unknown, attempt, deferrals,
		not_before, lease_until, node, expires_at, reply_code, reply, created_at, updated_at, sent_at, variant)
		SELECT `+database.RowID(tx, now, "k.number")+", ?, k.mailbox_id, ?, ?, ?, k.scope_id, "+key+", ?, ?, ?, 0, 0, ", KindMailing, m.ID, m.ID, m.Purpose, prefix,
		models.PriorityBulk, models.DeliveryQueued, models.Park)
	q.add(due.sql, due.args...)
	q.add(", NULL, '', "+at+", 0, '', "+at+", "+at+", NULL, ", expires, now, now)
	q.add(variant.sql, variant.args...)
	q.add(" FROM (SELECT f.*, row_number() OVER (ORDER BY f.mailbox_id) AS number FROM (")
	q.add(who.sql, who.args...)
	q.add(") f WHERE f.place = 1) k")
	if zoned {
		q.add(" LEFT JOIN " + zones + " z ON z.name = k.zone")
	}
	if m.FrozenAt != nil { // some of them have it; what need not be asked for each row is not
		q.add(" WHERE 1 = 1 ON CONFLICT (dedupe_key) DO NOTHING") // the WHERE tells SQLite that ON is not a join's
	}
	r := tx.WithContext(ctx).Exec(q.sql, q.args...)
	if r.Error != nil || !zoned {
		return r.RowsAffected, r.Error
	}
	return r.RowsAffected, database.PutAway(tx, zones)
}

// stuckAfter is how long a mailing may wait for its freezing before the periodic job does it.
const stuckAfter = 2 * time.Minute

// Tidy starts what is scheduled for now, decides tests whose time is over, ends mailings that have nothing more to send, expires
// what came back to a stopped one, and freezes one whose job was lost. It may run at any time, on several nodes at once.
func (s *Service) Tidy(ctx context.Context) error {
	return errors.Join(s.due(ctx), s.decideDue(ctx), s.tidy(ctx))
}

func (s *Service) tidy(ctx context.Context) error {
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var over []uuid.UUID
		if err := tx.Model(&models.Mailing{}).Where("state = ? AND finished_at > ?", models.MailingCancelled, now.Add(-7*24*time.Hour)).Order("id").Pluck("id", &over).Error; err != nil {
			return err
		}
		if err := expireStopped(tx, now, over...); err != nil {
			return err
		}
		return tx.Exec(`UPDATE mailings SET state = 'finished', finished_at = ?, updated_at = ? WHERE state = 'sending' AND NOT EXISTS (
			SELECT 1 FROM deliveries d WHERE d.mailing_id = mailings.id AND d.ended = FALSE)`, now, now).Error
	})
	if err != nil {
		return err
	}
	var stuck []models.Mailing
	err = s.DB.WithContext(ctx).Select("id").Where("state = ? AND updated_at < ?", models.MailingFreezing, now.Add(-stuckAfter)).Find(&stuck).Error
	for _, m := range stuck {
		if err == nil {
			err = s.Freeze(ctx, m.ID)
		}
	}
	return err
}

// FreezeArgs is the job that freezes a mailing.
type FreezeArgs struct {
	MailingID uuid.UUID `json:"mailing_id"`
}

// Kind names the job.
func (FreezeArgs) Kind() string { return "mailings_freeze" }

type freezer struct {
	river.WorkerDefaults[FreezeArgs]
	s *Service
}

func (w *freezer) Work(ctx context.Context, j *river.Job[FreezeArgs]) error {
	return w.s.Freeze(ctx, j.Args.MailingID)
}

// Timeout is longer than that of other jobs: a large audience is one transaction. A second run waits for the first.
func (w *freezer) Timeout(*river.Job[FreezeArgs]) time.Duration { return 10 * time.Minute }

// AddWorkers registers the job of this package.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &freezer{s: s}) }

// Regular is what runs by itself.
func (s *Service) Regular() jobs.Regular {
	return jobs.Regular{Name: "mailings_tidy", Every: 15 * time.Second, Run: s.Tidy}
}
