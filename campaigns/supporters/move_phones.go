package supporters

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// MovePhones gives the telephone numbers that an older version kept in the record itself rows of their own. It is called at
// start, may run on several nodes at once and may be ended anywhere: what is moved is moved. It returns how many numbers it
// moved and how many it had to leave because they do not open with this key.
func MovePhones(ctx context.Context, db *database.DB, v *vault.Vault, now time.Time) (moved, left int, err error) {
	last := uuid.Nil
	for {
		var n, done, broken int
		next := last
		err := db.Tx(ctx, func(tx *gorm.DB) error {
			var people []models.Supporter
			err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Select("id", "phone_sealed", "country").
				Where("phone_sealed IS NOT NULL AND id > ?", last).Order("id").Limit(movePhones).Find(&people).Error
			if n = len(people); err != nil || n == 0 {
				return err
			}
			var rows []models.Phone
			var ids []uuid.UUID
			for _, p := range people {
				typed, err := v.Open("supporters", "phone_sealed", p.ID, p.PhoneSealed)
				if err != nil {
					continue
				}
				ids = append(ids, p.ID)
				if typed != "" {
					rows = append(rows, NewPhone(v, p.ID, typed, p.Country, now))
				}
			}
			next, done, broken = people[n-1].ID, len(ids), n-len(ids)
			if len(ids) == 0 {
				return nil
			}
			if len(rows) > 0 {
				if err := tx.Clauses(SamePhone()).Create(&rows).Error; err != nil {
					return err
				}
			}
			return tx.Model(&models.Supporter{}).Where("id IN ?", ids).UpdateColumn("phone_sealed", nil).Error
		})
		if err != nil {
			return moved, left, err
		}
		last, moved, left = next, moved+done, left+broken
		if n < movePhones {
			return moved, left, nil
		}
	}
}

// movePhones is how many records one transaction looks at.
const movePhones = 500
