package petitions

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

// Offer is what a mailed link of a starter leads to.
type Offer struct {
	Petition  models.Petition
	Confirmed bool   // the button was pressed before
	Lead      bool   // began it; else was invited
	Inviter   string // who did, "" where it is not known any more
}

func startGone() error {
	return fault.New(fault.Gone, "error.start_gone", "Next", "/petitions/resume")
}

// Offered reads what a mailed link leads to, and changes nothing. Whoever has the link may read it. The faults are those of
// tokens.Signer.Read; Gone, error.start_gone, where the draft or the invitation is there no more.
func (s *Service) Offered(ctx context.Context, token string) (Offer, error) {
	st, err := s.starterBy(ctx, s.db.DB, token)
	if err != nil {
		return Offer{}, err
	}
	o := Offer{Confirmed: st.ConfirmedAt != nil, Lead: st.Lead}
	if o.Petition, err = take(ctx, s.db.DB, st.PetitionID); err != nil || st.InvitedBy == nil {
		return o, err
	}
	var by models.PetitionStarter
	if err := s.db.WithContext(ctx).Where("id = ?", *st.InvitedBy).Limit(1).Find(&by).Error; err != nil || by.ID == uuid.Nil {
		return o, err
	}
	o.Inviter, err = s.starterName(by)
	return o, err
}

func (s *Service) starterBy(ctx context.Context, tx *gorm.DB, token string) (models.PetitionStarter, error) {
	var st models.PetitionStarter
	id, err := s.signer.Read(tokens.Starter, token, s.clk.Now())
	if err != nil {
		var f *fault.Error
		if errors.As(err, &f) && f.Kind == fault.Gone {
			return st, fault.New(fault.Gone, f.Key, "Next", "/petitions/resume")
		}
		return st, err
	}
	err = tx.WithContext(ctx).Where("id = ?", id).Take(&st).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = startGone()
	}
	return st, err
}

// TakeUp is the press on the button behind a mailed link: the address is proved, the starter confirmed. name is how somebody who
// was invited wants to be called, and show whether on the public page too; both say nothing where the starter began it. held is
// the cookie of the browser. It returns the petition and the new cookie. Pressing twice does it once. The faults are those of
// Offered, and Invalid with the field your_name.
func (s *Service) TakeUp(ctx context.Context, held, token, name string, show bool) (uuid.UUID, string, error) {
	now := s.clk.Now()
	var st models.PetitionStarter
	err := s.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		if st, err = s.starterBy(ctx, tx, token); err != nil {
			return err
		}
		if !st.Lead && st.ConfirmedAt == nil {
			var bad fault.Fields
			name = personName(&bad, "your_name", name)
			if err := bad.Err(); err != nil {
				return err
			}
			set := map[string]any{"name_sealed": s.vault.Seal("petition_starters", "name_sealed", st.ID, name), "shown_name": ""}
			if show {
				set["shown_name"] = name
			}
			if err := tx.Model(&models.PetitionStarter{}).Where("id = ?", st.ID).Updates(set).Error; err != nil {
				return err
			}
		}
		return confirmStarter(ctx, tx, st, now)
	})
	if err != nil {
		return uuid.Nil, held, err
	}
	return st.PetitionID, s.mark(held, tokens.Proved, st.MailboxID), nil
}

// confirmStarter notes in tx that the address of a starter was proved.
func confirmStarter(ctx context.Context, tx *gorm.DB, st models.PetitionStarter, now time.Time) error {
	tx = tx.WithContext(ctx)
	var box models.Mailbox
	if err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("id = ?", st.MailboxID).Take(&box).Error; err != nil {
		return err
	}
	if err := mailboxes.SignedUp(ctx, tx, []models.Mailbox{box}, now); err != nil {
		return err
	}
	set := map[string]any{"code_tries": 0}
	if st.ConfirmedAt == nil {
		set["confirmed_at"] = now
		// The 30 days of a draft begin now: what waited almost a week is not gone tomorrow.
		if err := tx.Model(&models.Petition{}).Where("id = ? AND state = ?", st.PetitionID, models.PetitionDraft).Update("updated_at", now).Error; err != nil {
			return err
		}
	}
	return tx.Model(&models.PetitionStarter{}).Where("id = ?", st.ID).Updates(set).Error
}

