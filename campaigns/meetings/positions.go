package meetings

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/legislators"
	"kithline/models"
)

// keeping is the letter campaign in which answers of a meeting are kept as what the legislator said: that of the plan, where it keeps positions
// and the actor may write them, of somebody who had the seat at the time. It is nil where they are not kept.
func keeping(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, m models.Meeting) (*models.LetterCampaign, error) {
	if !a.May(actor.ManageLetters) {
		return nil, nil
	}
	p, err := planOf(ctx, tx, r)
	if err != nil || p.LetterCampaignID == nil {
		return nil, err
	}
	var c models.LetterCampaign
	if err := tx.WithContext(ctx).Where("id = ? AND positions = TRUE AND published_at IS NOT NULL", *p.LetterCampaignID).Limit(1).Find(&c).Error; err != nil || c.ID == uuid.Nil {
		return nil, err
	}
	if _, err := legislators.Sitting(ctx, tx, m.LegislatorID, m.StartsAt); fault.Is(err, fault.NotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	return &c, nil
}

// keep writes the answers of a meeting down as what its legislator said, for an actor who may. What was written down stays; an answer that was
// put right since is a further row.
func keep(ctx context.Context, tx *gorm.DB, a actor.Actor, r models.Roster, m models.Meeting, n Notes, now time.Time) error {
	c, err := keeping(ctx, tx, a, r, m)
	if err != nil || c == nil {
		return err
	}
	asks, err := asksOf(ctx, tx, []uuid.UUID{m.ID})
	if err != nil {
		return err
	}
	var before []models.Position
	if err := tx.WithContext(ctx).Where("meeting_id = ? AND letter_campaign_id = ?", m.ID, c.ID).Order("created_at, id").Find(&before).Error; err != nil {
		return err
	}
	const unclear = "unclear"
	last := map[string]string{}
	for _, p := range before {
		last[p.Note] = p.Stance
	}
	var fresh []models.Position
	for _, x := range asks[m.ID] {
		stance, was := string(n.Outcomes[x.Position]), last[x.Ask]
		if stance == string(models.AskUnknown) {
			stance = unclear
		}
		if stance == was || stance == unclear && was == "" {
			continue
		}
		fresh = append(fresh, models.Position{
			ID: models.NewID(), LegislatorID: m.LegislatorID, LetterCampaignID: c.ID, Stance: stance, Note: x.Ask, SaidOn: m.StartsAt.In(Zone(r)).Format(time.DateOnly), CreatedBy: a.Account(), CreatedAt: now,
			MeetingID: &m.ID,
		})
	}
	if len(fresh) == 0 {
		return nil
	}
	if err := tx.WithContext(ctx).Create(&fresh).Error; err != nil {
		return err
	}
	return audit.Write(ctx, tx, a, now, "letters.position", "letter_campaigns", c.ID, map[string]any{"legislator": m.LegislatorID})
}
