package petitions

import (
	"context"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
)

// waits reports whether a signature waits for the button of its mail.
func waits(sig models.Signature) bool {
	return sig.ConfirmedAt == nil && (sig.State == models.SignaturePending || sig.State == models.SignatureSuspect)
}

// heldBack reports whether a signature was confirmed by mail and waits until somebody looks at it.
func heldBack(sig models.Signature) bool {
	return sig.State == models.SignatureSuspect && sig.ConfirmedAt != nil
}

// standing is the state of a signature that is confirmed by mail: it counts, or is held back because of a reason.
func standing(sig models.Signature) models.SignatureState {
	if sig.SuspectReason != "" {
		return models.SignatureSuspect
	}
	return models.SignatureConfirmed
}

// turn is one signature on its way from one state to another, with what the new state shows of it.
type turn struct {
	sig models.Signature // as it is, with everything that is sealed
	to  models.SignatureState
	set map[string]any // what changes besides the state, the shown name and the comment
}

// turnAll moves signatures from state to state in tx, with everything that follows from it: the numbers of their petitions, the
// tallies, the numbers of those that count for the first time, and what pages show: a name and a comment show only of one that
// counts, and a comment that comes back waits to be read. Those that stay as they are are passed over. The caller holds the rows
// and read them whole.
func (s *Service) turnAll(ctx context.Context, tx *gorm.DB, turns []turn) error {
	turns = slices.DeleteFunc(slices.Clone(turns), func(t turn) bool { return t.sig.State == t.to })
	by, moves, named := map[uuid.UUID]moved{}, []tallyMove{}, map[uuid.UUID]bool{}
	for _, t := range turns {
		m := by[t.sig.PetitionID]
		m.add(t.sig.State, t.sig.ConfirmedAt, -1)
		m.add(t.to, t.sig.ConfirmedAt, 1)
		by[t.sig.PetitionID] = m
		was, is := t.sig.State == models.SignatureConfirmed, t.to == models.SignatureConfirmed
		if was == is {
			continue
		}
		named[t.sig.PetitionID] = true
		role, err := s.role(t.sig)
		if err != nil {
			return err
		}
		moves = talliesOf(moves, t.sig, role, 0, map[bool]int{true: 1, false: -1}[is])
	}
	now, err := count(ctx, tx, by)
	if err != nil {
		return err
	}
	if err := tally(ctx, tx, moves); err != nil {
		return err
	}
	fresh := map[uuid.UUID]int{} // signatures that get their number now
	for _, t := range turns {
		if t.to == models.SignatureConfirmed && t.sig.Number == 0 {
			fresh[t.sig.PetitionID]++
		}
	}
	for _, t := range turns {
		set := map[string]any{"state": t.to, "display_name": "", "comment_state": models.CommentNone, "comment_shown": ""}
		if t.to == models.SignatureConfirmed {
			given, family, err := s.names(t.sig)
			if err != nil {
				return err
			}
			set["display_name"] = shown(t.sig.Display, given, family)
			if t.sig.CommentSealed != nil {
				set["comment_state"] = models.CommentWaiting
			}
			if t.sig.Number == 0 {
				fresh[t.sig.PetitionID]--
				set["number"] = now[t.sig.PetitionID].SignatureCount - fresh[t.sig.PetitionID]
			}
		}
		for k, v := range t.set {
			set[k] = v
		}
		if err := tx.WithContext(ctx).Model(&models.Signature{}).Where("id = ?", t.sig.ID).Updates(set).Error; err != nil {
			return err
		}
	}
	var changed []uuid.UUID
	for _, id := range sorted(by) {
		if by[id].confirmed != 0 {
			changed = append(changed, id)
		}
		if named[id] { // a name or a comment may be on the page no more, also where as many came as went
			Changed(tx, now[id].Slug)
		}
	}
	return s.afterCount(ctx, tx, changed)
}

// add moves the number that a signature of a state is part of.
func (m *moved) add(state models.SignatureState, confirmed *time.Time, n int) {
	switch {
	case state == models.SignatureConfirmed:
		m.confirmed += n
	case state == models.SignatureSuspect && confirmed != nil:
		m.suspect += n
	case state == models.SignaturePending, state == models.SignatureSuspect:
		m.pending += n
	}
}

