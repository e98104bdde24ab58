package supporters

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/fault"
	"kithline/campaigns/vault"
	"kithline/models"
)

// maxFieldText is how long a text in a custom field may be, in characters.
const maxFieldText = 2000

// FieldText checks a value for a custom field and returns it as it is kept: a number with a point, a date as 2006-01-02, a
// choice as it is defined, yes or no. The empty text stays empty. The fault is Invalid without a field: error.field_number,
// error.field_date, error.field_choice, error.field_yes_no, error.field_text_long.
func FieldText(field models.CustomField, value string) (string, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return "", nil
	}
	bad := func(key string, args ...any) (string, error) { return "", fault.New(fault.Invalid, key, args...) }
	switch field.Kind {
	case models.FieldNumber:
		n, err := strconv.ParseFloat(value, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) || strings.ContainsAny(value, "xXpP_") {
			return bad("error.field_number")
		}
		return strconv.FormatFloat(n, 'f', -1, 64), nil
	case models.FieldDate:
		d, err := time.Parse(time.DateOnly, value)
		if err != nil || d.Year() < 1 {
			return bad("error.field_date")
		}
		return d.Format(time.DateOnly), nil
	case models.FieldChoice:
		for c := range ChoicesOf(field) {
			if strings.EqualFold(c, value) {
				return c, nil
			}
		}
		return bad("error.field_choice")
	case models.FieldYesNo:
		switch strings.ToLower(value) {
		case "yes", "y", "true", "1", "on", "sí", "si":
			return "yes", nil
		case "no", "n", "false", "0", "off":
			return "no", nil
		}
		return bad("error.field_yes_no")
	}
	if utf8.RuneCountInString(value) > maxFieldText {
		return bad("error.field_text_long", "Most", maxFieldText)
	}
	return value, nil
}

// ChoicesOf yields what a field of the kind choice offers, in its order.
func ChoicesOf(field models.CustomField) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for line := range strings.Lines(field.Choices) {
			if c := strings.TrimSpace(line); c != "" && !yield(c) {
				return
			}
		}
	}
}

// NewValue makes the row of a value for a custom field; ok is false where the value is empty, which is no row. The fault is
// that of FieldText.
func NewValue(v *vault.Vault, supporterID uuid.UUID, field models.CustomField, value string, now time.Time) (row models.FieldValue, ok bool, err error) {
	if value, err = FieldText(field, value); err != nil || value == "" {
		return models.FieldValue{}, false, err
	}
	row = models.FieldValue{SupporterID: supporterID, FieldID: field.ID, UpdatedAt: now}
	if field.Private {
		row.ValueSealed = v.SealBytes("field_values", "value_sealed", valueKey(supporterID, field.ID), []byte(value))
		return row, true, nil
	}
	row.TextValue = value
	if field.Kind == models.FieldNumber {
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			return models.FieldValue{}, false, err
		}
		row.NumberValue = &n
	}
	return row, true, nil
}

// SetField writes what a supporter answers to a custom field, over what was there; an empty value takes it away. The fault
// is that of FieldText.
func SetField(ctx context.Context, tx *gorm.DB, v *vault.Vault, supporterID uuid.UUID, field models.CustomField, value string, now time.Time) error {
	row, ok, err := NewValue(v, supporterID, field, value, now)
	if err != nil {
		return err
	}
	tx = tx.WithContext(ctx)
	if !ok {
		return tx.Where("supporter_id = ? AND field_id = ?", supporterID, field.ID).Delete(&models.FieldValue{}).Error
	}
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "supporter_id"}, {Name: "field_id"}},
		DoUpdates: clause.AssignmentColumns([]string{"text_value", "number_value", "value_sealed", "updated_at"}),
	}).Create(&row).Error
}

// FieldValue reads a row, private or not.
func FieldValue(v *vault.Vault, row models.FieldValue) (string, error) {
	if row.ValueSealed == nil {
		return row.TextValue, nil
	}
	b, err := v.OpenBytes("field_values", "value_sealed", valueKey(row.SupporterID, row.FieldID), row.ValueSealed)
	return string(b), err
}

// valueKey binds a sealed value to its supporter and its field.
func valueKey(supporterID, fieldID uuid.UUID) []byte {
	return slices.Concat(supporterID[:], fieldID[:])
}
