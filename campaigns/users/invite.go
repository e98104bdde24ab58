package users

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/address"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/tokens"
	"kithline/models"
)

const inviteLife = 7 * 24 * time.Hour

// Invited is an invitation that nobody has taken up yet.
type Invited struct {
	ID        uuid.UUID
	Email     string
	Role      actor.Role
	ChapterID *uuid.UUID
	CreatedAt time.Time
	ExpiresAt time.Time
	Expired   bool
}

func checkEmail(f *fault.Fields, typed string) string {
	canonical, _, err := address.CanonicalAddress(typed)
	if err != nil {
		f.Add("email", address.Key(err))
	}
	return canonical
}

// Invite asks somebody by mail to open an account, for a chapter or, with uuid.Nil, for the whole organisation. An open invitation
// to the same address is replaced. It needs the right actor.ManageUsers and returns an Invalid fault with the fields email, role,
// chapter.
func (s *Service) Invite(ctx context.Context, a actor.Actor, email string, role actor.Role, chapter uuid.UUID) (uuid.UUID, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return uuid.Nil, err
	}
	var f fault.Fields
	email = checkEmail(&f, email)
	checkRole(&f, role)
	if err := checkChapter(ctx, s.db.DB, &f, role, chapter); err != nil {
		return uuid.Nil, err
	}
	if err := f.Err(); err != nil {
		return uuid.Nil, err
	}
	now := s.clock.Now()
	inv := models.Invitation{ID: models.NewID(), Role: string(role), ChapterID: orNil(chapter), CreatedAt: now, ExpiresAt: now.Add(inviteLife)}
	inv.InvitedBy = a.Account()
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		m, err := mailboxes.Ensure(ctx, tx, s.vault, email, now)
		if err != nil {
			return err
		}
		var n int64
		if err := tx.Model(&models.User{}).Where("mailbox_id = ?", m.ID).Count(&n).Error; err != nil {
			return err
		}
		if n > 0 {
			var f fault.Fields
			f.Add("email", "error.user_exists")
			return f.Err()
		}
		err = tx.Model(&models.Invitation{}).Where("mailbox_id = ? AND accepted_at IS NULL AND revoked_at IS NULL", m.ID).
			Update("revoked_at", now).Error
		if err != nil {
			return err
		}
		inv.MailboxID = m.ID
		if err := tx.Create(&inv).Error; err != nil {
			return err
		}
		_, err = deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindInvitation, MailboxID: m.ID, SubjectID: inv.ID, Purpose: models.PurposeReceipt, DedupeKey: "invitation/" + inv.ID.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &inv.ExpiresAt,
		}, now)
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.invite", "invitations", inv.ID, map[string]any{"role": inv.Role})
	})
	return inv.ID, err
}

// Invitations lists those that nobody has taken up, newest first. It needs the right actor.ManageUsers.
func (s *Service) Invitations(ctx context.Context, a actor.Actor) ([]Invited, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return nil, err
	}
	var rows []models.Invitation
	err := s.db.WithContext(ctx).Where("accepted_at IS NULL AND revoked_at IS NULL").Order("created_at DESC, id DESC").Limit(200).Find(&rows).Error
	if err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, r := range rows {
		ids[i] = r.MailboxID
	}
	boxes, err := boxes(ctx, s.db.DB, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Invited, len(rows))
	for i, r := range rows {
		if out[i], err = s.invited(r, boxes[r.MailboxID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (s *Service) invited(r models.Invitation, m models.Mailbox) (Invited, error) {
	email, err := mailboxes.Address(s.vault, m)
	return Invited{
		ID: r.ID, Email: email, Role: actor.Role(r.Role), ChapterID: r.ChapterID, CreatedAt: r.CreatedAt, ExpiresAt: r.ExpiresAt,
		Expired: !s.clock.Now().Before(r.ExpiresAt),
	}, err
}

// Revoke takes an invitation back. It needs the right actor.ManageUsers and returns a NotFound fault for one that is not
// open any more.
func (s *Service) Revoke(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ManageUsers); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Model(&models.Invitation{}).Where("id = ? AND accepted_at IS NULL AND revoked_at IS NULL", id).Update("revoked_at", now)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.NotFound, "error.not_found")
		}
		return audit.Write(ctx, tx, a, now, "user.revoke_invitation", "invitations", id, nil)
	})
}

// Invitation returns what a token invites to: for the page that it opens. It changes nothing. The faults are NotFound,
// error.link_unknown, and Gone: error.link_expired, error.link_used, error.invitation_revoked.
func (s *Service) Invitation(ctx context.Context, token string) (Invited, error) {
	r, m, err := s.invitation(ctx, s.db.DB, token)
	if err != nil {
		return Invited{}, err
	}
	return s.invited(r, m)
}

func (s *Service) invitation(ctx context.Context, tx *gorm.DB, token string) (r models.Invitation, m models.Mailbox, err error) {
	id, err := s.tokens.Read(tokens.Invite, token, s.clock.Now())
	if err != nil {
		return r, m, err
	}
	tx = tx.WithContext(ctx)
	if err = tx.Where("id = ?", id).Take(&r).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return r, m, fault.New(fault.Gone, "error.link_expired")
	} else if err != nil {
		return r, m, err
	}
	switch {
	case r.AcceptedAt != nil:
		return r, m, fault.New(fault.Gone, "error.link_used")
	case r.RevokedAt != nil:
		return r, m, fault.New(fault.Gone, "error.invitation_revoked")
	case !s.clock.Now().Before(r.ExpiresAt):
		return r, m, fault.New(fault.Gone, "error.link_expired")
	}
	err = tx.Where("id = ?", r.MailboxID).Take(&m).Error
	return r, m, err
}

// Accept takes an invitation up: it makes the account and signs in. in.Email is not looked at, the account is the invited
// mailbox's. The faults are those of Invitation, and an Invalid one with the fields name, password.
func (s *Service) Accept(ctx context.Context, v Visit, token string, in Person) (Session, error) {
	_, m, err := s.invitation(ctx, s.db.DB, token)
	if err != nil {
		return Session{}, err
	}
	email, err := mailboxes.Address(s.vault, m)
	if err != nil {
		return Session{}, err
	}
	in.Email = email
	hash, err := s.ready(ctx, &in)
	if err != nil {
		return Session{}, err
	}
	now := s.clock.Now()
	var out Session
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		r, m, err := s.invitation(ctx, tx, token)
		if err != nil {
			return err
		}
		done := tx.Model(&models.Invitation{}).Where("id = ? AND accepted_at IS NULL AND revoked_at IS NULL", r.ID).Update("accepted_at", now)
		if done.Error != nil {
			return done.Error
		}
		if done.RowsAffected == 0 { // another request was faster
			return fault.New(fault.Gone, "error.link_used")
		}
		if err := mailboxes.Verify(ctx, tx, m.ID, now); err != nil {
			return err
		}
		u, err := s.insert(ctx, tx, m, in.Name, actor.Role(r.Role), r.ChapterID, in.Locale, hash, now)
		if fault.Is(err, fault.Invalid) { // somebody added the account on the terminal meanwhile
			return fault.New(fault.Gone, "error.link_used")
		}
		if err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, as(u, v.RequestID), now, "user.accept", "invitations", r.ID, map[string]any{"role": r.Role}); err != nil {
			return err
		}
		out, err = s.open(ctx, tx, u, v, "invitation", now)
		return err
	})
	return out, err
}
