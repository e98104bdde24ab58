// Package supporters keeps the one record of each person: what they told about themselves, through which mailboxes they
// can be reached, and what they agreed to.
//
// The rules: a record is made once a mailbox is confirmed, or when an organizer imports it from a list; a form that nobody
// confirmed changes no record. What a record says is never written over by a form or a list, only what is empty is
// filled. Names and telephone numbers are sealed; a person is found by the exact address, through its keyed hash, and by
// nothing else. One person may have several mailboxes.
package supporters

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/vault"
	"kithline/models"
)

// Where a record came from.
const (
	SourcePetition = "petition"
	SourceImport   = "import"
)

// Facts is what a form or a list tells about a person. An empty field tells nothing.
type Facts struct {
	GivenName, FamilyName string
	Phone                 string
	PostalArea            string
	Country               string // ISO 3166-1 alpha-2
	Locale                string // BCP 47
	Source                string // SourcePetition, SourceImport
}

// Trim returns the facts without spaces around them, the country in capitals.
func (f Facts) Trim() Facts {
	for _, s := range []*string{&f.GivenName, &f.FamilyName, &f.Phone, &f.PostalArea, &f.Country, &f.Locale, &f.Source} {
		*s = strings.TrimSpace(*s)
	}
	f.Country = strings.ToUpper(f.Country)
	return f
}

// Attach returns the supporter of a mailbox, made when there is none. What f tells fills the empty fields of a record that
// exists and changes no other. Call it in the transaction that confirms the mailbox, never for one that is not confirmed.
func Attach(ctx context.Context, tx *gorm.DB, v *vault.Vault, m models.Mailbox, f Facts, now time.Time) (uuid.UUID, error) {
	tx = tx.WithContext(ctx)
	f = f.Trim()
	if m.SupporterID == nil {
		// Somebody may confirm another action of the same person at the same moment: the row is held, then looked at again.
		if err := tx.Clauses(clause.Locking{Strength: "NO KEY UPDATE"}).Where("id = ?", m.ID).Take(&m).Error; err != nil {
			return uuid.Nil, err
		}
	}
	if m.SupporterID != nil {
		return *m.SupporterID, Fill(ctx, tx, v, *m.SupporterID, f, now)
	}
	s := NewRow(v, models.NewID(), f, now)
	if err := tx.Create(&s).Error; err != nil {
		return uuid.Nil, err
	}
	return s.ID, SetMailbox(ctx, tx, m.ID, s.ID, now)
}

// SetMailbox notes whose a mailbox is. The caller holds the row.
func SetMailbox(ctx context.Context, tx *gorm.DB, mailbox, supporter uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ?", mailbox).
		Updates(map[string]any{"supporter_id": supporter, "updated_at": now}).Error
}

// NewRow makes the row of a new supporter, for Attach and for imports, which write many at once.
func NewRow(v *vault.Vault, id uuid.UUID, f Facts, now time.Time) models.Supporter {
	return models.Supporter{
		ID:               id,
		GivenNameSealed:  v.Seal("supporters", "given_name_sealed", id, f.GivenName),
		FamilyNameSealed: v.Seal("supporters", "family_name_sealed", id, f.FamilyName),
		PhoneSealed:      v.Seal("supporters", "phone_sealed", id, f.Phone),
		PostalArea:       f.PostalArea,
		Country:          f.Country,
		Locale:           f.Locale,
		Source:           f.Source,
		CreatedAt:        now,
		UpdatedAt:        now,
	}
}

// Fill writes what f tells into the fields of a record that are empty, in one statement, so that two writers at once
// cannot undo each other. The row keeps its time of change when nothing was filled.
func Fill(ctx context.Context, tx *gorm.DB, v *vault.Vault, id uuid.UUID, f Facts, now time.Time) error {
	var (
		set, empty []string
		values     []any
	)
	sealed := func(column, plain string) {
		if plain != "" {
			set = append(set, column+" = COALESCE("+column+", ?)")
			empty = append(empty, column+" IS NULL")
			values = append(values, v.Seal("supporters", column, id, plain))
		}
	}
	clear := func(column, plain string) {
		if plain != "" {
			set = append(set, column+" = COALESCE(NULLIF("+column+", ''), ?)")
			empty = append(empty, column+" = ''")
			values = append(values, plain)
		}
	}
	sealed("given_name_sealed", f.GivenName)
	sealed("family_name_sealed", f.FamilyName)
	sealed("phone_sealed", f.Phone)
	clear("postal_area", f.PostalArea)
	clear("country", f.Country)
	clear("locale", f.Locale)
	if len(set) == 0 {
		return nil
	}
	values = append(values, now, id)
	return tx.WithContext(ctx).Exec("UPDATE supporters SET "+strings.Join(set, ", ")+", updated_at = ? WHERE id = ? AND ("+
		strings.Join(empty, " OR ")+")", values...).Error
}

// FillEmpty is Fill for many rows at once: what an INSERT of rows by NewRow, each with the id of a record that is there
// and held, does instead. Nothing that a record says is written over.
func FillEmpty() clause.Set {
	var set clause.Set
	for _, c := range []string{"given_name_sealed", "family_name_sealed", "phone_sealed"} {
		set = append(set, clause.Assignment{Column: clause.Column{Name: c}, Value: clause.Expr{SQL: "COALESCE(supporters." + c + ", excluded." + c + ")"}})
	}
	for _, c := range []string{"postal_area", "country", "locale"} {
		set = append(set, clause.Assignment{Column: clause.Column{Name: c}, Value: clause.Expr{SQL: "COALESCE(NULLIF(supporters." + c + ", ''), excluded." + c + ")"}})
	}
	return append(set, clause.Assignment{Column: clause.Column{Name: "updated_at"}, Value: clause.Expr{SQL: "excluded.updated_at"}})
}
