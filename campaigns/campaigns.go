// Package campaigns keeps the ask that holds actions together: what is asked, who decides, why now, what must change.
//
// The rules: every action belongs to one campaign. A campaign is made together with its first action, as a draft that
// nobody else sees, and becomes public with the first of its actions that does; what it had not said itself it then takes
// from that action. Its address comes from its title and is fixed from that moment on.
package campaigns

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/models"
	"kithline/models/database"
)

// Service holds the operations on campaigns.
type Service struct {
	db  *database.DB
	clk clock.Clock
}

// New makes the service.
func New(db *database.DB, clk clock.Clock) *Service { return &Service{db: db, clk: clk} }

// Public returns a campaign that everybody may read. The fault is NotFound, error.campaign_unknown.
func (s *Service) Public(ctx context.Context, slug string) (models.Campaign, error) {
	var c models.Campaign
	err := s.db.WithContext(ctx).Where("slug = ? AND state IN ?", slug, []models.CampaignState{models.CampaignPublished, models.CampaignArchived}).Take(&c).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.campaign_unknown")
	}
	return c, err
}

// Choices lists the campaigns that the actor may add an action to, newest first, at most 200: with the right
// actor.ModeratePetition all that are not archived, else the public ones and their own. It needs actor.DraftPetition.
func (s *Service) Choices(ctx context.Context, a actor.Actor) ([]models.Campaign, error) {
	if err := a.Need(actor.DraftPetition); err != nil {
		return nil, err
	}
	var rows []models.Campaign
	q := s.db.WithContext(ctx).Where("state <> ? AND title <> ''", models.CampaignArchived).Order("created_at DESC, id DESC").Limit(200)
	if !a.May(actor.ModeratePetition) {
		q = q.Where("state = ? OR created_by = ?", models.CampaignPublished, a.UserID)
	}
	return rows, q.Find(&rows).Error
}

// MayAdd reports whether the actor may add an action to a campaign. The fault is NotFound, error.campaign_unknown.
func MayAdd(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID) error {
	var c models.Campaign
	err := tx.WithContext(ctx).Where("id = ?", id).Take(&c).Error
	switch {
	case err != nil && !errors.Is(err, gorm.ErrRecordNotFound):
		return err
	case err == nil && c.State != models.CampaignArchived && (a.Is(c.CreatedBy) || c.State == models.CampaignPublished || a.May(actor.ModeratePetition)):
		return nil
	}
	return fault.New(fault.NotFound, "error.campaign_unknown")
}

// Facts is what an action tells about its campaign.
type Facts struct {
	Title, Ask, Decider, WhyNow, SystemChange string
	Deadline                                  *time.Time
}
