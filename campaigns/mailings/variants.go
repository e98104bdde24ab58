package mailings

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Several subjects are tried against each other on a share of the audience, and the rest waits for what those people do. What counts
// is what they do here, signing something, less those who leave the list by that mail. Opening a mail counts nothing: nobody can
// tell who opened one, and programs open them by themselves.

// lots is how many lots there are to draw: 20 bits.
const lots = 1 << 20

// lotOf is the SQL expression for the lot of a mailbox k.mailbox_id in a mailing, from 0 to lots-1, with its one value: by chance,
// and the same whenever it is drawn.
func lotOf(mailing uuid.UUID) (sql string, seed int64) {
	return "(uuid_hash_extended(k.mailbox_id, CAST(? AS bigint)) & 1048575)", int64(binary.BigEndian.Uint64(mailing[8:])) //nolint:gosec // all 64 bits are meant
}

// shareOf is the lot below which so many of a hundred lie.
func shareOf(percent int) int { return lots / 100 * percent }

// lastOfTest is when the last mail of those who get the different subjects may go.
func lastOfTest(tx *gorm.DB, mailing uuid.UUID) (time.Time, error) {
	var rows []models.Delivery
	err := tx.Select("not_before").Where("mailing_id = ? AND not_before < ?", mailing, models.HeldUntil).Order("not_before DESC").Limit(1).Find(&rows).Error
	if len(rows) == 0 {
		return tx.NowFunc(), err
	}
	return rows[0].NotBefore, err
}

// Variant is how one subject fared.
type Variant struct {
	Number  int // from 0
	Subject string
	People  int
	Sent    int
	Acted   int // signed something within 7 days of their mail
	Left    int // left the list by their mail, or called it spam
}

// score is what a subject brought for each mail, and how far that is from chance: its variance.
func (v Variant) score() (mean, variance float64) {
	if v.Sent == 0 {
		return 0, 0
	}
	n := float64(v.Sent)
	mean = float64(v.Acted-v.Left) / n
	return mean, (float64(v.Acted+v.Left)/n - mean*mean) / n
}

// Test is a test of subjects. The zero value is none.
type Test struct {
	Variants []Variant
	Held     int // wait for the decision
	Best     int // the number of the best one so far; of several the first
	// Sure is how likely it is, from 0 to 1, that the best one is better than the next best and not by chance alone; 0 where
	// nothing tells them apart.
	Sure float64
}

// How sure a test can be said to be.
const (
	SureLikely = 0.8
	SureVery   = 0.95
	fewActions = 20 // below it nothing is said to be likely
)

// Says is how a test stands, as the end of the key sending.test_says_: none, few, chance, likely, very.
func (t Test) Says() string {
	done := 0
	for _, v := range t.Variants {
		done += v.Acted + v.Left
	}
	switch {
	case done == 0:
		return "none"
	case done < fewActions:
		return "few"
	case t.Sure >= SureVery:
		return "very"
	case t.Sure >= SureLikely:
		return "likely"
	}
	return "chance"
}

// judge finds the best.
func (t *Test) judge() {
	order := slices.Clone(t.Variants)
	slices.SortStableFunc(order, func(a, b Variant) int {
		x, _ := a.score()
		y, _ := b.score()
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return a.Number - b.Number
	})
	if len(order) < 2 {
		return
	}
	t.Best = order[0].Number
	a, va := order[0].score()
	b, vb := order[1].score()
	if a > b && va+vb > 0 {
		t.Sure = 0.5 * math.Erfc(-(a-b)/math.Sqrt(2*(va+vb))) // the normal approximation
	}
}

// test reads how the subjects of a mailing fare: those of the share that got them, before and after the decision.
func (s *Service) test(ctx context.Context, tx *gorm.DB, m models.Mailing) (Test, error) {
	var t Test
	if m.TestPercent == 0 || m.FrozenAt == nil {
		return t, nil
	}
	for i, subject := range subjects(m) {
		t.Variants = append(t.Variants, Variant{Number: i, Subject: subject})
	}
	lot, seed := lotOf(m.ID)
	var rows []struct{ Variant, People, Sent, Acted, Gone int }
	err := tx.WithContext(ctx).Raw(`SELECT k.variant, count(*) AS people, sum(CASE WHEN k.state = 'sent' THEN 1 ELSE 0 END) AS sent,
			sum(CASE WHEN k.state = 'sent' AND EXISTS (SELECT 1 FROM signatures g WHERE g.mailbox_id = k.mailbox_id AND g.state = 'confirmed'
				AND g.confirmed_at > k.sent_at AND g.confirmed_at <= `+database.DaysAfter(tx, "k.sent_at", actionDays)+`) THEN 1 ELSE 0 END) AS acted,
			sum(CASE WHEN u.delivery_id IS NULL THEN 0 ELSE 1 END) AS gone
		FROM deliveries k LEFT JOIN unsubscribes u ON u.delivery_id = k.id
		WHERE k.mailing_id = ? AND k.mailbox_id IS NOT NULL AND `+lot+` < ? AND k.not_before < ? GROUP BY k.variant`,
		m.ID, seed, shareOf(m.TestPercent), models.HeldUntil).Scan(&rows).Error
	if err != nil {
		return t, err
	}
	for _, r := range rows {
		if r.Variant < len(t.Variants) {
			v := &t.Variants[r.Variant]
			v.People, v.Sent, v.Acted, v.Left = r.People, r.Sent, r.Acted, r.Gone
		}
	}
	if m.DecidedAt == nil {
		err = tx.WithContext(ctx).Raw("SELECT count(*) FROM deliveries WHERE mailing_id = ? AND ended = FALSE AND state = 'queued' AND not_before = ?", m.ID, models.HeldUntil).Scan(&t.Held).Error
	}
	t.judge()
	return t, err
}

