package rosters

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/models"
)

// Places is how a shift stands: how many places are held, and who stands by.
type Places struct {
	Confirmed int // hold a place
	Pending   int // hold one for an address that is not confirmed yet
	Standbys  int // stand by, whether they are being asked or not
	Asking    int // offers without an answer
}

// Held is how many places are not to be had.
func (p Places) Held() int { return p.Confirmed + p.Pending }

var forUpdate = clause.Locking{Strength: "UPDATE"}

// hold takes a shift for the rest of tx: whoever takes, releases or covers one of its places waits here. Rows of one transaction are held
// in the order of their ids. The fault is Gone, error.shift_gone, where there is none.
func hold(ctx context.Context, tx *gorm.DB, id uuid.UUID) (models.Shift, error) {
	var sh models.Shift
	err := tx.WithContext(ctx).Clauses(forUpdate).Where("id = ?", id).Take(&sh).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return sh, fault.New(fault.Gone, "error.shift_gone")
	}
	return sh, err
}

// placesOf counts the places of shifts at a moment: a pending place whose time is over counts no more.
func placesOf(ctx context.Context, tx *gorm.DB, shifts []uuid.UUID, now time.Time) (map[uuid.UUID]Places, error) {
	out := make(map[uuid.UUID]Places, len(shifts))
	if len(shifts) == 0 {
		return out, nil
	}
	tx = tx.WithContext(ctx)
	var rows []struct {
		ShiftID uuid.UUID
		AsWhat  models.PlaceAs // "" for offers
		State   models.AssignmentState
		N       int
	}
	err := tx.Raw(`SELECT shift_id, as_what, state, count(*) AS n FROM assignments WHERE shift_id IN ? AND (state <> ? OR expires_at > ?) GROUP BY shift_id, as_what, state
		UNION ALL SELECT shift_id, '', '', count(*) FROM offers WHERE shift_id IN ? AND state = ? GROUP BY shift_id`,
		shifts, models.AssignmentPending, now, shifts, models.OfferOpen).Scan(&rows).Error
	for _, r := range rows {
		p := out[r.ShiftID]
		switch {
		case r.AsWhat == "":
			p.Asking = r.N
		case r.AsWhat == models.AsPlace && r.State == models.AssignmentConfirmed:
			p.Confirmed += r.N
		case r.AsWhat == models.AsPlace && r.State == models.AssignmentPending:
			p.Pending += r.N
		case (r.AsWhat == models.AsStandby || r.AsWhat == models.AsUnderstudy) && r.State != models.AssignmentPending:
			p.Standbys += r.N
		}
		out[r.ShiftID] = p
	}
	return out, err
}

// mark writes down, in tx, that somebody is not to be asked for a shift by itself.
func (s *Service) mark(tx *gorm.DB, shift, box uuid.UUID) error {
	return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&models.ShiftMark{ShiftID: shift, Mark: s.markOf(shift, box)}).Error
}

func (s *Service) markOf(shift, box uuid.UUID) []byte {
	return s.Vault.Hash("shift mark", shift[:], box[:])
}

// note writes down, in tx, what happened to a place, and not whose it was.
func note(tx *gorm.DB, shift uuid.UUID, kind models.ShiftEventKind, now time.Time) error {
	return tx.Create(&models.ShiftEvent{ID: models.NewID(), ShiftID: shift, Kind: kind, At: now}).Error
}
