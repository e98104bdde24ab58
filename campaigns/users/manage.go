package users

import (
	"context"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/models"
)

// ChangeRole gives an account another role or chapter (uuid.Nil: the whole organisation), at once for every session of it. It needs
// the right actor.ManageUsers. The faults are NotFound, Invalid on the fields role and chapter, and Conflict, error.last_owner.
func (s *Service) ChangeRole(ctx context.Context, a actor.Actor, id uuid.UUID, role actor.Role, chapter uuid.UUID) error {
	if err := a.Need(actor.ManageUsers); err != nil {
		return err
	}
	var f fault.Fields
	checkRole(&f, role)
	if err := checkChapter(ctx, s.db.DB, &f, role, chapter); err != nil {
		return err
	}
	if err := f.Err(); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		others, err := otherOwners(ctx, tx, id)
		if err != nil {
			return err
		}
		u, _, err := find(ctx, tx, id)
		same := u.Role == string(role)
		if err != nil || same && (u.ChapterID == nil) == (chapter == uuid.Nil) && (u.ChapterID == nil || *u.ChapterID == chapter) {
			return err
		}
		if !same && u.Role == string(actor.Owner) && others == 0 {
			return fault.New(fault.Conflict, "error.last_owner")
		}
		if err := tx.Model(&models.User{}).Where("id = ?", id).Updates(map[string]any{"role": string(role), "chapter_id": orNil(chapter), "updated_at": now}).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.role", "users", id, map[string]any{"from": u.Role, "to": string(role), "chapter": orNil(chapter)})
	})
}

// otherOwners counts the enabled owners but one, and holds all of them until tx ends: two owners who demote each other at
// the same moment do it one after the other.
func otherOwners(ctx context.Context, tx *gorm.DB, id uuid.UUID) (int, error) {
	var ids []uuid.UUID
	err := tx.WithContext(ctx).Model(&models.User{}).Clauses(clause.Locking{Strength: "UPDATE"}).
		Where("role = ? AND disabled_at IS NULL", string(actor.Owner)).Order("id").Pluck("id", &ids).Error
	n := 0
	for _, o := range ids {
		if o != id {
			n++
		}
	}
	return n, err
}

// Disable closes an account and ends its sessions, or opens it again where disabled is false. It needs the right actor.ManageUsers. The
// faults are NotFound and Conflict, error.last_owner.
func (s *Service) Disable(ctx context.Context, a actor.Actor, id uuid.UUID, disabled bool) error {
	if err := a.Need(actor.ManageUsers); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		others, err := otherOwners(ctx, tx, id)
		if err != nil {
			return err
		}
		u, _, err := find(ctx, tx, id)
		if err != nil || (u.DisabledAt != nil) == disabled {
			return err
		}
		set, action := map[string]any{"disabled_at": nil, "updated_at": now}, "user.enable"
		if disabled {
			if u.Role == string(actor.Owner) && others == 0 {
				return fault.New(fault.Conflict, "error.last_owner")
			}
			set["disabled_at"], action = now, "user.disable"
			if err := endAll(ctx, tx, id); err != nil {
				return err
			}
		}
		if err := tx.Model(&models.User{}).Where("id = ?", id).Updates(set).Error; err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, action, "users", id, nil)
	})
}

// UpdateProfile changes the actor's own name and language. It returns an Unauthenticated fault for anybody but a user, and
// an Invalid one with the fields name, language.
func (s *Service) UpdateProfile(ctx context.Context, a actor.Actor, name, locale string) error {
	if a.Kind != actor.User {
		return fault.New(fault.Unauthenticated, "error.login_needed")
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return err
	}
	var f fault.Fields
	name = checkName(&f, name)
	if organisation.Language(o, locale) != locale {
		f.Add("language", "error.value_unknown")
	}
	if err := f.Err(); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		err := tx.Model(&models.User{}).Where("id = ?", a.UserID).Updates(map[string]any{
			"name_sealed": s.vault.Seal("users", "name_sealed", a.UserID, name), "locale": locale, "updated_at": now,
		}).Error
		if err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.profile", "users", a.UserID, nil)
	})
}

// ChangePassword sets the actor's own password: current must be right, unless there was none. It ends every session of the
// account and every link to sign in, writes to its mailbox, and returns a fresh session for this browser. It returns an
// Unauthenticated fault for anybody but a user, an Invalid one with the fields current, password, and a TooMany one like
// Login.
func (s *Service) ChangePassword(ctx context.Context, a actor.Actor, v Visit, current, password string) (Session, error) {
	if a.Kind != actor.User {
		return Session{}, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	u, m, err := find(ctx, s.db.DB, a.UserID)
	if err != nil {
		return Session{}, err
	}
	email, err := mailboxes.Address(s.vault, m)
	if err != nil {
		return Session{}, err
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return Session{}, err
	}
	var f fault.Fields
	checkPassword(&f, "password", password, email, o)
	if err := f.Err(); err != nil {
		return Session{}, err
	}
	if u.PasswordHash != "" {
		at, err := s.attempt(ctx, s.try(passwordsOfAccount, m.AddressHash))
		if err != nil {
			return Session{}, err
		}
		ok, err := s.hasher.matches(ctx, u.PasswordHash, current)
		if err != nil {
			return Session{}, err
		}
		if !ok {
			f.Add("current", "error.password_wrong")
			return Session{}, f.Err()
		}
		if err := s.forgive(ctx, at); err != nil {
			return Session{}, err
		}
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return Session{}, err
	}
	now := s.clock.Now()
	var out Session
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		// The hash it was checked against must still be the one: of two changes at once the second has to know the first.
		r := tx.Model(&models.User{}).Where("id = ? AND password_hash = ? AND disabled_at IS NULL", u.ID, u.PasswordHash).
			Updates(map[string]any{"password_hash": hash, "password_changed_at": now, "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.changed_meanwhile")
		}
		if err := endAll(ctx, tx, u.ID); err != nil {
			return err
		}
		_, err := deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindPasswordChanged, MailboxID: u.MailboxID, SubjectID: u.ID, Purpose: models.PurposeReceipt,
			DedupeKey: "password_changed/" + models.NewID().String(), Priority: models.PriorityReceipt, OnUnknown: models.Resend,
		}, now)
		if err != nil {
			return err
		}
		if err := audit.Write(ctx, tx, a, now, "user.password", "users", u.ID, nil); err != nil {
			return err
		}
		changed := u // the transaction may run again: u stays as it was read
		changed.PasswordHash = hash
		// Who is signed in took the second step already, where there is one.
		out, err = s.openSecond(ctx, tx, changed, v, "password_change", now)
		return err
	})
	return out, err
}
