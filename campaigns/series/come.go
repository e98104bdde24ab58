package series

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/clock"
	"kithline/campaigns/organisation"
	"kithline/models"
	"kithline/models/database"
)

const (
	comeBatch  = 1000
	lag        = 5 * time.Minute     // a transaction that read the clock longer ago has committed, or never will
	sweepEvery = 6 * time.Hour       // how often everything is compared
	sweepBack  = 30 * 24 * time.Hour // and how far back
)

// met is somebody whom a trigger met.
type met struct {
	ID          uuid.UUID // of the row behind it: with At the place in the order
	At          time.Time
	SupporterID *uuid.UUID
}

// place is how far the rows of a trigger are read.
type place struct {
	at time.Time
	id uuid.UUID
}

// source is where the rows of a trigger stand: a table with the columns of time and id that an index orders them by.
type source struct {
	table, at, id, supporter string
	where                    string // without a parameter but those in args
	args                     []any
}

// sourceOf says where the people of a trigger are read from. Those of a date are not read in the order of time: see day.
func sourceOf(sr models.Series) source {
	box := "LEFT JOIN mailboxes b ON b.id = e.mailbox_id"
	switch sr.TriggerKind {
	case models.TriggerSigned:
		return source{"signatures e " + box, "e.confirmed_at", "e.id", "b.supporter_id", "e.petition_id = ? AND e.state = 'confirmed'", []any{sr.TriggerID}}
	case models.TriggerForm:
		return source{"submissions e " + box, "e.confirmed_at", "e.id", "b.supporter_id", "e.form_id = ? AND e.state = 'confirmed'", []any{sr.TriggerID}}
	case models.TriggerTagged:
		return source{"taggings e", "e.created_at", "e.supporter_id", "e.supporter_id", "e.tag_id = ?", []any{sr.TriggerID}}
	case models.TriggerJoined: // by themselves; who came from a list was there before, and a second yes is no joining
		where := "e.purpose = 'newsletter' AND e.scope_id = ? AND e.how IN ('mail', 'person')"
		if sr.AgainDays == 0 {
			where += ` AND NOT EXISTS (SELECT 1 FROM consents o WHERE o.mailbox_id = e.mailbox_id AND o.purpose = 'newsletter' AND o.scope_id = e.scope_id
				AND o.given_at < e.given_at)`
		}
		return source{"consents e " + box, "e.given_at", "e.id", "b.supporter_id", where, []any{sr.ScopeID}}
	}
	return source{}
}

// read returns up to a batch of those whom a trigger met, in order, after a place and before a time. With missing it leaves
// out who is in the series.
func (s *Service) read(ctx context.Context, sr models.Series, after place, until time.Time, missing bool) (rows []met, err error) {
	src := sourceOf(sr)
	if src.table == "" {
		return nil, nil
	}
	where, args := src.where, slices.Clone(src.args)
	if missing {
		where += " AND EXISTS (SELECT 1 FROM mailboxes y JOIN consents c ON c.mailbox_id = y.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL WHERE y.supporter_id = " +
			src.supporter + ") AND NOT EXISTS (SELECT 1 FROM series_people p WHERE p.series_id = ? AND p.supporter_id = " + src.supporter + ")"
		args = append(args, sr.Purpose, sr.ScopeID, sr.ID)
	}
	err = s.DB.WithContext(ctx).Raw("SELECT "+src.id+" AS id, "+src.at+" AS at, "+src.supporter+" AS supporter_id FROM "+src.table+" WHERE "+where+
		" AND ("+src.at+", "+src.id+") > (?, ?) AND "+src.at+" <= ? ORDER BY "+src.at+", "+src.id+" LIMIT ?",
		append(args, after.at, after.id, until, comeBatch)...).Scan(&rows).Error
	return rows, err
}

// coming is a look for those whom the trigger of one series met, in steps.
type coming struct {
	s     *Service
	sr    models.Series
	after *place // where the next step begins; nil before the first
	sweep *place // the same for comparing everything
}

// step takes in one batch, and reports whether there may be more.
func (c *coming) step(ctx context.Context, now time.Time) (more bool, err error) {
	switch c.sr.TriggerKind {
	case models.TriggerDate:
		return c.s.date(ctx, c.sr.ID, now)
	case models.TriggerAnniversary:
		return c.s.anniversary(ctx, c.sr.ID, now)
	}
	if c.sr.Since == nil || c.sr.ScannedAt == nil {
		return false, nil
	}
	if c.after == nil {
		c.after = &place{*c.sr.ScannedAt, c.sr.ScannedID}
	}
	if c.sweep != nil {
		return c.compare(ctx, now)
	}
	rows, err := c.s.read(ctx, c.sr, *c.after, now, false)
	if err != nil {
		return false, err
	}
	more = len(rows) == comeBatch
	// What is kept never passes the last minutes: they are read again.
	keep, limit := place{now, uuid.Nil}, now.Add(-lag)
	if more {
		last := rows[len(rows)-1]
		*c.after, keep = place{last.At, last.ID}, place{last.At, last.ID}
	}
	if keep.at.After(limit) {
		keep = place{limit, uuid.Nil}
	}
	err = c.s.takeIn(ctx, c.sr.ID, rows, now, func(sr models.Series) map[string]any {
		if sr.ScannedAt != nil && keep.at.Before(*sr.ScannedAt) {
			return nil
		}
		return map[string]any{"scanned_at": keep.at, "scanned_id": keep.id}
	})
	if err == nil && !more && (c.sr.SweptAt == nil || now.Sub(*c.sr.SweptAt) >= sweepEvery) {
		from := *c.sr.Since
		if back := now.Add(-sweepBack); from.Before(back) {
			from = back
		}
		c.sweep = &place{at: from}
		return true, nil
	}
	return more, err
}

