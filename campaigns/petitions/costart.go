package petitions

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/models"
)

// Invite asks somebody by address to write a petition together. It needs the starter who leads. It answers the same whether the
// address was invited before. The faults are Invalid with the field co_email; Conflict, error.start_many, where so many write it
// already; Forbidden, error.start_lead_only.
func (s *Service) Invite(ctx context.Context, a actor.Actor, id uuid.UUID, email string) error {
	now := s.clk.Now()
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return err
	}
	if err := proved(a); err != nil {
		return err
	}
	typed, err := mailboxes.NewRow(s.vault, email, now)
	if err != nil {
		return fault.Fields{{Name: "co_email", Key: address.Key(err)}}.Err()
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := needLead(ctx, tx, a, id); err != nil {
			return err
		}
		me, err := starterOf(ctx, tx, a, id)
		if err != nil || me == nil {
			return unknown()
		}
		// The row is held, so that two invitations at once are counted one after the other.
		if err := tx.Exec("UPDATE petitions SET updated_at = updated_at WHERE id = ?", id).Error; err != nil {
			return err
		}
		boxes, _, err := mailboxes.EnsureAll(ctx, tx, []models.Mailbox{typed})
		if err != nil {
			return err
		}
		box := boxes[string(typed.AddressHash)]
		var all []models.PetitionStarter
		if err := tx.Where("petition_id = ?", id).Find(&all).Error; err != nil {
			return err
		}
		for _, st := range all {
			if st.MailboxID == box.ID {
				if st.ConfirmedAt != nil {
					return nil
				}
				return s.mailStarter(ctx, tx, box, st, nil, "/"+now.Format("2006-01-02"), now)
			}
		}
		if len(all) >= StartersMost {
			return fault.Fields{{Name: "co_email", Key: "error.start_many", Args: []any{"Max", StartersMost}}}.Err()
		}
		st := models.PetitionStarter{ID: models.NewID(), PetitionID: id, MailboxID: box.ID, Locale: p.Locale, InvitedBy: &me.ID, CreatedAt: now}
		if err := tx.Create(&st).Error; err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "petition.invite", "petitions", id, map[string]any{"starter": st.ID}); err != nil {
			return err
		}
		return s.mailStarter(ctx, tx, box, st, nil, "", now)
	})
}

// RemoveStarter ends that somebody writes along: the lead removes others, the others themselves. The faults are Forbidden,
// error.start_lead_only; NotFound.
func (s *Service) RemoveStarter(ctx context.Context, a actor.Actor, id, starter uuid.UUID) error {
	now := s.clk.Now()
	p, err := mine(ctx, s.db.DB, a, id)
	if err != nil {
		return err
	}
	if err := proved(a); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		me, err := starterOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if me == nil || !me.Lead && me.ID != starter {
			return fault.New(fault.Forbidden, "error.start_lead_only")
		}
		r := tx.Where("id = ? AND petition_id = ? AND NOT lead", starter, id).Delete(&models.PetitionStarter{})
		if r.Error != nil || r.RowsAffected == 0 {
			if r.Error == nil {
				return fault.New(fault.NotFound, "error.not_found")
			}
			return r.Error
		}
		Changed(tx, p.Slug) // a name may be on the page no more
		return audit.Write(ctx, tx, a, now, "petition.remove_starter", "petitions", id, map[string]any{"starter": starter})
	})
}

// ShowName sets whether a starter's own name shows on the public page.
func (s *Service) ShowName(ctx context.Context, a actor.Actor, id uuid.UUID, show bool) error {
	if err := proved(a); err != nil {
		return err
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		me, err := starterOf(ctx, tx, a, id)
		if err != nil {
			return err
		}
		if me == nil {
			return unknown()
		}
		name := ""
		if show {
			if name, err = s.starterName(*me); err != nil {
				return err
			}
		}
		p, err := take(ctx, tx, id)
		if err != nil {
			return err
		}
		Changed(tx, p.Slug)
		return tx.Model(&models.PetitionStarter{}).Where("id = ?", me.ID).Update("shown_name", name).Error
	})
}
