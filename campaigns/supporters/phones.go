package supporters

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/phones"
	"kithline/campaigns/vault"
	"kithline/models"
)

// defaultRegion is where a telephone number without a country is taken to be from when the record says no country.
const defaultRegion = "US"

// NewPhone makes the row of a telephone number as somebody typed it. A valid one is kept in E.164 with its extension (RFC
// 3966); country (ISO 3166-1 alpha-2, "" = unknown) says where one without a country code is from. What is no valid number
// is kept as it was typed, and found by its digits.
func NewPhone(v *vault.Vault, supporterID uuid.UUID, typed, country string, now time.Time) models.Phone {
	number, key, valid := parsePhone(typed, country)
	p := models.Phone{ID: models.NewID(), SupporterID: supporterID, NumberHash: phoneHash(v, key), Valid: valid, CreatedAt: now}
	p.NumberSealed = v.Seal("phones", "number_sealed", p.ID, number)
	return p
}

// AddPhone gives a supporter a telephone number; one that the record has already stays as it is.
func AddPhone(ctx context.Context, tx *gorm.DB, v *vault.Vault, supporterID uuid.UUID, typed, country string, now time.Time) error {
	if strings.TrimSpace(typed) == "" {
		return nil
	}
	p := NewPhone(v, supporterID, typed, country, now)
	return tx.WithContext(ctx).Clauses(SamePhone()).Create(&p).Error
}

// SamePhone is the clause for an INSERT of phones: a number that the record has already is passed over.
func SamePhone() clause.OnConflict {
	return clause.OnConflict{Columns: []clause.Column{{Name: "supporter_id"}, {Name: "number_hash"}}, DoNothing: true}
}

// parsePhone returns a number as it is kept, and what it is found by: E.164 without the extension, or the digits.
func parsePhone(typed, country string) (number, key string, valid bool) {
	typed = strings.Join(strings.Fields(typed), " ")
	if country == "" {
		country = defaultRegion
	}
	if n, ok := phones.Parse(typed, country); ok {
		key = n.E164()
		number = key
		if n.Extension != "" {
			number += ";ext=" + n.Extension
		}
		return number, key, true
	}
	return typed, looseKey(typed), false
}

// looseKey is what a number that is not valid is found by: its digits, or the words where it has none.
func looseKey(typed string) string {
	digits := strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, typed)
	if digits == "" {
		return strings.ToLower(typed)
	}
	return digits
}

func phoneHash(v *vault.Vault, key string) []byte { return v.Hash("phone", []byte(key)) }

// openPhone is a number as it was kept.
func openPhone(v *vault.Vault, p models.Phone) (string, error) {
	return v.Open("phones", "number_sealed", p.ID, p.NumberSealed)
}

// phoneKeys are what a number that somebody types to find a person may be kept under: E.164 for every country where it is a
// valid number as it stands, the likeliest first, and its digits.
func phoneKeys(typed string) []string {
	keys := []string{}
	add := func(k string) {
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	typed = strings.Join(strings.Fields(typed), " ")
	if _, k, ok := parsePhone(typed, defaultRegion); ok {
		add(k)
	}
	if !strings.HasPrefix(typed, "+") {
		for _, region := range phones.Regions() {
			if _, k, ok := parsePhone(typed, region); ok {
				add(k)
			}
		}
	}
	add(looseKey(typed))
	return keys
}

// shownPhone writes a number as people read it: +1 617-555-0123 ext. 5.
func shownPhone(number string, valid bool) string {
	if !valid {
		return number
	}
	bare, extension, _ := strings.Cut(number, ";ext=")
	return phones.Shown(bare, extension)
}
