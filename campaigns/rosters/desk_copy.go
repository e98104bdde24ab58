package rosters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns"
	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// CopyInput says what becomes of a copy. The comments name its fields.
type CopyInput struct {
	Title    string // title: "" as it was
	Day      string // day: of the first shift with a time; 2028-03-14
	Template bool   // template: make a pattern of it, with the days as they are
}

// FirstDay is the day of a roster's first shift with a time, in its zone; "" where there is none. It needs what Get needs.
func (s *Service) FirstDay(ctx context.Context, a actor.Actor, id uuid.UUID) (string, error) {
	r, err := deskSees(ctx, s.DB.DB, a, id)
	if err != nil {
		return "", err
	}
	first, err := deskFirst(ctx, s.DB.DB, id)
	if err != nil || first == nil {
		return "", err
	}
	return first.In(Zone(r)).Format(time.DateOnly), nil
}

func deskFirst(ctx context.Context, tx *gorm.DB, roster uuid.UUID) (*time.Time, error) {
	var sh []models.Shift
	err := tx.WithContext(ctx).Select("id", "starts_at").Where("roster_id = ? AND cancelled_at IS NULL AND starts_at IS NOT NULL", roster).Order("starts_at").Limit(1).Find(&sh).Error
	if err != nil || len(sh) == 0 {
		return nil, err
	}
	return sh[0].StartsAt, nil
}

// Copy makes a draft of a roster with all its teams and shifts, moved by whole days of its zone so that each begins at the same time by
// the clock, and with nobody in them. What was called off is left out, and so is thanking an
// office for a meeting, which comes with the notes of a meeting. It needs actor.ManageRosters; a chapter's account copies what it sees
// into its chapter. The fault is Invalid with the fields title and day.
func (s *Service) Copy(ctx context.Context, a actor.Actor, id uuid.UUID, in CopyInput) (models.Roster, error) {
	now := s.Clock.Now()
	var r models.Roster
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		from, err := deskSees(ctx, tx, a, id)
		if err != nil {
			return err
		}
		zone := Zone(from)
		first, err := deskFirst(ctx, tx, id)
		if err != nil {
			return err
		}
		days := 0
		if first != nil && !in.Template {
			day, err := time.Parse(time.DateOnly, in.Day)
			if err != nil || day.Year() < 2000 || day.Year() > 2200 {
				return fault.Fields{{Name: "day", Key: "error.rosterdesk_day"}}.Err()
			}
			y, m, d := first.In(zone).Date()
			days = int(day.Sub(time.Date(y, m, d, 0, 0, 0, 0, time.UTC)) / (24 * time.Hour))
		}
		draft := DraftOf(from)
		draft.Template = in.Template
		if in.Title != "" {
			draft.Title = in.Title
		}
		r = models.Roster{
			ID: models.NewID(), State: models.RosterDraft, Revision: 1, CopiedFrom: &from.ID, CampaignID: from.CampaignID, ChapterID: from.ChapterID, CreatedBy: a.Account(), CreatedAt: now,
			UpdatedAt: now,
		}
		r.Slug = campaigns.DraftSlug(r.ID)
		bad := draft.check(&r)
		if err := bad.Err(); err != nil {
			return err
		}
		if c := a.Chapter(); c != nil {
			r.ChapterID = c
		}
		r.OpensAt = deskMoved(from.OpensAt, days, zone)
		if err := tx.Create(&r).Error; err != nil {
			return err
		}
		teams, err := s.deskCopyTeams(tx, from.ID, r.ID, now)
		if err != nil {
			return err
		}
		n, err := s.deskCopyShifts(tx, from, r, teams, days, Changes(a, from), now)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.copy", "rosters", r.ID, map[string]any{"from": from.ID, "shifts": n})
	})
	return r, err
}

// deskCopyTeams copies the teams of a roster and returns the new ones by the old.
func (s *Service) deskCopyTeams(tx *gorm.DB, from, to uuid.UUID, now time.Time) (map[uuid.UUID]uuid.UUID, error) {
	var teams []models.Team
	if err := tx.Where("roster_id = ?", from).Order("position, id").Find(&teams).Error; err != nil || len(teams) == 0 {
		return nil, err
	}
	out := make(map[uuid.UUID]uuid.UUID, len(teams))
	for i := range teams {
		id := models.NewID()
		out[teams[i].ID] = id
		teams[i].ID, teams[i].RosterID, teams[i].CreatedAt, teams[i].UpdatedAt = id, to, now, now
	}
	return out, tx.CreateInBatches(&teams, 500).Error
}

// deskCopyShifts copies the shifts of a roster, moved by so many days; how to join them too where joins says so.
func (s *Service) deskCopyShifts(tx *gorm.DB, from, to models.Roster, teams map[uuid.UUID]uuid.UUID, days int, joins bool, now time.Time) (int, error) {
	zone := Zone(from)
	var shifts []models.Shift
	thanks := tx.Model(&models.Meeting{}).Select("thanks_shift_id").Where("roster_id = ? AND thanks_shift_id IS NOT NULL", from.ID)
	if err := tx.Where("roster_id = ? AND cancelled_at IS NULL AND id NOT IN (?)", from.ID, thanks).Order("starts_at, position, id").Find(&shifts).Error; err != nil || len(shifts) == 0 {
		return 0, err
	}
	for i := range shifts {
		sh := &shifts[i]
		join, err := s.Vault.Open("shifts", "join_sealed", sh.ID, sh.JoinSealed)
		if err != nil {
			return 0, err
		}
		sh.ID, sh.RosterID, sh.JoinSealed = models.NewID(), to.ID, nil
		if join != "" && joins {
			sh.JoinSealed = s.Vault.Seal("shifts", "join_sealed", sh.ID, join)
		}
		if sh.TeamID != nil {
			team := teams[*sh.TeamID]
			sh.TeamID = &team
		}
		if sh.StartsAt != nil && sh.EndsAt != nil {
			long := sh.EndsAt.Sub(*sh.StartsAt)
			sh.StartsAt, sh.EndsAt = deskMoved(sh.StartsAt, days, zone), deskMoved(sh.EndsAt, days, zone)
			if !sh.EndsAt.After(*sh.StartsAt) { // the clock is set forward, or back, in between
				sh.EndsAt = deskLater(sh.StartsAt, long)
			}
		} else {
			sh.StartsAt, sh.EndsAt = deskMoved(sh.StartsAt, days, zone), deskMoved(sh.EndsAt, days, zone)
		}
		sh.OpensAt = deskMoved(sh.OpensAt, days, zone)
		sh.SettledAt, sh.Filled, sh.HeadCount, sh.Revision, sh.CreatedAt, sh.UpdatedAt = nil, 0, nil, 1, now, now
	}
	return len(shifts), tx.CreateInBatches(&shifts, 500).Error
}
