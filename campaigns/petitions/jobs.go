package petitions

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/riverqueue/river"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/jobs"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// Regular lists what runs by itself: see Breakers, Expire, Remind, ForgetClients and Recount.
func (s *Service) Regular() []jobs.Regular {
	return []jobs.Regular{
		{Name: "petition_breakers", Every: time.Minute, Run: s.Breakers},
		{Name: "petition_expire", Every: 10 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Expire(ctx); return err }},
		{Name: "petition_outcome", Every: 10 * time.Second, Run: s.TellOn},
		{Name: "petition_digest", Every: time.Minute, Run: s.Digest},
		{Name: "petition_vanish", Every: time.Hour, Run: func(ctx context.Context) error { _, err := s.Vanish(ctx); return err }},
		{Name: "petition_remind", Every: 30 * time.Minute, Run: func(ctx context.Context) error { _, err := s.Remind(ctx); return err }},
		{Name: "petition_clients", Every: 6 * time.Hour, Run: s.ForgetClients},
		{Name: "petition_recount", Every: 6 * time.Hour, Run: func(ctx context.Context) error { _, err := s.Recount(ctx); return err }},
	}
}

// AddWorkers registers the jobs of this package. At start only.
func (s *Service) AddWorkers(w *river.Workers) { river.AddWorker(w, &invalidateWorker{s: s}) }

// expireBatch is how many signatures go in one transaction.
const expireBatch = 500

// Expire closes petitions whose deadline passed, removes the pending signatures whose time is over, empties the names of those
// that were taken back, and forgets addresses that nobody confirmed. It returns how many signatures went. It may run on several nodes at once, and again.
func (s *Service) Expire(ctx context.Context) (int, error) {
	now := s.clk.Now()
	if err := s.closeOverdue(ctx, now); err != nil {
		return 0, err
	}
	total := 0
	for {
		n := 0
		err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
			n, err = expirePending(ctx, tx, now, `id IN (SELECT id FROM signatures WHERE `+unconfirmed+` AND expires_at <= ? ORDER BY expires_at, id LIMIT ?)`, now, expireBatch)
			return err
		})
		total += n
		if err != nil {
			return total, err
		}
		if n == 0 {
			break
		}
	}
	if err := s.forgetWithdrawn(ctx, now); err != nil {
		return total, err
	}
	_, err := mailboxes.Sweep(ctx, s.db, now)
	return total, err
}

func (s *Service) closeOverdue(ctx context.Context, now time.Time) error {
	var over []models.Petition
	err := s.db.WithContext(ctx).Where("state = ? AND deadline_at <= ?", models.PetitionPublished, now).Order("id").Limit(1000).Find(&over).Error
	if err != nil {
		return err
	}
	for _, p := range over {
		err := s.db.Tx(ctx, func(tx *gorm.DB) error {
			r := tx.Model(&models.Petition{}).Where("id = ? AND state = ?", p.ID, models.PetitionPublished).
				Updates(map[string]any{"state": models.PetitionClosed, "closed_at": *p.DeadlineAt, "paused_at": nil, "updated_at": now})
			if r.Error != nil || r.RowsAffected == 0 {
				return r.Error
			}
			return audit.Write(ctx, tx, actor.TheSystem(), now, "petition.close", "petitions", p.ID, map[string]any{"deadline": true})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Recount counts the signatures of each petition and repairs its numbers, that of paper too, and tallies where they differ, which it logs: something
// moved them apart from what they count. It returns how many petitions differed.
func (s *Service) Recount(ctx context.Context) (int, error) {
	var ids []uuid.UUID
	if err := s.db.WithContext(ctx).Model(&models.Petition{}).Where("published_at IS NOT NULL").Order("id").Pluck("id", &ids).Error; err != nil {
		return 0, err
	}
	wrong := 0
	for _, id := range ids {
		differs, err := s.recount(ctx, id)
		if err != nil {
			return wrong, err
		}
		if differs {
			wrong++
		}
	}
	return wrong, nil
}

func (s *Service) recount(ctx context.Context, id uuid.UUID) (bool, error) {
	differs := false
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		differs = false
		// The row is held first: whoever moved a signature and not yet the number waits, and then moves it from what is
		// counted here.
		r := tx.Exec("UPDATE petitions SET updated_at = updated_at WHERE id = ?", id)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
		var rows []struct {
			State     models.SignatureState
			Confirmed bool
			N         int
		}
		if err := tx.Raw("SELECT state, confirmed_at IS NOT NULL AS confirmed, COUNT(*) AS n FROM signatures WHERE petition_id = ? GROUP BY 1, 2", id).Scan(&rows).Error; err != nil {
			return err
		}
		var is moved
		for _, row := range rows {
			var at *time.Time
			if row.Confirmed {
				at = &time.Time{}
			}
			is.add(row.State, at, row.N)
		}
		paper, err := sumPaper(tx, id)
		if err != nil {
			return err
		}
		p, err := take(ctx, tx, id)
		if err != nil {
			return err
		}
		if kept := (moved{p.PendingCount, p.SignatureCount, p.SuspectCount}); kept != is {
			differs = true
			s.opt.Log.Error("the numbers of a petition were wrong and are repaired", "petition", id, "pending", kept.pending, "pending_counted", is.pending,
				"confirmed", kept.confirmed, "confirmed_counted", is.confirmed, "held_back", kept.suspect, "held_back_counted", is.suspect)
			err := tx.Model(&models.Petition{}).Where("id = ?", id).
				Updates(map[string]any{"pending_count": is.pending, "signature_count": is.confirmed, "suspect_count": is.suspect}).Error
			if err != nil {
				return err
			}
		}
		wrong, err := recountTallies(ctx, tx, id)
		if len(wrong) > 0 {
			differs = true
			s.opt.Log.Error("the tallies of a petition were wrong and are repaired", "petition", id, "kinds", wrong)
		}
		if err != nil {
			return err
		}
		if p.PaperCount != paper {
			differs = true
			s.opt.Log.Error("the number of a petition's signatures on paper was wrong and is repaired", "petition", id, "paper", p.PaperCount, "paper_counted", paper)
			if err := tx.Model(&models.Petition{}).Where("id = ?", id).Updates(map[string]any{"paper_count": paper}).Error; err != nil {
				return err
			}
		}
		if p.SignatureCount == is.confirmed && p.PaperCount == paper {
			return nil
		}
		return s.afterCount(ctx, tx, []uuid.UUID{id})
	})
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return false, nil
	}
	return differs, err
}
