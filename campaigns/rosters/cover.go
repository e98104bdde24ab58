package rosters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
)

// gap begins, in tx, the search for somebody for a shift of which a place came free; the caller holds the shift. Where there is a search
// it looks again at once.
func (s *Service) gap(ctx context.Context, tx *gorm.DB, shift uuid.UUID, now time.Time) error {
	row := models.Cover{ShiftID: shift, OpenedAt: now, NextAt: &now, UpdatedAt: now}
	return tx.WithContext(ctx).Clauses(clause.OnConflict{
		Columns: []clause.Column{{Name: "shift_id"}}, DoUpdates: clause.AssignmentColumns([]string{"next_at", "updated_at"}),
	}).Create(&row).Error
}
