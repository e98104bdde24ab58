package series

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/chapters"
	"kithline/campaigns/clock"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/organisation"
	"kithline/campaigns/today"
	"kithline/models"
)

// stopped is the reply of a delivery that did not go out because its series ended; the same as that of a mailing.
const stopped = "stopped"

// held is the time before which the mails of a paused series do not go: never.
var held = time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)

// Before is what is shown before a series goes live.
type Before struct {
	Problems fault.Fields // what stops it
	People   int          // whom it takes in at once: those of the days before, or for a date all who agree now
}

// Before looks at a series that is about to go live. It needs the right actor.WriteMailing; the fault is NotFound.
func (s *Service) Before(ctx context.Context, a actor.Actor, id uuid.UUID) (Before, error) {
	sr, err := s.Get(ctx, a, id)
	if err != nil {
		return Before{}, err
	}
	var b Before
	if b.Problems, err = s.problems(ctx, sr); err != nil {
		return b, err
	}
	db := s.DB.WithContext(ctx)
	switch {
	case sr.TriggerKind == models.TriggerDate:
		err = db.Raw("SELECT count(DISTINCT b.supporter_id) FROM consents c JOIN mailboxes b ON b.id = c.mailbox_id WHERE c.purpose = ? AND c.scope_id = ? AND c.withdrawn_at IS NULL",
			sr.Purpose, sr.ScopeID).Scan(&b.People).Error
	case sr.LookbackDays > 0:
		if src := sourceOf(sr); src.table != "" {
			err = db.Raw("SELECT count(DISTINCT "+src.supporter+") FROM "+src.table+" WHERE "+src.where+" AND "+src.at+" >= ?",
				append(slices.Clone(src.args), s.Clock.Now().AddDate(0, 0, -sr.LookbackDays))...).Scan(&b.People).Error
		}
	}
	return b, err
}

// problems are what keeps a series from going live.
func (s *Service) problems(ctx context.Context, sr models.Series) (fault.Fields, error) {
	var bad fault.Fields
	steps, err := stepsOf(ctx, s.DB.DB, sr.ID)
	if err != nil {
		return nil, err
	}
	if !slices.ContainsFunc(steps, func(st Step) bool { return st.Kind == models.StepMail }) {
		bad.Add("", "error.series_no_mail")
	}
	for i, st := range steps {
		if st.Kind != models.StepMail {
			continue
		}
		if !st.Ready(sr.Locale) {
			bad.Add("", "error.series_mail_empty", "Step", i+1)
			continue
		}
		for _, t := range st.Texts {
			if !written(t) {
				continue
			}
			err := s.Mailings.MailReady(ctx, mailOf(sr, t))
			var f *fault.Error
			switch {
			case errors.As(err, &f) && f.Kind == fault.Invalid:
				bad.Add("", "error.series_mail", "Step", i+1)
				for _, x := range f.Fields {
					if !slices.ContainsFunc(bad, func(y fault.Field) bool { return y.Key == x.Key }) {
						bad.Add("", x.Key, x.Args...)
					}
				}
			case err != nil:
				return nil, err
			}
		}
	}
	if sr.TriggerKind == models.TriggerDate {
		org, err := s.Organisation.Current(ctx)
		if err != nil {
			return nil, err
		}
		if at, err := moment(sr, organisation.Zone(org)); err != nil || at.Before(s.Clock.Now()) {
			bad.Add("", "error.series_date_past")
		}
	}
	var exits []models.SeriesExit
	if err := s.DB.WithContext(ctx).Where("series_id = ?", sr.ID).Find(&exits).Error; err != nil {
		return nil, err
	}
	for _, e := range exits {
		if e.Kind == models.ExitSigned && sr.TriggerKind == models.TriggerSigned && e.ObjectID == sr.TriggerID ||
			e.Kind == models.ExitTagged && sr.TriggerKind == models.TriggerTagged && e.ObjectID == sr.TriggerID {
			bad.Add("", "error.series_goal_trigger")
		}
	}
	return bad, nil
}

