package petitions

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// The states of an invalidation.
const (
	InvalidationWaiting   = "waiting"
	InvalidationRunning   = "running"
	InvalidationDone      = "done"
	InvalidationReverting = "reverting"
	InvalidationReverted  = "reverted"
)

// Matches is what a condition picks now.
type Matches struct {
	Condition Condition
	Count     int           // in the count, or confirmed and held back: with Let all suspect ones
	Waiting   int           // wait for their mail's button: they are held back
	Counting  int           // of Count, those that are part of the public number
	Hours     []MatchedHour // the last hour that has any, and those before it without a gap
}

// MatchedHour is how many of those that a condition picks were signed in an hour.
type MatchedHour struct {
	Hour  time.Time
	Count int
}

// matchedHours is how many hours a preview lists at most: the newest.
const matchedHours = 14 * 24

// Match counts what a condition picks of a petition, exactly, and changes nothing. It needs actor.ModeratePetition. The faults are
// Invalid, as a condition is checked, and NotFound.
func (s *Service) Match(ctx context.Context, a actor.Actor, petition uuid.UUID, c Condition) (Matches, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return Matches{}, err
	}
	if _, err := take(ctx, s.db.DB, petition); err != nil {
		return Matches{}, err
	}
	c, err := c.check()
	if err != nil {
		return Matches{}, err
	}
	return s.match(ctx, s.db.DB, petition, c)
}

func (s *Service) match(ctx context.Context, tx *gorm.DB, petition uuid.UUID, c Condition) (Matches, error) {
	m := Matches{Condition: c}
	where, args := c.sql(petition)
	hour := "replace(substr(s.created_at, 1, 13), ' ', 'T')"
	if s.db.Postgres() {
		hour = `to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24')`
	}
	var rows []struct {
		Hour     string
		Waiting  int
		Counting int
		N        int
	}
	err := tx.WithContext(ctx).Raw(`SELECT `+hour+` AS hour, COUNT(*) AS n, COUNT(CASE WHEN `+waitingNow+` THEN 1 END) AS waiting,
		COUNT(CASE WHEN s.state = 'confirmed' THEN 1 END) AS counting FROM signatures s WHERE `+where+` GROUP BY 1 ORDER BY 1`, args...).Scan(&rows).Error
	if err != nil {
		return m, err
	}
	in := make(map[string]int, len(rows))
	for _, r := range rows {
		m.Waiting += r.Waiting
		m.Counting += r.Counting
		m.Count += r.N - r.Waiting
		in[r.Hour] = r.N
	}
	if len(rows) == 0 {
		return m, nil
	}
	first, err := time.Parse(hourForm, rows[0].Hour)
	if err != nil {
		return m, err
	}
	last, err := time.Parse(hourForm, rows[len(rows)-1].Hour)
	if err != nil {
		return m, err
	}
	if earliest := last.Add(-(matchedHours - 1) * time.Hour); first.Before(earliest) {
		first = earliest
	}
	for at := first; !at.After(last); at = at.Add(time.Hour) {
		m.Hours = append(m.Hours, MatchedHour{at, in[at.Format(hourForm)]})
	}
	return m, nil
}

// Invalidate begins to take out of the count what a condition picks, or with Let to let suspect signatures in, and returns the id of
// the work, which goes on by itself in batches. It needs actor.ModeratePetition. The faults are Invalid, as a condition is checked, or
// with the field why; NotFound; Conflict, error.abuse_nothing, where nothing is picked.
func (s *Service) Invalidate(ctx context.Context, a actor.Actor, petition uuid.UUID, c Condition, why string) (uuid.UUID, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return uuid.Nil, err
	}
	c, err := c.check()
	if err != nil {
		return uuid.Nil, err
	}
	why = strings.TrimSpace(why)
	var bad fault.Fields
	if why == "" {
		bad.Add("why", "error.abuse_why_missing")
	}
	text(&bad, "why", why, abuseWhyMax)
	if err := bad.Err(); err != nil {
		return uuid.Nil, err
	}
	now := s.clk.Now()
	row := models.Invalidation{
		ID: models.NewID(), PetitionID: petition, Condition: c.String(), Reason: why, State: InvalidationWaiting, CreatedBy: a.Account(), CreatedAt: now, UpdatedAt: now,
	}
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := take(ctx, tx, petition); err != nil {
			return err
		}
		m, err := s.match(ctx, tx, petition, c)
		if err != nil {
			return err
		}
		if m.Count+m.Waiting == 0 {
			return fault.New(fault.Conflict, "error.abuse_nothing")
		}
		row.Matched = m.Count + m.Waiting
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		details := map[string]any{"petition": petition, "matched": row.Matched, "let": c.Let}
		if err := audit.Write(ctx, tx, a, now, "signatures.invalidate", "invalidations", row.ID, details); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, row.ID)
	})
	return row.ID, err
}

