package petitions

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/confirmations"
	"kithline/models"
)

// unconfirmedFor is how long a draft is kept whose starter never pressed the button.
const unconfirmedFor = confirmations.PendingFor

// Vanish deletes drafts that were begun without an account: a week after they were begun where nobody pressed the button, 30 days
// after the last change where somebody did, and those that were taken back before they were public, and invitations that nobody
// took up. Their pictures go with them. It returns how many petitions went. It may run on several nodes at once, and again.
func (s *Service) Vanish(ctx context.Context) (int, error) {
	now := s.clk.Now()
	total := 0
	for {
		var rows []models.Petition
		err := s.db.WithContext(ctx).Where(`author_id IS NULL AND published_at IS NULL AND (
			state = 'draft' AND EXISTS (SELECT 1 FROM petition_starters s WHERE s.petition_id = petitions.id AND s.lead AND s.confirmed_at IS NULL AND s.created_at <= ?)
			OR state IN ('draft', 'withdrawn') AND updated_at <= ?
				AND EXISTS (SELECT 1 FROM audit_entries a WHERE a.object_id = petitions.id AND a.action = 'petition.start'))`,
			now.Add(-unconfirmedFor), now.Add(-StarterFor)).Order("id").Limit(100).Find(&rows).Error
		if err != nil || len(rows) == 0 {
			if err == nil {
				err = s.db.WithContext(ctx).Where("NOT lead AND confirmed_at IS NULL AND created_at <= ?", now.Add(-StarterFor)).Delete(&models.PetitionStarter{}).Error
			}
			return total, err
		}
		for _, p := range rows {
			gone := false
			err := s.db.Tx(ctx, func(tx *gorm.DB) error {
				gone = false
				// Held as it was read: who saves at this moment is faster or finds it gone.
				r := tx.Exec("UPDATE petitions SET updated_at = updated_at WHERE id = ? AND revision = ? AND state = ?", p.ID, p.Revision, p.State)
				if r.Error != nil || r.RowsAffected == 0 {
					return r.Error
				}
				gone = true
				return s.dropDraft(ctx, tx, p.ID, now)
			})
			if err != nil {
				return total, err
			}
			if gone {
				total++
			}
		}
	}
}

// dropDraft deletes in tx a petition that was never public, with all that is about it.
func (s *Service) dropDraft(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	p, err := take(ctx, tx, id)
	if err != nil {
		return err
	}
	if p.PublishedAt != nil {
		return errors.New("petitions: a petition that was public does not vanish")
	}
	var starters, boxes []uuid.UUID
	q := tx.Model(&models.PetitionStarter{}).Where("petition_id = ?", id)
	if err := q.Pluck("id", &starters).Error; err != nil {
		return err
	}
	if err := tx.Model(&models.PetitionStarter{}).Where("petition_id = ?", id).Pluck("mailbox_id", &boxes).Error; err != nil {
		return err
	}
	for _, kind := range []string{confirmations.PetitionStart, confirmations.PetitionCostart} {
		if err := confirmations.Drop(ctx, tx, kind, append(boxes, uuid.Nil), append(starters, uuid.Nil), now); err != nil {
			return err
		}
	}
	for _, m := range []any{&models.PetitionStarter{}, &models.PetitionText{}, &models.PetitionClaim{}, &models.PetitionEdit{}, &models.PetitionThreshold{}, &models.PetitionTally{}} {
		if err := tx.Where("petition_id = ?", id).Delete(m).Error; err != nil {
			return err
		}
	}
	if err := tx.Where("id = ?", id).Delete(&models.Petition{}).Error; err != nil {
		return err
	}
	if p.PictureID != nil {
		if err := s.files.MarkExpired(ctx, tx, *p.PictureID); err != nil {
			return err
		}
	}
	return tx.Where("id = ? AND state = ? AND created_by IS NULL AND NOT EXISTS (SELECT 1 FROM petitions p WHERE p.campaign_id = campaigns.id)", p.CampaignID, models.CampaignDraft).
		Delete(&models.Campaign{}).Error
}