// Start makes a draft live: from now on its trigger takes people in. revision is what the organizer looked at. It needs the right
// actor.Send. What stops it is an Invalid fault with an entry for each; a series that is no draft, or was changed, is a Conflict
// fault.
func (s *Service) Start(ctx context.Context, a actor.Actor, id uuid.UUID, revision int) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	sr, err := seen(ctx, s.DB.DB, a, id)
	if err != nil {
		return err
	}
	if sr.State != models.SeriesDraft {
		return errMoved
	}
	if sr.Revision != revision {
		return errChanged
	}
	bad, err := s.problems(ctx, sr)
	if err = errors.Join(err, bad.Err()); err != nil {
		return err
	}
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	return s.change(ctx, a, id, "series.start", []models.SeriesState{models.SeriesDraft}, func(_ *gorm.DB, is models.Series, now time.Time) (map[string]any, error) {
		if is.Revision != revision {
			return nil, errChanged
		}
		since := clock.Trim(now.AddDate(0, 0, -is.LookbackDays))
		if is.TriggerKind == models.TriggerAnniversary {
			since = clock.Trim(dayStart(now, organisation.Zone(org)))
		}
		return map[string]any{"state": models.SeriesLive, "live_at": now, "since": since, "scanned_at": since, "scanned_id": uuid.Nil, "swept_at": sweptAt(is, now)}, nil
	})
}

// sweptAt is the first value of the column: a series with a date has not taken anybody in; the others need no comparing yet.
func sweptAt(sr models.Series, now time.Time) any {
	if sr.TriggerKind == models.TriggerDate {
		return nil
	}
	return now
}

// Pause lets a live series stand still: nobody moves, and mails that have not left wait. It needs the right actor.Send; a series
// that is not live is a Conflict fault.
func (s *Service) Pause(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	return s.change(ctx, a, id, "series.pause", []models.SeriesState{models.SeriesLive}, func(tx *gorm.DB, _ models.Series, now time.Time) (map[string]any, error) {
		err := tx.Exec("UPDATE deliveries SET not_before = ?, expires_at = NULL, updated_at = ? WHERE kind = 'series' AND state IN ('queued', 'deferred') AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)",
			held, now, id).Error
		return map[string]any{"state": models.SeriesPaused, "paused_at": now}, err
	})
}

// Resume lets a paused series go on. Everybody has as long to wait as they had when it was paused. It needs the right actor.Send; a
// series that is not paused is a Conflict fault.
func (s *Service) Resume(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	org, err := s.Organisation.Current(ctx)
	if err != nil {
		return err
	}
	return s.change(ctx, a, id, "series.resume", []models.SeriesState{models.SeriesPaused}, func(tx *gorm.DB, sr models.Series, now time.Time) (map[string]any, error) {
		set := map[string]any{"state": models.SeriesLive, "paused_at": nil}
		if sr.PausedAt != nil {
			set["behind_seconds"] = sr.BehindSeconds + int64(math.Ceil(max(0, now.Sub(*sr.PausedAt).Seconds())))
		}
		// A day of somebody's that passed meanwhile is over.
		today := clock.Trim(dayStart(now, organisation.Zone(org)))
		if sr.TriggerKind == models.TriggerAnniversary && sr.ScannedAt != nil && sr.ScannedAt.Before(today) {
			set["scanned_at"], set["scanned_id"] = today, uuid.Nil
		}
		return set, tx.Exec(`UPDATE deliveries SET not_before = ?, expires_at = ?, updated_at = ? WHERE kind = 'series' AND state IN ('queued', 'deferred') AND not_before >= ?
			AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)`, now, clock.Trim(now.Add(expireIn)), now, held, id).Error
	})
}

// End ends a series for good: everybody leaves, and what has not gone out never will. A draft is thrown away in the same way. It needs the
// right actor.Send; a series that ended is a Conflict fault.
func (s *Service) End(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	from := []models.SeriesState{models.SeriesDraft, models.SeriesLive, models.SeriesPaused}
	return s.change(ctx, a, id, "series.end", from, func(tx *gorm.DB, _ models.Series, now time.Time) (map[string]any, error) {
		err := tx.Model(&models.SeriesPerson{}).Where("series_id = ? AND state = ?", id, models.SeriesActive).
			UpdateColumns(map[string]any{"state": models.SeriesLeft, "reason": models.LeftEnded, "left_at": now, "arrived_at": nil, "updated_at": now}).Error
		if err != nil {
			return nil, err
		}
		// One that a process has read too: it asks for its state before it goes on the wire.
		return map[string]any{"state": models.SeriesEnded, "ended_at": now}, tx.Exec(`UPDATE deliveries SET state = 'expired', reply = ?, lease_until = NULL, updated_at = ?
			WHERE kind = 'series' AND state IN ('queued', 'deferred') AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)`, stopped, now, id).Error
	})
}

