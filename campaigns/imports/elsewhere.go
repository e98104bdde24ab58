package imports

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// sourceName is what a program is called in front of people.
var sourceName = map[string]string{
	FromActionNetwork: "Action Network", FromNationBuilder: "NationBuilder", FromMailchimp: "Mailchimp", FromListmonk: "listmonk",
	FromChange: "Change.org", FromEFF: "EFF Action Center",
}

// SourceName is what the program behind a value of SourceOf is called, "" for none.
func SourceName(source string) string { return sourceName[source] }

// CountElsewhere takes a file of signatures without addresses, as Change.org hands them out, for what it is: a figure. The
// number of its rows is noted at a petition, and the import is done; no row becomes a person. It needs the rights
// actor.Import and actor.ModeratePetition. The faults are NotFound, error.import_unknown and error.petition_unknown;
// Conflict, error.import_running, error.import_done and error.import_people for a file that has addresses.
func (s *Service) CountElsewhere(ctx context.Context, a actor.Actor, id, petition uuid.UUID) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.find(ctx, tx.Clauses(clause.Locking{Strength: "UPDATE"}), id)
		switch {
		case err != nil:
			return err
		case !chapters.May(a, m.ChapterID):
			return errUnknown
		case m.State == models.ImportRunning:
			return fault.New(fault.Conflict, "error.import_running")
		case m.State == models.ImportFinished && !m.DryRun:
			return fault.New(fault.Conflict, "error.import_done")
		case m.Source != FromChange:
			return fault.New(fault.Conflict, "error.import_people")
		}
		if err := s.Petitions.CountElsewhere(ctx, tx, a, petition, m.RowsTotal, SourceName(m.Source)); err != nil {
			return err
		}
		now := s.Clock.Now()
		set := map[string]any{"state": models.ImportFinished, "dry_run": false, "run": m.Run + 1, "rows_done": m.RowsTotal, "updated_at": now, "finished_at": now}
		if err := tx.Model(&models.Import{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		return s.audit(ctx, tx, a, "import.count", id, map[string]any{"rows": m.RowsTotal})
	})
}
