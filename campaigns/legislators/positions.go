package legislators

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/models"
)

// Said is what a legislator said, with what it was about.
type Said struct {
	models.Position
	Campaign string     // the title of the letter campaign
	RosterID *uuid.UUID // of a meeting: whose it was
}

// SaidWhere reads positions p by a condition, the newest first. Any caller who may see them, in tx.
func SaidWhere(ctx context.Context, tx *gorm.DB, where string, args ...any) (out []Said, err error) {
	err = tx.WithContext(ctx).Table("positions AS p").Joins("JOIN letter_campaigns c ON c.id = p.letter_campaign_id").Joins("LEFT JOIN meetings m ON m.id = p.meeting_id").
		Select("p.*, c.title AS campaign, m.roster_id").Where(where, args...).Order("p.said_on DESC, p.created_at DESC, p.id DESC").Scan(&out).Error
	return out, err
}
