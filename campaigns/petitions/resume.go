package petitions

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/confirmations"
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

// KindDraft is what a petition that was begun without an account is on the page that confirms.
const KindDraft = "draft"

// DraftSource lets petitions that were begun wait behind the door of campaigns/confirmations: app/wire.go registers it there. An
// invitation is not among them: who takes one up says a name, on the page of its own link.
func (s *Service) DraftSource() confirmations.Source { return draftSource{s} }

type draftSource struct{ s *Service }

// leads reads the drafts that wait at a mailbox, and those of ids that were confirmed before, oldest first.
func (c draftSource) leads(ctx context.Context, tx *gorm.DB, box uuid.UUID, ids []uuid.UUID, now time.Time) (rows []models.PetitionStarter, of map[uuid.UUID]models.Petition, err error) {
	tx = tx.WithContext(ctx)
	err = tx.Where("mailbox_id = ? AND lead AND (id IN ? OR confirmed_at IS NULL AND created_at > ?)", box, append(slices.Clone(ids), uuid.Nil), now.Add(-unconfirmedFor)).
		Order("created_at, id").Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return nil, nil, err
	}
	want := make([]uuid.UUID, len(rows))
	for i, st := range rows {
		want[i] = st.PetitionID
	}
	var found []models.Petition
	err = tx.Where("id IN ?", want).Find(&found).Error
	of = map[uuid.UUID]models.Petition{}
	for _, p := range found {
		of[p.ID] = p
	}
	return rows, of, err
}

func (c draftSource) item(st models.PetitionStarter, p models.Petition) confirmations.Item {
	return confirmations.Item{ID: st.ID, Kind: KindDraft, Title: p.Title, TitleLocale: p.Locale, Thanks: "/petitions/resume", At: st.CreatedAt, Open: true}
}

// Waiting is part of confirmations.Source. What was confirmed is not listed: its link opens it, and is in a mail of its own.
func (c draftSource) Waiting(ctx context.Context, box uuid.UUID, now time.Time) (confirmations.Waiting, error) {
	var out confirmations.Waiting
	rows, of, err := c.leads(ctx, c.s.db.DB, box, nil, now)
	for _, st := range rows {
		out.Items = append(out.Items, c.item(st, of[st.PetitionID]))
	}
	return out, err
}

// Confirm is part of confirmations.Source. Who pressed goes on by the draft's own link, which is mailed too where it was not yet.
func (c draftSource) Confirm(ctx context.Context, box uuid.UUID, ids []uuid.UUID) (confirmations.Confirmed, error) {
	s, now := c.s, c.s.clk.Now()
	var out confirmations.Confirmed
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		out = confirmations.Confirmed{Already: true}
		rows, of, err := c.leads(ctx, tx, box, ids, now)
		if err != nil {
			return err
		}
		for _, st := range rows {
			if !slices.Contains(ids, st.ID) {
				continue
			}
			i := c.item(st, of[st.PetitionID])
			if st.ConfirmedAt == nil {
				out.Already, i.Thanks = false, s.starterPath(st)
				if err := confirmStarter(ctx, tx, st, now); err != nil {
					return err
				}
				var m models.Mailbox
				if err := tx.Where("id = ?", box).Take(&m).Error; err != nil {
					return err
				}
				if err := s.mailStarter(ctx, tx, m, st, nil, "", now); err != nil {
					return err
				}
			}
			out.Items = append(out.Items, i)
		}
		if len(out.Items) == 0 {
			return fault.New(fault.Gone, "error.confirm_nothing")
		}
		return nil
	})
	return out, err
}

// Disown is part of confirmations.Source.
func (c draftSource) Disown(ctx context.Context, box uuid.UUID, ids []uuid.UUID) error {
	now := c.s.clk.Now()
	return c.s.db.Tx(ctx, func(tx *gorm.DB) error {
		q := tx.Where("mailbox_id = ? AND lead AND confirmed_at IS NULL", box)
		if len(ids) > 0 {
			q = q.Where("id IN ?", ids)
		}
		var rows []models.PetitionStarter
		if err := q.Find(&rows).Error; err != nil {
			return err
		}
		for _, st := range rows {
			if err := c.s.dropDraft(ctx, tx, st.PetitionID, now); err != nil {
				return err
			}
		}
		return nil
	})
}

// Try is part of confirmations.Source: the code of a draft is typed on a page of its own, see ResumeCode.
func (c draftSource) Try(context.Context, []uuid.UUID, int) ([]confirmations.Tried, error) {
	return nil, nil
}

// Again is part of confirmations.Source: see ResumeMail.
func (c draftSource) Again(context.Context, []uuid.UUID) error { return nil }

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
