// Package mailboxes keeps the one row per e-mail address that everything which can be mailed points to. An address is
// looked up by its keyed hash and opened only to be put on an envelope or shown to somebody with the right.
package mailboxes

import (
	"context"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/address"
	"kithline/campaigns/vault"
	"kithline/models"
)

// Ensure returns the mailbox of an address, made when it was not there. The address may be as a person typed it; the
// error for one that cannot be is a fault of kind Invalid without a field, for the caller to name its own. It changes
// nothing of a row that exists: an unconfirmed form tells us nothing about a person. A mailbox that was erased gets its
// address back, since somebody typed it anew.
func Ensure(ctx context.Context, tx *gorm.DB, v *vault.Vault, typed string, now time.Time) (models.Mailbox, error) {
	canonical, domain, err := address.CanonicalAddress(typed)
	if err != nil {
		return models.Mailbox{}, err
	}
	hash := v.AddressHash(canonical)
	m := models.Mailbox{ID: models.NewID(), AddressHash: hash, Domain: domain, CreatedAt: now, UpdatedAt: now}
	m.AddressSealed = v.SealBytes("mailboxes", "address_sealed", hash, []byte(canonical))
	tx = tx.WithContext(ctx)
	if err := tx.Clauses(clause.OnConflict{Columns: []clause.Column{{Name: "address_hash"}}, DoNothing: true}).Create(&m).Error; err != nil {
		return models.Mailbox{}, err
	}
	sealed := m.AddressSealed
	m = models.Mailbox{}
	if err := tx.Where("address_hash = ?", hash).Take(&m).Error; err != nil {
		return models.Mailbox{}, err
	}
	if m.AddressSealed == nil {
		m.AddressSealed = sealed
		err = tx.Model(&models.Mailbox{}).Where("id = ?", m.ID).Updates(map[string]any{"address_sealed": sealed, "updated_at": now}).Error
	}
	return m, err
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

// Address opens the address of a mailbox: "" for one that was erased.
func Address(v *vault.Vault, m models.Mailbox) (string, error) {
	b, err := v.OpenBytes("mailboxes", "address_sealed", m.AddressHash, m.AddressSealed)
	return string(b), err
}

// Verify notes that somebody who reads this mailbox pressed the button on a mailed page.
func Verify(ctx context.Context, tx *gorm.DB, id uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ? AND verified_at IS NULL", id).
		Updates(map[string]any{"verified_at": now, "updated_at": now}).Error
}

// Suppress stops all mail to a mailbox, receipts too. The first reason stays.
func Suppress(ctx context.Context, tx *gorm.DB, id uuid.UUID, reason string, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ? AND suppressed_at IS NULL", id).
		Updates(map[string]any{"suppressed_at": now, "suppressed_reason": reason, "updated_at": now}).Error
}