// abuseWhyMax is how long a reason may be, in characters.
const abuseWhyMax = 500

// Revert begins to undo an invalidation, also one that is not done yet: everything that it changed, and that nobody changed since,
// goes back to where it was. It needs actor.ModeratePetition. The faults are NotFound; Conflict, error.abuse_reverted, where it is
// being undone or was.
func (s *Service) Revert(ctx context.Context, a actor.Actor, petition, id uuid.UUID) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.Invalidation{}).Where("id = ? AND petition_id = ? AND state IN ?", id, petition, []string{InvalidationWaiting, InvalidationRunning, InvalidationDone}).
			Updates(map[string]any{"state": InvalidationReverting, "reverted_by": a.Account(), "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			if _, err := s.invalidation(ctx, tx, petition, id); err != nil {
				return err
			}
			return fault.New(fault.Conflict, "error.abuse_reverted")
		}
		if err := audit.Write(ctx, tx, a, now, "signatures.revert", "invalidations", id, map[string]any{"petition": petition}); err != nil {
			return err
		}
		return s.enqueue(ctx, tx, id)
	})
}

func (s *Service) invalidation(ctx context.Context, tx *gorm.DB, petition, id uuid.UUID) (models.Invalidation, error) {
	var row models.Invalidation
	err := tx.WithContext(ctx).Where("id = ? AND petition_id = ?", id, petition).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.not_found")
	}
	return row, err
}

// Invalidation returns one, with its condition. It needs actor.ModeratePetition. The fault is NotFound.
func (s *Service) Invalidation(ctx context.Context, a actor.Actor, petition, id uuid.UUID) (models.Invalidation, Condition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Invalidation{}, Condition{}, err
	}
	row, err := s.invalidation(ctx, s.db.DB, petition, id)
	if err != nil {
		return row, Condition{}, err
	}
	c, err := parseCondition(row.Condition)
	return row, c, err
}

// Invalidations lists those of a petition, newest first, at most 50. It needs actor.ModeratePetition.
func (s *Service) Invalidations(ctx context.Context, a actor.Actor, petition uuid.UUID) ([]models.Invalidation, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var rows []models.Invalidation
	err := s.db.WithContext(ctx).Where("petition_id = ?", petition).Order("created_at DESC, id DESC").Limit(50).Find(&rows).Error
	return rows, err
}

// InvalidateArgs is the job that works on an invalidation, in steps that each stay below the time of a job.
type InvalidateArgs struct {
	ID uuid.UUID `json:"id"`
}

// Kind is the job's name.
func (InvalidateArgs) Kind() string { return "petitions_invalidate" }

type invalidateWorker struct {
	river.WorkerDefaults[InvalidateArgs]
	s *Service
}

func (s *Service) enqueue(ctx context.Context, tx *gorm.DB, id uuid.UUID) error {
	if s.opt.Enqueue == nil {
		return nil
	}
	return s.opt.Enqueue(ctx, tx, InvalidateArgs{id})
}

// The size of a step.
const (
	invalidateBatch = 500
	invalidateTime  = 20 * time.Second
)

// Work does one step.
func (w *invalidateWorker) Work(ctx context.Context, j *river.Job[InvalidateArgs]) error {
	end := time.Now().Add(invalidateTime)
	done, err := w.s.stepInvalidation(ctx, j.Args.ID, func() bool { return time.Now().After(end) })
	switch {
	case err == nil && !done:
		return w.s.db.Tx(ctx, func(tx *gorm.DB) error { return w.s.enqueue(ctx, tx, j.Args.ID) })
	case err != nil && ctx.Err() != nil: // the server stops: what was committed stays, the rest goes on
		return river.JobSnooze(0)
	}
	return err
}

// seat is where a pass over the signatures of a petition stands.
type seat struct {
	ID, MailboxID uuid.UUID
	Seat          int
}

