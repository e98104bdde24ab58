package users

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"net/url"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"gorm.io/gorm"

	"kithline/campaigns/actor"
	"kithline/campaigns/audit"
	"kithline/campaigns/deliveries"
	"kithline/campaigns/fault"
	"kithline/campaigns/today"
	"kithline/models"
)

const (
	codePeriod  = 30 * time.Second // RFC 6238, section 5.2
	codeDigits  = otp.DigitsSix
	secretBytes = 20 // the length of SHA-1's output, RFC 4226, section 4

	halfLife = 15 * time.Minute // how long a sign-in may wait for its second step

	recoveryCodes = 10
	// recoveryLetters are 32 that nobody takes for another one: 50 random bits in ten of them.
	recoveryLetters = "23456789abcdefghjkmnpqrstuvwxyz0"
	recoveryLength  = 10
)

// TwoStep says where the actor's own second step stands.
type TwoStep struct {
	Since    *time.Time // nil: not set up
	Begun    bool       // a secret is shown and waits for its first code
	Secret   string     // Begun: for typing, in groups of four
	URL      string     // Begun: the same for a QR code (otpauth)
	Codes    int        // recovery codes that are left
	Required bool       // the account has rights that wait for it
}

// TwoStep returns the actor's own second step. It returns an Unauthenticated fault for anybody but a user.
func (s *Service) TwoStep(ctx context.Context, a actor.Actor) (TwoStep, error) {
	if a.Kind != actor.User {
		return TwoStep{}, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	u, m, err := find(ctx, s.db.DB, a.UserID)
	if err != nil {
		return TwoStep{}, err
	}
	t := TwoStep{Since: u.TOTPSince, Required: a.NeedsTwoStep()}
	if t.Since != nil {
		var n int64
		err := s.db.WithContext(ctx).Model(&models.RecoveryCode{}).Where("user_id = ? AND used_at IS NULL", u.ID).Count(&n).Error
		t.Codes = int(n)
		return t, err
	}
	secret, err := s.secret(u)
	if err != nil || secret == "" {
		return t, err
	}
	own, err := s.account(u, m)
	if err != nil {
		return t, err
	}
	o, err := s.org.Current(ctx)
	if err != nil {
		return t, err
	}
	t.Begun, t.Secret, t.URL = true, inGroups(secret, 4, " "), keyURL(o, own.Email, secret)
	return t, nil
}

// keyURL is what programs for codes read from a QR code.
func keyURL(o models.Organisation, account, secret string) string {
	q := url.Values{"secret": {secret}, "issuer": {o.ShortName}, "algorithm": {"SHA1"}, "digits": {codeDigits.String()}, "period": {"30"}}
	return "otpauth://totp/" + url.PathEscape(o.ShortName+":"+account) + "?" + strings.ReplaceAll(q.Encode(), "+", "%20")
}

func (s *Service) secret(u models.User) (string, error) {
	return s.vault.Open("users", "totp_secret_sealed", u.ID, u.TOTPSecretSealed)
}

// Today reminds an account of the second step that its rights wait for: for today.Service.Register.
func (s *Service) Today(_ context.Context, a actor.Actor) ([]today.Queue, error) {
	if !a.OneStep || !a.NeedsTwoStep() {
		return nil, nil
	}
	return []today.Queue{{Key: "today.two_step", Path: "/admin/account/two-step", Count: 1, Minutes: 2}}, nil
}

// BeginTwoStep makes a secret for the actor's second step, which counts once ConfirmTwoStep got a code of it. The fault is
// Conflict, error.two_step_on, where there is one already.
func (s *Service) BeginTwoStep(ctx context.Context, a actor.Actor) error {
	if a.Kind != actor.User {
		return fault.New(fault.Unauthenticated, "error.login_needed")
	}
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails
	secret := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	r := s.db.WithContext(ctx).Model(&models.User{}).Where("id = ? AND totp_since IS NULL", a.UserID).
		Updates(map[string]any{"totp_secret_sealed": s.vault.Seal("users", "totp_secret_sealed", a.UserID, secret), "totp_last": 0})
	if r.Error == nil && r.RowsAffected == 0 {
		return fault.New(fault.Conflict, "error.two_step_on")
	}
	return r.Error
}

// ConfirmTwoStep turns the second step on with a first code, and returns the recovery codes, which nobody can read again. The
// session of the cookie goes on; every other one ends. The faults are Invalid on the field code, TooMany, and Conflict,
// error.two_step_off, where nothing was begun.
func (s *Service) ConfirmTwoStep(ctx context.Context, a actor.Actor, v Visit, typed string) (codes []string, out Session, err error) {
	if a.Kind != actor.User {
		return nil, out, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	at, err := s.attempt(ctx, s.try(codesOfAccount, a.UserID[:]))
	if err != nil {
		return nil, out, err
	}
	now := s.clock.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		u, _, err := find(ctx, tx, a.UserID)
		if err != nil {
			return err
		}
		if u.TOTPSince != nil {
			return fault.New(fault.Conflict, "error.two_step_on")
		}
		secret, err := s.secret(u)
		if err != nil {
			return err
		}
		if secret == "" {
			return fault.New(fault.Conflict, "error.two_step_off")
		}
		step := stepOf(secret, typed, now, 0)
		if step == 0 {
			return wrongCode("error.step_code_new_wrong")
		}
		r := tx.Model(&models.User{}).Where("id = ? AND totp_since IS NULL", u.ID).Updates(map[string]any{"totp_since": now, "totp_last": step, "updated_at": now})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Conflict, "error.two_step_on")
		}
		if codes, err = s.newCodes(ctx, tx, u.ID, now); err != nil {
			return err
		}
		if err := endAll(ctx, tx, u.ID); err != nil {
			return err
		}
		u.TOTPSince = &now
		if out, err = s.openSecond(ctx, tx, u, v, "second_step", now); err != nil {
			return err
		}
		if err := tellOfTwoStep(ctx, tx, u, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.two_step_on", "users", u.ID, nil)
	})
	if err != nil {
		return nil, Session{}, err
	}
	return codes, out, s.forgive(ctx, at)
}

