package campaigns

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Insert makes the draft of a campaign in tx, for the action that is made with it.
func Insert(ctx context.Context, tx *gorm.DB, a actor.Actor, title string, now time.Time) (models.Campaign, error) {
	id := models.NewID()
	c := models.Campaign{ID: id, Slug: DraftSlug(id), Title: title, State: models.CampaignDraft, CreatedAt: now, UpdatedAt: now}
	c.CreatedBy = a.Account()
	return c, tx.WithContext(ctx).Create(&c).Error
}

// Publish makes a draft public in tx: what it does not say itself it takes from f, and its address is fixed. A campaign that
// is public already stays as it is. The fault for an archived one is Conflict, error.campaign_archived.
func Publish(ctx context.Context, tx *gorm.DB, id uuid.UUID, f Facts, now time.Time) error {
	tx = tx.WithContext(ctx)
	var c models.Campaign
	err := tx.Where("id = ?", id).Take(&c).Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		return fault.New(fault.NotFound, "error.campaign_unknown")
	case err != nil:
		return err
	case c.State == models.CampaignArchived:
		return fault.New(fault.Conflict, "error.campaign_archived")
	case c.State == models.CampaignPublished:
		return nil
	}
	title := f.Title // the draft's own was the first line of a draft
	if title == "" {
		title = c.Title
	}
	slug, err := FreeSlug(ctx, tx, &models.Campaign{}, title, id)
	if err != nil {
		return err
	}
	set := map[string]any{"state": models.CampaignPublished, "slug": slug, "title": title, "updated_at": now}
	for column, v := range map[string][2]string{
		"ask": {c.Ask, f.Ask}, "decider": {c.Decider, f.Decider}, "why_now": {c.WhyNow, f.WhyNow}, "system_change": {c.SystemChange, f.SystemChange},
	} {
		if v[0] == "" {
			set[column] = v[1]
		}
	}
	if c.Deadline == nil && f.Deadline != nil {
		set["deadline"] = *f.Deadline
	}
	return tx.Model(&models.Campaign{}).Where("id = ?", id).Updates(set).Error
}
