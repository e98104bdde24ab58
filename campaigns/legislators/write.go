package legislators

import (
	"context"
	"errors"
	"time"

	"gorm.io/gorm"

	"kithline/models"
	"kithline/models/database"
)

// write writes what compare gathered, and the history of it.
func (d *differ) write(ctx context.Context, tx *gorm.DB, row models.LegislatorImport, now time.Time) error {
	tx = tx.WithContext(ctx)
	o := &d.out
	history := make([]models.LegislatorChange, len(d.changes))
	for i, c := range d.changes {
		history[i] = models.LegislatorChange{
			ID: models.NewID(), ImportID: &row.ID, LegislatorID: c.ID, Kind: c.Kind, BeforeText: c.Before, AfterText: c.After, CreatedBy: row.CreatedBy, CreatedAt: now,
		}
	}
	return errors.Join(
		put(tx, o.newJurisdictions, o.setJurisdictions, "name", "country", "region", "updated_at"),
		put(tx, o.newChambers, o.setChambers, "name", "member_title", "division_kind", "updated_at"),
		put(tx, o.newPeople, o.setPeople, "name", "given_name", "family_name", "suffix", "salutation", "updated_at"),
		put(tx, o.newTerms, o.setTerms, "division_id", "district", "title", "party", "seat_rank", "valid_from", "valid_through", "ended_at", "version", "updated_at"),
		put(tx, o.newOffices, o.setOffices, "kind", "name", "street", "city", "region", "postal_code", "country", "phone", "fax", "hours", "latitude", "longitude", "version",
			"updated_at", "removed_at"),
		put(tx, o.newChannels, o.setChannels, "updated_at", "removed_at"),
		put(tx, o.newGroups, o.setGroups, "jurisdiction_id", "chamber_id", "parent_id", "name", "updated_at", "removed_at"),
		put(tx, o.newMembers, o.setMembers, "title", "rank", "ended_at"),
		put(tx, history, nil),
	)
}

// put inserts rows and sets the named columns of others.
func put[T any](tx *gorm.DB, fresh, set []T, names ...string) error {
	if err := database.InsertAll(tx, fresh, ""); err != nil || len(set) == 0 {
		return err
	}
	return database.UpdateAll(tx, set, names...)
}