// Refuse deletes what a mailed link is about, because its reader did not begin it or does not want to: an invitation, or a draft
// whose lead never pressed the button. What was confirmed stays. The faults are those of Offered.
func (s *Service) Refuse(ctx context.Context, token string) error {
	now := s.clk.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		st, err := s.starterBy(ctx, tx, token)
		if err != nil {
			return err
		}
		switch {
		case st.ConfirmedAt != nil:
			return fault.New(fault.Conflict, "error.start_confirmed")
		case st.Lead:
			return s.dropDraft(ctx, tx, st.PetitionID, now)
		}
		return tx.Where("id = ? AND confirmed_at IS NULL", st.ID).Delete(&models.PetitionStarter{}).Error
	})
}

// ResumeCode goes on in another browser by the address and the code of a mail. held is that browser's cookie. Each draft takes
// five tries; then only the link works. It returns the petition and the new cookie. The fault is Invalid with the fields
// your_email and code, the same whether nothing waits, the code is wrong or the tries are used up.
func (s *Service) ResumeCode(ctx context.Context, held, email, code string) (uuid.UUID, string, error) {
	now := s.clk.Now()
	var bad fault.Fields
	typed, err := mailboxes.NewRow(s.vault, email, now)
	if err != nil {
		bad.Add("your_email", address.Key(err))
	}
	if strings.TrimSpace(code) == "" {
		bad.Add("code", "error.code_missing")
	}
	if err := bad.Err(); err != nil {
		return uuid.Nil, held, err
	}
	var rows []models.PetitionStarter
	// Counted and committed before the code is looked at: many tries at once are as many tries.
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		rows = nil
		return tx.Raw(`UPDATE petition_starters SET code_tries = code_tries + 1 WHERE code_tries < ? AND mailbox_id IN (SELECT id FROM mailboxes WHERE address_hash = ?)
			AND (lead OR confirmed_at IS NOT NULL) RETURNING *`, starterTries, typed.AddressHash).Scan(&rows).Error
	})
	if err != nil {
		return uuid.Nil, held, err
	}
	for _, st := range rows {
		if !s.signer.CodeMatches(tokens.Starter, st.ID, code) {
			continue
		}
		err := s.db.Tx(ctx, func(tx *gorm.DB) error {
			if err := tx.Model(&models.PetitionStarter{}).Where("mailbox_id = ?", st.MailboxID).Update("code_tries", 0).Error; err != nil {
				return err
			}
			return confirmStarter(ctx, tx, st, now)
		})
		return st.PetitionID, s.mark(held, tokens.Proved, st.MailboxID), err
	}
	bad.Add("code", "error.start_code_wrong")
	return uuid.Nil, held, bad.Err()
}

// ResumeMail queues the mail with the link and the code once more, to an address that begins or began a petition, within the
// limits of its mailbox. It answers the same for every address. The fault is Invalid with the field your_email.
func (s *Service) ResumeMail(ctx context.Context, email string) error {
	now := s.clk.Now()
	typed, err := mailboxes.NewRow(s.vault, email, now)
	if err != nil {
		return fault.Fields{{Name: "your_email", Key: address.Key(err)}}.Err()
	}
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		var box models.Mailbox
		err := tx.Clauses(clause.Locking{Strength: "UPDATE"}).Where("address_hash = ?", typed.AddressHash).Limit(1).Find(&box).Error
		if err != nil || box.ID == uuid.Nil {
			return err
		}
		var st models.PetitionStarter
		err = tx.Where("mailbox_id = ? AND (lead OR confirmed_at IS NOT NULL)", box.ID).Order("created_at DESC, id DESC").Limit(1).Find(&st).Error
		if err != nil || st.ID == uuid.Nil {
			return err
		}
		return s.mailStarter(ctx, tx, box, st, nil, "/"+now.Format("2006-01-02"), now)
	})
}
