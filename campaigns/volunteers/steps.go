package volunteers

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

// Limits of steps, in characters and in number.
const (
	StepNameMax  = 100
	StepAboutMax = 500
	stepsMost    = 30
)

// StepInput is a step as it is written. The comments name its fields.
type StepInput struct {
	Name  string // name
	About string // about
}

// Steps lists the steps of beginning to volunteer in their order. It needs actor.ManageRosters and actor.SeeSupporters.
func (s *Service) Steps(ctx context.Context, a actor.Actor) ([]models.OnboardingStep, error) {
	if err := need(a); err != nil {
		return nil, err
	}
	var out []models.OnboardingStep
	return out, s.DB.WithContext(ctx).Where("archived_at IS NULL").Order("position, id").Find(&out).Error
}

// arrange is the right to change the steps, which all chapters share.
func (s *Service) arrange(a actor.Actor) error {
	if err := need(a); err != nil {
		return err
	}
	if a.Chapter() != nil {
		return fault.New(fault.Forbidden, "error.forbidden", "Right", string(actor.ManageRosters))
	}
	return nil
}

func takeStep(tx *gorm.DB, id uuid.UUID) (models.OnboardingStep, error) {
	var st models.OnboardingStep
	err := tx.Where("id = ? AND archived_at IS NULL", id).Take(&st).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = fault.New(fault.NotFound, "error.volunteer_step_unknown")
	}
	return st, err
}

// SaveStep writes a step, or a new one where id is uuid.Nil. It needs what Steps needs, in an account of the whole organisation. The faults
// are NotFound, error.volunteer_step_unknown; Invalid with fields.
func (s *Service) SaveStep(ctx context.Context, a actor.Actor, id uuid.UUID, in StepInput) (uuid.UUID, error) {
	if err := s.arrange(a); err != nil {
		return id, err
	}
	var bad fault.Fields
	in.Name = line(&bad, "name", in.Name, StepNameMax)
	in.About = text(&bad, "about", in.About, StepAboutMax)
	if in.Name == "" {
		bad.Add("name", "error.volunteer_step_name")
	}
	if err := bad.Err(); err != nil {
		return id, err
	}
	now := s.Clock.Now()
	err := s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		if id != uuid.Nil {
			st, err := takeStep(tx.Clauses(forUpdate), id)
			if err != nil {
				return err
			}
			if err := tx.Model(&st).Updates(map[string]any{"name": in.Name, "about": in.About, "updated_at": now}).Error; err != nil {
				return err
			}
			return audit.Write(ctx, tx, a, now, "volunteer.step", "onboarding_steps", id, nil)
		}
		var there []models.OnboardingStep
		if err := tx.Where("archived_at IS NULL").Order("position DESC").Find(&there).Error; err != nil {
			return err
		}
		if len(there) >= stepsMost {
			return fault.Fields{{Name: "name", Key: "error.volunteer_steps", Args: []any{"Max", stepsMost}}}.Err()
		}
		st := models.OnboardingStep{ID: models.NewID(), Name: in.Name, About: in.About, Position: 1, CreatedAt: now, UpdatedAt: now}
		if len(there) > 0 {
			st.Position = there[0].Position + 1
		}
		id = st.ID
		if err := tx.Create(&st).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "volunteer.step", "onboarding_steps", id, nil)
	})
	return id, err
}

// MoveStep puts a step before the one above it, or behind the one below. It needs what SaveStep needs.
func (s *Service) MoveStep(ctx context.Context, a actor.Actor, id uuid.UUID, down bool) error {
	if err := s.arrange(a); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		var list []models.OnboardingStep
		if err := tx.Clauses(forUpdate).Where("archived_at IS NULL").Order("position, id").Find(&list).Error; err != nil {
			return err
		}
		for i, st := range list {
			j := i - 1
			if down {
				j = i + 1
			}
			if st.ID != id {
				continue
			}
			if j >= 0 && j < len(list) {
				list[i], list[j] = list[j], list[i]
			}
			for n, st := range list {
				if err := tx.Model(&models.OnboardingStep{}).Where("id = ?", st.ID).Updates(map[string]any{"position": n + 1, "updated_at": now}).Error; err != nil {
					return err
				}
			}
			return nil
		}
		return fault.New(fault.NotFound, "error.volunteer_step_unknown")
	})
}

// EndStep takes a step away. What was marked stays with those who did it. It needs what SaveStep needs.
func (s *Service) EndStep(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := s.arrange(a); err != nil {
		return err
	}
	now := s.Clock.Now()
	return s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		st, err := takeStep(tx.Clauses(forUpdate), id)
		if err != nil {
			return err
		}
		if err := tx.Model(&st).Updates(map[string]any{"archived_at": now, "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "volunteer.step_end", "onboarding_steps", id, nil)
	})
}

// Mark says that a volunteer did a step, or that they did not yet. It needs what List needs. The faults are that of Get, and NotFound,
// error.volunteer_step_unknown.
func (s *Service) Mark(ctx context.Context, a actor.Actor, id, step uuid.UUID, done bool) error {
	return s.by(ctx, a, id, "volunteer.mark", func(tx *gorm.DB, v models.Volunteer, now time.Time) error {
		if _, err := takeStep(tx, step); err != nil {
			return err
		}
		if !done {
			return tx.Where("mailbox_id = ? AND step_id = ?", v.MailboxID, step).Delete(&models.OnboardingMark{}).Error
		}
		m := models.OnboardingMark{MailboxID: v.MailboxID, StepID: step, DoneAt: now, DoneBy: a.Account()}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&m).Error
	})
}