func wrongCode(key string) error {
	var f fault.Fields
	f.Add("code", key)
	return f.Err()
}

// NewRecoveryCodes makes the actor's recovery codes anew; the old ones end. It asks for a code. The faults are Invalid on the
// field code, TooMany, and Conflict, error.two_step_off.
func (s *Service) NewRecoveryCodes(ctx context.Context, a actor.Actor, typed string) (codes []string, err error) {
	err = s.withCode(ctx, a, typed, func(tx *gorm.DB, u models.User, now time.Time) error {
		if codes, err = s.newCodes(ctx, tx, u.ID, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.recovery_codes", "users", u.ID, nil)
	})
	return codes, err
}

// EndTwoStep turns the actor's second step off. It asks for a code. The faults are those of NewRecoveryCodes.
func (s *Service) EndTwoStep(ctx context.Context, a actor.Actor, typed string) error {
	return s.withCode(ctx, a, typed, func(tx *gorm.DB, u models.User, now time.Time) error {
		if err := dropTwoStep(ctx, tx, u.ID, now); err != nil {
			return err
		}
		if err := tellOfTwoStep(ctx, tx, u, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.two_step_off", "users", u.ID, nil)
	})
}

// ResetTwoStep takes the second step from an account whose device and codes are lost: its user signs in by one step and sets
// up a new one. All its sessions end. It needs the right actor.ManageUsers; nobody resets their own: they use EndTwoStep.
func (s *Service) ResetTwoStep(ctx context.Context, a actor.Actor, id uuid.UUID) error {
	if err := a.Need(actor.ManageUsers); err != nil {
		return err
	}
	if a.Is(&id) || a.OneStep {
		return fault.New(fault.Forbidden, "error.second_step_needed", "Next", "/admin/account/two-step")
	}
	now := s.clock.Now()
	return s.db.Tx(ctx, func(tx *gorm.DB) error {
		u, _, err := find(ctx, tx, id)
		if err != nil || u.TOTPSince == nil {
			return err
		}
		if err := dropTwoStep(ctx, tx, id, now); err != nil {
			return err
		}
		if err := endAll(ctx, tx, id); err != nil {
			return err
		}
		if err := tellOfTwoStep(ctx, tx, u, now); err != nil {
			return err
		}
		return audit.Write(ctx, tx, a, now, "user.two_step_reset", "users", id, nil)
	})
}

func dropTwoStep(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	tx = tx.WithContext(ctx)
	err := tx.Model(&models.User{}).Where("id = ?", id).Updates(map[string]any{"totp_secret_sealed": nil, "totp_since": nil, "totp_last": 0, "updated_at": now}).Error
	if err != nil {
		return err
	}
	return tx.Where("user_id = ?", id).Delete(&models.RecoveryCode{}).Error
}

// tellOfTwoStep queues the mail to an account whose second step was turned on or off: whoever it was not finds out.
func tellOfTwoStep(ctx context.Context, tx *gorm.DB, u models.User, now time.Time) error {
	_, err := deliveries.Insert(ctx, tx, deliveries.New{
		Kind: KindTwoStep, MailboxID: u.MailboxID, SubjectID: u.ID, Purpose: models.PurposeReceipt,
		DedupeKey: "two_step/" + models.NewID().String(), Priority: models.PriorityReceipt, OnUnknown: models.Resend,
	}, now)
	return err
}

// withCode runs fn in a transaction once the actor's code was right.
func (s *Service) withCode(ctx context.Context, a actor.Actor, typed string, fn func(tx *gorm.DB, u models.User, now time.Time) error) error {
	if a.Kind != actor.User {
		return fault.New(fault.Unauthenticated, "error.login_needed")
	}
	at, err := s.attempt(ctx, s.try(codesOfAccount, a.UserID[:]))
	if err != nil {
		return err
	}
	now := s.clock.Now()
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		u, _, err := find(ctx, tx, a.UserID)
		if err != nil {
			return err
		}
		if u.TOTPSince == nil {
			return fault.New(fault.Conflict, "error.two_step_off")
		}
		if err := s.spend(ctx, tx, u, typed, now); err != nil {
			return err
		}
		return fn(tx, u, now)
	})
	if err != nil {
		return err
	}
	return s.forgive(ctx, at)
}

