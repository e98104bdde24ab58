// Package supporters keeps the one record of each person: what they told about themselves, through which mailboxes they
// can be reached, and what they agreed to.
//
// The rules: a record is made once a mailbox is confirmed, or when an organizer imports it from a list; a form that nobody
// confirmed changes no record. What a record says is never written over by a form or a list, only what is empty is
// filled. One person may have several mailboxes and several telephone numbers, which have rows of their own.
//
// Names, streets, numbers, notes and private fields are sealed. A person is found by the exact address and by a telephone
// number, through keyed hashes; by a tag; and by any part of the name, from a buffer of opened names that each process keeps
// in memory and writes nowhere (names.go). What is found is read anew from the database, under the chapter of whoever asks.
//
// An organizer who edits a record writes what the person told them; what they did not touch stays as it was written. Somebody
// who was added by hand can be contacted for nothing until a consent is recorded, with where, when and in what words.
package supporters

import (
	"context"
	"strings"
	"time"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"kithline/campaigns/chapters"
	"kithline/campaigns/divisions"
	"kithline/campaigns/mailboxes"
	"kithline/campaigns/postal"
	"kithline/campaigns/vault"
	"kithline/models"
)

// Where a record came from.
const (
	SourcePetition = "petition"
	SourceImport   = "import"
	SourceForm     = "form"
	SourceLetter   = "letter"
	SourceRoster   = "roster" // took a place or stands by
	SourceEvent    = "event"
	SourceHand     = "hand" // an organizer added the person
)

// Facts is what a form or a list tells about a person. An empty field tells nothing.
type Facts struct {
	GivenName, FamilyName string
	Phone                 string // as it was typed
	Street, City          string
	Region                string // state or province, as a code where the country has them
	PostalArea            string
	Country               string // ISO 3166-1 alpha-2
	Locale                string // BCP 47
	TimeZone              string // IANA name
	Source                string // SourcePetition, SourceImport, ...
}

// Trim returns the facts without spaces around them, the country in capitals, the postal area as rows write it, and
// without a time zone that nobody knows.
func (f Facts) Trim() Facts {
	for _, s := range []*string{
		&f.GivenName, &f.FamilyName, &f.Phone, &f.Street, &f.City, &f.Region, &f.PostalArea, &f.Country, &f.Locale, &f.TimeZone, &f.Source,
	} {
		*s = strings.TrimSpace(*s)
	}
	f.Country = strings.ToUpper(f.Country)
	if len(f.Region) <= 3 {
		f.Region = strings.ToUpper(f.Region)
	}
	f.PostalArea = postal.Area(f.Country, f.PostalArea)
	if !zoneKnown(f.TimeZone) {
		f.TimeZone = ""
	}
	return f
}

