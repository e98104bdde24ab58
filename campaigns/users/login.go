package users

import (
	"context"
	"errors"
	"strings"
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

const (
	linkLife     = 30 * time.Minute
	terminalLife = 24 * time.Hour // of a link that the server's own terminal shows
)

// Login signs in with a password. Whether the address is unknown, the password wrong, or the account disabled or without a
// password, the answer is the same Invalid fault, error.login_wrong, after the same work. Too many tries are a TooMany
// fault, error.login_throttled, with RetryAfter.
func (s *Service) Login(ctx context.Context, v Visit, email, password string) (Session, error) {
	hash := s.typedHash(email)
	at, err := s.attempt(ctx, s.try(passwordsOfAccount, hash), s.try(passwordsOfClient, []byte(v.Client.String())))
	if err != nil {
		return Session{}, err
	}
	u, known, err := byAddress(ctx, s.db.DB, hash)
	if err != nil {
		return Session{}, err
	}
	phc := ""
	if known {
		phc = u.PasswordHash
	}
	if len(password) > 4*MaxPassword { // longer than any password: not worth the work of hashing it whole
		password = password[:4*MaxPassword]
	}
	ok, err := s.hasher.matches(ctx, phc, password)
	if err != nil {
		return Session{}, err
	}
	if !ok {
		return Session{}, fault.New(fault.Invalid, "error.login_wrong")
	}
	if err := s.forgive(ctx, at); err != nil {
		return Session{}, err
	}
	var out Session
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		out, err = s.open(ctx, tx, u, v, "password", s.clock.Now())
		return err
	})
	if fault.Is(err, fault.Conflict) { // the password was changed this very moment
		err = fault.New(fault.Invalid, "error.login_wrong")
	}
	return out, err
}

// typedHash is the address hash of what was typed into the sign-in form; of something that is no address, a hash that no
// mailbox has.
func (s *Service) typedHash(typed string) []byte {
	canonical, _, err := address.CanonicalAddress(typed)
	if err != nil {
		return s.vault.Hash("users/no-address", []byte(strings.ToLower(strings.TrimSpace(typed))))
	}
	return s.vault.AddressHash(canonical)
}

// RequestLoginLink mails a link to sign in, if there is an account for the address; the answer is the same where there is
// none. It returns an Invalid fault on the field email for something that is no address, and a TooMany fault like Login.
func (s *Service) RequestLoginLink(ctx context.Context, v Visit, email string) error {
	canonical, _, err := address.CanonicalAddress(email)
	if err != nil {
		var f fault.Fields
		f.Add("email", address.Key(err))
		return f.Err()
	}
	hash := s.vault.AddressHash(canonical)
	if _, err := s.attempt(ctx, s.try(linksOfAccount, hash), s.try(linksOfClient, []byte(v.Client.String()))); err != nil {
		return err
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		u, known, err := byAddress(ctx, tx, hash)
		if err != nil {
			return err
		}
		if !known { // something is written and committed all the same: the time it takes tells nothing
			return tx.Create(&models.LoginFailure{ID: models.NewID(), KeyHash: s.vault.Hash("users/link/unknown", hash), At: now}).Error
		}
		l, err := newLink(ctx, tx, u.ID, linkLife, now)
		if err != nil {
			return err
		}
		_, err = deliveries.Insert(ctx, tx, deliveries.New{
			Kind: KindLoginLink, MailboxID: u.MailboxID, SubjectID: l.ID, Purpose: models.PurposeReceipt, DedupeKey: "login_link/" + l.ID.String(),
			Priority: models.PriorityReceipt, OnUnknown: models.Resend, ExpiresAt: &l.ExpiresAt,
		}, now)
		return err
	})
}

func newLink(ctx context.Context, tx *gorm.DB, userID uuid.UUID, life time.Duration, now time.Time) (models.LoginLink, error) {
	l := models.LoginLink{ID: models.NewID(), UserID: userID, CreatedAt: now, ExpiresAt: now.Add(life)}
	return l, tx.WithContext(ctx).Create(&l).Error
}

// LoginPath is the page that a token of LoginLinkFor opens.
func LoginPath(token string) string { return "/admin/login/" + token }

// LoginLinkFor makes a link that signs a user in, to be shown on the server's own terminal: it is good for a day, once, on
// the page LoginPath. Only the system may ask; everybody else gets a Forbidden fault.
func (s *Service) LoginLinkFor(ctx context.Context, a actor.Actor, userID uuid.UUID) (token string, err error) {
	if a.Kind != actor.System {
		return "", fault.New(fault.Forbidden, "error.forbidden")
	}
	now := s.clock.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		u, _, err := find(ctx, tx, userID)
		if err != nil {
			return err
		}
		if u.DisabledAt != nil {
			return fault.New(fault.Conflict, "error.user_disabled")
		}
		l, err := newLink(ctx, tx, u.ID, terminalLife, now)
		if err != nil {
			return err
		}
		token = s.tokens.Make(tokens.Login, l.ID, l.ExpiresAt)
		return audit.Write(ctx, tx, a, now, "user.login_link", "users", u.ID, nil)
	})
	return token, err
}

// CheckLoginLink says whether a link can still sign in: for the page with the button. It changes nothing. The faults are
// NotFound, error.link_unknown, and Gone: error.link_expired or error.link_used.
func (s *Service) CheckLoginLink(ctx context.Context, token string) error {
	_, _, err := s.link(ctx, s.db.DB, token)
	return err
}

func (s *Service) link(ctx context.Context, tx *gorm.DB, token string) (l models.LoginLink, u models.User, err error) {
	now := s.clock.Now()
	id, err := s.tokens.Read(tokens.Login, token, now)
	if err != nil {
		return l, u, err
	}
	tx = tx.WithContext(ctx)
	if err = tx.Where("id = ?", id).Take(&l).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return l, u, fault.New(fault.Gone, "error.link_expired")
	} else if err != nil {
		return l, u, err
	}
	if l.UsedAt != nil {
		return l, u, fault.New(fault.Gone, "error.link_used")
	}
	if !now.Before(l.ExpiresAt) {
		return l, u, fault.New(fault.Gone, "error.link_expired")
	}
	if u, _, err = find(ctx, tx, l.UserID); err == nil && u.DisabledAt != nil {
		err = fault.New(fault.Gone, "error.link_expired")
	}
	return l, u, err
}

// UseLoginLink signs in by a link, once. The faults are those of CheckLoginLink.
func (s *Service) UseLoginLink(ctx context.Context, v Visit, token string) (Session, error) {
	now := s.clock.Now()
	var out Session
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		l, u, err := s.link(ctx, tx, token)
		if err != nil {
			return err
		}
		r := tx.Model(&models.LoginLink{}).Where("id = ? AND used_at IS NULL", l.ID).Update("used_at", now)
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 { // another request was faster
			return fault.New(fault.Gone, "error.link_used")
		}
		if l.ExpiresAt.Sub(l.CreatedAt) == linkLife { // it came by mail, so somebody reads that mailbox
			if err := mailboxes.Verify(ctx, tx, u.MailboxID, now); err != nil {
				return err
			}
		}
		out, err = s.open(ctx, tx, u, v, "link", now)
		return err
	})
	return out, err
}
