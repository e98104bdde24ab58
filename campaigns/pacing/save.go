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

// Limits of a plan.
const (
	WeeklyMost = 100     // energy for a week
	RestMost   = 14 * 24 // hours
)

// Save writes down in tx, sealed, what somebody plans; the caller holds the mailbox, and lets nobody but the person do it. A plan that plans
// nothing is no row. The fault is Invalid with the fields weekly, most_energy, rest_hours, quiet_from, quiet_until, avoid and flare_until.
func Save(ctx context.Context, tx *gorm.DB, v *vault.Vault, box uuid.UUID, p Plan, now time.Time) error {
	var bad fault.Fields
	for _, x := range []struct {
		field   string
		n, most int
		key     string
	}{
		{"weekly", p.Weekly, WeeklyMost, "error.pacing_weekly"},
		{"most_energy", p.MostEnergy, 5, "error.value_unknown"},
		{"rest_hours", p.RestHours, RestMost, "error.value_unknown"},
		{"quiet_from", p.QuietFrom, 24*60 - 1, "error.pacing_hour"},
		{"quiet_until", p.QuietUntil, 24*60 - 1, "error.pacing_hour"},
	} {
		if x.n < 0 || x.n > x.most {
			bad.Add(x.field, x.key, "Max", x.most)
		}
	}
	if slices.ContainsFunc(p.Avoid, func(d string) bool { return !slices.Contains(models.Demands, d) }) {
		bad.Add("avoid", "error.value_unknown")
	}
	if p.Flare && p.FlareUntil != nil && !p.FlareUntil.After(now) {
		bad.Add("flare_until", "error.pacing_past")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if !p.Flare {
		p.FlareUntil = nil
	}
	tx = tx.WithContext(ctx)
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	if string(text) == "{}" {
		return tx.Where("mailbox_id = ?", box).Delete(&models.Pacing{}).Error
	}
	row := models.Pacing{MailboxID: box, SettingsSealed: v.Seal("pacings", "settings_sealed", box, string(text)), UpdatedAt: now}
	return tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mailbox_id"}}, UpdateAll: true}).Create(&row).Error
}