// role opens what a signature says about its signer.
func (s *Service) role(sig models.Signature) (models.Role, error) {
	if sig.RoleSealed == nil {
		return models.RoleNone, nil
	}
	r, err := s.vault.Open("signatures", "role_sealed", sig.ID, sig.RoleSealed)
	return models.Role(r), err
}

// clear lets suspect signatures go the usual way, in tx: those that were confirmed by mail count from now on and get their number,
// those that wait are pending ones. Others of sigs are passed over. The caller holds the rows, read whole: see holdAll.
func (s *Service) clear(ctx context.Context, tx *gorm.DB, sigs []models.Signature) error {
	var turns []turn
	for _, sig := range sigs {
		if sig.State != models.SignatureSuspect {
			continue
		}
		to := models.SignaturePending
		if heldBack(sig) {
			to = models.SignatureConfirmed
		}
		turns = append(turns, turn{sig, to, map[string]any{"suspect_reason": ""}})
	}
	return s.turnAll(ctx, tx, turns)
}

// invalidate takes signatures out of the count in tx, as part of an invalidation: confirmed ones, and those that were confirmed and
// are held back. Others of sigs are passed over; done says how many were not. The caller holds the rows, read whole: see holdAll.
func (s *Service) invalidate(ctx context.Context, tx *gorm.DB, sigs []models.Signature, invalidation uuid.UUID) (done int, err error) {
	now := s.clk.Now()
	var turns []turn
	for _, sig := range sigs {
		if sig.State == models.SignatureConfirmed || heldBack(sig) {
			turns = append(turns, turn{sig, models.SignatureInvalidated, map[string]any{"invalidation_id": invalidation, "invalidated_at": now}})
		}
	}
	return len(turns), s.turnAll(ctx, tx, turns)
}

// revalidate undoes an invalidation in tx: those of sigs that it took out count again, with their old number, or are held back again
// if they were. Others are passed over; done says how many were not. The caller holds the rows, read whole: see holdAll.
func (s *Service) revalidate(ctx context.Context, tx *gorm.DB, sigs []models.Signature, invalidation uuid.UUID) (done int, err error) {
	var turns []turn
	for _, sig := range sigs {
		if sig.State == models.SignatureInvalidated && sig.InvalidationID != nil && *sig.InvalidationID == invalidation {
			turns = append(turns, turn{sig, standing(sig), map[string]any{"invalidation_id": nil, "invalidated_at": nil}})
		}
	}
	return len(turns), s.turnAll(ctx, tx, turns)
}

// onCount has hook called at the end of every transaction that moved the public number of petitions, in either direction, with their
// ids in the order in which everybody takes them; their rows are held. It is called for every batch of confirmations, so what it
// asks of the database is at most one read of an index where there is nothing to do. Call it before the service is used.
func (s *Service) onCount(hook func(ctx context.Context, tx *gorm.DB, petitions []uuid.UUID) error) {
	s.counting = append(s.counting, hook)
}

// afterCount tells everybody who asked by onCount that the public number of petitions moved. Whoever moves it, paper counts too,
// calls it at the end of the same transaction.
func (s *Service) afterCount(ctx context.Context, tx *gorm.DB, petitions []uuid.UUID) error {
	if len(petitions) == 0 {
		return nil
	}
	for _, hook := range s.counting {
		if err := hook(ctx, tx, petitions); err != nil {
			return err
		}
	}
	return nil
}

// holdAll reads signatures whole and holds them until tx ends: their mailboxes first and in one order, as signing and confirming do,
// so that neither waits for the other. Those that are gone are left out.
func holdAll(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) ([]models.Signature, error) {
	tx = tx.WithContext(ctx)
	hold := clause.Locking{Strength: "UPDATE"}
	var boxes []models.Mailbox
	err := tx.Clauses(hold).Select("id").Where("id IN (SELECT mailbox_id FROM signatures WHERE id IN ?)", ids).Order("address_hash").Find(&boxes).Error
	if err != nil {
		return nil, err
	}
	var rows []models.Signature
	err = tx.Clauses(hold).Where("id IN ?", ids).Order("id").Find(&rows).Error
	return rows, err
}
