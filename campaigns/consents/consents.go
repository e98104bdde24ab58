// Package consents keeps the proof of who agreed to what, when, where and in which words. Rows are append-only. Who may be
// mailed for a purpose is the SQL view "mailable", which a trigger of the deliveries table asks too: without a consent in
// force the row cannot be inserted, whichever code tries.
package consents

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/models"
	"kithline/models/database"
)

// Text returns the row of the exact words, made as the next version when they are new for the purpose and language. Forms
// call it with what they show, so that a consent can name the words beside the box.
func Text(ctx context.Context, tx *gorm.DB, purpose models.Purpose, locale, body string, now time.Time) (models.ConsentText, error) {
	tx = tx.WithContext(ctx)
	for range 5 {
		var rows []models.ConsentText
		if err := tx.Where("purpose = ? AND locale = ?", purpose, locale).Order("version DESC").Find(&rows).Error; err != nil {
			return models.ConsentText{}, err
		}
		next := 1
		for _, r := range rows {
			if r.Body == body {
				return r, nil
			}
			next = max(next, r.Version+1)
		}
		t := models.ConsentText{ID: models.NewID(), Purpose: purpose, Locale: locale, Version: next, Body: body, CreatedAt: now}
		r := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&t)
		if r.Error != nil {
			return models.ConsentText{}, r.Error
		}
		if r.RowsAffected == 1 {
			return t, nil
		}
	}
	return models.ConsentText{}, errors.New("consents: the words of a consent change too often at once")
}

// Words remembers the rows of words that forms show, so that a hot path need not ask for them in its transaction. Rows are never
// deleted. It is safe for concurrent use.
type Words struct {
	db    *database.DB
	known sync.Map // wordsKey to uuid.UUID
}

type wordsKey struct {
	purpose      models.Purpose
	locale, body string
}

// NewWords makes one.
func NewWords(db *database.DB) *Words { return &Words{db: db} }

// ID returns the id of the row of the exact words, which is committed. They are words of our own, not of a visitor: they are kept.
func (w *Words) ID(ctx context.Context, purpose models.Purpose, locale, body string, now time.Time) (uuid.UUID, error) {
	k := wordsKey{purpose, locale, body}
	if id, ok := w.known.Load(k); ok {
		return id.(uuid.UUID), nil
	}
	var t models.ConsentText
	err := w.db.Tx(ctx, func(tx *gorm.DB) (err error) {
		t, err = Text(ctx, tx, purpose, locale, body, now)
		return err
	})
	if err == nil {
		w.known.Store(k, t.ID)
	}
	return t.ID, err
}

// Given is a yes, with its proof.
type Given struct {
	MailboxID  uuid.UUID
	Purpose    models.Purpose
	ScopeID    uuid.UUID
	TextID     uuid.UUID
	Locale     string
	ShownAt    time.Time
	Source     string // the page or the import
	How        models.ConsentHow
	EvidenceID *uuid.UUID
}

// Give records a yes at now. A yes that is in force already stays as it is: the older proof is the better one.
func Give(ctx context.Context, tx *gorm.DB, g Given, now time.Time) error {
	return GiveAll(ctx, tx, []Given{g}, now)
}

// GiveAll is Give for many at once.
func GiveAll(ctx context.Context, tx *gorm.DB, gs []Given, now time.Time) error {
	if len(gs) == 0 {
		return nil
	}
	rows := make([]models.Consent, len(gs))
	for i, g := range gs {
		rows[i] = models.Consent{
			ID: models.NewID(), MailboxID: g.MailboxID, Purpose: g.Purpose, ScopeID: g.ScopeID, TextID: g.TextID, Locale: g.Locale,
			ShownAt: g.ShownAt, GivenAt: now, Source: g.Source, How: g.How, EvidenceID: g.EvidenceID,
		}
	}
	return database.InsertAll(tx.WithContext(ctx), rows, "ON CONFLICT DO NOTHING")
}

// Withdraw ends the consent of a mailbox to one purpose and scope, and reports whether there was one. how is a word for the
// record: "one_click", "page", "complaint".
func Withdraw(ctx context.Context, tx *gorm.DB, mailboxID uuid.UUID, purpose models.Purpose, scopeID uuid.UUID, how string, now time.Time) (bool, error) {
	r := tx.WithContext(ctx).Model(&models.Consent{}).
		Where("mailbox_id = ? AND purpose = ? AND scope_id = ? AND withdrawn_at IS NULL", mailboxID, purpose, scopeID).
		Updates(map[string]any{"withdrawn_at": now, "withdrawn_how": how})
	return r.RowsAffected > 0, r.Error
}