// SecondStep ends a sign-in that waits for its code: one of the device, or a recovery code, each good once. v.OldToken is the
// cookie that the first step gave. The faults are Unauthenticated, error.login_again, where no sign-in waits; Invalid on the
// field code; TooMany like Login.
func (s *Service) SecondStep(ctx context.Context, v Visit, typed string) (Session, error) {
	now := s.clock.Now()
	half, u, err := s.waiting(ctx, v.OldToken, now)
	if err != nil {
		return Session{}, err
	}
	at, err := s.attempt(ctx, s.try(codesOfAccount, u.ID[:]), s.try(passwordsOfClient, []byte(v.Client.String())))
	if err != nil {
		return Session{}, err
	}
	var out Session
	err = s.db.Tx(ctx, func(tx *gorm.DB) error {
		// Two tabs with the same sign-in: it becomes one session.
		r := tx.WithContext(ctx).Where("id = ?", half.ID).Delete(&models.Session{})
		if r.Error != nil {
			return r.Error
		}
		if r.RowsAffected == 0 {
			return fault.New(fault.Unauthenticated, "error.login_again")
		}
		if err := s.spend(ctx, tx, u, typed, now); err != nil {
			return err
		}
		out, err = s.openSecond(ctx, tx, u, v, "second_step", now)
		return err
	})
	if err != nil {
		return Session{}, err
	}
	return out, s.forgive(ctx, at)
}

// Waits reports whether a cookie is a sign-in that waits for its second step: for the page with the code.
func (s *Service) Waits(ctx context.Context, token string) error {
	_, _, err := s.waiting(ctx, token, s.clock.Now())
	return err
}