// compare takes in a batch of those who were met and are not in the series: a signature that waited for somebody to look at it, a yes that
// was given later.
func (c *coming) compare(ctx context.Context, now time.Time) (more bool, err error) {
	rows, err := c.s.read(ctx, c.sr, *c.sweep, now.Add(-lag), true)
	if err != nil {
		return false, err
	}
	if more = len(rows) == comeBatch; more {
		last := rows[len(rows)-1]
		*c.sweep = place{last.At, last.ID}
	}
	return more, c.s.takeIn(ctx, c.sr.ID, rows, now, func(models.Series) map[string]any {
		if more {
			return nil
		}
		return map[string]any{"swept_at": now}
	})
}

// takeIn brings people into a live series and notes in its row how far its trigger was read, in one transaction.
func (s *Service) takeIn(ctx context.Context, id uuid.UUID, rows []met, now time.Time, note func(models.Series) map[string]any) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		var sr models.Series
		r := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ? AND state = ?", id, models.SeriesLive).Limit(1).Find(&sr)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		if err := enter(ctx, tx, sr, rows, now); err != nil {
			return err
		}
		if set := note(sr); set != nil {
			return tx.Model(&models.Series{}).Where("id = ?", id).UpdateColumns(set).Error
		}
		return nil
	})
}

// enter brings people into a series: those who agreed, of its chapter, whom the trigger met since it went live. Who is in it
// already stays where they are; who left or finished long enough ago comes again. The caller holds the row of the series.
func enter(ctx context.Context, tx *gorm.DB, sr models.Series, rows []met, now time.Time) error {
	at := map[uuid.UUID]time.Time{} // by supporter, the latest
	var ids []uuid.UUID
	for _, r := range rows {
		if r.SupporterID == nil || sr.Since == nil || r.At.Before(*sr.Since) {
			continue
		}
		was, twice := at[*r.SupporterID]
		if !twice {
			ids = append(ids, *r.SupporterID)
		}
		if !twice || was.Before(r.At) {
			at[*r.SupporterID] = r.At
		}
	}
	if len(ids) == 0 {
		return nil
	}
	// Row by row from the people: there are few of them, and many consents.
	where, args := "", []any{ids, sr.Purpose, sr.ScopeID}
	if sr.ChapterID != nil {
		where, args = " AND EXISTS (SELECT 1 FROM supporters h WHERE h.id = b.supporter_id AND h.chapter_id = ?)", append(args, *sr.ChapterID)
	}
	var may []uuid.UUID
	err := tx.WithContext(ctx).Raw(`SELECT DISTINCT b.supporter_id FROM mailboxes b WHERE b.supporter_id IN ? AND b.suppressed_at IS NULL AND b.address_sealed IS NOT NULL
		AND EXISTS (SELECT 1 FROM consents c WHERE c.mailbox_id = b.id AND c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL)`+where, args...).Scan(&may).Error
	if err != nil || len(may) == 0 {
		return err
	}
	due := clock.Trim(now.Add(-time.Duration(sr.BehindSeconds) * time.Second))
	fresh := make([]models.SeriesPerson, len(may))
	for i, id := range may {
		fresh[i] = models.SeriesPerson{
			ID: models.NewID(), SeriesID: sr.ID, SupporterID: id, State: models.SeriesActive, Round: 1, DueAt: due, EnteredAt: at[id], UpdatedAt: now,
		}
	}
	if err := database.InsertAll(tx.WithContext(ctx), fresh, "ON CONFLICT (series_id, supporter_id) DO NOTHING"); err != nil || sr.AgainDays == 0 {
		return err
	}
	var were []models.SeriesPerson
	err = tx.WithContext(ctx).Clauses(clause.Locking{Strength: "UPDATE"}).
		Where("series_id = ? AND supporter_id IN ? AND state <> ? AND left_at IS NOT NULL", sr.ID, may, models.SeriesActive).Order("id").Find(&were).Error
	if err != nil {
		return err
	}
	var again []models.SeriesPerson
	for _, p := range were {
		when := at[p.SupporterID]
		if when.Before(p.LeftAt.AddDate(0, 0, sr.AgainDays)) {
			continue
		}
		p.StepID, p.State, p.Reason, p.Done, p.Round, p.DueAt, p.ArrivedAt, p.EnteredAt, p.LeftAt = nil, models.SeriesActive, "", "", p.Round+1, due, nil, when, nil
		p.UpdatedAt = now
		again = append(again, p)
	}
	return database.UpdateAll(tx.WithContext(ctx), again, "step_id", "state", "reason", "done", "round", "due_at", "arrived_at", "entered_at", "left_at", "updated_at")
}

