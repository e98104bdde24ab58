// Package users keeps the accounts of those who run the site: owner, organizer, advocate, coordinator, viewer. Signers and
// volunteers need none.
//
// The rules in words:
//
//   - An account is one mailbox. Its name is sealed; its address lives in the mailbox.
//   - The first owner is made at setup, once, however many try. Everybody else is invited by mail, or added on the server's
//     own terminal. The last owner can be neither disabled nor made anything else.
//   - One signs in with a password (argon2id) or by a mailed link that works once, for 30 minutes, from a page with a button.
//   - An unknown address gets the same answers as a known one, after the same work.
//   - Five wrong passwords for an account, or twenty from one client, and the next try waits until 15 minutes are over.
//   - Whoever may send, export or delete has these rights after a second step only: a code of a device (TOTP, RFC 6238), or one
//     of ten recovery codes, each good once. An account that has set it up never signs in without it.
//   - A session is a random token in a cookie; the database has its keyed hash. It ends after 14 days, at a sign-out, when
//     the account is disabled and, all of them, when the password changes. Each sign-in makes a new one.
package users

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/actor"
	"kithline/campaigns/clock"
	"kithline/campaigns/fault"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/organisation"
	"kithline/campaigns/tokens"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Service keeps accounts and sessions. It is safe for concurrent use.
type Service struct {
	db     *database.DB
	vault  *vault.Vault
	tokens *tokens.Signer
	org    *organisation.Service
	clock  clock.Clock
	hasher hasher

	oneStep bool // sample worlds: every right without a second step
}

// New makes the service.
func New(db *database.DB, v *vault.Vault, signer *tokens.Signer, org *organisation.Service, clk clock.Clock) *Service {
	return &Service{db: db, vault: v, tokens: signer, org: org, clock: clk, hasher: newHasher()}
}

// AllowOneStep gives every right without a second step of signing in: for sample worlds, where nothing is real. Call it before
// the service is used.
func (s *Service) AllowOneStep() { s.oneStep = true }

// Visit is the browser that asks for a session.
type Visit struct {
	Client    netip.Prefix // where it comes from, as limits count it
	OldToken  string       // the session it holds already, which ends: a session never outlives a sign-in
	RequestID string
}

// Account is a user as pages show them.
type Account struct {
	ID          uuid.UUID
	Name        string
	Email       string
	Role        actor.Role
	Locale      string
	HasPassword bool
	TwoStep     bool // signs in by two steps
	ChapterID   *uuid.UUID
	AwayUntil   *time.Time // reviews nothing until then; nil: is here
	CreatedAt   time.Time
	LastLoginAt *time.Time
	DisabledAt  *time.Time
}

func (s *Service) account(u models.User, m models.Mailbox) (Account, error) {
	name, err := s.name(u)
	if err != nil {
		return Account{}, err
	}
	email, err := mailboxes.Address(s.vault, m)
	away := u.AwayUntil
	if away != nil && !s.clock.Now().Before(*away) {
		away = nil
	}
	return Account{
		AwayUntil: away,
		ID:        u.ID, Name: name, Email: email, Role: actor.Role(u.Role), Locale: u.Locale, HasPassword: u.PasswordHash != "", TwoStep: u.TOTPSince != nil, ChapterID: u.ChapterID,
		CreatedAt: u.CreatedAt, LastLoginAt: u.LastLoginAt, DisabledAt: u.DisabledAt,
	}, err
}

func (s *Service) name(u models.User) (string, error) {
	return s.vault.Open("users", "name_sealed", u.ID, u.NameSealed)
}

