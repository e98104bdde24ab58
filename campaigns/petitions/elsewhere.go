package petitions

import (
	"context"
	"strings"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// mostElsewhere is the largest count that is believed.
const mostElsewhere = 1_000_000_000

// CountElsewhere notes how many people signed the same ask on another site. It is a figure and where it is from, never people:
// nobody can be mailed by it, it does not count toward the goal, and it is shown apart. 0 takes it away. It needs the right
// actor.ModeratePetition and is called in a transaction. The faults are NotFound, error.petition_unknown, and Invalid on the
// fields count and source.
func (s *Service) CountElsewhere(ctx context.Context, tx *gorm.DB, a actor.Actor, id uuid.UUID, count int, source string) error {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return err
	}
	var bad fault.Fields
	source = strings.TrimSpace(source)
	if count < 0 || count > mostElsewhere {
		bad.Add("count", "error.petition_elsewhere_count")
	}
	if n := utf8.RuneCountInString(source); n > 100 || count > 0 && n == 0 {
		bad.Add("source", "error.petition_elsewhere_source")
	}
	if err := bad.Err(); err != nil {
		return err
	}
	if count == 0 {
		source = ""
	}
	tx = tx.WithContext(ctx)
	var p models.Petition
	if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", id).Limit(1).Find(&p).Error; err != nil {
		return err
	}
	if p.ID == uuid.Nil {
		return unknown()
	}
	now := s.clk.Now()
	err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(map[string]any{"legacy_count": count, "legacy_source": source, "updated_at": now}).Error
	if err != nil {
		return err
	}
	return audit.Write(ctx, tx, a, now, "petition.count_elsewhere", "petitions", id, map[string]any{"count": count, "before": p.LegacyCount})
}

// CountableElsewhere lists petitions that a count from elsewhere may be noted for, newest first. It needs the right
// actor.ModeratePetition.
func (s *Service) CountableElsewhere(ctx context.Context, a actor.Actor) ([]models.Petition, error) {
	if err := a.Need(actor.ModeratePetition); err != nil {
		return nil, err
	}
	var list []models.Petition
	err := s.db.WithContext(ctx).Where("state NOT IN ?", []models.PetitionState{models.PetitionWithdrawn, models.PetitionHidden}).
		Order("created_at DESC, id DESC").Limit(200).Find(&list).Error
	return list, err
}
