package imports

import (
	"context"
	"encoding/json"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/fault"
	"kithline/models"
)

// CheckInput is what an organizer decided: which column is what, and on what ground people may be mailed.
type CheckInput struct {
	Mapping Mapping
	Basis   Basis
}

// Check keeps the decisions and begins a dry run, which changes nothing but this import's counts. It may be asked for again
// until the import itself begins. It needs the right actor.Import. The faults are NotFound, error.import_unknown; Conflict,
// error.import_running; Invalid with the fields email, basis, campaign, words, source.
func (s *Service) Check(ctx context.Context, a actor.Actor, id uuid.UUID, in CheckInput) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	head, _, err := s.Preview(ctx, a, id)
	if err != nil {
		return err
	}
	mapping, ok := in.Mapping.check(len(head.Columns))
	if !ok {
		var bad fault.Fields
		bad.Add("email", "error.import_no_email_column")
		return bad.Err()
	}
	text, err := json.Marshal(mapping)
	if err != nil {
		return err
	}
	basis, err := in.Basis.check(ctx, s.DB.DB)
	if err != nil {
		return err
	}
	return s.begin(ctx, a, id, "import.check", func(m *models.Import) error {
		m.DryRun, m.Mapping = true, string(text)
		m.BasisPurpose, m.BasisScopeID, m.BasisText, m.BasisSource, m.BasisTextID = string(basis.Purpose), basis.CampaignID, basis.Text, basis.Source, nil
		return nil
	})
}

// Start begins the import itself, after a dry run. It needs the right actor.Import. The faults are NotFound,
// error.import_unknown, and Conflict, error.import_running and error.import_unchecked.
func (s *Service) Start(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	return s.begin(ctx, a, id, "import.start", func(m *models.Import) error {
		if m.State != models.ImportFinished || !m.DryRun {
			return fault.New(fault.Conflict, "error.import_unchecked")
		}
		m.DryRun = false
		return nil
	})
}

// Resume goes on with an import that stopped, from the batch where it did. It needs the right actor.Import. The faults are
// NotFound, error.import_unknown, and Conflict, error.import_running and error.import_unchecked.
func (s *Service) Resume(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	return s.begin(ctx, a, id, "import.resume", func(m *models.Import) error {
		if m.State != models.ImportFailed || m.DryRun {
			return fault.New(fault.Conflict, "error.import_unchecked")
		}
		return nil
	})
}

// begin makes a new run of an import. The run is the fence: a worker of an earlier one changes nothing any more.
func (s *Service) begin(ctx context.Context, a actor.Actor, id uuid.UUID, action string, change func(*models.Import) error) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.find(ctx, tx.Clauses(clause.Locking{Strength: "UPDATE"}), id)
		if err != nil {
			return err
		}
		if m.State == models.ImportRunning {
			return fault.New(fault.Conflict, "error.import_running")
		}
		if m.State == models.ImportFinished && !m.DryRun {
			return fault.New(fault.Conflict, "error.import_done")
		}
		done, was := countsOf(m), m.State
		if err := change(&m); err != nil {
			return err
		}
		if was != models.ImportFailed || m.DryRun {
			done = Counts{}
		}
		now := s.Clock.Now()
		if basis := basisOf(m); !m.DryRun && m.BasisTextID == nil {
			if m.BasisTextID, err = basis.words(ctx, tx, m.Locale, now); err != nil {
				return err
			}
		}
		m.Run++
		set := columnsOf(done)
		for k, v := range map[string]any{
			"run": m.Run, "state": models.ImportRunning, "dry_run": m.DryRun, "mapping": m.Mapping, "basis_purpose": m.BasisPurpose,
			"basis_scope_id": m.BasisScopeID, "basis_text": m.BasisText, "basis_source": m.BasisSource, "basis_text_id": m.BasisTextID,
			"error_file_id": nil, "message": "", "updated_at": now, "finished_at": nil,
		} {
			set[k] = v
		}
		if err := tx.Model(&models.Import{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		if err := s.audit(ctx, tx, a, action, id, map[string]any{"rows": m.RowsTotal, "basis": m.BasisPurpose}); err != nil {
			return err
		}
		return s.Enqueue(ctx, tx, RunArgs{ImportID: id, Run: m.Run})
	})
}
