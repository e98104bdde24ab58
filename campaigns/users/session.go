package users

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/fault"
	"kithline/models"
)

const (
	sessionLife  = 14 * 24 * time.Hour
	sessionBytes = 32
	seenEvery    = time.Minute
)

// Session is a sign-in: what the browser keeps.
type Session struct {
	Token   string
	Expires time.Time
	UserID  uuid.UUID
	Locale  string // the user's language
	Half    bool   // a second step is to come: the token opens the page for its code and nothing else
}

// open makes a session in tx, ends the one that the browser held, and notes the sign-in. how is "password", "link",
// "setup", "invitation", "password_change" or "second_step". It returns a Conflict fault, error.changed_meanwhile, where u is out of date.
func (s *Service) open(ctx context.Context, tx *gorm.DB, u models.User, v Visit, how string, now time.Time) (Session, error) {
	if u.TOTPSince != nil {
		return s.start(ctx, tx, u, v, models.Session{ExpiresAt: now.Add(halfLife)}, how, now)
	}
	return s.start(ctx, tx, u, v, models.Session{ExpiresAt: now.Add(sessionLife)}, how, now)
}

// openSecond is open for whoever took the second step.
func (s *Service) openSecond(ctx context.Context, tx *gorm.DB, u models.User, v Visit, how string, now time.Time) (Session, error) {
	return s.start(ctx, tx, u, v, models.Session{ExpiresAt: now.Add(sessionLife), SecondStepAt: &now}, how, now)
}

func (s *Service) start(ctx context.Context, tx *gorm.DB, u models.User, v Visit, row models.Session, how string, now time.Time) (Session, error) {
	raw := make([]byte, sessionBytes)
	_, _ = rand.Read(raw) // never fails
	row.ID, row.TokenHash, row.UserID, row.CreatedAt, row.SeenAt = models.NewID(), s.vault.Hash("users/session", raw), u.ID, now, now
	tx = tx.WithContext(ctx)
	// What was proved a moment ago must still hold: a password change or a closed account ends all sessions, this one too.
	r := tx.Model(&models.User{}).Where("id = ? AND password_hash = ? AND disabled_at IS NULL", u.ID, u.PasswordHash).
		Updates(map[string]any{"last_login_at": now})
	if r.Error != nil {
		return Session{}, r.Error
	}
	if r.RowsAffected == 0 {
		return Session{}, fault.New(fault.Conflict, "error.changed_meanwhile")
	}
	if err := s.end(ctx, tx, v.OldToken); err != nil {
		return Session{}, err
	}
	if err := tx.Create(&row).Error; err != nil {
		return Session{}, err
	}
	if err := audit.Write(ctx, tx, as(u, v.RequestID), now, "user.login", "users", u.ID, map[string]any{"how": how}); err != nil {
		return Session{}, err
	}
	return Session{
		Token: base64.RawURLEncoding.EncodeToString(raw), Expires: row.ExpiresAt, UserID: u.ID, Locale: u.Locale, Half: u.TOTPSince != nil && row.SecondStepAt == nil,
	}, nil
}

// end removes the session of a cookie, if it is one.
func (s *Service) end(ctx context.Context, tx *gorm.DB, token string) error {
	hash, ok := s.sessionHash(token)
	if !ok {
		return nil
	}
	return tx.WithContext(ctx).Where("token_hash = ?", hash).Delete(&models.Session{}).Error
}

func (s *Service) sessionHash(token string) ([]byte, bool) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) != sessionBytes {
		return nil, false
	}
	return s.vault.Hash("users/session", raw), true
}