func zoneKnown(name string) bool {
	if name == "" || name == "Local" {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
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
	if err := SetMailbox(ctx, tx, m.ID, s.ID, now); err != nil {
		return uuid.Nil, err
	}
	if f.Phone != "" {
		if err := AddPhone(ctx, tx, v, s.ID, f.Phone, f.Country, now); err != nil {
			return uuid.Nil, err
		}
	}
	if f.PostalArea == "" {
		return s.ID, nil
	}
	return s.ID, Placed(ctx, tx, []uuid.UUID{s.ID}, now)
}

// Caller returns the mailbox and the record of somebody who has a telephone number and no mail address, made where there are none: they are
// known by the number and the given name. A chapter has records of its own; nil is the whole organisation. Call it on their word, with
// number and name in f.
func Caller(ctx context.Context, tx *gorm.DB, v *vault.Vault, chapter *uuid.UUID, f Facts, now time.Time) (m models.Mailbox, id uuid.UUID, err error) {
	f = f.Trim()
	number := NewPhone(v, uuid.Nil, f.Phone, f.Country, now).NumberHash
	var of uuid.UUID
	if chapter != nil {
		of = *chapter
	}
	if m, err = mailboxes.WithoutAddress(ctx, tx, v, now, []byte("phone"), number, []byte(strings.ToLower(f.GivenName)), of[:]); err != nil {
		return m, uuid.Nil, err
	}
	if id, err = Attach(ctx, tx, v, m, f, now); err != nil || m.SupporterID != nil || chapter == nil {
		return m, id, err
	}
	return m, id, tx.WithContext(ctx).Model(&models.Supporter{}).Where("id = ?", id).Updates(map[string]any{"chapter_id": of, "updated_at": now}).Error
}

// Placed tells what follows from where people live, once their postal areas became known or changed: the chapter and the
// divisions. Attach and Fill call it; whoever writes rows by NewRow and FillEmpty calls it once for a batch.
func Placed(ctx context.Context, tx *gorm.DB, ids []uuid.UUID, now time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	if err := chapters.Assign(ctx, tx, ids, now); err != nil {
		return err
	}
	return divisions.Place(ctx, tx, ids, now)
}

// SetMailbox notes whose a mailbox is. The caller holds the row.
func SetMailbox(ctx context.Context, tx *gorm.DB, mailbox, supporter uuid.UUID, now time.Time) error {
	return tx.WithContext(ctx).Model(&models.Mailbox{}).Where("id = ?", mailbox).
		Updates(map[string]any{"supporter_id": supporter, "updated_at": now}).Error
}

// NewRow makes the row of a new supporter, for Attach and for imports, which write many at once. A telephone number is a row
// of its own: NewPhone.
func NewRow(v *vault.Vault, id uuid.UUID, f Facts, now time.Time) models.Supporter {
	return models.Supporter{
		ID:               id,
		GivenNameSealed:  v.Seal("supporters", "given_name_sealed", id, f.GivenName),
		FamilyNameSealed: v.Seal("supporters", "family_name_sealed", id, f.FamilyName),
		StreetSealed:     v.Seal("supporters", "street_sealed", id, f.Street),
		CitySealed:       v.Seal("supporters", "city_sealed", id, f.City),
		Region:           f.Region,
		PostalArea:       f.PostalArea,
		Country:          f.Country,
		Locale:           f.Locale,
		TimeZone:         f.TimeZone,
		Source:           f.Source,
		CreatedAt:        now,
		UpdatedAt:        now,
	}
}

// Fill writes what f tells into the fields of a record that are empty, in one statement, so that two writers at once
// cannot undo each other. Street, city and region are taken with their postal area only, so that no address is put together
// of two. A telephone number that the record has not yet is added. The row keeps its time of change when nothing was filled.
func Fill(ctx context.Context, tx *gorm.DB, v *vault.Vault, id uuid.UUID, f Facts, now time.Time) error {
	var (
		set, empty         []string
		values, conditions []any
	)
	fill := func(column, isEmpty string, value any, here string, args ...any) {
		set = append(set, column+" = CASE WHEN "+isEmpty+here+" THEN ? ELSE "+column+" END")
		values = append(append(values, args...), value)
		empty = append(empty, isEmpty+here)
		conditions = append(conditions, args...)
	}
	sealed := func(column, plain, here string, args ...any) {
		if plain != "" {
			fill(column, column+" IS NULL", v.Seal("supporters", column, id, plain), here, args...)
		}
	}
	clear := func(column, plain, here string, args ...any) {
		if plain != "" {
			fill(column, column+" = ''", plain, here, args...)
		}
	}
	sealed("given_name_sealed", f.GivenName, "")
	sealed("family_name_sealed", f.FamilyName, "")
	here, args := "", []any{}
	if f.PostalArea != "" {
		here, args = " AND postal_area IN ('', ?)", []any{f.PostalArea}
	}
	sealed("street_sealed", f.Street, here, args...)
	sealed("city_sealed", f.City, here, args...)
	clear("region", f.Region, here, args...)
	clear("postal_area", f.PostalArea, "")
	clear("country", f.Country, "")
	clear("locale", f.Locale, "")
	clear("time_zone", f.TimeZone, "")
	if f.Phone != "" {
		if err := AddPhone(ctx, tx, v, id, f.Phone, f.Country, now); err != nil {
			return err
		}
	}
	if len(set) == 0 {
		return nil
	}
	values = append(append(values, now, id), conditions...)
	r := tx.WithContext(ctx).Exec("UPDATE supporters SET "+strings.Join(set, ", ")+", updated_at = ? WHERE id = ? AND ("+strings.Join(empty, " OR ")+")", values...)
	if r.Error != nil || r.RowsAffected == 0 || f.PostalArea == "" {
		return r.Error
	}
	return Placed(ctx, tx, []uuid.UUID{id}, now)
}

// FillEmpty is Fill for many rows at once: what an INSERT of rows by NewRow, each with the id of a record that is there
// and held, does instead. Nothing that a record says is written over. Telephone numbers and Placed are the caller's.
func FillEmpty() clause.Set {
	var set clause.Set
	add := func(column, sql string) {
		set = append(set, clause.Assignment{Column: clause.Column{Name: column}, Value: clause.Expr{SQL: strings.ReplaceAll(sql, "$", column)}})
	}
	const here = "CASE WHEN excluded.postal_area = '' OR supporters.postal_area IN ('', excluded.postal_area) THEN "
	for _, c := range []string{"given_name_sealed", "family_name_sealed"} {
		add(c, "COALESCE(supporters.$, excluded.$)")
	}
	for _, c := range []string{"street_sealed", "city_sealed"} {
		add(c, here+"COALESCE(supporters.$, excluded.$) ELSE supporters.$ END")
	}
	add("region", here+"COALESCE(NULLIF(supporters.$, ''), excluded.$) ELSE supporters.$ END")
	for _, c := range []string{"postal_area", "country", "locale", "time_zone"} {
		add(c, "COALESCE(NULLIF(supporters.$, ''), excluded.$)")
	}
	return append(set, clause.Assignment{Column: clause.Column{Name: "updated_at"}, Value: clause.Expr{SQL: "excluded.updated_at"}})
}
