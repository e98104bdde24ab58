// Package mailboxes keeps the one row per e-mail address that everything which can be mailed points to. An address is
// looked up by its keyed hash and opened only to be put on an envelope or shown to somebody with the right.
package mailboxes

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/vault"
	"kithline/models"
	"kithline/models/database"
)

// Ensure returns the mailbox of an address, made when it was not there. The address may be as a person typed it; the
// error for one that cannot be is a fault of kind Invalid without a field, for the caller to name its own. It changes
// nothing of a row that exists: an unconfirmed form tells us nothing about a person.
func Ensure(ctx context.Context, tx *gorm.DB, v *vault.Vault, typed string, now time.Time) (models.Mailbox, error) {
	row, err := NewRow(v, typed, now)
	if err != nil {
		return models.Mailbox{}, err
	}
	return ensure(tx.WithContext(ctx), row)
}

// WithoutAddress returns the mailbox of somebody who has no mail address, made when it was not there: what they hold points to it, and
// nothing is ever mailed there. who tells them from others, and is kept as a keyed hash.
func WithoutAddress(ctx context.Context, tx *gorm.DB, v *vault.Vault, now time.Time, who ...[]byte) (models.Mailbox, error) {
	return ensure(tx.WithContext(ctx), models.Mailbox{ID: models.NewID(), AddressHash: v.Hash("mailbox without address", who...), CreatedAt: now, UpdatedAt: now})
}

func ensure(tx *gorm.DB, row models.Mailbox) (models.Mailbox, error) {
	for {
		m := row
		if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "address_hash"}}, DoNothing: true}).Create(&m).Error; err != nil {
			return models.Mailbox{}, err
		}
		m = models.Mailbox{}
		err := tx.Where("address_hash = ?", row.AddressHash).Take(&m).Error
		if !errors.Is(err, gorm.ErrRecordNotFound) { // else it was erased between the two
			return m, err
		}
	}
}

// Find returns the mailbox of an address, or gorm.ErrRecordNotFound.
func Find(ctx context.Context, tx *gorm.DB, v *vault.Vault, typed string) (models.Mailbox, error) {
	canonical, _, err := address.CanonicalAddress(typed)
	if err != nil {
		return models.Mailbox{}, err
	}
	var m models.Mailbox
	err = tx.WithContext(ctx).Where("address_hash = ?", v.AddressHash(canonical)).Take(&m).Error
	return m, err
}

// Address opens the address of a mailbox.
func Address(v *vault.Vault, m models.Mailbox) (string, error) {
	b, err := v.OpenBytes("mailboxes", "address_sealed", m.AddressHash, m.AddressSealed)
	return string(b), err
}

// Verify notes that somebody who reads this mailbox pressed the button on a mailed page.
func Verify(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ? AND verified_at IS NULL", id).
		Updates(map[string]any{"verified_at": now, "updated_at": now}).Error
}

// SignedUp notes that the people behind mailboxes signed up for something and confirmed it: Verify for many, and the end of an
// erasure that is remembered. They came back by themselves, so lists may name them again. Whoever confirms something of a
// person calls it, in the transaction of the confirmation and before the consents that it gives; signing in to an account is not
// that. Where a list or an organizer had stopped the mailbox, that ends, and so does every consent from before: what counts is what
// the person says now.
func SignedUp(ctx context.Context, tx *gorm.DB, boxes []models.Mailbox, now time.Time) error {
	tx = tx.WithContext(ctx)
	for part := range slices.Chunk(boxes, 500) {
		hashes := make([][]byte, len(part))
		var fresh, stopped []uuid.UUID
		for i, m := range part {
			hashes[i] = m.AddressHash
			if m.VerifiedAt == nil {
				fresh = append(fresh, m.ID)
			}
			if m.SuppressedReason == models.SuppressedImport || m.SuppressedReason == models.SuppressedByHand {
				stopped = append(stopped, m.ID)
			}
		}
		if err := goOn(tx, stopped, now); err != nil {
			return err
		}
		if len(fresh) > 0 {
			err := database.WhereIn(tx.Model(&models.Mailbox{}), "id", fresh).Where("verified_at IS NULL").Updates(map[string]any{"verified_at": now, "updated_at": now}).Error
			if err != nil {
				return err
			}
		}
		if err := database.WhereIn(tx, "address_hash", hashes).Delete(&models.Erasure{}).Error; err != nil {
			return err
		}
	}
	return nil
}

// goOn ends the suppression of mailboxes whose owners came back by themselves.
func goOn(tx *gorm.DB, boxes []uuid.UUID, now time.Time) error {
	if len(boxes) == 0 {
		return nil
	}
	err := tx.Model(&models.Consent{}).Where("mailbox_id IN ? AND withdrawn_at IS NULL", boxes).
		Updates(map[string]any{"withdrawn_at": now, "withdrawn_how": "suppressed"}).Error
	if err != nil {
		return err
	}
	return tx.Model(&models.Mailbox{}).Where("id IN ?", boxes).Updates(map[string]any{"suppressed_at": nil, "suppressed_reason": "", "updated_at": now}).Error
}

// Suppress stops mail to a mailbox: all of it after a bounce or a complaint, all but receipts for the other reasons. The first
// reason stays.
func Suppress(ctx context.Context, tx *gorm.DB, id uuid.UUID, reason string, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ? AND suppressed_at IS NULL", id).
		Updates(map[string]any{"suppressed_at": now, "suppressed_reason": reason, "updated_at": now}).Error
}
