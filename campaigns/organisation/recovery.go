package organisation

import (
	"context"

	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/today"
	"kithline/models"
)

// Sheet is the printed form of one key that sealed values depend on.
type Sheet struct {
	KeyID  string
	Groups []string
}

const keptAction = "recovery.kept"

// RecoverySheets reads the keys and notes who asked to see them. It needs the right actor.Administer. read gives the sheets of
// the key file, the first key's first.
func (s *Service) RecoverySheets(ctx context.Context, a actor.Actor, read func() ([]Sheet, error)) ([]Sheet, error) {
	if err := a.Need(actor.Administer); err != nil {
		return nil, err
	}
	sheets, err := read()
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(sheets))
	for i, k := range sheets {
		ids[i] = k.KeyID
	}
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, a, s.clock.Now(), "recovery.shown", "organisations", ID, map[string]any{"keys": ids})
	})
	if err != nil {
		return nil, err
	}
	return sheets, nil
}

// KeepRecoverySheet notes that the actor has the sheet on paper. It needs the right actor.Administer.
func (s *Service) KeepRecoverySheet(ctx context.Context, a actor.Actor) error {
	if err := a.Need(actor.Administer); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		return audit.Write(ctx, tx, a, s.clock.Now(), keptAction, "organisations", ID, nil)
	})
}

// RecoveryKept reports whether anybody said that they have the sheet on paper.
func (s *Service) RecoveryKept(ctx context.Context) (bool, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&models.AuditEntry{}).Where("object_id = ? AND action = ?", ID, keptAction).Limit(1).Count(&n).Error
	return n > 0, err
}

// Today tells an owner what setup left open: the recovery sheet, the postal address.
func (s *Service) Today(ctx context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.May(actor.Administer) {
		return nil, nil
	}
	o, err := s.Current(ctx)
	if err != nil || o.SetupAt == nil {
		return nil, err
	}
	var out []today.Queue
	kept, err := s.RecoveryKept(ctx)
	if err != nil {
		return nil, err
	}
	if !kept {
		out = append(out, today.Queue{
			Key: "today.recovery", Path: "/admin/recovery", Count: 1, Oldest: *o.SetupAt, Minutes: 5, Right: actor.Administer,
		})
	}
	if !CanBulkMail(o) {
		out = append(out, today.Queue{
			Key: "today.postal_address", Path: "/admin/settings", Count: 1, Oldest: *o.SetupAt, Minutes: 2, Right: actor.Administer,
		})
	}
	return out, nil
}