// List returns every account, oldest first. It needs the right actor.ManageUsers.
func (s *Service) List(ctx context.Context, a actor.Actor) ([]Account, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return nil, err
	}
	var rows []models.User
	if err := s.db.WithContext(ctx).Order("created_at, id").Find(&rows).Error; err != nil {
		return nil, err
	}
	ids := make([]uuid.UUID, len(rows))
	for i, u := range rows {
		ids[i] = u.MailboxID
	}
	boxes, err := boxes(ctx, s.db.DB, ids)
	if err != nil {
		return nil, err
	}
	out := make([]Account, len(rows))
	for i, u := range rows {
		if out[i], err = s.account(u, boxes[u.MailboxID]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Find returns the account of an address. It needs the right actor.ManageUsers and returns a NotFound fault,
// error.user_unknown, where there is none.
func (s *Service) Find(ctx context.Context, a actor.Actor, email string) (Account, error) {
	if err := a.Need(actor.ManageUsers); err != nil {
		return Account{}, err
	}
	var rows []models.User
	err := s.db.WithContext(ctx).Where("mailbox_id = (SELECT id FROM mailboxes WHERE address_hash = ?)", s.typedHash(email)).
		Limit(1).Find(&rows).Error
	if err != nil {
		return Account{}, err
	}
	if len(rows) == 0 {
		return Account{}, fault.New(fault.NotFound, "error.user_unknown")
	}
	u, m, err := find(ctx, s.db.DB, rows[0].ID)
	if err != nil {
		return Account{}, err
	}
	return s.account(u, m)
}

// boxes reads mailboxes by their ids.
func boxes(ctx context.Context, tx *gorm.DB, ids []uuid.UUID) (map[uuid.UUID]models.Mailbox, error) {
	out := make(map[uuid.UUID]models.Mailbox, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		var rows []models.Mailbox
		if err := tx.WithContext(ctx).Where("id IN ?", ids[:n]).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, m := range rows {
			out[m.ID] = m
		}
		ids = ids[n:]
	}
	return out, nil
}

// Own returns the actor's own account. It returns an Unauthenticated fault for anybody but a user.
func (s *Service) Own(ctx context.Context, a actor.Actor) (Account, error) {
	if a.Kind != actor.User {
		return Account{}, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	u, m, err := find(ctx, s.db.DB, a.UserID)
	if err != nil {
		return Account{}, err
	}
	return s.account(u, m)
}

// Names returns the names of users by their ids, "" for one that is gone. Any signed-in user may ask: people who work
// together know each other's names.
func (s *Service) Names(ctx context.Context, a actor.Actor, ids []uuid.UUID) (map[uuid.UUID]string, error) {
	if a.Kind != actor.User && a.Kind != actor.System {
		return nil, fault.New(fault.Unauthenticated, "error.login_needed")
	}
	out := make(map[uuid.UUID]string, len(ids))
	for len(ids) > 0 {
		n := min(len(ids), 500)
		var rows []models.User
		if err := s.db.WithContext(ctx).Where("id IN ?", ids[:n]).Find(&rows).Error; err != nil {
			return nil, err
		}
		for _, u := range rows {
			name, err := s.name(u)
			if err != nil {
				return nil, err
			}
			out[u.ID] = name
		}
		ids = ids[n:]
	}
	return out, nil
}

// find returns a user with their mailbox, a NotFound fault where there is none.
func find(ctx context.Context, tx *gorm.DB, id uuid.UUID) (u models.User, m models.Mailbox, err error) {
	tx = tx.WithContext(ctx)
	if err = tx.Where("id = ?", id).Take(&u).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return u, m, fault.New(fault.NotFound, "error.not_found")
	} else if err != nil {
		return u, m, err
	}
	err = tx.Where("id = ?", u.MailboxID).Take(&m).Error
	return u, m, err
}

// byAddress returns the enabled user of an address hash; ok is false where there is none.
func byAddress(ctx context.Context, tx *gorm.DB, hash []byte) (u models.User, ok bool, err error) {
	var rows []models.User
	err = tx.WithContext(ctx).Where("disabled_at IS NULL AND mailbox_id = (SELECT id FROM mailboxes WHERE address_hash = ?)", hash).
		Limit(1).Find(&rows).Error
	if err != nil || len(rows) == 0 {
		return u, false, err
	}
	return rows[0], true, nil
}

// insert makes an account in tx. It returns an Invalid fault on the field email where the address has one already.
func (s *Service) insert(ctx context.Context, tx *gorm.DB, m models.Mailbox, name string, role actor.Role, chapter *uuid.UUID, locale, hash string, now time.Time) (models.User, error) {
	u := models.User{
		ID: models.NewID(), MailboxID: m.ID, Role: string(role), ChapterID: chapter, PasswordHash: hash, Locale: locale, CreatedAt: now, UpdatedAt: now,
	}
	u.NameSealed = s.vault.Seal("users", "name_sealed", u.ID, name)
	if hash != "" {
		u.PasswordChangedAt = &now
	}
	r := tx.WithContext(ctx).Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "mailbox_id"}}, DoNothing: true}).Create(&u)
	if r.Error != nil {
		return models.User{}, r.Error
	}
	if r.RowsAffected == 0 {
		var f fault.Fields
		f.Add("email", "error.user_exists")
		return models.User{}, f.Err()
	}
	return u, nil
}

// as is the actor that a user is.
func as(u models.User, requestID string) actor.Actor {
	a := actor.Actor{Kind: actor.User, UserID: u.ID, Role: actor.Role(u.Role), RequestID: requestID}
	if u.ChapterID != nil {
		a.ChapterID = *u.ChapterID
	}
	return a
}

// checkName notes what is wrong with a person's name and returns it trimmed. It has 1 to 100 characters on one line.
func checkName(f *fault.Fields, name string) string {
	name = strings.Join(strings.Fields(name), " ")
	switch n := utf8.RuneCountInString(name); {
	case name == "":
		f.Add("name", "error.name_missing")
	case n > 100:
		f.Add("name", "error.text_too_long", "Max", 100, "Over", n-100)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl):
		f.Add("name", "error.text_unreadable")
	}
	return name
}

// orNil is an id as a column holds it.
func orNil(id uuid.UUID) *uuid.UUID {
	if id == uuid.Nil {
		return nil
	}
	return &id
}

// checkChapter notes a chapter that is not open, and one for an owner: owners look after all of them.
func checkChapter(ctx context.Context, tx *gorm.DB, f *fault.Fields, role actor.Role, chapter uuid.UUID) error {
	if chapter == uuid.Nil {
		return nil
	}
	if role == actor.Owner {
		f.Add("chapter", "error.user_owner_whole")
		return nil
	}
	var n int64
	err := tx.WithContext(ctx).Model(&models.Chapter{}).Where("id = ? AND closed_at IS NULL", chapter).Count(&n).Error
	if err == nil && n == 0 {
		f.Add("chapter", "error.value_unknown")
	}
	return err
}

// checkRole notes an unknown role.
func checkRole(f *fault.Fields, role actor.Role) {
	for _, r := range actor.Roles {
		if r == role {
			return
		}
	}
	f.Add("role", "error.value_unknown")
}
