package rosters

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/fault"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// againFor is for how long what was let go of can be had again by one press.
const againFor = 24 * time.Hour

// gone is what somebody let go of. Their browser keeps it, sealed: nothing here tells of it.
type gone struct {
	Assignment models.Assignment
	At         time.Time // when it was let go of
}

func (s *Service) goneSeal(a models.Assignment, now time.Time) (string, error) {
	a.ClientHash, a.ExpiresAt = nil, nil
	b, err := json.Marshal(gone{a, now})
	return base64.RawURLEncoding.EncodeToString(s.Vault.SealBytes("assignments", "again", a.ID[:], b)), err
}

func (s *Service) goneOpen(id uuid.UUID, kept string) (g gone, err error) {
	unknown := fault.New(fault.NotFound, "error.link_unknown")
	sealed, err := base64.RawURLEncoding.DecodeString(kept)
	if err != nil || len(sealed) == 0 {
		return g, unknown
	}
	b, err := s.Vault.OpenBytes("assignments", "again", id[:], sealed)
	if err != nil {
		return g, unknown
	}
	return g, json.Unmarshal(b, &g)
}

// HoldAgain gives back what was let go of by a mailed link, as it was, until a day after; its mails lead to it again. kept is Holding.Again of
// that press. Done twice it does nothing. Whoever has both may call it. The faults are NotFound, error.link_unknown; Gone, error.again_over and
// error.shift_gone; Conflict: error.again_taken where somebody else has the place, error.again_asked where they were asked and may say yes,
// error.roster_closed, error.roster_early, error.roster_clash, error.roster_needs. With a Conflict the answer says which place it is.
func (s *Service) HoldAgain(ctx context.Context, token, kept, lang string) (Holding, error) {
	now := s.Clock.Now()
	over := fault.New(fault.Gone, "error.again_over")
	id, err := s.Signer.Read(tokens.Cant, token, now)
	if fault.Is(err, fault.Gone) {
		return Holding{}, over
	}
	if err != nil {
		return Holding{}, err
	}
	g, err := s.goneOpen(id, kept)
	if err != nil {
		return Holding{}, err
	}
	if !now.Before(g.At.Add(againFor)) {
		return Holding{}, over
	}
	var h Holding
	err = s.DB.Tx(ctx, func(tx *gorm.DB) error {
		tx = tx.WithContext(ctx)
		a := g.Assignment
		sh, err := hold(ctx, tx, a.ShiftID)
		if err != nil {
			return err
		}
		var boxes []models.Mailbox
		if err := tx.Clauses(forUpdate).Where("id = ? AND suppressed_at IS NULL", a.MailboxID).Find(&boxes).Error; err != nil {
			return err
		}
		if len(boxes) == 0 {
			return over
		}
		list, err := s.takeOffered(ctx, tx, []uuid.UUID{sh.ID}, now)
		if err != nil {
			return err
		}
		h = Holding{OnOffer: list[0], As: a.AsWhat}
		no, _, err := s.takePersonal(ctx, tx, h.Roster, sh, a, now)
		if err != nil {
			return err
		}
		if err := s.takeRefused(no, h.Roster, lang); err != nil {
			return err
		}
		a.State = models.AssignmentConfirmed
		if a.Standby() {
			a.State = models.AssignmentHeld
		}
		if a.Fills() {
			if err := s.againRoom(tx, h.OnOffer, a.MailboxID); err != nil {
				return err
			}
		}
		since, confirmed := a.CreatedAt, a.ConfirmedAt
		a, err = s.seat(ctx, tx, sh, a, now)
		if f := takeFault(err); f != nil && f.Key == "error.shift_twice" {
			return nil
		}
		if err != nil {
			return err
		}
		if a.ID == id { // in their turn again, as if nothing had been
			if err := tx.Model(&models.Assignment{}).Where("id = ?", id).Updates(map[string]any{"created_at": since, "confirmed_at": confirmed}).Error; err != nil {
				return err
			}
		}
		if a.Fills() { // nobody needs to be looked for
			if err := s.again(ctx, tx, sh.ID, now); err != nil {
				return err
			}
		}
		return takeMail(ctx, tx, KindReceipt, a, "", nil, now)
	})
	return h, err
}

// againRoom says whether a place is left for who let it go: one that nobody has, and that nobody else was asked to take by a mail that left.
// Where it is theirs meanwhile there is nothing to say.
func (s *Service) againRoom(tx *gorm.DB, o OnOffer, box uuid.UUID) error {
	var own int64
	if err := tx.Model(&models.Assignment{}).Where("shift_id = ? AND mailbox_id = ? AND as_what = ?", o.ID, box, models.AsPlace).Count(&own).Error; err != nil || own > 0 {
		return err
	}
	if o.Free() == 0 {
		return fault.New(fault.Conflict, "error.again_taken")
	}
	var open []models.Offer
	if err := tx.Where("shift_id = ? AND state = ? AND mailbox_id <> ?", o.ID, models.OfferOpen, box).Find(&open).Error; err != nil || len(open) == 0 {
		return err
	}
	keys := make([]string, len(open))
	for i, x := range open {
		keys[i] = offerKey(x.ID)
	}
	var asked int64
	err := tx.Model(&models.Delivery{}).Where("dedupe_key IN ? AND state NOT IN ?", keys, []models.DeliveryState{
		models.DeliveryQueued, models.DeliveryDeferred, models.DeliveryFailed, models.DeliverySuppressed, models.DeliveryExpired,
	}).Count(&asked).Error
	if err == nil && int64(o.Free()) <= asked {
		err = fault.New(fault.Conflict, "error.again_asked")
	}
	return err
}
