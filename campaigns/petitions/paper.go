package petitions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/divisions"
	"kithline/campaigns/fault"
	"kithline/campaigns/paging"
	"kithline/models"
)

// Limits of signatures on paper.
const (
	paperNoteMax = 200       // characters
	paperMost    = 1_000_000 // of one entry
)

// PaperInput is a count of signatures on paper: a total, never people.
type PaperInput struct {
	Division    uuid.UUID // of the petition's DistrictKind; uuid.Nil where it is not known
	Count       int
	Note        string    // where and by whom it was counted; for organizers
	CollectedAt time.Time // the day
}

// PaperRow is an entry with the name of its district.
type PaperRow struct {
	models.PaperCount
	District string
}

// AddPaper counts signatures on paper: they are part of the public number at once. It needs actor.ModeratePetition. The faults
// are Invalid with the fields division, count, note, collected; NotFound, error.petition_unknown; Conflict, error.petition_state
// for one that is not public.
func (s *Service) AddPaper(ctx context.Context, a actor.Actor, petition uuid.UUID, in PaperInput) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	in.Note = strings.TrimSpace(in.Note)
	var bad fault.Fields
	if in.Count < 1 || in.Count > paperMost {
		bad.Add("count", "error.paper_count")
	}
	if in.CollectedAt.IsZero() || in.CollectedAt.After(now.Add(day)) || in.CollectedAt.Year() < 2000 {
		bad.Add("collected", "error.paper_collected")
	}
	line(&bad, "note", in.Note, paperNoteMax)
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = held(ctx, tx, petition); err != nil {
			return err
		}
		bad := append(fault.Fields{}, bad...)
		row := models.PaperCount{
			ID: models.NewID(), PetitionID: petition, Count: in.Count, Note: in.Note, CollectedAt: in.CollectedAt, CreatedBy: a.Account(), CreatedAt: now,
		}
		if in.Division != uuid.Nil {
			var n int64
			if err := tx.Model(&models.Division{}).Where("id = ? AND kind = ?", in.Division, p.DistrictKind).Count(&n).Error; err != nil {
				return err
			}
			if n == 0 {
				bad.Add("division", "error.value_unknown")
			}
			row.DivisionID = &in.Division
		}
		if err := bad.Err(); err != nil {
			return err
		}
		if !p.State.Public() {
			return fault.New(fault.Conflict, "error.petition_state")
		}
		if p.PaperCount+in.Count > GoalMax {
			return fault.Fields{{Name: "count", Key: "error.paper_count"}}.Err()
		}
		if err := tx.Create(&row).Error; err != nil {
			return err
		}
		if err := s.countPaper(ctx, tx, petition, in.Count, now); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "petition.paper_add", "petitions", petition, map[string]any{"entry": row.ID, "count": in.Count}); err != nil {
			return err
		}
		p, err = take(ctx, tx, petition)
		Changed(tx, p.Slug)
		return err
	})
	return p, err
}

// RemovePaper takes an entry out of the count; the entry is kept. Done twice it takes out once. It needs
// actor.ModeratePetition. The fault is NotFound.
func (s *Service) RemovePaper(ctx context.Context, a actor.Actor, petition, id uuid.UUID) (models.Petition, error) {
	return s.turnPaper(ctx, a, petition, id, false)
}

// RestorePaper undoes RemovePaper.
func (s *Service) RestorePaper(ctx context.Context, a actor.Actor, petition, id uuid.UUID) (models.Petition, error) {
	return s.turnPaper(ctx, a, petition, id, true)
}

func (s *Service) turnPaper(ctx context.Context, a actor.Actor, petition, id uuid.UUID, in bool) (models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return models.Petition{}, err
	}
	now := s.clk.Now()
	var p models.Petition
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if p, err = held(ctx, tx, petition); err != nil {
			return err
		}
		var row models.PaperCount
		err = tx.Where("id = ? AND petition_id = ?", id, petition).Take(&row).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return fault.New(fault.NotFound, "error.not_found")
		}
		if err != nil || (row.RemovedAt == nil) == in {
			return err
		}
		set, by, action := map[string]any{"removed_at": now}, -row.Count, "petition.paper_remove"
		if in {
			set, by, action = map[string]any{"removed_at": nil}, row.Count, "petition.paper_restore"
		}
		if err := tx.Model(&models.PaperCount{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		if err := s.countPaper(ctx, tx, petition, by, now); err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, action, "petitions", petition, map[string]any{"entry": id, "count": row.Count}); err != nil {
			return err
		}
		p, err = take(ctx, tx, petition)
		Changed(tx, p.Slug)
		return err
	})
	return p, err
}