// left is the reply of a delivery whose fate is unknown and which somebody decided to leave so; the same as that of a mailing.
const left = "left"

// Settle decides about the mails of a series whose fate is unknown, all at once: they are sent again under the same Message-ID, or left as
// they are. It returns how many there were. It needs the right actor.Send; a series that ended is a Conflict fault where they are to
// be sent again.
func (s *Service) Settle(ctx context.Context, a actor.Actor, id uuid.UUID, again bool) (n int, err error) {
	if err := a.Need(actor.Send); err != nil {
		return 0, err
	}
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		sr, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		now := s.Clock.Now()
		set, args, action := "reply = ?", []any{left}, "series.leave_unknown"
		if again {
			if sr.State == models.SeriesEnded {
				return errMoved
			}
			start := now
			if sr.State == models.SeriesPaused {
				start = held
			}
			set, args, action = "state = 'queued', reply = '', reply_code = 0, not_before = ?, expires_at = ?", []any{start, clock.Trim(now.Add(expireIn))}, "series.resend_unknown"
			if sr.State == models.SeriesPaused {
				args[1] = nil
			}
		}
		r := tx.Exec("UPDATE deliveries SET "+set+", updated_at = ? WHERE "+unsettled+" AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)", append(args, now, left, id)...)
		if n = int(r.RowsAffected); r.Error != nil || n == 0 {
			return r.Error
		}
		if again {
			deliveries.Wake(tx)
		}
		return audit.Write(ctx, tx, a, now, action, "series", id, map[string]any{"deliveries": n})
	})
	return n, err
}

// unsettled are the mails whose fate is unknown and that nobody decided about; its parameter is left.
const unsettled = "kind = 'series' AND state = 'unknown' AND reply <> ?"

// Today lists what waits for a decision: mails whose fate is unknown, and series that are paused.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.Send) {
		return nil, nil
	}
	var list []models.Series
	err := s.DB.WithContext(ctx).Scopes(chapters.Scope(a, "chapter_id")).Where("state IN ('live', 'paused')").Order("id").Find(&list).Error
	if err != nil {
		return nil, err
	}
	var out []today.Queue
	for _, sr := range list {
		path := "/admin/series/" + sr.ID.String()
		if sr.State == models.SeriesPaused && sr.PausedAt != nil {
			out = append(out, today.Queue{Key: "series.queue_paused", Path: path, Count: 1, Oldest: *sr.PausedAt, Minutes: 1, Right: actor.Send})
		}
		var rows []models.Delivery
		err := s.DB.WithContext(ctx).Select("id", "updated_at").Where(unsettled+" AND subject_id IN (SELECT id FROM series_steps WHERE series_id = ?)", left, sr.ID).
			Order("updated_at").Limit(1000).Find(&rows).Error
		if err != nil {
			return nil, err
		}
		if len(rows) > 0 {
			out = append(out, today.Queue{Key: "series.queue_unknown", Path: path, Count: len(rows), Oldest: rows[0].UpdatedAt, Minutes: 2, Right: actor.Send})
		}
	}
	return out, nil
}

// change moves a series from one of some states, in a transaction that holds its row.
func (s *Service) change(ctx context.Context, a actor.Actor, id uuid.UUID, action string, from []models.SeriesState,
	set func(tx *gorm.DB, sr models.Series, now time.Time) (map[string]any, error),
) error {
	if err := a.Need(actor.Send); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Select("id").Where("id = ?", id).Limit(1).Find(&models.Series{}).Error; err != nil {
			return err
		}
		sr, err := seen(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if !slices.Contains(from, sr.State) {
			return errMoved
		}
		now := s.Clock.Now()
		columns, err := set(tx, sr, now)
		if err != nil {
			return err
		}
		columns["updated_at"] = now
		if err := tx.Model(&models.Series{}).Where("id = ?", id).UpdateColumns(columns).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "series", id, map[string]any{"from": string(sr.State)})
	})
}
