package pacing

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
)

// What a plan can say.
const (
	mostWeekly = 200
	mostRest   = 14 * 24
	dayMinutes = 24 * 60
)

// Save writes down, in tx and sealed, what somebody plans. The caller knows that it is they who say it. A plan that plans nothing is
// deleted. The faults are of the fields weekly, rest_hours, most_energy, quiet_from, quiet_until and avoid.
func Save(ctx context.Context, tx *gorm.DB, v *vault.Vault, box uuid.UUID, p Plan, now time.Time) error {
	var wrong fault.Fields
	if p.Weekly < 0 || p.Weekly > mostWeekly {
		wrong.Add("weekly", "error.pacing_weekly")
	}
	if p.RestHours < 0 || p.RestHours > mostRest {
		wrong.Add("rest_hours", "error.pacing_rest")
	}
	if p.MostEnergy < 0 || p.MostEnergy > 5 {
		wrong.Add("most_energy", "error.pacing_energy")
	}
	if p.QuietFrom < 0 || p.QuietFrom >= dayMinutes {
		wrong.Add("quiet_from", "error.pacing_hour")
	}
	if p.QuietUntil < 0 || p.QuietUntil >= dayMinutes {
		wrong.Add("quiet_until", "error.pacing_hour")
	}
	if slices.ContainsFunc(p.Avoid, func(d string) bool { return !slices.Contains(models.Demands, d) }) {
		wrong.Add("avoid", "error.pacing_avoid")
	}
	if err := wrong.Err(); err != nil {
		return err
	}
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	if string(text) == "{}" {
		return tx.Where("mailbox_id = ?", box).Delete(&models.Pacing{}).Error
	}
	row := models.Pacing{MailboxID: box, SettingsSealed: v.Seal("pacings", "settings_sealed", box, string(text)), UpdatedAt: now}
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mailbox_id"}}, DoUpdates: clause.AssignmentColumns([]string{"settings_sealed", "updated_at"})}).Create(&row).Error
}