// Choose decides which subject the rest of a mailing gets, and lets it go. It needs the right actor.Send. A subject that it does
// not have is an Invalid fault, a mailing whose test is decided or that has none a Conflict fault.
func (s *Service) Choose(ctx context.Context, a actor.Actor, id uuid.UUID, variant int) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	m, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return err
	}
	if variant < 0 || variant >= len(subjects(m)) {
		return fault.New(fault.Invalid, "error.value_unknown")
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		done, err := s.decide(ctx, tx, m, variant, a.Account())
		if err != nil {
			return err
		}
		if !done {
			return errMoved
		}
		return audit.Write(ctx, tx, a, s.Clock.Now(), "mailing.choose", "mailings", id, map[string]any{"variant": variant})
	})
}

// decideDue decides the tests whose time is over: the best subject by what people did, or the first where an organizer was to choose
// and nobody did.
func (s *Service) decideDue(ctx context.Context) error {
	var list []models.Mailing
	err := s.DB.WithContext(ctx).Where("decide_at <= ? AND decided_at IS NULL AND state IN ?", s.Clock.Now(), []models.MailingState{models.MailingSending, models.MailingPaused, models.MailingStopped}).
		Order("decide_at, id").Find(&list).Error
	errs := []error{err}
	for _, m := range list {
		errs = append(errs, s.DB.Tx(ctx, func(tx *gorm.DB) error {
			variant := 0
			if !m.TestByHand {
				t, err := s.test(ctx, tx, m)
				if err != nil {
					return err
				}
				variant = t.Best
			}
			done, err := s.decide(ctx, tx, m, variant, nil)
			if err != nil || !done {
				return err
			}
			return audit.Write(ctx, tx, actor.TheSystem(), s.Clock.Now(), "mailing.choose", "mailings", m.ID, map[string]any{"variant": variant})
		}))
	}
	return errors.Join(errs...)
}

// decide gives the rest its subject, at the hour of each person. It reports false where that was decided before.
func (s *Service) decide(ctx context.Context, tx *gorm.DB, m models.Mailing, variant int, by *uuid.UUID) (bool, error) {
	now := s.Clock.Now()
	r := tx.WithContext(ctx).Model(&models.Mailing{}).
		Where("id = ? AND test_percent > 0 AND decided_at IS NULL AND frozen_at IS NOT NULL AND state IN ?", m.ID, []models.MailingState{models.MailingSending, models.MailingPaused, models.MailingStopped}).
		Updates(map[string]any{"decided_at": now, "decided_by": by, "winner": variant, "updated_at": now})
	if r.Error != nil || r.RowsAffected == 0 {
		return false, r.Error
	}
	h, err := s.hours(ctx, tx, m, now)
	if err != nil {
		return false, err
	}
	at := database.TimeArg(tx)
	due := sqlText{at, []any{h.home}}
	if len(h.by) > 0 {
		if err := h.aside(tx); err != nil {
			return false, err
		}
		due = sqlText{"COALESCE((SELECT z.due FROM mailboxes b JOIN supporters p ON p.id = b.supporter_id JOIN " + zones + " z ON z.name = " + zoneKey + " WHERE b.id = deliveries.mailbox_id), " + at + ")", due.args}
	}
	args := append([]any{variant}, due.args...)
	err = tx.Exec("UPDATE deliveries SET variant = ?, not_before = "+due.sql+", updated_at = ? WHERE mailing_id = ? AND ended = FALSE AND state = 'queued' AND not_before = ?",
		append(args, now, m.ID, models.HeldUntil)...).Error
	if err == nil && len(h.by) > 0 {
		err = database.PutAway(tx, zones)
	}
	deliveries.Wake(tx)
	return true, err
}