// stepInvalidation works on an invalidation until it is done, or until over says, after a batch, that the time is. Whoever begins
// anew after a crash goes on with what is left: what was changed does not match any more.
func (s *Service) stepInvalidation(ctx context.Context, id uuid.UUID, over func() bool) (done bool, err error) {
	var row models.Invalidation
	err = s.db.WithContext(ctx).Where("id = ?", id).Take(&row).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	c, err := parseCondition(row.Condition)
	if err != nil {
		return false, err
	}
	var after seat
	for {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		var next []seat
		switch row.State {
		case InvalidationWaiting, InvalidationRunning:
			where, args := c.sql(row.PetitionID)
			err = s.db.WithContext(ctx).Raw(`SELECT s.id, s.mailbox_id, s.seat FROM signatures s WHERE `+where+` AND (s.mailbox_id, s.seat) > (?, ?) ORDER BY s.mailbox_id, s.seat LIMIT ?`,
				append(args, after.MailboxID, after.Seat, invalidateBatch)...).Scan(&next).Error
		case InvalidationReverting:
			err = s.db.WithContext(ctx).Raw(`SELECT id FROM signatures WHERE invalidation_id = ? AND id > ? ORDER BY id LIMIT ?`, id, after.ID, invalidateBatch).Scan(&next).Error
		default:
			return true, nil
		}
		if err != nil {
			return false, err
		}
		was := row.State
		if row, err = s.turnBatch(ctx, row, c, next); err != nil {
			return false, err
		}
		if turnedBack := was != InvalidationReverting && row.State == InvalidationReverting; turnedBack {
			after = seat{} // somebody undoes it meanwhile: from the first one
			continue
		}
		if len(next) == 0 && (row.State == InvalidationDone || row.State == InvalidationReverted) {
			return true, nil
		}
		if len(next) > 0 {
			after = next[len(next)-1]
		}
		if over() {
			return false, nil
		}
	}
}

// turnBatch changes a batch in one transaction and counts it in the invalidation, which it returns as it is then. An empty batch ends
// the work. What the invalidation says now is asked first and held, so two servers never count the same signature twice.
func (s *Service) turnBatch(ctx context.Context, was models.Invalidation, c Condition, batch []seat) (models.Invalidation, error) {
	row, now := was, s.clk.Now()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		row = models.Invalidation{}
		if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", was.ID).Take(&row).Error; err != nil {
			return err
		}
		back := row.State == InvalidationReverting
		if back != (was.State == InvalidationReverting) || row.State == InvalidationDone || row.State == InvalidationReverted {
			return nil // it went on without us
		}
		row.UpdatedAt = now
		switch {
		case len(batch) == 0 && back:
			row.State, row.RevertedAt = InvalidationReverted, &now
		case len(batch) == 0:
			row.State, row.FinishedAt = InvalidationDone, &now
		default:
			if !back {
				row.State = InvalidationRunning
			}
			n, err := s.turnSignatures(ctx, tx, row, c, batch, back)
			if err != nil {
				return err
			}
			if back {
				row.RevertedCount += n
			} else {
				row.DoneCount += n
			}
		}
		return tx.Model(&models.Invalidation{}).Where("id = ?", row.ID).Updates(map[string]any{
			"state": row.State, "done_count": row.DoneCount, "reverted_count": row.RevertedCount, "finished_at": row.FinishedAt, "reverted_at": row.RevertedAt, "updated_at": now,
		}).Error
	})
	return row, err
}

// turnSignatures changes the signatures of a batch in tx, one way or back, and returns how many it changed.
func (s *Service) turnSignatures(ctx context.Context, tx *gorm.DB, row models.Invalidation, c Condition, batch []seat, back bool) (int, error) {
	ids := make([]uuid.UUID, len(batch))
	for i, b := range batch {
		ids[i] = b.ID
	}
	sigs, err := holdAll(ctx, tx, ids)
	if err != nil {
		return 0, err
	}
	var turns []turn
	var out []models.Signature // for invalidate and revalidate
	for _, sig := range sigs {
		ours := sig.InvalidationID != nil && *sig.InvalidationID == row.ID
		switch {
		case !back && !c.touches(sig), back && !ours: // changed since
		case !back && c.Let:
			to := models.SignaturePending
			if heldBack(sig) {
				to = models.SignatureConfirmed
			}
			turns = append(turns, turn{sig, to, map[string]any{"suspect_reason": "", "invalidation_id": row.ID}})
		case !back && waits(sig):
			turns = append(turns, turn{sig, models.SignatureSuspect, map[string]any{"suspect_reason": ReasonTakenOut, "invalidation_id": row.ID}})
		case !back:
			out = append(out, sig)
		case c.Let && (sig.State == models.SignatureConfirmed || sig.State == models.SignaturePending):
			turns = append(turns, turn{sig, models.SignatureSuspect, map[string]any{"suspect_reason": c.Reason, "invalidation_id": nil}})
		case !c.Let && sig.State == models.SignatureSuspect && sig.SuspectReason == ReasonTakenOut:
			to := models.SignaturePending
			if heldBack(sig) {
				to = models.SignatureConfirmed
			}
			turns = append(turns, turn{sig, to, map[string]any{"suspect_reason": "", "invalidation_id": nil}})
		case !c.Let:
			out = append(out, sig)
		}
	}
	if err := s.turnAll(ctx, tx, turns); err != nil {
		return 0, err
	}
	n := 0
	if back {
		n, err = s.revalidate(ctx, tx, out, row.ID)
	} else {
		n, err = s.invalidate(ctx, tx, out, row.ID)
	}
	return n + len(turns), err
}