// Authenticate says whose session cookie it is: for web.Options. It returns an Unauthenticated fault for a cookie that is
// none, has ended, waits for its second step, or belongs to a disabled account. When the session was seen is noted at most once a minute.
func (s *Service) Authenticate(ctx context.Context, cookie string) (actor.Actor, string, error) {
	nobody := fault.New(fault.Unauthenticated, "error.login_needed")
	hash, ok := s.sessionHash(cookie)
	if !ok {
		return actor.Actor{}, "", nobody
	}
	now := s.clock.Now()
	var sessions []models.Session
	err := s.db.WithContext(ctx).Where("token_hash = ? AND expires_at > ?", hash, now).Limit(1).Find(&sessions).Error
	if err != nil {
		return actor.Actor{}, "", err
	}
	if len(sessions) == 0 {
		return actor.Actor{}, "", nobody
	}
	session := sessions[0]
	var users []models.User
	if err := s.db.WithContext(ctx).Where("id = ? AND disabled_at IS NULL", session.UserID).Limit(1).Find(&users).Error; err != nil {
		return actor.Actor{}, "", err
	}
	if len(users) == 0 || users[0].TOTPSince != nil && session.SecondStepAt == nil {
		return actor.Actor{}, "", nobody
	}
	name, err := s.name(users[0])
	if err != nil {
		return actor.Actor{}, "", err
	}
	if now.Sub(session.SeenAt) >= seenEvery {
		// A database that can't be written to (a full disk) must not keep people from reading: the time stays as it was.
		_ = s.db.WithContext(ctx).Model(&models.Session{}).Where("id = ? AND seen_at < ?", session.ID, now).Update("seen_at", now).Error
	}
	a := as(users[0], "")
	a.OneStep = users[0].TOTPSince == nil && !s.oneStep
	return a, name, nil
}

// Logout ends the session of a cookie. One that has ended already is no error.
func (s *Service) Logout(ctx context.Context, a actor.Actor, cookie string) error {
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		if err := s.end(ctx, tx, cookie); err != nil {
			return err
		}
		if a.Kind != actor.User {
			return nil
		}
		return audit.Write(ctx, tx, a, s.clock.Now(), "user.logout", "users", a.UserID, nil)
	})
}

// LogoutOthers ends every session of the actor but that of the cookie, and returns how many that were.
func (s *Service) LogoutOthers(ctx context.Context, a actor.Actor, cookie string) (int, error) {
	if a.Kind != actor.User {
		return 0, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	hash, _ := s.sessionHash(cookie)
	var n int64
	err := s.db.Tx(ctx, func(tx *gorm.DB) error {
		r := tx.Where("user_id = ? AND token_hash <> ?", a.UserID, hash).Delete(&models.Session{})
		if n = r.RowsAffected; r.Error != nil {
			return r.Error
		}
		return audit.Write(ctx, tx, a, s.clock.Now(), "user.logout_others", "users", a.UserID, map[string]any{"sessions": n})
	})
	return int(n), err
}

// Sessions counts the sessions of the actor that are open now.
func (s *Service) Sessions(ctx context.Context, a actor.Actor) (int, error) {
	var n int64
	err := s.db.WithContext(ctx).Model(&models.Session{}).Where("user_id = ? AND expires_at > ?", a.UserID, s.clock.Now()).Count(&n).Error
	return int(n), err
}

// endAll removes every session of a user and every link that could still sign them in.
func endAll(ctx context.Context, tx *gorm.DB, userID uuid.UUID) error {
	tx = tx.WithContext(ctx)
	if err := tx.Where("user_id = ?", userID).Delete(&models.Session{}).Error; err != nil {
		return err
	}
	return tx.Where("user_id = ? AND used_at IS NULL", userID).Delete(&models.LoginLink{}).Error
}

// Sweep deletes what has run out: sessions, links to sign in, failed tries, and invitations that nobody took up. A job
// calls it every hour; it may run on several nodes.
func (s *Service) Sweep(ctx context.Context) error {
	now := s.clock.Now()
	db := s.db.WithContext(ctx)
	if err := db.Where("expires_at <= ?", now).Delete(&models.Session{}).Error; err != nil {
		return err
	}
	if err := db.Where("expires_at <= ?", now.Add(-24*time.Hour)).Delete(&models.LoginLink{}).Error; err != nil {
		return err
	}
	if err := db.Where("at <= ?", now.Add(-window)).Delete(&models.LoginFailure{}).Error; err != nil {
		return err
	}
	return db.Where("accepted_at IS NULL AND expires_at <= ?", now.Add(-30*24*time.Hour)).Delete(&models.Invitation{}).Error
}