// Fire brings supporters into every series that begins with a trigger of a feature, in the transaction in which it happened. about is
// what it happened with, such as the roster; series that name none take any. Who did not agree to what a series is for does not
// come in. The trigger must have been offered.
func (s *Service) Fire(ctx context.Context, tx *gorm.DB, t models.SeriesTrigger, about uuid.UUID, supporters ...uuid.UUID) error {
	now := s.Clock.Now()
	var list []models.Series
	// Held against ending, and in the order in which everybody takes them.
	err := tx.WithContext(ctx).Clauses(clause.Locking{Strength: "SHARE"}).
		Where("trigger_kind = ? AND trigger_id IN ? AND state IN ('live', 'paused')", t, []uuid.UUID{uuid.Nil, about}).Order("id").Find(&list).Error
	if err != nil {
		return err
	}
	rows := make([]met, len(supporters))
	for i, id := range supporters {
		rows[i] = met{At: now, SupporterID: &id}
	}
	for _, sr := range list {
		if sr.State == models.SeriesPaused && sr.PausedAt != nil { // they begin when it goes on
			now = *sr.PausedAt
		}
		if err := enter(ctx, tx, sr, rows, now); err != nil {
			return err
		}
		now = s.Clock.Now()
	}
	return nil
}

// everybody returns up to a batch of those who agree to what a series is for, by their mailbox, after one; and, with spans, who said so
// in one of these stretches of time.
func (s *Service) everybody(ctx context.Context, sr models.Series, after uuid.UUID, at time.Time, spans [][2]time.Time) (rows []met, err error) {
	where, args := "", []any{sr.Purpose, sr.ScopeID, after}
	if spans != nil {
		var or []string
		for _, x := range spans {
			or, args = append(or, "c.given_at >= ? AND c.given_at < ?"), append(args, x[0], x[1])
		}
		where = " AND (" + strings.Join(or, " OR ") + ")"
	}
	err = s.DB.WithContext(ctx).Raw(`SELECT c.mailbox_id AS id, b.supporter_id FROM consents c JOIN mailboxes b ON b.id = c.mailbox_id
		WHERE c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL AND c.mailbox_id > ?`+where+" ORDER BY c.mailbox_id LIMIT ?",
		append(args, comeBatch)...).Scan(&rows).Error
	for i := range rows {
		rows[i].At = at
	}
	return rows, err
}

// date takes in everybody who agrees, once the day has come; in the order of their mailboxes, so that it can go on anywhere.
func (s *Service) date(ctx context.Context, id uuid.UUID, now time.Time) (more bool, err error) {
	sr, zone, err := s.now(ctx, id)
	if err != nil || sr.State != models.SeriesLive || sr.SweptAt != nil {
		return false, err
	}
	at, err := moment(sr, zone)
	if err != nil || now.Before(at) {
		return false, err
	}
	rows, err := s.everybody(ctx, sr, sr.ScannedID, at, nil)
	if err != nil {
		return false, err
	}
	more = len(rows) == comeBatch
	return more, s.takeIn(ctx, id, rows, now, func(is models.Series) map[string]any {
		switch {
		case is.ScannedID != sr.ScannedID: // another node did it
			return nil
		case more:
			return map[string]any{"scanned_id": rows[len(rows)-1].ID}
		}
		return map[string]any{"swept_at": now}
	})
}

// anniversary takes in, day by day, those whose day it is.
func (s *Service) anniversary(ctx context.Context, id uuid.UUID, now time.Time) (more bool, err error) {
	sr, zone, err := s.now(ctx, id)
	if err != nil || sr.State != models.SeriesLive || sr.ScannedAt == nil || now.Before(*sr.ScannedAt) {
		return false, err
	}
	day := sr.ScannedAt.In(zone)
	rows, err := s.everybody(ctx, sr, sr.ScannedID, *sr.ScannedAt, joinedOn(sr, day, zone))
	if err != nil {
		return false, err
	}
	next := map[string]any{"scanned_at": clock.Trim(dayStart(day.AddDate(0, 0, 1), zone)), "scanned_id": uuid.Nil}
	if len(rows) == comeBatch {
		next = map[string]any{"scanned_id": rows[len(rows)-1].ID}
	}
	return true, s.takeIn(ctx, id, rows, now, func(is models.Series) map[string]any {
		if is.ScannedAt == nil || !is.ScannedAt.Equal(*sr.ScannedAt) || is.ScannedID != sr.ScannedID { // another node did it
			return nil
		}
		return next
	})
}

// now reads a series as it is now, with the organisation's time zone.
func (s *Service) now(ctx context.Context, id uuid.UUID) (models.Series, *time.Location, error) {
	var sr models.Series
	if err := s.DB.WithContext(ctx).Take(&sr, "id = ?", id).Error; err != nil {
		return sr, nil, err
	}
	org, err := s.Organisation.Current(ctx)
	return sr, organisation.Zone(org), err
}
