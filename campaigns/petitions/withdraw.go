package petitions

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/models"
)

// undoFor is how long somebody who took a signature back can change their mind in one step. Then its names go for good.
const undoFor = 30 * time.Minute

// OwnSignature is a signature as the one who signed sees it.
type OwnSignature struct {
	ID          uuid.UUID
	Slug, Title string
	TitleLocale string
	ShownName   string // "" shows no name
	State       models.SignatureState
	At          time.Time // confirmed, withdrawn, or taken out of the count
	Public      bool      // the petition has a page
	Undo        bool      // withdrawn a moment ago: Restore works
}

// signedFrom picks the signatures that their owner can change: those that stand, held back or not, and those that were taken back.
// seenBy picks those that they see: one that an organizer took out of the count too.
const (
	signedFrom = "confirmed_at IS NOT NULL AND state IN ('confirmed', 'suspect', 'withdrawn')"
	seenBy     = "confirmed_at IS NOT NULL AND state IN ('confirmed', 'suspect', 'withdrawn', 'invalidated')"
)

// ownShown is how many signatures a person's page lists.
const ownShown = 200

// SignedFrom lists the signatures of mailboxes that count, were withdrawn or taken out of the count, newest first, at most 200. It checks no rights:
// whoever calls it has made sure whose the mailboxes are.
func (s *Service) SignedFrom(ctx context.Context, boxes []uuid.UUID) ([]OwnSignature, error) {
	var rows []models.Signature
	err := s.db.WithContext(ctx).Where("mailbox_id IN ? AND "+seenBy, boxes).
		Order("created_at DESC, id DESC").Limit(ownShown).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	petitions, err := petitionsOf(ctx, s.db.DB, rows)
	if err != nil {
		return nil, err
	}
	now := s.clk.Now()
	out := make([]OwnSignature, len(rows))
	for i, sig := range rows {
		p := petitions[sig.PetitionID]
		out[i] = ownOf(sig, p, now)
	}
	return out, nil
}

// ownOf is a signature as its owner sees it.
func ownOf(sig models.Signature, p models.Petition, now time.Time) OwnSignature {
	own := OwnSignature{ID: sig.ID, Slug: p.Slug, Title: p.Title, TitleLocale: p.Locale, ShownName: sig.DisplayName, State: sig.State, At: sig.CreatedAt, Public: p.State.Public()}
	switch {
	case sig.State == models.SignatureInvalidated && sig.InvalidatedAt != nil:
		own.At = *sig.InvalidatedAt
	case sig.State != models.SignatureWithdrawn && sig.ConfirmedAt != nil:
		own.At = *sig.ConfirmedAt
	case sig.State == models.SignatureWithdrawn && sig.WithdrawnAt != nil:
		own.At = *sig.WithdrawnAt
		own.Undo = restorable(sig, p, now)
	}
	return own
}

// restorable reports whether a withdrawn signature can count again without a new form.
func restorable(sig models.Signature, p models.Petition, now time.Time) bool {
	return sig.State == models.SignatureWithdrawn && sig.WithdrawnAt != nil && sig.GivenNameSealed != nil && now.Before(sig.WithdrawnAt.Add(undoFor)) && confirmableAt(p, now)
}

// Withdraw takes back a confirmed signature of one of the mailboxes: it counts no more, and its name and comment are off the
// page with the same commit. Done twice it takes back once. For 30 minutes Restore undoes it; later its owner may sign anew.
// It returns the petition's slug, whose kept page is to be dropped. It checks no rights: whoever calls it has made sure whose
// the mailboxes are. The fault is NotFound, error.signature_unknown.
func (s *Service) Withdraw(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) (slug string, err error) {
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		sig, p, err := s.hold(ctx, tx, boxes, id)
		if err != nil {
			return err
		}
		slug = p.Slug
		if sig.State == models.SignatureWithdrawn {
			return nil
		}
		return s.turnAll(ctx, tx, []turn{{sig, models.SignatureWithdrawn, map[string]any{"withdrawn_at": now}}})
	})
	return slug, err
}

// Restore undoes a Withdraw of the last 30 minutes, while the petition takes confirmations. A comment waits to be read again.
// It returns the petition's slug. It checks no rights, as Withdraw. The faults are NotFound, error.signature_unknown, and
// Conflict, error.signature_too_late.
func (s *Service) Restore(ctx context.Context, boxes []uuid.UUID, id uuid.UUID) (slug string, err error) {
	now := s.clk.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		sig, p, err := s.hold(ctx, tx, boxes, id)
		if err != nil {
			return err
		}
		slug = p.Slug
		if sig.State != models.SignatureWithdrawn {
			return nil
		}
		if !restorable(sig, p, now) {
			return fault.New(fault.Conflict, "error.signature_too_late")
		}
		return s.turnAll(ctx, tx, []turn{{sig, standing(sig), map[string]any{"withdrawn_at": nil}}})
	})
	return slug, err
}

// hold reads a signature that counts or was withdrawn, and holds it: the mailboxes first and in one order, as signing and
// confirming do, so that neither waits for the other.
func (s *Service) hold(ctx context.Context, tx *gorm.DB, boxes []uuid.UUID, id uuid.UUID) (models.Signature, models.Petition, error) {
	none := func() (models.Signature, models.Petition, error) {
		return models.Signature{}, models.Petition{}, fault.New(fault.NotFound, "error.signature_unknown")
	}
	tx = tx.WithContext(ctx)
	update := clause.Locking{Strength: "UPDATE"}
	var held []models.Mailbox
	if err := tx.Clauses(update).Select("id").Where("id IN ?", boxes).Order("address_hash").Find(&held).Error; err != nil {
		return models.Signature{}, models.Petition{}, err
	}
	ids := make([]uuid.UUID, len(held))
	for i, m := range held {
		ids[i] = m.ID
	}
	if len(ids) == 0 {
		return none()
	}
	var rows []models.Signature
	err := tx.Clauses(update).Where("id = ? AND mailbox_id IN ? AND "+signedFrom, id, ids).Find(&rows).Error
	if err != nil {
		return models.Signature{}, models.Petition{}, err
	}
	if len(rows) == 0 {
		return none()
	}
	p, err := take(ctx, tx, rows[0].PetitionID)
	return rows[0], p, err
}

// forgetWithdrawn empties the names and comments of signatures that were taken back more than 30 minutes before now: nobody
// can bring them back any more. The rows stay, without a name, for the person's own page.
func (s *Service) forgetWithdrawn(ctx context.Context, now time.Time) error {
	for {
		r := s.db.WithContext(ctx).Exec(`UPDATE signatures SET given_name_sealed = NULL, family_name_sealed = NULL, comment_sealed = NULL, role_sealed = NULL
			WHERE id IN (SELECT id FROM signatures WHERE state = 'withdrawn' AND given_name_sealed IS NOT NULL AND withdrawn_at <= ? ORDER BY withdrawn_at LIMIT ?)`,
			now.Add(-undoFor), expireBatch)
		if r.Error != nil || r.RowsAffected == 0 {
			return r.Error
		}
	}
}