// countPaper moves the number of signatures on paper in tx, never below zero.
func (s *Service) countPaper(ctx context.Context, tx *gorm.DB, petition uuid.UUID, by int, now time.Time) error {
	err := tx.WithContext(ctx).Exec("UPDATE petitions SET paper_count = CASE WHEN paper_count + ? < 0 THEN 0 ELSE paper_count + ? END, updated_at = ? WHERE id = ?",
		by, by, now, petition).Error
	if err != nil {
		return err
	}
	return s.afterCount(ctx, tx, []uuid.UUID{petition})
}

// sumPaper is what paper_count should be.
func sumPaper(tx *gorm.DB, petition uuid.UUID) (n int, err error) {
	err = tx.Raw("SELECT COALESCE(SUM(count), 0) FROM paper_counts WHERE petition_id = ? AND removed_at IS NULL", petition).Scan(&n).Error
	return n, err
}

// Paper lists the entries of a petition, the newest first, also those that were taken out. It needs actor.ModeratePetition.
func (s *Service) Paper(ctx context.Context, a actor.Actor, petition uuid.UUID, after paging.Cursor) (paging.Page[PaperRow], error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return paging.Page[PaperRow]{}, err
	}
	if _, err := take(ctx, s.db.DB, petition); err != nil {
		return paging.Page[PaperRow]{}, err
	}
	q := s.db.WithContext(ctx).Table("paper_counts").Select("paper_counts.*, divisions.name AS district").
		Joins("LEFT JOIN divisions ON divisions.id = paper_counts.division_id").Where("petition_id = ?", petition).
		Order("paper_counts.created_at DESC, paper_counts.id DESC").Limit(paging.Size + 1)
	if !after.First() {
		q = q.Where("(paper_counts.created_at, paper_counts.id) < (?, ?)", after.At, after.ID)
	}
	var rows []PaperRow
	if err := q.Scan(&rows).Error; err != nil {
		return paging.Page[PaperRow]{}, err
	}
	return paging.Cut(rows, paging.Size, func(r PaperRow) paging.Cursor { return paging.Cursor{At: r.CreatedAt, ID: r.ID} }), nil
}

// DistrictKinds lists the kinds of districts that there is data for. It needs actor.ModeratePetition.
func (s *Service) DistrictKinds(ctx context.Context, a actor.Actor) ([]models.DivisionKind, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var kinds []models.DivisionKind
	err := s.db.WithContext(ctx).Model(&models.Division{}).Distinct("kind").Where("kind IN ?", divisions.Kinds).Pluck("kind", &kinds).Error
	slices.SortFunc(kinds, func(a, b models.DivisionKind) int {
		return slices.Index(divisions.Kinds, a) - slices.Index(divisions.Kinds, b)
	})
	return kinds, err
}

// SetDistrictKind chooses by which kind of district the signatures of a petition are counted; "" by none. Paper that was counted
// by another kind keeps its district and counts as of none. It needs actor.ModeratePetition. The faults are NotFound,
// error.petition_unknown, and Invalid with the field district_kind.
func (s *Service) SetDistrictKind(ctx context.Context, a actor.Actor, petition uuid.UUID, kind models.DivisionKind) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := held(ctx, tx, petition); err != nil {
			return err
		}
		if kind != "" && !slices.Contains(divisions.Kinds, kind) {
			return fault.Fields{{Name: "district_kind", Key: "error.value_unknown"}}.Err()
		}
		if err := tx.Model(&models.Petition{}).Where("id = ?", petition).Updates(map[string]any{"district_kind": kind, "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "petition.district_kind", "petitions", petition, map[string]any{"kind": kind})
	})
}

// Districts lists the divisions of a petition's kind, for a choice. It needs actor.ModeratePetition.
func (s *Service) Districts(ctx context.Context, a actor.Actor, kind models.DivisionKind) ([]models.Division, error) {
	if err := a.Need(actor.ModeratePetition); err != nil || kind == "" {
		return nil, err
	}
	return divisions.OfKind(ctx, s.db.DB, kind, s.clk.Now())
}
