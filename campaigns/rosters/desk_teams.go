package rosters

import (
	"context"
	"errors"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// TeamInput is a team as it was typed. The comments name its fields.
type TeamInput struct {
	Name     string // name
	Place    string // place: the room, or how the call is joined
	Position int    // position
}

func (in TeamInput) check(t *models.Team) (bad fault.Fields) {
	t.Name, t.Place, t.Position = strings.Join(strings.Fields(in.Name), " "), strings.Join(strings.Fields(in.Place), " "), in.Position
	if t.Name == "" {
		bad.Add("name", "error.rosterdesk_team_missing")
	}
	deskLength(&bad, "name", t.Name, RoleMax)
	deskLength(&bad, "place", t.Place, PlaceMax)
	return bad
}

// AddTeam makes a team in a roster. It needs what Save needs. The fault is Invalid with the fields of TeamInput.
func (s *Service) AddTeam(ctx context.Context, a actor.Actor, roster uuid.UUID, in TeamInput) (models.Team, error) {
	now := s.Clock.Now()
	t := models.Team{ID: models.NewID(), RosterID: roster, CreatedAt: now, UpdatedAt: now}
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		if _, err := deskChanges(ctx, tx, a, roster); err != nil {
			return err
		}
		if err := in.check(&t).Err(); err != nil {
			return err
		}
		if err := tx.Create(&t).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.team", "rosters", roster, nil)
	})
	return t, err
}

// deskTeamOf takes a team of a roster that the actor may change.
func deskTeamOf(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) (models.Team, error) {
	var t models.Team
	if err := a.Need(actor.ManageRosters); err != nil {
		return t, err
	}
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&t).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return t, fault.New(fault.NotFound, "error.rosterdesk_team_unknown")
	}
	if err == nil {
		_, err = deskChanges(ctx, tx, a, t.RosterID)
	}
	return t, err
}

// SaveTeam keeps a team. It needs what Save needs. The faults: Invalid with the fields of TeamInput, and NotFound,
// error.rosterdesk_team_unknown.
func (s *Service) SaveTeam(ctx context.Context, a actor.Actor, id uuid.UUID, in TeamInput) (models.Team, error) {
	now := s.Clock.Now()
	var t models.Team
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if t, err = deskTeamOf(ctx, tx, a, id); err != nil {
			return err
		}
		if err := in.check(&t).Err(); err != nil {
			return err
		}
		t.UpdatedAt = now
		if err := tx.Select("*").Updates(&t).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.team", "rosters", t.RosterID, nil)
	})
	return t, err
}

// DeleteTeam removes a team; its shifts stay, each for itself. It returns the team as it was. It needs what SaveTeam needs.
func (s *Service) DeleteTeam(ctx context.Context, a actor.Actor, id uuid.UUID) (models.Team, error) {
	now := s.Clock.Now()
	var t models.Team
	err := s.DB.Tx(ctx, func(tx *gorm.DB) (err error) {
		if t, err = deskTeamOf(ctx, tx, a, id); err != nil {
			return err
		}
		var shifts []uuid.UUID
		if err := tx.Model(&models.Shift{}).Where("team_id = ?", id).Order("id").Pluck("id", &shifts).Error; err != nil {
			return err
		}
		for _, sh := range shifts {
			if _, err := hold(ctx, tx, sh); err != nil {
				return err
			}
		}
		if err := tx.Model(&models.Shift{}).Where("team_id = ?", id).Updates(map[string]any{"team_id": nil, "updated_at": now}).Error; err != nil {
			return err
		}
		if err := tx.Where("team_id = ?", id).Delete(&models.RosterMessage{}).Error; err != nil {
			return err
		}
		if err := tx.Where("id = ?", id).Delete(&models.Team{}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "roster.team_delete", "rosters", t.RosterID, nil)
	})
	return t, err
}
