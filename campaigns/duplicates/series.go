package duplicates

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm/clause"

	"kithline/models"
)

// seriesMover moves where the record that goes is in series. In a series that both are in, the place of the record that stays
// counts; what either of them had is not sent again.
type seriesMover struct{}

type seriesDid struct {
	Moved   []uuid.UUID
	Dropped []models.SeriesPerson
	Added   map[uuid.UUID]string // by the row that stayed: the ids of steps that only the other one had had
}

func (seriesMover) merge(m *merging) (any, error) {
	did := seriesDid{Added: map[uuid.UUID]string{}}
	var mine, theirs []models.SeriesPerson
	if err := m.tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("supporter_id IN ?", []uuid.UUID{m.kept, m.gone}).Order("id").Find(&theirs).Error; err != nil {
		return nil, err
	}
	for _, p := range theirs {
		if p.SupporterID == m.kept {
			mine = append(mine, p)
		}
	}
	for _, p := range theirs {
		if p.SupporterID != m.gone {
			continue
		}
		i := slices.IndexFunc(mine, func(x models.SeriesPerson) bool { return x.SeriesID == p.SeriesID })
		if i < 0 {
			did.Moved = append(did.Moved, p.ID)
			continue
		}
		var added strings.Builder
		for step := range strings.FieldsSeq(p.Done) {
			if !strings.Contains(mine[i].Done, step) {
				added.WriteString(step + " ")
			}
		}
		if added.Len() > 0 {
			did.Added[mine[i].ID] = added.String()
			if err := m.tx.Model(&models.SeriesPerson{}).Where("id = ?", mine[i].ID).UpdateColumn("done", mine[i].Done+added.String()).Error; err != nil {
				return nil, err
			}
		}
		did.Dropped = append(did.Dropped, p)
		if err := m.tx.Delete(&models.SeriesPerson{ID: p.ID}).Error; err != nil {
			return nil, err
		}
	}
	return did, m.tx.Model(&models.SeriesPerson{}).Where("supporter_id = ?", m.gone).UpdateColumn("supporter_id", m.kept).Error
}

func (seriesMover) undo(m *merging, raw json.RawMessage) error {
	var did seriesDid
	if err := json.Unmarshal(raw, &did); err != nil {
		return err
	}
	if len(did.Moved) > 0 {
		err := m.tx.Model(&models.SeriesPerson{}).Where("id IN ? AND supporter_id = ?", did.Moved, m.kept).UpdateColumn("supporter_id", m.gone).Error
		if err != nil {
			return err
		}
	}
	for id, added := range did.Added {
		var rows []models.SeriesPerson
		if err := m.tx.Where("id = ?", id).Find(&rows).Error; err != nil {
			return err
		}
		for _, p := range rows {
			for step := range strings.FieldsSeq(added) {
				p.Done = strings.Replace(p.Done, step+" ", "", 1)
			}
			if err := m.tx.Model(&models.SeriesPerson{}).Where("id = ?", id).UpdateColumn("done", p.Done).Error; err != nil {
				return err
			}
		}
	}
	for _, p := range did.Dropped {
		if err := m.tx.Create(&p).Error; err != nil {
			return err
		}
	}
	return nil
}