func (s *Service) waiting(ctx context.Context, token string, now time.Time) (models.Session, models.User, error) {
	none := fault.New(fault.Unauthenticated, "error.login_again", "Next", "/admin/login")
	hash, ok := s.sessionHash(token)
	if !ok {
		return models.Session{}, models.User{}, none
	}
	var rows []models.Session
	err := s.db.WithContext(ctx).Where("token_hash = ? AND expires_at > ? AND second_step_at IS NULL", hash, now).Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return models.Session{}, models.User{}, orElse(err, none)
	}
	u, _, err := find(ctx, s.db.DB, rows[0].UserID)
	if err != nil || u.TOTPSince == nil || u.DisabledAt != nil {
		return models.Session{}, models.User{}, orElse(err, none)
	}
	return rows[0], u, nil
}

func orElse(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

// spend takes a code of the device or a recovery code, once. The fault is Invalid on the field code.
func (s *Service) spend(ctx context.Context, tx *gorm.DB, u models.User, typed string, now time.Time) error {
	tx = tx.WithContext(ctx)
	typed = strings.ToLower(strings.Map(func(r rune) rune {
		if r <= ' ' || r == '-' || r == '\u00a0' {
			return -1
		}
		return r
	}, typed))
	if len(typed) == recoveryLength {
		r := tx.Model(&models.RecoveryCode{}).Where("user_id = ? AND code_hash = ? AND used_at IS NULL", u.ID, s.codeHash(u.ID, typed)).Update("used_at", now)
		if r.Error != nil || r.RowsAffected == 1 {
			return r.Error
		}
		return wrongCode("error.step_code_wrong")
	}
	secret, err := s.secret(u)
	if err != nil {
		return err
	}
	step := stepOf(secret, typed, now, u.TOTPLast)
	if step == 0 {
		return wrongCode("error.step_code_wrong")
	}
	// The row decides: of two that send the same code at once, one gets in (RFC 6238, section 5.2).
	r := tx.Model(&models.User{}).Where("id = ? AND totp_last < ?", u.ID, step).Update("totp_last", step)
	if r.Error == nil && r.RowsAffected == 0 {
		return wrongCode("error.step_code_wrong")
	}
	return r.Error
}

// stepOf is the time step that a code is of: this one or its neighbours, for clocks that differ, and later than last. 0 is
// a code that is not good.
func stepOf(secret, typed string, now time.Time, last int64) int64 {
	typed = strings.Join(strings.Fields(typed), "")
	at := now.Unix() / int64(codePeriod/time.Second)
	var found int64
	for step := at - 1; step <= at+1; step++ {
		want, err := hotp.GenerateCodeCustom(secret, uint64(step), hotp.ValidateOpts{Digits: codeDigits, Algorithm: otp.AlgorithmSHA1})
		if err == nil && step > last && subtle.ConstantTimeCompare([]byte(want), []byte(typed)) == 1 {
			found = step
		}
	}
	return found
}

func (s *Service) codeHash(user uuid.UUID, code string) []byte {
	return s.vault.Hash("users/recovery-code", user[:], []byte(code))
}

// newCodes replaces the recovery codes of a user.
func (s *Service) newCodes(ctx context.Context, tx *gorm.DB, user uuid.UUID, now time.Time) ([]string, error) {
	tx = tx.WithContext(ctx)
	if err := tx.Where("user_id = ?", user).Delete(&models.RecoveryCode{}).Error; err != nil {
		return nil, err
	}
	out := make([]string, recoveryCodes)
	rows := make([]models.RecoveryCode, recoveryCodes)
	for i := range out {
		raw := make([]byte, recoveryLength)
		_, _ = rand.Read(raw) // never fails
		for j := range raw {
			raw[j] = recoveryLetters[int(raw[j])%len(recoveryLetters)]
		}
		rows[i] = models.RecoveryCode{ID: models.NewID(), UserID: user, CodeHash: s.codeHash(user, string(raw)), CreatedAt: now}
		out[i] = inGroups(string(raw), recoveryLength/2, "-")
	}
	return out, tx.Create(&rows).Error
}

func inGroups(s string, n int, between string) string {
	var parts []string
	for len(s) > n {
		parts, s = append(parts, s[:n]), s[n:]
	}
	return strings.Join(append(parts, s), between)
}
