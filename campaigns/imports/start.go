package imports

import (
	"context"
	"errors"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/chapters"
	"kithline/campaigns/fault"
	"kithline/models"
)

// CheckInput is what an organizer decided: which column is what, and on what ground people may be mailed.
type CheckInput struct {
	Mapping Mapping
	Tag     string // for everybody in the file; "" for none
	Basis   Basis
}

// Check keeps the decisions and begins a dry run, which changes nothing but this import's counts. It may be asked for again
// until the import itself begins. It needs the right actor.Import. The faults are NotFound, error.import_unknown; Conflict,
// error.import_running; Invalid with the fields columns, tag, basis, campaign, words, source.
func (s *Service) Check(ctx context.Context, a actor.Actor, id uuid.UUID, in CheckInput) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	head, _, err := s.Preview(ctx, a, id)
	if err != nil {
		return err
	}
	p, err := s.checkPlan(ctx, a, plan{Columns: in.Mapping, Tag: in.Tag}, head.Columns)
	if err != nil {
		return onField(err)
	}
	text, err := p.text()
	if err != nil {
		return err
	}
	basis, err := in.Basis.check(ctx, s.DB.DB)
	if err != nil {
		return err
	}
	return s.begin(ctx, a, id, "import.check", nil, func(m *models.Import) error {
		m.DryRun, m.Mapping, m.TagID = true, text, nil
		m.BasisPurpose, m.BasisScopeID, m.BasisText, m.BasisSource, m.BasisTextID = string(basis.Purpose), basis.CampaignID, basis.Text, basis.Source, nil
		return nil
	})
}

// onField puts what is wrong with a plan on the field of the form where it is mended.
func onField(err error) error {
	var e *fault.Error
	if !errors.As(err, &e) || e.Kind != fault.Invalid || len(e.Fields) > 0 {
		return err
	}
	name := "columns"
	if e.Key == "error.tag_long" {
		name = "tag"
	}
	var bad fault.Fields
	bad.Add(name, e.Key, e.Args...)
	return bad.Err()
}

// Start begins the import itself, after a dry run. It needs the right actor.Import. The faults are NotFound,
// error.import_unknown, and Conflict, error.import_running and error.import_unchecked.
func (s *Service) Start(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.Import); err != nil {
		return err
	}
	head, _, err := s.Preview(ctx, a, id)
	if err != nil {
		return err
	}
	return s.begin(ctx, a, id, "import.start", head.Columns, func(m *models.Import) error {
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
	return s.begin(ctx, a, id, "import.resume", nil, func(m *models.Import) error {
		if m.State != models.ImportFailed || m.DryRun {
			return fault.New(fault.Conflict, "error.import_unchecked")
		}
		return nil
	})
}

// begin makes a new run of an import; columns are the file's where new custom fields may be called after them. The run is the fence: a worker of an earlier one changes nothing any more.
func (s *Service) begin(ctx context.Context, a actor.Actor, id uuid.UUID, action string, columns []string, change func(*models.Import) error) error {
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		m, err := s.find(ctx, tx.Clauses(clause.Locking{Strength: "UPDATE"}), id)
		if err != nil {
			return err
		}
		if !chapters.May(a, m.ChapterID) {
			return errUnknown
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
		if !m.DryRun {
			p, err := planOf(m.Mapping)
			if err != nil {
				return err
			}
			if err := s.settle(ctx, tx, &m, &p, columns, now); err != nil {
				return err
			}
		}
		m.Run++
		set := columnsOf(done)
		for k, v := range map[string]any{
			"run": m.Run, "state": models.ImportRunning, "dry_run": m.DryRun, "mapping": m.Mapping, "tag_id": m.TagID, "basis_purpose": m.BasisPurpose,
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
